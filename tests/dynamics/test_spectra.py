"""Distances of spectra against optimal transport that can be done by hand."""

import numpy as np
import pytest

from neurocompare.dynamics import spectra


def test_a_shift_moves_all_mass_by_its_length():
    values = np.random.default_rng(0).standard_normal(6) + 1j * np.random.default_rng(1).standard_normal(6)
    assert spectra.distance(values, values[::-1]) == pytest.approx(0)
    assert spectra.distance(values, values + 0.3j) == pytest.approx(0.3)


def test_it_is_symmetric_obeys_the_triangle_and_does_not_depend_on_coordinates():
    rng = np.random.default_rng(2)
    a, b, c = (rng.standard_normal((7, 7)) / 7**0.5 for _ in range(3))
    basis = rng.standard_normal((7, 7))
    one, two, three = (np.linalg.eigvals(matrix) for matrix in (a, b, c))
    assert spectra.distance(one, two) == pytest.approx(spectra.distance(two, one))
    assert spectra.distance(one, three) <= spectra.distance(one, two) + spectra.distance(two, three) + 1e-12
    moved = np.linalg.eigvals(basis @ a @ np.linalg.inv(basis))
    assert spectra.distance(one, moved) == pytest.approx(0, abs=1e-9)


def test_on_a_line_it_is_the_distance_of_sorted_values():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal(9), rng.standard_normal(9)
    assert spectra.distance(a, b) == pytest.approx(np.abs(np.sort(a) - np.sort(b)).mean())


def test_unequal_numbers_of_eigenvalues_share_their_mass():
    # Of two eigenvalues, each half goes to its side; of three, the one in the middle is halved.
    assert spectra.distance([0, 1], [0, 0.5, 1]) == pytest.approx(1 / 3 * 0.5)
    assert spectra.distance([0.5], [0, 1]) == pytest.approx(0.5)
    values = np.random.default_rng(4).standard_normal(4)
    assert spectra.distance(values, np.repeat(values, 3)) == pytest.approx(0)


def test_empty_or_incommensurable_spectra_are_refused():
    with pytest.raises(ValueError, match="no eigenvalues"):
        spectra.distance([], [1.0])
    with pytest.raises(ValueError, match="leading"):
        spectra.distance(np.zeros(101), np.zeros(103))


def test_rates_do_not_depend_on_the_step():
    growth = np.array([-0.5, -20 + 30j, -20 - 30j])
    for dt in (0.001, 0.02):
        np.testing.assert_allclose(spectra.rates(np.exp(growth * dt), dt), growth)
    assert np.isfinite(spectra.rates(np.zeros(2), 0.02)).all()


def test_points_are_matched_to_alike_ones_with_the_nearest_spectra():
    kinds = np.array([0, 0, 1])
    values = np.array([[0.9, 0.1], [0.5, 0.1], [1.2, 0.1]])
    order = np.array([2, 1, 0])
    pairs, distances, unmatched = spectra.match((kinds, values), (kinds[order], values[order] + 0.01))
    assert sorted(map(tuple, pairs)) == [(0, 2), (1, 1), (2, 0)]
    np.testing.assert_allclose(distances, 0.01)
    assert unmatched == 0
    pairs, _, unmatched = spectra.match((kinds, values), (kinds[:1], values[:1]))
    assert (pairs.tolist(), unmatched) == ([[0, 0]], 2)
