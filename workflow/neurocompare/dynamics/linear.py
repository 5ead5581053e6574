"""Linearisation of a map at points, and its eigenvectors.

At a point x of a map F with input u, F(x + δ, u + ε) ≈ F(x, u) + J δ + B ε with J = ∂F/∂x and B = ∂F/∂u, per step:
J has an eigenvalue of 1 along a continuous attractor, and the point is stable if all are smaller than 1 in magnitude.
A continuous-time system ẋ = (J_c x + …) / τ that is stepped by α = dt/τ has J = 1 − α + α (J_c + 1).
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch

from neurocompare.dynamics.descent import Step

DEFECTIVE = 1e10
"""Condition number of the eigenvectors from which on they don't span the space to working precision."""


@dataclass(frozen=True, eq=False)
class Eigen:
    """Eigenvalues in falling order of magnitude, of complex pairs the one above the real axis first.

    Attributes
    ----------
    values : complex array of shape (…, n)
        Eigenvalues λ.
    right : complex array of shape (…, n, n)
        Right eigenvectors in columns, J r = λ r, of length 1.
    left : complex array of shape (…, n, n)
        Left eigenvectors in rows, l J = λ l; l_i r_j = δ_ij (biorthonormal) unless `defective`. Then each row has
        l_i r_i = 1 only, and NaN where that cannot be had.
    defective : array of bool of shape (…,)
        Whether the eigenvectors don't span the space to working precision.
    """

    values: np.ndarray
    right: np.ndarray
    left: np.ndarray
    defective: np.ndarray


def jacobians(step: Step, states: torch.Tensor, inputs: torch.Tensor, *, chunk: int = 2**22) -> torch.Tensor:
    """Compute the Jacobian of a map with respect to its state.

    Parameters
    ----------
    step : callable
        The map.
    states : tensor of shape (…, n, n_states)
        Points.
    inputs : tensor of shape (…, n, n_inputs)
        The input at each.
    chunk : int
        About so many entries at once.

    Returns
    -------
    tensor of shape (…, n, n_states, n_states)
        ∂F_i/∂x_j in row i and column j.
    """
    return _derivatives(step, states, inputs, 0, chunk)


def input_jacobians(step: Step, states: torch.Tensor, inputs: torch.Tensor, *, chunk: int = 2**22) -> torch.Tensor:
    """Compute the Jacobian of a map with respect to its input.

    Parameters
    ----------
    step, states, inputs, chunk
        As in `jacobians`.

    Returns
    -------
    tensor of shape (…, n, n_states, n_inputs)
        ∂F_i/∂u_j in row i and column j.
    """
    return _derivatives(step, states, inputs, 1, chunk)


def eigen(jacobian: np.ndarray) -> Eigen:
    """Decompose Jacobians.

    Parameters
    ----------
    jacobian : array of shape (…, n, n)
        Real matrices.

    Returns
    -------
    Eigen
        Values, right and left vectors.
    """
    jacobian = np.asarray(jacobian, dtype=float)
    n = jacobian.shape[-1]
    flat = jacobian.reshape(-1, n, n)
    values, right = (part.astype(complex) for part in np.linalg.eig(flat))
    left, defective = np.empty_like(right), np.zeros(len(flat), dtype=bool)
    for k, matrix in enumerate(flat):
        order = _order(values[k])
        values[k], right[k] = values[k][order], right[k][:, order]
        defective[k] = not np.linalg.cond(right[k]) < DEFECTIVE
        left[k] = _left(matrix, values[k], right[k]) if defective[k] else np.linalg.inv(right[k])
    shape = jacobian.shape[:-2]
    return Eigen(
        values.reshape(*shape, n),
        right.reshape(*shape, n, n),
        left.reshape(*shape, n, n),
        defective.reshape(shape),
    )


def eigenvalues(jacobian: np.ndarray) -> np.ndarray:
    """Compute eigenvalues only, in the order of `eigen`.

    Parameters
    ----------
    jacobian : array of shape (…, n, n)
        Real matrices.

    Returns
    -------
    complex array of shape (…, n)
        Eigenvalues.
    """
    values = np.linalg.eigvals(np.asarray(jacobian, dtype=float)).astype(complex)
    flat = values.reshape(-1, values.shape[-1])
    for row in flat:
        row[:] = row[_order(row)]
    return flat.reshape(values.shape)


def _derivatives(step: Step, states: torch.Tensor, inputs: torch.Tensor, which: int, chunk: int) -> torch.Tensor:
    inputs = inputs.expand(*states.shape[:-1], inputs.shape[-1])
    size = states.shape[-1]
    rows = torch.eye(size, dtype=states.dtype)
    # One row of all points at a time, and as many rows as the state has entries in one call.
    at_once = max(chunk // (size * states[..., 0, :].numel()), 1)
    found = []
    for x, u in zip(states.split(at_once, -2), inputs.split(at_once, -2), strict=True):
        function = (lambda v, u=u: step(v, u)) if which == 0 else (lambda v, x=x: step(x, v))
        reached, pulled = torch.func.vjp(function, (x, u)[which])

        def of_row(row, shape=reached.shape, pulled=pulled):
            return pulled(row.expand(shape))[0]

        found.append(torch.func.vmap(of_row, out_dims=-2)(rows))
    return torch.cat(found, -3).detach()


def _order(values: np.ndarray) -> np.ndarray:
    # The magnitudes of a pair may differ in the last digit.
    return np.lexsort((-values.imag, -np.round(np.abs(values), 12)))


def _left(matrix: np.ndarray, values: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Left eigenvectors of a matrix whose right ones can't be inverted: those of simple eigenvalues are still right."""
    found, vectors = scipy.linalg.eig(matrix, left=True, right=False)
    left = np.full_like(right, np.nan)
    free = np.ones(len(values), dtype=bool)
    for i, value in enumerate(values):
        j = np.flatnonzero(free)[np.abs(found[free] - value).argmin()]
        free[j] = False
        row = vectors[:, j].conj()
        product = row @ right[:, i]
        if abs(product) > 1e-12:
            left[i] = row / product
    return left
