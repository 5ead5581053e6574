"""What was recorded in an NWB 2 file: spikes of units and their electrodes, fluorescence of regions of interest."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from neurocompare.errors import UserError
from neurocompare.ingestion import events
from neurocompare.ingestion.nwb_conditions import label, meets, missing
from neurocompare.ingestion.nwb_tables import Table, find, interval_tables, response_series, text

BLOCK = 2**25
"""Bytes of fluorescence that are read at a time."""

# Intervals that touch, but for rounding, are one.
_TOUCH = 1e-6


class Neurons:
    """Units, or regions of interest, with the columns of their table and of their electrodes.

    Parameters
    ----------
    table : Table
        Their table.
    rows : array of int of shape (n,)
        Rows of the table.
    electrodes : Table, optional
        The electrodes.
    electrode : array of int of shape (n,), optional
        Row of the first electrode of each; -1 where there is none.
    place : array of str of shape (n,), optional
        Where they were recorded, according to the file; "" where it does not say.

    Attributes
    ----------
    ids : array of str of shape (n,)
        Their ids.
    area : array of str of shape (n,)
        Their areas, once they are set by `set_area`.
    """

    def __init__(self, table: Table, rows: np.ndarray, electrodes=None, electrode=None, place=None):
        self.table, self.rows = table, rows
        self._electrodes, self._electrode, self._place = electrodes, electrode, place
        self.ids = np.array([label(i) for i in table.column("id")[rows]])
        names, counts = np.unique(self.ids, return_counts=True)
        if len(names) and counts.max() > 1:
            raise UserError(f"{table.path}: id {names[counts.argmax()]} is twice in '{table.name}'; repair the file")
        self.area = np.full(len(rows), "")

    def column(self, name: str) -> np.ndarray:
        """Read a column of the table, of the electrodes (``electrodes.group_name``), or ``area``; shape (n,)."""
        if name.startswith("electrodes."):
            if self._electrodes is None or not (self._electrode >= 0).all():
                raise UserError(
                    f"{self.table.path}: '{name}' is asked for, but '{self.table.name}' does not name an electrode for "
                    f"each unit; its columns are {', '.join(self.table.columns)}"
                )
            return self._electrodes.column(name.partition(".")[2])[self._electrode]
        if name == "area" and "area" not in self.table:
            return self.area
        return self.table.column(name)[self.rows]

    def set_area(self, area: str | Mapping | None) -> None:
        """Set the areas.

        Parameters
        ----------
        area : str or mapping of str to mapping, optional
            A column; or else the one area of all; or conditions on columns by area. By default, what the file says.

        Raises
        ------
        UserError
            If the file does not say it, or the conditions do not give each of them one area.
        """
        n, where = len(self.rows), f"{self.table.path}: option 'area'"
        if isinstance(area, Mapping):
            hits = [meets(rule, self.column, n, f"{where}, area '{name}'") for name, rule in area.items()]
            several = np.sum(hits, axis=0) if hits else np.zeros(n)
            if np.any(several != 1):
                first = self.ids[np.argmax(several != 1)]
                raise UserError(f"{where}: {int(np.sum(several != 1))} units have no area or several (first: {first})")
            self.area = np.array([str(name) for name in area])[np.argmax(hits, axis=0)]
            return
        if area is not None and not (area in self.table or str(area).startswith("electrodes.")):
            self.area = np.full(n, str(area))
            return
        if area is None and self._place is None:
            raise UserError(
                f"{self.table.path}: the file does not say where the units of '{self.table.name}' were recorded; give "
                f"the option 'area', an area or one of the columns {', '.join(self.table.columns)}"
            )
        found = self._place if area is None else self.column(area)
        self.area = np.array(
            ["unknown" if gone else label(value) for value, gone in zip(found, missing(found), strict=True)]
        )


def units(file: h5py.File, path: Path) -> Neurons:
    """Return the units of a file.

    The place of a unit is the ``location`` of its first electrode (``electrodes``, or ``peak_channel_id``, which in
    files of the Allen Institute is the id of an electrode), or else that of its ``electrode_group``.

    Parameters
    ----------
    file : h5py.File
        The file.
    path : Path
        Its path, for messages.

    Returns
    -------
    Neurons
        All units.

    Raises
    ------
    UserError
        If the file has no spikes, or an id is there twice.
    """
    if "units" not in file or "spike_times" not in file["units"]:
        series = ", ".join(response_series(file)) or "none"
        columns = f", only {', '.join(Table(file['units'], path).columns)}" if "units" in file else ""
        raise UserError(f"{path}: no spike times in '/units'{columns}; set 'signal' to a series (there are: {series})")
    table = Table(file["units"], path)
    if table.ends("spike_times") is None:
        raise UserError(f"{path}: '/units/spike_times_index' is missing, so no spike belongs to a unit; another file")
    if "general/extracellular_ephys/electrodes" in file:
        electrodes = Table(file["general/extracellular_ephys/electrodes"], path)
        electrode = _first_electrodes(table, electrodes)
    else:
        electrodes = electrode = None
    place = None
    if electrode is not None and "location" in electrodes:
        locations = np.append(_words(electrodes.column("location")), "")
        place = locations[electrode]
    elif "electrode_group" in table.group and h5py.check_ref_dtype(table.group["electrode_group"].dtype):
        groups = [file[reference] for reference in table.group["electrode_group"][:]]
        place = np.array([text(group.attrs.get("location", "")) for group in groups])
    return Neurons(table, np.arange(len(table)), electrodes if electrode is not None else None, electrode, place)


def _words(values: np.ndarray) -> np.ndarray:
    return np.array(["" if gone else label(v) for v, gone in zip(values, missing(values), strict=True)])


def _first_electrodes(table: Table, electrodes: Table) -> np.ndarray | None:
    if "electrodes" in table:
        rows, ends = table.group["electrodes"][:].astype(np.int64), table.ends("electrodes")
        if ends is not None:
            starts = np.concatenate([[0], ends[:-1]]).astype(int)
            rows = np.where(starts < ends, np.append(rows, -1)[starts], -1)
        if np.any(rows >= len(electrodes)):
            raise UserError(
                f"{table.path}: '/units/electrodes' names rows that the electrodes do not have; damaged file"
            )
        return rows
    if "peak_channel_id" in table:
        peak, ids = table.numbers("peak_channel_id"), electrodes.numbers("id")
        order = np.argsort(ids)
        place = np.searchsorted(ids, peak, sorter=order)
        rows = order[np.minimum(place, len(ids) - 1)]
        return np.where(ids[rows] == peak, rows, -1)
    return None


def spike_trains(neurons: Neurons, kept: np.ndarray) -> Iterator[np.ndarray]:
    """Read spike times unit by unit.

    Parameters
    ----------
    neurons : Neurons
        The units.
    kept : array of int of shape (n_kept,)
        Which of them.

    Yields
    ------
    array of shape (n_spikes,)
        Spike times of one unit in s.

    Raises
    ------
    UserError
        If they do not rise, or are not finite.
    """
    times, ends = neurons.table.group["spike_times"], neurons.table.ends("spike_times")
    for k in kept:
        row = neurons.rows[k]
        spikes = times[ends[row - 1] if row else 0 : ends[row]]
        if not np.isfinite(spikes).all() or np.any(spikes[1:] < spikes[:-1]):
            raise UserError(
                f"{neurons.table.path}: spike times of unit {neurons.ids[k]} are not rising finite numbers; repair the "
                f"file, or leave the unit out with 'units: {{id: {{not: {neurons.ids[k]}}}}}'"
            )
        yield spikes


def spike_range(neurons: Neurons, kept: np.ndarray) -> tuple[float, float]:
    """Return the times of the first and the last spike of all units in `kept`, in s; infinite if there is none."""
    times, ends = neurons.table.group["spike_times"], neurons.table.ends("spike_times")
    starts = np.concatenate([[0], ends[:-1]]).astype(int)
    rows = [row for row in neurons.rows[kept] if ends[row] > starts[row]]
    if not rows:
        return -np.inf, np.inf
    return min(times[starts[row]] for row in rows), max(times[ends[row] - 1] for row in rows)


def observed(neurons: Neurons, kept: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray | None:
    """Find out which windows lie within the intervals in which units were observed.

    Parameters
    ----------
    neurons : Neurons
        The units.
    kept : array of int of shape (n_kept,)
        Which of them.
    start, stop : arrays of shape (n_windows,)
        The windows, in s.

    Returns
    -------
    array of bool of shape (n_windows, n_kept), or None
        None if the file does not say when units were observed.
    """
    ends = neurons.table.ends("obs_intervals") if "obs_intervals" in neurons.table else None
    if ends is None:
        return None
    intervals = neurons.table.group["obs_intervals"][:]
    found, known = np.empty((len(start), len(kept)), dtype=bool), {}
    for column, k in enumerate(kept):
        row = neurons.rows[k]
        own = intervals[ends[row - 1] if row else 0 : ends[row]].reshape(-1, 2)
        # Units of one recording mostly share their intervals.
        key = own.tobytes()
        if key not in known:
            known[key] = within(own, start, stop)
        found[:, column] = known[key]
    return found


def within(intervals: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return which windows lie within one of some intervals, or of several that touch.

    Parameters
    ----------
    intervals : array of shape (n_intervals, 2)
        Starts and stops in s.
    start, stop : arrays of shape (n_windows,)
        The windows, in s.

    Returns
    -------
    array of bool of shape (n_windows,)
        True for those within.
    """
    if not len(intervals):
        return np.zeros(len(start), dtype=bool)
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.concatenate([[True], intervals[1:, 0] > reach[:-1] + _TOUCH])
    begins, stops = intervals[first, 0], np.append(reach[:-1][first[1:]], reach[-1])
    place = np.searchsorted(begins, start + _TOUCH, side="right") - 1
    return (place >= 0) & (stop <= stops[place] + _TOUCH)


