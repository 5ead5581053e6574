"""Allen Brain Observatory, Visual Coding, two-photon: mouse visual areas, from the export of the Allen SDK.

Sessions of an hour at 30 Hz: A with drifting gratings, B with static gratings and natural scenes, C with sparse noise,
and movies in all of them (de Vries et al. 2020). Presentations are samples of the trace: their times are those of the
samples. Several experiments become one pseudo-population, as they were recorded one after another.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import allen_export, events
from neurocompare.ingestion.selection import Selection, excluded

RESPONSES = {"dff": "dF/F", "events": "inferred spikes", "sdk": "fluorescence change"}

WINDOWS = {"drifting_gratings": (0.0, 2.0), "static_gratings": (0.0, 0.5), "natural_scenes": (0.0, 0.5)}
"""Seconds from onset: while a grating drifts; twice the duration of what is flashed, as the SDK does."""

_NOT_ASKED = "cell that is not asked for"


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    stimulus: str,
    response: str = "dff",
    window: Sequence[float] | None = None,
    blanks: str = "drop",
    cells: Sequence[int] | None = None,
    repeats: int | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Read the responses to one stimulus.

    Parameters
    ----------
    files : mapping of str to Path
        ``export.h5``.
    about : dict
        ``source``, ``citation``, ``license``; the checksums are those of the NWB files.
    stimulus : str
        drifting_gratings, static_gratings, natural_scenes, natural_movie_one, _two or _three.
    response : str
        ``dff``: mean of the stored dF/F in the window. ``events``: mean of the inferred events. ``sdk``: the SDK's
        own sweep response, in % of the fluorescence before the presentation, in a window of its own.
    window : sequence of two floats, optional
        Seconds from onset; by default `WINDOWS`, and for movies the samples of the frame.
    blanks : str
        Presentations of the grey screen: ``drop`` (they are counted) or ``keep`` (as stimulus ``blank``).
    cells : sequence of int, optional
        Ids of cell specimens to keep, in this order; by default all, in the order of the files. Experiments with none
        of them are left out, and their cells counted.
    repeats, seed : int
        With several experiments, trials per stimulus and the seed of their draw.

    Returns
    -------
    DataArray of shape (n_presentations, n_cells)
        In the order of time. Along ``presentation`` also the conditions, ``running_speed`` in cm/s (the mean in the
        window, NaN where it was not measured) and ``start_time`` in s; along ``unit`` also ``container``, ``depth``
        in um, ``cre_line`` and ``cell_specimen_id``.

    Raises
    ------
    UserError
        If the export is another one, or an option does not fit.
    """
    if response not in RESPONSES:
        raise UserError(f"option 'response' is '{response}'; use one of {', '.join(RESPONSES)}")
    if response == "sdk" and (window is not None or stimulus not in WINDOWS):
        raise UserError(f"response sdk has its own window, and exists for {', '.join(WINDOWS)} only; use dff or events")
    cells = None if cells is None else _whole_numbers(cells)
    keep = allen_export.keep_blanks(blanks)
    movie = stimulus.startswith("natural_movie")
    edges = None if response == "sdk" else _edges(stimulus, window)
    attributes = about | {
        "response": RESPONSES[response],
        # Neighbouring frames of a movie resemble each other: they can't be shuffled.
        "exchangeable": "none" if movie else "stimulus",
        "simultaneous": True,
        "blanks": blanks,
    }
    if stimulus.endswith("gratings"):
        attributes["orientation_period"] = 180.0

    elsewhere = []

    def read(group: h5py.Group, name: str) -> xr.DataArray | None:
        if cells is not None and not set(cells) & set(group["cell_specimen_ids"][()].tolist()):
            elsewhere.append(len(group["cell_specimen_ids"]))
            return None
        return _experiment(group, name, stimulus, response, edges, keep, cells, attributes)

    recordings, sha256 = allen_export.members(files, "ophys", stimulus, read)
    recordings = [recording for recording in recordings if recording is not None]
    if cells is not None:
        _require_cells(cells, recordings)
    if elsewhere:
        counts = recordings[0].attrs["excluded"].setdefault("unit", {})
        counts[_NOT_ASKED] = counts.get(_NOT_ASKED, 0) + sum(elsewhere)
    for recording in recordings:
        recording.attrs["sha256"] = sha256
    names = [*allen_export.CONDITIONS[stimulus], "orientation"]
    return allen_export.joined(recordings, names, repeats=repeats, seed=seed)


