"""Parts over the phases of a task: planted parts, kinds and shares, nulls, and what can't be told."""

import json

import numpy as np
import pytest
from conftest import ABOUT
from trials import one_line, recording

from neurocompare import datasets, describing, factorization
from neurocompare.description import phase_kinds, phase_parts, phases
from neurocompare.description.phase_data import responses
from neurocompare.errors import UserError
from neurocompare.identifiers import DESCRIPTION_PACKAGES, module_of
from neurocompare.recordings import churchland2012, simulated_phases, yu2009

ID = "phases-by=percept-loss=frobenius"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Less of what is only a matter of precision."""
    monkeypatch.setattr(phases, "LARGEST_RANK", 3)
    monkeypatch.setattr(phases, "BOOTSTRAPS", 30)
    monkeypatch.setattr(phase_parts, "STARTS", 2)
    monkeypatch.setattr(phase_parts, "PERMUTATIONS", 300)
    monkeypatch.setattr(phase_parts, "SHIFTS", 100)
    monkeypatch.setattr(phase_kinds, "SPLITS", 3)
    monkeypatch.setattr(phase_kinds, "RESAMPLES", 30)
    monkeypatch.setattr(phase_kinds, "REFITS", 10)


def simulate(**options):
    return simulated_phases.simulate(**{"bin_width": 0.1, "seed": 0} | options)


def described(array, name=ID):
    rows, details = phases.describe(array, name, seed=0)
    return {row["quantity"]: row for row in rows}, [row for row in rows if row["quantity"] == "selectivity"], details


@pytest.mark.parametrize(("phase_parts_", "percept_parts"), [(2, 1), (3, 2)])
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_planted_parts_are_recovered_at_five_spikes_per_second(phase_parts_, percept_parts, loss):
    """160 units, ten trials of each of two percepts: matched cosine .95 or more."""
    array, truth = simulated_phases.simulate(phase_parts=phase_parts_, percept_parts=percept_parts, seed=0)
    rank = phase_parts_ + percept_parts
    data = responses(array, "percept", loss, "refuse", ID)
    found = factorization.parts(data.matrix(), rank, seed=0, loss=loss, starts=5)[0][1]
    assert factorization.matched_cosine(truth.part.values.reshape(rank, -1), found) >= 0.95


def test_kinds_and_share_of_a_planted_population(tmp_path, monkeypatch):
    monkeypatch.setattr(phases, "LARGEST_RANK", 6)
    array, truth = simulate()
    table, drawn = describing.describe(array, ID, name="simulated")
    rows, details = {row["quantity"]: row for row in table}, drawn.isel(region=0)
    selectivity = [row for row in table if row["quantity"] == "selectivity"]
    assert rows["number of parts"]["value"] == 5
    planted = truth.part.values.reshape(5, -1)
    assert factorization.matched_cosine(planted, details.course.values.reshape(5, -1)) > 0.98
    assert [rows[f"number of {kind} parts"]["value"] for kind in phase_kinds.KINDS] == [3, 2, 0]
    share = rows["share of phase units"]
    assert share["ci_low"] <= float(truth.phase_share) <= share["ci_high"]
    assert "most=yes" in share["condition"] and share["p_value"] < 0.05
    assert sum(rows[f"share of {kind} units"]["value"] for kind in phase_kinds.KINDS) == pytest.approx(1)
    assert rows["share of selective units"]["value"] == pytest.approx(0.25, abs=0.06)
    assert rows["stability over starts"]["value"] > 0.9
    reproduced = rows["reproducibility of parts"]
    assert reproduced["null_high"] < 0.8 < reproduced["value"] and reproduced["p_value"] < 0.01
    # Parts are numbered by their peaks, and content parts are those of one percept.
    kinds = details.kind.values
    assert np.all(np.diff(details.peak.values) >= 0)
    for row, kind in zip(selectivity, kinds, strict=True):
        assert (row["value"] > 0.9) == (kind == 1) and (row["value"] < 0.2) == (kind == 0)
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
        assert row["ci_low"] <= (kind == 1) <= row["ci_high"]
    assert "phase=flash" in selectivity[-1]["condition"]
    # Units are of the kind that was planted, but for few whose weights are alike.
    agree = (details.unit_kind.values == 1) == (truth.unit_kind.values == "percept")
    assert agree.mean() > 0.9
    np.testing.assert_allclose(details.loading.values.sum(1), 1)
    datasets.write(drawn, tmp_path / "d.nc")
    assert json.loads(datasets.read(tmp_path / "d.nc").attrs["phases"]) == array.attrs["phases"]


def test_selectivity_is_not_biased_by_weights_that_noise_makes_positive():
    """Strengths read with the non-negative weights of the factorisation gave 1.03 on average, and missed 1."""
    error, covered = [], []
    for seed in range(3):
        array, truth = simulated_phases.simulate(seed=100 + seed)
        data = responses(array, "percept", "frobenius", "refuse", ID)
        w, h, _ = factorization.parts(data.matrix(), 5, seed=0, starts=3)[0]
        found = phase_kinds.tested(data, w, h.reshape(5, 2, -1), "frobenius", False, np.random.default_rng(seed))
        planted = factorization.unit_rows(truth.part.values.reshape(5, -1))
        selective = (truth.kind.values == "percept")[(h @ planted.T).argmax(1)]
        error += list(found.selectivity - selective)
        covered += list((found.interval[0] <= selective) & (selective <= found.interval[1]))
    assert np.abs(error).max() < 0.03
    assert np.mean(covered) > 0.8


def test_few_trials_do_not_make_every_part_follow_the_phase():
    """Of six trials of each condition four are tested: labels have 70 orders, and no p-value of five parts is .05."""
    condition = np.repeat([0, 1], 6)
    assert phase_kinds.lowest_p(condition, 5) == pytest.approx(2 * 5 / 70)
    assert phase_kinds.lowest_p(np.repeat([0, 1], [6, 30]), 5) == pytest.approx(2 * 5 / 301)
    rows, selectivity, _ = described(simulate(trials=6, neurons=60)[0])
    assert rows["share of phase units"]["status"] == "too_few_trials"
    assert np.isnan(rows["number of phase parts"]["value"])
    assert all(np.isnan(row["p_value"]) and "too_few_trials" in row["status"] for row in selectivity)


def test_parts_that_differ_but_not_significantly_do_not_follow_the_phase(monkeypatch):
    monkeypatch.setattr(phases, "LARGEST_RANK", 5)
    monkeypatch.setattr(phase_kinds, "holm", np.ones_like)
    rows, selectivity, _ = described(simulate()[0])
    assert [rows[f"number of {kind} parts"]["value"] for kind in phase_kinds.KINDS] == [3, 0, 2]
    assert all((row["value"] > 0.5) == ("kind=other" in row["condition"]) for row in selectivity)


def test_without_content_no_part_follows_it():
    """Half of the labels of every percept are exchanged: labels say nothing of what is perceived."""
    array, _ = simulate(neurons=60)
    percept = array.percept.values.copy()
    for name, other in (("a", "b"), ("b", "a")):
        members = np.flatnonzero(array.percept.values == name)
        percept[members[::2]] = other
    rows, selectivity, _ = described(array.assign_coords(percept=("presentation", percept)))
    assert rows["number of content parts"]["value"] == 0
    assert rows["share of content units"]["value"] == 0
    assert max(row["value"] for row in selectivity) < 0.2
    assert rows["share of selective units"]["value"] < 0.1


def test_p_values_of_noise_are_uniform_or_larger():
    """Fits and weights come from other trials than those whose labels are shuffled."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        array = recording(
            rng.poisson(2.0, (12, 8, 12)).astype(float),
            time=0.05 * np.arange(8),
            coordinates={"percept": np.tile(["a", "b"], 6)},
            response="spike count",
        )
        data = responses(array, "percept", "frobenius", "refuse", ID)
        _, h, _ = factorization.parts(data.matrix(), 2, seed=0, starts=1)[0]
        found.append(phase_kinds._shuffled(data, h, "frobenius", rng)["p_content"])
    p = np.array(found)
    assert 0.35 < p.mean() < 0.65
    assert (p[:, 0] < 0.1).mean() < 0.2


