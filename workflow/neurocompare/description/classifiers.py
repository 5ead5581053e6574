"""Logistic regression of discrete labels, scored across folds, with intervals and nulls.

Spike counts enter as square roots, which evens out their variance. Other responses are z-scored with
training trials, and the weight penalty grows with the number of units, so that the spread of the log
odds under the prior does not.
"""

import numpy as np
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from neurocompare.description.rows import bootstrap_mean, matrix, may_permute_stimuli, may_permute_trials
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval

FOLDS = 4
PERMUTATIONS = 100
GROUPINGS = 20
AVERAGED = (1, 2, 4, 8)
BOOTSTRAPS = 1000


def block_folds(block: np.ndarray, n_folds: int = FOLDS) -> np.ndarray:
    """Join blocks, in the order of their numbers, into at most `n_folds` folds of consecutive blocks.

    Parameters
    ----------
    block : array of int of shape (n_presentations,)
        Block of each presentation.
    n_folds : int
        Largest number of folds.

    Returns
    -------
    array of int of shape (n_presentations,)
        Fold of each presentation, all zero if there is only one block.
    """
    blocks, index = np.unique(block, return_inverse=True)
    return np.arange(len(blocks))[index] * min(n_folds, len(blocks)) // len(blocks)


def strongest_contrast(array: xr.DataArray) -> xr.DataArray:
    """Return the presentations at the highest ``contrast``; all of them if there is no such coordinate."""
    if "contrast" not in array.coords:
        return array
    contrast = array.coords["contrast"].values
    return array.isel(presentation=np.flatnonzero(contrast == contrast.max()))


def classify(
    array: xr.DataArray,
    label: str,
    *,
    seed: int,
    folds: str = "block",
    permutations: int = PERMUTATIONS,
) -> xr.Dataset:
    """Classify single presentations by multinomial logistic regression.

    Parameters
    ----------
    array : DataArray
        A recording.
    label : str
        The coordinate along ``presentation`` to predict.
    seed : int
        Seed of the folds, the bootstrap and the permutations.
    folds : {"block", "stratified"}
        Up to four stretches of consecutive blocks, or four random folds with equal shares of each label.
    permutations : int
        Number of label shuffles. They are scored with the same decoder and folds; with block folds,
        labels are shuffled within folds. None are made if the recording does not declare its stimuli
        exchangeable.

    Returns
    -------
    Dataset
        ``accuracy``; ``interval`` (bound), 95 %, over presentations resampled within labels, decoders
        fixed; ``null`` (permutation); ``chance``, the share of the commonest label; ``confusion``
        (true, predicted), counts.

    Raises
    ------
    UserError
        If the coordinate is missing, has one value only, or a label is too rare for the folds.
    """
    if label not in array.coords or array.coords[label].dims != ("presentation",):
        raise UserError(f"classify: the recording has no coordinate '{label}' along presentation")
    classes, target = np.unique(array.coords[label].values, return_inverse=True)
    if len(classes) < 2:
        raise UserError(f"classify: coordinate '{label}' has one value only; there is nothing to tell apart")
    rng = np.random.default_rng([seed, 1])
    fold = _folds(array, target, folds, label, rng)
    features = _Features(array, fold)
    predicted = features.predict(target)
    hits = (predicted == target).astype(float)
    within = fold if folds == "block" else np.zeros_like(fold)
    null = [
        _accuracy(features.predict(shuffled), shuffled)
        for shuffled in (_shuffled(target, within, rng) for _ in range(permutations * may_permute_trials(array)))
    ]
    draws = sum(
        rng.binomial(count, hits[target == k].mean(), BOOTSTRAPS) for k, count in enumerate(np.bincount(target))
    ) / len(target)
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (target, predicted), 1)
    return xr.Dataset(
        {
            "accuracy": hits.mean(),
            "interval": ("bound", np.array(interval(draws))),
            "null": ("permutation", np.array(null, dtype=float)),
            "chance": np.bincount(target).max() / len(target),
            "confusion": (("true", "predicted"), confusion),
        },
        coords={"bound": ["low", "high"], "true": classes, "predicted": classes},
        attrs={"label": label},
    )


