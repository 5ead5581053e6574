"""Fixed points of networks that have learnt a 3-bit flip-flop, the textbook case of Sussillo & Barak (2013).

Its states are the corners of a cube: 8 stable points, and between them saddles with one unstable dimension on the 12
edges, with two on the 6 faces and with three in the centre.
"""

from functools import cache

import numpy as np
import pytest
import torch

from neurocompare.dynamics.fixed_points import find_each
from neurocompare.recurrent import definition, learning
from neurocompare.recurrent.simulation import simulate
from neurocompare.tasks import flipflop

TASK = {"duration": 1.0, "pulse": 0.06, "settle": 0.12, "rate": 4.0}
QUICK = {"updates": 200, "batch": 32, "rate": 0.01, "decay": 0.985}
CORNERED = {
    "rate tanh": {"kind": "rate", "units": 64, "activation": "tanh", "time_constant": 0.04},
    "rate ReLU": {"kind": "rate", "units": 64, "activation": "relu", "time_constant": 0.04},
    "vanilla tanh": {"kind": "vanilla", "units": 64, "activation": "tanh", "time_constant": 0.04},
}
GATED = {"GRU": {"kind": "gru", "units": 32}, "LSTM": {"kind": "lstm", "units": 32}}
LEARNING = dict.fromkeys([*CORNERED, *GATED], QUICK) | {
    # ReLU networks are perfect on the task some time before the last points have come apart.
    "rate ReLU": {"updates": 300, "batch": 64, "rate": 0.015, "decay": 0.99},
    "LSTM": {"updates": 250, "batch": 32, "rate": 0.015, "decay": 0.985},
}
SEEDS = {"GRU": [0, 1], "LSTM": [0, 1]} | dict.fromkeys(CORNERED, [0, 1, 2])


@cache
def opened(name):
    """Train networks of several seeds together, in the seconds that a test can take, and find their fixed points."""
    seeds, how = SEEDS[name], LEARNING[name]
    entry = {"cell": (CORNERED | GATED)[name], "learning": how | {"stop": {"every": how["updates"], "trials": 64}}}
    made = definition.of_entry(entry, {"task": "flipflop", "options": TASK})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        outcomes = learning.train(made, seeds)
    finally:
        torch.set_num_threads(threads)
    weights = {key: torch.stack([part.weights[key] for part in outcomes]) for key in outcomes[0].weights}
    shown = torch.from_numpy(flipflop.trials(64, np.random.default_rng(9), **TASK).inputs)
    with torch.no_grad():
        states = simulate(made.cell, weights, shown, seed=seeds, keep=("states",)).states.numpy()
    states = states.reshape(len(seeds), -1, states.shape[-1])
    step, fast = (made.cell.map({key: w.to(t) for key, w in weights.items()}) for t in (torch.float64, torch.float32))
    starts = states[:, np.random.default_rng(0).choice(states.shape[1], 64, replace=False)]
    found = [parts[0] for parts in find_each(step, starts, np.zeros((1, 3)), fast=fast)]
    return made.cell, weights, step, states, found


@pytest.mark.parametrize("name", CORNERED)
def test_all_27_points_are_found(name):
    cell, weights, step, _, found = opened(name)
    for k, one in enumerate(found):
        points = one.points[one.is_fixed]
        assert np.bincount(one.unstable[one.is_fixed]).tolist() == [8, 12, 6, 1]
        assert one.index_sum == 1
        assert one.q[one.is_fixed].max() < 1e-18
        # They are roots of the map, and each is another one.
        x = torch.zeros(len(found), *points.shape, dtype=torch.float64)
        x[k] = torch.from_numpy(points)
        reached = step(x, torch.zeros(*x.shape[:2], 3, dtype=torch.float64))[k].numpy()
        np.testing.assert_allclose(reached, points, rtol=0, atol=2e-9)
        distance = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(27)
        assert distance.min() > 0.01 * one.spread
        # Each corner holds its own three bits.
        own = {key: w[k].double() for key, w in weights.items()}
        held = cell.readout(own, cell.rates(torch.from_numpy(one.points[one.stable]))).numpy()
        np.testing.assert_allclose(np.abs(held), 1, atol=0.35)
        assert len(np.unique(np.sign(held), axis=0)) == 8


@pytest.mark.parametrize("name", [*CORNERED, *GATED])
def test_stable_points_are_where_free_courses_end(name):
    _, _, step, states, found = opened(name)
    rng = np.random.default_rng(1)
    x = torch.from_numpy(states[:, rng.choice(states.shape[1], 100, replace=False)].astype(float))
    none = torch.zeros(*x.shape[:2], 3, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(3000):
            x = step(x, none)
    for one, ends in zip(found, x.numpy(), strict=True):
        distance = np.linalg.norm(ends[:, None] - one.points[one.stable], axis=-1)
        assert distance.min(axis=1).max() < 1e-6
        assert set(distance.argmin(axis=1)) == set(range(one.stable.sum()))
        # Seven are enough for a network that has not learnt all of the task.
        assert 7 <= one.stable.sum() <= 8
        assert one.q[one.is_fixed].max() < 1e-18
        assert one.index_sum == 1
