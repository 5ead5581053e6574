"""Rows of condition × time: their cells, their repeats, and what is removed from them."""

import json

import numpy as np
import pytest
import world

from neurocompare import representation
from neurocompare.courses import bins, cells, unrolling
from neurocompare.errors import UserError


@pytest.fixture(scope="module")
def states():
    return world.smooth(np.random.default_rng(0), 32, 5)


def one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_without_noise_a_row_is_the_mean_of_its_conditions_less_that_of_all_cells(states):
    course = world.unrolled(world.trials_of(states, repeats=4))
    shown = world.conditions()
    expected = []
    for block in world.CELLS:
        for motion in block["motion_level"]:
            for color in block["color_level"]:
                inside = shown["context"] == block["context"]
                inside &= np.isin(shown["motion_level"], motion) & np.isin(shown["color_level"], color)
                expected.append(states[inside].mean(0))
    expected = np.array(expected)
    expected -= expected.mean(0)
    found = course.values.reshape(4, 16, len(world.TIME), 5)
    assert np.allclose(found, expected, atol=1e-5)
    assert course["stimulus"].values[1] == "context=motion,motion_level=-2,color_level=-2/-1|0.075 s"
    assert course["condition"].values[1] == "context=motion,motion_level=-2,color_level=-2/-1"
    assert course["color_level"].values[0] == -1.5, "the mean of what is pooled"


def test_combinations_of_values_count_alike_however_many_trials_they_have(states):
    trials = world.trials_of(states, repeats=6)
    # Of one half of all combinations, only a third of the trials is left.
    rare = (trials["motion_level"].values > 0) == (trials["color_level"].values == 1)
    thinned = trials.isel(presentation=np.flatnonzero(~rare | (trials["repeat"].values < 2)))
    full, thin = (world.unrolled(one, repeats=2) for one in (trials, thinned))
    assert np.allclose(full.values, thin.values, atol=1e-5)


def test_repeats_share_no_trial_and_each_is_centred_by_itself(states):
    rng = np.random.default_rng(1)
    course = world.unrolled(world.trials_of(0 * states, repeats=8, noise=1.0, rng=rng))
    values = course.values.reshape(4, 16, len(world.TIME), 5)
    assert np.abs(values.mean(1)).max() < 1e-5
    flat = values.reshape(4, -1)
    off = np.corrcoef(flat)[np.triu_indices(4, 1)]
    # 80 independent numbers (slow noise), and more: repeats that were centred together would correlate by −1/3 or so.
    assert np.abs(off).max() < 0.15
    # The halves that ceilings are based on hold whole repeats.
    assert np.array_equal(course["block"], course["repeat"])


def test_members_are_joined_unit_by_unit_and_poor_ones_are_counted(states):
    rich, poor = world.trials_of(states, repeats=4), world.trials_of(states, repeats=1)
    poor = poor.assign_coords(unit_id=("unit", [f"poor {k}" for k in range(5)]))
    joined = unrolling.unroll([rich, poor], cells=world.CELLS, repeats=2, name="c")
    assert joined.sizes["unit"] == 10 and not joined.attrs["simultaneous"]
    rng = np.random.default_rng(2)
    noisy = world.trials_of(states, repeats=4, noise=1.0, rng=rng)
    alone = unrolling.unroll([noisy, poor], cells=world.CELLS, repeats=3, name="c")
    assert alone.sizes["unit"] == 5 and alone.attrs["simultaneous"]
    assert alone.attrs["excluded"] == {"unit": {"fewer than 3 trials of a cell": 5}}
    with pytest.raises(UserError) as error:
        unrolling.unroll([poor], cells=world.CELLS, repeats=3, names=["thin.nc"], name="c")
    one_line(error, "thin.nc", "2 trials", "repeats", "pool more")


