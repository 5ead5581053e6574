"""Pulses and lesions of networks whose line, selection vector and choices were put in by hand."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_selection import context_integrator

from neurocompare import tasks
from neurocompare.dynamics import chains
from neurocompare.dynamics import perturbation as lesions
from neurocompare.errors import UserError
from neurocompare.inference import corrections
from neurocompare.network_description import perturbation
from neurocompare.recurrent import definition, storage
from neurocompare.tasks import context_integration

UNITS = 12
KEPT = 0.99


def linear_integrator(turning=0.0):
    """A linear network (ReLU far above its threshold) with a known line and a known selection vector.

    All that is not on the line is gone in a step, so that what a pulse comes to is ρ (s · p) times what is kept. Or
    else two directions turn into one another, by an angle in each step.
    """
    rng = np.random.default_rng(1)
    alpha = 0.2
    right = rng.standard_normal((UNITS, UNITS))
    right[:, 0] = np.abs(right[:, 0])
    left = np.linalg.inv(right)
    values = np.array([KEPT, *[0.05] * (UNITS - 1)])
    mixed = np.diag(values)
    if turning:
        cosine, sine = np.cos(turning), np.sin(turning)
        mixed[:2, :2] = KEPT * np.array([[cosine, -sine], [sine, cosine]])
    step = right @ mixed @ left
    recurrent = (step - (1 - alpha) * np.eye(UNITS)) / alpha
    held = np.full(UNITS, 60.0)
    inputs = rng.standard_normal((UNITS, 4)) * np.array([1.0, 1.0, 0, 0])
    readout = rng.standard_normal(UNITS)
    readout /= readout @ right[:, 0]
    weights = {
        "input": inputs,
        "recurrent": recurrent,
        "bias": held - recurrent @ held,
        "output": readout[None],
        "output_bias": np.array([-readout @ held]),
        "initial": held,
    }
    made = definition.of_entry(
        {"cell": {"kind": "rate", "units": UNITS, "activation": "relu", "noise": 0.02}},
        {"task": "context_integration", "options": {"noise": 0.05}},
    )
    weights = {name: torch.as_tensor(w, dtype=torch.float32) for name, w in weights.items()}
    kinds = np.array(["excitatory"] * 8 + ["inhibitory"] * 4)
    trained = storage.Trained(made, made.cell, weights, np.full(UNITS, "none"), kinds, "0" * 64, {})
    return trained, right[:, 0], left[0], readout


def table(rows):
    """By quantity and condition, without what the condition tells of points and nulls."""
    return {(row["quantity"], re.sub(";(points|null_low|p_holm)=[^;]*", "", row["condition"])): row for row in rows}


def parts(row):
    return dict(part.split("=", 1) for part in row["condition"].split(";"))


@pytest.fixture(scope="module", autouse=True)
def few_lesions():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perturbation, "LESIONS", 19)
        yield


@pytest.fixture(scope="module")
def linear():
    trained, line, vector, readout = linear_integrator()
    rows, details = perturbation.describe_network(trained, None, "perturbation", seed=3)
    return table(rows), details, line, vector, readout


@pytest.fixture(scope="module")
def integrator():
    trained, *_ = context_integrator()
    rows, details = perturbation.describe_network(trained, None, "perturbation", seed=3)
    return table(rows), details


def test_pulses_in_a_linear_network_do_what_its_selection_vector_says(linear):
    rows, details, line, vector, readout = linear
    shown = context_integration.test(np.random.default_rng(0), repeats=1)
    decision = np.flatnonzero(shown.during("decision")[0])
    axes = {"line": line, "selection vector": vector, "output": readout}
    for time in details["time"].values:
        at = int(np.flatnonzero(shown.time > time)[0])
        kept = (KEPT ** (decision - at + 1)).mean()
        for name, axis in axes.items():
            told = f"context=color;axis={name}"
            spread = rows["spread of states", told]["value"]
            expected = spread * (axis @ vector) / np.linalg.norm(axis) * (readout @ line) * kept
            for kind in ("", " by first order", " by selection vector"):
                found = rows[f"change of output{kind}", f"{told};time={time:.3g} s"]
                assert found["value"] == pytest.approx(expected, rel=2e-3)
            # All trials change alike, as nothing is bent.
            assert found["ci_high"] - found["ci_low"] < 1e-6 * abs(expected)


def test_in_a_linear_network_predictions_are_exact_at_every_size(linear):
    rows, details, *_ = linear
    for context in ("motion", "color"):
        for size in (0.5, 1, 2):
            for name in ("first order", "selection vector"):
                told = f"context={context};size={size:g};by={name}"
                assert rows["correlation of predicted and actual change", told]["value"] > 0.9999
                assert rows["actual over predicted change", told]["value"] == pytest.approx(1, abs=2e-3)
    change = details["change"]
    np.testing.assert_allclose(change.sel(size=2.0), -2 * change.sel(size=-1.0), rtol=2e-2, atol=1e-3)
    # Choices turn as the changes say.
    shift = details["shift"]
    np.testing.assert_allclose(shift.sel(kind="first order"), shift.sel(kind="actual"), atol=0.02)
    assert shift.sel(kind="actual", axis="line", size=1.0).min() > 0.05


def test_of_a_complex_pair_the_plane_makes_the_prediction_and_there_is_no_line():
    trained, *_ = linear_integrator(turning=0.004)
    rows, details = perturbation.describe_network(trained, None, "perturbation", seed=3)
    assert set(details["axis"].values) == {"motion input", "color input", "choice axis", "output", "random"}
    told = "context=color;size=1;by=selection vector"
    found = table(rows)
    assert found["actual over predicted change", told]["value"] == pytest.approx(1, abs=0.01)
    assert found["correlation of predicted and actual change", told]["value"] > 0.999
    assert not [condition for _, condition in found if "axis=line" in condition]


def test_cell_types_are_silenced_beside_random_units(linear):
    rows, details, *_ = linear
    told = "context=motion;units=excitatory;silenced=8"
    found = rows["fraction correct with silenced units", told]
    assert found["n_null"] == perturbation.LESIONS and 0 <= found["value"] <= 1
    assert "silenced: inhibitory (4)" in details["lesion"].values
    assert np.isnan(details["correct_null"].sel(lesion="intact")).all()


@pytest.mark.parametrize("context", ["motion", "color"])
def test_only_pulses_of_the_relevant_input_move_the_choice(integrator, context):
    rows, details = integrator
    other = {"motion": "color", "color": "motion"}[context]
    for time in details["time"].values:
        told = f"context={context};axis={{}};time={time:.3g} s"
        relevant, irrelevant = (
            rows["change of output", told.format(f"{name} input")]["value"] for name in (context, other)
        )
        # The irrelevant group is saturated, and nothing of it gets through.
        assert relevant > 0.05 and abs(irrelevant) < 0.02 * relevant
        line = rows["change of output", told.format("line")]
        assert line["ci_low"] > 0
        assert line["value"] > 2 * rows["change of output", told.format("random")]["value"]
    for name in ("first order", "selection vector"):
        assert rows["correlation of predicted and actual change", f"context={context};size=1;by={name}"]["value"] > 0.97


@pytest.mark.parametrize("context", ["motion", "color"])
def test_without_the_axis_that_carries_the_choice_accuracy_is_chance(integrator, context):
    rows, _ = integrator
    told = f"context={context}"
    intact = rows["fraction correct", told]["value"]
    assert intact > 0.8
    without = rows["fraction correct without axis", f"{told};axis=line;removed from=recurrence and output"]
    assert without["value"] == pytest.approx(0.5, abs=0.12)
    assert without["p_value"] == pytest.approx(1 / (perturbation.LESIONS + 1))
    assert without["null_mean"] == pytest.approx(intact, abs=0.12)
    # The group of the other evidence is not needed, as it is saturated.
    other = {"motion": "color", "color": "motion"}[context]
    lost = rows["fraction correct without axis", f"{told};axis={context} input;removed from=recurrence"]["value"]
    spared = rows["fraction correct without axis", f"{told};axis={other} input;removed from=recurrence"]["value"]
    assert lost < intact - 0.15 and spared == pytest.approx(intact, abs=0.05)


def test_the_selection_vector_that_is_removed_is_what_a_network_of_rank_one_reads(integrator):
    # W = m nᵀ, so that L ∝ n φ' at every point, saturated or not: what it reads from rates is n.
    weights = context_integrator()[0].weights["recurrent"].numpy()
    n = np.linalg.svd(weights)[2][0]
    for removed in integrator[1]["removed"].sel(direction="selection vector").values:
        assert abs(removed @ n) / np.linalg.norm(removed) > 0.9999
    # In states, groups that are saturated are hardly seen.
    pushed = chains.of_contexts(context_integrator()[0], 300, name="x", seed=3)[3]["motion"].selection.vector[0]
    assert abs(pushed @ n) / np.linalg.norm(pushed) < 0.95


@pytest.mark.parametrize(
    "cell",
    [
        {"kind": "rate", "activation": "tanh"},
        {"kind": "rate", "activation": "relu"},
        {"kind": "rate", "activation": "tanh", "output_activation": "sigmoid"},
        {"kind": "gru"},
        {"kind": "lstm"},
    ],
)
def test_without_the_axis_of_the_output_outputs_are_the_same_in_all_trials(cell):
    made = definition.of_entry({"cell": cell | {"units": 20, "noise": 0.1}}, {"task": "context_integration"})
    trained = storage.Trained(made, made.cell, storage.untrained(made, 1), None, None, "0" * 64, {})
    shown = tasks.load("context_integration").test(np.random.default_rng(0), repeats=1)
    state = np.random.default_rng(2).standard_normal(made.cell.state_size)
    gradient = lesions.readout_gradient(
        made.cell, {name: w.detach().double() for name, w in trained.weights.items()}, state
    )[0]
    axis = perturbation._removed(trained, None, {"output": gradient}, state)["output"]
    outputs = [
        lesions.outputs_without(made.cell, trained.weights, shown.inputs, axis=one, noise=None) for one in (axis, None)
    ]
    spread = [one[..., 0].std(0).max() for one in outputs]
    assert spread[0] < 1e-5 and spread[1] > 1e-2


def test_without_the_output_choices_are_at_chance_and_the_null_is_told(integrator):
    rows, details = integrator
    for context in ("motion", "color"):
        row = rows["fraction correct without axis", f"context={context};axis=output;removed from=recurrence and output"]
        assert row["value"] == 0.5
        null = details["correct_null"].sel(context=context, lesion="output removed, outputs too").values
        assert float(parts(row)["null_low"]) == pytest.approx(np.quantile(null, 0.05), rel=1e-3)
        lesioned = [
            one for (_, where), one in rows.items() if where.startswith(f"context={context};") and one["n_null"]
        ]
        assert len(lesioned) == details.sizes["lesion"] - 1
        expected = corrections.holm(np.array([one["p_value"] for one in lesioned]))
        np.testing.assert_allclose([float(parts(one)["p_holm"]) for one in lesioned], expected, rtol=1e-3)


def some_points(is_pair):
    """A chain of which some points have a single eigenvalue, the last of them a very long selection vector."""
    is_pair, n = np.array(is_pair), len(is_pair)
    line, vector = np.tile(np.eye(UNITS)[0], (n, 1)), np.tile(np.eye(UNITS)[1], (n, 1))
    vector[-1] = 1000 * np.eye(UNITS)[2]
    line[is_pair], vector[is_pair] = np.nan, np.nan
    selection = SimpleNamespace(is_pair=is_pair, line=line, vector=vector)
    inputs = np.ones((n, UNITS, 4))
    return SimpleNamespace(selection=selection, inputs=inputs, points=np.full((n, UNITS), 60.0), chosen=np.arange(n))


def test_every_point_with_a_single_eigenvalue_counts_alike_and_half_of_them_are_needed():
    trained, choice = linear_integrator()[0], np.eye(UNITS)[0]
    chain = some_points([True] * 3 + [False] * 3)
    found = perturbation._axes(trained, chain, choice)
    np.testing.assert_allclose(found["selection vector"], np.array([0, 2, 1] + [0] * 9) / np.sqrt(5), atol=1e-12)
    np.testing.assert_allclose(found["line"], choice, atol=1e-12)
    assert perturbation._told(chain)["line"] == ";points=3/6" and not perturbation._told(chain)["output"]
    few = perturbation._axes(trained, some_points([True] * 4 + [False] * 3), choice)
    assert list(few) == ["motion input", "color input", "choice axis", "output"]
    # The sign of a vector is that of its line.
    chain.selection.line[4] *= -1
    chain.selection.vector[4] *= -1
    chain.selection.vector[5] = np.eye(UNITS)[1]
    np.testing.assert_allclose(perturbation._axes(trained, chain, choice)["selection vector"], np.eye(UNITS)[1])


def test_of_how_many_points_an_axis_is_stands_in_its_rows(integrator):
    for row in integrator[0].values():
        named = parts(row).get("axis") if row["condition"] else None
        assert ("points" in parts(row)) == (named in ("line", "selection vector"))
        assert parts(row).get("points", "7/7").split("/")[0] == parts(row).get("points", "7/7").split("/")[1]


def test_the_same_seed_gives_the_same_numbers(integrator):
    trained, *_ = context_integrator()
    rows, _ = perturbation.describe_network(trained, None, "perturbation", seed=3)
    again = table(rows)
    assert again.keys() == integrator[0].keys()
    for key, row in integrator[0].items():
        assert again[key]["value"] == pytest.approx(row["value"], nan_ok=True)
    assert all("\n" not in key[1] for key in again)


def test_networks_for_other_tasks_are_refused_in_one_line():
    made = definition.of_entry({"cell": {"kind": "vanilla", "units": 5}}, {"task": "flipflop"})
    other = storage.Trained(made, made.cell, storage.untrained(made, 0), None, None, "0" * 64, {})
    with pytest.raises(UserError, match=r"^perturbation needs a network for task 'context_integration'.*'flipflop'$"):
        perturbation.describe_network(other, None, "perturbation", seed=0)
    with pytest.raises(UserError, match="must read"):
        perturbation.describe_network(other, None, "perturbation-by=x", seed=0)
    one = definition.of_entry(
        {"cell": {"kind": "rate", "units": 5}}, {"task": "context_integration", "options": {"contexts": ["color"]}}
    )
    single = storage.Trained(one, one.cell, storage.untrained(one, 0), None, None, "0" * 64, {})
    with pytest.raises(UserError, match="both contexts") as told:
        perturbation.describe_network(single, None, "perturbation", seed=0)
    assert "\n" not in str(told.value)
