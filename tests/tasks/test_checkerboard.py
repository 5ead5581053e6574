"""The checkerboard: who is right, what is scored, reaction times, catch trials, and the ideal observer."""

import numpy as np
import pytest

from neurocompare.tasks import checkerboard as task

FIXED = {"start_spread": 0.0, "targets": 0.8}


def test_choice_goes_to_the_target_of_the_color_of_most_squares():
    trials = task.test(np.random.default_rng(0), repeats=1, noise=0)
    seen = set()
    for k in range(len(trials)):
        step = trials.onset[k] + 20
        left, right, red, green = trials.inputs[k, step]
        assert left == -right and abs(left) == 1 and red == -green
        assert red == pytest.approx(trials.conditions["coherence"][k])
        # −1 is red: the left one is wanted if it is red and there is more red, or green and more green.
        expected = -1 if (left == -1) == (red > 0) else 1
        assert trials.conditions["target"][k] == expected
        assert trials.conditions["color"][k] == ("red" if red > 0 else "green")
        assert trials.conditions["configuration"][k] == ("red-left" if left == -1 else "red-right")
        wanted = trials.targets[k, step]
        np.testing.assert_array_equal(wanted, [1, 0] if expected == -1 else [0, 1])
        seen.add((trials.conditions["level"][k], trials.conditions["configuration"][k]))
    assert len(seen) == len(trials) == 28


def test_coherences_are_those_of_the_published_numbers_of_squares():
    published = np.array([11, 45, 67, 78, 90, 101, 108, 117, 124, 135, 147, 158, 180, 214])
    shown = np.unique(task.test(np.random.default_rng(0), repeats=1).conditions["coherence"])
    np.testing.assert_allclose(shown, 2 * published / 225 - 1, atol=1e-12)


def test_noise_of_the_published_step_is_that_of_the_published_networks():
    # sd = √(2 τ σ² / dt) with τ = 50 ms, σ = 0.1 and dt = 10 ms, on the checkerboard's inputs only, in all steps.
    trials = task.trials(200, np.random.default_rng(0), dt=0.01, **FIXED, catch=0.0)
    added = trials.inputs - trials.clean
    assert not added[..., :2].any() and (added[..., 2:] != 0).all()
    assert added[..., 2:].std() == pytest.approx(np.sqrt(2 * 0.05 * 0.1**2 / 0.01), rel=0.01)


def test_times_are_those_of_the_paper():
    trials = task.trials(2000, np.random.default_rng(0), dt=0.01, catch=0.0)
    seconds = {name: np.diff(bounds, axis=1)[:, 0] for name, bounds in trials.epochs.items()}
    assert seconds["before"].mean() == pytest.approx(0.2, abs=0.005)
    assert seconds["before"].std() == pytest.approx(0.05, abs=0.005)
    assert seconds["targets"].min() == pytest.approx(0.6) and seconds["targets"].max() == pytest.approx(1.0)
    for name, expected in {"grace": 0.2, "decision": 1.3, "after": 0.3}.items():
        np.testing.assert_allclose(seconds[name], expected)
    np.testing.assert_allclose(trials.onset * 0.01, seconds["before"] + seconds["targets"])


def test_outputs_are_asked_for_in_the_decision_and_zero_elsewhere():
    trials = task.trials(200, np.random.default_rng(0))
    np.testing.assert_array_equal(trials.targets.sum(-1), trials.during("decision"))
    own = np.arange(trials.inputs.shape[1]) < trials.length[:, None]
    np.testing.assert_array_equal(trials.mask, np.stack([own, own], axis=-1))
    loss = {name: 1 for name in ("before", "targets", "decision", "after")}
    other = task.trials(200, np.random.default_rng(0), loss=loss)
    np.testing.assert_array_equal(other.mask[..., 0], own & ~other.during("grace"))


def test_catch_trials_ask_for_nothing_and_half_of_them_show_targets():
    trials = task.trials(4000, np.random.default_rng(0), noise=0)
    caught = trials.conditions["catch"] == 1
    assert caught.mean() == pytest.approx(0.1, abs=0.015)
    np.testing.assert_array_equal(caught, trials.onset == -1)
    np.testing.assert_allclose(trials.length[caught] * trials.dt, 2.0)
    assert not trials.targets[caught].any() and not trials.clean[caught][..., 2:].any()
    lit = trials.clean[caught][..., 0].any(axis=1)
    assert lit.mean() == pytest.approx(0.5, abs=0.08)
    configuration = trials.conditions["configuration"][caught]
    np.testing.assert_array_equal(configuration != "none", lit)
    assert (trials.conditions["target"][caught] == 0).all() and (trials.conditions["color"][caught] == "none").all()
    assert np.isnan(trials.epochs["decision"][caught]).all()
    found = task.performance(np.ones_like(trials.targets), trials)
    for name in ("correct", "choice", "chosen_color", "reaction_time", "late_choice", "late_correct"):
        assert np.isnan(found[name][caught]).all() and not np.isnan(found[name][~caught]).any()
    assert (task.trials(50, np.random.default_rng(0), catch=1.0).conditions["catch"] == 1).all()


