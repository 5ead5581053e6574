"""Bounds that studies declare: which planted values meet them, and which names are refused."""

import dataclasses
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from neurocompare import bound_checks, bounds, catalogue, tables
from neurocompare.errors import UserError
from neurocompare.yamlfiles import validate

TOP = Path(__file__).resolve().parents[1]
STUDY = "mante2013_quick"
SEEDS = [f"{STUDY}-seed={seed}" for seed in (0, 1)]
SELECTION = {"description": "selection", "quantity": "leading eigenvalue"}


def table(*values, quantity="leading eigenvalue"):
    """Rows of `selection`: recording, condition and value of each."""
    empty = dict.fromkeys(tables.DESCRIPTIONS, "") | {"description": "selection", "quantity": quantity, "unit": "1"}
    rows = [empty | dict(zip(("recording", "condition", "value"), value, strict=True)) for value in values]
    return pd.DataFrame(rows, columns=tables.DESCRIPTIONS)


def met(found):
    return [row["met"] for row in found]


def test_values_are_compared_with_both_limits_which_belong_to_what_is_allowed():
    values = [0.9599, 0.96, 1.0, 1.04, 1.0401]
    names = [f"net-seed={k}" for k in range(5)]
    planted = table(*((name, "", value) for name, value in zip(names, values, strict=True)))
    of = SELECTION | {"of": names}
    both = bounds.compared(planted, [of | {"at_least": 0.96, "at_most": 1.04}])
    assert met(both) == ["no", "yes", "yes", "yes", "no"]
    assert [row["value"] for row in both] == values
    assert {(row["n_met"], row["n_all"]) for row in both} == {(3, 5)}
    low = bounds.compared(planted, [of | {"at_least": 1}])
    assert met(low) == ["no", "no", "yes", "yes", "yes"]
    assert math.isnan(low[0]["at_most"]) and low[0]["at_least"] == 1
    assert met(bounds.compared(planted, [of | {"at_most": 1}])) == ["yes", "yes", "yes", "no", "no"]


def test_every_condition_has_a_row_and_a_seed_must_meet_all_of_them():
    planted = table(
        ("net-seed=0", "context=motion", 10),
        ("net-seed=0", "context=color", 7),
        ("net-seed=1", "context=motion", 9),
        ("net-seed=1", "context=color", 11),
        ("other", "context=color", 12),
    )
    bound = SELECTION | {"at_least": 8, "of": ["net-seed=0", "net-seed=1", "other"]}
    found = bounds.compared(planted, [bound])
    assert [(row["recording"], row["condition"]) for row in found] == list(
        planted[["recording", "condition"]].itertuples(index=False, name=None)
    )
    assert met(found) == ["yes", "no", "yes", "yes", "yes"]
    assert [(row["n_met"], row["n_all"]) for row in found] == [(1, 2)] * 4 + [(1, 1)]
    motion = bounds.compared(planted, [bound | {"condition": "context=motion"}])
    assert [row["recording"] for row in motion[:2]] == ["net-seed=0", "net-seed=1"] and met(motion) == [
        "yes",
        "yes",
        "",
    ]
    assert [(row["n_met"], row["n_all"]) for row in motion] == [(2, 2)] * 2 + [(0, 1)]
    # A part of a condition is plain text, and no pattern.
    assert [row["status"] for row in bounds.compared(planted, [bound | {"condition": "context=."}])] == ["no_row"] * 3


def test_what_is_missing_is_told_and_is_neither_met_nor_unmet(tmp_path):
    planted = table(("net-seed=0", "context=motion", math.nan), ("net-seed=2", "context=motion", 1.0))
    of = [f"net-seed={k}" for k in range(3)]
    found = bounds.compared(planted, [SELECTION | {"at_least": 0.9, "of": of}])
    assert [(row["met"], row["status"]) for row in found] == [("", "undefined"), ("", "no_row"), ("yes", "ok")]
    assert {(row["n_met"], row["n_all"]) for row in found} == {(1, 3)}
    path = tmp_path / "bounds.tsv"
    tables.write([{"study": "s", "code_sha256": "0"} | row for row in found], ["study", *bounds.COLUMNS], path)
    read = tables.read(path)
    assert list(read["met"]) == ["", "", "yes"] and list(read["n_all"]) == [3, 3, 3]
    # Nothing was described: nothing is known of the quantity either.
    (row,) = bounds.compared(table(), [SELECTION | {"at_least": 0.9, "of": of[:1]}])
    assert row["status"] == "no_row"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"quantity": "leading eigenvalu"}, "unknown quantity of 'selection' in a bound 'leading eigenvalu'; did you"),
        ({"condition": "context=motoin"}, "unknown condition of 'selection' in a bound 'context=motoin'; did you mean"),
        ({"condition": "context=color;unstable=1"}, "no row of 'selection' in a bound has all of 'context=color;unst"),
    ],
)
def test_what_no_row_is_for_is_a_warning_with_near_names_and_stops_nothing(capsys, change, told):
    planted = table(("net-seed=0", "context=motion;unstable=1", 1.0), ("net-seed=0", "context=color;unstable=10", 1.0))
    (row,) = bounds.compared(planted, [SELECTION | {"at_least": 0.9, "of": ["net-seed=0"]} | change])
    assert (row["met"], row["status"], row["n_met"], row["n_all"]) == ("", "no_row", 0, 1)
    warned = capsys.readouterr().err
    assert warned.startswith(f"warning: {told}") and warned.count("\n") == 1
    # Other bounds are compared as ever.
    known = SELECTION | {"at_least": 0.9, "of": ["net-seed=0"]}
    assert met(bounds.compared(planted, [known | change, known])) == ["", "yes", "yes"]


