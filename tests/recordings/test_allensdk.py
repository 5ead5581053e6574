"""The real Allen SDK, in the environment that the workflow builds, against a warehouse on this computer.

All tests that need that environment are in this file, as test runs are split by file and it takes a minute to build.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import allen_nwb
import h5py
import numpy as np
import pytest
import yaml
from allen_server import Warehouse, serving

from neurocompare import allensdk, datasets, environments, representation
from neurocompare.errors import UserError
from neurocompare.fetching import http
from neurocompare.recordings import allen_ecephys, allen_ophys

TOP = Path(__file__).resolve().parents[2]
ABOUT = {"source": "a warehouse", "citation": "nobody", "license": "none"}
NOWHERE = "http://127.0.0.1:9"  # nothing listens to this port
A, B, C, OTHER, FAILED = 501574836, 501559087, 501474098, 501836392, 502115959
SESSION = 715093703
CONFIG = {
    "config": {"studies": ["reliability"]},
    "studies/reliability": {
        "title": "Reliability",
        "recordings": ["two_photon"],
        "descriptions": ["reliability-split=random"],
    },
    "stimuli": {"images": {"recording": "scenes", "options": {"crop": "right"}}},
    "networks": {},
    "recoveries": {},
    "recordings": {
        "two_photon": {
            "loader": "allen_ophys",
            "options": {"stimulus": "drifting_gratings", "window": [0, 2]},
            "allensdk": {"product": "ophys", "experiments": [A]},
        },
        "neuropixels": {
            "loader": "allen_ecephys",
            "options": {"stimulus": "static_gratings", "areas": ["VISp", "VISl"]},
            "allensdk": {"product": "ecephys", "select": {"session_type": "brain_observatory_1.1"}, "most": 1},
        },
        "scenes": {
            "loader": "allen_ophys",
            "stimuli": "images",
            "options": {"stimulus": "natural_scenes"},
            "allensdk": {"product": "ophys", "experiments": [B]},
        },
    },
}


def configured(folder, **address):
    """Write a configuration into a working directory of its own."""
    (folder / "config/studies").mkdir(parents=True, exist_ok=True)
    recordings = {
        name: dict(entry, allensdk=entry["allensdk"] | address) for name, entry in CONFIG["recordings"].items()
    }
    for name, content in (CONFIG | {"recordings": recordings}).items():
        (folder / f"config/{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def snakemake(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE")}
    command = [sys.executable, "-m", "snakemake", "-s", TOP / "Snakefile", "-d", folder, "--cores", "1", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a working directory in which the workflow has built the environment."""
    folder = configured(tmp_path_factory.mktemp("built"))
    done = snakemake(folder, "results/environments/allensdk.txt")
    if done.returncode and (said := re.search("^error: .*pip cannot reach its package index.*", done.stderr, re.M)):
        pytest.skip(f"no package registry can be reached, so the Allen SDK can't be installed ({said[0]})")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def environment(built):
    return built / "results/environments/allensdk"


@pytest.fixture(scope="module")
def published(environment, tmp_path_factory):
    """Return a warehouse with three kinds of two-photon sessions, and a Neuropixels session."""
    folder, warehouse = tmp_path_factory.mktemp("published"), Warehouse()
    nwb, events = folder / "ophys_experiment_data", folder / "ophys_experiment_events"
    for number, session, area, depth, odd in (
        (OTHER, "three_session_B", "VISl", 175, {}),
        (A, "three_session_A", "VISp", 275, {"surplus": 1, "late": 3, "swapped": True}),
        (B, "three_session_B", "VISp", 275, {}),
        (C, "three_session_C2", "VISp", 275, {}),
        (FAILED, "three_session_A", "VISp", 275, {}),
    ):
        path = allen_nwb.write_ophys(
            nwb / f"{number}.nwb", number, session=session, area=area, depth=depth, container=number // 10, **odd
        )
        found = allen_nwb.write_events(events / f"{number}_events.npz", number)
        warehouse.add_ophys(
            number, path, area=area, depth=depth, session=session, events=found, failed=number == FAILED
        )
    path = allen_nwb.write_ecephys(environments.python_of(environment), folder / "session.nwb", SESSION)
    warehouse.add_ecephys(SESSION, path)
    warehouse.add_ecephys(799864342, path, session="functional_connectivity")
    return warehouse