class Fluorescence:
    """A RoiResponseSeries: time × region of interest, read in blocks.

    Parameters
    ----------
    file : h5py.File
        The file.
    signal : str
        Path or name of the series.
    path : Path
        The file, for messages.

    Attributes
    ----------
    name : str
        Path of the series.
    times : array of shape (n_samples,)
        Times of the samples in s.
    neurons : Neurons
        The regions of interest, in the order of the series.
    """

    def __init__(self, file: h5py.File, signal: str, path: Path):
        series = response_series(file)
        if not series:
            tables = ", ".join(interval_tables(file)) or "none"
            raise UserError(
                f"{path}: '{signal}' is no series of fluorescence, and the file has none (interval tables: {tables})"
            )
        group = find(series, signal, "fluorescence series", path)
        self.name, self._data, rois = group.name, group["data"], group["rois"]
        self.times = _times(group, self._data, len(rois), path)
        shape = (len(self.times), len(rois))
        self._flipped = self._data.shape != shape and self._data.shape == shape[::-1]
        if self._data.shape != shape and not self._flipped and not (len(rois) == 1 and self._data.ndim == 1):
            raise UserError(
                f"{path}: data of '{self.name}' have the shape {self._data.shape}, not {shape[0]} samples × {shape[1]} "
                "regions of interest; the file is damaged"
            )
        if len(self.times) < 2 or not np.isfinite(self.times).all() or np.any(np.diff(self.times) <= 0):
            raise UserError(f"{path}: times of '{self.name}' are not rising finite numbers; repair the file")
        self.interval = float(np.median(np.diff(self.times)))
        self._scale = float(self._data.attrs.get("conversion", 1)), float(self._data.attrs.get("offset", 0))
        if "table" not in rois.attrs:
            raise UserError(f"{path}: '{self.name}/rois' does not say of which table it is a part; the file is damaged")
        table = Table(file[rois.attrs["table"]], path)
        plane = table.group.get("imaging_plane")
        place = None
        if isinstance(plane, h5py.Group) and "location" in plane:
            place = np.full(len(rois), text(plane["location"][()]))
        self.neurons = Neurons(table, rois[:].astype(np.int64), place=place)

    def _rows(self, low: int, high: int) -> np.ndarray:
        block = self._data[:, low:high].T if self._flipped else self._data[low:high]
        return block.reshape(high - low, -1)

    def covers(self, onsets: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Return which windows were recorded without a pause and have a sample in each bin; shape (n_events,).

        A pause is where samples are more than one and a half usual intervals apart.
        """
        first, last = events.sample_ranges(self.times, onsets, edges)
        pauses = np.flatnonzero(np.diff(self.times) > 1.5 * self.interval)
        begins = self.times[np.append(0, pauses + 1)]
        ends = self.times[np.append(pauses, len(self.times) - 1)] + self.interval
        inside = within(np.stack([begins, ends], axis=1), onsets + edges[0], onsets + edges[-1])
        return inside & (first < last).all(axis=1)

    def means(self, kept: np.ndarray, onsets: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Average the samples in bins around events.

        Parameters
        ----------
        kept : array of int of shape (n_kept,)
            Which regions of interest.
        onsets : array of shape (n_events,)
            Rising times of the events in s.
        edges : array of shape (n_bins + 1,)
            Edges of the bins in s from the event.

        Returns
        -------
        array of float32 of shape (n_events, n_bins, n_kept)
            Means over the samples that are not NaN, in the unit of the series; NaN where there is none.
        """
        first, last = events.sample_ranges(self.times, onsets, edges)
        means = np.empty((*first.shape, len(kept)), dtype=np.float32)
        most = max(1, BLOCK // (self._data.dtype.itemsize * len(self.neurons.ids)))
        event = 0
        while event < len(onsets):
            # As many events as lie in one block, however they overlap; each chunk is read about once.
            low = first[event].min()
            stop = max(event + 1, int(np.searchsorted(last.max(axis=1), low + most, side="right")))
            block = self._rows(low, last[event:stop].max())[:, kept]
            means[event:stop] = events.window_means(block, first[event:stop] - low, last[event:stop] - low)
            event = stop
        factor, offset = self._scale
        if (factor, offset) != (1, 0):
            means *= factor
            means += offset
        return means


def _times(group: h5py.Group, data: h5py.Dataset, n_rois: int, path: Path) -> np.ndarray:
    if "timestamps" in group:
        return group["timestamps"][:].astype(float)
    start = group.get("starting_time")
    rate = 0.0 if start is None else float(start.attrs.get("rate", 0))
    if not rate > 0:
        raise UserError(f"{path}: '{group.name}' has neither 'timestamps' nor 'starting_time' with a rate; no times")
    samples = data.shape[1] if data.ndim == 2 and data.shape[1] != n_rois == data.shape[0] else data.shape[0]
    return float(start[()]) + np.arange(samples) / rate
