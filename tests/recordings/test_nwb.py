"""The loader of NWB 2 files, against files written by pynwb and read back directly."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import nwb_files
import pytest
from nwb_files import CALCIUM, GRATINGS, MAZE, RULES, ingest

from neurocompare import catalogue, representation
from neurocompare.errors import UserError
from neurocompare.ingestion import nwb_conditions, nwb_signals, nwb_tables

# pynwb says this of series that are made before the container that they are put into.
pytestmark = pytest.mark.filterwarnings("ignore:The linked table")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return nwb_files.all_of_them(tmp_path_factory.mktemp("nwb"))


@pytest.fixture
def copy(made, tmp_path):
    """Give a function that copies a file, to be changed."""
    return lambda name: Path(shutil.copy(made[name], tmp_path / f"{name}.nwb"))


def trains(file):
    """Spike times of all units by hand."""
    ends = [0, *file["units/spike_times_index"][:].tolist()]
    return [file["units/spike_times"][a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def counted(spikes, onset, start, stop):
    return sum(1 for s in spikes if onset + start <= s < onset + stop)


# Spikes


def test_reaches_are_counted_around_the_onset_of_movement(made):
    array = ingest(made["maze"], **MAZE, columns=["split", "success"], area=RULES)
    with h5py.File(made["maze"]) as file:
        units, trials = trains(file), file["intervals/trials"]
        onset, kind, version = (trials[c][:] for c in ("move_onset_time", "trial_type", "trial_version"))
        split = trials["split"].asstr()[:]
        success = trials["success"][:]
    # Trial 5 has no onset, the window of trial 9 was not observed in one unit.
    rows = [k for k in range(40) if k not in (5, 9)]
    assert array.dims == ("presentation", "unit") and array.dtype == np.uint16
    assert array.values.tolist() == [[counted(u, onset[k], -0.25, 0.45) for u in units] for k in rows]
    assert array.stimulus.values.tolist() == [f"trial_type={kind[k]}-trial_version={version[k]}" for k in rows]
    assert array.trial_type.values.tolist() == kind[rows].tolist()
    assert array.split.values.tolist() == split[rows].tolist() and array.success.dtype == bool
    assert array.success.values.tolist() == success[rows].tolist()
    np.testing.assert_array_equal(array.onset, onset[rows])
    assert array.area.values.tolist() == ["PMd"] * 3 + ["M1"] * 2
    assert array.unit_id.values.tolist() == [f"Jenkins-small-{i}" for i in (1011, 1012, 1961, 2011, 2552)]
    assert set(array.animal.values) == {"Jenkins"} and set(array.session.values) == {"small"}
    assert array.attrs["excluded"] == {
        "presentation": {"no move_onset_time": 1, "window in which a unit was not observed": 1}
    }
    assert array.attrs["simultaneous"] is True and array.attrs["exchangeable"] == "stimulus"
    assert array.block.values.tolist() == [i * 4 // 38 for i in range(38)]
    assert array.attrs["event"] == "move_onset_time of /intervals/trials"


def test_bins_add_up_to_the_window_and_survive_the_disk(made, tmp_path):
    whole = ingest(made["maze"], **MAZE)
    array = ingest(made["maze"], **MAZE, bin_width=0.05, columns=["success"], unit_columns=["heldout"])
    assert array.dims == ("presentation", "time", "unit") and array.sizes["time"] == 14
    np.testing.assert_allclose(array.time, np.arange(-0.225, 0.44, 0.05))
    np.testing.assert_array_equal(array.sum("time"), whole)
    # By default the area is that of the electrode in the file.
    assert set(whole.area.values) == {"PMd"}
    representation.write(array, tmp_path / "x.nc")
    back = representation.read(tmp_path / "x.nc")
    np.testing.assert_array_equal(back, array)
    assert back.success.dtype == bool and back.heldout.values.tolist() == [False] * 4 + [True]
    assert back.attrs == array.attrs


def test_units_that_were_rarely_observed_can_be_left_out(made):
    array = ingest(made["maze"], **MAZE, observed=0.99)
    assert array.attrs["excluded"] == {
        "unit": {"observed in less than 0.99 of the windows": 1},
        "presentation": {"no move_onset_time": 1},
    }
    assert array.shape == (39, 4)


def test_conditions_on_units_and_trials(made):
    array = ingest(
        made["maze"],
        **MAZE,
        units={"heldout": False, "id": {"not": [1012]}},
        where={"success": True, "split": ["train", "none"], "trial_type": {"max": 1}},
    )
    assert [i.split("-")[-1] for i in array.unit_id.values] == ["1011", "1961", "2011"]
    assert array.attrs["excluded"]["unit"] == {"heldout is not false": 1, "id is 1012": 1}
    rows = [k for k in range(40) if k != 7 and k % 4 and k % 3 <= 1 and k not in (5, 9)]
    assert len(array) == len(rows)
    reasons = array.attrs["excluded"]["presentation"]
    assert reasons["success is not true"] == 1 and reasons["split is not train or none"] == 10
    assert sum(reasons.values()) == 40 - len(rows)


def test_directions_in_radians_become_degrees(made):
    array = ingest(
        made["centre_out"],
        align="go_cue_time",
        window=[0, 0.5],
        stimulus="direction",
        columns={"direction": "target_dir", "corner": "target_corners[2]"},
        radians=["target_dir"],
        where={"result": "R", "target_id": {"not": None}},
        area="electrodes.group_name",
    )
    with h5py.File(made["centre_out"]) as file:
        trials, units = file["intervals/trials"], trains(file)
        result, goal = trials["result"].asstr()[:], trials["target_id"][:]
        cue, corners = trials["go_cue_time"][:], trials["target_corners"][:]
    rows = [k for k in range(36) if result[k] == "R" and goal[k] == goal[k] and cue[k] == cue[k]]
    assert array.direction.values.tolist() == [45.0 * (k % 8) for k in rows]
    assert array.stimulus.values.tolist() == [f"direction={45 * (k % 8)}" for k in rows]
    assert array.corner.values.tolist() == corners[rows, 2].tolist()
    assert array.values.tolist() == [[counted(u, cue[k], 0, 0.5) for u in units] for k in rows]
    assert array.area.values.tolist() == ["electrode_group_M1"] * 3 + ["electrode_group_PMd"] * 3
    # Row 8 has a reward, row 3 has too, without a cue.
    assert array.attrs["excluded"]["presentation"] == {
        "result is not R": 14, "target_id is missing": 1, "no go_cue_time": 1
    }  # fmt: skip


def test_neuropixels_of_the_allen_institute(made):
    options = GRATINGS | {
        "columns": ["spatial_frequency", "phase"],
        "block": "stimulus_block",
        "units": {
            "quality": "good",
            "presence_ratio": {"min": 0.95},
            "isi_violations": {"max": 0.5},
            "area": ["VISp", "VISl"],
        },
    }
    array = ingest(made["neuropixels"], **options)
    with h5py.File(made["neuropixels"]) as file:
        units, table = trains(file), file["intervals/drifting_gratings_presentations"]
        start, stop, angle = (table[c][:] for c in ("start_time", "stop_time", "orientation"))
        speed = table["temporal_frequency"].asstr()[:]
    # Units 0 and 1 stay: 2 lies in no area, 3 is noise, 4 and 5 lack presence, 6 and 7 violate.
    assert array.area.values.tolist() == ["VISp", "VISl"]
    assert array.attrs["excluded"]["unit"] == {
        "quality is not good": 1,
        "no presence_ratio": 1,
        "presence_ratio below 0.95": 1,
        "isi_violations above 0.5": 2,
        "area is not VISp or VISl": 1,
    }
    rows = [k for k in range(60) if k % 10 != 9 and not (start[k] < 33.2 and stop[k] > 30.5)]
    assert array.attrs["excluded"]["presentation"] == {"blank, no orientation": 6, "overlaps invalid times": 1}
    assert array.values.tolist() == [[counted(units[u], start[k], 0, 2) for u in (0, 1)] for k in rows]
    assert array.stimulus.values.tolist() == [
        f"orientation={angle[k]:g}-temporal_frequency={float(speed[k]):g}" for k in rows
    ]
    assert set(array.temporal_frequency.values) == {1.0, 15.0} and set(array.spatial_frequency.values) == {0.04}
    assert array.phase.values[0].startswith("[5308")
    assert array.block.values.tolist() == [k // 20 for k in rows]
    assert set(array.animal.values) == {"699733573"}


def test_blanks_and_invalid_times_can_be_kept(made):
    array = ingest(
        made["neuropixels"], **GRATINGS, blanks="keep", invalid_times="keep", silent="drop", block={"gap": 2.5}
    )
    assert len(array) == 60 and (array.stimulus.values == "blank").sum() == 6
    assert array.attrs["excluded"] == {"unit": {"no spikes": 1}}
    # The location 'null' is no place.
    assert array.area.values.tolist() == ["VISp", "VISl", "unknown", "LGd", "VISp", "VISl", "VISl"]
    assert array.block.values.tolist() == list(range(60))
    assert ingest(made["neuropixels"], **GRATINGS).sizes["unit"] == 8


def test_windows_outside_the_recording_are_counted(made, copy):
    path = copy("centre_out")
    with h5py.File(path, "a") as file:
        file["intervals/trials/start_time"][-2:] += 500
        spikes = file["units/spike_times"][:]
    options = {"stimulus": "result", "window": [0, 1]}
    array = ingest(path, **options)
    # Before the first spike there may have been no recording; nor after the last one.
    onsets = [2.0 * k for k in range(34) if spikes.min() <= 2.0 * k and 2.0 * k + 1 <= spikes.max()]
    assert array.onset.values.tolist() == onsets and 0.0 not in onsets
    reason = "window not between the first and the last spike"
    assert array.attrs["excluded"] == {"presentation": {reason: 36 - len(onsets)}}
    array = ingest(made["centre_out"], **options, recorded=[3, 40.5])
    assert array.onset.values.tolist() == [2.0 * k for k in range(2, 20)]
    assert array.attrs["excluded"] == {"presentation": {"window leaves the recording": 18}}


def test_windows_that_spikes_cover_in_part_are_left_out(made, copy):
    """Without times of observation, a window that begins before the first spike or ends after the last one is lost."""
    path = copy("events")
    with h5py.File(path, "a") as file:
        # The table has licks at 1, 2, … 8 s.
        file["units/spike_times"][0], file["units/spike_times"][-1] = 1.0, 8.2
    options = {"trials": "licks", "stimulus": "side", "area": "M2", "animal": "m1"}
    for window, onsets in ([0, 0.2], range(1, 9)), ([-0.1, 0.2], range(2, 9)), ([-0.1, 0.3], range(2, 8)):
        array = ingest(path, **options, window=window)
        assert array.onset.values.tolist() == list(onsets)
        lost = {"presentation": {"window not between the first and the last spike": 8 - len(onsets)}}
        assert array.attrs["excluded"] == (lost if len(onsets) < 8 else {})


def stimuli(path, **options):
    """Names of the stimuli of a file with two units that fire from 0 to 100 s, and trials every 5 s."""
    given = {"window": [0, 1], "area": "M1"}
    return ingest(path, **given | options).stimulus.values.tolist()


def trials_with(path, **columns):
    """Write that file, with columns of eight values."""
    nwbfile = nwb_files.new()
    for k in range(2):
        nwbfile.add_unit(spike_times=np.arange(0.05 * k, 100, 0.1))
    for name in columns:
        nwbfile.add_trial_column(name, name)
    for k in range(8):
        row = {name: values[k] for name, values in columns.items()}
        nwbfile.add_trial(start_time=5.0 * k + 5, stop_time=5.0 * k + 6, **row)
    return nwb_files.write(nwbfile, path)


def test_different_numbers_are_different_stimuli(tmp_path):
    close, far = [1234.561, 1234.562] * 4, [0.5, 2.0] * 4
    noise = [0.3, 0.1 + 0.2] * 4
    path = trials_with(tmp_path / "digits.nwb", close=close, far=far, noise=noise, near=[2.0, 2.0000001] * 4)
    assert stimuli(path, stimulus="close") == ["close=1234.561", "close=1234.562"] * 4
    assert stimuli(path, stimulus="near") == ["near=2", "near=2.0000001"] * 4
    assert stimuli(path, stimulus=["noise", "far"]) == ["noise=0.3-far=0.5", "noise=0.3-far=2"] * 4
    # What a value is called does not depend on what is kept.
    assert stimuli(path, stimulus="close", where={"far": 2}) == ["close=1234.562"] * 4


def test_a_direction_has_one_name_in_whatever_turn_it_is(tmp_path):
    pi = np.pi
    angles = [pi, -pi, 0.0, 2 * pi, -pi / 4, 7 * pi / 4, -1e-9, np.float64(np.float32(2 * pi))]
    path = trials_with(tmp_path / "angles.nwb", angle=angles)
    array = ingest(path, stimulus="angle", radians=["angle"], columns=["angle"], window=[0, 1], area="M1")
    assert array.angle.values.tolist() == [180, 180, 0, 0, 315, 315, 0, 0]
    assert array.stimulus.values.tolist() == [f"angle={a}" for a in (180, 180, 0, 0, 315, 315, 0, 0)]


def test_texts_that_would_be_one_number_remain_texts(tmp_path):
    image, speed = ["1e3", "1000", "2E1", "20"] * 2, ["1.0", "15.0", "null", "1.0"] * 2
    path = trials_with(tmp_path / "texts.nwb", image=image, speed=speed)
    assert stimuli(path, stimulus="image") == image
    assert stimuli(path, stimulus="speed", blanks="keep") == ["speed=1", "speed=15", "blank", "speed=1"] * 2


def test_columns_called_like_an_index_are_columns(tmp_path):
    """Only a VectorIndex is one; files without types say it by the name, if there is what it would index."""
    path = trials_with(tmp_path / "index.nwb", image=["a", "b"] * 4, image_index=[3, 1] * 4, odd_index=[0, 1] * 4)
    assert stimuli(path, stimulus="image_index") == ["image_index=3", "image_index=1"] * 4
    assert stimuli(path, stimulus=["image", "odd_index"]) == ["image=a-odd_index=0", "image=b-odd_index=1"] * 4
    with h5py.File(path, "a") as file:
        del file["intervals/trials/odd_index"].attrs["neurodata_type"]
        del file["units/spike_times_index"].attrs["neurodata_type"]
    assert stimuli(path, stimulus="odd_index") == ["odd_index=0", "odd_index=1"] * 4


def test_presentations_are_put_into_the_order_of_time(copy):
    path = copy("centre_out")
    order = np.random.default_rng(1).permutation(36)
    straight = ingest(path, stimulus="result", window=[0, 1], columns=["target_dir"])
    with h5py.File(path, "a") as file:
        for name in ("start_time", "stop_time", "result", "target_dir", "id"):
            values = file[f"intervals/trials/{name}"][:]
            file[f"intervals/trials/{name}"][:] = values[order]
    shuffled = ingest(path, stimulus="result", window=[0, 1], columns=["target_dir"])
    assert shuffled.identical(straight)


def test_a_table_of_events_needs_only_times(made):
    array = ingest(made["events"], trials="licks", stimulus="side", window=[0, 0.1], area="M2", animal="m1", session=3)
    assert array.values[:, 0].tolist() == [2, 1, 0, 0, 0, 0, 0, 1]
    assert array.stimulus.values.tolist() == ["right", "left"] * 4
    assert array.unit_id.values.tolist() == ["m1-3-7"] and array.area.values.tolist() == ["M2"]
    # The file names its identifier only.
    given = {"trials": "licks", "stimulus": "side", "window": [0, 0.1]}
    assert set(ingest(made["events"], **given, animal="m1", area="M2").session.values) == {"file of None"}


def test_files_with_unknown_extensions_are_read(copy, made):
    path = copy("maze")
    with h5py.File(path, "a") as file:
        del file["specifications"]
        for place, kind in (("units", "SortedUnits"), ("intervals/trials", "OddTrials"), ("general/subject", "Ape")):
            file[place].attrs.update({"namespace": "ndx-nobody-has-it", "neurodata_type": kind})
        file.create_group("general/odd").attrs.update({"namespace": "ndx-nobody-has-it", "neurodata_type": "Odd"})
        file.attrs["nwb_version"] = "2.0b"
    assert ingest(path, **MAZE).identical(ingest(made["maze"], **MAZE))


def test_electrode_groups_give_the_area_where_no_electrode_does(tmp_path):
    nwbfile = nwb_files.new()
    nwb_files.arrays(nwbfile, ("M1", "PMd"), 1)
    for name in ("PMd", "M1"):
        group = nwbfile.electrode_groups[f"electrode_group_{name}"]
        nwbfile.add_unit(spike_times=[0.1, 1.1], electrode_group=group)
    nwbfile.add_trial(start_time=0.0, stop_time=0.9)
    nwbfile.add_trial(start_time=1.0, stop_time=1.9)
    path = nwb_files.write(nwbfile, tmp_path / "groups.nwb")
    array = ingest(path, stimulus="id", window=[0, 0.5], recorded=[0, 2])
    assert array.area.values.tolist() == ["PMd", "M1"] and array.stimulus.values.tolist() == ["id=0", "id=1"]


def test_columns_of_all_kinds(tmp_path):
    with h5py.File(tmp_path / "kinds.h5", "w") as file:
        group = file.create_group("table")
        group.attrs["colnames"] = ["word", "code", "part", "enum", "ragged", "flag", "pair", "lost"]
        group["id"] = np.arange(3)
        group["word"] = ["a", "null", "none"]
        group["code"] = ["007", "008", "012"]
        group["part"] = ["-1.5e1", " 2 ", "NaN"]
        group["names"] = ["left", "right"]
        group["enum"] = np.array([1, 0, 1], dtype=np.uint8)
        group["enum"].attrs["elements"] = group["names"].ref
        group["ragged"], group["ragged_index"] = np.arange(5.0), np.array([2, 2, 5], dtype=np.uint8)
        group["flag"], group["pair"] = np.array([True, False, True]), np.arange(6).reshape(3, 2)
        table = nwb_tables.Table(group, tmp_path / "kinds.h5")
        assert table.columns == ["id", "word", "code", "part", "enum", "ragged", "flag", "pair", "names"]
        assert table.column("word").tolist() == ["a", "null", "none"] and table.column("flag").dtype == bool
        assert nwb_conditions.missing(table.column("word")).tolist() == [False, True, False]
        assert table.column("code").tolist() == ["007", "008", "012"]
        np.testing.assert_array_equal(table.column("part"), [-15, 2, np.nan])
        assert table.column("enum").tolist() == ["right", "left", "right"]
        np.testing.assert_array_equal(table.column("ragged[1]"), [1, np.nan, 3])
        assert table.column("pair[1]").tolist() == [1, 3, 5]
        with pytest.raises(UserError, match=r"several values in a row; name one of them, the first is 'ragged\[0\]'"):
            table.column("ragged")


def test_windows_lie_within_intervals_that_touch():
    intervals = np.array([[20.0, 30], [0, 10], [10, 12], [5, 6]])
    start, stop = np.array([0, 9, 11, 12, 19, 20, 25.0]), np.array([12, 11, 13, 20, 21, 30, 31.0])
    assert nwb_signals.within(intervals, start, stop).tolist() == [True, True, False, False, False, True, False]


# Fluorescence


def by_hand(path, series, kept, onsets, start, stop):
    with h5py.File(path) as file:
        data = file[f"{series}/data"][:].astype(float)
        times = file["processing/ophys/Fluorescence/Corrected/timestamps"][:]
    inside = [(times >= o + start - 1e-9) & (times < o + stop - 1e-9) for o in onsets]
    return np.array([np.nanmean(data[here][:, kept], axis=0) for here in inside])


def test_fluorescence_is_averaged_around_presentations(made):
    series = "processing/ophys/DfOverF/DfOverF"
    array = ingest(made["imaging"], **CALCIUM)
    # The second presentations of 60 + 1 begin at 5, 8, … s; blanks are every 15th, and the last one ends too late.
    rows = [k for k in range(60) if k % 15 != 14]
    assert array.attrs["excluded"] == {
        "unit": {"no finite value in a window": 1},
        "presentation": {"blank, no orientation_in_degrees": 4, "window leaves the recording": 1},
    }
    onsets = [3.0 * k + 5 for k in rows]
    np.testing.assert_allclose(
        array.values, by_hand(made["imaging"], series, [0, 1, 3, 4], onsets, 0, 2), rtol=1e-5, atol=1e-6
    )
    # Column 2 of the data was lost; the series counts its regions backwards.
    assert array.unit_id.values.tolist() == [f"222426-501940850-StimA-{i}" for i in (304, 303, 301, 300)]
    assert set(array.area.values) == {"VISp"} and array.attrs["response"] == "dF/F" and array.dtype == np.float32
    assert array.attrs["signal"] == "/" + series
    assert array.stimulus.values.tolist() == [f"orientation_in_degrees={45 * (k % 4)}" for k in rows]


def test_samples_that_are_missing_in_all_units_cost_presentations(copy):
    path = copy("imaging")
    with h5py.File(path, "a") as file:
        # From 14 to 16 s: the whole fourth presentation.
        file["processing/ophys/DfOverF/DfOverF/data"][298:362] = np.nan
    array = ingest(path, **CALCIUM, units={"id": {"not": 302}})
    assert array.attrs["excluded"]["presentation"]["no finite value of any unit"] == 1
    assert 14.0 not in array.onset.values and array.sizes["unit"] == 4 and len(array) == 55


def test_pauses_within_a_window_cost_presentations(copy):
    path = copy("imaging")
    with h5py.File(path, "a") as file:
        times = file["processing/ophys/Fluorescence/Corrected/timestamps"]
        # From 15 s, in the fourth presentation, nothing is recorded for 1 s; a longer interval alone is no pause.
        times[330:] += 1.0
        times[600:] += 0.4 / 30
    options = CALCIUM | {"signal": "Fluorescence/Corrected", "response": "fluorescence"}
    array = ingest(path, **options)
    assert array.attrs["excluded"]["presentation"] == {
        "blank, no orientation_in_degrees": 4, "window leaves the recording": 1
    }  # fmt: skip
    # The last presentation lies within the recording, which ends 1 s later.
    assert 14.0 not in array.onset.values and 23.0 in array.onset.values and array.onset.values[-1] == 202.5
    # Nor may a baseline have a pause, such as that before 17 s, or begin before the recording.
    with_baseline = ingest(path, **options, baseline=[-2, 0])
    assert sorted(set(array.onset.values) - set(with_baseline.onset.values)) == [5.0, 17.0]


def test_baselines_are_steps_with_a_name(made):
    options = CALCIUM | {"signal": "Fluorescence/Corrected", "response": "fluorescence", "bin_width": 0.5}
    raw = ingest(made["imaging"], **options)
    # Conversion and offset are those of the file.
    onsets = raw.onset.values
    hand = by_hand(made["imaging"], "processing/ophys/Fluorescence/Corrected", slice(None), onsets, 0.5, 1) * 2 + 1
    np.testing.assert_allclose(raw.values[:, 1], hand, rtol=1e-5)
    before = by_hand(made["imaging"], "processing/ophys/Fluorescence/Corrected", slice(None), onsets, -0.5, 0) * 2 + 1
    minus = ingest(made["imaging"], **options, baseline=[-0.5, 0])
    np.testing.assert_allclose(minus.values[:, 1], hand - before, atol=1e-4)
    assert minus.attrs["response"] == "fluorescence" and minus.attrs["baseline"].startswith("F - F0, with F0")
    relative = ingest(made["imaging"], **options, baseline={"window": [-0.5, 0], "step": "dF/F"})
    np.testing.assert_allclose(relative.values[:, 1], (hand - before) / before, atol=1e-5)
    assert relative.attrs["response"] == "dF/F" and relative.attrs["baseline"].startswith("(F - F0) / F0")
    assert "baseline" not in raw.attrs


def test_small_blocks_and_turned_data_change_nothing(made, tmp_path, monkeypatch):
    options = CALCIUM | {"signal": "Corrected", "response": "fluorescence", "bin_width": 0.25}
    array = ingest(made["imaging"], **options)
    monkeypatch.setattr(nwb_signals, "BLOCK", 4000)
    np.testing.assert_array_equal(ingest(made["imaging"], **options), array)
    turned = nwb_files.imaging(tmp_path / "turned.nwb", compound=False)
    with h5py.File(turned, "a") as file:
        series = file["processing/ophys/Fluorescence/Corrected"]
        values, attributes = series["data"][:], dict(series["data"].attrs)
        del series["data"]
        series["data"] = values.T
        series["data"].attrs.update(attributes)
    np.testing.assert_array_equal(ingest(turned, **options), array)


def test_series_with_a_rate_and_regions_by_their_columns(made):
    array = ingest(
        made["imaging"],
        **CALCIUM | {"signal": "/processing/ophys/DfOverF/DfOverFEvents", "response": "inferred spikes"},
        units={"iscell[0]": 1, "id": {"not": 302}},
    )
    assert [i[-3:] for i in array.unit_id.values] == ["304", "303", "300"]
    hand = by_hand(made["imaging"], "processing/ophys/DfOverF/DfOverFEvents", [0, 1, 4], array.onset.values, 0, 2)
    np.testing.assert_allclose(array.values, hand, rtol=1e-5)
    assert array.attrs["excluded"]["unit"] == {"iscell[0] is not 1": 1, "id is 302": 1}


# The catalogue


@pytest.mark.parametrize(
    ("identifier", "name", "shape", "stimuli"),
    [
        ("mc_maze-session=small", "maze", (38, 5), 6),
        ("perich_miller-session=chewie_20131003", "centre_out", (20, 6), 8),
        ("allen_2p_nwb_510234687", "imaging", (56, 4), 4),
        ("allen_neuropixels_nwb_715093703-session=drifting_gratings", "neuropixels", (53, 2), 4),
        ("allen_neuropixels_nwb_715093703-session=static_gratings", "neuropixels", (35, 2), 12),
        ("allen_neuropixels_nwb_715093703-session=natural_scenes", "neuropixels", (36, 2), 9),
    ],
)
def test_worked_examples_fit_files_of_their_layout(made, identifier, name, shape, stimuli):
    root = Path(__file__).parents[2]
    entry = catalogue.load(root / "config", root / "workflow/schemas").recording(identifier)
    assert entry["loader"] == "nwb" and len(entry["files"]) == 1
    array = ingest(made[name], **entry["options"])
    assert array.shape == shape and len(set(array.stimulus.values)) == stimuli
    assert "unknown" not in array.area.values
