"""Designs of single trials and of continuous recordings, and the leak that a gap between folds prevents."""

import numpy as np
import pytest
from conftest import ABOUT

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.inference import continuous
from neurocompare.prediction import banded, designs, variance
from neurocompare.prediction.banded import Band, Fold, crossed_folds
from neurocompare.simulation.populations import autocorrelated


def recording(**coordinates):
    presentation = {"stimulus": np.array(list("abcdef")), "repeat": np.zeros(6, int), "block": np.repeat([0, 1], 3)}
    unit = {name: np.array(["u"]) for name in ("unit_id", "area", "animal", "session")}
    attributes = ABOUT | {"response": "firing rate", "exchangeable": "stimulus", "simultaneous": True}
    return representation.responses(
        np.zeros((6, 1)), presentation=presentation | coordinates, unit=unit, attributes=attributes
    )


def stretches(n, folds, gap):
    """Stretches of time that are held out, with a gap around them."""
    block = np.arange(n) * folds // n
    return crossed_folds(None, block, folds=folds, inner=4, gap=gap, consecutive=False, seed=0)


def test_coordinates_become_features_and_what_is_unknown_stays_so():
    speed, pupil = np.array([0, 1, np.nan, 3, 4, np.inf]), np.arange(6)
    found = designs.behaviour(recording(speed=speed, pupil=pupil), ["pupil", "speed"])
    np.testing.assert_array_equal(found[:, 0], pupil)
    np.testing.assert_array_equal(found[:, 1], [0, 1, np.nan, 3, 4, np.nan])


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        (["runing"], "unknown coordinate of the presentations 'runing'; did you mean running"),
        (["stimulus"], "coordinate 'stimulus' holds str.*, not numbers; choose another one"),
        (["still"], "coordinate 'still' does not vary, so it can't explain anything; leave it out"),
        (["lost"], "coordinate 'lost' does not vary"),
    ],
)
def test_coordinates_that_explain_nothing_are_refused_in_one_line(coordinates, said):
    array = recording(running=np.arange(6.0), still=np.ones(6), lost=np.full(6, np.nan))
    with pytest.raises(UserError, match=said) as caught:
        designs.behaviour(array, coordinates)
    assert "\n" not in str(caught.value)


def test_drift_is_slow_orthogonal_and_perhaps_the_same_in_all_blocks():
    block = np.repeat([3, 1, 2], 20)
    whole = designs.drift(block, 3)
    np.testing.assert_allclose(whole.T @ whole, 30 * np.eye(3), atol=1e-10)
    np.testing.assert_allclose(whole.sum(0), 0, atol=1e-10)
    assert (np.diff(whole[:, 0]) < 0).all(), "half a cycle"
    within = designs.drift(block, 3, "block")
    for b in (1, 2, 3):
        np.testing.assert_allclose(within[block == b], designs.drift(np.zeros(20), 3))


def test_history_is_what_was_shown_before_in_the_same_block():
    features, block = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 1, 1, 1])
    found = designs.history(features, block)
    np.testing.assert_array_equal(found[[1, 2, 4, 5]], features[[0, 1, 3, 4]])
    assert np.isnan(found[[0, 3]]).all()
    np.testing.assert_array_equal(designs.history(features, block, 2)[[2, 5]], features[[0, 3]])


