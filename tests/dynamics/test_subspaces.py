"""Subspaces against rotations of known angles and against chance."""

import numpy as np
import pytest

from neurocompare.dynamics import subspaces


def rotated(angles, n=9, seed=0):
    """Two subspaces with given principal angles."""
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    k = len(angles)
    radians = np.radians(angles)
    return q[:, :k], q[:, :k] * np.cos(radians) + q[:, k : 2 * k] * np.sin(radians)


def test_principal_angles_and_overlap_are_those_of_the_rotation_in_any_basis():
    rng = np.random.default_rng(1)
    a, b = rotated([1e-6, 20, 70, 90])
    a, b = a @ rng.standard_normal((4, 4)), b @ rng.standard_normal((4, 4))
    # A cosine could not tell a millionth of a degree from none.
    np.testing.assert_allclose(subspaces.angles(a, b), [1e-6, 20, 70, 90], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(subspaces.angles(b, a), subspaces.angles(a, b), atol=1e-7)
    expected = np.mean(np.cos(np.radians([0, 20, 70, 90])) ** 2)
    np.testing.assert_allclose(subspaces.overlap(a, b), expected)


def test_a_subspace_in_another_has_no_angle_to_it_and_dependent_directions_count_once():
    rng = np.random.default_rng(2)
    a = rng.standard_normal((7, 4))
    inside = a @ rng.standard_normal((4, 2))
    np.testing.assert_allclose(subspaces.angles(a, inside), [0, 0], atol=1e-6)
    assert subspaces.overlap(a, np.hstack([inside, inside])) == pytest.approx(1)
    assert subspaces.basis(np.hstack([inside, inside])).shape == (7, 2)


def test_random_subspaces_overlap_by_chance():
    rng = np.random.default_rng(3)
    given = rng.standard_normal((20, 3))
    drawn = subspaces.random_overlaps(given, 5, rng, draws=2000)
    assert abs(drawn.mean() - subspaces.chance_overlap(20, 5, 3)) < 4 * drawn.std() / np.sqrt(2000)
    # Directions drawn from activity of few dimensions overlap with its leading ones by much more.
    responses = rng.standard_normal((500, 20)) * np.geomspace(10, 0.1, 20)
    leading = subspaces.leading(responses, 3)
    drawn = subspaces.random_overlaps(leading, 3, rng, covariance=np.cov(responses.T), draws=100)
    assert drawn.mean() > 0.5 > 3 * subspaces.chance_overlap(20, 3, 3)


def test_alignment_is_one_in_leading_components_only():
    rng = np.random.default_rng(4)
    responses = rng.standard_normal((300, 10)) * np.arange(10, 0, -1)
    assert subspaces.alignment(responses, subspaces.leading(responses, 3)) == pytest.approx(1)
    assert subspaces.alignment(responses, np.eye(10)[:, -3:]) < 0.1


def test_effective_dimensionality_of_equal_variances_is_their_number():
    x = np.zeros((40, 2, 6))
    x[..., :4] = np.random.default_rng(5).standard_normal((40, 2, 4))
    assert 3.5 < subspaces.effective_dimensionality(x) <= 4
