"""Loaders of the Allen Institute's recordings, on exports that are made here: no SDK needed."""

import json
import tracemalloc

import h5py
import numpy as np
import pytest

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import allen_export
from neurocompare.ingestion.selection import excluded
from neurocompare.recordings import allen_ecephys, allen_ophys

ABOUT = {"source": "here", "citation": "nobody", "license": "none"}
RATE = 30.0
N = 3000


def write(path, product, stimulus, experiments):
    with h5py.File(path, "w") as file:
        file.attrs.update({"product": product, "stimulus": stimulus, "sha256": json.dumps({"a.nwb": "00"})})
        for name, (attributes, datasets) in experiments.items():
            group = file.create_group(f"experiments/{name}")
            group.attrs.update(attributes)
            for key, values in datasets.items():
                group[key] = values
    return {"export.h5": path}


def ophys(table, number=1, cells=(30, 10, 20), **changed):
    """One experiment in which the trace of cell c at sample t is c + t."""
    attributes = {"area": "VISp", "specimen": f"mouse-{number}", "session_type": "three_session_A"}
    attributes |= {"container": 5, "depth": 175, "cre_line": "Cux2"}
    trace = np.arange(N)[:, None] + np.array(cells, dtype=float)
    datasets = {
        "cell_specimen_ids": np.array(cells),
        "timestamps": np.arange(N) / RATE,
        "running_speed": np.arange(N) / 10.0,
        "dff": trace.astype(np.float32),
    }
    stimulus, columns = table
    datasets |= {f"stimuli/{stimulus}/{name}": np.asarray(column) for name, column in columns.items()}
    return attributes, datasets | changed


def gratings(start, orientation, frequency=2.0):
    start, orientation = np.asarray(start), np.asarray(orientation, dtype=float)
    columns = {"start": start, "end": start + 60, "orientation": orientation}
    columns["temporal_frequency"] = np.where(np.isnan(orientation), np.nan, frequency)
    return "drifting_gratings", columns | {"blank_sweep": np.isnan(orientation).astype(float)}


def scenes(start, frame):
    start = np.asarray(start)
    return "natural_scenes", {"start": start, "end": start + 7, "frame": np.asarray(frame)}


def load(path, table, experiments=None, loader=allen_ophys, **options):
    files = write(path / "e.h5", "ophys", table[0], experiments or {"11": ophys(table)})
    return loader.ingest(files, about=ABOUT, stimulus=table[0], **options)


def refused(call, *parts):
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_the_window_is_half_open_and_follows_the_onset(tmp_path):
    array = load(tmp_path, gratings([300, 600], [0, 225]), window=[0.5, 1.0])
    # Samples 15 to 29 after the onset.
    expected = np.array([[322.0], [622.0]]) + [30, 10, 20]
    np.testing.assert_allclose(array.values, expected)
    np.testing.assert_allclose(array.running_speed, [32.2, 62.2], rtol=1e-6)
    np.testing.assert_allclose(array.start_time, [10, 20])
    assert array.attrs["window"] == "0.5 to 1 s"
    assert array.dtype == np.float32
    assert array.attrs["sha256"] == {"a.nwb": "00"}


def test_direction_is_folded_to_orientation(tmp_path):
    array = load(tmp_path, gratings([300, 600], [0, 225]))
    assert array.direction.values.tolist() == [0, 225]
    assert array.orientation.values.tolist() == [0, 45]
    assert array.attrs["orientation_period"] == 180
    assert array.stimulus.values.tolist() == [f"direction={d}-temporal_frequency=02.0" for d in ("000.0", "225.0")]


def test_blanks_are_counted_or_kept_and_never_an_orientation(tmp_path):
    table = gratings([300, 600, 900], [0, np.nan, 45])
    dropped = load(tmp_path, table)
    assert dropped.sizes["presentation"] == 2
    assert dropped.attrs["excluded"] == {"presentation": {"blank": 1}}
    kept = load(tmp_path, table, blanks="keep")
    assert kept.stimulus.values[1] == "blank"
    assert np.isnan([kept.coords[name].values[1] for name in ("direction", "orientation", "temporal_frequency")]).all()
    refused(lambda: load(tmp_path, table, blanks="some"), "option 'blanks' is 'some'")