@pytest.fixture
def warehouse(published):
    """Return the warehouse, with nothing asked so far."""
    published.asked.clear()
    published.ranges.clear()
    published.truncated = 0
    return published


@pytest.fixture
def address(warehouse):
    with serving(warehouse) as found:
        yield found


@pytest.fixture
def fetch(environment, address, tmp_path, monkeypatch):
    """Return a function that fetches into an empty folder of raw files."""
    # Locks are kept in the working directory.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(http, "BACK_OFF", 0.0)

    def call(product="ophys", limit=None, **request):
        asked = {"product": product, "warehouse": address} | request
        return allensdk.fetch(environment, tmp_path / "raw", asked, about=ABOUT, limit=limit, log=lambda line: None)

    return call


@pytest.fixture(scope="module")
def fetched(environment, published, tmp_path_factory):
    """Return a folder of raw files, and what was fetched into it, by id."""
    raw, found = tmp_path_factory.mktemp("fetched"), {}
    with pytest.MonkeyPatch.context() as patch, serving(published) as address:
        patch.chdir(raw)
        for product, numbers, events in (
            ("ophys", [A, C], False),
            ("ophys", [B, OTHER], True),
            ("ecephys", [SESSION], False),
        ):
            request = {"product": product, "warehouse": address, "experiments": numbers, "events": events}
            found |= {e["id"]: e for e in allensdk.fetch(environment, raw, request, about=ABOUT)}
    return raw, found


@pytest.fixture(scope="module")
def export(environment, fetched, tmp_path_factory):
    """Return a function that exports, once for each combination."""
    raw, found = fetched
    folder = tmp_path_factory.mktemp("exported")

    def call(experiments, stimulus, response="dff"):
        path = folder / f"{'-'.join(map(str, experiments))}-{stimulus}-{response}.h5"
        if not path.exists():
            product = "ecephys" if SESSION in experiments else "ophys"
            wanted = {"product": product, "stimulus": stimulus, "response": response}
            allensdk.export(environment, raw, [found[number] for number in experiments], wanted, path)
        return {"export.h5": path}

    return call


@pytest.fixture(scope="module")
def ingest(export):
    """Return a function that exports and loads."""

    def call(experiments, stimulus, response="dff", **options):
        files = export(experiments, stimulus, response)
        if SESSION in experiments:
            return allen_ecephys.ingest(files, about=ABOUT, stimulus=stimulus, **options)
        return allen_ophys.ingest(files, about=ABOUT, stimulus=stimulus, response=response, **options)

    return call


class Direct:
    """A two-photon file, read without the SDK."""

    def __init__(self, warehouse, number, stimulus):
        with h5py.File(warehouse.files[number, "NWBOphys"], "r") as file:
            pipeline = file[allen_nwb.PIPELINE]
            self.time = pipeline["DfOverF/imaging_plane_1/timestamps"][()]
            self.dff = pipeline["DfOverF/imaging_plane_1/data"][()].astype(float)
            plane = "Fluorescence/imaging_plane_1"
            neuropil = pipeline[f"{plane}_neuropil_response/data"][()].astype(float)
            ratio = pipeline[f"{plane}_neuropil_response/r"][()]
            self.corrected = pipeline[f"{plane}_demixed_signal/data"][()] - ratio[:, None] * neuropil
            speed = pipeline["BehavioralTimeSeries/running_speed"]
            self.speed = np.full(len(self.time), np.nan)
            self.speed[np.searchsorted(self.time, speed["timestamps"][()])] = speed["data"][()]
            self.cells = pipeline["ImageSegmentation/cell_specimen_ids"][()]
            group = file[f"stimulus/presentation/{stimulus}_stimulus"]
            order = np.argsort(group["frame_duration"][:, 0])
            self.data, self.frames = group["data"][()][order], group["frame_duration"][()][order]

    def windows(self, seconds):
        """Samples within so many seconds of each onset."""
        return [
            np.flatnonzero(abs(self.time - t - seconds / 2 + 1e-6) < seconds / 2) for t in self.time[self.frames[:, 0]]
        ]


