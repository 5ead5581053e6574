"""Simulated recordings: the schema, and that the data have the moments that the truth claims."""

import numpy as np
import pytest

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.recordings import simulated_orientation
from neurocompare.simulation.readout import from_features


@pytest.fixture(scope="module")
def small():
    return simulated_orientation.simulate(neurons=100, trials=400, bins=20, seed=3)


def test_orientation_follows_the_schema_and_survives_the_disk(small, tmp_path):
    array, _ = small
    representation.write(array, tmp_path / "a.nc")
    np.testing.assert_array_equal(representation.read(tmp_path / "a.nc").values, array.values)
    assert array.shape == (400, 100)
    assert array.attrs["response"] == "inferred spikes"
    assert array.attrs["exchangeable"] == "stimulus"
    assert array.attrs["simultaneous"] is True
    np.testing.assert_array_equal(np.bincount(array.block.values), [100] * 4)
    assert np.all(np.diff(array.block.values) >= 0)


def test_stimuli_are_the_bins_of_the_exact_orientation(small):
    array, _ = small
    angle = array.orientation.values
    assert angle.min() >= 0
    assert angle.max() < 180
    centre = np.array([float(name.split("=")[1]) for name in array.stimulus.values])
    assert np.abs(centre - angle).max() <= 4.5 + 0.05 + 1e-9
    assert (
        min(simulated_orientation.simulate(neurons=2, trials=500, seed=0)[0].stimulus.values.tolist())
        == "orientation=002.8"
    )
    for name in np.unique(array.stimulus.values):
        repeats = array.repeat.values[array.stimulus.values == name]
        np.testing.assert_array_equal(repeats, np.arange(len(repeats)))


def test_silent_and_untuned_neurons_come_in_the_declared_numbers():
    array, truth = simulated_orientation.simulate(neurons=200, trials=300, silent=0.1, untuned=0.25, seed=0)
    curve = truth.tuning.values
    assert np.sum(curve.max(0) == 0) == 20
    np.testing.assert_array_equal(array.values.max(0) == 0, curve.max(0) == 0)
    assert np.sum((np.ptp(curve, axis=0) == 0) & (curve.max(0) > 0)) == 50
    assert array.tuned.values.sum() == 130
    tuned = array.tuned.values == 1
    peak = truth.angle.values[curve[:, tuned].argmax(0)]
    distance = np.abs(peak - array.preferred_orientation.values[tuned])
    assert np.minimum(distance, 180 - distance).max() <= 1.0


def test_the_seed_decides():
    first, again, other = (simulated_orientation.simulate(neurons=20, trials=60, seed=s)[0].values for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_derivative_is_that_of_the_tuning(small):
    _, truth = small
    curve, slope = truth.tuning.values.astype(float), truth.derivative.values
    central = (np.roll(curve, -1, 0) - np.roll(curve, 1, 0)) / 2
    np.testing.assert_allclose(slope, central, atol=0.01 * np.abs(slope).max())


def test_noise_is_as_declared_at_one_angle():
    """Mean, variance and heavy tails, with all shared sources switched off."""
    array, truth = simulated_orientation.simulate(
        neurons=300,
        trials=4000,
        bins=1,
        seed=0,
        silent=0,
        untuned=1,
        shared_strength=0,
        limit_degrees=0,
        running_gain=0,
        event_size=0.5,
        event_shape=2.0,
    )
    mean = truth.tuning.values[0]
    x = array.values.astype(float)
    np.testing.assert_allclose(x.mean(0), mean, atol=5 * np.sqrt(0.75 * mean.max() / 4000))
    np.testing.assert_allclose(np.median(x.var(0) / mean), 0.5 * (1 + 1 / 2), rtol=0.02)
    # The share of exact zeros is that of no event.
    np.testing.assert_allclose((x == 0).mean(0), np.exp(-mean / 0.5), atol=0.05)
    corr = np.corrcoef(x.T)[np.triu_indices(300, 1)]
    assert abs(corr.mean()) < 0.002


def test_running_and_shared_factors_correlate_the_neurons():
    options = {"neurons": 100, "trials": 3000, "seed": 0, "silent": 0, "untuned": 1, "bins": 1, "event_size": 0.1}
    array, _ = simulated_orientation.simulate(**options, shared_strength=0, running_gain=0.5)
    rate = array.values.sum(1)
    assert np.corrcoef(rate, array.running_speed.values)[0, 1] > 0.8
    assert array.running_speed.values.min() >= 0
    array, truth = simulated_orientation.simulate(**options, shared_strength=0.5, shared_rank=2, running_gain=0)
    x, mean, w = array.values.astype(float), truth.tuning.values[0], truth.shared_loadings.values
    expected = 0.25 * (w @ w.T)[np.triu_indices(100, 1)]
    found = (np.cov(x.T) / np.outer(mean, mean))[np.triu_indices(100, 1)]
    assert np.corrcoef(found, expected)[0, 1] > 0.8
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=0.1)


