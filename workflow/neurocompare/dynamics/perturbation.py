r"""Perturbations of recurrent networks: lesions of units and of directions, and pulses along axes.

A pulse p at some step changes the state k steps later by :math:`J_k \cdots J_1\,p` to first order, with the Jacobians
along the trajectory (`Effect.linear`). Near a slow point with Jacobian J this is
:math:`\sum_i \lambda_i^k\, r_i (l_i \cdot p)`; if one eigenvalue is close to 1 and the others are gone by then, what is
left is :math:`\rho_0 (L_0 \cdot p)`, with the selection vector :math:`L_0` (Mante et al. 2013): see `selected`.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurocompare.recurrent.cells import Cell

RANK = 1e-10
"""Directions that are shorter than this share of the longest are none."""

MOVES = 1e-6
"""Rates that change with the state by less than this share of those that change most do not move."""


@dataclass(frozen=True, eq=False)
class Effect:
    """What pulses do to an output.

    Attributes
    ----------
    before : array of shape (n_trials,)
        The output without a pulse.
    after : array of shape (n_pulses, n_trials)
        The output with each pulse, with the same noise.
    linear : array of shape (n_pulses, n_trials)
        The change to first order, along the trajectory without pulse.
    state : array of shape (n_trials, n_states)
        Where each trial was when the pulse came.
    """

    before: np.ndarray
    after: np.ndarray
    linear: np.ndarray
    state: np.ndarray

    @property
    def change(self) -> np.ndarray:
        """The actual change of the output (pulse, trial)."""
        return self.after - self.before

    def shift(self, predicted: np.ndarray | None = None) -> np.ndarray:
        """Return by how much the choice of each trial changes; choice 1 is a positive output.

        Parameters
        ----------
        predicted : array of shape (n_pulses, n_trials), optional
            A change of the output, such as `linear`; by default the actual one.

        Returns
        -------
        array of shape (n_pulses, n_trials)
            1 where the choice turns into choice 1, −1 where it turns into the other, else 0; the mean over trials is
            the change of the share of choice 1.
        """
        after = self.after if predicted is None else self.before + predicted
        return (after > 0).astype(float) - (self.before > 0)


def silenced(weights: dict[str, Tensor], units: np.ndarray) -> dict[str, Tensor]:
    """Cut what units send: to other units, and to the outputs.

    Parameters
    ----------
    weights : dict of str to Tensor
        As in `neurocompare.recurrent.cells`, perhaps of several networks.
    units : array of int or bool
        Units to silence.

    Returns
    -------
    dict of str to Tensor
        New weights. The units themselves go on, and nothing hears them.
    """
    kept = torch.ones(weights["output"].shape[-1], dtype=weights["output"].dtype)
    kept[torch.as_tensor(np.asarray(units))] = 0
    return weights | {name: weights[name] * kept for name in ("recurrent", "output")}


def outputs_without(
    cell: Cell,
    weights: dict[str, Tensor],
    inputs: np.ndarray,
    *,
    axis: np.ndarray | None = None,
    course: np.ndarray | None = None,
    readout: bool = True,
    noise: float | None = 0.0,
    seed: int = 0,
) -> np.ndarray:
    r"""Run a network in which units do not hear what others do along some axes, but the same in all trials.

    Parameters
    ----------
    cell : Cell
        The cell.
    weights : dict of str to Tensor
        Weights of one network.
    inputs : array of shape (n_trials, n_times, n_inputs)
        Inputs.
    axis : array of shape (n_units,) or (n_axes, n_units), optional
        Directions in the space of rates, of any length; what they span is removed. By default nothing is.
    course : array of shape (n_times + 1, n_units), optional
        Rates before the first step and after each, such as their mean over trials, whose projection is heard instead;
        by default 0.
    readout : bool
        Whether outputs lose what is along the axes, too.
    noise : float, optional
        :math:`\sigma` of the recurrent noise; None for the cell's.
    seed : int
        Seed of the noise, which is that of `pulse`.

    Returns
    -------
    array of shape (n_trials, n_times, n_outputs)
        Outputs.
    """
    dtype = weights["recurrent"].dtype
    inputs = torch.as_tensor(np.asarray(inputs)).to(dtype)
    n, steps = inputs.shape[:2]
    directions = np.zeros((1, cell.units)) if axis is None else np.atleast_2d(axis)
    _, lengths, rows = np.linalg.svd(directions, full_matrices=False)
    # Axes that depend on one another span fewer directions than there are axes; the other rows are arbitrary.
    basis = torch.as_tensor(rows[lengths > RANK * lengths[0]]).to(dtype)
    course = torch.zeros(steps + 1, cell.units) if course is None else torch.as_tensor(np.array(course))
    constant = course.to(dtype) @ basis.T @ basis
    heard = constant @ weights["recurrent"].T
    changed = dict(weights, recurrent=weights["recurrent"] - weights["recurrent"] @ basis.T @ basis)
    eta = _noise(cell, n, steps, noise, seed, dtype)
    state = weights["initial"].to(dtype).expand(n, -1)
    outputs = torch.empty(n, steps, cell.outputs, dtype=dtype)
    gates = 2 * cell.units
    with torch.no_grad():
        for t in range(steps):
            given = heard[t]
            if cell.kind == "gru":
                # What the candidate hears from units goes through the reset gate.
                changed["recurrent_bias"] = weights["recurrent_bias"] + given[gates:]
                given = torch.cat([given[:gates], torch.zeros(cell.units, dtype=dtype)])
            changed["bias"] = weights["bias"] + given
            state = cell.advance(changed, state, cell.drive(changed, inputs[:, t], None if eta is None else eta[:, t]))
            rates = cell.rates(state)
            if readout:
                rates = rates - rates @ basis.T @ basis + constant[t + 1]
            outputs[:, t] = cell.readout(weights, rates)
    return outputs.numpy()


def pulse(
    cell: Cell,
    weights: dict[str, Tensor],
    inputs: np.ndarray,
    pushes: np.ndarray,
    *,
    at: int,
    scored: np.ndarray | None = None,
    output: int = 0,
    noise: float | None = 0.0,
    seed: int = 0,
) -> Effect:
    r"""Push the state of a network once, and see what becomes of its output.

    Parameters
    ----------
    cell : Cell
        The cell.
    weights : dict of str to Tensor
        Weights of one network.
    inputs : array of shape (n_trials, n_times, n_inputs)
        Inputs.
    pushes : array of shape (n_pulses, n_states)
        What is added to the state: axes times sizes. Each is tried in all trials.
    at : int
        The pulses follow this many steps.
    scored : array of shape (n_trials, n_times), optional
        Weights of the steps that the output is averaged over; by default the last step counts.
    output : int
        The output that is looked at.
    noise : float, optional
        :math:`\sigma` of the recurrent noise; None for the cell's.
    seed : int
        Seed of the noise.

    Returns
    -------
    Effect
        The output with and without pulses, and the change that the linearised network has.

    Raises
    ------
    ValueError
        If the pulses come before the first step or after the last.
    """
    dtype = weights["recurrent"].dtype
    inputs = torch.as_tensor(np.asarray(inputs)).to(dtype)
    n, steps = inputs.shape[:2]
    if not 0 <= at < steps:
        raise ValueError(f"a pulse after {at} steps is not within a trial of {steps} steps")
    weight = torch.zeros(n, steps, dtype=dtype)
    if scored is None:
        weight[:, -1] = 1
    else:
        weight += torch.as_tensor(np.asarray(scored) / np.sum(scored, axis=1, keepdims=True)).to(dtype)
    push = torch.as_tensor(np.asarray(pushes)).to(dtype)
    eta = _noise(cell, n, steps, noise, seed, dtype)

    def through(state: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor | float]:
        """Run some steps, and sum up the scored outputs."""
        total = 0.0
        for t in range(start, stop):
            drive = cell.drive(weights, inputs[:, t], None if eta is None else eta[:, t])
            state = cell.advance(weights, state, drive)
            if weight[:, t].any():
                total = total + weight[:, t] * cell.readout(weights, cell.rates(state))[..., output]
        return state, total

    with torch.no_grad():
        state, early = through(weights["initial"].to(dtype).expand(n, -1), 0, at)
        _, after = through(state + push[:, None], at, steps)
    state = state.detach().clone().requires_grad_(True)
    _, before = through(state, at, steps)
    (gradient,) = torch.autograd.grad(before.sum(), state)
    state = state.detach()
    parts = (before.detach() + early, after + early, push @ gradient.T, state)
    return Effect(*(part.numpy() for part in parts))


def readout_gradient(cell: Cell, weights: dict[str, Tensor], point: np.ndarray) -> np.ndarray:
    """Return how the outputs change with the state.

    Parameters
    ----------
    cell : Cell
        The cell.
    weights : dict of str to Tensor
        Weights of one network.
    point : array of shape (n_states,)
        A state.

    Returns
    -------
    array of shape (n_outputs, n_states)
        Derivatives at the point.
    """
    at = torch.as_tensor(np.asarray(point)).to(weights["recurrent"].dtype)
    return torch.func.jacrev(lambda x: cell.readout(weights, cell.rates(x)))(at).detach().numpy()


def along_rates(cell: Cell, point: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return how rates change where the state moves along axes.

    Parameters
    ----------
    cell : Cell
        The cell.
    point : array of shape (n_states,)
        A state.
    axes : array of shape (n_axes, n_states)
        Directions of states.

    Returns
    -------
    array of shape (n_axes, n_units)
        Directions of rates.
    """
    return np.asarray(axes, dtype=float) @ _rates_by_state(cell, point).T


