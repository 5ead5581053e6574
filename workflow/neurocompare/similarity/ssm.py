"""Similarity of similarity matrices (SSM; Shi, Shea-Brown & Buice 2019, NeurIPS).

A representation becomes the matrix of Pearson correlations, over units, of its responses to all pairs of
stimuli. Two of these are compared by the Spearman correlation of their upper triangles: RSA with the
correlation distance. The diagonal, which is one in every such matrix, does not take part.

The norm of a noisy response is too large, and too large by a larger factor for a weak response than for a
strong one, which changes the order of the correlations however many units there are. ``ssm-split-half``
divides by norms that are free of noise: with Pearson's centring over units, the inner products C of the
responses in one half of the trials with those in the other half have the right mean on the diagonal too, and
S_ij = C_ij / √(C_ii C_jj). C is averaged over all splits into halves before it is divided: by a better
estimate of the norms the ratio is less biased, and they are seldom negative. Half of the trials or a
single one on either side, the mean over all splits is the same, that of the products of all pairs of trials
from different folds (blocks, wherever there are enough of them); so it is computed without drawing any.

Where C_ii ≤ 0 nothing of the response to that stimulus was reproduced. It has no correlation with others, is
left out of every comparison, and is counted. Such stimuli are not shuffled either.

Noise no longer biases the order of the correlations, but it still blurs it: the ceiling is a bracket, not one.
"""

from collections.abc import Iterator

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity import comparators
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.distances import from_grams
from neurocompare.similarity.embedded import Embedded, Kernel
from neurocompare.similarity.measure import Reduced

MINIMUM_STIMULI = 4

MEASURES = ("ssm", "ssm-split-half")

_SUMMARIES = {
    "ssm": "SSM: Spearman correlation of the correlations between stimuli",
    "ssm-split-half": "SSM, the norms of a recording's responses taken between halves of its trials",
}


class SSM(Embedded):
    """Similarity of similarity matrices.

    Parameters
    ----------
    words : str
        ``ssm`` or ``ssm-split-half``.
    options : dict
        None.

    Raises
    ------
    UserError
        If there is no such measure.
    """

    def __init__(self, words: str, options: dict[str, str]):
        if words not in MEASURES:
            raise unknown("measure", words, MEASURES)
        if options:
            raise UserError(f"{words} has no option '{next(iter(options))}'; write {' or '.join(MEASURES)}")
        self.corrected = words == "ssm-split-half"
        if self.corrected:
            self.splits = 10
        self.info = declaration(
            _SUMMARIES[words],
            low=-1.0,
            invariances="isotropic scale, permutation, offset of a stimulus",
            accepts="responses" if self.corrected else "responses, rdm",
            minimum_stimuli=MINIMUM_STIMULI,
            unbiased=True,
            repeats=2 if self.corrected else 0,
            recommended="1000 units",
        )

    def matrices(self, grams: Grams) -> np.ndarray:
        """Return one minus the correlations; see `Embedded.matrices`.

        Parameters
        ----------
        grams : Grams
            The representations.

        Returns
        -------
        array of shape (n_representations, n_stimuli, n_stimuli)
            With a zero diagonal; NaN in rows and columns of stimuli whose response was not reproduced.
        """
        if not self.corrected or grams.trials is None:
            return from_grams(grams, "correlation")
        return np.stack([1 - split_half_correlations(trials) for trials in grams.trials])

    def reduce(self, grams: Grams) -> list[Kernel]:
        """See `Measure.reduce`."""
        return [Kernel(matrix) for matrix in self.matrices(grams)]

    def embed(self, matrices: np.ndarray, halves: None = None) -> np.ndarray:
        """See `Embedded.embed`; stimuli that are left out have rows of NaN."""
        embedded = np.full_like(matrices, np.nan)
        for k, matrix in enumerate(matrices):
            pick = np.ix_(*[np.flatnonzero(~left_out(matrix))] * 2)
            if len(pick[0]) >= MINIMUM_STIMULI:
                embedded[k][pick] = comparators.embed(matrix[pick][None], "spearman")[0]
        return embedded

    def weighted(self, targets, candidates, weights, halves: None = None) -> np.ndarray:
        """See `Embedded.weighted`."""
        return comparators.weighted(targets, candidates, weights, "spearman")

    def average(self, rdms: np.ndarray) -> np.ndarray:
        """See `Embedded.average`; each cell is averaged over the animals that have it."""
        embedded = self.embed(rdms)
        defined = np.isfinite(embedded)
        number = defined.sum(0)
        return np.where(defined, embedded, 0).sum(0) / np.where(number > 0, number, np.nan)

    def scores(self, x: Reduced, y: Reduced) -> np.ndarray:
        """See `Measure.scores`."""
        found = np.full((len(y), len(x)), np.nan)
        for pairs, targets, candidates, _ in self._comparable(x, y):
            found[pairs] = super().scores(candidates, targets)
        return found

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> np.ndarray:
        """See `Measure.null`; stimuli that are left out stay where they are."""
        found = np.full((len(permutations), len(y), len(x)), np.nan)
        for pairs, targets, candidates, stimuli in self._comparable(x, y):
            place = np.full(permutations.shape[1], -1)
            place[stimuli] = np.arange(len(stimuli))
            order = place[permutations]
            order = order[order >= 0].reshape(len(permutations), len(stimuli))
            found[:, *pairs] = super().null(candidates, targets, order)
        return found

    def warnings(self, part: Kernel) -> list[str]:
        """Count the stimuli that are left out; see `Measure.warnings`."""
        count = left_out(part.matrix).sum()
        return [f"stimuli_not_reproduced={count}"] if count else []

    def _weighted(self, x, y, weights):
        found = np.full((len(weights), len(y), len(x)), np.nan)
        for pairs, targets, candidates, stimuli in self._comparable(x, y):
            found[:, *pairs] = super()._weighted(candidates, targets, weights[:, stimuli])
        return found

    def _comparable(self, x: Reduced, y: Reduced) -> Iterator[tuple]:
        """Group pairs by the stimuli that both have: places of the pairs, targets, candidates and the stimuli."""
        absent = [np.stack([left_out(part.matrix) for part in z.parts]) for z in (y, x)]
        for one in np.unique(absent[0], axis=0):
            rows = np.flatnonzero((absent[0] == one).all(1))
            for other in np.unique(absent[1], axis=0):
                columns = np.flatnonzero((absent[1] == other).all(1))
                stimuli = np.flatnonzero(~(one | other))
                if len(stimuli) >= MINIMUM_STIMULI:
                    yield np.ix_(rows, columns), _some(y, rows, stimuli), _some(x, columns, stimuli), stimuli


