"""Dead leaves: the two-point statistics of the model, and that an image is what its id says."""

import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.stimuli import dead_leaves, images

OPTIONS = {"images": 2, "pixels": 64, "seed": 0}


@pytest.fixture(scope="module")
def many():
    return dead_leaves.stimuli({}, images=400, pixels=48, seed=5)


def common_area(radius, distance):
    """Area that a disc has in common with itself, shifted."""
    half = np.clip(distance / (2 * radius), 0, 1)
    return 2 * radius**2 * (np.arccos(half) - half * np.sqrt(1 - half**2))


def same_leaf(distance, smallest, largest):
    """Probability that two points lie on one leaf (Matheron), by integration over the radii."""
    edges = np.geomspace(smallest, largest, 20001)
    radius = np.sqrt(edges[1:] * edges[:-1])
    weight = edges[:-1] ** -2.0 - edges[1:] ** -2.0
    shifted, whole = ((weight * common_area(radius, d)).sum() / weight.sum() for d in (distance, 0.0))
    return shifted / (2 * whole - shifted)


def test_greys_correlate_as_much_as_points_share_a_leaf(many):
    levels = many.values[..., 0].astype(float) - 127.5
    variance = (256**2 - 1) / 12
    for shift in (2, 4, 8, 16):
        across, down = (levels[:, :, shift:] * levels[:, :, :-shift]), (levels[:, shift:] * levels[:, :-shift])
        found = np.array([across.mean((1, 2)), down.mean((1, 2))]).mean(0) / variance
        error = found.std() / np.sqrt(len(found))
        expected = same_leaf(shift / 48, 0.03, 0.5)
        # Pixels average over their area, which matters at short distances only.
        assert abs(found.mean() - expected) < 4 * error + 0.02 / shift, (shift, found.mean(), expected)


def test_levels_are_evenly_spread(many):
    levels = many.values[:, ::12, ::12].ravel()
    assert abs(levels.mean() - 127.5) < 6
    share = np.histogram(levels, bins=8, range=(0, 256))[0] / levels.size
    np.testing.assert_allclose(share, 1 / 8, atol=0.03)


def test_amplitude_falls_with_frequency_as_in_natural_scenes(many):
    window = np.hanning(48)
    levels = (many.values[..., 0].astype(float) - 127.5) * window * window[:, None]
    power = (np.abs(np.fft.fft2(levels)) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(48, 1 / 48), np.fft.fftfreq(48, 1 / 48)))
    rings = np.arange(2, 16)
    mean = [power[np.abs(frequency - ring) < 0.5].mean() for ring in rings]
    slope = np.polyfit(np.log(rings), np.log(mean), 1)[0] / 2
    assert -1.5 < slope < -0.9


def test_there_are_edges_between_even_surfaces(many):
    """Unlike Gaussian noise of the same spectrum, neighbours are often equal, and differences heavy-tailed."""
    step = np.diff(many.values[..., 0].astype(float), axis=2)
    assert (step == 0).mean() > 0.4
    assert (step**4).mean() / (step**2).mean() ** 2 > 6


def test_an_image_depends_on_its_number_and_seed_only():
    few, more = dead_leaves.stimuli({}, **OPTIONS), dead_leaves.stimuli({}, **OPTIONS | {"images": 5})
    np.testing.assert_array_equal(few.values, more.values[:2])
    assert few.stimulus.values.tolist() == more.stimulus.values[:2].tolist()
    assert not np.array_equal(few.values[0], few.values[1])
    assert not np.array_equal(few.values, dead_leaves.stimuli({}, **OPTIONS | {"seed": 1}).values)


@pytest.mark.parametrize("change", [{"seed": 1}, {"pixels": 32}, {"smallest": 0.05}, {"largest": 0.4}, {"darkest": 9}])
def test_images_that_differ_have_other_ids(change):
    ids = (set(dead_leaves.stimuli({}, **options).stimulus.values) for options in (OPTIONS, OPTIONS | change))
    assert not set.intersection(*ids)


def test_skipping_hidden_leaves_changes_nothing(monkeypatch):
    quick = dead_leaves.stimuli({}, **OPTIONS)
    monkeypatch.setattr(dead_leaves, "_LARGE", 0)
    np.testing.assert_array_equal(dead_leaves.stimuli({}, **OPTIONS).values, quick.values)


def test_networks_can_see_them():
    found = dead_leaves.stimuli({}, **OPTIONS)
    assert found.dims == ("stimulus", "y", "x", "channel")
    assert found.dtype == np.uint8
    assert images.prepare(found, size=32, mode="rgb", scale=(127, 128)).shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 0}, "images is 0"),
        ({"pixels": 4}, "pixels is 4"),
        ({"images": 2.5}, "images is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"smallest": 0.6}, "smallest = 0.6"),
        ({"smallest": 0}, "smallest is 0"),
        ({"largest": 3}, "largest = 3"),
        ({"darkest": 200, "lightest": 100}, "from 200 to 100"),
        ({"lightest": 256}, "from 0 to 256"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        dead_leaves.stimuli({}, **OPTIONS | change)
    assert "\n" not in str(caught.value)
