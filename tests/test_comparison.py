"""The verb compare on small recordings of both kinds: its table, its ceilings, its selection, its refusals."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import comparison, representation, tables
from neurocompare.errors import UserError
from neurocompare.inference import resampling

RSA, SONG = "rsa-distance=correlation-compare=spearman", "cka-kernel=linear-hsic=song"
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
    assert plain.drop(columns="n_features").notna().all(axis=None)
    assert np.all((plain["ci_low"] <= plain["value"]) & (plain["value"] <= plain["ci_high"]))
    assert plain["p_value"].between(1 / 41, 1).all()
    assert selected["status"].tolist() == chosen_status(draws)
    assert set(table["animal"]) == {"m1"}
    np.testing.assert_allclose(draws["value"].values.ravel(), selected["value"])
    assert dict(draws.sizes) == {"region": 2, "seed": 2, "draw": 60}
    rows = table.assign(**dict.fromkeys(DIGESTS, "0" * 64)).to_dict("records")
    tables.write(rows, tables.SCORES, tmp_path / "scores.tsv")
    assert tables.read(tmp_path / "scores.tsv")["value"].to_numpy() == pytest.approx(table["value"].to_numpy())


def chosen_status(draws):
    """Status of the selected rows: resamples without a score are left out of the interval, and counted."""
    counts = np.isnan(draws["draws"]).sum("draw").values.ravel()
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
    assert status == {("several", animal): "ok" for animal in ("all", "a", "b", "c")}
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
    table, _ = compare(responses(rng.standard_normal((2, 12, 6))), activations([layers[0][:12]]), SONG)
    assert table["status"].tolist() == ["ok", "too_few_stimuli_to_select"]
    table, _ = compare(responses(rng.standard_normal((2, 20, 6))), activations(layers[1:]), SONG)
    assert table["status"].tolist() == ["undefined", "undefined"]
    silent = rng.standard_normal((2, 20, 6)) * np.array([0, 1, 1, 1, 0, 1])
    table, draws = compare(responses(silent), activations(layers[:1]), RIDGE)
    assert table["status"].tolist() == ["ok;undefined_units=2", *chosen_status(draws)]
    # A half with a pattern that is the same in all units has no correlation distance, the mean of all trials has.
    sparse = rng.standard_normal((2, 20, 6))
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
    assert low - error < value < high + (error if measure == CROSS_HALF else 0.005)
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
        (RSA, "crossnobis", "holds crossnobis distances; no measure compares crossnobis distances$"),
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
        (responses(np.ones((1, 20, 4))), CROSS_HALF, "at least two repeats of every stimulus; recording .* has none$"),
        (responses(np.ones((2, 20, 4)), exchangeable="block"), RSA, "exchangeable=block: nulls and intervals"),
    ],
)
def test_recordings_that_cannot_support_a_measure_are_refused(rng, recording, measure, message):
    with pytest.raises(UserError, match=message):
        compare(recording, activations([rng.standard_normal((20, 5))]), measure)
