"""Areas under the ROC curve: those of scikit-learn, planted ones found, errors and shuffles right."""

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import kstest, norm, rankdata
from sklearn.metrics import roc_auc_score

from neurocompare.prediction.roc import areas, mid_ranks, sorted_ties, usable


@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_those_of_scikit_learn_with_and_without_ties(ties):
    rng = np.random.default_rng(0)
    values = rng.poisson(1.5, (90, 40)).astype(float) if ties else rng.standard_normal((90, 40))
    values[:, 7] = 3.0
    positive = rng.random(90) < 0.4
    expected = [roc_auc_score(positive, values[:, k]) for k in range(40)]
    np.testing.assert_allclose(areas(values, positive).area, expected, atol=1e-12)
    assert areas(values, positive).area[7] == 0.5
    np.testing.assert_array_equal(mid_ranks(*sorted_ties(values.T)), rankdata(values.T, axis=1))
    # Monotone transformations change nothing; the other class has the complement.
    np.testing.assert_allclose(areas(np.exp(values), positive).area, expected, atol=1e-12)
    np.testing.assert_allclose(areas(values, ~positive).area, 1 - np.array(expected), atol=1e-12)


def test_within_conditions_it_is_the_share_of_pairs_of_one_condition():
    rng = np.random.default_rng(1)
    values, condition = rng.poisson(2, (80, 6)).astype(float), rng.integers(0, 4, 80)
    positive = rng.random(80) < 0.5
    wins = pairs = 0.0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive & (condition == condition[i])):
            wins = wins + (values[i] > values[j]) + 0.5 * (values[i] == values[j])
            pairs += 1
    np.testing.assert_allclose(areas(values, positive, condition).area, wins / pairs, atol=1e-12)


def test_a_condition_that_drives_responses_and_choices_is_no_choice_probability():
    rng = np.random.default_rng(2)
    condition = np.repeat([0, 1], 200)
    # Choices follow the stimulus and responses too, but responses do not follow choices.
    positive = rng.random(400) < np.where(condition, 0.8, 0.2)
    values = 2.0 * condition[:, None] + rng.standard_normal((400, 300))
    assert areas(values, positive).area.mean() > 0.7
    assert areas(values, positive, condition).area.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("separation", [0.0, 0.5, 1.5])
def test_a_planted_separation_is_found_and_errors_are_the_spread_over_experiments(separation):
    rng = np.random.default_rng(3)
    positive, condition = np.arange(120) % 3 == 0, np.arange(120) // 60
    shift = separation * positive[:, None] + 5.0 * condition[:, None]
    found = areas(shift + rng.standard_normal((120, 3000)), positive, condition)
    truth = norm.cdf(separation / np.sqrt(2))
    assert found.area.mean() == pytest.approx(truth, abs=0.003)
    assert np.sqrt((found.error**2).mean()) == pytest.approx(found.area.std(), rel=0.06)


def test_the_error_of_the_mean_knows_that_trials_are_common_to_units():
    rng = np.random.default_rng(4)
    positive = np.arange(100) % 2 == 0
    means, errors = [], []
    for _ in range(300):
        # Noise that all units share does not average out over them.
        values = rng.standard_normal((100, 1)) + rng.standard_normal((100, 20))
        found = areas(values, positive)
        means.append(found.area.mean())
        errors.append(found.mean_error)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=0.12)
    assert np.std(means) > 2 * found.error.mean() / np.sqrt(20)


@pytest.mark.parametrize(("trials", "conditions"), [(2, 1), (3, 4), (20, 1)])
def test_intervals_of_the_mean_cover_with_few_trials(trials, conditions):
    rng = np.random.default_rng(6)
    positive = np.tile(np.repeat([True, False], trials), conditions)
    condition = np.repeat(np.arange(conditions), 2 * trials)
    covered = []
    for _ in range(400):
        values = rng.standard_normal((len(positive), 1)) + rng.standard_normal((len(positive), 20))
        found = areas(values, positive, condition)
        covered.append(abs(found.area.mean() - 0.5) <= stdtrit(found.freedom, 0.975) * found.mean_error)
    assert 0.91 < np.mean(covered) < 0.995


def test_without_spread_there_is_no_error_to_trust():
    found = areas(np.array([[2.0], [2.5], [0.0], [0.5]]), np.array([True, True, False, False]))
    assert found.area[0] == 1 and np.isnan(found.freedom)


def test_shuffles_are_within_conditions_and_p_values_uniform():
    rng = np.random.default_rng(5)
    condition = np.arange(60) // 20
    positive = rng.random(60) < 0.2 + 0.3 * condition
    values = 3.0 * condition[:, None] + rng.standard_normal((60, 800))
    found = areas(values, positive, condition, permutations=199, rng=rng)
    p = (1 + (np.abs(found.null - 0.5) >= np.abs(found.area - 0.5)).sum(0)) / 200
    assert kstest(p, "uniform").pvalue > 0.001
    assert found.null.mean() == pytest.approx(0.5, abs=0.01)
    # Within conditions, so the effect of the condition on responses is not in the null either.
    assert found.null.std() == pytest.approx(found.area.std(), rel=0.1)


def test_batches_do_not_matter(monkeypatch):
    from neurocompare.prediction import roc

    rng = np.random.default_rng(7)
    values, positive = rng.standard_normal((50, 30)), np.arange(50) % 2 == 0
    whole = areas(values, positive, permutations=9, rng=np.random.default_rng(0))
    monkeypatch.setattr(roc, "_BATCH", 350)
    parts = areas(values, positive, permutations=9, rng=np.random.default_rng(0))
    for name in ("area", "error", "mean_error", "null"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12)


def test_conditions_without_two_trials_of_both_classes_are_not_usable():
    condition = np.repeat([3, 5, 9], 4)
    positive = np.array([1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    assert usable(positive, condition).tolist() == [True] * 4 + [False] * 8