def discriminate_45(
    array: xr.DataArray,
    *,
    seed: int,
    margin: float = 0.0,
    averaged: tuple[int, ...] = AVERAGED,
    permutations: int = PERMUTATIONS,
) -> xr.Dataset:
    """Tell orientations above 45° from those below, among 0-90°, by logistic regression across blocks.

    Decoders learn from single trials of the other blocks. They are tested on single trials and on means
    of k trials of one stimulus within the held-out fold (random groups, 20 times).

    Parameters
    ----------
    array : DataArray
        A recording with ``orientation`` in degrees.
    seed : int
        Seed of the groups, the bootstrap and the permutations.
    margin : float
        Trials within so many degrees of 45 are left out; those at exactly 45 always are.
    averaged : tuple of int
        Numbers k of trials to average.
    permutations : int
        Number of shuffles for each of two nulls, scored with the same decoder and folds; see below.

    Returns
    -------
    Dataset
        ``accuracy`` (averaged), the mean over stimuli; ``interval`` (averaged, bound), 95 %, bootstrap
        over stimuli; ``by_stimulus`` (averaged, stimulus) and the stimuli's mean ``orientation``;
        ``null_dichotomies`` (averaged, permutation), labels of whole stimuli shuffled: is this division
        of the stimuli easier than a random one? With m stimuli, half of them above, its p-value cannot
        fall below two over the number of ways to choose m/2 of m. And ``null_trials`` (averaged,
        permutation), stimuli shuffled among the trials of a fold: is anything decoded at all? Its mean is
        0.5. A null is empty if the recording does not declare that to be exchangeable. NaN where no fold
        holds k trials of a stimulus. The attribute ``n_trials`` counts the trials used.

    Raises
    ------
    UserError
        If there is one block only, or fewer than two stimuli on one side.
    """
    angle = array.coords["orientation"].values.astype(float)
    array = array.isel(presentation=np.flatnonzero((angle >= 0) & (angle <= 90) & (np.abs(angle - 45) > margin)))
    angle = array.coords["orientation"].values.astype(float)
    above = (angle > 45).astype(int)
    # A bin that straddles 45° counts as two stimuli.
    names = np.char.add(array.coords["stimulus"].values.astype(str), np.where(above, " above", " below"))
    stimuli, stimulus = np.unique(names, return_inverse=True)
    side = np.array([name.endswith(" above") for name in stimuli], dtype=int)
    if np.bincount(side, minlength=2).min() < 2:
        raise UserError(
            f"decoding above 45: {np.sum(side == 0)} stimuli in 0-45 and {np.sum(side == 1)} in 45-90 degrees;"
            " 2 of each are needed"
        )
    fold = block_folds(array.coords["block"].values)
    if fold.max() == 0:
        raise UserError("decoding above 45: the recording has one block only; folds must not share a block")
    rng = np.random.default_rng([seed, 2])
    features = _Features(array, fold)
    groups = {k: _groups(stimulus, fold, k, rng) for k in averaged}

    def scores(label_of_stimulus, order):
        """Fraction of correct groups (averaged, stimulus), presentations taken in another order.

        The decision on a mean of trials is the mean of the decisions, because the decoder is linear.
        """
        decision = np.empty(len(order))
        decision[order] = features.decide(label_of_stimulus[stimulus[order]])
        result = np.full((len(averaged), len(stimuli)), np.nan)
        for i, members in enumerate(groups.values()):
            if len(members):
                group = stimulus[members[:, 0]]
                correct = (decision[members].mean(1) > 0) == label_of_stimulus[group]
                count = np.bincount(group, minlength=len(stimuli))
                np.divide(np.bincount(group, correct, len(stimuli)), count, out=result[i], where=count > 0)
        return result

    same = np.arange(len(angle))
    by_stimulus = scores(side, same)
    dichotomies = [scores(rng.permutation(side), same) for _ in range(permutations * may_permute_stimuli(array))]
    trials = [scores(side, _shuffled(same, fold, rng)) for _ in range(permutations * may_permute_trials(array))]
    return xr.Dataset(
        {
            "accuracy": ("averaged", by_stimulus.mean(1)),
            "interval": (("averaged", "bound"), np.array([bootstrap_mean(scores_, rng) for scores_ in by_stimulus])),
            "null_dichotomies": (("averaged", "dichotomy"), _means(dichotomies, len(averaged))),
            "null_trials": (("averaged", "permutation"), _means(trials, len(averaged))),
            "by_stimulus": (("averaged", "stimulus"), by_stimulus),
            "orientation": ("stimulus", np.bincount(stimulus, angle) / np.bincount(stimulus)),
        },
        coords={"averaged": list(averaged), "bound": ["low", "high"], "stimulus": stimuli},
        attrs={"n_trials": len(angle), "margin": margin},
    )


