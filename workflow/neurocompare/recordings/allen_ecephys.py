"""Allen Brain Observatory, Visual Coding, Neuropixels: up to six probes in mouse visual areas and thalamus.

From the export of the Allen SDK (Siegle et al. 2021). Spikes are counted from the onset of each presentation. Of some
intervals the source says that the stimulus, all probes or one of them failed: what they touch is left out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import allen_export, events
from neurocompare.ingestion.selection import Selection, excluded

WINDOWS = {
    "drifting_gratings": (0.0, 2.0),
    "static_gratings": (0.0, 0.25),
    "natural_scenes": (0.0, 0.25),
    "flashes": (0.0, 0.25),
    "gabors": (0.0, 0.25),
    "natural_movie_one": (0.0, 1 / 30),
    "natural_movie_three": (0.0, 1 / 30),
}
"""Seconds from onset: the duration of a presentation."""


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    stimulus: str,
    areas: Sequence[str] | None = None,
    window: Sequence[float] | None = None,
    bin_width: float | None = None,
    amplitude_cutoff: float = 0.1,
    presence_ratio: float = 0.95,
    isi_violations: float = 0.5,
    blanks: str = "drop",
    repeats: int | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Read the spike counts for one stimulus.

    Parameters
    ----------
    files : mapping of str to Path
        ``export.h5``.
    about : dict
        ``source``, ``citation``, ``license``; the checksums are those of the NWB files.
    stimulus : str
        drifting_gratings, static_gratings, natural_scenes, natural_movie_one, natural_movie_three, flashes, gabors.
    areas : sequence of str, optional
        Acronyms of areas to keep, such as VISp; by default all areas with a name.
    window : sequence of two floats, optional
        Seconds from onset; by default `WINDOWS`. The export has the spikes up to 5 s around stretches of the stimulus;
        presentations whose window leaves them are left out, and counted.
    bin_width : float, optional
        Width of bins in s; without it, one count for the window.
    amplitude_cutoff, isi_violations : float
        Units are kept up to these values.
    presence_ratio : float
        Units are kept from this value on.
    blanks : str
        Presentations of the grey screen: ``drop`` (they are counted) or ``keep`` (as stimulus ``blank``).
    repeats, seed : int
        With several sessions, trials per stimulus and the seed of their draw.

    Returns
    -------
    DataArray of shape (n_presentations, [n_bins,] n_units)
        In the order of time, those without spikes included. Along ``presentation`` also the conditions and
        ``start_time`` in s; along ``unit`` also ``probe`` and the metrics.

    Raises
    ------
    UserError
        If the export is another one, an option does not fit, or the window leaves the export at all presentations.
    """
    window = WINDOWS.get(stimulus) if window is None else window
    if window is None:
        raise UserError(f"option 'window' is missing: there is no usual one for '{stimulus}'; give two numbers in s")
    edges = events.bin_edges(window, bin_width)
    limits = {"amplitude_cutoff": amplitude_cutoff, "presence_ratio": presence_ratio, "isi_violations": isi_violations}
    attributes = (
        about
        | limits
        | {
            "response": "spike count",
            "exchangeable": "none" if stimulus.startswith("natural_movie") else "stimulus",
            "simultaneous": True,
            "window": f"{edges[0]:g} to {edges[-1]:g} s",
            "areas": ", ".join(areas) if areas else "all",
            "blanks": blanks,
        }
    )
    if stimulus in ("drifting_gratings", "static_gratings", "gabors"):
        attributes["orientation_period"] = 180.0
    keep = allen_export.keep_blanks(blanks)

    def read(group: h5py.Group, name: str) -> xr.DataArray:
        units = {key: values[()] for key, values in group["units"].items()}
        table = {key: values[()] for key, values in group["presentations"].items()}
        labels = {"animal": str(group.attrs["specimen"]), "session": name}
        attributes["session_type"] = str(group.attrs["session_type"])
        lacking = int(group["units"].attrs.get("without_metrics", 0))
        chosen = select_units(units, areas=areas, limits=limits, lacking=lacking)
        index, times = group["spikes/index"][()], group["spikes/times"]
        where = chosen.index(f"units of session {name}")
        order = np.argsort(table["start_time"], kind="stable")
        table = {column: np.asarray(values)[order] for column, values in table.items()}
        rows = select_presentations(group, table, edges, sorted(set(allen_export.text(units["probe"])[where])))
        spikes = (times[index[k] : index[k + 1]] for k in where)
        return counted(
            spikes, units, chosen, table, rows, stimulus, edges, keep=keep, labels=labels, attributes=attributes
        )

    recordings, sha256 = allen_export.members(files, "ecephys", stimulus, read)
    for recording in recordings:
        recording.attrs["sha256"] = sha256
    names = [*allen_export.CONDITIONS[stimulus], "orientation"]
    return allen_export.joined(recordings, names, repeats=repeats, seed=seed)


