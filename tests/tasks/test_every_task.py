"""What all tasks promise: shapes, determinism, parts of trials, balance, and performance of known outputs."""

import inspect

import numpy as np
import pytest

from neurocompare import tasks
from neurocompare.errors import UserError, check_options

NAMES = [name for name in tasks.names() if name != "neurogym"]

CHANCE = {
    "checkerboard": 0.5,
    "context_integration": 0.5,
    "delayed_match": 0.5,
    "flipflop": 0.0,
    "perceptual_decision": 0.5,
    "sine": 1 / 21,
    "yang2019": None,
}
"""Performance of the targets of other trials; that of the last depends on the mixture of rules."""

LIKE = {"checkerboard": {"targets": 0.8, "start_spread": 0.0, "catch": 0.05, "catch_duration": 1.9}}
"""Options with which most trials are equally long."""

FEW = {"yang2019": {"rules": ["fdgo", "delayanti", "contextdm1", "delaydm2", "dmsgo", "dmcnogo"]}}


def random(name, n=300, seed=1, **options):
    return tasks.load(name).trials(n, np.random.default_rng(seed), **(FEW.get(name, {}) | options))


def of_test(name, repeats=2, seed=1, **options):
    return tasks.load(name).test(np.random.default_rng(seed), repeats=repeats, **(FEW.get(name, {}) | options))


def test_tasks_are_listed_and_others_refused():
    assert set(NAMES) == set(CHANCE) and "trials" not in tasks.names()
    with pytest.raises(
        UserError, match="^unknown task 'context_intergration'; did you mean context_integration"
    ) as error:
        tasks.load("context_intergration")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*NAMES, "neurogym"])
def test_functions_take_the_same_options(name):
    module = tasks.load(name)

    def options(function):
        return {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}

    training, testing = options(module.trials), options(module.test)
    assert training.items() <= testing.items()
    assert testing.keys() - training.keys() <= {"repeats", "locations"}
    for function in (getattr(module, "ideal", None), module.static):
        if function:
            assert options(function).items() <= training.items()
    assert list(module.TASK) == ["summary", "inputs", "outputs", "conditions"]
    with pytest.raises(UserError, match="unknown option of task 'it' 'coherence'"):
        check_options(module.trials, ["coherence"], "task 'it'")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [random, of_test])
def test_arrays_have_the_shapes_and_kinds_that_are_promised(name, make):
    trials = make(name)
    n, steps, inputs = trials.inputs.shape
    assert len(trials) == n
    assert trials.targets.shape == trials.mask.shape == (n, steps, len(trials.output_names))
    assert trials.clean.shape == trials.inputs.shape and len(trials.input_names) == len(trials.input_units) == inputs
    for array in (trials.inputs, trials.clean, trials.targets, trials.mask):
        assert array.dtype == np.float32 and np.isfinite(array).all()
    assert trials.time.shape == (steps,) and trials.length.shape == trials.onset.shape == (n,)
    np.testing.assert_allclose(np.diff(trials.time), trials.dt)
    assert trials.length.max() == steps
    described = tasks.load(name).TASK
    assert trials.conditions.keys() == described["conditions"].keys()
    assert all(values.shape == (n,) for values in trials.conditions.values())
    if name not in FEW:
        assert trials.input_names == tuple(described["inputs"]) and trials.output_names == tuple(described["outputs"])


