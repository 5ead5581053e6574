"""Classification of any discrete coordinate of the presentations, by several classifiers and ways to make folds.

Everything that is fitted comes from training trials only. Units that were not recorded together are classified as if
they varied independently of each other; their rows say so, as this is no accuracy of a population that lived.
"""

import numpy as np
import xarray as xr

from neurocompare.description.classifiers import PERMUTATIONS, block_folds, classify
from neurocompare.description.rows import options_of, require_needs, row
from neurocompare.errors import UserError, unknown

CLASSIFIERS = {
    "logistic": "multinomial logistic regression",
    "lda": "linear discriminants with Ledoit-Wolf shrinkage",
    "nearest-mean": "the nearest class mean",
    "nearest-angle": "the class mean at the smallest angle, which a common gain does not change",
}
FOLDS = ("block", "5", "leave-one-out")

DESCRIPTIONS = {
    f"classification-label=<coordinate>-classifier={classifier}-folds={folds}": {
        "summary": f"accuracy of telling the values of a coordinate apart by {text}, folds: {folds}",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "blocks"],
    }
    for classifier, text in CLASSIFIERS.items()
    for folds in FOLDS
}
"""Patterns of ids; the coordinate is any along ``presentation`` that has a few values only."""

LARGE = 10_000
"""Training trials times classes, summed over folds, above which an iterated classifier gets fewer permutations."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Classify single presentations.

    Presentations without a label (NaN or empty) are left out and counted. The label ``orientation`` of a
    recording that has only ``direction`` is that modulo 180 degrees.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the folds, the bootstrap and the permutations.

    Returns
    -------
    rows : list of dict
        ``accuracy`` and ``balanced accuracy`` (the mean over classes), each with its chance level in the
        condition, an interval over presentations resampled within classes, and a null of shuffled labels. Of a
        pseudo-population: ``accuracy of pooled units`` and ``balanced accuracy of pooled units``.
    details : Dataset
        What `classify` returns.

    Raises
    ------
    UserError
        If the id is no such pattern, the recording lacks what it needs or the coordinate is not discrete.
    """
    options = options_of(description_id, {"label": (), "classifier": tuple(CLASSIFIERS), "folds": FOLDS})
    require_needs(array, description_id, ["responses", "blocks"])
    label, classifier, folds = options["label"], options["classifier"], options["folds"]
    array, missing = labelled(array, label, description_id)
    classes = len(np.unique(array.coords[label].values))
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": array.sizes["unit"],
        "n_trials": array.sizes["presentation"],
    }
    if label in array.attrs.get("constant_in_blocks", "").split(","):
        raise UserError(
            f"{description_id}: coordinate '{label}' never changed within a block of the recordings that were pooled, "
            "and the pool has no blocks; classify single recordings with folds=block"
        )
    pooled = "" if array.attrs["simultaneous"] or array.sizes["unit"] == 1 else " of pooled units"
    setting = f"label={label};classifier={classifier};folds={folds};classes={classes}"
    setting += f";window={array.attrs['window']}" if "window" in array.attrs else ""
    if folds == "block" and block_folds(array.coords["block"].values).max() == 0:
        return [row(f"accuracy{pooled}", np.nan, condition=setting, status="one_block", **size)], None
    if classifier == "nearest-angle" and array.sizes["unit"] < 2:
        raise UserError(f"{description_id}: one unit spans no angle; use classifier=nearest-mean")
    permutations = _permutations(classifier, folds, size["n_trials"], classes)
    details = classify(array, label, seed=seed, folds=folds, classifier=classifier, permutations=permutations)
    rows = []
    for quantity, name, chance in (("accuracy", "", details.chance), ("balanced accuracy", "balanced", 1 / classes)):
        null, interval = (details[f"{name}_{part}" if name else part].values for part in ("null", "interval"))
        condition = f"{setting};chance={float(chance):.4g}"
        value = details[name or "accuracy"]
        rows.append(
            row(
                f"{quantity}{pooled}",
                value,
                condition=condition,
                null=null if null.size else None,
                ci=tuple(interval),
                **size,
            )
        )
    if missing:
        rows.append(row("presentations without a label", missing, condition=f"label={label}", **size))
    return rows, details


def labelled(array: xr.DataArray, label: str, description_id: str) -> tuple[xr.DataArray, int]:
    """Return the presentations that have a label.

    Parameters
    ----------
    array : DataArray
        A recording.
    label : str
        A coordinate along ``presentation``; ``orientation`` is derived from ``direction`` if need be.
    description_id : str
        What error messages start with.

    Returns
    -------
    array : DataArray
        Without the presentations whose label is NaN or empty.
    missing : int
        Number of those.

    Raises
    ------
    UserError
        If there is no such coordinate, nothing to tell apart, or almost every presentation has its own value.
    """
    known = [n for n, c in array.coords.items() if c.dims == ("presentation",) and not n.startswith("_")]
    if label == "orientation" and "orientation" not in known and "direction" in known:
        array = array.assign_coords(orientation=array.coords["direction"].astype(float) % 180)
    elif label not in known:
        raise unknown(f"presentation coordinate of {description_id}", label, known)
    values = array.coords[label].values
    there = np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) != ""
    array = array.isel(presentation=np.flatnonzero(there))
    n, classes = array.sizes["presentation"], len(np.unique(values[there]))
    if classes < 2:
        raise UserError(f"{description_id}: coordinate '{label}' has {classes} values; 2 are needed to tell apart")
    if 2 * classes > n:
        raise UserError(
            f"{description_id}: coordinate '{label}' has {classes} values in {n} presentations, it is not discrete; "
            "choose another label or bin it in the loader"
        )
    return array, int((~there).sum())


def _permutations(classifier: str, folds: str, n_trials: int, classes: int) -> int:
    """How many shuffles are affordable: all where nothing is iterated."""
    if classifier.startswith("nearest"):
        return PERMUTATIONS
    iterated = classifier == "logistic" and n_trials * classes > LARGE
    return PERMUTATIONS // 5 if folds == "leave-one-out" or iterated else PERMUTATIONS
