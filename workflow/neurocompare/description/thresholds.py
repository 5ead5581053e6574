"""The smallest difference of orientation that a population tells apart: a psychometric function of a decoder.

After Stringer et al. 2021 (Cell 184:2767). For each of 32 reference angles a linear decoder is asked whether a trial
lies on one side of it or the other. The share of "right" against the distance from the reference is fitted with a
logistic function ``1 / (1 + exp(-d / b))`` by maximum likelihood; the threshold, where 75 % are correct, is
``ln(3) b``. Of a Gaussian observer with standard deviation σ it is 0.61 σ: the fit to all distances weighs the tails,
which are heavier in a logistic function, so that it is steeper than the observer, whose own 75 % point is 0.67 σ.

Other than in the paper, the function is fitted to the distances themselves, not to their bins of 1°, which would be
too coarse for a threshold below them. It has no bias, which is the paper's averaging of P(d) and 1 - P(-d). Where
angles cover less than an eighth of the period ("dense" sets), the angle itself is regressed and the
reference is the middle. A few discrete angles have no distances near a threshold: their rows say
``few_orientations``.
"""

import numpy as np
import xarray as xr

from neurocompare.description.angles import SPLITS, TARGETS, Angles, angles, halved, stretch_of, stretch_weights
from neurocompare.description.rows import options_of, row
from neurocompare.inference.resampling import interval
from neurocompare.prediction.circular_decoders import ridge_operator, signed_error

_OPTIONS = {"target": TARGETS, "decoder": ("derivative",)}

DESCRIPTIONS = {
    f"thresholds-target={target}-decoder=derivative": {
        "summary": f"smallest difference of {target} that a linear decoder tells apart in 75 % of trials",
        "unit": "degrees",
        "direction": "lower",
        "needs": ["responses", "blocks"],
    }
    for target in TARGETS
}

REFERENCES = 32
WIDTH = 0.1
SHIFT = np.pi / 32
REACH = 29.5 / 360
"""Distance from the reference, in periods, up to which trials count: 29 bins of 1° on each side, if it is 360°."""

DENSE = 1 / 8
FEWEST_ANGLES = 24
PERMUTATIONS = 100
RIDGE = 1.0
_STEPS = 40
_NARROW = 400
_STEEPEST = 50.0
"""Of 1/b in inverse standard deviations of the distances; beyond it the function is a step."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Measure discrimination thresholds, with all neurons and with halves of them.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the sub-samples, the bootstrap and the permutations.

    Returns
    -------
    rows : list of dict
        ``discrimination threshold`` in degrees by split and number of neurons, with a 95 % interval from a bootstrap
        over stretches of consecutive test trials (the decoders fixed). The null shuffles the training labels; in
        null and interval a threshold beyond the tested distances counts as their largest. The status is
        ``not_reached`` where the threshold lies beyond them, ``few_orientations`` where the angles are discrete, or
        says what is lacking.
    details : Dataset
        ``right`` (split, distance), the symmetrised share in bins, ``curve`` (split, fine), ``threshold`` (bound,
        split, neurons), ``distance`` and ``fine`` in degrees; None if there is no threshold at all.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    options = options_of(description_id, _OPTIONS)
    trials = angles(array, description_id, options["target"])
    quantity = f"discrimination threshold{trials.pooled}"
    dense = _dense(trials)
    discrete = len(np.unique(trials.angle)) < FEWEST_ANGLES
    missing = {split: trials.lacking(split) or ("few_orientations" if discrete else None) for split in SPLITS}
    setting = f"decoder={'regression' if dense else 'derivative'}"
    if all(missing.values()):
        common = {"unit": "degrees", **trials.size}
        rows = [
            row(quantity, np.nan, condition=f"split={split};{setting}", status=missing[split], **common)
            for split in SPLITS
        ]
        return rows, None
    rng = np.random.default_rng([seed, 4])
    details = _details(trials, dense, missing, rng)
    rows = []
    for split in SPLITS:
        for i, number in enumerate(details.neurons.values):
            value, low, high = details.threshold.sel(split=split, neurons=number).values
            null = details.null.sel(split=split).values
            status = missing[split] or ("not_reached" if np.isnan(value) else None)
            rows.append(
                row(
                    quantity,
                    value,
                    condition=f"split={split};{setting};neurons={number}",
                    null=null if i == 0 and null.size else None,
                    better="lower",
                    unit="degrees",
                    ci=(low, high),
                    status=status,
                    **trials.size | {"n_units": number},
                )
            )
    return rows, details


def fitted_threshold(distance: np.ndarray, correct: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return the thresholds of logistic functions without bias, fitted by maximum likelihood.

    Without a bias, "left" at a distance -d is the same as "right" at d: it only matters what is correct.

    Parameters
    ----------
    distance : array of shape (n,)
        Unsigned distances from the reference.
    correct, shown : arrays of shape (n_fits, n)
        Numbers of correct and of all choices at these distances; all fits are made at once.

    Returns
    -------
    array of shape (n_fits,)
        ``ln(3) b``, in units of the distance; infinite if choices don't follow the distance. Where all are correct
        it is only bounded from above: a value far below the distances.
    """
    scale = np.sqrt(np.mean(distance**2))
    x = distance / scale
    slope = np.ones(len(correct))
    for _ in range(_STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * slope[:, None] * x))
        gradient = ((correct - shown * p) * x).sum(1)
        information = (shown * p * (1 - p) * x**2).sum(1)
        # The likelihood is concave; far from its top a step is kept to about a factor of two.
        step = np.clip(gradient / np.maximum(information, 1e-12), -1 - 0.5 * np.abs(slope), 1 + np.abs(slope))
        slope = np.clip(slope + step, -_STEEPEST, _STEEPEST)
        if np.abs(step).max() < 1e-9:
            break
    return np.where(slope > 1e-9, np.log(3) * scale / np.maximum(slope, 1e-9), np.inf)


