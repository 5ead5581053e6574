"""Encoding: ridge regression from the features of a layer to every neuron.

The kernel form is used throughout (there are fewer stimuli than features), so a layer is needed only
through its Gram matrix. Folds are over stimuli: no stimulus is both fitted and predicted. Inside each
fold the penalty of every neuron is chosen by an inner cross-validation (himalaya, Dupré la Tour et al.
2022, NeuroImage 264:119728). The score of a layer is the median over neurons of the Pearson correlation
between held-out predictions and the trial-averaged response.
"""

import warnings

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import ceilings
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.ceilings import Ceiling
from neurocompare.similarity.evaluation import Evaluation, Target, dimensionalities
from neurocompare.similarity.measure import Measure, Reduced

MINIMUM_STIMULI = 20
INNER_FOLDS = 5
ALPHAS = np.logspace(-3, 3, 9)
"""Penalties tried, relative to the mean squared norm of the centred training features."""

NULL_UNITS = 100
"""The null refits every shuffle; it uses at most this many neurons, drawn once."""

_SEED = 20220801


MEASURES = ("ridge-folds=5", "ridge-folds=10")


class Ridge(Measure):
    """Ridge regression from features to every neuron.

    Parameters
    ----------
    words : str
        ``ridge``.
    options : dict
        ``folds``, a number of folds over stimuli.

    Raises
    ------
    UserError
        If the option is missing or not a number from 2 to 20.
    """

    permutations = 100
    scheme = "bootstrap"
    influence = False

    def __init__(self, words: str, options: dict[str, str]):
        folds = options.get("folds", "")
        if words != "ridge" or set(options) != {"folds"} or not folds.isdecimal() or not 2 <= int(folds) <= 20:
            raise UserError("a ridge measure is written ridge-folds=5, with 2 to 20 folds")
        self.folds = int(folds)
        self.info = declaration(
            f"encoding: ridge from features to neurons, {folds} folds over stimuli, median r over neurons",
            low=-1.0,
            symmetric=False,
            invariances="isotropic scale, permutation, orthogonal, translation",
            minimum_stimuli=MINIMUM_STIMULI,
            units=False,
        )

    def reduce(self, grams: Grams) -> list[tuple]:
        """Keep the Gram matrix, for features, and the units, for responses; see `Measure.reduce`."""
        return list(zip(grams.gram, grams.units or [None] * len(grams), strict=True))

    def pair(self, x: tuple, y: tuple) -> float:
        """Return the median over units of the correlation of held-out predictions with responses."""
        return float(_median(correlation(predict(x[0], y[1], self.folds), y[1])))

    def scores(self, x: Reduced, y: Reduced) -> np.ndarray:
        """Fit all targets together, a unit that is in several of them once; see `Measure.scores`."""
        responses = np.hstack([units for _, units in y.parts])
        owner = np.repeat(np.arange(len(y)), [units.shape[1] for _, units in y.parts])
        unique, place = np.unique(responses, axis=1, return_inverse=True)
        found = np.empty((len(y), len(x)))
        for k, (gram, _) in enumerate(x.parts):
            r = correlation(predict(gram, unique, self.folds), unique)[place.ravel()]
            found[:, k] = [_median(r[owner == t]) for t in range(len(y))]
        return found

    def trial_ceiling(self, y: Reduced) -> Ceiling:
        """See `Measure.trial_ceiling`."""
        return _trial_ceiling(y.grams)

    def evaluate(self, target: Target, candidates: Grams, plan) -> Evaluation:
        """Score all layers against a region.

        Parameters
        ----------
        target : evaluation.Target
            A region of a recording, with responses.
        candidates : Grams
            The layers.
        plan : resampling.Plan
            Resamples and permutations of the stimuli.

        Returns
        -------
        evaluation.Evaluation
            Scores; bootstrap samples resample the stimuli of the held-out predictions, shuffles are refitted.
            A layer is chosen on half of the stimuli by models of that half alone, because all other models
            have seen the responses that the choice will be scored on.
        """
        # Animals, and all shuffles, are fitted together, as if they were more neurons.
        responses = np.hstack(target.grams.units)
        n, owner = len(responses), np.repeat(np.arange(len(target.grams)), target.grams.n_units)
        permutations = plan.permutations[: self.permutations]
        some = np.concatenate([_some(owner, k) for k in range(len(target.grams))])
        shuffled = responses[:, some][permutations].transpose(1, 0, 2).reshape(n, -1)

        def by_animal(r, owner=owner):
            return np.stack([_median(r[..., owner == k]) for k in range(len(target.grams))], axis=-1)

        sides = [(half, ~half) for half in plan.partitions]
        found: dict[str, list] = {key: [] for key in ("value", "draws", "null", "halves", "choosers", "undefined")}
        for gram in candidates.gram:
            predictions = predict(gram, np.hstack([responses, shuffled]), self.folds)
            own, other = np.split(predictions, [responses.shape[1]], axis=1)
            r = correlation(own, responses)
            null = correlation(other, shuffled).reshape(len(permutations), len(some))
            alone = [[_predict_within(gram, responses, side, self.folds) for side in pair] for pair in sides]
            found["value"].append(by_animal(r))
            found["draws"].append(by_animal(correlation(own, responses, plan.weights)))
            found["null"].append(by_animal(null, owner[some]))
            found["halves"].append([[by_animal(correlation(own[s], responses[s])) for s in pair] for pair in sides])
            found["choosers"].append(
                [
                    [by_animal(correlation(p[s], responses[s])) for p, s in zip(fitted, pair, strict=True)]
                    for fitted, pair in zip(alone, sides, strict=True)
                ]
            )
            found["undefined"].append(np.array([np.isnan(r[owner == k]).sum() for k in range(len(target.grams))]))
        single = [_trial_ceiling(target.grams[k : k + 1]) for k in range(len(target.grams))]
        return Evaluation(
            value=np.stack(found["value"], axis=-1),
            draws=np.stack(found["draws"], axis=-1),
            null=np.stack(found["null"], axis=-1),
            ceilings=single,
            together=ceilings.average([single[k] for k in target.members]),
            inter_animal=np.nan,
            halves=_by_partition(found["halves"]),
            choosers=_by_partition(found["choosers"]),
            undefined_units=np.stack(found["undefined"], axis=-1),
            warnings=[[] for _ in candidates.gram],
            **dimensionalities(target, candidates),
        )


