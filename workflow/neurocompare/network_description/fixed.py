"""Fixed and slow points of a recurrent network under the inputs that its task may hold constant.

The search is in `neurocompare.dynamics.fixed_points`; it starts from states on trajectories of random trials of the
task. How complete it is shows in three ways: how often each point was found, the share of starts that led to points
that no other start led to (an estimate of the share that would lead to points not found yet), and the sum of
sign det(I − J) over the fixed points, which is +1 if none is missing and the dynamics are confined.

Flow fields are of the plane of two axes through the mean of the points of an input: the axis along which states at the
end of trials differ by choice, where the task has two choices, and the first principal component of what is orthogonal
to it, of the trials with this input; or else both are principal components.
"""

import numpy as np
import xarray as xr

from neurocompare import tasks
from neurocompare.description.rows import median, options_of, row
from neurocompare.dynamics import courses, fixed_points, flow, states

DESCRIPTIONS = {
    "fixed-points": {
        "summary": "fixed and slow points for every constant input of the task, their stability and how complete",
        "unit": "1",
        "direction": "",
        "needs": ["network"],
    }
}
"""The only id."""

TRIALS = 64
STARTS = 256
DIMENSIONS = 3
"""Principal components of the trajectories that points are drawn in."""

FLOWS = 4
"""Inputs whose flow is drawn, at most."""

GRID = 25
"""Points along each axis of a flow field."""

SHOWN = 20
"""Trajectories that are drawn among points."""

BESIDE = 8
"""Trajectories that are drawn in each flow field."""