def derivative_targets(angle: np.ndarray, period: float) -> np.ndarray:
    """Return targets (trial, reference) that are positive beyond a reference angle and negative before it.

    ``exp((cos(d - π/32) - 1) / s) - exp((cos(d + π/32) - 1) / s)`` with s = 0.1 and d the phase beyond the reference.
    """
    d = 2 * np.pi * (np.asarray(angle, dtype=float)[:, None] / period - np.arange(REFERENCES) / REFERENCES)
    return np.exp((np.cos(d - SHIFT) - 1) / WIDTH) - np.exp((np.cos(d + SHIFT) - 1) / WIDTH)


def _dense(trials: Angles) -> bool:
    """Whether the angles cover less than an eighth of the period, anywhere on it."""
    sorted_ = np.sort(trials.angle)
    gaps = np.diff(np.append(sorted_, sorted_[0] + trials.period))
    return trials.period - gaps.max() < DENSE * trials.period


def _details(trials: Angles, dense: bool, missing: dict, rng) -> xr.Dataset:
    n, p = trials.values.shape
    neurons = halved(p)
    permutations = PERMUTATIONS if trials.permutable else 0
    distance, reach, width = _distances(trials, dense)
    inside = np.abs(distance) <= reach
    bins = np.arange(-round(reach / width - 0.5), round(reach / width - 0.5) + 1) * width
    fine = np.linspace(bins[0], bins[-1], 201)
    threshold = np.full((3, len(SPLITS), len(neurons)), np.nan)
    null = np.full((len(SPLITS), permutations), np.nan)
    right_in, curve = np.full((len(SPLITS), len(bins)), np.nan), np.full((len(SPLITS), len(fine)), np.nan)
    # Fits to resampled stretches of trials go by the distance in narrow bins, each with its own mean.
    near = np.abs(distance[inside])
    narrow = np.minimum((near / reach * _NARROW).astype(int), _NARROW - 1)
    filled, narrow = np.unique(narrow, return_inverse=True)
    means = np.bincount(narrow, near) / np.bincount(narrow)
    cell = stretch_of(n)[np.nonzero(inside)[0]] * len(filled) + narrow
    weights = stretch_weights(n, rng).astype(float)
    shape = (weights.shape[1], len(filled))
    shown = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    for s, split in enumerate(SPLITS):
        if missing[split]:
            continue
        for i, size in enumerate(neurons):
            unit = slice(None) if i == 0 else rng.permutation(p)[:size]
            right, shuffled = _choices(trials, unit, trials.folds[split], dense, permutations * (i == 0), rng)
            right = (right == (distance >= 0))[inside]
            value = fitted_threshold(near, right[None], np.ones((1, len(near))))[0]
            if i == 0:
                shuffled = (shuffled == (distance >= 0))[:, inside]
                # What lies beyond the tested distances is known to be larger, not how large.
                null[s] = np.minimum(fitted_threshold(near, shuffled, np.ones((1, len(near)))), reach)
                right_in[s] = _binned(distance[inside], right, bins, width)
            if value > reach:
                continue
            correct = np.bincount(cell, right, minlength=shown.size).reshape(shape)
            draws = np.minimum(fitted_threshold(means, weights @ correct, weights @ shown), reach)
            threshold[:, s, i] = value, *interval(draws)
            if i == 0:
                curve[s] = 1 / (1 + np.exp(-fine * np.log(3) / value))
    return xr.Dataset(
        {
            "threshold": (("bound", "split", "neurons"), threshold),
            "null": (("split", "permutation"), null),
            "right": (("split", "distance"), right_in),
            "curve": (("split", "fine"), curve),
        },
        coords={
            "bound": ["value", "low", "high"],
            "split": list(SPLITS),
            "neurons": neurons,
            "distance": bins,
            "fine": fine,
        },
        attrs={"period": trials.period, "reach": reach, "n_trials": n, "n_choices": int(inside.sum())},
    )


