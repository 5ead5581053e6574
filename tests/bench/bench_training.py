"""Training networks of several seeds as one computation against one network after another, on one thread."""

import torch
from ratios import Ratio, interleaved

from neurocompare.recurrent.backpropagation import Batch, gradients
from neurocompare.recurrent.cells import Cell
from neurocompare.recurrent.constraints import Constraints, initialise

SIZES = {"tiny": (10, 8, 1, (4,)), "quick": (100, 70, 2, (16, 64)), "full": (100, 70, 8, (16, 64))}
"""Units, steps, rounds, and trials of an update."""

NETWORKS = 4


def measure(how: str) -> list[Ratio]:
    """Time the gradient of one update of four networks, with and without the regulariser of vanishing gradients."""
    units, steps, rounds, batches = SIZES[how]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            _measured(Cell(kind, units, 4, 1, noise=0.05), steps, trials, penalties, rounds)
            for kind, penalties in (("rate", {}), ("rate", {"vanishing": 1.0}), ("gru", {}))
            for trials in batches
        ]
    finally:
        torch.set_num_threads(threads)


def _measured(cell: Cell, steps: int, trials: int, penalties: dict, rounds: int) -> Ratio:
    constraints = Constraints()
    raw = [initialise(cell, constraints, seed) for seed in range(NETWORKS)]
    raw = {name: torch.stack([one[name] for one in raw]).requires_grad_() for name in raw[0]}
    torch.manual_seed(0)
    shape = (NETWORKS, steps, trials)
    batch = Batch(
        torch.randn(*shape, cell.inputs),
        torch.randn(*shape, cell.outputs),
        torch.ones(*shape, cell.outputs),
        torch.ones(shape),
        cell.noise_per_step() * torch.randn(*shape, cell.units),
    )
    single = [
        (
            {name: tensor[k : k + 1].detach().clone().requires_grad_() for name, tensor in raw.items()},
            Batch(*(x[k : k + 1].clone() for x in (batch.inputs, batch.targets, batch.mask, batch.valid, batch.noise))),
        )
        for k in range(NETWORKS)
    ]
    seconds, found = interleaved(
        {
            "together": lambda: gradients(cell, constraints, raw, batch, penalties).raw,
            "in turn": lambda: [gradients(cell, constraints, one, part, penalties).raw for one, part in single],
        },
        rounds,
    )
    difference = max(
        (tensor[k] - found["in turn"][k][name][0]).abs().max().item()
        for name, tensor in found["together"].items()
        for k in range(NETWORKS)
    )
    return Ratio(
        f"gradients of {NETWORKS} networks together, {cell.kind}" + (", vanishing regulariser" if penalties else ""),
        "one after the other",
        f"{cell.units} units × {steps} steps × {trials} trials",
        seconds["in turn"] / seconds["together"],
        note=f"above 1: together is faster; greatest difference {difference:.0e}",
    )
