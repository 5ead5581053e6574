"""Classifiers in few coordinates are those of all units, and sub-populations are those that were asked for."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.svm import SVC

from neurocompare.prediction import categorical_decoders as decoders
from neurocompare.prediction import populations


def trials(rng, n=60, p=90, classes=3):
    labels = rng.permutation(np.arange(n) % classes)
    return rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((classes, p))[labels], labels


@pytest.mark.parametrize("name", decoders.CLASSIFIERS)
@pytest.mark.parametrize("classes", [2, 3])
def test_few_coordinates_are_as_good_as_all_units(name, classes):
    rng = np.random.default_rng(0)
    values, labels = trials(rng, classes=classes)
    train, test, seen = values[:40], values[40:], labels[:40]
    few = decoders.coordinates(train @ train.T, test @ train.T)
    assert few[0].shape == (40, 40)
    weights, bias = decoders.CLASSIFIERS[name](few[0], seen, 90, 90.0)
    whole, its_bias = decoders.CLASSIFIERS[name](train, seen, 90, 90.0)
    found = few[1] @ weights + bias
    np.testing.assert_allclose(found, test @ whole + its_bias, atol=2e-3 * np.abs(found).max())
    by_units, other_bias = decoders.unit_weights(train, seen, decoders.CLASSIFIERS[name], 90.0)
    np.testing.assert_allclose(test @ by_units + other_bias, found, atol=1e-6 * np.abs(found).max())


def test_classifiers_are_those_of_sklearn():
    rng = np.random.default_rng(1)
    values, labels = trials(rng, n=200, p=12)
    train, test, seen = values[:120], values[120:], labels[:120]
    gram = ((train - train.mean(0)) ** 2).sum() / 120
    binary = SVC(kernel="linear", C=0.2)
    theirs = {
        "nearest-mean": NearestCentroid().fit(train, seen).predict(test),
        "ridge": RidgeClassifier(alpha=gram).fit(train, seen).predict(test),
        "logistic": LogisticRegression(C=0.2).fit(train, seen).predict(test),
        "svm": np.argmax([binary.fit(train, seen == c).decision_function(test) for c in range(3)], axis=0),
    }
    for name, expected in theirs.items():
        found = decoders.predict(train, seen, test, decoders.CLASSIFIERS[name], 12, 5.0)
        assert (found == expected).mean() > 0.98, name
    shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(train, seen).predict(test)
    weights, bias = decoders.lda(train, seen, 12, 1.0, shrink=0.3)
    assert ((test @ weights + bias).argmax(1) == shrunk).mean() > 0.97


@pytest.mark.parametrize("rooted", [False, True])
def test_a_sweep_is_what_refitting_every_population_gives(rooted):
    rng = np.random.default_rng(2)
    values, labels = trials(rng, n=48, p=100)
    values = np.abs(values) if rooted else values
    fold, sizes = np.arange(48) % 4, [5, 36, 60, 100]
    orders = rng.permuted(np.tile(np.arange(100), (3, 1)), axis=1)
    names = ("lda", "ridge", "nearest-mean", "svm")
    found = populations.sweep(
        values, labels[None], fold, orders, sizes, [decoders.CLASSIFIERS[n] for n in names], rooted=rooted
    )
    assert found.shape == (1, 4, 4, 3, 48)
    for c, name in enumerate(names):
        for s, size in enumerate(sizes):
            for r, order in enumerate(orders):
                expected = np.empty(48, dtype=int)
                for k in range(4):
                    train, test = fold != k, fold == k
                    some = decoders.scaled(values[:, order[:size]], train, rooted)
                    penalty = 1.0 if rooted else size
                    expected[test] = decoders.predict(
                        some[train], labels[train], some[test], decoders.CLASSIFIERS[name], size, penalty
                    )
                assert (found[0, c, s, r] == expected).all(), (name, size)


def test_fewer_trials_are_learned_from_and_scale_the_units():
    rng = np.random.default_rng(3)
    values, labels = trials(rng, n=80, p=10, classes=2)
    # The scale of what is not drawn must not matter; trials of fold 0 are far away.
    values[::4] *= 1e3
    fold = np.arange(80) % 4
    given = {"classifiers": [decoders.nearest_mean], "resamples": 2, "rooted": False}
    found, counts = populations.fewer_trials(
        values, labels[None], fold, shares=[0.2, 1.0], rng=np.random.default_rng(0), **given
    )
    assert counts.tolist() == [12, 60] and found.shape == (1, 1, 2, 2, 80)
    assert (found[0, 0, 1, 0] == found[0, 0, 1, 1]).all() and (found[0, 0, 0, 0] != found[0, 0, 0, 1]).any()
    values[fold == 0] += 1e6
    again, _ = populations.fewer_trials(
        values, labels[None], fold, shares=[0.2, 1.0], rng=np.random.default_rng(0), **given
    )
    train = fold != 0
    some = decoders.scaled(values, np.flatnonzero(train), False)
    expected = decoders.predict(some[train], labels[train], some[~train], decoders.nearest_mean, 10, 1.0)
    assert (again[0, 0, 1, 0][~train] == expected).all()


@pytest.mark.parametrize("name", decoders.CLASSIFIERS)
def test_shuffled_labels_are_told_at_chance(name):
    rng = np.random.default_rng(4)
    values, labels = trials(rng, n=80, p=20, classes=2)
    shuffled = np.array([rng.permutation(labels) for _ in range(12)])
    orders = np.arange(20)[None]
    found = populations.sweep(
        values, shuffled, np.arange(80) % 4, orders, [10, 20], [decoders.CLASSIFIERS[name]], rooted=False
    )
    accuracy = (found == shuffled[:, None, None, None]).mean((0, 1, 3, 4))
    np.testing.assert_allclose(accuracy, 0.5, atol=0.07)


def test_accuracy_grows_with_units_as_for_independent_gaussians():
    """Of N units with d' 0.4 each, d' is 0.4 √N."""
    rng = np.random.default_rng(5)
    labels = np.arange(1600) % 2
    values = rng.standard_normal((1600, 16)) + 0.4 * labels[:, None]
    orders = rng.permuted(np.tile(np.arange(16), (4, 1)), axis=1)
    sizes = [1, 4, 16]
    found = populations.sweep(values, labels[None], np.arange(1600) // 400, orders, sizes, [decoders.lda], rooted=False)
    expected = norm.cdf(0.4 * np.sqrt(sizes) / 2)
    np.testing.assert_allclose((found[0, 0] == labels).mean((1, 2)), expected, atol=0.025)
