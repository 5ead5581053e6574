"""Decoding of what was shown from the population: an angle, above or below 45°, and discrete labels.

Everything that is fitted (means, standard deviations, weights) comes from training trials only. Beside
the interleaved split of the original work stands a chronological one, because neighbouring trials share
slow noise. Intervals are over stretches of consecutive test trials, or over stimuli, with the decoders fixed.

A recording that is too small or has another design gets rows that say so in their status; units that were not
recorded together are decoded as if they varied independently, and their rows say "of pooled units".
"""

import numpy as np
import xarray as xr

from neurocompare.description.angles import (
    BOOTSTRAPS,
    SPLITS,
    STRETCHES,
    TARGETS,
    Angles,
    angles,
    halved,
    stretch_of,
    stretch_weights,
)
from neurocompare.description.classifiers import block_folds, classify, discriminate_45, strongest_contrast
from neurocompare.description.rows import require, row
from neurocompare.inference.resampling import interval
from neurocompare.ingestion.presentations import constant_in_blocks
from neurocompare.prediction.circular_decoders import DECODERS, angular_error, decoder_named

_DECODERS = {
    "von-mises": "a linear read-out of von Mises bumps",
    "independent": "maximum likelihood with independent neurons",
    "population-vector": "the population vector",
}

DESCRIPTIONS = {
    f"decoding-target={target}-decoder={decoder}": {
        "summary": f"error of the {target} decoded by {text}, against numbers of neurons and of trials",
        "unit": "degrees",
        "direction": "lower",
        "needs": ["responses", "blocks"],
    }
    for target in TARGETS
    for decoder, text in _DECODERS.items()
} | {
    "decoding-target=orientation-decoder=logistic": {
        "summary": "accuracy of multinomial logistic regression of the orientation at the highest contrast",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "orientation", "blocks"],
    },
    "decoding-target=above-45-decoder=logistic": {
        "summary": "accuracy of telling orientations of 45-90 from 0-45 degrees, from single and averaged trials",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "orientation", "blocks"],
    },
}

SUMMARIES = {
    "median": ("median absolute error", "degrees", "lower"),
    "mean": ("mean absolute error", "degrees", "lower"),
    "nearest": ("share nearest to the angle shown", "1", "higher"),
}
"""What is told of all neurons and trials. Of a few discrete angles the median says little: the linear decoder learns
these angles and returns one of them, so that its error is mostly zero and sometimes large."""

FEW_ANGLES = 24
PERMUTATIONS = 100
LARGE = 10_000
"""Presentations times classes above which logistic regression gets a fifth of the permutations."""


def decoding_curve(
    trials: Angles,
    *,
    seed: int,
    decoder: str = "von-mises",
    permutations: int = PERMUTATIONS,
) -> xr.Dataset:
    """Decode an angle from sub-samples of neurons and of training trials.

    Numbers are halved from all down to 16. Each fold of each number draws a sub-sample of its own, so every
    trial is tested once per number.

    Parameters
    ----------
    trials : Angles
        Trials of a recording.
    seed : int
        Seed of the sub-samples, the permutations and the bootstrap.
    decoder : str
        A key of `neurocompare.prediction.circular_decoders.DECODERS`.
    permutations : int
        Number of shuffles of the training labels, with all neurons and trials.

    Returns
    -------
    Dataset
        ``neuron_error`` (bound, split, neurons) and ``trial_error`` (bound, split, trials): the median
        absolute error in degrees and its 95 % interval, from a bootstrap over stretches of consecutive
        test trials with the decoders fixed. From all neurons and training trials: ``decoded`` (split,
        presentation) in degrees; ``whole`` (bound, split, summary), with the mean absolute error and the share of
        trials whose decoded angle is nearest to the shown one, too; and ``null`` (split, permutation, summary). Of a
        recording with one block, the chronological split is NaN.
    """
    values, angle, period = trials.values, trials.angle, trials.period
    decode = decoder_named(decoder)
    n, p = values.shape
    rng = np.random.default_rng([seed, 0])
    folds = trials.folds.values()
    n_train = min(int((fold != k).sum()) for fold in folds if fold.max() for k in np.unique(fold))
    neurons, numbers = halved(p), halved(n_train)
    result = {
        "neuron_error": (("bound", "split", "neurons"), np.full((3, 2, len(neurons)), np.nan)),
        "trial_error": (("bound", "split", "trials"), np.full((3, 2, len(numbers)), np.nan)),
        "decoded": (("split", "presentation"), np.full((2, n), np.nan)),
        "whole": (("bound", "split", "summary"), np.full((3, 2, len(SUMMARIES)), np.nan)),
        "null": (("split", "permutation", "summary"), np.full((2, permutations, len(SUMMARIES)), np.nan)),
    }
    neuron_error, trial_error, decoded, whole, null = (values_ for _, values_ in result.values())
    weights = stretch_weights(n, np.random.default_rng([seed, 7]))[:, stretch_of(n)]
    for s, split in enumerate(SPLITS):
        fold = trials.folds[split]
        if fold.max() == 0 or trials.constant and split == "interleaved":
            continue
        # A stream of its own: how many shuffles are made must not change the sub-samples.
        shuffles = np.random.default_rng([seed, 8, s])
        decoded[s], shuffled = _with_null(decode, trials, fold, permutations, shuffles)
        error = angular_error(decoded[s], angle, period)
        nearest = _nearest(decoded[s], trials.angle, trials)
        null[s] = np.stack([np.median(shuffled[0], 1), shuffled[0].mean(1), shuffled[1].mean(1)], axis=1)
        neuron_error[:, s, 0] = trial_error[:, s, 0] = whole[:, s, 0] = _median_error(error, rng)
        for i, values_ in ((1, error), (2, nearest)):
            whole[:, s, i] = values_.mean(), *interval(weights @ values_ / weights.sum(1))
        for i, size in enumerate(neurons[1:], 1):
            found = _subsampled(decode, trials, fold, size, n, rng)
            neuron_error[:, s, i] = _median_error(angular_error(found, angle, period), rng)
        for i, size in enumerate(numbers[1:], 1):
            found = _subsampled(decode, trials, fold, p, size, rng)
            trial_error[:, s, i] = _median_error(angular_error(found, angle, period), rng)
    coords = {"bound": ["value", "low", "high"], "split": list(SPLITS), "neurons": neurons, "trials": numbers}
    coords |= {"angle": ("presentation", angle), "summary": list(SUMMARIES)}
    return xr.Dataset(result, coords=coords, attrs={"period": period})


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Decode what was shown.

    Of a recording with several contrasts, the highest is taken.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table. Where the recording doesn't allow a number, its status says why: ``one_block``,
        ``too_few_trials``, ``too_few_angles``, ``too_few_stimuli`` or ``constant_in_blocks``.
    details : Dataset
        What `decoding_curve`, `classify` or `discriminate_45` return; None if nothing could be decoded.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    options = require(array, description_id, DESCRIPTIONS)
    if options["decoder"] in DECODERS:
        return _rows_of_curve(angles(array, description_id, options["target"]), options["decoder"], seed)
    array = strongest_contrast(array)
    size = {"n_stimuli": len(np.unique(array.coords["stimulus"].values)), "n_units": array.sizes["unit"]}
    pooled = "" if array.attrs["simultaneous"] or size["n_units"] == 1 else " of pooled units"
    if options["target"] == "above-45":
        return _rows_of_averages(array, size, pooled, seed)
    return _rows_of_classes(array, size, pooled, seed)


