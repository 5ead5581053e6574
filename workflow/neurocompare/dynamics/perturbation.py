r"""Perturbations of recurrent networks: lesions of units and of directions, and pulses along axes.

A pulse p at some step changes the state at the end of a trial by :math:`J_T \cdots J_{k+1}\,p` to first order, with the
Jacobians along the trajectory (`Effect.linear`). Near a slow point with Jacobian J this is
:math:`\sum_i \lambda_i^n\, r_i (l_i \cdot p)`; if one eigenvalue is close to 1 and the others are gone by then, what is
left is :math:`\rho_0 (L_0 \cdot p)`, with the selection vector :math:`L_0` (Mante et al. 2013): see `selected`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurocompare.recurrent.cells import Cell


@dataclass(frozen=True, eq=False)
class Effect:
    """What a pulse does to an output at the end of each trial.

    Attributes
    ----------
    before, after : arrays of shape (n_trials,)
        The output without and with the pulse, with the same noise.
    linear : array of shape (n_trials,)
        The change to first order, along the trajectory without pulse.
    course : array of shape (n_trials, n_times)
        The output with the pulse minus the output without, after every step.
    """

    before: np.ndarray
    after: np.ndarray
    linear: np.ndarray
    course: np.ndarray

    @property
    def change(self) -> np.ndarray:
        """The actual change of the output (trial)."""
        return self.after - self.before

    def shift(self, predicted: np.ndarray | float | None = None) -> float:
        """Return the change of the share of trials whose output is positive: choice 1.

        Parameters
        ----------
        predicted : array of shape (n_trials,) or float, optional
            A change of the output, such as `linear`; by default the actual one.

        Returns
        -------
        float
            From −1 to 1.
        """
        after = self.after if predicted is None else self.before + predicted
        return float((after > 0).mean() - (self.before > 0).mean())


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


def without_axis(weights: dict[str, Tensor], axis: np.ndarray, *, readout: bool = True) -> dict[str, Tensor]:
    """Remove a direction of the rates from what recurrent connections, and the outputs, receive.

    Parameters
    ----------
    weights : dict of str to Tensor
        As in `neurocompare.recurrent.cells`.
    axis : array of shape (n_units,) or (n_axes, n_units)
        Directions in the space of rates, of any length.
    readout : bool
        Whether outputs lose it, too.

    Returns
    -------
    dict of str to Tensor
        New weights W (1 − Σ a aᵀ), with an orthonormal basis a. They need not obey Dale's law or a mask any more.
    """
    basis = torch.linalg.qr(torch.as_tensor(np.atleast_2d(axis).T.copy()).to(weights["output"].dtype))[0]
    changed = ("recurrent", "output") if readout else ("recurrent",)
    return weights | {name: weights[name] - (weights[name] @ basis) @ basis.T for name in changed}


def pulse(
    cell: Cell,
    weights: dict[str, Tensor],
    inputs: np.ndarray,
    direction: np.ndarray,
    *,
    at: int,
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
    direction : array of shape (n_states,) or (n_trials, n_states)
        What is added to the state: an axis times the size of the pulse.
    at : int
        The pulse follows this many steps.
    output : int
        The output that is looked at.
    noise : float, optional
        :math:`\sigma` of the recurrent noise; None for the cell's.
    seed : int
        Seed of the noise.

    Returns
    -------
    Effect
        The output with and without the pulse, and the change that the linearised network has.

    Raises
    ------
    ValueError
        If the pulse comes before the first step or after the last.
    """
    dtype = weights["recurrent"].dtype
    inputs = torch.as_tensor(np.asarray(inputs)).to(dtype)
    n, steps = inputs.shape[:2]
    if not 0 <= at < steps:
        raise ValueError(f"a pulse after {at} steps is not within a trial of {steps} steps")
    push = torch.as_tensor(np.asarray(direction)).to(dtype).expand(n, -1)
    deviation = cell.noise_per_step(noise)
    generator = torch.Generator().manual_seed(seed)
    state = weights["initial"].expand(n, -1)
    pushed, tangent = state, torch.zeros_like(state)
    course = torch.zeros(n, steps, dtype=dtype)

    def read(x: Tensor) -> Tensor:
        return cell.readout(weights, cell.rates(x))[:, output]

    with torch.no_grad():
        for t in range(steps):
            eta = deviation * torch.randn(n, cell.units, generator=generator, dtype=dtype) if deviation else None
            if t == at:
                pushed, tangent = state + push, push
            # Before the pulse both states are one.
            advanced = _step(cell, weights, inputs[:, t], eta)
            if t >= at:
                state, tangent = torch.func.jvp(advanced, (state,), (tangent,))
                pushed = advanced(pushed)
            else:
                state = pushed = advanced(state)
            course[:, t] = read(pushed) - read(state)
        before, linear = torch.func.jvp(read, (state,), (tangent,))
        after = read(pushed)
    return Effect(before.numpy(), after.numpy(), linear.numpy(), course.numpy())


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


def selected(
    values: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    gradient: np.ndarray,
    direction: np.ndarray,
    steps: int,
    *,
    modes: int = 1,
) -> float:
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
    direction : array of shape (n_states,)
        The pulse.
    steps : int
        Steps after it.
    modes : int
        Eigenvectors that are taken: 1 for a line attractor and its selection vector; both of a complex pair.

    Returns
    -------
    float
        Σ λⁿ (g · r) (l · p).
    """
    terms = (values[:modes] ** steps) * (gradient @ right[:, :modes]) * (left[:modes] @ direction)
    return float(np.real(terms.sum()))


def _step(cell: Cell, weights: dict[str, Tensor], inputs: Tensor, eta: Tensor | None):
    return lambda state: cell.step(weights, state, inputs, eta)
