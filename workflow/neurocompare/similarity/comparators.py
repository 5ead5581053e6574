"""Comparators of RDMs: scores of two dissimilarity matrices, cell by cell.

The comparators follow Nili et al. 2014 (PLoS Comput. Biol. 10:e1003553), Diedrichsen et al. 2021
(NBDT 5(3), arXiv:2007.02789: the whitened ones) and Schütt et al. 2023 (eLife 12:e82566: rho-a). Most are
a cosine after a transformation of the cells (`embed`), which is what makes permutations and bootstraps a
matrix product. Those that are not (`PAIRWISE`) have modules of their own: `ranks` for tau-a, `bures`.

Bootstrap samples repeat stimuli. The dissimilarity of an image to its own copy is zero by definition
and says nothing about the representation, so those cells are left out: a sample with multiplicities
w weights the cell (i, j), i ≠ j, by wᵢwⱼ.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.similarity import bures, ranks
from neurocompare.similarity.embedded import shuffled
from neurocompare.similarity.ranks import average_ranks
from neurocompare.similarity.whitening import doubly_centred, resampled_dual, whitened

__all__ = ["COMPARATORS", "PAIRWISE", "average", "compare", "embed", "null", "scores", "weighted", "whitened"]

COMPARATORS = {
    "spearman": "Pearson correlation of average ranks",
    "rho-a": "rank correlation in which ties earn nothing (expected over random tie-breaks)",
    "pearson": "Pearson correlation",
    "cosine": "cosine",
    "whitened-cosine": "cosine whitened by the covariance of dissimilarity estimates",
    "whitened-correlation": "correlation whitened by the covariance of dissimilarity estimates",
}

PAIRWISE = {
    "tau-a": "share of concordant less discordant pairs of cells (Kendall's tau-a: ties earn nothing)",
    "bures": "normalised Bures similarity of their kernels (cosine of the angular Procrustes distance)",
}
"""Comparators that are no inner product of embedded RDMs. They cost more: per pair of RDMs of 118 stimuli,
tau-a about 0.2 s (twice that for each RDM with ties) and bures 0.8 s for 1,000 shuffles; the others, 0.04 s."""

RANKED = ("spearman", "rho-a", "tau-a")
"""Comparators for which a monotone transformation of the dissimilarities changes nothing."""

_CHUNK = 32


def compare(rdm: np.ndarray, other: np.ndarray, comparator: str) -> float:
    """Compare two RDMs.

    Parameters
    ----------
    rdm : array of shape (n_stimuli, n_stimuli)
        One RDM.
    other : array of shape (n_stimuli, n_stimuli)
        The other.
    comparator : str
        A key of `COMPARATORS` or `PAIRWISE`.

    Returns
    -------
    float
        The score; NaN where an RDM is constant (for rho-a and tau-a, in which ties earn nothing: zero).

    Raises
    ------
    UserError
        For ``bures``, if an RDM is not squared Euclidean.
    """
    return float(scores(rdm[None], other[None], comparator)[0, 0])


def scores(targets: np.ndarray, candidates: np.ndarray, comparator: str) -> np.ndarray:
    """Compare all RDMs of one stack with all of another.

    Parameters
    ----------
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        Some RDMs.
    candidates : array of shape (n_candidates, n_stimuli, n_stimuli)
        Others.
    comparator : str
        A key of `COMPARATORS` or `PAIRWISE`.

    Returns
    -------
    array of shape (n_targets, n_candidates)
        The scores, as of `compare`.

    Raises
    ------
    UserError
        For ``bures``, if an RDM is not squared Euclidean.
    """
    if comparator == "tau-a":
        return ranks.tau_a(targets, candidates)
    if comparator == "bures":
        return bures.similarity(targets, candidates)
    own, others = (embed(rdms, comparator).reshape(len(rdms), -1) for rdms in (targets, candidates))
    return own @ others.T


def null(targets: np.ndarray, candidates: np.ndarray, permutations: np.ndarray, comparator: str) -> np.ndarray:
    """Compare RDMs with the stimuli of the targets shuffled.

    Parameters
    ----------
    targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
        RDMs.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles.
    comparator : str
        A key of `COMPARATORS` or `PAIRWISE`.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_candidates)
        Scores under the null.

    Raises
    ------
    UserError
        As `scores`.
    """
    if comparator == "tau-a":
        return ranks.tau_a_null(targets, candidates, permutations)
    if comparator == "bures":
        return bures.null(targets, candidates, permutations)
    return shuffled(embed(targets, comparator), embed(candidates, comparator), permutations)


def embed(rdms: np.ndarray, comparator: str) -> np.ndarray:
    """Map RDMs to unit vectors whose inner product is the score.

    The map commutes with permutations of the stimuli.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)
        The RDMs.
    comparator : str
        A key of `COMPARATORS`.

    Returns
    -------
    array of shape (n_rdms, n_stimuli, n_stimuli)
        Symmetric, of unit Frobenius norm (for rho-a less, if there are ties); NaN where the RDM is constant.
    """
    n = rdms.shape[1]
    i, j = np.triu_indices(n, 1)
    cells = rdms[:, i, j]
    norm = None
    if comparator in ("spearman", "rho-a"):
        cells = np.stack([average_ranks(row) for row in cells])
    if comparator == "rho-a":
        # Without ties the ranks 1…N have this sum of squares about their mean.
        norm = np.sqrt(len(i) * (len(i) ** 2 - 1) / 12)
    size = np.linalg.norm(cells, axis=1)
    if comparator not in ("cosine", "whitened-cosine"):
        cells = cells - cells.mean(1, keepdims=True)
    square = np.zeros_like(rdms, dtype=float)
    square[:, i, j] = cells
    square[:, j, i] = cells
    if comparator.startswith("whitened"):
        # The whitened cosine is the cosine of the doubly centred matrices: with V = (CCᵀ)∘(CCᵀ) of all
        # pairwise contrasts C, aᵀV⁻¹b = ¼⟨HAH, HBH⟩. For squared Euclidean RDMs this is biased linear CKA.
        square = doubly_centred(square)
    elif norm is not None:
        return square / (norm * np.sqrt(2))
    return _unit(square, size)


def weighted(rdms: np.ndarray, others: np.ndarray, weights: np.ndarray, comparator: str) -> np.ndarray:
    """Compare RDMs in resamples of their stimuli.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)
        Some RDMs.
    others : array of shape (n_others, n_stimuli, n_stimuli)
        Others.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.
    comparator : str
        A key of `COMPARATORS` or `PAIRWISE`. Copies of a stimulus can't be left out of ``bures``: give it
        samples without replacement.

    Returns
    -------
    array of shape (n_samples, n_rdms, n_others)
        Scores; with all weights one, those of `compare`. NaN where the cells in a resample are constant.
    """
    if comparator == "tau-a":
        return ranks.tau_a_weighted(rdms, others, weights)
    if comparator == "bures":
        return bures.weighted(rdms, others, weights)
    pairs = np.triu_indices(rdms.shape[1], 1)
    if comparator in ("cosine", "pearson"):
        return _weighted_products(rdms[:, *pairs], others[:, *pairs], weights, pairs, centre=comparator == "pearson")
    cells, other_cells = ([_sorted(rdm[pairs]) for rdm in stack] for stack in (rdms, others))
    scores = np.empty((len(weights), len(rdms), len(others)))
    # A few resamples at a time, so that the arrays of (resamples, cells) stay in the processor's cache.
    for start in range(0, len(weights), _CHUNK):
        rows = slice(start, start + _CHUNK)
        sample = _Sample(weights[rows], weights[rows][:, pairs[0]] * weights[rows][:, pairs[1]], pairs)
        first = [_prepared(target, sample, comparator) for target in cells]
        for k, other in enumerate(other_cells):
            values, dual, norm = _prepared(other, sample, comparator)
            for t, (target, _, target_norm) in enumerate(first):
                scores[rows, t, k] = _dots(target, dual) / (target_norm * norm)
    return scores


def average(rdms: np.ndarray, comparator: str) -> np.ndarray:
    """Average RDMs so that the average scores as high as can be with each of them (Nili et al. 2014).

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)
        The RDMs.
    comparator : str
        A key of `COMPARATORS` or `PAIRWISE`.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        The mean of the ranks for rank comparators (for tau-a that is close to the best, which can't be
        computed in reasonable time); for the others, of the RDMs after what the comparator does to their
        mean and their norm; for bures, the RDM of the mean cloud of points.
    """
    if comparator == "bures":
        return bures.average(rdms)
    pairs = np.triu_indices(rdms.shape[1], 1)
    cells = rdms[:, *pairs]
    if comparator in RANKED:
        cells = np.stack([average_ranks(row) for row in cells])
    if comparator not in ("cosine", "whitened-cosine"):
        cells = cells - cells.mean(1, keepdims=True)
    scaled = np.zeros_like(rdms, dtype=float)
    scaled[:, *pairs] = cells
    scaled += scaled.transpose(0, 2, 1)
    if comparator in ("rho-a", "tau-a"):
        # The denominator of rho-a is the same for all RDMs, so the mean rank has the best mean score.
        return scaled.mean(0)
    if comparator == "spearman":
        # Rounding in the norms would break ties between mean ranks.
        norms = np.linalg.norm(scaled, axis=(1, 2), keepdims=True)
        return np.round((scaled * (norms[0] / norms)).mean(0), 9)
    whitened = doubly_centred(scaled) if comparator.startswith("whitened") else scaled
    return (scaled / np.linalg.norm(whitened, axis=(1, 2), keepdims=True)).mean(0)


def _unit(matrices: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Scale to unit Frobenius norm; what is only rounding error of something of that size becomes NaN."""
    norm = np.linalg.norm(matrices, axis=(1, 2))
    return matrices / np.where(norm > 1e-12 * size, norm, np.nan)[:, None, None]


