"""The regularisation of demixed components; their axes are tested where they are described (test_dpca.py)."""

import numpy as np
import pytest

from neurocompare import demixing

RIDGES = np.geomspace(1e-5, 10, 13)


def chosen(level, *, pooled):
    """λ for 2 × 3 conditions of six trials, on three orthogonal axes of 20 units, under noise of one size."""
    rng = np.random.default_rng(0)
    cell = np.repeat(np.arange(6), 6)
    axes = np.linalg.qr(rng.standard_normal((20, 3)))[0].T
    weights = 4 * np.stack([np.ones(36), 2.0 * (cell // 3) - 1, cell % 3 - 1.0], axis=1)
    values = np.einsum("nk,t,ku->ntu", weights, np.sin(np.linspace(0, 3, 8)) + 0.2, axes)
    values += level * rng.standard_normal(values.shape)
    errors = demixing.reconstruction_errors(
        values, cell, (2, 3), ("a", "b"), RIDGES, np.random.default_rng(0), pooled=pooled, components=3
    )
    return RIDGES[errors.mean(0).argmin()]


@pytest.mark.parametrize("pooled", [False, True])
def test_the_penalty_rises_with_noise(pooled):
    penalties = [chosen(level, pooled=pooled) for level in (0.1, 1, 3, 6)]
    assert penalties == sorted(penalties)
    assert penalties[-1] >= 10 * penalties[0]
    # Neither end of the grid: a larger or smaller penalty would not have been better.
    assert RIDGES[0] < penalties[0] and penalties[-1] < RIDGES[-1]
