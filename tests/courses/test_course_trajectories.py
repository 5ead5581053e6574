"""Networks and task variables in the rows of a course."""

import numpy as np
import pytest
import world

from neurocompare.courses import trajectories
from neurocompare.errors import UserError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def states():
    return world.smooth(np.random.default_rng(4), 32, 6)


@pytest.fixture(scope="module")
def course(states):
    correct = np.ones(128)
    trials = world.trials_of(states, repeats=4).assign_coords(correct=("presentation", correct))
    right = np.where(trials["context"] == "motion", trials["motion_level"], trials["color_level"])
    trials = trials.assign_coords(choice=("presentation", np.sign(right)))
    return world.unrolled(trials, where={"correct": 1}, repeats=2)


def network(states, correct=1.0, **options):
    trials = world.trials_of(states, repeats=2, **options)
    return trials.assign_coords(correct=("presentation", np.full(trials.sizes["presentation"], correct)))


def test_a_network_is_brought_into_the_same_rows_as_a_recording(course, states):
    area = np.array(["one", "two", "one", "two", "two", "one"])
    layers, _ = trajectories.of_trials(network(states, area=area), course, "net")
    assert list(layers) == ["one", "two"] and [v.shape[1] for v in layers.values()] == [3, 3]
    mine = course.isel(presentation=course["repeat"].values == 0).values
    assert np.allclose(layers["one"], mine[:, area == "one"], atol=1e-5)
    grams = trajectories.grams(layers, course, "net")
    assert list(grams["stimulus"].values) == list(course["stimulus"].values[: 16 * len(world.TIME)])
    assert np.allclose(grams["gram"].sel(layer="two"), layers["two"] @ layers["two"].T)
    assert np.allclose(grams["row_sum"].sel(layer="two"), layers["two"].sum(1))
    by_time = layers["one"].reshape(16, len(world.TIME), -1)
    assert np.abs(by_time.mean(0)).max() < 1e-12, "nothing that all conditions have in common"


def test_the_latency_moves_the_network_not_the_recording(course, states):
    late = course.assign_attrs(latency=0.1)
    time = np.arange(-0.075, 0.75, 0.05)
    longer = world.smooth(np.random.default_rng(5), 32, 4, time=time)
    there = trajectories.of_trials(network(longer, time=time), late, "net")[0]["PFC"]
    moved = trajectories.of_trials(network(longer, time=time + 0.1), course, "net")[0]["PFC"]
    assert np.allclose(there, moved)


def test_trials_are_chosen_as_those_of_the_recording_unless_there_are_none(course, states, capsys):
    right = network(states)
    wrong = network(states, correct=0.0)
    both = right.copy(data=np.where(right["repeat"].values[:, None, None] == 0, right.values, -1e3))
    both = both.assign_coords(correct=("presentation", (right["repeat"].values == 0).astype(int)))
    expected = trajectories.of_trials(right, course, "net")[0]["PFC"]
    assert np.allclose(trajectories.of_trials(both, course, "net")[0]["PFC"], expected)
    assert capsys.readouterr().err == ""
    assert np.allclose(trajectories.of_trials(wrong, course, "net")[0]["PFC"], expected)
    assert "net has no trial with correct=1" in capsys.readouterr().err
    assert [trajectories.of_trials(trials, course, "net")[1] for trials in (right, both, wrong)] == [False, False, True]


def test_what_a_network_lacks_is_one_line(course, states):
    for trials, words in (
        (network(states).isel(presentation=slice(0, 16)), ["net", "context=color"]),
        (network(states).drop_vars("motion_level"), ["net", "motion_level"]),
        (network(states).isel(time=slice(0, 5)), ["net", "0.75", "latency"]),
        (network(states).isel(time=0, drop=True), ["net", "time"]),
    ):
        with pytest.raises(UserError) as error:
            trajectories.of_trials(trials, course, "net")
        assert "\n" not in str(error.value) and all(word in str(error.value) for word in words), str(error.value)
    still = network(0 * states)
    with pytest.raises(UserError, match="same in all conditions"):
        trajectories.grams(trajectories.of_trials(still, course, "net")[0], course, "net")


def test_task_variables_span_what_they_should(course):
    layers = trajectories.of_task_variables(
        course, variables=["context", "choice:ramp", "motion_level"], context="context"
    )
    # Two time courses of context (one-hot, two columns) and of motion, one of choice.
    assert layers["linear"].shape[1] == 4 + 1 + 2 and np.linalg.matrix_rank(layers["linear"]) == 5
    # Choice and motion within each of the contexts besides.
    assert layers["gated"].shape[1] == 7 + 2 * 3
    first = course.isel(presentation=slice(0, 16 * len(world.TIME)))
    motion = first["motion_level"].values - np.mean(first["motion_level"].values)
    for target in (motion, np.where(first["context"].values == "color", motion, 0)):
        target = target.reshape(16, -1)
        target = (target - target.mean(0)).ravel()
        left = target - layers["gated"] @ np.linalg.lstsq(layers["gated"], target, rcond=None)[0]
        assert np.abs(left).max() < 1e-9
    variance = np.square(layers["linear"]).mean(0)
    assert np.isclose(variance[:2].sum(), 1) and np.isclose(variance[4], 1), (
        "each variable and time course counts alike"
    )
    for given, word in (("choise", "choice"), ("choice:jump", "ramp"), ("correct", "same in all")):
        with pytest.raises(UserError, match=word):
            trajectories.of_task_variables(course, variables=[given])
