"""Small derivatives of Allen recordings: inferred spikes of one two-photon session, and Neuropixels counts."""

import shutil

import h5py
import numpy as np
import pytest
from conftest import ABOUT
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.recordings import allen_neuropixels_gratings, allen_swdb2016


def refused(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


@pytest.fixture(scope="module")
def ophys(real_data):
    return {path.name: path for path in (real_data / "allen_2p_501574836").iterdir()}


@pytest.fixture(scope="module")
def ecephys(real_data):
    return {path.name: path for path in (real_data / "allen_neuropixels_gratings").iterdir()}


def table(files):
    return np.genfromtxt(files[allen_swdb2016.TABLE_FILE], delimiter=",", names=True)


def test_labelled_gratings_and_what_was_left_out(ophys, tmp_path):
    array = allen_swdb2016.ingest(ophys, about=ABOUT)
    assert array.shape == (58, 242) and array.attrs["response"] == "inferred spikes"
    assert array.attrs["excluded"] == {"presentation": {"label not preserved": 568, "blank sweep": 2}}
    rows = table(ophys)
    rows = rows[rows["blank_sweep"] == 0]
    np.testing.assert_array_equal(array, np.load(ophys[allen_swdb2016.COUNTS_FILE])[rows["trial"].astype(int)])
    np.testing.assert_array_equal(array.direction, rows["orientation"])
    np.testing.assert_array_equal(array.temporal_frequency, rows["temporal_frequency"])
    assert np.unique(array.orientation).tolist() == [0, 45, 90, 135]
    assert array.block.values.tolist() == [0] * 30 + [1] * 28
    representation.write(array, tmp_path / "a.nc")


def test_frames_add_up_to_the_sweeps(ophys):
    """The stored counts are those of the frames from the start of a sweep to before its end."""
    array = allen_swdb2016.ingest(ophys, about=ABOUT)
    rows = table(ophys)
    rows = rows[rows["blank_sweep"] == 0]
    with h5py.File(ophys[allen_swdb2016.RASTER_FILE]) as file:
        raster = file["raster"][:]
    frame = 1 / allen_swdb2016.RATE
    frames = allen_swdb2016.ingest(
        ophys, about=ABOUT, response="frames", window=[-10 * frame, 60 * frame], bin_width=10 * frame
    )
    assert frames.shape == (58, 7, 242)
    for trial, row in enumerate(rows):
        start, end = int(row["start"]), int(row["end"])
        np.testing.assert_array_equal(array[trial], raster[:, start:end].sum(axis=1))
        for b in range(7):
            low = start - 10 + 10 * b
            np.testing.assert_array_equal(frames[trial, b], raster[:, low : low + 10].sum(axis=1))
    # A sweep has 59 or 60 frames.
    for n in (59, 60):
        whole = allen_swdb2016.ingest(ophys, about=ABOUT, response="frames", window=[0, n * frame])
        same = rows["end"] - rows["start"] == n
        assert same.any()
        np.testing.assert_array_equal(whole[same], array[same])


def test_bins_of_frames_hold_the_same_number_of_them(ophys, tmp_path):
    """A raster of ones counts the frames of each bin; 0.1 s are 3.003 of them."""
    path = tmp_path / allen_swdb2016.RASTER_FILE
    with h5py.File(path, "w") as file:
        file["raster"] = np.ones((242, 115730), dtype=np.uint8)
    frames = allen_swdb2016.ingest(
        ophys | {path.name: path}, about=ABOUT, response="frames", window=[-0.4, 2.4], bin_width=0.1
    )
    assert frames.shape == (58, 28, 242) and (frames.values == 3).all()
    np.testing.assert_allclose(frames.time, (np.arange(-12, 72, 3) + 1.5) / allen_swdb2016.RATE)
    assert frames.attrs["window"] == "-0.3996 to 2.3976 s"


def test_orientation_is_decoded_from_inferred_spikes(ophys):
    """Nearest mean by correlation of square-rooted counts, leaving one trial out: directions and orientations."""
    array = allen_swdb2016.ingest(ophys, about=ABOUT)
    x = np.sqrt(array.values)
    hits = {"direction": 0, "orientation": 0}
    for name in hits:
        labels = array.coords[name].values
        for trial in range(58):
            others = np.arange(58) != trial
            names = np.unique(labels[others])
            means = [x[others & (labels == value)].mean(axis=0) for value in names]
            hits[name] += names[np.argmax([np.corrcoef(mean, x[trial])[0, 1] for mean in means])] == labels[trial]
    assert hits["direction"] / 58 > 0.8 and hits["orientation"] / 58 > 0.88


@pytest.mark.parametrize("options", [{}, {"window": [0.02, 0.08], "bin_width": 0.01}])
def test_neuropixels_counts_are_counted_like_by_hand(ecephys, options):
    array = allen_neuropixels_gratings.ingest(ecephys, about=ABOUT, **options)
    spikes, index, labels = (
        np.load(ecephys[name]) for name in ("spike_times.npy", "ii_spike_times.npy", "stim_label.npy")
    )
    edges = np.array([0, 0.1]) if not options else np.arange(0.02, 0.0801, 0.01)
    cube = array.values.reshape(200, len(edges) - 1, 1000)
    for trial in (0, 49, 50, 123, 199):
        orientation, repeat = labels[trial], trial % 50
        row = int(np.flatnonzero((array.orientation.values == orientation) & (array.repeat.values == repeat))[0])
        for unit in range(0, 1000, 37):
            first, last = index[trial, unit]
            np.testing.assert_array_equal(cube[row, :, unit], np.histogram(spikes[first:last], edges)[0])
    if not options:
        assert array.values.sum() == len(spikes)
    assert array.attrs["simultaneous"] is False


def test_neuropixels_counts_tell_the_orientation(ecephys):
    array = allen_neuropixels_gratings.ingest(ecephys, about=ABOUT)
    split = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_score(LogisticRegression(max_iter=1000), np.sqrt(array.values), array.stimulus.values, cv=split)
    assert scores.mean() > 0.99


def test_what_is_not_there_is_told_in_one_line(ophys, ecephys, tmp_path):
    swdb = lambda files, **options: allen_swdb2016.ingest(files, about=ABOUT, **options)  # noqa: E731
    refused(lambda: swdb(ophys, response="dff"), "unknown response 'dff'")
    for name in (allen_swdb2016.COUNTS_FILE, allen_swdb2016.TABLE_FILE, allen_swdb2016.SELECTIVITY_FILE):
        refused(lambda n=name: swdb({k: v for k, v in ophys.items() if k != n}), name, "list it")
    refused(lambda: swdb(ophys, response="frames", window=[-30, 2]), allen_swdb2016.RASTER_FILE, "leaves the recording")
    for options, size in (({"bin_width": 0.02}, "0.6006"), ({"window": [0, 0.25]}, "7.508")):
        message = allen_swdb2016.RASTER_FILE, f"holds {size} frames", "'bin_width' to a multiple of 0.0333 s"
        refused(lambda o=options: swdb(ophys, response="frames", **o), *message)
    page = tmp_path / allen_swdb2016.TABLE_FILE
    page.write_text("<html>moved</html>\n", encoding="utf-8")
    refused(lambda: swdb(ophys | {page.name: page}), str(page), "not a table with columns trial, temporal_frequency")
    swapped = ophys | {allen_swdb2016.SELECTIVITY_FILE: ophys["cell_specimen_ids_243.npy"]}
    refused(lambda: swdb(swapped), "243 cells", "one place")
    cut = tmp_path / allen_swdb2016.RASTER_FILE
    cut.write_bytes(ophys[cut.name].read_bytes()[:5000])
    refused(lambda: swdb(ophys | {cut.name: cut}, response="frames"), str(cut), "not a readable HDF5 file")

    gratings = lambda files, **options: allen_neuropixels_gratings.ingest(files, about=ABOUT, **options)  # noqa: E731
    refused(lambda: gratings(ecephys, window=[0, 0.2]), "window is [0, 0.2]", "0 to 0.1 s")
    shutil.copy(ecephys["stim_label.npy"], tmp_path / "spike_times.npy")
    refused(
        lambda: gratings(ecephys | {"spike_times.npy": tmp_path / "spike_times.npy"}), "points outside the 200 spikes"
    )
    np.save(tmp_path / "stim_label.npy", np.zeros(10))
    refused(
        lambda: gratings(ecephys | {"stim_label.npy": tmp_path / "stim_label.npy"}), "ii_spike_times.npy", "10 trials"
    )
