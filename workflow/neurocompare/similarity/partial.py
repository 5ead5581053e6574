"""What two representations share beyond a control, such as the pixels of the images.

Two representations of the same images are alike in so far as both look like the images (Cui et al. 2022,
NeurIPS, arXiv:2202.00095). There are two ways to take that out. The *partial* score is the partial
correlation of two embedded RDMs or kernels (vectors whose inner product is the score) given those of one or
several controls, for any comparator that has such vectors. The *deconfounded* RDM or kernel of Cui et al. is
the residual of a regression on the controls, to be compared in any way afterwards; for Pearson's correlation
of RDMs and for biased CKA the two agree.

The null of a partial score keeps what the target shares with the controls and shuffles the stimuli of the
rest (Freedman & Lane 1983, J. Bus. Econ. Stat. 1:292; for matrices of stimuli, Dekker, Krackhardt & Snijders
2007, Psychometrika 72:563). To shuffle the target as a whole would test it against a target that has nothing
of the controls either.
"""

from collections.abc import Callable

import numpy as np

from neurocompare.similarity.embedded import shuffled
from neurocompare.similarity.whitening import doubly_centred

_UNEXPLAINED = 1e-10
"""Less than this share is rounding error: the controls explain the representation."""


def scores(targets: np.ndarray, candidates: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Compute partial scores.

    Parameters
    ----------
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        Embedded: the inner product of two of them is their score.
    candidates : array of shape (n_candidates, n_stimuli, n_stimuli)
        Embedded.
    controls : array of shape (n_controls, n_stimuli, n_stimuli)
        Embedded.

    Returns
    -------
    array of shape (n_targets, n_candidates)
        From -1 to 1; NaN where the controls explain a representation completely, or one has no score.
    """
    y, x, z = (stack.reshape(len(stack), -1) for stack in (targets, candidates, controls))
    return from_scores(y @ x.T, y @ z.T, x @ z.T, z @ z.T)


def from_scores(
    between: np.ndarray, target_control: np.ndarray, candidate_control: np.ndarray, among: np.ndarray
) -> np.ndarray:
    """Compute partial scores from scores of all pairs, such as those in resamples of the stimuli.

    With the scores R among the controls, and c of a representation with each of them, the partial score is
    (r − c_yᵀR⁻¹c_x) / √((1 − c_yᵀR⁻¹c_y)(1 − c_xᵀR⁻¹c_x)).

    Parameters
    ----------
    between : array of shape (..., n_targets, n_candidates)
        Scores of targets and candidates.
    target_control : array of shape (..., n_targets, n_controls)
        Scores of targets and controls.
    candidate_control : array of shape (..., n_candidates, n_controls)
        Scores of candidates and controls.
    among : array of shape (..., n_controls, n_controls)
        Scores among controls; those with themselves are one, except where ties earn nothing (rho-a, tau-a).

    Returns
    -------
    array of shape (..., n_targets, n_candidates)
        Partial scores; NaN where any score that they need is, or the controls explain a representation.
    """
    defined = np.isfinite(among).all((-2, -1), keepdims=True)
    # Controls that say the same count once: the inverse leaves out what is only rounding error.
    inverse = np.linalg.pinv(np.where(defined, among, 0), rcond=1e-10, hermitian=True)
    inverse = np.where(defined, inverse, np.nan)
    explained = target_control @ inverse
    left = _unexplained(1 - np.sum(explained * target_control, axis=-1))
    other_left = _unexplained(1 - np.sum((candidate_control @ inverse) * candidate_control, axis=-1))
    shared = between - explained @ np.swapaxes(candidate_control, -1, -2)
    return shared / np.sqrt(left[..., :, None] * other_left[..., None, :])


def resampled(targets: np.ndarray, candidates: np.ndarray, controls: np.ndarray, weighted: Callable) -> np.ndarray:
    """Compute partial scores in resamples, or of comparators without embedded vectors.

    Parameters
    ----------
    targets, candidates, controls : arrays of shape (n, n_stimuli, n_stimuli)
        RDMs or kernels, not embedded.
    weighted : callable
        From two stacks of them to the scores of all pairs, of shape (..., n, m), such as `comparators.weighted`
        for certain weights or `comparators.scores`.

    Returns
    -------
    array of shape (..., n_targets, n_candidates)
        Partial scores, as of `from_scores`.
    """
    t, k = len(targets), len(candidates)
    pairs = weighted(np.concatenate([targets, controls]), np.concatenate([candidates, controls]))
    above, below = pairs[..., :t, :], pairs[..., t:, :]
    return from_scores(above[..., :k], above[..., k:], np.swapaxes(below[..., :k], -1, -2), below[..., k:])


def null(targets: np.ndarray, candidates: np.ndarray, controls: np.ndarray, permutations: np.ndarray) -> np.ndarray:
    """Compute partial scores with the stimuli shuffled in what the controls leave of the targets.

    A shuffled residual is correlated with the controls again, by chance, so they are taken out once more. That
    changes no inner product with a candidate from which they are out already, only the norm.

    Parameters
    ----------
    targets, candidates, controls : arrays of shape (n, n_stimuli, n_stimuli)
        Embedded, as for `scores`.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles of the stimuli.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_candidates)
        Scores under the null.
    """
    basis = _basis(controls)
    if basis is None:
        return np.full((len(permutations), len(targets), len(candidates)), np.nan)
    residual, left = _residual(targets, basis)
    other_residual, other_left = _residual(candidates, basis)
    products = shuffled(residual, np.concatenate([other_residual, basis]), permutations)
    direct, again = products[..., : len(candidates)], products[..., len(candidates) :]
    left_again = _unexplained(left - np.sum(again**2, axis=2))
    return direct / np.sqrt(left_again[:, :, None] * _unexplained(other_left))


def deconfounded(rdms: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Take what is linear in control RDMs out of RDMs.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)
        The RDMs.
    controls : array of shape (n_controls, n_stimuli, n_stimuli)
        RDMs of the controls.

    Returns
    -------
    array of shape (n_rdms, n_stimuli, n_stimuli)
        Residuals of the cells off the diagonal, regressed on those of the controls and a constant; of both
        signs, with a zero diagonal.
    """
    i, j = np.triu_indices(rdms.shape[1], 1)
    design = np.column_stack([np.ones(len(i)), controls[:, i, j].T])
    left = _left(rdms[:, i, j], design)
    result = np.zeros(rdms.shape)
    result[:, i, j] = left
    result[:, j, i] = left
    return result


