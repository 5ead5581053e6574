"""Reverse mapping: against ridge regressions of scikit-learn, and what it says of layers with more dimensions."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.prediction import reverse
from neurocompare.prediction.encoding import ALPHAS, INNER_FOLDS
from neurocompare.prediction.folds import of_stimuli
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target
from neurocompare.similarity.trials import Trials

FIVE = similarity.load("reverse-folds=5")


def planted(seed, n=60, features=12, units=9, noise=0.5):
    """Return features, and neurons that are linear in them and noisy."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features)) * np.geomspace(1, 0.1, features) + rng.standard_normal(features)
    return x, x @ rng.standard_normal((features, units)) + noise * rng.standard_normal((n, units)) + 3


def folds(n, count, split="random"):
    return of_stimuli(n, count, split, reverse._SEED)


def explicit(features, responses, splits):
    """Nested cross-validation written out on features and responses."""
    wrong = total = 0
    for train, test in splits:
        losses = []
        for factor in ALPHAS:
            lost = 0
            for held in np.array_split(train, INNER_FOLDS):
                rest = np.array([k for k in train if k not in held])
                lost += errors(factor, features, responses, rest, held)
            losses.append(lost)
        wrong += errors(ALPHAS[int(np.argmin(losses))], features, responses, train, test)
        total += np.sum((features[test] - features[train].mean(0)) ** 2)
    return 1 - wrong / total


def errors(factor, features, responses, train, test):
    predictors = responses[train] - responses[train].mean(0)
    model = Ridge(factor * np.mean(np.sum(predictors**2, axis=1)), fit_intercept=False)
    model.fit(predictors, features[train] - features[train].mean(0))
    predicted = model.predict(responses[test] - responses[train].mean(0)) + features[train].mean(0)
    return np.sum((features[test] - predicted) ** 2)


@pytest.mark.parametrize(("features", "units"), [(12, 9), (100, 9), (12, 80)])
def test_the_score_matches_nested_cross_validation_on_features(features, units):
    x, y = planted(0, n=40, features=features, units=units)
    assert similarity.score(x, y, "reverse-folds=5") == pytest.approx(explicit(x, y, folds(40, 5)), abs=1e-8)
    consecutive = explicit(x, y, folds(40, 4, "consecutive"))
    assert similarity.score(x, y, "reverse-folds=4-split=consecutive") == pytest.approx(consecutive, abs=1e-8)


def test_what_neurons_do_not_have_lowers_the_score_and_not_the_encoding_score():
    # P15: the same features with thirty more dimensions that no neuron has.
    x, y = planted(1, n=150, noise=0.2)
    more = np.hstack([x, np.random.default_rng(1).standard_normal((150, 30))])
    encoding = [similarity.score(z, y, "ridge-folds=5") for z in (x, more)]
    back = [similarity.score(z, y, "reverse-folds=5") for z in (x, more)]
    assert encoding[0] - encoding[1] < 0.1
    assert back[0] > 0.7
    # At best their share of the variance.
    assert back[1] < x.var(0).sum() / more.var(0).sum()


def test_noise_free_neurons_tell_all_features_and_noise_in_them_lowers_the_score():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((100, 6))
    y = x @ rng.standard_normal((6, 20))
    scores = [similarity.score(x, y + s * rng.standard_normal(y.shape), "reverse-folds=5") for s in (0, 0.5, 2, 8)]
    assert scores[0] > 0.999
    assert scores == sorted(scores, reverse=True)
    # Many neurons with independent noise, of which the best estimate of a feature is known.
    y = np.repeat(x, 10, axis=1) + rng.standard_normal((100, 60))
    assert similarity.score(x, y, "reverse-folds=5") == pytest.approx(1 - 1 / 11, abs=0.05)


def evaluated(x, y, **sizes):
    plan = resampling.plan("a", len(x), "stimulus", **({"bootstraps": 40, "permutations": 19, "partitions": 4} | sizes))
    grams = Grams.of([y]) if y.ndim == 2 else Grams.of_trials([Trials.of_repeats(y)])
    return FIVE.evaluate(Target(("a",), grams=grams), Grams.of([x]), plan), plan


def test_unrelated_stimuli_score_no_better_than_the_mean_and_like_their_null():
    gaps, p_values = [], []
    for seed in range(8):
        x, y = planted(seed, n=40)
        found, _ = evaluated(x[np.random.default_rng(seed).permutation(40)], y, bootstraps=0, partitions=0)
        assert found.value[0, 0] < 0.1
        gaps.append(found.value[0, 0] - found.null[:, 0, 0].mean())
        p_values.append(resampling.p_value(found.value, found.null)[0, 0])
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(8)
    assert 0.25 < np.mean(p_values) < 0.75
    found, _ = evaluated(*planted(3, n=40), bootstraps=0, partitions=0)
    assert resampling.p_value(found.value, found.null)[0, 0] == 0.05


def test_resamples_weight_stimuli_and_there_is_no_ceiling():
    x, y = planted(4, n=40)
    found, plan = evaluated(x, y + 0.5 * np.random.default_rng(4).standard_normal((4, *y.shape)))
    assert np.isnan([found.ceilings[0].low, found.together.low, found.inter_animal]).all()
    again, _ = evaluated(x, y)
    wrong, total = reverse.errors(y @ y.T, [x @ x.T], folds(40, 5))[0]
    weights = plan.weights[7]
    assert again.draws[7, 0, 0] == pytest.approx(1 - (weights @ wrong) / (weights @ total))
    # Halves are predicted from responses of that half alone.
    inside = plan.partitions[1]
    assert again.halves[1][0][0, 0] == pytest.approx(similarity.score(x[inside], y[inside], "reverse-folds=5"))


def test_a_fold_says_nothing_of_its_own_features():
    x, y = planted(5)
    train, test = folds(60, 5)[2]
    spoilt = x.copy()
    spoilt[test] += 1.0
    before, after = (reverse.errors(y @ y.T, [z @ z.T], folds(60, 5))[0] for z in (x, spoilt))
    # Predictions stay: errors change by what the features do.
    expected = ((spoilt[test] - x[train].mean(0)) ** 2).sum(1)
    np.testing.assert_allclose(after[1][test], expected)
    shift = after[0][test] - before[0][test]
    again = x.copy()
    again[test] += 2.0
    twice = reverse.errors(y @ y.T, [again @ again.T], folds(60, 5))[0][0][test] - before[0][test]
    np.testing.assert_allclose(twice - 2 * shift, 2 * x.shape[1], rtol=1e-6)


@pytest.mark.parametrize("identifier", ["reverse", "reverse-folds=1", "reverse-folds=5-alpha=1", "reverse-map-folds=5"])
def test_other_ids_are_refused_in_one_line(identifier):
    with pytest.raises(UserError, match=f"^measure '{identifier}': a reverse mapping is written reverse") as error:
        similarity.load(identifier)
    assert "\n" not in str(error.value)