def _some(z: Reduced, chosen: np.ndarray, stimuli: np.ndarray) -> Reduced:
    """Some of the matrices, with some of their stimuli."""
    return Reduced([Kernel(z.parts[k].matrix[np.ix_(stimuli, stimuli)]) for k in chosen])


def split_half_correlations(trials) -> np.ndarray:
    """Correlate responses over units, with norms that are taken between different trials.

    Parameters
    ----------
    trials : Trials
        Trials of one representation, every stimulus in at least two.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Correlations, beyond ±1 where noise makes them so; one on the diagonal. NaN for stimuli whose
        responses in different trials do not have a positive inner product.

    Raises
    ------
    UserError
        If there are fewer than two units.
    """
    products = cross_products(trials)
    square = np.diag(products)
    # What is left of responses that are the same in all units is rounding error.
    raw = trials.with_values((trials.values**2).sum(1, keepdims=True)).mean()[:, 0]
    norm = np.sqrt(np.where(square > 1e-24 * raw, square, np.nan))
    correlations = products / np.outer(norm, norm)
    np.fill_diagonal(correlations, np.where(np.isnan(norm), np.nan, 1))
    return correlations


def cross_products(trials) -> np.ndarray:
    """Average the inner products of responses, centred over units, over all pairs of trials of different folds.

    Parameters
    ----------
    trials : Trials
        Trials of one representation.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric. Noise that is independent between folds has no share in its mean.

    Raises
    ------
    UserError
        If there are fewer than two units, or a stimulus has no trials in different folds.
    """
    if trials.values.shape[1] < 2:
        raise UserError("correlations over units need at least two units")
    if not trials.repeated():
        raise UserError("norms between halves of the trials need every stimulus in at least two trials")
    folds = trials.folds()
    values = trials.values - trials.values.mean(1, keepdims=True)
    n, labels = trials.n_stimuli, np.unique(folds)
    total, count = np.zeros((n, values.shape[1])), np.zeros(n)
    within, pairs_within = np.zeros((n, n)), np.zeros((n, n))
    for label in labels:
        mine = folds == label
        sums, number = np.zeros_like(total), np.bincount(trials.stimulus[mine], minlength=n)
        np.add.at(sums, trials.stimulus[mine], values[mine])
        total, count = total + sums, count + number
        within += sums @ sums.T
        pairs_within += np.outer(number, number)
    return (total @ total.T - within) / (np.outer(count, count) - pairs_within)


def left_out(matrix: np.ndarray) -> np.ndarray:
    """Tell which stimuli of a matrix have no values.

    Parameters
    ----------
    matrix : array of shape (n_stimuli, n_stimuli)
        As `SSM.matrices` gives it.

    Returns
    -------
    array of bool of shape (n_stimuli,)
        True for stimuli that are left out.
    """
    return np.isnan(np.diag(matrix))


MEASURE = SSM
