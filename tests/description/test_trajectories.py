"""Trajectories: planted onsets and initial states, and the recordings of premotor cortex."""

import numpy as np
import pytest
from conftest import ABOUT
from scipy.stats import spearmanr
from trials import one_line, recording

from neurocompare.description import trajectories
from neurocompare.errors import UserError
from neurocompare.recordings import boucher2023

BY = "trajectories-by=rt_bin"
TIME = np.round(np.arange(-0.3, 0.5, 0.01) + 0.005, 3)


def planted(delays, shifts, *, units=6, repeats=1, **attributes):
    """Choices that part at a constant speed after a delay, from a state that is shifted along another axis."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((units, units)))[0]
    values, rt_bin, choice = [], [], []
    for sign, name in ((1, "left"), (-1, "right")):
        for k, (delay, shift) in enumerate(zip(delays, shifts, strict=True)):
            apart = sign * 50 * np.maximum(TIME - delay, 0)
            path = apart[:, None] * axes[0] + shift * axes[1] + 10 * np.maximum(TIME, 0)[:, None] * axes[2]
            values += [path] * repeats
            rt_bin += [k + 1] * repeats
            choice += [name] * repeats
    stimulus = np.array([f"{b}-{c}" for b, c in zip(rt_bin, choice, strict=True)])
    coordinates = {"rt_bin": np.array(rt_bin), "choice": np.array(choice)}
    return recording(
        np.array(values), time=TIME, stimulus=stimulus, coordinates=coordinates, response="firing rate", **attributes
    )


def test_planted_onsets_and_initial_states():
    delays, shifts = np.linspace(0.1, 0.3, 8), np.linspace(0, 14, 8)
    rows, details = trajectories.describe(planted(delays, shifts), BY, seed=0)
    # The distance grows by 100 per s; half of the smallest peak is reached so much after each delay.
    threshold = details.attrs["threshold"]
    assert threshold == pytest.approx(50 * (TIME[-1] - 0.3))
    np.testing.assert_allclose(details.onset.values, delays + threshold / 100, atol=1e-3)
    np.testing.assert_allclose(details.initial.values, shifts, atol=1e-6)
    onset, initial = rows[-2:]
    assert onset["value"] == initial["value"] == pytest.approx(1)
    assert onset["p_value"] < 0.001 and initial["p_value"] < 0.001
    assert onset["null_mean"] == pytest.approx(0, abs=0.05)
    assert [row["value"] for row in rows[:8]] == pytest.approx(details.onset.values)
    # Everything lies in three dimensions, and the components keep the distances.
    assert details.variance.values.sum() == pytest.approx(1)
    apart = np.linalg.norm(details.state[0] - details.state[1], axis=-1)
    np.testing.assert_allclose(apart, details.distance, atol=1e-6)


def test_repeats_are_averaged_and_a_rotation_of_the_units_changes_nothing():
    delays, shifts = [0.1, 0.2, 0.15, 0.3], [0, 1, 5, 2]
    first, _ = trajectories.describe(planted(delays, shifts), BY, seed=0)
    again, _ = trajectories.describe(planted(delays, shifts, repeats=3), BY, seed=0)
    array = planted(delays, shifts)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    turned, _ = trajectories.describe(array.copy(data=array.values @ rotation.astype("float32")), BY, seed=0)
    for other in (again, turned):
        assert [row["value"] for row in other] == pytest.approx([row["value"] for row in first], abs=1e-4)
    assert first[-2]["value"] == pytest.approx(spearmanr([1, 2, 3, 4], delays)[0])


def test_bins_without_an_order_are_not_significant():
    rng = np.random.default_rng(2)
    values = []
    for _ in range(20):
        rows, _ = trajectories.describe(planted(rng.uniform(0.1, 0.3, 9), rng.uniform(0, 9, 9)), BY, seed=0)
        values += [row["p_value"] for row in rows[-2:]]
    assert np.mean(np.array(values) < 0.05) < 0.2


def noise(seed, sizes):
    """Noise alone, in bins of so many trials of each choice."""
    rng = np.random.default_rng(seed)
    rt_bin = np.repeat(np.arange(len(sizes)), 2 * np.array(sizes))
    choice = np.concatenate([np.tile(["left", "right"], n) for n in sizes])
    time = np.round(np.arange(-0.1, 0.2, 0.02) + 0.01, 3)
    values = rng.poisson(1.0, (len(rt_bin), len(time), 30))
    stimulus = np.array([f"{b}-{c}" for b, c in zip(rt_bin, choice, strict=True)])
    return recording(values, time=time, stimulus=stimulus, coordinates={"rt_bin": rt_bin, "choice": choice})


def test_bins_with_fewer_trials_do_not_lie_further_apart():
    sizes = [60, 50, 40, 30, 20, 14, 9, 6]
    values, distances = [], []
    for seed in range(12):
        rows, details = trajectories.describe(noise(seed, sizes), BY, seed=seed)
        values.append(rows[-1]["p_value"])
        distances.append(details.distance.values.mean(1))
        assert all("trials=6 of 6 to 60" in row["condition"] and row["n_trials"] == 96 for row in rows)
    assert np.mean(np.array(values) < 0.05) <= 0.25
    # Two means of 6 trials with variance 1 in 30 units: the squares of the distance are 10 on average.
    np.testing.assert_allclose(np.mean(distances, axis=0), np.sqrt(10), rtol=0.05)


def test_the_seed_draws_the_trials_and_equal_numbers_are_all_used():
    array = noise(0, [6, 9, 7])
    first, again, other = (trajectories.describe(array, BY, seed=seed)[1] for seed in (0, 0, 1))
    assert first.identical(again) and not np.allclose(first.distance, other.distance)
    equal = noise(0, [6, 6, 6])
    rows, details = trajectories.describe(equal, BY, seed=0)
    assert all("trials" not in row["condition"] and row["n_trials"] == 36 for row in rows)
    apart = [
        equal[(equal.rt_bin == b) & (equal.choice == "left")].mean("presentation").values
        - equal[(equal.rt_bin == b) & (equal.choice == "right")].mean("presentation").values
        for b in range(3)
    ]
    np.testing.assert_allclose(details.distance, np.linalg.norm(apart, axis=-1), rtol=1e-5)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        ([9, 9, 0, 0, 2, 4, 4], 0.25),  # what is before the stimulus does not count
        ([0, 0, 0, 5, 1, 3, 5], 0.1 + 0.6 / 10),  # the peak comes first here
        ([0, 0, 0, 1, 1, 1, 1], np.nan),
        ([0, 0, 4, 4, 4, 4, 4], 0.0),
    ],
)
def test_onset_is_the_last_rise_before_the_peak(distance, expected):
    time = np.array([-0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4])
    found = trajectories.onset_of(time, np.array(distance, dtype=float), 3.0)
    if distance == [0, 0, 0, 5, 1, 3, 5]:
        expected = 0.06  # between 0 at 0 s and 5 at 0.1 s
    assert found == pytest.approx(expected, nan_ok=True)


def test_what_is_never_reached_ranks_last():
    assert trajectories.spearman(np.arange(4), np.array([0.1, 0.2, 0.3, np.nan])) == pytest.approx(1)
    assert np.isnan(trajectories.spearman(np.arange(3), np.ones(3)))
    y = np.random.default_rng(3).random((5, 7))
    expected = [spearmanr(np.arange(7), row)[0] for row in y]
    np.testing.assert_allclose(trajectories.spearman(np.arange(7), y), expected)


def test_without_exchangeable_bins_there_is_no_null():
    rows, _ = trajectories.describe(planted([0.1, 0.2, 0.3], [0, 1, 2], exchangeable="none"), BY, seed=0)
    assert rows[-1]["status"] == "no_null;no_interval;no_ceiling"


def test_refusals():
    array = planted([0.1, 0.2, 0.3], [0, 1, 2])
    cases = [
        (array.isel(time=0, drop=True), "over time.*bin_width"),
        (array.isel(time=slice(40, None)), "begins before 0"),
        (array.drop_vars("choice"), "unknown presentation coordinate.*'choice'"),
        (array.isel(presentation=slice(5)), "1 combinations absent"),
        (array.isel(presentation=[0, 1, 3, 4]), "2 of 'rt_bin'"),
        (array.assign_coords(rt_bin=("presentation", list("abcabc"))), "'rt_bin' is no number"),
    ]
    for broken, words in cases:
        with pytest.raises(UserError, match=words) as error:
            trajectories.describe(broken, BY, seed=0)
        one_line(error)
    with pytest.raises(UserError, match="did you mean rt_bin"):
        trajectories.describe(array, "trajectories-by=rtbin", seed=0)


def test_premotor_cortex_parts_later_and_starts_elsewhere_where_reactions_are_slower(real_data):
    path = real_data / "boucher2023_pmd" / boucher2023.TRAJECTORIES_FILE
    array = boucher2023.ingest({path.name: path}, about=ABOUT, part="trajectories")
    rows, details = trajectories.describe(array, BY, seed=0)
    assert rows[-2]["value"] > 0.95 and rows[-1]["value"] > 0.9
    onset = details.onset.values
    assert 0.1 < onset[0] < 0.16 and 0.2 < onset[-1] < 0.27
