"""Trials of a task on which a trained network is looked at."""

import dataclasses
import inspect
import sys

import numpy as np
import xarray as xr

from neurocompare import tasks
from neurocompare.errors import UserError, check_options
from neurocompare.recurrent import running
from neurocompare.recurrent.storage import Trained
from neurocompare.representation import IDEAL
from neurocompare.tasks.trials import Trials

REPEATS = 20
"""Trials of each condition, where the catalogue says nothing."""

_STREAM = 4
"""Trials of learning are of other streams of random numbers; see `neurocompare.recurrent.learning`."""


def of_task(task: dict, seed: int) -> Trials:
    """Draw the trials of a test.

    Parameters
    ----------
    task : dict
        ``task``, ``options`` and ``test``, as in ``config/tasks.yaml``.
    seed : int
        The seed of the network: networks of one seed see the same trials.

    Returns
    -------
    Trials
        Every condition, in random order.

    Raises
    ------
    UserError
        If an option is unknown or out of range.
    """
    module = tasks.load(task["task"])
    options = {"repeats": REPEATS} | task["options"] | task["test"]
    check_options(module.test, options, f"task '{task['task']}'")
    return module.test(np.random.default_rng([_STREAM, seed]), **options)


def ideal(task: dict) -> float | None:
    """Return the fraction correct of the ideal observer of a test; None where it is not known.

    Parameters
    ----------
    task : dict
        As for `of_task`.

    Returns
    -------
    float or None
        Between 0 and 1.
    """
    module = tasks.load(task["task"])
    if not hasattr(module, "ideal"):
        return None
    known = inspect.signature(module.ideal).parameters
    # Tests show the levels of evidence, whatever training draws.
    options = task["options"] | task["test"] | {"draw": "levels"}
    try:
        return float(module.ideal(**{name: value for name, value in options.items() if name in known}))
    except UserError as error:
        # Options that are wrong were refused when the trials were drawn: for these there is no formula.
        print(f"warning: {error}", file=sys.stderr)
        return None


def tested(trained: Trained, task: dict, *, network: str, seed: int) -> xr.DataArray:
    """Run a network on the trials of a test.

    Parameters
    ----------
    trained : Trained
        The network.
    task : dict
        ``task``, ``options``, ``test``, and perhaps ``align``, ``window`` and ``bin_width``, as in
        ``config/tasks.yaml``.
    network : str
        Its id.
    seed : int
        Its seed.

    Returns
    -------
    DataArray of shape (n_trials, n_times, n_units)
        Rates, with conditions, choices and whether they are correct along ``presentation``; see
        `neurocompare.recurrent.running.representation_of`.

    Raises
    ------
    UserError
        If the task is another one than that the network is for, or has no event to align to, or as `of_task`.
    """
    if task["task"] != trained.definition.task:
        raise UserError(f"task '{task['task']}': network '{network}' is for '{trained.definition.task}'; use that one")
    trials = of_task(task, seed)
    found = running.run(trained, trials, seed=seed)
    performance = tasks.load(task["task"]).performance(found.outputs, trials)
    shown, cut = aligned(trials, performance, task) if "align" in task else (trials, 0)
    array = running.representation_of(
        found,
        shown,
        {"network": network, "seed": str(seed)},
        performance=performance,
        window=task.get("window"),
        bin_width=task.get("bin_width"),
    )
    if cut:
        lost = array.attrs["excluded"]["presentation"]["without the event"] - cut
        reasons = {"without the event": lost, "too short for the window around the event": cut}
        array.attrs["excluded"] = {"presentation": {reason: count for reason, count in reasons.items() if count}}
    units = [unit for name, unit in zip(trials.input_names, trials.input_units, strict=False) if name in array.coords]
    best = ideal(task)
    known = {"evidence_units": units[0] if units else None, IDEAL: best}
    return array.assign_attrs({name: value for name, value in known.items() if value is not None})


def aligned(trials: Trials, performance: dict[str, np.ndarray], task: dict) -> tuple[Trials, int]:
    """Align trials to an event that a network makes, such as its reaction.

    Parameters
    ----------
    trials : Trials
        What the network was shown.
    performance : dict of str to array of shape (n_trials,)
        What it did, from the task.
    task : dict
        ``task``, ``align``, the time in `performance` in s from the event that trials were aligned to, and perhaps
        ``window``.

    Returns
    -------
    trials : Trials
        With other onsets, −1 in trials without the event, or that do not cover the window around it; nothing else
        changes.
    cut : int
        Number of trials with the event that do not cover the window.

    Raises
    ------
    UserError
        If the task has no such time, or no trial covers the window.
    """
    if task["align"] not in performance:
        raise UserError(f"task '{task['task']}': there is no {task['align']} to align to; leave out 'align'")
    after = performance[task["align"]]
    onset = trials.onset + np.rint(np.nan_to_num(after) / trials.dt).astype(int)
    first, last = (round(edge / trials.dt) for edge in task.get("window", (0, 0)))
    there = (trials.onset >= 0) & np.isfinite(after)
    covered = there & (onset + first >= 0) & (onset + last <= trials.length)
    if there.any() and not covered.any():
        raise UserError(
            f"task '{task['task']}': no trial covers the window {task['window']} around {task['align']}; shorten it"
        )
    return dataclasses.replace(trials, onset=np.where(covered, onset, -1)), int((there & ~covered).sum())
