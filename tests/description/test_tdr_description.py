"""Targeted dimensionality reduction of recordings: planted axes, conditions of the paper, gaps, refusals, PFC."""

import numpy as np
import pytest
from trials import one_line, recording

from neurocompare import describing, representation
from neurocompare.description import tdr
from neurocompare.errors import UserError
from neurocompare.ingestion.pseudopopulation import pool
from neurocompare.recordings import mante2013

ID = "tdr-on=choice+motion+color+context"
TIME = 0.125 + 0.05 * np.arange(15)
ABOUT = {"source": "here", "citation": "us", "license": "none", "sha256": {}}


def decisions(n=1440, n_units=16, seed=0, noise=1.0, blocks=None, gain=3.0, weak=0.06, **attributes):
    """Trials of the task of Mante et al., 144 conditions of stimulus and choice at most, with planted axes."""
    rng = np.random.default_rng(seed)
    strengths = np.array([weak, 0.17, 0.5])
    level = rng.choice([-3, -2, -1, 1, 2, 3], (2, n))
    motion, color = np.sign(level) * strengths[np.abs(level) - 1]
    block = np.zeros(n, dtype=int) if blocks is None else np.arange(n) * blocks // n
    context = np.where((rng.random(n) < 0.5) if blocks is None else block % 2 == 0, "motion", "color")
    heeded = np.where(context == "motion", motion, color)
    choice = np.where(heeded + 0.12 * rng.standard_normal(n) > 0, 1, -1)
    # Lapses, so that there are errors of every kind.
    choice = np.where(rng.random(n) < 0.1, rng.choice([-1, 1], n), choice)
    axes = np.random.default_rng(100).standard_normal((4, n_units)) / np.sqrt(n_units)
    courses = [
        np.clip((TIME - 0.2) / 0.6, 0, 1),
        np.exp(-0.5 * ((TIME - 0.325) / 0.08) ** 2),
        np.exp(-0.5 * ((TIME - 0.475) / 0.08) ** 2),
        0.4 + 0 * TIME,
    ]
    scaled = [choice, motion / 0.5, color / 0.5, np.where(context == "motion", 1, -1)]
    values = gain * np.einsum("vn,vt,vu->ntu", scaled, courses, axes)
    values += noise * rng.standard_normal(values.shape)
    coordinates = {
        "context": context,
        "motion": motion,
        "color": color,
        "motion_level": level[0],
        "color_level": level[1],
        "choice": choice,
        "correct": (choice == np.sign(heeded)).astype(int),
    }
    stimulus = np.array([f"{c}{m}{k}" for c, (m, k) in zip(context, level.T, strict=True)])
    array = recording(values, time=TIME, block=block, stimulus=stimulus, coordinates=coordinates, **attributes)
    return array, axes


def described(array, description=ID, seed=0):
    rows, details = tdr.describe(array, description, seed=seed)
    return {(row["quantity"], row["condition"].split(";")[0]): row for row in rows}, details


@pytest.fixture(scope="module")
def whole():
    array, axes = decisions()
    return (*described(array), axes)


def test_planted_axes_their_times_and_the_72_conditions_of_the_paper(whole):
    rows, details, axes = whole
    vectors = details["vector"].values
    cosine = (vectors * axes).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(axes, axis=1)
    assert cosine.min() > 0.9
    assert rows["time of largest norm", "axis=motion"]["value"] == pytest.approx(0.325, abs=0.051)
    assert rows["time of largest norm", "axis=color"]["value"] == pytest.approx(0.475, abs=0.051)
    assert rows["time of largest norm", "axis=choice"]["value"] > 0.7
    for name in ("choice", "motion", "color", "context"):
        assert rows["norm of coefficients", f"axis={name}"]["p_value"] == pytest.approx(1 / 501)
        assert rows["reliability of vector", f"axis={name}"]["value"] > 0.85
    assert details.sizes["condition"] == 72
    assert (details["correct"] == "1").sum() == 36
    assert rows["conditions", "correct=36"]["value"] == 72
    # The evidence that is heeded and the choice tell whether it was right; what is not heeded does not.
    heeded = details["evidence"].values == details["context"].values
    assert heeded.sum() == 24
    assert rows["variance of components", "components=12 of 16"]["status"] != "not_denoised"


def test_trajectories_are_averages_on_axes_that_are_orthonormal(whole):
    _, details, _ = whole
    axis = details["axis_vector"].values
    np.testing.assert_allclose(axis @ axis.T, np.eye(4), atol=1e-10)
    path = details["trajectory"].sel(axis="choice").values
    choice = details["choice"].values.astype(int)
    correct = details["correct"].values == "1"
    assert path[correct & (choice == 1), -1].min() > path[correct & (choice == -1), -1].max()
    # Motion moves along its axis in both contexts: it is not shut out early.
    side = details["trajectory"].sel(axis="motion").isel(time=4).values
    level = details["level"].values
    for context in ("motion", "color"):
        mine = correct & (details["evidence"].values == "motion") & (details["context"].values == context)
        assert side[mine & (level == "3")].mean() > side[mine & (level == "-3")].mean() + 1


