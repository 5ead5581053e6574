"""Sharing neurons and trials out, and extrapolating what errors have in common."""

import numpy as np
import pytest

from neurocompare.description.limits import folds_by_angle
from neurocompare.prediction import extrapolation
from neurocompare.prediction.circular_decoders import VonMises, fourier, signed_error


def test_the_fit_of_stringer_is_exact_on_its_own_curve():
    numbers = np.array([1000, 500, 250, 125])
    np.testing.assert_allclose(extrapolation.fit_asymptote(numbers, 2 + 30 / np.sqrt(numbers)), [2, 30])
    two = np.stack([2 + 30 / np.sqrt(numbers), 5 - 1 / np.sqrt(numbers)])
    np.testing.assert_allclose(extrapolation.fit_asymptote(numbers, two), [[2, 30], [5, -1]])


@pytest.mark.parametrize("units", [24, 200])
def test_sharing_gram_matrices_changes_nothing(units):
    """All neurons and trials, by way of units or of trials, decode as the decoder does by itself."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 180, 120)
    values = np.cos(np.deg2rad(2 * (angle[:, None] - rng.uniform(0, 180, units)))) + rng.standard_normal((120, units))
    fold = folds_by_angle(angle)
    errors = extrapolation.decoded_errors(values, angle, 180.0, fold, seed=0)
    for k in range(4):
        train, test = fold != k, fold == k
        expected = VonMises(values[train], values[test], 180.0).decode(angle[train])
        found = angle[test] + errors[1, 1][0, 0, test]
        # The grid of the decoder, and the parabola instead of it.
        np.testing.assert_allclose(signed_error(found, expected), 0, atol=0.06)
    assert max(count for count, _ in errors) == {24: 2, 200: 16}[units]


def test_products_are_those_of_pairs_without_anything_in_common():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 180, 400)
    errors = {(4, 2): rng.standard_normal((4, 2, 400)), (1, 1): np.zeros((1, 1, 400)), (2, 2): np.full((2, 2, 400), 40)}
    # A bias that all decoders share is a function of the angle, not noise.
    errors[4, 2] += 3 * np.cos(np.deg2rad(2 * angle)) + 1
    cells = extrapolation.shared(errors, angle, 100, 60, 180.0)
    basis = fourier(angle, 180.0, extrapolation.HARMONICS)
    error = np.array(
        [[e - basis @ np.linalg.lstsq(basis, e, rcond=None)[0] for e in population] for population in errors[4, 2]]
    )
    pairs = [
        error[a, r] * error[b, s]
        for a in range(4)
        for b in range(4)
        for r in range(2)
        for s in range(2)
        if a != b and r != s
    ]
    np.testing.assert_allclose(cells.product, [np.mean(pairs, axis=0) * 400 / (400 - 17)], atol=1e-10)
    # The third cell's errors are too large to be used.
    assert list(cells.neurons) == [25]
    assert list(cells.trials) == [30]


def test_the_limit_is_the_intercept_of_a_plane_in_one_over_neurons_and_trials():
    sizes = [(n, t) for n in (400, 200, 100) for t in (300, 150)]
    neurons, trials = np.array(sizes).T
    rng = np.random.default_rng(2)
    scatter = rng.standard_normal(1000)
    product = (4 + 50 / neurons + 90 / trials)[:, None] + (scatter - scatter.mean()) * 0.5
    stretch, weights = np.arange(1000) // 10, rng.multinomial(100, np.full(100, 0.01), size=400)
    value, draws, coefficients = extrapolation.limit(extrapolation.Shared(neurons, trials, product), weights, stretch)
    # The slopes are drawn to zero, more where there are two sizes only than where there are three.
    assert np.all(coefficients[1:] > [25, 20])
    assert np.all(coefficients[1:] < [50, 90])
    assert value == pytest.approx(2, rel=0.05)
    assert product.mean() > 4.5
    assert value**2 == pytest.approx(coefficients[0])
    # The standard error of a mean of 1000, by way of a square root.
    assert draws.std() == pytest.approx(0.5 / np.sqrt(1000) / 4, rel=0.25)


def test_a_negative_intercept_is_no_limit():
    neurons, trials = np.array([400, 200, 400, 200]), np.array([300, 300, 150, 150])
    rng = np.random.default_rng(3)
    value, draws, coefficients = extrapolation.limit(
        extrapolation.Shared(neurons, trials, rng.standard_normal((4, 200)) - 2),
        rng.multinomial(100, np.full(100, 0.01), size=50),
        np.arange(200) // 2,
    )
    assert value == 0
    assert np.all(draws == 0)
    assert coefficients[0] < 0
