"""Courses and task variables in catalogues and studies, and the real ones on real units."""

from pathlib import Path

import numpy as np
import pytest
import world
import yaml

from neurocompare import catalogue, comparison
from neurocompare.courses import trajectories, unrolling
from neurocompare.errors import UserError
from neurocompare.recordings import mante2013

TOP = Path(__file__).resolve().parents[2]
NULL = {"mante2013_variables": "linear"}
RECOVERY = {
    "stimuli": "antolik2016",
    "generators": NULL,
    "candidates": NULL | {"pixels": "pixels"},
    "options": {"seeds": 1, "neurons": 9, "repeats": 2, "snr": 1},
}
STUDY = {
    "title": "t",
    "recordings": ["mante2013_pfc_courses"],
    "networks": ["mante2013_variables"],
    "measures": ["procrustes-angular"],
    "figures": ["lags"],
}


KEPT = {
    "recordings": ["mante2013_pfc", "mante2013_pfc_pool", "mante2013_pfc_courses", "antolik2016"],
    "stimuli": ["antolik2016"],
    "networks": ["pixels", "mante2013_variables"],
    "recoveries": [],
    "encodings": [],
}
"""Entries of the real catalogues that are loaded."""


@pytest.fixture(scope="module")
def entries():
    read = {name: yaml.safe_load((TOP / f"config/{name}.yaml").read_text(encoding="utf-8")) for name in KEPT}
    return {name: {key: read[name][key] for key in keys} for name, keys in KEPT.items()}


@pytest.fixture
def loaded(tmp_path, entries):
    """Load entries of this repository with one study and some changes."""

    def load(study, **changes):
        folder = tmp_path / "config"
        (folder / "studies").mkdir(parents=True)
        (folder / "studies/mine.yaml").write_text(yaml.safe_dump(STUDY | study))
        for name, held in entries.items():
            own = {key: held.get(key, {}) | new for key, new in changes.get(name, {}).items()}
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(held | own, sort_keys=False))
        return catalogue.load(folder, TOP / "workflow/schemas")

    return load


def test_a_course_is_its_own_stimuli_and_sessions_are_its_members(loaded):
    found = loaded({})
    assert found.recording("mante2013_pfc_courses")["stimuli"] == "mante2013_pfc_courses"
    members = found.course_members("mante2013_pfc_courses")
    assert len(members) == 12 and members[0] == "mante2013_pfc-session=ar090313_1_a3"


@pytest.mark.parametrize(
    ("study", "changes", "words"),
    [
        ({"networks": ["pixels"]}, {}, ["mine.yaml", "mante2013_pfc_courses", "pixels", "two studies"]),
        ({"networks": ["mante2013_variables", "pixels"]}, {}, ["mine.yaml", "pixels", "two studies"]),
        ({"recordings": ["antolik2016"], "figures": []}, {}, ["mine.yaml", "mante2013_variables"]),
        ({"recordings": ["mante2013_pfc_pool"]}, {}, ["mine.yaml", "mante2013_pfc_pool", "course"]),
        ({"figures": ["sizes"]}, {}, ["mine.yaml", "sizes", "leave it out"]),
        ({"measures": ["ridge-folds=5"]}, {}, ["mine.yaml", "ridge-folds=5", "without"]),
        ({"measures": ["procrustes-angular-sample=5"]}, {}, ["lags", "sample"]),
        (
            {"networks": [], "measures": [], "figures": []},
            {"networks": {"mante2013_variables": {"batch": 4}}},
            ["networks.yaml", "batch", "no images"],
        ),
        ({}, {"networks": {"mante2013_variables": {"options": {}}}}, ["networks.yaml", "variables", "missing"]),
        ({}, {"networks": {"mante2013_variables": {"weights": "random"}}}, ["networks.yaml", "weights: none"]),
        (
            {},
            {"recordings": {"mante2013_pfc_courses": {"course": {"of": ["mante2013_pf"], "cells": [{"a": 1}]}}}},
            ["recordings.yaml", "mante2013_pf"],
        ),
        ({"descriptions": ["inventory"]}, {}, ["mine.yaml", "descriptions", "made of"]),
        (
            {},
            {
                "encodings": {
                    "mine": {"recording": "mante2013_pfc_courses", "level": "means", "bands": {"a": "identity"}}
                }
            },
            ["encodings.yaml: mine", "recording", "course"],
        ),
        (
            {},
            {"recoveries": {"mine": RECOVERY}},
            ["recoveries.yaml: mine", "mante2013_variables", "images"],
        ),
        (
            {},
            {"recordings": {"mante2013_pfc_courses": {"stimuli": "gratings"}}},
            ["recordings.yaml", "stimuli", "remove it"],
        ),
    ],
)
def test_mistakes_are_one_line(loaded, study, changes, words):
    with pytest.raises(UserError) as error:
        loaded(study, **changes)
    message = str(error.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_units_that_were_recorded_are_like_task_variables_and_not_like_noise(real_data, entries):
    """PFC and the variables of its task: 24 cells, 12 units, four repeats, as the catalogue has it."""
    entry = entries["recordings"]["mante2013_pfc_courses"]["course"]
    paths = sorted((real_data / "mante2013_pfc").rglob("ar*.mat"))
    about = {"source": "here", "citation": "us", "license": "none", "sha256": {}}
    units = [mante2013.ingest({path.name: path}, about=about, bin_width=0.05) for path in paths]
    options = {key: value for key, value in entry.items() if key != "of"}
    course = unrolling.unroll(units, **options, name="pfc")
    assert course.shape == (4 * 24 * 5, 12) and course.attrs["excluded"] == {}
    assert set(np.unique(course["choice"])) == {-1, 1}, "correct trials: the condition tells the choice"
    layers = trajectories.of_task_variables(course, variables=["context", "choice", "motion_level", "color_level"])
    rng = np.random.default_rng(0)
    time = trajectories.times_of(course)
    layers["noise"] = trajectories.unrolled(world.smooth(rng, 24, 12, time=time))
    grams = trajectories.grams(layers, course, "net").expand_dims(seed=[0])
    measure = "rsa-distance=crossnobis-noise=none-compare=cosine"
    rows, _ = comparison.compare(course, grams, measure, name="pfc", network="net")
    found = {row["layer"]: row for row in rows}
    assert found["linear"]["p_value"] < 0.002 and found["noise"]["p_value"] > 0.05
    assert found["noise"]["value"] < found["linear"]["value"] < found["linear"]["ceiling_high"] < 1
