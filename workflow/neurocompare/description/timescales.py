"""Intrinsic time scales: how long the fluctuations of a unit last (Murray et al. 2014, Nat Neurosci 17:1661).

The method is in `neurocompare.dynamics.courses`. Deviations of single trials from the mean of their stimulus are
correlated between bins, which does not hold what stimuli have in common. An exponential decay with an offset is fitted
to the correlation, from a lag of one bin on.
"""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.description.rows import options_of, require_needs, row
from neurocompare.dynamics import courses
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval

TAKES_GAPS = True
"""Every unit is described by its own trials."""

DESCRIPTIONS = {
    f"timescales-fit=exponential{option}": {
        "summary": f"intrinsic time scale of units, from the autocorrelation across trials{text}",
        "unit": "s",
        "direction": "higher",
        "needs": ["responses"],
    }
    for option, text in (("", ""), ("-window=before", ", before the onset"))
}
"""Ids; with ``window=before``, times before 0 are taken only."""

BOOTSTRAPS = 1000
FEWEST = 6
"""Bins, so that four lags or more have several pairs of bins."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe the time scales of units.

    Parameters
    ----------
    array : DataArray
        Single trials with a time axis in equal steps; several trials of some stimuli. Gaps are allowed.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    rows : list of dict
        ``intrinsic time scale, median of units`` of the units that have one; ``intrinsic time scale of the mean``, of
        the autocorrelation averaged over units, with intervals over units; and ``units with a time scale``, a share:
        the correlation of the others does not fall, or only beyond the longest lag.
    details : Dataset
        ``autocorrelation`` and ``fitted`` (unit, lag), ``time_scale`` (unit) in s; ``lag`` in s.

    Raises
    ------
    UserError
        If the id is unknown, or there are no single trials, no time axis or too few bins.
    """
    options = options_of(description_id, {"fit": ("exponential",), "window": ("before",)}, optional=("window",))
    require_needs(array, description_id, ["responses"])
    if "average" in array.attrs:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    if "time" not in array.dims:
        raise UserError(f"{description_id} needs responses over time; give the recording a 'bin_width'")
    time = array.coords["time"].values.astype(float)
    used = np.flatnonzero(time < 0) if "window" in options else np.arange(len(time))
    steps = np.diff(time[used])
    if len(used) < FEWEST or np.ptp(steps) > 1e-6 * steps.max():
        raise UserError(
            f"{description_id}: {len(used)} bins{' before 0' if 'window' in options else ''}, or bins at unequal "
            f"distances; {FEWEST} at equal distances are needed"
        )
    stimulus = array.coords["stimulus"].values.astype(str)
    correlation = courses.autocorrelation(array.values[:, used], stimulus)
    lags = np.arange(len(used))
    # Of the longest lags, there are few pairs of bins.
    kept = lags[1 : max(len(used) * 3 // 4, 5)]
    lag, weight = kept * steps.mean(), len(used) - kept
    correlation = correlation[:, kept]
    there = np.isfinite(correlation).all(1)
    if not there.any():
        raise UserError(
            f"{description_id}: no unit varies around the mean of its stimuli in all bins; trials of the same stimulus "
            "are needed"
        )
    fits = [courses.decay(line, lag, weight) for line in correlation]
    scale = np.array([fit.time_scale for fit in fits])
    found = np.isfinite(scale)
    size = {
        "n_stimuli": len(np.unique(stimulus)),
        "n_units": array.sizes["unit"],
        "n_trials": representation.most_trials(array),
    }
    rng = np.random.default_rng([seed, 13])
    told = f"lags={lag[0]:.4g} to {lag[-1]:.4g} s;units={int(found.sum())} of {len(fits)}"
    rows = [_median(scale[found], told, rng, size), _of_mean(correlation[there], lag, weight, rng, size)]
    rows.append(row("units with a time scale", found.mean(), **size))
    details = xr.Dataset(
        {
            "autocorrelation": (("unit", "lag"), correlation),
            "fitted": (("unit", "lag"), np.array([fit.at(lag) for fit in fits])),
            "time_scale": ("unit", scale),
        },
        coords={"unit": array.coords["unit_id"].values.astype(str), "lag": lag},
    )
    return rows, details


def _median(scale, told, rng, size) -> dict:
    if not len(scale):
        return row("intrinsic time scale, median of units", np.nan, unit="s", condition=told, **size)
    draws = np.median(scale[rng.integers(len(scale), size=(BOOTSTRAPS, len(scale)))], axis=1)
    return row(
        "intrinsic time scale, median of units", np.median(scale), unit="s", condition=told, ci=interval(draws), **size
    )


def _of_mean(correlation, lag, weight, rng, size) -> dict:
    fit = courses.decay(correlation.mean(0), lag, weight)
    n = len(correlation)
    resampled = rng.integers(n, size=(200, n))
    draws = np.array([courses.decay(correlation[chosen].mean(0), lag, weight).time_scale for chosen in resampled])
    whole = np.isfinite(draws).all() and n > 1
    told = f"lags={lag[0]:.4g} to {lag[-1]:.4g} s;offset={fit.offset:.3g}"
    return row(
        "intrinsic time scale of the mean",
        fit.time_scale,
        unit="s",
        condition=told,
        ci=interval(draws) if whole else (np.nan, np.nan),
        status=fit.status or None,
        **size,
    )
