"""Encoding by reduced-rank regression: all neurons of a region through few directions of the features.

Ridge regression maps features to every neuron by itself. Here the map of a population has a rank k: features are
projected on k directions, and these are read out by all neurons (Izenman 1975, J. Multivar. Anal. 5:248; in
neuroscience Semedo et al. 2019, Neuron 102:249). With the penalty λ the best map of rank k is the ridge map
followed by a projection of the responses on k directions: the leading ones of Yᵀ K (K + λ)⁻¹ Y, with K the Gram
matrix of the features and Y the responses (Mukherjee & Zhu 2011, Stat. Anal. Data Min. 4:612). With all ranks it is
ridge regression and, without a penalty, ordinary least squares.

Penalty and rank are chosen inside of each outer fold, jointly for all neurons of an animal: the penalty with the
least error at its best rank, then the smallest rank whose error is within one standard error, over inner folds, of
the least. Neurons count by their variance, as the map is a joint one; ``responses=sqrt`` evens out spike counts.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh

from neurocompare.prediction.encoding import INNER_FOLDS, Encoder, Training
from neurocompare.prediction.held_out import centred

MEASURES = ("reducedrank-folds=5",)

ALPHAS = np.logspace(-3, 3, 7)
"""Penalties tried, relative to the mean squared norm of the centred training features."""

_CONSTANT = 1e-12


class ReducedRank(Encoder):
    """A map of low rank from features to all neurons of an animal; see `Encoder`."""

    word = "reducedrank"
    text = "reduced-rank ridge regression from features to all neurons together"
    single_units = False
    permutations = 50
    null_units = 500

    def held_out(self, part: Training) -> np.ndarray:
        """See `Encoder.held_out`."""
        found = np.zeros((len(part.across), part.responses.shape[1]))
        for group in np.unique(part.groups):
            mine = part.groups == group
            targets = part.responses[:, mine] - part.responses[:, mine].mean(0)
            products = targets @ targets.T
            penalty, rank = choose(part.within, products)
            ((test, read_out, _),) = maps(part.within, part.across, products, ALPHAS[[penalty]])
            found[:, mine] = test[:, :rank] @ (read_out[:rank] @ targets)
        return found


def maps(
    within: np.ndarray, across: np.ndarray, responses: np.ndarray, alphas: np.ndarray = ALPHAS
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Fit maps of all ranks, for each penalty.

    Parameters
    ----------
    within : array of shape (n_train, n_train)
        Inner products of the centred training features.
    across : array of shape (n_test, n_train)
        Those of test features, centred by the training means, with training features.
    responses : array of shape (n_train, n_train)
        Inner products of the centred training responses.
    alphas : array of shape (n_penalties,)
        Penalties, relative to the mean squared norm of the features.

    Yields
    ------
    test : array of shape (n_test, n_ranks)
        Test stimuli on the directions, the leading one first.
    train : array of shape (n_ranks, n_train)
        The map of rank k predicts ``test[:, :k] @ train[:k] @ Y`` from centred training responses Y.
    size : array of shape (n_ranks,)
        Squared norms of the read-outs ``train @ Y``, which are orthogonal.
    """
    values, vectors = eigh(within)
    # At least one is kept: of features that do not vary it is rounding error, and predicts as little.
    kept = values >= max(_CONSTANT * values[-1], np.finfo(float).tiny)
    values, vectors = values[kept], vectors[:, kept]
    scale = values.sum() / len(within)
    rotated, projected = vectors.T @ responses @ vectors, across @ vectors
    for alpha in alphas:
        shrunk = np.sqrt(values / (values + alpha * scale))
        size, directions = eigh(shrunk[:, None] * rotated * shrunk)
        # The rank of the responses may be smaller than that of the features.
        order = np.flatnonzero(size > _CONSTANT * max(size[-1], 0))[::-1]
        directions = directions[:, order]
        test = projected / np.sqrt(values * (values + alpha * scale)) @ directions
        yield test, (shrunk[:, None] * directions).T @ vectors.T, size[order]


def choose(within: np.ndarray, responses: np.ndarray) -> tuple[int, int]:
    """Choose penalty and rank by inner folds.

    Parameters
    ----------
    within : array of shape (n_train, n_train)
        Inner products of the training features.
    responses : array of shape (n_train, n_train)
        Inner products of the training responses.

    Returns
    -------
    penalty : int
        Position in `ALPHAS`.
    rank : int
        At least 1.
    """
    n = len(within)
    losses = []
    for held in np.array_split(np.arange(n), INNER_FOLDS):
        train = np.delete(np.arange(n), held)
        own, other = centred(responses, train, held)
        mean = responses[np.ix_(held, train)].mean(1)
        total = np.sum(responses[held, held] - 2 * mean + responses[np.ix_(train, train)].mean())
        found = []
        for test, read_out, size in maps(*centred(within, train, held), own):
            # Squared errors, relative to those of the mean, add up over directions as these are orthogonal.
            gains = 2 * (test * (other @ read_out.T)).sum(0) - (test**2).sum(0) * size
            found.append(1 - np.cumsum(gains) / max(total, np.finfo(float).tiny))
        losses.append(found)
    ranks = min(len(one) for found in losses for one in found)
    if not ranks:
        # In one of the folds nothing varies.
        return len(ALPHAS) - 1, 1
    errors = np.array([[one[:ranks] for one in found] for found in losses])
    mean = errors.mean(0)
    penalty, rank = np.unravel_index(mean.argmin(), mean.shape)
    deviation = errors[:, penalty, rank].std(ddof=1) / np.sqrt(len(errors))
    return int(penalty), 1 + int(np.argmax(mean[penalty] <= mean[penalty, rank] + deviation))


MEASURE = ReducedRank