def describe_network(trained, trials: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe fixed points.

    Parameters
    ----------
    trained : neurocompare.recurrent.storage.Trained
        The network.
    trials : DataArray
        What it does in the trials of its task; not used, as rates are not states.
    description_id : str
        The id in `DESCRIPTIONS`.
    seed : int
        Seed of the trials and starts.

    Returns
    -------
    rows : list of dict
        By constant input: ``fixed points``, ``stable fixed points``, ``fixed points with unstable dimensions`` (by
        their number), ``slow points``, ``greatest q of fixed points``, ``index sum``, ``fewest starts to a fixed
        point``, ``starts to points found once`` (a share), ``rejected starts`` by reason, ``states still moving``
        after the free run; and for each fixed point whose leading eigenvalues are a pair, ``frequency of leading
        pair`` in Hz and ``growth of leading pair`` in 1/s. ``speed of slow points``, the greatest, in 1/s, beside the
        median ``speed of states``, with their noise, in each part of the trials.
    details : Dataset
        Points and trajectories in the leading principal components of the states, with eigenvalues; flow
        fields. Attributes ``dt``, in s, and ``inputs``, the names of all constant inputs.

    Raises
    ------
    UserError
        If the id has options.
    """
    options_of(description_id, {})
    cell = trained.cell
    module = tasks.load(trained.definition.task)
    inputs = module.static(**trained.definition.options)
    shown, run = states.drawn(trained, TRIALS, seed=seed)
    rng = np.random.default_rng(seed)
    flat = np.concatenate(_paths(shown, run))
    starts = flat[rng.choice(len(flat), min(STARTS, len(flat)), replace=False)]
    step, fast = states.maps(trained)
    found = fixed_points.find_each(
        lambda x, u: step(x[0], u[0])[None],
        starts[None],
        np.array(list(inputs.values())),
        fast=lambda x, u: fast(x[0], u[0])[None],
    )[0]
    size = {"n_stimuli": len(inputs), "n_units": cell.units, "n_trials": TRIALS}
    rows = []
    for name, points in zip(inputs, found, strict=True):
        rows += _rows(states.condition(name), points, cell.dt, size)
    for epoch in shown.epochs:
        moving = [
            courses.speed(path, cell.dt)[part[: len(path)]]
            for path, part in zip(_paths(shown, run), shown.during(epoch), strict=True)
            if len(path) > 1
        ]
        value = median(np.concatenate(moving))
        if np.isfinite(value):
            rows.append(row("speed of states", value, unit="1/s", condition=f"epoch={epoch}", **size))
    details = _details(list(inputs), found, _paths(shown, run))
    details = details.assign(_flows(trained, inputs, found, shown, run, step))
    # Inputs without any point have no rows in the details.
    return rows, details.assign_attrs(dt=cell.dt, inputs=list(inputs))


def _paths(shown, run) -> list[np.ndarray]:
    """States (T, n_states) of each trial, as long as it is."""
    return [path[:length] for path, length in zip(run.states, shown.length, strict=True)]


def _rows(condition: str, found: fixed_points.FixedPoints, dt: float, size: dict) -> list[dict]:
    fixed, unstable = found.is_fixed, found.unstable
    some = fixed.any()
    values = {
        "fixed points": fixed.sum(),
        "stable fixed points": found.stable.sum(),
        "slow points": (~fixed).sum(),
        "greatest q of fixed points": found.q[fixed].max() if some else np.nan,
        "index sum": found.index_sum,
        "fewest starts to a fixed point": found.found[fixed].min() if some else np.nan,
        "starts to points found once": found.missing,
        "states still moving": found.moving,
    }
    rows = [row(quantity, value, condition=condition, **size) for quantity, value in values.items()]
    fastest = np.sqrt(2 * found.q[~fixed].max()) / dt if (~fixed).any() else np.nan
    rows.append(row("speed of slow points", fastest, unit="1/s", condition=condition, **size))
    for dimensions, count in zip(*np.unique(unstable[fixed], return_counts=True), strict=True):
        told = f"{condition};unstable={dimensions}"
        rows.append(row("fixed points with unstable dimensions", count, condition=told, **size))
    for reason, count in found.rejected.items():
        rows.append(row("rejected starts", count, condition=f"{condition};reason={reason}", **size))
    for k in np.flatnonzero(fixed & (np.abs(found.eigenvalues[:, 0].imag) > 1e-9)):
        rate = np.log(found.eigenvalues[k, 0]) / dt
        told = f"{condition};point={k + 1};unstable={unstable[k]}"
        rows.append(row("frequency of leading pair", rate.imag / (2 * np.pi), unit="Hz", condition=told, **size))
        rows.append(row("growth of leading pair", rate.real, unit="1/s", condition=told, **size))
    return rows


def _details(names: list[str], found: list, paths: list[np.ndarray]) -> xr.Dataset:
    """Points of all inputs one below the other, and some trajectories."""
    flat = np.concatenate(paths)
    centre = flat.mean(0)
    _, spread, axes = np.linalg.svd(flat - centre, full_matrices=False)
    axes = axes[:DIMENSIONS]
    shown = paths[:SHOWN]
    longest = max(map(len, shown))
    drawn = np.full((len(shown), longest, len(axes)), np.nan)
    for k, path in enumerate(shown):
        drawn[k, : len(path)] = (path - centre) @ axes.T
    points = np.concatenate([part.points for part in found])
    values = np.concatenate([part.eigenvalues for part in found])
    component = np.arange(1, len(axes) + 1)
    return xr.Dataset(
        {
            "position": (("point", "component"), (points - centre) @ axes.T),
            "input": ("point", np.repeat(names, [len(part.points) for part in found])),
            "q": ("point", np.concatenate([part.q for part in found])),
            "is_fixed": ("point", np.concatenate([part.is_fixed for part in found])),
            "unstable": ("point", np.concatenate([part.unstable for part in found])),
            "found": ("point", np.concatenate([part.found for part in found])),
            "eigenvalue_real": (("point", "order"), values.real),
            "eigenvalue_imaginary": (("point", "order"), values.imag),
            "trajectory": (("trial", "step", "component"), drawn),
            "variance": ("component", (spread**2 / max((spread**2).sum(), 1e-300))[: len(axes)]),
        },
        coords={"component": component},
    )


def _flows(trained, inputs: dict, found: list, shown, run, step) -> dict:
    """Flow fields of the first inputs, with the points and some trajectories in the same planes."""
    if run.states.shape[2] < 2:
        return {}
    every = np.concatenate(_paths(shown, run))
    centre, choice = every.mean(0), _choice(trained, shown, run)
    names = list(inputs)[:FLOWS]
    longest = run.states.shape[1]
    grids, velocity, speed, inside = np.empty((2, len(names), GRID)), [], [], []
    points = np.full((sum(len(part.points) for part in found), 2), np.nan)
    trajectory = np.full((len(names), BESIDE, longest, 2), np.nan)
    first = 0
    for k, name in enumerate(names):
        own = points[first : first + len(found[k].points)]
        first += len(own)
        paths = [_paths(shown, run)[trial] for trial in _trials_of(name, shown)]
        flat = np.concatenate(paths) - centre
        axes = np.empty((2, flat.shape[1]))
        axes[0] = _component(flat) if choice is None else choice
        axes[1] = _component(flat, beside=axes[0])
        own[:] = (found[k].points - centre) @ axes.T
        for trial, path in enumerate(paths[:BESIDE]):
            trajectory[k, trial, : len(path)] = (path - centre) @ axes.T
        both = np.concatenate([flat @ axes.T, own])
        low, high = both.min(0), both.max(0)
        edge = 0.05 * np.maximum(high - low, 1e-6)
        grids[:, k] = np.linspace(low - edge, high + edge, GRID).T
        # Off the plane, the field is that at the points.
        origin = found[k].points.mean(0) - centre if len(own) else flat.mean(0)
        origin = centre + origin - axes.T @ (axes @ origin)
        field = flow.field(step, inputs[name], origin, axes, grids[0, k], grids[1, k], dt=trained.cell.dt)
        velocity.append(field.velocity)
        speed.append(field.speed)
        inside.append(np.nanmedian(field.inside))
    return {
        "flow_input": ("flow", names),
        "flow_axis": "PC 1" if choice is None else "choice axis",
        "flow_x": (("flow", "column"), grids[0]),
        "flow_y": (("flow", "row"), grids[1]),
        "flow_velocity": (("flow", "row", "column", "direction"), np.stack(velocity)),
        "flow_speed": (("flow", "row", "column"), np.stack(speed)),
        "flow_inside": ("flow", inside),
        "flow_point": (("point", "direction"), points),
        "flow_trajectory": (("flow", "shown", "flow_step", "direction"), trajectory),
    }


def _choice(trained, shown, run) -> np.ndarray | None:
    """Direction from one choice to the other at the end of trials, of length 1; None if there are not two choices."""
    made = tasks.load(trained.definition.task).performance(run.outputs, shown).get("choice")
    if made is None or set(np.unique(made[np.isfinite(made)])) != {-1.0, 1.0}:
        return None
    last = run.states[np.arange(len(shown)), shown.length - 1].astype(float)
    axis = last[made == 1].mean(0) - last[made == -1].mean(0)
    return axis / np.linalg.norm(axis) if axis.any() else None


def _trials_of(name: str, shown) -> np.ndarray:
    """Numbers of the trials that an input held still belongs to; all if its name says none."""
    key, _, value = name.partition("=")
    mine = np.flatnonzero(shown.conditions[key].astype(str) == value) if key in shown.conditions else np.array([])
    return mine if mine.size else np.arange(len(shown))


def _component(flat: np.ndarray, beside: np.ndarray | None = None) -> np.ndarray:
    """First principal component of states (n, n_states), of length 1; perhaps of what is orthogonal to an axis."""
    flat = flat - flat.mean(0)
    if beside is None:
        return np.linalg.svd(flat, full_matrices=False)[2][0]
    left = flat - np.outer(flat @ beside, beside)
    if np.linalg.norm(left) < 1e-6 * np.linalg.norm(flat):
        # States move along a line: any direction is as good.
        return np.linalg.svd(beside[None])[2][1]
    return np.linalg.svd(left, full_matrices=False)[2][0]
