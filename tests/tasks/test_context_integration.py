"""Context-dependent integration: hand-computed trials, scoring, and the ideal observer against simulated ones."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from neurocompare.tasks import context_integration as task


def integrated(trials):
    """Outputs of the observer who sums the relevant input."""
    total = trials.inputs[:, :, :2].astype(float).sum(axis=1)
    relevant = np.where(trials.conditions["context"] == "motion", total[:, 0], total[:, 1])
    return np.broadcast_to(relevant[:, None, None], trials.targets.shape)


def error(p, n):
    return np.sqrt(p * (1 - p) / n)


def test_one_trial_is_what_one_expects_by_hand():
    trials = task.trials(
        1,
        np.random.default_rng(0),
        dt=0.1,
        fixation=0.2,
        context=0.1,
        stimulus=0.3,
        delay=0.1,
        decision=0.2,
        coherences=[0.25],
        noise=0,
        contexts=["color"],
    )
    motion, color = trials.conditions["motion"][0], trials.conditions["color"][0]
    assert abs(motion) == abs(color) == 0.25
    on = [0, 0, 0, 1, 1, 1, 0, 0, 0]
    cued = [0, 0, 1, 1, 1, 1, 1, 1, 1]
    expected = np.stack([motion * np.array(on), color * np.array(on), np.zeros(9), cued], axis=1)
    np.testing.assert_array_equal(trials.inputs[0], expected.astype(np.float32))
    target = np.sign(color)
    np.testing.assert_array_equal(trials.targets[0, :, 0], [0] * 7 + [target] * 2)
    np.testing.assert_allclose(trials.mask[0, :, 0], [0.2, 0.2, 0.2, 0, 0, 0, 0, 1, 1])
    np.testing.assert_allclose(trials.time, np.arange(-2.5, 6) / 10)
    np.testing.assert_allclose(trials.epochs["stimulus"], [[0, 0.3]], atol=1e-12)
    np.testing.assert_allclose(trials.epochs["decision"], [[0.4, 0.6]])
    assert trials.onset[0] == 3 and trials.length[0] == 9


def test_correct_choice_follows_the_relevant_evidence_only():
    conditions = task.test(np.random.default_rng(0), repeats=1).conditions
    relevant = np.where(conditions["context"] == "motion", conditions["motion"], conditions["color"])
    other = np.where(conditions["context"] == "motion", conditions["color"], conditions["motion"])
    np.testing.assert_array_equal(conditions["target"], np.sign(relevant))
    np.testing.assert_array_equal(conditions["congruent"], relevant * other > 0)
    assert len(relevant) == 72 and conditions["congruent"].mean() == 0.5


@pytest.mark.parametrize("name", ["motion", "color"])
def test_levels_number_coherences_by_strength(name):
    conditions = task.test(np.random.default_rng(0), repeats=1, coherences=[0.5, 0.05, 0.15]).conditions
    strength = {1: 0.05, 2: 0.15, 3: 0.5}
    expected = [np.sign(level) * strength[abs(level)] for level in conditions[f"{name}_level"]]
    np.testing.assert_array_equal(conditions[name], expected)


@pytest.mark.parametrize("dt", [0.02, 0.05])
def test_ideal_observer_is_matched_by_one_who_sums_and_by_no_one_who_sums_less(dt):
    trials = task.test(np.random.default_rng(3), repeats=150, dt=dt)
    found = task.performance(integrated(trials), trials)["correct"]
    best = task.ideal(dt=dt)
    assert found.mean() == pytest.approx(best, abs=3 * error(best, found.size))
    # Half of the evidence is worth less, as the formula says for half of the time.
    late = trials.inputs.copy()
    start, stop = trials.onset[0], trials.onset[0] + round(0.375 / dt)
    late[:, start:stop, :2] = 0
    left = round(0.75 / dt + 1e-9) * dt - round(0.375 / dt) * dt
    partial = task.ideal(dt=dt, stimulus=left)
    blind = task.performance(
        np.where(
            trials.conditions["context"][:, None, None] == "motion",
            late[..., :1].sum(1, keepdims=True),
            late[..., 1:2].sum(1, keepdims=True),
        )
        * np.ones_like(trials.targets),
        trials,
    )["correct"].mean()
    assert blind == pytest.approx(partial, abs=3 * error(partial, found.size)) and blind < best


def test_psychometric_curve_of_the_defaults_is_steep_and_not_perfect():
    # 38 steps of 0.02 s are the nearest to 0.75 s.
    seconds = 0.76
    expected = [norm.cdf(c * np.sqrt(seconds) / 0.1) for c in (0.05, 0.15, 0.5)]
    np.testing.assert_allclose(expected, [0.668, 0.905, 1.0], atol=1e-3)
    assert task.ideal() == pytest.approx(np.mean(expected), abs=1e-12)
    trials = task.test(np.random.default_rng(1), repeats=200)
    correct = task.performance(integrated(trials), trials)["correct"]
    context = trials.conditions["context"]
    level = np.where(context == "motion", trials.conditions["motion_level"], trials.conditions["color_level"])
    for k, p in enumerate(expected):
        chosen = correct[np.abs(level) == k + 1]
        assert chosen.mean() == pytest.approx(p, abs=4 * error(p, chosen.size) + 1e-9)


def test_ideal_observer_of_uniform_coherences_is_the_mean_over_them():
    slope, top = np.sqrt(0.76) / 0.1, 0.5
    expected = quad(lambda c: norm.cdf(slope * c), 0, top)[0] / top
    assert task.ideal(draw="uniform") == pytest.approx(expected, abs=1e-9)
    trials = task.trials(6000, np.random.default_rng(5), draw="uniform")
    found = task.performance(integrated(trials), trials)["correct"]
    assert found.mean() == pytest.approx(expected, abs=3 * error(expected, found.size))
    for name in ("motion", "color"):
        drawn = trials.conditions[name]
        assert np.abs(drawn).max() <= top and drawn.std() == pytest.approx(top / np.sqrt(3), rel=0.03)
        assert (trials.conditions[f"{name}_level"] == 0).all()
    assert np.corrcoef(trials.conditions["motion"], trials.conditions["color"])[0, 1] == pytest.approx(0, abs=0.05)


def test_ideal_observer_without_noise_makes_no_errors():
    assert task.ideal(noise=0) == 1


def test_network_of_the_paper_is_a_setting():
    options = {"dt": 0.001, "fixation": 0, "context": 0, "decision": 0, "loss": "ends", "noise": 0.001**0.5}
    trials = task.trials(200, np.random.default_rng(0), coherences=[0.009, 0.036, 0.15], **options)
    assert trials.inputs.shape == (200, 750, 4) and trials.time[0] == pytest.approx(0.0005)
    added = trials.inputs[..., :2] - trials.clean[..., :2]
    assert added.std() == pytest.approx(1, rel=0.01)
    # The context is on from the first step to the last; one of two is.
    assert (trials.inputs[..., 2:].sum(-1) == 1).all()
    np.testing.assert_array_equal(np.flatnonzero(trials.mask.any(axis=(0, 2))), [0, 749])
    assert (trials.mask[:, [0, -1]] == 1).all() and not trials.targets[:, 0].any()
    np.testing.assert_array_equal(trials.targets[:, -1, 0], trials.conditions["target"])
    # Without a decision the last step tells the choice.
    outputs = np.zeros_like(trials.targets)
    outputs[:, -1, 0] = -trials.conditions["target"]
    assert not task.performance(outputs, trials)["correct"].any()


@pytest.mark.parametrize("loss", ["ends", {"decision": 1.0}])
def test_delays_vary_and_what_follows_a_trial_is_empty(loss):
    trials = task.trials(300, np.random.default_rng(2), delay=[0.1, 0.3], loss=loss, noise=0)
    steps = trials.length - trials.length.min()
    assert set(steps) == set(range(11))
    assert np.bincount(steps).min() > 300 / 11 / 3
    delay = np.diff(trials.epochs["delay"], axis=1)[:, 0]
    np.testing.assert_allclose(delay, 0.1 + 0.02 * steps, atol=1e-9)
    decision = trials.during("decision")
    np.testing.assert_array_equal(decision.sum(axis=1), 10)
    np.testing.assert_array_equal(decision.argmax(axis=1) + 10, trials.length)
    last = np.arange(300), trials.length - 1
    assert (trials.inputs[..., 2:].sum(-1)[last] == 1).all() and (trials.mask[last] == 1).all()
    np.testing.assert_array_equal(trials.targets[last][:, 0], trials.conditions["target"])
    if loss == "ends":
        assert (trials.mask.sum(axis=(1, 2)) == 2).all()
    assert task.performance(trials.targets, trials)["correct"].all()


def test_choice_is_the_sign_of_the_mean_over_the_decision():
    trials = task.trials(4, np.random.default_rng(0))
    outputs = np.full(trials.targets.shape, -5.0)
    decision = trials.during("decision")
    outputs[decision] = -1
    # One value outweighs the nine others; what is before the decision does not matter.
    outputs[:, -1] = 10
    found = task.performance(outputs, trials)
    np.testing.assert_array_equal(found["choice"], 1)
    np.testing.assert_array_equal(found["correct"], trials.conditions["target"] == 1)
    outputs[:, -1] = 9
    found = task.performance(outputs, trials)
    assert np.isnan(found["choice"]).all() and not found["correct"].any()


def test_one_context_can_be_trained_alone_with_the_same_inputs():
    trials = task.trials(50, np.random.default_rng(0), contexts=["motion"])
    assert (trials.conditions["context"] == "motion").all() and trials.inputs.shape[2] == 4
    assert not trials.inputs[..., 3].any()
    assert list(task.static(contexts=["motion"])) == ["context=motion"]
    np.testing.assert_array_equal(task.static()["context=color"], [0, 0, 0, 1])
