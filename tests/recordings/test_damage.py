"""What is wrong with an input, and what happens: every row of the table in data/README.md, tried.

``refused``: one line that names the file (or the recording) and the field, and nothing is returned.
``counted``: the recording is made without it, and says in ``excluded`` what is missing and why.
``accepted``: the recording is made, and is right.
"""

import io
import os
import re
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import nwb_files
import pytest
import scipy.io
import stringer
import xarray as xr
from conftest import ABOUT

from neurocompare import comparison, describing, locks, representation
from neurocompare.errors import UserError
from neurocompare.fetching import fetch
from neurocompare.ingestion.pseudopopulation import pool
from neurocompare.recordings import antolik2016, churchland2012, stringer2019, stringer2021

README = Path(__file__).resolve().parents[2] / "data/README.md"

pytestmark = pytest.mark.filterwarnings("ignore:The linked table")


# Files to damage


def mouse(folder, change=lambda trials: trials, means=None):
    """Write the files of a small recording of natural images; return them by name."""
    trials = change(np.random.default_rng(0).exponential(size=(4, 6, 5)))
    paths = {name: folder / name for name in (antolik2016.TRIALS_FILE, antolik2016.MEANS_FILE)}
    np.save(paths[antolik2016.TRIALS_FILE], trials)
    np.save(paths[antolik2016.MEANS_FILE], trials.mean(axis=0) if means is None else means)
    return paths


def images(folder, change=lambda trials: trials, means=None):
    return antolik2016.ingest(mouse(folder, change, means), about=ABOUT)


def averages(folder, content):
    """Write the file of Churchland et al. 2012; return it by name."""
    path = folder / churchland2012.FILE
    scipy.io.savemat(path, content)
    return {path.name: path}


def tensor(**changed):
    return {
        "dataTensor": np.random.default_rng(0).standard_normal((61, 4, 3)),
        "t": np.arange(-50.0, 551, 10),
    } | changed


def oriented(folder, **changed):
    path = folder / "gratings_static_TX39_2019_05_02_1.npy"
    stringer.write(path, stringer.orientations(12, 60) | changed)
    return stringer2021.ingest({path.name: path}, about=ABOUT)


def natural(folder, **changed):
    path = folder / "natimg2800_M1_MP1_2017-01-01.mat"
    stringer.write_mat(path, stringer.natural_images() | changed)
    return stringer2019.ingest({path.name: path}, about=ABOUT)


def reaches(folder, change=lambda file: None, **options):
    """Write an NWB file as that of MC_Maze, change it, and ingest it."""
    path = nwb_files.maze(folder / "maze.nwb")
    with h5py.File(path, "a") as file:
        change(file)
    return nwb_files.ingest(path, **({"area": "M1"} | nwb_files.MAZE | options))


def counted(array, dim):
    """Return what the recording says of what it leaves out."""
    return array.attrs["excluded"].get(dim, {})


