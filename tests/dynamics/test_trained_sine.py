"""Linearised frequencies of networks that have learnt to oscillate at the frequency that their input tells.

As Sussillo & Barak (2013) found, there is one fixed point for each input, and one complex pair of its eigenvalues is
unstable, with the angle of the frequency. Close to the point: the larger an oscillation, the more its frequency is
another one. A penalty of rates keeps it small; without, or with ReLU, frequencies are up to tens of percent off. The
longest of the periods has to fit into a trial several times, as else the frequency is that of the onset: of ten seeds
from 2 to 4 Hz in 2 s all are within 2 %, of ten from 1 to 3 Hz only five.
"""

import numpy as np
import pytest
import torch

from neurocompare.dynamics.fixed_points import find_each
from neurocompare.recurrent import definition, learning
from neurocompare.recurrent.simulation import simulate
from neurocompare.tasks import sine

TASK = {"duration": 2.0, "lowest": 2.0, "highest": 4.0, "levels": 5}
SEEDS = [7]
ENTRY = {
    "cell": {"kind": "rate", "units": 64, "activation": "tanh", "time_constant": 0.05},
    "learning": {
        "updates": 1000,
        "batch": 16,
        "rate": 0.003,
        "decay": 0.9975,
        "penalties": {"rates": 1.0},
        "stop": {"every": 1000, "trials": 64},
    },
}


@pytest.fixture(scope="module")
def generators():
    """Train a network; find its fixed points under each input."""
    made = definition.of_entry(ENTRY, {"task": "sine", "options": TASK})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        outcomes = learning.train(made, SEEDS)
    finally:
        torch.set_num_threads(threads)
    weights = {key: torch.stack([part.weights[key] for part in outcomes]) for key in outcomes[0].weights}
    shown = torch.from_numpy(sine.test(np.random.default_rng(1), repeats=1, **TASK).inputs)
    with torch.no_grad():
        states = simulate(made.cell, weights, shown, seed=SEEDS, keep=("states",)).states.numpy()
    states = states.reshape(len(SEEDS), -1, states.shape[-1])
    starts = states[:, np.random.default_rng(0).choice(states.shape[1], 64, replace=False)]
    step, fast = (made.cell.map({key: w.to(t) for key, w in weights.items()}) for t in (torch.float64, torch.float32))
    found = find_each(step, starts, np.stack(list(sine.static(**TASK).values())), fast=fast)
    return made.cell, weights, found


def test_the_unstable_pair_turns_at_the_cued_frequency(generators):
    cell, _, found = generators
    cued = np.linspace(2.0, 4.0, 5)
    for points in found:
        turning = []
        for one in points:
            assert one.is_fixed.tolist() == [True]
            assert one.q[0] < 1e-18
            assert one.unstable.tolist() == [2]
            leading = one.eigenvalues[0, :2]
            assert leading[0] == leading[1].conj()
            turning.append(np.abs(np.angle(leading[0])) / (2 * np.pi * cell.dt))
        np.testing.assert_allclose(turning, cued, rtol=0.02)


def test_they_go_on_at_the_cued_frequency(generators):
    # Ten times as long as they were trained for; the period between upward crossings of zero.
    cell, weights, _ = generators
    shown = sine.test(np.random.default_rng(1), repeats=1, **(TASK | {"duration": 20.0}))
    with torch.no_grad():
        said = simulate(cell, weights, torch.from_numpy(shown.inputs), seed=SEEDS, keep=("outputs",)).outputs.numpy()
    late = said[:, :, 500:, 0]
    for network in late:
        for course, cued in zip(network, shown.conditions["frequency"], strict=True):
            before = np.flatnonzero((course[:-1] < 0) & (course[1:] >= 0))
            crossings = before + course[before] / (course[before] - course[before + 1])
            assert course.max() > 0.7
            assert 1 / (np.diff(crossings).mean() * cell.dt) == pytest.approx(cued, rel=0.02)
