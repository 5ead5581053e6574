"""Classification of any discrete coordinate of the presentations, by several classifiers and ways to make folds.

Everything that is fitted comes from training trials only. Units that were not recorded together are classified as if
they varied independently of each other; their rows say so, as this is no accuracy of a population that lived.

Neighbouring trials share slow noise, which flatters folds that interleave them (``folds=5``) over folds of whole
stretches of time (``folds=block``); ``folds=both`` reports one beside the other.
"""

import numpy as np
import xarray as xr

from neurocompare.description.classifiers import PERMUTATIONS, classify
from neurocompare.description.held_out_hits import interval_of, mean_draws
from neurocompare.description.labels import ROOTED, block_folds, labelled, refuse_pooled_blocks
from neurocompare.description.noise_control import CONDITIONS, shuffled_hits
from neurocompare.description.rows import matrix, options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.ingestion.presentations import constant_in_blocks

CLASSIFIERS = {
    "logistic": "multinomial logistic regression",
    "logistic-nested": "multinomial logistic regression with a penalty that inner folds choose",
    "lda": "linear discriminants with Ledoit-Wolf shrinkage",
    "svm": "linear support vector machines, each value against the rest",
    "nearest-mean": "the nearest class mean",
    "nearest-angle": "the class mean at the smallest angle, which a common gain does not change",
}
FOLDS = ("block", "5", "leave-one-out", "both")
BOTH = {"block": "chronological", "5": "interleaved"}

DESCRIPTIONS = {
    f"classification-label=<coordinate>-classifier={classifier}-folds={folds}": {
        "summary": f"accuracy of telling the values of a coordinate apart by {text}, folds: {folds}",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "blocks"],
    }
    for classifier, text in CLASSIFIERS.items()
    for folds in FOLDS
} | {
    f"classification-label=<coordinate>-classifier={classifier}-folds={folds}-noise=shuffled": {
        "summary": f"the same by {text}, beside accuracies without noise correlations, folds: {folds}",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "blocks", "simultaneous"],
    }
    for classifier, text in CLASSIFIERS.items()
    for folds in FOLDS
    if folds != "leave-one-out" and classifier != "logistic-nested"
}
"""Patterns of ids; the coordinate is any along ``presentation`` that has a few values only."""

LARGE = 10_000
"""Training trials times classes, summed over folds, above which an iterated classifier gets fewer permutations."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
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
        condition, an interval over presentations resampled within classes, and a null of shuffled labels; where those
        are so few that they repeat themselves, the condition tells how many are different (``orders=6``), and no
        p-value is far below one over that. Then bits per
        presentation, with the same interval and null: ``usable information`` of decoders with probabilities, and
        ``information in the confusion matrix`` of the others and where single trials are left out; see
        `neurocompare.description.information`. All of a pseudo-population are called ``… of pooled units``.
        With ``folds=both`` all these by ``split=chronological`` and ``split=interleaved``. With ``noise=shuffled``
        also the accuracy where noise correlations were removed from training trials, ``noise=shuffled-train``, or
        from all, ``noise=shuffled``; and ``accuracy change``, from the intact to the shuffled trials. The interval
        of a change is over presentations that are resampled in pairs. A row of what can't be had says why.
    details : Dataset
        What `classify` returns, with ``folds=both`` along ``split``; None if nothing could be classified.

    Raises
    ------
    UserError
        If the id is no such pattern, the recording lacks what it needs or the coordinate is not discrete.
    """
    choices = {"label": (), "classifier": tuple(CLASSIFIERS), "folds": FOLDS, "noise": ("shuffled",)}
    options = options_of(description_id, choices, optional=("noise",))
    require_needs(array, description_id, ["responses", "blocks", *(["simultaneous"] if "noise" in options else [])])
    label, classifier, folds = options["label"], options["classifier"], options["folds"]
    array, missing = labelled(array, label, description_id)
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": array.sizes["unit"],
        "n_trials": array.sizes["presentation"],
    }
    refuse_pooled_blocks(array, label, description_id)
    if classifier == "nearest-angle" and array.sizes["unit"] < 2:
        raise UserError(f"{description_id}: one unit spans no angle; use classifier=nearest-mean")
    if "noise" in options and folds == "leave-one-out":
        raise UserError(f"{description_id}: a single test trial has nothing to be shuffled with; use folds=block or 5")
    if "noise" in options and classifier == "logistic-nested":
        raise UserError(f"{description_id}: trials are shuffled with one penalty only; use classifier=logistic")
    rows, details = [], []
    for kind in BOTH if folds == "both" else [folds]:
        found, detail = _by_folds(array, options | {"folds": kind}, size, seed, both=folds == "both")
        rows += found
        details += [detail.assign_coords(split=BOTH[kind])] if detail is not None and folds == "both" else []
    if missing:
        rows.append(row("presentations without a label", missing, condition=f"label={label}", **size))
    if folds == "both":
        return rows, xr.concat(details, dim="split") if details else None
    return rows, detail


