"""Rows of the table of scores, from an evaluation."""

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from neurocompare import representation
from neurocompare.inference import resampling, twofactor
from neurocompare.inference.resampling import Plan
from neurocompare.similarity.ceilings import Ceiling
from neurocompare.similarity.evaluation import Evaluation, Target
from neurocompare.similarity.measure import Measure


def selected(
    evaluation: Evaluation, target: Target, activations: xr.Dataset, measure: Measure
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Score a network by the layer that is best on other stimuli.

    Parameters
    ----------
    evaluation : Evaluation
        Scores of all seeds and layers, on all stimuli and on halves of them.
    target : Target
        What was scored; its animals are averaged, without what stands for all together.
    activations : Dataset
        The network, with dims ``seed`` and ``layer``.
    measure : Measure
        The measure; of a distance the lowest is the best.

    Returns
    -------
    value : array of shape (n_animals, n_seeds)
        The score in each animal, averaged over the partitions; NaN if there are none, or no layer has a score.
    draws : array of shape (n_draws, n_animals, n_seeds)
        Resamples of it: those of the layers that were chosen, centred on the score. That another layer would
        be chosen in a resample changes them only where two layers are equally good.
    left_out : array of shape (n_stimuli, n_animals, n_seeds) or None
        The same with each stimulus left out.
    """
    shape = activations.sizes["seed"], activations.sizes["layer"]
    members = target.members
    if not evaluation.halves:
        return np.full((len(members), shape[0]), np.nan), np.empty((0, len(members), shape[0])), None
    sign = 1 if measure.info["direction"] == "higher" else -1
    resampled = [evaluation.draws] + ([] if evaluation.left_out is None else [evaluation.left_out])
    spreads = [(one - evaluation.value)[:, members].reshape(-1, len(members), *shape) for one in resampled]
    picked, moved = [], []
    for scored, chooser in zip(evaluation.halves, evaluation.choosers or evaluation.halves, strict=True):
        for choose, score in ((chooser[0], scored[1]), (chooser[1], scored[0])):
            choose, score = (half[members].reshape(-1, *shape) for half in (choose, score))
            # One layer for all animals.
            choose = sign * choose.mean(0)
            best = np.where(np.isfinite(choose), choose, -np.inf).argmax(1)
            at = (slice(None), np.arange(shape[0]), best)
            picked.append(np.where(np.isfinite(choose).any(1), score[at], np.nan))
            moved.append([spread[(slice(None), *at)] for spread in spreads])
    value = np.mean(picked, axis=0)
    draws, *left_out = (value + np.mean(one, axis=0) for one in zip(*moved, strict=True))
    return value, draws, left_out[0] if left_out else None


def draws(evaluation: Evaluation, target: Target, chosen: tuple, activations: xr.Dataset) -> xr.Dataset:
    """Keep what comparisons between networks and between layers need.

    Parameters
    ----------
    evaluation : Evaluation
        Scores of all seeds and layers.
    target : Target
        What was scored.
    chosen : tuple
        What `selected` returned.
    activations : Dataset
        The network.

    Returns
    -------
    Dataset
        ``value`` (animal, seed), ``draws`` (animal, seed, draw) and ``left_out`` (animal, seed, stimulus), if there is
        any, and the same of every layer, ``layer_value``, ``layer_draws`` and ``layer_left_out``.
    """
    members = target.members
    shape = len(members), activations.sizes["seed"], activations.sizes["layer"]
    found = {
        "value": (("animal", "seed"), chosen[0]),
        "layer_value": (("animal", "seed", "layer"), evaluation.value[members].reshape(shape)),
        "absent": ("animal", np.zeros(len(members), dtype=np.int8)),
    }
    for name, own, all_layers, dims in (
        ("draws", chosen[1], evaluation.draws, ("draw", "layer_draw")),
        ("left_out", chosen[2], evaluation.left_out, ("stimulus", "stimulus")),
    ):
        if all_layers is not None and own is not None:
            layers = all_layers[:, members].reshape(-1, *shape)
            found[name] = (("animal", "seed", dims[0]), np.moveaxis(own, 0, -1))
            found[f"layer_{name}"] = (("animal", "seed", "layer", dims[1]), np.moveaxis(layers, 0, -1))
    return xr.Dataset(
        found,
        coords={
            "animal": [target.animals[k] for k in members],
            "seed": activations["seed"].values,
            "layer": activations["layer"].values,
        },
    )


def rows(
    measure: Measure,
    evaluation: Evaluation,
    target: Target,
    chosen: tuple,
    part: xr.DataArray,
    activations: xr.Dataset,
    features: np.ndarray,
    stimuli: np.ndarray,
    plan: Plan,
    common: dict,
) -> list[dict]:
    """Make the rows of one region.

    Parameters
    ----------
    measure : Measure
        The measure.
    evaluation : Evaluation
        Scores of all seeds and layers.
    target : Target
        What was scored.
    chosen : tuple
        What `selected` returned.
    part : DataArray
        The region.
    activations : Dataset
        The network.
    features : array of int of shape (n_seeds * n_layers,)
        Numbers of units that were compared.
    stimuli : array of str
        Ids of the stimuli.
    plan : Plan
        Resamples and permutations.
    common : dict
        Columns that all rows share.

    Returns
    -------
    list of dict
        For each animal, for the mean over animals (``all``), and for all together, one row per seed and
        layer; then the rows ``selected``.
    """
    seeds, layers = activations["seed"].values, activations["layer"].values.astype(str)
    size = _sizes(part)
    series = {animal: ([t], size(animal)) for t, animal in enumerate(target.animals)}
    if target.pooled:
        series = {"all": (target.members, size("all"))} | series
    found = []
    for animal, (members, counts) in series.items():
        statistics, flag = _statistics(measure, evaluation, members, stimuli, plan)
        ceiling = evaluation.together if len(members) > 1 else evaluation.ceilings[members[0]]
        for k, (seed, layer) in enumerate((s, name) for s in seeds for name in layers):
            row = {name: column[k] for name, column in statistics.items()}
            counted = {name: row.pop(name) for name in ("undefined_units", "gated_units", "undefined_resamples")}
            status = _status(measure, target, animal, row, ceiling) + _counted(**counted)
            status += "".join(f";{warning}" for warning in (*evaluation.warnings[k], *flag))
            found.append(
                common
                | row
                | counts
                | {
                    "animal": animal,
                    "seed": seed,
                    "layer": layer,
                    "ceiling_low": ceiling.low,
                    "ceiling_high": ceiling.high,
                    "ceiling_kind": ceiling.kind,
                    "ceiling_chronological": ceiling.chronological,
                    "inter_animal": evaluation.inter_animal if animal == "all" else np.nan,
                    "n_animals": len(members),
                    "n_features": features[k],
                    "status": status,
                }
            )
    return found + _selected_rows(measure, found, chosen, seeds, bool(evaluation.halves), plan)


def noted(rows: list[dict], activations: xr.Dataset) -> list[dict]:
    """Say in the rows of a network which of its seeds were taken in all trials, where the recording was not.

    Parameters
    ----------
    rows : list of dict
        Rows with ``seed`` and ``status``.
    activations : Dataset
        The network, of a course with ``all_trials`` (seed); see `neurocompare.courses.trajectories`.

    Returns
    -------
    list of dict
        The rows, with ``all_trials`` added to the status.
    """
    if "all_trials" not in activations:
        return rows
    flags = activations["all_trials"].values.astype(bool)
    whole = {int(seed) for seed, flag in zip(activations["seed"].values, flags, strict=True) if flag}
    return [
        row | {"status": f"{row['status']};all_trials".removeprefix("ok;")} if int(row["seed"]) in whole else row
        for row in rows
    ]


def _interval(measure, values, draws, left_out, plan):
    """Estimate the mean over animals (animal, …) with its interval; see `neurocompare.inference.twofactor`."""
    return twofactor.estimate(
        values, draws, plan.n_groups, **twofactor.options(plan, measure.scheme, left_out, len(draws))
    )


def _statistics(measure, evaluation, members, stimuli, plan) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Columns with a value for each candidate, for the mean over some of the animals, and a flag for all."""
    value = evaluation.value[members].mean(0)
    draws = evaluation.draws[:, members].mean(1)
    null = evaluation.null[:, members].mean(1)
    left_out = None if evaluation.left_out is None else evaluation.left_out[:, members]
    found = _interval(measure, evaluation.value[members], evaluation.draws[:, members], left_out, plan)
    low, high, claim = found.low, found.high, f"new {found.claim}"
    flag = (found.flag,) if found.flag == "few_animals" else ()
    if evaluation.unit_draws is not None and np.isfinite(evaluation.unit_draws[:, members]).all() and len(members) == 1:
        # Which units were found is as uncertain as which stimuli were shown, and independent of it.
        error = np.hypot(found.standard_error, evaluation.unit_draws[:, members[0]].std(0, ddof=1))
        reach = stdtrit(found.degrees_of_freedom, 0.975) * error
        low, high, claim = value - reach, value + reach, "new stimuli and units"
    change = np.full((1, len(value)), np.nan)
    if evaluation.left_out is not None:
        change = evaluation.left_out[:, members].mean(1) - value
    largest = np.where(np.isfinite(change), np.abs(change), -1).argmax(0)
    influence = np.take_along_axis(change, largest[None], axis=0)[0]
    unscored = np.zeros(len(value), dtype=int)
    if evaluation.undefined_units is not None:
        unscored = evaluation.undefined_units[members].sum(0)
    gated = 0 if evaluation.gated_units is None else evaluation.gated_units[members].sum()
    return {
        "value": value,
        "null_mean": null.mean(0) if len(null) else np.full_like(value, np.nan),
        "null_high": np.quantile(null, 0.95, axis=0) if len(null) else np.full_like(value, np.nan),
        "ci_low": low,
        "ci_high": high,
        "claim": np.full(len(value), claim),
        "p_value": resampling.p_value(value, null, measure.info["direction"]),
        "dimensionality": evaluation.dimensionality,
        "target_dimensionality": np.full(len(value), evaluation.target_dimensionality[members].mean()),
        "influence": influence,
        "influential_stimulus": np.where(np.isfinite(influence), np.asarray(stimuli)[largest % len(stimuli)], ""),
        "undefined_units": unscored,
        "gated_units": np.full(len(value), gated),
        "undefined_resamples": np.where(np.isfinite(value), (~np.isfinite(draws)).sum(0), 0),
    }, flag


def _selected_rows(measure, found, chosen, seeds, halved, plan) -> list[dict]:
    """Rows of the network as a whole: like the first animal's, without what belongs to a score on all stimuli."""
    value, draws = chosen[0].mean(0), chosen[1].mean(1)
    low, high, claim = np.full(len(seeds), np.nan), np.full(len(seeds), np.nan), ""
    if halved:
        estimate = _interval(measure, *chosen, plan)
        low, high, claim = estimate.low, estimate.high, f"new {estimate.claim}"
    absent = dict.fromkeys(
        (
            *("ceiling_low", "ceiling_high", "ceiling_chronological", "inter_animal", "null_mean", "null_high"),
            *("p_value", "n_features", "dimensionality", "influence"),
        ),
        np.nan,
    )
    rows = []
    for s, seed in enumerate(seeds):
        if np.isfinite(value[s]):
            status = ["selected_on_held_out_stimuli"] + ["interval_undefined"] * (not np.isfinite(low[s]))
            status[-1] += _counted(undefined_resamples=(~np.isfinite(draws[:, s])).sum())
        else:
            status = ["undefined" if halved else "too_few_stimuli_to_select"]
        own = {"seed": seed, "layer": "selected", "value": value[s], "ci_low": low[s], "ci_high": high[s]}
        own |= {"ceiling_kind": "", "influential_stimulus": "", "status": ";".join(status)}
        own |= {"claim": claim}
        rows.append(found[0] | absent | own)
    return rows


def _status(measure: Measure, target: Target, animal: str, row: dict, ceiling: Ceiling) -> str:
    """Give all reasons for what a row lacks, or ok."""
    if not np.isfinite(row["value"]):
        return "undefined"
    reasons = []
    if not np.isfinite([ceiling.low, ceiling.high]).all():
        if target.rdms is not None:
            reasons.append("mean_rdm" if animal == "mean RDM" else "single_rdm")
        else:
            repeated = target.grams.trials[0].repeated()
            designed = "no_ceiling_by_trials" if measure.ceiling == "none" else "ceiling_undefined"
            reasons.append(designed if repeated else "no_repeats")
    reasons += ["interval_undefined"] * (not np.isfinite(row["ci_low"]))
    reasons += ["null_undefined"] * (not np.isfinite(row["null_high"]))
    return ";".join(reasons or ["ok"])


def _counted(**counts: int) -> str:
    """Name what was left out, and how often."""
    return "".join(f";{name}={count}" for name, count in counts.items() if count)


def _sizes(part: xr.DataArray):
    """A function from the label of an animal to numbers of units and of trials."""
    if representation.kind(part) == "responses":
        owner = part.coords["animal"].values.astype(str)

        def units_of(animal: str) -> dict:
            mine = np.isin(owner, [animal]) if animal in owner else np.full(len(owner), True)
            return {"n_units": int(mine.sum()), "n_trials": part.sizes["presentation"]}

        return units_of
    units = part.coords["n_units"].values if "n_units" in part.coords else np.full(part.sizes["rdm"], np.nan)
    animals = part.coords["animal"].values.astype(str)

    def size_of(animal: str) -> dict:
        # Trials of a published RDM are not known: its number of RDMs (sessions) stands for them.
        mine = np.isin(animals, [animal]) if animal in animals else np.full(len(animals), True)
        return {"n_units": units[mine].max(), "n_trials": int(mine.sum())}

    return size_of