def predict(gram: np.ndarray, responses: np.ndarray, folds: int) -> np.ndarray:
    """Predict responses to stimuli that were left out.

    Parameters
    ----------
    gram : array of shape (n_stimuli, n_stimuli)
        Inner products of the features.
    responses : array of shape (n_stimuli, n_units)
        What is to be predicted.
    folds : int
        Number of outer folds over stimuli.

    Returns
    -------
    array of shape (n_stimuli, n_units)
        Held-out predictions, as differences from the mean of the training responses; each uses penalties,
        means and weights from the other folds only. That mean itself is left out: it says nothing about a
        stimulus, and as it is lowest where the left-out responses are highest, it would make the
        predictions of useless features correlate negatively with the responses.
    """
    from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues

    order = np.random.default_rng([_SEED, len(gram), folds]).permutation(len(gram))
    predictions = np.empty_like(responses, dtype=float)
    for test in np.array_split(order, folds):
        train = order[~np.isin(order, test)]
        within, across = _centred(gram, train, test)
        scale = np.trace(within) / len(train)
        if scale <= 1e-12 * np.trace(gram) / len(gram):
            # Features that do not vary predict nothing but the mean.
            predictions[test] = 0
            continue
        centred = responses[train] - responses[train].mean(0)
        # Unit variance: the solver breaks near-ties between penalties by an absolute margin.
        size = centred.std(0)
        size[size == 0] = 1
        with warnings.catch_warnings():
            # The grid is wide on purpose: its ends stand for no penalty and for no prediction.
            warnings.filterwarnings("ignore", module="himalaya")
            _, dual, _ = solve_kernel_ridge_cv_eigenvalues(
                within / scale,
                centred / size,
                alphas=ALPHAS,
                cv=INNER_FOLDS,
                fit_intercept=False,
                n_targets_batch=4096,
                n_targets_batch_refit=4096,
                n_alphas_batch=4,
            )
        predictions[test] = (across / scale) @ np.asarray(dual) * size
    return predictions


