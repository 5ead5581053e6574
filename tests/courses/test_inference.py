"""Do nulls, intervals and ceilings over conditions hold what they say? Simulations with a known truth."""

import numpy as np
import pytest
import world
import xarray as xr

from neurocompare import comparison, similarity
from neurocompare.courses import lags, trajectories
from neurocompare.courses.trajectories import unrolled
from neurocompare.errors import UserError
from neurocompare.inference import resampling, twofactor
from neurocompare.similarity.arrays import Grams

TIME = world.TIME[::2]
CKA = "cka-kernel=linear-hsic=song"
CROSSNOBIS = "rsa-distance=crossnobis-noise=none-compare=cosine"


def planned(n, time=TIME, **options):
    rows = {"condition": np.repeat(np.arange(n), len(time)), "time": np.tile(time, n)}
    return resampling.plan("x", n * len(time), "condition", **rows, **options)


def low_dimensional(rng, n_units):
    """States of 32 conditions: five latent variables with their time courses, read out by units."""
    shapes = np.stack([t for t in (world.TIME**0, world.TIME, np.sin(4 * world.TIME), world.TIME**2, 1 - world.TIME)])
    latent = np.einsum("ck,kt->ctk", rng.normal(size=(32, 5)), shapes)
    return latent, latent @ rng.normal(size=(5, n_units))


@pytest.mark.parametrize("measure", [CKA, "procrustes-angular"])
def test_unrelated_networks_are_rejected_in_5_percent_and_in_all_cases_if_bins_were_shuffled(measure):
    opened = similarity.load(measure)
    whole = planned(16, permutations=99, bootstraps=1)
    single = resampling.plan("x", 16 * len(TIME), "stimulus", permutations=99, bootstraps=1)
    count, rejected = 150, np.zeros(2)
    for k in range(count):
        rng = np.random.default_rng([11, k])
        x, y = (opened.reduced(Grams.of([unrolled(world.smooth(rng, 16, 12, time=TIME))])) for _ in range(2))
        value = opened.scores(x, y)
        for j, plan in enumerate((whole, single)):
            null = opened.null(x, y, plan.permutations)
            rejected[j] += resampling.p_value(value, null, opened.info["direction"])[0, 0] <= 0.05
    # Binomial with 150 draws of 5 %: 15 or more in less than 1 of 100.
    assert rejected[0] <= 15
    assert rejected[1] >= 0.98 * count


def test_intervals_cover_the_score_of_other_conditions():
    opened, n, time = similarity.load(CKA), 24, TIME[::2]
    plan = planned(n, time, permutations=0, bootstraps=200)
    rng = np.random.default_rng(12)
    shapes = np.stack([time**0, time, np.sin(4 * time), time**2])
    loads = rng.normal(size=(4, 40))
    other = loads + 0.8 * rng.normal(size=(4, 40))
    found = []
    for k in range(120):
        rng = np.random.default_rng([13, k])
        latent = np.einsum("ck,kt->ctk", rng.normal(size=(n, 4)), shapes)
        noisy = latent @ other + rng.normal(size=(n, len(time), 40))
        x, y = (opened.reduced(Grams.of([unrolled(states)])) for states in (latent @ loads, noisy))
        value = opened.scores(x, y)
        draws = opened.draws(x, y, value, plan)
        estimate = twofactor.estimate(value, draws, plan.n_groups, **twofactor.options(plan, opened.scheme))
        found.append((value[0, 0], estimate.low[0], estimate.high[0]))
    value, low, high = np.array(found).T
    covered = np.mean((low <= value.mean()) & (value.mean() <= high))
    # 95 % of 120, less three standard errors.
    assert 0.89 <= covered <= 1


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(14)
    latent, own = low_dimensional(rng, 100)
    _, unrelated = low_dimensional(rng, 100)
    recorded = latent @ rng.normal(size=(5, 60))
    trials = world.trials_of(recorded, repeats=8, noise=3.0, rng=rng)
    return own, unrelated, recorded, world.unrolled(trials, bin=0.15)


def test_the_network_behind_a_recording_is_found_and_scores_near_the_ceiling(planted):
    own, unrelated, _, course = planted
    for measure in (CKA, CROSSNOBIS):
        rows = {
            name: comparison.compare(course, world.grams(states, course), measure, name="course", network=name)[0][0]
            for name, states in (("own", own), ("unrelated", unrelated))
        }
        assert rows["own"]["p_value"] < 0.002 and rows["unrelated"]["p_value"] > 0.05
        assert rows["own"]["ci_low"] > rows["unrelated"]["ci_high"]
        assert 0.85 * rows["own"]["ceiling_low"] < rows["own"]["value"] < rows["own"]["ceiling_high"]
        assert rows["own"]["n_stimuli"] == 80
    near, far = (
        comparison.compare(course, world.grams(states, course), "procrustes-angular", name="course", network="x")[0][0]
        for states in (own, unrelated)
    )
    assert near["p_value"] < 0.01 and near["ci_high"] < far["ci_low"]


def test_the_truth_itself_scores_what_the_ceiling_says(planted):
    _, _, recorded, course = planted
    found = {}
    for measure in (CROSSNOBIS, CKA, "rsa-distance=euclidean-compare=pearson"):
        rows, _ = comparison.compare(course, world.grams(recorded, course), measure, name="course", network="truth")
        found[measure] = rows[0]
        assert rows[0]["ceiling_low"] - 0.01 < rows[0]["value"] < rows[0]["ceiling_high"] + 0.01
    # Distances across repeats have an estimate; noise that outlasts a bin would make one of CKA too high (here 1.03).
    assert found[CROSSNOBIS]["ceiling_kind"] == "estimate (trials)"
    assert found[CKA]["ceiling_kind"] == "bracket (trials)"