def recording(counts, **changed):
    """Build a recording by hand, as a loader does."""
    n, units = np.shape(counts)[0], np.shape(counts)[-1]
    stimulus = np.array([f"s{i % 6}" for i in range(n)])
    presentation = {"stimulus": stimulus, "repeat": np.arange(n) // 6, "block": np.arange(n) // 6}
    names = np.array([f"u{i}" for i in range(units)])
    unit = {"unit_id": names} | {name: np.full(units, "one") for name in ("area", "animal", "session")}
    known = {"response": "spike count", "exchangeable": "stimulus", "simultaneous": True}
    time = changed.pop("time", None)
    presentation |= {k: changed.pop(k) for k in list(changed) if k in presentation}
    unit |= {k: changed.pop(k) for k in list(changed) if k in unit}
    return representation.responses(
        counts, presentation=presentation, unit=unit, time=time, attributes=ABOUT | known | changed
    )


COUNTS = np.random.default_rng(0).poisson(3, (24, 4))
ROWS = {}


def row(name, outcome, *parts):
    """Register a row of the table; `parts` are in the line that refuses, or in the reasons that are counted."""

    def register(function):
        assert name not in ROWS
        ROWS[name] = outcome, parts, function
        return function

    return register


# Files


@row("NumPy file cut short", "refused", antolik2016.TRIALS_FILE, "not a readable NumPy file", "fetch it again")
def _(folder):
    paths = mouse(folder)
    path = paths[antolik2016.TRIALS_FILE]
    path.write_bytes(path.read_bytes()[:-40])
    antolik2016.ingest(paths, about=ABOUT)


@row("MATLAB file cut short", "refused", churchland2012.FILE, "not a readable MATLAB file", "fetch it again")
def _(folder):
    files = averages(folder, tensor())
    files[churchland2012.FILE].write_bytes(files[churchland2012.FILE].read_bytes()[:-400])
    churchland2012.ingest(files, about=ABOUT)


@row("HDF5 file (NWB) cut short", "refused", "maze.nwb", "not a readable HDF5 file", "fetch it again")
def _(folder):
    path = nwb_files.maze(folder / "maze.nwb")
    path.write_bytes(path.read_bytes()[:-5000])
    nwb_files.ingest(path, area="M1", **nwb_files.MAZE)


@row("web page in the place of a file", "refused", churchland2012.FILE, "not a readable MATLAB file")
def _(folder):
    path = folder / churchland2012.FILE
    path.write_text("<!DOCTYPE html><html><body>log in</body></html>")
    churchland2012.ingest({path.name: path}, about=ABOUT)


@row("empty file", "refused", antolik2016.MEANS_FILE, "not a readable NumPy file")
def _(folder):
    paths = mouse(folder)
    paths[antolik2016.MEANS_FILE].write_bytes(b"")
    antolik2016.ingest(paths, about=ABOUT)


@row("folder in the place of a file", "refused", "file.npy", "cannot be read")
def _(folder):
    (folder / "file.npy").mkdir()
    locks.verified([folder / "file.npy"], {"file.npy": "0" * 64})


@row(
    "file with another checksum than the catalogue's",
    "refused",
    "file.npy",
    "sha256 is",
    "expected",
    "put the right one",
)
def _(folder):
    (folder / "file.npy").write_bytes(b"other")
    locks.verified([folder / "file.npy"], {"file.npy": "0" * 64})


@row("file that changed since its lock was made", "refused", "file.npy", "recorded", "or the lock, to accept the file")
def _(folder):
    (folder / "file.npy").write_bytes(b"first")
    locks.verified([folder / "file.npy"], {"file.npy": ""})
    (folder / "file.npy").write_bytes(b"other")
    locks.verified([folder / "file.npy"], {"file.npy": ""})


@row("files of two recordings mixed", "refused", antolik2016.TRIALS_FILE, "same region")
def _(folder):
    images(folder, means=np.zeros((6, 5)))


@row("variable missing in a MATLAB file", "refused", churchland2012.FILE, "'dataTensor' is missing", "present: t")
def _(folder):
    churchland2012.ingest(averages(folder, {"t": np.arange(3.0)}), about=ABOUT)


@row("pickle that runs a program", "refused", "gratings_static", "system")
def _(folder):
    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {folder}/marker",)

    try:
        oriented(folder, stat=Attack())
    finally:
        assert not (folder / "marker").exists()


@row("pickle where plain numbers belong", "refused", antolik2016.TRIALS_FILE, "not a readable NumPy file")
def _(folder):
    images(folder, lambda trials: trials.astype(object), means=np.zeros((6, 5)))


@row("zip with ../ in the names of its members", "accepted")
def _(folder):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../outside.npy", b"content")
    from web import Server

    server = Server()
    try:
        source = {"url": server.host("/a.zip", stream.getvalue()), "member": "outside.npy"}
        fetch(folder / "data/raw/mouse/file.npy", checksum="", sources=[source], log=lambda line: None)
    finally:
        server.close()
    assert (folder / "data/raw/mouse/file.npy").read_bytes() == b"content"
    assert not list(folder.parent.rglob("outside.npy"))


@row("NWB 1 in the place of NWB 2", "refused", "old.nwb", "NWB 1.0.6", "allen_ophys")
def _(folder):
    with h5py.File(folder / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
    nwb_files.ingest(folder / "old.nwb", **nwb_files.MAZE)


# Values


@row("text where numbers belong", "refused", antolik2016.TRIALS_FILE, "numbers")
def _(folder):
    images(folder, lambda trials: trials.astype(str), means=np.zeros((6, 5)))


@row("NaN in the responses of a unit", "refused", antolik2016.TRIALS_FILE, "NaN")
def _(folder):
    images(folder, lambda trials: put(trials, (0, 0, 3), np.nan))


@row("Inf in the responses of a unit", "refused", antolik2016.TRIALS_FILE, "1 of 120 responses", "infinite")
def _(folder):
    images(folder, lambda trials: put(trials, (2, 1, 0), np.inf))


@row("NaN in the responses of a neuron (calcium imaging of thousands)", "counted", "unit", "NaN or infinite", 1)
def _(folder):
    return oriented(folder, sresp=put(stringer.orientations(12, 60)["sresp"], (3, 7), np.nan))


@row("neuron with a constant response", "counted", "unit", "constant response", 1)
def _(folder):
    return oriented(folder, sresp=put(stringer.orientations(12, 60)["sresp"], 5, 2.0))


@row("unit without spikes", "accepted")
def _(folder):
    array = recording(COUNTS * [1, 1, 0, 1])
    rows, _ = describing.describe(array, "reliability-split=random", name="r")
    assert array.sizes["unit"] == 4 and np.isfinite(rows[0]["value"])


@row("negative spike counts", "refused", "negative spike counts")
def _(folder):
    recording(COUNTS - 5)


@row("dissimilarities that are not symmetric", "refused", "symmetric")
def _(folder):
    matrix = np.triu(np.ones((1, 3, 3)), 1)
    labels = {name: np.array(["a"]) for name in ("area", "animal", "session")}
    known = {"exchangeable": "stimulus", "simultaneous": False, "distance": "correlation"}
    representation.dissimilarities(matrix, stimulus=np.array(list("abc")), rdm=labels, attributes=ABOUT | known)


# Units and trials


@row("two units of one id", "refused", "unit_id", "repeats 'u0'")
def _(folder):
    recording(COUNTS, unit_id=np.array(["u0", "u0", "u1", "u2"]))


@row("unit in two members of a pool", "refused", "unit 'u0' is in two members")
def _(folder):
    pool([recording(COUNTS), recording(COUNTS)], match=["stimulus"])


@row("members of a pool with different bins", "refused", "member 2 has another time axis")
def _(folder):
    counts = COUNTS[:, None].repeat(2, axis=1)
    other = recording(counts, time=[0.0, 0.2], unit_id=np.array(list("abcd")))
    pool([recording(counts, time=[0.0, 0.1]), other], match=["stimulus"])


@row("spike times that do not rise", "refused", "maze.nwb", "unit", "rising")
def _(folder):
    reaches(folder, lambda file: change(file["units/spike_times"], ..., file["units/spike_times"][...][::-1]))


@row("trial without a time of its event", "counted", "presentation", "no move_onset_time", 3)
def _(folder):
    """One trial of the file has none, two more lose theirs."""
    return reaches(folder, lambda file: change(file["intervals/trials/move_onset_time"], slice(2, 4), np.nan))


@row("trials out of the order of time", "accepted")
def _(folder):
    ordered = reaches(folder)
    (folder / "maze.nwb").unlink()

    def shuffle(file):
        order = np.random.default_rng(1).permutation(len(file["intervals/trials/id"]))
        for column in file["intervals/trials"].values():
            if column.shape == order.shape:
                column[...] = column[...][order]

    shuffled = reaches(folder, shuffle)
    np.testing.assert_array_equal(shuffled.values, ordered.values)
    np.testing.assert_array_equal(shuffled.stimulus, ordered.stimulus)


@row("trials that overlap", "accepted")
def _(folder):
    """Each trial has its own window: spikes in the overlap count in both."""
    wide = reaches(folder, window=[-0.1, 0.1])
    (folder / "maze.nwb").unlink()

    def twice(file):
        onset = file["intervals/trials/move_onset_time"]
        onset[1] = onset[0] + 0.05
        for name in ("start_time", "stop_time"):
            file[f"intervals/trials/{name}"][1] = file[f"intervals/trials/{name}"][0]

    both = reaches(folder, twice, window=[-0.1, 0.1])
    assert both.sizes["presentation"] == wide.sizes["presentation"]
    np.testing.assert_array_equal(both.values[0], wide.values[0])


@row("window that leaves the recording", "counted", "presentation", "window leaves the recording", 18)
def _(folder):
    path = nwb_files.centre_out(folder / "centre_out.nwb")
    return nwb_files.ingest(path, stimulus="result", window=[0, 1], recorded=[3, 40.5])


@row("labels and trials of different number", "refused", "gratings_static", "60 trials", "120 angles")
def _(folder):
    oriented(folder, istim=stringer.orientations(12, 60)["istim"].repeat(2))


@row("stimulus that was shown once, where repeats are averaged", "counted", "presentation", "fewer than 2 times", 1)
def _(folder):
    shown = stringer.natural_images()
    index = np.flatnonzero(shown["istim"][:, 0] == 4)
    keep = np.setdiff1d(np.arange(len(shown["istim"])), index[:1])
    return natural(folder, resp=shown["resp"][keep], istim=shown["istim"][keep])


@row("blank among the stimuli", "counted", "presentation", "blank", 3)
def _(folder):
    return natural(folder)


@row("number of a stimulus that does not exist", "refused", "natimg2800", "istim")
def _(folder):
    natural(folder, istim=stringer.natural_images()["istim"] - 1)


@row("unequal repeats", "accepted")
def _(folder):
    array = recording(COUNTS, stimulus=np.repeat([f"s{i}" for i in range(6)], [6, 5, 4, 3, 3, 3]))
    rows, _ = describing.describe(array, "reliability-split=random", name="r")
    assert array.sizes["presentation"] == 24 and rows[0]["n_stimuli"] == 6


@row("no repeats, for a measure that needs them", "refused", "reliability-split=random", "at least 2 repeats")
def _(folder):
    array = recording(COUNTS, stimulus=np.array([f"s{i}" for i in range(24)]))
    describing.describe(array, "reliability-split=random", name="r")


@row("stimuli that are not those of the images", "refused", "recording 'mouse'", "has not seen 3 of its stimuli", "s0")
def _(folder):
    seen = ["s3", "s4", "s5"]
    activations = xr.Dataset(coords={"stimulus": seen, "other_stimulus": seen})
    comparison.aligned_stimuli(recording(COUNTS), activations, "mouse")


@row("time that does not rise", "refused", "'time' must be increasing")
def _(folder):
    recording(COUNTS[:, None].repeat(2, axis=1), time=[0.1, 0.0])


@row("unit that is never active, in a pool", "accepted")
def _(folder):
    array = pool([recording(COUNTS), recording(COUNTS * 0, unit_id=np.array(list("abcd")))], match=["stimulus"])
    assert array.sizes["unit"] == 8 and array.attrs["simultaneous"] is False


@row("file under another name", "refused", antolik2016.TRIALS_FILE, "list it under 'files'")
def _(folder):
    paths = mouse(folder)
    other = shutil.copy(paths[antolik2016.TRIALS_FILE], folder / "trials.npy")
    antolik2016.ingest({"trials.npy": Path(other)}, about=ABOUT)


def put(array, where, value):
    array = array.copy()
    array[where] = value
    return array


def change(dataset, where, value):
    dataset[where] = value


@pytest.mark.parametrize("name", ROWS)
def test_a_damaged_input_is_refused_counted_or_accepted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome, parts, function = ROWS[name]
    if outcome == "refused":
        with pytest.raises(UserError) as caught:
            function(tmp_path)
        message = str(caught.value)
        assert "\n" not in message
        for part in parts:
            assert part in message, message
        return
    array = function(tmp_path)
    if outcome == "counted":
        dim, words, count = parts
        found = {reason: n for reason, n in counted(array, dim).items() if words in reason}
        assert len(found) == 1, array.attrs["excluded"]
        assert count is None or list(found.values()) == [count], found


def test_the_table_in_the_readme_has_just_these_rows():
    listed = re.findall(r"^\| ([^|]+) \| (refused|counted|accepted)\b[^|]*\|$", README.read_text(), re.MULTILINE)
    assert listed == [(name, outcome) for name, (outcome, *_) in ROWS.items()]
    assert len(listed) >= 25
