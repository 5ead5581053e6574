"""The memory of bits, against a step-by-step account of the same pulses."""

import numpy as np
import pytest

from neurocompare.tasks import flipflop


def told(clean, settle):
    """Targets and weights, by going through the steps of one input."""
    held, since, target, mask = 0, 0, [], []
    for step, value in enumerate(clean):
        if value and value != held:
            held, since = value, step
        target.append(held)
        mask.append(step - since >= settle)
    return target, mask


@pytest.mark.parametrize("options", [{}, {"bits": 2, "pulse": 0.06, "duration": 2.5, "settle": 0.1, "rate": 6.0}])
def test_targets_hold_the_sign_of_the_last_pulse(options):
    trials = flipflop.trials(20, np.random.default_rng(0), **options)
    settle = round(options.get("settle", 0.2) / 0.02)
    for trial in range(20):
        for bit in range(trials.inputs.shape[2]):
            target, mask = told(trials.inputs[trial, :, bit], settle)
            np.testing.assert_array_equal(trials.targets[trial, :, bit], target)
            np.testing.assert_array_equal(trials.mask[trial, :, bit], mask)
    assert (np.abs(trials.targets) == 1).all()


def test_pulses_come_at_the_rate_that_is_asked_for_with_both_signs():
    trials = flipflop.trials(500, np.random.default_rng(0))
    slots = trials.inputs[:, ::5]
    np.testing.assert_array_equal(slots.repeat(5, axis=1), trials.inputs)
    assert (slots[:, 0] != 0).all()
    later = slots[:, 1:]
    assert (later != 0).mean() == pytest.approx(2 * 0.1, rel=0.03)
    assert later[later != 0].mean() == pytest.approx(0, abs=0.03)


def test_slots_of_one_step_are_the_setting_of_the_fixed_point_finders():
    trials = flipflop.trials(400, np.random.default_rng(0), pulse=0.02, rate=25, duration=1.28, settle=0)
    assert trials.inputs.shape == (400, 64, 3) and (trials.mask == 1).all()
    assert (trials.inputs[:, 1:] != 0).mean() == pytest.approx(0.5, abs=0.01)


def test_states_at_the_end_are_told_and_balanced_in_tests():
    trials = flipflop.test(np.random.default_rng(0), repeats=5)
    last = trials.targets[:, -1]
    names, counts = np.unique(trials.conditions["state"], return_counts=True)
    assert len(names) == 8 and (counts == 5).all()
    for row, state, number in zip(last, trials.conditions["state"], trials.conditions["target"], strict=True):
        assert state == "".join("+" if value > 0 else "−" for value in row)
        assert number == sum(2**k for k, value in enumerate(row) if value > 0)
    # The balance does not come from more or fewer pulses.
    slots = flipflop.test(np.random.default_rng(1), repeats=60).inputs[:, ::5]
    assert (slots[:, 1:] != 0).mean() == pytest.approx(0.2, rel=0.05)


def test_one_wrong_sign_where_it_counts_makes_a_trial_wrong():
    trials = flipflop.trials(2, np.random.default_rng(0))
    outputs = trials.targets.copy()
    step = np.flatnonzero(trials.mask[0, :, 1])[3]
    outputs[0, step, 1] *= -0.1
    outputs[1][trials.mask[1] == 0] = 0
    found = flipflop.performance(outputs, trials)
    np.testing.assert_array_equal(found["correct"], [0, 1])
    scored = trials.mask[0].sum()
    np.testing.assert_allclose(found["fraction"], [1 - 1 / scored, 1])
    np.testing.assert_array_equal(found["choice"], trials.conditions["target"])