def test_a_steady_part_follows_nothing():
    rng = np.random.default_rng(1)
    array = recording(
        rng.poisson(5.0, (20, 12, 40)).astype(float),
        time=0.05 * np.arange(12),
        coordinates={"percept": np.tile(["a", "b"], 10)},
        response="spike count",
    )
    rows, _, _ = described(array)
    assert rows["number of parts"]["value"] == rows["number of other parts"]["value"] == 1
    assert rows["share of other units"]["value"] == 1


def test_selectivity_is_one_for_one_condition_and_zero_for_all():
    course = np.exp(-((np.arange(30) - 12) ** 2) / 20)
    for conditions in (2, 4):
        own = np.zeros((conditions, 30))
        own[1] = course
        strength = np.stack([own, np.tile(course, (conditions, 1)), own * 3 + 2], axis=-1)
        content, phase = phase_parts.variances(strength, strength)
        lowest = strength.min((0, 1))
        selectivity = phase_kinds.ratio(content, phase_parts.power(strength, strength, lowest))
        np.testing.assert_allclose(selectivity, [1, 0, 1], atol=1e-9)
        assert phase[1] == pytest.approx(course.var())


def test_variances_are_free_of_the_bias_of_noise():
    rng = np.random.default_rng(2)
    content, phase = np.mean([phase_parts.variances(*rng.standard_normal((2, 3, 20, 4))) for _ in range(400)], axis=0)
    assert np.abs(content).max() < 0.04 and np.abs(phase).max() < 0.03


