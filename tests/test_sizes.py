"""Scores on some of the units and stimuli: against direct scores of these, against all, and against a planted truth."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_comparison import activations, dissimilarities, responses

from neurocompare import comparison, similarity, sizes, tables
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.similarity import subsets
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import Trials

RSA, SONG, ANGLE = "rsa-distance=correlation-compare=spearman", "cka-kernel=linear-hsic=song", "procrustes-angular"
NEURONS, CROSS_HALF, RIDGE = SONG + "-normalise=neurons", SONG + "-normalise=cross-half", "ridge-folds=5"
DIGESTS = {"weights_sha256", "code_sha256"}
CEILING = ["ceiling_low", "ceiling_high"]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture(autouse=True)
def few_subsets(monkeypatch):
    """The fewest that there are will do, and resamples that are not looked at."""
    monkeypatch.setattr(sizes, "MOST", sizes.FEWEST)
    plan = resampling.plan
    monkeypatch.setattr(resampling, "plan", lambda *a, **k: plan(*a, **k | {"bootstraps": 20, "permutations": 5}))


@pytest.fixture
def planted(rng):
    """A recording of 24 stimuli, 4 repeats and 20 units, and a network of three layers with ever more noise."""
    latent = rng.standard_normal((24, 6))
    signal = latent @ rng.standard_normal((6, 20))
    layers = [latent @ rng.standard_normal((6, 15)) + noise * rng.standard_normal((24, 15)) for noise in (0, 3, 9)]
    return responses(signal + rng.standard_normal((4, 24, 20))), layers


def varied(recording, network, measure, name="recording", **options):
    return pd.DataFrame(sizes.vary(recording, network, measure, name=name, network="net", **options))


def at(table, axis, size, layer="layer0"):
    (row,) = table[(table["axis"] == axis) & (table["size"] == size) & (table["layer"] == layer)].to_dict("records")
    return row


def test_sizes_grow_geometrically_up_to_all():
    assert subsets.grid("units", 103) == [4, 8, 16, 32, 64, 103]
    assert subsets.grid("units", 130) == [4, 8, 16, 32, 64, 130]
    assert subsets.grid("units", 64) == [4, 8, 16, 32, 64]
    assert subsets.grid("units", 3) == [3]
    assert subsets.grid("stimuli", 118) == [10, 15, 21, 30, 42, 59, 83, 118]
    assert subsets.grid("stimuli", 118, 20) == [21, 30, 42, 59, 83, 118]
    assert subsets.grid("stimuli", 118, coarse=True) == [15, 30, 59, 118]
    for n in (8, 9, 30, 61, 1000, 99_999):
        for axis in subsets.AXES:
            found = subsets.grid(axis, n)
            assert found == sorted(set(found))
            assert found[-1] == n
            assert all(1.3 < b / a < 2.9 for a, b in zip(found, found[1:], strict=False))


def test_subsets_are_named_grow_and_repeat_nothing():
    small, large = (subsets.draw("units", "mouse", "V1", 30, size, 25) for size in (8, 16))
    assert len(small) == len(large) == 25
    assert len({tuple(chosen) for chosen in small}) == 25
    for a, b in zip(small, large, strict=True):
        assert len(set(a)) == 8 and len(set(b)) == 16
        assert set(a) < set(b)
        assert np.all(np.diff(b) > 0)

    def same(*arguments, count=3):
        found = subsets.draw(*arguments, count)
        return all(np.array_equal(a, b) for a, b in zip(found, small, strict=False))

    assert same("units", "mouse", "V1", 30, 8)
    assert not same("units", "mouse", "LM", 30, 8)
    assert not same("units", "rat", "V1", 30, 8)
    assert not same("stimuli", "mouse", "V1", 30, 8)
    # All regions are compared on the same stimuli.
    of_regions = [subsets.draw("stimuli", "mouse", region, 30, 8, 5) for region in ("V1", "LM")]
    np.testing.assert_array_equal(*of_regions)
    (everything,) = subsets.draw("units", "mouse", "V1", 30, 30, 25)
    np.testing.assert_array_equal(everything, np.arange(30))
    # Every unit has the same chance.
    counts = np.bincount(np.concatenate(subsets.draw("units", "mouse", "V1", 30, 15, 2000)), minlength=30)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(2000 / 4)


@pytest.mark.parametrize("most", [10, 10**9], ids=["forgotten", "remembered"])
@pytest.mark.parametrize("shape", ["blocks", "no blocks"])
def test_samples_of_units_have_the_trials_of_these_units(rng, most, shape, monkeypatch):
    monkeypatch.setattr(subsets, "_REMEMBERED", most)
    stimulus = rng.permutation(np.repeat(np.arange(6), 5))
    block = np.arange(30) // 5 if shape == "no blocks" else np.zeros(30, dtype=int)
    if shape == "blocks":
        for k in range(6):
            block[stimulus == k] = np.arange(5)
    whole, units, memory = Trials(rng.standard_normal((30, 7)), stimulus, block, 6), np.array([1, 4, 5]), {}
    direct = whole.with_values(whole.values[:, units])
    first, again = (subsets.SampledTrials(whole, units, memory) for _ in range(2))
    for sampled in (first, again):
        np.testing.assert_array_equal(sampled.values, direct.values)
        np.testing.assert_allclose(sampled.mean(), direct.mean(), rtol=1e-12)
        assert sampled.repeated() and not sampled.repeated(6)
        np.testing.assert_array_equal(sampled.folds(), direct.folds())
        for chronological in (False, True):
            pairs = sampled.halves(3, chronological=chronological)
            np.testing.assert_array_equal(pairs, direct.halves(3, chronological=chronological))
            for half in pairs[0]:
                np.testing.assert_allclose(sampled.mean(half), direct.mean(half), rtol=1e-12)
                part, expected = sampled.part(half), direct.part(half)
                np.testing.assert_array_equal(part.values, expected.values)
                np.testing.assert_allclose(part.mean(), expected.mean(), rtol=1e-12)
                np.testing.assert_array_equal(part.halves(3), expected.halves(3))
                for quarter in part.halves(1):
                    np.testing.assert_allclose(part.mean(quarter[0]), expected.mean(quarter[0]), rtol=1e-12)
                    np.testing.assert_allclose(part.part(quarter[0]).mean(), expected.mean(quarter[0]), rtol=1e-12)
        few = np.array([4, 0])
        np.testing.assert_allclose(sampled.take(few).mean(), direct.take(few).mean(), rtol=1e-12)
    stack = subsets.of_units(Grams.of_trials([whole]), [units, np.array([0, 6])], memory)
    np.testing.assert_allclose(stack.gram[0], direct.mean() @ direct.mean().T, rtol=1e-12)
    assert stack.n_units.tolist() == [3, 2]


@pytest.mark.parametrize("measure", [RSA, SONG, ANGLE, NEURONS, CROSS_HALF])
def test_values_are_those_of_the_subsets_by_themselves(planted, measure):
    # Each network and each measure is scored directly on what the names of the subsets stand for.
    recording, layers = planted
    table = varied(recording, activations(layers), measure)
    values = recording.values.reshape(4, 24, 20).astype(float)
    count = sizes.FEWEST
    for axis, size, n in (("units", 8, 20), ("stimuli", 12, 24)):
        chosen = subsets.draw(axis, "recording", "V1", n, size, count)
        for k in (0, 2):
            if axis == "units":
                direct = [similarity.score(layers[k], values[:, :, some], measure) for some in chosen]
            else:
                direct = [similarity.score(layers[k][some], values[:, some], measure) for some in chosen]
            row = at(table, axis, size, f"layer{k}")
            assert row["n_subsets"] == count
            expected = [np.mean(direct), np.std(direct, ddof=1), *np.quantile(direct, [0.025, 0.975])]
            assert [row[key] for key in ("value", "sd", "low", "high")] == pytest.approx(expected, abs=1e-9)
            assert row["low"] < row["value"] < row["high"]


@pytest.mark.parametrize("measure", [RSA, SONG, ANGLE, NEURONS, CROSS_HALF, RIDGE, SONG + "-partial=pixels"])
def test_the_largest_size_is_the_full_score_with_its_ceiling(planted, rng, measure):
    recording, layers = planted
    layers = layers[:1] if measure == RIDGE else layers
    network, control = activations(layers, seeds=2), activations([rng.standard_normal((24, 5))])
    options = {"control": control} if "partial" in measure else {}
    table = varied(recording, network, measure, **options)
    full = pd.DataFrame(comparison.compare(recording, network, measure, name="recording", network="net", **options)[0])
    full = full[full["layer"] != "selected"].set_index(["seed", "layer"])
    columns = ["value", *CEILING, "target_dimensionality"]
    for axis, n in (("units", 20), ("stimuli", 24)):
        largest = table[(table["axis"] == axis) & (table["size"] == n)].set_index(["seed", "layer"])
        assert len(largest) == 2 * len(layers)
        np.testing.assert_allclose(
            largest[columns].astype(float), full.loc[largest.index, columns].astype(float), rtol=1e-9
        )
        assert largest["ceiling_kind"].eq(full["ceiling_kind"].iloc[0]).all()
        assert largest[["sd", "low", "high"]].isna().all(axis=None)
        assert largest["n_subsets"].eq(1).all()


def test_the_table_has_its_columns_and_says_what_was_varied(planted, tmp_path):
    recording, layers = planted
    table = varied(recording, activations(layers, seeds=2), SONG)
    assert set(table.columns) == set(tables.SIZES) - DIGESTS
    assert set(table["status"]) == {"ok"}
    units, stimuli = (table[table["axis"] == axis] for axis in subsets.AXES)
    assert list(dict.fromkeys(units["size"])) == [4, 8, 20]
    assert list(dict.fromkeys(stimuli["size"])) == [8, 12, 17, 24]
    assert (units["n_units"] == units["size"]).all() and units["n_stimuli"].eq(24).all()
    assert (stimuli["n_stimuli"] == stimuli["size"]).all() and stimuli["n_units"].eq(20).all()
    assert len(table) == 2 * 3 * (3 + 4)
    assert table["n_subsets"].max() >= table.loc[table["size"] < 20, "n_subsets"].min() >= 20
    # More units have more dimensions, up to those that are there.
    dimensions = units.groupby("size")["target_dimensionality"].first()
    assert dimensions.is_monotonic_increasing and dimensions.iloc[0] < 4
    path = tmp_path / "sizes.tsv"
    tables.write(table.assign(**dict.fromkeys(DIGESTS, "0" * 64)).to_dict("records"), tables.SIZES, path)
    found = tables.read(path)
    assert found["best"].dtype == bool
    assert found["value"].to_numpy() == pytest.approx(table["value"].to_numpy())
    assert found["size"].tolist() == table["size"].tolist()


@pytest.mark.parametrize("measure", [SONG, ANGLE])
def test_the_best_layer_is_that_of_the_size_and_of_all_seeds(planted, measure):
    recording, layers = planted
    network = activations(layers)
    second = activations([layers[2], layers[0], layers[1]]).assign_coords(seed=[1])
    table = varied(recording, xr.concat([network, second], "seed"), measure)
    assert table.groupby(["axis", "size", "seed"])["best"].sum().eq(1).all()
    full = table[table["size"].isin([20, 24]) & table["best"]]
    # The mean over both seeds counts: noise of (0 + 9) against (3 + 0) and (9 + 3).
    assert set(full["layer"]) == {"layer1"}
    for _, rows in table.groupby(["axis", "size"]):
        mean = rows.groupby("layer")["value"].mean()
        assert set(rows.loc[rows["best"], "layer"]) == {mean.idxmin() if measure == ANGLE else mean.idxmax()}


def test_few_units_bias_cka_and_its_correction_does_not_grow():
    # What units have for themselves repeats from trial to trial: the recording is a sample of a population whose
    # representation the network is, and only the number of sampled units makes the score what it is (guard P5).
    found = {measure: [] for measure in (SONG, NEURONS)}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        latent = rng.standard_normal((80, 5))
        population = latent @ rng.standard_normal((5, 3000)) + 1.5 * rng.standard_normal((80, 3000))
        recording = responses(population[None, :, :128])
        for measure, curves in found.items():
            table = varied(recording, activations([population]), measure, name=f"recording {seed}")
            curves.append(table[table["axis"] == "units"].set_index("size")["value"])
    plain, corrected = (pd.concat(curves, axis=1).mean(axis=1) for curves in found.values())
    assert plain.is_monotonic_increasing
    assert plain[8] < 0.7 * plain[128]
    # HSIC of two units is that of the five latent dimensions, 5; of a unit with itself it is the square of its
    # variance χ²₅ + 1.5², on average 35 + 10 · 1.5² + 1.5⁴. Of p² pairs of units, p are a unit with itself.
    own = 35 + 10 * 1.5**2 + 1.5**4
    for size in (4, 8, 16, 32, 64, 128):
        assert plain[size] == pytest.approx(np.sqrt(5 * size / (5 * (size - 1) + own)), abs=0.03)
    # What is left of the bias of a ratio of unbiased terms falls with the number of units, and is a tenth of it.
    for size in (16, 32, 64, 128):
        assert abs(corrected[size] - 1) < 0.6 / size + 0.01
    assert abs(corrected[128] - corrected[16]) < 0.05 < 0.2 < plain[128] - plain[16]


def test_ceilings_grow_with_units_where_noise_averages_out(rng):
    signal = rng.standard_normal((30, 4)) @ rng.standard_normal((4, 64))
    recording = responses(signal + 3 * rng.standard_normal((6, 30, 64)))
    network = activations([signal])
    for measure in (RSA, SONG):
        rows = varied(recording, network, measure)
        units = rows[rows["axis"] == "units"].set_index("size")
        assert units.loc[16, "ceiling_low"] < units.loc[64, "ceiling_low"]
        assert (units["ceiling_low"] <= units["ceiling_high"]).all()
        stimuli = rows[rows["axis"] == "stimuli"].set_index("size")
        assert abs(stimuli.loc[15, "ceiling_low"] - stimuli.loc[30, "ceiling_low"]) < 0.1
    corrected = varied(recording, network, CROSS_HALF)
    assert set(corrected["ceiling_low"]) == {1.0}


def test_every_gap_has_its_reason(rng):
    layers = [rng.standard_normal((20, 9)), np.ones((20, 9))]
    table = varied(responses(rng.standard_normal((1, 20, 6))), activations(layers), SONG)
    status = table.groupby("layer")["status"].unique().to_dict()
    assert {layer: set(found) for layer, found in status.items()} == {
        "layer0": {"no_repeats"},
        "layer1": {"undefined"},
    }
    assert not table.loc[table["layer"] == "layer1", "best"].any()
    assert table.loc[table["layer"] == "layer1", ["value", "sd", "low", "high"]].isna().all(axis=None)
    table = varied(responses(rng.standard_normal((2, 20, 6))), activations(layers[:1]), SONG)
    assert "ceiling_undefined" in set(table["status"])
    # A stimulus to which just one unit responds has no correlation distance where the unit is left out.
    sparse = rng.standard_normal((1, 20, 12))
    sparse[0, 3, 1:] = 0
    table = varied(responses(sparse), activations(layers[:1]), RSA)
    chosen = subsets.draw("units", "recording", "V1", 12, 8, sizes.MOST)
    without = sum(0 not in some for some in chosen)
    row = at(table, "units", 8)
    assert 0 < without < sizes.MOST / 2
    assert row["status"] == f"no_repeats;undefined_subsets={without}"
    assert row["n_subsets"] == sizes.MOST - without
    assert at(table, "units", 4)["status"] == "undefined"
    direct = [similarity.score(layers[0], sparse[0][:, some], RSA) for some in chosen if 0 in some]
    assert row["value"] == pytest.approx(np.mean(direct))


def test_a_layer_for_which_the_measure_is_void_leaves_the_others(rng):
    # 30 stimuli, 10 units: a layer of 25 units is void of canonical correlations, and one of 4 is with 12 stimuli.
    layers = [rng.standard_normal((30, p)) for p in (4, 25)]
    table = varied(responses(rng.standard_normal((2, 30, 10))), activations_with_units(layers), "cca-mean")
    void = table[table["layer"] == "layer1"]
    assert np.isfinite(at(table, "units", 10)["value"])
    assert at(table, "units", 10, "layer1")["status"] == "undefined"
    assert at(table, "stimuli", 15)["n_subsets"] == sizes.FEWEST
    # With four units it is defined for both.
    assert np.isfinite(void.loc[(void["axis"] == "units") & (void["size"] == 4), "value"]).all()
    # A pattern that does not vary over units has no correlation distance.
    flat = rng.standard_normal((30, 6))
    flat[2] = 1
    table = varied(responses(rng.standard_normal((2, 30, 10))), activations([flat, layers[0]]), RSA)
    assert set(table.loc[table["layer"] == "layer0", "status"]) == {"undefined"}
    assert np.isfinite(table.loc[table["layer"] == "layer1", "value"]).all()


def activations_with_units(layers):
    width = max(x.shape[1] for x in layers)
    padded = np.stack([np.pad(x, ((0, 0), (0, width - x.shape[1])), constant_values=np.nan) for x in layers])
    network = activations(layers)
    network["sample"] = (("seed", "layer", "stimulus", "sampled_unit"), padded[None])
    return network


def test_animals_are_one_population(planted):
    recording, layers = planted
    recording = recording.assign_coords(animal=("unit", ["a"] * 8 + ["b"] * 12))
    table = varied(recording, activations(layers), SONG)
    full = pd.DataFrame(comparison.compare(recording, activations(layers), SONG, name="r", network="net")[0])
    pooled = full[(full["animal"] == "pooled") & (full["layer"] == "layer0")].iloc[0]
    row = at(table, "units", 20)
    assert row["animal"] == "pooled"
    assert row["value"] == pytest.approx(pooled["value"], rel=1e-9)


def test_regions_have_their_own_units_and_the_same_stimuli(rng):
    signal = rng.standard_normal((24, 20))
    recording = responses(np.tile(signal, (2, 1, 2))[:, :, :34], areas=["V1"] * 20 + ["LM"] * 14)
    table = varied(recording, activations([signal[:, :14]]), SONG)
    by_region = {region: rows.set_index(["axis", "size"]) for region, rows in table.groupby("region")}
    assert by_region["V1"].loc[("units", 8), "n_units"] == by_region["LM"].loc[("units", 8), "n_units"] == 8
    assert by_region["LM"].index.tolist()[:3] == [("units", 4), ("units", 8), ("units", 14)]
    # The network is the region itself, in all subsets of the stimuli.
    assert by_region["LM"].loc["stimuli", "value"].to_numpy() == pytest.approx(1)


def test_published_rdms_vary_their_stimuli_alone(rng, tmp_path):
    layers = [rng.standard_normal((20, 9)) for _ in range(2)]
    rdms = np.stack([1 - np.corrcoef(layers[0] + rng.standard_normal((20, 9))) for _ in range(3)])
    rdms = (rdms + rdms.transpose(0, 2, 1)) / 2
    rdms[:, np.arange(20), np.arange(20)] = 0
    recording = dissimilarities(rdms, list("mab"), ["one"] + ["several"] * 2)
    table = varied(recording, activations(layers), RSA)
    assert set(table["axis"]) == {"stimuli"}
    assert table.groupby("region")[["animal", "status"]].first().values.tolist() == [
        ["m", "single_rdm"],
        ["mean RDM", "mean_rdm"],
    ]
    assert table[["n_units", "target_dimensionality", *CEILING]].isna().all(axis=None)
    full = pd.DataFrame(comparison.compare(recording, activations(layers), RSA, name="r", network="net")[0])
    mean = full[(full["animal"] == "mean RDM") & (full["layer"] == "layer0")].iloc[0]
    several = table[table["region"] == "several"]
    assert at(several, "stimuli", 20)["value"] == pytest.approx(mean["value"], rel=1e-9)
    path = tmp_path / "sizes.tsv"
    tables.write(table.assign(**dict.fromkeys(DIGESTS, "0" * 64)).to_dict("records"), tables.SIZES, path)
    assert tables.read(path)["n_units"].isna().all()


def test_units_are_normalised_as_the_id_says(planted):
    recording, layers = planted
    table = varied(recording, activations(layers), SONG + "-responses=zscore")
    values = recording.values.reshape(4, 24, 20).astype(float)
    direct = similarity.score(layers[0], values, SONG + "-responses=zscore")
    assert at(table, "units", 20)["value"] == pytest.approx(direct, rel=1e-9)
    chosen = subsets.draw("units", "recording", "V1", 20, 8, sizes.MOST)
    direct = [similarity.score(layers[0], values[:, :, some], SONG + "-responses=zscore") for some in chosen]
    assert at(table, "units", 8)["value"] == pytest.approx(np.mean(direct), rel=1e-9)


def test_units_in_several_samples_are_fitted_as_by_themselves(rng):
    x, y = rng.standard_normal((40, 8)), rng.standard_normal((40, 6))
    y[:, :3] += x[:, :3]
    measure = similarity.load(RIDGE)
    chosen = [np.array([0, 1, 4]), np.array([1, 4, 5]), np.arange(6), np.array([4])]
    together = measure.scores(measure.reduced(Grams.of([x])), measure.reduced(Grams.of([y[:, c] for c in chosen])))
    alone = [similarity.score(x, y[:, c], RIDGE) for c in chosen]
    assert together[:, 0] == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (SONG + "-sample=8", "the figure 'sizes' samples units itself; leave out 'sample' from the measure"),
        (SONG + "-sample=matched", "leave out 'sample' from the measure"),
        ("cca-mean", "cca-mean is void for 6 \\+ 20 dimensions and 24 stimuli"),
        ("rsa-distance=correlation-compare=spermann", "did you mean spearman"),
        (SONG + "-partial=pixels", "give its representation as control"),
    ],
)
def test_refusals_are_told_in_one_line(planted, measure, message):
    recording, layers = planted
    with pytest.raises(UserError, match=message) as caught:
        varied(recording, activations_with_units(layers), measure)
    assert "\n" not in str(caught.value)


def test_an_axis_of_time_and_stimuli_that_were_not_seen_are_refused(planted):
    recording, layers = planted
    binned = recording.expand_dims(time=[0.0, 0.1]).transpose("presentation", "time", "unit")
    with pytest.raises(UserError, match="recording 'recording' has an axis of time: leave out its option 'bin_width'"):
        varied(binned, activations(layers), SONG)
    with pytest.raises(UserError, match="the network has not seen 4 of its stimuli"):
        varied(recording, activations([x[:20] for x in layers]), SONG)
