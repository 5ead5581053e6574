"""Folds hold out whole blocks and keep a gap; what breaks that is refused."""

import numpy as np
import pytest
from scipy import stats

from neurocompare.errors import UserError
from neurocompare.prediction import folds, ridge
from neurocompare.prediction.held_out import centred

BLOCK = np.repeat(np.arange(6), 10)


def check_partition(found, n):
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in found])), np.arange(n))
    assert all(not set(train) & set(test) for train, test in found)


@pytest.mark.parametrize("split", folds.SPLITS)
def test_every_stimulus_is_tested_once_by_models_that_have_not_seen_it(split):
    found = folds.of_stimuli(23, 5, split, 0)
    check_partition(found, 23)
    assert all(len(train) + len(test) == 23 for train, test in found)
    runs = [bool(np.all(np.diff(test) == 1)) for _, test in found]
    assert all(runs) if split == "consecutive" else not any(runs)
    assert len(folds.of_stimuli(7, 10, split, 0)) == 7
    again = folds.of_stimuli(23, 5, split, 0)
    assert all((a == b).all() for one, other in zip(found, again, strict=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("order", folds.ORDERS)
@pytest.mark.parametrize("gap", [0, 3])
def test_no_block_is_split_and_nothing_within_the_gap_is_trained_on(order, gap):
    found = folds.of_presentations(BLOCK, 3, order=order, gap=gap)
    check_partition(found, 60)
    for train, test in found:
        assert not set(BLOCK[train]) & set(BLOCK[test])
        distance = np.abs(np.subtract.outer(np.setdiff1d(np.arange(60), test), test)).min(1)
        # All that are farther away are trained on: no more is left out than has to be.
        np.testing.assert_array_equal(train, np.setdiff1d(np.arange(60), test)[distance > gap])
    held = [sorted(set(BLOCK[test])) for _, test in found]
    assert held == ([[0, 3], [1, 4], [2, 5]] if order == "interleaved" else [[0, 1], [2, 3], [4, 5]])


def test_a_gap_in_seconds_is_measured_in_time_not_in_presentations():
    # Blocks are half a minute apart: within 20 s of a block there is only that block.
    time = np.arange(60) * 0.5 + 30 * BLOCK
    for train, test in folds.of_presentations(BLOCK, 6, gap=20, time=time):
        assert len(train) == 60 - len(test)
    for train, test in folds.of_presentations(BLOCK, 6, gap=32, time=time):
        assert np.abs(np.subtract.outer(time[train], time[test])).min() > 32
        assert len(train) < 60 - len(test)


def test_blocks_are_taken_in_the_order_in_which_they_were_recorded():
    names = np.array(["c", "c", "a", "a", "d", "d", "b", "b"])
    found = folds.of_presentations(names, 2, order="chronological")
    assert [set(names[test]) for _, test in found] == [{"c", "a"}, {"d", "b"}]


@pytest.mark.parametrize(
    ("block", "settings", "message"),
    [
        (np.zeros(60), {"folds": 5}, "rec: there is one block, and no block is split"),
        (BLOCK, {"folds": 7}, "rec: 6 blocks .* 7 folds, as no block is split; use from 2 to 6"),
        (BLOCK, {"folds": 2, "gap": 60}, "rec: a gap of 60 presentations leaves nothing to train on"),
        (BLOCK, {"folds": 2, "gap": 60, "time": np.arange(60.0)}, "rec: a gap of 60 seconds"),
        (BLOCK, {"folds": 2, "gap": -1}, "rec: a gap of -1 is none"),
        (BLOCK, {"folds": 2, "time": -np.arange(60.0)}, "rec: coordinate 'time' .* order of time"),
        (BLOCK, {"folds": 2, "time": np.arange(59.0)}, "rec: coordinate 'time' .* all presentations"),
        (BLOCK, {"folds": 2, "order": "interlaced"}, "unknown order of blocks .* did you mean interleaved"),
    ],
)
def test_what_can_not_be_held_out_is_refused_in_one_line(block, settings, message):
    with pytest.raises(UserError, match=message) as error:
        folds.of_presentations(block, name="rec", **settings)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="1 stimuli can't be held out in 5 folds"):
        folds.of_stimuli(1, 5, "random", 0)


def test_slow_noise_is_predicted_from_neighbours_unless_blocks_are_held_out_with_a_gap():
    # Responses and features drift, independently of each other, and say nothing of each other: P10.
    found = {"presentations": [], "interleaved": [], "chronological": []}
    block = np.repeat(np.arange(20), 10)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        kernel = np.exp(-(np.arange(-20, 21) ** 2) / 18)
        x, y = (np.apply_along_axis(np.convolve, 0, rng.standard_normal((240, m)), kernel, "valid") for m in (40, 10))
        splits = {"presentations": folds.of_stimuli(200, 5, "random", seed)} | {
            order: folds.of_presentations(block, 5, order=order, gap=15) for order in folds.ORDERS
        }
        for name, split in splits.items():
            predicted = np.zeros_like(y)
            for train, test in split:
                within, across = centred(x @ x.T, train, test)
                predicted[test] = ridge.predict(within, across, y[train])
            r = [stats.pearsonr(predicted[:, k], y[:, k]).statistic for k in range(10) if predicted[:, k].any()]
            found[name].append(np.mean(r))
    assert np.mean(found["presentations"]) > 0.6
    for order in folds.ORDERS:
        assert abs(np.mean(found[order])) < 3 * np.std(found[order]) / np.sqrt(8) + 0.02
