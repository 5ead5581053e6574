"""Resamples, intervals and p-values against what is known of them."""

import numpy as np
import pytest
from scipy import stats

from neurocompare.errors import UserError
from neurocompare.inference import resampling


def test_plan_holds_resamples_permutations_and_halves():
    plan = resampling.plan("a", 31, "stimulus", bootstraps=50, permutations=40, partitions=6)
    assert plan.weights.shape == (50, 31)
    np.testing.assert_array_equal(plan.weights.sum(1), 31)
    assert np.all(plan.weights == plan.weights.astype(int))
    np.testing.assert_array_equal(np.sort(plan.permutations, axis=1), np.tile(np.arange(31), (40, 1)))
    assert plan.partitions.shape == (6, 31)
    np.testing.assert_array_equal(plan.partitions.sum(1), 15)
    assert len(np.unique(plan.partitions, axis=0)) == 6


def test_plan_depends_on_the_recording_and_on_nothing_else():
    first, again, other = (resampling.plan(name, 20, "stimulus") for name in ("a", "a", "b"))
    for part in ("weights", "permutations", "partitions"):
        np.testing.assert_array_equal(getattr(first, part), getattr(again, part))
        assert not np.array_equal(getattr(first, part), getattr(other, part))
    # A measure that can afford few shuffles selects layers on the same halves, with the same weights.
    few = resampling.plan("a", 20, "stimulus", permutations=7)
    np.testing.assert_array_equal(few.weights, first.weights)
    np.testing.assert_array_equal(few.partitions, first.partitions)
    np.testing.assert_array_equal(few.permutations, first.permutations[:7])


def test_stimuli_are_drawn_and_shuffled_evenly():
    plan = resampling.plan("a", 20, "stimulus")
    # 1,000 draws: standard errors of 0.031 for the weights, of 0.18 for the positions.
    assert np.abs(plan.weights.mean(0) - 1).max() < 0.14
    assert plan.weights.var() == pytest.approx(19 / 20, abs=0.05)
    assert np.abs(plan.permutations.mean(0) - 9.5).max() < 0.85


def test_few_stimuli_are_not_halved():
    assert resampling.plan("a", 15, "stimulus").partitions.shape == (0, 15)
    assert resampling.plan("a", 16, "stimulus").partitions.shape == (resampling.PARTITIONS, 16)


def test_what_is_not_exchangeable_is_not_shuffled():
    for declared, needs in (("none", "no shuffle or resample of it is valid"), ("block", "have no block")):
        with pytest.raises(UserError, match=f"^recording 'movie' declares exchangeable={declared}.*{needs}"):
            resampling.plan("movie", 20, declared)
    with pytest.raises(UserError, match="^recording 'movie' declares exchangeable=shift: add the attribute 'shift'"):
        resampling.plan("movie", 2000, "shift")


def test_samples_that_depend_on_each_other_stay_together():
    block = np.repeat(np.arange(20), 3)
    plan = resampling.plan("a", 60, "block", block=block, bootstraps=30, permutations=30)
    assert plan.n_groups == 20
    for rows in (plan.weights, plan.partitions.astype(int), block[plan.permutations]):
        np.testing.assert_array_equal(rows[:, ::3], rows[:, 1::3])
        np.testing.assert_array_equal(rows[:, ::3], rows[:, 2::3])
    assert all(len(set(block[half])) == 10 for half in plan.subsets)
    times = np.tile(np.arange(3.0), 20)
    plan = resampling.plan("a", 60, "condition", condition=block, time=times, permutations=30)
    np.testing.assert_array_equal(times[plan.permutations], np.tile(times, (30, 1)))


def test_continuous_recordings_are_shifted_and_resampled_by_stretches():
    plan = resampling.plan("a", 1003, "shift", shift=20, bootstraps=30, permutations=50)
    steps = np.diff(plan.permutations, axis=1) % 1003
    np.testing.assert_array_equal(steps, 1)
    moved = plan.permutations[:, 0]
    assert np.minimum(moved, 1003 - moved).min() >= 20
    np.testing.assert_array_equal(plan.weights.sum(1), 1003)
    assert all((np.diff(half) > 1).sum() <= 25 for half in plan.subsets)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    weights = resampling.plan("a", 40, "stimulus", bootstraps=400).weights / 40
    means = rng.exponential(size=(1000, 40))
    low, high = resampling.interval(weights @ means.T)
    # Percentile intervals of 40 draws are a little narrow: 93 to 94 % for an exponential mean.
    assert 0.91 < np.mean((low <= 1) & (high >= 1)) < 0.96
    low, high = resampling.interval(weights @ means.T, level=0.5)
    assert 0.46 < np.mean((low <= 1) & (high >= 1)) < 0.54


def test_interval_leaves_out_undefined_draws_and_says_when_too_many_are():
    draws = np.random.default_rng(1).standard_normal((100, 4))
    draws[:50, 1], draws[:51, 2], draws[:, 3] = np.nan, np.nan, np.inf
    low, high = resampling.interval(draws)
    np.testing.assert_allclose([low[0], high[0]], np.quantile(draws[:, 0], [0.025, 0.975]))
    np.testing.assert_allclose([low[1], high[1]], np.quantile(draws[50:, 1], [0.025, 0.975]))
    assert np.isnan([low[2:], high[2:]]).all()
    assert np.isnan(resampling.interval(np.empty((0, 3)))).all()
    assert np.isnan(resampling.interval(np.empty(0))).all()


def test_p_values_count_the_observed_score_and_are_never_zero():
    null = np.arange(99.0)[:, None] * np.ones(4)
    found = resampling.p_value(np.array([1000.0, 97.5, 98.0, np.nan]), null)
    np.testing.assert_allclose(found[:3], [0.01, 0.02, 0.02])
    assert np.isnan(found[3])
    # An undefined shuffle is no evidence for the score.
    null[:50] = np.nan
    assert resampling.p_value(np.array(1000.0), null[:, 0]) == pytest.approx(0.51)
    # Of a distance the small values count; without shuffles there is no p-value.
    low = np.arange(100.0)
    assert resampling.p_value(np.array(1.5), low, "lower") == pytest.approx(3 / 101)
    assert np.isnan(resampling.p_value(np.array(1.0), np.empty(0)))


def test_p_values_are_uniform_under_the_null():
    scores = np.random.default_rng(2).standard_normal((200, 2000))
    p = resampling.p_value(scores[0], scores[1:])
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.02)
