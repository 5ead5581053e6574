import pytest

from neurocompare.errors import UserError
from neurocompare.recurrent import definition
from neurocompare.recurrent.constraints import Areas, Constraints

TASK = {"task": "context_integration", "options": {"dt": 0.01, "coherences": [0.1, 0.4]}}
CELL = {"kind": "rate", "units": 20, "activation": "relu", "time_constant": 0.05, "noise": 0.1, "gain": 1.1}


def entry(**parts):
    return {"cell": CELL} | parts


def test_sizes_and_step_are_those_of_the_task():
    found = definition.of_entry(entry(), TASK)
    assert (found.cell.inputs, found.cell.outputs, found.cell.dt) == (4, 1, 0.01)
    assert (found.cell.kind, found.cell.units, found.cell.gain) == ("rate", 20, 1.1)
    assert found.constraints == Constraints()
    assert found.task == "context_integration"
    assert found.options == TASK["options"]
    many = definition.of_entry(entry(), {"task": "flipflop", "options": {"bits": 5}})
    assert (many.cell.inputs, many.cell.outputs) == (5, 5)


def test_a_definition_survives_text():
    areas = {"names": ["a", "b"], "sizes": [10, 10], "feedforward": 0.2, "outputs_from": ["a", "b"]}
    constraints = {"excitatory": 0.8, "self_connections": False, "areas": areas, "fixed": ["bias"]}
    found = definition.of_entry(entry(constraints=constraints, learning={"updates": 7}), TASK)
    assert found.constraints.areas == Areas(("a", "b"), (10, 10), feedforward=0.2, outputs_from=("a", "b"))
    assert found.learning == {"updates": 7}
    text = definition.to_json(found)
    again = definition.from_json(text)
    assert again == found
    assert definition.to_json(again) == text
    other = definition.of_entry(entry(constraints=constraints | {"excitatory": 0.7}, learning={"updates": 7}), TASK)
    assert definition.to_json(other) != text


@pytest.mark.parametrize(
    ("change", "task", "told"),
    [
        ({"cell": CELL | {"unit": 3}}, TASK, "units"),
        ({"cell": {"kind": "rate"}}, TASK, "'units' is missing"),
        ({"cell": None}, TASK, "'kind' is missing"),
        ({"cell": "rate"}, TASK, "no mapping"),
        ({"cell": CELL | {"dt": 0.02}}, TASK, "'dt' is set by the task"),
        ({"cell": CELL | {"inputs": 3}}, TASK, "'inputs' is set by the task"),
        ({"cell": CELL | {"kind": "gru"}}, TASK, "time_constant"),
        ({"cell": CELL | {"units": 0}}, TASK, "units is 0"),
        ({"cell": CELL | {"time_constant": 0.001}}, TASK, "time_constant"),
        ({"constraints": {"dale": True}}, TASK, "dale"),
        ({"constraints": [0.8]}, TASK, "no mapping"),
        ({"constraints": {"excitatory": 2}}, TASK, "excitatory"),
        ({"constraints": {"areas": {"names": ["a"]}}}, TASK, "'sizes' is missing"),
        ({"constraints": {"areas": {"names": ["a"], "sizes": [3]}}}, TASK, "add up to 3"),
        ({"constraints": {"areas": "three"}}, TASK, "areas"),
        ({"learning": {"update": 3}}, TASK, "updates"),
        ({}, {"task": "context_integratoin"}, "context_integration"),
        ({}, {"task": "context_integration", "options": {"coherence": [0.1]}}, "coherences"),
        ({}, {"task": "context_integration", "options": {"dt": -1}}, "dt"),
    ],
)
def test_mistakes_are_told_in_one_line(change, task, told):
    with pytest.raises(UserError) as error:
        definition.of_entry(entry(**change), task)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null", '{"constraints": {}}'])
def test_text_of_something_else_is_refused(text):
    with pytest.raises(UserError, match=r"^definition of a network: .*$"):
        definition.from_json(text)
