"""Selection in a network whose line attractor and selection vectors were put in by hand."""

import numpy as np
import pytest
import torch

from neurocompare import identifiers
from neurocompare.dynamics import chains, states
from neurocompare.errors import UserError
from neurocompare.network_description import selection
from neurocompare.recurrent import definition, storage

UNITS = 24
ALPHA = 0.2


def context_integrator(kept=0.98, dt=0.02, **options):
    """A network that integrates along one axis and selects by saturating the units of the other input.

    The line is along ρ; motion and color reach two groups of units of their own, which pass on to ρ what they get, and
    the context silences (saturates) the group of the other. What is kept is that of 20 ms, whatever the step.
    """
    alpha = dt / 0.1
    made = definition.of_entry(
        {"cell": {"kind": "rate", "units": UNITS, "activation": "tanh", "noise": 0.02}},
        {"task": "context_integration", "options": {"noise": 0.05, "dt": dt} | options},
    )
    line, groups = np.zeros(UNITS), np.zeros((2, UNITS))
    line[:8] = 1 / np.sqrt(8)
    groups[0, 8:16], groups[1, 16:24] = 1 / np.sqrt(8), 1 / np.sqrt(8)
    recurrent = (1 - (1 - kept ** (dt / 0.02)) / alpha) * np.outer(line, line) + 0.6 * np.outer(line, groups.sum(0))
    inputs = np.zeros((UNITS, 4))
    inputs[:, 0], inputs[:, 1] = groups[0], groups[1]
    # The context of color drives the group of motion far into saturation, and the other way round.
    inputs[:, 3], inputs[:, 2] = 4 * np.sqrt(8) * groups[0], 4 * np.sqrt(8) * groups[1]
    # What saturated groups send all the time is taken back by the input to the line.
    constant = 0.6 * np.sqrt(8) * np.tanh(4)
    inputs[:, 2:] -= constant * line[:, None]
    weights = {
        "input": inputs,
        "recurrent": recurrent,
        "bias": np.zeros(UNITS),
        "output": line[None] * 2,
        "output_bias": np.zeros(1),
        "initial": np.zeros(UNITS),
    }
    weights = {name: torch.as_tensor(w, dtype=torch.float32) for name, w in weights.items()}
    units = np.full(UNITS, "none")
    return storage.Trained(made, made.cell, weights, units, units, "0" * 64, {}), line, groups


@pytest.fixture(scope="module")
def described():
    trained, line, groups = context_integrator()
    rows, details = selection.describe_network(trained, None, "selection", seed=3)
    return {(row["quantity"], row["condition"]): row["value"] for row in rows}, details, rows


@pytest.mark.parametrize("context", ["motion", "color"])
def test_the_line_and_its_eigenvalue_are_found(described, context):
    values, _, _ = described
    told = f"context={context}"
    assert values["slow points", told] >= 7
    assert values["leading eigenvalue", told] == pytest.approx(0.98, abs=0.01)
    assert values["gap to second eigenvalue", told] == pytest.approx(0.98 - 0.8, abs=0.02)
    assert values["growth along line", told] == pytest.approx(np.log(values["leading eigenvalue", told]) / 0.02)
    assert values["complex leading pairs", told] == 0
    assert values["cosine of line and output", told] > 0.99
    assert values["cosine of line and choice axis", told] > 0.9


@pytest.mark.parametrize("context", ["motion", "color"])
def test_the_relevant_input_is_selected_and_the_direct_projection_is_zero(described, context):
    values, _, _ = described
    kept = ("L0 B", "L0 B kept", "L0 B kept on choice axis")
    for quantity in (*kept, "pulse on choice axis later", "pulse on output later"):
        assert values[f"selectivity by {quantity}", f"context={context}"] > 50
    for name in ("motion", "color"):
        assert values["direct projection on line", f"context={context};input={name}"] == pytest.approx(0, abs=1e-6)


def test_the_selection_vector_is_what_its_equation_says(described):
    # L0 (J − λ) = 0: the entry of a group is 0.6 α φ' / (λ − (1 − α)) along it, with φ' = 1 while it is not saturated.
    values, _, _ = described
    expected = ALPHA * 0.6 * ALPHA / (0.98 - (1 - ALPHA))
    assert values["L0 B", "context=motion;input=motion"] == pytest.approx(expected, rel=0.08)


def test_what_changes_between_contexts_is_the_vector_and_not_the_input(described):
    values, _, _ = described
    for name in ("motion", "color"):
        told = f"input={name}"
        whole = values["change of L0 B", told]
        assert whole > 0.05
        assert values["change of L0 B by selection vector", told] == pytest.approx(whole, rel=1e-6)
        assert values["change of L0 B by input", told] == pytest.approx(0, abs=1e-9)


