"""Identification of single trials: certainty, chance, no leakage, and the published value."""

import numpy as np
import pytest
from conftest import ABOUT
from cubes import recording

from neurocompare.description import identification
from neurocompare.errors import UserError
from neurocompare.recordings import antolik2016

CORRELATION, CORRELATION_HALVES, DOT_HALVES = identification.DESCRIPTIONS


def test_noiseless_trials_are_all_identified():
    cube = np.repeat(np.random.default_rng(0).standard_normal((12, 1, 20)), 4, axis=1)
    (row,), details = identification.describe(recording(cube), CORRELATION, seed=0)
    assert row["value"] == 1
    assert row["null_mean"] == pytest.approx(1 / 12, abs=0.02)
    np.testing.assert_allclose(details.confusion.values, np.eye(12), atol=1e-12)


def test_noise_is_at_chance_over_many_simulations():
    """A trial that leaked into its own template would be identified far above chance."""
    rng = np.random.default_rng(1)
    hits = [
        (identification.identify(rng.standard_normal((10, 3, 30))).argmax(2) == np.arange(10)).mean()
        for _ in range(150)
    ]
    assert np.mean(hits) == pytest.approx(0.1, abs=3 * np.std(hits) / np.sqrt(150))


def test_null_is_chance_and_covers_noise():
    rng = np.random.default_rng(2)
    (row,), details = identification.describe(recording(rng.standard_normal((25, 4, 40))), CORRELATION, seed=0)
    assert float(details.chance) == 1 / 25
    assert row["null_mean"] == pytest.approx(1 / 25, abs=0.005)
    assert row["p_value"] > 0.01
    assert row["ci_low"] <= row["value"] <= row["ci_high"]


def test_correlations_are_those_of_numpy():
    cube = np.random.default_rng(3).random((6, 3, 8))
    found = identification.identify(cube)
    others = cube[:, [0, 2]].mean(1)
    a, b = ((x - others.mean(0)) / others.std(0) for x in (cube[:, 1], others))
    np.testing.assert_allclose(found[1], np.corrcoef(a, b)[:6, 6:], atol=1e-12)


def test_scale_and_offset_of_units_do_not_matter_and_constant_units_are_ignored():
    rng = np.random.default_rng(4)
    cube = rng.standard_normal((15, 1, 20)) + rng.standard_normal((15, 5, 20))
    found = identification.identify(cube)
    np.testing.assert_allclose(identification.identify(cube * rng.uniform(0.1, 9, 20) + 50), found, atol=1e-9)
    with_constant = np.concatenate([cube, np.full((15, 5, 3), 2.0)], axis=2)
    np.testing.assert_allclose(identification.identify(with_constant), found, atol=1e-12)


def test_messages_name_what_is_missing():
    array = recording(np.random.default_rng(5).random((6, 3, 8)))
    with pytest.raises(UserError, match="simultaneous=false"):
        identification.describe(array.assign_attrs(simultaneous=False), CORRELATION, seed=0)
    with pytest.raises(UserError, match="at least 2 repeats"):
        identification.describe(array.isel(presentation=array.repeat == 0), CORRELATION, seed=0)
    with pytest.raises(UserError, match="fewer than 2 units"):
        identification.describe(recording(np.ones((6, 3, 8))), CORRELATION, seed=0)
    (row,), _ = identification.describe(array.assign_attrs(exchangeable="none"), CORRELATION, seed=0)
    assert row["status"] == "no_null;no_ceiling"


def test_published_identification_of_mouse_v1(real_data):
    """.49 with z-scored units and the mean of the other nine repeats."""
    folder = real_data / "antolik2016_mouse_v1" / "region1"
    paths = {name: folder / name for name in (antolik2016.TRIALS_FILE, antolik2016.MEANS_FILE)}
    array = antolik2016.ingest(paths, about=ABOUT)
    (row,), _ = identification.describe(array, CORRELATION, seed=0)
    assert row["value"] == pytest.approx(0.49, abs=1e-9)
    assert row["p_value"] == pytest.approx(1 / 1001)


@pytest.mark.parametrize("description", [CORRELATION_HALVES, DOT_HALVES])
def test_halves_without_noise_identify_each_other_and_noise_is_at_chance(description):
    rng = np.random.default_rng(6)
    # Of equal length, as an inner product prefers the longest.
    shapes = np.linalg.qr(rng.standard_normal((40, 12)))[0].T
    (row,), details = identification.describe(recording(np.repeat(shapes[:, None], 4, axis=1)), description, seed=0)
    assert row["value"] == 1 and row["condition"] == "candidates=12;repeats=2+2"
    np.testing.assert_array_equal(details.confusion.values, np.eye(12))
    hits = [
        identification.describe(recording(rng.standard_normal((20, 2, 30))), description, seed=0)[0][0]["value"]
        for _ in range(40)
    ]
    assert np.mean(hits) == pytest.approx(1 / 20, abs=0.03)


def test_halves_are_compared_as_numpy_does():
    cube = np.random.default_rng(7).random((9, 5, 14)) * np.arange(1, 15)
    first, last = cube[:, :2].mean(1), cube[:, 3:].mean(1)
    scaled = [(x - x.mean(0)) / x.std(0) for x in (first, last)]
    (found,) = identification.identify_halves(cube, "correlation")
    np.testing.assert_allclose(found, np.corrcoef(*scaled)[:9, 9:], atol=1e-12)
    (found,) = identification.identify_halves(cube, "dot")
    mean = cube.mean((0, 1))
    np.testing.assert_allclose(found, [[(a - mean) @ (b - mean) for b in last] for a in first], atol=1e-9)


def test_correlation_of_halves_ignores_scale_and_constant_units():
    rng = np.random.default_rng(8)
    cube = rng.standard_normal((15, 1, 20)) + rng.standard_normal((15, 2, 20))
    found = identification.identify_halves(cube, "correlation")
    moved = np.concatenate([cube * rng.uniform(0.1, 9, 20) + 50, np.full((15, 2, 3), 2.0)], axis=2)
    np.testing.assert_allclose(identification.identify_halves(moved, "correlation"), found, atol=1e-9)
    with pytest.raises(UserError, match="fewer than 2 units"):
        identification.identify_halves(np.ones((15, 2, 20)), "correlation")
