"""The multiverse of a conclusion: signs, choices and counts, against contrasts of which the truth is planted."""

import itertools

import numpy as np
import pandas as pd
import pytest

from neurocompare import multiverse, tables
from neurocompare.errors import UserError

RSA = "rsa-distance=correlation-compare=spearman"
CKA = "cka-kernel=linear-hsic=song"
ANGLE = "procrustes-angular"
RECORDINGS = {
    f"mouse_{response}_{name}": {
        "loader": "allen_ophys",
        "stimuli": "scenes",
        "options": {"stimulus": "natural_scenes", "response": response, "window": window, "units": {"min": 3}},
    }
    for response in ("dff", "events")
    for name, window in (("early", [0, 0.25]), ("late", [0, 0.5]))
}
CONCLUSION = {"network": "deep", "above": "pixels"}


def contrast(recording, measure, difference, *, half=0.05, region="V1", turned=False, status="ok", **own):
    """A row as the contrasts hold it; `difference` is the first network's score minus the second's."""
    names = ("pixels", "deep") if turned else ("deep", "pixels")
    row = {"recording": recording, "region": region, "measure": measure, "network": names[0], "layer": "selected"}
    row |= {"other_network": names[1], "other_layer": "selected", "difference": difference}
    row |= {"ci_low": difference - half, "ci_high": difference + 2 * half, "claim": "new stimuli", "p_value": 0.01}
    row |= {"p_holm": 0.02, "q_value": 0.02, "separable": True, "n_stimuli": 60, "n_animals": 1}
    return row | {"code_sha256": "c", "status": status} | own


def everything(measures, **own):
    return pd.DataFrame([contrast(r, m, 0.1, **own) for r, m in itertools.product(RECORDINGS, measures)])


def parsed(rows):
    return [dict(pair.split("=", 1) for pair in row["choices"].split(";") if pair) for row in rows]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("measure", [RSA, ANGLE])
def test_a_positive_difference_supports_the_conclusion_whatever_the_order_and_the_direction(measure, turned):
    # The deep network is more alike: its score is higher by 0.1, or its distance lower.
    deep_minus_pixels = 0.1 if measure == RSA else -0.1
    table = pd.DataFrame([contrast("r", measure, -deep_minus_pixels if turned else deep_minus_pixels, turned=turned)])
    (row,) = multiverse.summarise(table, CONCLUSION, {})
    assert row["difference"] == pytest.approx(0.1)
    # The longer arm of the interval stays on its side of the number line, whichever way the sign was turned.
    flipped = turned != (measure == ANGLE)
    assert row["ci_low"] == pytest.approx(0.1 - (0.1 if flipped else 0.05))
    assert row["ci_high"] == pytest.approx(0.1 + (0.05 if flipped else 0.1))
    assert row["network"] == "deep" and row["other_network"] == "pixels"
    assert row["survives"]
    (opposite,) = multiverse.summarise(table, {"network": "pixels", "above": "deep"}, {})
    assert opposite["difference"] == pytest.approx(-0.1)
    assert not opposite["survives"]


def test_survival_needs_support_and_separation():
    cases = [
        (0.1, True, "survives"),
        (0.1, False, "supported"),
        (-0.1, False, "reversed"),
        (-0.1, True, "contradicted"),
    ]
    table = pd.DataFrame([contrast(f"r{k}", RSA, d, separable=s) for k, (d, s, _) in enumerate(cases)])
    undefined = contrast("r4", RSA, np.nan, separable=False, status="undefined")
    without = contrast("r5", RSA, 0.1, separable=False, status="interval_undefined", ci_low=np.nan, ci_high=np.nan)
    table = pd.concat([table, pd.DataFrame([undefined, without])], ignore_index=True)
    found = pd.DataFrame(multiverse.summarise(table, CONCLUSION, {}))
    assert multiverse.states(found).tolist() == [state for *_, state in cases] + ["undefined"] * 2
    assert found["survives"].tolist() == [True] + [False] * 5
    line = multiverse.summary(found)
    assert "\n" not in line
    assert line == (
        "survives in 1 of 6 alternatives; in 1 supported but not separable, in 1 reversed but not separable, "
        "in 1 reversed and separable, in 2 undefined"
    )
    assert multiverse.summary(found.iloc[:1]) == "survives in 1 of 1 alternatives"


def test_choices_are_the_options_in_which_recordings_and_measures_differ():
    rows = multiverse.summarise(everything([RSA, f"{RSA}-responses=zscore", CKA]), CONCLUSION, RECORDINGS)
    found = parsed(rows)
    assert len(rows) == 12
    for row, chosen in zip(rows, found, strict=True):
        assert chosen["response"] == row["recording"].split("_")[1]
        assert chosen["window"] == ("[0,0.25]" if row["recording"].endswith("early") else "[0,0.5]")
        assert chosen["measure"] == row["measure"].split("-")[0]
        assert chosen["responses"] == ("zscore" if "zscore" in row["measure"] else "none")
        # What all alternatives have in common is no choice: the stimulus, the minimum of units, the distance.
        assert set(chosen) == {"response", "window", "measure", "responses"}
    assert len({row["choices"] for row in rows}) == len(rows)


