"""From the entries of a network and of its task in the catalogue to what is trained, and to its identity."""

import dataclasses
import json

import numpy as np

from neurocompare import tasks
from neurocompare.errors import UserError, check_options, unknown
from neurocompare.recurrent import schedule
from neurocompare.recurrent.cells import Cell
from neurocompare.recurrent.constraints import Areas, Constraints

_OF_TASK = ("inputs", "outputs", "dt")
"""What a cell takes from its task."""


@dataclasses.dataclass(frozen=True)
class Definition:
    """All that the weights of a network depend on, but for its seed.

    Attributes
    ----------
    cell : Cell
        The cell.
    constraints : Constraints
        What its weights keep to.
    learning : dict
        How it is trained, as in the catalogue; empty where it is not.
    task : str
        Module of `neurocompare.tasks`.
    options : dict
        Options of the trials it is trained on.
    """

    cell: Cell
    constraints: Constraints
    learning: dict
    task: str
    options: dict


def of_entry(entry: dict, task: dict) -> Definition:
    """Read the entry of a recurrent network.

    Parameters
    ----------
    entry : dict
        ``cell``, and optionally ``constraints`` and ``learning``, as in ``config/recurrent.yaml``.
    task : dict
        ``task`` and optionally ``options``, as in ``config/tasks.yaml``. A trial of it gives the numbers of inputs and
        outputs, and the step.

    Returns
    -------
    Definition
        What is trained.

    Raises
    ------
    UserError
        If a name is unknown, or a value is out of range.
    """
    given = dict(_mapping(entry.get("cell"), "cell"))
    for name in ("kind", "units"):
        if name not in given:
            raise UserError(f"cell: '{name}' is missing; add it to the catalogue")
    for name in _OF_TASK:
        if name in given:
            raise UserError(f"cell: '{name}' is set by the task; leave it out here")
    options = dict(_mapping(task.get("options"), "options of the task"))
    module = tasks.load(task["task"])
    check_options(module.trials, options, f"task '{task['task']}'")
    trial = module.trials(1, np.random.default_rng(0), **options)
    sizes = {"inputs": trial.inputs.shape[-1], "outputs": trial.targets.shape[-1], "dt": float(trial.dt)}
    cell = _built(Cell, given | sizes, "cell", _OF_TASK)
    if cell.gated and "time_constant" in given:
        raise UserError(f"cell: time_constant is not for kind {cell.kind}, whose gates set it; leave it out")
    constraints = dict(_mapping(entry.get("constraints"), "constraints"))
    if constraints.get("areas") is not None:
        constraints["areas"] = _built(Areas, dict(_mapping(constraints["areas"], "areas")), "areas")
    constraints = _built(Constraints, constraints, "constraints")
    constraints.check(cell)
    learning = dict(_mapping(entry.get("learning"), "learning"))
    if learning:
        schedule.of_entry(learning)
    return Definition(cell, constraints, learning, task["task"], options)


def to_json(definition: Definition) -> str:
    """Write a definition as text; equal definitions give equal text.

    Parameters
    ----------
    definition : Definition
        A definition.

    Returns
    -------
    str
        JSON with sorted keys.
    """
    return json.dumps(dataclasses.asdict(definition), sort_keys=True)


def from_json(text: str) -> Definition:
    """Read what `to_json` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    Definition
        The definition.

    Raises
    ------
    UserError
        If the text is not of a definition.
    """
    try:
        parts = json.loads(text)
        constraints = parts["constraints"]
        areas = constraints["areas"] and _built(Areas, constraints["areas"], "areas")
        return Definition(
            _built(Cell, parts["cell"], "cell"),
            _built(Constraints, constraints | {"areas": areas}, "constraints"),
            parts["learning"],
            parts["task"],
            parts["options"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"definition of a network: not readable ({type(error).__name__}: {error})") from error


def _mapping(value: object, what: str) -> dict:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{what}: {value} is no mapping; give names with their values")
    return value


def _built(kind: type, given: dict, what: str, hidden: tuple[str, ...] = ()):
    """Make a dataclass from a mapping, naming what it does not know or lacks."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in given:
        if name not in fields:
            raise unknown(f"option of {what}", str(name), set(fields) - set(hidden))
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in given:
            raise UserError(f"{what}: '{name}' is missing; add it to the catalogue")
    return kind(**given)
