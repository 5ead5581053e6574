"""Learning that is interrupted goes on as if it had not been; states are bound to what is trained."""

import pytest
import torch

from neurocompare.errors import UserError
from neurocompare.recurrent import definition as definitions
from neurocompare.recurrent import learning

OPTIONS = {"dt": 0.05, "stimulus": 0.2, "context": 0.1, "decision": 0.1, "delay": [0, 0.1]}


class Interrupted(Exception):
    """What stops learning half-way."""


def define(**settings):
    entry = {
        "cell": {"kind": "rate", "units": 10, "noise": 0.05},
        "learning": {
            "updates": 9,
            "batch": 8,
            "rate": 0.02,
            "decay": 0.9,
            "keep": "best",
            "checkpoints": [0, 2, 5],
            "penalties": {"vanishing": 0.5},
            "curriculum": [{"until": {"updates": 3}, "options": {"contexts": ["motion"]}}],
            "stop": {"every": 2, "trials": 20},
        }
        | settings,
    }
    return definitions.of_entry(entry, {"task": "context_integration", "options": OPTIONS})


def interrupted(definition, path, after, seeds):
    calls = []

    def progress(rows):
        calls.append(rows)
        # The state of the evaluation before is what is left.
        if len(calls) == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        learning.train(definition, seeds, resume=path, progress=progress)


@pytest.mark.parametrize("after", [2, 3, 5])
@pytest.mark.parametrize("seeds", [[4], [0, 3]])
def test_learning_goes_on_bit_by_bit(tmp_path, after, seeds):
    path = tmp_path / "state.safetensors"
    whole = learning.train(define(), seeds)
    interrupted(define(), path, after, seeds)
    resumed = learning.train(define(), seeds, resume=path)
    for one, other in zip(whole, resumed, strict=True):
        assert str(one.rows) == str(other.rows)
        assert one.kept == other.kept
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
        assert list(one.checkpoints) == list(other.checkpoints) == [0, 2, 5]
        for update, held in one.checkpoints.items():
            assert all(torch.equal(held[name], other.checkpoints[update][name]) for name in held)
    again = learning.train(define(), seeds, resume=path)
    assert str(again[0].rows) == str(whole[0].rows)


def test_networks_that_have_finished_are_resumed_as_they_are(tmp_path):
    path = tmp_path / "state.safetensors"
    definition = define(stop={"every": 1, "trials": 40, "performance": 0.6}, curriculum=[], updates=6)
    seeds = [0, 1, 2]
    whole = learning.train(definition, seeds)
    ends = [outcome.rows[-1]["update"] for outcome in whole]
    assert min(ends) < max(ends)
    interrupted(definition, path, max(ends), seeds)
    resumed = learning.train(definition, seeds, resume=path)
    for one, other in zip(whole, resumed, strict=True):
        assert str(one.rows) == str(other.rows)
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize("other", [{"seeds": [1]}, {"rate": 0.03}, {"penalties": {}}])
def test_a_state_of_something_else_is_refused(tmp_path, other):
    path = tmp_path / "state.safetensors"
    interrupted(define(), path, 2, [0])
    seeds = other.pop("seeds", [0])
    with pytest.raises(UserError, match="a state of learning of other settings, seeds or code; remove it") as told:
        learning.train(define(**other), seeds, resume=path)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


def test_a_broken_state_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        learning.train(define(), [0], resume=path)