def refused(call, *parts):
    with pytest.raises(UserError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_the_environment_is_what_the_list_says(built):
    freeze = (built / "results/environments/allensdk.txt").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)$", freeze, re.MULTILINE))
    assert versions["allensdk"] == "2.16.2"
    listed = (environments.PROGRAMS / "requirements.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", listed, re.MULTILINE))
    assert {name: versions[name] for name in pinned if name in versions} == {
        n: pinned[n] for n in pinned if n in versions
    }
    assert len(versions) > 50
    # No remains of the making.
    assert {path.name for path in (built / "results/environments").iterdir()} == {"allensdk", "allensdk.txt"}
    again = snakemake(built, "results/environments/allensdk.txt")
    assert "Nothing to be done" in again.stdout + again.stderr


# Two-photon: numbers against a reading of the file by other means


def test_dff_of_drifting_gratings(ingest, warehouse, tmp_path):
    array = ingest([A], "drifting_gratings", window=[0, 2], blanks="keep")
    direct = Direct(warehouse, A, "drifting_gratings")
    expected = np.stack([direct.dff[:, samples].mean(axis=1) for samples in direct.windows(2)])
    np.testing.assert_allclose(array.values, expected, rtol=1e-5, atol=1e-6)
    speed = np.array([np.nanmean(direct.speed[samples]) for samples in direct.windows(2)])
    np.testing.assert_allclose(array.running_speed, speed, rtol=1e-5)
    np.testing.assert_allclose(array.start_time, direct.time[direct.frames[:, 0]])
    # The grey screen is no grating of orientation 0.
    grey = direct.data[:, 2] == 1
    assert grey.sum() == 4
    assert np.array_equal(array.stimulus.values == "blank", grey)
    assert np.isnan(array.orientation.values[grey]).all() and np.isnan(array.temporal_frequency.values[grey]).all()
    np.testing.assert_array_equal(array.direction.values[~grey], direct.data[~grey, 1])
    np.testing.assert_array_equal(array.orientation.values[~grey], direct.data[~grey, 1] % 180)
    assert array.attrs["orientation_period"] == 180
    assert (
        array.stimulus.values[~grey]
        == [f"direction={d:05.1f}-temporal_frequency={f:04.1f}" for f, d, _ in direct.data[~grey]]
    ).all()
    assert np.unique(array.block).tolist() == [0, 1]
    assert array.groupby("stimulus").count().values.tolist().count([3, 3, 3]) == 6
    assert array.attrs["response"] == "dF/F" and array.attrs["samples_without_time"] == 1
    assert array.attrs["sha256"].keys() == {f"ophys_experiment_data/{A}.nwb"}
    representation.write(array, tmp_path / "a.nc")
    assert representation.read(tmp_path / "a.nc").equals(array)


def test_blanks_are_dropped_and_counted(ingest):
    array = ingest([A], "drifting_gratings")
    assert array.sizes["presentation"] == 18
    assert array.attrs["excluded"] == {"presentation": {"blank": 4}}


def test_cells_in_the_order_that_is_asked_for(ingest, warehouse):
    cells = Direct(warehouse, A, "drifting_gratings").cells
    assert not np.all(np.diff(cells) > 0)
    everything = ingest([A], "drifting_gratings")
    assert everything.cell_specimen_id.values.tolist() == cells.tolist()
    some = ingest([A], "drifting_gratings", cells=[int(cells[2]), int(cells[0])])
    np.testing.assert_array_equal(some.values, everything.values[:, [2, 0]])
    assert some.attrs["excluded"]["unit"] == {"cell that is not asked for": 1}
    refused(lambda: ingest([A], "drifting_gratings", cells=[int(cells[0]), 5]), "no experiment has cell 5")


def sweeps(direct, frames, baseline):
    rows = []
    for start in direct.frames[:, 0]:
        reference = direct.corrected[:, start - baseline : start].mean(axis=1)
        rows.append(100 * (direct.corrected[:, start : start + frames].mean(axis=1) / reference - 1))
    return np.array(rows)