def _by_folds(array, options, size, seed, *, both) -> tuple[list[dict], xr.Dataset | None]:
    """Rows and details of one kind of folds."""
    label, classifier, folds = options["label"], options["classifier"], options["folds"]
    target = np.unique(array.coords[label].values, return_inverse=True)[1]
    classes = target.max() + 1
    pooled = "" if array.attrs["simultaneous"] or array.sizes["unit"] == 1 else " of pooled units"
    setting = f"label={label};classifier={classifier};folds={folds};classes={classes}"
    setting += f";window={array.attrs['window']}" if "window" in array.attrs else ""
    setting += f";split={BOTH[folds]}" if both else ""
    setting += ";noise=intact" if "noise" in options else ""
    block = array.coords["block"].values
    lacking = ""
    if folds == "block" and block_folds(block).max() == 0:
        lacking = "one_block"
    elif both and folds != "block" and constant_in_blocks(target, block):
        lacking = "constant_in_blocks"
    if lacking:
        return [row(f"accuracy{pooled}", np.nan, condition=setting, status=lacking, **size)], None
    permutations = _permutations(classifier, folds, size["n_trials"], classes)
    details = classify(
        array, label, seed=seed, folds=folds, classifier=classifier, permutations=permutations, information=True
    )
    rows, repeated = [], details.attrs.pop("orders")
    bits = {"usable": "usable information", "confusion": "information in the confusion matrix"}
    for quantity, name, chance, unit in (
        ("accuracy", "", details.chance, "1"),
        ("balanced accuracy", "balanced", 1 / classes, "1"),
        (bits[details.attrs["information"]], "information", 0, "bits"),
    ):
        null, interval_ = (details[f"{name}_{part}" if name else part].values for part in ("null", "interval"))
        rows.append(
            row(
                f"{quantity}{pooled}",
                details[name or "accuracy"],
                unit=unit,
                condition=f"{setting};chance={float(chance):.4g}{repeated}",
                null=null if null.size else None,
                ci=tuple(interval_),
                **size,
            )
        )
    if "noise" in options:
        rows += _without_correlations(array, target, details, classifier, setting, size, seed)
    return rows, details.drop_vars(["fold", "hit"])


def _without_correlations(array, target, details, classifier, setting, size, seed) -> list[dict]:
    """Accuracies where trials of a stimulus were shuffled, and how they differ from that of intact trials."""
    values = matrix(array)
    roots = ("spike count",) if classifier == "logistic" else ROOTED
    rooted = array.attrs["response"] in roots and values.min() >= 0
    fold = details["fold"].values
    rng = np.random.default_rng([seed, 13])
    _, stimulus = np.unique(array.coords["stimulus"].values, return_inverse=True)
    _, cell = np.unique(np.stack([target, stimulus]), axis=1, return_inverse=True)
    cell = cell.ravel()
    values = np.sqrt(values) if rooted else values
    hits, single = shuffled_hits(values, target, cell, fold, classifier, rng, rooted=rooted)
    cells = np.bincount(fold * (cell.max() + 1) + cell)
    chance = np.bincount(target).max() / len(target)
    block = array.coords["block"].values
    whole = block if constant_in_blocks(target, block) else None
    rows = []
    for noise, told, one in zip(CONDITIONS, hits, single, strict=True):
        condition = setting.replace("noise=intact", f"noise={noise};among={cells[cells > 0].min()}")
        for quantity, intact, text in (
            ("accuracy", 0, f"{condition};chance={chance:.4g}"),
            ("accuracy change", details["hit"].values, condition),
        ):
            draws = mean_draws(one - intact, target, rng, whole)
            low, high = np.array(interval_of(draws, target, whole)) + (told - one).mean()
            rows.append(row(quantity, (told - intact).mean(), condition=text, ci=(low, high), **size))
    return rows


def _permutations(classifier: str, folds: str, n_trials: int, classes: int) -> int:
    """How many shuffles are affordable: all where nothing is iterated."""
    if classifier.startswith("nearest"):
        return PERMUTATIONS
    iterated = classifier in ("logistic", "svm") and n_trials * classes > LARGE
    few = folds == "leave-one-out" or iterated or classifier == "logistic-nested"
    return PERMUTATIONS // 5 if few else PERMUTATIONS
