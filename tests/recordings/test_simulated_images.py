"""Simulated visual areas: the recording has the planted signal, noise, spectrum and hierarchy."""

import time
import tracemalloc

import numpy as np
import pytest

from neurocompare import representation, similarity
from neurocompare.errors import UserError
from neurocompare.inference import trials
from neurocompare.recordings import simulated_images
from neurocompare.stimuli import dead_leaves

SMALL = {"images": 60, "pixels": 32, "neurons": 40, "seed": 3}


@pytest.fixture(scope="module")
def simulated():
    return simulated_images.simulate(**SMALL | {"repeats": 40, "snr": 0.8}, shared_rank=2, shared_fraction=0.4)


def cube(array):
    """Responses (repeat, stimulus, unit), stimuli in the order of their ids."""
    order = np.lexsort((array.stimulus.values, array.repeat.values))
    return array.values.astype(float)[order].reshape(array.repeat.values.max() + 1, -1, array.sizes["unit"])


def of_areas(truth):
    return [truth.signal.values[:, truth.unit_area.values == area].astype(float) for area in truth.area.values]


def test_it_follows_the_schema_and_survives_the_disk(simulated, tmp_path):
    array, truth = simulated
    representation.write(array, tmp_path / "a.nc")
    np.testing.assert_array_equal(representation.read(tmp_path / "a.nc").values, array.values)
    assert array.shape == (2400, 120)
    assert array.dtype == np.float32
    assert array.attrs["response"] == "dF/F"
    assert (array.attrs["exchangeable"], array.attrs["simultaneous"]) == ("stimulus", True)
    assert array.area.values.tolist() == ["V1"] * 40 + ["LM"] * 40 + ["AL"] * 40
    np.testing.assert_array_equal(array.block.values, array.repeat.values)
    assert truth.unit_id.values.tolist() == array.unit_id.values.tolist()


def test_every_block_shows_the_images_of_the_renderer_once(simulated):
    array, truth = simulated
    shown = dead_leaves.stimuli({}, images=60, pixels=32, seed=0)
    assert truth.stimulus.values.tolist() == shown.stimulus.values.tolist()
    blocks = array.stimulus.values.reshape(40, 60)
    assert all(sorted(block) == sorted(truth.stimulus.values) for block in blocks)
    assert not (blocks[0] == blocks[1]).all()


