"""What the loaders of Allen Brain Observatory recordings share: the exported file, and what was presented.

The export is made inside the environment of the Allen SDK (``workflow/allensdk/``) and read here with h5py alone.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.ingestion import inputs, presentations, pseudopopulation

FILE = "export.h5"

CONDITIONS = {
    "drifting_gratings": ("direction", "temporal_frequency"),
    "static_gratings": ("orientation", "spatial_frequency", "phase"),
    "natural_scenes": ("frame",),
    "natural_movie_one": ("frame",),
    "natural_movie_two": ("frame",),
    "natural_movie_three": ("frame",),
    "flashes": ("color",),
    "gabors": ("x_position", "y_position", "orientation"),
}
"""What tells the presentations of each stimulus apart. The direction of a grating that drifts is 0 to 360."""

_FORMATS = {"direction": "05.1f", "orientation": "05.1f", "temporal_frequency": "04.1f"}
_FORMATS |= {"spatial_frequency": "04.2f", "phase": "04.2f"}


@contextlib.contextmanager
def opened(files: Mapping[str, Path], product: str, stimulus: str) -> Iterator[h5py.File]:
    """Open an export.

    Parameters
    ----------
    files : mapping of str to Path
        `FILE`.
    product : str
        ``"ophys"`` or ``"ecephys"``.
    stimulus : str
        The stimulus that was exported.

    Yields
    ------
    h5py.File
        The file.

    Raises
    ------
    UserError
        If the file is not such an export, also where that shows only while it is read.
    """
    path = inputs.given(files, FILE)
    try:
        with h5py.File(path, "r") as file:
            found = file.attrs["product"], file.attrs["stimulus"]
            if found != (product, stimulus):
                raise UserError(f"{path}: export of {' '.join(found)}, not of {product} {stimulus}; remove it")
            yield file
    except (OSError, KeyError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable export of the Allen SDK ({why}); remove it and run again") from error


def members(
    files: Mapping[str, Path], product: str, stimulus: str, read: Callable[[h5py.Group, str], xr.DataArray]
) -> tuple[list[xr.DataArray], dict[str, str]]:
    """Read all experiments of an export.

    Parameters
    ----------
    files : mapping of str to Path
        `FILE`.
    product : str
        ``"ophys"`` or ``"ecephys"``.
    stimulus : str
        The stimulus that was exported.
    read : callable
        Makes a recording of the group of one experiment, given its id.

    Returns
    -------
    recordings : list of DataArray
        In the order of the export.
    sha256 : dict of str to str
        Checksums of the files that the export was made from.

    Raises
    ------
    UserError
        If the file is not such an export.
    """
    with opened(files, product, stimulus) as file:
        sha256 = json.loads(file.attrs["sha256"])
        names = sorted(file["experiments"], key=int)
        return [read(file["experiments"][name], name) for name in names], sha256


def joined(recordings: list[xr.DataArray], names: Iterable[str], *, repeats: int | None, seed: int) -> xr.DataArray:
    """Return the one recording, or the pseudo-population of several, matched by stimulus.

    Parameters
    ----------
    recordings : list of DataArray
        One or more.
    names : iterable of str
        Coordinates that are the same for all presentations of a stimulus; the pool gets them back.
    repeats : int, optional
        Trials of each stimulus; by default as many as every recording has.
    seed : int
        Seed of the draw of trials.

    Returns
    -------
    DataArray
        The recording.
    """
    if len(recordings) == 1:
        return recordings[0]
    pooled = pseudopopulation.pool(recordings, match=["stimulus"], repeats=repeats, seed=seed)
    first = recordings[0]
    row = {stimulus: k for k, stimulus in enumerate(first.coords["stimulus"].values)}
    where = [row[stimulus] for stimulus in pooled.coords["stimulus"].values]
    kept = {n: ("presentation", first.coords[n].values[where]) for n in names if n in first.coords}
    return pooled.assign_coords(kept)


def conditions(stimulus: str, table: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Name what was presented.

    Parameters
    ----------
    stimulus : str
        Name of the stimulus, one of `CONDITIONS`.
    table : mapping of str to array of shape (n_presentations,)
        Columns of its table.

    Returns
    -------
    ids : array of str of shape (n_presentations,)
        ``image-007`` is row 7 of the stack of natural scenes, so that row k of the SDK's responses, which has the
        blank in row 0, is image k - 1; frames of movies count alike; gratings are named by their conditions;
        ``blank`` where the screen was grey.
    blank : array of bool of shape (n_presentations,)
        True for the grey screen.
    columns : dict of str to array of float of shape (n_presentations,)
        The conditions, NaN for the grey screen. Of drifting gratings ``orientation`` is ``direction`` modulo 180.

    Raises
    ------
    UserError
        If the stimulus is unknown, or its table lacks a column.
    """
    if stimulus not in CONDITIONS:
        raise UserError(f"option 'stimulus' is '{stimulus}'; use one of {', '.join(CONDITIONS)}")
    columns = {}
    for name in CONDITIONS[stimulus]:
        column = "orientation" if name == "direction" else name
        if column not in table:
            raise UserError(f"{FILE}: presentations of {stimulus} have no '{column}' (they have {', '.join(table)})")
        columns[name] = np.asarray(table[column], dtype=float)
    blank = np.isnan(np.stack(list(columns.values()))).any(axis=0)
    if "blank_sweep" in table:
        blank |= np.asarray(table["blank_sweep"]) == 1
    if "frame" in columns:
        blank |= columns["frame"] < 0
    if "direction" in columns:
        columns["orientation"] = columns["direction"] % 180
    columns = {name: np.where(blank, np.nan, values) for name, values in columns.items()}
    ids = [
        "blank" if grey else _named(stimulus, {name: columns[name][k] for name in CONDITIONS[stimulus]})
        for k, grey in enumerate(blank)
    ]
    return np.array(ids), blank, columns


