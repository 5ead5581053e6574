"""Mouse visual cortex under drifting gratings, Neuropixels: the demonstration of spyketools (Allen Institute).

1000 units, drawn at random from 32 sessions of Visual Coding, in 50 trials of 100 ms for each of four orientations:
a pseudo-population, as units of different sessions were never recorded together. Times of spikes are from the
beginning of the trial. Areas, animals and sessions of the units are not given.

Assumption: trials of an orientation are in the order of time; they are cut into four ``block``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import events, inputs, presentations

SPIKES_FILE = "spike_times.npy"
INDEX_FILE = "ii_spike_times.npy"
LABELS_FILE = "stim_label.npy"
DURATION = 0.1
N_BLOCKS = 4


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    window: Sequence[float] = (0.0, DURATION),
    bin_width: float | None = None,
) -> xr.DataArray:
    """Read the spike counts.

    Parameters
    ----------
    files : mapping of str to Path
        `SPIKES_FILE`, `INDEX_FILE` (first and last spike of each trial and unit), `LABELS_FILE`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    window : sequence of two floats
        Seconds from the beginning of the trial, within 0 to 0.1.
    bin_width : float, optional
        Width of the bins in s; by default the window is one bin and there is no axis of time.

    Returns
    -------
    DataArray of shape (200, [n_times,] 1000)
        Spike counts, the first trials of all orientations first. Along ``presentation`` also ``orientation``.

    Raises
    ------
    UserError
        If a file is missing, unreadable or not consistent with the others, or if the window does not fit.
    """
    path, index_path = inputs.given(files, SPIKES_FILE), inputs.given(files, INDEX_FILE)
    spikes, index = inputs.npy(path), inputs.npy(index_path)
    orientation = inputs.npy(inputs.given(files, LABELS_FILE))
    if (
        spikes.ndim != 1
        or index.ndim != 3
        or index.shape[0] != orientation.size
        or index.shape[2] != 2
        or index.dtype.kind not in "iu"
    ):
        raise UserError(
            f"{index_path}: shape {index.shape} is not trial × unit × 2 with the {orientation.size} trials of "
            f"{LABELS_FILE}; take all files from one place"
        )
    n_trials, n_units, _ = index.shape
    first, count = index[..., 0].ravel().astype(int), np.diff(index.astype(int), axis=2).ravel()
    if count.min() < 0 or first.min() < 0 or (first + count).max() > len(spikes):
        raise UserError(f"{index_path}: points outside the {len(spikes)} spikes of {path}; take both from one place")
    edges = events.bin_edges(window, bin_width)
    if edges[0] < 0 or edges[-1] > DURATION + 1e-9:
        raise UserError(f"{SPIKES_FILE}: window is {list(window)}; trials reach from 0 to {DURATION:g} s")
    # Spikes in the order of trials and units, with the trial and unit of each.
    cell = np.repeat(np.arange(len(count)), count)
    order = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    bin_ = np.searchsorted(edges - 1e-9, spikes[order], side="right") - 1
    inside = (bin_ >= 0) & (bin_ < len(edges) - 1)
    n_bins = len(edges) - 1
    counts = np.bincount(cell[inside] * n_bins + bin_[inside], minlength=len(count) * n_bins)
    counts = counts.reshape(n_trials, n_units, n_bins).astype(np.uint16).swapaxes(1, 2)
    repeat = presentations.repeats(orientation)
    by_repeat = np.lexsort((orientation, repeat))
    return representation.responses(
        counts[by_repeat] if bin_width is not None else counts[by_repeat, 0],
        presentation={
            "stimulus": np.array([f"orientation={o:05.1f}" for o in orientation[by_repeat]]),
            "repeat": repeat[by_repeat],
            "block": repeat[by_repeat] * N_BLOCKS // (repeat.max() + 1),
            "orientation": orientation[by_repeat].astype(float),
        },
        unit={
            "unit_id": np.array([f"unit-{i:03d}" for i in range(n_units)]),
            "area": np.full(n_units, "visual areas"),
            "animal": np.full(n_units, "one of 32"),
            "session": np.full(n_units, "one of 32"),
        },
        time=None if bin_width is None else events.centres(edges),
        attributes=about
        | {
            "response": "spike count",
            "window": events.window_text(edges),
            "exchangeable": "stimulus",
            "simultaneous": False,
        },
    )