def test_mean_responses_are_the_signal(simulated):
    array, truth = simulated
    error = cube(array).mean(0) - truth.signal.values
    deviation = np.sqrt(truth.noise_variance.values / 40)
    np.testing.assert_allclose((error / deviation).std(), 1, atol=0.05)
    np.testing.assert_allclose(truth.signal.values.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(truth.signal.values.var(0), truth.signal_variance.values, rtol=1e-4)


def test_signal_to_noise_ratio_is_recovered_from_repeats(simulated):
    array, truth = simulated
    noise = cube(array).var(0, ddof=1).mean(0)
    np.testing.assert_allclose(noise, truth.noise_variance.values, rtol=0.25)
    signal = cube(array).mean(0).var(0) - noise / 40
    np.testing.assert_allclose(np.median(signal / noise / truth.snr.values), 1, atol=0.05)
    assert np.corrcoef(np.log(signal / noise), np.log(truth.snr.values))[0, 1] > 0.95
    _, many = simulated_images.simulate(**SMALL | {"neurons": 400}, repeats=1, snr=0.8, snr_spread=0.7)
    np.testing.assert_allclose(many.snr.values.mean(), 0.8, rtol=0.1)
    np.testing.assert_allclose(np.log(many.snr.values).std(), 0.7, rtol=0.1)


def test_the_eigenspectrum_is_that_of_the_signal_of_every_area():
    for exponent in (0.0, 1.0, 1.7):
        _, truth = simulated_images.simulate(**SMALL, repeats=1, exponent=exponent)
        count = truth.sizes["component"]
        assert count == 59 // 3
        for signal in of_areas(truth):
            found = np.linalg.svd(signal - signal.mean(0), compute_uv=False) ** 2 / 60
            np.testing.assert_allclose(found[:count], truth.eigenvalue.values, rtol=1e-4)
            np.testing.assert_allclose(found[count:], 0, atol=1e-6)
            slope = np.polyfit(np.log(np.arange(1, count + 1)), np.log(found[:count]), 1)[0]
            np.testing.assert_allclose(-slope, exponent, atol=1e-3)
        np.testing.assert_allclose(truth.eigenvalue.values.sum(), 40)
        ratio = truth.eigenvalue.values.sum() ** 2 / (truth.eigenvalue.values**2).sum()
        np.testing.assert_allclose(truth.attrs["participation_ratio"], ratio)


@pytest.mark.parametrize("step", [0.0, 0.3, 1.0])
def test_similarity_of_areas_falls_with_their_distance_as_planted(step):
    _, truth = simulated_images.simulate(**SMALL, repeats=1, step=step, areas=["a", "b", "c", "d"])
    signals = of_areas(truth)
    found = np.array([[similarity.score(x, y, "cka-kernel=linear-hsic=biased") for x in signals] for y in signals])
    np.testing.assert_allclose(found, truth.cka.values, atol=1e-4)
    apart = np.abs(np.subtract.outer(range(4), range(4)))
    np.testing.assert_allclose(truth.cka.values, (1 - step) ** apart, atol=1e-12)


def test_the_order_of_areas_is_recovered_from_noisy_trials():
    array, truth = simulated_images.simulate(images=150, pixels=32, neurons=100, repeats=6, snr=1.0, seed=1)
    parts = [array.isel(unit=np.flatnonzero(array.area.values == area)) for area in truth.area.values]
    means = [trials.mean(part, truth.stimulus.values) for part in parts]
    for measure in ("cka-kernel=linear-hsic=song", "rsa-distance=correlation-compare=spearman"):
        near = similarity.score(means[0], means[1], measure), similarity.score(means[1], means[2], measure)
        assert min(near) > similarity.score(means[0], means[2], measure) + 0.05


def test_the_first_area_is_the_one_that_the_gabor_bank_explains():
    shown = dead_leaves.stimuli({}, images=150, pixels=32, seed=0)
    cells = simulated_images._complex_cells(shown)
    _, truth = simulated_images.simulate(images=150, pixels=32, neurons=60, repeats=1, seed=1)
    scores = [similarity.score(cells, signal, "cka-kernel=linear-hsic=song") for signal in of_areas(truth)]
    assert scores[0] > 0.6
    assert scores[0] > scores[1] > scores[2]


def test_noise_is_shared_as_declared(simulated):
    array, truth = simulated
    noise = cube(array) - truth.signal.values
    noise = noise.reshape(-1, noise.shape[2]) / np.sqrt(truth.noise_variance.values)
    loadings = truth.shared_loadings.values
    np.testing.assert_allclose(np.linalg.norm(loadings, axis=1), 1)
    pairs = np.triu_indices(120, 1)
    expected = 0.4 * (loadings @ loadings.T)[pairs]
    found = np.corrcoef(noise.T)[pairs]
    np.testing.assert_allclose(np.polyfit(expected, found, 1), [1, 0], atol=0.1)
    assert (found - expected).std() < 1.5 / np.sqrt(2400)
    array, truth = simulated_images.simulate(**SMALL, repeats=40, shared_fraction=0)
    noise = (cube(array) - truth.signal.values).reshape(2400, -1)
    assert np.abs(np.corrcoef(noise.T)[pairs]).mean() < 1 / np.sqrt(2400)


def test_running_speed_is_slow_and_follows_the_first_factor(simulated):
    array, truth = simulated
    speed = array.running_speed.values
    assert speed.min() == 0
    assert 0.7 < np.corrcoef(speed[1:], speed[:-1])[0, 1] < 0.95
    signal = truth.signal.sel(stimulus=array.stimulus.values).values
    noise = (array.values - signal) / np.sqrt(truth.noise_variance.values)
    weight = np.array([np.corrcoef(noise[:, k], speed)[0, 1] for k in range(120)])
    assert np.corrcoef(weight, truth.shared_loadings.values[:, 0])[0, 1] > 0.95


def test_reliability_and_ceiling_are_those_of_many_simulations(simulated):
    """Over neurons, correlations of halves and with the signal have the expected means."""
    array, truth = simulated
    responses = cube(array)
    first, last = responses[:20].mean(0), responses[20:].mean(0)

    def correlation(x, y):
        return np.array([np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(120)])

    np.testing.assert_allclose((correlation(first, last) - truth.reliability.values).mean(), 0, atol=0.01)
    found = correlation(responses.mean(0), truth.signal.values)
    np.testing.assert_allclose((found - truth.ceiling.values).mean(), 0, atol=0.01)
    ratio = truth.snr.values * 40
    np.testing.assert_allclose(truth.ceiling.values**2, ratio / (1 + ratio))
    assert np.isnan(simulated_images.simulate(**SMALL, repeats=1)[1].reliability.values).all()


def test_the_seed_decides_and_leaves_the_images_alone():
    first, again, other = (simulated_images.simulate(**SMALL | {"seed": seed})[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)
    assert set(first.stimulus.values) == set(other.stimulus.values)
    elsewhere = simulated_images.simulate(**SMALL, image_seed=1)[0]
    assert not set(first.stimulus.values) & set(elsewhere.stimulus.values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neurons": 0}, "neurons is 0"),
        ({"repeats": 1.5}, "repeats is 1.5"),
        ({"images": "many"}, "images is many"),
        ({"seed": -1}, "seed is -1"),
        ({"snr": 0}, "snr is 0"),
        ({"snr": float("nan")}, "snr is nan"),
        ({"step": 1.1}, "step is 1.1"),
        ({"shared_fraction": -0.1}, "shared_fraction is -0.1"),
        ({"exponent": -1}, "exponent is -1"),
        ({"areas": "V1"}, "areas is V1"),
        ({"areas": []}, "areas is"),
        ({"areas": ["V1", "V1"]}, "areas is"),
        ({"components": 20}, "components is 20; 60 images in 3 areas of 40 neurons allow 19"),
        ({"components": True}, "components is True"),
        ({"images": 6}, "6 images in 3 areas"),
        ({"pixels": 2}, "pixels is 2"),
    ],
)
def test_options_out_of_range_are_refused_in_one_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        simulated_images.simulate(**SMALL | change)
    assert "\n" not in str(caught.value)


def test_a_large_recording_takes_seconds_and_little_more_than_itself(monkeypatch):
    # Drawing images is measured by itself: noise stands for them.
    rng = np.random.default_rng(0)
    monkeypatch.setattr(simulated_images, "_complex_cells", lambda shown: rng.standard_normal((1000, 1200)))
    monkeypatch.setattr(dead_leaves, "_drawn", lambda *_: np.zeros((8, 8), dtype=np.uint8))
    tracemalloc.start()
    begin = time.perf_counter()
    array, _ = simulated_images.simulate(
        images=1000, pixels=8, neurons=8000, repeats=4, areas=["V1"], components=100, seed=0
    )
    took, peak = time.perf_counter() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 20
    assert peak < 2.5 * array.nbytes
