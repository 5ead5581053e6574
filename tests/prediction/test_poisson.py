"""Poisson encoding: log-linear counts are recovered, penalties are chosen on what is held out, counts only."""

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.prediction import poisson


def counts(seed, n=80, features=8, units=6, rate=4.0, gain=1.0):
    """Return features, counts of neurons whose log rate is linear in them, and these rates."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features))
    rates = rate * np.exp(gain * x @ rng.standard_normal((features, units)) / np.sqrt(features))
    return x, rng.poisson(rates).astype(float), rates


def centred(x, train, test):
    return x[train] - x[train].mean(0), x[test] - x[train].mean(0)


@pytest.mark.parametrize("features", [8, 90])
def test_predictions_match_inner_folds_written_out_with_scikit_learn(features):
    x, y, _ = counts(0, n=60, features=features, units=3)
    train, test = np.arange(48), np.arange(48, 60)
    a, b = centred(x, train, test)
    expected = np.empty((12, 3))
    for unit in range(3):
        losses = np.zeros(len(poisson.ALPHAS))
        for held in np.array_split(train, poisson.INNER_FOLDS):
            rest = np.setdiff1d(train, held)
            inner, outer = centred(a, rest, held)
            for k, alpha in enumerate(poisson.ALPHAS):
                mean = model(alpha, inner, y[rest, unit]).predict(outer)
                losses[k] += poisson.deviance(y[held, unit], mean).sum()
        expected[:, unit] = model(poisson.ALPHAS[losses.argmin()], a, y[train, unit]).predict(b)
    found = poisson.predict(a @ a.T, b @ a.T, y[train])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def model(alpha, x, y):
    penalty = alpha * np.mean((x**2).sum(1)) * y.mean() / len(x)
    return PoissonRegressor(alpha=penalty, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(x, y)


def test_log_linear_rates_are_recovered_better_than_by_a_linear_map():
    x, y, rates = counts(1, n=300, rate=30.0, gain=1.5)
    train, test = np.arange(240), np.arange(240, 300)
    a, b = centred(x, train, test)
    found = poisson.predict(a @ a.T, b @ a.T, y[train])
    r = [np.corrcoef(found[:, k], rates[test, k])[0, 1] for k in range(y.shape[1])]
    assert np.min(r) > 0.99
    linear, log = (similarity.score(x, y, f"{name}-folds=5") for name in ("ridge", "poisson"))
    assert log > linear + 0.03


def test_the_unit_of_the_responses_does_not_matter():
    x, y, _ = counts(2)
    before = similarity.score(x, y, "poisson-folds=5")
    # Sums of ten repeats, or rates over 250 ms.
    assert similarity.score(x, 10 * y, "poisson-folds=5") == pytest.approx(before, abs=1e-7)
    assert similarity.score(x, y / 0.25, "poisson-folds=5") == pytest.approx(before, abs=1e-7)


def test_silent_and_constant_units_have_no_score_and_single_spikes_are_no_trouble():
    x, y, _ = counts(3)
    odd = np.zeros((80, 3))
    odd[:, 1], odd[5, 2] = 2.0, 1.0
    a = x - x.mean(0)
    found = poisson.predict(a @ a.T, a @ a.T, odd)
    np.testing.assert_allclose(found[:, 0], 0)
    np.testing.assert_allclose(found[:, 1], 2.0)
    assert np.isfinite(found).all()
    assert np.isfinite(similarity.score(x, np.hstack([y, odd]), "poisson-folds=5"))
    assert np.isnan(similarity.score(x, odd[:, :2], "poisson-folds=5"))


def test_shuffled_counts_score_at_chance():
    x, y, _ = counts(4, n=60)
    order = np.random.default_rng(4).permutation(60)
    sizes = {"bootstraps": 20, "permutations": 1000, "partitions": 0}
    found = similarity.evaluate(x, y, "poisson-folds=5", exchangeable="stimulus", **sizes)
    control = similarity.evaluate(x, y[order], "poisson-folds=5", exchangeable="stimulus", **sizes)
    # Of 39 shuffles none scores better: that is as small as p gets.
    assert found["p_value"] == pytest.approx(1 / 40)
    assert control["p_value"] > 0.05
    assert abs(control["value"]) < 0.3 < found["value"]


def test_values_that_are_no_counts_are_refused_in_one_line():
    x, y, _ = counts(5)
    start = "^measure 'poisson-folds=5' is for spike counts and rates, and "
    with pytest.raises(UserError, match=f"{start}there are negative responses; use ridge-folds=5$") as error:
        similarity.score(x, y - y.mean(0), "poisson-folds=5")
    assert "\n" not in str(error.value)
    measure = similarity.load("poisson-folds=5")
    measure.require_response("spike count")
    with pytest.raises(UserError, match=f"{start}the responses are dF/F; use ridge"):
        measure.require_response("dF/F")
    with pytest.raises(UserError, match="responses=sqrt makes other values of them; use ridge"):
        similarity.score(x, y, "poisson-folds=5-responses=sqrt")


def test_the_smallest_p_value_is_told():
    assert resampling.p_value(np.array(1.0), np.zeros(similarity.load("poisson-folds=5").permutations)) == 1 / 40
    assert "0.025" in poisson.__doc__
