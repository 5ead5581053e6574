"""The gradient of the loss of several networks through time.

As in `losses`, the first axis of every array is that of K networks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from neurocompare.recurrent import losses
from neurocompare.recurrent.cells import Cell
from neurocompare.recurrent.constraints import Constraints


@dataclass(eq=False)
class Batch:
    """Trials of K networks, filled up to the same number of steps T.

    Attributes
    ----------
    inputs : Tensor of shape (K, T, B, I)
        Inputs with their noise.
    targets, mask : Tensors of shape (K, T, B, O)
        What is asked for, and how much it weighs.
    valid : Tensor of shape (K, T, B)
        1 for steps that belong to the trial.
    noise : Tensor of shape (K, T, B, N), optional
        Noise of the drive in each step.
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor
    valid: Tensor
    noise: Tensor | None = None


@dataclass(eq=False)
class Gradients:
    """What one batch says.

    Attributes
    ----------
    raw : dict of str to Tensor
        Gradient of the loss of each network by its raw parameters.
    error, penalty : Tensors of shape (K,)
        Squared error, and the penalties times their factors.
    """

    raw: dict[str, Tensor]
    error: Tensor
    penalty: Tensor


def unroll(cell: Cell, weights: dict[str, Tensor], batch: Batch) -> tuple[list[Tensor], Tensor]:
    """Run networks over the steps of a batch.

    Parameters
    ----------
    cell : Cell
        The kind of cell.
    weights : dict of str to Tensor
        Weights with a leading axis of networks.
    batch : Batch
        Inputs and noise.

    Returns
    -------
    states : list of T + 1 Tensors of shape (K, B, S)
        The initial state, and the state after each step.
    drives : Tensor of shape (K, T, B, g N)
        Projected inputs, with noise.
    """
    networks, steps, trials, _ = batch.inputs.shape
    # One product for all steps instead of one in each.
    noise = None if batch.noise is None else batch.noise.flatten(1, 2)
    drives = cell.drive(weights, batch.inputs.flatten(1, 2), noise).unflatten(1, (steps, trials))
    states = [weights["initial"].unsqueeze(1).expand(networks, trials, -1)]
    for drive in drives.unbind(1):
        states.append(cell.advance(weights, states[-1], drive))
    return states, drives


def outputs_of(cell: Cell, weights: dict[str, Tensor], states: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Read rates and outputs from the states after each step.

    Parameters
    ----------
    cell : Cell
        The kind of cell.
    weights : dict of str to Tensor
        Weights with a leading axis of networks.
    states : list of T + 1 Tensors of shape (K, B, S)
        From `unroll`.

    Returns
    -------
    rates : Tensor of shape (K, T, B, N)
        Activity.
    outputs : Tensor of shape (K, T, B, O)
        Outputs.
    """
    rates = cell.rates(torch.stack(states[1:], 1))
    shape = rates.shape[1:3]
    return rates, cell.readout(weights, rates.flatten(1, 2)).unflatten(1, shape)


def gradients(
    cell: Cell, constraints: Constraints, raw: dict[str, Tensor], batch: Batch, penalties: dict[str, float]
) -> Gradients:
    r"""Differentiate the loss of each network by its raw parameters.

    The loss is the squared error, plus penalties times their factors. In the regulariser of vanishing gradients, E is
    the error with, if there is one, the penalty of the rates: all that depends on the states.

    Parameters
    ----------
    cell : Cell
        The kind of cell.
    constraints : Constraints
        Makes weights of raw parameters, once.
    raw : dict of str to Tensor
        Raw parameters with a leading axis of networks; those that learn require a gradient.
    batch : Batch
        Trials.
    penalties : dict of str to float
        Factors of ``weights``, ``rates`` and ``vanishing``.

    Returns
    -------
    Gradients
        Of all parameters that require one.
    """
    made = constraints.effective(raw)
    weights = {name: weight.detach().requires_grad_(weight.requires_grad) for name, weight in made.items()}
    learning = [name for name, weight in weights.items() if weight.requires_grad]
    states, drives = unroll(cell, weights, batch)
    rates, outputs = outputs_of(cell, weights, states)
    error = losses.squared_error(outputs, batch.targets, batch.mask)
    penalty = torch.zeros_like(error)
    if penalties.get("rates"):
        penalty = penalty + penalties["rates"] * losses.rate_penalty(rates, batch.valid)
    if penalties.get("weights"):
        penalty = penalty + penalties["weights"] * losses.weight_penalty(weights)
    factor = penalties.get("vanishing") if "recurrent" in learning else None
    found = torch.autograd.grad(
        (error + penalty).sum(),
        [weights[name] for name in learning] + (states[1:] if factor else []),
        allow_unused=True,
        materialize_grads=True,
    )
    by_weight = dict(zip(learning, found, strict=False))
    if factor:
        by_state = torch.stack(found[len(learning) :], 1)
        omega = losses.vanishing(cell, weights, torch.stack(states[:-1], 1), drives, by_state)
        penalty = penalty + factor * omega
        recurrent = [name for name in ("recurrent", "recurrent_bias") if name in by_weight]
        more = torch.autograd.grad(
            factor * omega.sum(), [weights[name] for name in recurrent], allow_unused=True, materialize_grads=True
        )
        for name, gradient in zip(recurrent, more, strict=True):
            by_weight[name] = by_weight[name] + gradient
    trained = [name for name, tensor in raw.items() if tensor.requires_grad]
    by_raw = torch.autograd.grad(
        [made[name] for name in learning],
        [raw[name] for name in trained],
        [by_weight[name] for name in learning],
        allow_unused=True,
        materialize_grads=True,
    )
    return Gradients(dict(zip(trained, by_raw, strict=True)), error.detach(), penalty.detach())
