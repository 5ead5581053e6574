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
