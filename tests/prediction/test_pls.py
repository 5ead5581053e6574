"""Partial least squares: nested choice of components, the preset of Brain-Score, and what either refuses."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.prediction import pls
from neurocompare.prediction.held_out import centred, factor
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target

NESTED, LEGACY = pls.MEASURES


def planted(seed, n=80, features=40, units=8, dimensions=3, noise=1.0):
    """Return features, and neurons that see their leading dimensions."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, dimensions))
    x = 2 * shared @ rng.standard_normal((dimensions, features)) + rng.standard_normal((n, features)) + 1
    return x, shared @ rng.standard_normal((dimensions, units)) + noise * rng.standard_normal((n, units)) + 3


def test_the_gram_matrix_is_enough():
    # Only without scaling: predictions from the principal components of a Gram matrix are those from raw features.
    x, y = planted(0, features=200)
    train, test = np.arange(60), np.arange(60, 80)
    targets = y[train] - y[train].mean(0)
    features, other = factor(*centred(x @ x.T, train, test))
    path = list(pls.components(features, targets @ targets.T, other, 12))
    for k in (1, 4, 12):
        found = sum(np.outer(of_test, score @ targets) for score, of_test in path[:k])
        model = PLSRegression(k, scale=False, tol=1e-20, max_iter=100_000).fit(x[train], y[train])
        np.testing.assert_allclose(found, model.predict(x[test]) - y[train].mean(0), atol=1e-6)


def test_many_dimensions_are_handled_alike(monkeypatch):
    x, y = planted(1)
    x, y = x - x.mean(0), y - y.mean(0)
    dense = list(pls.components(x, y @ y.T, x[:5], 6))
    monkeypatch.setattr(pls, "_DENSE", 0)
    for (score, of_test), (a, b) in zip(dense, pls.components(x, y @ y.T, x[:5], 6), strict=True):
        np.testing.assert_allclose(np.outer(of_test, score), np.outer(b, a), atol=1e-8)


def test_the_number_of_components_is_that_of_the_least_inner_error():
    x, y = planted(2, noise=2.0)
    errors = np.zeros(20)
    for held in np.array_split(np.arange(80), pls.INNER_FOLDS):
        train = np.setdiff1d(np.arange(80), held)
        for k in range(20):
            model = PLSRegression(k + 1, scale=False, tol=1e-20, max_iter=100_000).fit(x[train], y[train])
            errors[k] += np.sum((model.predict(x[held]) - y[held]) ** 2)
    assert pls.n_components(x @ x.T, y @ y.T) == errors.argmin() + 1


def test_more_of_the_signal_takes_more_components_and_noise_takes_few():
    found = [pls.n_components(*(z @ z.T for z in planted(3, dimensions=d, noise=0.3))) for d in (1, 3, 8)]
    assert found == sorted(found)
    assert found[0] <= 2 < found[2]
    rng = np.random.default_rng(3)
    assert pls.n_components(*(z @ z.T for z in rng.standard_normal((2, 60, 30)))) <= 3
    # No more than there are dimensions.
    x, y = planted(4, features=2, dimensions=2, noise=0.01)
    assert pls.n_components(x @ x.T, y @ y.T) == 2


def test_planted_signal_is_recovered_and_improves_with_signal():
    scores = [similarity.score(*planted(5, noise=noise), NESTED) for noise in (0.1, 1, 3, 10)]
    assert scores[0] > 0.97
    assert scores == sorted(scores, reverse=True)


def legacy(x, y, columns=slice(None)):
    """The preset written out on features."""
    medians = []
    for train, test in ShuffleSplit(n_splits=10, train_size=0.9, random_state=1).split(x):
        model = PLSRegression(25, scale=False, tol=1e-20, max_iter=100_000).fit(x[train], y[train])
        predicted = model.predict(x[test])
        r = [np.corrcoef(predicted[:, k], y[test, k])[0, 1] for k in range(y.shape[1])]
        medians.append(np.median(r))
    return np.mean(medians)


