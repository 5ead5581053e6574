"""Continuous variables: the best possible prediction is reached, noise is not, and slow drift needs its own null."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from trials import one_line, recording

from neurocompare.description import continuous
from neurocompare.errors import UserError

SPEED = "continuous-target=speed-decoder=ridge"


def told(rows, quantity, split):
    return next(r for r in rows if r["quantity"].startswith(quantity) and f"split={split}" in r["condition"])


def test_variance_that_is_coded_is_explained_and_the_rest_is_not():
    """Speed is one of the latent variables plus noise of the same variance: R² = 0.5 and r² = 0.5 at best."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((1600, 3))
    values = latent @ rng.standard_normal((3, 60)) + 0.1 * rng.standard_normal((1600, 60))
    speed = latent[:, 0] + rng.standard_normal(1600)
    rows, details = continuous.describe(recording(values, coordinates={"speed": speed}), SPEED, seed=0)
    for split in ("chronological", "interleaved"):
        assert told(rows, "R2", split)["value"] == pytest.approx(0.5, abs=0.05)
        assert told(rows, "correlation", split)["value"] ** 2 == pytest.approx(0.5, abs=0.05)
        assert told(rows, "R2", split)["p_value"] == pytest.approx(1 / 201)
        assert "null=trials" in told(rows, "R2", split)["condition"]
        assert told(rows, "R2", split)["ci_low"] < 0.5 < told(rows, "R2", split)["ci_high"]
    assert details.predicted.shape == (2, 1600)


def test_predictions_are_those_of_a_ridge_on_the_other_trials():
    rng = np.random.default_rng(1)
    values, target = rng.standard_normal((60, 8)) * 3 + 1, rng.standard_normal((60, 1))
    fold = np.arange(60) % 3
    predicted, centre = continuous.held_out(values, target, fold)
    for k in range(3):
        train, test = fold != k, fold == k
        mean, deviation = values[train].mean(0), values[train].std(0)
        x, z = (values[train] - mean) / deviation, (values[test] - mean) / deviation
        scale = (np.linalg.svd(x, compute_uv=False) ** 2).mean()
        possible = np.array([Ridge(alpha=a * scale).fit(x, target[train, 0]).predict(z) for a in continuous.PENALTIES])
        assert np.abs(possible - predicted[test, 0]).max(1).min() < 1e-8
        np.testing.assert_allclose(centre[test], target[train].mean())


def test_the_interval_of_r_is_as_wide_as_that_of_a_correlation(monkeypatch):
    """(1 − r²) / √n, were all trials independent; a ratio of different resamples would vary 2.5 times as much."""
    monkeypatch.setattr(continuous, "PERMUTATIONS", 1)
    rng = np.random.default_rng(7)
    widths = []
    for _ in range(10):
        latent = rng.standard_normal(400)
        values = latent[:, None] + 0.1 * rng.standard_normal((400, 10))
        speed = latent + rng.standard_normal(400)
        rows, _ = continuous.describe(recording(values, coordinates={"speed": speed}), SPEED, seed=0)
        row = told(rows, "correlation", "interleaved")
        widths.append((row["ci_high"] - row["ci_low"]) / 2 / 1.96)
    assert np.mean(widths) == pytest.approx((1 - 0.5) / 20, rel=0.2)


def test_shuffled_values_score_nothing():
    rng = np.random.default_rng(2)
    values = rng.standard_normal((200, 30))
    speed = rng.permutation(values[:, 0])
    rows, _ = continuous.describe(recording(values, coordinates={"speed": speed}), SPEED, seed=0)
    for split in ("chronological", "interleaved"):
        assert told(rows, "R2", split)["value"] < 0.05
        assert abs(told(rows, "correlation", split)["value"]) < 0.2
        assert told(rows, "R2", split)["p_value"] > 0.02


def wandering(rng, n, memory):
    series = rng.standard_normal(n)
    for t in range(1, n):
        series[t] = memory * series[t - 1] + np.sqrt(1 - memory**2) * series[t]
    return series


def test_two_variables_that_both_wander_are_not_called_related():
    """Single values would be shuffled in vain: their null is too narrow for series with a memory."""
    p_values, plain = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        values = np.stack([wandering(rng, 600, 0.8) for _ in range(3)], axis=1)
        array = recording(values, coordinates={"speed": wandering(rng, 600, 0.8)})
        rows, _ = continuous.describe(array, SPEED, seed=seed)
        row = told(rows, "correlation", "interleaved")
        assert "null=shifts" in row["condition"] or row["n_null"] == 0
        p_values += [row["p_value"]] if row["n_null"] else []
        fold = rng.permutation(np.arange(600) % 5)
        speed = np.stack([array.speed.values, *(rng.permutation(array.speed.values) for _ in range(60))], axis=1)
        predicted, centre = continuous.held_out(values, speed, fold)
        score = continuous._ratio(*(x.sum(0) for x in continuous._correlation(predicted, speed, centre, fold)))
        plain.append((1 + (score[1:] >= score[0]).sum()) / 61)
    assert len(p_values) >= 6 and np.mean(np.array(p_values) < 0.05) <= 0.25
    assert np.mean(np.array(plain) < 0.05) > 0.3


def test_a_variable_of_blocks_is_tested_by_exchanging_blocks():
    p_values = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        block = np.repeat(np.arange(12), 10)
        values = rng.standard_normal((12, 20))[block] + rng.standard_normal((120, 20))
        array = recording(values, block=block, coordinates={"speed": rng.standard_normal(12)[block]})
        rows, _ = continuous.describe(array, SPEED, seed=0)
        p_values.append(told(rows, "R2", "chronological")["p_value"])
    assert told(rows, "correlation", "interleaved")["status"] == "constant_in_blocks"
    assert "null=blocks" in told(rows, "R2", "chronological")["condition"]
    assert np.mean(np.array(p_values) < 0.1) <= 0.3 and np.median(p_values) > 0.15


def test_what_is_not_declared_exchangeable_has_no_null():
    rng = np.random.default_rng(4)
    array = recording(rng.standard_normal((80, 4)), coordinates={"speed": rng.random(80)}, exchangeable="none")
    rows, _ = continuous.describe(array, SPEED, seed=0)
    assert all("null=none" in r["condition"] and r["n_null"] == 0 for r in rows)


def test_missing_values_are_counted_and_pooled_units_named():
    rng = np.random.default_rng(5)
    speed = rng.random(80)
    speed[:7] = np.nan
    array = recording(rng.standard_normal((80, 4)), coordinates={"speed": speed}, simultaneous=False)
    rows, _ = continuous.describe(array, SPEED, seed=0)
    assert (rows[-1]["quantity"], rows[-1]["value"]) == ("presentations without a value", 7)
    assert rows[0]["quantity"] == "correlation of pooled units" and rows[0]["n_trials"] == 73


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("continuous-target=sped-decoder=ridge", ["'sped'", "did you mean speed"]),
        ("continuous-target=name-decoder=ridge", ["'name'", "numeric"]),
        ("continuous-target=same-decoder=ridge", ["'same'", "1 different"]),
        ("continuous-target=speed-decoder=lasso", ["decoder", "lasso"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(identifier, words):
    rng = np.random.default_rng(6)
    names = {"speed": rng.random(40), "name": np.array(["a", "b"] * 20), "same": np.ones(40)}
    with pytest.raises(UserError) as error:
        continuous.describe(recording(rng.standard_normal((40, 3)), coordinates=names), identifier, seed=0)
    text = one_line(error)
    assert all(word in text for word in words), text
