"""Normalised Bures similarity of RDMs.

A squared Euclidean RDM D is that of one cloud of points up to a rotation and a shift: its kernel
K = −½HDH is positive semidefinite, K = XXᵀ. The similarity is the fidelity of two kernels over the root of
their traces, tr((K₁^½ K₂ K₁^½)^½) / √(tr K₁ tr K₂) = ‖X₁ᵀX₂‖_* / (‖X₁‖‖X₂‖): the cosine of the angular
Procrustes distance of the clouds (Williams et al. 2021, NeurIPS, arXiv:2110.14739; Harvey et al. 2024,
arXiv:2311.11436). For other dissimilarities there is no such cloud, and they are refused.
"""

import numpy as np

from neurocompare.errors import UserError

NEGATIVE_SHARE = 1e-3
"""How much of a kernel's trace may be negative, as it is when dissimilarities were rounded; it is set to zero."""

_AT_ONCE = 50
_STEPS = 200


def factors(rdms: np.ndarray) -> list[np.ndarray]:
    """Find the clouds of points that have these RDMs.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)
        Squared Euclidean RDMs.

    Returns
    -------
    list of arrays of shape (n_stimuli, n_dimensions)
        Centred, of unit Frobenius norm; NaN where all dissimilarities are zero.

    Raises
    ------
    UserError
        If an RDM is not that of any cloud of points.
    """
    centred = rdms - rdms.mean(1, keepdims=True)
    centred = centred - centred.mean(2, keepdims=True)
    clouds = []
    for kernel in -centred / 2:
        if not kernel.any() or np.isnan(kernel).any():
            clouds.append(np.full((len(kernel), 1), np.nan))
            continue
        values, vectors = np.linalg.eigh((kernel + kernel.T) / 2)
        share = -values[values < 0].sum() / np.abs(values).sum()
        if share > NEGATIVE_SHARE:
            raise UserError(
                f"compare=bures needs squared Euclidean distances: {100 * share:.2g} % of the kernel of an RDM is "
                "negative; use compare=whitened-cosine, which takes any dissimilarities"
            )
        # Directions that are only rounding error would each add the root of it.
        kept = values > 1e-13 * values[-1]
        cloud = vectors[:, kept] * np.sqrt(values[kept])
        clouds.append(cloud / np.linalg.norm(cloud))
    return clouds


def similarity(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Compute the normalised Bures similarity.

    Parameters
    ----------
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        Some squared Euclidean RDMs.
    candidates : array of shape (n_candidates, n_stimuli, n_stimuli)
        Others.

    Returns
    -------
    array of shape (n_targets, n_candidates)
        From 0 to 1; NaN where an RDM is zero.

    Raises
    ------
    UserError
        As `factors`.
    """
    return null(targets, candidates, np.arange(targets.shape[1])[None])[0]


def null(targets: np.ndarray, candidates: np.ndarray, permutations: np.ndarray) -> np.ndarray:
    """Compute the normalised Bures similarity with the stimuli of the targets shuffled.

    Parameters
    ----------
    targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
        Squared Euclidean RDMs.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_candidates)
        Scores under the null.

    Raises
    ------
    UserError
        As `factors`.
    """
    own, others = factors(targets), factors(candidates)
    scores = np.empty((len(permutations), len(targets), len(candidates)))
    for start in range(0, len(permutations), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        for t, cloud in enumerate(own):
            moved = cloud[permutations[rows]].transpose(0, 2, 1)
            for k, other in enumerate(others):
                scores[rows, t, k] = _nuclear(moved @ other)
    return scores


def weighted(targets: np.ndarray, candidates: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the normalised Bures similarity in resamples of the stimuli.

    A cloud can't do without its points, so copies of a stimulus count as points here, and agree. Weights of
    zero and one (samples without replacement) have no copies: take those for intervals.

    Parameters
    ----------
    targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
        Squared Euclidean RDMs.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.

    Returns
    -------
    array of shape (n_samples, n_targets, n_candidates)
        Scores; NaN where no two different points are in a resample.

    Raises
    ------
    UserError
        As `factors`.
    """
    own, others = factors(targets), factors(candidates)
    scores = np.empty((len(weights), len(targets), len(candidates)))
    total = np.maximum(weights.sum(1), 1e-300)[:, None]
    for start in range(0, len(weights), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        sample, size = weights[rows], total[rows]
        means = [[sample @ cloud / np.sqrt(size) for cloud in stack] for stack in (own, others)]
        norms = [
            [_norm(cloud, mean, sample) for cloud, mean in zip(stack, of_stack, strict=True)]
            for stack, of_stack in zip((own, others), means, strict=True)
        ]
        for k, other in enumerate(others):
            scaled = sample[:, :, None] * other
            for t, cloud in enumerate(own):
                products = cloud.T @ scaled - means[0][t][:, :, None] * means[1][k][:, None, :]
                scores[rows, t, k] = _nuclear(products) / (norms[0][t] * norms[1][k])
    return scores


def average(rdms: np.ndarray) -> np.ndarray:
    """Average RDMs so that the average scores as high as can be with each of them.

    The clouds are turned towards their mean, and averaged, until the mean stays: generalised Procrustes
    analysis (Gower 1975, Psychometrika 40:33), whose fixed point has the best mean score because the fidelity
    is concave in a kernel.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)
        Squared Euclidean RDMs.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        The squared Euclidean RDM of the mean cloud.

    Raises
    ------
    UserError
        As `factors`.
    """
    n = rdms.shape[1]
    clouds = [np.pad(cloud, ((0, 0), (0, n - cloud.shape[1]))) for cloud in factors(rdms)]
    if np.isnan(clouds).any():
        return np.full((n, n), np.nan)
    # The mean kernel as a start has all directions in which any of the clouds extends.
    values, vectors = np.linalg.eigh(sum(cloud @ cloud.T for cloud in clouds) / len(clouds))
    mean, before = vectors * np.sqrt(np.maximum(values, 0)), 0.0
    for _ in range(_STEPS):
        turned, agreement = [], 0.0
        for cloud in clouds:
            left, singular, right = np.linalg.svd(cloud.T @ mean)
            turned.append(cloud @ (left @ right))
            agreement += singular.sum()
        mean = np.mean(turned, axis=0)
        mean /= np.linalg.norm(mean)
        if agreement <= before * (1 + 1e-13):
            break
        before = agreement
    square = np.sum(mean**2, axis=1)
    average = np.maximum(square[:, None] + square - 2 * mean @ mean.T, 0)
    np.fill_diagonal(average, 0)
    return average


def _norm(cloud: np.ndarray, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Norm of a cloud about its mean in each resample; NaN where all its points are one."""
    size = weights @ np.sum(cloud**2, axis=1)
    square = size - np.sum(mean**2, axis=1)
    return np.sqrt(np.where(square > 1e-13 * size, square, np.nan))


def _nuclear(matrices: np.ndarray) -> np.ndarray:
    """Sums of singular values, NaN for matrices that hold NaN (for which there is no decomposition)."""
    defined = np.isfinite(matrices).all((1, 2))
    norms = np.linalg.svd(np.where(defined[:, None, None], matrices, 0), compute_uv=False).sum(1)
    return np.where(defined, norms, np.nan)
