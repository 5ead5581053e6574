"""Whitened comparison of RDMs: weighting cells by the covariance of their estimates.

Diedrichsen et al. 2021 (NBDT 5(3), arXiv:2007.02789). If the patterns of n conditions are estimated with
noise of covariance Σ (n × n), the N = n(n − 1)/2 squared distances between them have, up to a factor, the
covariance V = (CΣCᵀ)∘(CΣCᵀ), where C takes all pairwise differences. The whitened cosine of two RDMs is
aᵀV⁻¹b / √(aᵀV⁻¹a · bᵀV⁻¹b).

V need never be formed. Its entries are tr(MΣM'Σ) for the matrices M = (eᵢ − eⱼ)(eᵢ − eⱼ)ᵀ of two cells.
These M are a basis of the symmetric matrices with zero row sums, and ⟨M, K⟩ is the squared distance that
the kernel K implies. So with the kernels K = −½HDH of the RDMs, aᵀV⁻¹b = tr(K_a S K_b S), where
S = (HΣH)⁺: the whitened cosine is the cosine of WK_aW and WK_bW with W = S^½. For Σ = I that is the
biased linear CKA of the kernels.
"""

import numpy as np
from scipy.linalg import helmert

from neurocompare.errors import UserError


def doubly_centred(matrices: np.ndarray) -> np.ndarray:
    """Subtract the means of rows and of columns, HAH.

    Parameters
    ----------
    matrices : array of shape (n_matrices, n_stimuli, n_stimuli)
        Symmetric matrices.

    Returns
    -------
    array of shape (n_matrices, n_stimuli, n_stimuli)
        With zero sums along rows and columns.
    """
    matrices = matrices - matrices.mean(1, keepdims=True)
    return matrices - matrices.mean(2, keepdims=True)


def whitened(
    rdm: np.ndarray, other: np.ndarray, condition_covariance: np.ndarray, comparator: str = "whitened-cosine"
) -> float:
    """Compare two RDMs, given the covariance of the noise between conditions.

    Parameters
    ----------
    rdm : array of shape (n_stimuli, n_stimuli)
        One RDM.
    other : array of shape (n_stimuli, n_stimuli)
        The other.
    condition_covariance : array of shape (n_stimuli, n_stimuli) or (n_stimuli,)
        Covariance between the conditions of the noise in their mean patterns, or its diagonal if they are
        independent. Its scale does not matter.
    comparator : {"whitened-cosine", "whitened-correlation"}
        The latter takes the mean dissimilarity off both RDMs first.

    Returns
    -------
    float
        The score; NaN where an RDM is constant.

    Raises
    ------
    UserError
        If the covariance does not fit the RDMs, or can't be inverted.
    """
    return float(whitened_scores(rdm[None], other[None], condition_covariance, comparator)[0, 0])


def whitened_scores(
    targets: np.ndarray,
    candidates: np.ndarray,
    condition_covariance: np.ndarray,
    comparator: str = "whitened-cosine",
) -> np.ndarray:
    """Compare RDMs, given the covariance of the noise between conditions.

    Parameters
    ----------
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        Some RDMs.
    candidates : array of shape (n_candidates, n_stimuli, n_stimuli)
        Others.
    condition_covariance : array of shape (n_stimuli, n_stimuli) or (n_stimuli,)
        As in `whitened`.
    comparator : {"whitened-cosine", "whitened-correlation"}
        As in `whitened`.

    Returns
    -------
    array of shape (n_targets, n_candidates)
        The scores.

    Raises
    ------
    UserError
        As `whitened`.
    """
    same = np.arange(targets.shape[1])[None]
    return whitened_null(targets, candidates, same, condition_covariance, comparator)[0]


def whitened_null(
    targets: np.ndarray,
    candidates: np.ndarray,
    permutations: np.ndarray,
    condition_covariance: np.ndarray,
    comparator: str = "whitened-cosine",
) -> np.ndarray:
    """Compare RDMs with the stimuli of the targets shuffled.

    The noise is that of the targets, so its covariance is shuffled with them.

    Parameters
    ----------
    targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
        RDMs.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles.
    condition_covariance : array of shape (n_stimuli, n_stimuli) or (n_stimuli,)
        As in `whitened`.
    comparator : {"whitened-cosine", "whitened-correlation"}
        As in `whitened`.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_candidates)
        Scores under the null.

    Raises
    ------
    UserError
        As `whitened`.
    """
    precision = _precision(condition_covariance, targets.shape[1])
    own, others = (_kernels(rdms, comparator) for rdms in (targets, candidates))
    dual = precision @ own @ precision
    norms = np.sqrt(np.einsum("tij,tij->t", dual, own))
    scores = np.empty((len(permutations), len(targets), len(candidates)))
    flat = others.reshape(len(others), -1).T
    for p, order in enumerate(permutations):
        pick = np.ix_(order, order)
        products = precision[pick] @ others
        other_norms = np.sqrt(np.einsum("kij,kji->k", products, products))
        moved = dual[:, pick[0], pick[1]].reshape(len(dual), -1)
        scores[p] = moved @ flat / (norms[:, None] * other_norms)
    return scores


