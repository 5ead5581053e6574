"""Neuropixels sessions, as the SDK reads them: all units and presentations, so that whatever is left out is counted."""

import numpy as np
from program import Refused, one_line

MARGIN = 5.0
"""Seconds of spikes kept before the first and after the last presentation of a stretch: a loader can't read more."""

UNIT_COLUMNS = {
    "ecephys_structure_acronym": "area",
    "structure_acronym": "area",
    "quality": "quality",
    "amplitude_cutoff": "amplitude_cutoff",
    "presence_ratio": "presence_ratio",
    "isi_violations": "isi_violations",
    "firing_rate": "firing_rate",
    "snr": "snr",
    "probe_vertical_position": "probe_vertical_position",
    "probe_description": "probe",
    "valid_data": "valid_channel",
}
NOT_CONDITIONS = {"stimulus_name", "start_time", "stop_time", "duration", "stimulus_condition_id", "color_triplet"}


def export(group, number, folder, request):
    """Write one session.

    Parameters
    ----------
    group : h5py.Group
        Gets ``units/<column>`` (n_units,), ``spikes/times`` (n_spikes,) in s with ``spikes/index`` (n_units + 1,),
        ``spikes/first`` and ``spikes/last`` (n_stretches,) in s, the rising intervals that spikes are kept of,
        ``presentations/<column>`` (n_presentations,) of the stimulus, with ``valid``, and ``invalid_times/<column>``
        (n_intervals,).
    number : int
        Id of the session.
    folder : Path
        Folder of the SDK's manifest.
    request : dict
        ``stimulus``.
    """
    from allensdk.brain_observatory.ecephys.ecephys_project_cache import EcephysProjectCache
    from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession

    # Only for its layout: nothing is asked of the warehouse. (The SDK's own offline variant cannot be constructed.)
    cache = EcephysProjectCache.from_warehouse(manifest=str(folder / "manifest.json"))
    path = cache.get_cache_path(None, cache.SESSION_NWB_KEY, number, number)
    everything = {
        "filter_by_validity": False,
        "filter_out_of_brain_units": False,
        "amplitude_cutoff_maximum": np.inf,
        "presence_ratio_minimum": -np.inf,
        "isi_violations_maximum": np.inf,
    }
    try:
        session = EcephysSession.from_nwb_path(path, api_kwargs=everything)
        found = session.ecephys_session_id
    except (OSError, KeyError, ValueError) as error:
        cure = "remove it, to have it fetched again"
        raise Refused(f"{path}: not a readable NWB file of a session ({one_line(error)}); {cure}") from error
    if found != number:
        raise Refused(f"{path}: it is session {found}, not {number}")
    group.attrs["session_type"] = str(session.session_type)
    group.attrs["specimen"] = str(session.specimen_name)
    group.attrs["genotype"] = str(session.full_genotype)
    group.attrs["sex"] = str(session.sex)
    group.attrs["age_days"] = float(session.age_in_days)
    table = presentations(session, request["stimulus"])
    write(group.create_group("presentations"), table)
    units(group, session)
    spikes(group, session, table)
    intervals(group, session)


def presentations(session, stimulus):
    """Return the rows of a stimulus in the order of time, with a column that tells which the SDK masks as invalid.

    The SDK blanks rows that touch an invalid interval, so that its table does not say which stimulus they were.
    """
    masked = session.stimulus_presentations
    # What the SDK has before it masks: names and columns are translated already.
    raw = session._build_stimulus_presentations(session.api.get_stimulus_presentations())
    names = raw["stimulus_name"]
    if stimulus not in set(names):
        known = ", ".join(sorted(set(map(str, names))))
        raise Refused(f"option 'stimulus': this session has no '{stimulus}'; it has {known}")
    rows = np.asarray(names == stimulus)
    table = raw[rows].copy()
    table["valid"] = np.asarray(masked["stimulus_name"] != "invalid_presentation")[rows]
    return table.sort_values("start_time", kind="stable")


def write(group, table):
    """Write presentations: numbers as numbers, 'null' as NaN; columns that hold other text stay text."""
    import pandas

    group.create_dataset("id", data=np.asarray(table.index, dtype=np.int64))
    group.create_dataset("valid", data=np.asarray(table["valid"], dtype=bool))
    for column in ("start_time", "stop_time"):
        group.create_dataset(column, data=np.asarray(table[column], dtype=np.float64))
    for column in table.columns:
        if column in NOT_CONDITIONS or column in group or column in ("tags", "timeseries", "stimulus_index"):
            continue
        text = table[column].astype(str)
        absent = text.isin(["null", "nan", "", "None", "<NA>"])
        numbers = pandas.to_numeric(text.where(~absent), errors="coerce")
        if absent.all():
            continue
        if (numbers.isna() == absent).all():
            group.create_dataset(column.lower(), data=np.asarray(numbers, dtype=np.float64))
        else:
            group.create_dataset(column.lower(), data=np.asarray(text.where(~absent, ""), dtype="S"))


def units(group, session):
    """Write the units in the order of their ids, with the metrics that a selection needs."""
    table = session.units.sort_index()
    group.create_dataset("units/id", data=np.asarray(table.index, dtype=np.int64))
    for column, name in UNIT_COLUMNS.items():
        if column not in table or "units/" + name in group:
            continue
        values = table[column]
        if values.dtype == object or values.dtype.name in ("string", "category"):
            values = values.where(values.notna(), "").astype(str)
            group.create_dataset("units/" + name, data=np.asarray(values, dtype="S"))
        else:
            group.create_dataset("units/" + name, data=np.asarray(values))
    # A unit without a metric passes no threshold of the SDK, not even an infinite one.
    group["units"].attrs["without_metrics"] = len(session.api.nwbfile.units) - len(table)


def spikes(group, session, table):
    """Write the spike times around the stretches of the stimulus."""
    start = np.asarray(table["start_time"], dtype=float)
    stop = np.asarray(table["stop_time"], dtype=float)
    cuts = np.flatnonzero(start[1:] - stop[:-1] > 2 * MARGIN)
    first = np.concatenate([start[:1], start[cuts + 1]]) - MARGIN
    last = np.concatenate([stop[cuts], stop[-1:]]) + MARGIN
    everything = session.spike_times
    kept = []
    for number in group["units/id"][()]:
        times = np.asarray(everything.get(number, []), dtype=np.float64)
        times = np.sort(times)
        low, high = np.searchsorted(times, first), np.searchsorted(times, last)
        kept.append(np.concatenate([times[low[k] : high[k]] for k in range(len(first))]))
    index = np.concatenate([[0], np.cumsum([len(times) for times in kept])])
    group.create_dataset("spikes/index", data=index.astype(np.int64))
    times = np.concatenate(kept) if kept else np.zeros(0)
    group.create_dataset("spikes/times", data=times, chunks=True, compression="gzip", compression_opts=1)
    group.create_dataset("spikes/first", data=first)
    group.create_dataset("spikes/last", data=last)
    group["spikes"].attrs["margin"] = MARGIN


def intervals(group, session):
    """Write the invalid intervals and what they concern: tags of scope, id and label, joined by commas.

    The label is ``stimulus``, ``all_probes`` or the name of a probe, as the column ``probe`` of the units has it.
    """
    table = session.invalid_times
    for column in ("start_time", "stop_time"):
        values = np.asarray(table[column], dtype=float) if len(table) else np.zeros(0)
        group.create_dataset("invalid_times/" + column, data=values)
    tags = [",".join(map(str, tags)) for tags in table["tags"]] if len(table) else []
    group.create_dataset("invalid_times/tags", data=np.asarray(tags, dtype="S"))