def test_repeats_count_each_stimulus_and_pauses_make_blocks(tmp_path):
    array = load(tmp_path, scenes([100, 107, 114, 121, 600, 607], [5, 7, 5, -1, 5, 7]), window=[0, 0.2])
    assert array.stimulus.values.tolist() == ["image-005", "image-007", "image-005", "image-005", "image-007"]
    assert array["repeat"].values.tolist() == [0, 0, 1, 2, 1]
    assert array.block.values.tolist() == [0, 0, 0, 1, 1]
    # Neither are blanks that are left out, as many as there may be in a row, or what leaves the recording.
    start = 200 + 90 * np.arange(10)
    table = gratings(start, [0, 45, 0, 45, np.nan, np.nan, np.nan, np.nan, 0, 45])
    assert np.diff(start[[3, 8]]) / RATE > allen_export.PAUSE
    array = load(tmp_path, table)
    assert array.block.values.tolist() == [0] * 6 and array.start_time.values[4] == start[8] / RATE
    # Numbers of blocks have no gaps.
    array = load(tmp_path, gratings([100, 800, 1500], [0, np.nan, 0]))
    assert array.block.values.tolist() == [0, 1]
    # A few dropped frames are no new epoch.
    array = load(tmp_path, scenes([100, 107, 250], [5, 7, 5]), window=[0, 0.2])
    assert array.block.values.tolist() == [0, 0, 0]


def test_windows_beyond_the_recording_are_counted(tmp_path):
    array = load(tmp_path, gratings([0, 300, N - 59, N + 5], [0, 45, 90, 90]), window=[-0.5, 2])
    assert array.orientation.values.tolist() == [45]
    assert array.attrs["excluded"] == {"presentation": {"window outside the recording": 3}}
    whole = load(tmp_path, gratings([0, N - 60], [0, 45]), window=[0, 2])
    assert whole.sizes["presentation"] == 2


def test_cells_without_a_finite_response_are_counted(tmp_path):
    table = gratings([300, 600], [0, 45])
    broken = ophys(table)[1]["dff"].copy()
    broken[310:400, 1] = np.nan
    array = load(tmp_path, table, {"11": ophys(table, dff=broken)}, window=[1, 2])
    assert array.cell_specimen_id.values.tolist() == [30, 20]
    assert array.attrs["excluded"] == {"unit": {"response not finite": 1}}
    broken[300:400] = np.nan
    array = load(tmp_path, table, {"11": ophys(table, dff=broken)}, window=[1, 2])
    assert array.attrs["excluded"] == {"presentation": {"no sample in the window": 1}}


def test_a_pool_matches_stimuli_and_keeps_what_tells_the_animals_apart(tmp_path):
    first, second = scenes([100, 200, 300, 400], [0, 1, 0, 1]), scenes([150, 250, 350, 450], [1, 0, 1, 2])
    members = {"11": ophys(first, 1), "7": ophys(second, 2, cells=(5,))}
    pool = load(tmp_path, first, members, window=[0, 0.2])
    # Image 2 is missing in the first; the second has image 0 once.
    assert pool.stimulus.values.tolist() == ["image-000", "image-001"]
    assert pool.frame.values.tolist() == [0, 1]
    assert pool.unit_id.values.tolist() == ["7-5", "11-30", "11-10", "11-20"]
    assert pool.animal.values.tolist() == ["mouse-2"] + ["mouse-1"] * 3
    assert pool.attrs["simultaneous"] is False
    assert sum(pool.attrs["excluded"]["presentation"].values()) == 4
    again = load(tmp_path, first, members, window=[0, 0.2])
    assert again.equals(pool)
    refused(lambda: load(tmp_path, first, members, repeats=2), "only 1 trials")


