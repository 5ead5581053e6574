"""Rates of the units of Boucher et al. 2023: the structure ``M`` of ``Figure4_5_7data.mat``, streamed.

MATLAB's ``M.rt.FR`` (reaction time bin × choice × unit × time) and ``M.coherence.FR`` (coherence × choice × unit ×
time) are HDF5 datasets with these dimensions reversed. Units come in the order of ``OlafISI.mat`` (monkey O), then
``TibsISI.mat`` (monkey T); column 3 of their ``allISI`` is the fraction of intervals that are too short.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import hdf5, inputs, rasters
from neurocompare.ingestion.selection import Selection, excluded

FILE = "Figure4_5_7data.mat"
UNITS_FILES = {"O": "OlafISI.mat", "T": "TibsISI.mat"}
COHERENCES = np.abs(2 * np.array([11, 45, 67, 78, 90, 101, 108]) - 225) / 225 * 100
"""In %, in the order of the file, from the easiest on."""
RT_BINS = tuple(range(1, 12))
"""The bins of the reaction time that the paper shows."""
CHOICES = ("left", "right")

_SHORT = 0.015
"""Fraction of short intervals of a single unit in the paper."""


def read(
    files: Mapping[str, Path], about: dict[str, object], *, by: str, window, bin_width, rt_bins, single_units
) -> xr.DataArray:
    """Read rates; see `boucher2023.ingest` for the options.

    Parameters
    ----------
    files : mapping of str to Path
        `FILE` and `UNITS_FILES`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    by : {"rt", "coherence"}
        What the trials are sorted by.
    window, bin_width, rt_bins, single_units
        As of `boucher2023.ingest`.

    Returns
    -------
    DataArray of shape (n_conditions, [n_times,] n_units)
        Mean rates in spikes/s, without the units that have no trial of a condition.

    Raises
    ------
    UserError
        If a file is missing, unreadable or another one, or if an option is out of its range.
    """
    if by not in ("rt", "coherence"):
        raise unknown("value of by", str(by), ["rt", "coherence"])
    animal, short = _units(files)
    path = inputs.given(files, FILE)
    with hdf5.opened(path) as file:
        rates = hdf5.dataset(file, f"M/{by}/FR", ndim=4)
        time = np.asarray(hdf5.dataset(file, f"M/{by}/tS")).ravel()
        n_samples, n_units, n_choices, n_levels = rates.shape
        if n_samples != time.size or n_choices != 2 or n_units != len(animal):
            raise UserError(
                f"{path}: 'M/{by}/FR' {rates.shape} is not time × unit × choice × condition with {time.size} times "
                f"and {len(animal)} units; take all files from one deposit"
            )
        levels, coordinates = _levels(file, by, n_levels, rt_bins)
        step = round(float(time[1] - time[0]), 6)
        cut = rasters.bins(window, bin_width, start=round(float(time[0]), 6), step=step, n_samples=time.size, name=FILE)
        values = _streamed(rates, cut, levels)
        ids = _ids(file, f"M/{by}/NeuronIds", n_units)
    units = Selection(n_units).drop(~np.isfinite(values).all(axis=(0, 1)), "no trial of a condition")
    if single_units:
        units.drop(short > _SHORT, "more than 1.5 % short intervals")
    kept = units.index(f"units of {path}")
    choice = np.repeat(CHOICES, len(levels))
    zeros = np.zeros(2 * len(levels), dtype=int)
    names = [f"{by}={name}" for name in coordinates.pop("name")]
    return representation.responses(
        values[..., kept] if cut.time is not None else values[:, 0, kept],
        presentation={name: np.tile(column, 2) for name, column in coordinates.items()}
        | {
            "stimulus": np.array([f"{n}-choice={c}" for n, c in zip(2 * names, choice, strict=True)]),
            "repeat": zeros,
            "block": zeros,
            "choice": choice,
        },
        unit={
            "unit_id": ids[kept],
            "area": np.full(len(kept), "PMd"),
            "animal": animal[kept],
            "session": np.array([f"monkey {a}" for a in animal])[kept],
            "short_intervals": short[kept],
        },
        time=cut.time,
        attributes=about
        | {
            "response": "firing rate",
            "window": cut.window,
            "phases": {"before the checkerboard": -0.6, "checkerboard": 0.0},
            "smoothing": "Gaussian, sd 30 ms, by the authors",
            "average": "trials of a condition",
            "exchangeable": "stimulus",
            "simultaneous": False,
            "excluded": excluded(unit=units),
        },
    )


def _units(files) -> tuple[np.ndarray, np.ndarray]:
    """Read the monkey of each unit, and its fraction of short intervals."""
    animals, fractions = [], []
    for animal, name in UNITS_FILES.items():
        path = inputs.given(files, name)
        (table,) = inputs.mat(path, "allISI")
        if table.ndim != 2 or table.shape[1] < 3:
            raise UserError(f"{path}: 'allISI' {table.shape} is not unit × 5; this is another file")
        animals += [animal] * len(table)
        fractions.append(table[:, 2])
    return np.array(animals), np.concatenate(fractions)


def _levels(file, by: str, n_levels: int, rt_bins) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return which conditions to read, from 0, and their coordinates."""
    if by == "coherence":
        if n_levels != len(COHERENCES):
            raise UserError(
                f"{file.filename}: 'M/coherence/FR' has {n_levels} coherences, not {len(COHERENCES)}; another file"
            )
        name = np.array([f"{c:04.1f}" for c in COHERENCES])
        return np.arange(n_levels), {"name": name, "coherence": COHERENCES}
    wanted = np.array(RT_BINS if rt_bins is None else rt_bins, dtype=int)
    if not wanted.size or wanted.min() < 1 or wanted.max() > n_levels or len(set(wanted.tolist())) != wanted.size:
        raise UserError(f"{FILE}: rt_bins is {wanted.tolist()}; give different whole numbers from 1 to {n_levels}")
    limits = np.asarray(hdf5.dataset(file, "M/rt/RTlims", ndim=2)).astype(float)
    limits = limits if limits.shape[1] == 2 else limits.T
    if limits.shape != (n_levels, 2):
        raise UserError(f"{file.filename}: 'M/rt/RTlims' {limits.shape} is not 2 × {n_levels}; another file")
    low, high = limits[wanted - 1].T / 1000
    name = np.array([f"{a:.3f}..{b:.3f}" for a, b in zip(low, high, strict=True)])
    return wanted - 1, {"name": name, "rt_bin": wanted, "rt_min": low, "rt_max": high}


