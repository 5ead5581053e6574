"""All fixed points of trained 3-bit flip-flops, against joint descent with the settings of fixed-point-finder.

The other search is written here from what that package documents and sets: Adam on the mean q of 512 (N = 64) or 1024
(N = 128) states of trajectories with noise of SD 0.5, rate 1, multiplied by 0.95 whenever the mean has not fallen for
two steps, until each state has q < 1e-12 or changes it by less than 1e-20 × rate, at most 5000 steps. It is given twice
as many states, up to eight times, where it does not find all points. Decompositions are left out on both sides. Times
are those of the processor, as both use one thread.
"""

import time

import numpy as np
import torch
from ratios import Ratio
from scipy.spatial.distance import cdist

from neurocompare.dynamics.fixed_points import find_each
from neurocompare.recurrent import definition, learning
from neurocompare.recurrent.simulation import simulate
from neurocompare.tasks import flipflop

CELLS = {
    "tanh": {"kind": "rate", "activation": "tanh"},
    "ReLU": {"kind": "rate", "activation": "relu"},
    "vanilla tanh": {"kind": "vanilla", "time_constant": 0.02},
}
SIZES = {
    "tiny": [("vanilla tanh", 24, 1, 150, "")],
    "quick": [("tanh", 64, 1, 400, "")],
    "full": [
        ("tanh", 64, 3, 500, ""),
        ("ReLU", 64, 3, 700, ""),
        ("vanilla tanh", 64, 3, 500, ""),
        ("tanh", 128, 1, 500, "≥ 5"),
    ],
}
"""Cell, units, seeds, updates of learning, and target."""

TASK = {"duration": 1.6, "pulse": 0.06, "settle": 0.12}
STATES = 64


def measure(how: str) -> list[Ratio]:
    """Train, search, and compare."""
    rows, of_64 = [], []
    for kind, units, seeds, updates, target in SIZES[how]:
        step, fast, singles, states = _trained(kind, units, seeds, updates)
        rng = np.random.default_rng(0)
        starts = np.stack([own[rng.choice(len(own), STATES, replace=False)] for own in states])
        find_each(step, starts, np.zeros((1, 3)), fast=fast)
        ours, found = _timed(lambda a=starts, s=step, f=fast: find_each(s, a, np.zeros((1, 3)), fast=f), 3)
        points = [parts[0].points[parts[0].is_fixed] for parts in found]
        theirs, at_first, counts = 0.0, 0.0, []
        for k, own in enumerate(states):
            first, seconds, count = _covering(singles[k], own, points[k], 1024 if units > 64 else 512, rng)
            theirs += seconds
            at_first += first
            counts.append(count)
        ratio = theirs / ours
        if units == 64:
            of_64.append(ratio)
        unstable = [np.bincount(parts[0].unstable[parts[0].is_fixed]).tolist() for parts in found]
        note = f"fixed points by unstable dimensions: {unstable}; joint: {'; '.join(counts)}"
        note += f"; {at_first / ours:.1f} where it is not asked to find all"
        rows.append(_row(f"{kind}, N = {units}", f"{seeds} networks × {STATES} states", ratio, target, note))
    if how == "full":
        mean = float(np.exp(np.log(of_64).mean()))
        rows.append(_row("N = 64, all kinds", "9 networks", mean, "≥ 10", "geometric mean of the three above"))
    return rows


def _row(what: str, size: str, value: float, target: str, note: str) -> Ratio:
    return Ratio(f"fixed points of flip-flops, {what}", "joint Adam", size, value, target, note)


def _trained(kind: str, units: int, seeds: int, updates: int):
    """Train networks together; return their step in both precisions, that of each, and states of each."""
    torch.set_num_threads(1)
    entry = {
        "cell": CELLS[kind] | {"units": units, "noise": 0.02},
        "learning": {"updates": updates, "rate": 3e-3, "decay": 0.998, "stop": {"every": updates, "trials": 64}},
    }
    made = definition.of_entry(entry, {"task": "flipflop", "options": TASK})
    outcomes = learning.train(made, list(range(seeds)))
    weights = {name: torch.stack([part.weights[name] for part in outcomes]) for name in outcomes[0].weights}
    shown = torch.from_numpy(flipflop.trials(64, np.random.default_rng(9), **TASK).inputs)
    with torch.no_grad():
        states = simulate(made.cell, weights, shown, seed=list(range(seeds)), keep=("states",)).states.numpy()
    maps = [made.cell.map({name: w.to(kind) for name, w in weights.items()}) for kind in (torch.float64, torch.float32)]
    singles = [made.cell.map({name: w[k] for name, w in weights.items()}) for k in range(seeds)]
    return *maps, singles, states.reshape(seeds, -1, states.shape[-1])


def _timed(function, rounds: int) -> tuple[float, object]:
    """Return the shortest time of the processor, and what the function returns."""
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        found = function()
        best = min(best, time.process_time() - start)
    return best, found


def _covering(step, states: np.ndarray, points: np.ndarray, n: int, rng) -> tuple[float, float, str]:
    """Time joint descent with n states, and with as many as it takes to find all points; say how many that were."""
    first = None
    most = 8 * n
    while True:
        starts = states[rng.choice(len(states), n)] + 0.5 * rng.standard_normal((n, states.shape[1]))
        x = torch.as_tensor(starts, dtype=torch.float32)
        seconds, ends = _timed(lambda x=x: _joint(step, x), 1)
        first = first or seconds
        distance = cdist(ends.double().numpy(), points)
        near = distance.min(1, initial=np.inf) < 0.05
        count = len(np.unique(distance[near].argmin(1))) if near.any() else 0
        if count == len(points) or 2 * n > most:
            return first, seconds, f"{count} of {len(points)} from {n}"
        n *= 2


def _joint(step, states: torch.Tensor) -> torch.Tensor:
    """Descend on the mean q of all states."""
    x, inputs = states.clone().requires_grad_(True), torch.zeros(len(states), 3)
    optimiser = torch.optim.Adam([x], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.95, patience=2)
    last = torch.full((len(x),), torch.inf)
    for _ in range(5000):
        q = 0.5 * ((step(x, inputs) - x) ** 2).sum(1)
        optimiser.zero_grad()
        q.mean().backward()
        optimiser.step()
        schedule.step(q.detach().mean())
        change, last = (q.detach() - last).abs(), q.detach()
        if bool(((last < 1e-12) | (change < 1e-20 * optimiser.param_groups[0]["lr"])).all()):
            break
    return x.detach()