@pytest.mark.parametrize(
    ("number", "stimulus", "frames", "baseline"),
    [(A, "drifting_gratings", 60, 30), (B, "static_gratings", 14, 28), (B, "natural_scenes", 14, 28)],
)
def test_the_sweep_response_of_the_sdk(ingest, warehouse, number, stimulus, frames, baseline):
    array = ingest([number], stimulus, "sdk", blanks="keep")
    expected = sweeps(Direct(warehouse, number, stimulus), frames, baseline)
    np.testing.assert_allclose(array.values, expected, rtol=1e-4, atol=1e-4)
    assert array.attrs["units"] == "%"
    assert array.attrs["window"] == f"0 to {frames / 30:.3f} s, relative to the mean of {baseline / 30:.3f} s before"


def test_static_gratings_have_phases_and_no_spatial_frequency_of_zero(ingest, warehouse):
    array = ingest([B], "static_gratings", blanks="keep")
    direct = Direct(warehouse, B, "static_gratings")
    for column, name in enumerate(("orientation", "spatial_frequency", "phase")):
        np.testing.assert_array_equal(array.coords[name].values, direct.data[:, column])
    assert not (array.spatial_frequency == 0).any()
    assert (array.stimulus == "blank").sum() == 4


def test_row_k_of_natural_scenes_is_image_k_minus_one(ingest, warehouse):
    array = ingest([B], "natural_scenes", window=[0, 0.5], blanks="keep")
    direct = Direct(warehouse, B, "natural_scenes")
    frames = direct.data.astype(int)
    assert array.stimulus.values.tolist() == ["blank" if k < 0 else f"image-{k:03d}" for k in frames]
    # As get_response of the SDK has it: row 0 is the blank screen.
    rows = [
        np.concatenate([s for s, f in zip(direct.windows(0.5), frames, strict=True) if f == k - 1]) for k in range(119)
    ]
    for k in (0, 1, 50, 118):
        name = "blank" if k == 0 else f"image-{k - 1:03d}"
        mean = array.values[array.stimulus.values == name].mean(axis=0)
        np.testing.assert_allclose(mean, direct.dff[:, rows[k]].mean(axis=1), rtol=1e-4, atol=1e-6)


def scenes_of(warehouse, number):
    """The images in a two-photon file, read without the SDK."""
    with h5py.File(warehouse.files[number, "NWBOphys"], "r") as file:
        return file["stimulus/templates/natural_scenes_image_stack/data"][()]


def test_row_k_of_natural_scenes_shows_image_k_minus_one(export, ingest, warehouse):
    images = allen_ophys.stimuli(export([B], "natural_scenes"), crop="left")
    scenes = scenes_of(warehouse, B)
    n, height, _ = scenes.shape
    assert images.dims == ("stimulus", "y", "x", "channel") and images.dtype == np.uint8
    assert images.shape == (118, height, height, 1) and n == 118
    # Rows of the SDK's responses, of which row 0 is the blank screen.
    for k in range(1, 119):
        np.testing.assert_array_equal(images.values[k - 1, :, :, 0], scenes[k - 1, :, :height])
    array = ingest([B], "natural_scenes")
    assert sorted(set(array.stimulus.values)) == images.stimulus.values.tolist()
    # Every presentation leads to the image of its frame.
    direct = Direct(warehouse, B, "natural_scenes")
    shown = images.sel(stimulus=array.stimulus.values).values[..., 0]
    np.testing.assert_array_equal(shown, scenes[direct.data[direct.data >= 0].astype(int), :, :height])
    # And so does every one of a Neuropixels session.
    array = ingest([SESSION], "natural_scenes", isi_violations=10)
    frames = [int(float(row[1])) for row in allen_nwb.SCENES if row[1] != "-1.0"]
    np.testing.assert_array_equal(images.sel(stimulus=array.stimulus.values)[..., 0], scenes[frames, :, :height])


def test_images_are_exported_once_and_only_with_natural_scenes(export):
    with h5py.File(export([B, OTHER], "natural_scenes")["export.h5"], "r") as file:
        (name,) = file["templates"]
        images = file["templates"][name]
        assert name == "natural_scenes" and images.attrs["experiment"] == B
        assert images.chunks == (1, *images.shape[1:]) and images.compression == "gzip" and images.dtype == np.uint8
    with h5py.File(export([B], "static_gratings")["export.h5"], "r") as file:
        assert "templates" not in file


