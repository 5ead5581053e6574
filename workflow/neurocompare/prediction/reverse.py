"""Reverse mapping: ridge regression from neurons to the features of a layer.

A layer with many dimensions predicts neurons well whatever else it does (Canatar et al. 2023, arXiv:2309.12821):
among its features there are some that go with any response. What the neurons then do not do is tell its features.
The score is the share of the variance of the features that a ridge regression from the trial-averaged responses
explains on stimuli that were left out, 1 − Σ‖f − f̂‖² / Σ‖f − f̄‖² with f̄ the mean over the training stimuli: of
all features of a layer together, so that no rotation of them matters, and with one penalty, chosen by inner folds.
It is zero for predictions no better than that mean, and one at most.

Read it beside the encoding score and the untrained network: a layer that predicts neurons better than another, and
is predicted worse, owes its predictivity to dimensions that the neurons do not have.

There is no noise ceiling. Noise is on the side of the predictors: it lowers the score, the more so the fewer
neurons and repeats there are, and by how much depends on the directions of the responses that a layer needs. Halves
of the trials in the place of a layer would bound nothing, because the noise in what is predicted counts against
them, and a layer has none. Compare layers within one recording only.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.linalg import eigh

from neurocompare.errors import UserError, unknown
from neurocompare.prediction.encoding import ALPHAS, INNER_FOLDS, MINIMUM_STIMULI
from neurocompare.prediction.folds import SPLITS, of_stimuli
from neurocompare.prediction.held_out import centred
from neurocompare.similarity import ceilings
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.evaluation import Evaluation, Target
from neurocompare.similarity.measure import Measure, Reduced, Scores

MEASURES = ("reverse-folds=5",)

_SEED = 20220801
_CONSTANT = 1e-12


class Reverse(Measure):
    """Ridge regression from neurons to features.

    Parameters
    ----------
    words : str
        ``reverse``.
    options : dict
        ``folds``, a number of folds over stimuli; perhaps ``split``, ``random`` or ``consecutive``.

    Raises
    ------
    UserError
        If ``folds`` is missing or not a number from 2 to 20, or there are other options.
    """

    permutations = 100
    scheme = "bootstrap"
    influence = False
    ceiling = "none"

    def __init__(self, words: str, options: dict[str, str]):
        options = dict(options)
        folds, self.split = options.pop("folds", ""), options.pop("split", "random")
        if words != "reverse" or options or not folds.isdecimal() or not 2 <= int(folds) <= 20:
            raise UserError(
                "a reverse mapping is written reverse-folds=5, with 2 to 20 folds, perhaps with -split=consecutive"
            )
        if self.split not in SPLITS:
            raise unknown("split of a reverse mapping", self.split, SPLITS)
        self.folds = int(folds)
        self.info = declaration(
            f"reverse mapping: ridge from neurons to features, {folds} {'consecutive ' * (self.split == 'consecutive')}"
            "folds over stimuli, share of variance explained",
            low=-np.inf,
            symmetric=False,
            invariances="isotropic scale, permutation, orthogonal, translation",
            minimum_stimuli=MINIMUM_STIMULI,
        )

    def reduce(self, grams: Grams) -> list[np.ndarray]:
        """Keep the Gram matrices; see `Measure.reduce`."""
        return list(grams.gram)

    def permuted(self, part: np.ndarray, order: np.ndarray) -> np.ndarray:
        """See `Measure.permuted`."""
        return part[np.ix_(order, order)]

    def scores(self, x: Reduced, y: Reduced) -> Scores:
        """See `Measure.scores`."""
        return shares(*(part.sum(-1) for part in self._errors(x, y)))

    def draws(self, x: Reduced, y: Reduced, value: Scores, plan) -> Scores:
        """Resample the stimuli of the held-out predictions; see `Measure.draws`."""
        found = self._errors(x, y)
        return shares(*(np.moveaxis(part @ plan.weights.T, -1, 0) for part in found))

    def evaluate(self, target: Target, candidates: Grams, plan) -> Evaluation:
        """See `Measure.evaluate`; other animals are as noisy as this one, and bound nothing either."""
        found = super().evaluate(target, candidates, plan)
        return dataclasses.replace(found, together=ceilings.NONE, inter_animal=np.nan)

    def _errors(self, x: Reduced, y: Reduced) -> tuple[np.ndarray, np.ndarray]:
        """Squared errors and squared differences from the mean, each (n_targets, n_candidates, n_stimuli)."""
        folds = of_stimuli(len(y.parts[0]), self.folds, self.split, _SEED)
        found = np.array([errors(responses, x.parts, folds) for responses in y.parts])
        return found[:, :, 0], found[:, :, 1]


def shares(wrong: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return the share of variance that is explained.

    Parameters
    ----------
    wrong, total : array of shape (...)
        Sums of squared errors, and of squared differences from the mean of the training stimuli.

    Returns
    -------
    array of shape (...)
        NaN where nothing varies.
    """
    return 1 - wrong / np.where(total > 0, total, np.nan)


