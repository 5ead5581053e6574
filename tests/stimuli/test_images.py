import numpy as np
import pytest
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.stimuli import images


def stack(values, **coords):
    values = np.asarray(values, dtype=np.uint8)
    coords = {"stimulus": [f"s{i}" for i in range(len(values))]} | coords
    return xr.DataArray(values, dims=("stimulus", "y", "x", "channel"), coords=coords)


def test_same_size_only_scales_and_moves_the_channels():
    photos = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    found = images.prepare(stack(photos), size=8, mode="rgb", scale=(127, 128))
    assert found.dims == ("stimulus", "channel", "y", "x")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.values, (photos.transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)


@pytest.mark.parametrize("size", [5, 16, 33])
def test_uniform_image_stays_uniform(size):
    found = images.prepare(stack(np.full((1, 16, 16, 3), 191)), size=size, mode="rgb", scale=(127, 128))
    assert found.shape == (1, 3, size, size)
    assert (found == 0.5).all()


def test_bicubic_values_are_those_of_the_kernel():
    """Upsampling a step by two: weights of the cubic kernel with a = -1/2 at distances 0.25, 0.75, 1.25 and 1.75."""
    step = np.zeros((1, 8, 8, 1))
    step[:, :, 4:] = 200

    def kernel(d):
        return 1.5 * d**3 - 2.5 * d**2 + 1 if d < 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2

    found = images.prepare(stack(step), size=16, mode="grey", scale=(0, 1)).values[0, 0]
    # The new pixel i lies at (i + 0.5) / 2 - 0.5 of the old ones; the old pixels 4 and above are 200.
    for i in range(4, 12):
        at = (i + 0.5) / 2 - 0.5
        expected = 200 * sum(kernel(abs(at - j)) for j in range(4, 8) if abs(at - j) < 2)
        assert np.abs(found[:, i] - np.clip(expected, 0, 255)).max() <= 0.5 + 1e-6, i


def test_shrinking_averages_instead_of_picking():
    stripes = np.zeros((1, 64, 64, 1))
    stripes[:, :, ::2] = 254
    found = images.prepare(stack(stripes), size=8, mode="grey", scale=(127, 127))
    assert np.abs(found.values[..., 1:-1]).max() < 0.02


def test_grey_is_repeated_and_colour_is_weighted():
    grey = stack(np.full((1, 4, 4, 1), 60))
    assert (images.prepare(grey, size=4, mode="rgb", scale=(0, 1)) == 60).all()
    assert images.prepare(grey, size=4, mode="rgb", scale=(0, 1)).sizes["channel"] == 3
    assert (images.prepare(grey, size=4, mode="grey", scale=(0, 1)) == 60).all()
    colours = np.zeros((3, 4, 4, 3))
    for channel in range(3):
        colours[channel, ..., channel] = 200
    found = images.prepare(stack(colours), size=4, mode="grey", scale=(0, 200))
    assert found.sizes["channel"] == 1
    np.testing.assert_allclose(found[:, 0, 0, 0], [0.299, 0.587, 0.114], atol=0.5 / 200)


def test_coordinates_of_stimuli_are_kept():
    found = images.prepare(
        stack(np.zeros((2, 4, 4, 1)), orientation=("stimulus", [0.0, 90.0])), size=4, mode="grey", scale=(0, 255)
    )
    assert found.stimulus.values.tolist() == ["s0", "s1"]
    assert found.orientation.values.tolist() == [0.0, 90.0]


def test_what_cannot_be_prepared_is_refused():
    good = stack(np.zeros((1, 4, 4, 3)))
    arguments = {"size": 4, "mode": "rgb", "scale": (0, 255)}
    with pytest.raises(UserError, match="unknown mode 'gray'; did you mean grey"):
        images.prepare(good, **arguments | {"mode": "gray"})
    with pytest.raises(UserError, match="divides by zero"):
        images.prepare(good, **arguments | {"scale": (127, 0)})
    with pytest.raises(UserError, match="'size' is 0"):
        images.prepare(good, **arguments | {"size": 0})
    with pytest.raises(UserError, match="4 by 6 pixels; crop them"):
        images.prepare(stack(np.zeros((1, 4, 6, 3))), **arguments)
    for wrong in (good.astype(float), good.isel(channel=[0, 1]), good.transpose("stimulus", "channel", "y", "x")):
        with pytest.raises(UserError, match=r"expected uint8 \(stimulus, y, x, channel\)"):
            images.prepare(wrong, **arguments)
