"""Discrimination thresholds: of observers with a known spread, at chance, of dense sets, and refusals."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from trials import one_line, recording

from neurocompare.description import thresholds
from neurocompare.errors import UserError
from neurocompare.recordings import simulated_orientation

THRESHOLD = "thresholds-target=orientation-decoder=derivative"


def orientations(values, angle, **attributes):
    stimulus = np.array([f"orientation={np.floor(a):05.1f}" for a in angle])
    return recording(values, stimulus=stimulus, coordinates={"orientation": angle}, **attributes)


def observer(angle, spread, rng, *, units=90, period=180.0):
    """Noiseless tuning to an angle that is displaced in every trial: no decoder does better than the displacement."""
    seen = angle + spread * rng.standard_normal(len(angle))
    phase = 2 * np.pi * (seen[:, None] - np.arange(units) * period / units) / period
    return np.exp((np.cos(phase) - 1) / 0.1) + 1e-3 * rng.standard_normal(phase.shape)


@pytest.mark.parametrize("slope", [0.3, 1.0, 4.0])
def test_the_fit_is_the_maximum_of_the_likelihood(slope):
    rng = np.random.default_rng(0)
    distance = rng.uniform(0, 10, 2000)
    correct = rng.random(2000) < 1 / (1 + np.exp(-distance * slope))

    def loss(s):
        return np.logaddexp(0, np.where(correct, -1, 1) * distance * s).sum()

    expected = np.log(3) / minimize_scalar(loss, bounds=(1e-3, 50), method="bounded", options={"xatol": 1e-10}).x
    found = thresholds.fitted_threshold(distance, correct[None], np.ones((1, 2000)))[0]
    assert found == pytest.approx(expected, rel=1e-5)
    assert found == pytest.approx(np.log(3) / slope, rel=0.12)


def test_choices_that_do_not_follow_the_distance_have_no_threshold():
    distance = np.arange(1.0, 11)
    found = thresholds.fitted_threshold(distance, np.array([np.zeros(10), np.ones(10)]), np.ones((1, 10)))
    assert np.isinf(found[0])
    assert found[1] < 1


def test_targets_change_sign_at_their_reference():
    references = np.arange(32) * 180 / 32
    assert np.abs(np.diagonal(thresholds.derivative_targets(references, 180.0))).max() < 1e-12
    beyond = np.diagonal(thresholds.derivative_targets((references + 2) % 180, 180.0))
    before = np.diagonal(thresholds.derivative_targets((references - 2) % 180, 180.0))
    np.testing.assert_allclose(beyond, -before)
    assert beyond.min() > 0


@pytest.mark.parametrize(("spread", "period"), [(2.0, 180.0), (4.0, 360.0)])
def test_the_threshold_of_a_gaussian_observer(spread, period):
    """0.606 standard deviations is where the logistic function nearest to a Gaussian one in likelihood has 75 %."""
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, period, 1200)
    array = orientations(observer(angle, spread, rng, period=period), angle, orientation_period=period)
    rows, details = thresholds.describe(array, THRESHOLD, seed=0)
    for row in rows:
        if "neurons=90" in row["condition"]:
            assert row["value"] == pytest.approx(0.606 * spread, rel=0.07)
            assert row["ci_low"] < row["value"] < row["ci_high"]
            assert row["p_value"] == pytest.approx(1 / 101)
            assert row["null_mean"] > 5 * row["value"]
    right = details.right.sel(split="interleaved")
    np.testing.assert_allclose(right + right[::-1].values, 1, atol=1e-12)
    at = np.interp(rows[0]["value"], details.distance, right)
    assert at == pytest.approx(0.75, abs=0.06)


def test_dense_angles_are_regressed():
    rng = np.random.default_rng(2)
    angle = rng.uniform(43, 47, 800)
    rows, details = thresholds.describe(orientations(observer(angle, 0.5, rng), angle), THRESHOLD, seed=0)
    assert "decoder=regression" in rows[0]["condition"]
    assert rows[0]["value"] == pytest.approx(0.606 * 0.5, rel=0.12)
    assert details.attrs["reach"] == pytest.approx(2, abs=0.05)
    turned = orientations(observer((angle - 45) % 180, 0.5, rng), (angle - 45) % 180)
    assert thresholds.describe(turned, THRESHOLD, seed=0)[0][0]["value"] == pytest.approx(0.303, rel=0.12)


def test_noise_has_no_threshold():
    rng = np.random.default_rng(3)
    array = orientations(rng.standard_normal((400, 40)), rng.uniform(0, 180, 400))
    rows, _ = thresholds.describe(array, THRESHOLD, seed=0)
    assert all(row["status"] == "not_reached" or row["value"] > 10 for row in rows)
    assert min([row["p_value"] for row in rows if np.isfinite(row["p_value"])], default=1) > 0.02


def test_more_neurons_have_a_smaller_threshold():
    array, _ = simulated_orientation.simulate(neurons=200, trials=600, seed=0)
    rows, _ = thresholds.describe(array, THRESHOLD, seed=0)
    value = {row["condition"]: row["value"] for row in rows}
    for split in ("interleaved", "chronological"):
        assert (
            value[f"split={split};decoder=derivative;neurons=200"]
            < value[f"split={split};decoder=derivative;neurons=25"]
        )


def test_discrete_and_few_angles_are_told_in_the_status():
    rng = np.random.default_rng(4)
    for n, status in ((160, "few_orientations"), (12, "too_few_trials")):
        rows, details = thresholds.describe(
            orientations(rng.random((n, 10)), np.arange(n) % 8 * 22.5), THRESHOLD, seed=0
        )
        assert details is None
        assert {row["status"] for row in rows} == {status}
        assert all(np.isnan(row["value"]) for row in rows)


def test_refusals_are_one_line():
    rng = np.random.default_rng(5)
    array = orientations(rng.random((100, 5)), rng.uniform(0, 180, 100))
    with pytest.raises(UserError) as error:
        thresholds.describe(array.drop_vars("orientation"), THRESHOLD, seed=0)
    assert "coordinate 'orientation'" in one_line(error)
    with pytest.raises(UserError) as error:
        thresholds.describe(array, "thresholds-target=colour-decoder=derivative", seed=0)
    assert "'colour'" in one_line(error)
    with pytest.raises(UserError) as error:
        thresholds.describe(array.assign_coords(orientation=array.orientation * 3), THRESHOLD, seed=0)
    assert "fold it to [0, 180)" in one_line(error)
