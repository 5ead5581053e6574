"""Decoding of a continuous variable, such as running speed or reaction time, by cross-validated ridge regression.

Units are z-scored with training trials. The penalty is chosen on folds of the training trials: one for each variable,
relative to the mean variance of the principal components. Folds of whole stretches of time (``split=chronological``)
stand beside random ones (``split=interleaved``): a variable that changes slowly is guessed from neighbouring trials, by
whatever else changes slowly.
"""

import numpy as np
import xarray as xr

from neurocompare.description.labels import INTERLEAVED, SPLITS, block_folds
from neurocompare.description.rows import matrix, may_permute_trials, options_of, require_needs, row
from neurocompare.errors import UserError, unknown
from neurocompare.inference.continuous import LEAST_TURNS, shifts
from neurocompare.inference.resampling import interval
from neurocompare.ingestion.presentations import constant_in_blocks, majority_in_blocks
from neurocompare.prediction.categorical_decoders import scaling

DESCRIPTIONS = {
    "continuous-target=<coordinate>-decoder=ridge": {
        "summary": "r and R² of a continuous coordinate predicted from the population by ridge regression",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "blocks"],
    }
}
"""The pattern of ids; the coordinate is numeric, along ``presentation``."""

PENALTIES = np.logspace(-3, 4, 15)
PERMUTATIONS = 200
BOOTSTRAPS = 1000
STRETCHES = 20
LEAST_TRIALS = 20


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Predict a continuous coordinate of held-out presentations.

    Presentations are taken to be in the order of time where their blocks are.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the folds, the null and the bootstrap.

    Returns
    -------
    rows : list of dict
        For each split ``correlation``, of predictions and values, both as deviations from their mean in the fold, and
        ``R2``, 1 less the squared errors over those of the mean of the training trials. Intervals are over
        stretches of consecutive presentations, decoders fixed: they say nothing of what other trials to learn from
        would change, which is much where little is decoded. The condition says what the null is: ``shifts``,
        circular ones beyond the autocorrelation of the coordinate, if it has any; ``trials`` that are shuffled;
        ``blocks`` that change places, if it (almost) never changes within one; or ``none``, if the recording does not
        declare it exchangeable or is too short for shifts. Of a pseudo-population, all are ``… of pooled units``. A
        split that can't be had has a row that says why: ``one_block`` or ``constant_in_blocks``.
    details : Dataset
        ``predicted`` (split, presentation) and ``target`` (presentation); None if there is nothing.

    Raises
    ------
    UserError
        If the id is no such pattern, or the coordinate is missing, no number, constant or too rare.
    """
    options = options_of(description_id, {"target": (), "decoder": ("ridge",)})
    require_needs(array, description_id, ["responses", "blocks"])
    name = options["target"]
    array, missing = _finite(array, name, description_id)
    target = array.coords[name].values.astype(float)
    values, block = matrix(array), array.coords["block"].values
    rng = np.random.default_rng([seed, 50])
    constant = constant_in_blocks(target, block)
    null, labellings = _null(array, target, block, constant, rng)
    targets = np.vstack([target[None], labellings]).T
    pooled = "" if array.attrs["simultaneous"] or array.sizes["unit"] == 1 else " of pooled units"
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": array.sizes["unit"],
        "n_trials": len(target),
    }
    folds = {"chronological": block_folds(block), "interleaved": rng.permutation(np.arange(len(target)) % INTERLEAVED)}
    rows, predictions = [], {}
    for split in SPLITS:
        fold = folds[split]
        setting = f"target={name};decoder=ridge;split={split}"
        lacking = "one_block" if fold.max() == 0 else ""
        lacking = "constant_in_blocks" if split == "interleaved" and constant else lacking
        if lacking:
            rows.append(row(f"correlation{pooled}", np.nan, condition=setting, status=lacking, **size))
            continue
        predicted, centre = held_out(values, targets, fold)
        predictions[split] = predicted[:, 0]
        # All parts of a ratio are of the same resamples.
        weights = _stretch_weights(len(target), rng)
        for quantity, score in (("correlation", _correlation), ("R2", _r2)):
            parts = score(predicted, targets, centre, fold)
            found = _ratio(*(part.sum(0) for part in parts))
            draws = _ratio(*(weights @ part[:, :1] for part in parts))[:, 0]
            rows.append(
                row(
                    f"{quantity}{pooled}",
                    found[0],
                    condition=f"{setting};null={null}",
                    null=found[1:] if len(found) > 1 else None,
                    ci=tuple(map(float, interval(draws))),
                    **size,
                )
            )
    if missing:
        rows.append(row("presentations without a value", missing, condition=f"target={name}", **size))
    if not predictions:
        return rows, None
    details = xr.Dataset(
        {
            "predicted": (("split", "presentation"), np.array(list(predictions.values()))),
            "target": ("presentation", target),
        },
        coords={"split": list(predictions)},
        attrs={"name": name},
    )
    return rows, details


def held_out(values: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predict held-out trials by ridge regression with a penalty that is chosen on the training trials.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses.
    targets : array of shape (n_trials, n_targets)
        What to predict; each has a penalty of its own.
    fold : array of int of shape (n_trials,)
        Fold of each trial. Penalties are chosen by leaving out one of the other folds at a time; of two folds, the
        first or second half of the other one.

    Returns
    -------
    predicted : array of shape (n_trials, n_targets)
        Predictions.
    centre : array of shape (n_trials, n_targets)
        Means of the training trials of each trial's fold, the simplest prediction.
    """
    predicted, centre = np.empty_like(targets), np.empty_like(targets)
    for k in np.unique(fold):
        train, test = np.flatnonzero(fold != k), fold == k
        groups = fold[train]
        if len(np.unique(groups)) < 2:
            groups = np.arange(len(train)) * 2 // len(train)
        error = np.zeros((len(PENALTIES), targets.shape[1]))
        for group in np.unique(groups):
            seen, checked = train[groups != group], train[groups == group]
            found = _ridge(values[seen], targets[seen], values[checked])
            error += ((found - targets[checked]) ** 2).sum(1)
        best = error.argmin(0)
        found = _ridge(values[train], targets[train], values[test])
        predicted[test] = np.take_along_axis(found, best[None, None, :], axis=0)[0]
        centre[test] = targets[train].mean(0)
    return predicted, centre


