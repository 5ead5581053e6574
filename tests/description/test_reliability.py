"""Reliability: its limits, its estimators against others, and the published value."""

import numpy as np
import pytest
from conftest import ABOUT
from cubes import recording

from neurocompare import representation
from neurocompare.description import reliability
from neurocompare.errors import UserError
from neurocompare.recordings import antolik2016

HALVES, RANDOM = reliability.DESCRIPTIONS


def planted(n, n_repeats, p, snr, seed):
    rng = np.random.default_rng(seed)
    return np.sqrt(snr) * rng.standard_normal((n, 1, p)) + rng.standard_normal((n, n_repeats, p))


def by_quantity(rows):
    return {row["quantity"]: row for row in rows}


@pytest.mark.parametrize("description", [HALVES, RANDOM])
def test_noiseless_is_one_and_noise_is_zero(description):
    rng = np.random.default_rng(0)
    signal = np.repeat(rng.standard_normal((30, 1, 20)), 6, axis=1)
    rows = by_quantity(reliability.describe(recording(signal), description, seed=0)[0])
    assert rows["split-half correlation"]["value"] == pytest.approx(1)
    assert rows["split-half correlation"]["p_value"] == pytest.approx(1 / 1001)
    assert rows["reliability of all repeats"]["value"] == pytest.approx(1)
    rows = by_quantity(reliability.describe(recording(planted(60, 6, 200, 0, 1)), description, seed=0)[0])
    assert abs(rows["split-half correlation"]["value"]) < 0.04
    assert rows["split-half correlation"]["p_value"] > 0.01
    if description == RANDOM:
        assert abs(rows["signal variance fraction"]["value"]) < 0.03


def test_planted_reliability_and_signal_variance_are_recovered():
    """With signal-to-noise ratio q, halves of R/2 trials correlate by q / (q + 2 / R)."""
    q, n_repeats = 0.25, 8
    rows = by_quantity(reliability.describe(recording(planted(300, n_repeats, 150, q, 2)), RANDOM, seed=0)[0])
    half, full = q / (q + 2 / n_repeats), q / (q + 1 / n_repeats)
    for quantity, truth in (
        ("split-half correlation", half),
        ("reliability of all repeats", full),
        ("signal variance fraction", q / (q + 1)),
    ):
        assert rows[quantity]["value"] == pytest.approx(truth, abs=0.025)
        assert rows[quantity]["ci_low"] < truth < rows[quantity]["ci_high"]


def test_correlation_is_that_of_numpy_and_of_a_bootstrap_by_hand():
    cube = planted(20, 4, 5, 1.0, 3) + 1000
    split = [(np.array([0, 1]), np.array([2, 3]))]
    a, b = cube[:, :2].mean(1), cube[:, 2:].mean(1)
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(5)]
    np.testing.assert_allclose(reliability.split_half(cube, split)[0], expected, atol=1e-9)
    taken = np.random.default_rng(0).integers(20, size=20)
    weights = np.bincount(taken, minlength=20)[None]
    expected = [np.corrcoef(a[taken, i], b[taken, i])[0, 1] for i in range(5)]
    np.testing.assert_allclose(reliability.split_half(cube, split, weights)[0], expected, atol=1e-9)


def test_signal_variance_is_unbiased_and_not_clipped():
    fractions = reliability.signal_variance(planted(20, 3, 4000, 0.0, 4))
    assert abs(fractions.mean()) < 0.01
    assert (fractions < 0).mean() > 0.3


def test_spearman_brown_is_defined_for_positive_correlations_only():
    assert reliability.spearman_brown(0.5) == pytest.approx(2 / 3)
    assert np.isnan(reliability.spearman_brown(-0.2))
    x = np.random.default_rng(0).standard_normal((12, 1, 3))
    rows = by_quantity(reliability.describe(recording(np.concatenate([x, -x], axis=1)), HALVES, seed=3)[0])
    assert rows["split-half correlation"]["value"] == pytest.approx(-1)
    assert rows["reliability of all repeats"]["status"] == "undefined"