def test_lags_look_back_within_a_run():
    stimulus, run = np.arange(1, 7.0)[:, None] * [1, 10], np.array([0, 0, 0, 0, 1, 1])
    found = designs.lagged(stimulus, [0, 1, -1], run).reshape(6, 3, 2)
    np.testing.assert_array_equal(found[:, 0], stimulus)
    np.testing.assert_array_equal(found[:, 1, 0], [np.nan, 1, 2, 3, np.nan, 5])
    np.testing.assert_array_equal(found[:, 2, 1], [20, 30, 40, np.nan, 60, np.nan])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: designs.drift(np.zeros(5), 5), "a drift of 5 components within 5 presentations"),
        (lambda: designs.drift(np.zeros(5), 1, "blok"), "unknown stretch of a drift 'blok'; did you mean block?"),
        (lambda: designs.history(np.zeros((4, 1)), np.arange(4)), "needs longer blocks"),
        (lambda: designs.history(np.zeros((4, 1)), np.zeros(4), 0), "0 presentations ago is none"),
        (lambda: designs.lagged(np.zeros(5), [0]), "needs a stimulus"),
        (lambda: designs.lagged(np.zeros((5, 1)), [1, 1]), "different lags"),
        (lambda: designs.lagged(np.zeros((5, 1)), [0, 5]), "do not fit in a run of 5 bins"),
        (lambda: designs.lagged(np.zeros((5, 1)), [0], np.zeros(4)), "labels of runs"),
        (lambda: designs.binned([np.zeros(2)], [0, 0, 1]), "must be at least two increasing times"),
    ],
)
def test_designs_that_make_no_sense_are_refused_in_one_line(call, said):
    with pytest.raises(UserError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_spikes_are_counted_in_bins_that_hold_their_left_edge():
    spikes = [np.array([0.25, 0.0, 0.1, 0.3, -1]), np.array([])]
    np.testing.assert_array_equal(designs.binned(spikes, [0, 0.1, 0.2, 0.3]), [[1, 0], [1, 0], [1, 0]])


def test_a_planted_receptive_field_is_found_from_spikes():
    rng = np.random.default_rng(0)
    n, lags = 4000, [0, 1, 2, 3, 4]
    stimulus = rng.standard_normal((n, 6))
    field = np.zeros((2, 5, 6))
    field[0, 1:4] = np.outer([0.5, 1, 0.4], [0, 0, 0.6, 1, 0.6, 0])
    field[1, 2:5] = np.outer([1, -0.6, 0.3], [1, 0.5, 0, 0, -0.5, 0])
    design = designs.lagged(stimulus, lags)
    drive = np.nan_to_num(design) @ field.reshape(2, -1).T
    rate = 10 * np.exp(0.6 * drive - 0.18)
    edges = np.arange(n + 1) * 0.05
    spikes = [
        np.concatenate([edges[t] + 0.05 * rng.random(k) for t, k in enumerate(rng.poisson(rate[:, unit] * 0.05))])
        for unit in range(2)
    ]
    counts = designs.binned(spikes, edges).astype(float)
    folds = stretches(n, 4, gap=5)
    tried = banded.weightings(1, 0, 0)
    dual, strength = banded.dual_weights([Band(design)], counts, [(f.train, f.test) for f in folds], tried)
    centred = np.nan_to_num(design - np.nanmean(design, 0))
    found = designs.filters(strength[0] * (centred.T @ dual), len(lags))
    for unit in range(2):
        assert np.corrcoef(found[unit].ravel(), field[unit].ravel())[0, 1] > 0.95
    part = variance.partition({"all": Band(design)}, counts, folds, seed=0, search=0)
    assert (variance.share(part.total, part.size) > 0.1).all()


def leaking(n, folds):
    """Random bins, as if they were independent."""
    order = np.random.default_rng(0).permutation(n)
    found = []
    for test in np.array_split(order, folds):
        train = np.setdiff1d(order, test)
        inner = [
            (np.setdiff1d(train, part), part) for part in np.array_split(np.random.default_rng(1).permutation(train), 4)
        ]
        found.append(Fold(train, test, tuple(inner)))
    return found


def test_a_gap_prevents_that_neighbours_predict_each_other():
    rng = np.random.default_rng(1)
    n = 600
    slow = np.column_stack([autocorrelated(n, 0.97, rng) for _ in range(30)])
    # As slow as the stimulus, and unrelated to it.
    responses = np.column_stack([autocorrelated(n, 0.97, rng) for _ in range(12)])
    band = {"all": Band(designs.lagged(slow, [0, 1, 2]))}

    def score(folds):
        part = variance.partition(band, responses, folds, seed=0, search=0)
        return np.median(variance.share(part.total, part.size))

    assert score(leaking(n, 5)) > 0.3, "random bins: noise is predicted"
    assert score(stretches(n, 5, gap=60)) < 0.03


def test_a_shuffled_block_control_scores_nothing():
    rng = np.random.default_rng(2)
    n = 800
    stimulus = np.column_stack([autocorrelated(n, 0.9, rng) for _ in range(8)])
    design = designs.lagged(stimulus, [0, 1, 2, 3])
    responses = np.nan_to_num(design) @ rng.standard_normal((32, 10)) + 3 * rng.standard_normal((n, 10))
    folds = stretches(n, 5, gap=25)
    other = np.concatenate(np.split(np.arange(n), 8)[::-1])

    def score(observed):
        part = variance.partition({"all": Band(design)}, observed, folds, seed=0, search=0)
        return np.median(variance.share(part.total, part.size))

    assert score(responses) > 0.5
    assert abs(score(responses[other])) < 0.05


def test_stretches_are_those_of_the_splitter_for_continuous_recordings():
    for mine, (train, test) in zip(stretches(100, 4, 6), continuous.gapped_folds(100, 4, 6), strict=True):
        np.testing.assert_array_equal(mine.train, train)
        np.testing.assert_array_equal(mine.test, test)
