"""PLS, Poisson regression, reduced-rank regression and the reverse mapping against scikit-learn and statsmodels."""

import warnings

import numpy as np
import pytest
from oracles import oracle, pair
from scipy.stats import pearsonr

from neurocompare import similarity
from neurocompare.prediction import pls, poisson, reducedrank


def factored(x, test):
    """Principal components of training features, and of test features on the same axes."""
    mean = x.mean(0)
    u, s, v = np.linalg.svd(x - mean, full_matrices=False)
    kept = s > 1e-9 * s[0]
    return u[:, kept] * s[kept], (test - mean) @ v[kept].T


@pytest.mark.parametrize(("p", "q"), [(30, 8), (200, 8), (12, 1)])
def test_one_path_of_components_gives_the_predictions_of_separate_pls_regressions(p, q):
    from sklearn.cross_decomposition import PLSRegression

    x, y = pair(4, n=70, p=p, q=q)
    train, test = np.arange(50), np.arange(50, 70)
    targets = y[train] - y[train].mean(0)
    features, of_test = factored(x[train], x[test])
    predicted = np.zeros((20, q))
    for k, (score, other) in enumerate(pls.components(features, targets @ targets.T, of_test, 8), 1):
        predicted += np.outer(other, score @ targets)
        # Its power method is stopped early by default.
        model = PLSRegression(k, scale=False, tol=1e-20, max_iter=100_000).fit(x[train], y[train])
        np.testing.assert_allclose(predicted, model.predict(x[test]) - y[train].mean(0), atol=1e-6)
    assert k == 8


def test_the_brain_score_preset_is_that_of_scikit_learn():
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.model_selection import ShuffleSplit

    x, y = pair(5, n=80, p=60, q=6)
    medians = []
    for train, test in ShuffleSplit(n_splits=10, train_size=0.9, random_state=1).split(x):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="sklearn")
            predicted = PLSRegression(25, scale=False).fit(x[train], y[train]).predict(x[test])
        medians.append(np.median([pearsonr(a, b).statistic for a, b in zip(predicted.T, y[test].T, strict=True)]))
    assert similarity.score(x, y, "pls-components=25-folds=brainscore") == pytest.approx(np.mean(medians), abs=1e-3)


def counts(seed, n=60, p=6, q=4, rate=5.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    x -= x.mean(0)
    return x, rng.poisson(rate * np.exp(0.5 * x @ rng.standard_normal((p, q)) / np.sqrt(p))).astype(float)


@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 1.0])
def test_poisson_weights_are_those_of_scikit_learn(penalty):
    from sklearn.linear_model import PoissonRegressor

    x, y = counts(6)
    features, _ = factored(x, x)
    rotation = np.linalg.lstsq(x, features, rcond=None)[0]
    found = rotation @ poisson.fit(features, y, penalty)
    for unit, target in enumerate(y.T):
        model = PoissonRegressor(alpha=penalty * target.mean(), solver="newton-cholesky", tol=1e-12, max_iter=1000)
        model.fit(x, target)
        np.testing.assert_allclose(found[:, unit], model.coef_, atol=1e-5)
        rates = poisson.expected(features, features, y[:, [unit]], np.linalg.solve(rotation, found[:, [unit]]))
        np.testing.assert_allclose(rates[:, 0], model.predict(x), rtol=1e-5)


def test_unpenalised_poisson_rates_and_deviance_are_those_of_statsmodels():
    oracle("statsmodels")
    import statsmodels.api as sm

    x, y = counts(7)
    features, _ = factored(x, x)
    rates = poisson.expected(features, features, y, poisson.fit(features, y, 0.0))
    for unit, target in enumerate(y.T):
        model = sm.GLM(target, sm.add_constant(x), family=sm.families.Poisson()).fit(tol=1e-12, maxiter=200)
        np.testing.assert_allclose(rates[:, unit], model.fittedvalues, rtol=1e-5)
        assert poisson.deviance(target, rates[:, unit]).sum() == pytest.approx(model.deviance, rel=1e-6)


def test_maps_of_reduced_rank_are_projected_ridge_regressions_of_features():
    from sklearn.linear_model import Ridge

    x, y = pair(8, n=50, p=20, q=9)
    train, test = np.arange(40), np.arange(40, 50)
    a, b, other = x[train] - x[train].mean(0), y[train] - y[train].mean(0), x[test] - x[train].mean(0)
    alphas = np.array([1e-10, 0.1, 3.0])
    for alpha, (scores, read_out, size) in zip(
        alphas, reducedrank.maps(a @ a.T, other @ a.T, b @ b.T, alphas), strict=True
    ):
        penalty = alpha * np.mean((a**2).sum(1))
        weights = Ridge(penalty, fit_intercept=False).fit(a, b).coef_.T
        # Written out with the penalty as further rows of data.
        fitted = np.vstack([a, np.sqrt(penalty) * np.eye(20)]) @ weights
        _, s, directions = np.linalg.svd(fitted, full_matrices=False)
        np.testing.assert_allclose(size, s**2, rtol=1e-6)
        for rank in (1, 3, 9):
            expected = other @ weights @ directions[:rank].T @ directions[:rank]
            np.testing.assert_allclose(scores[:, :rank] @ read_out[:rank] @ b, expected, atol=1e-7)
