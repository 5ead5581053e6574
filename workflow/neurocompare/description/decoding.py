"""Decoding of what was shown from the population: orientation, above or below 45°, and discrete labels.

Everything that is fitted (means, standard deviations, weights) comes from training trials only. Beside
the interleaved split of the original work stands a chronological one, because neighbouring trials share
slow noise.
"""

from functools import lru_cache

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve

from neurocompare.description.classifiers import block_folds, classify, discriminate_45, strongest_contrast
from neurocompare.description.rows import matrix, may_permute_trials, require, row
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval
from neurocompare.ingestion.presentations import constant_in_blocks

_NEEDS = ["responses", "orientation", "blocks", "simultaneous"]

DESCRIPTIONS = {
    "decoding-target=orientation-decoder=von-mises": {
        "summary": "error of a linear decoder of the orientation, against numbers of neurons and of trials",
        "unit": "degrees",
        "direction": "lower",
        "needs": _NEEDS,
    },
    "decoding-target=orientation-decoder=logistic": {
        "summary": "accuracy of multinomial logistic regression of the orientation at the highest contrast",
        "unit": "1",
        "direction": "higher",
        "needs": _NEEDS,
    },
    "decoding-target=above-45-decoder=logistic": {
        "summary": "accuracy of telling orientations of 45-90 from 0-45 degrees, from single and averaged trials",
        "unit": "1",
        "direction": "higher",
        "needs": _NEEDS,
    },
}

CENTRES = 48
WIDTH = 0.1
UPSAMPLING = 100
BOOTSTRAPS = 1000
STRETCHES = 100
PERMUTATIONS = 100
LARGE = 10_000
"""Presentations times classes above which logistic regression gets a fifth of the permutations."""

SPLITS = ("interleaved", "chronological")


def angular_error(predicted: np.ndarray, true: np.ndarray, period: float = 180.0) -> np.ndarray:
    """Return the absolute angular distance.

    Parameters
    ----------
    predicted, true : arrays of shape (...)
        Angles in degrees.
    period : float
        Period of the angle in degrees.

    Returns
    -------
    array of shape (...)
        Degrees, from 0 to half a period.
    """
    difference = np.abs(np.asarray(predicted, dtype=float) - true) % period
    return np.minimum(difference, period - difference)


def decode_orientation(
    train_responses: np.ndarray,
    train_angles_deg: np.ndarray,
    test_responses: np.ndarray,
    period: float = 180.0,
    *,
    ridge: float = 1.0,
) -> np.ndarray:
    """Decode an angle with a linear read-out of von Mises bumps (Stringer et al. 2021, Cell 184:2767).

    48 targets ``exp((cos(θ - θ_k) - 1) / 0.1)``, z-scored over k in each trial, are regressed on the
    z-scored responses with a ridge penalty of `ridge` times the number of training trials. The predicted
    bump is interpolated a hundredfold with a circular Gaussian kernel; its peak is the decoded angle.

    Parameters
    ----------
    train_responses : array of shape (n_train, n_units)
        Training trials; they alone give the mean and standard deviation of each unit. Units that are
        constant in them are ignored.
    train_angles_deg : array of shape (n_train,)
        Their angles in degrees.
    test_responses : array of shape (n_test, n_units)
        Trials to decode.
    period : float
        Period of the angle in degrees.
    ridge : float
        Strength of the penalty.

    Returns
    -------
    array of shape (n_test,)
        Decoded angles in [0, period) degrees.
    """
    return _peak(_hat(train_responses, test_responses, ridge) @ _bumps(train_angles_deg, period), period)