def varies(gram: np.ndarray, stimuli: np.ndarray) -> bool:
    """Tell whether a representation differs between stimuli, beyond rounding.

    Parameters
    ----------
    gram : array of shape (n_stimuli, n_stimuli)
        Inner products, not centred.
    stimuli : array of int of shape (n_some,)
        The stimuli.

    Returns
    -------
    bool
        False for features that are constant.
    """
    return np.trace(centred(gram, stimuli, stimuli)[0]) > _CONSTANT * np.trace(gram[np.ix_(stimuli, stimuli)])


def errors(
    responses: np.ndarray, features: Sequence[np.ndarray], folds: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Predict features from responses to stimuli that were left out.

    Parameters
    ----------
    responses : array of shape (n_stimuli, n_stimuli)
        Inner products of the responses.
    features : sequence of arrays of shape (n_stimuli, n_stimuli)
        Inner products of the features of each layer.
    folds : sequence of tuple of two arrays of int
        Stimuli to train on and to test, for each outer fold.

    Returns
    -------
    array of shape (n_layers, 2, n_stimuli)
        For each stimulus, summed over features, the squared error and the squared difference from the mean of
        the training stimuli. Both are zero for features, or with responses, that do not vary.
    """
    n = len(responses)
    found = np.zeros((len(features), 2, n))
    if not varies(responses, np.arange(n)):
        return found
    for train, test in folds:
        model = _Model(responses, train, test)
        parts = np.array_split(np.arange(len(train)), INNER_FOLDS)
        inner = [_Model(responses, np.delete(train, part), train[part]) for part in parts]
        for k, gram in enumerate(features):
            if not varies(gram, train):
                continue
            lost = sum(check.errors(gram)[0].sum(1) for check in inner)
            wrong, total = model.errors(gram)
            found[k][:, test] = wrong[lost.argmin()], total
    return found


class _Model:
    """Ridge regressions from some stimuli to others, for all penalties; of features only inner products are needed."""

    def __init__(self, responses: np.ndarray, train: np.ndarray, test: np.ndarray):
        within, across = centred(responses, train, test)
        values, vectors = eigh(within)
        # There are as many directions as neurons, often fewer than stimuli.
        kept = values > _CONSTANT * max(values[-1], np.trace(responses) / len(responses))
        values, self.basis = values[kept], vectors[:, kept]
        scale = values.sum() / len(train)
        # Of each penalty, test stimulus and direction.
        self.weights = across @ self.basis / (values + scale * ALPHAS[:, None, None])
        self.train, self.test = train, test

    def errors(self, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared errors (n_penalties, n_test), and squared differences from the training mean (n_test,)."""
        within, across = centred(gram, self.train, self.test)
        mean = gram[np.ix_(self.test, self.train)].mean(1)
        total = gram[self.test, self.test] - 2 * mean + gram[np.ix_(self.train, self.train)].mean()
        explained = 2 * (self.weights * (across @ self.basis)).sum(-1)
        size = ((self.weights @ (self.basis.T @ within @ self.basis)) * self.weights).sum(-1)
        return total - explained + size, total


MEASURE = Reverse
