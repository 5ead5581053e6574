"""How a network selects the relevant evidence: line attractors and selection vectors (Mante, Sussillo et al. 2013).

For each context, states on trajectories relax under the context alone, and descend on q for a few steps more. There
they are on a chain of slow points; a longer descent would let them slide along it to its one or three fixed points.
The slowest point of each of seven equal stretches of the chain is linearised (`neurocompare.dynamics.selection`).

The choice axis is the coefficient of choice in a regression of the states at the end of the trial, when the choice is
read and inputs have decayed, on choice, motion, color and context, over trials with noise. What pulses come to is also
given along the gradient of the output, which need not be the direction in which states differ by choice.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from scipy.spatial.distance import cdist

from neurocompare import tasks
from neurocompare.description.rows import median, options_of, row
from neurocompare.dynamics import linear, perturbation, selection, states
from neurocompare.dynamics.descent import descend, distinct, squared_speed
from neurocompare.errors import UserError

DESCRIPTIONS = {
    "selection": {
        "summary": "line attractor and selection vector of each context, and how inputs are selected",
        "unit": "1",
        "direction": "higher",
        "needs": ["network"],
    }
}
"""The only id."""

TASK = "context_integration"
TRIALS = 300
STARTS = 400
RELAXATION = 0.4
"""Seconds that states run freely under the context alone: what is fast decays, and nothing moves far along the line."""

DESCENT = 10
"""Steps of the descent after that, too few to slide along the line."""

POINTS = 7
PULSE = 0.4
"""Seconds for which a pulse is followed: 20 steps of 20 ms."""

MERGE = 0.02
"""Points so close together are one: a share of the spread of the states."""

SLOW = 0.5
"""Points that move less are slow: a share of the spread in a second."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Slow points of one context, along the choice axis.

    Attributes
    ----------
    points : array of shape (n_points, n_states)
        All of them.
    speed : array of shape (n_points,)
        |F(x) − x|.
    chosen : array of int of shape (n_chosen,)
        Those that are linearised, at most 7.
    jacobians, inputs : arrays of shape (n_chosen, n_states, n_states), (n_chosen, n_states, n_inputs)
        ∂F/∂x and ∂F/∂u there.
    selection : Selection
        Of those.
    """

    points: np.ndarray
    speed: np.ndarray
    chosen: np.ndarray
    jacobians: np.ndarray
    inputs: np.ndarray
    selection: selection.Selection


def describe_network(trained, trials: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe the selection of evidence.

    Parameters
    ----------
    trained : neurocompare.recurrent.storage.Trained
        A network for context-dependent integration.
    trials : DataArray
        What it does in the trials of its task; not used, as rates are not states.
    description_id : str
        The id in `DESCRIPTIONS`.
    seed : int
        Seed of the trials.

    Returns
    -------
    rows : list of dict
        By context, medians over points: ``slow points``, ``leading eigenvalue`` (magnitude, of a step), ``growth along
        line`` (in 1/s; negative where it decays), ``gap to second eigenvalue`` (of a step), ``complex leading pairs``
        (a share of points), and cosines of the line (of pairs: of their plane) with the choice axis and with the
        gradient of the output. For motion and color: ``L0 B``, what is left of a pulse along the line or in the plane
        of a pair (``L0 B kept``), what of this is along the choice axis, what a pulse comes to there after 0.4 s, its
        cosine with the selection vector, and direct projections on choice axis and line. ``selectivity by …``:
        relevant over irrelevant. By input, between contexts: ``change of L0 B``, and what modulation of the selection
        vector and of the input add to it.
    details : Dataset
        Chains and mean trajectories projected on the axes of choice, motion and color.

    Raises
    ------
    UserError
        If the network is for another task, or has one context, or no slow points are found.
    """
    options_of(description_id, {})
    if trained.definition.task != TASK:
        raise UserError(
            f"{description_id} needs a network for task '{TASK}'; this one is for '{trained.definition.task}'"
        )
    static = tasks.load(TASK).static(**trained.definition.options)
    contexts = [name.partition("=")[2] for name in static]
    if len(contexts) < 2:
        raise UserError(f"{description_id} needs both contexts; option contexts of task '{TASK}' has {contexts}")
    shown, run = states.drawn(trained, TRIALS, seed=seed)
    axes = _axes(shown, run)
    found = {}
    for name in contexts:
        flat = run.states[valid(shown) & (shown.conditions["context"] == name)[:, None]]
        chain = _chain(trained, flat, static[f"context={name}"], axes[0], seed)
        if chain is None:
            raise UserError(f"{description_id}: no slow points in context {name}; this network does not integrate")
        found[name] = chain
    size = {"n_units": trained.cell.units, "n_trials": TRIALS}
    rows = []
    for name, chain in found.items():
        rows += _rows(trained, name, chain, axes[0], size)
    return rows + _between(found, size), _details(found, axes, shown, run)


