"""The catalogue's own entries, from their sources to tables: archives of data that answer as the real ones do.

The files are small ones of the published layouts, so checksums of the real files are left out; everything else of an
entry is as it stands in config/recordings.yaml.
"""

import io
import json
import sys
import urllib.parse
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
import yaml
from test_habits import ENVIRONMENT, NOTHING, TOP, checkout, configure, snakemake

from neurocompare import representation

sys.path.insert(0, str(TOP / "tests/recordings"))
import nwb_files  # noqa: E402
import stringer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:The linked table")

MAZE = "sub-Jenkins/sub-Jenkins_ses-small_desc-train_behavior+ecephys.nwb"
UNIT = "ar090313_1_a3_Vstim_100_850_ms.mat"
RECORDINGS = {
    # Of 40 trials one has no onset of movement, and the window of another was not observed in one unit.
    "mc_maze-session=small": (38, 5),
    "boucher2023_trajectories": (22, 67, 5),
    "stringer2021_static-session=GT1": (60, 40),
    "stringer2019_natimg2800-session=MP032_2017_09_14": (12, 80),
    "mante2013_pfc-session=ar090313_1_a3": (40, 15, 1),
}


def files(folder):
    """Write a file of each layout; return their contents by the name at the source."""
    maze = nwb_files.maze(folder / "maze.nwb").read_bytes()
    oriented = folder / "oriented.npy"
    stringer.write(oriented, stringer.orientations())
    natural = folder / "natural.mat"
    stringer.write_mat(natural, stringer.natural_images(n=80, times=120))
    rng = np.random.default_rng(0)
    rows = [np.c_[np.full(700, k + 1), rng.standard_normal((700, 5))] for k in range(22)]
    scipy.io.savemat(folder / "pcs.mat", {"bigMatrix": np.concatenate(rows).astype(np.float32)})
    levels = rng.choice([-0.5, -0.15, -0.05, 0.05, 0.15, 0.5], (2, 40))
    context = np.repeat([1, -1], 20)
    choice = np.sign(np.where(context == 1, *levels)).astype(int)
    task = {"stim_dir": levels[0], "stim_col2dir": levels[1], "stim_col": levels[1], "targ_dir": choice}
    task |= {"context": context, "correct": np.ones(40), "congruent": np.sign(levels[0]) == np.sign(levels[1])}
    task |= {"targ_col": choice, "stim_dir2col": levels[0], "stim_trial": np.arange(1, 41)}
    unit = {"response": rng.binomial(1, 0.02, (40, 751)).astype(np.uint8), "task_variable": task}
    unit |= {"time": np.arange(751) / 1000 + 0.1, "name": "ar090313_1_a3"}
    scipy.io.savemat(folder / "unit.mat", {"unit": unit})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"PFC data/PFC data 1/{UNIT}", (folder / "unit.mat").read_bytes())
        archive.writestr("PFC data/../../escape.txt", b"never written")
    return {
        MAZE: maze,
        "matrixWithIds.mat": (folder / "pcs.mat").read_bytes(),
        "gratings_static_GT1_2019_04_17_1.npy": oriented.read_bytes(),
        "natimg2800_M170714_MP032_2017-09-14.mat": natural.read_bytes(),
        "PFC%20data.zip": stream.getvalue(),
    }


