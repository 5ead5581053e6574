"""Averages over trials, and halves that share no trial."""

import numpy as np
import pandas as pd
import pytest

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.inference import trials


def recording(stimulus, block, units=3, seed=0, time=None):
    """Build a recording in which every trial of every unit has a response of its own."""
    stimulus = np.asarray(stimulus)
    n = len(stimulus)
    shape = (n, units) if time is None else (n, len(time), units)
    return representation.responses(
        np.random.default_rng(seed).standard_normal(shape),
        presentation={
            "stimulus": stimulus,
            "repeat": pd.Series(stimulus).groupby(stimulus).cumcount().to_numpy(),
            "block": np.asarray(block),
        },
        unit={"unit_id": [f"u{k}" for k in range(units)]} | {c: ["x"] * units for c in ("area", "animal", "session")},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"response": "dF/F", "exchangeable": "stimulus", "simultaneous": True, "sha256": {"none": "0" * 64}},
        time=time,
    )


def halved(array, stimuli, splits, **options):
    """Average over halves of the trials: (split, half, stimulus, unit)."""
    found = trials.of_recording(array, stimuli)
    return np.stack([[found.mean(half) for half in pair] for pair in found.halves(splits, **options)])


def markers(array, stimuli, splits, **options):
    """Tell which trials each half is made of, from responses that mark single trials."""
    n = array.sizes["presentation"]
    marked = array.isel(unit=np.zeros(n, dtype=int)).copy(data=np.eye(n))
    return halved(marked, stimuli, splits, **options) > 0


SHOWN = np.repeat(["c", "a", "b"], [5, 2, 4])
STIMULI = np.array(["b", "c", "a"])


def test_mean_equals_groupby():
    array = recording(np.random.default_rng(1).permutation(SHOWN), np.zeros(11, dtype=int))
    expected = array.groupby("stimulus").mean().sel(stimulus=STIMULI)
    np.testing.assert_allclose(trials.mean(array, STIMULI), expected.values, rtol=1e-5, atol=1e-7)
    chosen = np.arange(11) % 3 != 1
    expected = array.isel(presentation=chosen).groupby("stimulus").mean().sel(stimulus=["c", "b"])
    np.testing.assert_allclose(trials.mean(array, np.array(["c", "b"]), chosen), expected.values, rtol=1e-5, atol=1e-7)


def test_trials_of_other_stimuli_are_left_out():
    array = recording(SHOWN, np.zeros(11, dtype=int))
    np.testing.assert_array_equal(trials.trial_index(array, np.array(["b", "a"])), [-1] * 5 + [1] * 2 + [0] * 4)
    used = markers(array, np.array(["b", "a"]), 3).any((0, 1, 2))
    np.testing.assert_array_equal(used, [False] * 5 + [True] * 6)


def test_what_cannot_be_averaged_is_refused():
    array = recording(SHOWN, np.zeros(11, dtype=int))
    with pytest.raises(UserError, match="^stimulus 'd' has no trial to average$"):
        trials.mean(array, np.array(["a", "d"]))
    with pytest.raises(UserError, match="time axis"):
        trials.mean(recording(SHOWN, np.zeros(11, dtype=int), time=[0.0, 0.1]), STIMULI)


@pytest.mark.parametrize(("counts", "expected"), [([2, 2, 3], True), ([2, 1, 9], False)])
def test_repeated_means_twice_for_every_stimulus(counts, expected):
    array = recording(np.repeat(["a", "b", "c"], counts), np.zeros(sum(counts), dtype=int))
    assert trials.repeated(array) is expected


