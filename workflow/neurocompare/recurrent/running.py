"""Run a network on the trials of its task, and bring what it does into the schema of representations."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion.presentations import repeats, stretches
from neurocompare.recurrent.simulation import simulate
from neurocompare.recurrent.storage import Trained
from neurocompare.tasks.trials import Trials


@dataclass(frozen=True, eq=False)
class Run:
    """What a network did on trials: after step k, in place k.

    Attributes
    ----------
    trained : Trained
        The network.
    states : array of shape (n, T, S), float32
        States.
    outputs : array of shape (n, T, O), float32
        Outputs.
    """

    trained: Trained
    states: np.ndarray
    outputs: np.ndarray

    @cached_property
    def rates(self) -> np.ndarray:
        """Rates (n, T, N), float32, without dimension."""
        return self.trained.cell.rates(torch.from_numpy(self.states)).numpy()


def run(trained: Trained, trials: Trials, *, seed: int, noise: float | None = None) -> Run:
    r"""Run a network on trials.

    Parameters
    ----------
    trained : Trained
        The network.
    trials : Trials
        Trials of its task.
    seed : int
        Seed of the recurrent noise; that of a trial depends on the seed, on the place of the trial and on the number of
        steps, but not on the weights or on other trials.
    noise : float, optional
        Another :math:`\sigma` of recurrent noise than that of the cell; 0 for none.

    Returns
    -------
    Run
        What it did.

    Raises
    ------
    UserError
        If the trials are of another task, or have another step.
    """
    cell = trained.cell
    given = (trials.inputs.shape[-1], trials.targets.shape[-1])
    if given != (cell.inputs, cell.outputs):
        raise UserError(
            f"task '{trained.definition.task}': {given[0]} inputs and {given[1]} outputs, but the network has "
            f"{cell.inputs} and {cell.outputs}; use the options that it was trained with"
        )
    if not np.isclose(trials.dt, cell.dt):
        raise UserError(
            f"task '{trained.definition.task}': dt is {trials.dt:g} s, but the network was trained with {cell.dt:g} s; "
            "use the same"
        )
    with torch.no_grad():
        found = simulate(
            cell, trained.weights, torch.from_numpy(trials.inputs), seed=seed, noise=noise, keep=("states", "outputs")
        )
    return Run(trained, found.states.numpy(), found.outputs.numpy())


def representation_of(
    found: Run,
    trials: Trials,
    labels: dict[str, str],
    *,
    performance: dict[str, np.ndarray] | None = None,
    conditions: list[str] | None = None,
    window: tuple[float, float] | None = None,
    bin_width: float | None = None,
) -> xr.DataArray:
    """Bring the rates of a network into the schema of representations.

    A trial is a presentation. Its time is from the onset of the event that the task aligns trials to; trials without it
    are left out and counted. Rates are those after each step, placed at the middle of the step.

    Parameters
    ----------
    found : Run
        From `run`.
    trials : Trials
        What it was run on.
    labels : dict of str to str
        ``network`` and ``seed``.
    performance : dict of str to array of shape (n,), optional
        ``choice``, ``correct``, ``reaction_time``, …: from the task, for coordinates.
    conditions : list of str, optional
        Conditions whose values make a stimulus; by default all, without those that others determine.
    window : sequence of two floats, optional
        Start and stop in s from the event, which all trials must cover; by default all that they have in common.
    bin_width : float, optional
        Rates are averaged in bins of so many s, counted from the event; by default they are those of single steps.

    Returns
    -------
    DataArray of shape (n_presentations, n_times, N)
        Rates. ``repeat`` counts the trials of a stimulus, in their order; where all stimuli have as many, each complete
        repeat is a ``block``, and else each quarter of the trials.

    Raises
    ------
    UserError
        If a condition is unknown, no trial has the event, or trials do not cover the window.
    """
    trained, dt = found.trained, trials.dt
    shown = np.flatnonzero(trials.onset >= 0)
    if not len(shown):
        raise UserError(
            f"task '{trained.definition.task}': no trial has the event that trials are aligned to; add some"
        )
    onset = trials.onset[shown]
    first, last = _window(window, -onset.min(), (trials.length[shown] - onset).min(), dt, trained.definition.task)
    size = 1 if bin_width is None else round(bin_width / dt)
    if size < 1 or bin_width is not None and not np.isclose(size * dt, bin_width):
        raise UserError(f"bin_width is {bin_width:g} s, not a multiple of the step {dt:g} s; use one")
    # Bins start and end at the event, so that none has time before and after it.
    first, last = -(-first // size) * size, last // size * size
    if last <= first:
        raise UserError(f"task '{trained.definition.task}': no step is in the window in all trials; choose another")
    steps = onset[:, None] + np.arange(first, last)
    states = torch.from_numpy(found.states[shown[:, None], steps])
    rates = trained.cell.rates(states).numpy()
    rates = rates.reshape(len(shown), -1, size, rates.shape[-1]).mean(axis=2) if size > 1 else rates
    variables = {name: np.asarray(values)[shown] for name, values in trials.conditions.items()}
    stimulus = _stimuli(variables, conditions)
    count = repeats(stimulus)
    even = len(set(np.unique(stimulus, return_counts=True)[1])) == 1
    read = {name: np.asarray(values)[shown] for name, values in (performance or {}).items()}
    units = trained.cell.units
    missing = len(trials) - len(shown)
    return representation.responses(
        rates,
        presentation=variables
        | read
        | {"stimulus": stimulus, "repeat": count, "block": count if even else stretches(len(stimulus)), "trial": shown},
        unit={
            "unit_id": np.array([f"{labels['network']}-{labels['seed']}-{k:04d}" for k in range(units)]),
            "area": trained.area,
            "cell_type": trained.cell_type,
            "animal": np.full(units, labels["network"]),
            "session": np.full(units, f"seed {labels['seed']}"),
        },
        time=(np.arange(first, last, size) + size / 2) * dt,
        attributes={
            "response": "unit activation",
            "exchangeable": "condition",
            "simultaneous": True,
            "source": f"network {labels['network']}",
            "citation": "see config/recurrent.yaml",
            "license": "see config/recurrent.yaml",
            "sha256": {"weights": trained.sha256},
            "excluded": {"presentation": {"without the event": missing}} if missing else {},
            "task": trained.definition.task,
            "bin_seconds": size * dt,
        },
    )


def _window(given, low: int, high: int, dt: float, task: str) -> tuple[int, int]:
    """Return the first step of a window, counted from the event, and the one after its last."""
    if given is None:
        return low, high
    try:
        start, stop = (float(edge) for edge in given)
        first, last = round(start / dt), round(stop / dt)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"window is {given}; give start and stop in s from the event") from error
    if not low <= first < last <= high:
        raise UserError(
            f"task '{task}': window is {start:g} to {stop:g} s from the event, but all trials have "
            f"{low * dt:g} to {high * dt:g} s in common; choose one within"
        )
    return first, last


def _stimuli(variables: dict[str, np.ndarray], names: list[str] | None) -> np.ndarray:
    """Name the combination of conditions of each trial."""
    for name in names or ():
        if name not in variables:
            raise unknown("condition", str(name), variables)
    n = len(next(iter(variables.values())))
    group, kept = np.zeros(n, dtype=int), []
    for name in names or variables:
        split = np.unique(np.stack([group, _coded(variables[name])]), axis=1, return_inverse=True)[1].ravel()
        # What earlier conditions determine adds nothing to the name.
        if names is not None or split.max() > group.max():
            kept.append(name)
        group = split
    if not kept:
        return np.full(n, "all")
    texts = [[f"{name}={text}" for text in _texts(variables[name])] for name in kept]
    return np.array(["-".join(parts) for parts in zip(*texts, strict=True)])


def _coded(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].ravel()


def _texts(values: np.ndarray) -> list[str]:
    """Write values, with signs where some are negative."""
    if values.dtype.kind not in "fiu":
        return [str(value) for value in values]
    sign = "+" if (values < 0).any() else ""
    return [format(value, f"{sign}.4g") for value in values]