class _Sample(NamedTuple):
    """Some resamples: multiplicities of stimuli and of cells, and the cells' stimuli."""

    weights: np.ndarray
    cell_weights: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray]


class _Cells(NamedTuple):
    """The cells of an RDM, how to sort them, and where groups of ties start once sorted."""

    values: np.ndarray
    order: np.ndarray
    starts: np.ndarray


def _sorted(values: np.ndarray) -> _Cells:
    order = np.argsort(values, kind="stable")
    return _Cells(values, order, np.flatnonzero(np.r_[True, np.diff(values[order]) > 0]))


def _prepared(cells: _Cells, sample: _Sample, comparator: str):
    """Transform one RDM for all resamples: values, their weighted dual, and the norm (NaN if there is none)."""
    square = None
    values = cells.values[None]
    if comparator in ("spearman", "rho-a"):
        values, square = _weighted_ranks(cells, sample.cell_weights, untied=comparator == "rho-a")
    size = _dots(values**2, sample.cell_weights)
    if comparator not in ("cosine", "whitened-cosine"):
        # A resample of copies of one stimulus has no cells, and no mean.
        mean = _dots(values, sample.cell_weights) / np.maximum(sample.cell_weights.sum(1), 1)
        values = values - mean[:, None]
    dual = values * sample.cell_weights
    if comparator.startswith("whitened"):
        dual = resampled_dual(values, sample.weights, sample.pairs)
    if square is None:
        square = _dots(values, dual)
    return values, dual, np.sqrt(np.where(square > 1e-24 * size, square, np.nan))