def test_cells_of_a_pool(tmp_path):
    table = scenes([100, 200], [0, 1])
    members = {"1": ophys(table, 1), "2": ophys(table, 2, cells=(5, 6)), "3": ophys(table, 3, cells=(8,))}
    pool = load(tmp_path, table, members, cells=[6, 20, 30])
    assert pool.unit_id.values.tolist() == ["1-20", "1-30", "2-6"]
    assert load(tmp_path, table, members, cells=[8]).attrs["simultaneous"] is True
    refused(lambda: load(tmp_path, table, members, cells=[8, 9]), "no experiment has cell 9")
    refused(lambda: load(tmp_path, table, members, cells=[9]), "no experiment has cell 9")
    for cells in ([], 8, "8", ["8"], [8, 8], [8.5], [[8]]):
        refused(lambda cells=cells: load(tmp_path, table, members, cells=cells), "option 'cells' is no list of ids")


def test_cells_of_experiments_that_are_left_out_are_counted(tmp_path):
    table = scenes([100, 200], [0, 1])
    members = {"1": ophys(table, 1), "2": ophys(table, 2, cells=(5, 6)), "3": ophys(table, 3, cells=(8,))}
    for cells in ([6], [8], [10, 20, 30], [20, 6], [5, 6, 8], [30, 8, 5]):
        array = load(tmp_path, table, members, cells=cells)
        assert array.attrs["excluded"]["unit"] == {"cell that is not asked for": 6 - len(cells)}
        assert array.sizes["unit"] == len(cells)
    assert "unit" not in load(tmp_path, table, members, cells=[5, 6, 8, 10, 20, 30]).attrs["excluded"]


def test_the_sdk_response_brings_its_window(tmp_path):
    table = gratings([10, 300, N - 30], [0, 45, 90])
    experiment = ophys(table, sdk=np.arange(9.0).reshape(3, 3))
    files = write(tmp_path / "e.h5", "ophys", table[0], {"11": experiment})
    with h5py.File(files["export.h5"], "a") as file:
        file["experiments/11/sdk"].attrs.update({"rate": RATE, "sweep_frames": 60, "baseline_frames": 30})
    array = allen_ophys.ingest(files, about=ABOUT, stimulus=table[0], response="sdk")
    assert array.values.tolist() == [[3, 4, 5]]
    assert array.attrs["excluded"] == {"presentation": {"window outside the recording": 2}}
    assert array.attrs["response"] == "fluorescence change" and array.attrs["units"] == "%"
    call = lambda **options: allen_ophys.ingest(files, about=ABOUT, response="sdk", **options)  # noqa: E731
    refused(lambda: call(stimulus=table[0], window=[0, 1]), "has its own window")
    refused(lambda: call(stimulus="natural_movie_one"), "drifting_gratings, static_gratings, natural_scenes only")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"response": "df"}, ["option 'response' is 'df'", "dff, events, sdk"]),
        ({"window": [1, 0]}, ["window is [1, 0]"]),
        ({"response": "events"}, ["not a readable export", "events"]),
        ({"window": [500, 501]}, ["no presentations of drifting_gratings in experiment 11 left", "window outside"]),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, options, parts):
    refused(lambda: load(tmp_path, gratings([300], [0]), **options), *parts)


def test_another_export_and_another_file_are_refused(tmp_path):
    table = gratings([300], [0])
    files = write(tmp_path / "e.h5", "ophys", table[0], {"11": ophys(table)})
    refused(lambda: allen_ophys.ingest(files, about=ABOUT, stimulus="natural_scenes"), "export of ophys drifting")
    call = lambda: allen_ecephys.ingest(files, about=ABOUT, stimulus="drifting_gratings")  # noqa: E731
    refused(call, "not of ecephys drifting_gratings")
    (tmp_path / "e.h5").write_text("<html>")
    refused(lambda: allen_ophys.ingest(files, about=ABOUT, stimulus=table[0]), "e.h5", "not a readable export")
    refused(lambda: allen_ophys.ingest({}, about=ABOUT, stimulus=table[0]), "export.h5")
    refused(lambda: allen_export.conditions("windmills", {}), "option 'stimulus' is 'windmills'")


