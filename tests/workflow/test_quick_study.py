"""The study of recurrent networks in little time, run as a user would, on the recordings of the paper."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_habits import ENVIRONMENT, checkout

from neurocompare import catalogue

TOP = Path(__file__).resolve().parents[2]
STUDY = "mante2013_quick"


@pytest.fixture(scope="module")
def finished(real_data, tmp_path_factory):
    """Return the folder of a finished run, whose raw files are links to the recordings at hand."""
    folder = checkout(tmp_path_factory.mktemp("quick") / "neurocompare")
    shutil.copytree(TOP / "config", folder / "config")
    raw = folder / "data/raw/mante2013_pfc"
    raw.mkdir(parents=True)
    for path in sorted((real_data / "mante2013_pfc").glob("*.mat")):
        (raw / path.name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", STUDY],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_makes_what_it_promises(finished):
    study = catalogue.load(TOP / "config", TOP / "workflow/schemas").study(STUDY)
    drawn = {path.stem for path in (finished / "results/draw" / STUDY).glob("*.svg")}
    assert drawn == set(study["figures"])
    tables = {path.stem for path in (finished / "results/tables" / STUDY).glob("*.tsv")}
    assert tables == {"scores", "descriptions", "contrasts", "warnings", "lags", "spectra", "bounds"}
    for seed in (0, 1):
        assert (finished / f"results/train/mante2013_quick/seed-{seed}.checkpoints.safetensors").is_file()
        assert not (finished / f"results/train/mante2013_quick/seed-{seed}.resume").exists()


def test_networks_learnt_and_heed_the_context(finished):
    rows = pd.read_csv(finished / f"results/tables/{STUDY}/descriptions.tsv", sep="\t")
    mine = rows[rows["recording"].str.startswith("mante2013_quick-")]
    correct = mine[(mine["quantity"] == "fraction correct") & ~mine["condition"].str.contains("context")]
    assert len(correct) == 2
    # Chance is one half; how near a network of few updates comes to the ideal observer is reported, not asserted.
    assert (correct["value"] > 0.7).all() and (correct["value"] < correct["ceiling_high"] + 0.03).all()
    weights = mine[mine["quantity"] == "weight relative to the relevant"]
    assert len(weights) == 4
    assert (weights["value"].abs() < 0.5).all()


def test_recordings_and_networks_are_scored_over_conditions_and_times(finished):
    scores = pd.read_csv(finished / f"results/tables/{STUDY}/scores.tsv", sep="\t")
    assert set(scores["network"]) == {"mante2013_quick", "mante2013_quick_untrained"}
    whole = scores[scores["layer"] != "selected"]
    assert np.isfinite(whole[["value", "ceiling_high", "null_high", "ci_low", "ci_high"]]).all(axis=None)
    assert (whole["n_stimuli"] == 24 * 5).all() and (whole["n_units"] == 12).all()
    untrained = whole["network"].str.endswith("untrained")
    # A network that has learnt nothing is not correct in every condition, and its rows say that all its trials count.
    assert whole[untrained]["status"].str.contains("all_trials").all()
    assert not whole[~untrained]["status"].str.contains("all_trials").any()
    lags = pd.read_csv(finished / f"results/tables/{STUDY}/lags.tsv", sep="\t")
    assert len(lags) == 2 * 2 * 25


def test_bounds_are_reported_and_none_has_to_be_met(finished):
    study = catalogue.load(TOP / "config", TOP / "workflow/schemas").study(STUDY)
    rows = pd.read_csv(finished / f"results/tables/{STUDY}/bounds.tsv", sep="\t", keep_default_na=False)
    described = pd.read_csv(finished / f"results/tables/{STUDY}/descriptions.tsv", sep="\t")
    for bound in study["bounds"]:
        mine = rows[(rows["description"] == bound["description"]) & (rows["quantity"] == bound["quantity"])]
        values = described[described["quantity"] == bound["quantity"]].set_index(["recording", "condition"])["value"]
        # Each seed as a whole, or in both contexts.
        assert len(mine) == (2 if "below" in bound["quantity"] else 4)
        assert set(mine["recording"]) == {f"{STUDY}-seed=0", f"{STUDY}-seed=1"}
        for row in mine.to_dict("records"):
            value = values.loc[row["recording"], row["condition"]]
            if np.isnan(value):
                assert (row["met"], row["value"], row["status"]) == ("", "", "undefined")
                continue
            kept = bound.get("at_least", -np.inf) <= value <= bound.get("at_most", np.inf)
            assert row["met"] == ("yes" if kept else "no") and float(row["value"]) == value
    log = (finished / f"results/logs/compare_bounds/{STUDY}.log").read_text()
    assert log == f"{STUDY}: {(rows['met'] == 'yes').sum()} of {len(rows)} bounds are met\n"