def _weighted_products(cells, others, weights, pairs, *, centre: bool) -> np.ndarray:
    """Weighted cosines or correlations of all pairs of RDMs, given by their cells, as products of matrices."""
    size, other_size = np.mean(cells**2, axis=1), np.mean(others**2, axis=1)
    if centre:
        # A constant changes no correlation; without it the sums below lose no digits.
        cells, others = (z - z.mean(1, keepdims=True) for z in (cells, others))
    scores = np.empty((len(weights), len(cells), len(others)))
    for start in range(0, len(weights), _CHUNK):
        rows = weights[start : start + _CHUNK]
        share = rows[:, pairs[0]] * rows[:, pairs[1]]
        total = np.maximum(share.sum(1), 1)[:, None]
        share /= total
        square, other_square = share @ (cells**2).T, share @ (others**2).T
        products = np.stack([(share * row) @ others.T for row in cells], axis=1)
        if centre:
            mean, other_mean = share @ cells.T, share @ others.T
            square, other_square = square - mean**2, other_square - other_mean**2
            products -= mean[:, :, None] * other_mean[:, None]
        square, other_square = (
            np.where(s > 1e-13 * whole, s, np.nan) for s, whole in ((square, size), (other_square, other_size))
        )
        scores[start : start + _CHUNK] = products / np.sqrt(square[:, :, None] * other_square[:, None])
    return scores


def _dots(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Inner products over cells, for each resample; the values may be the same for all."""
    return np.einsum("bc,bc->b", np.broadcast_to(values, others.shape), others)


def _weighted_ranks(cells: _Cells, cell_weights, untied):
    """Mid-ranks of cells that count as often as their weights say, and the squared norm of untied ranks."""
    sorted_weights = np.take(cell_weights, cells.order, axis=1)
    midpoints = np.cumsum(sorted_weights, axis=1)
    midpoints -= sorted_weights / 2
    if len(cells.starts) < len(cells.order):
        group = np.add.reduceat(sorted_weights, cells.starts, axis=1)
        lengths = np.diff(np.r_[cells.starts, len(cells.order)])
        ranks_sorted = np.repeat(np.cumsum(group, axis=1) - group / 2, lengths, axis=1)
    else:
        ranks_sorted = midpoints
    ranks = np.empty_like(ranks_sorted)
    ranks[:, cells.order] = ranks_sorted
    if not untied:
        return ranks, None
    total = np.maximum(sorted_weights.sum(1, keepdims=True), 1)
    midpoints = midpoints - (midpoints * sorted_weights).sum(1, keepdims=True) / total
    return ranks, (midpoints**2 * sorted_weights).sum(1)