def test_constant_units_are_counted_and_left_out():
    cube = planted(30, 4, 10, 2.0, 5)
    expected = reliability.describe(recording(cube[:, :, 2:]), HALVES, seed=0)[0][0]["value"]
    cube[:, :, :2] = 3.7
    rows, details = reliability.describe(recording(cube), HALVES, seed=0)
    assert by_quantity(rows)["units constant in a half"]["value"] == 2
    assert rows[0]["value"] == pytest.approx(expected)
    assert np.isnan(details.correlation.values[:2]).all()
    assert np.isnan(details.signal_variance.values[:2]).all()


def test_drift_between_halves_lowers_the_chronological_split_only():
    rng = np.random.default_rng(6)
    cube = np.repeat(rng.standard_normal((40, 1, 30)), 10, axis=1)
    cube[:, 5:] = rng.standard_normal((40, 1, 30))
    cube += 0.1 * rng.standard_normal(cube.shape)
    first, random = (reliability.describe(recording(cube), d, seed=0)[0][0]["value"] for d in (HALVES, RANDOM))
    assert abs(first) < 0.15
    assert random > 0.5


def test_odd_and_unequal_repeats_give_halves_of_equal_size():
    cube = planted(30, 5, 10, 2.0, 7)
    array = recording(cube)
    rows = reliability.describe(array, HALVES, seed=0)[0]
    assert rows[0]["condition"].endswith("repeats=2+2")
    a, b = cube[:, :2].mean(1), cube[:, 3:].mean(1)
    assert rows[0]["value"] == pytest.approx(np.median([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(10)]))
    fewer = array.isel(presentation=np.flatnonzero((array.stimulus != "s000") | (array.repeat < 4)))
    assert reliability.describe(fewer, HALVES, seed=0)[0][0]["n_trials"] == 120


def test_nulls_need_exchangeable_stimuli():
    rows = reliability.describe(recording(planted(20, 4, 5, 1, 0), exchangeable="block"), HALVES, seed=0)[0]
    assert rows[0]["status"] == "no_null;no_ceiling"
    assert by_quantity(rows)["units constant in a half"]["status"] == "no_null;no_interval;no_ceiling"
    assert np.isnan(rows[0]["p_value"])


def test_messages_name_what_is_missing():
    array = recording(planted(20, 4, 5, 1, 0))
    with pytest.raises(UserError, match=f"{HALVES} needs at least 2 repeats"):
        reliability.describe(array.isel(presentation=array.repeat == 0), HALVES, seed=0)
    with pytest.raises(UserError, match="unknown description"):
        reliability.describe(array, "reliability-split=thirds", seed=0)
    with pytest.raises(UserError, match="3 stimuli are too few"):
        reliability.describe(recording(planted(3, 4, 5, 1, 0)), HALVES, seed=0)
    rdm = representation.dissimilarities(
        1.0 - np.eye(4)[None],
        stimulus=list("abcd"),
        rdm={"area": ["IT"], "animal": ["m"], "session": ["s"]},
        attributes=array.attrs | {"response": "dissimilarity", "distance": "correlation", "units": "1"},
    )
    with pytest.raises(UserError, match="needs responses"):
        reliability.describe(rdm, HALVES, seed=0)


def test_published_reliability_of_mouse_v1(real_data):
    """Median over neurons .56, first against last five repeats."""
    folder = real_data / "antolik2016_mouse_v1" / "region1"
    paths = {name: folder / name for name in (antolik2016.TRIALS_FILE, antolik2016.MEANS_FILE)}
    array = antolik2016.ingest(paths, about=ABOUT)
    row = reliability.describe(array, HALVES, seed=0)[0][0]
    assert round(row["value"], 2) == 0.56
    assert (row["n_stimuli"], row["n_units"], row["n_trials"]) == (50, 103, 500)
