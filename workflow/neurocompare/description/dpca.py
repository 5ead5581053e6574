"""Demixed principal components: axes that depend on one task variable each (Kobak et al. 2016, eLife 5:e10989).

Averages over the trials of each combination of levels, all of which count alike, are divided into marginalisations:
``time`` (what all conditions have in common), one for each coordinate, and interactions such as ``choice×motion``, each
with its course over time. The fit is in `neurocompare.demixing`.

Numbers of trials need not be equal, and units need not have been recorded together: then the noise has no covariances,
and held-out trials are put together from trials of different times.
"""

import numpy as np
import xarray as xr

from neurocompare import demixing
from neurocompare.description import dpca_axes
from neurocompare.description.conditions import Conditions, crossed
from neurocompare.description.rows import may_permute_trials, options_of, require_needs, row
from neurocompare.inference.resampling import interval

DESCRIPTIONS = {
    "dpca-by=<coordinate>+<coordinate>+…": {
        "summary": "variance of each task variable and their interactions, and axes that tell their levels apart",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses"],
    }
}
"""The pattern of ids; coordinates are along ``presentation``."""

COMPONENTS = 5
"""Of each marginalisation, while λ is chosen."""

SHOWN = 3
"""Of each marginalisation, in rows and details."""

RIDGES = np.geomspace(1e-5, 10, 13)
RIDGE_OF_AVERAGES = 1e-3
"""λ where no trials can be held out."""