def test_experiments_without_images(fetch, environment, tmp_path):
    found = fetch(experiments=[B, OTHER])
    wanted = {"product": "ophys", "stimulus": "natural_scenes", "response": "dff"}
    lines = []

    def exported(*without):
        for place in without:
            path = tmp_path / "raw/allensdk_ophys" / found[place]["files"][0]["path"]
            with h5py.File(path, "a") as file:
                del file["stimulus/templates"]
            found[place]["files"][0]["sha256"] = allensdk.sha256(path)
        allensdk.export(environment, tmp_path / "raw", found, wanted, tmp_path / "e.h5", log=lines.append)
        return {"export.h5": tmp_path / "e.h5"}

    # Those of the next experiment are taken.
    assert allen_ophys.stimuli(exported(0)).shape == (118, 6, 6, 1)
    with h5py.File(tmp_path / "e.h5", "r") as file:
        assert file["templates/natural_scenes"].attrs["experiment"] == OTHER
    assert any(f"experiment {B}: no images of 'natural_scenes'" in line for line in lines)
    # Without any, there are still the responses.
    files = exported(1)
    refused(lambda: allen_ophys.stimuli(files), "e.h5: has no images", "name other experiments")
    assert allen_ophys.ingest(files, about=ABOUT, stimulus="natural_scenes").sizes["unit"] == 6


def test_movies_frame_by_frame(ingest, warehouse):
    array = ingest([C], "natural_movie_two")
    direct = Direct(warehouse, C, "natural_movie_two")
    np.testing.assert_allclose(array.values, direct.dff[:, direct.frames[:, 0]].T, rtol=1e-5)
    assert array.stimulus.values[:3].tolist() == ["frame-0000", "frame-0001", "frame-0002"]
    assert array["repeat"].values.tolist() == np.repeat(np.arange(4), 20).tolist()
    assert array.attrs["exchangeable"] == "none"


def test_events(ingest, warehouse):
    array = ingest([B], "natural_scenes", "events", window=[0, 0.5])
    direct = Direct(warehouse, B, "natural_scenes")
    events = np.load(warehouse.files[B, "ObservatoryEventsFile"])["ev"]
    expected = np.stack([events[:, samples].mean(axis=1) for samples in direct.windows(0.5)])[direct.data >= 0]
    np.testing.assert_allclose(array.values, expected, rtol=1e-5, atol=1e-7)
    assert array.attrs["response"] == "inferred spikes"
    assert len(array.attrs["sha256"]) == 2


def test_several_experiments_become_a_pseudo_population(ingest):
    pool = ingest([B, OTHER], "natural_scenes", window=[0, 0.5])
    assert pool.shape == (118 * 2, 6)
    assert pool.attrs["simultaneous"] is False
    assert pool.attrs["excluded"]["presentation"] == {"blank": 4}
    assert pool.session.values.tolist() == [str(B)] * 3 + [str(OTHER)] * 3
    assert pool.area.values.tolist() == ["VISp"] * 3 + ["VISl"] * 3
    assert pool.depth.values.tolist() == [275] * 3 + [175] * 3
    assert len(set(pool.animal.values)) == len(set(pool.container.values)) == 2
    assert [f"image-{int(k):03d}" for k in pool.frame] == pool.stimulus.values.tolist()
    member = ingest([OTHER], "natural_scenes", window=[0, 0.5])
    mean = [array.groupby("stimulus").mean().sortby("stimulus").values for array in (pool[:, 3:], member)]
    np.testing.assert_allclose(*mean, rtol=1e-5, atol=1e-7)


# Fetching


def ids(found):
    return [experiment["id"] for experiment in found]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"area": "VISp"}, [C, B, A]),
        ({"area": ["VISp", "VISl"], "session_type": "three_session_B"}, [B, OTHER]),
        ({"depth": 175}, [OTHER]),
        ({"cre_line": "Cux2-CreERT2", "depth": [275], "session_type": "three_session_A"}, [A]),
    ],
    ids=["area", "session", "depth", "line"],
)
def test_a_selection_is_resolved_and_nothing_else_is_downloaded(fetch, warehouse, select, expected):
    assert ids(fetch(select=select)) == expected
    assert warehouse.downloads() == [(number, "NWBOphys") for number in expected]
    assert not any("EyeDlcScreenMapping" in path for path in warehouse.asked)


