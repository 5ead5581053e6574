"""The search for fixed points of several networks under several inputs at once, in batches.

What is found is kept by group: a pair of the numbers of a network and of an input.
"""

from itertools import combinations

import numpy as np
import torch
from scipy.spatial.distance import cdist

from neurocompare.dynamics import linear
from neurocompare.dynamics.descent import descend, distinct, settle, squared_speed
from neurocompare.dynamics.newton import polish

FIXED = 1e-18
"""Points with a smaller q are roots."""

STAGES = 3
"""Of a descent."""

POINTS = 60
"""So many points at most are combined."""


class Roots:
    """Fixed points of one group.

    Attributes
    ----------
    points : array of shape (n_points, n_states)
        Where they are.
    q : array of shape (n_points,)
        ½ |F(x) − x|².
    jacobians : array of shape (n_points, n_states, n_states)
        ∂F_i/∂x_j.
    """

    def __init__(self, n_states: int):
        self.points, self.q = np.zeros((0, n_states)), np.zeros(0)
        self.jacobians = np.zeros((0, n_states, n_states))

    @property
    def complete(self) -> bool:
        """Whether nothing tells that points are missing: the signs of det(I − J) sum to 1."""
        return bool(np.linalg.slogdet(np.eye(self.points.shape[1]) - self.jacobians)[0].sum() == 1)

    def add(self, points: np.ndarray, q: np.ndarray, jacobians: np.ndarray) -> None:
        """Take up new points."""
        self.points, self.q = np.concatenate([self.points, points]), np.concatenate([self.q, q])
        self.jacobians = np.concatenate([self.jacobians, jacobians])


