r"""Flow fields: where states in a plane go.

For a map F of one step, :math:`\dot x = (F(x, u) - x) / \mathrm{d}t`, taken at points of the plane and projected onto
it. What leaves the plane is not seen in it; `Flow.inside` tells how much stays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Flow:
    """A flow field on a grid in a plane.

    Attributes
    ----------
    x, y : arrays of shape (n_x,) and (n_y,)
        Coordinates along the two axes, from the origin.
    velocity : array of shape (n_y, n_x, 2)
        Velocity within the plane, per s.
    speed : array of shape (n_y, n_x)
        Norm of the whole velocity, per s.
    """

    x: np.ndarray
    y: np.ndarray
    velocity: np.ndarray
    speed: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Share of the squared velocity that lies in the plane (n_y, n_x); NaN where nothing moves."""
        return np.divide(
            (self.velocity**2).sum(-1), self.speed**2, out=np.full(self.speed.shape, np.nan), where=self.speed > 0
        )


def field(
    step: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    inputs: np.ndarray,
    origin: np.ndarray,
    plane: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    dt: float,
) -> Flow:
    """Compute the flow in a plane through the state space.

    Parameters
    ----------
    step : callable
        From states (…, S) and inputs (…, I) to the next states, such as `neurocompare.recurrent.cells.Cell.map`.
    inputs : array of shape (n_inputs,)
        Held fixed.
    origin : array of shape (n_states,)
        A point of the plane, such as a slow point or the mean of trajectories.
    plane : array of shape (2, n_states)
        Axes, orthonormal; others are made so, the second to the first.
    x, y : arrays of shape (n_x,) and (n_y,)
        Coordinates along them.
    dt : float
        Length of a step in s.

    Returns
    -------
    Flow
        Velocities.

    Raises
    ------
    ValueError
        If the axes are parallel.
    """
    first = np.asarray(plane[0], dtype=float) / np.linalg.norm(plane[0])
    second = np.asarray(plane[1], dtype=float) - (plane[1] @ first) * first
    if np.linalg.norm(second) < 1e-9 * np.linalg.norm(plane[1]):
        raise ValueError("the axes of a plane are parallel")
    axes = np.stack([first, second / np.linalg.norm(second)])
    a, b = np.meshgrid(x, y)
    points = np.asarray(origin, dtype=float) + np.stack([a, b], axis=-1).reshape(-1, 2) @ axes
    with torch.no_grad():
        states = torch.as_tensor(points)
        held = torch.as_tensor(np.asarray(inputs, dtype=float)).expand(len(points), -1)
        moved = (step(states, held) - states).numpy() / dt
    return Flow(
        np.asarray(x, dtype=float),
        np.asarray(y, dtype=float),
        (moved @ axes.T).reshape(*a.shape, 2),
        np.linalg.norm(moved, axis=-1).reshape(a.shape),
    )
