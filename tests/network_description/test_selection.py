"""Selection in a network whose line attractor and selection vectors were put in by hand."""

import numpy as np
import pytest
import torch

from neurocompare import describing, identifiers
from neurocompare.errors import UserError
from neurocompare.network_description import selection
from neurocompare.recurrent import definition, storage

UNITS = 24
ALPHA = 0.2


def context_integrator(kept=0.98):
    """A network that integrates along one axis and selects by saturating the units of the other input.

    The line is along ρ; motion and color reach two groups of units of their own, which pass on to ρ what they get, and
    the context silences (saturates) the group of the other.
    """
    made = definition.of_entry(
        {"cell": {"kind": "rate", "units": UNITS, "activation": "tanh", "noise": 0.02}},
        {"task": "context_integration", "options": {"noise": 0.05}},
    )
    line, groups = np.zeros(UNITS), np.zeros((2, UNITS))
    line[:8] = 1 / np.sqrt(8)
    groups[0, 8:16], groups[1, 16:24] = 1 / np.sqrt(8), 1 / np.sqrt(8)
    recurrent = (1 - (1 - kept) / ALPHA) * np.outer(line, line) + 0.6 * np.outer(line, groups.sum(0))
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
    assert values["time constant of line", told] == pytest.approx(-0.02 / np.log(0.98), rel=0.5)
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
    one = definition.of_entry(
        {"cell": {"kind": "rate", "units": UNITS}}, {"task": "context_integration", "options": {"contexts": ["color"]}}
    )
    single = storage.Trained(one, one.cell, trained.weights, None, None, "0" * 64, {})
    with pytest.raises(UserError, match="both contexts"):
        selection.describe_network(single, None, "selection", seed=0)


def test_the_id_is_one_of_networks():
    assert identifiers.of_networks("selection")
    assert identifiers.of_networks("fixed-points")
    assert describing.describe_network