class _Features:
    """Training and test features of every fold, prepared once for many labellings."""

    def __init__(self, array: xr.DataArray, fold: np.ndarray):
        values = matrix(array)
        counts = array.attrs["response"] == "spike count"
        self.penalty = 1.0 if counts else float(values.shape[1])
        self.fold = fold
        self.parts = []
        for k in range(fold.max() + 1):
            train, test = values[fold != k], values[fold == k]
            train, test = (np.sqrt(train), np.sqrt(test)) if counts else _zscored(train, test)
            self.parts.append((fold == k, *_rotated(train, test)))

    def _fits(self, target):
        for test, train, held_out in self.parts:
            labels = target[~test]
            # Newton's method is exact and fast until its Hessian, of side units x classes, gets large.
            small = train.shape[1] * len(np.unique(labels)) <= 500
            model = LogisticRegression(
                C=1 / self.penalty, solver="newton-cholesky" if small else "lbfgs", max_iter=1000
            )
            yield test, held_out, model.fit(train, labels)

    def predict(self, target: np.ndarray) -> np.ndarray:
        """Predicted labels of all presentations, each from decoders that did not see its fold."""
        predicted = np.empty_like(target)
        for test, held_out, model in self._fits(target):
            predicted[test] = model.predict(held_out)
        return predicted

    def decide(self, target: np.ndarray) -> np.ndarray:
        """Log odds of label 1 against label 0, likewise."""
        decision = np.empty(len(target))
        for test, held_out, model in self._fits(target):
            decision[test] = model.decision_function(held_out)
        return decision


def _zscored(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = train.mean(0), train.std(0)
    varies = deviation > 1e-12 * (1 + np.abs(mean))
    return (train[:, varies] - mean[varies]) / deviation[varies], (test[:, varies] - mean[varies]) / deviation[varies]


def _rotated(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Express more units than trials in the span of the training trials, which changes no prediction."""
    if train.shape[1] <= train.shape[0]:
        return train, test
    basis = np.linalg.qr(train.T)[0]
    return train @ basis, test @ basis


def _folds(array, target, folds, label, rng) -> np.ndarray:
    if folds == "block":
        fold = block_folds(array.coords["block"].values)
        if fold.max() == 0:
            raise UserError("classify: folds are 'block' but the recording has one block only; use 'stratified'")
    elif folds == "stratified":
        if np.bincount(target).min() < FOLDS:
            raise UserError(
                f"classify: a value of '{label}' was shown fewer than {FOLDS} times; too few for {FOLDS} folds"
            )
        splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
        fold = np.empty(len(target), dtype=int)
        for k, (_, test) in enumerate(splitter.split(target, target)):
            fold[test] = k
    else:
        raise UserError(f"classify: folds is '{folds}'; use block or stratified")
    for k in range(fold.max() + 1):
        if len(np.unique(target[fold != k])) <= target.max():
            raise UserError(f"classify: some values of '{label}' are absent from the training trials of fold {k}")
    return fold


def _shuffled(target: np.ndarray, within: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = target.copy()
    for k in np.unique(within):
        shuffled[within == k] = rng.permutation(shuffled[within == k])
    return shuffled


def _accuracy(predicted: np.ndarray, target: np.ndarray) -> float:
    return float((predicted == target).mean())


def _means(scores: list[np.ndarray], n_averaged: int) -> np.ndarray:
    """Means over stimuli (averaged, permutation) of scores (averaged, stimulus)."""
    return np.array([score.mean(1) for score in scores]).reshape(-1, n_averaged).T


def _groups(stimulus: np.ndarray, fold: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Random groups (n_groups, k) of presentations of the same stimulus in the same fold."""
    cell = stimulus * (fold.max() + 1) + fold
    groups = []
    for _ in range(1 if k == 1 else GROUPINGS):
        order = np.lexsort((rng.random(len(cell)), cell))
        counts = np.bincount(cell)
        place = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
        keep = place < np.repeat(counts // k * k, counts)
        groups.append(order[keep].reshape(-1, k))
    return np.concatenate(groups)