def test_counts_become_rates_in_wider_bins_within_the_window(states):
    rng = np.random.default_rng(3)
    counts = rng.poisson(2, size=(128, len(world.TIME), 5))
    trials = world.trials_of(states, repeats=4, bin_seconds=0.05).copy(data=counts)
    trials.attrs |= {"response": "spike count", "units": "spikes"}
    course = world.unrolled(trials, repeats=2, bin=0.1, window=[0.1, 0.6])
    assert course.attrs["response"] == "firing rate" and course.attrs["units"] == "spikes/s"
    assert np.allclose(np.unique(course["condition_time"]), [0.15, 0.25, 0.35, 0.45, 0.55])
    assert course.attrs["bin_seconds"] == pytest.approx(0.1)
    mean = trials.values.reshape(4, 32, -1, 5).mean(0)[:, 2:4].mean(1) / 0.05
    shown = world.conditions()
    pick = (shown["context"] == "motion") & (shown["motion_level"] == 2) & (shown["color_level"] > 0)
    other = (shown["context"] == "color") & (shown["color_level"] == 1) & (shown["motion_level"] > 0)
    means = course.groupby("stimulus").mean()
    first, second = (
        means.sel(stimulus=f"{name}|0.150 s").values
        for name in (
            "context=motion,motion_level=+2,color_level=+1/+2",
            "context=color,motion_level=+1/+2,color_level=+1",
        )
    )
    assert np.allclose(first - second, mean[pick].mean(0) - mean[other].mean(0), atol=1e-4)


def test_only_presentations_with_the_values_asked_for_count(states):
    correct = np.arange(32 * 4) % 3 > 0
    trials = world.trials_of(states, repeats=4)
    trials = trials.assign_coords(correct=("presentation", correct.astype(float)))
    wrong = trials.copy(data=np.where(correct[:, None, None], trials.values, 1e6))
    course = world.unrolled(wrong, repeats=2, where={"correct": 1})
    assert np.abs(course.values).max() < 100 and json.loads(course.attrs["where"]) == {"correct": 1}


def test_what_is_written_is_read_again(states, tmp_path):
    course = world.unrolled(world.trials_of(states, repeats=4))
    representation.write(course, tmp_path / "course.nc")
    again = representation.read(tmp_path / "course.nc")
    assert [cell.name for cell in unrolling.cells_of(again)] == list(dict.fromkeys(course["condition"].values))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cells": [{"context": ["motion", "color"]}]}, ["cells", "2", "5"]),
        ({"cells": [{"context": ["motion", "color"], "motion_level": [[-2, 1], [1, 2]]}]}, ["two", "motion_level=1"]),
        ({"cells": [{"context": "motion"}, {"motion_level": -2}]}, ["block", "motion_level", "context"]),
        ({"cells": [{"contxt": ["motion"] * 1, "motion_level": [-2, -1, 0, 1, 2]}]}, ["contxt", "motion_level"]),
        ({"repeats": 1}, ["repeats", "2"]),
        ({"bin": 0.07}, ["bin", "0.07", "0.05"]),
        ({"window": [0, 2]}, ["window", "0 to 0.75"]),
        ({"window": [0, 0.05]}, ["1 bins", "at least two"]),
        ({"where": {"corect": 1}}, ["corect", "context"]),
    ],
)
def test_mistakes_are_one_line(states, changes, words):
    with pytest.raises(UserError) as error:
        world.unrolled(world.trials_of(states, repeats=4), **changes)
    one_line(error, *words)


def test_recordings_without_time_or_with_other_times_are_refused(states):
    trials = world.trials_of(states, repeats=4)
    with pytest.raises(UserError) as error:
        unrolling.unroll([trials.isel(time=0, drop=True)], cells=world.CELLS, names=["flat"], name="c")
    one_line(error, "flat", "time")
    later = trials.assign_coords(time=trials["time"] + 0.1)
    with pytest.raises(UserError) as error:
        unrolling.unroll([trials, later], cells=world.CELLS, names=["a", "b"], name="c")
    one_line(error, "b has other times than a")


def test_numbers_are_the_same_however_they_are_stored():
    assert {cells.text(value) for value in (-3, -3.0, np.int64(-3), np.float32(-3), "-3")} == {"-3"}
    assert cells.text(True) == cells.text(1.0) == "1"


def test_bins_average_steps_or_interpolate_where_steps_are_long():
    time = np.arange(0, 0.8, 0.01)
    line = (3 * time)[None, :, None]
    centres = np.array([0.1, 0.3, 0.5])
    # Steps at 0, 0.01, …: the mean of those in a bin is half a step before its centre.
    assert np.allclose(bins.averaged(line, time, centres, 0.2, "net")[0, :, 0], 3 * (centres - 0.005))
    long = np.arange(0, 0.9, 0.2)
    assert np.allclose(
        bins.averaged(3 * long[None, :, None], long, np.array([0.13, 0.33]), 0.02, "net"), [[[0.39], [0.99]]]
    )
    with pytest.raises(UserError) as error:
        bins.averaged(line, time, centres + 0.5, 0.2, "net")
    one_line(error, "net", "0 to 0.79", "1.1", "latency")