def test_fisher_information_is_that_of_the_full_covariance_and_obeys_the_limit():
    """Woodbury against a dense inverse; then the closed form of differential correlations."""
    _, truth = simulated_orientation.simulate(neurons=40, trials=100, seed=5, limit_degrees=3.0, shared_rank=2)
    at = truth.attrs
    gain, shared = at["gain_variance"], at["shared_strength"] ** 2
    w = truth.shared_loadings.values
    for k in (0, 77):
        mean, slope = truth.tuning.values[k].astype(float), truth.derivative.values[k].astype(float)
        alive = mean > 0
        mean, slope, loadings = mean[alive], slope[alive], w[alive]
        outer = gain + (1 + gain) * shared * loadings @ loadings.T
        noise = np.diag(at["event_size"] * (1 + 1 / at["event_shape"]) * mean) + np.outer(mean, mean) * outer
        private = slope @ np.linalg.solve(noise, slope)
        np.testing.assert_allclose(truth.private_fisher_information.values[k], private, rtol=1e-4)
        full = slope @ np.linalg.solve(noise + 9 * np.outer(slope, slope), slope)
        np.testing.assert_allclose(truth.fisher_information.values[k], full, rtol=1e-4)
    assert truth.fisher_information.values.max() < 1 / 9


def test_displacement_moves_the_population_along_its_tuning():
    array, truth = simulated_orientation.simulate(
        neurons=300, trials=300, seed=1, limit_degrees=5, event_size=0.001, shared_strength=0, running_gain=0
    )
    shifted = (array.orientation.values + truth.displacement.values) % 180
    nearest = truth.tuning.values[np.round(shifted).astype(int) % 180]
    unshifted = truth.tuning.values[np.round(array.orientation.values).astype(int) % 180]
    error, without = ((array.values - mean) ** 2 for mean in (nearest, unshifted))
    assert error.mean() < 0.1 * without.mean()
    np.testing.assert_allclose(truth.displacement.values.std(), 5, rtol=0.15)


def test_tuning_gets_wider_and_less_informative_along_the_areas():
    options = {"neurons": 300, "trials": 60, "seed": 0, "silent": 0, "untuned": 0, "width": 6.0}
    one, alone = simulated_orientation.simulate(**options)
    array, truth = simulated_orientation.simulate(**options, areas=["V1", "LM", "AL"], widening=1.8)
    assert array.area.values.tolist() == ["V1"] * 100 + ["LM"] * 100 + ["AL"] * 100
    curve = truth.tuning.values.astype(float)
    width = ((curve - curve.min(0)) / np.ptp(curve, axis=0) > 0.5).mean(0)
    medians = [np.median(width[array.area.values == area]) for area in truth.area.values]
    np.testing.assert_allclose(np.diff(np.log(medians)), np.log(1.8), atol=0.2)
    information = truth.area_fisher_information.mean("angle").values
    assert (np.diff(information) < 0).all()
    assert (truth.fisher_information >= truth.area_fisher_information.max("area") - 1e-12).all()
    # The first area is what it would be alone, and one area is the whole.
    np.testing.assert_array_equal(truth.tuning.values[:, :100], alone.tuning.values[:, :100])
    assert set(one.area.values) == {"V1"}
    np.testing.assert_allclose(alone.area_fisher_information.values[0], alone.fisher_information.values, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"areas": []}, "areas is"),
        ({"areas": [str(k) for k in range(11)]}, "no area empty"),
        ({"widening": 0}, "widening"),
        ({"silent": 0.7, "untuned": 0.7}, "silent"),
        ({"bins": 0}, "bins"),
        ({"bins": 1000}, "bins"),
        ({"width": 0}, "width"),
    ],
)
def test_orientation_refuses_options_out_of_range(options, word):
    with pytest.raises(UserError, match=word):
        simulated_orientation.simulate(**({"neurons": 10, "trials": 50, "seed": 0} | options))


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(0)
    features = np.maximum(rng.standard_normal((40, 60)) @ rng.standard_normal((60, 60)), 0)
    features[:, 7] = 1.0
    angles = np.arange(40) * 4.5
    return features, np.array([f"orientation={a:05.1f}" for a in angles]), angles


