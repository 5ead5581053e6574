"""Naturalistic images: dead leaves, discs of all sizes that hide one another, as objects in a scene do.

Opaque discs of a random grey fall on a plane until it is covered (Matheron). With radii between two limits
and a density in proportion to :math:`r^{-3}`, the images share with photographs what early vision depends on:
edges, occlusion, heavy-tailed contrasts, and an amplitude spectrum that falls as a power of frequency, here
about :math:`f^{-1.3}` (Lee, Mumford & Huang 2001, Int J Comput Vis 41:35). The images are drawn from a seed,
so nothing has to be fetched and no licence limits their use.
"""

import math
import zlib

import numpy as np
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.ranges import check_ranges

_LAYERS = 8
"""Mean number of leaves over a point: three points in ten thousand stay bare and show a common grey."""

_FINER = 2
"""Discs are drawn so much finer than the image, then averaged, which smooths their edges."""

_LARGE = 50
"""Leaves that are tried as covers of others, which makes drawing quicker and changes nothing."""


def stimuli(
    files: dict,
    *,
    images: int,
    pixels: int,
    seed: int,
    smallest: float = 0.03,
    largest: float = 0.5,
    darkest: int = 0,
    lightest: int = 255,
) -> xr.DataArray:
    r"""Draw images of dead leaves.

    The grey of two points at a distance :math:`d` correlates as much as they are likely to lie on one leaf,
    :math:`\Gamma(d) / (2\Gamma(0) - \Gamma(d))`, where :math:`\Gamma(d)` is the mean area that a disc has in
    common with itself, shifted by :math:`d`.

    Parameters
    ----------
    files : dict
        Empty: the images need no files.
    images : int
        How many. An image depends on its number, not on how many there are.
    pixels : int
        Side of an image in pixels.
    seed : int
        Seed of the images.
    smallest, largest : float
        Limits of the radii, in units of the side of the image.
    darkest, lightest : int
        Limits of the grey levels of the leaves, which are evenly spread.

    Returns
    -------
    DataArray of shape (n_stimuli, pixels, pixels, 1)
        Uint8 with dims ``(stimulus, y, x, channel)`` and the arguments as attributes. Ids hold a checksum of
        the arguments, so that those of images that differ do too: ``"leaves-5e1b07c2-0012"``.

    Raises
    ------
    UserError
        If an option is out of range.
    """
    check_ranges(
        "dead leaves",
        sizes={"images": images},
        seeds={"seed": seed, "pixels": pixels, "darkest": darkest, "lightest": lightest},
        positive={"smallest": smallest, "largest": largest},
    )
    if pixels < 8:
        raise UserError(f"dead leaves: pixels is {pixels}; give 8 or more")
    if not 0.005 <= smallest < largest <= 2:
        raise UserError(
            f"dead leaves: radii from smallest = {smallest:g} to largest = {largest:g} cannot be drawn;"
            " give rising numbers from 0.005 to 2 sides of the image"
        )
    if not 0 <= darkest < lightest <= 255:
        raise UserError(f"dead leaves: greys from {darkest} to {lightest} are no levels; give rising numbers, 0 to 255")
    definition = {
        "pixels": int(pixels),
        "seed": int(seed),
        "smallest": float(smallest),
        "largest": float(largest),
        "darkest": int(darkest),
        "lightest": int(lightest),
    }
    checksum = zlib.crc32(repr(sorted(definition.items())).encode())
    return xr.DataArray(
        np.stack([_drawn(number, definition) for number in range(images)])[..., None],
        dims=("stimulus", "y", "x", "channel"),
        coords={"stimulus": np.array([f"leaves-{checksum:08x}-{number:04d}" for number in range(images)])},
        attrs=definition,
    )


def _drawn(number: int, definition: dict) -> np.ndarray:
    """One image of shape (pixels, pixels), the leaf that falls last on top."""
    rng = np.random.default_rng([definition["seed"], number])
    side = definition["pixels"] * _FINER
    radius, x, y, level = _leaves(definition, rng)
    canvas = np.full((side, side), _greys(definition, 1, rng)[0], dtype=np.float32)
    # Pixels, counted from their centres, that a disc may reach.
    first_x, first_y = (np.maximum(np.ceil((at - radius) * side - 0.5), 0).astype(int) for at in (x, y))
    last_x, last_y = (np.minimum(np.floor((at + radius) * side - 0.5) + 1, side).astype(int) for at in (x, y))
    centre = (np.arange(side) + 0.5) / side
    discs = (level, x, y, radius**2, first_x, last_x, first_y, last_y)
    for grey, x0, y0, squared, left, right, top, bottom in zip(*(values.tolist() for values in discs), strict=True):
        if left < right and top < bottom:
            inside = (centre[top:bottom, None] - y0) ** 2 + (centre[left:right] - x0) ** 2 <= squared
            np.copyto(canvas[top:bottom, left:right], grey, where=inside)
    fine = canvas.reshape(definition["pixels"], _FINER, definition["pixels"], _FINER)
    return np.rint(fine.mean((1, 3))).astype(np.uint8)


def _leaves(definition: dict, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Radius, centre and level of all leaves that may touch the image, in the order of their fall."""
    low, high = definition["smallest"], definition["largest"]
    # Density of radii 2 r^-3 / (low^-2 - high^-2); the mean area of a disc follows from it.
    norm = low**-2 - high**-2
    area = 2 * math.pi * math.log(high / low) / norm
    extent = 1 + 2 * high
    count = rng.poisson(_LAYERS * extent**2 / area)
    radius = (high**-2 + norm * rng.random(count)) ** -0.5
    x, y = extent * rng.random((2, count)) - high
    level = _greys(definition, count, rng)
    touches = (np.abs(x - 0.5) < 0.5 + radius) & (np.abs(y - 0.5) < 0.5 + radius)
    seen = np.flatnonzero(touches)
    # Most leaves lie wholly under one of the large ones that fall later: they need not be drawn.
    large = seen[np.argsort(-radius[seen], kind="stable")[:_LARGE]]
    reach = np.hypot(x[seen, None] - x[large], y[seen, None] - y[large]) + radius[seen, None]
    seen = seen[~((seen[:, None] < large) & (reach < radius[large])).any(1)]
    return radius[seen], x[seen], y[seen], level[seen]


def _greys(definition: dict, count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(definition["darkest"], definition["lightest"], count, endpoint=True).astype(np.float32)
