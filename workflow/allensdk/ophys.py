"""Two-photon experiments, as the SDK reads them.

Traces are read whole: the SDK cannot read cells in another order than that of the file.
"""

import types

import numpy as np
from program import Refused, one_line, tell

METADATA = {
    "experiment_container_id": "container",
    "session_type": "session_type",
    "targeted_structure": "area",
    "cre_line": "cre_line",
    "imaging_depth_um": "depth",
    "specimen_name": "specimen",
    "genotype": "genotype",
    "sex": "sex",
    "age_days": "age_days",
    "indicator": "indicator",
    "pipeline_version": "pipeline_version",
}


def export(group, number, folder, request):
    """Write one experiment.

    Parameters
    ----------
    group : h5py.Group
        Gets ``cell_specimen_ids`` (n_cells,), ``timestamps`` (n_samples,) in s, ``running_speed`` (n_samples,) in
        cm/s, ``stimuli/<name>/<column>``, and by the response that is wanted: ``dff`` or ``events``
        (n_samples, n_cells), or ``sdk`` (n_presentations, n_cells) in percent.
    number : int
        Id of the experiment.
    folder : Path
        Folder of the SDK's manifest.
    request : dict
        ``stimulus`` and ``response``: dff, events or sdk.

    Notes
    -----
    With natural_scenes the file also gets ``templates/natural_scenes`` (n_images, height, width).
    """
    from allensdk.core.brain_observatory_cache import BrainObservatoryCache

    cache = BrainObservatoryCache(manifest_file=str(folder / "manifest.json"))
    path = cache.get_nwb_filepath(number)
    if path is None:
        raise Refused(f"{folder}: the NWB file of experiment {number} is missing; fetch it again")
    try:
        data = cache.get_ophys_experiment_data(number)
        describe(group, data, number)
    except (OSError, KeyError) as error:
        cure = "remove it, to have it fetched again"
        raise Refused(f"{path}: not a readable NWB file of an experiment ({one_line(error)}); {cure}") from error
    stimulus = request["stimulus"]
    present = data.list_stimuli()
    if stimulus not in present:
        raise Refused(
            "option 'stimulus': experiment {} is of session {} and has no '{}'; it has {}".format(
                number, data.get_session_type(), stimulus, ", ".join(sorted(present))
            )
        )
    tables(group.create_group("stimuli"), data, stimulus)
    if stimulus == "natural_scenes":
        templates(group.file, data, number, stimulus)
    trace(group, data, lambda: cache.get_ophys_experiment_events(number), request["response"])
    speed(group, data, number)
    if request["response"] == "sdk":
        sweeps(group, data, stimulus)


def describe(group, data, number):
    """Write the metadata and the ids of the cells."""
    metadata = data.get_metadata()
    if metadata.get("ophys_experiment_id") != number:
        raise KeyError("it is experiment {}".format(metadata.get("ophys_experiment_id")))
    for key, name in METADATA.items():
        if metadata.get(key) is not None:
            group.attrs[name] = metadata[key]
    group.create_dataset("cell_specimen_ids", data=np.asarray(data.get_cell_specimen_ids(), dtype=np.int64))


def tables(group, data, wanted):
    """Write the stimulus tables, one dataset per column, rows in the order of time."""
    for name in data.list_stimuli():
        try:
            table = data.get_stimulus_table(name)
        except Exception as error:
            if name == wanted:
                raise
            tell(f"table of '{name}' left out: {one_line(error)}")
            continue
        for column in table.columns:
            values = np.asarray(table[column])
            whole = column in ("start", "end", "repeat", "frame")
            kind = np.int64 if whole else np.float64
            group.create_dataset(f"{name}/{column}", data=values.astype(kind))


def templates(file, data, number, stimulus):
    """Write the images, once for all experiments: all were shown the same, and ``frame`` counts them from 0."""
    name = "templates/" + stimulus
    if name in file:
        return
    try:
        images = data.get_stimulus_template(stimulus)
    except KeyError as error:
        # The responses can do without.
        tell(f"experiment {number}: no images of '{stimulus}' ({one_line(error)})")
        return
    chunks = (1, *images.shape[1:])
    dataset = file.create_dataset(name, data=images, chunks=chunks, compression="gzip", compression_opts=1)
    dataset.attrs["experiment"] = number


def trace(group, data, events, response):
    """Write the timestamps and the trace that is wanted, with samples first."""
    timestamps, values = data.get_dff_traces()
    if response == "events":
        values = events()
    if values.shape[0] != len(group["cell_specimen_ids"]):
        raise Refused("{} traces for {} cells".format(values.shape[0], len(group["cell_specimen_ids"])))
    # Some files have a sample more or less than timestamps.
    n_samples = min(values.shape[1], len(timestamps))
    if abs(values.shape[1] - len(timestamps)) > 5:
        raise Refused(f"{values.shape[1]} samples but {len(timestamps)} timestamps; another file")
    group.attrs["samples_without_time"] = int(values.shape[1] - n_samples)
    group.create_dataset("timestamps", data=np.asarray(timestamps[:n_samples], dtype=np.float64))
    if response != "sdk":
        values = np.ascontiguousarray(values[:, :n_samples].T, dtype=np.float32)
        rows = max(1, min(n_samples, (1 << 18) // max(1, values.shape[1])))
        chunks = (rows, values.shape[1])
        group.create_dataset(response, data=values, chunks=chunks, compression="gzip", compression_opts=1)


def speed(group, data, number):
    """Write the running speed at the times of the trace; NaN where it was not measured."""
    n_samples = len(group["timestamps"])
    values = np.full(n_samples, np.nan)
    try:
        measured = np.asarray(data.get_running_speed()[0], dtype=float)[:n_samples]
        values[: len(measured)] = measured
    except (KeyError, IndexError) as error:
        # The SDK aligns it by equal timestamps, which not all files have.
        tell(f"experiment {number}: no running speed that fits the timestamps ({one_line(error)})")
    group.create_dataset("running_speed", data=values)


def sweeps(group, data, stimulus):
    """Write the SDK's own mean response to each presentation, in percent of the fluorescence before it."""
    from allensdk.brain_observatory import stimulus_analysis
    from allensdk.brain_observatory.drifting_gratings import DriftingGratings
    from allensdk.brain_observatory.natural_scenes import NaturalScenes
    from allensdk.brain_observatory.static_gratings import StaticGratings

    classes = {
        "drifting_gratings": DriftingGratings,
        "static_gratings": StaticGratings,
        "natural_scenes": NaturalScenes,
    }
    if stimulus not in classes:
        cure = "use response: dff"
        raise Refused(f"option 'response': the SDK has no sweep response to '{stimulus}'; {cure}")
    # Its p-values, from a test for each cell and sweep, take most of the time and are not exported.
    stimulus_analysis.st = types.SimpleNamespace(f_oneway=lambda *samples: (np.nan, np.nan))
    analysis = classes[stimulus](data)
    values = analysis.mean_sweep_response.iloc[:, : analysis.numbercells]
    dataset = group.create_dataset("sdk", data=np.asarray(values, dtype=np.float64))
    dataset.attrs["rate"] = float(analysis.acquisition_rate)
    dataset.attrs["sweep_frames"] = int(analysis.sweeplength + analysis.extralength)
    dataset.attrs["baseline_frames"] = int(analysis.interlength)