def published(server, contents):
    """Answer as DANDI, Dryad, figshare and a laboratory do; every download breaks off once."""

    def answer(path, content):
        server.serve(path, (200, json.dumps(content).encode(), {"Content-Type": "application/json"}))

    def hosted(name, place):
        return server.host(place, contents[name], cuts=[len(contents[name]) // 2])

    version = "/api/dandisets/000140/versions/0.220113.0408"
    asset = {"asset_id": "a1", "path": MAZE, "size": len(contents[MAZE])}
    query = f"?path={urllib.parse.quote(MAZE, safe='')}&page_size=100"
    answer(f"{version}/assets/{query}", {"count": 1, "next": None, "results": [asset]})
    answer("/api/assets/a1/", {"path": MAZE, "digest": {}})
    server.serve("/api/assets/a1/download/", (302, b"", {"Location": hosted(MAZE, "/blobs/maze")}))

    doi = urllib.parse.quote("doi:10.5061/dryad.9cnp5hqn0", safe="")
    answer(f"/api/v2/datasets/{doi}", {"_links": {"stash:version": {"href": "/api/v2/versions/1"}}})
    links = {"stash:download": {"href": "/api/v2/files/7/download"}}
    name = "matrixWithIds.mat"
    listed = [{"path": name, "size": len(contents[name]), "_links": links}]
    answer("/api/v2/versions/1/files?page=1&per_page=100", {"_links": {}, "_embedded": {"stash:files": listed}})
    server.serve("/api/v2/files/7/download", (302, b"", {"Location": hosted(name, "/s3/pcs")}))

    for article, name in (
        ("8279387", "gratings_static_GT1_2019_04_17_1.npy"),
        ("6845348", "natimg2800_M170714_MP032_2017-09-14.mat"),
    ):
        item = {"id": 1, "name": name, "size": len(contents[name]), "download_url": hosted(name, f"/files/{article}")}
        answer(f"/v2/articles/{article}/files?page=1&page_size=1000", [item])
    hosted("PFC%20data.zip", "/dam/PFC%20data.zip")


def entries(server):
    """Return the entries of the catalogue, with the addresses of this server and without checksums."""
    catalogue = yaml.safe_load((TOP / "config/recordings.yaml").read_text(encoding="utf-8"))
    chosen = {}
    for identifier in RECORDINGS:
        name, _, session = identifier.partition("-session=")
        entry = catalogue[name]
        if session:
            # What all sessions share are the images, which no recording is made of.
            entry |= {"sessions": {session: entry["sessions"][session]}, "files": {}}
        held = [part for part in (entry, entry.get("sessions", {}).get(session, {})) if "files" in part]
        for part in held:
            for file in part["files"].values():
                services = [s | {"api": server.address} for s in file["sources"] if "url" not in s]
                archives = [
                    s | {"url": f"{server.address}/dam/PFC%20data.zip"} for s in file["sources"] if "member" in s
                ]
                file["sources"] = services or archives
                file.pop("sha256", None)
                file.pop("md5", None)
        chosen[name] = {key: value for key, value in entry.items() if key != "stimuli"}
    return chosen


def test_entries_of_the_catalogue_from_their_sources_to_tables(server, tmp_path, monkeypatch):
    for name in [n for n in ENVIRONMENT if n.lower().endswith("_proxy")]:
        monkeypatch.delitem(ENVIRONMENT, name)
    monkeypatch.setitem(ENVIRONMENT, "DRYAD_TOKEN", "secret")
    workflow = checkout(tmp_path / "checkout")
    (tmp_path / "made").mkdir()
    published(server, files(tmp_path / "made"))
    folder = configure(tmp_path / "run")
    (folder / "config/recordings.yaml").write_text(yaml.safe_dump(entries(server)), encoding="utf-8")
    for study in (folder / "config/studies").glob("*.yaml"):
        study.unlink()
    study = {"title": "Sources", "recordings": list(RECORDINGS), "descriptions": ["inventory"]}
    (folder / "config/studies/sources.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    (folder / "config/config.yaml").write_text("studies: [sources]\n", encoding="utf-8")
    snakemake(workflow, folder, "--cores", "2", "sources", "--until", "fetch")
    server.files.clear()
    snakemake(workflow, folder, "--cores", "2", "sources")
    assert NOTHING in snakemake(workflow, folder, "-n", "sources")
    for identifier, shape in RECORDINGS.items():
        array = representation.read(folder / f"results/ingest/{identifier}.nc")
        assert array.shape == shape, identifier
        assert array.attrs["citation"] != "not stated" and array.attrs["license"] != "not stated"
    table = pd.read_csv(folder / "results/tables/sources/descriptions.tsv", sep="\t")
    counted = table[table["quantity"] == "presentations"].set_index("recording")["value"]
    assert counted.to_dict() == {identifier: shape[0] for identifier, shape in RECORDINGS.items()}
    assert "excluded" in " ".join(table["quantity"])
    # Every download broke off once and went on; nothing but the raw files and their locks was written.
    assert all(any(r) for place in ("/blobs/maze", "/s3/pcs", "/files/8279387") for r in [server.ranges(place)[1:]])
    assert not list(tmp_path.rglob("escape.txt"))
    locks = {
        path.relative_to(folder / "data/checksums").as_posix() for path in (folder / "data/checksums").rglob("*.json")
    }
    assert len(locks) == len(RECORDINGS)
    assert all(Path(folder / "data/raw" / lock.removesuffix(".json")).is_file() for lock in locks)
