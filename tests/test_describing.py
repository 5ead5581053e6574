import numpy as np
import pytest

from neurocompare import describing, representation
from neurocompare.errors import UserError
from neurocompare.recordings import simulated_orientation

RELIABILITY = "reliability-split=halves"


def recording(animals):
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((20, 1, 6)) * np.array([3, 3, 3, 0, 0, 0])
    cube = signal + rng.standard_normal((20, 4, 6))
    return representation.responses(
        cube.reshape(80, 6),
        presentation={
            "stimulus": np.repeat([f"s{k:02d}" for k in range(20)], 4),
            "repeat": np.tile(np.arange(4), 20),
            "block": np.tile(np.arange(4), 20),
        },
        unit={"unit_id": list("abcdef"), "area": ["V1"] * 3 + ["LM"] * 3, "animal": animals, "session": ["1"] * 6},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"response": "dF/F", "exchangeable": "stimulus", "simultaneous": True, "sha256": {}},
    )


def test_every_region_is_described_from_its_own_units():
    rows, details = describing.describe(recording(["m"] * 3 + ["m", "n", "n"]), RELIABILITY, name="r")
    value = {row["region"]: row["value"] for row in rows if row["quantity"] == "split-half correlation"}
    assert value["V1"] > 0.8 and abs(value["LM"]) < 0.5
    assert {(row["region"], row["animal"], row["n_units"]) for row in rows} == {("V1", "m", 3), ("LM", "pooled", 3)}
    assert details["region"].values.tolist() == ["V1", "LM"]


def test_the_name_of_the_recording_seeds_what_is_random():
    first, again, other = (describing.describe(recording(["m"] * 6), RELIABILITY, name=n)[0] for n in ("r", "r", "s"))
    assert [row["ci_low"] for row in first[:2]] == [row["ci_low"] for row in again[:2]]
    assert first[0]["value"] == other[0]["value"] and first[0]["ci_low"] != other[0]["ci_low"]


def test_unknown_descriptions_name_the_near_ones():
    with pytest.raises(UserError, match="unknown description 'reliabilty'; did you mean reliability"):
        describing.describe(recording(["m"] * 6), "reliabilty-split=halves", name="r")


@pytest.mark.parametrize(
    ("description", "units"),
    [
        ("decoding-target=orientation-decoder=von-mises", {"degrees"}),
        ("inventory", {"1"}),
        ("reliability-split=random", {"1"}),
    ],
)
def test_every_row_states_its_unit_and_the_number_of_shuffles_behind_its_p_value(description, units):
    array, _ = simulated_orientation.simulate(neurons=20, trials=160, bins=8, seed=0)
    rows, _ = describing.describe(array, description, name="r")
    assert {row["unit"] for row in rows} == units
    for row in rows:
        assert (row["n_null"] > 0) == np.isfinite(row["p_value"])
        assert np.isnan(row["p_value"]) or row["p_value"] >= 1 / (row["n_null"] + 1)
