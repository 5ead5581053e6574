"""Mouse V1 under natural images, two-photon imaging (Antolík et al. 2016).

Three regions of layer 2/3 in two animals. The files that are used here hold the responses to 50 images that
were shown ten times. A value is the activity inferred from the fluorescence by deconvolution: not negative,
zero in half of the trials, in arbitrary units (they are not counts of spikes).

Assumption: the files name the repeats but not the times. The ten repeats are taken to be ten passes through
the whole set of images, so a repeat is a stretch of time and ``block`` equals ``repeat``.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import inputs

TRIALS_FILE = "raw_validation_set.npy"
MEANS_FILE = "validation_set.npy"
IMAGES_FILE = "validation_inputs.npy"
REGIONS = ("region1", "region2", "region3")

# The images are stored as grey levels of 8 bits times this.
_GREY = 1e-6


def ingest(files: Mapping[str, Path], *, about: dict[str, object], region: str = "region1") -> xr.DataArray:
    """Read the single-trial responses to the repeated images of one region.

    Parameters
    ----------
    files : mapping of str to Path
        `TRIALS_FILE`, an array of shape (n_repeats, n_images, n_units), and `MEANS_FILE`, its mean over the
        repeats, with which the order of the axes is checked.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    region : str
        The region that the files are of; it names the units and the session.

    Returns
    -------
    DataArray of shape (n_repeats * n_images, n_units)
        Inferred spikes in arbitrary units, all images of the first repeat first.

    Raises
    ------
    UserError
        If a file is missing, unreadable or not consistent with the other, or if the region does not exist.
    """
    if region not in REGIONS:
        raise unknown("region", region, REGIONS)
    path, means_path = inputs.given(files, TRIALS_FILE), inputs.given(files, MEANS_FILE)
    trials, means = inputs.npy(path), inputs.npy(means_path)
    if trials.ndim != 3 or trials.shape[1:] != means.shape:
        raise UserError(
            f"{path}: shape {trials.shape} is not repeats × images × units with the {means.shape} of {means_path}; "
            "take both files from the same region"
        )
    inputs.require_finite(trials, path, "responses")
    if not np.allclose(trials.mean(axis=0), means):
        raise UserError(f"{path}: its mean over repeats is not {means_path}; take both files from the same region")
    n_repeats, n_images, n_units = trials.shape
    repeat = np.repeat(np.arange(n_repeats), n_images)
    return representation.responses(
        trials.reshape(n_repeats * n_images, n_units),
        presentation={"stimulus": np.tile(_ids(n_images), n_repeats), "repeat": repeat, "block": repeat},
        unit={
            "unit_id": np.array([f"{region}-{i:03d}" for i in range(n_units)]),
            "area": np.full(n_units, "V1"),
            "animal": np.full(n_units, f"{region} mouse"),
            "session": np.full(n_units, region),
        },
        attributes=about
        | {
            "response": "inferred spikes",
            "exchangeable": "stimulus",
            "simultaneous": True,
        },
    )


def stimuli(files: Mapping[str, Path]) -> xr.DataArray:
    """Read the repeated images.

    Parameters
    ----------
    files : mapping of str to Path
        `IMAGES_FILE`, an array of shape (n_images, n_pixels) with square images.

    Returns
    -------
    DataArray of shape (n_images, 31, 31, 1)
        uint8 grey levels, dims (stimulus, y, x, channel), in the order of the responses.

    Raises
    ------
    UserError
        If the file is missing or unreadable, or does not hold square images of 8 bits.
    """
    path = inputs.given(files, IMAGES_FILE)
    flat = inputs.npy(path) / _GREY
    side = math.isqrt(flat.shape[-1]) if flat.ndim == 2 else 0
    grey = np.round(flat)
    if side == 0 or side**2 != flat.shape[1] or np.abs(flat - grey).max() > 1e-3 or grey.min() < 0 or grey.max() > 255:
        raise UserError(f"{path}: does not hold square images of 8 bits, stored times {_GREY:g}; this is another file")
    images = grey.astype(np.uint8).reshape(len(flat), side, side, 1)
    coords = {"stimulus": _ids(len(flat))}
    return xr.DataArray(images, dims=("stimulus", "y", "x", "channel"), coords=coords)


def _ids(n_images: int) -> np.ndarray:
    return np.array([f"image-{i:02d}" for i in range(n_images)])