# Images


PICTURES = np.random.default_rng(0).integers(0, 256, (118, 8, 14), dtype=np.uint8)


def pictured(path, pictures=PICTURES, table=None):
    table = table or scenes([100, 200], [0, 117])
    files = write(path / "e.h5", "ophys", table[0], {"11": ophys(table)})
    if pictures is not None:
        with h5py.File(files["export.h5"], "a") as file:
            file["templates/natural_scenes"] = pictures
    return files


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, 3),
        ({"crop": "middle"}, 3),
        ({"crop": "left"}, 0),
        ({"crop": "right"}, 6),
        ({"crop": 0}, 0),
        ({"crop": 5}, 5),
    ],
)
def test_images_are_cut_to_squares(tmp_path, options, first):
    images = allen_ophys.stimuli(pictured(tmp_path), **options)
    assert images.dims == ("stimulus", "y", "x", "channel")
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images.values, PICTURES[:, :, first : first + 8, None])
    assert images.attrs["crop_pixels"] == f"{first} to {first + 8} of 14"
    assert images.stimulus.values.tolist() == [f"image-{k:03d}" for k in range(118)]


def test_images_go_by_the_ids_of_both_recordings(tmp_path):
    frames = np.array([117, 0, 7, 99])
    table = scenes([100, 200, 300, 400], frames)
    files = pictured(tmp_path, table=table)
    images = allen_ophys.stimuli(files)
    two_photon = allen_ophys.ingest(files, about=ABOUT, stimulus="natural_scenes")
    spikes = {name: values for name, values in ecephys()[1].items() if not name.startswith("presentations/o")}
    spikes |= {"presentations/start_time": np.arange(4.0) + 10, "presentations/frame": frames.astype(float)}
    spikes["presentations/valid"] = np.ones(4, dtype=bool)
    (tmp_path / "spikes").mkdir()
    session = {"1": (ecephys()[0], spikes)}
    files = write(tmp_path / "spikes/e.h5", "ecephys", "natural_scenes", session)
    neuropixels = allen_ecephys.ingest(files, about=ABOUT, stimulus="natural_scenes")
    for recording in (two_photon, neuropixels):
        shown = images.sel(stimulus=recording.stimulus.values).values[..., 0]
        np.testing.assert_array_equal(shown, PICTURES[frames, :, 3:11])


def test_images_of_the_full_size_need_little_memory(tmp_path):
    files = pictured(tmp_path, None)
    with h5py.File(files["export.h5"], "a") as file:
        # Without a value in it, a file of this size is small.
        file.create_dataset("templates/natural_scenes", (118, 918, 1174), np.uint8, chunks=(1, 918, 1174))
    tracemalloc.start()
    try:
        images = allen_ophys.stimuli(files)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert images.shape == (118, 918, 918, 1)
    assert images.attrs["crop_pixels"] == "128 to 1046 of 1174"
    assert peak < 1.1 * images.nbytes