def deconfounded_kernels(kernels: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Take what is linear in control kernels out of kernels.

    Parameters
    ----------
    kernels : array of shape (n_kernels, n_stimuli, n_stimuli)
        The kernels.
    controls : array of shape (n_controls, n_stimuli, n_stimuli)
        Kernels of the controls.

    Returns
    -------
    array of shape (n_kernels, n_stimuli, n_stimuli)
        Doubly centred residuals of the regression of the centred kernels on the centred controls. They may have
        negative eigenvalues, which are kept: without them the residual would be correlated with the controls.
    """
    centred = doubly_centred(kernels)
    design = doubly_centred(controls).reshape(len(controls), -1).T
    return _left(centred.reshape(len(kernels), -1), design).reshape(kernels.shape)


def _left(values: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Residuals of rows; what is only rounding error of them is zero, and not a pattern of its own."""
    # Controls of very different scale (pixels, a binary category) must not lose each other in the rank.
    design = design / np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    left = values - (design @ np.linalg.lstsq(design, values.T, rcond=1e-10)[0]).T
    size = np.linalg.norm(values, axis=1, keepdims=True)
    return np.where(np.linalg.norm(left, axis=1, keepdims=True) > 1e-12 * size, left, 0)


def _basis(controls: np.ndarray) -> np.ndarray | None:
    """Orthonormal matrices that span the controls; None if one of them has no score."""
    flat = controls.reshape(len(controls), -1)
    if not np.isfinite(flat).all():
        return None
    _, sizes, directions = np.linalg.svd(flat, full_matrices=False)
    kept = sizes**2 > 1e-10 * max(sizes.max(initial=0.0) ** 2, 1e-300)
    return directions[kept].reshape(-1, *controls.shape[1:])


def _residual(embedded: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the controls leave, and its squared norm, as if ties had not lowered it (rho-a)."""
    coefficients = np.einsum("tij,qij->tq", embedded, basis)
    return embedded - np.einsum("tq,qij->tij", coefficients, basis), 1 - np.sum(coefficients**2, axis=1)


def _unexplained(share: np.ndarray) -> np.ndarray:
    return np.where(share > _UNEXPLAINED, share, np.nan)
