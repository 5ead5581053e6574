"""Participation ratio: known spectra, and the bias that cross-validation removes."""

import numpy as np
import pytest
from cubes import recording
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocompare.description import dimensionality
from neurocompare.errors import UserError

PLAIN, CROSS = dimensionality.DESCRIPTIONS


def test_known_spectrum():
    rng = np.random.default_rng(0)
    variances = np.array([5.0, 3, 1, 0.5])
    scores = rng.standard_normal((30, 4))
    scores = np.linalg.qr(scores - scores.mean(0))[0] * np.sqrt(variances)
    x = scores @ np.linalg.qr(rng.standard_normal((50, 4)))[0].T + 100 * rng.standard_normal(50)
    expected = variances.sum() ** 2 / (variances**2).sum()
    assert dimensionality.participation_ratio(x) == pytest.approx(expected, rel=1e-9)


def test_one_dimension_and_all_dimensions():
    rng = np.random.default_rng(1)
    assert dimensionality.participation_ratio(np.outer(rng.random(20), rng.random(30)) + 5) == pytest.approx(1)
    assert dimensionality.participation_ratio(rng.standard_normal((20000, 10))) == pytest.approx(10, rel=0.01)
    assert dimensionality.participation_ratio(np.eye(20)) == pytest.approx(19)
    assert np.isnan(dimensionality.participation_ratio(np.ones((20, 5))))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_rotation_scale_and_offset_do_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 6)) * rng.uniform(0.1, 3, 6)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    moved = scale * x @ rotation + 3 * rng.standard_normal(6)
    assert dimensionality.participation_ratio(moved) == pytest.approx(dimensionality.participation_ratio(x), rel=1e-8)


def test_halves_without_noise_are_the_plain_ratio():
    x = np.random.default_rng(2).standard_normal((25, 40)) ** 2
    found = dimensionality.cross_validated_ratio(x[None], x[None])[0]
    assert found == pytest.approx(dimensionality.participation_ratio(x), rel=1e-9)


def test_halves_remove_the_dimensions_of_independent_noise():
    rng = np.random.default_rng(3)
    signal = rng.standard_normal((60, 4)) @ rng.standard_normal((4, 200))
    truth = dimensionality.participation_ratio(signal)
    cube = signal[:, None] + 4 * rng.standard_normal((60, 8, 200))
    plain = dimensionality.describe(recording(cube), PLAIN, seed=0)[0][0]["value"]
    rows = dimensionality.describe(recording(cube), CROSS, seed=0)[0]
    assert plain > 1.5 * truth
    assert rows[0]["value"] == pytest.approx(truth, rel=0.1)
    assert rows[0]["ci_low"] < truth < rows[0]["ci_high"]


def test_population_estimate_is_right_with_few_stimuli_and_shared_noise():
    """40 equal dimensions from 30 stimuli; noise that all units share would add one more."""
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.standard_normal((100, 40)))[0].T * 10
    signal = rng.standard_normal((300, 30, 40)) @ basis
    noise = 5 * rng.standard_normal((2, 300, 30, 100)) + 5 * rng.standard_normal((2, 300, 30, 1)) * np.ones(100)
    for_stimuli, for_population = dimensionality.cross_validated_ratio(signal + noise[0], signal + noise[1])
    assert np.mean([dimensionality.participation_ratio(x) for x in signal]) < 20
    assert for_stimuli < 20
    assert for_population == pytest.approx(40, rel=0.1)


def test_null_of_unrelated_units():
    rng = np.random.default_rng(5)
    shared = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 30))
    cube = shared[:, None] + 0.5 * rng.standard_normal((40, 4, 30))
    rows = dimensionality.describe(recording(cube), PLAIN, seed=0)[0]
    assert rows[0]["p_value"] == pytest.approx(1 / 201)
    assert rows[0]["null_mean"] > 3 * rows[0]["value"]
    alone = rng.standard_normal((40, 4, 30))
    assert dimensionality.describe(recording(alone), PLAIN, seed=0)[0][0]["p_value"] > 0.01


def test_eigenvalues_are_those_of_the_covariance():
    cube = np.random.default_rng(6).random((10, 3, 30))
    _, details = dimensionality.describe(recording(cube), PLAIN, seed=0)
    expected = np.linalg.svd(cube.mean(1) - cube.mean((0, 1)), compute_uv=False) ** 2 / 9
    np.testing.assert_allclose(details.eigenvalue.values, expected, atol=1e-12)


def test_what_is_missing_is_told():
    array = recording(np.random.default_rng(7).random((10, 3, 5)))
    with pytest.raises(UserError, match="needs at least 2 repeats"):
        dimensionality.describe(array.isel(presentation=array.repeat == 0), CROSS, seed=0)
    rows, _ = dimensionality.describe(array.isel(presentation=array.repeat == 0), PLAIN, seed=0)
    assert np.isfinite(rows[0]["value"])
    with pytest.raises(UserError, match="5 stimuli are too few"):
        dimensionality.describe(recording(np.random.default_rng(7).random((5, 3, 5))), PLAIN, seed=0)
    constant, _ = dimensionality.describe(recording(np.ones((10, 3, 5))), CROSS, seed=0)
    assert {row["status"] for row in constant} == {"undefined"}
