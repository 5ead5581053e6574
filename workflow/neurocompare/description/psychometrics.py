"""Psychometrics of the behaviour in a recording: choices, and reaction times, against the strength of the evidence."""

import numpy as np
import xarray as xr

from neurocompare.description import psychometric_curves as curves
from neurocompare.description.classification import labelled
from neurocompare.description.rows import options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval

WHOLE_RECORDING = True
"""Behaviour belongs to no region."""

DESCRIPTIONS = {
    f"psychometrics-of=<choice>-by=<strength>{given}": {
        "summary": f"bias, slope, lapses and threshold of a choice between two against signed evidence{text}",
        "unit": "of the evidence",
        "direction": "lower",
        "needs": ["responses"],
    }
    for given, text in (("", ""), ("-given=<context>", ", for each value of a context"))
}
"""Patterns of ids; the names are coordinates along ``presentation``."""

BOOTSTRAPS = 1000
BLOCKS = 8
"""Blocks that are needed to resample blocks; with fewer, trials are resampled within strengths."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe how choices depend on the evidence.

    Parameters
    ----------
    array : DataArray
        A recording of single trials. Its behaviour is described, not its units: units that were not recorded
        together may be one only, as pooled trials mix the behaviour of several sessions. Presentations without
        a choice (NaN or empty) are left out; ``n_trials`` says how many remain.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`. The share of the choice that sorts last is described; strength is
        signed so that it is expected to grow. It is also the correct choice for strengths above zero.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    rows : list of dict
        For each value of the context: ``bias`` (strength at which both choices are alike, lapses apart), ``slope
        at bias`` (of the share, per unit of strength) and ``lapse rate`` of a logistic function; ``threshold`` of
        a Weibull function of the share of correct choices (status ``beyond_strengths`` where the criterion is
        not reached); ``threshold, mean of blocks``, from a fit to each; ``choices with the evidence``; and ``median
        reaction time`` in s at the weakest and the strongest evidence. Intervals resample whole blocks (sessions)
        where there are `BLOCKS` of them, else trials.
    details : Dataset
        By ``given`` and ``strength``: ``chosen``, ``reaction_time`` (both with bounds) and ``n_trials``; by
        ``given`` and ``x``: ``curve``; ``threshold`` (given).

    Raises
    ------
    UserError
        If the id is no such pattern, a coordinate is missing or unfit, or the recording has no single trials.
    """
    options = options_of(description_id, {"of": (), "by": (), "given": ()}, optional=("given",))
    require_needs(array, description_id, ["responses"])
    if not array.attrs["simultaneous"] and array.sizes["unit"] > 1:
        raise UserError(
            f"{description_id}: trials of this recording are pooled (simultaneous=false) and were not made by one "
            "animal at one time; describe its members"
        )
    if "average" in array.attrs:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    times = _reaction_times(array)
    array = array.assign_coords(_reaction_time=("presentation", times))
    for name in options.values():
        array, _ = labelled(array, name, description_id)
    strength = array.coords[options["by"]].values
    if strength.dtype.kind not in "fiu":
        raise UserError(f"{description_id}: coordinate '{options['by']}' is no number; give a signed strength")
    values = np.unique(array.coords[options["of"]].values)
    if len(values) != 2:
        raise UserError(f"{description_id}: coordinate '{options['of']}' has {len(values)} values; a choice has two")
    given = array.coords[options["given"]].values if "given" in options else np.full(len(strength), "all")
    rng = np.random.default_rng([seed, 4])
    rows, parts = [], []
    contexts = np.unique(given)
    for context in contexts:
        part = array.isel(presentation=np.flatnonzero(given == context))
        found, detail = _described(part, options, values[1], rng)
        named = f"{options['given']}={context};" if "given" in options else ""
        rows += [line | {"condition": (named + line["condition"]).strip(";")} for line in found]
        parts.append(detail)
    details = xr.concat(parts, dim=xr.DataArray(contexts.astype(str), dims="given", name="given"), join="outer")
    return rows, details.assign_attrs(
        of=options["of"],
        choice=str(values[1]),
        by=options["by"],
        evidence_units=array.attrs.get("evidence_units", "as recorded"),
    )