def _axes(shown, run) -> np.ndarray:
    """Orthonormal axes (3, n_states) of choice, motion and color, in this order: regression coefficients of states."""
    evidence = shown.during("stimulus")
    late = run.states[np.arange(len(run.states)), shown.length - 1]
    early = evidence & (np.cumsum(evidence, 1) <= evidence.sum(1, keepdims=True) / 2)
    early = np.einsum("nts,nt->ns", run.states, early / early.sum(1, keepdims=True))
    choice = tasks.load(TASK).performance(run.outputs, shown)["choice"]
    conditions = [np.nan_to_num(choice), shown.conditions["motion"], shown.conditions["color"]]
    design = np.stack([np.ones(len(late)), *conditions, shown.conditions["context"] == "motion"], 1).astype(float)
    fit = np.linalg.pinv(design)
    coefficients = np.stack([(fit @ late)[1], (fit @ early)[2], (fit @ early)[3]], 1)
    axes, triangle = np.linalg.qr(coefficients)
    return (axes * np.sign(np.diag(triangle))).T


def valid(shown) -> np.ndarray:
    """Which steps (n, T) belong to their trial, and are not what fills up the array."""
    return np.arange(len(shown.time)) < shown.length[:, None]


def _chain(trained, flat: np.ndarray, static: np.ndarray, choice: np.ndarray, seed: int) -> Chain | None:
    """Find the slow points of one context; None if there are none."""
    precise, fast = states.maps(trained)
    rng = np.random.default_rng(seed)
    starts = flat[rng.choice(len(flat), min(STARTS, len(flat)), replace=False)]
    spread = np.sqrt(((flat - flat.mean(0)) ** 2).sum(1).mean())
    x = torch.as_tensor(starts, dtype=torch.float32)
    u = torch.as_tensor(static, dtype=torch.float32).expand(len(x), -1)
    dt = trained.cell.dt
    with torch.no_grad():
        for _ in range(round(RELAXATION / dt)):
            x = fast(x, u)
    x = descend(fast, x, u, steps=DESCENT, longest=torch.tensor(0.1 * spread)).double()
    speed = (2 * squared_speed(precise, x, u.double())).sqrt().numpy()
    slow = np.flatnonzero(np.isfinite(speed) & (speed <= SLOW * dt * spread))
    near = cdist(x[slow].numpy(), flat).min(1, initial=np.inf) <= spread
    slow = slow[near]
    if not len(slow):
        return None
    slow = slow[np.unique(distinct(x[slow].numpy(), MERGE * spread, speed[slow]))]
    slow = slow[np.argsort(x[slow].numpy() @ choice)]
    points, u = x[slow], u[: len(slow)].double()
    chosen = _spaced(points.numpy() @ choice, speed[slow])
    jacobians = linear.jacobians(precise, points[chosen], u[chosen]).numpy()
    inputs = linear.input_jacobians(precise, points[chosen], u[chosen]).numpy()
    found = selection.select(jacobians, inputs, choice, steps=round(PULSE / dt))
    return Chain(points.numpy(), speed[slow], chosen, jacobians, inputs, found)


