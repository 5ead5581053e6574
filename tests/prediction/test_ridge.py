"""Ridge encoding against an independent computation, and what must not leak into held-out predictions."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from neurocompare import similarity
from neurocompare.inference import resampling
from neurocompare.prediction import encoding, ridge
from neurocompare.prediction.unit_scores import pearson
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target
from neurocompare.similarity.trials import Trials

FIVE = similarity.load("ridge-folds=5")


def predict(gram, y, folds):
    return similarity.load(f"ridge-folds={folds}").predict(gram, y).change


def planted(seed, n=60, features=12, units=7, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features)) * np.geomspace(1, 0.1, features) + rng.standard_normal(features)
    return x, x @ rng.standard_normal((features, units)) + noise * rng.standard_normal((n, units)) + 3


def explicit(x, y, folds):
    """Nested cross-validation written out on features, with scikit-learn models for every fold and penalty."""
    order = np.random.default_rng([encoding._SEED, len(x), folds]).permutation(len(x))
    predictions = np.empty_like(y)
    for test in np.array_split(order, folds):
        train = np.array([k for k in order if k not in test])
        centred, targets = x[train] - x[train].mean(0), y[train] - y[train].mean(0)
        alphas = ridge.ALPHAS * (centred**2).sum(1).mean()
        inner = np.array_split(np.arange(len(train)), encoding.INNER_FOLDS)
        errors = np.zeros((len(alphas), y.shape[1]))
        for held_out in inner:
            rest = np.setdiff1d(np.arange(len(train)), held_out)
            for k, alpha in enumerate(alphas):
                model = Ridge(alpha, fit_intercept=False).fit(centred[rest], targets[rest])
                errors[k] += np.mean((model.predict(centred[held_out]) - targets[held_out]) ** 2, axis=0)
        for unit, best in enumerate(alphas[errors.argmin(0)]):
            model = Ridge(best, fit_intercept=False).fit(centred, targets[:, unit])
            predictions[test, unit] = model.predict(x[test] - x[train].mean(0))
    return predictions


@pytest.mark.parametrize(("n", "features", "folds"), [(40, 12, 5), (40, 100, 5), (33, 8, 10)])
def test_predictions_match_nested_cross_validation_on_features(n, features, folds):
    x, y = planted(0, n=n, features=features, units=4)
    expected = explicit(x, y, folds)
    found = predict(x @ x.T, y, folds)
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max())
    r = [stats.pearsonr(expected[:, k], y[:, k]).statistic for k in range(4)]
    assert similarity.score(x, y, f"ridge-folds={folds}") == pytest.approx(np.median(r), abs=1e-8)


def test_a_fold_says_nothing_of_its_own_responses():
    # Whatever the responses to left-out stimuli are, their predictions stay.
    x, y = planted(1)
    order = np.random.default_rng([encoding._SEED, 60, 5]).permutation(60)
    test = np.array_split(order, 5)[2]
    spoilt = y.copy()
    spoilt[test] = 1e3 * np.random.default_rng(0).standard_normal((len(test), y.shape[1]))
    before, after = predict(x @ x.T, y, 5), predict(x @ x.T, spoilt, 5)
    np.testing.assert_allclose(after[test], before[test], atol=1e-12)
    assert np.abs(np.delete(after - before, test, axis=0)).max() > 1


def test_planted_signal_is_recovered_and_improves_with_signal():
    scores = [similarity.score(*planted(2, n=150, noise=noise), "ridge-folds=5") for noise in (0.01, 1, 3, 10)]
    assert scores[0] > 0.999
    assert scores == sorted(scores, reverse=True)
    # With 150 stimuli and 12 features what is lost to fitting is little: r is that of the signal itself.
    x, y = planted(2, n=150, noise=1.0)
    _, clean = planted(2, n=150, noise=0.0)
    possible = np.median([stats.pearsonr(clean[:, k], y[:, k]).statistic for k in range(y.shape[1])])
    assert possible - 0.06 < scores[1] < possible + 0.01


def evaluated(x, y, **sizes):
    """Evaluate features against mean responses (stimulus, unit), or trials (repeat, stimulus, unit)."""
    sizes = {"bootstraps": 40, "permutations": 30, "partitions": 4} | sizes
    plan = resampling.plan("a", len(x), "stimulus", **sizes)
    grams = Grams.of([y]) if y.ndim == 2 else Grams.of_trials([Trials.of_repeats(y)])
    return FIVE.evaluate(Target(("a",), grams=grams), Grams.of([x]), plan)


def test_noise_scores_like_its_null():
    # Not zero: a pooled correlation of cross-validated predictions of nothing is negative, for both alike.
    p_values, gaps = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found = evaluated(*rng.standard_normal((2, 40, 8)), bootstraps=0, permutations=39, partitions=0)
        gaps.append(found.value[0, 0] - found.null[:, 0, 0].mean())
        p_values.append(resampling.p_value(found.value, found.null)[0, 0])
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(len(gaps))
    assert 0.25 < np.mean(p_values) < 0.75


def test_shuffles_are_refitted():
    # Predictions that were only reordered would know the responses that they are compared with.
    x, y = planted(3, n=40, noise=0.1)
    found = evaluated(x, y, bootstraps=0, partitions=0)
    assert found.value[0, 0] > 0.9
    assert found.null.max() < 0.5
    order = resampling.plan("a", 40, "stimulus", permutations=30).permutations[5]
    # All units take part in the null as there are few; the folds stay, the responses move.
    assert found.null[5, 0, 0] == pytest.approx(similarity.score(x, y[order], "ridge-folds=5"), abs=1e-10)


def test_resamples_weight_the_stimuli_of_held_out_predictions():
    x, y = planted(4, n=40)
    found = evaluated(x, y, permutations=0)
    plan = resampling.plan("a", 40, "stimulus", bootstraps=40, permutations=0, partitions=4)
    sample = np.repeat(np.arange(40), plan.weights[7].astype(int))
    predictions = predict(x @ x.T, y, 5)[sample]
    r = [stats.pearsonr(predictions[:, k], y[sample, k]).statistic for k in range(y.shape[1])]
    assert found.draws[7, 0, 0] == pytest.approx(np.median(r), abs=1e-10)
    inside = np.flatnonzero(plan.partitions[1])
    on_half = pearson(predict(x @ x.T, y, 5)[inside], y[inside])
    assert found.halves[1][0][0, 0] == pytest.approx(np.median(on_half), abs=1e-10)
    alone = pearson(predict((x @ x.T)[np.ix_(inside, inside)], y[inside], 5), y[inside])
    assert found.choosers[1][0][0, 0] == pytest.approx(np.median(alone), abs=1e-10)


def test_choice_on_one_half_knows_nothing_of_the_other():
    # With predictions from all folds it would: of 20 layers of noise the chosen one then gained a third
    # of what the best of them has by chance.
    x, y = planted(5, n=40)
    plan = resampling.plan("a", 40, "stimulus", bootstraps=40, permutations=0, partitions=4)
    spoilt = y.copy()
    spoilt[~plan.partitions[0]] = np.random.default_rng(0).standard_normal((20, y.shape[1]))
    before, after = evaluated(x, y, permutations=0), evaluated(x, spoilt, permutations=0)
    np.testing.assert_allclose(after.choosers[0][0], before.choosers[0][0], atol=1e-12)
    assert abs(after.halves[0][0][0] - before.halves[0][0][0]) > 1e-3


def test_units_that_do_not_vary_are_left_out_and_counted():
    x, y = planted(6, n=40)
    expected = similarity.score(x, y, "ridge-folds=5")
    silent = np.column_stack([y, np.zeros(40), np.full(40, 0.1), np.full(40, 1e7 / 3)])
    r = pearson(predict(x @ x.T, silent, 5), silent)
    assert np.isnan(r[-3:]).all()
    assert np.isfinite(r[:-3]).all()
    found = evaluated(x, silent)
    assert found.value[0, 0] == pytest.approx(expected, abs=1e-10)
    assert found.undefined_units.tolist() == [[3]]
    assert evaluated(x, y, bootstraps=0, permutations=0, partitions=0).undefined_units.tolist() == [[0]]


def test_a_unit_that_responds_once_is_constant_in_a_training_fold():
    x, y = planted(7, n=40)
    y[:, 0] = 0.1
    y[3, 0] = 5.0
    predictions = predict(x @ x.T, y, 5)
    assert np.isfinite(predictions).all()
    assert abs(predictions[3, 0]) < 1e-12
    assert np.isfinite(pearson(predictions, y)[0])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e7 / 3])
def test_features_that_do_not_vary_predict_nothing(value):
    _, y = planted(8, n=40)
    found = evaluated(np.full((40, 300), value), y)
    assert np.isnan(found.value).all()
    assert found.undefined_units.tolist() == [[y.shape[1]]]
    assert np.isnan(found.null).all()
    assert np.isnan(resampling.p_value(found.value, found.null)).all()


def test_ceilings_are_correlations_between_halves_and_with_the_whole():
    rng = np.random.default_rng(9)
    signal = rng.standard_normal((100, 40))
    # Two repeats: signal variance 1, noise variance 2 in a half and 1 in the whole.
    repeats = signal + np.sqrt(2) * rng.standard_normal((2, 100, 40))
    found = evaluated(rng.standard_normal((100, 5)), repeats, bootstraps=0, permutations=0, partitions=0)
    assert found.ceilings[0].low == pytest.approx(1 / 3, abs=0.04)
    assert found.ceilings[0].high == pytest.approx(np.sqrt(2 / (1 + np.sqrt(2))), abs=0.03)
    assert np.isnan(evaluated(signal, signal, permutations=0, partitions=0).ceilings[0].low)


def test_animals_side_by_side_score_as_alone():
    x, y = planted(10, n=40)
    plan = resampling.plan("a", 40, "stimulus", bootstraps=10, permutations=5, partitions=2)
    # The second animal has fewer units.
    animals = (y, y[:, :-2] ** 2)
    both = FIVE.evaluate(Target(("a", "b"), grams=Grams.of(animals)), Grams.of([x]), plan)
    for t, responses in enumerate(animals):
        one = FIVE.evaluate(Target(("a",), grams=Grams.of([responses])), Grams.of([x]), plan)
        np.testing.assert_allclose(both.value[t], one.value[0], atol=1e-12)
        np.testing.assert_allclose(both.null[:, t], one.null[:, 0], atol=1e-12)
        np.testing.assert_allclose(both.choosers[1][0][t], one.choosers[1][0][0], atol=1e-12)


@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_the_penalty_is_that_of_the_noise(penalty):
    # Weights of variance 1 and noise of variance s² are best told with the penalty s² (Bayes), s² / p of the norm.
    rng = np.random.default_rng(11)
    n, p, units = 200, 50, 60
    x = rng.standard_normal((n, p))
    y = x @ rng.standard_normal((p, units)) + np.sqrt(penalty * p) * rng.standard_normal((n, units))
    x, y = x - x.mean(0), y - y.mean(0)
    gram = x @ x.T
    _, chosen = ridge.solve(gram / (np.trace(gram) / n), y / y.std(0), np.logspace(-4, 4, 17), 5)
    assert np.median(np.log10(chosen)) == pytest.approx(np.log10(penalty), abs=0.5)
    assert np.mean(np.abs(np.log10(chosen) - np.log10(penalty)) < 1.1) > 0.9


def test_a_planted_map_is_found():
    x, y = planted(12, n=100, features=6, noise=1e-4)
    gram = (x - x.mean(0)) @ (x - x.mean(0)).T
    dual, _ = ridge.solve(gram, y - y.mean(0), np.array([1e-8]), 5)
    _, clean = planted(12, n=100, features=6, noise=0.0)
    planted_map = np.linalg.lstsq(x - x.mean(0), clean - clean.mean(0), rcond=None)[0]
    np.testing.assert_allclose((x - x.mean(0)).T @ dual, planted_map, atol=1e-3)


@pytest.mark.parametrize("features", [12, 90])
def test_the_kernel_form_is_the_primal_form(features):
    x, y = planted(13, features=features)
    train, test = np.arange(45), np.arange(45, 60)
    mean = x[train].mean(0)
    a, b = x[train] - mean, x[test] - mean
    for alpha in (1e-3, 1.0, 1e3):
        size = alpha * (a**2).sum() / 45
        primal = b @ np.linalg.solve(a.T @ a + size * np.eye(features), a.T @ (y[train] - y[train].mean(0)))
        found = ridge.predict(a @ a.T, b @ a.T, y[train], np.array([alpha]))
        np.testing.assert_allclose(found, primal, atol=1e-8)