def correlation(predicted: np.ndarray, observed: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Correlate predictions and responses over stimuli, for every unit.

    Parameters
    ----------
    predicted : array of shape (n_stimuli, n_units)
        Predictions.
    observed : array of shape (n_stimuli, n_units)
        Responses.
    weights : array of shape (n_samples, n_stimuli), optional
        How often each stimulus is in each resample.

    Returns
    -------
    array of shape (n_units,) or (n_samples, n_units)
        NaN for a unit that does not vary.
    """
    share = np.ones((1, len(predicted))) if weights is None else weights
    share = share / np.maximum(share.sum(1, keepdims=True), 1)
    # The correlation ignores the mean; taking it off first keeps digits in the weighted moments.
    p, o = predicted - predicted.mean(0), observed - observed.mean(0)
    mean_p, mean_o = share @ p, share @ o
    var_p, var_o = share @ p**2 - mean_p**2, share @ o**2 - mean_o**2
    floor_p, floor_o = 1e-12 * (predicted**2).mean(0), 1e-12 * (observed**2).mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (share @ (p * o) - mean_p * mean_o) / np.sqrt(var_p * var_o)
    r = np.where((var_p > floor_p) & (var_o > floor_o), r, np.nan)
    return r[0] if weights is None else r


def _predict_within(gram, responses, inside, folds):
    """Predict the responses of some stimuli from models of these alone; zero elsewhere."""
    predictions = np.zeros_like(responses)
    predictions[inside] = predict(gram[np.ix_(inside, inside)], responses[inside], folds)
    return predictions


def _by_partition(layers):
    """From scores (layer, partition, half, ...) to a list of pairs with layers running last."""
    return [
        tuple(np.stack(half, axis=-1) for half in zip(*partition, strict=True))
        for partition in zip(*layers, strict=True)
    ]


def _some(owner, animal):
    """Positions of at most `NULL_UNITS` units of one animal, drawn once."""
    mine = np.flatnonzero(owner == animal)
    return mine[np.sort(np.random.default_rng([_SEED, len(mine)]).permutation(len(mine))[:NULL_UNITS])]


def _trial_ceiling(grams: Grams) -> Ceiling:
    """Bounds as for the other measures: a half predicts the other half, and a larger part the whole."""
    trials = None if grams.trials is None else grams.trials[0]
    if trials is None or not trials.repeated():
        return ceilings.NONE

    def agreement(first, second):
        return float(_median(correlation(first, second)))

    def halves(late):
        return [[trials.mean(half) for half in split] for split in trials.halves(chronological=late)]

    low, late = (float(np.mean([agreement(a, b) for a, b in halves(late)])) for late in (False, True))
    high = np.mean([agreement(part, grams.units[0]) for a, b in halves(False) for part in ceilings.mixtures(a, b)])
    return Ceiling(low, float(high), "bracket (trials)", late)


def _centred(gram, train, test):
    """Centre kernels by the mean features of the training stimuli."""
    within, across = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
    column = within.mean(0)
    across = across - across.mean(1, keepdims=True) - column + column.mean()
    return within - column - column[:, None] + column.mean(), across


def _median(r: np.ndarray) -> np.ndarray:
    """Median over units that are defined; NaN if none is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        return np.nanmedian(r, axis=-1)


MEASURE = Ridge