def test_a_selection_takes_the_smallest_ids_and_sessions_with_the_stimulus(fetch, warehouse):
    assert ids(fetch(select={"area": "VISp"}, most=2)) == [C, B]
    assert warehouse.downloads() == [(C, "NWBOphys"), (B, "NWBOphys")]
    assert ids(fetch(select={"area": "VISp"}, stimulus="natural_scenes")) == [B]


def test_a_selection_that_nothing_fits_says_what_there_is(fetch):
    refused(lambda: fetch(select={"area": "V1"}), "select.area: no experiment has 'V1'; known: VISl, VISp")
    refused(lambda: fetch(select={"area": "VISl", "depth": 275}), "no experiment fits all of")
    refused(lambda: fetch(experiments=[5]), "5.nwb", "ophys experiment 5 has no data file")


def test_files_that_are_there_are_used_without_a_question(fetch, warehouse):
    first = fetch(experiments=[A], events=True)
    asked = len(warehouse.asked)
    assert fetch(experiments=[A], events=True, warehouse=NOWHERE) == first
    assert len(warehouse.asked) == asked
    lock = json.loads(Path(f"data/checksums/ophys_experiment_data/{A}.nwb.json").read_text())
    assert lock["sha256"] == first[0]["files"][0]["sha256"]
    assert "/api/v2/well_known_file_download/" in lock["origin"]


def test_no_network_is_said_in_one_line(fetch, tmp_path):
    refused(lambda: fetch(select={"area": "VISp"}, warehouse=NOWHERE), NOWHERE, "cannot be reached", "experiments")
    where = f"ophys_experiment_data/{A}.nwb"
    refused(lambda: fetch(experiments=[A], warehouse=NOWHERE), where, "cannot be reached", "by hand")
    refused(lambda: fetch("ecephys", experiments=[SESSION], warehouse=NOWHERE), "cannot be reached", "by hand")
    assert not list((tmp_path / "raw").rglob("*.nwb"))


@pytest.mark.parametrize("product", ["ophys", "ecephys"])
def test_a_truncated_download_goes_on_where_it_ended(fetch, warehouse, product):
    number = A if product == "ophys" else SESSION
    warehouse.truncated = 1
    (found,) = fetch(product, experiments=[number])
    assert len(warehouse.downloads()) == 2
    assert warehouse.ranges[0] is None and warehouse.ranges[1].startswith("bytes=")
    kind = "NWBOphys" if product == "ophys" else "EcephysNwb"
    assert found["files"][0]["size"] == warehouse.files[number, kind].stat().st_size


@pytest.mark.parametrize("product", ["ophys", "ecephys"])
def test_a_file_beyond_the_limit_is_not_downloaded(fetch, warehouse, product):
    call = lambda: fetch(product, experiments=[A if product == "ophys" else SESSION], limit=1000)  # noqa: E731
    refused(call, "largest_download_gb: 1e-06", "by hand")
    assert not list(Path("raw").rglob("*.nwb"))


def test_downloads_that_stay_truncated_leave_no_file(fetch, warehouse, tmp_path, monkeypatch):
    warehouse.truncated = 99
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    refused(lambda: fetch(experiments=[A]), f"{A}.nwb", "truncated", "by hand")
    assert (
        not list((tmp_path / "raw/allensdk_ophys/ophys_experiment_data").glob("*.nwb"))
        and not Path("data/checksums").exists()
    )
    warehouse.truncated = 0
    fetch(experiments=[A])
    warehouse.truncated = 99
    refused(lambda: fetch(experiments=[A], events=True), f"{A}_events.npz", "truncated")


def test_a_file_that_changed_is_refused(fetch, environment, tmp_path):
    found = fetch(experiments=[A])
    path = tmp_path / f"raw/allensdk_ophys/ophys_experiment_data/{A}.nwb"
    with open(path, "ab") as file:
        file.write(b"x")
    refused(lambda: fetch(experiments=[A]), str(path), "remove the file")
    wanted = {"product": "ophys", "stimulus": "drifting_gratings", "response": "dff"}
    call = lambda: allensdk.export(environment, tmp_path / "raw", found, wanted, tmp_path / "e.h5")  # noqa: E731
    refused(call, str(path), "checksum")
    assert not (tmp_path / "e.h5").exists()


