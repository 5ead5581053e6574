"""Scores at every pair of times: a recording at ``t`` with a network at ``t − latency + lag``.

The rows compared are the conditions alone, so that nothing but how conditions lie to each other counts. Conditions are
permuted, in the same orders at all times, which also gives a p-value that holds for all pairs of times together: the
share of orders whose best score anywhere is as high (Westfall & Young 1993). Scores are compared in units of their own
null for that, as a pair of times with more variable scores would decide alone otherwise.
"""

import numpy as np
import xarray as xr

from neurocompare import comparison, score_rows, similarity, tables
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.similarity import ceilings, steps
from neurocompare.similarity.measure import Measure

PERMUTATIONS = 500


def lagged(course: xr.DataArray, activations: xr.Dataset, measure: str, *, name: str, network: str) -> list[dict]:
    """Score all pairs of times of a course and a network.

    Parameters
    ----------
    course : DataArray
        From `neurocompare.courses.unrolling.unroll`.
    activations : Dataset
        Gram matrices of the network on that course, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    measure : str
        A measure id.
    name : str
        The id of the course: it seeds the permutations.
    network : str
        The id of the network.

    Returns
    -------
    list of dict
        Rows of a table `tables.LAGS`, without the digests of code and weights: one for each region, seed, layer, time
        of the recording and lag. Animals are one population.

    Raises
    ------
    UserError
        If the measure can't be had for as many conditions, or needs a control.
    """
    opened = similarity.load(measure)
    if opened.steps.partial or opened.steps.sample:
        raise UserError(f"measure '{measure}': 'partial' and 'sample' are not for lags; leave them out")
    if "condition" not in course.coords:
        raise UserError(f"recording '{name}' is no course, and has no lags; see 'course' in config/README.md")
    conditions = np.unique(course.coords["condition"].values.astype(str))
    comparison.check(course, opened, name, len(conditions))
    time = np.unique(course.coords["condition_time"].values)
    networks = [_at(activations, conditions, moment, opened) for moment in time]
    plan = resampling.plan(name, len(conditions), "stimulus", permutations=PERMUTATIONS, bootstraps=1, partitions=0)
    orders = plan.permutations[: opened.permutations]
    common = {"recording": name, "network": network, "measure": measure, "n_conditions": len(conditions)}
    common["data_sha256"] = tables.combined_sha256(course.attrs["sha256"])
    rows = []
    for region, part in comparison.regions(course):
        values, nulls, bounds = [], [], []
        for moment in time:
            at = part.isel(presentation=np.flatnonzero(part.coords["condition_time"].values == moment))
            at = at.assign_coords(stimulus=("presentation", at.coords["condition"].values))
            target = comparison.target_of(at, conditions)
            (everyone,) = steps.samples(opened, target.grams[-1:])
            y = opened.reduced(everyone)
            values.append([opened.scores(x, y)[0] for x in networks])
            nulls.append([opened.null(x, y, orders)[:, 0] for x in networks])
            bounds.append(opened.trial_ceiling(y))
        common |= {"region": region, "n_units": part.sizes["unit"]}
        latency = float(course.attrs["latency"])
        rows += _rows(opened, np.array(values), np.array(nulls), bounds, time, latency, activations, common)
    return score_rows.noted(rows, activations)


def _at(activations: xr.Dataset, conditions: np.ndarray, moment: float, opened: Measure):
    """The network at one time, its seeds and layers as candidates."""
    stimuli = np.array([f"{condition}|{moment:.3f} s" for condition in conditions])
    return opened.reduced(comparison.stacked(activations, stimuli, units=opened.info["units"]))


def _rows(opened, values, nulls, bounds, time, latency, activations, common) -> list[dict]:
    """From scores (t, t', candidate) and nulls (t, t', permutation, candidate)."""
    direction = opened.info["direction"]
    candidates = [(s, str(layer)) for s in activations["seed"].values for layer in activations["layer"].values]
    nulls = np.moveaxis(nulls, 2, 0)
    p_value = resampling.p_value(values, nulls, direction)
    together = _together(values, nulls, direction)
    rows = []
    for (i, j), (k, (seed, layer)) in (
        (pair, one) for one in enumerate(candidates) for pair in np.ndindex(len(time), len(time))
    ):
        bound: ceilings.Ceiling = bounds[i]
        null = nulls[:, i, j, k]
        known = np.isfinite(null).any()
        status = ["undefined"] * (not np.isfinite(values[i, j, k]))
        status += ["ceiling_undefined"] * (not np.isfinite(bound.low))
        rows.append(
            common
            | {
                "seed": int(seed),
                "layer": layer,
                "time": time[i],
                "network_time": time[j] - latency,
                # Rounding would make one lag several.
                "lag": round(float(time[j] - time[i]), 9) + 0.0,
                "value": values[i, j, k],
                "null_mean": np.nanmean(null) if known else np.nan,
                "null_high": np.nanquantile(null, 0.95) if known else np.nan,
                "p_value": p_value[i, j, k],
                "p_all_times": together[i, j, k],
                "ceiling_low": bound.low,
                "ceiling_high": bound.high,
                "ceiling_kind": bound.kind,
                "status": ";".join(status) or "ok",
            }
        )
    return rows


def _together(values: np.ndarray, nulls: np.ndarray, direction: str) -> np.ndarray:
    """p-values over all pairs of times, of each candidate: (t, t', candidate)."""
    sign = 1.0 if direction == "higher" else -1.0
    every = sign * np.concatenate([values[None], nulls])
    centre, spread = (np.nan_to_num(f(every, axis=0)) for f in (np.nanmean, np.nanstd))
    scaled = np.where(spread > 0, (every - centre) / np.where(spread > 0, spread, 1), -np.inf)
    best = np.where(np.isfinite(scaled[1:]), scaled[1:], -np.inf).max((1, 2))
    count = (best[:, None, None] >= scaled[0] - 1e-12).sum(0)
    return np.where(np.isfinite(values), (1 + count) / (len(best) + 1), np.nan)
