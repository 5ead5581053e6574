"""Small files laid out as those of the Allen Institute: NWB 1 of two-photon sessions, NWB 2 of a Neuropixels session.

What is in them follows from the arguments, so that tests can compute by themselves what has to come out.
"""

import subprocess
from pathlib import Path

import h5py
import numpy as np

RATE = 30.0
CELLS = np.array([517500003, 517500001, 517500002])  # not sorted, as in the published files
CRE = "Cux2-CreERT2/wt;Camk2a-tTA/wt;Ai93(TITL-GCaMP6f)/Ai93(TITL-GCaMP6f)"
PIPELINE = "processing/brain_observatory_pipeline"
SESSIONS = {
    "three_session_A": ("drifting_gratings", "natural_movie_one"),
    "three_session_B": ("static_gratings", "natural_scenes"),
    "three_session_C2": ("natural_movie_two",),
}
IMAGES = np.random.default_rng(118).integers(0, 256, (118, 6, 9), dtype=np.uint8)  # natural scenes, but small
PAUSE = 900  # samples without a stimulus between epochs


def tables(session, seed=0):
    """Presentations by stimulus: columns of ``data``, and first and last sample of each, in two epochs."""
    rng = np.random.default_rng(seed)
    found, now = {}, 200
    for name in SESSIONS[session]:
        conditions, length, period = _conditions(name, rng)
        half = len(conditions) // 2
        start = np.concatenate([now + period * np.arange(half), np.zeros(len(conditions) - half, dtype=int)])
        start[half:] = start[half - 1] + period + PAUSE + period * np.arange(len(conditions) - half)
        found[name] = conditions, np.stack([start, start + length], axis=1)
        now = start[-1] + period + PAUSE
    return found, now + 200


def _conditions(name, rng):
    """Rows of a stimulus table, samples that a presentation lasts, and samples from one to the next."""
    if name == "drifting_gratings":
        # temporal_frequency, orientation, blank_sweep; NaN where the screen was grey
        grid = [(f, o, 0.0) for f in (1.0, 4.0) for o in (0.0, 90.0, 225.0)] * 3 + [(np.nan, np.nan, 1.0)] * 4
        return rng.permutation(np.array(grid)), 60, 90
    if name == "static_gratings":
        # orientation, spatial_frequency, phase
        grid = [(o, f, p) for o in (0.0, 30.0) for f in (0.02, 0.32) for p in (0.0, 0.25)] * 3
        return rng.permutation(np.array(grid + [(np.nan,) * 3] * 4)), 7, 7
    if name == "natural_scenes":
        return rng.permutation(np.repeat(np.arange(-1, 118), 2))[:, None].astype(float), 7, 7
    return np.tile(np.arange(20), 4)[:, None].astype(float), 1, 1


FEATURES = {
    "drifting_gratings": ["temporal_frequency", "orientation", "blank_sweep"],
    "static_gratings": ["orientation", "spatial_frequency", "phase"],
}


