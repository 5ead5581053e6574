"""Counts of what a recording holds and of what was left out."""

import numpy as np
import pytest
from trials import recording

from neurocompare import describing, representation, tables
from neurocompare.description import inventory
from neurocompare.errors import UserError


def counts(rows):
    return {(row["quantity"], row["condition"]): row["value"] for row in rows}


def test_units_presentations_repeats_and_exclusions():
    excluded = {"unit": {"silent; never fires": 3, "presence ratio below 0.95": 2}, "presentation": {"blank": 7}}
    array = recording(
        np.random.default_rng(0).random((9, 5, 4)),
        time=np.arange(5) * 0.1,
        stimulus=np.array(list("aaaabbbcc")),
        excluded=excluded,
    )
    array = array.assign_coords(area=("unit", ["V1", "V1", "V1", "LM"]))
    rows, details = inventory.describe(array, "inventory", seed=0)
    assert details is None
    assert counts(rows) == {
        ("units", ""): 4,
        ("units", "area=V1"): 3,
        ("units", "area=LM"): 1,
        ("presentations", ""): 9,
        ("blocks", ""): 4,
        ("stimuli", ""): 3,
        ("repeats", "of=rarest stimulus"): 2,
        ("repeats", "of=median stimulus"): 3,
        ("repeats", "of=commonest stimulus"): 4,
        ("time bins", ""): 5,
        ("presentations excluded", "reason=blank"): 7,
        ("units excluded", "reason=presence ratio below 0.95"): 2,
        ("units excluded", "reason=silent, never fires"): 3,
    }
    assert {row["status"] for row in rows} == {"no_null;no_interval;no_ceiling"}
    assert {(row["n_stimuli"], row["n_units"], row["n_trials"]) for row in rows} == {(3, 4, 9)}


def test_a_table_of_it_can_be_written_and_its_conditions_read(tmp_path):
    array = recording(np.ones((6, 2)), stimulus=np.array(list("aabbcc")), excluded={"unit": {"a; b": 1}})
    rows, _ = describing.describe(array, "inventory", name="r")
    tables.write([row | {"code_sha256": "0"} for row in rows], tables.DESCRIPTIONS, tmp_path / "t.tsv")
    read = tables.conditions(tables.read(tmp_path / "t.tsv"))
    assert read["reason"].dropna().tolist() == ["a, b"]
    assert set(read["region"]) == {"all"}


def test_published_matrices_have_an_inventory_too():
    array = representation.dissimilarities(
        np.ones((3, 5, 5)) - np.eye(5),
        stimulus=np.array(list("abcde")),
        rdm={"area": ["IT", "IT", "V1"], "animal": ["m", "n", "m"], "session": ["1", "1", "1"]},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"exchangeable": "stimulus", "simultaneous": False, "sha256": {}, "distance": "correlation"},
    )
    rows, _ = describing.describe(array, "inventory", name="r")
    assert counts(rows) == {("RDMs", ""): 3, ("RDMs", "area=IT"): 2, ("RDMs", "area=V1"): 1, ("stimuli", ""): 5}


def test_another_id_is_refused():
    with pytest.raises(UserError, match="did you mean inventory"):
        inventory.describe(recording(np.ones((4, 2))), "inventory-of=units", seed=0)
