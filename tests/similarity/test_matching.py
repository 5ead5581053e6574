"""Matching of units: planted matches, brute force and dense linear programs as oracles, axioms of the distance."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import matching
from neurocompare.similarity.arrays import Grams

ONE, SOFT, DISTANCE = MEASURES = matching.MEASURES
seeds = st.integers(0, 2**32 - 1)
drawn = settings(max_examples=15, deadline=None, derandomize=True)


def related(seed, n=20, units=(6, 4), noise=0.5):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 4))
    return [shared @ rng.standard_normal((4, p)) + noise * rng.standard_normal((n, p)) for p in units]


def correlations(x, y):
    return np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]


def by_dense_program(gain):
    """The transport by a linear program on all pairs."""
    n, m = gain.shape
    equalities = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    return -linprog(-gain.ravel(), A_eq=equalities, b_eq=np.r_[np.full(n, 1 / n), np.full(m, 1 / m)]).fun


@pytest.mark.parametrize("units", [(4, 4), (3, 5), (5, 3)])
def test_one_to_one_by_brute_force(units):
    x, y = related(0, units=units)
    found = correlations(x, y) if units[0] <= units[1] else correlations(y, x)
    few, many = found.shape
    expected = max(found[np.arange(few), list(chosen)].mean() for chosen in itertools.permutations(range(many), few))
    assert similarity.score(x, y, ONE) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("units", [(6, 4), (4, 6), (7, 21), (9, 10), (1, 5), (5, 1), (2, 31)])
def test_transport_by_a_dense_program_and_by_copies_of_units(units):
    x, y = related(1, units=units)
    found, expected = correlations(x, y), similarity.score(x, y, SOFT)
    assert expected == pytest.approx(by_dense_program(found), abs=1e-10)
    # As many copies of each unit as make the numbers equal: the transport is then an assignment.
    common = np.lcm(*units)
    copies = np.repeat(np.repeat(found, common // units[0], axis=0), common // units[1], axis=1)
    assert expected == pytest.approx(copies[linear_sum_assignment(copies, maximize=True)].mean(), abs=1e-10)


@drawn
@given(seed=seeds, n=st.integers(1, 40), m=st.integers(1, 40), ties=st.booleans())
def test_transport_moves_equal_masses_and_is_optimal(seed, n, m, ties):
    gain = np.random.default_rng(seed).standard_normal((n, m))
    gain = np.round(gain) if ties else gain
    rows, columns, mass = matching.transport(gain)
    assert len(mass) <= n + m - 1
    np.testing.assert_allclose(np.bincount(rows, mass, n), 1 / n, atol=1e-14)
    np.testing.assert_allclose(np.bincount(columns, mass, m), 1 / m, atol=1e-14)
    assert mass @ gain[rows, columns] == pytest.approx(by_dense_program(gain), abs=1e-8)
    if n == m:
        assert mass @ gain[rows, columns] == pytest.approx(gain[linear_sum_assignment(gain, maximize=True)].mean())


def test_pairs_that_were_not_among_the_best_are_found(monkeypatch):
    # All rows like the same columns most: nearly all of the optimal pairs have to be added later.
    rng = np.random.default_rng(2)
    gain = 10 * rng.standard_normal(45) + rng.standard_normal((30, 45))
    monkeypatch.setattr(matching, "_CHOICES", 1)
    rows, columns, mass = matching.transport(gain)
    assert mass @ gain[rows, columns] == pytest.approx(by_dense_program(gain), abs=1e-8)


@drawn
@given(seed=seeds, copies=st.integers(1, 3))
def test_permuted_scaled_and_shifted_units_are_matched_perfectly(seed, copies):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((15, 6))
    order = rng.permutation(6 * copies)
    y = np.tile(x, copies)[:, order] * rng.uniform(0.1, 10, 6 * copies) + rng.standard_normal(6 * copies)
    assert similarity.score(x, y, ONE) == pytest.approx(1, abs=1e-12)
    # The copies share the mass of their original.
    assert similarity.score(x, y, SOFT) == pytest.approx(1, abs=1e-12)
    assert similarity.score(x, y, DISTANCE) == pytest.approx(0, abs=1e-12)
    left, right, _ = matching.assignment(correlations(x, y))
    np.testing.assert_array_equal(order[right] % 6, left)


@drawn
@given(seed=seeds, noise=st.floats(0.01, 3))
def test_axioms_of_a_metric(seed, noise):
    assert [similarity.load(m).info["metric"] for m in MEASURES] == [False, False, True]
    x, y, z = related(seed, units=(6, 4, 9), noise=noise)
    ab, bc, ac, ba = (similarity.score(*pair, DISTANCE) for pair in ((x, y), (y, z), (x, z), (y, x)))
    assert ab == pytest.approx(ba, abs=1e-9)
    assert ac <= ab + bc + 1e-9
    assert ab <= ac + bc + 1e-9
    assert min(ab, bc, ac) > 0
    assert similarity.score(x, x[:, ::-1], DISTANCE) == 0


@drawn
@given(seed=seeds, units=st.tuples(st.integers(1, 8), st.integers(1, 8)))
def test_the_three_belong_together(seed, units):
    x, y = related(seed, units=units)
    one, soft, distance = (similarity.score(x, y, measure) for measure in MEASURES)
    assert distance**2 == pytest.approx(2 - 2 * soft, abs=1e-9)
    assert -1 - 1e-12 <= soft <= one + 1e-9 <= 1 + 2e-9
    if units[0] == units[1]:
        assert one == pytest.approx(soft, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
@drawn
@given(seed=seeds)
def test_invariances_are_those_declared(measure, seed):
    x, y = related(seed)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    moved = {
        "translation": y + rng.standard_normal(4),
        "isotropic scale": 7 * y,
        "orthogonal": y @ turn,
        "permutation": y[:, rng.permutation(4)],
        "affine": y @ (turn * np.geomspace(1, 5, 4)),
        "offset of a stimulus": y + 3 * rng.standard_normal((20, 1)),
    }
    declared = similarity.load(measure).info["invariances"].split(", ")
    expected = similarity.score(x, y, measure)
    for name, other in moved.items():
        difference = abs(similarity.score(x, other, measure) - expected)
        assert difference < 1e-9 if name in declared else difference > 1e-5
    assert similarity.score(y, x, measure) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_more_noise_is_less_alike(measure):
    rng = np.random.default_rng(3)
    x, extra = rng.standard_normal((2, 60, 10))
    order = rng.permutation(10)
    scores = [similarity.score(x, (x + size * extra)[:, order], measure) for size in (0, 0.1, 0.3, 1, 3)]
    assert (np.diff(scores) > 0).all() if measure == DISTANCE else (np.diff(scores) < 0).all()


def test_spare_units_raise_the_one_to_one_score_but_not_the_soft_one():
    # Unrelated units: the more of them, the better the best match, which is what the null is for.
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((30, 10)), rng.standard_normal((30, 400))
    one = [similarity.score(x, y[:, :q], ONE) for q in (10, 50, 400)]
    assert (np.diff(one) > 0.05).all()
    soft = [similarity.score(x, y[:, :q], SOFT) for q in (10, 50, 400)]
    assert np.ptp(soft) < 0.1
    assert soft[0] == pytest.approx(one[0])


def test_constant_units_are_left_out():
    x, y = related(5)
    padded = np.c_[x[:, :3], np.full(20, 0.1), x[:, 3:], np.zeros(20)]
    for measure in MEASURES:
        assert similarity.score(padded, y, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-12)
        assert np.isnan(similarity.score(np.full((20, 3), 1e4 / 3), y, measure))
        assert np.isnan(similarity.score(y, np.zeros((20, 3)), measure))
        opened = similarity.load(measure)
        parts = opened.reduce(Grams.of([padded, x]))
        assert [opened.warnings(part) for part in parts] == [["constant_units"], []]
        assert parts[0].constant == 2


@pytest.mark.parametrize("measure", MEASURES)
def test_permuting_is_reducing_permuted_stimuli(measure):
    grams, order = Grams.of(related(6)), np.random.default_rng(6).permutation(20)
    opened = similarity.load(measure)
    parts, again = opened.reduce(grams), opened.reduce(grams.take(order))
    expected = opened.pair(again[0], parts[1])
    assert opened.pair(opened.permuted(parts[0], order), parts[1]) == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_matched_is_refused_in_one_line(monkeypatch):
    x, y = related(7)
    opened = similarity.load(SOFT)
    with pytest.raises(UserError, match="^matching-soft compares single units: give responses, not a matrix"):
        opened.reduce(replace(Grams.of([x]), units=None))
    with pytest.raises(UserError, match="matching-half.*write matching-one-to-one, matching-soft or matching-soft-d"):
        similarity.load("matching-half")
    with pytest.raises(UserError, match="without options$"):
        similarity.load("matching-soft-folds=5")
    with pytest.raises(UserError, match="at least 3 stimuli, got 2$"):
        similarity.score(x[:2], y[:2], SOFT)
    monkeypatch.setattr(matching, "LARGEST", 20)
    with pytest.raises(UserError, match=r"6 × 4 pairs of units are too many \(at most 20\); sample units first$"):
        similarity.score(x, y, SOFT)


def test_evaluation_of_planted_matches():
    rng = np.random.default_rng(8)
    x = rng.standard_normal((24, 8))
    trials = x[:, rng.permutation(8)[:6]] + 0.7 * rng.standard_normal((6, 24, 6))
    for measure in MEASURES:
        found = similarity.evaluate(x, trials, measure, exchangeable="stimulus")
        assert found["p_value"] < 0.02
        assert abs(found["value"] - found["null_mean"]) > 0.2