class Finder:
    """A search.

    Parameters
    ----------
    step : callable
        The map of all networks, in double precision.
    states : array of float64 of shape (n_networks, n, n_states)
        States on trajectories.
    inputs : array of shape (n_conditions, n_inputs)
        The constant inputs.
    search : Search
        How to search.
    fast : callable, optional
        The map in single precision.
    """

    def __init__(self, step, states, inputs, search, fast=None):
        self.step, self.fast, self.search = step, fast or step, search
        self.fast_type = torch.float64 if fast is None else torch.float32
        self.states, self.inputs = states, np.asarray(inputs, dtype=float)
        self.groups = [(k, j) for k in range(len(states)) for j in range(len(self.inputs))]
        centred = states - states.mean(1, keepdims=True)
        self.spread = np.maximum(np.sqrt((centred**2).sum(2).mean(1)), 1e-12)
        self.ends = {g: [] for g in self.groups}
        # Candidates, and the root that each came to; NaN for those that came to none.
        self.tried = {g: [] for g in self.groups}
        self.landed = {g: [] for g in self.groups}
        self.roots = {g: Roots(states.shape[2]) for g in self.groups}
        self.moving = dict.fromkeys(self.groups, 0)

    def run(self) -> None:
        """Search from the given states, and then from between what was found."""
        self._add(self._settled())
        # At first all roots are stable, as states came to rest there.
        wanted = {g: np.concatenate([self.states[g[0]], self._between(g)]) for g in self.groups}
        for _ in range(self.search.rounds):
            self._add(self._descended(wanted))
            wanted = {g: self._between(g) for g in self.groups if not self.roots[g].complete}
            if not any(map(len, wanted.values())):
                break

    def speeds(self, sets: dict) -> dict:
        """Return |F(x) − x| of points by group."""
        x, u, where = self._packed(sets, torch.float64)
        return _unpacked((2 * squared_speed(self.step, x, u)).sqrt(), where)

    def slow(self) -> dict:
        """Return candidates that are slow and not near to a root, with their speeds and Jacobians, by group.

        Those from which Newton's method came to a root that does not have a slow direction itself were only on their
        way to it.
        """
        tried, landed = {}, {}
        for g in self.groups:
            spread = self.spread[g[0]]
            points, ends = np.concatenate(self.tried[g]), np.concatenate(self.landed[g])
            kept = _nearest(points, self.roots[g].points)[1] > self.search.merge * spread
            kept &= _nearest(points, self.states[g[0]])[1] <= self.search.reach * spread
            tried[g], landed[g] = points[kept], ends[kept]
        speeds = self.speeds(tried)
        for g in self.groups:
            kept = speeds[g] <= self.search.slow * self.spread[g[0]]
            came = kept & np.isfinite(landed[g]).all(1)
            root = _nearest(landed[g][came], self.roots[g].points)[0]
            used = np.unique(root)
            kept[came] = np.isin(root, used[self._singular(self.roots[g].jacobians[used])])
            tried[g], speeds[g] = tried[g][kept], speeds[g][kept]
        x, u, where = self._packed(tried, torch.float64)
        found = {}
        for g, matrices in _unpacked(linear.jacobians(self.step, x, u), where).items():
            kept = self._singular(matrices)
            found[g] = tried[g][kept], speeds[g][kept], matrices[kept]
        return found

    def destinations(self, group: tuple[int, int], slow: np.ndarray) -> np.ndarray:
        """Count how many ends of descents and free runs belong to each root, and then to each slow point.

        An end belongs to a root if it is near to it or to a candidate that came to it; if not, to a slow point that is
        near.
        """
        roots, merge = self.roots[group].points, self.search.merge * self.spread[group[0]]
        ends = np.concatenate(self.ends[group])
        ends = ends[np.isfinite(ends).all(1)]
        tried, landed = np.concatenate(self.tried[group]), np.concatenate(self.landed[group])
        nearest, distance = _nearest(ends, slow)
        belongs = np.where(distance <= merge, len(roots) + nearest, -1)
        if len(roots):
            nearest, distance = _nearest(ends, tried)
            came = (distance <= merge) & np.isfinite(landed[nearest]).all(1)
            belongs[came] = _nearest(landed[nearest[came]], roots)[0]
            nearest, distance = _nearest(ends, roots)
            belongs[distance <= merge] = nearest[distance <= merge]
        return np.bincount(belongs[belongs >= 0], minlength=len(roots) + len(slow))

    def _singular(self, jacobians: np.ndarray) -> np.ndarray:
        """Tell which Jacobians have an eigenvalue close to 1."""
        return np.abs(np.linalg.eigvals(jacobians) - 1).min(1, initial=np.inf) <= self.search.singular

    def _settled(self) -> dict:
        """Run states freely; those that come to rest are candidates."""
        chosen = np.unique(np.linspace(0, self.states.shape[1] - 1, self.search.settling).astype(int))
        x, u, where = self._packed({(k, j): self.states[k, chosen] for k, j in self.groups}, self.fast_type)
        kind = np.repeat(np.arange(len(self.inputs)), len(chosen))
        rest, meet = 1e-4 * self.spread, 1e-3 * self.spread
        x, resting = settle(self.fast, x, u, kind, rest=rest, meet=meet, steps=self.search.settle)
        ends, resting = _unpacked(x, where), _unpacked(torch.as_tensor(resting), where)
        self.moving = {g: int((~resting[g]).sum()) for g in self.groups}
        return {g: ends[g][resting[g]] for g in self.groups}

    def _descended(self, starts: dict) -> dict:
        """Let states descend in stages; of those that have met after a stage only one goes on."""
        leaders = {g: np.arange(len(points)) for g, points in starts.items()}
        points = starts
        for stage in range(STAGES):
            x, u, where = self._packed(points, self.fast_type)
            longest = torch.as_tensor(self.search.longest * self.spread, dtype=self.fast_type)[:, None, None]
            steps = self.search.descent * (stage + 1) // STAGES - self.search.descent * stage // STAGES
            points = _unpacked(descend(self.fast, x, u, steps=steps, longest=longest), where)
            if stage + 1 == STAGES:
                break
            for g in starts:
                met = 0.2 * self.search.merge * self.spread[g[0]]
                kept, number = np.unique(distinct(points[g], met), return_inverse=True)
                points[g], leaders[g] = points[g][kept], number[leaders[g]]
        return {g: points[g][leaders[g]] for g in starts}

    def _between(self, group: tuple[int, int]) -> np.ndarray:
        """Midpoints and barycentres of points that were found: pairs, and triples if there is room."""
        points = self.roots[group].points
        rng = np.random.default_rng(len(points))
        starts, room = [np.zeros((0, points.shape[1]))], self.search.between
        for size in range(2, min(3, len(points)) + 1):
            chosen = np.array(list(combinations(range(min(len(points), POINTS)), size)))
            if len(chosen) > room:
                chosen = chosen[np.sort(rng.choice(len(chosen), room, replace=False))]
            starts.append(points[chosen].mean(1))
            room -= len(chosen)
        return np.concatenate(starts)

    def _add(self, ends: dict) -> None:
        """Polish what is new of the ends of descents and free runs, and keep what becomes a root."""
        fresh = {}
        for g, new in ends.items():
            self.ends[g].append(new)
            new = new[np.isfinite(new).all(1)]
            known = np.concatenate([self.roots[g].points, *self.tried[g]])
            fresh[g] = new[_nearest(new, known)[1] > self.search.merge * self.spread[g[0]]]
        speeds = self.speeds(fresh)
        for g, new in fresh.items():
            fresh[g] = new[np.unique(distinct(new, self.search.merge * self.spread[g[0]], speeds[g]))]
            self.tried[g].append(fresh[g])
        x, u, where = self._packed(fresh, torch.float64)
        radius = torch.as_tensor(0.5 * self.spread)[:, None]
        reached, q = (_unpacked(part, where) for part in polish(self.step, x, u, radius=radius))
        found, of_found = {}, {}
        for g in self.groups:
            spread, points = self.spread[g[0]], reached[g]
            near = cdist(points, self.states[g[0]]).min(1, initial=np.inf) <= self.search.reach * spread
            is_root = near & (q[g] < FIXED)
            self.landed[g].append(np.where(is_root[:, None], points, np.nan))
            points, of_points = points[is_root], q[g][is_root]
            known = len(self.roots[g].points)
            label = distinct(np.concatenate([self.roots[g].points, points]), self.search.same * spread)
            new = np.unique(label[label >= known]) - known
            found[g], of_found[g] = points[new], of_points[new]
        x, u, where = self._packed(found, torch.float64)
        matrices = _unpacked(linear.jacobians(self.step, x, u), where)
        for g in self.groups:
            self.roots[g].add(found[g], of_found[g], matrices[g])

    def _packed(self, sets: dict, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, dict]:
        """Put points of groups side by side: states (network, n, …), inputs (network, n, …), and where they are.

        Networks with fewer points than others have zeros behind them.
        """
        where, widths = {}, [0] * len(self.states)
        for k, j in self.groups:
            count = len(sets.get((k, j), ()))
            where[k, j] = (k, slice(widths[k], widths[k] + count))
            widths[k] += count
        shape = (len(self.states), max(max(widths), 1))
        x, u = np.zeros((*shape, self.states.shape[2])), np.zeros((*shape, self.inputs.shape[1]))
        for g, points in sets.items():
            x[where[g]], u[where[g]] = points, self.inputs[g[1]]
        return torch.as_tensor(x, dtype=dtype), torch.as_tensor(u, dtype=dtype), where


def _nearest(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the nearest other points, and their distances; infinite if there are none."""
    if not len(others) or not len(points):
        return np.zeros(len(points), dtype=int), np.full(len(points), np.inf)
    distance = cdist(points, others)
    return distance.argmin(1), distance.min(1)


def _unpacked(values: torch.Tensor, where: dict) -> dict:
    """Take values (network, n, …) apart by group."""
    values = values.double().numpy() if values.is_floating_point() else values.numpy()
    return {group: values[place] for group, place in where.items()}