@pytest.mark.parametrize("name", NAMES)
def test_trials_follow_from_the_generator_and_differ_between_seeds(name):
    first, again, other = random(name), random(name), random(name, seed=2)
    for field in ("inputs", "clean", "targets", "mask", "time", "length", "onset"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    for key, values in first.conditions.items():
        np.testing.assert_array_equal(values, again.conditions[key])
    assert first.inputs.shape != other.inputs.shape or (first.inputs != other.inputs).any()


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_a_trial_follow_each_other_and_cover_it(name):
    trials = random(name)
    covered = sum(trials.during(epoch).astype(int) for epoch in trials.epochs)
    own = np.arange(trials.inputs.shape[1]) < trials.length[:, None]
    np.testing.assert_array_equal(covered, own)
    bounds = np.stack(list(trials.epochs.values()), axis=1)
    for row in bounds.reshape(len(trials), -1):
        assert (np.diff(row[~np.isnan(row)]) > -1e-9).all()


@pytest.mark.parametrize("name", NAMES)
def test_time_is_zero_at_the_onset_or_the_start(name):
    trials = random(name)
    same = (trials.onset == trials.onset[0]).all()
    zero = trials.onset[0] if same else 0
    assert trials.time[zero] == pytest.approx(trials.dt / 2)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_counts_after_the_end_of_a_trial_and_something_before(name):
    trials = random(name)
    after = np.arange(trials.inputs.shape[1]) >= trials.length[:, None]
    assert not trials.mask[after].any() and not trials.inputs[after].any()
    assert (trials.mask >= 0).all() and trials.mask.any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", NAMES)
def test_conditions_of_a_test_are_balanced_and_in_random_order(name):
    trials = of_test(name, repeats=3)
    keys = [key for key in trials.conditions if key != "target"]
    rows = np.stack([trials.conditions[key].astype(str) for key in keys], axis=1)
    _, index, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    assert (counts == 3).all()
    index = index.ravel()
    assert (np.diff(index) < 0).mean() > 0.25
    assert (of_test(name, repeats=3, seed=5).conditions[keys[0]] != trials.conditions[keys[0]]).any()


@pytest.mark.parametrize("name", NAMES)
def test_perfect_outputs_are_correct_and_those_of_other_trials_are_not(name):
    trials = random(name, n=400 if name == "yang2019" else 1500, **LIKE.get(name, {}))
    module = tasks.load(name)
    found = module.performance(trials.targets, trials)
    asked = ~np.isnan(found["correct"])
    assert asked.mean() > 0.8 and (found["correct"][asked] == 1).all()
    # Trials of one length, so that targets may change places.
    same = trials.select(trials.length == np.bincount(trials.length).argmax())
    moved = np.roll(np.arange(len(same)), 1)
    found = module.performance(same.targets[moved], same)["correct"]
    if CHANCE[name] is not None:
        error = np.sqrt(0.25 / len(same))
        assert np.nanmean(found) == pytest.approx(CHANCE[name], abs=4 * error)
    assert np.nanmean(found) < 0.7


@pytest.mark.parametrize("name", NAMES)
def test_silence_is_no_choice(name):
    trials = random(name, n=50)
    found = tasks.load(name).performance(np.zeros_like(trials.targets), trials)
    assert not (found["correct"] == 1).any()
    if name != "yang2019":
        assert np.isnan(found["choice"]).all()


@pytest.mark.parametrize("name", NAMES)
def test_outputs_that_are_no_numbers_are_never_correct(name):
    trials = random(name, n=50)
    found = tasks.load(name).performance(np.full(trials.targets.shape, np.nan), trials)
    assert not (found["correct"] == 1).any()


@pytest.mark.parametrize("name", NAMES)
def test_outputs_of_other_trials_are_refused(name):
    trials = random(name, n=20)
    with pytest.raises(UserError, match=f"^task {name}: outputs have shape .*; run these trials$"):
        tasks.load(name).performance(trials.targets[:, :-1], trials)


@pytest.mark.parametrize("name", NAMES)
def test_static_inputs_fit_the_network_and_occur_in_trials(name):
    module = tasks.load(name)
    trials = random(name, n=100, noise=0.0)
    shown = np.unique(trials.clean.reshape(-1, trials.clean.shape[2]), axis=0)
    for key, inputs in module.static(**FEW.get(name, {})).items():
        assert inputs.shape == (trials.inputs.shape[2],) and inputs.dtype == np.float32
        # Without fixation there is a stimulus, unless its rule has a delay.
        if key.startswith("rule=") and key.endswith("-go") and "delay" not in key:
            continue
        assert np.isclose(shown, inputs, atol=1e-6).all(axis=1).any()


@pytest.mark.parametrize("name", NAMES)
def test_without_noise_inputs_are_clean(name):
    trials = random(name, noise=0.0)
    np.testing.assert_array_equal(trials.inputs, trials.clean)


NOISY = {
    "checkerboard": {},
    "context_integration": {},
    "delayed_match": {},
    "flipflop": {"noise": 0.2},
    "perceptual_decision": {},
    "sine": {"noise": 0.2},
    "yang2019": {},
}


@pytest.mark.parametrize("dt", [0.02, 0.05])
@pytest.mark.parametrize("name", NAMES)
def test_noise_is_white_with_the_strength_that_is_asked_for_whatever_the_step(name, dt):
    options = NOISY[name] | {"dt": dt}
    trials = random(name, n=400, **options)
    signature = inspect.signature(tasks.load(name).trials)
    noise = options.get("noise", signature.parameters["noise"].default)
    added = trials.inputs.astype(float) - trials.clean
    used = added != 0
    values = added[used]
    error = noise / np.sqrt(dt) / np.sqrt(2 * values.size)
    assert values.std() == pytest.approx(noise / np.sqrt(dt), abs=5 * error + 1e-6)
    assert values.mean() == pytest.approx(0, abs=5 * np.sqrt(2) * error)
    # Successive steps, and inputs at the same time, do not go together.
    both = used[:, 1:] & used[:, :-1]
    product = (added[:, 1:] * added[:, :-1])[both] / values.var()
    assert product.mean() == pytest.approx(0, abs=5 / np.sqrt(product.size))
    if trials.inputs.shape[2] > 1 and name not in ("perceptual_decision",):
        first, second = np.flatnonzero(used.any(axis=(0, 1)))[:2]
        product = (added[..., first] * added[..., second])[used[..., first]] / values.var()
        assert product.mean() == pytest.approx(0, abs=5 / np.sqrt(product.size))


BAD = [
    (
        "context_integration",
        {"coherences": [-0.1]},
        "task context_integration: coherence 1 is -0.1; use a number above 0",
    ),
    ("context_integration", {"coherences": []}, "task context_integration: coherences is []; list one or more"),
    ("context_integration", {"coherences": [0.1, 0.1]}, "repeat a number"),
    ("context_integration", {"coherences": 0.1}, "coherences is 0.1; list one or more"),
    ("context_integration", {"dt": 0.5}, "fixation is 0.1 s, shorter than a step (dt is 0.5 s)"),
    ("context_integration", {"dt": 0}, "dt is 0; use a number above 0"),
    ("context_integration", {"noise": -1}, "noise is -1; use a number, 0 or more"),
    ("context_integration", {"noise": "much"}, "noise is much; use a number"),
    (
        "context_integration",
        {"draw": "normal"},
        "unknown draw of task context_integration 'normal'; did you mean uniform?",
    ),
    (
        "context_integration",
        {"contexts": ["colour"]},
        "unknown context of task context_integration 'colour'; did you mean color?",
    ),
    ("context_integration", {"contexts": "motion"}, "contexts is motion; list motion, color or both"),
    ("context_integration", {"loss": "end"}, "unknown loss of task context_integration 'end'; did you mean ends?"),
    (
        "context_integration",
        {"loss": {"decison": 1}},
        "give a weight for parts of the trial (fixation, context, stimulus",
    ),
    ("context_integration", {"loss": {"decision": -1}}, "loss of decision is -1; use a number, 0 or more"),
    ("context_integration", {"loss": {"delay": 1}}, "scores no step; give a weight to a part that takes time"),
    ("context_integration", {"loss": {}}, "scores no step"),
    ("context_integration", {"stimulus": 0}, "stimulus is 0; use a number above 0"),
    ("context_integration", {"fixation": [0.1, 0.2]}, "fixation is [0.1, 0.2]; use a number"),
    ("context_integration", {"delay": [0.3, 0.1]}, "delay is [0.3, 0.1]; give the lower number first"),
    ("context_integration", {"delay": [0.3]}, "give a number of seconds, or the lowest and the highest"),
    ("context_integration", {"delay": -0.1}, "delay is -0.1; use a number, 0 or more"),
    ("perceptual_decision", {"stimulus": 0}, "stimulus may take 0 s; give it one step"),
    ("perceptual_decision", {"stimulus": [0, 0.5]}, "stimulus may take 0 s"),
    ("perceptual_decision", {"loss": "ends"}, "loss is ends; give a weight for parts"),
    ("delayed_match", {"items": 1}, "items is 1; use 2 or more"),
    ("delayed_match", {"sample": 0}, "sample may take 0 s"),
    ("flipflop", {"rate": 20}, "rate is 20/s, more than one in each pulse of 0.1 s"),
    ("flipflop", {"bits": 0}, "bits is 0; use a whole number, 1 or more"),
    ("flipflop", {"bits": 40}, "bits is 40; use 10 or fewer"),
    ("flipflop", {"settle": 3}, "settle is 3 s, so that nothing"),
    ("flipflop", {"pulse": 0.01}, "pulse is 0.01 s, shorter than a step"),
    ("sine", {"lowest": 3}, "give 2 or more, and the lower first"),
    ("sine", {"levels": 1}, "give 2 or more"),
    ("sine", {"highest": 25.0}, "highest is 25 Hz, too fast for steps of 0.02 s; stay below 25 Hz"),
    ("sine", {"draw": "all"}, "unknown draw of task sine 'all'"),
    ("checkerboard", {"catch": 2}, "catch is 2; use a fraction, 0 to 1"),
    ("checkerboard", {"decision": 0}, "decision may take 0 s; give it one step"),
    ("checkerboard", {"start_spread": -1}, "start_spread is -1; use a number, 0 or more"),
    ("checkerboard", {"catch": 1.0, "catch_duration": 0.2}, "catch_duration is 0.2 s, no longer than after"),
    ("yang2019", {"rules": ["go"]}, "unknown rule of task yang2019 'go'"),
    ("yang2019", {"rules": "fdgo"}, "rules is fdgo; list different rules, or give 'all'"),
    ("yang2019", {"rules": ["fdgo", "fdgo"]}, "list different rules"),
    ("yang2019", {"ring": 2}, "ring is 2; use 4 units or more"),
    ("yang2019", {"easy": 1}, "easy is 1; use true or false"),
    ("yang2019", {"dt": 0.3}, "dt is 0.3 s, longer than the shortest part"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_bad_options_are_refused_in_one_line(name, options, message):
    for make in (tasks.load(name).trials, tasks.load(name).test):
        if make is tasks.load(name).test and "catch" in options:
            continue
        size = {"n": 5} if make is tasks.load(name).trials else {"repeats": 1}
        with pytest.raises(UserError) as error:
            make(rng=np.random.default_rng(0), **size, **options)
        assert message in str(error.value) and "\n" not in str(error.value)
        assert f"task {name}" in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_bad_numbers_of_trials_are_refused(name):
    with pytest.raises(UserError, match=f"^task {name}: n is 0; use a whole number, 1 or more$"):
        random(name, n=0)
    with pytest.raises(UserError, match="repeats is 0; use a whole number, 1 or more$"):
        of_test(name, repeats=0)
