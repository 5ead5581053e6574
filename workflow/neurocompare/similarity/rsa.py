"""Representational similarity analysis: comparing RDMs cell by cell.

Kriegeskorte, Mur & Bandettini 2008 (Front. Syst. Neurosci. 2:4). The comparators follow Nili et al.
2014, Diedrichsen et al. 2021 (NBDT 5(3), arXiv:2007.02789: the whitened ones) and Schütt et al. 2023
(eLife 12:e82566: rho-a). Every comparator is a cosine after a transformation of the cells, which is
what makes permutations and bootstraps a matrix product.

Bootstrap samples repeat stimuli. The dissimilarity of an image to its own copy is zero by definition
and says nothing about the representation, so those cells are left out: a sample with multiplicities
w weights the cell (i, j), i ≠ j, by wᵢwⱼ.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.similarity import evaluation
from neurocompare.similarity.arrays import Grams, declaration, require_stimuli
from neurocompare.similarity.distances import DISTANCES, from_grams

COMPARATORS = {
    "spearman": "Pearson correlation of average ranks",
    "rho-a": "rank correlation in which ties earn nothing (expected over random tie-breaks)",
    "pearson": "Pearson correlation",
    "cosine": "cosine",
    "whitened-cosine": "cosine whitened by the covariance of dissimilarity estimates",
    "whitened-correlation": "correlation whitened by the covariance of dissimilarity estimates",
}

MINIMUM_STIMULI = 4

_CHUNK = 32

_INVARIANCES = {
    "correlation": "isotropic scale, permutation, offset of a stimulus",
    "cosine": "isotropic scale, permutation, orthogonal",
    "euclidean": "permutation, orthogonal, translation",
}


def _metadata(distance: str, comparator: str) -> dict:
    # The Euclidean RDM scales with the data, and only cosine-like comparators forgive a factor: all here do.
    scale = ", isotropic scale" if distance == "euclidean" else ""
    return declaration(
        f"RSA: {distance}-distance RDMs compared by the {COMPARATORS[comparator]}",
        low=0.0 if comparator in ("cosine", "whitened-cosine") else -1.0,
        invariances=_INVARIANCES[distance] + scale,
        accepts="responses, rdm",
        minimum_stimuli=MINIMUM_STIMULI,
    )


MEASURES = {
    f"rsa-distance={distance}-compare={comparator}": _metadata(distance, comparator)
    for distance in DISTANCES
    for comparator in COMPARATORS
}


def score(x: np.ndarray, y: np.ndarray, options: dict[str, str]) -> float:
    """Compare the RDMs of two representations.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units_x)
        One representation.
    y : array of shape (n_stimuli, n_units_y)
        The other.
    options : dict
        ``distance`` and ``compare``.

    Returns
    -------
    float
        The score; NaN where an RDM is constant.
    """
    require_stimuli(len(x), MINIMUM_STIMULI, "RSA")
    rdms = [from_grams(Grams.of(z[None]), options["distance"])[0] for z in (x, y)]
    return compare(rdms[0], rdms[1], options["compare"])


def compare(rdm: np.ndarray, other: np.ndarray, comparator: str) -> float:
    """Compare two RDMs.

    Parameters
    ----------
    rdm : array of shape (n_stimuli, n_stimuli)
        One RDM.
    other : array of shape (n_stimuli, n_stimuli)
        The other.
    comparator : str
        A key of `COMPARATORS`.

    Returns
    -------
    float
        The score; NaN where an RDM is constant (for rho-a, in which ties earn nothing: zero).
    """
    a, b = embed(np.stack([rdm, other]), comparator)
    return float(np.sum(a * b))


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
        cells = np.stack([_ranks(row) for row in cells])
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
        square = _doubly_centred(square)
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
        A key of `COMPARATORS`.

    Returns
    -------
    array of shape (n_samples, n_rdms, n_others)
        Scores; with all weights one, those of `compare`. NaN where the cells in a resample are constant.
    """
    pairs = np.triu_indices(rdms.shape[1], 1)
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
        A key of `COMPARATORS`.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        The mean of the ranks for rank comparators; for the others, of the RDMs after what the comparator
        does to their mean and their norm.
    """
    pairs = np.triu_indices(rdms.shape[1], 1)
    cells = rdms[:, *pairs]
    if comparator in ("spearman", "rho-a"):
        cells = np.stack([_ranks(row) for row in cells])
    if comparator not in ("cosine", "whitened-cosine"):
        cells = cells - cells.mean(1, keepdims=True)
    scaled = np.zeros_like(rdms, dtype=float)
    scaled[:, *pairs] = cells
    scaled += scaled.transpose(0, 2, 1)
    if comparator == "rho-a":
        # Its denominator is the same for all RDMs, so the mean rank has the best mean score.
        return scaled.mean(0)
    whitened = _doubly_centred(scaled) if comparator.startswith("whitened") else scaled
    return (scaled / np.linalg.norm(whitened, axis=(1, 2), keepdims=True)).mean(0)


def evaluate(target, candidates, options, plan):
    """Score all candidates against a target, with ceilings, null and resamples.

    Parameters
    ----------
    target : evaluation.Target
        A region of a recording.
    candidates : Grams
        The layers.
    options : dict
        ``distance`` and ``compare``.
    plan : resampling.Plan
        Resamples and permutations of the stimuli.

    Returns
    -------
    evaluation.Evaluation
        Scores with all that belongs to them.
    """
    comparator = options["compare"]
    return evaluation.evaluate(
        target,
        candidates,
        plan,
        matrices=lambda grams: from_grams(grams, options["distance"]),
        embed=lambda rdms: embed(rdms, comparator),
        weighted=lambda rdms, others, weights: weighted(rdms, others, weights, comparator),
        average=lambda rdms: average(rdms, comparator),
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks, 1-based."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _doubly_centred(matrices: np.ndarray) -> np.ndarray:
    """HAH."""
    matrices = matrices - matrices.mean(1, keepdims=True)
    return matrices - matrices.mean(2, keepdims=True)


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
    dual = _whitened_dual(values, sample) if comparator.startswith("whitened") else values * sample.cell_weights
    if square is None:
        square = _dots(values, dual)
    return values, dual, np.sqrt(np.where(square > 1e-24 * size, square, np.nan))


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


def _whitened_dual(values: np.ndarray, sample: _Sample) -> np.ndarray:
    """Apply the inverse covariance of the cells that are present in each resample.

    With Z the incidence of cells and stimuli, V = ZᵀZ + 2I. Copies of a stimulus have equal row sums t,
    so the Woodbury system (2I + ZZᵀ)x = t collapses, for stimuli of multiplicity w, to
    (2 + n − 2wᵢ)xᵢ + Σⱼwⱼxⱼ = tᵢ: a diagonal plus a constant. V⁻¹a has cells ½(aᵢⱼ − xᵢ − xⱼ).
    """
    weights, (i, j) = sample.weights, sample.pairs
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
    return sample.cell_weights * (values - x[:, i] - x[:, j]) / 2
