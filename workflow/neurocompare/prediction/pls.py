"""Encoding by partial least squares: all neurons of a region through components of the features.

A component is the direction of the features whose product with the responses is greatest; the next one is found in
what it leaves of the features (PLS2, Wold et al. 1984, SIAM J. Sci. Stat. Comput. 5:735). Predictions with k
components are regressions on the first k scores. Neither features nor responses are scaled, as by scikit-learn's
``PLSRegression(scale=False)``: neurons then count by their variance, and a rotation of the features changes nothing,
so their Gram matrix is enough. Directions are found exactly, by an eigenproblem, not by a power method that is stopped
early.

* ``pls-components=nested-folds=5``: the number of components is chosen inside of each outer fold, jointly for all
  neurons of an animal, as the one with the least squared error in inner folds. Components are added up to the
  number of dimensions, until ten in a row have not lowered the error. `n_components` tells the number.
* ``pls-components=25-folds=brainscore``: the preset of Brain-Score (Schrimpf et al. 2018, bioRxiv 407007):
  25 components whatever the data, ten random splits of the stimuli into 90 % and 10 % (those of scikit-learn's
  ``ShuffleSplit`` with seed 1), the Pearson correlation of every neuron over the test stimuli, the median over neurons
  and the mean over splits. It is void where training stimuli or features have fewer than 25 dimensions, and overfits
  where they hardly have more. The noise ceiling stands beside the score, which is not divided by it.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.model_selection import ShuffleSplit

from neurocompare.errors import UserError
from neurocompare.prediction.encoding import INNER_FOLDS, Encoder, Training
from neurocompare.prediction.held_out import centred, factor, median
from neurocompare.similarity import ceilings
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Evaluation, Target
from neurocompare.similarity.measure import Measure, Reduced

MEASURES = ("pls-components=nested-folds=5", "pls-components=25-folds=brainscore")

LEGACY_COMPONENTS, LEGACY_STIMULI = 25, 30
PATIENCE = 10
"""Components in a row that may fail to lower the inner error before no more are tried."""

_DENSE = 400  # Dimensions up to which an eigenproblem is solved by a direct method.
_NOTHING = 1e-12


class Nested(Encoder):
    """Partial least squares with a number of components that inner folds choose; see `Encoder`."""

    word = "pls"
    setting = "-components=nested"
    text = "partial least squares (components by inner folds) from features to all neurons together"
    single_units = False
    permutations = 50
    null_units = 500

    def __init__(self, words: str, options: dict[str, str]):
        super().__init__(words, {key: value for key, value in options.items() if key != "components"})

    def held_out(self, part: Training) -> np.ndarray:
        """See `Encoder.held_out`."""
        features, test = factor(part.within, part.across)
        found = np.zeros((len(test), part.responses.shape[1]))
        for group in np.unique(part.groups):
            mine = part.groups == group
            targets = part.responses[:, mine] - part.responses[:, mine].mean(0)
            products = targets @ targets.T
            for score, of_test in components(features, products, test, n_components(part.within, products)):
                found[:, mine] += np.outer(of_test, score @ targets)
        return found


class BrainScore(Encoder):
    """The preset of Brain-Score.

    As its splits overlap, there is no one prediction of each stimulus to be resampled: intervals, nulls and the choice
    of a layer are had by fitting all anew, like those of measures that are no encoders. Of fewer than 58 stimuli a half
    is too small for 25 components, and there are no intervals.
    """

    word = "pls"
    text = "partial least squares (25 components)"
    scheme = "halves"
    resamples = 100

    def __init__(self, words: str, options: dict[str, str]):
        super().__init__(words, {"folds": "10"})
        self.info |= {
            "summary": "encoding as by Brain-Score: PLS with 25 components, ten random splits of stimuli into 90 % and "
            "10 %, median r over neurons",
            "minimum_stimuli": LEGACY_STIMULI,
            "recommended": "100 stimuli: 25 components overfit fewer",
        }

    def permuted(self, part: tuple, order: np.ndarray) -> tuple:
        """See `Measure.permuted`."""
        return (None, part[1][order], None)

    def scores(self, x: Reduced, y: Reduced) -> np.ndarray:
        """Average over splits the median over units; see `Measure.scores`.

        Raises
        ------
        UserError
            If features have fewer than 25 dimensions over the training stimuli.
        """
        splits = list(legacy_splits(len(y.parts[0][1])))
        found = np.empty((len(splits), len(y), len(x)))
        for s, (train, test) in enumerate(splits):
            for k, (gram, *_) in enumerate(x.parts):
                features, other = factor(*centred(gram, train, test))
                if features.shape[1] < LEGACY_COMPONENTS:
                    raise UserError(
                        f"{self.name}: {LEGACY_COMPONENTS} components need as many dimensions, and the features have "
                        f"{features.shape[1]} over the training stimuli; use {MEASURES[0]}"
                    )
                for t, (_, responses, _) in enumerate(y.parts):
                    targets = responses[train] - responses[train].mean(0)
                    path = components(features, targets @ targets.T, other, LEGACY_COMPONENTS)
                    predicted = sum((np.outer(of_test, score @ targets) for score, of_test in path), np.zeros((1, 1)))
                    predicted = np.broadcast_to(predicted, (len(test), responses.shape[1]))
                    found[s, t, k] = median(self.agreement(predicted, responses[test]))
        return found.mean(0)

    def evaluate(self, target: Target, candidates: Grams, plan) -> Evaluation:
        """See `Encoder.evaluate`."""
        found = Measure.evaluate(self, target, candidates, plan)
        together = ceilings.average([found.ceilings[k] for k in target.members])
        return dataclasses.replace(found, together=together, inter_animal=np.nan)


def of_id(words: str, options: dict[str, str]) -> Encoder:
    """Make the measure of an id.

    Parameters
    ----------
    words : str
        ``pls``.
    options : dict
        ``components``: ``nested``, with the options of an `Encoder`, or 25, with ``folds=brainscore`` alone.

    Returns
    -------
    Encoder
        One of both.

    Raises
    ------
    UserError
        If the options are other ones.
    """
    if options == {"components": str(LEGACY_COMPONENTS), "folds": "brainscore"}:
        return BrainScore(words, options)
    if options.get("components") != "nested" or not options.get("folds", "").isdecimal():
        raise UserError(f"a PLS measure is written {MEASURES[0]}, or {MEASURES[1]} as Brain-Score has it")
    return Nested(words, options)


def legacy_splits(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split stimuli as Brain-Score does where these are of no classes.

    Parameters
    ----------
    n : int
        Number of stimuli, in the order of their names.

    Yields
    ------
    train, test : arrays of int
        Ten times.
    """
    yield from ShuffleSplit(n_splits=10, train_size=0.9, random_state=1).split(np.zeros(n))