def _rows_of_curve(trials, decoder, seed):
    quantity = f"median absolute error{trials.pooled}"
    if all(trials.lacking(split) for split in SPLITS):
        common = {"unit": "degrees", **trials.size}
        rows = [
            row(quantity, np.nan, condition=f"split={split}", status=trials.lacking(split), **common)
            for split in SPLITS
        ]
        return rows, None
    permutations = PERMUTATIONS if trials.permutable else 0
    details = decoding_curve(trials, seed=seed, decoder=decoder, permutations=permutations)
    rows = []
    different = len(np.unique(trials.angle))
    most = {"neurons": int(details.neurons[0]), "trials": int(details.trials[0])}
    for split in SPLITS:
        for varied in ("neurons", "trials"):
            for i, number in enumerate(details[varied].values):
                if varied == "trials" and i == 0:
                    continue
                error, low, high = details[f"{varied[:-1]}_error"].sel({"split": split, varied: number}).values
                used = most | {varied: int(number)}
                rows.append(
                    row(
                        quantity,
                        error,
                        condition=f"split={split};neurons={used['neurons']};trials={used['trials']}",
                        null=details.null.sel(split=split)[:, 0].values if i == 0 and permutations else None,
                        better="lower",
                        unit="degrees",
                        ci=(low, high),
                        status=trials.lacking(split),
                        **trials.size | {"n_units": used["neurons"]},
                    )
                )
        for k, (quantity_, unit, better) in enumerate(list(SUMMARIES.values())[1:], 1):
            value, low, high = details.whole.sel(split=split).values[:, k]
            setting = f"split={split};neurons={most['neurons']};trials={most['trials']};angles={different}"
            rows.append(
                row(
                    f"{quantity_}{trials.pooled}",
                    value,
                    condition=setting,
                    null=details.null.sel(split=split)[:, k].values if permutations else None,
                    better=better,
                    unit=unit,
                    ci=(low, high),
                    status=trials.lacking(split),
                    **trials.size,
                )
            )
            # Of continuous angles none is the nearest one.
            if different >= FEW_ANGLES:
                break
    return rows, details