@pytest.mark.parametrize("repeats", [4, 5])
@pytest.mark.parametrize("blocks", ["one", "within", "across"])
def test_halves_are_equal_never_overlap_and_use_every_trial_of_an_even_number(blocks, repeats):
    n = 3 * repeats
    shown = np.tile(["a", "b", "c"], repeats)
    block = {"one": np.zeros(n, dtype=int), "within": np.arange(n) % 3, "across": np.arange(n) // 3}[blocks]
    used = markers(recording(shown, block), STIMULI, 8)
    assert not (used[:, 0] & used[:, 1]).any()
    # Equal halves have noise of equal variance, as the ceiling needs it; the odd trial is another one each time.
    np.testing.assert_array_equal(used.sum(3), repeats // 2)
    assert np.all(used.any((1, 2)).sum(1) == 3 * (repeats // 2) * 2)
    assert np.all(used.any((0, 1, 2)))
    # Every stimulus is in both halves, and only its own trials are averaged.
    assert np.all(used.any(3))
    for k, stimulus in enumerate(STIMULI):
        assert set(shown[used[:, :, k].any((0, 1))]) == {stimulus}


@pytest.mark.parametrize(("blocks", "splits"), [(2, 1), (3, 3), (4, 3), (5, 15), (14, 20), (15, 20)])
def test_whole_blocks_stay_together(blocks, splits):
    shown = np.tile(["a", "b", "c"], 2 * blocks)
    block = np.repeat(np.arange(blocks), 6) * 7
    used = markers(recording(shown, block), STIMULI, 20).any(2)
    assert len(used) == splits
    for first, second in used:
        assert not set(block[first]) & set(block[second])
        assert len(set(block[first])) == len(set(block[second])) == blocks // 2
    # No split appears twice, not even with its halves exchanged.
    assert len({frozenset(map(bytes, pair)) for pair in used}) == splits


def test_blocks_are_split_where_a_stimulus_would_miss_a_half():
    # All trials of a stimulus are in one block: each has to be halved by itself.
    shown = np.repeat(["a", "b", "c"], 4)
    used = markers(recording(shown, np.repeat([0, 1, 2], 4)), STIMULI, 6)
    np.testing.assert_array_equal(used.sum(3), 2)


def test_halves_are_means_of_the_trials_they_are_made_of():
    array = recording(np.tile(["a", "b", "c"], 6), np.repeat(np.arange(6), 3))
    used = markers(array, STIMULI, 5)
    found = halved(array, STIMULI, 5)
    for split, half, k in ((0, 0, 0), (3, 1, 2)):
        np.testing.assert_allclose(
            found[split, half, k], array.values[used[split, half, k]].mean(0), rtol=1e-5, atol=1e-7
        )
    np.testing.assert_array_equal(found, halved(array, STIMULI, 5))


@pytest.mark.parametrize("blocks", ["one", "six"])
@pytest.mark.parametrize("repeats", [6, 7])
def test_the_chronological_split_takes_what_came_first_and_what_came_last(blocks, repeats):
    shown = np.tile(["a", "b", "c"], repeats)
    block = np.zeros(len(shown), dtype=int) if blocks == "one" else np.repeat(np.arange(repeats), 3)
    used = markers(recording(shown, block), STIMULI, 20, chronological=True)
    assert len(used) == 1
    first, last = np.flatnonzero(used[0, 0].any(0)), np.flatnonzero(used[0, 1].any(0))
    np.testing.assert_array_equal(first, np.arange(3 * (repeats // 2)))
    np.testing.assert_array_equal(last, np.arange(len(shown) - 3 * (repeats // 2), len(shown)))


@pytest.mark.parametrize("block", [np.repeat(np.arange(4), 3), np.zeros(12, dtype=int), np.tile(np.arange(3), 4)])
def test_folds_are_blocks_if_every_stimulus_is_in_two_of_them(block):
    found = trials.of_recording(recording(np.tile(["a", "b", "c"], 4), block), STIMULI)
    folds = found.folds()
    if len(set(block)) == 4:
        np.testing.assert_array_equal(folds, block)
    else:
        np.testing.assert_array_equal(folds, np.repeat(np.arange(4), 3))


def test_trials_of_some_stimuli_keep_their_order():
    found = trials.of_recording(recording(SHOWN, np.arange(11)), STIMULI)
    part = found.take(np.array([2, 0]))
    np.testing.assert_array_equal(part.mean(), found.mean()[[2, 0]])
    np.testing.assert_array_equal(part.block, [5, 6, 7, 8, 9, 10])