HALVES = 20
BOOTSTRAPS = 1000


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe demixed components.

    λ is the one of 13 with the smallest error for held-out trials. Signal variances are products of averages over
    random halves of the trials instead of squares, so that noise has no part in them. Intervals are over units. Axes
    are tested by the accuracy with which they classify held-out trials, averaged over time, against 99 shuffles of the
    trials, each with a new fit; λ is not chosen again.

    Parameters
    ----------
    array : DataArray
        A recording, with or without a time axis. Of averages over trials, λ is 0.001, and nothing that takes trials
        has a value: the status is ``no_trials``.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        ``cross-validated error`` at the λ of its condition; for each marginalisation ``variance``, a share of the total
        (they sum to 1), and ``signal variance``, of the same total; for each component ``variance of component``,
        ``signal variance of component`` and ``purity of component`` (share of its variance that is of its own
        marginalisation); and ``accuracy of axis``, with its null where single trials may be exchanged (status
        ``constant_in_blocks`` for a coordinate that never changed within a block).
    details : Dataset
        ``score`` (component, cell, time), responses on the decoder axes; ``variance_by`` (component, marginalisation);
        ``share`` and ``signal`` (marginalisation); ``accuracy``, ``null_high`` (95 % of the largest over time under the
        null) and ``chance`` of axes (component, [time]); ``encoder`` and ``decoder`` (component, unit);
        ``marginalisation_of`` (component); ``error`` (ridge).

    Raises
    ------
    UserError
        If the id is no such pattern, a coordinate is missing or has one value, or a combination does not occur.
    """
    names = options_of(description_id, {"by": ()})["by"]
    require_needs(array, description_id, ["responses"])
    data = crossed(array, names, description_id)
    rng = np.random.default_rng([seed, 9])
    ridge, errors = _regularisation(data, rng)
    noise = None
    if data.repeated:
        noise = demixing.noise_covariance(data.values, data.cell, data.shape, pooled=data.pooled)
    mean = demixing.averages(data.values, data.cell, data.shape)
    found = demixing.fit(mean, data.factors, ridge=ridge, noise=noise, components=SHOWN)
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": len(mean),
        "n_trials": len(data.cell),
    }
    chosen = f"lambda={ridge:.3g};{'cross-validated' if data.repeated else 'fixed'}"
    rows = [_row(data, "cross-validated error", errors.mean(0).min(), chosen, size)]
    shares, share_rows = _shares(data, mean, rng, size)
    of_components, component_rows, details = _components(data, mean, found, shares["halves"], size)
    rows += share_rows + component_rows
    permutable = may_permute_trials(array)
    accuracy = np.full((len(of_components), len(data.time)), np.nan)
    high, chance = np.full(len(of_components), np.nan), np.full(len(of_components), np.nan)
    for name in found:
        if name == demixing.TIME:
            continue
        these = np.flatnonzero([other == name for other, _ in of_components])
        tested, values, limit = _tested(data, name, ridge, len(these), permutable, rng, size)
        rows += tested
        accuracy[these], high[these], chance[these] = values, limit, 1 / dpca_axes.n_classes(data, name)
    details["accuracy"] = (("component", "time"), accuracy)
    details["null_high"] = ("component", high)
    details["chance"] = ("component", chance)
    details["share"] = ("marginalisation", shares["share"])
    details["signal"] = ("marginalisation", shares["signal"])
    details["error"] = ("ridge", errors.mean(0))
    units = str(array.attrs["units"])
    return rows, details.assign_coords(ridge=RIDGES).assign_attrs(
        by=names, response_units=units, ridge_chosen=ridge, pooled=int(data.pooled), **size
    )


def _row(data: Conditions, quantity: str, value: float, condition: str, size: dict, **more) -> dict:
    """A row, or one without a value if it takes trials."""
    status = {} if data.repeated else {"status": "no_trials"}
    return row(quantity, value if data.repeated else np.nan, condition=condition, **(size | status | more))


def _regularisation(data: Conditions, rng) -> tuple[float, np.ndarray]:
    """λ, and the errors (split, ridge)."""
    if not data.repeated:
        return RIDGE_OF_AVERAGES, np.full((1, len(RIDGES)), np.nan)
    errors = demixing.reconstruction_errors(
        data.values,
        data.cell,
        data.shape,
        data.factors,
        RIDGES,
        rng,
        pooled=data.pooled,
        components=COMPONENTS,
    )
    return float(RIDGES[errors.mean(0).argmin()]), errors


def _halved(data: Conditions, rng) -> tuple[np.ndarray, np.ndarray]:
    """Centred averages of random halves of the trials of each cell."""
    order = rng.permutation(len(data.cell))
    order = order[np.argsort(data.cell[order], kind="stable")]
    rank = np.arange(len(order)) - (np.cumsum(data.counts) - data.counts)[data.cell[order]]
    # Of an odd number, the half that has one more is drawn as well.
    more = rng.integers(2, size=len(data.counts))[data.cell[order]]
    first = rank % 2 == more * (data.counts[data.cell[order]] > 1)
    return tuple(
        demixing.centred(demixing.averages(data.values[order[half]], data.cell[order[half]], data.shape))
        for half in (first, ~first)
    )


def _shares(data: Conditions, mean, rng, size) -> tuple[dict, list[dict]]:
    """Variance of each marginalisation and its signal; rows of both; the halves."""
    parts = demixing.marginalisations(mean, data.factors)
    pairs = [_halved(data, rng) for _ in range(HALVES)] if data.repeated else []
    axes = tuple(range(1, mean.ndim))
    of_unit = np.array([(part**2).sum(axes) for part in parts.values()])
    signal_of_unit = np.full_like(of_unit, np.nan)
    if pairs:
        divided = [[demixing.marginalisations(half, data.factors) for half in pair] for pair in pairs]
        signal_of_unit = np.array([np.mean([(a[k] * b[k]).sum(axes) for a, b in divided], axis=0) for k in parts])
    resampled = rng.integers(len(mean), size=(BOOTSTRAPS, len(mean)))
    total = of_unit.sum()
    drawn = of_unit.sum(0)[resampled].sum(1)
    rows = []
    for name, raw, signal in zip(parts, of_unit, signal_of_unit, strict=True):
        ci = [interval(values[resampled].sum(1) / drawn) for values in (raw, signal)]
        condition = f"marginalisation={name}"
        rows.append(row("variance", raw.sum() / total, condition=condition, ci=ci[0], **size))
        rows.append(_row(data, "signal variance", signal.sum() / total, condition, size, ci=ci[1]))
    return {"share": of_unit.sum(1) / total, "signal": signal_of_unit.sum(1) / total, "halves": pairs}, rows


def _components(data: Conditions, mean, found, halves, size) -> tuple[list, list[dict], xr.Dataset]:
    """Names and numbers of components, their rows, and what is drawn of them."""
    parts = demixing.marginalisations(mean, data.factors)
    x = demixing.centred(mean)
    total = (x**2).sum()
    names, rows, by, scores = [], [], [], []
    for name, axes in found.items():
        of_parts = np.array([demixing.captured(axes, part) for part in parts.values()]).T / total
        signal = np.full(len(axes.decoder), np.nan)
        if halves:
            signal = np.mean([demixing.captured(axes, *pair) for pair in halves], axis=0) / total
        for k in range(len(axes.decoder)):
            condition = f"marginalisation={name};component={k + 1}"
            variance = of_parts[k].sum()
            own = of_parts[k, list(parts).index(name)] / variance if variance > 0 else np.nan
            rows.append(row("variance of component", variance, condition=condition, **size))
            rows.append(_row(data, "signal variance of component", signal[k], condition, size))
            rows.append(row("purity of component", own, condition=condition, **size))
            names.append((name, k + 1))
        by.append(of_parts)
        scores.append(np.tensordot(axes.decoder, x, 1).reshape(len(axes.decoder), -1, x.shape[-1]))
    details = xr.Dataset(
        {
            "score": (("component", "cell", "time"), np.concatenate(scores)),
            "variance_by": (("component", "marginalisation"), np.concatenate(by)),
            "encoder": (("component", "unit"), np.concatenate([axes.encoder.T for axes in found.values()])),
            "decoder": (("component", "unit"), np.concatenate([axes.decoder for axes in found.values()])),
            "marginalisation_of": ("component", [name for name, _ in names]),
        },
        coords={
            "component": [f"{name} {k}" for name, k in names],
            "cell": data.names,
            "time": data.time,
            "marginalisation": list(parts),
            "unit": data.unit_id,
        },
    )
    return names, rows, details


def _tested(data: Conditions, name, ridge, count, permutable, rng, size) -> tuple[list[dict], np.ndarray, float]:
    """Rows of the axes of a marginalisation, their accuracy over time, and how high it is by chance at some time."""
    chance = 1 / dpca_axes.n_classes(data, name)
    pooled = " of pooled units" if data.pooled else ""
    told = [f"marginalisation={name};component={k + 1};chance={chance:.3g}" for k in range(count)]
    if not data.repeated:
        return [_row(data, f"accuracy of axis{pooled}", np.nan, t, size) for t in told], np.nan, np.nan
    constant = any(factor in data.constant for factor in name.split("×"))
    shuffles = dpca_axes.SHUFFLES if permutable and not constant else 0
    accuracy, null = dpca_axes.accuracies(data, name, ridge=ridge, components=count, shuffles=shuffles, rng=rng)
    rows = [
        row(
            f"accuracy of axis{pooled}",
            accuracy[k].mean(),
            condition=told[k],
            null=null[:, k].mean(1) if shuffles else None,
            **(size | ({"status": "constant_in_blocks;no_interval;no_ceiling"} if constant else {})),
        )
        for k in range(count)
    ]
    high = np.quantile(null.max(2), 0.95, axis=0) if shuffles else np.nan
    return rows, accuracy, high
