"""What may change places does so, whole; what may not is refused."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from neurocompare.errors import UserError
from neurocompare.inference import continuous, exchange

CONDITION = np.repeat(["left", "right", "up", "down", "stay", "go"], 4)
TIME = np.tile([0.1, 0.0, 0.3, 0.2], 6)


def rng(seed=0):
    return np.random.default_rng(seed)


def one_line(function, *arguments, **options):
    with pytest.raises(UserError) as refused:
        function(*arguments, **options)
    text = str(refused.value)
    assert "\n" not in text
    return text


def of_kind(kind):
    if kind == "stimulus":
        return exchange.groups("stimulus", 24)
    if kind == "condition":
        return exchange.groups("condition", 24, condition=CONDITION, time=TIME)
    # Blocks whose samples are scattered over the recording.
    return exchange.groups("block", 24, block=np.arange(24) * 5 % 6)


@pytest.mark.parametrize(("kind", "count"), [("stimulus", 24), ("condition", 6), ("block", 6)])
def test_groups_move_whole_and_are_drawn_whole(kind, count):
    grouped = of_kind(kind)
    assert (grouped.n_groups, grouped.n_samples) == (count, 24)
    label = np.empty(24, dtype=int)
    place = np.empty(24, dtype=int)
    for g, members in enumerate(grouped.members):
        label[members], place[members] = g, np.arange(len(members))
    for order in exchange.permutations(grouped, 50, rng()):
        np.testing.assert_array_equal(np.sort(order), np.arange(24))
        # All samples of a group take the places of one other group, each its counterpart's.
        np.testing.assert_array_equal(place[order], place)
        assert len(set(zip(label.tolist(), label[order].tolist(), strict=True))) == count
    weights = exchange.bootstrap_weights(grouped, 40, rng())
    chosen = exchange.halves(grouped, 40, rng())
    for g in range(count):
        assert np.ptp(weights[:, label == g], axis=1).max() == 0
        assert np.ptp(chosen[:, label == g].astype(int), axis=1).max() == 0
    np.testing.assert_array_equal(weights.sum(1), 24)
    np.testing.assert_array_equal(chosen.sum(1), 12)
    subsets = exchange.subsets(grouped, 40, rng())
    assert all(set(rows) == set(np.flatnonzero(c)) for rows, c in zip(subsets, chosen, strict=True))


def test_conditions_keep_their_times():
    grouped = of_kind("condition")
    for order in exchange.permutations(grouped, 30, rng()):
        np.testing.assert_array_equal(TIME[order], TIME)
        taken = dict(zip(CONDITION, CONDITION[order], strict=True))
        assert all(taken[a] == b for a, b in zip(CONDITION, CONDITION[order], strict=True))


def test_a_time_course_common_to_all_conditions_passes_for_similarity_until_it_is_removed():
    grouped = of_kind("condition")
    noise = rng(1)
    together = np.sin(20 * TIME)[:, None] * [3.0, -2.0, 4.0]

    def correlation(x, y):
        return np.corrcoef(x.ravel(), y.ravel())[0, 1]

    found = {}
    for removed in (False, True):
        null = []
        for _ in range(20):
            x, y = (together + noise.standard_normal((24, 3)) for _ in range(2))
            if removed:
                x, y = (exchange.without_common_time_course(z, grouped) for z in (x, y))
            null += [correlation(x[order], y) for order in exchange.permutations(grouped, 30, noise)]
        found[removed] = np.mean(null)
    assert found[False] > 0.7
    assert abs(found[True]) < 0.1


def test_the_common_time_course_is_the_mean_over_conditions_at_each_time():
    grouped = of_kind("condition")
    values = rng(2).standard_normal((24, 5))
    rest = exchange.without_common_time_course(values, grouped)
    for t in np.unique(TIME):
        at = t == TIME
        np.testing.assert_allclose(rest[at], values[at] - values[at].mean(0), atol=1e-12)
    assert "kind 'block'" in one_line(exchange.without_common_time_course, values, of_kind("block"))


def test_few_groups_are_enumerated():
    grouped = exchange.groups("block", 15, block=np.repeat(np.arange(5), 3))
    orders = exchange.permutations(grouped, 1000, rng())
    assert len(orders) == math.factorial(5) - 1
    assert len(np.unique(orders, axis=0)) == len(orders)
    assert not np.any(np.all(orders == np.arange(15), axis=1))
    assert len(exchange.permutations(grouped, 100, rng())) == 100


def test_p_values_of_enumerated_groups_are_uniform_under_the_null():
    grouped = exchange.groups("block", 10, block=np.repeat(np.arange(5), 2))
    orders = exchange.permutations(grouped, 1000, rng())
    noise = rng(3)
    p = []
    for _ in range(1500):
        # Samples of a block depend on each other.
        x, y = (np.repeat(noise.standard_normal(5), 2) + 0.1 * noise.standard_normal(10) for _ in range(2))
        p.append((1 + np.sum(x[orders] @ y >= x @ y - 1e-12)) / (len(orders) + 1))
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.017)


def test_shuffled_samples_of_dependent_blocks_are_no_evidence():
    # The mistake that blocks prevent: samples of a block are alike, and single samples are shuffled.
    blocks, singles = exchange.of_blocks(np.repeat(np.arange(8), 5)), exchange.of_stimuli(40)
    noise = rng(4)
    rejected = {"block": 0, "stimulus": 0}
    for _ in range(300):
        x, y = (np.repeat(noise.standard_normal(8), 5) + 0.3 * noise.standard_normal(40) for _ in range(2))
        for grouped in (blocks, singles):
            null = x[exchange.permutations(grouped, 99, noise)] @ y
            rejected[grouped.kind] += (1 + np.sum(null >= x @ y)) / 100 <= 0.05
    assert rejected["block"] / 300 == pytest.approx(0.05, abs=0.04)
    assert rejected["stimulus"] / 300 > 0.15


@pytest.mark.parametrize(
    ("declared", "options", "said"),
    [
        (
            "none",
            {},
            "recording 'movie' declares exchangeable=none: .* declare exchangeable=stimulus, condition or block",
        ),
        ("stimulus", {"n": 4}, "recording 'movie' has 4 exchangeable groups .* at least 5"),
        ("condition", {"condition": np.repeat(list("abc"), 4), "time": np.tile(np.arange(4), 3)}, "has 3 exchangeable"),
        (
            "condition",
            {"condition": np.repeat(list("abcdef"), 2), "time": np.arange(12)},
            "'b' has other times than 'a'",
        ),
        ("condition", {"condition": np.repeat(list("abcdef"), 2)}, "condition 'a' has a time twice; average"),
        ("condition", {"condition": np.arange(11)}, "'condition' has shape .11,., and there are 12 samples"),
        ("block", {}, "no block: add the coordinate 'block'"),
        ("block", {"block": np.repeat(np.arange(6), 2)}, None),
        ("block", {"block": np.r_[np.repeat(np.arange(5), 2), 4, 5]}, "1 to 3 samples .fewest: block '5'.*leave out"),
    ],
)
def test_what_is_not_exchangeable_is_refused_in_one_line(declared, options, said):
    options = dict(options)
    n = options.pop("n", 12)
    if said is None:
        assert exchange.groups(declared, n, name="movie", **options).n_groups == 6
        return
    assert re.search(said, one_line(exchange.groups, declared, n, name="movie", **options))


def autocorrelated(n, memory, noise):
    series = np.empty(n)
    last = noise.standard_normal()
    for i, step in enumerate(noise.standard_normal(n) * np.sqrt(1 - memory**2)):
        last = series[i] = memory * last + step
    return series


def test_shifts_keep_the_autocorrelation_and_are_as_long_as_stated():
    orders = continuous.shifts(200, 4, 1000, rng())
    assert len(orders) == 200 - 2 * 4 + 1
    moved = orders[:, 0]
    assert moved.min() == 4
    assert moved.max() == 196
    assert len(set(moved)) == len(moved)
    series = autocorrelated(200, 0.9, rng(5))
    circular = [np.corrcoef(series[o], np.roll(series[o], 1))[0, 1] for o in orders]
    np.testing.assert_allclose(circular, np.corrcoef(series, np.roll(series, 1))[0, 1])
    assert len(continuous.shifts(200, 4, 20, rng())) == 20


def test_circular_shifts_are_a_test_where_shuffles_are_none():
    noise = rng(6)
    orders = continuous.shifts(1000, 20, 99, noise)
    shuffled = exchange.permutations(exchange.of_stimuli(1000), 99, noise)
    rejected = np.zeros(2)
    for _ in range(400):
        x, y = (autocorrelated(1000, 0.9, noise) for _ in range(2))
        for k, null in enumerate((orders, shuffled)):
            rejected[k] += (1 + np.sum(x[null] @ y >= x @ y)) / 100 <= 0.05
    assert rejected[0] / 400 == pytest.approx(0.05, abs=0.035)
    assert rejected[1] / 400 > 0.2


def test_stretches_cover_the_mean_of_an_autocorrelated_series():
    noise = rng(7)
    weights = {length: continuous.moving_block_weights(400, length, 300, noise) / 400 for length in (1, 40)}
    covered = dict.fromkeys(weights, 0)
    for _ in range(200):
        series = autocorrelated(400, 0.8, noise)
        for length, w in weights.items():
            covered[length] += abs(series.mean()) < 1.96 * (w @ series).std()
    assert covered[40] / 200 > 0.86
    assert covered[1] / 200 < 0.65


@pytest.mark.parametrize(("n", "length"), [(20, 4), (23, 4), (50, 1), (25, 5)])
def test_stretches_are_runs_of_neighbours_and_every_sample_is_drawn_as_often(n, length):
    weights = continuous.moving_block_weights(n, length, 4000, rng())
    np.testing.assert_array_equal(weights.sum(1), n)
    assert np.abs(weights.mean(0) - 1).max() < 0.12
    if length > 1:
        alone = (weights > 0) & (np.roll(weights, 1, axis=1) == 0) & (np.roll(weights, -1, axis=1) == 0)
        # Only the last stretch, which is cut, can be shorter, and so short only if one sample is left for it.
        assert alone.any() == (n % length == 1)


@pytest.mark.parametrize(("n", "folds", "gap"), [(100, 5, 0), (100, 5, 7), (103, 4, 10)])
def test_nothing_near_a_held_out_stretch_is_trained_on(n, folds, gap):
    split = continuous.gapped_folds(n, folds, gap)
    np.testing.assert_array_equal(np.concatenate([test for _, test in split]), np.arange(n))
    for train, test in split:
        np.testing.assert_array_equal(np.diff(test), 1)
        assert np.abs(train[:, None] - test).min() == gap + 1
        lost = n - len(train) - len(test)
        assert lost <= 2 * gap


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (continuous.shifts, (50, 0, 99, rng()), "movie: a circular shift by 0 samples is none"),
        (
            continuous.shifts,
            (50, 17, 99, rng()),
            "movie: 50 samples are too few for circular shifts of at least 17: .* 50 times",
        ),
        (
            continuous.moving_block_weights,
            (50, 11, 99, rng()),
            "movie: 50 samples .* stretches of 11; .* at most a 5th",
        ),
        (continuous.gapped_folds, (50, 5, 10), "movie: 50 samples in 5 folds are stretches of 10, .* gap of 10"),
    ],
)
def test_continuous_recordings_that_are_too_short_are_refused(function, arguments, said):
    assert re.search(said, one_line(function, *arguments, name="movie"))