@pytest.mark.parametrize(
    ("pictures", "options", "parts"),
    [
        (PICTURES, {"crop": "midle"}, ["unknown crop 'midle'", "middle"]),
        (PICTURES, {"crop": 7}, ["option 'crop' is 7", "left, middle, right, or 0 to 6"]),
        (PICTURES, {"crop": -1}, ["option 'crop' is -1"]),
        (PICTURES, {"crop": True}, ["option 'crop' is True"]),
        (PICTURES, {"crop": [1]}, ["option 'crop' is [1]"]),
        (PICTURES, {"crop": 1.5}, ["option 'crop' is 1.5"]),
        (PICTURES.astype(float), {}, ["e.h5: 'templates/natural_scenes' is float64 (118, 8, 14)", "remove it"]),
        (PICTURES[0], {}, ["e.h5: 'templates/natural_scenes' is uint8 (8, 14)"]),
        (PICTURES.transpose(0, 2, 1), {}, ["uint8 (118, 14, 8)", "wider than high"]),
        (None, {}, ["e.h5: has no images", "name other experiments"]),
    ],
)
def test_what_is_wrong_with_images_is_told_in_one_line(tmp_path, pictures, options, parts):
    refused(lambda: allen_ophys.stimuli(pictured(tmp_path, pictures), **options), *parts)


def test_images_of_another_export_are_refused(tmp_path):
    files = pictured(tmp_path, None, gratings([300], [0]))
    refused(lambda: allen_ophys.stimuli(files), "export of ophys drifting_gratings, not of ophys natural_scenes")
    (tmp_path / "e.h5").write_text("<html>")
    refused(lambda: allen_ophys.stimuli(files), "e.h5", "not a readable export")
    refused(lambda: allen_ophys.stimuli({}), "export.h5")


# Neuropixels


def ecephys(number=1, **changed):
    """One session with three units; the second has no metric, and the third no area."""
    spikes = [np.arange(0, 100, 0.1) + 1e-4, np.zeros(0), np.array([5.0])]
    datasets = {
        "units/id": np.array([1, 2, 3]) + 10 * number,
        "units/area": np.array(["VISp", "VISp", ""], dtype="S"),
        "units/quality": np.array(["good"] * 3, dtype="S"),
        "units/probe": np.array(["probeA"] * 3, dtype="S"),
        "units/amplitude_cutoff": np.array([0.1, np.nan, 0.0]),
        "units/presence_ratio": np.array([0.95, 1, 1]),
        "units/isi_violations": np.array([0.5, 0, 0]),
        "spikes/times": np.concatenate(spikes),
        "spikes/index": np.concatenate([[0], np.cumsum([len(times) for times in spikes])]),
        "spikes/first": np.array([0.0]),
        "spikes/last": np.array([100.0]),
        "invalid_times/start_time": np.zeros(0),
        "invalid_times/stop_time": np.zeros(0),
        "invalid_times/tags": np.zeros(0, dtype="S1"),
        "presentations/start_time": np.array([40.0, 10, 20, 30]),
        "presentations/valid": np.array([True, True, False, True]),
        "presentations/orientation": np.array([90.0, 225, 0, np.nan]),
        "presentations/temporal_frequency": np.array([1.0, 2, 1, np.nan]),
        "presentations/stimulus_block": np.array([8.0, 2, 2, 2]),
    }
    return {"specimen": f"mouse-{number}", "session_type": "brain_observatory_1.1"}, datasets | changed


def count(path, sessions=None, **options):
    files = write(path / "e.h5", "ecephys", "drifting_gratings", sessions or {"1": ecephys()})
    with h5py.File(files["export.h5"], "a") as file:
        for group in file["experiments"].values():
            group["spikes"].attrs["margin"] = 5.0
    return allen_ecephys.ingest(files, about=ABOUT, stimulus="drifting_gratings", **options)


def test_counts_are_in_the_order_of_time_with_what_was_left_out(tmp_path):
    array = count(tmp_path, window=[0, 1])
    assert array.values.tolist() == [[10], [10]]
    assert array.direction.values.tolist() == [225, 90] and array.orientation.values.tolist() == [45, 90]
    assert array.block.values.tolist() == [0, 1]
    assert array.attrs["excluded"] == {
        "presentation": {"invalid interval": 1, "blank": 1},
        "unit": {"not in a named area": 1, "amplitude_cutoff above 0.1": 1},
    }
    kept = count(tmp_path, window=[0, 1], blanks="keep")
    assert kept.stimulus.values[1] == "blank" and np.isnan(kept.direction.values[1])


