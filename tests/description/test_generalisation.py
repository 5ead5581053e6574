"""Codes that stay, that rotate, that are shared between conditions or not: which decoders hold where."""

import numpy as np
import pytest
from conftest import ABOUT
from trials import one_line, recording

from neurocompare.description import generalisation
from neurocompare.errors import UserError
from neurocompare.recordings import yu2009

TIME = "generalisation-label=side-over=time-classifier={}"
SPLITS = ("chronological", "interleaved")
CONTEXT = "generalisation-label=side-over=context-classifier={}"


def over_time(rng, *, rotating, n=120, p=20, times=6, before=2, **attributes):
    """Two labels apart by 4 standard deviations from time 0 on, along one axis or along another one at each time."""
    side = rng.permutation(np.arange(n) % 2)
    axes = np.linalg.qr(rng.standard_normal((p, times)))[0].T
    values = rng.standard_normal((n, times, p))
    for t in range(before, times):
        values[:, t] += 4 * np.outer(side - 0.5, axes[t if rotating else 0])
    time = (np.arange(times) - before) / 10
    return recording(values, time=time, coordinates={"side": side}, **attributes)


def told(rows, quantity, **condition):
    wanted = [f"{k}={v}" for k, v in condition.items()]
    return next(
        r for r in rows if r["quantity"].startswith(quantity) and all(w in r["condition"].split(";") for w in wanted)
    )


@pytest.mark.parametrize("classifier", ["lda", "nearest-mean", "ridge"])
@pytest.mark.parametrize("rotating", [False, True])
def test_a_stable_code_is_a_square_and_a_rotating_one_a_diagonal(classifier, rotating):
    array = over_time(np.random.default_rng(0), rotating=rotating)
    rows, details = generalisation.describe(array, TIME.format(classifier), seed=0)
    coded = np.arange(6) >= 2
    square = np.outer(coded, coded)
    expected = square & (np.eye(6, dtype=bool) if rotating else True)
    for split in ("chronological", "interleaved"):
        one = details.sel(split=split)
        assert (one.accuracy.values[expected] > 0.9).all()
        assert one.accuracy.values[~expected].mean() == pytest.approx(0.5, abs=0.06)
        np.testing.assert_array_equal(one.q.values[expected] < 0.05, True)
        assert (one.q.values[~expected] < 0.05).mean() < 0.12
        ratio = told(rows, "generalisation over time", split=split)
        assert ratio["value"] == pytest.approx(0 if rotating else 1, abs=0.15)
        assert ratio["ci_low"] <= ratio["value"] <= ratio["ci_high"]
        assert told(rows, "balanced accuracy at the same time", split=split)["p_value"] < 0.02
        assert (told(rows, "balanced accuracy at other times", split=split)["p_value"] < 0.02) != rotating


def test_an_axis_of_noise_is_not_called_general_where_labels_are_far_apart():
    """Decoders of times before 0 have learned nothing, though any axis tells the labels later, by more or less."""
    wrong, spread, any_ = 0, [], []
    for seed in range(8):
        array = over_time(np.random.default_rng(seed), rotating=False, n=60, p=4, times=5, before=3)
        _, details = generalisation.describe(array, TIME.format("nearest-mean"), seed=seed)
        before, after = details["train"].values < 0, details["test"].values >= 0
        learned_before = details.sel(train=before, test=after)
        spread.append(learned_before.accuracy.values)
        wrong += (learned_before.q.values < 0.05).mean() / 8
        any_.append((learned_before.p_all.values < 0.05).any())
    assert np.abs(np.array(spread) - 0.5).max() > 0.3
    assert wrong <= 0.1 and np.mean(any_) <= 0.25