def _distances(trials: Angles, dense: bool) -> tuple[np.ndarray, float, float]:
    """Return the signed distances (trial, reference), how far they count, and the width of bins, in degrees."""
    if dense:
        middle = _middle(trials)
        distance = signed_error(trials.angle, middle, trials.period)[:, None]
        return distance, float(np.abs(distance).max()), 0.2
    references = np.arange(REFERENCES) * trials.period / REFERENCES
    distance = signed_error(trials.angle[:, None], references, trials.period)
    return distance, REACH * trials.period, trials.period / 360


def _middle(trials: Angles) -> float:
    """The middle of angles that lie within a small part of the period."""
    around = signed_error(trials.angle, trials.angle[0], trials.period)
    return float(trials.angle[0] + (around.min() + around.max()) / 2)


def _choices(trials, unit, fold, dense, permutations, rng) -> tuple[np.ndarray, np.ndarray]:
    """Choices (trial, reference) of decoders that did not see the trial, and those after shuffling all labels.

    A shuffle is the same in all folds; its choices stand where the labels came from, to be judged by these.
    """
    if dense:
        targets = signed_error(trials.angle, _middle(trials), trials.period)[:, None]
    else:
        targets = derivative_targets(trials.angle, trials.period)
    right = np.empty(targets.shape, dtype=bool)
    shuffled = np.empty((permutations, *targets.shape), dtype=bool)
    orders = [rng.permutation(len(targets)) for _ in range(permutations)]
    for k in range(fold.max() + 1):
        test = fold == k
        operator = ridge_operator(trials.values[~test][:, unit], trials.values[test][:, unit], RIDGE)
        train = targets[~test]
        mean = train.mean(0)
        right[test] = operator @ (train - mean) + mean > 0
        for i, order in enumerate(orders):
            taught = targets[order][~test]
            shuffled[i, order[test]] = operator @ (taught - taught.mean(0)) + taught.mean(0) > 0
    return right, shuffled


def _binned(distance, correct, bins, width) -> np.ndarray:
    """Shares of "right" in bins, averaged with one minus those of the opposite bin."""
    right = correct == (distance >= 0)
    index = np.rint((distance - bins[0]) / width).astype(int)
    known = (index >= 0) & (index < len(bins))
    count = np.bincount(index[known], minlength=len(bins))
    share = np.full(len(bins), np.nan)
    np.divide(np.bincount(index[known], right[known], len(bins)), count, out=share, where=count > 0)
    return (share + 1 - share[::-1]) / 2