def test_held_out_stretches_are_long_and_shared_out():
    groups = phase_parts.stretches(3, 60, 0.02, np.random.default_rng(0)).reshape(3, 60)
    for line in groups:
        ends = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
        assert np.diff(ends).min() >= 5  # 0.1 s
    assert all(np.bincount(line).tolist() == [20, 20, 20] for line in groups)
    assert not np.array_equal(groups[0], groups[1])
    dealt = phase_parts.dealt(np.repeat([0, 1], [4, 7]), 3, np.random.default_rng(0))
    assert [sorted(set(dealt[:4])), sorted(set(dealt[4:]))] == [[0, 1, 2]] * 2


def test_averages_and_smoothing_equal_their_definitions():
    rng = np.random.default_rng(3)
    trials, condition = rng.random((7, 20, 3)), np.array([0, 1, 0, 1, 1, 0, 1])
    averages = phase_parts.averages(trials, condition)
    np.testing.assert_allclose(averages[1], trials[[1, 3, 4, 6]].mean(0))
    smooth = phase_parts.smooth(np.eye(41)[20][None, :, None], 0.02, 1)[0, :, 0]
    kernel = np.exp(-((np.arange(41) - 20) ** 2) / (2 * 2.0**2))
    np.testing.assert_allclose(smooth, kernel / kernel.sum(), atol=1e-4)


def test_rank_is_the_smallest_that_is_not_worse_than_the_best_by_more_than_one_standard_error():
    rng = np.random.default_rng(4)
    blocks = rng.standard_normal((3, 9, 1))  # what blocks differ in does not count
    mean = np.array([1.0, 0.6, 0.31, 0.30, 0.305])
    assert phase_parts.paired_rank(mean + blocks + 0.06 * rng.standard_normal((3, 9, 5)), np.arange(1, 6)) == 3
    assert phase_parts.paired_rank(mean + blocks, np.arange(1, 6)) == 4


def test_units_are_of_the_kind_of_most_of_their_weights():
    weight = np.array([[0.4, 0.3, 0.5], [0.0, 0.2, 0.5], [0, 0, 0], [1, 0, 0]], dtype=float)
    assert phase_kinds.of_units(weight, np.array([0, 0, 1])).tolist() == [0, 1, 2, 0]
    assert phase_kinds.of_units(weight, np.array([0, -1, 1])).tolist() == [-1] * 4


def test_shifted_time_courses_are_the_null_of_reproducibility():
    rng = np.random.default_rng(5)
    parts = rng.random((2, 12))
    null = phase_parts.turned(parts, parts, 2, rng)
    unit = factorization.unit_rows(parts)
    possible = [
        factorization.matched_cosine(
            unit, np.stack([np.roll(part.reshape(2, 6), s, 1).ravel() for part, s in zip(unit, shifts, strict=True)])
        )
        for shifts in np.ndindex(6, 6)
    ]
    assert null.max() == pytest.approx(1) and set(null.round(9)) <= set(np.round(possible, 9))


