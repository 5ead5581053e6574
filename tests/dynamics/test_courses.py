"""Courses of activity: planted time scales of Ornstein–Uhlenbeck processes, and speed on a circle."""

import numpy as np
import pytest

from neurocompare.dynamics import courses


def ornstein_uhlenbeck(rng, tau, n_trials, n_times, dt, n_units):
    keep = np.exp(-dt / tau)
    x = np.empty((n_trials, n_times, n_units))
    x[:, 0] = rng.standard_normal((n_trials, n_units))
    for t in range(1, n_times):
        x[:, t] = keep * x[:, t - 1] + np.sqrt(1 - keep**2) * rng.standard_normal((n_trials, n_units))
    return x


@pytest.mark.parametrize("tau", [0.06, 0.15, 0.4])
def test_the_time_scale_of_a_process_is_found_through_private_noise(tau):
    rng = np.random.default_rng(0)
    x = ornstein_uhlenbeck(rng, tau, 400, 40, 0.025, 12) + rng.standard_normal((400, 40, 12))
    correlation = courses.autocorrelation(x)[:, 1:30]
    lag = 0.025 * np.arange(1, 30)
    found = courses.decay(correlation.mean(0), lag, 40 - np.arange(1, 30))
    assert found.status == ""
    assert found.time_scale == pytest.approx(tau, rel=0.12)
    # Noise of single bins halves the variance that is shared.
    assert found.at(0.0) == pytest.approx(0.5, abs=0.06)


def test_an_exact_curve_is_fitted_exactly_with_its_offset():
    lag = 0.05 * np.arange(1, 12)
    found = courses.decay(0.4 * np.exp(-lag / 0.13) + 0.2, lag)
    assert found.time_scale == pytest.approx(0.13, rel=1e-3)
    assert found.amplitude == pytest.approx(0.4, rel=2e-3)
    assert found.offset == pytest.approx(0.2, rel=1e-2)


def test_what_does_not_fall_has_no_time_scale():
    lag = 0.05 * np.arange(1, 12)
    assert courses.decay(0.1 + 0.2 * lag**2, lag).status == "rising"
    straight = courses.decay(0.6 - 0.3 * lag, lag)
    assert straight.status == "beyond_lags" and np.isnan(straight.time_scale)
    assert courses.decay(np.array([0.3, np.nan, 0.2]), lag[:3]).status == "too_few_lags"


def test_conditions_are_taken_out_and_gaps_left_out():
    rng = np.random.default_rng(1)
    x = ornstein_uhlenbeck(rng, 0.1, 300, 20, 0.05, 2)
    group = rng.integers(4, size=300)
    course = 5 * rng.standard_normal((4, 20, 2))
    plain = courses.autocorrelation(x, group)
    np.testing.assert_allclose(courses.autocorrelation(x + course[group], group), plain, atol=1e-10)
    holes = x.copy()
    holes[:100, :, 1] = np.nan
    found = courses.autocorrelation(holes, group)
    np.testing.assert_allclose(found[0], plain[0])
    np.testing.assert_allclose(found[1], courses.autocorrelation(x[100:, :, 1:], group[100:])[0])
    assert np.isnan(courses.autocorrelation(np.zeros((10, 5, 1)))).all()


def test_lag_one_is_the_mean_correlation_of_neighbouring_bins():
    x = np.random.default_rng(2).standard_normal((50, 6, 1)).cumsum(1)
    pairs = [np.corrcoef(x[:, i, 0], x[:, i + 1, 0])[0, 1] for i in range(5)]
    np.testing.assert_allclose(courses.autocorrelation(x)[0, :2], [1, np.mean(pairs)])


def test_speed_on_a_circle_is_radius_times_angular_velocity():
    t = np.arange(0, 1, 0.001)
    states = 3 * np.stack([np.cos(7 * t), np.sin(7 * t), 0 * t], axis=-1)
    np.testing.assert_allclose(courses.speed(states, 0.001)[1:-1], 21, rtol=1e-4)