def test_what_the_sdk_cannot_read_is_one_line_and_no_file(fetch, environment, tmp_path):
    found = fetch(experiments=[A])
    request = {"product": "ophys", "response": "dff"}

    def export(**more):
        allensdk.export(environment, tmp_path / "raw", found, request | more, tmp_path / "e.h5", log=lambda line: None)

    said = f"experiment {A} is of session three_session_A and has no 'natural_scenes'; it has drifting_gratings"
    refused(lambda: export(stimulus="natural_scenes"), "option 'stimulus'", said)
    refused(lambda: export(stimulus="natural_movie_one", response="sdk"), "no sweep response", "use response: dff")
    path = tmp_path / f"raw/allensdk_ophys/ophys_experiment_data/{A}.nwb"
    path.write_text("<html>The page has moved.</html>", encoding="utf-8")
    found[0]["files"][0]["sha256"] = allensdk.sha256(path)
    refused(lambda: export(stimulus="drifting_gratings"), str(path), "not a readable NWB file", "remove it")
    assert not list(tmp_path.glob("*.h5")) and not list(tmp_path.glob(".*.h5"))


# Neuropixels


def counted(unit, onset, start, stop):
    """Count the spikes from start to stop after onset."""
    spikes = allen_nwb.SPIKES[unit]
    return ((spikes >= onset + start) & (spikes < onset + stop)).sum()


KEPT = [950911932, 950911986, 950912018]
VISP = [950911932, 950912018]


def test_spike_counts_of_static_gratings(ingest, tmp_path):
    array = ingest([SESSION], "static_gratings", window=[0, 0.25])
    # Each interval touches one of these presentations, and none of them a blank one.
    shown = [row for k, row in enumerate(allen_nwb.GRATINGS) if row[1] != "null" and k not in (1, 9, 15)]
    assert array.attrs["excluded"] == {
        "presentation": {
            "invalid interval": 1,
            "invalid interval of all probes": 1,
            "invalid interval of probeB": 1,
            "blank": 4,
        },
        "unit": {
            "quality not good": 1,
            "amplitude_cutoff above 0.1": 1,
            "presence_ratio below 0.95": 1,
            "isi_violations above 0.5": 1,
        },
    }
    expected = [[counted(unit, row[0], 0, 0.25) for unit in KEPT] for row in shown]
    np.testing.assert_array_equal(array.values, expected)
    # A unit without spikes is there, and presentations without spikes are.
    assert not array.values[:, 2].any()
    for column, name in enumerate(("orientation", "spatial_frequency", "phase"), 1):
        np.testing.assert_array_equal(array.coords[name].values, [float(row[column]) for row in shown])
    assert np.unique(array.block).tolist() == [0, 1]
    assert array.attrs["orientation_period"] == 180 and array.attrs["amplitude_cutoff"] == 0.1
    assert array.unit_id.values.tolist() == list(map(str, KEPT))
    representation.write(array, tmp_path / "a.nc")


def test_intervals_of_a_probe_concern_its_units_only(ingest):
    array = ingest([SESSION], "static_gratings", window=[0, 0.25], areas=["VISp"])
    assert set(array.probe.values) == {"probeA"}
    shown = [row for k, row in enumerate(allen_nwb.GRATINGS) if row[1] != "null" and k not in (1, 9)]
    np.testing.assert_allclose(array.start_time, [row[0] for row in shown])
    reasons = array.attrs["excluded"]["presentation"]
    assert reasons == {"invalid interval": 1, "invalid interval of all probes": 1, "blank": 4}


def test_wide_windows_are_counted_as_far_as_spikes_are_exported(export, ingest):
    with h5py.File(export([SESSION], "static_gratings")["export.h5"], "r") as file:
        spikes = file[f"experiments/{SESSION}/spikes"]
        # 5 s around both stretches.
        np.testing.assert_allclose([spikes["first"], spikes["last"]], [[5, 37], [17, 49]])
    array = ingest([SESSION], "static_gratings", window=[0, 5.5], areas=["VISp"], blanks="keep")
    # From the first two and from numbers 8 and 9 on, windows reach intervals; those of 7 and 15 leave the export.
    rows = [allen_nwb.GRATINGS[k] for k in (*range(2, 7), *range(10, 15))]
    np.testing.assert_array_equal(array.values, [[counted(unit, row[0], 0, 5.5) for unit in VISP] for row in rows])
    assert array.attrs["excluded"]["presentation"] == {
        "invalid interval": 2,
        "invalid interval of all probes": 2,
        "window leaves the exported spikes": 2,
    }
    refused(lambda: ingest([SESSION], "static_gratings", window=[-6, 12]), "window of -6 to 12 s leaves", "reach 5 s")


