"""Scores of single neurons: a perfect model scores one, a known r² is found, and intervals cover."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from neurocompare.errors import UserError
from neurocompare.prediction import unit_scores


def simulated(stimuli, repeats, snr, true_r2, units=300, seed=0):
    """Predictions with an exact r² with true means of variance 1, and trials with noise of variance 1 / snr."""
    rng = np.random.default_rng(seed)

    def unit_length(x):
        return x / np.linalg.norm(x, axis=0)

    p = rng.standard_normal((stimuli, units))
    p = unit_length(p - p.mean(0))
    q = rng.standard_normal((stimuli, units))
    q = unit_length(q - q.mean(0) - p * (p * (q - q.mean(0))).sum(0))
    means = np.sqrt(stimuli) * (np.sqrt(true_r2) * p + np.sqrt(1 - true_r2) * q)
    noise = rng.standard_normal((repeats, stimuli, units)) / np.sqrt(snr)
    return 3 * p + 1, means, means + noise


def close(found, expected, errors=4):
    """The mean over units is as expected, to within its standard error."""
    found = found[np.isfinite(found)]
    assert abs(found.mean() - expected) < errors * found.std() / np.sqrt(len(found)) + 1e-9


@pytest.mark.parametrize(("stimuli", "repeats", "snr"), [(118, 10, 0.2), (118, 4, 0.2), (50, 4, 1.0), (118, 2, 1.0)])
def test_a_perfect_model_scores_one_whatever_the_noise(stimuli, repeats, snr):
    _, means, trials = simulated(stimuli, repeats, snr, 1.0)
    for name, (score, by_trials, _) in unit_scores.SCORES.items():
        found = score(means, trials if by_trials else trials.mean(0))
        if by_trials:
            # Ratios of unbiased terms; with hardly any noise left in them also unbiased themselves.
            assert np.isfinite(found).mean() > 0.99
            assert np.nanmedian(found) == pytest.approx(1, abs=0.02), name
        else:
            assert np.nanmedian(found) < 0.95, name


@pytest.mark.parametrize(("repeats", "snr"), [(4, 0.2), (10, 0.2), (10, 1.0)])
def test_a_known_share_of_variance_is_found(repeats, snr):
    predicted, _, trials = simulated(118, repeats, snr, 0.25, units=1000)
    assert np.nanmedian(unit_scores.r2er(predicted, trials)) == pytest.approx(0.25, abs=0.02)
    assert np.nanmedian(unit_scores.ccnorm(predicted, trials)) == pytest.approx(0.5, abs=0.02)
    # Without a correction noise lowers both.
    assert (
        np.median(unit_scores.pearson(predicted, trials.mean(0)) ** 2)
        < 0.25 * (snr * repeats) / (1 + snr * repeats) + 0.02
    )


def test_p2_r_is_divided_by_the_root_of_the_reliability():
    predicted, _, trials = simulated(118, 10, 0.05, 0.25, units=2000)
    r, reliability = unit_scores.pearson(predicted, trials.mean(0)), unit_scores.reliability(trials)
    # A ratio of variances: signal 1 and noise of 2 in the mean of ten trials.
    assert np.median(reliability) == pytest.approx(1 / 3, abs=0.02)
    assert np.median(r) ** 2 / np.median(reliability) == pytest.approx(0.25, abs=0.03)
    # What (r / reliability)² would give.
    assert (np.median(r) / np.median(reliability)) ** 2 > 0.6


def test_explained_variance_of_predictions_with_an_error_in_their_level():
    rng = np.random.default_rng(1)
    means = rng.standard_normal((200, 50))
    trials = means + rng.standard_normal((6, 200, 50))
    # An error of variance 0.25 of the signal explains 75 %; a constant of 0.5 costs another 25 %.
    wrong = means + 0.5 * rng.standard_normal((200, 50))
    assert np.median(unit_scores.feve(wrong, trials)) == pytest.approx(0.75, abs=0.02)
    assert np.median(unit_scores.feve(wrong + 0.5, trials)) == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(
        unit_scores.r2(wrong, trials.mean(0)), r2_score(trials.mean(0), wrong, multioutput="raw_values"), atol=1e-12
    )
    # Correlations do not see the level.
    np.testing.assert_allclose(unit_scores.r2er(wrong, trials), unit_scores.r2er(3 * wrong - 7, trials), atol=1e-10)


def test_pearson_is_that_of_scipy_and_undefined_for_what_is_constant():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 30, 5))
    x[:, 3], y[:, 4] = 1e7 / 3, 0.1
    found = unit_scores.pearson(x, y)
    np.testing.assert_allclose(found[:3], [stats.pearsonr(x[:, k], y[:, k]).statistic for k in range(3)], atol=1e-12)
    assert np.isnan(found[3:]).all()
    trials = np.repeat(y[None], 3, axis=0) + rng.standard_normal((3, 30, 5))
    trials[..., 4] = 0.1
    for score in (unit_scores.feve, unit_scores.ccnorm, unit_scores.r2er):
        assert np.isnan(score(x, trials)[4])


def test_p3_without_signal_corrected_scores_are_undefined_not_clipped():
    predicted, _, _ = simulated(118, 2, 0.05, 0.5)
    trials = np.random.default_rng(3).standard_normal((2, 118, 300))
    found = unit_scores.r2er(predicted, trials)
    # The estimated signal is as often negative as positive.
    assert 0.35 < np.isnan(found).mean() < 0.65
    assert np.nanmin(found) < 0
    low, high = unit_scores.r2er_interval(predicted, trials, seed=0)
    assert np.mean(high - low) > 0.7


def test_missing_repeats_are_allowed_and_change_nothing_on_average():
    predicted, means, trials = simulated(118, 8, 0.5, 0.4)
    some = trials.copy()
    some[5:, :60] = np.nan
    for score in (unit_scores.r2er, unit_scores.ccnorm, unit_scores.feve):
        found = score(means if score is unit_scores.feve else predicted, some)
        expected = score(means if score is unit_scores.feve else predicted, trials)
        assert np.nanmedian(found) == pytest.approx(np.nanmedian(expected), abs=0.04)
    with pytest.raises(UserError, match="at least 2 trials of every stimulus") as error:
        unit_scores.r2er(predicted, trials[:1])
    assert "\n" not in str(error.value)


def test_a_drift_that_all_stimuli_share_is_no_noise_of_their_differences():
    predicted, means, trials = simulated(50, 5, 1, 0.4)
    drift = 3 * np.random.default_rng(2).standard_normal((5, 1, 300))
    for score in (unit_scores.r2er, unit_scores.ccnorm):
        np.testing.assert_allclose(score(predicted, trials + drift), score(predicted, trials), rtol=1e-9)
    np.testing.assert_allclose(unit_scores.reliability(trials + drift), unit_scores.reliability(trials), rtol=1e-9)
    # Predictions with the level of what was recorded.
    perfect = unit_scores.feve(means + drift.mean(0), trials + drift)
    close(perfect, 1)
    some = slice(0, 40)
    np.testing.assert_allclose(
        unit_scores.r2er_interval(predicted[:, some], (trials + drift)[..., some], seed=0),
        unit_scores.r2er_interval(predicted[:, some], trials[..., some], seed=0),
        atol=1e-6,
    )
    # Equation 1 of Schoppe et al. 2016.
    power = (trials.sum(0).var(0, ddof=1) - trials.var(1, ddof=1).sum(0)) / 20
    expected = power / trials.mean(0).var(0, ddof=1)
    np.testing.assert_allclose(unit_scores.reliability(trials), expected, rtol=1e-9)


@pytest.mark.parametrize("noisy", [slice(0, 60), slice(60, 118)])
def test_noisier_stimuli_may_be_shown_more_or_less_often_than_others(noisy):
    predicted, means, trials = simulated(118, 8, 5, 0.5)
    trials[:, noisy] += 1.5 * np.random.default_rng(3).standard_normal(trials[:, noisy].shape)
    trials[3:, :60] = np.nan
    for score in (unit_scores.r2er, unit_scores.ccnorm, unit_scores.feve):
        assert np.median(score(means, trials)) == pytest.approx(1, abs=0.02)
    assert np.median(unit_scores.r2er(predicted, trials)) == pytest.approx(0.5, abs=0.03)
    low, high = unit_scores.r2er_interval(predicted[:, :100], trials[..., :100], seed=1)
    assert np.mean((low <= 0.5) & (high >= 0.5)) > 0.87


@pytest.mark.parametrize("true_r2", [0, 0.03, 0.25, 0.5, 0.9, 1])
def test_intervals_cover_the_true_share_of_variance(true_r2):
    cells = [(20, 2, 0.1), (20, 2, 2), (50, 5, 0.5), (118, 2, 0.1), (118, 20, 2), (118, 20, 0.1)]
    covered = []
    for stimuli, repeats, snr in cells:
        predicted, _, trials = simulated(stimuli, repeats, snr, true_r2, units=100, seed=7)
        low, high = unit_scores.r2er_interval(predicted, trials, seed=1)
        assert ((low >= 0) & (low <= high) & (high <= 1)).all()
        covered.append(np.mean((low <= true_r2 + 1e-9) & (true_r2 <= high + 1e-9)))
    # Of all, within 3 standard errors of 95 %; nowhere far less.
    assert 0.923 < np.mean(covered) < 0.985
    assert np.min(covered) > 0.87


def test_intervals_are_narrow_where_there_is_much_signal_and_hold_the_estimate():
    predicted, _, trials = simulated(118, 20, 2, 0.5, units=40)
    low, high = unit_scores.r2er_interval(predicted, trials, seed=1)
    found = unit_scores.r2er(predicted, trials)
    assert ((low < found) & (found < high)).all()
    # The error of a squared correlation of n values with known noise: 2 r √(1 - r²) / √signal-to-noise of all means.
    error = 2 * np.sqrt(0.5 * 0.5 / (118 * 2 * 20))
    assert np.mean(high - low) == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert np.mean((low <= 0.4) & (high >= 0.4)) < 0.05
    # They depend on neither scale nor sign of the predictions, nor on the unit of the responses.
    again = unit_scores.r2er_interval(5 - 2 * predicted[:, :3], 10 * trials[..., :3] + 4, seed=1)
    np.testing.assert_allclose(again, [low[:3], high[:3]], atol=1e-6)
    # Two stimuli say nothing; without a prediction or without noise there is none.
    np.testing.assert_array_equal(
        unit_scores.r2er_interval(predicted[:2, :3], trials[:, :2, :3], seed=1).T, [[0, 1]] * 3
    )
    predicted[:, 0], trials[..., 1] = 2.0, trials[0, :, 1]
    found = unit_scores.r2er_interval(predicted[:, :3], trials[..., :3], seed=1)
    assert np.isnan(found).all(0).tolist() == [True, True, False]


def test_p20_reliability_is_what_halves_of_the_trials_and_spearman_brown_give():
    _, _, trials = simulated(118, 8, 0.3, 0.5, units=400)
    rng, stepped = np.random.default_rng(5), []
    for _ in range(20):
        order = rng.permutation(8)
        r = unit_scores.pearson(trials[order[:4]].mean(0), trials[order[4:]].mean(0))
        stepped.append(2 * r / (1 + r))
    found = unit_scores.reliability(trials)
    assert np.median(found) == pytest.approx(0.3 * 8 / (1 + 0.3 * 8), abs=0.01)
    assert np.median(found - np.mean(stepped, axis=0)) == pytest.approx(0, abs=0.01)
    # An odd number of repeats needs no other formula.
    assert np.median(unit_scores.reliability(trials[:5])) == pytest.approx(1.5 / 2.5, abs=0.015)


def test_p21_numerator_and_reliability_are_of_the_same_trials():
    _, means, trials = simulated(118, 4, 0.13, 1.0, units=2000)
    reliability = np.median(unit_scores.reliability(trials))
    of_all = np.median(unit_scores.pearson(means, trials.mean(0)))
    assert of_all / np.sqrt(reliability) == pytest.approx(1, abs=0.02)
    # Scored on one half but corrected by the reliability of all, even a perfect model fails.
    of_half = np.median(unit_scores.pearson(means, trials[:2].mean(0)))
    half = 2 * 0.13 / (1 + 2 * 0.13)
    assert of_half / np.sqrt(reliability) == pytest.approx(np.sqrt((1 + half) / 2), abs=0.02)


def test_trials_that_only_some_units_lack_are_refused():
    predicted, _, trials = simulated(20, 4, 1, 0.5, units=5)
    trials[3, 7, 2] = np.nan
    with pytest.raises(UserError, match="NaN for some units only") as error:
        unit_scores.ccnorm(predicted, trials)
    assert "\n" not in str(error.value)
