"""Small NWB 2 files in the layouts of published ones, written by pynwb, the reference implementation."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from conftest import ABOUT
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import SpatialSeries
from pynwb.epoch import TimeIntervals
from pynwb.event import EventsTable
from pynwb.file import Subject
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel, PlaneSegmentation, RoiResponseSeries

from neurocompare.recordings import nwb

MAZE = {"align": "move_onset_time", "stimulus": ["trial_type", "trial_version"], "window": [-0.25, 0.45]}
RULES = {"PMd": {"id": {"min": 1000, "max": 1999}}, "M1": {"id": {"min": 2000, "max": 2999}}}
GRATINGS = {
    "trials": "drifting_gratings_presentations",
    "stimulus": ["orientation", "temporal_frequency"],
    "window": [0, 2],
}
CALCIUM = {
    "trials": "drifting_gratings",
    "stimulus": "orientation_in_degrees",
    "window": [0, 2],
    "signal": "DfOverF/DfOverF",
    "response": "dF/F",
}


def ingest(path, **options):
    """Read a file under its own name."""
    return nwb.ingest({Path(path).name: Path(path)}, about=ABOUT, **options)


def all_of_them(folder):
    """Write one file of each layout; their paths by the name of the layout."""
    return {layout.__name__: layout(folder / f"{layout.__name__}.nwb") for layout in LAYOUTS}


def new(session_id="s1", subject="Jenkins"):
    nwbfile = NWBFile("a session", f"file of {session_id}", datetime(2020, 1, 1, tzinfo=UTC), session_id=session_id)
    if subject:
        nwbfile.subject = Subject(subject_id=subject, species="Macaca mulatta", age="P5Y", sex="M")
    return nwbfile


def write(nwbfile, path):
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def poisson(rng, rate, start, stop):
    return np.sort(rng.uniform(start, stop, rng.poisson(rate * (stop - start))))


def arrays(nwbfile, names, per_array, location=None):
    """Utah arrays, with the name of the area as location."""
    for name in names:
        device = nwbfile.create_device(f"electrode_array_{name}")
        group = nwbfile.create_electrode_group(
            f"electrode_group_{name}", description=name, location=name, device=device
        )
        for _ in range(per_array):
            nwbfile.add_electrode(location=location or name, group=group)


def maze(path, *, n_trials=40, seed=0):
    """As MC_Maze: spikes only within trials, ids that tell the array, electrodes that name the wrong rows for M1."""
    rng, nwbfile = np.random.default_rng(seed), new("small")
    arrays(nwbfile, ("PMd", "M1"), 96)
    for name, description in [
        ("move_onset_time", "onset"),
        ("trial_type", "maze"),
        ("trial_version", "variant"),
        ("success", "bool"),
        ("split", "train or val"),
        ("target_on_time", "targets"),
        ("go_cue_time", "cue"),
        ("rt", "ms"),
        ("delay", "ms"),
        ("maze_id", "maze"),
        ("num_targets", "targets"),
        ("num_barriers", "barriers"),
        ("active_target", "which"),
    ]:
        nwbfile.add_trial_column(name, description)
    nwbfile.add_trial_column("target_pos", "targets", index=True)
    nwbfile.add_trial_column("barrier_pos", "barriers", index=True)
    starts = 10 + 3.0 * np.arange(n_trials)
    for k, start in enumerate(starts):
        nwbfile.add_trial(
            start_time=start,
            stop_time=start + 2.5,
            move_onset_time=np.nan if k == 5 else start + 1 + 0.001 * k,
            trial_type=int(k % 3),
            trial_version=int(k % 2),
            success=bool(k != 7),
            split="val" if k % 4 == 0 else "train",
            target_on_time=start + 0.1,
            go_cue_time=start + 0.7,
            rt=300 + k,
            delay=600,
            maze_id=100 + k % 3,
            num_targets=1 + 2 * (k % 2),
            num_barriers=3,
            active_target=0,
            target_pos=rng.integers(-100, 100, (1 + 2 * (k % 2), 2)),
            barrier_pos=rng.integers(-100, 100, (3, 4)),
        )
    nwbfile.add_unit_column("heldout", "held out")
    obs = np.stack([starts, starts + 2.5], axis=1)
    # The window of trial 9 leaves its interval, in one unit.
    shorter = obs.copy()
    shorter[9, 1] = starts[9] + 1.2
    for k, unit_id in enumerate([1011, 1012, 1961, 2011, 2552]):
        own = shorter if unit_id == 2011 else obs
        spikes = np.concatenate([poisson(rng, 5 + 5 * k, *interval) for interval in own])
        nwbfile.add_unit(id=unit_id, spike_times=spikes, obs_intervals=own, electrodes=[k], heldout=bool(k == 4))
    module = nwbfile.create_processing_module("behavior", "behaviour")
    module.add(
        SpatialSeries(name="hand_pos", data=np.zeros((50, 2)), reference_frame="screen", timestamps=np.arange(50.0))
    )
    return write(nwbfile, path)


def centre_out(path, *, n_trials=36, seed=0):
    """As Perich and Miller: directions in radians, some trials without target, results, waveforms of each spike."""
    rng, nwbfile = np.random.default_rng(seed), new("sub-C_ses-CO-20131003", "C")
    arrays(nwbfile, ("M1", "PMd"), 4)
    for name in ("target_on_time", "go_cue_time", "result", "target_dir", "target_id", "target_corners"):
        nwbfile.add_trial_column(name, name)
    for k in range(n_trials):
        start = 2.0 * k
        nwbfile.add_trial(
            start_time=start,
            stop_time=start + 1.9,
            target_on_time=start + 0.2,
            go_cue_time=np.nan if k in (3, 4) else start + 0.8,
            result="RRFRA"[k % 5],
            target_dir=np.float64(np.float32((k % 8) * np.pi / 4)),
            target_id=np.nan if k == 8 else float(k % 8),
            target_corners=rng.standard_normal(4),
        )
    for k in range(6):
        spikes = poisson(rng, 8, 0, 2.0 * n_trials)
        nwbfile.add_unit(
            spike_times=spikes, electrodes=[k + 1], waveforms=np.zeros((len(spikes), 4, 1), dtype=np.int16)
        )
    return write(nwbfile, path)


AREAS = ["VISp", "VISl", "null", "LGd", "VISp", "VISl"]


def neuropixels(path, *, seed=0):
    """As Allen Neuropixels: electrodes by peak_channel_id, numbers as text with 'null', invalid times with tags."""
    rng, nwbfile = np.random.default_rng(seed), new("715093703", "699733573")
    device = nwbfile.create_device("probeA")
    group = nwbfile.create_electrode_group("probeA", description="p", location="See electrode locations", device=device)
    nwbfile.add_electrode_column("valid_data", "usable")
    for k, area in enumerate(AREAS):
        # Ids of electrodes are neither rows nor rising.
        nwbfile.add_electrode(id=850000 - 7 * k, location=area, group=group, valid_data=bool(k != 1))
    for name in (
        "peak_channel_id",
        "quality",
        "presence_ratio",
        "isi_violations",
        "amplitude_cutoff",
        "snr",
        "firing_rate",
    ):
        nwbfile.add_unit_column(name, name)
    for k in range(8):
        nwbfile.add_unit(
            id=950000 + 10 * k,
            spike_times=poisson(rng, 12, 0, 200) if k != 6 else np.empty(0),
            peak_channel_id=850000 - 7 * (k % 6),
            quality="noise" if k == 3 else "good",
            presence_ratio=[0.99, 0.95, 0.99, 0.99, np.nan, 0.9, 0.99, 0.97][k],
            isi_violations=0.1 * k,
            amplitude_cutoff=0.01,
            snr=float(k),
            firing_rate=12.0,
        )
    table = TimeIntervals(name="drifting_gratings_presentations", description="gratings")
    for name in ("stimulus_name", "stimulus_block", "orientation", "temporal_frequency", "spatial_frequency", "phase"):
        table.add_column(name, name)
    series = TimeSeries(name="timestamps", data=np.arange(10.0), timestamps=np.arange(10.0), unit="s")
    nwbfile.create_processing_module("stimulus", "times").add(series)
    for k in range(60):
        blank = k % 10 == 9
        table.add_interval(
            start_time=3.0 * k + 1,
            stop_time=3.0 * k + 3,
            stimulus_name="drifting_gratings",
            stimulus_block=[2.0, 5.0, 7.0][k // 20],
            orientation=np.nan if blank else 45.0 * (k % 4),
            temporal_frequency="null" if blank else str([1.0, 15.0][k % 2]),
            spatial_frequency="null" if blank else "0.04",
            phase="null" if blank else "[5308.98333333, 5308.98333333]",
            tags=["stimulus_time_interval"],
            timeseries=[series],
        )
    nwbfile.add_time_intervals(table)
    static = TimeIntervals(name="static_gratings_presentations", description="gratings")
    for name in ("stimulus_block", "orientation", "spatial_frequency", "phase"):
        static.add_column(name, name)
    scenes = TimeIntervals(name="natural_scenes_presentations", description="scenes")
    for name in ("stimulus_block", "frame"):
        scenes.add_column(name, name)
    for k in range(40):
        times = {"start_time": 0.25 * k + 182, "stop_time": 0.25 * k + 182.25, "stimulus_block": 9.0}
        phase = "null" if k % 8 == 7 else str(0.25 * (k % 4))
        angle = np.nan if k % 8 == 7 else 30.0 * (k % 6)
        static.add_interval(**times, orientation=angle, spatial_frequency=0.08, phase=phase)
        scenes.add_interval(**times, frame=float(k % 10 - 1))
    nwbfile.add_time_intervals(static)
    nwbfile.add_time_intervals(scenes)
    nwbfile.add_invalid_time_interval(start_time=30.5, stop_time=33.2, tags=["EcephysProbe", "810755797", "probeA"])
    return write(nwbfile, path)


def imaging(path, *, seed=0, n_samples=6000, rate=30.0, cells=5, compound=True):
    """As Visual Coding in NWB 2: presentations under /stimulus, series that share timestamps by a link."""
    rng, nwbfile = np.random.default_rng(seed), new("501940850-StimA", "222426")
    plane = nwbfile.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(name="channel", description="green", emission_lambda=520.0),
        description="plane",
        device=nwbfile.create_device("Microscope"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
        imaging_rate=rate,
    )
    module = nwbfile.create_processing_module("ophys", "two-photon")
    segmentation = PlaneSegmentation(description="rois", imaging_plane=plane, name="PlaneSegmentation")
    for k in range(cells):
        segmentation.add_roi(pixel_mask=[(k, k, 1.0)], id=300 + k)
    segmentation.add_column(
        "iscell", "suite2p", data=np.stack([np.arange(cells) != 1, np.full(cells, 0.5)], axis=1) * 1.0
    )
    module.add(ImageSegmentation(plane_segmentations=[segmentation]))
    region = segmentation.create_roi_table_region("all", region=list(range(cells))[::-1])
    timestamps = 4.0 + np.arange(n_samples) / rate
    data = (10 + rng.standard_normal((n_samples, cells))).astype(np.float32)
    corrected = RoiResponseSeries(
        name="Corrected", data=data, unit="n.a.", rois=region, timestamps=timestamps, conversion=2.0, offset=1.0
    )
    module.add(Fluorescence(roi_response_series=[corrected], name="Fluorescence"))
    if compound:
        dff = np.concatenate([data[:300], np.full((30, cells), np.nan, dtype=np.float32), data[330:]]) / 10 - 1
        dff[1000:1100, 2] = np.nan
        both = [
            RoiResponseSeries(name="DfOverF", data=dff, unit="a.u.", rois=region, timestamps=corrected),
            RoiResponseSeries(
                name="DfOverFEvents", data=np.abs(dff), unit="a.u.", rois=region, rate=rate, starting_time=4.0
            ),
        ]
        module.add(DfOverF(roi_response_series=both))
    table = TimeIntervals(name="drifting_gratings", description="gratings")
    columns = ("orientation_in_degrees", "temporal_frequency_in_hz", "is_blank_sweep")
    for name in columns:
        table.add_column(name, name)
    for k in range(60):
        blank = k % 15 == 14
        table.add_interval(
            start_time=3.0 * k + 5,
            stop_time=3.0 * k + 7,
            orientation_in_degrees=np.nan if blank else 45.0 * (k % 4),
            temporal_frequency_in_hz=np.nan if blank else 2.0,
            is_blank_sweep=blank,
        )
    # Of the last one the window ends after the recording.
    table.add_interval(202.5, 204.5, **dict(zip(columns, (0.0, 2.0, False), strict=True)))
    nwbfile.add_stimulus(table)
    return write(nwbfile, path)


def events(path):
    """Rows with single times instead of intervals, and nothing said of animal, session and electrodes."""
    nwbfile = new(None, None)
    table = EventsTable(name="licks", description="licks")
    table.add_column("side", "side")
    for k in range(8):
        table.add_row(timestamp=1.0 + k, side="left" if k % 2 else "right")
    nwbfile.add_events_table(table)
    nwbfile.add_unit(spike_times=[0.5, 1.0, 1.05, 2.01, 3.2, 8.05, 9.5], id=7)
    return write(nwbfile, path)


LAYOUTS = (maze, centre_out, neuropixels, imaging, events)