def _rows_of_averages(array, size, pooled, seed):
    quantity = f"accuracy above 45{pooled}"
    missing = None
    angle = array.coords["orientation"].values.astype(float)
    # As `discriminate_45` counts: a stimulus is a bin, on one side of 45°.
    names = array.coords["stimulus"].values.astype(str)
    sides = [np.unique(names[(low <= angle) & (angle <= high) & (angle != 45)]) for low, high in ((0, 45), (45, 90))]
    if min(map(len, sides)) < 2:
        missing = "too_few_stimuli"
    elif block_folds(array.coords["block"].values[(angle >= 0) & (angle <= 90) & (angle != 45)]).max() == 0:
        missing = "one_block"
    if missing:
        condition = "averaged=1;null=trials"
        return [row(quantity, np.nan, condition=condition, status=missing, n_trials=len(angle), **size)], None
    details = discriminate_45(array, seed=seed)
    rows = []
    for k in details.averaged.values:
        part = details.sel(averaged=k)
        for null in ("trials", "dichotomies"):
            values = part[f"null_{null}"].values
            rows.append(
                row(
                    quantity,
                    part.accuracy,
                    condition=f"averaged={k};null={null}",
                    null=values if values.size else None,
                    ci=tuple(part.interval.values),
                    status="too_few_trials" if np.isnan(part.accuracy) else None,
                    n_stimuli=details.sizes["stimulus"],
                    n_units=size["n_units"],
                    n_trials=details.attrs["n_trials"],
                )
            )
    return rows, details


def _rows_of_classes(array, size, pooled, seed):
    orientation = array.coords["orientation"].values
    # A continuous angle has no classes of its own; its bins are the stimuli.
    label = "orientation" if np.unique(orientation, return_counts=True)[1].min() >= 4 else "stimulus"
    classes = len(np.unique(array.coords[label].values))
    permutations = PERMUTATIONS if array.sizes["presentation"] * classes <= LARGE else PERMUTATIONS // 5
    quantity, n_trials = f"accuracy{pooled}", array.sizes["presentation"]
    rows, parts = [], {}
    for folds in ("block", "stratified"):
        if folds == "block" and block_folds(array.coords["block"].values).max() == 0:
            rows.append(row(quantity, np.nan, condition="folds=block", status="one_block", n_trials=n_trials, **size))
            continue
        if folds == "stratified" and constant_in_blocks(array.coords[label].values, array.coords["block"].values):
            missing = {"condition": "folds=stratified", "status": "constant_in_blocks", "n_trials": n_trials}
            rows.append(row(quantity, np.nan, **missing, **size))
            continue
        part = parts[folds] = classify(array, label, folds=folds, seed=seed, permutations=permutations)
        rows.append(
            row(
                quantity,
                part.accuracy,
                condition=f"folds={folds};classes={part.sizes['true']}",
                null=part.null.values if part.sizes["permutation"] else None,
                ci=tuple(part.interval.values),
                n_trials=n_trials,
                **size,
            )
        )
    return rows, xr.concat(list(parts.values()), dim=xr.Variable("folds", list(parts)), combine_attrs="drop_conflicts")


def _subsampled(decode, trials, fold, n_units, n_trials, rng) -> np.ndarray:
    """Decode each fold from its own draw of units and training trials."""
    values, angle = trials.values, trials.angle
    decoded = np.empty(len(angle))
    for k in range(fold.max() + 1):
        test = fold == k
        unit = rng.permutation(values.shape[1])[:n_units]
        train = rng.permutation(np.flatnonzero(~test))[:n_trials]
        decoder = decode(values[np.ix_(train, unit)], values[np.ix_(test, unit)], trials.period)
        decoded[test] = decoder.decode(angle[train])
    return decoded


def _with_null(decode, trials, fold, permutations, rng) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Decode from everything; errors and hits (permutation, trial) after shuffling the labels of all trials.

    A shuffle is the same in all folds, and is what decoded angles are compared with: a trial that is tested in one fold
    teaches in the others, under one label. Labels drawn anew for each fold would make the null too narrow.
    """
    angle = trials.angle
    decoded = np.empty(len(angle))
    shuffled = np.empty((permutations, len(angle)))
    orders = np.array([rng.permutation(len(angle)) for _ in range(permutations)], dtype=int)
    orders = orders.reshape(permutations, len(angle))
    for k in range(fold.max() + 1):
        test = fold == k
        decoder = decode(trials.values[~test], trials.values[test], trials.period)
        decoded[test] = decoder.decode(angle[~test])
        for i, order in enumerate(orders):
            shuffled[i, test] = decoder.decode(angle[order][~test])
    labels = angle[orders]
    hits = np.array([_nearest(*pair, trials) for pair in zip(shuffled, labels, strict=True)]).reshape(shuffled.shape)
    return decoded, (angular_error(shuffled, labels, trials.period), hits)


def _nearest(decoded: np.ndarray, angle: np.ndarray, trials: Angles) -> np.ndarray:
    """Whether none of the other angles that were shown is nearer to the decoded one."""
    shown = np.unique(trials.angle)
    if len(shown) >= FEW_ANGLES:
        return np.full(len(decoded), np.nan)
    nearest = shown[angular_error(decoded[:, None], shown, trials.period).argmin(1)]
    return (nearest == angle).astype(float)


def _median_error(error: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    """Median and its interval over resampled stretches of consecutive trials."""
    n = len(error)
    length = -(-n // STRETCHES)
    starts = rng.integers(n - length + 1, size=(BOOTSTRAPS, -(-n // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(BOOTSTRAPS, -1)[:, :n]
    low, high = interval(np.median(error[drawn], axis=1))
    return float(np.median(error)), float(low), float(high)
