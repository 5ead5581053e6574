"""The twenty tasks of Yang et al. 2019: rules by hand, times, bumps, masks and responses."""

import numpy as np
import pytest

from neurocompare.tasks import yang2019 as task
from neurocompare.tasks import yang_rules, yang_stimuli
from neurocompare.tasks.yang_rules import RULES

PI = np.pi
NONE = np.nan

PUBLISHED = [
    "fdgo",
    "reactgo",
    "delaygo",
    "fdanti",
    "reactanti",
    "delayanti",
    "dm1",
    "dm2",
    "contextdm1",
    "contextdm2",
    "multidm",
    "delaydm1",
    "delaydm2",
    "contextdelaydm1",
    "contextdelaydm2",
    "multidelaydm",
    "dmsgo",
    "dmsnogo",
    "dmcgo",
    "dmcnogo",
]

ANSWERS = [
    # rule, locations, strengths of the first stimulus in modalities 1 and 2, of the second, response
    ("fdgo", (1.0, NONE), (1, 0), (0, 0), 1.0),
    ("reactgo", (6.0, NONE), (0, 1), (0, 0), 6.0),
    ("delaygo", (0.2, NONE), (0, 1), (0, 0), 0.2),
    ("fdanti", (1.0, NONE), (1, 0), (0, 0), 1.0 + PI),
    ("reactanti", (4.0, NONE), (1, 0), (0, 0), 4.0 - PI),
    ("delayanti", (PI, NONE), (1, 0), (0, 0), 0.0),
    ("dm1", (1.0, 3.0), (1.04, 0), (0.96, 0), 1.0),
    ("dm1", (1.0, 3.0), (0.96, 0), (1.04, 0), 3.0),
    ("dm2", (1.0, 3.0), (0, 0.8), (0, 1.2), 3.0),
    ("contextdm1", (1.0, 3.0), (1.1, 0.8), (0.9, 1.2), 1.0),
    ("contextdm2", (1.0, 3.0), (1.1, 0.8), (0.9, 1.2), 3.0),
    ("multidm", (1.0, 3.0), (1.1, 0.8), (0.9, 1.2), 3.0),
    ("multidm", (1.0, 3.0), (1.3, 0.9), (0.9, 1.2), 1.0),
    ("delaydm1", (2.0, 5.0), (0.7, 0), (1.3, 0), 5.0),
    ("delaydm2", (2.0, 5.0), (0, 1.3), (0, 0.7), 2.0),
    ("contextdelaydm1", (2.0, 5.0), (0.7, 1.3), (1.3, 0.7), 5.0),
    ("contextdelaydm2", (2.0, 5.0), (0.7, 1.3), (1.3, 0.7), 2.0),
    ("multidelaydm", (2.0, 5.0), (0.7, 1.6), (1.3, 0.7), 2.0),
    ("dmsgo", (2.0, 2.0), (1, 0), (0, 1), 2.0),
    ("dmsgo", (2.0, 2.5), (1, 0), (0, 1), NONE),
    ("dmsnogo", (2.0, 2.0), (1, 0), (1, 0), NONE),
    ("dmsnogo", (2.0, 2.5), (0, 1), (0, 1), 2.5),
    ("dmcgo", (0.1 * PI, 0.9 * PI), (1, 0), (1, 0), 0.9 * PI),
    ("dmcgo", (1.1 * PI, 1.9 * PI), (1, 0), (1, 0), 1.9 * PI),
    ("dmcgo", (0.9 * PI, 1.1 * PI), (1, 0), (1, 0), NONE),
    ("dmcnogo", (0.1 * PI, 0.9 * PI), (1, 0), (1, 0), NONE),
    ("dmcnogo", (1.9 * PI, 0.1 * PI), (1, 0), (1, 0), 0.1 * PI),
]


def test_rules_are_the_twenty_published_ones_in_their_order():
    assert list(RULES) == PUBLISHED
    assert {answer[0] for answer in ANSWERS} == set(PUBLISHED)


