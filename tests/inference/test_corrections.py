"""Corrections for several comparisons against worked values, brute force and simulation."""

import numpy as np
import pytest
from scipy import stats

from neurocompare.errors import UserError
from neurocompare.inference import corrections


def test_false_discovery_rates_give_the_known_values():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    # Worked by hand: sorted 0.005, 0.01, 0.03, 0.04 times 4, 2, 4/3, 1, made monotone from the end.
    np.testing.assert_allclose(corrections.benjamini_hochberg(p), [0.02, 0.04, 0.04, 0.02])
    np.testing.assert_allclose(
        corrections.benjamini_yekutieli(p), np.array([0.02, 0.04, 0.04, 0.02]) * (1 + 1 / 2 + 1 / 3 + 1 / 4)
    )
    np.testing.assert_allclose(corrections.holm(p), [0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("seed", range(5))
def test_false_discovery_rates_agree_with_scipy(seed):
    p = np.random.default_rng(seed).random(23) ** 3
    for ours, theirs in ((corrections.benjamini_hochberg, "bh"), (corrections.benjamini_yekutieli, "by")):
        np.testing.assert_allclose(ours(p), stats.false_discovery_control(p, method=theirs))
        np.testing.assert_allclose(ours(p.reshape(1, 23)), ours(p)[None])


@pytest.mark.parametrize("correct", [corrections.benjamini_hochberg, corrections.benjamini_yekutieli, corrections.holm])
def test_what_has_no_p_value_is_no_comparison(correct):
    p = np.array([0.01, np.nan, 0.03, np.nan, 0.04])
    found = correct(p)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(p))
    np.testing.assert_allclose(found[[0, 2, 4]], correct(p[[0, 2, 4]]))
    assert correct(np.array([])).shape == (0,)
    np.testing.assert_array_equal(correct(np.array([0.9, 1.0])) <= 1, True)


def test_the_false_discovery_rate_is_held_and_finds_more_than_holm():
    rng = np.random.default_rng(0)
    false, found = [], []
    for _ in range(600):
        z = rng.standard_normal(40)
        z[:10] += 3
        p = stats.norm.sf(z)
        called = corrections.benjamini_hochberg(p) <= 0.1
        false.append(called[10:].sum() / max(called.sum(), 1))
        found.append((called[:10].mean(), (corrections.holm(p) <= 0.1)[:10].mean()))
    # Expected: 0.1 times 30 of 40.
    assert np.mean(false) == pytest.approx(0.075, abs=0.015)
    assert np.mean(found, axis=0)[0] > np.mean(found, axis=0)[1] + 0.1


def correlated(rng, n, k, share):
    """Scores that have much in common, as those of neighbouring layers."""
    return np.sqrt(share) * rng.standard_normal((n, 1)) + np.sqrt(1 - share) * rng.standard_normal((n, k))


@pytest.mark.parametrize("standardise", [False, True])
def test_the_largest_score_of_shuffles_holds_the_family_wise_error(standardise):
    rng = np.random.default_rng(1)
    single, holm = [], []
    for _ in range(1500):
        scores = correlated(rng, 200, 20, 0.8)
        p = corrections.maximum(scores[0], scores[1:], standardise=standardise)
        single.append(p.min() <= 0.05)
        holm.append(corrections.holm((1 + (scores[1:] >= scores[0]).sum(0)) / 200).min() <= 0.05)
    assert np.mean(single) == pytest.approx(0.05, abs=0.017)
    # What the scores have in common is not paid for twenty times.
    assert np.mean(holm) < np.mean(single) - 0.02


def test_scores_with_different_nulls_are_compared_in_their_own_units():
    rng = np.random.default_rng(2)
    scale, place = np.array([1.0, 10.0]), np.array([0.0, 5.0])
    scores = rng.standard_normal((1000, 2)) * scale + place
    scores[0] = scale * 4 + place
    plain = corrections.maximum(scores[0], scores[1:])
    own = corrections.maximum(scores[0], scores[1:], standardise=True)
    assert plain[0] > 0.5
    np.testing.assert_allclose(own, [own[0]] * 2, atol=0.002)
    assert own[0] <= 0.005


def test_the_largest_score_by_brute_force_with_what_is_undefined():
    rng = np.random.default_rng(3)
    value, null = rng.standard_normal((2, 3)), rng.standard_normal((50, 2, 3))
    value[0, 1] = np.nan
    null[7, 1, 1] = np.nan
    found = corrections.maximum(value, null)
    assert np.isnan(found[0, 1])
    for i, j in np.argwhere(np.isfinite(value)):
        beaten = 1  # the shuffle with an undefined score
        for k in set(range(50)) - {7}:
            beaten += max(null[k][np.isfinite(value)]) >= value[i, j]
        assert found[i, j] == pytest.approx((1 + beaten) / 51)
    with pytest.raises(UserError, match=r"^scores have shape \(2, 3\) and their null \(50, 2, 2\); give"):
        corrections.maximum(value, null[..., :2])