def _described(array: xr.DataArray, options: dict, choice, rng) -> tuple[list[dict], xr.Dataset]:
    strength = array.coords[options["by"]].values.astype(float)
    chosen = array.coords[options["of"]].values == choice
    x, at = np.unique(strength, return_inverse=True)
    if len(x) < 3 or x[0] >= 0 or x[-1] <= 0:
        raise UserError(
            f"psychometrics: coordinate '{options['by']}' has {len(x)} strengths from {x[0]:g} to {x[-1]:g}; at least "
            "3, on both sides of zero, are needed"
        )
    block = np.unique(array.coords["block"].values, return_inverse=True)[1]
    n_blocks = block.max() + 1
    cell = block * len(x) + at
    shown = np.bincount(cell, minlength=n_blocks * len(x)).reshape(n_blocks, -1).astype(float)
    taken = np.bincount(cell, chosen, n_blocks * len(x)).reshape(n_blocks, -1)
    drawn_shown, drawn_taken = _resampled(shown, taken, rng)
    signed = _both(curves.fit_logistic, x, taken, shown, drawn_taken, drawn_shown)
    unsigned, fold = _folded(x)
    correct = (
        np.where(x > 0, taken, shown - taken) @ fold,
        np.where(x > 0, drawn_taken, drawn_shown - drawn_taken) @ fold,
    )
    amount = shown @ fold, drawn_shown @ fold
    weibull = _both(curves.fit_weibull, unsigned, correct[0], amount[0], correct[1], amount[1])
    size = {"n_stimuli": len(x), "n_units": array.sizes["unit"], "n_trials": len(strength)}
    resampled = f"resampled={'blocks' if n_blocks >= BLOCKS else 'trials'}"
    rows = []
    strengths = array.attrs.get("evidence_units", "units of the recording")
    logistic = ((0, "bias", strengths), (3, "slope at bias", f"1/({strengths})"), (2, "lapse rate", "1"))
    for k, quantity, unit in logistic:
        value, draws = signed[0][k], signed[1][:, k]
        setting = f"function=logistic;{resampled}"
        rows.append(row(quantity, value, unit=unit, condition=setting, ci=interval(draws), **size))
    criterion = f"function=Weibull;criterion={curves.CRITERION:.3f}"
    threshold, draws = weibull[0][3], weibull[1][:, 3]
    # Resamples may lie somewhat beyond the strengths shown, or intervals would be cut off; the value may not.
    missing = None if threshold <= unsigned[-1] else "beyond_strengths"
    threshold = np.nan if missing else threshold
    ci = interval(draws) if missing is None else (np.nan, np.nan)
    setting = f"{criterion};{resampled}"
    rows.append(row("threshold", threshold, unit=strengths, condition=setting, ci=ci, status=missing, **size))
    if n_blocks >= BLOCKS and amount[0].min() > 0 and missing is None:
        of_blocks = curves.fit_weibull(unsigned, correct[0], amount[0])[:, 3]
        rows.append(_mean_of_blocks(of_blocks, criterion, rng, size | {"unit": strengths}))
    with_evidence = correct[0].sum() / amount[0].sum()
    ci = interval(correct[1].sum(1) / amount[1].sum(1))
    rows.append(row("choices with the evidence", with_evidence, condition=resampled, ci=ci, **size))
    detail = _detail(array, x, at, taken.sum(0), shown.sum(0), signed[0], threshold)
    if np.isfinite(detail.reaction_time).any():
        times = array.coords["_reaction_time"].values
        for name, level in (("weakest", unsigned[0]), ("strongest", unsigned[-1])):
            value, low, high = _median(times[np.abs(strength) == level])
            condition = f"evidence={name};strength={level:g};resampled=trials"
            rows.append(row("median reaction time", value, unit="s", condition=condition, ci=(low, high), **size))
    return rows, detail


