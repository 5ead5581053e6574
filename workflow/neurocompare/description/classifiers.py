"""Classification of discrete labels, scored across folds, with intervals and nulls.

Spike counts enter as square roots, which evens out their variance. Other responses are z-scored with
training trials; the weight penalty of logistic regression then grows with the number of units, so that the
spread of the log odds under the prior does not.
"""

import numpy as np
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from neurocompare.description.discriminants import NearestMean, discriminate
from neurocompare.description.rows import bootstrap_mean, matrix, may_permute_stimuli, may_permute_trials
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval
from neurocompare.ingestion.presentations import constant_in_blocks

FOLDS = 4
PERMUTATIONS = 100
GROUPINGS = 20
AVERAGED = (1, 2, 4, 8)
BOOTSTRAPS = 1000
ORDERS = 1000
"""Orders of blocks that are tried before a null of whole blocks is given up."""
ROOTED = ("spike count", "inferred spikes")
"""Responses that are never negative, unless they were scaled, and whose variance grows with their mean."""


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
    classifier: str = "logistic",
    permutations: int = PERMUTATIONS,
) -> xr.Dataset:
    """Classify single presentations.

    Parameters
    ----------
    array : DataArray
        A recording.
    label : str
        The coordinate along ``presentation`` to predict.
    seed : int
        Seed of the folds, the bootstrap and the permutations.
    folds : {"block", "stratified", "5", "leave-one-out"}
        Up to four stretches of consecutive blocks, or four or five random folds with equal shares of each
        label, or each presentation by itself.
    classifier : {"logistic", "lda", "nearest-mean", "nearest-angle"}
        Multinomial logistic regression; linear discriminants with shrunk covariance; the nearest class mean
        by distance or by angle. All but logistic regression take inferred spikes as square roots, too:
        their predictions do not depend on the scale of the responses.
    permutations : int
        Number of label shuffles. They are scored with the same decoder and folds; with block folds,
        labels are shuffled within folds, or, if a label never changes within a block, among whole blocks. None
        are made if the recording does not declare its stimuli exchangeable, or if hardly any order of the blocks
        leaves all labels in the training trials of every fold.

    Returns
    -------
    Dataset
        ``accuracy``; ``interval`` (bound), 95 %, over presentations resampled within labels, decoders
        fixed; ``null`` (permutation); ``chance``, the share of the commonest label; the same of the mean of
        the accuracies of each label, ``balanced``, ``balanced_interval`` and ``balanced_null``;
        ``confusion`` (true, predicted), counts.

    Raises
    ------
    UserError
        If the coordinate is missing, has one value only, or a label is too rare for the folds, or if folds would
        split the blocks of a label that never changes within one.
    """
    if label not in array.coords or array.coords[label].dims != ("presentation",):
        raise UserError(f"classify: the recording has no coordinate '{label}' along presentation")
    classes, target = np.unique(array.coords[label].values, return_inverse=True)
    if len(classes) < 2:
        raise UserError(f"classify: coordinate '{label}' has one value only; there is nothing to tell apart")
    block = array.coords["block"].values
    constant = constant_in_blocks(target, block)
    if constant and folds != "block":
        raise UserError(
            f"classify: coordinate '{label}' never changes within a block, so that folds which split blocks would "
            "learn the blocks; use folds=block"
        )
    rng = np.random.default_rng([seed, 1])
    fold = _folds(array, target, folds, label, rng)
    features = _features(array, fold, classifier)
    predicted = features.predict(target)
    count = np.bincount(target)
    recall = np.bincount(target, predicted == target) / count
    within = fold if folds == "block" else np.zeros_like(fold)
    null = np.zeros((permutations * may_permute_trials(array), 2))
    for scores in null:
        shuffled = _blocks_shuffled(target, block, fold, rng) if constant else _shuffled(target, within, rng)
        if shuffled is None:
            null = null[:0]
            break
        hits = np.bincount(shuffled, features.predict(shuffled) == shuffled)
        # Whole blocks may be of different length, which changes the counts of the labels.
        scores[:] = hits.sum() / len(target), (hits / np.bincount(shuffled)).mean()
    draws = np.array([rng.binomial(n, hit, BOOTSTRAPS) for n, hit in zip(count, recall, strict=True)])
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (target, predicted), 1)
    return xr.Dataset(
        {
            "accuracy": (predicted == target).mean(),
            "interval": ("bound", np.array(interval(draws.sum(0) / len(target)))),
            "null": ("permutation", null[:, 0]),
            "chance": count.max() / len(target),
            "balanced": recall.mean(),
            "balanced_interval": ("bound", np.array(interval((draws / count[:, None]).mean(0)))),
            "balanced_null": ("permutation", null[:, 1]),
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


def _features(array: xr.DataArray, fold: np.ndarray, classifier: str):
    if classifier in ("nearest-mean", "nearest-angle"):
        values = matrix(array)
        rooted = _rooted(array, values, ROOTED)
        values = np.sqrt(values) if rooted else values
        return NearestMean(values, fold, standardise=not rooted, angle=classifier == "nearest-angle")
    if classifier == "lda":
        return _Discriminants(array, fold, ROOTED)
    if classifier == "logistic":
        return _Features(array, fold)
    raise UserError(f"classify: classifier is '{classifier}'; use logistic, lda, nearest-mean or nearest-angle")


def _rooted(array: xr.DataArray, values: np.ndarray, responses: tuple[str, ...]) -> bool:
    """Tell whether values enter as square roots; inferred spikes that were z-scored have none."""
    return array.attrs["response"] in responses and values.min() >= 0


class _Features:
    """Training and test features of every fold, prepared once for many labellings."""

    def __init__(self, array: xr.DataArray, fold: np.ndarray, rooted: tuple[str, ...] = ("spike count",)):
        values = matrix(array)
        counts = _rooted(array, values, rooted)
        self.n_units = values.shape[1]
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


class _Discriminants(_Features):
    def predict(self, target: np.ndarray) -> np.ndarray:
        """Predicted labels, likewise."""
        predicted = np.empty_like(target)
        for test, train, held_out in self.parts:
            predicted[test] = discriminate(train, target[~test], held_out, self.n_units)
        return predicted


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
    elif folds == "leave-one-out":
        fold = np.arange(len(target))
        if np.bincount(target).min() < 2:
            raise UserError(f"classify: a value of '{label}' was shown once; too few to leave one out")
    elif folds in ("stratified", "5"):
        n_folds = FOLDS if folds == "stratified" else int(folds)
        if np.bincount(target).min() < n_folds:
            raise UserError(
                f"classify: a value of '{label}' was shown fewer than {n_folds} times; too few for {n_folds} folds"
            )
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
        fold = np.empty(len(target), dtype=int)
        for k, (_, test) in enumerate(splitter.split(target, target)):
            fold[test] = k
    else:
        raise UserError(f"classify: folds is '{folds}'; use block or stratified, 5 or leave-one-out")
    for k in range(0 if folds == "leave-one-out" else fold.max() + 1):
        if len(np.unique(target[fold != k])) <= target.max():
            raise UserError(f"classify: some values of '{label}' are absent from the training trials of fold {k}")
    return fold


def _shuffled(target: np.ndarray, within: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = target.copy()
    for k in np.unique(within):
        shuffled[within == k] = rng.permutation(shuffled[within == k])
    return shuffled


def _blocks_shuffled(target, block, fold, rng) -> np.ndarray | None:
    """Give whole blocks the labels of other blocks, so that all labels stay in the training trials of every fold.

    None if that is hardly ever so: of many labels in two blocks each, some are almost always in one fold only.
    """
    _, first, index = np.unique(block, return_index=True, return_inverse=True)
    for _ in range(ORDERS):
        shuffled = target[first][rng.permutation(len(first))][index]
        # The labels as they are meet this condition, too.
        if all(len(np.unique(shuffled[fold != k])) == target.max() + 1 for k in np.unique(fold)):
            return shuffled
    return None


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
