"""Warnings: each fires on a planted case and is silent beside it."""

import numpy as np
import pandas as pd
import pytest

from neurocompare import score_warnings, similarity, tables

RSA = "rsa-distance=correlation-compare=spearman"
BIASED = "cka-kernel=linear-hsic=biased"
ANGLE = "procrustes-angular"


def row(**own):
    blank = dict.fromkeys(tables.SCORES, np.nan) | dict.fromkeys(("ceiling_kind", "influential_stimulus"), "")
    usual = {"recording": "r", "region": "V1", "animal": "all", "network": "deep", "seed": 0, "layer": "one"}
    usual |= {"measure": RSA, "claim": "new stimuli and animals", "value": 0.3, "null_mean": 0.0, "null_high": 0.1}
    usual |= {"p_value": 0.001, "ceiling_low": 0.6, "ceiling_high": 0.7, "ceiling_chronological": 0.58}
    usual |= {"influence": 0.01, "influential_stimulus": "s1", "n_stimuli": 100, "n_animals": 6, "n_units": 300}
    usual |= {"n_features": 500, "n_trials": 4000, "dimensionality": 8, "target_dimensionality": 9, "status": "ok"}
    return blank | usual | own


def fired(*rows):
    return score_warnings.fired(pd.DataFrame(list(rows)))


def names(*rows):
    return [found["warning"] for found in fired(*rows)]


def test_a_sound_score_fires_nothing():
    assert fired(row(), row(layer="selected", status="selected_on_held_out_stimuli", influence=np.nan)) == []
    assert fired(row(animal="mean RDM", status="mean_rdm")) == []