def test_a_variable_without_effect_is_no_axis():
    array, _ = decisions(seed=3)
    rng = np.random.default_rng(1)
    array = array.assign_coords(luck=("presentation", rng.choice([-1, 1], array.sizes["presentation"])))
    rows, _ = described(array, "tdr-on=choice+luck-at=peak")
    luck = rows["norm of coefficients", "axis=luck"]
    assert luck["p_value"] > 0.05 and "peak" in luck["condition"]
    assert rows["norm of coefficients", "axis=choice"]["p_value"] < 0.01
    angle = rows["angle between vectors, corrected", "axes=choice, luck"]
    # Where halves do not agree at all there is no angle; where they do by luck, no interval.
    assert angle["status"] == "unreliable" or np.isnan(angle["ci_low"]) or angle["ci_high"] - angle["ci_low"] > 30


def units_one_by_one(n_units=6, weak=(0.06, 0.04, 0.08, 0.05, 0.06, 0.07)):
    """Units with their own trials, their numbers, and the coherences of their own sessions."""
    members = []
    for k in range(n_units):
        array, _ = decisions(n=500 + 150 * k, seed=20 + k, weak=weak[k], blocks=10, exchangeable="stimulus")
        one = array.isel(unit=[k])
        members.append(one.assign_coords(unit_id=("unit", [f"unit {k}"])))
    return members


MATCH = ["context", "motion_level", "color_level", "choice", "correct"]


@pytest.fixture(scope="module")
def gathered():
    members = units_one_by_one()
    return members, pool(members, match=MATCH, repeats="all", keep=["motion", "color"])


def test_a_pool_of_all_trials_has_the_coefficients_of_each_unit_alone(gathered):
    members, array = gathered
    assert representation.gaps(array) > 0
    rows, details = described(array)
    for k, member in enumerate(members):
        c = member.coords
        x = [c["choice"], c["motion"], c["color"], np.where(c["context"] == "motion", 1, -1)]
        x = [np.asarray(v, dtype=float) for v in x]
        x += [v * x[3] for v in x[:3]]
        x = np.stack([*(v / np.abs(v).max() for v in x), np.ones(len(x[0]))], axis=1)
        y = member.values[..., 0]
        beta = np.linalg.lstsq(x, (y - y.mean()) / y.std(), rcond=None)[0]
        np.testing.assert_allclose(details["beta"].values[..., k], beta[:4], atol=1e-5)
    missing = rows["conditions without trials", next(c for q, c in rows if q == "conditions without trials")]
    correct = dict(pair.split("=") for pair in missing["condition"].split(";"))
    counted = int((details["n_trials"] == 0).sum())
    assert missing["value"] == counted and int(correct["pairs of condition and unit"]) >= counted
    assert np.isnan(details["trajectory"].values).any((1, 2)).sum() == counted
    # Context changes from block to block, and each unit's own blocks are exchanged.
    assert 0 < rows["norm of coefficients", "axis=context"]["p_value"] < 0.05
    assert "not_denoised" in rows["variance of components", "components=6 of 6"]["status"]


def test_gaps_stay_gaps_on_disk_and_are_refused_by_all_others(gathered, tmp_path):
    members, array = gathered
    path = tmp_path / "pool.nc"
    representation.write(array, path)
    back = representation.read(path, with_gaps=True)
    assert back.equals(array) and back.coords["trials"].dims == ("presentation", "unit")
    # Every trial of every unit is there, once.
    for k, member in enumerate(members):
        mine = back.coords["trials"].values[:, k] == 1
        np.testing.assert_array_equal(
            np.sort(back.values[mine, :, k], axis=0), np.sort(member.values[..., 0].astype("float32"), axis=0)
        )
        assert np.isnan(back.values[~mine, :, k]).all()
        np.testing.assert_array_equal(np.sort(back.coords["motion"].values[mine, k]), np.sort(member.coords["motion"]))
    with pytest.raises(UserError) as caught:
        representation.read(path)
    assert str(path) in one_line(caught) and "repeats" in one_line(caught)
    with pytest.raises(UserError) as caught:
        describing.describe(back, "dpca-by=choice", name="pool")
    assert "repeats" in one_line(caught)
    rows, _ = describing.describe(back, "inventory", name="pool")
    found = {(row["quantity"], row["condition"]): row["value"] for row in rows}
    sizes = [member.sizes["presentation"] for member in members]
    counts = [found["trials of unit", f"of={name}"] for name in ("fewest", "median", "most")]
    assert counts == [min(sizes), np.median(sizes), max(sizes)]
    assert {row["n_trials"] for row in rows} == {max(sizes)}
    stimuli = np.unique(back.coords["stimulus"].values)
    trials, names = back.coords["trials"].values, back.coords["stimulus"].values
    missing = sum(not trials[names == stimulus, k].any() for stimulus in stimuli for k in range(len(members)))
    assert found["pairs of stimulus and unit without trials", ""] == missing


