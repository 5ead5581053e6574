import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.stimuli import gratings

FULL = {"spatial_frequency": 2.0, "size_degrees": 4.0, "pixels": 64, "aperture_degrees": 8.0}


@pytest.mark.parametrize("angle", [0.0, 22.5, 45.0, 67.5, 90.0, 112.5, 135.0, 157.5])
def test_spectrum_peaks_at_the_frequency_across_the_stripes(angle):
    image = gratings.render([angle], **FULL, edge_degrees=0.0).values[0, ..., 0].astype(float)
    # Padding makes the spectrum fine enough to find the peak to a fraction of a degree.
    power = np.abs(np.fft.fft2(image - image.mean(), (512, 512)))
    row, column = np.unravel_index(power[:, : 512 // 2].argmax(), (512, 256))
    down, right = np.fft.fftfreq(512, 4 / 64)[[row, column]]
    assert np.hypot(down, right) == pytest.approx(2.0, rel=0.02)
    # Stripes run at right angles to the wave; rows count downwards, angles upwards.
    stripes = np.rad2deg(np.arctan2(right, down)) % 180
    assert min(abs(stripes - angle), 180 - abs(stripes - angle)) < 1.5


def test_zero_is_horizontal_and_angles_turn_counter_clockwise():
    horizontal, oblique, vertical = gratings.render([0, 45, 90], **FULL, edge_degrees=0.0).values[..., 0].astype(int)
    assert (np.ptp(horizontal, axis=1) == 0).all()
    assert (np.ptp(vertical, axis=0) == 0).all()
    # Stripes at 45 degrees go up to the right: the level is constant from lower left to upper right.
    assert np.abs(oblique[1:, :-1] - oblique[:-1, 1:]).max() <= 1


def test_contrast_is_michelson_contrast_about_grey():
    for contrast in (0.0, 0.25, 1.0):
        # With 64 pixels and a phase of 180° / 8 the extremes fall on pixels.
        image = gratings.render([90.0], **FULL, contrast=contrast, phase=22.5, edge_degrees=0.0).values.astype(float)
        low, high = image.min(), image.max()
        assert (high - low) / (high + low) == pytest.approx(contrast, abs=0.005)
        assert image.mean() == pytest.approx(127, abs=0.5)


def test_phase_is_that_of_the_centre():
    for phase, sign in [(0.0, 1), (180.0, -1)]:
        image = gratings.render([30.0], **FULL, phase=phase).values[0, ..., 0].astype(float) - 127
        # The centre lies between the middle pixels, an eighth of a cycle or less away.
        assert (sign * image[31:33, 31:33] > 60).all()


def test_phase_moves_the_stripes_against_the_wave():
    # At 90 degrees and a phase of a quarter cycle the level is 127 - 127 sin(2 pi f x), x to the right.
    row = gratings.render([90.0], **FULL, phase=90.0).values[0, 32, :, 0].astype(float)
    x = ((np.arange(64) + 0.5) / 64 - 0.5) * 4
    middle = np.abs(x) < 1
    assert np.abs(row - (127 - 127 * np.sin(2 * np.pi * 2 * x)))[middle].max() <= 0.5 + 1e-9


def test_aperture_is_round_with_a_soft_edge():
    # With 8 pixels to a cycle and a phase of 180° / 8 the extremes fall on pixels.
    definition = {"spatial_frequency": 8.0, "size_degrees": 4.0, "pixels": 256, "phase": 22.5}
    image = gratings.render([0.0], **definition, aperture_degrees=3.0, edge_degrees=0.5).values[0, ..., 0]
    x = ((np.arange(256) + 0.5) / 256 - 0.5) * 4
    radius = np.hypot(x, x[:, None])
    assert (image[radius >= 1.5] == 127).all()
    amplitudes = [np.abs(image[ring].astype(float) - 127).max() for ring in (radius < 1.0, abs(radius - 1.25) < 0.03)]
    assert amplitudes[0] == 127
    assert amplitudes[1] == pytest.approx(127 / 2, rel=0.2)
    touching = gratings.render([0.0], **definition)
    assert touching.attrs["aperture_degrees"] == 4.0
    assert touching.attrs["edge_degrees"] == pytest.approx(0.4)
    assert (touching.values[0, [0, 0, -1, -1], [0, -1, 0, -1]] == 127).all()


def test_ids_and_coordinates_are_those_of_the_stimuli():
    found = gratings.render([12.5, 90, 0], **FULL)
    assert found.dims == ("stimulus", "y", "x", "channel")
    assert found.shape == (3, 64, 64, 1)
    assert found.dtype == np.uint8
    assert found.stimulus.values.tolist() == ["orientation=012.5", "orientation=090.0", "orientation=000.0"]
    assert found.orientation.values.tolist() == [12.5, 90.0, 0.0]
    assert found.orientation.attrs["units"] == "degree"
    # Each image depends on its own orientation only.
    np.testing.assert_array_equal(found.values[1], gratings.render([90], **FULL).values[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orientation_degrees": [180.0]}, "take directions of motion modulo 180"),
        ({"orientation_degrees": [10.0, 10.04]}, "two orientations are the same"),
        ({"contrast": 50}, "contrast is 50"),
        ({"spatial_frequency": 8.0}, "more than two pixels to a cycle"),
        ({"spatial_frequency": 0.0}, "cannot be drawn"),
        ({"edge_degrees": 5.0}, "edge_degrees is 5.0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        gratings.render(**{"orientation_degrees": [0.0]} | FULL | change)