CASES = {
    "biased measure": (row(measure=BIASED, null_mean=0.9, null_high=0.92, value=0.95), ["null_not_zero"]),
    "negative null": (row(null_mean=-0.2), ["null_not_zero"]),
    "distances have no zero": (row(measure="procrustes-angular-folds=5", null_mean=1.5, value=1.0), []),
    "one animal": (row(n_animals=1), ["one_animal"]),
    "few animals": (row(n_animals=3, status="ok;few_animals"), ["few_animals"]),
    "few stimuli": (row(n_stimuli=19, n_trials=800), ["few_stimuli"]),
    "drift": (row(ceiling_chronological=0.47), ["drift"]),
    "no drift": (row(ceiling_chronological=0.49), []),
    "drift of a distance": (
        row(
            measure="procrustes-angular-folds=5",
            value=0.9,
            null_mean=1.5,
            ceiling_low=0.3,
            ceiling_high=0.5,
            ceiling_chronological=0.7,
        ),
        ["drift"],
    ),
    "significance lost": (row(value=0.12, influence=-0.04), ["one_stimulus"]),
    "significance gained": (row(value=0.08, p_value=0.08, influence=0.04), ["one_stimulus"]),
    "sign lost": (row(value=0.02, null_high=-0.1, influence=-0.04), ["one_stimulus"]),
    "the sign of chance": (row(value=0.01, p_value=0.4, influence=-0.04), []),
    "a distance that would be that of chance": (
        row(measure="procrustes-angular-folds=5", value=1.4, null_mean=1.5, influence=0.2, ceiling_chronological=0.6),
        ["one_stimulus"],
    ),
    "no interval": (row(status="interval_undefined"), ["interval_undefined"]),
    "no ceiling": (row(status="ceiling_undefined;undefined_resamples=3"), ["ceiling_undefined", "undefined_resamples"]),
    "stimuli left out": (row(status="ok;stimuli_not_reproduced=4"), ["stimuli_not_reproduced"]),
    "a reason that is not known here": (row(status="something_new"), ["something_new"]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_warning_fires_on_its_case(case):
    planted, expected = CASES[case]
    assert names(planted) == expected


def test_rows_are_counted_by_region_and_measure_and_details_span_them():
    table = [row(layer=f"l{k}", null_mean=0.2 + k / 10, measure=BIASED, null_high=0.9, value=0.95) for k in range(3)]
    table += [row(layer="l3", measure=BIASED, null_mean=0.05), row(region="IT", measure=BIASED, null_mean=0.3)]
    first, second = [found for found in fired(*table) if found["warning"] == "null_not_zero"]
    assert (first["region"], first["n_rows"], first["n_all"], first["detail"]) == ("V1", 3, 4, "null_mean 0.2 to 0.4")
    assert (second["region"], second["n_rows"], second["n_all"], second["detail"]) == ("IT", 1, 1, "null_mean 0.3")


def test_numbers_in_a_status_are_told():
    (found,) = fired(row(status="ok;undefined_resamples=3"), row(status="ok;undefined_resamples=17"), row())
    assert (found["n_rows"], found["n_all"], found["detail"]) == (2, 3, "undefined_resamples 3 to 17")


def test_what_belongs_to_the_recording_is_told_once_for_all_measures():
    found = fired(*(row(measure=m, n_animals=1) for m in (RSA, "cka-kernel=linear-hsic=song")))
    assert [(f["warning"], f["measure"], f["n_rows"]) for f in found] == [("one_animal", "all", 2)]
    # Single animals of a recording with several are no claim about one.
    assert names(row(), row(animal="a", n_animals=1), row(animal="b", n_animals=1)) == []


def test_the_stimuli_on_which_results_hang_are_named_most_frequent_first():
    stimuli = ["s1", "s2", "s2", "s3", "s4"]
    (found,) = fired(*(row(value=0.12, influence=-0.04, influential_stimulus=s) for s in stimuli))
    assert found["detail"] == "s2 (2), s1 (1), s3 (1), 1 others"


SHORT = [
    ("60 stimuli", {"n_stimuli": 59}, {"n_stimuli": 60}),
    ("1000 units", {"n_units": 999, "n_features": 5000}, {"n_units": 1000, "n_features": 1000}),
    ("many more stimuli than units: otherwise", {"n_stimuli": 100, "n_units": 30}, {"n_stimuli": 2500}),
    ("many more stimuli than dimensions; read", {"n_stimuli": 40}, {"n_stimuli": 100}),
    ("tens of stimuli: among many", {"n_stimuli": 19}, {"n_stimuli": 20}),
    ("tens of repeats: the covariances", {"n_trials": 1900}, {"n_trials": 2000}),
]


@pytest.mark.parametrize(("text", "short", "enough"), SHORT, ids=[text for text, *_ in SHORT])
def test_recommendations_of_measures_are_compared_with_what_there_is(text, short, enough):
    table = pd.DataFrame([row(**short), row(**enough)])
    assert score_warnings.falls_short(text, table).tolist() == [True, False]


def test_every_recommendation_of_a_measure_is_understood():
    plenty = dict.fromkeys(("n_stimuli", "n_units", "n_features", "n_trials"), 10**6)
    table = pd.DataFrame([row(**plenty | {"n_units": 1000, "n_features": 1000, "n_trials": 10**9})])
    for text in set(similarity.measures()["recommended"]) - {""}:
        assert not score_warnings.falls_short(text, table).any(), f"not understood: {text}"
    assert score_warnings.falls_short("a fair wind", table).all()
    (found,) = fired(row(measure="ssm"))
    assert found["warning"] == "below_recommendation"
    assert found["detail"].startswith("recommended: 1000 units; here n_stimuli 100, n_units 300")


def test_an_unknown_number_of_units_falls_short_of_nothing():
    assert names(row(measure="ssm", n_units=np.nan, n_features=5000)) == []


def test_advice_is_one_short_sentence():
    for advice in score_warnings.ADVICE.values():
        assert len(advice) < 110 and "\n" not in advice and "\t" not in advice


def test_the_table_can_be_written_also_when_nothing_fired(tmp_path):
    for name, found in (("some", fired(row(n_animals=1))), ("none", fired(row())), ("empty", [])):
        rows = [{"study": "s", "code_sha256": "c"} | one for one in found]
        tables.write(rows, ["study", *tables.WARNINGS], tmp_path / f"{name}.tsv")
        assert len(tables.read(tmp_path / f"{name}.tsv")) == len(found)
    assert score_warnings.fired(pd.DataFrame(columns=tables.SCORES)) == []


def test_the_order_is_that_of_the_advice_and_the_same_every_time():
    table = [row(n_animals=1, status="single_rdm"), row(n_animals=1, measure=BIASED, null_mean=0.4, null_high=0.5)]
    assert names(*table) == [w for w in score_warnings.ADVICE if w in names(*table)]
    assert fired(*table) == fired(*table)
