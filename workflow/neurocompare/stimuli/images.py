"""Prepare images for networks.

What is done to an image belongs to a network's identity: the arguments of `prepare` come from the
network's definition as they stand.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from PIL import Image

from neurocompare.errors import UserError, unknown

_MODES = {"rgb": "RGB", "grey": "L"}


def prepare(images: xr.DataArray, *, size: int, mode: str, scale: Sequence[float]) -> xr.DataArray:
    """Convert colours, resize and scale images.

    Parameters
    ----------
    images : DataArray of shape (n_stimuli, height, width, channels)
        Square uint8 images with dims ``(stimulus, y, x, channel)`` and one (grey) or three (RGB) channels.
    size : int
        Pixels on a side afterwards, by Pillow's bicubic resampling, which smooths when it shrinks.
    mode : {"rgb", "grey"}
        Grey images are repeated for RGB; RGB images turn grey as 0.299 R + 0.587 G + 0.114 B (ITU-R 601).
    scale : (float, float)
        Mean and divisor: values become (value − mean) / divisor. ``(127, 128)`` suits EfficientNet-Lite,
        ``(0, 255)`` gives [0, 1].

    Returns
    -------
    DataArray of shape (n_stimuli, channels, size, size)
        Float32 with dims ``(stimulus, channel, y, x)``, and the coordinates along ``stimulus`` of `images`.

    Raises
    ------
    UserError
        If the images are of another kind or are not square, or an argument makes no sense.
    """
    if mode not in _MODES:
        raise unknown("mode", mode, _MODES)
    if images.dims != ("stimulus", "y", "x", "channel") or images.dtype != np.uint8 or images.shape[3] not in (1, 3):
        raise UserError(
            f"images are {images.dtype} with dims {images.dims} and shape {images.shape}; "
            "expected uint8 (stimulus, y, x, channel) with 1 or 3 channels"
        )
    if images.shape[1] != images.shape[2]:
        raise UserError(f"images are {images.shape[1]} by {images.shape[2]} pixels; crop them to squares in the loader")
    if size < 1:
        raise UserError(f"'size' is {size}; give the pixels on a side")
    mean, divisor = (float(number) for number in scale)
    if divisor == 0:
        raise UserError("'scale' divides by zero; give (mean, divisor), such as (127, 128)")
    resized = np.stack([_resized(image, size, mode) for image in images.values])
    values = (resized.astype(np.float32) - np.float32(mean)) / np.float32(divisor)
    stimulus_coords = {name: coord for name, coord in images.coords.items() if coord.dims == ("stimulus",)}
    return xr.DataArray(
        np.ascontiguousarray(values.transpose(0, 3, 1, 2)),
        dims=("stimulus", "channel", "y", "x"),
        coords=stimulus_coords,
    )


def _resized(image: np.ndarray, size: int, mode: str) -> np.ndarray:
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert(_MODES[mode])
    pixels = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    return pixels.reshape(size, size, -1)