def write_ophys(path, number, *, session="three_session_A", area="VISp", container=511510000, depth=275, seed=0, **odd):
    """Write a two-photon session.

    ``surplus`` samples of dF/F without a time; ``late`` samples without a running speed at the start;
    ``swapped`` writes the first two presentations in the wrong order.
    """
    rng = np.random.default_rng([number, seed])
    presented, n = tables(session, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        time = 8.5 + np.arange(n) / RATE
        cells = CELLS + number % 1000
        raw = 200 + 50 * rng.random((len(cells), 1)) + rng.normal(0, 5, (len(cells), n))
        pupil = 100 + rng.normal(0, 2, (len(cells), n))
        dff = rng.normal(0, 0.1, (len(cells), n + odd.get("surplus", 0)))
        pipeline = file.create_group(PIPELINE)
        for name, values in (
            ("Fluorescence/imaging_plane_1", raw),
            ("Fluorescence/imaging_plane_1_demixed_signal", raw),
            ("Fluorescence/imaging_plane_1_neuropil_response", pupil),
            ("DfOverF/imaging_plane_1", dff),
        ):
            pipeline[f"{name}/data"], pipeline[f"{name}/timestamps"] = values.astype(np.float32), time
        pipeline["Fluorescence/imaging_plane_1_neuropil_response/r"] = np.full(len(cells), 0.5)
        pipeline["ImageSegmentation/cell_specimen_ids"] = cells
        pipeline["ImageSegmentation/roi_ids"] = cells + 7
        late = odd.get("late", 0)
        pipeline["BehavioralTimeSeries/running_speed/data"] = np.abs(rng.normal(5, 3, n))[late:]
        pipeline["BehavioralTimeSeries/running_speed/timestamps"] = time[late:]
        for name, (conditions, frames) in presented.items():
            if odd.get("swapped"):
                order = np.r_[1, 0, np.arange(2, len(frames))]
                conditions, frames = conditions[order], frames[order]
            group = file.create_group(f"stimulus/presentation/{name}_stimulus")
            group["data"] = conditions if name in FEATURES else conditions[:, 0].astype(int)
            group["frame_duration"] = frames
            if name in FEATURES:
                group["features"] = np.array(FEATURES[name], dtype="S")
        if "natural_scenes" in presented:
            file["stimulus/templates/natural_scenes_image_stack/data"] = IMAGES
        spontaneous = file.create_group("stimulus/presentation/spontaneous_stimulus")
        spontaneous["data"], spontaneous["frame_duration"] = np.array([1, -1]), np.array([[0, 0], [150, 150]])
        for name, value in {
            "general/session_id": str(number),
            "general/session_type": session,
            "general/experiment_container_id": str(container),
            "general/specimen_name": f"Cux2-CreERT2;Camk2a-tTA;Ai93-{container}",
            "general/fov": "400x400 microns (512 x 512 pixels)",
            "general/subject/age": "103 days",
            "general/subject/sex": "male",
            "general/subject/genotype": CRE,
            "general/optophysiology/imaging_plane_1/imaging depth": f"{depth} microns",
            "general/optophysiology/imaging_plane_1/location": area,
            "general/optophysiology/imaging_plane_1/indicator": "GCaMP6f",
            "general/optophysiology/imaging_plane_1/excitation_lambda": "910.0 nanometers",
            "general/devices/2-photon microscope": "Nikon A1R. CAM2P.1 Please refer to the white paper",
            "session_start_time": "2016-02-04 10:25:24",
        }.items():
            file[name] = np.bytes_(value)
        file["general/generated_by"] = np.array(["pipeline", "brain_observatory", "version", "3.0"], dtype="S")
    return path


def write_events(path, number):
    """Write the file of inferred events of a two-photon session: cells first, sparse, not negative."""
    with h5py.File(path.parents[1] / f"ophys_experiment_data/{number}.nwb", "r") as file:
        shape = file[f"{PIPELINE}/Fluorescence/imaging_plane_1/data"].shape
    rng = np.random.default_rng(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, ev=np.where(rng.random(shape) < 0.02, rng.random(shape), 0))
    return path


SPIKES = {  # seconds, by unit id; the third is silent while gratings are shown
    950911932: np.sort(np.random.default_rng(1).uniform(0, 100, 2000)),
    950911986: np.sort(np.random.default_rng(2).uniform(0, 100, 900)),
    950912018: np.array([1.0, 99.0]),
    950912100: np.sort(np.random.default_rng(3).uniform(0, 100, 500)),
    950912200: np.sort(np.random.default_rng(4).uniform(0, 100, 400)),
    950912300: np.sort(np.random.default_rng(5).uniform(0, 100, 300)),
    950912400: np.sort(np.random.default_rng(6).uniform(0, 100, 200)),
}
# area, amplitude cut-off, presence ratio, violations of the refractory period, quality
UNITS = {
    950911932: ("VISp", 0.05, 0.99, 0.1, "good"),
    950911986: ("VISl", 0.10, 0.95, 0.5, "good"),
    950912018: ("VISp", 0.01, 0.97, 0.0, "good"),
    950912100: ("VISp", 0.30, 0.99, 0.1, "good"),
    950912200: ("VISp", 0.05, 0.50, 0.1, "good"),
    950912300: ("VISp", 0.05, 0.99, 4.0, "good"),
    950912400: ("VISp", 0.05, 0.99, 0.1, "noise"),
}
# start, orientation, spatial frequency, phase, block
GRATINGS = [
    (10.0 + 0.25 * k + (30 if k >= 8 else 0), *condition, 3 if k < 8 else 7)
    for k, condition in enumerate(
        [("0.0", "0.04", "0.25"), ("30.0", "0.04", "0.25"), ("null", "null", "null"), ("0.0", "0.08", "0.25")] * 4
    )
]
# start, stop, scope, label: presentations 1, 9 and 15 of the gratings are touched by one of them each
INVALID = [
    (10.3, 10.45, "EcephysSession", "stimulus"),
    (42.3, 42.45, "EcephysSession", "all_probes"),
    (43.8, 43.95, "EcephysProbe", "probeB"),
]
PROBES = {"probeA": 810755797, "probeB": 810755799}  # areas: the units in VISl are on the second
SCENES = [(70.0 + 0.25 * k, str(float(frame)), 9) for k, frame in enumerate([0, 117, -1, 0, 5, 117])]
_WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from allen_nwb import _write_ecephys
_write_ecephys(sys.argv[1], int(sys.argv[3]))
"""


def write_ecephys(python, path, number=715093703):
    """Write a Neuropixels session, with the SDK's own types, by a Python that has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [python, "-E", "-s", "-B", "-W", "ignore", "-c", _WRITER, path, Path(__file__).parent, number]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path


def _write_ecephys(path, number):
    """Write the file; runs inside the environment of the SDK."""
    import datetime

    import pandas as pd
    import pynwb
    from allensdk.brain_observatory import dict_to_indexed_array
    from allensdk.brain_observatory.ecephys.nwb import EcephysSpecimen
    from allensdk.brain_observatory.ecephys.nwb_util import add_ecephys_electrodes, add_probe_to_nwbfile
    from allensdk.brain_observatory.nwb import add_invalid_times, create_stimulus_presentation_time_interval

    start = datetime.datetime(2019, 1, 19, 8, 54, 18, tzinfo=datetime.timezone.utc)  # noqa: UP017 (Python 3.8)
    file = pynwb.NWBFile("EcephysSession", str(number), start, stimulus_notes="brain_observatory_1.1")
    file.subject = EcephysSpecimen(
        subject_id="699733581",
        species="Mus musculus",
        age="P118D",
        sex="M",
        genotype="Sst-IRES-Cre/wt;Ai32(RCL-ChR2(H134R)_EYFP)/wt",
        specimen_name="Sst-IRES-Cre;Ai32-386129",
        strain="Transgenic",
        age_in_days=118.0,
    )
    for probe, probe_id in PROBES.items():
        file, _, group = add_probe_to_nwbfile(file, probe_id, 29999.9, 1249.9, True, probe)
        channels = []
        for k, (area, *_) in enumerate(UNITS.values()):
            if (area == "VISl") != (probe == "probeB"):
                continue
            place = {"probe_vertical_position": 20 * k, "probe_horizontal_position": 43, "probe_channel_number": k}
            ccf = {f"{axis}_ccf_coordinate": 1.0 for axis in ("anterior_posterior", "dorsal_ventral", "left_right")}
            more = {"valid_data": True, "structure_acronym": area, "filtering": "AP band", "impedance": 1.0}
            channels.append({"id": 850126378 + k, "probe_id": probe_id, **place, **ccf, **more})
        add_ecephys_electrodes(file, channels, group)
    rows = []
    for k, (unit, (_, cutoff, presence, violations, quality)) in enumerate(UNITS.items()):
        quantities = {"amplitude_cutoff": cutoff, "presence_ratio": presence, "isi_violations": violations}
        names = {"peak_channel_id": 850126378 + k, "local_index": k, "cluster_id": k, "quality": quality}
        rows.append({"id": unit, "firing_rate": 5.0, "snr": 2.0, **quantities, **names})
    file.units = pynwb.misc.Units.from_dataframe(pd.DataFrame(rows).set_index("id"), name="units")
    for column, values in (
        ("spike_times", SPIKES),
        ("spike_amplitudes", {unit: np.ones(len(times)) for unit, times in SPIKES.items()}),
        ("waveform_mean", {unit: np.zeros((3, 2)) for unit in SPIKES}),
    ):
        index, data = dict_to_indexed_array(values, file.units.id.data)
        file.units.add_column(name=column, description=column, data=data, index=index)
    tables = {
        "static_gratings": (["orientation", "spatial_frequency", "phase"], [(t, c[:3], c[3]) for t, *c in GRATINGS]),
        "natural_scenes": (["frame"], [(t, c[:1], c[1]) for t, *c in SCENES]),
    }
    for k, (name, (columns, shown)) in enumerate(tables.items()):
        said = ["start_time", "stop_time", "stimulus_name", "stimulus_block", "stimulus_index", *columns]
        table = create_stimulus_presentation_time_interval(f"{name}_presentations", name, said)
        for time, values, block in shown:
            # The published tables hold text, with 'null' where a parameter does not apply.
            given = {column: values[place] for place, column in enumerate(columns)}
            table.add_row(
                start_time=time,
                stop_time=time + 0.25,
                stimulus_name=name,
                stimulus_block=float(block),
                stimulus_index=k,
                tags=["stimulus_time_interval"],
                timeseries=[],
                **given,
            )
        file.add_time_intervals(table)
    intervals = [
        {"start_time": first, "end_time": last, "type": scope, "id": PROBES.get(label, number), "label": label}
        for first, last, scope, label in INVALID
    ]
    add_invalid_times(file, intervals)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
