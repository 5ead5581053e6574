"""Angles between decoder axes: planted ones are found, noise does not make axes orthogonal, and nothing has none."""

import numpy as np
import pytest
from trials import one_line, recording

from neurocompare.description import axes
from neurocompare.errors import UserError


def planted(rng, degrees, *, n=240, p=40, signal=2.0, together=0.0, **attributes):
    """Two labels that move the population along axes at a given angle; they may go together in the session."""
    a = np.arange(n) % 2
    b = np.where(rng.random(n) < together, a, (np.arange(n) // 2) % 2)
    first, second = np.linalg.qr(rng.standard_normal((p, 2)))[0].T
    other = np.cos(np.radians(degrees)) * first + np.sin(np.radians(degrees)) * second
    values = signal * ((a - 0.5)[:, None] * first + (b - 0.5)[:, None] * other) + rng.standard_normal((n, p))
    coordinates = {"a": a, "b": b, "three": np.arange(n) % 3, "rare": np.arange(n) == 0}
    return recording(values, coordinates=coordinates, block=np.arange(n) * 8 // n, **attributes)


def found(rows, quantity):
    return next(r for r in rows if r["quantity"].startswith(quantity))


@pytest.mark.parametrize(
    ("estimator", "degrees"),
    [(estimator, degrees) for estimator in ("lda", "nearest-mean") for degrees in (0, 60, 90, 150)]
    + [("logistic", 60)],
)
def test_a_planted_angle_is_within_the_interval(estimator, degrees, monkeypatch):
    monkeypatch.setattr(axes, "DRAWS", 30)
    monkeypatch.setattr(axes, "SPLITS", 20)
    array = planted(np.random.default_rng(degrees), degrees)
    rows, details = axes.describe(array, f"axes-labels=a+b-classifier={estimator}", seed=0)
    angle = found(rows, "angle")
    assert angle["ci_low"] - 1e-9 <= degrees <= angle["ci_high"] + 1e-9 and angle["unit"] == "degrees"
    assert angle["ci_high"] - angle["ci_low"] < 70
    raw = found(rows, "cosine")
    # Noise alone would have made this angle up to 20 degrees nearer to orthogonal.
    if degrees in (0, 150):
        assert abs(raw["value"]) < abs(np.cos(np.radians(angle["value"])))
    assert float(details.angle.values[0, 1]) == angle["value"]
    assert "halves=blocks" in angle["condition"]


def test_labels_that_go_together_do_not_pass_for_parallel_axes(monkeypatch):
    monkeypatch.setattr(axes, "DRAWS", 40)
    array = planted(np.random.default_rng(0), 90, n=400, together=0.6)
    a, b = array.a.values, array.b.values
    assert np.corrcoef(a, b)[0, 1] > 0.5
    rows, _ = axes.describe(array, "axes-labels=a+b-classifier=nearest-mean", seed=0)
    angle = found(rows, "angle")
    assert angle["ci_low"] <= 90 <= angle["ci_high"] and abs(angle["value"] - 90) < 15
    assert found(rows, "alignment")["p_value"] > 0.05


def test_parallel_axes_are_more_alike_than_random_ones():
    rows, _ = axes.describe(planted(np.random.default_rng(1), 20), "axes-labels=a+b", seed=0)
    alignment = found(rows, "alignment")
    assert alignment["p_value"] < 0.01 and alignment["null_mean"] < 0.4 and alignment["n_null"] == 1000


def test_reliability_is_that_of_the_signal_over_signal_and_noise(monkeypatch):
    """A difference of means of n / 2 trials each, of size s in noise of variance 1: s² / (s² + p 4 / n)."""
    monkeypatch.setattr(axes, "DRAWS", 20)
    n, p, signal = 400, 30, 1.0
    array = planted(np.random.default_rng(2), 90, n=n, p=p, signal=signal)
    rows, _ = axes.describe(array, "axes-labels=a+b-classifier=nearest-mean", seed=0)
    expected = signal**2 / (signal**2 + p * 4 / (n / 2))
    assert found(rows, "reliability")["value"] == pytest.approx(expected, abs=0.12)


def test_an_axis_of_nothing_has_no_angle(monkeypatch):
    monkeypatch.setattr(axes, "DRAWS", 40)
    rows, _ = axes.describe(planted(np.random.default_rng(3), 0, signal=0.0), "axes-labels=a+b", seed=0)
    assert found(rows, "angle")["status"] == "unreliable_axis"
    assert not [r for r in rows if r["quantity"].startswith("alignment")]


def random_pair(seed):
    """Two axes of random directions, in so much noise that their corrected cosine varies more than its truth does."""
    rng = np.random.default_rng([seed, 1])
    first, second = rng.standard_normal((2, 40))
    cosine = first @ second / np.sqrt((first @ first) * (second @ second))
    return cosine, planted(rng, np.degrees(np.arccos(cosine)), signal=1.0)


def test_random_axes_are_seldom_called_aligned_however_noisy(monkeypatch):
    """Compared with random axes that are known exactly, 32 % of such pairs had p < .05."""
    monkeypatch.setattr(axes, "DRAWS", 40)
    monkeypatch.setattr(axes, "SPLITS", 20)
    p_values, covered = [], []
    for seed in range(25):
        cosine, array = random_pair(seed)
        rows, _ = axes.describe(array, "axes-labels=a+b-classifier=nearest-mean", seed=seed)
        angle = found(rows, "angle")
        if np.isfinite(angle["value"]):
            p_values.append(found(rows, "alignment")["p_value"])
            covered.append(angle["ci_low"] <= np.degrees(np.arccos(cosine)) <= angle["ci_high"])
    assert len(p_values) > 17
    assert np.mean(np.array(p_values) < 0.05) <= 0.15
    assert np.mean(covered) >= 0.85


def in_blocks(seed, n_blocks, block=None):
    """Label b changes from block to block, and so does the mean response, by chance."""
    rng = np.random.default_rng([seed, 2])
    block = np.arange(160) * n_blocks // 160 if block is None else block
    values = rng.standard_normal((160, 40)) + rng.standard_normal((n_blocks, 40))[block]
    return recording(values, coordinates={"a": np.arange(160) % 2, "b": block % 2}, block=block)


def test_blocks_are_resampled_where_a_label_hardly_changes_within_one():
    """With blocks fixed, 15 % of axes that were drift between eight blocks were told from noise, instead of 4 %."""
    array = in_blocks(0, 8)
    cell, block = 2 * array.a.values + array.b.values, array.block.values
    spread = {}
    for whole in (True, False):
        halves = axes._Halves(cell, block, np.random.default_rng(0), whole=whole)
        times = np.array([halves.resample() for _ in range(200)])
        assert (times.sum(1) == 160).all()
        spread[whole] = np.var([np.bincount(block, draw) for draw in times], axis=0).mean()
    # Of 40 trials of a combination, those in one of four blocks vary by 40 × 3 / 16, of two combinations by twice that.
    assert spread[False] == pytest.approx(15, rel=0.15)
    assert spread[True] > 5 * spread[False]
    for part in halves.draw(times[0]):
        assert len(set(np.bincount(cell[part]))) == 1


@pytest.mark.parametrize("n_blocks", [2, 4, 6])
def test_a_label_of_few_blocks_has_no_axis(n_blocks):
    """Of two blocks of each value, intervals of the angle held the truth in 58 %."""
    rows, details = axes.describe(in_blocks(0, n_blocks), "axes-labels=a+b", seed=0)
    assert [(r["quantity"], r["status"]) for r in rows] == [("angle between axes", "constant_in_blocks")]
    assert details is None


def test_presentations_without_a_label_are_counted(monkeypatch):
    monkeypatch.setattr(axes, "DRAWS", 10)
    array = planted(np.random.default_rng(7), 90)
    label = np.where(np.arange(240) < 9, np.nan, array.a.values)
    rows, _ = axes.describe(array.assign_coords(a=("presentation", label)), "axes-labels=a+b", seed=0)
    assert found(rows, "presentations without")["value"] == 9 and found(rows, "reliability")["n_trials"] == 231


def test_more_units_than_trials_have_the_axes_that_all_units_have():
    rng = np.random.default_rng(4)
    residuals, patterns = rng.standard_normal((30, 50)), rng.standard_normal((4, 50))
    weight, scale = axes.shrinkage(residuals, 50)
    covariance = (1 - weight) / 30 * residuals.T @ residuals + weight * scale * np.eye(50)
    expected = np.linalg.solve(covariance, patterns.T).T
    found_ = axes._unmixed(patterns, residuals)
    np.testing.assert_allclose(found_ / found_[0, 0], expected / expected[0, 0], rtol=1e-8)


def test_pooled_units_are_named_so(monkeypatch):
    monkeypatch.setattr(axes, "DRAWS", 10)
    array = planted(np.random.default_rng(5), 90, simultaneous=False)
    rows, _ = axes.describe(array, "axes-labels=a+b", seed=0)
    assert all(r["quantity"].endswith(" of pooled units") for r in rows)


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("axes-labels=a", ["two coordinates or more"]),
        ("axes-labels=a+three", ["'three' has 3 values"]),
        ("axes-labels=a+rare", ["a=1, rare=True", "at least 4"]),
        ("axes-labels=a+c", ["'c'", "axes-labels=a+c"]),
        ("axes-labels=a+b-classifier=svm", ["classifier", "svm"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(identifier, words):
    with pytest.raises(UserError) as error:
        axes.describe(planted(np.random.default_rng(6), 90), identifier, seed=0)
    text = one_line(error)
    assert all(word in text for word in words), text
