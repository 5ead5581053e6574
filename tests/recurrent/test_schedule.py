"""Settings of learning are read as given, and refused where they are wrong."""

import pytest

from neurocompare.errors import UserError
from neurocompare.recurrent import schedule
from neurocompare.recurrent.schedule import Learning, Stage, Stop


def test_settings_are_those_of_the_entry_and_defaults():
    entry = {
        "rate": 0.01,
        "clip": None,
        "checkpoints": [20, 0, 20],
        "curriculum": [{"until": {"performance": 0.8}, "options": {"noise": 0.0}}, {"until": {"updates": 9}}],
        "stop": {"error": 1e-3},
    }
    stages = (Stage({"noise": 0.0}, performance=0.8), Stage({}, updates=9))
    expected = Learning(rate=0.01, clip=None, checkpoints=(0, 20), curriculum=stages, stop=Stop(error=1e-3))
    assert schedule.of_entry(entry) == expected
    assert schedule.of_entry({}) == Learning()


def test_the_name_of_the_network_is_in_the_message():
    with pytest.raises(UserError, match="^network 'a': learning: batch is 0; use a whole number, 1 or more$"):
        schedule.of_entry({"batch": 0}, "network 'a': learning")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"updats": 3}, "unknown field of learning 'updats'; did you mean updates"),
        ({"updates": 0}, "learning: updates is 0; use a whole number, 1 or more"),
        ({"rate": -1}, "learning: rate is -1; use a number above 0"),
        ({"decay": 2}, "learning: decay is 2; use"),
        ({"clip": 0}, "learning: clip is 0; use"),
        ({"keep": "first"}, "learning: keep is 'first'; use one of last, best"),
        ({"penalties": {"l2": 1}}, "unknown field of learning.penalties 'l2'; known: rates, vanishing, weights"),
        ({"penalties": {"rates": "x"}}, "learning.penalties: rates is x; use a number, 0 or more"),
        ({"penalties": 3}, "learning.penalties is 3; give a mapping of weights"),
        ({"stop": {"performance": 2}}, "learning.stop: performance is 2; use a fraction, 0 to 1"),
        ({"stop": {"error": 0}}, "learning.stop: error is 0; use a number above 0"),
        ({"stop": {"every": 1.5}}, "learning.stop: every is 1.5; use a whole number"),
        ({"checkpoints": 5}, "learning.checkpoints is 5; give a list"),
        ({"checkpoints": [5, "x"]}, "learning.checkpoints: number 2 is x; use a whole number, 0 or more"),
        ({"updates": 4, "checkpoints": [5]}, "learning: checkpoint 5 is after the last of 4 updates"),
        ({"curriculum": {"until": 1}}, "learning.curriculum is .*; give a list of stages"),
        ({"curriculum": [{"options": {}}]}, "learning.curriculum, stage 1: 'until' must have either"),
        ({"curriculum": [{"until": {"updates": 0}}]}, "learning.curriculum, stage 1, until: updates is 0"),
        ({"curriculum": [{"until": {"updates": 3}, "options": 4}]}, "learning.curriculum, stage 1: options is 4"),
        ([], r"learning is \[\]; give a mapping of updates"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(entry, message):
    with pytest.raises(UserError, match=message) as told_:
        schedule.of_entry(entry)
    assert "\n" not in str(told_.value)
