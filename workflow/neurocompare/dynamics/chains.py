"""Chains of slow points, one for each context: the line attractors of context-dependent integration.

For each context, states on trajectories relax under the context alone, and descend on q for a few steps more. There
they are on a chain of slow points; a longer descent would let them slide along it to its one or three fixed points.
The slowest point of each of seven equal stretches of the chain is linearised (`neurocompare.dynamics.selection`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.distance import cdist

from neurocompare import tasks
from neurocompare.dynamics import linear, perturbation, states
from neurocompare.dynamics.descent import descend, distinct, squared_speed
from neurocompare.dynamics.selection import Selection, select
from neurocompare.errors import UserError
from neurocompare.recurrent.running import Run
from neurocompare.recurrent.storage import Trained
from neurocompare.tasks.trials import Trials

TASK = "context_integration"
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
    selection: Selection


def of_contexts(trained: Trained, n: int, *, name: str, seed: int) -> tuple[Trials, Run, np.ndarray, dict[str, Chain]]:
    """Find the chain of each context of a network for context-dependent integration.

    Parameters
    ----------
    trained : Trained
        The network.
    n : int
        Number of random trials, from whose states the search starts.
    name : str
        What asks for them, for messages.
    seed : int
        Seed of the trials.

    Returns
    -------
    trials : Trials
        What the network was shown.
    run : Run
        What it did, with its own noise.
    axes : array of shape (3, n_states)
        From `task_axes`.
    chains : dict of str to Chain
        By context.

    Raises
    ------
    UserError
        If the network is for another task, or has one context, or no slow points are found.
    """
    if trained.definition.task != TASK:
        raise UserError(f"{name} needs a network for task '{TASK}'; this one is for '{trained.definition.task}'")
    static = tasks.load(TASK).static(**trained.definition.options)
    contexts = [condition.partition("=")[2] for condition in static]
    if len(contexts) < 2:
        raise UserError(f"{name} needs both contexts; option contexts of task '{TASK}' has {contexts}")
    shown, run = states.drawn(trained, n, seed=seed)
    axes = task_axes(shown, run)
    found = {}
    for context in contexts:
        flat = run.states[valid(shown) & (shown.conditions["context"] == context)[:, None]]
        chain = _chain(trained, flat, static[f"context={context}"], axes[0], seed)
        if chain is None:
            raise UserError(f"{name}: no slow points in context {context}; this network does not integrate")
        found[context] = chain
    return shown, run, axes, found


def task_axes(shown: Trials, run: Run) -> np.ndarray:
    """Regress states on choice, motion, color and context.

    Parameters
    ----------
    shown : Trials
        Trials of context-dependent integration.
    run : Run
        What a network did in them.

    Returns
    -------
    array of shape (3, n_states)
        Axes of choice (of the states at the end of the trial), motion and color (of the means over the first half of
        the stimulus), made orthonormal in this order.
    """
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


def valid(shown: Trials) -> np.ndarray:
    """Tell which steps belong to their trial, and are not what fills up the array.

    Parameters
    ----------
    shown : Trials
        The trials.

    Returns
    -------
    array of bool of shape (n, T)
        True for those.
    """
    return np.arange(len(shown.time)) < shown.length[:, None]


def output_axes(trained: Trained, points: np.ndarray) -> np.ndarray:
    """Return the gradient of the first output with respect to the state.

    Parameters
    ----------
    trained : Trained
        The network.
    points : array of shape (n_points, n_states)
        Where.

    Returns
    -------
    array of shape (n_points, n_states)
        The gradients.
    """
    weights = {name: tensor.detach().double() for name, tensor in trained.weights.items()}
    return np.stack([perturbation.readout_gradient(trained.cell, weights, point)[0] for point in points])


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
    found = select(jacobians, inputs, choice, steps=round(PULSE / dt))
    return Chain(points.numpy(), speed[slow], chosen, jacobians, inputs, found)


def _spaced(along: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Numbers of the slowest point in each of 7 bins of equal width along the choice axis, if there is one."""
    edges = np.linspace(along.min(), along.max(), POINTS + 1)
    bins = np.clip(np.digitize(along, edges) - 1, 0, POINTS - 1)
    return np.array([np.flatnonzero(bins == k)[speed[bins == k].argmin()] for k in np.unique(bins)])
