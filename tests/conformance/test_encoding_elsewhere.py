"""Encoding models against scikit-learn and himalaya."""

import warnings

import numpy as np
import pytest
from oracles import pair

from neurocompare import similarity
from neurocompare.prediction import encoding, ridge


def data(seed, n=60, p=30, q=8):
    x, y = pair(seed, n=n, p=p, q=q)
    return x, y


def test_held_out_predictions_equal_scikit_learn_fold_by_fold():
    from sklearn.linear_model import Ridge
    from sklearn.metrics import mean_squared_error
    from sklearn.model_selection import KFold

    x, y = data(1)
    n, folds = len(x), 5
    predicted = similarity.load(f"ridge-folds={folds}").predict(x @ x.T, y).change
    order = np.random.default_rng([encoding._SEED, n, folds]).permutation(n)
    for test in np.array_split(order, folds):
        train = order[~np.isin(order, test)]
        mean = x[train].mean(0)
        a, b = x[train] - mean, y[train] - y[train].mean(0)
        a_test = x[test] - mean
        scale = np.sum(a**2) / len(train)
        penalties = scale * ridge.ALPHAS
        scores = np.zeros((len(penalties), y.shape[1]))
        for inner, held in KFold(encoding.INNER_FOLDS).split(a):
            for k, penalty in enumerate(penalties):
                fit = Ridge(alpha=penalty, fit_intercept=False).fit(a[inner], b[inner])
                scores[k] -= mean_squared_error(b[held], fit.predict(a[held]), multioutput="raw_values")
        best = penalties[scores.argmax(0)]
        expected = Ridge(alpha=best, fit_intercept=False).fit(a, b).predict(a_test)
        np.testing.assert_allclose(predicted[test], expected, atol=1e-8)


def test_score_equals_himalaya_for_primal_features():
    from himalaya.ridge import RidgeCV

    x, y = data(2)
    predicted = similarity.load("ridge-folds=5").predict(x @ x.T, y).change
    order = np.random.default_rng([encoding._SEED, len(x), 5]).permutation(len(x))
    test = np.array_split(order, 5)[0]
    train = order[~np.isin(order, test)]
    a = x[train] - x[train].mean(0)
    scale = np.sum(a**2) / len(train)
    model = RidgeCV(alphas=scale * ridge.ALPHAS, cv=encoding.INNER_FOLDS, fit_intercept=False)
    centred = y[train] - y[train].mean(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="himalaya")
        model.fit(a, centred / centred.std(0))
    np.testing.assert_allclose(predicted[test], model.predict(x[test] - x[train].mean(0)) * centred.std(0), atol=1e-8)


def test_score_is_the_median_correlation_of_scipy():
    from scipy.stats import pearsonr

    x, y = data(3)
    predicted = similarity.load("ridge-folds=10").predict(x @ x.T, y).change
    expected = np.median([pearsonr(a, b).statistic for a, b in zip(predicted.T, y.T, strict=True)])
    assert similarity.score(x, y, "ridge-folds=10") == pytest.approx(expected, abs=1e-10)
