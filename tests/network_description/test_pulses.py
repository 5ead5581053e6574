"""Pulses and lesions of networks whose line, selection vector and choices were put in by hand."""

import numpy as np
import pytest
import torch
from test_selection import context_integrator

from neurocompare.errors import UserError
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
    return {(row["quantity"], row["condition"]): row for row in rows}


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
