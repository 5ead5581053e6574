"""One score of two representations that are at hand, with all that belongs to it."""

import numpy as np
import pandas as pd
import xarray as xr

from neurocompare.errors import UserError, unknown
from neurocompare.inference import exchange, resampling, trials, twofactor
from neurocompare.similarity import evaluation, inputs, refusals, steps
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.controlled import with_control
from neurocompare.similarity.evaluation import Target
from neurocompare.similarity.measure import Measure


def evaluated(x, y, measure: Measure, exchangeable: str | None, control, groups: dict) -> pd.Series:
    """Score two representations; see `neurocompare.similarity.evaluate`.

    Parameters
    ----------
    x, y : array or DataArray
        The candidate and the target.
    measure : Measure
        The measure.
    exchangeable : str or None
        What may be exchanged.
    control : array, DataArray or None
        What is controlled for.
    groups : dict
        Arguments of `neurocompare.inference.resampling.plan`.

    Returns
    -------
    Series
        The score, with noise ceiling, null and interval.
    """
    known = {"condition", "time", "block", "shift", "bootstraps", "permutations", "partitions"}
    for name in groups:
        if name not in known:
            raise unknown("argument of evaluate", name, known)
    if isinstance(y, xr.DataArray):
        declared = y.attrs["exchangeable"]
        if exchangeable not in (None, declared):
            raise UserError(
                f"y declares exchangeable={declared}, and {exchangeable} was asked for: leave the argument out, or "
                "correct the attribute if the recording allows it"
            )
        exchangeable = declared
    if exchangeable is None:
        raise UserError("say what may be exchanged: exchangeable='stimulus', 'condition', 'block' or 'shift'")
    candidates, target, *controls = inputs.grams(x, y, *([] if control is None else [control]), measure=measure)
    if isinstance(y, xr.DataArray):
        groups = _declared(y, exchangeable, groups)
    n = target.gram.shape[1]
    if n < measure.info["minimum_stimuli"]:
        raise UserError(f"{measure.name} needs at least {measure.info['minimum_stimuli']} stimuli, got {n}")
    measure.require_repeats(target, "y")
    refusals.without_null(measure, groups.get("permutations", resampling.PERMUTATIONS))
    plan = resampling.plan("y", n, exchangeable, **groups)
    refusals.folds_of_stimuli(measure, plan.n_groups, n, "y")
    if exchangeable == "condition" and "time" in groups:
        conditions = exchange.of_conditions(groups["condition"], groups["time"])
        # Of the control as well: else the common course is all that it controls for.
        candidates, target, *controls = (
            _without_common_time_course(grams, conditions) for grams in (candidates, target, *controls)
        )
    measure = with_control(measure, controls[0] if controls else None)
    found = evaluation.average(
        [measure.evaluate(Target(("y",), grams=sample), candidates, plan) for sample in steps.samples(measure, target)]
    )
    options = twofactor.options(plan, measure.scheme, found.left_out, len(found.draws))
    estimate = twofactor.estimate(found.value, found.draws, plan.n_groups, **options)
    null, ceiling = found.null[:, 0, 0], found.ceilings[0]
    return pd.Series(
        {
            "value": found.value[0, 0],
            "ceiling_low": ceiling.low,
            "ceiling_high": ceiling.high,
            "ceiling_kind": ceiling.kind,
            "ceiling_chronological": ceiling.chronological,
            "null_mean": null.mean() if len(null) else np.nan,
            "null_high": np.quantile(null, 0.95) if len(null) else np.nan,
            "p_value": float(resampling.p_value(found.value, found.null, measure.info["direction"])[0, 0]),
            "ci_low": float(estimate.low[0]),
            "ci_high": float(estimate.high[0]),
            "claim": "new stimuli" if exchangeable == "stimulus" else f"new {exchangeable}s",
            "dimensionality": found.dimensionality[0],
            "target_dimensionality": found.target_dimensionality[0],
            "n_stimuli": n,
        },
        name=measure.name,
    )


def _declared(y: xr.DataArray, exchangeable: str, groups: dict) -> dict:
    """Add what a recording itself says of its groups."""
    if exchangeable == "shift" and "shift" in y.attrs:
        return {"shift": int(y.attrs["shift"])} | groups
    if exchangeable != "block" or "block" in groups:
        return groups
    return {"block": trials.block_of_stimuli(y, np.unique(y.coords["stimulus"].values.astype(str)), "y")} | groups


def _without_common_time_course(grams: Grams, conditions: exchange.Groups) -> Grams:
    """What all conditions have in common at each time would survive their exchange, and pass for similarity."""
    if grams.trials is None:
        return Grams.of([exchange.without_common_time_course(x, conditions) for x in grams.units])
    removed = []
    for one in grams.trials:
        mean = one.mean()
        common = mean - exchange.without_common_time_course(mean, conditions)
        removed.append(one.with_values(one.values - common[one.stimulus]))
    return Grams.of_trials(removed)