def _resampled(shown, taken, rng) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap draws (draw, strength) of the numbers of trials shown and of the choice."""
    n = len(shown)
    if n >= BLOCKS:
        weights = rng.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS)
        drawn = weights @ shown, weights @ taken
        # A strength that a draw does not hold at all has no share; one trial of each choice tells nothing.
        empty = drawn[0] == 0
        return np.where(empty, 1e-6, drawn[0]), np.where(empty, 5e-7, drawn[1])
    shown, taken = shown.sum(0), taken.sum(0)
    return np.tile(shown, (BOOTSTRAPS, 1)), rng.binomial(shown.astype(int), taken / shown, (BOOTSTRAPS, len(shown)))


def _both(fit, x, taken, shown, drawn_taken, drawn_shown) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of all trials, and of the bootstrap draws."""
    return fit(x, taken.sum(0)[None], shown.sum(0)[None])[0], fit(x, drawn_taken, drawn_shown)


def _folded(x) -> tuple[np.ndarray, np.ndarray]:
    """Unsigned strengths, and the matrix that adds up both signs of each."""
    unsigned = np.unique(np.abs(x[x != 0]))
    return unsigned, (np.abs(x)[:, None] == unsigned).astype(float)


def _mean_of_blocks(thresholds, criterion, rng, size) -> dict:
    found = thresholds[np.isfinite(thresholds)]
    draws = found[rng.integers(len(found), size=(BOOTSTRAPS, len(found)))].mean(1)
    condition = f"{criterion};blocks={len(found)};sd={found.std(ddof=1):.3g}"
    return row("threshold, mean of blocks", found.mean(), condition=condition, ci=interval(draws), **size)


def _detail(array, x, at, taken, shown, parameters, threshold) -> xr.Dataset:
    times = array.coords["_reaction_time"].values
    median = np.array([_median(times[at == k]) for k in range(len(x))]).T
    fine = np.linspace(x[0], x[-1], 201)
    bias, steepness, lapse, _ = parameters
    curve = lapse + (1 - 2 * lapse) / (1 + np.exp(-np.clip(steepness * (fine - bias), -500, 500)))
    return xr.Dataset(
        {
            "chosen": (("bound", "strength"), _share(taken, shown)),
            "reaction_time": (("bound", "strength"), median),
            "n_trials": ("strength", shown),
            "position": ("x", fine),
            "curve": ("x", curve),
            "threshold": threshold,
        },
        coords={"strength": x, "bound": ["value", "low", "high"]},
    )


def _share(taken, shown, z: float = 1.96) -> np.ndarray:
    """Shares with Wilson's interval (bound, strength)."""
    share = taken / shown
    centre = (share + z**2 / (2 * shown)) / (1 + z**2 / shown)
    half = z * np.sqrt(share * (1 - share) / shown + z**2 / (4 * shown**2)) / (1 + z**2 / shown)
    return np.stack([share, centre - half, centre + half])


def _median(times) -> tuple[float, float, float]:
    """Median with the interval of its order statistics."""
    times = np.sort(times[np.isfinite(times)])
    n = len(times)
    if n < 6:
        return (float(np.median(times)) if n else np.nan), np.nan, np.nan
    half = 0.98 * np.sqrt(n)
    low, high = max(int(np.floor(n / 2 - half)), 0), min(int(np.ceil(n / 2 + half)), n - 1)
    return float(np.median(times)), float(times[low]), float(times[high])


def _reaction_times(array: xr.DataArray) -> np.ndarray:
    """In s, NaN where there is none."""
    if array.attrs["response"] == "reaction time" and array.sizes["unit"] == 1:
        return array.values.reshape(array.sizes["presentation"]).astype(float)
    if "reaction_time" in array.coords:
        return array.coords["reaction_time"].values.astype(float)
    return np.full(array.sizes["presentation"], np.nan)
