"""Intervals of held-out accuracy: over trials, and over whole blocks where trials of a block hang together."""

import numpy as np
import pytest

from neurocompare.description import held_out_hits
from neurocompare.inference.resampling import interval


def test_balanced_accuracy_is_the_mean_over_labels_and_exactly_one_where_all_is_right():
    target = np.array([0] * 3 + [1] * 7 + [2] * 11)
    assert held_out_hits.balanced(np.ones(21), target) == 1
    assert held_out_hits.balanced(target == 1, target) == pytest.approx(1 / 3)


def test_means_over_trials_weigh_labels_by_their_trials():
    rng = np.random.default_rng(0)
    target = rng.permutation(np.repeat([0, 1], [20, 80]))
    values = target + rng.standard_normal(100)
    draws = held_out_hits.mean_draws(values, target, rng)
    assert draws.mean() == pytest.approx(values.mean(), abs=0.02)
    within = np.sqrt(sum((target == k).mean() ** 2 * values[target == k].var() / (target == k).sum() for k in (0, 1)))
    assert draws.std() == pytest.approx(within, rel=0.1)


@pytest.mark.parametrize("n_blocks", [3, 6, 12])
def test_spread_over_blocks_is_that_of_new_blocks(n_blocks):
    """Blocks of 20 trials are told right with probabilities of their own; trials resampled one by one miss that."""
    by_trials, by_blocks = [], []
    target, block = np.repeat(np.arange(2 * n_blocks) % 2, 20), np.repeat(np.arange(2 * n_blocks), 20)
    for seed in range(120):
        rng = np.random.default_rng([n_blocks, seed])
        hits = rng.random(len(target)) < rng.beta(2, 2, 2 * n_blocks)[block]
        by_trials.append(held_out_hits.balanced_draws(hits, target, rng).var())
        by_blocks.append(held_out_hits.balanced_draws(hits, target, rng, block).var())
    # The probabilities have a variance of .05, and 20 trials add .2 / 20; the mean over two labels halves it.
    expected = (0.05 + 0.2 / 20) / n_blocks / 2
    assert np.mean(by_blocks) == pytest.approx(expected, rel=0.1)
    assert np.mean(by_trials) < 0.3 * expected


@pytest.mark.parametrize("n_blocks", [2, 4, 8])
def test_intervals_over_few_blocks_hold_the_truth(n_blocks):
    """Percentiles alone held it in 72 % (two blocks of each label) to 92 %."""
    target, block = np.repeat(np.arange(2 * n_blocks) % 2, 20), np.repeat(np.arange(2 * n_blocks), 20)
    held = 0
    for seed in range(200):
        rng = np.random.default_rng([n_blocks, seed])
        hits = rng.random(len(target)) < rng.beta(6, 2, 2 * n_blocks)[block]
        low, high = held_out_hits.interval_of(held_out_hits.balanced_draws(hits, target, rng, block), target, block)
        held += low <= 0.75 <= high
    assert 0.86 < held / 200 < 0.99


def test_one_block_of_a_label_has_no_interval():
    target = np.repeat([0, 1, 1], 5)
    draws = held_out_hits.balanced_draws(np.ones(15), target, np.random.default_rng(0), np.repeat([0, 1, 2], 5))
    assert np.isnan(interval(draws)).all()
