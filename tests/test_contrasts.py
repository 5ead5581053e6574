"""Networks against one another: paired differences, their p-values, and the correction for many pairs."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import comparison, contrasts, representation, tables
from neurocompare.inference import corrections, twofactor

STIMULI = np.array([f"s{k:02d}" for k in range(48)])


def draws(network, values, samples, measure="m", recording="r", regions=("V1",)):
    """Build what a comparison leaves: scores (region, seed) and their draws (region, seed, draw); one layer."""
    values, samples = np.asarray(values, dtype=float)[:, None], np.asarray(samples, dtype=float)[:, None]
    return xr.Dataset(
        {
            "value": (("region", "animal", "seed"), values),
            "draws": (("region", "animal", "seed", "draw"), samples),
            "layer_value": (("region", "animal", "seed", "layer"), values[..., None]),
            "layer_draws": (("region", "animal", "seed", "layer", "layer_draw"), samples[:, :, :, None]),
            "absent": (("region", "animal"), np.zeros((len(values), 1))),
        },
        coords={"region": list(regions), "animal": ["m"], "seed": np.arange(values.shape[2]), "layer": ["one"]},
        attrs={"recording": recording, "network": network, "measure": measure, "n_stimuli": 48}
        | {"n_groups": 48, "scheme": "bootstrap", "claimed": "stimuli"},
    )


def simulated(network, mean, seed, seeds=1, shared=None):
    noise = 0.02 * np.random.default_rng(seed).standard_normal((1, seeds, 999))
    return draws(network, np.full((1, seeds), mean), mean + noise + (0 if shared is None else shared))


def test_rows_have_the_columns_of_the_table():
    rows = contrasts.contrast([simulated("a", 0.2, 0), simulated("b", 0.3, 1)])
    assert set(rows[0]) == set(tables.CONTRASTS) - {"code_sha256"}
    assert (rows[0]["network"], rows[0]["other_network"], rows[0]["n_stimuli"]) == ("a", "b", 48)


def test_identical_networks_do_not_differ():
    one = simulated("a", 0.2, 0, seeds=2)
    (row,) = contrasts.contrast([one, one.assign_attrs(network="b")])
    assert (row["difference"], row["ci_low"], row["ci_high"]) == (0, 0, 0)
    assert (row["p_value"], row["p_holm"], row["separable"], row["status"]) == (1, 1, False, "ok")


def test_difference_is_paired_over_resamples():
    # Stimuli move all networks alike by ten times their difference: unpaired, it would drown.
    shared = 0.5 * np.random.default_rng(2).standard_normal(999)
    (row,) = contrasts.contrast([simulated("a", 0.35, 0, shared=shared), simulated("b", 0.25, 1, shared=shared)])
    assert row["difference"] == pytest.approx(0.1)
    assert 0 < row["ci_low"] < 0.1 < row["ci_high"] < 0.2
    assert row["separable"]


def test_seeds_are_averaged_and_may_differ_in_number():
    one, two = simulated("a", 0.2, 0, seeds=1), simulated("b", 0.3, 1, seeds=3)
    two["value"][:] = [[[0.1, 0.3, 0.8]]]
    (row,) = contrasts.contrast([one, two])
    assert row["difference"] == pytest.approx(0.2 - 0.4)
    samples = (one["draws"][0, 0, 0] - two["draws"][0, 0].mean("seed")).values
    expected = twofactor.estimate(np.array([-0.2]), samples[:, None], 48)
    np.testing.assert_allclose([row["ci_low"], row["ci_high"]], [expected.low, expected.high])


def test_holm_is_applied_within_a_family_and_not_across():
    networks = [simulated(name, mean, k) for k, (name, mean) in enumerate({"a": 0.1, "b": 0.12, "c": 0.4}.items())]
    other = [network.assign_attrs(recording="other") for network in networks[:2]]
    table = pd.DataFrame(contrasts.contrast(networks + other))
    family = table[table["recording"] == "r"]
    assert len(family) == 3
    np.testing.assert_allclose(family["p_holm"], corrections.holm(family["p_value"].to_numpy()))
    alone = table[table["recording"] == "other"].iloc[0]
    assert alone["p_holm"] == alone["p_value"] == family["p_value"].iloc[0]
    assert family["p_holm"].iloc[0] >= family["p_value"].iloc[0]
    np.testing.assert_allclose(family["q_value"], corrections.benjamini_hochberg(family["p_value"].to_numpy()))
    pairs = family.set_index(["network", "other_network"])["separable"].to_dict()
    assert pairs == {("a", "b"): False, ("a", "c"): True, ("b", "c"): True}


def test_regions_and_measures_are_families_of_their_own():
    two = {"regions": ("V1", "LM")}
    samples = np.random.default_rng(0).standard_normal((2, 1, 99))
    found = [draws(n, [[0.1], [0.2]], samples, measure=m, **two) for n in "ab" for m in ("m", "k")]
    keys = [(row["region"], row["measure"]) for row in contrasts.contrast(found)]
    assert sorted(keys) == [("LM", "k"), ("LM", "m"), ("V1", "k"), ("V1", "m")]


def test_what_is_undefined_is_never_separable():
    good = simulated("a", 0.9, 0, seeds=2)
    few = draws("b", [[np.nan, np.nan]], np.empty((1, 2, 0)))
    # One seed without a score: the mean of the other is not the score of the network.
    half = simulated("c", 0.1, 1, seeds=2)
    half["value"][0, 0, 0] = np.nan
    unstable = simulated("d", 0.1, 2, seeds=2)
    unstable["draws"][0, 0, 0, :600] = np.nan
    status = {}
    for other in (few, half, unstable):
        (row,) = contrasts.contrast([good if other is not few else few.assign_attrs(network="a"), other])
        assert (row["p_value"], row["separable"]) == (1, False)
        status[other.attrs["network"]] = row["status"]
    assert status == {"b": "too_few_stimuli_to_select", "c": "undefined", "d": "interval_undefined"}
    (row,) = contrasts.contrast([half, unstable])
    assert row["status"] == "undefined"


def test_networks_of_other_trials_are_told_and_claims_are_of_what_was_resampled():
    correct, every, mixed = (
        simulated(name, 0.1, k, seeds=2).assign(all_trials=("seed", flags)).assign_attrs(claimed="conditions")
        for k, (name, flags) in enumerate({"a": [0, 0], "b": [1, 1], "c": [0, 1]}.items())
    )
    again = every.assign_attrs(network="d")
    table = pd.DataFrame(contrasts.contrast([correct, every, mixed, again]))
    status = table.set_index(["network", "other_network"])["status"].to_dict()
    assert {pair for pair, text in status.items() if text == "ok"} == {("b", "d")}
    assert set(status.values()) == {"ok", "all_trials"} and set(table["claim"]) == {"new conditions"}


def test_one_network_has_nothing_to_be_compared_with():
    assert contrasts.contrast([simulated("a", 0.2, 0)]) == []


def network(layers):
    grams, units = np.stack([x @ x.T for x in layers])[None], np.array([[x.shape[1] for x in layers]])
    return xr.Dataset(
        {
            "gram": (("seed", "layer", "stimulus", "other_stimulus"), grams),
            "row_sum": (("seed", "layer", "stimulus"), np.stack([x.sum(1) for x in layers])[None]),
            "n_units": (("seed", "layer"), units),
        },
        coords={"seed": [0], "layer": [f"{k}" for k in range(len(layers))]}
        | {"stimulus": STIMULI, "other_stimulus": STIMULI},
    )


def test_a_planted_difference_is_separable_and_no_difference_is_not():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((48, 10))
    trials = signal + 0.5 * rng.standard_normal((3, 48, 10))
    recording = representation.responses(
        trials.reshape(-1, 10),
        presentation={
            "stimulus": np.tile(STIMULI, 3),
            "repeat": np.repeat(np.arange(3), 48),
            "block": np.repeat(np.arange(3), 48),
        },
        unit={"unit_id": [f"u{k}" for k in range(10)]} | {c: ["x"] * 10 for c in ("area", "animal", "session")},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"response": "dF/F", "exchangeable": "stimulus", "simultaneous": True, "sha256": {"none": "0" * 64}},
    )
    networks = {
        "true": [signal],
        "true too": [signal + 1e-3 * rng.standard_normal((48, 10))],
        "noise": [rng.standard_normal((48, 10)) for _ in range(3)],
    }
    measure = "rsa-distance=correlation-compare=pearson"
    found = [
        comparison.compare(recording, network(layers), measure, name="r", network=name)[1]
        for name, layers in networks.items()
    ]
    rows = {(r["network"], r["other_network"]): r for r in contrasts.contrast(found) if r["layer"] == "selected"}
    layers = [row for row in contrasts.contrast(found) if row["layer"] != "selected"]
    assert [(r["network"], r["layer"], r["other_layer"]) for r in layers] == [
        ("noise", *pair) for pair in (("0", "1"), ("0", "2"), ("1", "2"))
    ]
    assert all(row["p_value"] <= row["q_value"] <= row["p_holm"] for row in layers)
    assert not rows["true", "true too"]["separable"]
    for pair in (("true", "noise"), ("true too", "noise")):
        assert rows[pair]["separable"]
        assert rows[pair]["ci_low"] > 0.3


def test_several_animals_are_a_factor_of_their_own():
    # A difference that each animal has to the same extent, and one that only the mean of three animals has.
    rng = np.random.default_rng(0)
    shifts = {"even": [0.1, 0.1, 0.1], "uneven": [0.5, -0.1, -0.1]}
    rows = {}
    for name, shift in shifts.items():
        pair = []
        for network, offset in (("a", np.array(shift)), ("b", np.zeros(3))):
            noise = 0.005 * rng.standard_normal((3, 1, 999))
            dataset = draws(network, [[0]], np.zeros((1, 1, 999)))
            animals = {"animal": ["x", "y", "z"]}
            dataset = xr.concat([dataset.drop_vars("animal")] * 3, "animal", join="exact").assign_coords(animals)
            dataset["value"] = (("region", "animal", "seed"), offset[None, :, None])
            dataset["draws"] = (("region", "animal", "seed", "draw"), (offset[:, None, None] + noise)[None])
            pair.append(dataset)
        rows[name] = contrasts.contrast(pair)[0]
        value = pair[0]["value"].values[0] - pair[1]["value"].values[0]
        samples = (pair[0]["draws"] - pair[1]["draws"]).values[0].transpose(2, 0, 1)
        expected = twofactor.estimate(value, samples, 48)
        assert rows[name]["p_value"] == pytest.approx(expected.p_value[0])
        assert (rows[name]["claim"], rows[name]["n_animals"]) == ("new stimuli and animals", 3)
    assert rows["even"]["difference"] == pytest.approx(rows["uneven"]["difference"])
    assert rows["even"]["separable"] and not rows["uneven"]["separable"]