@pytest.mark.parametrize(("rule", "location", "first", "second", "response"), ANSWERS)
def test_response_is_the_one_that_the_rule_asks_for(rule, location, first, second, response):
    found = yang_rules.target(RULES[rule], np.array([location]), np.array([[first, second]], dtype=float))
    assert found == pytest.approx(response, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("rule", PUBLISHED)
def test_inputs_and_targets_of_a_trial_are_those_of_its_conditions(rule):
    trials = task.trials(20, np.random.default_rng(0), rules=[rule], noise=0)
    preferred = 2 * PI * np.arange(32) / 32
    family, timing = RULES[rule].family, RULES[rule].timing
    c = trials.conditions

    def bump(location):
        apart = np.abs(np.angle(np.exp(1j * (location - preferred))))
        return 0.8 * np.exp(-((apart / (PI / 8)) ** 2) / 2)

    for k in range(20):
        own = np.arange(trials.inputs.shape[1]) < trials.length[k]
        inputs = trials.inputs[k]
        np.testing.assert_array_equal(inputs[:, 65], own)
        responding = trials.during("go")[k]
        # The fixation goes off with the go, but stays where the stimulus itself is the go.
        stays = timing == "reaction" or family == "match"
        np.testing.assert_array_equal(inputs[:, 0], own if stays else own & ~responding)
        fully = [c[f"strength_1_{m}"][k] * bump(c["location_1"][k]) for m in (1, 2)]
        second = [c[f"strength_2_{m}"][k] * np.nan_to_num(bump(c["location_2"][k])) for m in (1, 2)]
        for m in (0, 1):
            ring = inputs[:, 1 + 32 * m : 33 + 32 * m]
            if timing == "together":
                during = trials.during("stimulus_1")[k]
                expected = fully[m] + second[m]
                np.testing.assert_allclose(ring[during], np.broadcast_to(expected, ring[during].shape), atol=1e-6)
                assert not ring[~during].any()
            elif timing in ("fixed", "reaction"):
                during = responding | (trials.during("stimulus_1")[k] if timing == "fixed" else False)
                np.testing.assert_allclose(ring, during[:, None] * fully[m], atol=1e-6)
            else:
                later = "go" if family == "match" else "stimulus_2"
                shown = trials.during("stimulus_1")[k][:, None] * fully[m]
                np.testing.assert_allclose(ring, shown + trials.during(later)[k][:, None] * second[m], atol=1e-6)
        target = c["target"][k]
        due = responding & ~np.isnan(target)
        np.testing.assert_allclose(trials.targets[k, own, 0], np.where(due, 0.05, 0.8)[own], atol=1e-6)
        expected = 0.05 + due[:, None] * np.nan_to_num(bump(target))
        np.testing.assert_allclose(trials.targets[k, :, 1:], expected, atol=1e-6)
        # Five steps at the start, and five after the go, do not count.
        step = np.arange(len(own))
        go = trials.onset[k]
        weight = np.where((step >= 5) & (step < go), 1.0, 0) + np.where((step >= go + 5) & own, 5.0, 0)
        np.testing.assert_allclose(trials.mask[k], weight[:, None] * np.array([2] + [1] * 32))


ALLOWED = {
    # Seconds of the fixation, the first stimulus, the first delay, the second one, the second delay, and the response.
    "fdgo": {"fixation": (0.3, 0.7), "stimulus_1": (0.5, 1.5), "go": 0.5},
    "reactanti": {"fixation": (0.5, 2.5), "go": 0.5},
    "delaygo": {"fixation": {0.3, 0.5, 0.7}, "stimulus_1": {0.2, 0.4, 0.6}, "delay_1": {0.2, 0.4, 0.8, 1.6}, "go": 0.5},
    "contextdm2": {"fixation": (0.1, 0.4), "stimulus_1": {0.4, 0.8, 1.6}, "go": 0.5},
    "delaydm1": {
        "fixation": {0.2, 0.4, 0.6},
        "stimulus_1": {0.2, 0.4, 0.6},
        "delay_1": {0.2, 0.4, 0.8, 1.6},
        "stimulus_2": {0.2, 0.4, 0.6},
        "delay_2": (0.1, 0.3),
        "go": 0.5,
    },
    "dmsgo": {"fixation": {0.2, 0.4, 0.6}, "stimulus_1": {0.2, 0.4, 0.6}, "delay_1": {0.2, 0.4, 0.8, 1.6}, "go": 0.5},
    "dmcnogo": {"stimulus_1": {0.2, 0.4, 0.6}, "delay_1": {0.2, 0.4, 0.8, 1.6}, "go": {0.2, 0.4, 0.6}},
}


@pytest.mark.parametrize("rule", ALLOWED)
def test_durations_are_drawn_as_published(rule):
    trials = task.trials(150, np.random.default_rng(0), rules=[rule])
    for name, allowed in ALLOWED[rule].items():
        seconds = np.diff(trials.epochs[name], axis=1)[:, 0]
        if isinstance(allowed, set):
            assert {round(float(value), 6) for value in seconds} == allowed
        elif isinstance(allowed, tuple):
            low, high = allowed
            assert seconds.min() >= low - 0.021 and seconds.max() <= high + 0.021
            assert seconds.std() == pytest.approx((high - low) / np.sqrt(12), rel=0.2)
        else:
            np.testing.assert_allclose(seconds, allowed)
    missing = {name for name, bounds in trials.epochs.items() if np.isnan(bounds).all()}
    if rule != "dmcnogo":
        assert missing == trials.epochs.keys() - ALLOWED[rule].keys()


@pytest.mark.parametrize(("easy", "together", "apart"), [(False, 1, 1), (True, 10, 2)])
def test_strengths_differ_as_published(easy, together, apart):
    rng = np.random.default_rng(0)
    for rule, levels, factor in [
        ("dm1", (0.01, 0.02, 0.04, 0.08), together),
        ("contextdm2", (0.01, 0.02, 0.04, 0.08), together),
        ("delaydm2", (0.08, 0.16, 0.32), apart),
    ]:
        location, strength = yang_stimuli.drawn(RULES[rule], 2000, rng, easy)
        for m in range(2):
            first, second = strength[:, :, m].T
            if m + 1 not in RULES[rule].shown:
                assert not first.any() and not second.any()
                continue
            half = np.abs(first - second) / 2
            np.testing.assert_allclose(np.unique(half.round(9)), np.array(levels) * factor)
            mean = (first + second) / 2
            assert mean.min() > 0.8 and mean.max() < 1.2 and (first > second).mean() == pytest.approx(0.5, abs=0.05)
        apart_by = yang_rules.distance(*location.T)
        assert apart_by.min() >= PI / 2 - 1e-9
    _, strength = yang_stimuli.drawn(RULES["multidm"], 2000, rng, easy)
    half = np.abs(np.diff(strength.sum(2), axis=1)) / 4
    np.testing.assert_allclose(np.unique(half.round(9)), np.array([0.01, 0.02, 0.04, 0.08]) * together)
    spread = np.abs(strength[:, :, 0] - strength[:, :, 1]) / strength.mean(2)
    assert spread.min() > 0.2 and spread.max() < 0.8


def test_matches_are_half_of_the_trials_and_others_at_least_20_degrees_apart():
    location, _ = yang_stimuli.drawn(RULES["dmsgo"], 3000, np.random.default_rng(0), False)
    apart = yang_rules.distance(*location.T)
    assert (apart == 0).mean() == pytest.approx(0.5, abs=0.04)
    assert apart[apart > 0].min() >= PI / 9 - 1e-9
    location, _ = yang_stimuli.drawn(RULES["dmcgo"], 3000, np.random.default_rng(0), False)
    np.testing.assert_allclose(np.unique(location), PI * np.arange(1, 20, 2) / 10)


def test_rules_are_drawn_equally_often_in_random_order():
    trials = task.trials(600, np.random.default_rng(0), rules=["fdgo", "dm1", "dmsgo"])
    names, counts = np.unique(trials.conditions["rule"], return_counts=True)
    assert (counts > 160).all() and len(names) == 3
    order = {name: k for k, name in enumerate(trials.input_names)}
    for name in names:
        chosen = trials.conditions["rule"] == name
        assert (trials.clean[chosen, 0, order[f"rule_{name}"]] == 1).all()
        assert not trials.clean[~chosen][..., order[f"rule_{name}"]].any()
    assert trials.inputs.shape[2] == 1 + 64 + 3


def test_conditions_of_the_tests_are_the_published_ones():
    trials = task.test(np.random.default_rng(0), repeats=1, rules=["dm1", "contextdelaydm1", "multidm"], locations=4)
    c = trials.conditions
    sizes = {name: (c["rule"] == name).sum() for name in ("dm1", "contextdelaydm1", "multidm")}
    assert sizes == {"dm1": 20, "contextdelaydm1": 100, "multidm": 84}
    chosen = c["rule"] == "dm1"
    np.testing.assert_allclose(np.unique(c["strength_1_1"][chosen]), [0.8, 0.88, 0.96, 1.04, 1.12])
    np.testing.assert_allclose(c["strength_1_1"][chosen] + c["strength_2_1"][chosen], 2)
    total = [c[f"strength_{k}_1"] + c[f"strength_{k}_2"] for k in (1, 2)]
    assert (np.abs(total[0] - total[1])[c["rule"] == "multidm"] > 0.1).all()
    np.testing.assert_allclose(yang_rules.distance(c["location_1"], c["location_2"]), PI)
    go = trials.onset[chosen] * trials.dt
    np.testing.assert_allclose(go, 2.0)
    np.testing.assert_allclose(trials.length[c["rule"] == "contextdelaydm1"] * trials.dt, 3.5)


@pytest.mark.parametrize("rule", ["dmsgo", "dmsnogo", "dmcgo", "dmcnogo"])
def test_half_of_the_tests_of_a_match_ask_for_a_response(rule):
    trials = task.test(np.random.default_rng(0), repeats=1, rules=[rule])
    assert len(trials) == 8 * 2 * 2 * 2
    assert np.isnan(trials.conditions["target"]).mean() == 0.5


def test_response_is_read_from_the_population_and_must_be_within_36_degrees():
    trials = task.trials(1, np.random.default_rng(0), rules=["fdgo"]).select([0] * 5)
    target = trials.conditions["target"][0]
    preferred = 2 * PI * np.arange(32) / 32
    outputs = np.zeros(trials.targets.shape)
    outputs[:, :, 0] = 1
    last = trials.length[0] - 1
    for k, shift in enumerate([0, 35, -35, 37, 0]):
        outputs[k, last, 1:] = 1 + np.cos(preferred - target - np.deg2rad(shift))
    outputs[:4, trials.onset[0] + 7 :, 0] = 0.1
    found = task.performance(outputs, trials)
    np.testing.assert_array_equal(found["correct"], [1, 1, 1, 0, 0])
    expected = (target + np.deg2rad([0, 35, -35, 37])) % (2 * PI)
    np.testing.assert_allclose(found["choice"], [*expected, np.nan])
    np.testing.assert_allclose(found["reaction_time"], [0.16] * 4 + [np.nan])


def test_fixation_has_to_be_kept_where_nothing_matches():
    trials = task.trials(40, np.random.default_rng(0), rules=["dmsgo"])
    kept = np.zeros(trials.targets.shape)
    kept[..., 0] = 0.8
    np.testing.assert_array_equal(
        task.performance(kept, trials)["correct"], np.isnan(trials.conditions["target"]).astype(float)
    )


def test_small_rings_and_single_rules_shrink_the_network():
    trials = task.trials(5, np.random.default_rng(0), rules=["dm1"], ring=8)
    assert trials.inputs.shape[2] == 1 + 16 + 1 and trials.targets.shape[2] == 9
    assert list(task.static(rules=["dm1"], ring=8)) == ["rule=dm1-go", "rule=dm1"]
