"""Partial pooling of animals against its known posterior and against simulation."""

import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.inference import shrinkage


def test_the_posterior_is_that_of_the_eight_schools():
    # Rubin 1981; Gelman et al. 2013, table 5.3 and section 5.5: from 200 simulated draws, so to a point or two.
    effects, errors = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
    found = shrinkage.partial_pooling(effects, errors)
    assert found.mean == pytest.approx(8, abs=1)
    np.testing.assert_allclose(found.values[[0, 2, 4]], [11, 6, 5], atol=1.5)
    np.testing.assert_allclose([found.lows[0], found.highs[0]], [-2, 31], atol=2.5)


def test_the_posterior_is_that_of_sampling():
    rng = np.random.default_rng(0)
    y, errors = np.array([0.2, 0.5, 0.4, 0.9]), np.array([0.1, 0.2, 0.1, 0.15])
    found = shrinkage.partial_pooling(y, errors)
    # Gibbs sampling of τ², with the flat prior on τ; then of μ and θ.
    between, theta = 0.04, y.copy()
    kept = []
    for _ in range(20_000):
        mean = theta.mean() + np.sqrt(between / 4) * rng.standard_normal()
        between = ((theta - mean) ** 2).sum() / rng.chisquare(3)
        precision = 1 / errors**2 + 1 / between
        theta = (y / errors**2 + mean / between) / precision + rng.standard_normal(4) / np.sqrt(precision)
        kept.append([mean, *theta, np.sqrt(between)])
    kept = np.array(kept[500:])
    np.testing.assert_allclose(kept[:, 1:5].mean(0), found.values, atol=0.01)
    assert np.median(kept[:, 5]) == pytest.approx(found.between, rel=0.06)
    np.testing.assert_allclose(np.quantile(kept[:, 1:5], 0.025, axis=0), found.lows, atol=0.02)
    np.testing.assert_allclose(np.quantile(kept[:, 0], [0.1, 0.9]), _range(y, errors, 0.8), atol=0.03)


def _range(y, errors, level):
    found = shrinkage.partial_pooling(y, errors, level)
    return [found.low, found.high]


def test_the_population_and_its_animals_are_covered():
    rng = np.random.default_rng(1)
    mean, animal, error = [], [], []
    for _ in range(150):
        errors = rng.uniform(0.1, 0.3, 6)
        truth = 0.5 + 0.2 * rng.standard_normal(6)
        values = truth + errors * rng.standard_normal(6)
        found = shrinkage.partial_pooling(values, errors)
        mean.append(found.low <= 0.5 <= found.high)
        animal.append(np.mean((found.lows <= truth) & (truth <= found.highs)))
        error.append([np.mean((found.values - truth) ** 2), np.mean((values - truth) ** 2)])
    assert 0.92 < np.mean(mean) <= 1
    assert 0.91 < np.mean(animal) < 0.985
    pooled, single = np.mean(error, axis=0)
    assert pooled < 0.9 * single


def test_animals_that_are_known_exactly_stay_and_those_that_are_not_give_way():
    y = np.array([0.1, 0.4, 0.8, 0.5])
    sure = shrinkage.partial_pooling(y, np.full(4, 1e-4))
    np.testing.assert_allclose(sure.values, y, atol=1e-5)
    unsure = shrinkage.partial_pooling(y, np.array([1e-4, 1e-4, 1e-4, 100.0]))
    assert unsure.values[3] == pytest.approx(unsure.mean, abs=1e-2)


@pytest.mark.parametrize(
    ("values", "errors", "said"),
    [
        ([0.5, 0.4], [0.1, 0.1], "one of each for at least 3 animals"),
        ([0.5, 0.4, 0.3], [0.1, 0.0, 0.1], "standard errors positive"),
        ([0.5, np.nan, 0.3], [0.1, 0.1, 0.1], "scores have to be finite"),
    ],
)
def test_what_cannot_be_pooled_is_refused(values, errors, said):
    with pytest.raises(UserError, match=f"^partial pooling: .*{said}"):
        shrinkage.partial_pooling(values, errors)
