"""Recordings in the workflow: fetched from a server that answers as figshare does, kept, pooled and described."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from test_habits import ENVIRONMENT, NOTHING, checkout, configure, snakemake

from neurocompare import representation

FILES = ("raw_validation_set.npy", "validation_set.npy")


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("checkout") / "neurocompare")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in list(ENVIRONMENT):
        if name.lower().endswith("_proxy"):
            monkeypatch.delitem(ENVIRONMENT, name)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def published(server, *regions, cut=None):
    """Publish recordings of regions of mouse V1 as an article; return the catalogue of recordings."""
    items, entries = [], ""
    for number, region in enumerate(regions):
        rng = np.random.default_rng(number)
        trials = rng.exponential(size=(4, 6, 10)) + rng.exponential(size=(6, 10))
        for k, (name, array) in enumerate(zip(FILES, (trials, trials.mean(axis=0)), strict=True)):
            body = npy(array)
            url = server.host(f"/files/{number}{k}", body, cuts=[cut] if cut else [])
            items.append({"id": 10 * number + k, "name": f"{region}_{name}", "size": len(body), "download_url": url})
        files = ", ".join(
            f"{name}: {{sources: [{{figshare: '1', name: {region}_{name}, api: '{server.address}'}}]}}"
            for name in FILES
        )
        entries += (
            f"{region}: {{loader: antolik2016, license: CC BY, citation: Doe 2020, "
            f"options: {{region: {region}}}, files: {{{files}}}}}\n"
        )
    server.serve("/v2/articles/1/files?page=1&page_size=1000", (200, json.dumps(items).encode()))
    return entries


STUDY = "title: Mice\nrecordings: [region1]\ndescriptions: [reliability-split=random]\n"


def test_files_are_fetched_on_the_login_node_and_used_without_a_network_later(workflow, server, tmp_path):
    folder = configure(tmp_path, recordings=published(server, "region1", cut=100), **{"studies/mice": STUDY})
    text = snakemake(workflow, folder, "--cores", "1", "mice", "--until", "fetch")
    assert "asking again" in text
    raw = [folder / "data/raw/region1" / name for name in FILES]
    assert all(path.is_file() for path in raw) and not (folder / "results/ingest").exists()
    locks = [folder / f"data/checksums/region1/{name}.json" for name in FILES]
    assert json.loads(locks[0].read_text())["size"] == raw[0].stat().st_size
    server.files.clear()
    server.script.clear()
    snakemake(workflow, folder, "--cores", "1", "mice")
    assert NOTHING in snakemake(workflow, folder, "--cores", "1", "mice")
    array = representation.read(folder / "results/ingest/region1.nc")
    assert array.attrs["license"] == "CC BY" and array.attrs["citation"] == "Doe 2020"
    assert array.attrs["sha256"][FILES[0]] == json.loads(locks[0].read_text())["sha256"]
    # The lock holds for whoever ingests: other bytes are refused, and nothing is overwritten.
    raw[0].write_bytes(npy(np.zeros((4, 6, 10))))
    text = snakemake(workflow, folder, "--cores", "1", "mice", succeeds=False)
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: data/raw/region1/raw_validation_set.npy: ") and "recorded" in line


def test_files_that_were_put_by_hand_need_no_source(workflow, tmp_path):
    entry = f"region1: {{loader: antolik2016, files: {{{', '.join(f'{name}: {{}}' for name in FILES)}}}}}"
    folder = configure(tmp_path, recordings=entry, **{"studies/mice": STUDY})
    text = snakemake(workflow, folder, "--cores", "1", "mice", succeeds=False)
    assert "validation_set.npy: no source is known; put the file by hand at data/raw/region1/" in text
    trials = np.random.default_rng(0).exponential(size=(4, 6, 10))
    for name, array in zip(FILES, (trials, trials.mean(axis=0)), strict=True):
        path = folder / "data/raw/region1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(npy(array))
    snakemake(workflow, folder, "--cores", "1", "mice")
    assert len(list((folder / "data/checksums/region1").iterdir())) == 2


def test_the_limit_of_downloads_can_be_raised_without_fetching_again(workflow, server, tmp_path):
    folder = configure(tmp_path, recordings=published(server, "region1"), **{"studies/mice": STUDY})
    config = folder / "config/config.yaml"
    before = config.read_text()
    config.write_text(before + "largest_download_gb: 1.0e-7\n")
    text = snakemake(workflow, folder, "--cores", "1", "mice", succeeds=False)
    assert "are more than 'largest_download_gb: 1e-07' in config/config.yaml allows; raise it" in text
    assert not list((folder / "data/raw/region1").glob("*"))
    config.write_text(before + "largest_download_gb: 1\n")
    snakemake(workflow, folder, "--cores", "1", "mice")
    config.write_text(before)
    assert NOTHING in snakemake(workflow, folder, "-n", "mice")


def test_recordings_are_pooled_and_say_so(workflow, server, tmp_path):
    pool = "both: {pool: {recordings: [region1, region2], match: [stimulus], repeats: 3, seed: 1}}\n"
    study = "title: Mice\nrecordings: [both]\ndescriptions: [reliability-split=random]\n"
    recordings = published(server, "region1", "region2") + pool
    folder = configure(tmp_path, recordings=recordings, **{"studies/mice": study})
    snakemake(workflow, folder, "--cores", "2", "mice")
    array = representation.read(folder / "results/ingest/both.nc")
    assert array.shape == (18, 20) and array.attrs["simultaneous"] is False
    assert set(array.session.values) == {"region1", "region2"}
    assert array.attrs["excluded"] == {"presentation": {"more trials than the pool takes": 12}}
    table = pd.read_csv(folder / "results/tables/mice/descriptions.tsv", sep="\t")
    assert set(table["animal"]) == {"pooled"} and set(table["n_units"]) == {20}
    assert {path.name for path in (folder / "results/ingest").glob("*.nc")} == {"both.nc", "region1.nc", "region2.nc"}


def test_a_described_recording_is_drawn_whatever_else_the_study_describes(workflow, tmp_path):
    study = """
        title: Decoding
        recordings: [simulated]
        descriptions:
          - inventory
          - decoding-target=orientation-decoder=von-mises
          - decoding-target=above-45-decoder=logistic
        figures: [decoding]
        """
    folder = configure(tmp_path, **{"studies/described": study})
    snakemake(workflow, folder, "--cores", "2", "described")
    table = pd.read_csv(folder / "results/tables/described/descriptions.tsv", sep="\t")
    assert table.loc[table["quantity"] == "presentations", "value"].tolist() == [160]
    assert (folder / "results/draw/described/decoding.svg").stat().st_size > 10_000
