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
    ("loader", "product", "stimulus", "fits"),
    [
        ("allen_ophys", "ophys", "natural_scenes", True),
        ("allen_ophys", "ophys", "drifting_gratings", False),
        ("allen_ecephys", "ecephys", "natural_scenes", False),
    ],
)
def test_images_come_with_natural_scenes_only(tmp_path, loader, product, stimulus, fits):
    options, experiments = {"stimulus": stimulus}, {"product": product, "experiments": [1]}
    recording = ENTRY | {"loader": loader, "options": options, "allensdk": experiments, "stimuli": "images"}
    load(tmp_path, **recording | {"stimuli": None})
    (tmp_path / "recordings.yaml").write_text(yaml.safe_dump({"two_photon": recording}), encoding="utf-8")
    (tmp_path / "stimuli.yaml").write_text("images: {recording: two_photon}\n", encoding="utf-8")
    if fits:
        assert catalogue.load(tmp_path, TOP / "workflow/schemas").recording("two_photon")["stimuli"] == "images"
        return
    with pytest.raises(UserError) as error:
        catalogue.load(tmp_path, TOP / "workflow/schemas")
    message = str(error.value)
    assert "stimuli.yaml: images: recording: the files of 'two_photon' hold no images" in message
    assert "\n" not in message and "natural_scenes" in message


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
