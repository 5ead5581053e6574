import numpy as np
import pytest
import torch

from neurocompare.errors import UserError
from neurocompare.networks import activations, gabor_bank
from neurocompare.stimuli import gratings, images

FREQUENCIES = (2, 4, 8, 16, 32)
ANGLES = np.arange(8) * 22.5
CENTRE = slice(6, 10)


@pytest.fixture(scope="module")
def bank():
    return activations.open_network("gabor_bank")


def drawn(orientation, cycles, **options):
    """Gratings that fill the image, prepared for the bank."""
    options = {"spatial_frequency": cycles, "size_degrees": 1.0, "pixels": 128, "aperture_degrees": 2.0} | options
    return images.prepare(gratings.render(orientation, **options), size=128, mode="grey", scale=(0, 255))


def energies(bank, inputs):
    """Energies of shape (image, frequency, orientation, row, column)."""
    return activations.features(bank, inputs, "energy", batch=8).reshape(-1, 5, 8, 16, 16)


@pytest.mark.parametrize("cycles", FREQUENCIES)
def test_strongest_filter_has_the_orientation_and_frequency_of_the_grating(bank, cycles):
    response = energies(bank, drawn(ANGLES, cycles))[..., CENTRE, CENTRE].mean(axis=(-2, -1))
    for i in range(8):
        strongest = np.unravel_index(response[i].argmax(), (5, 8))
        assert strongest == (FREQUENCIES.index(cycles), i)


@pytest.mark.parametrize("cycles", FREQUENCIES)
def test_energy_ignores_the_phase_of_a_grating_and_simple_cells_do_not(bank, cycles):
    inputs = np.concatenate([drawn([45.0], cycles, phase=phase).values for phase in range(0, 360, 30)])
    matched = energies(bank, inputs)[:, FREQUENCIES.index(cycles), 2]
    variation = matched.std(axis=0) / matched.mean(axis=0)
    assert variation.max() < 0.05
    assert variation[CENTRE, CENTRE].max() < 0.003
    simple = activations.features(bank, inputs, "simple", batch=8).reshape(-1, 4, 5, 8, 16, 16)
    matched = simple[:, :, FREQUENCIES.index(cycles), 2, CENTRE, CENTRE]
    # A half-wave rectified sinusoid: standard deviation over mean is sqrt(pi² / 4 - 1) = 1.21.
    assert np.allclose(matched.std(axis=0) / matched.mean(axis=0), 1.21, atol=0.1)


def test_tuning_for_frequency_is_gaussian_with_the_stated_bandwidth(bank):
    # One octave at half height reaches from 2/3 to 4/3 of the preferred frequency, 8 cycles per image.
    cycles = 8 * np.array([1 / 2, 2 / 3, 1, 4 / 3, 3 / 2])
    response = np.array([energies(bank, drawn([0.0], c))[0, 2, 0, CENTRE, CENTRE].mean() for c in cycles])
    expected = 0.5 ** (9 * (cycles / 8 - 1) ** 2)
    np.testing.assert_allclose(response / response[2], expected, atol=0.02)


def test_uniform_image_gives_zero_even_at_the_border(bank):
    uniform = np.full((1, 1, 128, 128), 0.7, dtype=np.float32)
    scale = energies(bank, drawn([0.0], 8)).max()
    for layer in bank.layers:
        assert np.abs(activations.features(bank, uniform, layer, batch=1)).max() < 1e-5 * scale


def test_responses_follow_contrast_whatever_the_mean(bank):
    pattern = np.random.default_rng(0).uniform(-0.2, 0.2, (1, 1, 128, 128)).astype(np.float32)
    weak, strong = (bank.run(mean + gain * pattern) for mean, gain in [(0.3, 1), (0.5, 2)])
    for layer in bank.layers:
        np.testing.assert_allclose(strong[layer], 2 * weak[layer], atol=1e-4)


def test_filters_are_balanced_and_of_unit_norm_at_every_position():
    options = {"size": 24, "orientations": 3, "frequencies": (2, 5), "grid": 4}
    bank = activations.open_network("gabor_bank", options=options)
    # The responses to single pixels are the filters themselves.
    pixels = np.eye(24 * 24, dtype=np.float32).reshape(-1, 1, 24, 24)
    simple = activations.features(bank, pixels, "simple", batch=64).reshape(24 * 24, 4, -1)
    even, odd = simple[:, 0] - simple[:, 1], simple[:, 2] - simple[:, 3]
    for filters in (even, odd):
        assert filters.shape == (576, 3 * 2 * 16)
        np.testing.assert_allclose(np.linalg.norm(filters, axis=0), 1, atol=1e-5)
        assert np.abs(filters.sum(axis=0)).max() < 1e-5
    energy = activations.features(bank, pixels, "energy", batch=64)
    np.testing.assert_allclose(energy, np.hypot(even, odd), atol=1e-6)


def test_simple_cells_come_in_opposite_pairs_and_never_below_zero(bank):
    image = np.random.default_rng(1).uniform(0, 1, (2, 1, 128, 128)).astype(np.float32)
    simple = bank.run(image, ["simple"])["simple"].reshape(2, 4, -1)
    assert simple.min() == 0
    assert (simple[:, 0] * simple[:, 1]).max() == 0
    assert (simple[:, 2] * simple[:, 3]).max() == 0
    assert (simple > 0).mean() == pytest.approx(0.5, abs=0.01)


def test_response_moves_with_the_pattern(bank):
    blob = np.zeros((2, 1, 128, 128), dtype=np.float32)
    blob[0, 0, 40:44, 72:76] = 1
    blob[1, 0, 40:44, 80:84] = 1  # one step of the grid, 8 pixels, to the right
    response = energies(bank, blob)[:, 2:]  # the lowest frequencies reach the border
    np.testing.assert_allclose(response[1, ..., 3:8, 7:13], response[0, ..., 3:8, 6:12], atol=1e-3 * response.max())


def test_frequency_beyond_the_pixels_is_refused():
    with pytest.raises(UserError, match=r"between 0 and 16 cycles per image"):
        gabor_bank.build(size=32, frequencies=(4, 16))


def test_bank_has_nothing_to_save_or_to_train():
    bank = gabor_bank.build()
    assert not gabor_bank.HAS_WEIGHTS
    assert bank.state_dict() == {}
    assert all(tensor.dtype in (torch.float32, torch.complex64) for tensor in bank.buffers())