def test_first_output_above_the_threshold_is_the_choice():
    trials = task.trials(4, np.random.default_rng(0), catch=0.0, **FIXED)
    start = trials.onset[0]
    assert start == 50 and (trials.onset == 50).all() and trials.time[50] == pytest.approx(0.01)
    outputs = np.zeros(trials.targets.shape)
    outputs[:, 10] = 2  # before the checkerboard: not seen
    outputs[0, start + 20 :, 0] = 0.7  # left
    outputs[0, start + 30 :, 1] = 0.9  # right, later
    outputs[1, start + 15 :] = [0.61, 0.62]  # both in one step: the greater one
    outputs[2, start:] = 0.6  # not above
    outputs[2, start + 60 :, 1] = 0.601
    found = task.performance(outputs, trials)
    np.testing.assert_array_equal(found["choice"], [-1, 1, 1, np.nan])
    np.testing.assert_allclose(found["reaction_time"], [21 * 0.02, 16 * 0.02, 61 * 0.02, np.nan])
    target = trials.conditions["target"]
    np.testing.assert_array_equal(found["correct"][:3], np.array([-1, 1, 1]) == target[:3])
    assert found["correct"][3] == 0
    np.testing.assert_array_equal(found["late_choice"], [1, 1, 1, -1])
    assert np.isnan(task.performance(outputs, trials, threshold=3)["choice"]).all()


def test_the_chosen_color_is_that_of_the_target_on_the_chosen_side():
    trials = task.test(np.random.default_rng(0), repeats=2, **FIXED)
    chosen = np.random.default_rng(1).choice([-1, 1], size=len(trials))
    outputs = np.stack([chosen == -1, chosen == 1], axis=-1)[:, None] * np.ones((1, trials.targets.shape[1], 1))
    found = task.performance(outputs, trials)
    np.testing.assert_array_equal(found["choice"], chosen)
    # Inputs of targets: −1 is red.
    at = trials.clean[np.arange(len(trials)), trials.onset, np.where(chosen == -1, 0, 1)]
    np.testing.assert_array_equal(found["chosen_color"], -at)
    # Who is right has chosen the color of most squares.
    right = found["correct"] == 1
    np.testing.assert_array_equal(right, found["chosen_color"] == np.sign(trials.conditions["coherence"]))


def test_the_late_choice_is_that_of_the_output_a_twentieth_of_a_second_before_the_end():
    trials = task.trials(20, np.random.default_rng(0), dt=0.01, catch=0.0)
    ends = np.round((trials.epochs["decision"][:, 1] - 0.05 - (trials.time[0] - 0.005)) / 0.01).astype(int)
    for shift, choice in ((1, -1), (0, 1)):
        outputs = np.zeros(trials.targets.shape)
        outputs[..., 0] = 0.1
        # From the step on that ends then, or one later, it is the other one.
        for trial, end in enumerate(ends):
            outputs[trial, end - 1 + shift :, 1] = 0.9
        np.testing.assert_array_equal(task.performance(outputs, trials)["late_choice"], choice)


@pytest.mark.parametrize("dt", [0.02, 0.05])
def test_ideal_observer_sums_the_difference_of_the_colors(dt):
    options = {"dt": dt, "noise": 0.3, "coherences": [0.04, 0.1, 0.2]}
    trials = task.test(np.random.default_rng(2), repeats=500, **options)
    board = (trials.during("grace") | trials.during("decision"))[..., None]
    red, green = (trials.inputs[..., 2:] * board).sum(1).T
    left = trials.clean[np.arange(len(trials)), trials.onset, 0]
    choice = np.where((red > green) == (left == -1), -1, 1)
    outputs = np.stack([choice == -1, choice == 1], axis=1)[:, None] * np.ones_like(trials.targets)
    found = task.performance(outputs, trials)["correct"]
    best = task.ideal(**options)
    assert found.mean() == pytest.approx(best, abs=3 * np.sqrt(best * (1 - best) / found.size))
    assert 0.7 < best < 0.9
