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
        For frames: seconds from the onset.
    bin_width : float, optional
        For frames: width of the bins in s; by default the window is one bin and there is no axis of time.

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
    direction, frequency, onsets = direction[rows], frequency[rows], start[rows] / RATE
    if response == "sweeps":
        values, time, said = counts[kept], None, "onset to offset of the grating (2 s)"
    else:
        edges = events.bin_edges(window, bin_width)
        values = _frames(inputs.given(files, RASTER_FILE), onsets, edges, counts.shape[1])
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
            "block": presentations.epochs(onsets, gap=60),
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


def _frames(path: Path, onsets: np.ndarray, edges: np.ndarray, n_units: int) -> np.ndarray:
    """Count the spikes of the frames that begin in bins around onsets, shape (n_onsets, n_bins, n_units)."""
    with hdf5.opened(path) as file:
        raster = hdf5.dataset(file, "raster", ndim=2)
        if raster.shape[0] != n_units:
            raise UserError(f"{path}: 'raster' {raster.shape} is not cell × frame of {n_units} cells; another file")
        first, last = events.sample_ranges(np.arange(raster.shape[1]) / RATE, onsets, edges)
        if (last == first).any() or onsets.min() + edges[0] < 0 or onsets.max() + edges[-1] > raster.shape[1] / RATE:
            raise UserError(
                f"{path}: window {edges[0]:g} to {edges[-1]:g} s in {len(edges) - 1} bins leaves the recording, or has "
                f"bins without a frame; frames last {1 / RATE:.4f} s"
            )
        counts = np.empty((*first.shape, n_units))
        for event in range(len(first)):
            low = first[event, 0]
            frames = raster[:, low : last[event, -1]]
            # Bins follow each other without gaps.
            counts[event] = np.add.reduceat(frames, first[event] - low, axis=1).T
    return counts
