"""What networks do over the conditions and times of a course, as inner products for the verb *compare*.

The result has the form of `neurocompare.networks.activations.grams`: rows of condition × time are its stimuli, and the
areas of a network its layers. Nothing here needs the network itself, only its trials.
"""

import json
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from neurocompare.courses import bins
from neurocompare.courses.cells import means, members, selected
from neurocompare.courses.unrolling import cells_of, rows_of
from neurocompare.errors import UserError, unknown

PROFILES = {"constant": lambda t: np.ones_like(t), "ramp": lambda t: t}
"""Time courses of task variables, of time that runs from 0 to 1."""


ALL_TRIALS = "all_trials"
"""Of inner products: whether all trials of a network count, though the course selects those of the recording."""


def of_trials(trials: xr.DataArray, course: xr.DataArray, name: str) -> tuple[dict[str, np.ndarray], bool]:
    """Average trials of a network over the cells and bins of a course.

    Parameters
    ----------
    trials : DataArray of shape (n_presentations, n_steps, n_units)
        What the network did, with the coordinates that the course's cells are made of.
    course : DataArray
        From `neurocompare.courses.unrolling.unroll`.
    name : str
        What messages call the network.

    Returns
    -------
    layers : dict of str to array of shape (n_rows, n_units)
        For every area, the responses without what all conditions have in common. Trials are selected as those of the
        recording were; of a network that has none such in some cell, such as one that never chooses correctly, all
        trials count, and the log says so.
    all_trials : bool
        Whether that is so: with correct trials only, states of a condition are also of one choice, so that networks of
        which all trials count differ from others in more than what they have learnt.

    Raises
    ------
    UserError
        If the trials lack a coordinate, a cell or some of the time.
    """
    if "time" not in trials.dims:
        raise UserError(f"{name}: its trials have no axis of time, and can't be compared over time")
    cells, where = cells_of(course), _where(course)
    every = members(trials, cells, np.ones(trials.sizes["presentation"], dtype=bool), name)
    empty = [cell.name for cell, held in zip(cells, every, strict=True) if not held]
    if empty:
        raise UserError(
            f"{name}: none of its trials is of the cell {empty[0]}; let its task have the conditions of the recording"
        )
    held = members(trials, cells, selected(trials, where, name), name) if where else every
    lacking = [cell.name for cell, found in zip(cells, held, strict=True) if not found]
    all_trials = bool(lacking)
    if all_trials:
        asked = ", ".join(f"{key}={value}" for key, value in where.items())
        print(f"warning: {name} has no trial with {asked} of {lacking[0]}: all its trials count", file=sys.stderr)
        held = every
    centres = times_of(course)
    states = means(trials.values.astype(float), held)
    binned = bins.averaged(
        states, trials["time"].values, centres - course.attrs["latency"], float(course.attrs["bin_seconds"]), name
    )
    areas = trials.coords["area"].values.astype(str)
    return {area: unrolled(binned[..., areas == area]) for area in dict.fromkeys(areas)}, all_trials


def of_task_variables(
    course: xr.DataArray, *, variables: Sequence[str], context: str | None = None
) -> dict[str, np.ndarray]:
    """Make a null model: a population that holds nothing but task variables, each with simple time courses.

    Parameters
    ----------
    course : DataArray
        From `neurocompare.courses.unrolling.unroll`.
    variables : sequence of str
        Coordinates of the course: numbers count linearly, text as one-hot. Each has two time courses, ``constant`` and
        ``ramp`` (from zero at the beginning of the window), or one where it names it, as in ``choice:ramp``.
    context : str, optional
        A coordinate with which all other variables are multiplied in a second layer.

    Returns
    -------
    dict of str to array of shape (n_rows, n_features)
        The layer ``linear`` and, with a context, ``gated``: the linear variables and, for every context, the others in
        it alone. All variables have variance 1 over conditions, and all time courses a mean square of 1.

    Raises
    ------
    UserError
        If there is no such coordinate or time course.
    """
    time = times_of(course)
    first = course.isel(presentation=slice(0, len(cells_of(course)) * len(time), len(time)))
    ramp = (time - time[0] + float(course.attrs["bin_seconds"]) / 2) / (np.ptp(time) + course.attrs["bin_seconds"])
    linear, gated = [], []
    for variable in variables:
        key, _, profile = variable.partition(":")
        levels = _levels(first, key)
        if profile and profile not in PROFILES:
            raise unknown(f"time course of '{key}'", profile, PROFILES)
        for shape in [profile] if profile else PROFILES:
            course_of_time = PROFILES[shape](ramp)
            course_of_time = course_of_time / np.sqrt(np.mean(course_of_time**2))
            linear.append(levels[:, None, :] * course_of_time[:, None])
            if context is not None and key != context:
                within = _indicators(first, context)
                gated += [linear[-1] * own[:, None, None] for own in within.T]
    layers = {"linear": linear} | ({"gated": [*linear, *gated]} if gated else {})
    return {layer: unrolled(np.concatenate(features, axis=-1)) for layer, features in layers.items()}


