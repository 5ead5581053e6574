"""Frequency-cued sines: targets, the input that tells the frequency, and frequencies of known outputs."""

import numpy as np
import pytest

from neurocompare.tasks import sine


def test_targets_are_sines_that_start_with_the_input():
    trials = sine.test(np.random.default_rng(0), repeats=1)
    f = trials.conditions["frequency"]
    end = trials.time + trials.dt / 2
    expected = np.where(end > 0, np.sin(2 * np.pi * f[:, None] * end), 0)
    np.testing.assert_allclose(trials.targets[..., 0], expected, atol=1e-6)
    np.testing.assert_array_equal(trials.inputs[..., 0] != 0, np.broadcast_to(trials.time > 0, trials.inputs.shape[:2]))
    assert (trials.mask == 1).all()


def test_input_grows_linearly_with_the_frequency():
    trials = sine.trials(300, np.random.default_rng(0), draw="uniform", lowest=1.0, highest=3.0)
    f, value = trials.conditions["frequency"], trials.inputs[:, -1, 0]
    np.testing.assert_allclose(value, 0.25 + (f - 1) / 2, atol=1e-6)
    assert (trials.conditions["level"] == 0).all() and f.min() < 1.1 and f.max() > 2.9
    static = sine.static(lowest=1.0, highest=3.0, levels=3)
    assert {key: value.item() for key, value in static.items()} == {
        "frequency=1": 0.25,
        "frequency=2": 0.75,
        "frequency=3": 1.25,
    }


@pytest.mark.parametrize("phase", [0, 1.0, -2.0])
def test_frequency_of_an_output_is_found_whatever_its_phase_and_size(phase):
    trials = sine.trials(40, np.random.default_rng(0), draw="uniform", duration=4.0)
    f = trials.conditions["frequency"]
    outputs = 0.3 * np.sin(2 * np.pi * f[:, None] * trials.time + phase)[..., None]
    found = sine.performance(outputs, trials)
    np.testing.assert_allclose(found["choice"], f, atol=0.01)
    assert not found["correct"].any()


def test_error_is_that_of_the_output_over_the_power_of_the_target():
    trials = sine.trials(40, np.random.default_rng(0))
    for factor, correct in [(0.75, 1), (0.6, 0)]:
        found = sine.performance(factor * trials.targets, trials)
        np.testing.assert_allclose(found["error"], (1 - factor) ** 2, rtol=1e-5)
        np.testing.assert_array_equal(found["correct"], correct)
    wrong = sine.performance(np.full_like(trials.targets, np.nan), trials)
    assert np.isnan(wrong["choice"]).all()
