"""Fixed and slow points of a map under constant inputs.

A short descent on q (see `neurocompare.dynamics.descent`) from many states brings most of them close to a root of
F(x) − x; what is close together is taken for one candidate, and Newton's method in double precision finishes each.
States come from trajectories at first. Then from midpoints and barycentres of the stable points that were found, and
of all points after that: this is how saddles are found, which trajectories avoid. The stable points are completed by
running the map freely from the trajectories.

If the map takes some region into itself, the signs of det(I − J) over all fixed points in it sum to +1 (Lefschetz;
Hopf). A sum other than +1 tells that points are missing; +1 does not prove that none is.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from neurocompare.dynamics import linear
from neurocompare.dynamics.descent import Step
from neurocompare.dynamics.finder import Finder

NEUTRAL = 1e-9
"""Eigenvalues this close to 1 are 1: those along continuous attractors."""


@dataclass(frozen=True)
class Search:
    """How points are searched; lengths are shares of the spread, the RMS distance of the states from their mean.

    Attributes
    ----------
    descent : int
        Steps of the descent.
    longest : float
        The longest step of it.
    merge : float
        Candidates so close to each other are one.
    same : float
        Roots so close to each other are one.
    slow : float
        Points that move less in a step, but don't stand still, are slow points.
    singular : float
        They have an eigenvalue this close to 1. (The unit is not a length.)
    reach : float
        Points so far from all states that were given are outliers.
    rounds : int
        How often new starts are put between the points that were found, at most.
    between : int
        So many new starts at most in a round.
    settling : int
        So many states run freely.
    settle : int
        For so many steps.
    """

    descent: int = 90
    longest: float = 0.1
    merge: float = 0.05
    same: float = 1e-3
    slow: float = 0.01
    singular: float = 0.05
    reach: float = 2.0
    rounds: int = 3
    between: int = 300
    settling: int = 64
    settle: int = 3000


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Points of one network under one constant input; roots first.

    Attributes
    ----------
    points : array of float64 of shape (n_points, n_states)
        Where they are.
    inputs : array of shape (n_inputs,)
        The constant input.
    q : array of shape (n_points,)
        ½ |F(x) − x|².
    is_fixed : array of bool of shape (n_points,)
        Roots, with q below 1e-18; the others are slow points.
    jacobians : array of shape (n_points, n_states, n_states)
        ∂F_i/∂x_j.
    found : array of int of shape (n_points,)
        How many starts led to each.
    starts : int
        How many starts there were.
    rejected : dict of str to int
        Starts that led nowhere: ``outlier`` (far from the states), ``minimum`` (a minimum of q that moves faster than a
        slow point, or has not been reached), ``not finite``.
    moving : int
        States that still moved at the end of their free run.
    spread : float
        The RMS distance of the given states from their mean.
    """

    points: np.ndarray
    inputs: np.ndarray
    q: np.ndarray
    is_fixed: np.ndarray
    jacobians: np.ndarray
    found: np.ndarray
    starts: int
    rejected: dict[str, int] = field(default_factory=dict)
    moving: int = 0
    spread: float = np.nan

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the Jacobians (n_points, n_states), greatest magnitude first."""
        return linear.eigenvalues(self.jacobians)

    @property
    def unstable(self) -> np.ndarray:
        """Numbers of unstable dimensions: eigenvalues outside the unit circle."""
        return (np.abs(self.eigenvalues) > 1 + NEUTRAL).sum(1)

    @property
    def stable(self) -> np.ndarray:
        """Which are stable fixed points."""
        return self.is_fixed & (self.unstable == 0)

    @property
    def index(self) -> np.ndarray:
        """Signs of det(I − J): −1 where the number of real eigenvalues above 1 is odd; 0 on continuous attractors."""
        values = self.eigenvalues
        above = ((np.abs(values.imag) < NEUTRAL) & (values.real > 1 + NEUTRAL)).sum(1)
        return np.where((np.abs(values - 1) <= NEUTRAL).any(1), 0, 1 - 2 * (above % 2))

    @property
    def index_sum(self) -> int:
        """Their sum over the fixed points; +1 if none is missing."""
        return int(self.index[self.is_fixed].sum())

    @property
    def missing(self) -> float:
        """Share of starts that would lead to points not found yet (Good & Turing): of points that one start found."""
        total = self.found.sum()
        return float((self.found == 1).sum() / total) if total else np.nan


def find(
    step: Step, states: np.ndarray, inputs: np.ndarray, search: Search | None = None, *, fast: Step | None = None
) -> FixedPoints:
    """Find fixed and slow points of one network under one input.

    Parameters
    ----------
    step : callable
        The map: from states (n, n_states) and inputs (n, n_inputs), in double precision, to states.
    states : array of shape (n, n_states)
        States on trajectories; with noise or without.
    inputs : array of shape (n_inputs,)
        The constant input.
    search : Search, optional
        How points are searched.
    fast : callable, optional
        The same map in single precision, for the descent.

    Returns
    -------
    FixedPoints
        What was found.
    """

    def of_one(function):
        return None if function is None else lambda x, u: function(x[0], u[0])[None]

    states = np.asarray(states)
    return find_each(of_one(step), states[None], np.asarray(inputs)[None], search, fast=of_one(fast))[0][0]


def find_each(
    step: Step, states: np.ndarray, inputs: np.ndarray, search: Search | None = None, *, fast: Step | None = None
) -> list[list[FixedPoints]]:
    """Find fixed and slow points of several networks under several inputs at once.

    Parameters
    ----------
    step : callable
        The map of all networks: from states (n_networks, n, n_states) and inputs (n_networks, n, n_inputs).
    states : array of shape (n_networks, n, n_states)
        States on the trajectories of each.
    inputs : array of shape (n_conditions, n_inputs)
        The constant inputs, the same for all networks.
    search, fast
        As in `find`.

    Returns
    -------
    list of lists of FixedPoints
        For each network, and each input.
    """
    finder = Finder(step, np.asarray(states, dtype=float), np.atleast_2d(inputs), search or Search(), fast)
    finder.run()
    slow = finder.slow()
    return [
        [_points(finder, (k, j), *slow[k, j]) for j in range(len(finder.inputs))] for k in range(len(finder.states))
    ]


def _points(finder: Finder, group: tuple[int, int], slow, speed, of_slow) -> FixedPoints:
    """What was found of one network under one input, with its slow points, their speeds and Jacobians."""
    spread, roots = finder.spread[group[0]], finder.roots[group]
    ends = np.concatenate(finder.ends[group])
    finite = np.isfinite(ends).all(1)
    inside = np.zeros(len(ends), dtype=bool)
    inside[finite] = cdist(ends[finite], finder.states[group[0]]).min(1) <= finder.search.reach * spread
    points = np.concatenate([roots.points, slow])
    matrices = np.concatenate([roots.jacobians, of_slow])
    found = finder.destinations(group, slow)
    return FixedPoints(
        points=points,
        inputs=finder.inputs[group[1]],
        q=np.concatenate([roots.q, 0.5 * speed**2]),
        is_fixed=np.arange(len(points)) < len(roots.points),
        jacobians=matrices,
        found=found,
        starts=len(ends),
        rejected={
            "not finite": int((~finite).sum()),
            "outlier": int((finite & ~inside).sum()),
            "minimum": int(max(inside.sum() - found.sum(), 0)),
        },
        moving=finder.moving[group],
        spread=float(spread),
    )
