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


@pytest.mark.parametrize(("stimuli", "repeats", "snr"), [(118, 10, 0.2), (50, 4, 1.0), (118, 2, 1.0)])
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


@pytest.mark.parametrize("snr", [0.2, 1.0])
def test_a_known_share_of_variance_is_found(snr):
    predicted, _, trials = simulated(118, 10, snr, 0.25)
    assert np.nanmedian(unit_scores.r2er(predicted, trials)) == pytest.approx(0.25, abs=0.02)
    assert np.nanmedian(unit_scores.ccnorm(predicted, trials)) == pytest.approx(0.5, abs=0.02)
    # Without a correction noise lowers both.
    assert np.median(unit_scores.pearson(predicted, trials.mean(0)) ** 2) < 0.25 * (snr * 10) / (1 + snr * 10) + 0.02


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


@pytest.mark.parametrize(
    ("stimuli", "repeats", "snr", "true_r2"),
    [(50, 4, 0.2, 0.25), (118, 10, 0.05, 0.8), (118, 2, 0.5, 1.0), (20, 2, 2, 0)],
)
def test_intervals_cover_the_true_share_of_variance(stimuli, repeats, snr, true_r2):
    predicted, _, trials = simulated(stimuli, repeats, snr, true_r2, units=200)
    low, high = unit_scores.r2er_interval(predicted, trials, seed=1, draws=200)
    assert np.mean((low <= true_r2 + 1e-9) & (true_r2 <= high + 1e-9)) > 0.9
    # They are no wider than needed: with another predictor's truth they often miss.
    assert ((low >= 0) & (high <= 1)).all()