def read_from_rates(cell: Cell, point: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    r"""Return the directions of rates that linear functions of the state read.

    A change dx of the state is one of :math:`\Phi' dx` of the rates, so that :math:`L \cdot dx` is
    :math:`c \cdot \Phi' dx` for :math:`c\,\Phi' = L`: weights that rates are read out with, where `along_rates` has
    directions that rates move in. A network of rank one, :math:`W = m n^T`, has the selection vector
    :math:`L \propto n\,\Phi'`, and what it reads is n.

    Parameters
    ----------
    cell : Cell
        The cell.
    point : array of shape (n_states,)
        A state.
    gradients : array of shape (n_gradients, n_states)
        Derivatives of functions of the state, such as selection vectors.

    Returns
    -------
    array of shape (n_gradients, n_units)
        c by least squares; 0 for units whose rates do not move.
    """
    return np.asarray(gradients, dtype=float) @ np.linalg.pinv(_rates_by_state(cell, point), rcond=MOVES)


def _rates_by_state(cell: Cell, point: np.ndarray) -> np.ndarray:
    """Derivatives of rates (n_units, n_states)."""
    return torch.func.jacrev(cell.rates)(torch.as_tensor(np.asarray(point, dtype=float))).detach().numpy()


def selected(
    values: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    gradient: np.ndarray,
    pushes: np.ndarray,
    steps: np.ndarray,
    *,
    modes: int = 1,
) -> np.ndarray:
    """Predict the change of an output from the leading eigenvectors at a slow point.

    Parameters
    ----------
    values : array of shape (n_states,)
        Eigenvalues of the Jacobian of a step, by falling magnitude.
    left : array of shape (n_states, n_states)
        Left eigenvectors in rows.
    right : array of shape (n_states, n_states)
        Right eigenvectors in columns, biorthonormal to `left`.
    gradient : array of shape (n_states,)
        From `readout_gradient`.
    pushes : array of shape (n_pulses, n_states)
        The pulses.
    steps : array of int of shape (n_scored,)
        Numbers of steps after which the output is read; the changes are averaged.
    modes : int
        Eigenvectors that are taken: 1 for a line attractor and its selection vector; both of a complex pair.

    Returns
    -------
    array of shape (n_pulses,)
        Σ λᵏ (g · r) (l · p).
    """
    kept = (values[:modes] ** np.atleast_1d(steps)[:, None]).mean(0)
    return np.real((np.asarray(pushes) @ left[:modes].T) @ (kept * (gradient @ right[:, :modes])))


@functools.lru_cache(maxsize=1)
def _noise(cell: Cell, n: int, steps: int, noise: float | None, seed: int, dtype: torch.dtype) -> Tensor | None:
    """Draw the noise of trials (n, steps, n_units); None if there is none. Hundreds of lesions in turn share it."""
    deviation = cell.noise_per_step(noise)
    generator = torch.Generator().manual_seed(seed)
    return deviation * torch.randn(n, steps, cell.units, generator=generator, dtype=dtype) if deviation else None
