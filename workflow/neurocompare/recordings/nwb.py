"""Any recording in an NWB 2 file: spikes or fluorescence, cut into windows around the events of a table of trials.

Neurodata Without Borders (Rübel et al. 2022, eLife 11:e78362) is the format of the DANDI archive. Nothing is guessed:
which table holds the presentations, what names a stimulus and which event is time 0 is said in the catalogue, with
the names that the file has. A name that the file does not have is answered with those that it has.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import events, inputs, nwb_signals
from neurocompare.ingestion.nwb_conditions import keep
from neurocompare.ingestion.nwb_tables import Table, find, interval_tables, opened, text
from neurocompare.ingestion.nwb_trials import RESERVED, Trials
from neurocompare.ingestion.selection import Selection, excluded

SPIKES = "spikes"
SERIES = ("fluorescence", "dF/F", "fluorescence change", "inferred spikes")
STEPS = ("subtract", "dF/F")


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    stimulus: str | Sequence[str],
    window: Sequence[float],
    trials: str = "trials",
    align: str | None = None,
    where: Mapping[str, object] | None = None,
    columns: Sequence[str] | Mapping[str, str] = (),
    radians: Sequence[str] = (),
    blanks: str = "drop",
    invalid_times: str = "drop",
    recorded: Sequence[float] | None = None,
    block: int | str | Mapping[str, float] = 4,
    bin_width: float | None = None,
    signal: str = SPIKES,
    response: str | None = None,
    baseline: Sequence[float] | Mapping[str, object] | None = None,
    units: Mapping[str, object] | None = None,
    unit_columns: Sequence[str] = (),
    observed: float = 0.0,
    silent: str = "keep",
    area: str | Mapping[str, Mapping] | None = None,
    animal: str | None = None,
    session: str | int | None = None,
    exchangeable: str = "stimulus",
) -> xr.DataArray:
    """Read the responses of the units of one file to the presentations in one of its tables.

    Parameters
    ----------
    files : mapping of str to Path
        One NWB 2 file, under any name.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    stimulus : str or sequence of str
        Columns whose values name the stimulus.
    window : sequence of two floats
        Start and stop in s from the event; half-open.
    trials : str
        Name or path of the table with a presentation in each row; a table of intervals or of events.
    align : str, optional
        Column with the time of the event; ``start_time`` (``timestamp`` in a table of events) by default.
    where : mapping of str to object, optional
        Conditions on columns that presentations have to meet, as in `nwb_conditions.keep`.
    columns : sequence of str or mapping of str to str
        Columns that become coordinates; a mapping gives them new names. ``name[k]`` is item k of a column with
        several values in a row.
    radians : sequence of str
        Columns that hold radians; they are kept in degrees, from 0 to below 360.
    blanks : str
        ``drop`` or ``keep`` presentations without a value in the columns of `stimulus`.
    invalid_times : str
        ``drop`` or ``keep`` presentations that overlap an interval of ``/intervals/invalid_times``.
    recorded : sequence of two floats, optional
        Start and stop of the recording in s, for files with spikes that do not say it.
    block : int, str or mapping
        Number of stretches of time of equal length, a column, or ``{gap: s}``: a longer pause begins a block.
    bin_width : float, optional
        Width of bins in s. Without it, one value for the whole window.
    signal : str
        ``spikes``, or name or path of a series of fluorescence.
    response : str, optional
        What a series holds, such as ``dF/F``; needed for a series.
    baseline : sequence of two floats or mapping, optional
        Window in s from the event, whose mean is subtracted from each presentation; or ``{window: …, step: dF/F}``,
        which also divides by it. For a series only.
    units : mapping of str to object, optional
        Conditions on columns of the units (regions of interest), on ``area``, or on ``electrodes.<column>``.
    unit_columns : sequence of str
        Columns of the units that become coordinates.
    observed : float
        Units are kept if they were observed in at least this fraction of the presentations, and in one at least.
    silent : str
        ``keep`` or ``drop`` units without a spike in any window.
    area : str or mapping, optional
        A column of the units or ``electrodes.<column>``; one area for all; or conditions on columns by area. By
        default the location of the electrode, or of the imaging plane.
    animal, session : str, optional
        By default, as in the file.
    exchangeable : str
        What a null may exchange.

    Returns
    -------
    DataArray of shape (n_presentations, [n_bins,] n_units)
        Spike counts, or means of the fluorescence, in the order of time. Along ``presentation`` also ``onset``, the
        time of the event in s.

    Raises
    ------
    UserError
        If the file is no NWB 2 file, lacks what is asked for, or is inconsistent, or if an option is out of range.
    """
    path = _only(files)
    edges, (base, step) = _edges(window, bin_width, path), _baseline(baseline, path)
    for option, value, known in (
        ("blanks", blanks, ("drop", "keep")),
        ("invalid_times", invalid_times, ("drop", "keep")),
        ("silent", silent, ("drop", "keep")),
        ("exchangeable", exchangeable, representation.EXCHANGEABLE),
    ):
        if value not in known:
            raise UserError(f"{path}: {unknown(f'value of the option {option!r}', str(value), known)}")
    if not _is_number(observed) or not 0 <= observed <= 1:
        raise UserError(f"{path}: option 'observed' is {observed!r}; give a fraction from 0 to 1")
    recorded = _pair(recorded, "recorded", path)

    with opened(path) as file:
        labels = _labels(file, path, animal, session)
        if signal == SPIKES:
            if base is not None or response not in (None, "spike count"):
                raise UserError(f"{path}: 'baseline' and 'response' are for a series; leave them out, or set 'signal'")
            series, response, neurons = None, "spike count", nwb_signals.units(file, path)
        else:
            if recorded is not None:
                raise UserError(f"{path}: 'recorded' is for spikes, a series says when it was recorded; leave it out")
            series = nwb_signals.Fluorescence(file, str(signal), path)
            response, neurons = _response(response, series), series.neurons
            _require_samples(series, edges, base)
        neurons.set_area(area)
        chosen = Selection(len(neurons.ids))
        keep(chosen, units or {}, neurons.column, f"{path}: option 'units'")
        kept = chosen.index(f"units of {path}")

        table = Table(find(interval_tables(file), trials, "interval table", path), path)
        shown = Trials(table, align=align, stimulus=stimulus, columns=columns, radians=radians)
        shown.select(where or {}, blanks=blanks)
        reach = edges[[0, -1]] if base is None else np.array([min(edges[0], base[0]), max(edges[-1], base[1])])
        if invalid_times == "drop":
            shown.drop_invalid(file, reach)
        if series is None:
            _drop_unrecorded(shown, reach, neurons, kept, recorded)
            kept = _drop_unobserved(shown, reach, neurons, chosen, observed)
            rows = shown.rows()
            values = events.spike_counts(nwb_signals.spike_trains(neurons, kept), shown.event[rows], edges)
            gone = values.sum(axis=(0, 1)) == 0 if silent == "drop" else np.zeros(len(kept), dtype=bool)
            reason = "no spikes"
        else:
            for part in (edges, base) if base is not None else (edges,):
                shown.selection.drop(~series.covers(shown.event, part), "window leaves the recording")
            rows = shown.rows()
            values = _fluorescence(series, kept, shown.event[rows], edges, base, step)
            lost = ~np.isfinite(values).any(axis=2).all(axis=1)
            shown.selection.drop(np.isin(np.arange(len(table)), rows[lost]), "no finite value of any unit")
            values = values[~lost] if lost.any() else values
            gone, reason = ~np.isfinite(values).all(axis=(0, 1)), "no finite value in a window"
        if gone.any():
            chosen.drop(np.isin(np.arange(len(neurons.ids)), kept[gone]), reason)
            kept = chosen.index(f"units of {path}")
            values = values[:, :, ~gone]
        unit = {
            "unit_id": np.array([f"{labels['animal']}-{labels['session']}-{i}" for i in neurons.ids[kept]]),
            "area": neurons.area[kept],
            **{name: np.full(len(kept), value) for name, value in labels.items()},
            **_unit_columns(unit_columns, neurons, kept),
        }
        attributes = {
            "response": "dF/F" if step == "dF/F" else response,
            "exchangeable": exchangeable,
            "simultaneous": True,
            "signal": "/units/spike_times" if series is None else series.name,
            "event": f"{shown.align} of {table.name}",
            "window": f"{edges[0]:g} to {edges[-1]:g} s",
        }
        if base is not None:
            formula = "(F - F0) / F0" if step == "dF/F" else "F - F0"
            attributes["baseline"] = f"{formula}, with F0 the mean from {base[0]:g} to {base[1]:g} s"
        return representation.responses(
            values if bin_width is not None else values[:, 0],
            presentation=shown.presentation(block),
            unit=unit,
            time=events.centres(edges) if bin_width is not None else None,
            attributes=about | attributes | {"excluded": excluded(unit=chosen, presentation=shown.selection)},
        )


def _only(files: Mapping[str, Path]) -> Path:
    if len(files) != 1:
        raise UserError(
            f"{', '.join(files) or 'no files'}: a recording is one NWB file; list one under 'files', and make the "
            "others recordings or sessions of their own"
        )
    return inputs.given(files, next(iter(files)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pair(value: object, option: str, path: Path) -> np.ndarray | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2 or not all(map(_is_number, value)):
        raise UserError(f"{path}: option '{option}' is {value!r}; give two numbers in s, the smaller first")
    if not value[0] < value[1]:
        raise UserError(f"{path}: option '{option}' is {list(value)}; give two numbers in s, the smaller first")
    return np.array(value, dtype=float)


def _edges(window: object, width: object, path: Path) -> np.ndarray:
    if width is not None and not _is_number(width):
        raise UserError(f"{path}: option 'bin_width' is {width!r}; give a number of s, or leave it out")
    window = _pair(window, "window", path)
    if window is None:
        raise UserError(f"{path}: option 'window' is empty; give two numbers in s from the event")
    try:
        return events.bin_edges(window, width)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _baseline(value: object, path: Path) -> tuple[np.ndarray | None, str]:
    step = "subtract"
    if isinstance(value, Mapping):
        if odd := set(value) - {"window", "step"}:
            raise UserError(f"{path}: option 'baseline': {unknown('key', sorted(odd)[0], ('window', 'step'))}")
        value, step = value.get("window"), value.get("step", step)
        if step not in STEPS:
            raise UserError(f"{path}: option 'baseline': {unknown('step', str(step), STEPS)}")
        if value is None:
            raise UserError(f"{path}: option 'baseline': 'window' is missing; give two numbers in s")
    return _pair(value, "baseline", path), step


def _response(response: object, series: nwb_signals.Fluorescence) -> str:
    """Return what a series holds; its name in the file cannot be relied on, so the catalogue has to say it."""
    path, known = series.neurons.table.path, SERIES
    if response is None:
        raise UserError(f"{path}: say what '{series.name}' holds with the option 'response', one of {', '.join(known)}")
    if response not in known:
        raise UserError(f"{path}: {unknown('response', str(response), known)}")
    return response


def _unit_columns(names: object, neurons: nwb_signals.Neurons, kept: np.ndarray) -> dict[str, np.ndarray]:
    where = f"{neurons.table.path}: option 'unit_columns'"
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{where} is {names!r}; give a list of columns")
    if taken := [name for name in names if name in RESERVED]:
        raise UserError(f"{where}: '{taken[0]}' is the name of a coordinate of its own; leave it out")
    return {name: neurons.column(name)[kept] for name in names}


def _drop_unrecorded(shown: Trials, reach: np.ndarray, neurons, kept: np.ndarray, recorded: np.ndarray | None) -> None:
    """Leave out presentations whose window leaves the recording of spikes."""
    start, stop = shown.event + reach[0], shown.event + reach[1]
    if recorded is not None:
        outside = ~nwb_signals.within(recorded[None], start, stop)
        shown.selection.drop(outside, "window leaves the recording")
    elif "obs_intervals" not in neurons.table:
        # Spikes do not tell when a recording ended, only that there was one from the first to the last of them.
        first, last = nwb_signals.spike_range(neurons, kept)
        shown.selection.drop((start < first) | (stop > last), "window not between the first and the last spike")


def _drop_unobserved(shown: Trials, reach: np.ndarray, neurons, chosen: Selection, least: float) -> np.ndarray:
    """Leave out units that were hardly observed, then presentations in which a unit was not; return the units."""
    what = f"units of {neurons.table.path}"
    kept = chosen.index(what)
    here = shown.selection.index(f"presentations of {shown.table.name} in {shown.table.path}")
    event = shown.event[here]
    seen = nwb_signals.observed(neurons, kept, event + reach[0], event + reach[1])
    if seen is None:
        return kept
    fraction = np.full(len(neurons.ids), 1.0)
    fraction[kept] = seen.mean(axis=0)
    chosen.drop(fraction == 0, "not observed in any window").drop(
        fraction < least, f"observed in less than {least:g} of the windows"
    )
    kept_now = chosen.index(what)
    unseen = np.zeros(len(shown.event), dtype=bool)
    unseen[here] = ~seen[:, np.isin(kept, kept_now)].all(axis=1)
    shown.selection.drop(unseen, "window in which a unit was not observed")
    return kept_now


def _require_samples(series: nwb_signals.Fluorescence, edges: np.ndarray, base: np.ndarray | None) -> None:
    width = min(float(np.diff(part).min()) for part in (edges, base) if part is not None)
    if width < series.interval * (1 - 1e-6):
        raise UserError(
            f"{series.neurons.table.path}: a bin, window or baseline of {width:g} s is shorter than the "
            f"{series.interval:.4g} s between samples of '{series.name}'; make it longer"
        )


def _fluorescence(series, kept, onset, edges, base, step) -> np.ndarray:
    values = series.means(kept, onset, edges)
    if base is not None:
        reference = series.means(kept, onset, base)
        values -= reference
        if step == "dF/F":
            if (reference <= 0).any():
                raise UserError(
                    f"{series.neurons.table.path}: the baseline of '{series.name}' is not positive everywhere, so that "
                    "it cannot divide; use 'step: subtract'"
                )
            values /= reference
    return values


def _labels(file: h5py.File, path: Path, animal: object, session: object) -> dict[str, str]:
    stored = {"animal": "general/subject/subject_id", "session": "general/session_id"}
    found = {}
    for name, given in (("animal", animal), ("session", session)):
        value = given if given is not None else text(file[stored[name]][()]) if stored[name] in file else ""
        if name == "session" and not str(value).strip() and "identifier" in file:
            value = text(file["identifier"][()])
        if not str(value).strip():
            raise UserError(f"{path}: no '{stored[name]}' in the file; give the option '{name}'")
        found[name] = str(value).strip()
    return found