def small(**options):
    n = options.pop("trials", 8)
    rng = np.random.default_rng(6)
    units = options.pop("units", 8)
    values = rng.poisson(3.0, (n, 8, units)) + 4.0 * (np.arange(8)[:, None] > 3)
    coordinates = options.pop("coordinates", {"percept": np.tile(["a", "b"], n // 2)})
    options = {"response": "spike count", "time": 0.05 * np.arange(8), "coordinates": coordinates} | options
    return recording(options.pop("values", values), **options)


def test_what_cannot_be_told_has_a_status_and_no_value(monkeypatch):
    monkeypatch.setattr(phases, "LARGEST_RANK", 1)
    for array, status in (
        (small(units=30, average="trials of a condition", response="firing rate"), "no_trials"),
        (small(units=30, exchangeable="block"), "no_null"),
        (small(units=30, block=np.arange(8) % 2), "constant_in_blocks"),
        (small(units=30), "too_few_trials"),
        (small(trials=14), "too_few_units"),
    ):
        rows, selectivity, details = described(array)
        for quantity in ("number of phase parts", "share of phase units", "share of selective units"):
            assert np.isnan(rows[quantity]["value"]) and rows[quantity]["status"] == status, quantity
        assert np.isfinite(rows["number of parts"]["value"])
        assert all("kind=not told" in row["condition"] for row in selectivity)
        assert (details.kind.values == -1).all()
    assert np.isfinite(selectivity[0]["p_value"])
    rows, _, _ = described(small(units=30, trials=14, phases={"dots": 0.0}))
    assert rows["share of phase units"]["status"] == "one_phase"
    assert np.isfinite(rows["share of selective units"]["value"])
    (row, *_), details = phases.describe(small(units=4), ID, seed=0)
    assert row["status"] == "too_few_units" and details is None


def test_silent_units_and_presentations_without_a_condition_are_counted():
    array = small(units=40, coordinates={"percept": np.array(["a", "b", "", "a", "b", "a", "b", ""])})
    values = array.values.copy()
    values[..., :3] = 0
    rows, _, details = described(array.copy(data=values))
    assert rows["units without a response"]["value"] == 3
    assert rows["presentations without a condition"]["value"] == 2
    assert rows["number of parts"]["n_trials"] == 6 and details.sizes["unit"] == 37


def test_orientation_is_taken_from_direction():
    array = small(coordinates={"direction": np.tile([0.0, 90.0, 180.0, 270.0], 2)})
    rows, _, details = described(array, "phases-by=orientation-loss=frobenius")
    assert details.condition.values.tolist() == ["0.0", "90.0"] and rows["number of parts"]["n_stimuli"] == 2


def test_refusals_name_what_is_wrong():
    negative = small(response="dF/F", values=np.random.default_rng(0).standard_normal((8, 8, 8)))
    for array, name, words in (
        (small(), "phases-by=color-loss=frobenius", "color"),
        (small(average="trials"), "phases-by=unit_id-loss=frobenius", "unit_id"),
        (small(), "phases-loss=frobenius", "must read phases-by"),
        (small(), "phases-by=percept-loss=absolute", "loss"),
        (small().isel(time=slice(4)), ID, "'time' has 4 bins"),
        (small().sum("time", keep_attrs=True), ID, "bin_width"),
        (small(coordinates={"percept": np.array(["a"] * 8)}), ID, "percept"),
        (small(values=np.zeros((8, 8, 8))), ID, "no unit responds"),
        (small(phases="dots"), ID, "attribute 'phases'"),
        (negative, ID, "choose the same id with -negative=rectify"),
    ):
        with pytest.raises(UserError) as error:
            phases.describe(array, name, seed=0)
        assert words in one_line(error)
    rows, _, _ = described(negative, ID + "-negative=shift")
    assert rows["number of parts"]["value"] >= 1
    assert module_of(ID, DESCRIPTION_PACKAGES).endswith("phases")


def test_phases_of_reaches(real_data, monkeypatch):
    """Two directions of one session, 61 units of motor cortex; and averages without trials."""
    monkeypatch.setattr(phases, "LARGEST_RANK", 3)
    name = "phases-by=stimulus-loss=frobenius-negative=shift"
    file = "ex2_rawspiketrains.mat"
    path = {file: real_data / "shenoy_pmd_reach" / file}
    rows, selectivity, details = described(yu2009.ingest(path, about=ABOUT, window=[-0.2, 0.8], bin_width=0.05), name)
    assert details.sizes["unit"] == rows["number of parts"]["n_units"] == 61
    assert "at_largest" in rows["number of parts"]["status"]
    assert rows["reproducibility of parts"]["value"] > 0.9
    assert max(row["value"] for row in selectivity) > 0.3 and min(row["p_value"] for row in selectivity) < 0.05
    path = {"exampleData.mat": real_data / "churchland2012_motor" / "exampleData.mat"}
    rows, _, details = described(churchland2012.ingest(path, about=ABOUT), name)
    assert rows["share of phase units"]["status"] == "no_trials"
    assert json.loads(details.attrs["phases"]) == {"before the movement": -0.05, "movement": 0.0}
