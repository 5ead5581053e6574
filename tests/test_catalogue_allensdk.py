"""Entries of the catalogue whose files the Allen SDK fetches."""

from pathlib import Path

import pytest
import yaml

from neurocompare import catalogue
from neurocompare.errors import UserError

TOP = Path(__file__).resolve().parents[1]
ENTRY = {
    "loader": "allen_ophys",
    "options": {"stimulus": "drifting_gratings"},
    "allensdk": {"product": "ophys", "experiments": [501574836]},
}


def load(folder, **changed):
    entry = {key: value for key, value in (ENTRY | changed).items() if value is not None}
    (folder / "studies").mkdir()
    for name in catalogue.CATALOGUES:
        content = {"two_photon": entry} if name == "recordings" else {}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return catalogue.load(folder, TOP / "workflow/schemas")


def test_ids_or_a_selection(tmp_path):
    assert load(tmp_path).recording("two_photon")["allensdk"] == ENTRY["allensdk"]
    (tmp_path / "b").mkdir()
    select = {"area": "VISp", "depth": [175, 275], "session_type": "three_session_B", "cre_line": ["a", "b"]}
    load(tmp_path / "b", allensdk={"product": "ophys", "select": select, "most": 4, "warehouse": "http://localhost:1"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loader": "allen_ecephys"}, "'allen_ecephys' does not read this product of the Allen SDK; use 'allen_ophys'"),
        ({"options": {}}, "options: 'stimulus' is missing"),
        ({"files": {"a.nwb": {}}}, "files: not with 'allensdk'"),
        ({"allensdk": {"product": "lfp", "experiments": [1]}}, "product: unknown value 'lfp'"),
        ({"allensdk": {"product": "ophys"}}, "two_photon.allensdk: "),
        ({"allensdk": {"product": "ophys", "experiments": []}}, "experiments: "),
        ({"allensdk": {"product": "ophys", "select": {"aera": "VISp"}}}, "unknown key 'aera'; did you mean area?"),
        ({"allensdk": {"product": "ophys", "experiments": [1], "warehouse": "localhost"}}, "warehouse: "),
    ],
)
def test_mistakes(tmp_path, changed, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, **changed)
    assert message in str(error.value) and "recordings.yaml: two_photon" in str(error.value)