def contexts(rng, *, angle, n=240, p=40, **attributes):
    """A label along axes at an angle in two contexts, which are far apart as well."""
    context, side = np.arange(n) % 2, (np.arange(n) // 2) % 2
    axes = np.linalg.qr(rng.standard_normal((p, 3)))[0].T
    radians = np.radians(angle)
    own = np.stack([axes[0], np.cos(radians) * axes[0] + np.sin(radians) * axes[1]])
    values = 4 * (side - 0.5)[:, None] * own[context] + 3 * context[:, None] * axes[2] + rng.standard_normal((n, p))
    names = np.array(["color", "motion"])[context]
    coordinates = {"side": side, "context": names, "mine": np.where(side == 0, "a", names), "many": np.arange(n)}
    return recording(values, coordinates=coordinates, block=np.arange(n) * 8 // n, **attributes)


@pytest.mark.parametrize("classifier", ["lda", "svm"])
def test_shared_axes_generalise_across_conditions_and_orthogonal_ones_do_not(classifier):
    for angle, shared in ((0, True), (90, False)):
        array = contexts(np.random.default_rng(1), angle=angle)
        rows, details = generalisation.describe(array, CONTEXT.format(classifier), seed=0)
        for split in ("chronological", "interleaved"):
            accuracy = details.accuracy.sel(split=split).values
            assert np.diag(accuracy).min() > 0.9
            across = told(rows, "balanced accuracy across conditions", split=split, null="units")
            assert across["value"] == pytest.approx(accuracy[~np.eye(2, dtype=bool)].mean())
            assert across["value"] > 0.9 if shared else abs(across["value"] - 0.5) < 0.1
            assert (across["p_value"] < 0.05) == shared
            assert told(rows, "balanced accuracy within conditions", split=split)["p_value"] < 0.05
            pair = told(rows, "balanced accuracy", split=split, train="color", test="motion")
            assert pair["value"] == float(details.accuracy.sel(split=split, train="color", test="motion"))


def in_noise(seed, *, n=48, p=8, code=0.0, rare=0.5):
    """Labels without a meaning in two contexts, or with one in the first only."""
    rng = np.random.default_rng([7, seed])
    context = np.arange(n) % 2
    side = np.concatenate([rng.permutation(np.arange(n // 2) < rare * n // 2) for _ in range(2)]).astype(int)
    side = side.reshape(2, -1).T.ravel()
    values = rng.standard_normal((n, p))
    values[:, 0] += code * side * (context == 0)
    return recording(values, coordinates={"side": side, "context": context}, block=np.arange(n) * 8 // n)


def test_in_noise_nulls_over_conditions_are_as_wide_as_what_they_are_nulls_of(monkeypatch):
    """Shuffled for training only, labels made them too narrow by a fifth: p < .05 in 9 of 100 recordings of noise."""
    monkeypatch.setattr(generalisation, "PERMUTATIONS", 39)
    value, width, small = {}, {}, []
    for seed in range(60):
        rows, _ = generalisation.describe(in_noise(seed), CONTEXT.format("nearest-mean"), seed=seed)
        for r in rows:
            if "null=labels" in r["condition"]:
                key = r["quantity"], r["condition"].split("split=")[1][:5]
                value.setdefault(key, []).append(r["value"])
                width.setdefault(key, []).append((r["null_high"] - r["null_mean"]) / 1.645)
                small.append(r["p_value"] < 0.05)
    assert len(value) == 4
    ratio = [np.std(value[key]) / np.mean(width[key]) for key in value]
    assert np.mean(ratio) < 1.12 and np.mean(small) < 0.075


def test_in_noise_nulls_over_time_are_as_wide_as_what_they_are_nulls_of(monkeypatch):
    monkeypatch.setattr(generalisation, "PERMUTATIONS", 39)
    value, width = {}, {}
    for seed in range(60):
        rng = np.random.default_rng([8, seed])
        values = rng.standard_normal((40, 3, 8))
        array = recording(values, time=np.arange(3) / 10, coordinates={"side": rng.permutation(np.arange(40) % 2)})
        rows, _ = generalisation.describe(array, TIME.format("nearest-mean"), seed=seed)
        for r in rows:
            if r["quantity"].startswith("balanced"):
                key = r["quantity"], r["condition"].split("split=")[1][:5]
                value.setdefault(key, []).append(r["value"])
                width.setdefault(key, []).append((r["null_high"] - r["null_mean"]) / 1.645)
    assert len(value) == 4
    assert np.mean([np.std(value[key]) / np.mean(width[key]) for key in value]) < 1.12


def test_unequal_labels_leave_all_nulls_at_chance():
    for seed in range(3):
        rows, _ = generalisation.describe(in_noise(seed, n=120, p=4, rare=0.25), CONTEXT.format("lda"), seed=seed)
        assert all(abs(r["null_mean"] - 0.5) < 0.04 for r in rows)


def test_labels_far_apart_in_one_condition_do_not_generalise(monkeypatch):
    monkeypatch.setattr(generalisation, "PERMUTATIONS", 59)
    small = []
    for seed in range(48):
        rows, _ = generalisation.describe(in_noise(seed, p=4, code=6.0), CONTEXT.format("nearest-mean"), seed=seed)
        small += [
            told(rows, "balanced accuracy across conditions", split=s, null="labels")["p_value"] < 0.05 for s in SPLITS
        ]
        assert told(rows, "balanced accuracy", train=0, test=0)["p_value"] < 0.05
    assert np.mean(small) <= 0.125


def test_there_is_no_ratio_over_what_may_be_chance():
    seen = set()
    for seed in range(12):
        rng = np.random.default_rng([9, seed])
        side = rng.permutation(np.arange(40) % 2)
        values = rng.standard_normal((40, 2, 6))
        values[..., 0] += side[:, None] * (seed % 4) / 2
        array = recording(values, time=np.arange(2) / 10, coordinates={"side": side})
        rows, _ = generalisation.describe(array, TIME.format("nearest-mean"), seed=seed)
        for split in SPLITS:
            same = told(rows, "balanced accuracy at the same time", split=split)
            ratio = told(rows, "generalisation over time", split=split)
            decoded = bool(same["p_value"] <= 0.05 and same["ci_low"] > 0.5)
            assert np.isfinite([ratio["value"], ratio["ci_low"], ratio["ci_high"]]).all() == decoded
            assert ("not_decoded" in ratio["status"]) != decoded
            seen.add(decoded)
    assert seen == {True, False}


def test_few_blocks_tell_how_many_orders_there_are():
    block = np.repeat(np.arange(4), 10)
    values = np.random.default_rng(5).standard_normal((40, 2, 6)) + 4 * (block % 2)[:, None, None]
    array = recording(values, time=np.arange(2) / 10, block=block, coordinates={"side": block % 2})
    rows, _ = generalisation.describe(array, TIME.format("lda"), seed=0)
    one = told(rows, "balanced accuracy at the same time")
    # Of six orders, two (this one and its mirror image) are told apart perfectly.
    assert one["value"] == 1 and "orders=6" in one["condition"] and one["p_value"] == pytest.approx(1 / 3, abs=0.15)
    assert rows[-1]["status"] == "constant_in_blocks"


def test_more_units_than_trials_and_counts_take_the_same_way():
    rng = np.random.default_rng(2)
    array = contexts(rng, angle=0, n=120, p=200)
    rows, _ = generalisation.describe(array, CONTEXT.format("lda"), seed=0)
    assert told(rows, "balanced accuracy across conditions", null="units")["value"] > 0.85
    counts = rng.poisson(np.exp(np.clip(array.values, -3, 3)))
    counts = array.copy(data=counts.astype(float)).assign_attrs(response="spike count")
    rows, _ = generalisation.describe(counts, CONTEXT.format("lda"), seed=0)
    across = told(rows, "balanced accuracy across conditions", null="units")
    assert across["value"] > 0.7 and across["null_mean"] == pytest.approx(0.5, abs=0.05)


def test_what_cannot_be_had_is_told():
    rng = np.random.default_rng(3)
    array = over_time(rng, rotating=False, simultaneous=False, exchangeable="block")
    rows, details = generalisation.describe(array, TIME.format("lda"), seed=0)
    assert all(r["quantity"].endswith(" of pooled units") and r["n_null"] == 0 for r in rows)
    assert np.isnan(details.q).all() and told(rows, "generalisation over time")["value"] > 0.9
    values = rng.standard_normal((120, 4, 6))
    array = recording(values, time=np.arange(4) / 10, coordinates={"side": np.arange(120) % 2})
    rows, _ = generalisation.describe(array, TIME.format("lda"), seed=0)
    assert told(rows, "generalisation over time")["status"] == "not_decoded"
    array = contexts(rng, angle=0, n=32)
    rows, details = generalisation.describe(array, CONTEXT.format("lda"), seed=0)
    assert array.sizes["presentation"] / 4 >= 5 and details is not None
    one = array.assign_coords(block=("presentation", np.zeros(32, dtype=int)))
    rows, details = generalisation.describe(one, CONTEXT.format("lda"), seed=0)
    assert rows[0]["status"] == "one_block" and details["split"].values.tolist() == ["interleaved"]


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        (TIME.format("lda"), ["no axis of time", "bin_width"]),
        ("generalisation-label=side-over=contxt-classifier=lda", ["'contxt'", "did you mean context"]),
        ("generalisation-label=context-over=mine-classifier=lda", ["mine=", "every condition"]),
        ("generalisation-label=side-over=many-classifier=lda", ["'many'", "240 values in 240"]),
        (CONTEXT.format("lad"), ["classifier", "did you mean lda"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(identifier, words):
    with pytest.raises(UserError) as error:
        generalisation.describe(contexts(np.random.default_rng(4), angle=0), identifier, seed=0)
    text = one_line(error)
    assert all(word in text for word in words), text


def test_plans_of_reaches_are_held(real_data):
    """From 0.2 to 0.6 s after the target a decoder of one time holds at all others; before it, none does."""
    path = real_data / "shenoy_pmd_reach/ex2_rawspiketrains.mat"
    array = yu2009.ingest({path.name: path}, about=ABOUT, window=[-0.2, 0.8], bin_width=0.1)
    _, details = generalisation.describe(array, "generalisation-label=direction-over=time-classifier=lda", seed=0)
    time = details["train"].values
    held, before = (time > 0.2) & (time < 0.6), time < 0
    assert details.accuracy.values[:, held][:, :, held].min() > 0.95
    assert (details.p_all.values[:, before] > 0.05).all()
