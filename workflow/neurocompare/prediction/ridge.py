"""Encoding: ridge regression from the features of a layer to every neuron.

The kernel form is used throughout (there are fewer stimuli than features), so a layer is needed only
through its Gram matrix. Folds are over stimuli: no stimulus is both fitted and predicted. Inside each
fold the penalty of every neuron is chosen by an inner cross-validation (himalaya, Dupré la Tour et al.
2022, NeuroImage 264:119728). The score of a layer is the median over neurons of the Pearson correlation
between held-out predictions and the trial-averaged response.
"""

import warnings

import numpy as np

from neurocompare.similarity.arrays import Grams, declaration, require_stimuli
from neurocompare.similarity.evaluation import Evaluation, majorities

MINIMUM_STIMULI = 20
PERMUTATIONS = 100
INNER_FOLDS = 5
ALPHAS = np.logspace(-3, 3, 9)
"""Penalties tried, relative to the mean squared norm of the centred training features."""

NULL_UNITS = 100
"""The null refits every shuffle; it uses at most this many neurons, drawn once."""

_SEED = 20220801


MEASURES = {
    f"ridge-folds={folds}": declaration(
        f"encoding: ridge from features to neurons, {folds} folds over stimuli, median r over neurons",
        low=-1.0,
        symmetric=False,
        invariances="isotropic scale, permutation, orthogonal, translation",
        minimum_stimuli=MINIMUM_STIMULI,
    )
    for folds in (5, 10)
}


def score(x: np.ndarray, y: np.ndarray, options: dict[str, str]) -> float:
    """Score how well features predict responses.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_features)
        Features.
    y : array of shape (n_stimuli, n_units)
        Responses to predict.
    options : dict
        ``folds``.

    Returns
    -------
    float
        Median over units of the correlation of held-out predictions with the responses.

    Raises
    ------
    UserError
        If there are too few stimuli.
    """
    require_stimuli(len(x), MINIMUM_STIMULI, "ridge encoding")
    gram = Grams.of(x[None]).gram[0]
    return float(_median(correlation(predict(gram, y, int(options["folds"])), y)))


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


def evaluate(target, candidates, options, plan):
    """Score all layers against a region, with ceilings, null and resamples.

    Parameters
    ----------
    target : evaluation.Target
        A region of a recording, with responses.
    candidates : Grams
        The layers.
    options : dict
        ``folds``.
    plan : resampling.Plan
        Resamples and permutations of the stimuli.

    Returns
    -------
    evaluation.Evaluation
        Scores; bootstrap samples resample the stimuli of the held-out predictions, shuffles are refitted.
        A layer is chosen on half of the stimuli by models of that half alone, because all other models
        have seen the responses that the choice will be scored on.
    """
    n_animals, n, n_units = target.responses.shape
    n_null = len(plan.permutations)
    some = np.sort(np.random.default_rng([_SEED, n_units]).permutation(n_units)[:NULL_UNITS])
    # Animals, and all shuffles, are fitted together, as if they were more neurons.
    responses = _side_by_side(target.responses)
    shuffled = _side_by_side(target.responses[:, :, some])[plan.permutations].transpose(1, 0, 2).reshape(n, -1)

    def score_of(predicted, weights=None):
        r = correlation(predicted, responses, weights)
        return _median(r.reshape(*r.shape[:-1], n_animals, n_units))

    folds, sides = int(options["folds"]), [(half, ~half) for half in plan.partitions]
    values, draws, null, halves, choosers, undefined = [], [], [], [], [], []
    for gram in candidates.gram:
        predictions = predict(gram, np.hstack([responses, shuffled]), folds)
        own, other = np.split(predictions, [responses.shape[1]], axis=1)
        alone = [tuple(_predict_within(gram, responses, side, folds) for side in pair) for pair in sides]
        values.append(score_of(own))
        draws.append(score_of(own, plan.weights))
        null.append(_median(correlation(other, shuffled).reshape(n_null, n_animals, len(some))))
        pairs = list(zip(alone, _half_weights(plan), strict=True))
        halves.append([[score_of(own, weights) for weights in both] for _, both in pairs])
        choosers.append([[score_of(p, weights) for p, weights in zip(*pair, strict=True)] for pair in pairs])
        undefined.append(np.isnan(correlation(own, responses)).reshape(n_animals, n_units).sum(1))
    low, high = _ceiling(target)
    return Evaluation(
        value=np.stack(values, axis=-1),
        draws=np.stack(draws, axis=-1),
        null=np.stack(null, axis=-1),
        ceiling_low=low,
        ceiling_high=high,
        halves=_by_partition(halves),
        choosers=_by_partition(choosers),
        undefined_units=np.stack(undefined, axis=-1),
    )


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


def _side_by_side(responses):
    """From (n_animals, n_stimuli, n_units) to (n_stimuli, n_animals * n_units)."""
    return responses.transpose(1, 0, 2).reshape(responses.shape[1], -1)


def _half_weights(plan):
    """For each partition the weights of its two halves: first of all stimuli, then in bootstrap samples."""
    weights = np.vstack([np.ones(plan.weights.shape[1]), plan.weights])
    for half in plan.partitions:
        yield weights * half, weights * ~half


def _ceiling(target):
    """Bounds as for the other measures: a half predicts the other half, and a larger part the whole."""
    if target.halves is None:
        missing = np.full(len(target.responses), np.nan)
        return missing, missing

    def agreement(first, second):
        return [float(_median(correlation(a, b))) for a, b in zip(first, second, strict=True)]

    low = [agreement(first, second) for first, second in target.halves]
    high = [agreement(part, target.responses) for pair in majorities(target) for part in pair]
    return np.mean(low, axis=0), np.mean(high, axis=0)


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
