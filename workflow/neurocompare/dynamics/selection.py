"""How a linearised map selects inputs: line attractor, selection vector, and what a pulse comes to.

At a slow point of a network that integrates, one eigenvalue λ₀ is close to 1 and the others are smaller. A state that
is displaced by a pulse of an input, by B_i, relaxes to (L₀·B_i) ρ₀: along the right eigenvector ρ₀, the line
attractor, by the product with the left one, the selection vector L₀ (Mante, Sussillo et al. 2013, Nature 503:78). An
input can be selected or ignored although its direct projection on ρ₀ is the same, as L₀ need not be parallel to ρ₀.

Between two contexts L₀·B can change as L₀ changes or as B does (Pagan et al. 2025, Nature 639:421):

    ΔL₀·B̄ (modulation of the selection vector) + L̄₀·ΔB (modulation of the input),

with means over both contexts, which is exact.

Where the leading eigenvalues are a complex pair, single vectors mean nothing: the spectral projector on the plane of
the pair, P = 2 Re(ρ₀ L₀), takes the place of ρ₀ L₀.
"""

from dataclasses import dataclass

import numpy as np

from neurocompare.dynamics import linear


@dataclass(frozen=True, eq=False)
class Selection:
    """Selection at points; axes are of length 1.

    Attributes
    ----------
    leading, second : complex arrays of shape (n_points,)
        The eigenvalue of greatest magnitude, and the next one that is not its conjugate.
    is_pair : array of bool of shape (n_points,)
        Whether the leading one has a conjugate.
    line : array of shape (n_points, n_states)
        ρ₀, with a positive product with the choice axis; NaN for pairs.
    vector : array of shape (n_points, n_states)
        L₀, with L₀·ρ₀ = 1; NaN for pairs.
    plane : array of shape (n_points, 2, n_states)
        Orthonormal axes of the plane of a pair; for single eigenvalues ρ₀ and NaN.
    selected : array of shape (n_points, n_inputs)
        L₀·B_i; NaN for pairs.
    kept : array of shape (n_points, n_inputs)
        Length of what is left of a pulse along the leading eigenvector or plane: |P B_i| with the spectral projector P;
        |L₀·B_i| for single eigenvalues.
    aimed : array of shape (n_points, n_inputs)
        Product of the choice axis with that: c·P B_i; for single eigenvalues (c·ρ₀) (L₀·B_i).
    later : array of shape (n_points, n_inputs)
        Product of the choice axis with what a pulse has become after some steps, c·Jⁿ B_i.
    """

    leading: np.ndarray
    second: np.ndarray
    is_pair: np.ndarray
    line: np.ndarray
    vector: np.ndarray
    plane: np.ndarray
    selected: np.ndarray
    kept: np.ndarray
    aimed: np.ndarray
    later: np.ndarray


def select(jacobian: np.ndarray, inputs: np.ndarray, choice: np.ndarray, *, steps: int = 20) -> Selection:
    """Describe how points select inputs.

    Parameters
    ----------
    jacobian : array of shape (n_points, n_states, n_states)
        J = ∂F/∂x.
    inputs : array of shape (n_points, n_states, n_inputs)
        B = ∂F/∂u.
    choice : array of shape (n_states,)
        The choice axis in the space of states.
    steps : int
        For how many steps pulses are followed.

    Returns
    -------
    Selection
        By point.
    """
    found = linear.eigen(jacobian)
    n, size = jacobian.shape[:2]
    values = found.values
    is_pair = np.abs(values[:, 0].imag) > 1e-9
    after = np.where(is_pair, 2, 1)
    second = values[np.arange(n), np.minimum(after, size - 1)] if size > 1 else np.zeros(n, dtype=complex)
    right, left = found.right[:, :, 0], found.left[:, 0]
    line, vector = np.full((n, size), np.nan), np.full((n, size), np.nan)
    plane = np.full((n, 2, size), np.nan)
    for k in range(n):
        if is_pair[k]:
            plane[k] = np.linalg.qr(np.stack([right[k].real, right[k].imag], 1))[0].T
            continue
        # LAPACK may turn a real vector in the complex plane.
        turn = np.exp(-1j * np.angle(right[k][np.abs(right[k]).argmax()]))
        sign = 1 if choice @ (right[k] * turn).real >= 0 else -1
        line[k], vector[k] = sign * (right[k] * turn).real, sign * (left[k] / turn).real
        plane[k, 0] = line[k]
    selected = np.einsum("ps,psi->pi", vector, inputs)
    projected = right[:, :, None] * np.einsum("ps,psi->pi", left, inputs)[:, None]
    projected = np.where(is_pair[:, None, None], 2, 1) * projected.real
    choice = choice / np.linalg.norm(choice)
    later = np.einsum("s,psi->pi", choice, np.linalg.matrix_power(jacobian, steps) @ inputs)
    return Selection(
        leading=values[:, 0],
        second=second,
        is_pair=is_pair,
        line=line,
        vector=vector,
        plane=plane,
        selected=selected,
        kept=np.linalg.norm(projected, axis=1),
        aimed=np.einsum("s,psi->pi", choice, projected),
        later=later,
    )


def modulations(vectors: np.ndarray, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide the change of L₀·B from one context to another into what each of the two adds.

    Parameters
    ----------
    vectors : array of shape (2, …, n_states)
        L₀ in both contexts.
    inputs : array of shape (2, …, n_states, n_inputs)
        B in both contexts.

    Returns
    -------
    by_vector, by_input : arrays of shape (…, n_inputs)
        They sum to the change, first context minus second.
    """
    change, mean = vectors[0] - vectors[1], (vectors[0] + vectors[1]) / 2
    by_vector = np.einsum("...s,...si->...i", change, (inputs[0] + inputs[1]) / 2)
    return by_vector, np.einsum("...s,...si->...i", mean, inputs[0] - inputs[1])


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute cosines between vectors along the last axis; NaN where one has no length.

    Parameters
    ----------
    first, second : arrays of shape (…, n)
        Vectors; leading axes broadcast.

    Returns
    -------
    array of shape (…,)
        Cosines.
    """
    length = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > 0, (first * second).sum(-1) / length, np.nan)
