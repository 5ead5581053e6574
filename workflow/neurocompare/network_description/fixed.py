"""Fixed and slow points of a recurrent network under the inputs that its task may hold constant.

The search is in `neurocompare.dynamics.fixed_points`; it starts from states on trajectories of random trials of the
task. How complete it is shows in three ways: how often each point was found, the share of starts that led to points
that no other start led to (an estimate of the share that would lead to points not found yet), and the sum of
sign det(I − J) over the fixed points, which is +1 if none is missing and the dynamics are confined.
"""

import numpy as np
import xarray as xr

from neurocompare import tasks
from neurocompare.description.rows import options_of, row
from neurocompare.dynamics import fixed_points, states

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
        pair`` in Hz and ``growth of leading pair`` in 1/s.
    details : Dataset
        Points and trajectories in the leading principal components of the states, with eigenvalues.

    Raises
    ------
    UserError
        If the id has options.
    """
    options_of(description_id, {})
    cell = trained.cell
    module = tasks.load(trained.definition.task)
    inputs = module.static(**trained.definition.options)
    courses = states.of_trials(trained, TRIALS, seed=seed)
    rng = np.random.default_rng(seed)
    flat = np.concatenate(courses)
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
    return rows, _details(list(inputs), found, courses)


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


def _details(names: list[str], found: list, courses: list[np.ndarray]) -> xr.Dataset:
    """Points of all inputs one below the other, and some trajectories."""
    flat = np.concatenate(courses)
    centre = flat.mean(0)
    _, spread, axes = np.linalg.svd(flat - centre, full_matrices=False)
    axes = axes[:DIMENSIONS]
    shown = courses[:20]
    longest = max(map(len, shown))
    drawn = np.full((len(shown), longest, len(axes)), np.nan)
    for k, course in enumerate(shown):
        drawn[k, : len(course)] = (course - centre) @ axes.T
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