def ordered(
    ids: np.ndarray, start: np.ndarray, kept: np.ndarray, block: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return ``stimulus``, ``repeat``, ``block`` and ``start_time`` of the presentations that are kept.

    Parameters
    ----------
    ids : array of str of shape (n_presentations,)
        What was presented, in the order of time, whether it is kept or not.
    start : array of shape (n_presentations,)
        Onsets in s. A pause of more than `PAUSE` begins another block.
    kept : array of int of shape (n_kept,)
        Positions of those that are kept.
    block : array of shape (n_presentations,), optional
        Number of the stretch, if the source gives it.

    Returns
    -------
    dict of str to array of shape (n_kept,)
        The coordinates; repeats are counted among those kept.
    """
    # Of all presentations: those that are left out are no pause.
    stretch = presentations.epochs(start, gap=PAUSE) if block is None else block
    return {
        "stimulus": ids[kept],
        "repeat": presentations.repeats(ids[kept]),
        "block": np.unique(stretch[kept], return_inverse=True)[1].astype(int),
        "start_time": start[kept],
    }


PAUSE = 10.0
"""Seconds. Epochs of a stimulus are minutes apart; dropped frames are a few seconds at most."""


def keep_blanks(blanks: str) -> bool:
    """Return whether presentations of the grey screen are kept; refuse anything but ``drop`` and ``keep``."""
    if blanks not in ("drop", "keep"):
        raise UserError(f"option 'blanks' is '{blanks}'; use drop or keep")
    return blanks == "keep"


def text(values: np.ndarray) -> np.ndarray:
    """Return strings that HDF5 gave as bytes."""
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(values)])


def _named(stimulus: str, values: dict[str, float]) -> str:
    if stimulus == "natural_scenes":
        return f"image-{int(values['frame']):03d}"
    if stimulus.startswith("natural_movie"):
        return f"frame-{int(values['frame']):04d}"
    return "-".join(f"{name}={value:{_FORMATS.get(name, 'g')}}" for name, value in values.items())
