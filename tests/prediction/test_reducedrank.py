"""Reduced-rank regression: planted ranks are found, and with all ranks it is ridge regression."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.prediction import reducedrank


def planted(seed, rank, n=120, features=15, units=20, noise=1.0):
    """Return features, and neurons that see `rank` directions of them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features))
    signal = x @ rng.standard_normal((features, rank)) @ rng.standard_normal((rank, units)) / np.sqrt(rank)
    return x, signal + noise * rng.standard_normal((n, units))


def halves(x, y):
    """Centred training and test data, four fifths and one fifth."""
    train, test = np.arange(len(x)) < 0.8 * len(x), np.arange(len(x)) >= 0.8 * len(x)
    return x[train] - x[train].mean(0), y[train] - y[train].mean(0), x[test] - x[train].mean(0)


@pytest.mark.parametrize(("features", "units"), [(15, 20), (15, 4), (200, 20)])
def test_with_all_ranks_it_is_ridge_regression_and_without_penalty_least_squares(features, units):
    a, b, other = halves(*planted(0, 3, features=features, units=units))
    alphas = np.array([1e-12, 0.1, 10])
    for alpha, (test, train, _) in zip(alphas, reducedrank.maps(a @ a.T, other @ a.T, b @ b.T, alphas), strict=True):
        ridge = Ridge(alpha * np.mean((a**2).sum(1)), fit_intercept=False).fit(a, b)
        np.testing.assert_allclose(test @ train @ b, ridge.predict(other), atol=1e-5)
        if alpha < 1e-10 and features < len(a):
            least = LinearRegression(fit_intercept=False).fit(a, b)
            np.testing.assert_allclose(test @ train @ b, least.predict(other), atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_planted_rank_is_found(rank):
    found = []
    for seed in range(8):
        x, y = planted(seed, rank, noise=0.7)
        found.append(reducedrank.choose(x @ x.T, y @ y.T)[1])
    assert np.median(found) == rank
    assert max(found) <= rank + 1


def test_a_low_rank_is_an_advantage_where_there_is_one():
    low = [
        np.array([similarity.score(*planted(seed, 2, noise=3.0), f"{name}-folds=5") for seed in range(4)])
        for name in ("reducedrank", "ridge")
    ]
    assert np.mean(low[0] - low[1]) > 0.02
    clean = similarity.score(*planted(3, 2, noise=0.01), "reducedrank-folds=5")
    assert clean > 0.999


def test_shuffled_labels_score_at_chance():
    x, y = planted(5, 3, n=50, units=8)
    sizes = {"exchangeable": "stimulus", "bootstraps": 2, "permutations": 9, "partitions": 0}
    found = similarity.evaluate(x, y, "reducedrank-folds=5", **sizes)
    assert found["p_value"] == 1 / 10
    controls = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(50)
        controls.append(similarity.evaluate(x, y[order], "reducedrank-folds=5", **sizes))
    assert np.mean([control["p_value"] for control in controls]) > 0.25
    assert abs(np.mean([control["value"] - control["null_mean"] for control in controls])) < 0.15


def test_what_does_not_vary_does_no_harm():
    x, y = planted(6, 2, n=60)
    y[:, 3] = 7.0
    y[:, 4] = 0.0
    y[11, 4] = 1.0
    assert np.isfinite(similarity.score(x, y, "reducedrank-folds=5"))
    # One neuron that responds once: in most inner folds nothing is to be predicted.
    once = np.zeros((60, 1))
    once[11] = 1.0
    assert abs(similarity.score(x, once, "reducedrank-folds=5")) <= 1


@pytest.mark.parametrize("identifier", ["reducedrank", "reducedrank-rank=2-folds=5", "reducedrank-folds=99"])
def test_other_ids_are_refused_in_one_line(identifier):
    with pytest.raises(UserError, match=f"^measure '{identifier}': ") as error:
        similarity.load(identifier)
    assert "\n" not in str(error.value)