def test_the_preset_of_brain_score_is_written_out():
    x, y = planted(6, n=60, features=70)
    assert similarity.score(x, y, LEGACY) == pytest.approx(legacy(x, y), abs=1e-6)


def test_twenty_five_components_overfit_what_a_nested_choice_does_not():
    # P14: with 54 training stimuli.
    x, y = planted(7, n=60, features=70, noise=1.5)
    assert similarity.score(x, y, NESTED) > similarity.score(x, y, LEGACY) + 0.1


@pytest.mark.parametrize(
    ("n", "features", "message"),
    [
        (
            60,
            20,
            "25 components need as many dimensions, and the features have 20 over the training stimuli; use pls",
        ),
        (27, 60, "needs at least 30 stimuli, got 27"),
    ],
)
def test_too_little_for_twenty_five_components_is_refused_in_one_line(n, features, message):
    x, y = planted(8, n=n, features=features)
    with pytest.raises(UserError, match=message) as error:
        similarity.score(x, y, LEGACY)
    assert "\n" not in str(error.value)


def evaluated(x, y, identifier, **sizes):
    plan = resampling.plan("a", len(x), "stimulus", **({"bootstraps": 3, "permutations": 4, "partitions": 1} | sizes))
    animals = y if isinstance(y, tuple) else (y,)
    target = Target(tuple("abc"[: len(animals)]), grams=Grams.of(animals))
    return similarity.load(identifier).evaluate(target, Grams.of([x]), plan), plan


@pytest.mark.parametrize("identifier", [NESTED, LEGACY])
def test_animals_are_fitted_by_themselves(identifier):
    # The components of one animal must not depend on who else was recorded.
    x, y = planted(9, n=60, features=30)
    pair = (y, 100 * planted(10, n=60, units=5)[1])
    both, plan = evaluated(x, pair, identifier)
    for k, responses in enumerate(pair):
        one, _ = evaluated(x, responses, identifier)
        for field in ("value", "null", "draws"):
            np.testing.assert_allclose(getattr(both, field)[..., k, :], getattr(one, field)[..., 0, :], atol=1e-9)
        assert both.value[k, 0] == pytest.approx(similarity.score(x, responses, identifier), abs=1e-9)
    shuffled = y[plan.permutations[2]]
    assert both.null[2, 0, 0] == pytest.approx(similarity.score(x, shuffled, identifier), abs=1e-9)


@pytest.mark.parametrize("identifier", [NESTED, LEGACY])
def test_shuffled_stimuli_score_like_their_null(identifier):
    gaps = []
    for seed in range(6):
        x, y = planted(seed, n=56, features=30)
        order = np.random.default_rng(seed).permutation(56)
        found, _ = evaluated(x, y[order], identifier, bootstraps=0, partitions=0)
        gaps.append(found.value[0, 0] - found.null[:, 0, 0].mean())
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(6)
    found, _ = evaluated(*planted(6, n=56, noise=0.5), identifier, bootstraps=0, partitions=0)
    assert resampling.p_value(found.value, found.null)[0, 0] == pytest.approx(1 / 5)


def test_halves_too_small_for_the_preset_have_no_score_and_the_whole_has_one():
    x, y = planted(11, n=50)
    found, _ = evaluated(x, y, LEGACY)
    assert np.isfinite(found.value).all()
    # Halves are fitted anew, so a layer can be chosen on one and scored on the other.
    assert found.choosers is None
    assert np.isnan(found.halves[0][0]).all()


@pytest.mark.parametrize(
    "identifier",
    [
        "pls",
        "pls-components=3-folds=brainscore",
        "pls-components=25-folds=5",
        "pls-components=nested",
        "pls-components=nested-folds=21",
    ],
)
def test_other_ids_are_refused_in_one_line(identifier):
    with pytest.raises(UserError, match=f"^measure '{identifier}': .*pls-components=nested-folds=5") as error:
        similarity.load(identifier)
    assert "\n" not in str(error.value)
