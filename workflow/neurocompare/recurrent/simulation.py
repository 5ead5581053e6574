r"""Run recurrent networks on the inputs of trials.

The noise of a trial is its own stretch of the stream of a generator: trials take ``T × N`` numbers each, in their
order. It therefore depends neither on how trials are batched nor on what other networks are run beside.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from neurocompare.recurrent.cells import Cell

KEPT = ("states", "rates", "outputs")
"""What a simulation may keep."""

WORKING_BYTES = 16 * 2**20
"""Memory for what a batch of trials needs in a simulation without gradients, per kind of array."""

HOISTED = 2**19
"""How many numbers of projected inputs are made at once: within caches, this saves 10 to 25 % of the time of small
networks and costs large ones nothing; larger arrays are slower than one projection in each step."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """What networks did, after each step; None for what was not kept.

    Attributes
    ----------
    states : Tensor of shape (n, T, S) or (K, n, T, S), optional
        States.
    rates : Tensor of shape (n, T, N) or (K, n, T, N), optional
        Rates, without dimension.
    outputs : Tensor of shape (n, T, O) or (K, n, T, O), optional
        Outputs.
    """

    states: Tensor | None
    rates: Tensor | None
    outputs: Tensor | None


def simulate(
    cell: Cell,
    weights: dict[str, Tensor],
    inputs: Tensor,
    *,
    generator: torch.Generator | list[torch.Generator] | None = None,
    seed: int | list[int] | None = None,
    noise: float | None = None,
    keep: tuple[str, ...] = KEPT,
    batch: int | None = None,
) -> Simulation:
    r"""Run one network, or several at once, on trials.

    Parameters
    ----------
    cell : Cell
        The cell.
    weights : dict of str to Tensor
        Its weights, with or without a leading axis of K networks.
    inputs : Tensor of shape (n, T, I) or (K, n, T, I)
        Inputs; of K networks, the same or different ones.
    generator : torch.Generator or list of K of them, optional
        Source of the noise; a list where there is an axis of networks. Needed where there is noise.
    seed : int or list of K int, optional
        Seeds of new generators, instead of `generator`.
    noise : float, optional
        Another :math:`\sigma` than the cell's; 0 for none.
    keep : tuple of {"states", "rates", "outputs"}
        What to return.
    batch : int, optional
        Number of trials run at once; by default as many as fit in `WORKING_BYTES`, and all where gradients are needed.

    Returns
    -------
    Simulation
        Of the type and on the device of the weights; differentiable where they require gradients.

    Raises
    ------
    ValueError
        If there is noise but no generator, or not one for each network.
    """
    parameter = weights["recurrent"]
    networks = parameter.shape[:-2]
    inputs = torch.as_tensor(inputs).to(parameter.device, parameter.dtype)
    trials, steps = inputs.shape[-3:-1]
    sd = cell.noise_per_step(noise)
    generators = _generators(generator if seed is None else seed, networks) if sd else []
    differentiable = torch.is_grad_enabled() and any(w.requires_grad for w in (*weights.values(), inputs))
    if batch is None:
        one = networks.numel() * steps * cell.blocks * cell.units * parameter.element_size()
        batch = trials if differentiable else max(1, WORKING_BYTES // max(one, 1))
    parts = []
    whole: dict[str, Tensor] = {}
    for start in range(0, trials, batch):
        part = inputs[..., start : start + batch, :, :]
        eta = _noise(cell, parameter, networks, part, generators) * sd if sd else None
        found = _batch(cell, weights, part, eta, networks, keep)
        if batch >= trials:
            return Simulation(**{name: found.get(name) for name in KEPT})
        if differentiable:
            parts.append(found)
            continue
        for name, values in found.items():
            if name not in whole:
                whole[name] = values.new_empty((*networks, trials, *values.shape[-2:]))
            whole[name][..., start : start + batch, :, :] = values
    if differentiable:
        whole = {name: torch.cat([part[name] for part in parts], -3) for name in parts[0]}
    return Simulation(**{name: whole.get(name) for name in KEPT})


def _generators(given, networks: torch.Size) -> list[torch.Generator]:
    """Return a generator for each network, from generators or seeds."""
    if given is None or isinstance(given, list) != bool(networks) or bool(networks) and len(given) != networks[0]:
        raise ValueError(f"noise needs a generator or seed, and a list of them for networks; got {given}")
    each = given if networks else [given]
    return [torch.Generator().manual_seed(one) if isinstance(one, int) else one for one in each]


def _noise(cell: Cell, like: Tensor, networks, inputs: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Draw (…, n, T, N) standard normal numbers, trial by trial."""
    trials, steps = inputs.shape[-3:-1]
    drawn = torch.empty((len(generators), trials, steps, cell.units), device=generators[0].device)
    for row, generator in zip(drawn, generators, strict=True):
        for trial in row:
            # One draw for all trials would depend on their number: torch draws long stretches in blocks.
            torch.randn(trial.shape, generator=generator, out=trial)
    return drawn.reshape((*networks, *drawn.shape[1:])).to(like.device, like.dtype)


def _batch(cell: Cell, weights: dict, inputs: Tensor, eta: Tensor | None, networks, keep) -> dict[str, Tensor]:
    """Run a batch of trials, all steps of it."""
    trials, steps = inputs.shape[-3:-1]
    state = weights["initial"].unsqueeze(-2).expand(*networks, trials, cell.state_size)
    states = []
    chunk = max(1, HOISTED // max(1, networks.numel() * trials * cell.blocks * cell.units))
    noises = [None] * -(-steps // chunk) if eta is None else eta.split(chunk, -2)
    for now, noise in zip(inputs.split(chunk, -2), noises, strict=True):
        # What does not need the state is done for many steps at once.
        drive = cell.drive(weights, now.flatten(-3, -2), None if noise is None else noise.flatten(-3, -2))
        # The gradient of `unbind` is one array for all steps; indexing would make one of full size in each.
        for one in drive.unflatten(-2, (trials, -1)).unbind(-2):
            state = cell.advance(weights, state, one)
            states.append(state)
    states = torch.stack(states, -2)
    found = {"states": states}
    if "rates" in keep or "outputs" in keep:
        found["rates"] = cell.rates(states)
    if "outputs" in keep:
        found["outputs"] = cell.readout(weights, found["rates"].flatten(-3, -2)).unflatten(-2, (trials, steps))
    return {name: values for name, values in found.items() if name in keep}