def test_bins_have_a_time_axis(tmp_path):
    array = count(tmp_path, window=[-0.5, 0.5], bin_width=0.25)
    assert array.dims == ("presentation", "time", "unit")
    assert array.time.values.tolist() == [-0.375, -0.125, 0.125, 0.375]
    assert array.values[..., 0].tolist() == [[3, 2, 3, 2]] * 2
    representation.write(array, tmp_path / "a.nc")
    assert representation.read(tmp_path / "a.nc").equals(array)


def test_limits_are_options_and_stated(tmp_path):
    array = count(tmp_path, amplitude_cutoff=0.2, presence_ratio=0.9)
    assert array.attrs["amplitude_cutoff"] == 0.2 and array.attrs["presence_ratio"] == 0.9
    refused(lambda: count(tmp_path, isi_violations=0.4), "no units of session 1 left", "isi_violations above 0.4 (1)")
    refused(lambda: count(tmp_path, areas=["VISl"]), "no unit is in 'VISl'; there are units in VISp")


def test_units_without_metrics_in_the_source_are_counted(tmp_path):
    units = {name.partition("/")[2]: values for name, values in ecephys()[1].items() if name.startswith("units/")}
    limits = {"amplitude_cutoff": np.inf, "presence_ratio": -np.inf, "isi_violations": np.inf}
    chosen = allen_ecephys.select_units(units, areas=None, limits=limits, lacking=4)
    assert excluded(unit=chosen)["unit"]["no metrics"] == 4
    assert chosen.kept.tolist() == [True, False, False]


def test_sessions_are_pooled(tmp_path):
    pool = count(tmp_path, {"1": ecephys(1), "2": ecephys(2)})
    assert pool.shape == (2, 2)
    assert pool.unit_id.values.tolist() == ["11", "21"]
    assert pool.attrs["simultaneous"] is False
    assert sorted(pool.direction.values.tolist()) == [90, 225]


def shown(start, **changed):
    """A session with presentations from these times on, and a unit with 10 spikes per second on each of two probes."""
    spikes = np.arange(0, 300, 0.1) + 1e-4
    n = len(start)
    return ecephys(
        **{
            "units/id": np.array([1, 2]),
            "units/area": np.array(["VISp", "VISl"], dtype="S"),
            "units/quality": np.array(["good"] * 2, dtype="S"),
            "units/probe": np.array(["probeA", "probeB"], dtype="S"),
            "units/amplitude_cutoff": np.zeros(2),
            "units/presence_ratio": np.ones(2),
            "units/isi_violations": np.zeros(2),
            "spikes/times": np.tile(spikes, 2),
            "spikes/index": np.arange(3) * len(spikes),
            "presentations/start_time": np.asarray(start, dtype=float),
            "presentations/valid": np.ones(n, dtype=bool),
            "presentations/orientation": np.resize([0.0, 90.0], n),
            "presentations/temporal_frequency": np.ones(n),
            "presentations/stimulus_block": np.zeros(n),
        }
        | changed
    )


def intervals(*rows):
    columns = zip(*rows, strict=True)
    return {
        f"invalid_times/{name}": np.array(values, dtype="S" if name == "tags" else float)
        for name, values in zip(("start_time", "stop_time", "tags"), columns, strict=True)
    }


STRETCHES = {"spikes/first": np.array([5.0, 95.0]), "spikes/last": np.array([25.0, 115.0])}