def components(
    x: np.ndarray, responses: np.ndarray, test: np.ndarray, most: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Extract components one by one.

    Parameters
    ----------
    x : array of shape (n_train, n_dimensions)
        Centred training features.
    responses : array of shape (n_train, n_train)
        Inner products of the centred training responses.
    test : array of shape (n_test, n_dimensions)
        Test features, centred alike.
    most : int
        At most so many components.

    Yields
    ------
    score : array of shape (n_train,)
        Of unit norm, at right angles to those before.
    of_test : array of shape (n_test,)
        Test stimuli on the same component: it adds ``outer(of_test, score @ Y)`` to the predictions from centred
        responses Y.
    """
    least = 0.0
    for _ in range(most):
        value, weight = _leading(x, responses)
        score = x @ weight
        size = np.linalg.norm(score)
        if value <= least or size == 0:
            return
        least = max(least, _NOTHING * value)
        score, of_test = score / size, test @ weight / size
        loading = score @ x
        x, test = x - np.outer(score, loading), test - np.outer(of_test, loading)
        yield score, of_test


def _leading(x: np.ndarray, responses: np.ndarray) -> tuple[float, np.ndarray]:
    """The greatest squared product with the responses, and its direction in the features."""
    size = x.shape[1]
    if size <= _DENSE:
        values, vectors = eigh(x.T @ responses @ x, subset_by_index=[size - 1, size - 1])
    else:
        product = LinearOperator((size, size), matvec=lambda v: x.T @ (responses @ (x @ v)), dtype=float)
        start = np.random.default_rng(size).standard_normal(size)
        values, vectors = eigsh(product, k=1, v0=x.T @ (responses @ (x @ start)))
    return float(values[0]), vectors[:, 0]


def n_components(within: np.ndarray, responses: np.ndarray) -> int:
    """Choose the number of components by inner folds.

    Parameters
    ----------
    within : array of shape (n_train, n_train)
        Inner products of the training features.
    responses : array of shape (n_train, n_train)
        Inner products of the training responses.

    Returns
    -------
    int
        At least 1.
    """
    n = len(within)
    paths = []
    for held in np.array_split(np.arange(n), INNER_FOLDS):
        train = np.delete(np.arange(n), held)
        paths.append(_errors(*factor(*centred(within, train, held)), *centred(responses, train, held)))
    total = []
    # All folds have so many components.
    for errors in zip(*paths, strict=False):
        total.append(sum(errors))
        if len(total) - np.argmin(total) > PATIENCE:
            break
    return int(np.argmin(total)) + 1 if total else 1


def _errors(x, test, responses, across) -> Iterator[float]:
    """Squared errors with 1, 2, … components, less those without any."""
    error = 0.0
    for score, of_test in components(x, responses, test, min(x.shape)):
        read_out = responses @ score
        # `across` holds the products of what is still to be predicted with the training responses.
        error += (of_test @ of_test) * (score @ read_out) - 2 * of_test @ (across @ score)
        across = across - np.outer(of_test, read_out)
        yield error


MEASURE = of_id
