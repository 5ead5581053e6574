"""Descent on the speed of a map, and where its free course settles.

One definition of the squared speed of a map F at a state x under a constant input u is used everywhere:

    q(x) = ½ |F(x, u) − x|²,

summed over the entries of the state, per step, not divided by their number or by the duration of a step (Sussillo &
Barak 2013, Neural Comput. 25:626). Steps are callables of states (…, S) and inputs (…, I) that return states; all
leading axes are batches.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial.distance import cdist

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def squared_speed(step: Step, states: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Compute q of states.

    Parameters
    ----------
    step : callable
        The map.
    states : tensor of shape (…, n_states)
        Where.
    inputs : tensor of shape (…, n_inputs)
        The constant input of each.

    Returns
    -------
    tensor of shape (…,)
        ½ |F(x) − x|².
    """
    with torch.no_grad():
        return 0.5 * ((step(states, inputs) - states) ** 2).sum(-1)


def descend(
    step: Step, states: torch.Tensor, inputs: torch.Tensor, *, steps: int, longest: torch.Tensor
) -> torch.Tensor:
    """Move states towards minima of q, each by itself.

    Steepest descent with the step sizes of Barzilai & Borwein (1988, IMA J. Numer. Anal. 8:141), their two formulas in
    turn, which near a minimum needs about as few steps as conjugate gradients, and has nothing to be tuned. The
    gradient (J − I)ᵀ (F(x) − x) is a product of a vector and the Jacobian, had without the Jacobian. As q does not
    fall in every step, the best state on the way is returned.

    Parameters
    ----------
    step : callable
        The map.
    states : tensor of shape (…, n_states)
        Where to start.
    inputs : tensor of shape (…, n_inputs)
        The constant input of each.
    steps : int
        How many.
    longest : tensor that broadcasts to the states
        The longest step, in units of the states: keeps states in the valley where they are.

    Returns
    -------
    tensor of shape (…, n_states)
        Where the states came to.
    """
    x = states.detach()
    q, gradient = _gradient(step, x, inputs)
    best, lowest = x, q
    size = torch.ones_like(q)
    for k in range(steps):
        length = size * torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
        taken = torch.minimum(length, longest)
        # Nothing moves where the gradient is zero.
        move = gradient * (-size * (taken / length).nan_to_num_(0.0))
        x, before = x + move, gradient
        q, gradient = _gradient(step, x, inputs)
        better = q < lowest
        best, lowest = torch.where(better, x, best), torch.where(better, q, lowest)
        change = gradient - before
        along = (move * change).sum(-1, keepdim=True)
        proposed = taken * taken / along if k % 2 else along / (change * change).sum(-1, keepdim=True)
        # Where q is not convex along the move, the step grows.
        size = torch.where(proposed > 0, proposed, 1.5 * size).clamp_(0.1, 1e6)
    return best


def _gradient(step: Step, states: torch.Tensor, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return q (…, 1) and its gradient."""
    x = states.detach().requires_grad_(True)
    with torch.enable_grad():
        reached = step(x, inputs)
    difference = (reached - x).detach()
    (pulled,) = torch.autograd.grad(reached, x, difference)
    return 0.5 * (difference * difference).sum(-1, keepdim=True), pulled - difference


def settle(
    step: Step,
    states: torch.Tensor,
    inputs: torch.Tensor,
    kind: np.ndarray,
    *,
    rest: np.ndarray,
    meet: np.ndarray,
    steps: int = 3000,
    every: int = 50,
) -> tuple[torch.Tensor, np.ndarray]:
    """Let states run freely until they rest.

    Parameters
    ----------
    step : callable
        The map.
    states : tensor of shape (n_networks, n, n_states)
        Where they start.
    inputs : tensor of shape (n_networks, n, n_inputs)
        The constant input of each.
    kind : array of int of shape (n,)
        States of the same kind have the same input; of those that have met only one runs on.
    rest : array of shape (n_networks,)
        The speed |F(x) − x| below which a state rests.
    meet : array of shape (n_networks,)
        The distance below which states have met.
    steps : int
        How many at most.
    every : int
        After so many it is seen which rest and which have met.

    Returns
    -------
    states : tensor of shape (n_networks, n, n_states)
        Where each came to.
    resting : array of bool of shape (n_networks, n)
        Whether it rests there.
    """
    x = states.detach().clone()
    networks, n = x.shape[:2]
    leader = np.tile(np.arange(n), (networks, 1))
    runs = np.ones((networks, n), dtype=bool)
    done = 0
    with torch.no_grad():
        while runs.any() and done < steps:
            # Networks run as many states as the one that has most; those of others are run again to no effect.
            chosen = _padded(runs)
            at = torch.as_tensor(chosen)[..., None]
            some, u = _taken(x, at), _taken(inputs, at)
            for _ in range(min(every, steps - done)):
                some = step(some, u)
            done += every
            x.scatter_(1, at.expand_as(some), some)
            speed = (2 * squared_speed(step, some, u)).sqrt().numpy()
            for k in range(networks):
                rows = np.unique(chosen[k], return_index=True)[1]
                ids = chosen[k, rows]
                runs[k, ids] = ~(speed[k, rows] < rest[k])
                for one in np.unique(kind[ids]):
                    same = ids[kind[ids] == one]
                    label = distinct(x[k, same].numpy(), meet[k])
                    leader[k, same] = same[label]
                    runs[k, same[label != np.arange(len(same))]] = False
        for k in range(networks):
            # States that met one that met another later.
            while (leader[k] != leader[k][leader[k]]).any():
                leader[k] = leader[k][leader[k]]
    return _taken(x, torch.as_tensor(leader)[..., None]), ~np.take_along_axis(runs, leader, 1)


def distinct(points: np.ndarray, radius: float, worth: np.ndarray | None = None) -> np.ndarray:
    """Tell which points are the same.

    Parameters
    ----------
    points : array of shape (n, n_dimensions)
        Points.
    radius : float
        Points that are this close to one that is kept are the same.
    worth : array of shape (n,), optional
        Points are kept in the order of these, smallest first; by default in their own.

    Returns
    -------
    array of int of shape (n,)
        The number of the point that each is the same as: its own for those that are kept.
    """
    near = cdist(points, points) <= radius
    label = np.full(len(points), -1)
    for i in np.argsort(worth, kind="stable") if worth is not None else range(len(points)):
        if label[i] < 0:
            label[near[i] & (label < 0)] = i
    return label


def _padded(chosen: np.ndarray) -> np.ndarray:
    """Numbers of what is chosen of each row; rows with fewer repeat their last, or have the first if none is."""
    found = [np.flatnonzero(row) if row.any() else np.zeros(1, dtype=int) for row in chosen]
    most = max(map(len, found))
    return np.array([np.pad(row, (0, most - len(row)), mode="edge") for row in found])


def _taken(values: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Values (network, n, …) at numbers (network, m, 1)."""
    return torch.gather(values, 1, at.expand(-1, -1, values.shape[-1]))