def _spaced(along: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Numbers of the slowest point in each of 7 bins of equal width along the choice axis, if there is one."""
    edges = np.linspace(along.min(), along.max(), POINTS + 1)
    bins = np.clip(np.digitize(along, edges) - 1, 0, POINTS - 1)
    return np.array([np.flatnonzero(bins == k)[speed[bins == k].argmin()] for k in np.unique(bins)])


def _rows(trained, context: str, chain: Chain, choice: np.ndarray, size: dict) -> list[dict]:
    """Rows of one context."""
    found, dt = chain.selection, trained.cell.dt
    size = size | {"n_stimuli": len(chain.chosen)}
    told = f"context={context}"
    magnitude = np.abs(found.leading)
    output = _output_axes(trained, chain.points[chain.chosen])
    rows = [
        row("slow points", len(chain.points), condition=told, **size),
        row("leading eigenvalue", median(magnitude), condition=told, **size),
        # A rate and no time constant: that of a line on which states grow would look like one of decay.
        row("growth along line", median(np.log(magnitude) / dt), unit="1/s", condition=told, **size),
        row("gap to second eigenvalue", median(magnitude - np.abs(found.second)), condition=told, **size),
        row("complex leading pairs", found.is_pair.mean(), condition=told, **size),
        row("cosine of line and choice axis", _along(found.plane, choice), condition=told, **size),
        row("cosine of line and output", _along(found.plane, output), condition=told, **size),
    ]
    names = tasks.load(TASK).INPUTS[:2]
    for k, name in enumerate(names):
        b = chain.inputs[:, :, k]
        told = f"context={context};input={name}"
        values = {
            "L0 B": np.abs(found.selected[:, k]),
            "L0 B kept": found.kept[:, k],
            "L0 B kept on choice axis": np.abs(found.aimed[:, k]),
            "pulse on choice axis later": np.abs(found.later[:, k]),
            "cosine of selection vector and input": np.abs(selection.cosines(found.vector, b)),
            "direct projection on choice axis": np.abs(selection.cosines(b, choice)),
            "direct projection on line": np.abs(selection.cosines(b, found.line)),
        }
        rows += [row(quantity, median(value), condition=told, **size) for quantity, value in values.items()]
    relevant, irrelevant = (names.index(name) for name in (context, *(n for n in names if n != context)))
    told = f"context={context}"
    values = {
        "L0 B": np.abs(found.selected),
        "L0 B kept": found.kept,
        "L0 B kept on choice axis": np.abs(found.aimed),
    }
    for quantity, value in values.items():
        ratio = value[:, relevant] / np.maximum(value[:, irrelevant], 1e-300)
        rows.append(row(f"selectivity by {quantity}", median(ratio), condition=told, **size))
    # The gradient of an output can vanish at a point, so that these are ratios of means and not means of ratios.
    ahead = np.linalg.matrix_power(chain.jacobians, round(PULSE / dt)) @ chain.inputs
    later = {"choice axis": found.later, "output": np.einsum("ps,psi->pi", output, ahead)}
    for along, value in later.items():
        mean = np.abs(value).mean(0)
        ratio = mean[relevant] / max(mean[irrelevant], 1e-300)
        rows.append(row(f"selectivity by pulse on {along} later", ratio, condition=told, **size))
    return rows


def _along(plane: np.ndarray, axis: np.ndarray) -> float:
    """Median cosine between an axis and the line, or the plane of a pair."""
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-300)
    products = np.einsum("pks,ps->pk", np.nan_to_num(plane), np.broadcast_to(axis, plane[:, 0].shape))
    return median(np.linalg.norm(products, axis=1))


def _output_axes(trained, points: np.ndarray) -> np.ndarray:
    """Gradient of the output with respect to the state (n_points, n_states)."""
    weights = {name: tensor.detach().double() for name, tensor in trained.weights.items()}
    return np.stack([perturbation.readout_gradient(trained.cell, weights, point)[0] for point in points])


def _between(found: dict[str, Chain], size: dict) -> list[dict]:
    """Rows of what changes between contexts, over points in the order of the choice axis."""
    first, second = found.values()
    n = min(len(first.chosen), len(second.chosen))
    picked = [np.linspace(0, len(chain.chosen) - 1, n).round().astype(int) for chain in (first, second)]
    vectors = np.stack([chain.selection.vector[at] for chain, at in zip((first, second), picked, strict=True)])
    inputs = np.stack([chain.inputs[at] for chain, at in zip((first, second), picked, strict=True)])
    by_vector, by_input = selection.modulations(vectors, inputs)
    rows = []
    size = size | {"n_stimuli": n}
    for k, name in enumerate(tasks.load(TASK).INPUTS[:2]):
        # Towards the context in which the input is relevant.
        sign = 1 if name == next(iter(found)) else -1
        parts = {
            "change of L0 B": by_vector[:, k] + by_input[:, k],
            "change of L0 B by selection vector": by_vector[:, k],
            "change of L0 B by input": by_input[:, k],
        }
        rows += [row(q, sign * median(value), condition=f"input={name}", **size) for q, value in parts.items()]
    return rows


def _details(found: dict[str, Chain], axes: np.ndarray, shown, run) -> xr.Dataset:
    """Chains, lines and mean trajectories on the axes of choice, motion and color."""
    names = list(found)
    most = max(len(chain.points) for chain in found.values())
    chosen = max(len(chain.chosen) for chain in found.values())
    centre = run.states[valid(shown)].mean(0)
    position, speed = np.full((2, most, 3), np.nan), np.full((2, most), np.nan)
    line, vector = np.full((2, chosen, 3), np.nan), np.full((2, chosen, 3), np.nan)
    at, leading = np.full((2, chosen), -1), np.full((2, chosen), np.nan + 0j)
    for c, chain in enumerate(found.values()):
        n, m = len(chain.points), len(chain.chosen)
        position[c, :n], speed[c, :n] = (chain.points - centre) @ axes.T, chain.speed
        line[c, :m] = chain.selection.line @ axes.T
        vector[c, :m] = selection.cosines(chain.selection.vector[:, None], axes)
        at[c, :m], leading[c, :m] = chain.chosen, chain.selection.leading
    courses, labels = _means(names, axes, centre, shown, run)
    return xr.Dataset(
        {
            "position": (("context", "point", "axis"), position),
            "speed": (("context", "point"), speed),
            "line": (("context", "chosen", "axis"), line),
            "selection_vector": (("context", "chosen", "axis"), vector),
            "chosen_point": (("context", "chosen"), at),
            "leading_real": (("context", "chosen"), leading.real),
            "leading_imaginary": (("context", "chosen"), leading.imag),
            "trajectory": (("context", "level", "time", "axis"), courses),
        },
        coords={"context": names, "axis": ["choice", "motion", "color"], "level": labels, "time": shown.time},
    )


def _means(names: list[str], axes: np.ndarray, centre: np.ndarray, shown, run) -> tuple[np.ndarray, np.ndarray]:
    """Mean trajectories (context, level, time, axis) by the sign and strength of the relevant evidence."""
    projected = np.where(valid(shown)[..., None], (run.states - centre) @ axes.T, np.nan)
    relevant = np.where(shown.conditions["context"] == "motion", shown.conditions["motion"], shown.conditions["color"])
    strength = np.abs(relevant)
    distinct_ones = np.unique(strength)
    edges = distinct_ones[1:] if len(distinct_ones) <= 3 else np.quantile(strength, [1 / 3, 2 / 3])
    level = (1 + np.digitize(strength, edges)) * np.where(relevant < 0, -1, 1)
    labels = np.array([-3, -2, -1, 1, 2, 3])
    courses = np.full((len(names), len(labels), projected.shape[1], 3), np.nan)
    for c, name in enumerate(names):
        for k, label in enumerate(labels):
            own = (shown.conditions["context"] == name) & (level == label)
            # Steps that no trial has are NaN.
            held = valid(shown)[own].any(0)
            courses[c, k, held] = np.nanmean(projected[own][:, held], axis=0) if own.any() else np.nan
    return courses, labels
