"""Alignment to events: spikes and continuous traces, cut into windows around onsets.

All times are seconds on one clock. A window ``(start, stop)`` is relative to the event, half-open: an event at
``start`` counts, one at ``stop`` does not.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from neurocompare.errors import UserError

MOST_BINS = 100_000
"""More bins than this are a mistake of units."""


def bin_edges(window: Sequence[float], width: float | None = None) -> np.ndarray:
    """Return the edges of the bins of a window.

    Parameters
    ----------
    window : sequence of two floats
        Start and stop in s from the event.
    width : float, optional
        Width of the bins in s; one bin without it.

    Returns
    -------
    array of shape (n_bins + 1,)
        Edges in s from the event.

    Raises
    ------
    UserError
        If the window is not two rising numbers, or is not a whole number of bins.
    """
    if len(window) != 2 or not np.isfinite(np.asarray(window, dtype=float)).all() or not window[0] < window[1]:
        raise UserError(f"window is {list(window)}; give two numbers in s from the event, the smaller first")
    start, stop = map(float, window)
    if width is None:
        return np.array([start, stop])
    if width <= 0:
        raise UserError(f"bin width is {width:g} s; give a positive number")
    count = round((stop - start) / width)
    if count > MOST_BINS:
        raise UserError(f"window of {stop - start:g} s has {count} bins of {width:g} s; both are in s, use wider bins")
    if count < 1 or abs(count * width - (stop - start)) > 1e-6 * width:
        raise UserError(
            f"window of {stop - start:g} s is not a whole number of bins of {width:g} s; change one of them"
        )
    return start + width * np.arange(count + 1)


def centres(edges: np.ndarray) -> np.ndarray:
    """Return the middles of bins, shape (n_bins,), rounded to the nanosecond."""
    return np.round((edges[1:] + edges[:-1]) / 2, 9)


def window_text(edges: Sequence[float]) -> str:
    """Return the attribute ``window`` of a recording: from the first to the last edge, in s from the event."""
    return f"{edges[0]:g} to {edges[-1]:g} s"


def spike_counts(units: Iterable[np.ndarray], onsets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count spikes in bins around events.

    Windows may overlap: a spike is then counted for each event that it belongs to.

    Parameters
    ----------
    units : iterable of array of shape (n_spikes,)
        Rising spike times in s, one array per unit; read one after another, so that a file can be streamed.
    onsets : array of shape (n_events,)
        Times of the events in s.
    edges : array of shape (n_bins + 1,)
        Rising edges of the bins in s from the event, such as those of `bin_edges`.

    Returns
    -------
    array of uint16 of shape (n_events, n_bins, n_units)
        Spike counts.

    Raises
    ------
    UserError
        If spike times of a unit are not rising or not finite.
    """
    # A nanosecond keeps spikes on an edge in the bin that begins there, whatever the last digit of a sum is.
    bounds = np.asarray(onsets, dtype=float)[:, None] + np.asarray(edges, dtype=float) - 1e-9
    counts = []
    for number, spikes in enumerate(units):
        spikes = np.asarray(spikes, dtype=float)
        if not np.isfinite(spikes).all() or np.any(np.diff(spikes) < 0):
            raise UserError(f"spike times of unit {number} are not rising finite numbers; sort or repair them")
        counts.append(np.diff(np.searchsorted(spikes, bounds), axis=1).astype(np.uint16))
    return np.stack(counts, axis=2) if counts else np.zeros((len(bounds), len(edges) - 1, 0), dtype=np.uint16)


def sample_ranges(timestamps: np.ndarray, onsets: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the samples of a trace that lie in bins around events.

    Parameters
    ----------
    timestamps : array of shape (n_samples,)
        Rising times of the samples in s.
    onsets : array of shape (n_events,)
        Times of the events in s.
    edges : array of shape (n_bins + 1,)
        Rising edges of the bins in s from the event.

    Returns
    -------
    first, last : arrays of int of shape (n_events, n_bins)
        Samples ``first`` to before ``last``; equal where a bin holds no sample.
    """
    found = np.searchsorted(timestamps, np.asarray(onsets)[:, None] + np.asarray(edges) - 1e-9)
    return found[:, :-1], found[:, 1:]


def window_means(trace: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Average a trace over ranges of samples.

    Parameters
    ----------
    trace : array or HDF5 dataset of shape (n_samples, n_units) or (n_samples,)
        The trace; only the samples needed are read, event by event.
    first, last : arrays of int of shape (n_events, n_bins)
        Ranges, as of `sample_ranges`.

    Returns
    -------
    array of float32 of shape (n_events, n_bins, n_units)
        Means over the samples that are not NaN; NaN where there is none.
    """
    n_units = trace.shape[1] if len(trace.shape) == 2 else 1
    means = np.full((*first.shape, n_units), np.nan, dtype=np.float32)
    for event in range(len(first)):
        low, high = first[event].min(), last[event].max()
        samples = np.asarray(trace[low:high], dtype=float).reshape(high - low, n_units)
        for b, (start, stop) in enumerate(zip(first[event] - low, last[event] - low, strict=True)):
            part = samples[start:stop]
            valid = np.isfinite(part)
            count = valid.sum(axis=0)
            total = np.where(valid, part, 0).sum(axis=0)
            means[event, b] = np.divide(total, count, out=np.full(n_units, np.nan), where=count > 0)
    return means