def _ridge(train, targets, test):
    """Predictions (penalty, test trial, target)."""
    mean, weight = scaling(train)
    u, s, vt = np.linalg.svd((train - mean) * weight, full_matrices=False)
    centre = targets.mean(0)
    inner, outer = u.T @ (targets - centre), (test - mean) * weight @ vt.T
    strength = PENALTIES * max((s**2).mean(), 1e-300)
    return np.array([(outer * (s / (s**2 + penalty))) @ inner for penalty in strength]) + centre


def _null(array, target, block, constant, rng) -> tuple[str, np.ndarray]:
    """The kind of the null, and values (shuffle, presentation) under it."""
    none = np.empty((0, len(target)))
    if constant:
        if not may_permute_trials(array):
            return "none", none
        _, first, index = np.unique(block, return_index=True, return_inverse=True)
        values = majority_in_blocks(target, block)[first]
        return "blocks", np.array([rng.permutation(values)[index] for _ in range(PERMUTATIONS)])
    ordered = bool((np.diff(block) >= 0).all())
    lag = _memory(target) if ordered else 0
    if array.attrs["exchangeable"] == "shift":
        lag = max(lag, int(array.attrs["shift"]))
    if lag and array.attrs["exchangeable"] != "none":
        if not ordered or len(target) < LEAST_TURNS * lag:
            return "none", none
        return "shifts", target[shifts(len(target), lag, PERMUTATIONS, rng)]
    if lag or not may_permute_trials(array):
        return "none", none
    return "trials", np.array([rng.permutation(target) for _ in range(PERMUTATIONS)])


def _memory(target: np.ndarray) -> int:
    """Return the first lag at which the autocorrelation is within its error of zero; zero if it is at lag 1."""
    deviation = target - target.mean()
    n = len(target)
    for lag in range(1, n // 2):
        if (deviation[lag:] * deviation[:-lag]).sum() / (deviation**2).sum() < 1.96 / np.sqrt(n):
            return 0 if lag == 1 else lag
    return n // 2


def _correlation(predicted, targets, centre, fold):
    members = np.eye(fold.max() + 1)[fold]
    members = members[:, members.any(0)]
    a, b = (x - members @ (members.T @ x / members.sum(0)[:, None]) for x in (predicted, targets))
    return a * b, a**2, b**2


def _r2(predicted, targets, centre, fold):
    error, total = (targets - predicted) ** 2, (targets - centre) ** 2
    return total - error, total, total


def _ratio(top, one, other):
    below = np.sqrt(one * other)
    return np.divide(top, below, out=np.full_like(top, np.nan), where=below > 0)


def _stretch_weights(n: int, rng: np.random.Generator) -> np.ndarray:
    """How often each presentation is drawn (draw, presentation), in stretches of consecutive ones."""
    count = min(STRETCHES, n)
    stretch = np.arange(n) * count // n
    return rng.multinomial(count, np.full(count, 1 / count), size=BOOTSTRAPS).astype(float)[:, stretch]


def _finite(array, name, description_id) -> tuple[xr.DataArray, int]:
    known = [n for n, c in array.coords.items() if c.dims == ("presentation",) and c.dtype.kind in "fiu"]
    if name not in known:
        raise unknown(f"numeric presentation coordinate of {description_id}", name, known)
    there = np.isfinite(array.coords[name].values.astype(float))
    array = array.isel(presentation=np.flatnonzero(there))
    values = array.coords[name].values
    if len(values) < LEAST_TRIALS or np.ptp(values) == 0:
        raise UserError(
            f"{description_id}: coordinate '{name}' has {len(values)} values, {len(np.unique(values))} different "
            f"ones; at least {LEAST_TRIALS} that vary are needed: choose another coordinate"
        )
    return array, int((~there).sum())