@pytest.mark.parametrize("readout", ["sparse", "gaussian"])
def test_readout_has_the_declared_signal_to_noise_ratio(layer, readout):
    features, names, angles = layer
    array, truth = from_features(
        features, names, angles, neurons=300, repeats=40, snr=0.5, seed=0, readout=readout, shared_fraction=0
    )
    np.testing.assert_allclose(truth.signal.values.var(0), 1, rtol=1e-9)
    np.testing.assert_allclose(truth.snr.values.mean(), 0.5, rtol=0.1)
    order = np.lexsort((array.repeat.values, array.stimulus.values))
    cube = array.values.astype(float)[order].reshape(40, 40, 300)
    np.testing.assert_allclose(cube.var(1, ddof=1).mean(0), truth.noise_variance.values, rtol=0.2)
    np.testing.assert_allclose(np.mean(1 / cube.var(1, ddof=1).mean(0)), 0.5, rtol=0.1)
    # Names sort like the angles here, so rows are in the order of the features.
    np.testing.assert_allclose(
        cube.mean(1), truth.signal.values, atol=6 * np.sqrt(truth.noise_variance.values.max() / 40)
    )


def test_readout_is_the_declared_function_of_the_features(layer):
    features, names, angles = layer
    array, truth = from_features(features, names, angles, neurons=50, repeats=2, snr=1e8, seed=0, density=0.1)
    weights = truth.weights.values
    assert weights.min() >= 0
    assert ((weights > 0).sum(0) >= 1).all()
    assert 4 < (weights > 0).sum(0).mean() < 9
    assert not weights[7].any()
    z = (features - features.mean(0)) / np.where(features.std(0) > 0, features.std(0), 1)
    first = array.values[array.repeat.values == 0]
    at = np.searchsorted(names, array.stimulus.values[array.repeat.values == 0])
    np.testing.assert_allclose(first, (z @ weights)[at], atol=1e-2)
    np.testing.assert_array_equal(array.orientation.values, angles[np.searchsorted(names, array.stimulus.values)])
    np.testing.assert_array_equal(array.block.values, array.repeat.values)


def test_shared_noise_of_the_readout_is_shared(layer):
    options = {"neurons": 100, "repeats": 30, "snr": 0.2, "seed": 0, "shared_rank": 1}
    strength = []
    for fraction in (0.0, 0.5):
        array, truth = from_features(*layer, **options, shared_fraction=fraction)
        at = np.searchsorted(truth.stimulus.values, array.stimulus.values)
        noise = array.values - truth.signal.values[at]
        strength.append(np.mean(np.corrcoef(noise.T)[np.triu_indices(100, 1)] ** 2))
    # With one factor, correlations are plus or minus the shared fraction.
    assert strength[0] < 0.002
    np.testing.assert_allclose(strength[1], 0.25, rtol=0.1)


def test_readout_refuses_what_it_cannot_use(layer):
    features, names, angles = layer
    with pytest.raises(UserError, match="do not match"):
        from_features(features[:-1], names, angles, seed=0)
    with pytest.raises(UserError, match="no feature varies"):
        from_features(np.ones((40, 3)), names, angles, seed=0)
    with pytest.raises(UserError, match="sparse or gaussian"):
        from_features(features, names, angles, seed=0, readout="dense")