def test_a_common_time_course_gives_no_score(planted):
    own, unrelated, _, course = planted
    common = 50 * np.sin(6 * world.TIME)[:, None] * np.ones(100)
    values = [
        comparison.compare(course, world.grams(states, course), CKA, name="course", network="x")[0][0]["value"]
        for states in (unrelated, unrelated + common)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


def test_folds_over_rows_are_refused(planted):
    own, _, _, course = planted
    with pytest.raises(UserError, match="folds") as error:
        comparison.compare(course, world.grams(own, course), "ridge-folds=5", name="course", network="own")
    assert "\n" not in str(error.value)


def test_halves_of_conditions_hold_all_their_times(planted):
    course = planted[3]
    stimuli = np.array(sorted(set(course["stimulus"].values)))
    plan = comparison.plan_of(course, stimuli, "course")
    owner = np.array([name.split("|")[0] for name in stimuli])
    assert plan.n_groups == 16
    for rows in (*plan.partitions[:3], *(plan.weights[:3])):
        assert all(len(set(rows[owner == one])) == 1 for one in set(owner))
    time = np.array([name.split("|")[1] for name in stimuli])
    for order in plan.permutations[:3]:
        assert np.array_equal(time[order], time)
        assert all(len(set(owner[order][owner == one])) == 1 for one in set(owner))


def test_lags_find_by_how_much_a_network_is_ahead():
    rng = np.random.default_rng(15)
    time = np.arange(0.025, 1.0, 0.05)
    # Each unit is active at its own time, so that times do not resemble each other.
    bump = np.exp(-((time[:, None] - np.linspace(0, 1, 40)) ** 2) / (2 * 0.07**2))
    states = rng.normal(size=(32, 1, 40)) * bump
    recording = world.trials_of(states, repeats=8, noise=0.1, rng=rng, time=time)
    course = world.unrolled(recording, window=[0.2, 0.8], bin=0.1, latency=0.1)
    # The network does 0.2 s earlier what the recording does: 0.1 s more than the latency.
    ahead = world.trials_of(states[:, 4:], time=time[:-4])
    layers, _ = trajectories.of_trials(ahead, course, "net")
    grams = trajectories.grams(layers, course, "net").expand_dims(seed=[3])
    rows = lags.lagged(course, grams, CKA, name="course", network="net")
    assert len(rows) == 36 and {row["seed"] for row in rows} == {3}
    for moment in (0.35, 0.45, 0.55, 0.65):
        mine = [row for row in rows if abs(row["time"] - moment) < 1e-9]
        best = max(mine, key=lambda row: row["value"])
        assert best["lag"] == pytest.approx(-0.1) and best["network_time"] == pytest.approx(moment - 0.2)
        assert best["p_all_times"] <= 0.01 and best["p_value"] <= best["p_all_times"]
        assert best["value"] == pytest.approx(best["ceiling_high"], abs=0.05)


def test_rows_tell_of_which_networks_all_trials_count(planted):
    own, _, _, course = planted
    seeds = [world.grams(own, course, seed=seed).assign(all_trials=("seed", [seed])) for seed in (0, 1)]
    activations = xr.concat(seeds, dim="seed")
    plain = xr.concat([one.drop_vars("all_trials") for one in seeds], dim="seed")
    for found, without in (
        (comparison.compare(course, one, CKA, name="course", network="own")[0] for one in (activations, plain)),
        (lags.lagged(course, one, CKA, name="course", network="own") for one in (activations, plain)),
    ):
        assert {row["seed"] for row in found} == {0, 1}
        assert {row.get("claim", "new conditions") for row in found} == {"new conditions"}
        for row, other in zip(found, without, strict=True):
            words = row["status"].split(";")
            assert ("all_trials" in words) == (row["seed"] == 1)
            assert [word for word in words if word != "all_trials"] in (
                [other["status"]],
                other["status"].split(";"),
                [],
            )
            assert row["value"] == other["value"] or np.isnan(row["value"])


def test_over_all_lags_together_unrelated_networks_are_rejected_in_5_percent():
    rejected, count = 0, 50
    for k in range(count):
        rng = np.random.default_rng([16, k])
        recorded, other = (world.smooth(rng, 32, 8) for _ in range(2))
        course = world.unrolled(world.trials_of(recorded, repeats=2), repeats=2, bin=0.25)
        rows = lags.lagged(course, world.grams(other, course), CKA, name=f"course {k}", network="net")
        rejected += min(row["p_all_times"] for row in rows) <= 0.05
    # Binomial with 50 draws of 5 %: 8 or more in less than 1 of 300.
    assert rejected <= 7


def test_lags_refuse_what_is_no_course(planted):
    own, _, recorded, course = planted
    flat = world.trials_of(recorded, repeats=2).mean("time")
    flat.attrs = dict(course.attrs)
    for recording, measure, word in ((flat, CKA, "no course"), (course, f"{CKA}-sample=5", "sample")):
        with pytest.raises(UserError, match=word):
            lags.lagged(recording, world.grams(own, course), measure, name="course", network="own")