def test_options_of_a_family_are_choices_within_it_only():
    measures = [
        RSA,
        "rsa-distance=euclidean-compare=spearman",
        "rsa-distance=crossnobis-noise=none-compare=spearman",
        CKA,
    ]
    rows = multiverse.summarise(everything(measures), CONCLUSION, RECORDINGS)
    by_measure = {row["measure"]: chosen for row, chosen in zip(rows, parsed(rows), strict=True)}
    assert by_measure[RSA]["distance"] == "correlation" and by_measure[RSA]["noise"] == "default"
    assert by_measure[measures[2]]["noise"] == "none"
    assert not {"distance", "noise", "kernel"} & set(by_measure[CKA])


def test_an_option_that_only_some_recordings_have_is_default_in_the_others():
    recordings = {"a": {"options": {}}, "b": {"options": {"units": {"quality": {"max": 0.05}}}}}
    rows = multiverse.summarise(
        pd.DataFrame([contrast(r, m, 0.1) for r in recordings for m in (RSA, CKA)]), CONCLUSION, recordings
    )
    assert [chosen["units.quality.max"] for chosen in parsed(rows)] == ["default"] * 2 + ["0.05"] * 2


def test_recordings_that_options_do_not_tell_apart_go_by_their_ids_and_regions_by_their_names():
    table = pd.DataFrame([contrast(r, RSA, 0.1, region=g) for r in ("monkey", "mouse") for g in ("V1", "IT")])
    found = parsed(multiverse.summarise(table, CONCLUSION, {"monkey": {}, "mouse": {}}))
    assert [(c["recording"], c["region"]) for c in found] == list(itertools.product(("monkey", "mouse"), ("V1", "IT")))
    only = multiverse.summarise(table, CONCLUSION | {"region": "IT"}, {})
    assert [row["region"] for row in only] == ["IT", "IT"]
    assert all("region" not in chosen for chosen in parsed(only))


def test_options_of_a_recording_and_of_a_measure_with_the_same_name_are_told_apart():
    recordings = {name: {"options": {"sample": name}} for name in ("fast", "slow")}
    measures = (RSA, f"{RSA}-sample=50")
    table = pd.DataFrame([contrast(r, m, 0.1) for r in recordings for m in measures])
    found = parsed(multiverse.summarise(table, CONCLUSION, recordings))
    assert [(c["recording.sample"], c["sample"]) for c in found] == list(itertools.product(recordings, ("none", "50")))


def test_values_cannot_break_the_list_of_choices():
    recordings = {"a": {"options": {"where": "x;y"}}, "b": {"options": {"where": ["x=1", "y"], "on": True}}}
    table = pd.DataFrame([contrast(r, RSA, 0.1) for r in recordings])
    first, second = parsed(multiverse.summarise(table, CONCLUSION, recordings))
    assert first == {"where": "x,y", "on": "default"}
    assert second == {"where": "[x=1,y]", "on": "true"}


def test_layers_and_other_networks_are_no_alternatives():
    table = pd.DataFrame(
        [
            contrast("r", RSA, 0.1),
            contrast("r", RSA, 0.7, layer="one", other_layer="two", other_network="deep"),
            contrast("r", RSA, 0.7, other_network="bank"),
            contrast("r", RSA, 0.7, network="bank"),
        ]
    )
    assert [row["difference"] for row in multiverse.summarise(table, CONCLUSION, {})] == [0.1]


@pytest.mark.parametrize(
    ("conclusion", "said"),
    [
        (CONCLUSION | {"region": "V2"}, "unknown region in 'conclusion' 'V2'; did you mean V1?"),
        ({"network": "deep", "above": "bank"}, "'deep' and 'bank' are nowhere compared"),
    ],
)
def test_what_is_not_in_the_table_is_refused_in_one_line(conclusion, said):
    with pytest.raises(UserError) as caught:
        multiverse.summarise(everything([RSA]), conclusion, RECORDINGS)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_table_survives_writing_and_reading(tmp_path):
    rows = multiverse.summarise(everything([RSA, ANGLE], separable=False), CONCLUSION, RECORDINGS)
    rows = [{"study": "s", "code_sha256": "c"} | row for row in rows]
    tables.write(rows, ["study", *tables.MULTIVERSE], tmp_path / "m.tsv")
    found = tables.read(tmp_path / "m.tsv")
    assert found["choices"].tolist() == [row["choices"] for row in rows]
    assert multiverse.states(found).tolist() == ["supported", "reversed"] * 4
    assert multiverse.summary(found) == multiverse.summary(pd.DataFrame(rows))
    pd.testing.assert_series_equal(found["difference"], pd.DataFrame(rows)["difference"])
