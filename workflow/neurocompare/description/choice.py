"""Choice probability: how well single neurons tell which of two choices is made, under the same stimulus.

The area under the ROC curve between responses before the two choices (Britten et al. 1996, Vis. Neurosci. 13:87), for
any coordinate with two values. With ``given``, only trials with the same values of other coordinates are compared
(``given=context+block`` compares within blocks as well, which slow changes of responses can't mimic), weighted by their
numbers of pairs; nothing is z-scored. Each neuron is taken by itself, so units need not have been recorded together.
"""

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from neurocompare.description.classification import labelled
from neurocompare.description.rows import matrix, may_permute_trials, options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.inference.corrections import benjamini_hochberg
from neurocompare.ingestion.presentations import constant_in_blocks
from neurocompare.prediction.roc import areas, usable

DESCRIPTIONS = {
    f"choice-of=<coordinate>{given}": {
        "summary": f"choice probability of each unit: area under the ROC curve of a coordinate with two values{text}",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses"],
    }
    for given, text in (
        ("", ""),
        ("-given=<coordinate>+<coordinate>+…", ", among trials that have the same values of others"),
    )
}
"""Patterns of ids; coordinates are along ``presentation``."""

PERMUTATIONS = 2000
LEVEL = 0.05


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe how units differ between two choices.

    Parameters
    ----------
    array : DataArray
        A recording of single trials; responses with a time axis are summed (spike counts) or averaged over it, and are
        looked at bin by bin in the details. Trials without a choice or a value of a given coordinate (NaN or empty),
        and those of conditions with fewer than two trials of a choice, are left out.
    description_id : str
        An id of a pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the permutations.

    Returns
    -------
    rows : list of dict
        ``mean choice probability`` of the larger value of the coordinate, with an interval over trials (units are
        given, trials are common to them; none where no trial differs from another); ``mean distance from 0.5``, with
        its null; ``fraction of significant units``, whose two-sided p-value from shuffles of the choices within
        conditions has a false discovery rate below 5 %; ``trials left out``. A choice that never changes within a
        block has no null.
    details : Dataset
        ``choice_probability``, ``standard_error``, ``p_value``, ``q_value`` (unit) and, with a time axis,
        ``choice_probability_over_time`` (time, unit).

    Raises
    ------
    UserError
        If the id is no such pattern, a coordinate is missing, has not two values, or no condition has two trials of
        both.
    """
    options = options_of(description_id, {"of": (), "given": ()}, optional=("given",))
    require_needs(array, description_id, ["responses"])
    if "average" in array.attrs:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    label, n_all = options["of"], array.sizes["presentation"]
    array, _ = labelled(array, label, description_id)
    given = options["given"].split("+") if "given" in options else []
    for name in given:
        if name not in array.coords or array.coords[name].dims != ("presentation",):
            raise UserError(f"{description_id}: the recording has no coordinate '{name}' along presentation")
        values = array.coords[name].values
        there = np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) != ""
        if not there.any():
            raise UserError(f"{description_id}: coordinate '{name}' is never known where '{label}' is; leave it out")
        array = array.isel(presentation=np.flatnonzero(there))
    classes, index = np.unique(array.coords[label].values, return_inverse=True)
    if len(classes) != 2:
        raise UserError(
            f"{description_id}: coordinate '{label}' has {len(classes)} values; a choice has 2, use "
            f"classification-label={label}-… for more"
        )
    positive, condition = index == 1, _conditions(array, given)
    kept = usable(positive, condition)
    if not kept.any():
        raise UserError(
            f"{description_id}: no condition has at least 2 trials of both values of '{label}'; name fewer coordinates "
            "after given="
        )
    array, positive, condition = array.isel(presentation=np.flatnonzero(kept)), positive[kept], condition[kept]
    lost = label in array.attrs.get("constant_in_blocks", "").split(",")
    lost = lost or constant_in_blocks(array.coords[label].values, array.coords["block"].values)
    permutations = PERMUTATIONS * (may_permute_trials(array) and not lost)
    rng = np.random.default_rng([seed, 6])
    found = areas(matrix(array), positive, condition, permutations=permutations, rng=rng)
    details = _details(array, found, positive, condition)
    n_units, n = array.sizes["unit"], len(positive)
    size = {"n_stimuli": len(np.unique(array.coords["stimulus"].values)), "n_units": n_units, "n_trials": n}
    setting = f"of={label};larger={classes[1]};conditions={len(np.unique(condition))}"
    setting += f";given={'+'.join(given)}" if given else ""
    missing = {"status": "constant_in_blocks"} if lost else {}
    mean, distance = found.area.mean(), np.abs(found.area - 0.5).mean()
    width = stdtrit(found.freedom, 0.975) * found.mean_error
    null = np.abs(found.null - 0.5)
    rows = [
        row("mean choice probability", mean, condition=setting, ci=(mean - width, mean + width), **size),
        row("mean distance from 0.5", distance, condition=setting, null=null.mean(1) if permutations else None, **size)
        | missing,
    ]
    significant = np.mean(details.q_value.values < LEVEL) if permutations else np.nan
    rows.append(
        row("fraction of significant units", significant, condition=f"{setting};false_discovery_rate={LEVEL:g}", **size)
        | missing
    )
    if n < n_all:
        rows.append(row("trials left out", n_all - n, condition=setting, **size))
    return rows, details


def _conditions(array, given) -> np.ndarray:
    """Number the combinations of values of coordinates."""
    condition = np.zeros(array.sizes["presentation"], dtype=int)
    for name in given:
        _, index = np.unique(array.coords[name].values, return_inverse=True)
        _, condition = np.unique(condition * (index.max() + 1) + index, return_inverse=True)
    return condition


def _details(array, found, positive, condition) -> xr.Dataset:
    """Areas of units with their p-values, and over time."""
    n_null, m = found.null.shape
    p_value = np.full(m, np.nan)
    if n_null:
        far = np.abs(found.null - 0.5) >= np.abs(found.area - 0.5) - 1e-12
        p_value = (1 + far.sum(0)) / (n_null + 1)
    variables = {
        "choice_probability": ("unit", found.area),
        "standard_error": ("unit", found.error),
        "p_value": ("unit", p_value),
        "q_value": ("unit", benjamini_hochberg(p_value)),
    }
    coords = {"unit": array.coords["unit_id"].values}
    if "time" in array.dims:
        flat = array.transpose("presentation", "time", "unit").values.reshape(len(positive), -1).astype(float)
        over_time = areas(flat, positive, condition).area.reshape(array.sizes["time"], m)
        variables["choice_probability_over_time"] = (("time", "unit"), over_time)
        coords["time"] = array.coords["time"].values
    return xr.Dataset(variables, coords=coords)