def select_units(
    units: Mapping[str, np.ndarray], *, areas: Sequence[str] | None, limits: Mapping[str, float], lacking: int = 0
) -> Selection:
    """Choose units by area and quality; what is left out is counted by reason.

    Parameters
    ----------
    units : mapping of str to array of shape (n_units,)
        ``area``, ``quality``, ``amplitude_cutoff``, ``presence_ratio`` and ``isi_violations``.
    areas : sequence of str, optional
        Areas to keep; by default all with a name.
    limits : mapping of str to float
        Greatest ``amplitude_cutoff`` and ``isi_violations``, smallest ``presence_ratio``.
    lacking : int
        Number of units that the source left out for want of a metric; they are counted too.

    Returns
    -------
    Selection
        Of the units.

    Raises
    ------
    UserError
        If an area is not there.
    """
    area = allen_export.text(units["area"])
    named = np.array([a not in ("", "nan", "None", "null") for a in area])
    for wanted in areas or ():
        if wanted not in set(area[named]):
            known = ", ".join(sorted(set(area[named]))) or "none"
            raise UserError(f"option 'areas': no unit is in '{wanted}'; there are units in {known}")
    chosen = Selection(len(area))
    if lacking:
        chosen.reasons["no metrics"] = lacking
    if "quality" in units:
        chosen.drop(allen_export.text(units["quality"]) != "good", "quality not good")
    chosen.drop(~named, "not in a named area")
    if areas:
        chosen.drop(~np.isin(area, list(areas)), "another area")
    # A missing metric passes no limit.
    for name in ("amplitude_cutoff", "isi_violations"):
        chosen.drop(~(np.asarray(units[name], dtype=float) <= limits[name]), f"{name} above {limits[name]:g}")
    name = "presence_ratio"
    return chosen.drop(~(np.asarray(units[name], dtype=float) >= limits[name]), f"{name} below {limits[name]:g}")


