"""Conditions of presentations: combinations of values of their coordinates."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurocompare.errors import UserError, unknown
from neurocompare.ingestion.presentations import constant_in_blocks


@dataclass(frozen=True, eq=False)
class Conditions:
    """Presentations in the cells of a full table of conditions.

    Attributes
    ----------
    factors : tuple of str
        Coordinates.
    levels : tuple of arrays of str
        Values of each.
    cell : array of int of shape (n_presentations,)
        The cell of each presentation, counted in the order of the levels.
    values : array of shape (n_presentations, n_times, n_units)
        Responses of units that vary; one time if there is no axis of time.
    unit_id : array of str of shape (n_units,)
        Those units.
    time : array of shape (n_times,)
        Seconds; zero if there is no axis of time.
    averaged : bool
        Whether presentations are averages over trials.
    pooled : bool
        Whether units were not recorded together.
    constant : tuple of str
        Factors that never change within a block, so that trials can not be exchanged one by one.
    missing, silent : int
        Numbers of presentations without a value and of units that do not vary, which are left out.
    """

    factors: tuple[str, ...]
    levels: tuple[np.ndarray, ...]
    cell: np.ndarray
    values: np.ndarray
    unit_id: np.ndarray
    time: np.ndarray
    averaged: bool
    pooled: bool
    constant: tuple[str, ...]
    missing: int
    silent: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of levels."""
        return tuple(len(level) for level in self.levels)

    @property
    def counts(self) -> np.ndarray:
        """Numbers of presentations in each cell."""
        return np.bincount(self.cell, minlength=int(np.prod(self.shape)))

    @property
    def repeated(self) -> bool:
        """Whether every cell has two trials or more."""
        return not self.averaged and int(self.counts.min()) >= 2

    @property
    def names(self) -> np.ndarray:
        """What the cells are called."""
        index = np.array(np.unravel_index(np.arange(len(self.counts)), self.shape)).T
        pairs = [zip(self.factors, (v[i] for v, i in zip(self.levels, k, strict=True)), strict=True) for k in index]
        return np.array([", ".join(f"{name}={value}" for name, value in pair) for pair in pairs])


def crossed(array: xr.DataArray, names: str, description_id: str) -> Conditions:
    """Put presentations into the cells of a table.

    Parameters
    ----------
    array : DataArray
        A recording, with or without a time axis.
    names : str
        Coordinates along ``presentation``, joined by ``+``.
    description_id : str
        What messages begin with.

    Returns
    -------
    Conditions
        Without presentations that lack a value (NaN or empty).

    Raises
    ------
    UserError
        If a coordinate is unknown, has one value or is not discrete, a combination of values does not occur, or no
        unit varies.
    """
    factors = tuple(names.split("+"))
    if len(set(factors)) < len(factors) or "" in factors:
        raise UserError(f"{description_id}: name each coordinate once, joined by +; correct it in the study")
    known = [str(n) for n, c in array.coords.items() if c.dims == ("presentation",) and not str(n).startswith("_")]
    for name in factors:
        if name not in known:
            raise unknown(f"presentation coordinate of {description_id}", name, known)
    columns = [array.coords[name].values for name in factors]
    there = np.all([np.isfinite(c) if c.dtype.kind == "f" else c.astype(str) != "" for c in columns], axis=0)
    levels, index = [], []
    for name, column in zip(factors, columns, strict=True):
        found, number = np.unique(column[there], return_inverse=True)
        if len(found) < 2:
            raise UserError(f"{description_id}: coordinate '{name}' has {len(found)} values; 2 are needed")
        levels.append(np.array([f"{v:.12g}" if column.dtype.kind == "f" else str(v) for v in found]))
        index.append(number)
    shape = tuple(len(level) for level in levels)
    averaged, n_cells = "average" in array.attrs, int(np.prod(shape))
    cell = np.ravel_multi_index(index, shape)
    if not averaged and 2 * n_cells > len(cell):
        raise UserError(
            f"{description_id}: coordinates {' and '.join(factors)} have {n_cells} combinations in {len(cell)} "
            "presentations, they are not discrete; choose others or bin them in the loader"
        )
    values = array.values[there].reshape(len(cell), array.sizes.get("time", 1), -1).astype(float)
    varies = np.ptp(values, axis=(0, 1)) > 1e-12 * (1 + np.abs(values).max((0, 1)))
    if not varies.any():
        raise UserError(f"{description_id}: no unit varies; there are no components")
    block = array.coords["block"].values[there]
    lost = array.attrs.get("constant_in_blocks", "").split(",")
    constant = tuple(
        name for name, k in zip(factors, index, strict=True) if name in lost or constant_in_blocks(k, block)
    )
    found = Conditions(
        factors,
        tuple(levels),
        cell,
        values[..., varies],
        array.coords["unit_id"].values[varies].astype(str),
        array.coords["time"].values.astype(float) if "time" in array.dims else np.zeros(1),
        averaged,
        not array.attrs["simultaneous"] and int(varies.sum()) > 1,
        constant,
        int((~there).sum()),
        int((~varies).sum()),
    )
    if found.counts.min() == 0:
        raise UserError(
            f"{description_id}: {(found.counts == 0).sum()} of {n_cells} combinations do not occur, such as "
            f"{found.names[found.counts.argmin()]}; leave one of {', '.join(factors)} out"
        )
    return found
