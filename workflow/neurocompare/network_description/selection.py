"""How a network selects the relevant evidence: line attractors and selection vectors (Mante, Sussillo et al. 2013).

The slow points of each context form a chain (`neurocompare.dynamics.chains`), of which up to seven are linearised
(`neurocompare.dynamics.selection`).

The choice axis is the coefficient of choice in a regression of the states at the end of the trial, when the choice is
read and inputs have decayed, on choice, motion, color and context, over trials with noise. What pulses come to is also
given along the gradient of the output, which need not be the direction in which states differ by choice.
"""

import numpy as np
import xarray as xr

from neurocompare import tasks
from neurocompare.description.rows import median, options_of, row
from neurocompare.dynamics import chains, selection

DESCRIPTIONS = {
    "selection": {
        "summary": "line attractor and selection vector of each context, and how inputs are selected",
        "unit": "1",
        "direction": "higher",
        "needs": ["network"],
    }
}
"""The only id."""

TRIALS = 300


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
    shown, run, axes, found = chains.of_contexts(trained, TRIALS, name=description_id, seed=seed)
    size = {"n_units": trained.cell.units, "n_trials": TRIALS}
    rows = []
    for name, chain in found.items():
        rows += _rows(trained, name, chain, axes[0], size)
    return rows + _between(found, size), _details(found, axes, shown, run)


def _rows(trained, context: str, chain: chains.Chain, choice: np.ndarray, size: dict) -> list[dict]:
    """Rows of one context."""
    found, dt = chain.selection, trained.cell.dt
    size = size | {"n_stimuli": len(chain.chosen)}
    told = f"context={context}"
    magnitude = np.abs(found.leading)
    output = chains.output_axes(trained, chain.points[chain.chosen])
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
    names = tasks.load(chains.TASK).INPUTS[:2]
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
    ahead = np.linalg.matrix_power(chain.jacobians, round(chains.PULSE / dt)) @ chain.inputs
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


def _between(found: dict[str, chains.Chain], size: dict) -> list[dict]:
    """Rows of what changes between contexts, over points in the order of the choice axis."""
    first, second = found.values()
    n = min(len(first.chosen), len(second.chosen))
    picked = [np.linspace(0, len(chain.chosen) - 1, n).round().astype(int) for chain in (first, second)]
    vectors = np.stack([chain.selection.vector[at] for chain, at in zip((first, second), picked, strict=True)])
    inputs = np.stack([chain.inputs[at] for chain, at in zip((first, second), picked, strict=True)])
    by_vector, by_input = selection.modulations(vectors, inputs)
    rows = []
    size = size | {"n_stimuli": n}
    for k, name in enumerate(tasks.load(chains.TASK).INPUTS[:2]):
        # Towards the context in which the input is relevant.
        sign = 1 if name == next(iter(found)) else -1
        parts = {
            "change of L0 B": by_vector[:, k] + by_input[:, k],
            "change of L0 B by selection vector": by_vector[:, k],
            "change of L0 B by input": by_input[:, k],
        }
        rows += [row(q, sign * median(value), condition=f"input={name}", **size) for q, value in parts.items()]
    return rows


def _details(found: dict[str, chains.Chain], axes: np.ndarray, shown, run) -> xr.Dataset:
    """Chains, lines and mean trajectories on the axes of choice, motion and color."""
    names = list(found)
    most = max(len(chain.points) for chain in found.values())
    chosen = max(len(chain.chosen) for chain in found.values())
    centre = run.states[chains.valid(shown)].mean(0)
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
    projected = np.where(chains.valid(shown)[..., None], (run.states - centre) @ axes.T, np.nan)
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
            held = chains.valid(shown)[own].any(0)
            courses[c, k, held] = np.nanmean(projected[own][:, held], axis=0) if own.any() else np.nan
    return courses, labels