def test_bins_limits_and_areas(ingest):
    array = ingest([SESSION], "natural_scenes", window=[-0.1, 0.3], bin_width=0.1, isi_violations=10, areas=["VISp"])
    shown = [row for row in allen_nwb.SCENES if row[1] != "-1.0"]
    units = [950911932, 950912018, 950912300]
    expected = [[[counted(unit, row[0], 0.1 * k - 0.1, 0.1 * k) for unit in units] for k in range(4)] for row in shown]
    np.testing.assert_array_equal(array.values, expected)
    np.testing.assert_allclose(array.time, [-0.05, 0.05, 0.15, 0.25])
    assert array.stimulus.values.tolist() == [f"image-{int(float(row[1])):03d}" for row in shown]
    assert array.attrs["excluded"]["unit"]["another area"] == 1
    refused(lambda: ingest([SESSION], "natural_scenes", areas=["V1"]), "no unit is in 'V1'", "VISl, VISp")
    refused(lambda: ingest([SESSION], "flashes"), "option 'stimulus'", "natural_scenes, static_gratings")


def test_neuropixels_sessions_by_type_and_by_area(fetch, warehouse):
    assert ids(fetch("ecephys", select={"session_type": "brain_observatory_1.1"})) == [SESSION]
    assert warehouse.downloads() == [(SESSION, "EcephysNwb")]
    assert ids(fetch("ecephys", select={"area": "LGd"})) == [799864342]
    assert warehouse.downloads() == [(SESSION, "EcephysNwb"), (799864342, "EcephysNwb")]
    message = "known: brain_observatory_1.1, functional_connectivity"
    refused(lambda: fetch("ecephys", select={"session_type": "three_session_A"}), message)


# The whole way


def test_the_workflow_fetches_exports_and_ingests(built, address, warehouse):
    configured(built, warehouse=address)
    targets = [f"results/ingest/{name}.nc" for name in (*CONFIG["recordings"], "stimuli/images")]
    done = snakemake(built, *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    array = representation.read(built / targets[0])
    assert array.shape == (18, 3) and array.attrs["license"] == "not stated"
    assert representation.read(built / targets[1]).shape[1] == 3
    images = datasets.read(built / targets[3])["image"]
    np.testing.assert_array_equal(images.values[..., 0], scenes_of(warehouse, B)[:, :, -images.sizes["x"] :])
    assert set(representation.read(built / targets[2]).stimulus.values) == set(images.stimulus.values)
    # An export is no raw file: there is no lock of it.
    locks = {path.parent.name for path in (built / "data/checksums").rglob("*.json")}
    assert locks == {"ophys_experiment_data", f"session_{SESSION}"}
    assert {path.name for path in (built / "data/raw").iterdir()} == {
        "allensdk_ecephys",
        "allensdk_ophys",
        "neuropixels",
        "scenes",
        "two_photon",
    }
    assert "Nothing to be done" in snakemake(built, "-n", *targets).stdout
    recordings = built / "config/recordings.yaml"
    # Another window is a matter of the loader: nothing is fetched or exported again.
    recordings.write_text(recordings.read_text().replace("- 2\n", "- 1\n"))
    plan = snakemake(built, "-n", *targets).stdout
    assert re.findall(r"^rule (\w+):", plan, re.MULTILINE) == ["ingest_allensdk"]
    # Another response is another export.
    recordings.write_text(recordings.read_text().replace("stimulus: drifting", "response: sdk\n    stimulus: drifting"))
    plan = snakemake(built, "-n", *targets).stdout
    assert set(re.findall(r"^(?:local)?rule (\w+):", plan, re.MULTILINE)) == {"export_allensdk", "ingest_allensdk"}