def select_presentations(
    group: h5py.Group, table: Mapping[str, np.ndarray], edges: np.ndarray, probes: Sequence[str]
) -> Selection:
    """Choose presentations by what the recording was like in their windows; what is left out is counted by reason.

    Parameters
    ----------
    group : h5py.Group
        A session, with ``invalid_times`` and with ``spikes/first`` and ``spikes/last``, between which spikes are kept.
    table : mapping of str to array of shape (n_presentations,)
        ``start_time`` in s, and ``valid``, which is False where the SDK masks the presentation itself.
    edges : array of shape (n_bins + 1,)
        Edges of the bins in s from onset; the window reaches from the first to the last.
    probes : sequence of str
        Names of the probes whose units are wanted.

    Returns
    -------
    Selection
        Of the presentations.

    Raises
    ------
    UserError
        If there is no presentation whose spikes are all in the export.
    """
    onset = np.asarray(table["start_time"], dtype=float)
    start, stop = onset + edges[0], onset + edges[-1]
    first, last = (group[f"spikes/{name}"][()] for name in ("first", "last"))
    # The stretch that the window begins in; a microsecond is what sums of times are off by at most.
    stretch = np.searchsorted(first, start + 1e-6, side="right") - 1
    leaves = (stretch < 0) | (stop > last[stretch] + 1e-6)
    if leaves.all():
        raise UserError(
            f"window of {edges[0]:g} to {edges[-1]:g} s leaves the exported spikes at all presentations: they reach "
            f"{group['spikes'].attrs['margin']:g} s beyond stretches of the stimulus; give a window nearer to the onset"
        )
    rows = Selection(len(onset)).drop(~np.asarray(table["valid"], dtype=bool), "invalid interval")
    invalid = group["invalid_times"]
    tags = [tag.split(",") for tag in allen_export.text(invalid["tags"][()])]
    reasons = {"stimulus": "invalid interval", "all_probes": "invalid interval of all probes"}
    # As the SDK warns of them: one of these among the tags, where a probe is called as in the table of units.
    for label in [*reasons, *probes]:
        concerned = np.array([label in found for found in tags], dtype=bool)
        begins, ends = (invalid[name][()][concerned] for name in ("start_time", "stop_time"))
        touched = (start[:, None] <= ends) & (stop[:, None] > begins)
        rows.drop(touched.any(axis=1), reasons.get(label, f"invalid interval of {label}"))
    return rows.drop(leaves, "window leaves the exported spikes")


def counted(spikes, units, chosen, table, rows, stimulus, edges, *, keep, labels, attributes) -> xr.DataArray:
    """Count the spikes of chosen units in presentations of one stimulus.

    Parameters
    ----------
    spikes : iterable of array of shape (n_spikes,)
        Rising spike times in s of each chosen unit.
    units : mapping of str to array of shape (n_units,)
        Columns of the table of units, with ``id`` and ``area``.
    chosen : Selection
        Of the units.
    table : mapping of str to array of shape (n_presentations,)
        Columns of the table of presentations of the stimulus, in the order of ``start_time``.
    rows : Selection
        Of the presentations, grey screens included.
    stimulus : str
        Its name.
    edges : array of shape (n_bins + 1,)
        Edges of the bins in s from onset.
    keep : bool
        Whether the grey screen is kept.
    labels : dict of str to str
        ``animal`` and ``session``.
    attributes : dict
        Of the recording; ``excluded`` is added.

    Returns
    -------
    DataArray of shape (n_presentations, [n_bins,] n_units)
        The recording.
    """
    ids, blank, columns = allen_export.conditions(stimulus, table)
    rows = rows if keep else rows.drop(blank, "blank")
    kept = rows.index(f"presentations of {stimulus} in session {labels['session']}")
    onset = np.asarray(table["start_time"], dtype=float)
    counts = events.spike_counts(spikes, onset[kept], edges)
    where = chosen.index("units")
    numbers = {
        name: np.asarray(values, dtype=float)[where]
        for name, values in units.items()
        if name not in ("id", "area") and np.asarray(values).dtype.kind in "fiub"
    }
    one = len(edges) == 2
    return representation.responses(
        counts[:, 0] if one else counts,
        presentation=allen_export.ordered(ids, onset, kept, table.get("stimulus_block"))
        | {column: values[kept] for column, values in columns.items()},
        unit={
            "unit_id": np.asarray(units["id"])[where].astype(str),
            "area": allen_export.text(units["area"])[where],
            "animal": np.full(len(where), labels["animal"]),
            "session": np.full(len(where), labels["session"]),
            "probe": allen_export.text(units["probe"])[where],
        }
        | numbers,
        time=None if one else events.centres(edges),
        attributes={"sha256": {}} | attributes | {"excluded": excluded(unit=chosen, presentation=rows)},
    )
