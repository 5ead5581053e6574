"""Tasks for recurrent networks: one module each, with the same functions.

``TASK``
    What the task is: ``summary``, ``inputs`` and ``outputs`` with their units, and ``conditions`` with their meaning,
    at the default options.
``trials(n, rng, *, dt, …)``
    Random trials for training, as `neurocompare.tasks.trials.Trials`.
``test(rng, *, repeats, dt, …)``
    Every condition `repeats` times in random order; takes the options of ``trials``.
``performance(outputs, trials)``
    By trial, in arrays (n,): ``correct``, 1 or 0, also 0 where a choice was asked for and none was made, and NaN where
    none was asked for; ``choice``, NaN where none was made; and ``reaction_time`` in s, where the task has one.
``ideal(…)``
    Fraction of correct trials of the ideal observer of the noisy inputs; only where there is a formula.
``static(…)``
    Inputs (n_inputs,) that may be held fixed in the analysis of the dynamics, by name; options as of ``trials``.
"""

import importlib
from pathlib import Path
from types import ModuleType

from neurocompare.errors import unknown

_SHARED = ("building", "evidence", "trials", "yang_rules", "yang_stimuli")
"""Modules that tasks are made of, which are no tasks themselves."""


def names() -> tuple[str, ...]:
    """List the tasks.

    Returns
    -------
    tuple of str
        Names of their modules.
    """
    found = (path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    return tuple(sorted(name for name in found if name not in _SHARED))


def load(name: str) -> ModuleType:
    """Import a task.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    module
        With the functions that `neurocompare.tasks` lists.

    Raises
    ------
    UserError
        If there is no such task.
    """
    if name not in names():
        raise unknown("task", str(name), names())
    return importlib.import_module(f"neurocompare.tasks.{name}")
