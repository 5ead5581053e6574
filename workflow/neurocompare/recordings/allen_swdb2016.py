"""Mouse V1 under drifting gratings, two-photon imaging: derivatives of Allen experiment 501574836 (SWDB 2016).

Session A in a Cux2 mouse, 275 µm deep in VISp: 8 directions × 5 temporal frequencies, 2 s each. The course's students
inferred spikes from the fluorescence of 242 cells (one of the 243 was left out; which is not known, so that cells are
numbered). Counts of all 628 sweeps are at hand, but labels of only the first 30 and the last 30, from a printed table:
58 gratings and 2 blank sweeps. These two stretches, an hour apart, are the blocks.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import events, hdf5, inputs, presentations
from neurocompare.ingestion.selection import Selection, excluded

COUNTS_FILE = "dg_spikecounts_628x242.npy"
TABLE_FILE = "stimulus_table_60_of_628.csv"
SELECTIVITY_FILE = "dsi_242.npy"
RASTER_FILE = "observatory_raster.mat"
RATE = 30.03
"""Frames per second."""

_COLUMNS = ("trial", "temporal_frequency", "orientation", "blank_sweep", "start", "end")


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    response: str = "sweeps",
    window: Sequence[float] = (0.0, 2.0),
    bin_width: float | None = None,
) -> xr.DataArray:
    """Read the inferred spikes of the labelled gratings.

    Parameters
    ----------
    files : mapping of str to Path
        `COUNTS_FILE`, `TABLE_FILE`, `SELECTIVITY_FILE`; for frames `RASTER_FILE`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    response : {"sweeps", "frames"}
        ``sweeps``: spikes of the whole sweep, as stored. ``frames``: spikes of the frames in bins around its onset.
    window : sequence of two floats
        For frames: seconds from the onset. It begins with a frame, the nearest one.
    bin_width : float, optional
        For frames: width of the bins in s; by default the window is one bin and there is no axis of time. All bins hold
        the same number of frames, so it has to be a whole number of frames to within 1 %; ``time`` and the attribute
        ``window`` are those of the frames.

    Returns
    -------
    DataArray of shape (58, [n_times,] 242)
        Inferred spikes. Along ``presentation`` also ``direction`` and ``orientation`` in degrees,
        ``temporal_frequency`` in Hz and ``sweep``; along ``unit`` also ``direction_selectivity``.

    Raises
    ------
    UserError
        If a file is missing, unreadable or another one, or if an option is out of its range.
    """
    if response not in ("sweeps", "frames"):
        raise unknown("response", str(response), ["sweeps", "frames"])
    path = inputs.given(files, COUNTS_FILE)
    counts = inputs.npy(path)
    sweep, frequency, direction, blank, start, _ = _table(inputs.given(files, TABLE_FILE))
    selectivity = inputs.npy(inputs.given(files, SELECTIVITY_FILE))
    if counts.ndim != 2 or selectivity.shape != counts.shape[1:] or not 0 <= sweep.min() <= sweep.max() < len(counts):
        raise UserError(
            f"{path}: shape {counts.shape} is not sweep × cell with the {selectivity.size} cells of {SELECTIVITY_FILE} "
            f"and the sweeps of {TABLE_FILE}; take all files from one place"
        )
    label = np.full(len(counts), -1)
    label[sweep.astype(int)] = np.arange(len(sweep))
    selection = Selection(len(counts)).drop(label < 0, "label not preserved")
    selection.drop(np.where(label < 0, 0, blank[label]), "blank sweep")
    kept = selection.index(f"sweeps of {path}")
    rows = label[kept]
    direction, frequency, start = direction[rows], frequency[rows], start[rows]
    if response == "sweeps":
        values, time, said = counts[kept], None, "onset to offset of the grating (2 s)"
    else:
        path = inputs.given(files, RASTER_FILE)
        frames = _frames(path, window, bin_width)
        values = _counts(path, start.astype(int), frames, counts.shape[1])
        edges = frames / RATE
        time, said = None if bin_width is None else events.centres(edges), events.window_text(edges)
        values = values[:, 0] if time is None else values
    stimulus = np.array(
        [f"direction={d:05.1f}-temporal_frequency={f:04.1f}" for d, f in zip(direction, frequency, strict=True)]
    )
    n_units = counts.shape[1]
    return representation.responses(
        values,
        presentation={
            "stimulus": stimulus,
            "repeat": presentations.repeats(stimulus),
            "block": presentations.epochs(start / RATE, gap=60),
            "direction": direction,
            "orientation": direction % 180,
            "temporal_frequency": frequency,
            "sweep": kept,
        },
        unit={
            "unit_id": np.array([f"501574836-{i:03d}" for i in range(n_units)]),
            "area": np.full(n_units, "VISp"),
            "animal": np.full(n_units, "mouse of 501574836"),
            "session": np.full(n_units, "501574836"),
            "direction_selectivity": selectivity,
        },
        time=time,
        attributes=about
        | {
            "response": "inferred spikes",
            "window": said,
            "exchangeable": "stimulus",
            "simultaneous": True,
            "excluded": excluded(presentation=selection),
        },
    )


def _table(path: Path) -> np.ndarray:
    """Read the columns of the table of stimuli, each a row of the result."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = np.array([[float(row[name]) for row in rows] for name in _COLUMNS])
        if not rows or not np.isfinite(columns[[0, 3, 4, 5]]).all():
            raise ValueError("no rows, or one without trial, blank_sweep, start or end")
        return columns
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a table with columns {', '.join(_COLUMNS)} ({why}); fetch it again") from error


def _frames(path: Path, window: Sequence[float], bin_width: float | None) -> np.ndarray:
    """Return the frames, counted from the onset, with which bins begin and the last one ends; shape (n_bins + 1,)."""
    edges = events.bin_edges(window, bin_width)
    width = (edges[1] - edges[0]) * RATE
    size = round(width)
    if abs(size - width) > 0.01 * width:
        raise UserError(
            f"{path}: a bin of {width / RATE:g} s holds {width:.4g} frames, no whole number of them; change 'window' "
            f"or 'bin_width' to a multiple of {1 / RATE:.4f} s"
        )
    # Bins of the same width in s would hold now fewer, now more frames.
    return round(edges[0] * RATE) + size * np.arange(len(edges))


def _counts(path: Path, onsets: np.ndarray, frames: np.ndarray, n_units: int) -> np.ndarray:
    """Count the spikes in bins of frames around the frames of onsets, shape (n_onsets, n_bins, n_units)."""
    with hdf5.opened(path) as file:
        raster = hdf5.dataset(file, "raster", ndim=2)
        if raster.shape[0] != n_units:
            raise UserError(f"{path}: 'raster' {raster.shape} is not cell × frame of {n_units} cells; another file")
        if onsets.min() + frames[0] < 0 or onsets.max() + frames[-1] > raster.shape[1]:
            raise UserError(
                f"{path}: window {frames[0] / RATE:.4g} to {frames[-1] / RATE:.4g} s leaves the recording; make it "
                "shorter"
            )
        counts = np.empty((len(onsets), len(frames) - 1, n_units))
        for event, onset in enumerate(onsets):
            part = raster[:, onset + frames[0] : onset + frames[-1]]
            counts[event] = part.reshape(n_units, len(frames) - 1, -1).sum(axis=2).T
    return counts