def decoding_curve(
    array: xr.DataArray,
    *,
    seed: int,
    period: float | None = None,
    smallest: int = 16,
    permutations: int = PERMUTATIONS,
) -> xr.Dataset:
    """Decode the orientation from sub-samples of neurons and of training trials.

    Numbers are halved from all down to `smallest`. Each fold of each number draws a sub-sample of its
    own, so every trial is tested once per number. The interleaved split tests every fourth presentation
    of a stimulus (not every fourth trial as in the paper: where conditions are listed in turns, that would
    hold out whole orientations); the chronological split tests up to four stretches of blocks.

    Parameters
    ----------
    array : DataArray
        A recording with ``orientation`` in degrees and ``block``, presentations in the order of time.
    seed : int
        Seed of the sub-samples, the permutations and the bootstrap.
    period : float, optional
        Period in degrees; by default the attribute ``orientation_period`` of the recording, else 180.
    smallest : int
        Smallest number of neurons and of trials.
    permutations : int
        Number of shuffles of the training labels, with all neurons and trials.

    Returns
    -------
    Dataset
        ``neuron_error`` (bound, split, neurons) and ``trial_error`` (bound, split, trials): the median
        absolute error in degrees and its 95 % interval, from a bootstrap over stretches of consecutive
        test trials with the decoders fixed. From all neurons and training trials: ``decoded`` (split,
        presentation) in degrees and ``null`` (split, permutation), median errors. Of a recording with
        one block, the chronological split is NaN.

    Raises
    ------
    UserError
        If an angle is not in [0, period), or there are fewer than ``4 smallest`` presentations.
    """
    values, angles = matrix(array), array.coords["orientation"].values.astype(float)
    period = _period(array, period)
    n, p = values.shape
    if n < 4 * smallest:
        raise UserError(f"decoding: {n} presentations are too few for a curve; at least {4 * smallest} are needed")
    rng = np.random.default_rng([seed, 0])
    folds = {"interleaved": _interleaved(array), "chronological": block_folds(array.coords["block"].values)}
    n_train = min(int((fold != k).sum()) for fold in folds.values() if fold.max() for k in np.unique(fold))
    neurons, trials = _halved(p, smallest), _halved(n_train, smallest)
    result = {
        "neuron_error": (("bound", "split", "neurons"), np.full((3, 2, len(neurons)), np.nan)),
        "trial_error": (("bound", "split", "trials"), np.full((3, 2, len(trials)), np.nan)),
        "decoded": (("split", "presentation"), np.full((2, n), np.nan)),
        "null": (("split", "permutation"), np.full((2, permutations), np.nan)),
    }
    neuron_error, trial_error, decoded, null = (values_ for _, values_ in result.values())
    for s, split in enumerate(SPLITS):
        fold = folds[split]
        if fold.max() == 0:
            continue
        decoded[s], null[s] = _with_null(values, angles, fold, period, permutations, rng)
        whole = _median_error(angular_error(decoded[s], angles, period), rng)
        neuron_error[:, s, 0] = trial_error[:, s, 0] = whole
        for i, size in enumerate(neurons[1:], 1):
            error = angular_error(_subsampled(values, angles, fold, period, size, n, rng), angles, period)
            neuron_error[:, s, i] = _median_error(error, rng)
        for i, size in enumerate(trials[1:], 1):
            error = angular_error(_subsampled(values, angles, fold, period, p, size, rng), angles, period)
            trial_error[:, s, i] = _median_error(error, rng)
    coords = {"bound": ["value", "low", "high"], "split": list(SPLITS), "neurons": neurons, "trials": trials}
    return xr.Dataset(result, coords=coords | {"orientation": ("presentation", angles)}, attrs={"period": period})


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
        Rows of the tidy table.
    details : Dataset
        What `decoding_curve`, `classify` or `discriminate_45` return.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    options = require(array, description_id, DESCRIPTIONS)
    array = strongest_contrast(array)
    size = {"n_stimuli": len(np.unique(array.coords["stimulus"].values)), "n_units": array.sizes["unit"]}
    if options["decoder"] == "von-mises":
        return _rows_of_curve(array, size, seed)
    if options["target"] == "above-45":
        details = discriminate_45(array, seed=seed)
        return _rows_of_averages(details, size["n_units"]), details
    return _rows_of_classes(array, size, seed)


