"""Perceptual decisions and delayed matches: ideal observers against simulated ones, reaction times, delays."""

import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.tasks import delayed_match, evidence, perceptual_decision


def error(p, n):
    return np.sqrt(p * (1 - p) / n)


def filled(values, trials):
    return np.broadcast_to(np.asarray(values, dtype=float)[:, None, None], trials.targets.shape)


@pytest.mark.parametrize(
    "options",
    [{}, {"dt": 0.05}, {"stimulus": [0.2, 1.0], "noise": 0.2}, {"draw": "uniform"}, {"delay": [0.0, 0.4]}],
)
def test_ideal_observer_of_a_decision_sums_the_evidence(options):
    trials = perceptual_decision.trials(6000, np.random.default_rng(1), **options)
    found = perceptual_decision.performance(filled(trials.inputs[..., 0].sum(1), trials), trials)["correct"]
    best = perceptual_decision.ideal(**options)
    assert found.mean() == pytest.approx(best, abs=3 * error(best, found.size))
    assert 0.7 < best < 0.95


def test_ideal_observer_of_a_test_is_that_of_the_levels():
    trials = perceptual_decision.test(np.random.default_rng(1), repeats=600, draw="uniform")
    found = perceptual_decision.performance(filled(trials.inputs[..., 0].sum(1), trials), trials)["correct"]
    best = perceptual_decision.ideal()
    assert found.mean() == pytest.approx(best, abs=3 * error(best, found.size))
    assert best != pytest.approx(perceptual_decision.ideal(draw="uniform"), abs=0.02)


def test_fixation_goes_off_when_the_decision_starts():
    trials = perceptual_decision.trials(100, np.random.default_rng(1), stimulus=[0.2, 0.6], delay=[0.1, 0.3])
    own = np.arange(trials.inputs.shape[1]) < trials.length[:, None]
    np.testing.assert_array_equal(trials.inputs[..., 1], own & ~trials.during("decision"))
    np.testing.assert_array_equal(trials.clean[..., 0] != 0, trials.during("stimulus"))


def test_reaction_time_is_that_of_the_first_crossing_after_the_onset():
    trials = perceptual_decision.trials(3, np.random.default_rng(1))
    outputs = np.zeros(trials.targets.shape)
    outputs[:, 2] = 5  # before the stimulus, which starts with step 5
    outputs[0, 5 + 10 :] = 0.6
    outputs[1, 5 + 3] = -0.6
    outputs[2, -1] = 0.4
    found = perceptual_decision.performance(outputs, trials)["reaction_time"]
    np.testing.assert_allclose(found, [0.22, 0.08, np.nan])
    found = perceptual_decision.performance(outputs, trials, threshold=0.3)["reaction_time"]
    np.testing.assert_allclose(found, [0.22, 0.08, trials.time[-1] + 0.01])


def test_signed_levels_run_through_both_signs():
    np.testing.assert_array_equal(evidence.level(np.arange(6)), [-1, 1, -2, 2, -3, 3])
    np.testing.assert_array_equal(evidence.of_levels(np.array([-1, 2]), np.array([0.1, 0.4])), [-0.1, 0.4])


@pytest.mark.parametrize(
    "options", [{"noise": 0.3}, {"noise": 0.3, "dt": 0.05}, {"noise": 0.5, "test": 0.6, "delay": [0.2, 0.4]}]
)
def test_ideal_observer_of_a_match_compares_two_guesses(options):
    trials = delayed_match.trials(6000, np.random.default_rng(4), **options)
    shown = [(trials.inputs * trials.during(name)[..., None]).sum(1) for name in ("sample", "test")]
    guess = [total.argmax(axis=1) for total in shown]
    found = delayed_match.performance(filled(np.where(guess[0] == guess[1], 1, -1), trials), trials)["correct"]
    best = delayed_match.ideal(**options)
    assert found.mean() == pytest.approx(best, abs=3 * error(best, found.size))
    # The likelihood ratio of all that was shown says the same.
    variance = options["noise"] ** 2 / trials.dt
    odds = [np.exp((total[:, 0] - total[:, 1]) / variance) for total in shown]
    same = odds[0] * odds[1] + 1 > odds[0] + odds[1]
    np.testing.assert_array_equal(same, guess[0] == guess[1])


def test_ideal_observer_of_a_match_is_known_for_two_items_only():
    assert delayed_match.ideal(noise=0, items=5) == 1
    with pytest.raises(
        UserError, match="^task delayed_match: the ideal observer is known for two items .items is 3., or"
    ):
        delayed_match.ideal(items=3)


@pytest.mark.parametrize("items", [2, 5])
def test_half_of_the_trials_match_and_all_items_occur(items):
    trials = delayed_match.trials(4000, np.random.default_rng(4), items=items)
    conditions = trials.conditions
    assert conditions["match"].mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(conditions["match"], conditions["sample"] == conditions["test"])
    np.testing.assert_array_equal(conditions["target"], 2 * conditions["match"] - 1)
    for name in ("sample", "test"):
        counts = np.bincount(conditions[name], minlength=items + 1)[1:]
        np.testing.assert_allclose(counts / 4000, 1 / items, atol=0.03)
    assert trials.input_names == tuple(f"item_{k + 1}" for k in range(items))


def test_items_are_shown_in_their_own_inputs_at_their_times():
    trials = delayed_match.trials(50, np.random.default_rng(4), items=3, delay=[0.2, 0.6])
    for name in ("sample", "test"):
        where = trials.during(name)
        row, step = np.nonzero(where)
        expected = np.eye(3)[trials.conditions[name][row] - 1]
        np.testing.assert_array_equal(trials.clean[row, step], expected)
        assert (where.sum(1) == 15).all()
    assert not trials.inputs[trials.during("delay")].any()
