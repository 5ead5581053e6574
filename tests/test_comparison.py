"""The verb compare on small recordings of both kinds: its table, its ceilings, its selection, its refusals."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import comparison, representation, tables
from neurocompare.errors import UserError
from neurocompare.inference import resampling

RSA, SONG = "rsa-distance=correlation-compare=spearman", "cka-kernel=linear-hsic=song"
EUCLIDEAN = "rsa-distance=euclidean-compare=pearson"
CROSS_HALF, RIDGE = SONG + "-normalise=cross-half", "ridge-folds=5"
DIGESTS = {"weights_sha256", "code_sha256"}
ATTRIBUTES = dict.fromkeys(("source", "citation", "license"), "none") | {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "sha256": {"none": "0" * 64},
}


def names(n):
    return np.array([f"s{k:03d}" for k in range(n)])


def responses(values, areas=None, **attributes):
    """Build a recording from trials (repeat, stimulus, unit), each repeat one block."""
    repeats, n, units = values.shape
    return representation.responses(
        values.reshape(-1, units),
        presentation={
            "stimulus": np.tile(names(n), repeats),
            "repeat": np.repeat(np.arange(repeats), n),
            "block": np.repeat(np.arange(repeats), n),
        },
        unit={"unit_id": [f"u{k}" for k in range(units)], "area": areas or ["V1"] * units}
        | {c: ["m1"] * units for c in ("animal", "session")},
        attributes=ATTRIBUTES | {"response": "dF/F"} | attributes,
    )


def dissimilarities(rdms, animals, areas, distance="correlation"):
    return representation.dissimilarities(
        rdms,
        stimulus=names(rdms.shape[1]),
        rdm={"area": areas, "animal": animals, "session": [f"{k}" for k in range(len(rdms))]},
        attributes=ATTRIBUTES | {"distance": distance},
    )


def activations(layers, seeds=1, order=None):
    """Build the Gram matrices of a network from its layers (stimulus, unit), the same for all seeds."""
    grams = np.stack([x @ x.T for x in layers])
    sums = np.stack([x.sum(1) for x in layers])
    units = np.array([x.shape[1] for x in layers])
    stimulus = names(len(layers[0]))
    dataset = xr.Dataset(
        {
            "gram": (("seed", "layer", "stimulus", "other_stimulus"), np.stack([grams] * seeds)),
            "row_sum": (("seed", "layer", "stimulus"), np.stack([sums] * seeds)),
            "n_units": (("seed", "layer"), np.stack([units] * seeds)),
        },
        coords={"seed": np.arange(seeds), "layer": [f"layer{k}" for k in range(len(layers))]}
        | {"stimulus": stimulus, "other_stimulus": stimulus},
    )
    return dataset if order is None else dataset.isel(stimulus=order, other_stimulus=order)


def compare(recording, network, measure, name="recording"):
    rows, draws = comparison.compare(recording, network, measure, name=name, network="net")
    return pd.DataFrame(rows), draws


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """A tenth of the resamples will do to see that they arrive."""
    plan = resampling.plan
    monkeypatch.setattr(
        resampling,
        "plan",
        lambda *a, **k: plan(*a, **k | {"bootstraps": 60, "permutations": 40, "partitions": 4}),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("measure", [RSA, SONG, CROSS_HALF, RIDGE])
def test_rows_and_draws_of_responses(rng, measure, tmp_path):
    signal = rng.standard_normal((30, 12))
    recording = responses(signal + rng.standard_normal((4, 30, 12)), areas=["V1"] * 8 + ["LM"] * 4)
    table, draws = compare(recording, activations([signal[:, :5], rng.standard_normal((30, 7))], seeds=2), measure)
    assert set(table.columns) == set(tables.SCORES) - DIGESTS
    assert table["region"].tolist() == ["V1"] * 6 + ["LM"] * 6
    assert table["layer"].tolist() == (["layer0", "layer1"] * 2 + ["selected"] * 2) * 2
    assert table["n_units"].tolist() == [8] * 6 + [4] * 6
    assert table["n_features"].tolist()[:4] == [5, 7, 5, 7]
    plain, selected = table[table["layer"] != "selected"], table[table["layer"] == "selected"]
    assert set(plain["status"]) == {"ok"}
    # No axis of time, one animal, no chronological ceiling of a corrected score, no leaving out in encoding.
    absent = ["time", "inter_animal"] + ["ceiling_chronological"] * (measure == CROSS_HALF)
    absent += ["influence"] * (measure == RIDGE)
    assert plain[absent].isna().all(axis=None)
    assert plain.drop(columns=absent).notna().all(axis=None)
    assert set(plain["claim"]) == {"new stimuli"}
    assert np.all((plain["ci_low"] <= plain["value"]) & (plain["value"] <= plain["ci_high"]))
    assert plain["p_value"].between(1 / 41, 1).all()
    assert selected["status"].tolist() == chosen_status(draws)
    assert set(table["animal"]) == {"m1"}
    np.testing.assert_allclose(draws["value"].values.ravel(), selected["value"])
    assert dict(draws.sizes) == {"region": 2, "animal": 1, "seed": 2, "layer": 2, "draw": 60, "layer_draw": 60} | (
        {} if measure == RIDGE else {"stimulus": 30}
    )
    rows = table.assign(**dict.fromkeys(DIGESTS, "0" * 64)).to_dict("records")
    tables.write(rows, tables.SCORES, tmp_path / "scores.tsv")
    assert tables.read(tmp_path / "scores.tsv")["value"].to_numpy() == pytest.approx(table["value"].to_numpy())


def chosen_status(draws):
    """Status of the selected rows: resamples without a score are left out of the interval, and counted."""
    present = draws["draws"].where(draws["absent"] == 0, 0)
    counts = np.isnan(present.mean("animal", skipna=False)).sum("draw").values.ravel()
    return ["selected_on_held_out_stimuli" + (f";undefined_resamples={k}" if k else "") for k in counts]


def test_rows_of_rdms_one_animal_and_several(rng, tmp_path):
    layers = [rng.standard_normal((20, 9)) for _ in range(2)]
    rdms = np.stack([1 - np.corrcoef(layers[0] + rng.standard_normal((20, 9))) for _ in range(5)])
    rdms[:, np.arange(20), np.arange(20)] = 0
    recording = dissimilarities((rdms + rdms.transpose(0, 2, 1)) / 2, list("mabbc"), ["one"] + ["several"] * 4)
    table, draws = compare(recording, activations(layers), RSA)
    assert set(table.columns) == set(tables.SCORES) - DIGESTS
    status = table[table["layer"] == "layer0"].set_index(["region", "animal"])["status"].to_dict()
    assert status.pop(("one", "m")) == "single_rdm"
    assert status.pop(("several", "mean RDM")) == "mean_rdm"
    assert status.pop(("several", "all")) == "ok;few_animals"
    assert status == {("several", animal): "ok" for animal in ("a", "b", "c")}
    claims = table[table["layer"] == "layer0"].set_index(["region", "animal"])["claim"]
    assert claims.pop(("several", "all")) == "new stimuli and animals"
    assert set(claims) == {"new stimuli"}
    chosen = table[table["layer"] == "selected"]
    assert chosen["animal"].tolist() == ["m", "all"]
    assert chosen["status"].tolist() == chosen_status(draws)
    several = table[(table["region"] == "several") & (table["layer"] == "layer0")].set_index("animal")
    for column in ("value", "ceiling_low", "ceiling_high"):
        assert several.loc["all", column] == pytest.approx(several.loc[["a", "b", "c"], column].mean())
    assert several["n_trials"].to_dict() == {"all": 4, "a": 1, "b": 2, "c": 1, "mean RDM": 4}
    # Numbers of units were not published: an empty cell, not a zero.
    assert table["n_units"].isna().all()
    rows = table.assign(**dict.fromkeys(DIGESTS, "0" * 64)).to_dict("records")
    tables.write(rows, tables.SCORES, tmp_path / "scores.tsv")
    assert tables.read(tmp_path / "scores.tsv")["n_units"].isna().all()


def test_every_gap_has_its_reason(rng):
    layers = [rng.standard_normal((20, 9)), np.ones((20, 9))]
    table, draws = compare(responses(rng.standard_normal((1, 20, 6))), activations(layers), SONG)
    assert table["status"].tolist() == ["no_repeats", "undefined", *chosen_status(draws)]
    assert table["ceiling_low"].isna().all()
    assert np.isfinite(draws["value"]).all()
    # Halves of pure noise agree too little for a ceiling of any kind.
    reproducible = rng.standard_normal((12, 6)) + 0.3 * rng.standard_normal((2, 12, 6))
    for measure in (SONG, RSA, CROSS_HALF):
        table, _ = compare(responses(rng.standard_normal((2, 12, 6))), activations([layers[0][:12]]), measure)
        assert {"ceiling_undefined", "undefined"} & set(table["status"].iloc[0].split(";"))
        table, _ = compare(responses(reproducible), activations([layers[0][:12]]), measure)
        assert table["status"].tolist() == ["ok", "too_few_stimuli_to_select"]
    table, _ = compare(responses(rng.standard_normal((2, 20, 6))), activations(layers[1:]), SONG)
    assert table["status"].tolist() == ["undefined", "undefined"]
    silent = rng.standard_normal((2, 20, 6)) * np.array([0, 1, 1, 1, 0, 1])
    table, draws = compare(responses(silent), activations(layers[:1]), RIDGE)
    assert table["status"].tolist() == ["ok;undefined_units=2", *chosen_status(draws)]
    # A half with a pattern that is the same in all units has no correlation distance, the mean of all trials has.
    sparse = rng.standard_normal((20, 6)) + 0.3 * rng.standard_normal((2, 20, 6))
    sparse[0, 3] = 0
    table, draws = compare(responses(sparse), activations(layers[:1]), RSA)
    assert table["status"].tolist() == ["ceiling_undefined", *chosen_status(draws)]


@pytest.mark.parametrize("measure", [RSA, SONG, "rsa-distance=euclidean-compare=pearson", CROSS_HALF, RIDGE])
@pytest.mark.parametrize("noise", [2, 4])
def test_the_noiseless_truth_lies_within_the_ceiling(measure, noise):
    # Many stimuli, few dimensions: what a ridge regression loses to fitting is then less than the bounds' distance.
    rows = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        signal = rng.standard_normal((80, 4)) @ rng.standard_normal((4, 60))
        recording = responses(signal + noise * rng.standard_normal((6, 80, 60)))
        rows.append(compare(recording, activations([signal]), measure)[0].iloc[0])
    low, value, high = (np.mean([row[c] for row in rows]) for c in ("ceiling_low", "value", "ceiling_high"))
    error = np.std([row["value"] for row in rows]) + 0.005
    # An estimate, or a corrected score, has no upper bound: the truth is at one, give or take.
    estimated = measure in (SONG, CROSS_HALF)
    assert low - error < value < high + (error if estimated else 0.005)
    assert low > 0.05


def test_selection_does_not_profit_from_many_layers():
    # Twenty layers of noise against a recording of noise.
    for measure in (RSA, SONG):
        chosen, best = [], []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            network = activations([rng.standard_normal((40, 20)) for _ in range(20)])
            table, _ = compare(responses(rng.standard_normal((1, 40, 20))), network, measure, name=f"{seed}")
            chosen.append(table["value"].iloc[-1])
            best.append(table["value"].iloc[:-1].max())
        error = np.std(chosen) / np.sqrt(len(chosen))
        assert abs(np.mean(chosen)) < 3 * error
        assert np.mean(best) > 5 * error


def test_selection_finds_the_layer_that_matters(rng):
    signal = rng.standard_normal((60, 10))
    layers = [rng.standard_normal((60, 20)) for _ in range(10)] + [signal]
    table, draws = compare(responses(signal + 0.5 * rng.standard_normal((4, 60, 10))), activations(layers), RSA)
    by_layer = table.set_index("layer")["value"]
    assert by_layer["selected"] == pytest.approx(by_layer["layer10"], abs=0.05)
    assert draws["draws"].min() > by_layer.iloc[:10].max()


def test_resamples_are_those_of_the_recording_whatever_the_order_of_the_network(rng):
    signal = rng.standard_normal((30, 8))
    recording = responses(signal + rng.standard_normal((2, 30, 8)))
    first, first_draws = compare(recording, activations([signal]), RSA)
    second, second_draws = compare(recording, activations([signal], order=rng.permutation(30)), RSA)
    pd.testing.assert_frame_equal(first, second)
    np.testing.assert_allclose(first_draws["draws"], second_draws["draws"], atol=1e-12)


def test_a_network_may_have_seen_more_and_not_less(rng):
    x = rng.standard_normal((30, 8))
    recording = responses(rng.standard_normal((2, 20, 8)))
    table, _ = compare(recording, activations([x]), RSA)
    expected, _ = compare(recording, activations([x[:20]]), RSA)
    pd.testing.assert_frame_equal(table, expected)
    message = "recording 'recording': the network has not seen 3 of its stimuli .first: 's017'.; extract"
    with pytest.raises(UserError, match=message):
        compare(recording, activations([x[:17]]), RSA)


@pytest.mark.parametrize(
    ("measure", "distance", "message"),
    [
        (SONG, "correlation", f"measure '{SONG}' needs responses, but .* an rsa-distance=correlation measure$"),
        (RSA, "euclidean", f"measure '{RSA}' compares correlation .* holds euclidean .* rsa-distance=euclidean"),
        (RSA, "overlap", "holds overlap distances; no measure compares overlap distances$"),
    ],
)
def test_rdms_are_compared_with_their_own_distance_only(rng, measure, distance, message):
    rdm = np.abs(np.subtract.outer(*[rng.standard_normal(20)] * 2))[None]
    with pytest.raises(UserError, match=message) as error:
        compare(dissimilarities(rdm, ["m"], ["IT"], distance), activations([rng.standard_normal((20, 5))]), measure)
    assert "\n" not in str(error.value)


def test_published_euclidean_rdms_have_a_measure(rng):
    x = rng.standard_normal((20, 5))
    rdm = ((x[:, None] - x[None]) ** 2).mean(2)[None]
    recording = dissimilarities(rdm, ["m"], ["IT"], "euclidean")
    table, _ = compare(recording, activations([x]), "rsa-distance=euclidean-compare=rho-a")
    assert table["value"].iloc[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("recording", "measure", "message"),
    [
        (responses(np.ones((2, 19, 4))), RIDGE, "needs at least 20 stimuli; recording 'recording' has 19$"),
        (responses(np.ones((2, 3, 4))), RSA, "needs at least 4 stimuli; recording 'recording' has 3$"),
        (responses(np.ones((1, 20, 4))), CROSS_HALF, "at least 2 repeats of every stimulus; recording .* has fewer$"),
        (
            responses(np.ones((2, 20, 4)), exchangeable="block"),
            RSA,
            "exchangeable=block, but stimulus 's000' was shown in several blocks",
        ),
    ],
)
def test_recordings_that_cannot_support_a_measure_are_refused(rng, recording, measure, message):
    with pytest.raises(UserError, match=message):
        compare(recording, activations([rng.standard_normal((20, 5))]), measure)


def several_animals(rng, signal, animals=6, units=8, noise=1.0, repeats=4):
    """Build a recording of several animals, each with units of its own."""
    n, p = signal.shape
    values = [signal @ rng.standard_normal((p, units)) / np.sqrt(p) for _ in range(animals)]
    trials = np.hstack(values) + noise * rng.standard_normal((repeats, n, animals * units))
    recording = responses(trials)
    owner = np.repeat([f"m{k}" for k in range(animals)], units)
    return recording.assign_coords(animal=("unit", owner), session=("unit", owner))


@pytest.mark.parametrize("measure", [RSA, SONG, RIDGE, "cca-mean-ridge=0.1", "procrustes-angular"])
def test_animals_are_scored_one_by_one_and_together(rng, measure):
    signal = rng.standard_normal((40, 5))
    table, draws = compare(several_animals(rng, signal), activations([signal, rng.standard_normal((40, 5))]), measure)
    rows = table[table["layer"] == "layer0"].set_index("animal")
    animals = [f"m{k}" for k in range(6)]
    assert rows.index.tolist() == ["all", *animals, "pooled"]
    assert rows.loc["all", "value"] == pytest.approx(rows.loc[animals, "value"].mean())
    assert rows["claim"].tolist() == [
        "new stimuli and animals",
        *["new stimuli"] * 6,
        "new stimuli" if measure == RIDGE else "new stimuli and units",
    ]
    assert rows["n_units"].tolist() == [48] + [8] * 6 + [48]
    assert rows["n_animals"].tolist() == [6] + [1] * 7
    assert rows.loc["all", "ci_low"] < rows.loc["all", "value"] < rows.loc["all", "ci_high"]
    assert draws["value"].sizes["animal"] == 6
    if measure == RIDGE:
        return
    # The mean over animals has a ceiling of animals; a single animal, and the pool, have those of their trials.
    assert rows.loc["all", "ceiling_kind"] == "bracket (animals)"
    assert set(rows["ceiling_kind"].iloc[1:]) <= {"bracket (trials)", "estimate (trials)"}
    assert np.isfinite(rows.loc["all", ["ceiling_low", "ceiling_high", "inter_animal"]].astype(float)).all()
    assert rows.loc["all", "ceiling_low"] < rows.loc["all", "ceiling_high"]


def test_distances_are_better_when_lower(rng):
    signal = rng.standard_normal((40, 6))
    layers = [rng.standard_normal((40, 6)), signal]
    table, draws = compare(
        responses(signal + 0.3 * rng.standard_normal((4, 40, 6))), activations(layers), "procrustes-angular"
    )
    rows = table.set_index("layer")
    assert rows.loc["layer1", "value"] < rows.loc["layer0", "value"]
    assert rows.loc["layer1", "p_value"] == pytest.approx(1 / 41)
    assert rows.loc["layer0", "p_value"] > 0.05
    assert rows.loc["selected", "value"] < rows.loc["layer0", "value"]


def test_time_bins_are_compared_one_by_one(rng):
    # The stimulus is there in the second of three bins only.
    signal = rng.standard_normal((30, 8))
    strength = np.array([0, 1, 0])
    values = strength[:, None] * signal[:, None] + 0.3 * rng.standard_normal((4, 30, 3, 8))
    one = responses(values[:, :, 0])
    recording = representation.responses(
        values.reshape(-1, 3, 8),
        presentation={name: one.coords[name].values for name in ("stimulus", "repeat", "block")},
        unit={name: one.coords[name].values for name in ("unit_id", "area", "animal", "session")},
        attributes=ATTRIBUTES | {"response": "dF/F"},
        time=np.array([-0.1, 0.1, 0.3]),
    )
    table, draws = compare(recording, activations([signal]), SONG)
    rows = table[table["layer"] == "layer0"].set_index("time")
    assert rows.index.tolist() == [-0.1, 0.1, 0.3]
    assert rows.loc[0.1, "value"] > 0.9 > 0.3 > rows.loc[[-0.1, 0.3], "value"].max()
    # Where there is no signal two halves of the trials do not agree, and there is no ceiling.
    assert rows["status"].str.contains("ceiling_undefined").tolist() == [True, False, True]
    assert draws["draws"].sizes["draw"] == 60


def test_samples_of_units_make_regions_comparable(rng):
    # Two areas with the same tuning, one with more units, which are less noisy together.
    signal = rng.standard_normal((40, 4))
    values = signal @ rng.standard_normal((4, 60)) + 4 * rng.standard_normal((2, 40, 60))
    recording = responses(values, areas=["V1"] * 50 + ["LM"] * 10)
    network = activations([signal])
    value = {
        step: compare(recording, network, RSA + step)[0].query("layer == 'layer0'").set_index("region")["value"]
        for step in ("", "-sample=matched", "-sample=10")
    }
    assert value[""]["V1"] > value[""]["LM"] + 0.1
    assert abs(value["-sample=matched"]["V1"] - value["-sample=matched"]["LM"]) < 0.1
    pd.testing.assert_series_equal(value["-sample=matched"], value["-sample=10"])
    with pytest.raises(UserError, match="sample=30: there are only 10 units; ask for fewer, or for 'matched'$"):
        compare(recording, network, RSA + "-sample=30")


def test_the_stimulus_that_carries_a_score_is_named(rng):
    x, y = rng.standard_normal((2, 30, 8))
    x[7] += 20
    y[7] += 20
    table, _ = compare(responses(np.stack([y, y])), activations([x]), "cka-kernel=linear-hsic=biased")
    row = table.iloc[0]
    assert row["influential_stimulus"] == "s007"
    assert row["value"] > 0.9 and row["influence"] < -0.5


def test_units_of_several_sessions_are_resampled_as_well(rng):
    # Few units, many stimuli: which units were found is then most of what is uncertain.
    signal = rng.standard_normal((60, 12))
    recording = responses(signal @ rng.standard_normal((12, 12)) + 0.2 * rng.standard_normal((4, 60, 12)))
    sessions = recording.assign_coords(session=("unit", np.repeat(["1", "2", "3", "4"], 3)))
    one, several = (compare(r, activations([signal]), SONG)[0].iloc[0] for r in (recording, sessions))
    assert (one["claim"], several["claim"]) == ("new stimuli", "new stimuli and units")
    assert several["value"] == one["value"]
    assert several["ci_high"] - several["ci_low"] > 1.2 * (one["ci_high"] - one["ci_low"])


def test_a_layer_for_which_a_measure_is_void_does_not_refuse_the_others(rng, capsys):
    signal = rng.standard_normal((30, 8))
    flat = np.ones((30, 8))
    table, draws = compare(responses(signal[None] + rng.standard_normal((2, 30, 8))), activations([signal, flat]), RSA)
    assert table["status"].iloc[1] == "undefined;void"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: candidate 2 of 2 has no score: ") and "has no correlation" in line
    assert np.isfinite(table["value"].iloc[[0, 2]]).all()
    with pytest.raises(UserError, match="has no correlation"):
        compare(responses(rng.standard_normal((2, 30, 8))), activations([flat, flat]), RSA)


def test_what_the_control_explains_is_no_similarity(rng):
    # Squared distances of populations side by side add up, so that the control explains all that it should.
    pixels, signal = rng.standard_normal((2, 40, 10))
    recording = responses(np.hstack([2 * pixels, signal])[None] + 0.2 * rng.standard_normal((4, 40, 20)))
    network = activations([np.hstack([pixels, rng.standard_normal((40, 5))]), np.hstack([pixels, signal])])
    rows, _ = comparison.compare(
        recording, network, EUCLIDEAN + "-partial=pixels", name="r", network="n", control=activations([pixels])
    )
    table = pd.DataFrame(rows).set_index("layer")
    plain = compare(recording, network, EUCLIDEAN)[0].set_index("layer")
    assert plain["p_value"].iloc[:2].max() < 0.05
    assert table["p_value"].iloc[0] > 0.05 > table["p_value"].iloc[1]
    assert set(table["ceiling_kind"].iloc[:2]) == {"bracket (trials)"}
    with pytest.raises(UserError, match="give its representation as control$"):
        compare(recording, network, EUCLIDEAN + "-partial=pixels")
    with pytest.raises(UserError, match="'partial' is there for RSA, SSM and CKA"):
        rows, _ = comparison.compare(
            recording, network, "cca-mean-partial=pixels", name="r", network="n", control=activations([pixels])
        )
