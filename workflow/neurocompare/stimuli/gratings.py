"""Static sinusoidal gratings, drawn from what a paper says about them."""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurocompare.errors import UserError, check_options

# Grey level of the background and, at full contrast, the amplitude: levels then run from 0 to 254.
_GREY = 127


def stimulus_id(orientation_degrees: float) -> str:
    """Return the id of a grating, such as ``"orientation=012.5"``, for an orientation in degrees."""
    return f"orientation={orientation_degrees:05.1f}"


def stimuli(files: dict, *, orientations: int, **options) -> xr.DataArray:
    """Draw gratings at the centres of equal bins of orientation.

    Parameters
    ----------
    files : dict
        Empty: gratings need no files.
    orientations : int
        Number of bins of 180 degrees.
    **options
        For `render`.

    Returns
    -------
    DataArray of shape (n_stimuli, pixels, pixels, 1)
        As `render` returns it.

    Raises
    ------
    UserError
        If an option is unknown or missing, or as in `render`.
    """
    check_options(render, options, "gratings")
    return render((np.arange(orientations) + 0.5) * 180 / orientations, **options)


def render(
    orientation_degrees: Sequence[float],
    *,
    spatial_frequency: float,
    size_degrees: float,
    pixels: int,
    contrast: float = 1.0,
    phase: float = 0.0,
    aperture_degrees: float | None = None,
    edge_degrees: float | None = None,
) -> xr.DataArray:
    r"""Draw one grating for each orientation.

    With :math:`x` to the right and :math:`y` downwards from the centre, in degrees of visual angle, the
    level is :math:`127 + 127\,c\,a(x, y)\cos(2\pi f\,(x\sin\theta + y\cos\theta) + \phi)`: :math:`c` is
    the Michelson contrast and :math:`a` the aperture.

    Parameters
    ----------
    orientation_degrees : sequence of float of length n_stimuli
        Angles of the stripes, counter-clockwise from horizontal: 0 is horizontal, 90 vertical; from 0 to
        below 180.
    spatial_frequency : float
        Cycles per degree of visual angle.
    size_degrees : float
        Side of the image in degrees of visual angle.
    pixels : int
        Side of the image in pixels.
    contrast : float
        Michelson contrast, 0 to 1.
    phase : float
        Phase at the centre in degrees: 0 puts the middle of a bright stripe there.
    aperture_degrees : float, optional
        Diameter of the circle that shows the grating. By default it touches the sides of the image; with
        1.5 × `size_degrees` or more the grating fills the image.
    edge_degrees : float, optional
        Width of the raised-cosine edge, within the circle, over which contrast falls to zero; a tenth of the
        aperture by default, 0 for a sharp edge.

    Returns
    -------
    DataArray of shape (n_stimuli, pixels, pixels, 1)
        Uint8 with dims ``(stimulus, y, x, channel)``, the ids of `stimulus_id`, the coordinate
        ``orientation`` in degrees, and the other arguments as attributes.

    Raises
    ------
    UserError
        If an orientation, the contrast or the edge is out of range, two ids coincide, or the pixels cannot
        carry the frequency.
    """
    orientation = np.atleast_1d(np.asarray(orientation_degrees, dtype=float))
    aperture = size_degrees if aperture_degrees is None else aperture_degrees
    edge = aperture / 10 if edge_degrees is None else edge_degrees
    stimulus = [stimulus_id(angle) for angle in orientation]
    _require_valid(orientation, stimulus, spatial_frequency * size_degrees, pixels, contrast, aperture, edge)
    x = ((np.arange(pixels) + 0.5) / pixels - 0.5) * size_degrees
    theta = np.deg2rad(orientation)[:, None, None]
    along = x * np.sin(theta) + x[:, None] * np.cos(theta)
    wave = np.cos(2 * math.pi * spatial_frequency * along + math.radians(phase))
    levels = _GREY + _GREY * contrast * _aperture(np.hypot(x, x[:, None]), aperture / 2, edge) * wave
    return xr.DataArray(
        np.rint(levels).astype(np.uint8)[..., None],
        dims=("stimulus", "y", "x", "channel"),
        coords={"stimulus": stimulus, "orientation": ("stimulus", orientation, {"units": "degree"})},
        attrs={
            "spatial_frequency": spatial_frequency,
            "size_degrees": size_degrees,
            "contrast": contrast,
            "phase": phase,
            "aperture_degrees": aperture,
            "edge_degrees": edge,
        },
    )


def _aperture(radius: np.ndarray, outer: float, edge: float) -> np.ndarray:
    if edge == 0:
        return (radius <= outer).astype(float)
    return 0.5 - 0.5 * np.cos(math.pi * np.clip((outer - radius) / edge, 0, 1))


def _require_valid(orientation, stimulus, cycles, pixels, contrast, aperture, edge) -> None:
    if not ((orientation >= 0) & (orientation < 180)).all():
        raise UserError("orientations must lie from 0 to below 180 degrees; take directions of motion modulo 180")
    if len(set(stimulus)) < len(stimulus):
        raise UserError("two orientations are the same to a tenth of a degree; list each once")
    if not 0 <= contrast <= 1:
        raise UserError(f"contrast is {contrast}; give the Michelson contrast, 0 to 1")
    if not 0 < 2 * cycles < pixels:
        raise UserError(f"{cycles:g} cycles on {pixels} pixels cannot be drawn; give more than two pixels to a cycle")
    if not 0 <= edge <= aperture / 2:
        raise UserError(f"edge_degrees is {edge}; it lies between 0 and the radius of the aperture, {aperture / 2:g}")