def resampled_dual(values: np.ndarray, weights: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Apply the inverse covariance of the cells that are present in each resample, for independent conditions.

    With Z the incidence of cells and stimuli, V = ZᵀZ + 2I. Copies of a stimulus have equal row sums t,
    so the Woodbury system (2I + ZZᵀ)x = t collapses, for stimuli of multiplicity w, to
    (2 + n − 2wᵢ)xᵢ + Σⱼwⱼxⱼ = tᵢ: a diagonal plus a constant. V⁻¹a has cells ½(aᵢⱼ − xᵢ − xⱼ).

    Parameters
    ----------
    values : array of shape (n_samples, n_cells) or (1, n_cells)
        The cells of an RDM, as they are in each resample or in all.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.
    pairs : tuple of two arrays of shape (n_cells,)
        The stimuli of each cell.

    Returns
    -------
    array of shape (n_samples, n_cells)
        V⁻¹ times the cells, each as often as it is in the resample.
    """
    i, j = pairs
    n = weights.shape[1]
    square = np.zeros((len(values), n, n))
    square[:, i, j] = values
    square[:, j, i] = values
    # Row sums over the sample, without the cells between copies of one stimulus (their square is zero).
    sums = weights @ square[0] if len(square) == 1 else np.einsum("bij,bj->bi", square, weights)
    diagonal = 2 + weights.sum(1, keepdims=True) - 2 * weights
    # Copies of one stimulus can fill just over half of a small resample: no solution of this form then.
    diagonal = np.where(diagonal == 0, np.nan, diagonal)
    constant = (weights * sums / diagonal).sum(1, keepdims=True) / (1 + (weights / diagonal).sum(1, keepdims=True))
    x = (sums - constant) / diagonal
    return weights[:, i] * weights[:, j] * (values - x[:, i] - x[:, j]) / 2


def _kernels(rdms: np.ndarray, comparator: str) -> np.ndarray:
    """−½HDH after what the comparator does to the mean, of unit norm; NaN where only rounding error is left."""
    n = rdms.shape[1]
    i, j = np.triu_indices(n, 1)
    cells = rdms[:, i, j]
    size = np.linalg.norm(cells, axis=1)
    if comparator == "whitened-correlation":
        cells = cells - cells.mean(1, keepdims=True)
    square = np.zeros(rdms.shape)
    square[:, i, j] = cells
    square[:, j, i] = cells
    kernels = -doubly_centred(square) / 2
    norm = np.linalg.norm(kernels, axis=(1, 2))
    return kernels / np.where(norm > 1e-12 * size, norm, np.nan)[:, None, None]


def _precision(covariance: np.ndarray, n: int) -> np.ndarray:
    """(HΣH)⁺, symmetric, with zero row sums."""
    covariance = np.asarray(covariance, dtype=float)
    if covariance.shape not in ((n,), (n, n)):
        raise UserError(
            f"condition covariance: expected shape ({n},) or ({n}, {n}) for RDMs of {n} stimuli, got {covariance.shape}"
        )
    full = np.diag(covariance) if covariance.ndim == 1 else covariance
    if not np.isfinite(full).all() or not np.allclose(full, full.T, atol=1e-10 * np.abs(full).max()):
        raise UserError("condition covariance: must be symmetric and finite; estimate it from residuals of the trials")
    # The rows of this matrix are orthonormal contrasts of the conditions.
    contrasts = helmert(n)
    values, vectors = np.linalg.eigh(contrasts @ full @ contrasts.T)
    if values[0] <= 1e-12 * values[-1]:
        raise UserError(
            "condition covariance: some difference of conditions has no noise, so it has no inverse; "
            "shrink it towards its diagonal, or leave it out"
        )
    # Only ratios matter; a scale near one keeps the norms in range.
    root = contrasts.T @ (vectors / np.sqrt(values / values.mean()))
    return root @ root.T
