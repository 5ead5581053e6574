import json

import numpy as np
import pytest
import torch

from neurocompare.errors import UserError
from neurocompare.networks import weights as files
from neurocompare.recurrent import definition, storage

ENTRY = {
    "cell": {"kind": "rate", "units": 10, "activation": "relu", "noise": 0.1},
    "constraints": {"excitatory": 0.8, "areas": {"names": ["a", "b"], "sizes": [5, 5]}},
}
DEFINITION = definition.of_entry(ENTRY, {"task": "flipflop", "options": {"bits": 2}})


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "seed-3.safetensors"
    storage.save(file, storage.untrained(DEFINITION, 3), DEFINITION, {"training": "none", "seed": "3"})
    return file


def test_a_network_comes_back_as_it_was(path):
    weights = storage.untrained(DEFINITION, 3)
    found = storage.load(path)
    assert found.definition == DEFINITION
    assert found.cell == DEFINITION.cell
    assert found.weights.keys() == weights.keys()
    assert all(torch.equal(found.weights[name], values) for name, values in weights.items())
    assert found.area.tolist() == ["a"] * 5 + ["b"] * 5
    assert found.cell_type.tolist() == (["excitatory"] * 4 + ["inhibitory"]) * 2
    assert found.metadata["seed"] == "3"
    assert found.sha256 == files.sha256(weights)
    assert found.sha256 != files.sha256(storage.untrained(DEFINITION, 4))


def test_the_same_network_is_the_same_file(path):
    before = path.read_bytes()
    storage.save(path, storage.untrained(DEFINITION, 3), DEFINITION, {"seed": "3", "training": "none"})
    assert path.read_bytes() == before


def test_units_may_be_named_apart_from_the_constraints(path):
    area = np.array(["x"] * 10)
    storage.save(path, storage.untrained(DEFINITION, 3), DEFINITION, {}, area=area, cell_type=np.array(["none"] * 10))
    assert storage.load(path).area.tolist() == ["x"] * 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bias": torch.full((10,), torch.nan)}, "'bias' holds NaN"),
        ({"bias": torch.zeros(9)}, "of another shape (bias)"),
        ({"extra": torch.zeros(9)}, "left over (extra)"),
    ],
)
def test_weights_that_do_not_fit_are_not_written(tmp_path, change, told):
    file = tmp_path / "w.safetensors"
    with pytest.raises(UserError) as error:
        storage.save(file, storage.untrained(DEFINITION, 0) | change, DEFINITION, {})
    assert told in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def tampered(path, change):
    weights, metadata = files.load(path)
    files.save(weights, path, metadata | change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"architecture": "gabor_bank"}, "no recurrent network"),
        ({"definition": "{"}, "metadata is damaged"),
        ({"area": "["}, "metadata is damaged"),
        ({"area": json.dumps(["a"])}, "not of 10 units"),
        ({"cell_type": json.dumps(["fast"] * 10)}, "not of 10 units"),
    ],
)
def test_files_of_something_else_are_refused(path, change, told):
    tampered(path, change)
    with pytest.raises(UserError) as error:
        storage.load(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_absent_or_cut_are_refused(path):
    with pytest.raises(UserError, match="no such file"):
        storage.load(path.with_name("other.safetensors"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="not a readable"):
        storage.load(path)