@pytest.mark.parametrize(
    ("window", "kept"),
    [
        ([0, 2], [10, 14, 18, 100, 104, 108]),
        ([-5, 2], [10, 14, 18, 100, 104, 108]),
        ([0, 7], [10, 14, 18, 100, 104, 108]),
        ([-6, 2], [14, 18, 104, 108]),
        ([5, 9], [10, 14, 100, 104]),
        ([-9, 7], [14, 18, 104, 108]),
    ],
)
def test_windows_that_leave_the_exported_spikes_are_counted(tmp_path, window, kept):
    times = np.array([10, 14, 18, 100, 104, 108])
    # What the export has of the spikes: only those between first and last.
    spikes = np.arange(0, 300, 0.1) + 1e-4
    spikes = spikes[((spikes > 5) & (spikes < 25)) | ((spikes > 95) & (spikes < 115))]
    changed = {"spikes/times": np.tile(spikes, 2), "spikes/index": np.arange(3) * len(spikes)} | STRETCHES
    array = count(tmp_path, {"1": shown(times, **changed)}, window=window)
    assert array.start_time.values.tolist() == kept
    assert (array.values == 10 * (window[1] - window[0])).all()
    lost = len(times) - len(kept)
    reasons = {"presentation": {"window leaves the exported spikes": lost}} if lost else {}
    assert array.attrs["excluded"] == reasons


def test_a_window_that_always_leaves_the_exported_spikes_is_refused(tmp_path):
    session = {"1": shown([10, 14, 100], **STRETCHES)}
    said = "window of -5 to 20 s leaves the exported spikes at all presentations: they reach 5 s beyond"
    refused(lambda: count(tmp_path, session, window=[-5, 20]), said, "give a window nearer to the onset")


@pytest.mark.parametrize(
    ("tags", "areas", "reason"),
    [
        ("EcephysSession,7,all_probes", None, "invalid interval of all probes"),
        ("EcephysProbe,8,probeB", None, "invalid interval of probeB"),
        ("EcephysProbe,8,probeB", ["VISl"], "invalid interval of probeB"),
        ("EcephysProbe,8,probeB", ["VISp"], None),
        ("EcephysProbe,9,probeC", None, None),
        ("EcephysSession,7,optotagging", None, None),
        ("EcephysSession,7,stimulus", ["VISp"], "invalid interval"),
    ],
)
def test_intervals_concern_the_windows_that_they_touch(tmp_path, tags, areas, reason):
    times = [10, 13, 16, 19]
    session = {"1": shown(times, **intervals((14.0, 14.5, tags), (200, 201, "EcephysSession,7,all_probes")))}
    # A window is half-open, an interval is closed.
    for window, touched in (([0, 2], [13]), ([0, 1], []), ([0, 1.1], [13]), ([-2, 1], [16]), ([1.5, 5], [10, 13])):
        array = count(tmp_path, session, window=window, areas=areas)
        touched = touched if reason else []
        assert array.start_time.values.tolist() == [time for time in times if time not in touched]
        excluded = array.attrs["excluded"].get("presentation", {})
        assert excluded == ({reason: len(touched)} if touched else {})


def test_windows_that_several_intervals_touch_are_counted_once(tmp_path):
    rows = [(14, 15, f"x,1,{label}") for label in ("probeB", "probeA", "all_probes", "stimulus")]
    session = {"1": shown([10, 13, 16, 19], **intervals(*rows, (19, 20, "x,1,probeA"), (19, 20, "x,1,probeB")))}
    array = count(tmp_path, session, window=[0, 2])
    reasons = {"invalid interval": 1, "invalid interval of probeA": 1}
    assert array.attrs["excluded"]["presentation"] == reasons and array.sizes["presentation"] == 2


def test_blanks_that_are_left_out_are_no_pause_of_spikes_either(tmp_path):
    orientation = np.array([0, 90, np.nan, np.nan, np.nan, np.nan, 0, 90])
    session = shown(10 + 3 * np.arange(8), **{"presentations/orientation": orientation})
    del session[1]["presentations/stimulus_block"]
    assert count(tmp_path, {"1": session}).block.values.tolist() == [0, 0, 0, 0]


def test_an_export_without_what_it_kept_is_made_again(tmp_path):
    session = ecephys()
    del session[1]["spikes/first"]
    refused(lambda: count(tmp_path, {"1": session}), "e.h5: not a readable export", "remove it and run again")
