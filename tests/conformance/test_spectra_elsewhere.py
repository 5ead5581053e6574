"""Distances of spectra against Python Optimal Transport."""

import numpy as np
import pytest
from oracles import oracle

from neurocompare.dynamics import spectra


@pytest.mark.parametrize("sizes", [(7, 7), (6, 9), (1, 8)])
def test_distance_of_spectra_is_the_least_cost_of_transport(sizes):
    ot = oracle("ot")
    rng = np.random.default_rng(sum(sizes))
    first, second = (np.linalg.eigvals(rng.standard_normal((n, n))) for n in sizes)
    masses = [np.full(n, 1 / n) for n in sizes]
    expected = ot.emd2(*masses, np.abs(first[:, None] - second))
    assert spectra.distance(first, second) == pytest.approx(expected, rel=1e-9)