def unrolled(values: np.ndarray) -> np.ndarray:
    """Remove what all conditions have in common at each time, and make rows.

    Parameters
    ----------
    values : array of shape (n_cells, n_bins, n_units)
        Responses.

    Returns
    -------
    array of shape (n_cells * n_bins, n_units)
        Deviations from the mean over conditions; the times run fastest.
    """
    return (values - values.mean(0)).reshape(-1, values.shape[-1])


def grams(layers: Mapping[str, np.ndarray], course: xr.DataArray, name: str) -> xr.Dataset:
    """Reduce layers to what `neurocompare.comparison.compare` takes in.

    Parameters
    ----------
    layers : mapping of str to array of shape (n_rows, n_units)
        From `of_trials` or `of_task_variables`.
    course : DataArray
        The course.
    name : str
        What messages call the network.

    Returns
    -------
    Dataset
        ``gram``, ``row_sum``, ``n_units`` and ``sample`` (of all units), as of
        `neurocompare.networks.activations.grams`.

    Raises
    ------
    UserError
        If a layer is the same in all conditions.
    """
    for layer, values in layers.items():
        if not np.isfinite(values).all():
            raise UserError(f"{name}: area '{layer}' holds NaN or infinite values; check its weights")
        if not np.ptp(values, axis=0).any():
            raise UserError(f"{name}: area '{layer}' does the same in all conditions, and can't be compared")
    sample = np.full((len(layers), *(max(v.shape[k] for v in layers.values()) for k in (0, 1))), np.nan, np.float32)
    for k, values in enumerate(layers.values()):
        sample[k, :, : values.shape[1]] = values
    stimulus = rows_of(cells_of(course), times_of(course))
    return xr.Dataset(
        {
            "gram": (("layer", "stimulus", "other_stimulus"), np.stack([v @ v.T for v in layers.values()])),
            "row_sum": (("layer", "stimulus"), np.stack([v.sum(1) for v in layers.values()])),
            "n_units": ("layer", np.array([v.shape[1] for v in layers.values()])),
            "sample": (("layer", "stimulus", "sampled_unit"), sample),
        },
        coords={"layer": list(layers), "stimulus": stimulus, "other_stimulus": stimulus},
    )


def times_of(course: xr.DataArray) -> np.ndarray:
    """Return the centres of the bins of a course.

    Parameters
    ----------
    course : DataArray
        From `neurocompare.courses.unrolling.unroll`.

    Returns
    -------
    array of shape (n_bins,)
        In s, rising.
    """
    return np.unique(course.coords["condition_time"].values)


def _where(course: xr.DataArray) -> dict[str, object]:
    return json.loads(course.attrs["where"])


def _levels(first: xr.DataArray, key: str) -> np.ndarray:
    """A variable over conditions, of mean 0 and variance 1: (n_cells, 1), or one column for each text."""
    if key not in first.coords or first.coords[key].dims != ("presentation",):
        known = [str(c) for c in first.coords if first.coords[c].dims == ("presentation",)]
        raise unknown("task variable", key, known)
    values = first.coords[key].values
    columns = values.astype(float)[:, None] if values.dtype.kind in "biuf" else _indicators(first, key)
    centred = columns - columns.mean(0)
    variance = np.square(centred).mean(0).sum()
    if variance == 0:
        raise UserError(f"task variable '{key}' is the same in all cells of the course; leave it out")
    return centred / np.sqrt(variance)


def _indicators(first: xr.DataArray, key: str) -> np.ndarray:
    if key not in first.coords:
        raise unknown("task variable", key, map(str, first.coords))
    labels = first.coords[key].values.astype(str)
    return (labels[:, None] == np.unique(labels)).astype(float)
