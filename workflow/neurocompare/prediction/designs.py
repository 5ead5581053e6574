"""Features of single presentations and of continuous recordings: behaviour, drift, history, and lags.

A design has one row for each presentation, or for each bin of time, and NaN where it is not known: before the
first presentation of a block there was no other, and a running wheel may have failed. `prediction.banded` puts
the mean of the training samples there.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurocompare.errors import UserError, unknown


def behaviour(recording: xr.DataArray, coordinates: Sequence[str]) -> np.ndarray:
    """Take coordinates of presentations as features.

    Parameters
    ----------
    recording : DataArray
        Responses; running speed, position and area of the pupil or other numbers are coordinates along
        ``presentation``.
    coordinates : sequence of str
        Their names.

    Returns
    -------
    array of shape (n_presentations, n_coordinates)
        As recorded; NaN where it is not known.

    Raises
    ------
    UserError
        If a coordinate does not exist, is no number, is never known, or does not vary.
    """
    known = [name for name, values in recording.coords.items() if values.dims == ("presentation",)]
    columns = []
    for name in coordinates:
        if name not in known:
            raise unknown("coordinate of the presentations", name, known)
        values = recording.coords[name].values
        if values.dtype.kind not in "fiub":
            raise UserError(f"coordinate '{name}' holds {values.dtype.name}, not numbers; choose another one")
        values = values.astype(float)
        finite = values[np.isfinite(values)]
        if finite.size < 2 or np.ptp(finite) <= 1e-12 * np.abs(finite).max():
            raise UserError(f"coordinate '{name}' does not vary, so it can't explain anything; leave it out")
        columns.append(np.where(np.isfinite(values), values, np.nan))
    return np.stack(columns, axis=1)


def drift(block: np.ndarray, components: int, within: str = "session") -> np.ndarray:
    """Describe slow changes over the presentations.

    Parameters
    ----------
    block : array of int of shape (n_presentations,)
        The block of each presentation, in the order in which they were shown.
    components : int
        Number of cosines, of half a cycle, one cycle, and so on.
    within : {"session", "block"}
        Whether the cosines run over all presentations, or over each block anew: a time course that all blocks
        have in common, which can be tested on a block that was left out.

    Returns
    -------
    array of shape (n_presentations, components)
        The cosines (the discrete cosine transform of type 2).

    Raises
    ------
    UserError
        If there are not more presentations than components, or `within` is something else.
    """
    if within not in ("session", "block"):
        raise unknown("stretch of a drift", within, ("session", "block"))
    parts = [np.arange(len(block))] if within == "session" else [np.flatnonzero(block == b) for b in np.unique(block)]
    shortest = min(len(part) for part in parts)
    if not 1 <= components < shortest:
        raise UserError(
            f"a drift of {components} components within {shortest} presentations; use at least one and fewer than these"
        )
    found = np.empty((len(block), components))
    for part in parts:
        place = (np.arange(len(part)) + 0.5) / len(part)
        found[part] = np.cos(np.pi * place[:, None] * np.arange(1, components + 1))
    return found


def history(features: np.ndarray, block: np.ndarray, back: int = 1) -> np.ndarray:
    """Take the features of what was shown before.

    Parameters
    ----------
    features : array of shape (n_presentations, n_features)
        Features of what was shown, in the order in which it was shown.
    block : array of int of shape (n_presentations,)
        The block of each presentation.
    back : int
        How many presentations ago.

    Returns
    -------
    array of shape (n_presentations, n_features)
        NaN for the first presentations of a block.

    Raises
    ------
    UserError
        If `back` is less than one, or no block is that long.
    """
    if back < 1:
        raise UserError(f"a history of {back} presentations ago is none; use 1 or more")
    found = np.full(features.shape, np.nan)
    for b in np.unique(block):
        mine = np.flatnonzero(block == b)
        found[mine[back:]] = features[mine[: len(mine) - back]]
    if np.isnan(found).all():
        raise UserError(f"a history of {back} presentations ago needs longer blocks; use fewer")
    return found


def lagged(stimulus: np.ndarray, lags: Sequence[int], run: np.ndarray | None = None) -> np.ndarray:
    """Put what was shown up to some time ago side by side, for spectro- or spatiotemporal receptive fields.

    Parameters
    ----------
    stimulus : array of shape (n_times, n_features)
        A continuous stimulus in equal bins of time: pixels, frequency bands, or the spikes of other units.
    lags : sequence of int
        Bins of time ago; negative ones look ahead, which is good for a control.
    run : array of shape (n_times,), optional
        Which recording each bin belongs to: nothing is carried over from one to the next.

    Returns
    -------
    array of shape (n_times, n_lags * n_features)
        Lag by lag; `filters` brings weights back into this order. NaN where a lag reaches beyond a run.

    Raises
    ------
    UserError
        If lags are repeated or missing, or longer than a run.

    Notes
    -----
    Neighbouring rows share most of their values. Hold out stretches of time with a gap that is longer than the
    largest lag and than the response lasts (`inference.continuous.gapped_folds`), never random bins.
    """
    stimulus = np.asarray(stimulus, dtype=float)
    if stimulus.ndim != 2 or not len(lags) or len(set(lags)) < len(lags):
        raise UserError(f"lagged: needs a stimulus (time, feature) and different lags, got {stimulus.shape} and {lags}")
    run = np.zeros(len(stimulus), dtype=int) if run is None else np.asarray(run)
    if run.shape != (len(stimulus),):
        raise UserError(f"lagged: {len(stimulus)} bins of the stimulus, but {run.shape} labels of runs")
    shortest = int(np.unique(run, return_counts=True)[1].min())
    if max(abs(lag) for lag in lags) >= shortest:
        raise UserError(f"lagged: lags {list(lags)} do not fit in a run of {shortest} bins; use shorter ones")
    found = np.full((len(stimulus), len(lags), stimulus.shape[1]), np.nan)
    for label in np.unique(run):
        mine = np.flatnonzero(run == label)
        for k, lag in enumerate(lags):
            at = np.arange(len(mine)) - lag
            inside = (at >= 0) & (at < len(mine))
            found[mine[inside], k] = stimulus[mine[at[inside]]]
    return found.reshape(len(stimulus), -1)


def filters(weights: np.ndarray, n_lags: int) -> np.ndarray:
    """Bring weights of a lagged design into the form of receptive fields.

    Parameters
    ----------
    weights : array of shape (n_lags * n_features, n_units)
        Primal weights.
    n_lags : int
        Number of lags.

    Returns
    -------
    array of shape (n_units, n_lags, n_features)
        One receptive field for each unit.
    """
    return weights.reshape(n_lags, -1, weights.shape[1]).transpose(2, 0, 1)


def binned(spikes: Sequence[np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Count the spikes of each unit in bins of time.

    Parameters
    ----------
    spikes : sequence of arrays of shape (n_spikes,)
        Times of the spikes of each unit in seconds, in any order.
    edges : array of shape (n_bins + 1,)
        Increasing edges of the bins in seconds; a bin holds its left edge.

    Returns
    -------
    array of int of shape (n_bins, n_units)
        Counts; spikes outside of the bins are left out.

    Raises
    ------
    UserError
        If edges do not increase.
    """
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise UserError("binned: edges of bins must be at least two increasing times in seconds")
    counts = [np.diff(np.searchsorted(np.sort(times), edges, side="left")) for times in spikes]
    return np.stack(counts, axis=1)