def test_conditions_are_whole_parts_in_any_order(capsys):
    planted = table(*(("net", f"context=motion;unstable={k}", k) for k in (1, 10, 11)), ("net", "unstable=1", 2))
    bound = SELECTION | {"at_least": 1, "of": ["net"]}
    assert [row["value"] for row in bounds.compared(planted, [bound | {"condition": "unstable=1"}])] == [1, 2]
    both = bounds.compared(planted, [bound | {"condition": "unstable=1;context=motion"}])
    assert [row["value"] for row in both] == [1]
    assert capsys.readouterr().err == ""


def test_values_that_are_not_finite_are_undefined():
    planted = table(*((f"net-seed={k}", "", value) for k, value in enumerate([math.inf, -math.inf, math.nan, 1.0])))
    found = bounds.compared(planted, [SELECTION | {"at_least": 0, "of": [f"net-seed={k}" for k in range(4)]}])
    assert [(row["met"], row["status"]) for row in found] == [("", "undefined")] * 3 + [("yes", "ok")]


@pytest.fixture(scope="module")
def project():
    """The catalogue of the project."""
    return catalogue.load(TOP / "config", TOP / "workflow/schemas")


def declared(project, *some):
    """The bounds of a study that declares others than its own."""
    study = project.studies[STUDY] | {"bounds": list(some)}
    validate(study, TOP / "workflow/schemas/study.schema.json", f"studies/{STUDY}.yaml")
    return bound_checks.bounds_of(dataclasses.replace(project, studies=project.studies | {STUDY: study}), STUDY)


def test_names_stand_for_all_seeds_that_have_the_description(project):
    tdr = {"description": "tdr-on=choice+motion+color+context", "quantity": "x", "at_most": 1}
    low = SELECTION | {"at_least": 0.96}
    found = declared(project, low, low | {"of": [STUDY]}, low | {"of": [SEEDS[1]]}, tdr)
    assert [bound["of"] for bound in found] == [SEEDS, SEEDS, SEEDS[1:], ["mante2013_pfc_trials", *SEEDS]]
    assert found[0] == low | {"of": SEEDS}
    without = next(name for name, study in project.studies.items() if "bounds" not in study)
    assert bound_checks.bounds_of(project, without) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"description": "selektion"},
            "number 1: unknown description of this study 'selektion'; did you mean selection",
        ),
        ({"of": ["mante2013_pfc_trials"]}, "number 1: unknown recording or recurrent network with 'selection' in 'of'"),
        ({"of": [f"{STUDY}-seed=7"]}, f"'{STUDY}-seed=7'; did you mean"),
        ({"at_least": None}, "number 1: 'at_least' and 'at_most' are missing; give one of them, or both"),
        ({"at_most": 0.5}, "number 1: at_least is 0.96 and at_most 0.5, which nothing can meet"),
        ({"at_least": math.nan}, "number 1: at_least is not finite"),
        ({"at_least": -math.inf}, "number 1: at_least is not finite"),
        ({"at_most": math.inf}, "number 1: at_most is not finite"),
        ({"at_least": 10**400}, "number 1: at_least is not finite"),
        ({"quantitiy": "leading eigenvalue"}, "quantitiy"),
        ({"quantity": None}, "quantity"),
        ({"at_least": "many"}, "many"),
    ],
)
def test_mistakes_are_refused_in_one_line(project, change, told):
    bound = {key: value for key, value in (SELECTION | {"at_least": 0.96} | change).items() if value is not None}
    with pytest.raises(UserError) as error:
        declared(project, bound)
    assert told in str(error.value) and "bounds" in str(error.value) and "\n" not in str(error.value)


def test_they_are_checked_when_catalogues_are_loaded(tmp_path):
    shutil.copytree(TOP / "config", tmp_path / "config")
    path = tmp_path / f"config/studies/{STUDY}.yaml"
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    study["bounds"] = [SELECTION | {"description": "selektion", "at_least": 1}]
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    with pytest.raises(UserError, match=rf"studies/{STUDY}.yaml: bounds, number 1: unknown description"):
        catalogue.load(tmp_path / "config", TOP / "workflow/schemas")


def test_all_studies_of_the_project_name_what_they_have(project):
    found = {name: bound_checks.bounds_of(project, name) for name in project.studies}
    assert {name for name, some in found.items() if some} >= {"mante2013", STUDY, "mante2013_ranks", "mante2013_noise"}
    assert all(bound["of"] for some in found.values() for bound in some)
