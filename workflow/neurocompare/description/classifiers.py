"""Classification of discrete labels, scored across folds, with intervals and nulls.

Spike counts enter as square roots, which evens out their variance. Other responses are z-scored with
training trials; the weight penalty of logistic regression then grows with the number of units, so that the
spread of the log odds under the prior does not.
"""

import numpy as np
import xarray as xr

from neurocompare.description.discriminants import NearestMean
from neurocompare.description.features import Discriminants, Features, Machines, Nested, outer
from neurocompare.description.held_out_hits import interval_of, mean_draws, recall_draws, widening
from neurocompare.description.information import Usable, of_confusion
from neurocompare.description.labels import ROOTED, block_folds, blocks_shuffled, folds_named, orders, shuffled_within
from neurocompare.description.rows import (
    bootstrap_mean,
    matrix,
    may_permute_stimuli,
    may_permute_trials,
    standard_interval,
)
from neurocompare.errors import UserError
from neurocompare.ingestion.presentations import constant_in_blocks

PERMUTATIONS = 100
GROUPINGS = 20
AVERAGED = (1, 2, 4, 8)
FEW = 20
"""Shuffles for which the probabilities of iterated decoders are calibrated."""
CALIBRATED = ("logistic", "logistic-nested", "lda")
"""Decoders that give probabilities."""


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
    information: bool = False,
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
    classifier : {"logistic", "logistic-nested", "lda", "svm", "nearest-mean", "nearest-angle"}
        Multinomial logistic regression, with a penalty by the number of units or by inner folds of the training
        trials; linear discriminants with shrunk covariance; linear support vector
        machines, each label against the rest, penalised as logistic regression is; the nearest class mean
        by distance or by angle. All but logistic regression take inferred spikes as square roots, too:
        their predictions do not depend on the scale of the responses.
    permutations : int
        Number of label shuffles. They are scored with the same decoder and folds; with block folds,
        labels are shuffled within folds, or, if a label (almost) never changes within a block, among blocks. None
        are made if the recording does not declare its stimuli exchangeable, or if hardly any order of the blocks
        leaves all labels in the training trials of every fold.
    information : bool
        Whether to tell the bits that are decoded, too; see `neurocompare.description.information`.

    Returns
    -------
    Dataset
        ``accuracy``; ``interval`` (bound), 95 %, over presentations (whole blocks, if the label never changes within
        one) resampled within labels, decoders fixed; ``null`` (permutation); ``chance``, the share of the commonest
        label; the same of the mean of the accuracies of each label, ``balanced``, ``balanced_interval`` and
        ``balanced_null``; ``confusion`` (true, predicted), counts. With `information` also ``fold`` and ``hit``
        (presentation), and ``information`` in bits; the attribute ``information`` says which: ``usable`` of decoders
        with probabilities, ``confusion`` of others and where single trials are left out. ``information_interval``,
        likewise, and ``information_null``, of the same shuffles, but at most 20 of logistic regression, which is to be
        calibrated. The attribute ``orders`` tells where shuffles repeat themselves; see
        `neurocompare.description.labels.orders`.

    Raises
    ------
    UserError
        If the coordinate is missing, has one value only, or a label is too rare for the folds, or if folds would
        split the blocks of a label that (almost) never changes within one.
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
            f"classify: coordinate '{label}' (almost) never changes within a block, so that folds which split blocks "
            "would learn the blocks; use folds=block"
        )
    rng = np.random.default_rng([seed, 1])
    fold = folds_named(array, target, folds, label, rng)
    features = _features(array, fold, classifier)
    bits = _Bits(features, fold, target, usable=classifier in CALIBRATED and folds != "leave-one-out")
    predicted, gain = bits.predict(target, information)
    count = np.bincount(target)
    recall = np.bincount(target, predicted == target) / count
    within = fold if folds == "block" else np.zeros_like(fold)
    null = np.zeros((permutations * may_permute_trials(array), 2))
    few = FEW if bits.usable and classifier.startswith("logistic") else permutations
    gains, tried = [], []
    for scores in null:
        shuffled = blocks_shuffled(target, block, fold, rng) if constant else shuffled_within(target, within, rng)
        if shuffled is None:
            null, gains, tried = null[:0], [], []
            break
        tried.append(shuffled)
        found, its_gain = bits.predict(shuffled, information and len(gains) < few)
        gains += [its_gain.mean()] if its_gain is not None else []
        hits = np.bincount(shuffled, found == shuffled)
        # Whole blocks may be of different length, which changes the counts of the labels.
        scores[:] = hits.sum() / len(target), (hits / np.bincount(shuffled)).mean()
    whole = block if constant else None
    draws = recall_draws(predicted == target, target, rng, whole)
    confusion = confusion_of(target, predicted)
    told = {}
    if information:
        told = {"fold": ("presentation", fold), "hit": ("presentation", (predicted == target).astype(float))}
        told |= bits.summary(gain, gains, predicted, target, seed, whole)
    return xr.Dataset(
        told
        | {
            "accuracy": (predicted == target).mean(),
            "interval": ("bound", np.array(interval_of(draws @ count / len(target), target, whole))),
            "null": ("permutation", null[:, 0]),
            "chance": count.max() / len(target),
            "balanced": recall.mean(),
            "balanced_interval": ("bound", np.array(interval_of(draws.mean(-1), target, whole))),
            "balanced_null": ("permutation", null[:, 1]),
            "confusion": (("true", "predicted"), confusion),
        },
        coords={"bound": ["low", "high"], "true": classes, "predicted": classes},
        attrs={"label": label, "orders": orders(np.array(tried))}
        | ({"information": "usable" if bits.usable else "confusion"} if information else {}),
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
    features = _features(array, fold, "logistic")
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
    trials = [scores(side, shuffled_within(same, fold, rng)) for _ in range(permutations * may_permute_trials(array))]
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
    values = matrix(array)
    if classifier in ("nearest-mean", "nearest-angle"):
        rootable = rooted(array, values, ROOTED)
        values = np.sqrt(values) if rootable else values
        return NearestMean(values, fold, standardise=not rootable, angle=classifier == "nearest-angle")
    kinds = {"logistic": Features, "logistic-nested": Nested, "lda": Discriminants, "svm": Machines}
    if classifier not in kinds:
        raise UserError(
            f"classify: classifier is '{classifier}'; use logistic, logistic-nested, lda, svm, nearest-mean or "
            "nearest-angle"
        )
    responses = ("spike count",) if classifier.startswith("logistic") else ROOTED
    return kinds[classifier](values, list(outer(fold)), rooted=rooted(array, values, responses))


class _Bits:
    """What a decoder predicts, and the bits that it gives: of each trial if usable, else of the table of counts."""

    def __init__(self, features, fold, target, *, usable):
        self.features, self.usable = features, usable
        self.measure = Usable(features, fold, target) if usable else None

    def predict(self, target, information):
        if not self.usable:
            predicted = self.features.predict(target)
            return predicted, of_confusion(confusion_of(target, predicted))[None] if information else None
        scores = self.features.scores(target)
        return scores.argmax(1), self.measure.gain(target, scores) if information else None

    def summary(self, gain, null, predicted, target, seed, block=None):
        rng, count = np.random.default_rng([seed, 12]), np.bincount(target)
        if self.usable:
            bounds = interval_of(mean_draws(gain, target, rng, block), target, block)
        else:
            drawn = recall_draws(np.eye(len(count))[predicted].T, target, rng, block) * count
            drawn = of_confusion(drawn.swapaxes(-1, -2)) * widening(target, block)
            bounds = standard_interval(gain[0], drawn, len(target))
        return {
            "information": gain.mean(),
            "information_interval": ("bound", np.array(bounds)),
            "information_null": ("information_permutation", np.array(null)),
        }


def confusion_of(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count how often each label (row) is taken for each (column)."""
    confusion = np.zeros((target.max() + 1, target.max() + 1), dtype=int)
    np.add.at(confusion, (target, predicted), 1)
    return confusion


def rooted(array: xr.DataArray, values: np.ndarray, responses: tuple[str, ...]) -> bool:
    """Tell whether values enter as square roots; inferred spikes that were z-scored have none."""
    return array.attrs["response"] in responses and values.min() >= 0


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