def test_a_value_in_a_gap_or_a_gap_without_word_is_refused(gathered):
    _, array = gathered
    filled = array.copy()
    filled.values = np.nan_to_num(array.values)
    for broken in (filled, array.drop_vars("trials")):
        with pytest.raises(UserError) as caught:
            representation.validate(broken, "pool.nc")
        assert "pool.nc" in one_line(caught)
    negative = array.assign_coords(trials=array.coords["trials"] - 1)
    with pytest.raises(UserError, match="counts"):
        representation.validate(negative, "pool.nc")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"repeats": "some"}, "repeats"),
        ({"repeats": 1, "keep": ["motion"]}, "keep"),
        ({"repeats": "all", "keep": ["hue"]}, "hue"),
        ({"repeats": "all", "keep": ["stimulus"]}, "stimulus"),
    ],
)
def test_pools_that_make_no_sense_are_refused(gathered, options, part):
    members, _ = gathered
    with pytest.raises(UserError) as caught:
        pool(members, match=MATCH, **options)
    assert part in one_line(caught)


def edited(array, **coordinates):
    return array.assign_coords({name: ("presentation", np.asarray(v)) for name, v in coordinates.items()})


def test_refusals_name_what_is_wrong():
    array, _ = decisions(n=200)
    n = array.sizes["presentation"]
    rng = np.random.default_rng(0)
    words = edited(array, fruit=rng.choice(["apple", "pear", "fig"], n))
    cases = [
        (array, "tdr-on=choice+choise", "choise"),
        (array, "tdr-on=choice+choice", "once"),
        (array, "tdr-on=choice+motion-at=start", "at"),
        (array, "tdr-on=choice-start=soon", "start"),
        (array, "tdr-on=choice+motion-start=0.8", "bins"),
        (array, "tdr-on=choice+motion-stop=0.2", "at=peak"),
        (array.isel(time=0, drop=True), ID, "bin_width"),
        (array.assign_attrs(average="trials of a condition"), ID, "single trials"),
        (array.isel(unit=[0, 1, 2]), ID, "too few"),
        (words, "tdr-on=choice+fruit", "fruit"),
        (edited(array, twice=2 * array.coords["choice"].values), "tdr-on=choice+twice", "independent"),
        (edited(array, reaction=rng.random(n)), "tdr-on=choice+reaction", "reaction_level"),
        (edited(array, one=np.ones(n)), "tdr-on=choice+one", "2 are needed"),
        (edited(array, none=np.full(n, np.nan)), "tdr-on=choice+none", "no trial"),
    ]
    for broken, description, part in cases:
        with pytest.raises(UserError) as caught:
            tdr.describe(broken, description, seed=0)
        assert part in one_line(caught), description


def test_whole_conditions_are_exchanged_where_that_is_declared():
    array, _ = decisions(n=720, exchangeable="condition")
    # As networks are tested: every stimulus equally often.
    stimulus = np.array([f"s{i % 72}" for i in range(720)])
    rows, _ = described(array.assign_coords(stimulus=("presentation", stimulus)), "tdr-on=choice+motion")
    assert rows["norm of coefficients", "axis=choice"]["p_value"] < 0.05
    rows, _ = described(array.assign_attrs(exchangeable="none"), "tdr-on=choice+motion")
    assert np.isnan(rows["norm of coefficients", "axis=choice"]["p_value"])


def test_pfc_peaks_are_those_of_a_direct_regression_and_of_the_paper(real_data):
    paths = sorted((real_data / "mante2013_pfc").glob("*.mat"))
    members = [mante2013.ingest({path.name: path}, about=ABOUT, bin_width=0.05) for path in paths]
    array = pool(members, match=MATCH, repeats="all", keep=["motion", "color"])
    assert int(array.coords["trials"].sum()) == sum(member.sizes["presentation"] for member in members)
    rows, details = described(array)
    size = np.linalg.norm(details["beta"].values, axis=-1)
    peaks = dict(zip(details["axis"].values, TIME[size.argmax(1)], strict=True))
    assert peaks["motion"] == pytest.approx(0.325) and peaks["context"] == pytest.approx(0.275)
    assert peaks["choice"] == pytest.approx(0.825)
    # Color is weak in twelve units; until choices rise, it is largest within the window of the authors.
    assert 0.35 <= TIME[size[2, TIME < 0.8].argmax()] <= 0.55
    assert np.diff(details["norm"].sel(axis="choice").values).min() > -0.02
    assert details.sizes["condition"] == 72 and (details["correct"] == "1").sum() == 36
    assert np.isfinite(details["trajectory"].values[details["correct"].values == "1"]).all()
    for name in ("choice", "motion", "color", "context"):
        assert rows["norm of coefficients", f"axis={name}"]["p_value"] < 0.05
    assert "not_denoised" in rows["variance of components", "components=12 of 12"]["status"]
