"""Mouse V1 under 2,800 natural images, ten thousand neurons at once (Stringer et al. 2019, Nature 571:361).

Thirty-two recordings: natural images (``natimg2800``), the same whitened, reduced to eight or four dimensions, or seen
through a window, each shown twice; 32 natural images (``natimg32``) and 32 directions of gratings (``ori32``), each
shown 96 times. A value is the deconvolved activity of a neuron, averaged over two bins, one per presentation.

Nothing is scaled unless it is asked for: `spontaneous` and `components` are the paper's own steps, with statistics
of the activity without stimuli. Centring over stimuli belongs to the measures.

Assumption: where the file gives directions of gratings, they are in radians if none is above 2π, else in degrees.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.sparse.linalg import LinearOperator, svds

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import inputs, presentations
from neurocompare.ingestion.selection import Selection, excluded

N_IMAGES = {
    "natimg2800": 2800,
    "natimg2800_white": 2800,
    "natimg2800_8D": 2800,
    "natimg2800_4D": 2800,
    "natimg2800_small": 2800,
    "natimg32": 32,
    "ori32": 32,
}
"""Stimuli of each set; the number after the last one stands for the grey screen, whether it was shown or not."""

HEIGHT, WIDTH = 68, 270
"""Degrees of visual angle, and pixels, of an image over the three screens."""

CROPS = {"left": 11, "middle": 101, "right": 191}
"""First degree of a square as high as the image, around the middle of each screen."""

_NAME = re.compile(r"(natimg2800(?:_(?:white|8D|4D|small))?|natimg32|ori32)_(M\d+_MP\d+)_(\d{4}-\d\d-\d\d)\.mat")
_CHUNK = 256


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    spontaneous: bool = False,
    components: int = 0,
    red_cells: str = "drop",
    missing: str = "drop",
    blanks: str = "drop",
    repeats: int = 2,
) -> xr.DataArray:
    """Read the responses of one recording.

    Parameters
    ----------
    files : mapping of str to Path
        One file ``<stimulus set>_<mouse>_<date>.mat``; files of images are not needed.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    spontaneous : bool
        Subtract the mean of the activity without stimuli of each neuron and divide by its standard deviation.
    components : int
        Leading principal components of the activity without stimuli to remove, with `spontaneous` only; the paper
        takes 32.
    red_cells : str
        Inhibitory neurons, marked in some files: ``drop`` (they are counted; reading the marks is slow) or ``keep``.
    missing : str
        Neurons without a value in some presentations: ``drop`` (they are counted) or ``zero`` (the values become 0
        before all scaling, as in the paper; the attribute ``values_set_to_zero`` counts them).
    blanks : str
        Presentations of the grey screen: ``drop`` (they are counted) or ``keep`` (as stimulus ``blank``).
    repeats : int
        Images shown less often are left out, and counted.

    Returns
    -------
    DataArray of shape (n_presentations, n_neurons)
        In the order of time, with inferred spikes in arbitrary units; of gratings also ``direction`` and
        ``orientation`` in degrees (their period is 360). Along ``unit`` also ``x``, ``y`` and ``depth`` in um.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if an option does not fit.
    """
    for name, value, known in [
        ("red_cells", red_cells, ("drop", "keep")),
        ("missing", missing, ("drop", "zero")),
        ("blanks", blanks, ("drop", "keep")),
    ]:
        if value not in known:
            raise UserError(f"stringer2019: option '{name}' is {value!r}; use one of {', '.join(known)}")
    whole = isinstance(components, int) and isinstance(repeats, int)
    if not whole or components < 0 or repeats < 1 or (components and not spontaneous):
        raise UserError(
            f"stringer2019: components is {components!r}, repeats {repeats!r}; give whole numbers, from 0 and from 1, "
            "and 'spontaneous: true' with components"
        )
    path, stimulus_set, animal, session = _named(files)
    stim, med, red = _loaded(path, red_cells)
    responses, shown = stim.resp, np.asarray(stim.istim).ravel()
    n_images = N_IMAGES[stimulus_set]
    _require_consistent(path, responses, shown, med, red, n_images)

    index = shown.astype(int) - 1
    rows = _presentations(responses, index, n_images, blanks, repeats)
    kept_rows = rows.index(f"presentations of {path.name}")
    centre, deviation = _scale(path, stim, responses.shape[1]) if spontaneous else (None, None)
    lost = _lost(responses, kept_rows)
    units = Selection(responses.shape[1])
    if red is not None:
        units.drop(red, "red cell")
    if missing == "drop":
        units.drop(lost > 0, "NaN or infinite response")
    units.drop(_constant(responses, kept_rows), "constant response")
    if spontaneous:
        units.drop(~(np.isfinite(centre) & (deviation > 0)), "no spontaneous activity to scale with")
    kept = units.index(f"neurons of {path.name}")
    axes = _axes(path, stim.spont, kept, centre, deviation, components) if components else None
    stim.spont = None  # as large as the responses, and no longer needed
    values = _values(responses, kept_rows, kept, centre, deviation)
    if axes is not None:
        _remove(values, axes)
    index = index[kept_rows]
    n = len(kept)
    conditions, period = _gratings(path, stim, kept_rows, shown) if stimulus_set == "ori32" else ({}, {})
    del responses, stim
    return representation.responses(
        values,
        presentation={
            "stimulus": _ids(n_images)[index],
            "repeat": presentations.repeats(index),
            "block": presentations.stretches(len(index)),
        }
        | conditions,
        unit={
            "unit_id": np.array([f"{animal}-{session}-{i:05d}" for i in kept]),
            "area": np.full(n, "V1"),
            "animal": np.full(n, animal),
            "session": np.full(n, session),
        }
        | dict(zip(("x", "y", "depth"), np.asarray(med, dtype=float)[kept].T, strict=True)),
        attributes=about
        | {
            "response": "inferred spikes",
            "exchangeable": "stimulus",
            "simultaneous": True,
            "stimulus_set": stimulus_set,
            "blanks": blanks,
            "normalisation": "z-score by spontaneous activity" if spontaneous else "none",
            "spontaneous_components_removed": components,
            "red_cells": red_cells if red_cells == "keep" or red is not None else "not marked in this file",
            "values_set_to_zero": int(lost[kept].sum()),
            "excluded": excluded(unit=units, presentation=rows),
        }
        | period,
    )


def stimuli(files: Mapping[str, Path], *, crop: str | int = "middle") -> xr.DataArray:
    """Read the images, cut to squares.

    The images cover three screens. Receptive fields of most recordings lie on the middle one; of the others, the
    study says where.

    Parameters
    ----------
    files : mapping of str to Path
        One file ``images_….mat``; recordings are not needed.
    crop : str or int
        Which square of 68 by 68 degrees: one of `CROPS`, or its first degree from the left, 0 to 202.

    Returns
    -------
    DataArray of shape (n_images, 68, 68, 1)
        uint8 grey levels, one pixel per degree, with the attribute ``crop_degrees``.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or the square does not lie in the image.
    """
    names = [name for name in files if name.startswith("images_")]
    if len(names) != 1:
        raise UserError(
            f"stringer2019: one file images_….mat is needed, the catalogue lists {', '.join(files) or 'none'}"
        )
    path = inputs.given(files, names[0])
    if isinstance(crop, str) and crop not in CROPS:
        raise unknown("crop", crop, CROPS)
    first = CROPS[crop] if isinstance(crop, str) else crop
    if not isinstance(first, int) or isinstance(first, bool) or not 0 <= first <= WIDTH - HEIGHT:
        raise UserError(f"{path.name}: crop is {crop!r}; give one of {', '.join(CROPS)}, or 0 to {WIDTH - HEIGHT}")
    (pictures,) = inputs.mat(path, "imgs")
    if pictures.ndim != 3 or pictures.shape[:2] != (HEIGHT, WIDTH):
        raise UserError(f"{path}: 'imgs' is {pictures.shape}, not {HEIGHT} × {WIDTH} × images; this is another file")
    cut = pictures[:, first : first + HEIGHT].transpose(2, 0, 1)
    if cut.dtype != np.uint8:
        if not np.isfinite(cut).all() or cut.min() < -0.5 or cut.max() >= 255.5:
            raise UserError(f"{path}: 'imgs' holds no grey levels from 0 to 255; this is another file")
        cut = np.rint(cut).clip(0, 255).astype(np.uint8)
    return xr.DataArray(
        np.ascontiguousarray(cut)[..., None],
        dims=("stimulus", "y", "x", "channel"),
        coords={"stimulus": _ids(len(cut))[:-1]},
        attrs={"crop_degrees": f"{first} to {first + HEIGHT} of {WIDTH}"},
    )


def _named(files) -> tuple[Path, str, str, str]:
    names = [name for name in files if _NAME.fullmatch(name)]
    if len(names) != 1:
        raise UserError(
            f"stringer2019: one file <{'|'.join(N_IMAGES)}>_<mouse>_<date>.mat is needed, the catalogue lists "
            f"{', '.join(files) or 'none'}"
        )
    return inputs.given(files, names[0]), *_NAME.fullmatch(names[0]).groups()


def _loaded(path, red_cells):
    """Read what is needed: with the statistics of every cell, a file takes far longer."""
    if red_cells == "keep":
        (stim, med), stat = inputs.mat(path, "stim", "med"), []
    else:
        stim, med, stat = inputs.mat(path, "stim", "med", "stat")
    inputs.fields(stim, "resp", "istim", path=path)
    stat = np.atleast_1d(stat)
    if not len(stat) or not hasattr(stat[0], "redcell"):
        return stim, np.atleast_2d(med), None
    return stim, np.atleast_2d(med), np.array([np.any(cell.redcell) for cell in stat])


def _require_consistent(path, responses, shown, med, red, n_images) -> None:
    n = responses.shape[1] if responses.ndim == 2 else 0
    if len(shown) != len(responses) or med.shape != (n, 3) or (red is not None and len(red) != n):
        raise UserError(
            f"{path}: 'stim.resp' {responses.shape}, 'stim.istim' {shown.shape}, 'med' {med.shape} and 'stat' don't "
            "fit together; this is another file"
        )
    if shown.min() < 1 or shown.max() > n_images + 1 or np.any(shown % 1):
        raise UserError(
            f"{path}: 'stim.istim' runs from {shown.min():g} to {shown.max():g}; 1 to {n_images} and {n_images + 1} "
            "for the grey screen are needed"
        )


def _presentations(responses, index, n_images, blanks, repeats) -> Selection:
    blank = index == n_images
    rows = Selection(len(index))
    if blanks == "drop":
        rows.drop(blank, "blank")
    rows.drop([not np.isfinite(row).any() for row in responses], "no response")
    counts = np.bincount(index[rows.kept], minlength=n_images + 1)
    # The grey screen is no image that has to be shown twice.
    return rows.drop((counts[index] < repeats) & ~blank, f"image shown fewer than {repeats} times")


def _chunks(n: int):
    return (slice(start, start + _CHUNK) for start in range(0, n, _CHUNK))


def _lost(responses, rows) -> np.ndarray:
    """Count the missing values of each neuron."""
    return sum((~np.isfinite(responses[rows[chunk]])).sum(axis=0) for chunk in _chunks(len(rows)))


def _constant(responses, rows) -> np.ndarray:
    first = np.nan_to_num(responses[rows[0]])
    varies = np.zeros(len(first), dtype=bool)
    for chunk in _chunks(len(rows)):
        varies |= (np.nan_to_num(responses[rows[chunk]]) != first).any(axis=0)
    return ~varies


def _scale(path, stim, n) -> tuple[np.ndarray, np.ndarray]:
    spont = np.atleast_2d(getattr(stim, "spont", np.empty((0, 0))))
    if spont.shape[1] != n or len(spont) < 2:
        raise UserError(f"{path}: 'stim.spont' is {spont.shape}, not times × {n} neurons; set 'spontaneous: false'")
    chunks = list(_chunks(n))
    return tuple(
        np.concatenate([getattr(np, statistic)(spont[:, chunk], axis=0, dtype=float) for chunk in chunks])
        for statistic in ("mean", "std")
    )


def _values(responses, rows, kept, centre, deviation) -> np.ndarray:
    values = np.empty((len(rows), len(kept)), dtype=np.float32)
    for chunk in _chunks(len(rows)):
        part = responses[rows[chunk]][:, kept].astype(float)
        part[~np.isfinite(part)] = 0
        values[chunk] = part if centre is None else (part - centre[kept]) / deviation[kept]
    return values


def _axes(path, spont, kept, centre, deviation, components) -> np.ndarray:
    """Return the leading principal components (unit, component) of the scaled activity without stimuli.

    Neither the scaled activity nor its covariance is ever made: each would be as large as the file.
    """
    if components >= min(len(spont), len(kept)):
        raise UserError(
            f"{path}: components is {components}; 'stim.spont' has {len(spont)} times for {len(kept)} neurons"
        )
    # Neurons that are left out have the weight zero, and may hold NaN. Masks of all of it would be as large again.
    for chunk in _chunks(len(spont)):
        np.nan_to_num(spont[chunk], copy=False)
    weight = np.zeros(spont.shape[1])
    weight[kept] = 1 / deviation[kept]
    mean = np.nan_to_num(centre)
    # A product with vectors of another precision would make a copy of all of it each time.
    precision = spont.dtype if spont.dtype.kind == "f" else np.dtype(float)

    def along_time(v):
        v = weight * v.ravel()
        return spont @ v.astype(precision) - mean @ v

    def along_units(v):
        v = v.ravel()
        return weight * (v.astype(precision) @ spont - mean * v.sum())

    scaled = LinearOperator(spont.shape, matvec=along_time, rmatvec=along_units, dtype=float)
    start = np.random.default_rng(0).standard_normal(min(spont.shape))
    tolerance = 0 if precision.itemsize == 8 else 1e-5
    return svds(scaled, k=components, v0=start, tol=tolerance)[2][:, kept].T


def _remove(values, axes) -> None:
    for chunk in _chunks(len(values)):
        values[chunk] -= (values[chunk] @ axes) @ axes.T


def _gratings(path, stim, rows, shown) -> tuple[dict, dict]:
    """Return the directions of gratings; those of the grey screen are NaN."""
    if not hasattr(stim, "ori"):
        raise UserError(f"{path}: 'stim.ori' is missing; the directions of the gratings are needed")
    direction = np.asarray(stim.ori, dtype=float).ravel()
    if len(direction) in (N_IMAGES["ori32"], N_IMAGES["ori32"] + 1) and len(direction) != len(shown):
        direction = np.append(direction, np.nan)[shown.astype(int) - 1]
    if len(direction) != len(shown):
        raise UserError(f"{path}: 'stim.ori' has {len(direction)} directions for {len(shown)} presentations")
    direction = np.where(shown > N_IMAGES["ori32"], np.nan, direction)
    if np.nanmax(direction) <= 2 * np.pi + 1e-6:
        direction = np.rad2deg(direction)
    direction = direction[rows] % 360
    return {"direction": direction, "orientation": direction}, {"orientation_period": 360.0}


def _ids(n_images: int) -> np.ndarray:
    return np.array([f"image-{i:04d}" for i in range(n_images)] + ["blank"])
