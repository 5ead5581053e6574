"""Numbers that were computed once, independently of this package, from a fixture that anyone can rebuild."""

import numpy as np
import pytest

from neurocompare import similarity
from neurocompare.similarity import comparators
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.distances import from_grams


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(20240501)
    n, p, q = 24, 10, 7
    z = rng.standard_normal((n, 5))
    x = z @ rng.standard_normal((5, p)) + 0.5 * rng.standard_normal((n, p))
    y = z @ rng.standard_normal((5, q)) + 0.5 * rng.standard_normal((n, q))
    np.testing.assert_allclose(x[0, :3], [0.20379729, 0.25826583, -2.09679588], atol=5e-9)
    return x, y


GOLDEN = {
    "rsa-distance=euclidean-compare=cosine": 0.8153931004,
    "rsa-distance=euclidean-compare=pearson": 0.5095728240,
    "rsa-distance=euclidean-compare=spearman": 0.7002571310,
    "rsa-distance=euclidean-compare=rho-a": 0.7002571310,
    "rsa-distance=euclidean-compare=whitened-cosine": 0.6280881385,
    "rsa-distance=euclidean-compare=whitened-correlation": 0.5774637932,
    "cka-kernel=linear-hsic=biased": 0.6280881385,
    "cka-kernel=linear-hsic=song": 0.5908325367,
    "cka-kernel=rbf-hsic=song": 0.7303730136,
    "cka-kernel=rbf-hsic=biased": 0.7853651630,
    "rsa-distance=euclidean-compare=tau-a": 0.4982345191,
    "rsa-distance=euclidean-compare=bures": 0.8608101151,
    "cca-mean": 0.7868610625,
    "cca-mean-squared": 0.7008192188,
    "procrustes-angular": 0.5339369785,
}


ROUGHER = {
    "svcca-variance=0.99": (0.9120151, 5e-8),
    "pwcca": (0.9408, 5e-5),
}
"""Values that were published with fewer digits, and half a unit of the last one."""


@pytest.mark.parametrize("measure", GOLDEN)
def test_score_of_the_fixture(pair, measure):
    # The reference values have ten digits, so half a unit of the last one is 5e-11.
    assert similarity.score(*pair, measure) == pytest.approx(GOLDEN[measure], abs=1e-10)


@pytest.mark.parametrize("measure", ROUGHER)
def test_score_of_the_fixture_to_fewer_digits(pair, measure):
    value, tolerance = ROUGHER[measure]
    assert similarity.score(*pair, measure) == pytest.approx(value, abs=tolerance)


def test_size_and_shape_of_the_fixture(pair):
    # What the reference gives is the square of the distance.
    assert similarity.score(*pair, "procrustes-size-and-shape") ** 2 == pytest.approx(437.2145113, abs=1e-6)


def test_distances_follow_their_definitions(pair):
    x, _ = pair
    differences = x[:, None] - x[None]
    norms = np.linalg.norm(x, axis=1)
    np.testing.assert_allclose(similarity.rdm(x, "euclidean"), (differences**2).mean(2), atol=1e-12)
    np.testing.assert_allclose(similarity.rdm(x, "correlation"), 1 - np.corrcoef(x), atol=1e-12)
    np.testing.assert_allclose(similarity.rdm(x, "cosine"), 1 - x @ x.T / np.outer(norms, norms), atol=1e-12)


def test_whitened_cosine_of_squared_distances_is_biased_cka(pair):
    rdms = np.concatenate([from_grams(Grams.of(z[None]), "euclidean") for z in pair])
    assert comparators.compare(*rdms, "whitened-cosine") == pytest.approx(
        similarity.score(*pair, "cka-kernel=linear-hsic=biased"), abs=1e-12
    )


def test_whitened_comparators_match_the_explicit_covariance(pair):
    n = len(pair[0])
    i, j = np.triu_indices(n, 1)
    contrasts = np.eye(n)[i] - np.eye(n)[j]
    covariance = (contrasts @ contrasts.T) ** 2
    a, b = (from_grams(Grams.of(z[None]), "correlation")[0] for z in pair)
    for comparator in ("whitened-cosine", "whitened-correlation"):
        u, v = (m[i, j] - (m[i, j].mean() if comparator == "whitened-correlation" else 0) for m in (a, b))
        products = [s @ np.linalg.solve(covariance, t) for s, t in ((u, v), (u, u), (v, v))]
        expected = products[0] / np.sqrt(products[1] * products[2])
        assert comparators.compare(a, b, comparator) == pytest.approx(expected, abs=1e-10)


def test_song_estimate_equals_the_feature_space_formula(pair):
    # Song's HSIC from cross-covariances (column-centred features), with no kernel matrix at all.
    def hsic(u, v):
        n = len(u)
        u, v = u - u.mean(0), v - v.mean(0)
        su, sv = (u**2).sum(1), (v**2).sum(1)
        joint = np.linalg.norm(v.T @ u) ** 2 - n / (n - 2) * su @ sv + su.sum() * sv.sum() / ((n - 1) * (n - 2))
        return joint / (n * (n - 3))

    x, y = pair
    expected = hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))
    assert similarity.score(x, y, "cka-kernel=linear-hsic=song") == pytest.approx(expected, abs=1e-12)