def _streamed(rates, cut: rasters.Bins, levels: np.ndarray) -> np.ndarray:
    """Average a dataset over bins of time; conditions of the first choice come first."""
    _, n_units, n_choices, _ = rates.shape
    values = np.empty((n_choices * len(levels), cut.count, n_units), dtype=np.float32)
    for b in range(cut.count):
        first = cut.first + b * cut.size
        total = sum(part.sum(axis=0, dtype=float) for _, part in hdf5.slabs(rates, first, first + cut.size))
        values[:, b] = (total[:, :, levels] / cut.size).transpose(1, 2, 0).reshape(len(values), n_units)
    return values


def _ids(file, name: str, n_units: int) -> np.ndarray:
    """Name units by the file's numbers or texts, or by their place where it has none that are unique."""
    data = hdf5.dataset(file, name) if isinstance(file.get(name), hdf5.h5py.Dataset) else None
    ids = None if data is None else hdf5.texts(data)
    if data is not None and ids is None and data.ndim == 2 and n_units in data.shape and data.dtype.kind in "fiu":
        table = np.asarray(data)
        table = table if len(table) == n_units else table.T
        ids = ["-".join(f"{value:g}" for value in row) for row in table]
    if ids is None or len(set(ids)) != n_units:
        ids = [f"unit-{i:03d}" for i in range(n_units)]
    return np.array(ids)