def _rows_of_curve(array, size, seed):
    trial_null = may_permute_trials(array)
    details = decoding_curve(array, seed=seed, permutations=PERMUTATIONS if trial_null else 0)
    rows = []
    most = {"neurons": int(details.neurons[0]), "trials": int(details.trials[0])}
    for split in SPLITS:
        missing = "one_block" if np.isnan(details.neuron_error.sel(split=split)).all() else None
        for varied in ("neurons", "trials"):
            for i, number in enumerate(details[varied].values):
                if varied == "trials" and i == 0:
                    continue
                error, low, high = details[f"{varied[:-1]}_error"].sel({"split": split, varied: number}).values
                used = most | {varied: int(number)}
                rows.append(
                    row(
                        "median absolute error",
                        error,
                        condition=f"split={split};neurons={used['neurons']};trials={used['trials']}",
                        null=details.null.sel(split=split).values if i == 0 and trial_null else None,
                        better="lower",
                        unit="degrees",
                        ci=(low, high),
                        status=missing,
                        n_stimuli=size["n_stimuli"],
                        n_units=used["neurons"],
                        n_trials=array.sizes["presentation"],
                    )
                )
    return rows, details


def _rows_of_averages(details, n_units):
    rows = []
    for k in details.averaged.values:
        part = details.sel(averaged=k)
        for null in ("trials", "dichotomies"):
            values = part[f"null_{null}"].values
            rows.append(
                row(
                    "accuracy above 45",
                    part.accuracy,
                    condition=f"averaged={k};null={null}",
                    null=values if values.size else None,
                    ci=tuple(part.interval.values),
                    status="too_few_trials" if np.isnan(part.accuracy) else None,
                    n_stimuli=details.sizes["stimulus"],
                    n_units=n_units,
                    n_trials=details.attrs["n_trials"],
                )
            )
    return rows


def _rows_of_classes(array, size, seed):
    orientation = array.coords["orientation"].values
    # A continuous angle has no classes of its own; its bins are the stimuli.
    label = "orientation" if np.unique(orientation, return_counts=True)[1].min() >= 4 else "stimulus"
    classes = len(np.unique(array.coords[label].values))
    permutations = PERMUTATIONS if array.sizes["presentation"] * classes <= LARGE else PERMUTATIONS // 5
    rows, parts = [], {}
    for folds in ("block", "stratified"):
        if folds == "block" and block_folds(array.coords["block"].values).max() == 0:
            rows.append(row("accuracy", np.nan, condition="folds=block", status="one_block", n_trials=0, **size))
            continue
        if folds == "stratified" and constant_in_blocks(array.coords[label].values, array.coords["block"].values):
            missing = {"condition": "folds=stratified", "status": "constant_in_blocks", "n_trials": 0}
            rows.append(row("accuracy", np.nan, **missing, **size))
            continue
        part = parts[folds] = classify(array, label, folds=folds, seed=seed, permutations=permutations)
        rows.append(
            row(
                "accuracy",
                part.accuracy,
                condition=f"folds={folds};classes={part.sizes['true']}",
                null=part.null.values if part.sizes["permutation"] else None,
                ci=tuple(part.interval.values),
                n_trials=array.sizes["presentation"],
                **size,
            )
        )
    return rows, xr.concat(list(parts.values()), dim=xr.Variable("folds", list(parts)), combine_attrs="drop_conflicts")


def _period(array: xr.DataArray, period: float | None) -> float:
    period = float(array.attrs.get("orientation_period", 180.0) if period is None else period)
    angles = array.coords["orientation"].values
    if angles.min() < 0 or angles.max() >= period:
        raise UserError(
            f"decoding: coordinate 'orientation' spans {angles.min():g} to {angles.max():g}; fold it to [0, {period:g})"
        )
    return period


