"""Environments of neurogym as tasks: against the package itself where it is installed, and refusals."""

import builtins

import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.tasks import neurogym as task


def random(n=20, seed=1, **options):
    return task.trials(n, np.random.default_rng(seed), **options)


@pytest.fixture
def package():
    return pytest.importorskip("neurogym", exc_type=ImportError)


def test_missing_package_is_told_in_one_line(monkeypatch):
    load = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "neurogym":
            raise ModuleNotFoundError("No module named 'neurogym'")
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError) as error:
        random()
    assert str(error.value).startswith(
        "task neurogym: needs the package neurogym (No module named 'neurogym'); install it"
    )
    assert "\n" not in str(error.value)


def test_trials_are_those_of_the_package(package):
    trials = random(environment="PerceptualDecisionMaking-v0")
    again = random(environment="PerceptualDecisionMaking-v0")
    np.testing.assert_array_equal(trials.inputs, again.inputs)
    assert trials.input_names[0] == "fixation" and trials.output_names == ("fixation", "choice_1", "choice_2")
    # Whoever answers with the stronger input once the fixation is off, and fixates before, is mostly right.
    outputs = np.zeros(trials.targets.shape)
    for k in range(len(trials)):
        decision = trials.during("decision")[k]
        total = trials.inputs[k, :, 1:].sum(0)
        outputs[k, :, 0] = ~decision
        outputs[k, decision, 1 + total.argmax()] = 1
    assert task.performance(outputs, trials)["correct"].mean() > 0.6
    perfect = task.performance(trials.targets, trials)
    np.testing.assert_array_equal(perfect["choice"], 1 + trials.conditions["ground_truth"])
    assert perfect["correct"].all()
    own = np.arange(trials.inputs.shape[1]) < trials.length[:, None]
    np.testing.assert_array_equal(trials.mask.all(-1), own)


def test_schedules_of_several_environments_are_followed(package):
    trials = random(60, environment="yang19.go-v0")
    again = random(60, environment="yang19.go-v0")
    np.testing.assert_array_equal(trials.inputs, again.inputs)
    rings = np.abs(trials.inputs[..., 1:].reshape(60, -1, 2, 16)).sum(axis=(1, 3)) > 1
    # The stimulus is in either modality.
    assert rings.any(axis=0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"environment": "ContextDecision-v0"},
            "unknown environment of task neurogym 'ContextDecision-v0'; did you mean",
        ),
        ({"environment": "Null-v0"}, "'Null-v0' does not tell what is right"),
        ({"environment": "Reaching1D-v0"}, "is not one of its actions"),
        ({"settings": {"foo": 1}}, "settings of 'PerceptualDecisionMaking-v0' are not what it takes"),
        ({"settings": 3}, "settings is 3; give names with their values"),
        ({"dt": 0.0005}, "dt is 0.0005 s; use a whole number of ms"),
    ],
)
def test_bad_options_are_refused_in_one_line(package, options, message):
    with pytest.raises(UserError) as error:
        random(**options)
    assert message in str(error.value) and "\n" not in str(error.value)