def test_a_line_on_which_states_grow_does_not_look_like_one_that_keeps_them():
    trained, *_ = context_integrator(kept=1.02)
    rows, _ = selection.describe_network(trained, None, "selection", seed=3)
    found = {row["condition"]: row["value"] for row in rows if row["quantity"] == "growth along line"}
    kept, _ = selection.describe_network(context_integrator(kept=0.97)[0], None, "selection", seed=3)
    decay = {row["condition"]: row["value"] for row in kept if row["quantity"] == "growth along line"}
    for context in ("context=motion", "context=color"):
        assert decay[context] < -1 < found[context]


def test_numbers_do_not_depend_on_the_step():
    """What is of a second, or of a pulse; eigenvalues are of a step."""
    whole = {}
    for dt in (0.02, 0.005):
        rows, _ = selection.describe_network(context_integrator(dt=dt)[0], None, "selection", seed=3)
        whole[dt] = {(row["quantity"], row["condition"]): row["value"] for row in rows}
    for context in ("motion", "color"):
        told = f"context={context}"
        growth = [found["growth along line", told] for found in whole.values()]
        assert growth[1] == pytest.approx(growth[0], abs=0.3)
        pulse = [found["pulse on choice axis later", f"{told};input={context}"] / dt for dt, found in whole.items()]
        assert pulse[1] == pytest.approx(pulse[0], rel=0.2)
        assert all(found["selectivity by pulse on choice axis later", told] > 50 for found in whole.values())


def test_what_fills_up_short_trials_is_no_state():
    trained, *_ = context_integrator(delay=[0, 1.0])
    shown, run = states.drawn(trained, 100, seed=0)
    held = chains.valid(shown)
    assert 0.1 < 1 - held.mean() < 0.4
    spoiled = np.where(held[..., None], run.states, np.nan)
    axes = np.eye(3, UNITS)
    centre = run.states[held].mean(0)
    courses = [
        selection._means(["motion", "color"], axes, centre, shown, type(run)(trained, found, run.outputs))[0]
        for found in (run.states, spoiled)
    ]
    np.testing.assert_array_equal(*courses)


def test_details_have_chains_on_axes_and_mean_courses(described):
    _, details, rows = described
    assert details["position"].dims == ("context", "point", "axis")
    chosen = details["chosen_point"].values
    assert (np.diff(chosen[0][chosen[0] >= 0]) > 0).all()
    along = details["position"].sel(axis="choice").values[0]
    assert (np.diff(along[np.isfinite(along)]) >= 0).all()
    ends = details["trajectory"].sel(axis="choice").isel(time=-1).values
    assert (np.diff(ends, axis=1) > 0).all()
    assert all(row["status"] in ("undefined", "no_null;no_interval;no_ceiling") for row in rows)


def test_the_same_seed_gives_the_same_numbers():
    trained, *_ = context_integrator()
    one, other = (selection.describe_network(trained, None, "selection", seed=5)[0] for _ in range(2))
    assert [row["value"] for row in one] == pytest.approx([row["value"] for row in other], nan_ok=True)


def test_networks_for_other_tasks_or_that_do_not_integrate_are_refused():
    made = definition.of_entry({"cell": {"kind": "vanilla", "units": 5}}, {"task": "flipflop"})
    weights = storage.untrained(made, 0)
    other = storage.Trained(made, made.cell, weights, None, None, "0" * 64, {})
    with pytest.raises(UserError, match=r"^selection needs a network for task 'context_integration'.*'flipflop'$"):
        selection.describe_network(other, None, "selection", seed=0)
    trained, *_ = context_integrator()
    with pytest.raises(UserError, match="must read"):
        selection.describe_network(trained, None, "selection-by=x", seed=0)
    # Rotations that grow until they saturate: nothing is slow.
    turning, *_ = context_integrator()
    blocks = np.kron(np.eye(UNITS // 2), 6 * np.array([[0.5, -1.0], [1.0, 0.5]]))
    weights = turning.weights | {"recurrent": torch.as_tensor(blocks, dtype=torch.float32)}
    weights["input"] = torch.as_tensor(np.random.default_rng(0).normal(size=(UNITS, 4)), dtype=torch.float32)
    turning = storage.Trained(turning.definition, turning.cell, weights, None, None, "0" * 64, {})
    with pytest.raises(UserError, match="no slow points in context motion; this network does not integrate"):
        selection.describe_network(turning, None, "selection", seed=0)
    one = definition.of_entry(
        {"cell": {"kind": "rate", "units": UNITS}}, {"task": "context_integration", "options": {"contexts": ["color"]}}
    )
    single = storage.Trained(one, one.cell, trained.weights, None, None, "0" * 64, {})
    with pytest.raises(UserError, match="both contexts"):
        selection.describe_network(single, None, "selection", seed=0)


def test_the_id_is_one_of_networks():
    assert identifiers.of_networks("selection")
    assert identifiers.of_networks("fixed-points")
    assert not identifiers.of_networks("inventory")