def stimuli(files: Mapping[str, Path], *, crop: str | int = "middle") -> xr.DataArray:
    """Read the natural scenes, cut to squares.

    Their middle was in the middle of the screen.

    Parameters
    ----------
    files : mapping of str to Path
        ``export.h5`` of natural_scenes.
    crop : str or int
        Which square as high as the images: left, middle, right, or its first column of pixels, 0 to 256.

    Returns
    -------
    DataArray of shape (118, 918, 918, 1)
        uint8 grey levels, with the ids that `ingest` gives, and the attribute ``crop_pixels``.

    Raises
    ------
    UserError
        If the export is another one or has no images, or the square does not lie in them.
    """
    with allen_export.opened(files, "ophys", "natural_scenes") as file:
        if "templates/natural_scenes" not in file:
            raise UserError(
                f"{file.filename}: has no images, as no NWB file of its experiments has any; name other experiments"
            )
        images = file["templates/natural_scenes"]
        if images.ndim != 3 or images.dtype != np.uint8 or images.shape[1] > images.shape[2]:
            raise UserError(
                f"{file.filename}: 'templates/natural_scenes' is {images.dtype} {images.shape}, not uint8 images × "
                "rows × columns of pixels, wider than high; remove it and run again"
            )
        _, height, width = images.shape
        places = {"left": 0, "middle": (width - height) // 2, "right": width - height}
        if isinstance(crop, str) and crop not in places:
            raise unknown("crop", crop, places)
        first = places[crop] if isinstance(crop, str) else crop
        if not isinstance(first, int) or isinstance(first, bool) or not 0 <= first <= width - height:
            raise UserError(f"option 'crop' is {crop!r}; give one of {', '.join(places)}, or 0 to {width - height}")
        # Nothing but the square is ever in memory.
        cut = images[:, :, first : first + height]
    return xr.DataArray(
        cut[..., None],
        dims=("stimulus", "y", "x", "channel"),
        coords={"stimulus": allen_export.conditions("natural_scenes", {"frame": np.arange(len(cut))})[0]},
        attrs={"crop_pixels": f"{first} to {first + height} of {width}"},
    )


def _edges(stimulus: str, window: Sequence[float] | None) -> np.ndarray | None:
    """Return start and stop of the window in s, or None for the samples of the presentation itself."""
    if window is None:
        window = WINDOWS.get(stimulus)
    return None if window is None else events.bin_edges(window)


def _whole_numbers(cells: Sequence[int]) -> list[int]:
    """Return ids of cells as a list; refuse what is none."""
    found = list(cells) if isinstance(cells, list | tuple) else []
    if not found or not all(isinstance(cell, int) for cell in found) or len(set(found)) < len(found):
        raise UserError("option 'cells' is no list of ids; give one or more whole numbers, each once")
    return found


def _experiment(group, name, stimulus, response, edges, keep, cells, attributes) -> xr.DataArray:
    """Make a recording of one experiment, with those of the cells that it has."""
    ids = group["cell_specimen_ids"][()]
    units = Selection(len(ids))
    wanted = np.arange(len(ids))
    if cells is not None:
        place = {int(cell): k for k, cell in enumerate(ids)}
        wanted = np.array([place[cell] for cell in cells if cell in place], dtype=int)
        units.drop(~np.isin(np.arange(len(ids)), wanted), _NOT_ASKED)
    table = {column: values[()] for column, values in group["stimuli"][stimulus].items()}
    labels, blank, columns = allen_export.conditions(stimulus, table)
    timestamps = group["timestamps"][()]
    first, last, why, said = _samples(table, timestamps, edges, group["sdk"].attrs if response == "sdk" else None)
    rows = Selection(len(labels)).drop(why, "window outside the recording")
    rows = rows if keep else rows.drop(blank, "blank")
    speed = np.full(len(labels), np.nan)
    inside = np.flatnonzero(~why)
    speed[inside] = _means(group["running_speed"][()], first[inside], last[inside])[:, 0]
    values = np.full((len(labels), len(wanted)), np.nan, dtype=np.float32)
    if response == "sdk":
        values[:] = group["sdk"][()][:, wanted]
    else:
        values[inside] = _means(group[response][()], first[inside], last[inside])[:, wanted]
    rows.drop(~np.isfinite(values).any(axis=1), "no sample in the window")
    kept = rows.index(f"presentations of {stimulus} in experiment {name}")
    finite = np.isfinite(values[kept]).all(axis=0)
    units.drop(~np.isin(np.arange(len(ids)), wanted[finite]), "response not finite")
    units.index(f"cells of experiment {name}")
    wanted = wanted[finite]
    n_units = len(wanted)
    start = timestamps[np.clip(table["start"], 0, len(timestamps) - 1)]
    about_units = {key: group.attrs.get(key, "unknown") for key in ("container", "depth", "cre_line")}
    return representation.responses(
        values[kept][:, finite],
        presentation=allen_export.ordered(labels, start, kept)
        | {column: found[kept] for column, found in columns.items()}
        | {"running_speed": speed[kept]},
        unit={
            "unit_id": np.array([f"{name}-{cell}" for cell in ids[wanted]]),
            "area": np.full(n_units, str(group.attrs["area"])),
            "animal": np.full(n_units, str(group.attrs["specimen"])),
            "session": np.full(n_units, name),
            "cell_specimen_id": ids[wanted],
        }
        | {key: np.full(n_units, value) for key, value in about_units.items()},
        attributes=attributes
        | {
            "sha256": {},
            "window": said,
            "session_type": str(group.attrs["session_type"]),
            "samples_without_time": int(group.attrs.get("samples_without_time", 0)),
            "excluded": excluded(unit=units, presentation=rows),
        },
    )


def _samples(table, timestamps, edges, sweeps):
    """Find the samples of each presentation.

    Returns
    -------
    first, last : arrays of int of shape (n_presentations,)
        Samples ``first`` to before ``last``.
    outside : array of bool of shape (n_presentations,)
        True where they reach beyond the recording.
    said : str
        What the window is.
    """
    start, end = (np.asarray(table[key]) for key in ("start", "end"))
    n_samples = len(timestamps)
    if sweeps is not None:
        # The SDK slices without a look at the ends of the recording.
        last = start + int(sweeps["sweep_frames"])
        outside = (start < int(sweeps["baseline_frames"])) | (last > n_samples)
        seconds = [int(sweeps[key]) / float(sweeps["rate"]) for key in ("sweep_frames", "baseline_frames")]
        return start, last, outside, f"0 to {seconds[0]:.3f} s, relative to the mean of {seconds[1]:.3f} s before"
    if edges is None:
        last = np.maximum(end, start + 1)
        return start, last, (start < 0) | (last > n_samples), "the samples of the frame"
    onset = timestamps[np.clip(start, 0, n_samples - 1)]
    first, last = (found[:, 0] for found in events.sample_ranges(timestamps, onset, edges))
    step = np.median(np.diff(timestamps))
    outside = (start < 0) | (start >= n_samples)
    outside |= (onset + edges[0] < timestamps[0] - step / 2) | (onset + edges[1] > timestamps[-1] + 1.5 * step)
    return first, last, outside, f"{edges[0]:g} to {edges[1]:g} s"


def _means(trace: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return means of a trace over ranges of samples, shape (n_events, n_units)."""
    if not len(first):
        return np.zeros((0, trace.shape[1] if trace.ndim == 2 else 1), dtype=np.float32)
    return events.window_means(trace, first[:, None], last[:, None])[:, 0]


def _require_cells(cells: Sequence[int], recordings: list[xr.DataArray]) -> None:
    """Refuse ids that no experiment has."""
    found = {int(cell) for recording in recordings for cell in recording.coords["cell_specimen_id"].values}
    lacking = [cell for cell in cells if cell not in found]
    if lacking:
        raise UserError(f"option 'cells': no experiment has cell {lacking[0]} with a finite response; leave it out")