def _interleaved(array: xr.DataArray) -> np.ndarray:
    """Folds that take every fourth presentation of each stimulus."""
    order = np.argsort(array.coords["stimulus"].values.astype(str), kind="stable")
    fold = np.empty(len(order), dtype=int)
    fold[order] = np.arange(len(order)) % 4
    return fold


def _halved(most: int, smallest: int) -> np.ndarray:
    """`most` and its halves, rounded down, to no less than `smallest`."""
    return np.array([most] + [most >> k for k in range(1, 32) if most >> k >= smallest])


def _subsampled(values, angles, fold, period, n_units, n_trials, rng) -> np.ndarray:
    """Decode each fold from its own draw of units and training trials."""
    decoded = np.empty(len(angles))
    for k in range(fold.max() + 1):
        test = fold == k
        unit = rng.permutation(values.shape[1])[:n_units]
        train = rng.permutation(np.flatnonzero(~test))[:n_trials]
        decoded[test] = decode_orientation(
            values[np.ix_(train, unit)], angles[train], values[np.ix_(test, unit)], period
        )
    return decoded


def _with_null(values, angles, fold, period, permutations, rng) -> tuple[np.ndarray, np.ndarray]:
    """Decode from everything, and again after shuffling the training labels of each fold."""
    decoded = np.empty(len(angles))
    shuffled = np.empty((permutations, len(angles)))
    for k in range(fold.max() + 1):
        test = fold == k
        hat, bumps = _hat(values[~test], values[test], 1.0), _bumps(angles[~test], period)
        decoded[test] = _peak(hat @ bumps, period)
        for i in range(permutations):
            shuffled[i, test] = _peak(hat @ bumps[rng.permutation(len(bumps))], period)
    return decoded, np.median(angular_error(shuffled, angles, period), axis=1)


def _hat(train: np.ndarray, test: np.ndarray, ridge: float) -> np.ndarray:
    """Matrix (test, train) that turns training targets into ridge predictions of test targets."""
    mean, deviation = train.mean(0), train.std(0)
    varies = deviation > 1e-12 * (1 + np.abs(mean))
    train = (train[:, varies] - mean[varies]) / deviation[varies]
    test = (test[:, varies] - mean[varies]) / deviation[varies]
    n, p = train.shape
    if p < n:
        return test @ cho_solve(cho_factor(train.T @ train + ridge * n * np.eye(p)), train.T)
    return cho_solve(cho_factor(train @ train.T + ridge * n * np.eye(n)), train @ test.T).T


def _bumps(angles: np.ndarray, period: float) -> np.ndarray:
    """Z-scored von Mises targets (trial, centre)."""
    phase = 2 * np.pi * (np.asarray(angles)[:, None] / period - np.arange(CENTRES) / CENTRES)
    bumps = np.exp((np.cos(phase) - 1) / WIDTH)
    return (bumps - bumps.mean(1, keepdims=True)) / bumps.std(1, keepdims=True)


def _peak(bumps: np.ndarray, period: float) -> np.ndarray:
    return (bumps @ _interpolator()).argmax(1) * period / (CENTRES * UPSAMPLING)


@lru_cache(maxsize=1)
def _interpolator() -> np.ndarray:
    """Matrix (centre, fine) of interpolation by Gaussian kernels as wide as the spacing of the centres."""

    def kernel(positions):
        distance = np.abs(positions - np.arange(CENTRES)[:, None])
        return np.exp(-(np.minimum(distance, CENTRES - distance) ** 2) / 2)

    return np.linalg.solve(kernel(np.arange(CENTRES)), kernel(np.arange(CENTRES * UPSAMPLING) / UPSAMPLING))


def _median_error(error: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    """Median and its interval over resampled stretches of consecutive trials."""
    n = len(error)
    length = -(-n // STRETCHES)
    starts = rng.integers(n - length + 1, size=(BOOTSTRAPS, -(-n // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(BOOTSTRAPS, -1)[:, :n]
    low, high = interval(np.median(error[drawn], axis=1))
    return float(np.median(error)), float(low), float(high)
