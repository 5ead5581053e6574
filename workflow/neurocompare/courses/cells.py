"""Cells of a comparison over time: combinations of groups of values of task variables.

A cell pools values, such as the motion levels −3 and −2, where single values have too few trials. Which values a
group holds may depend on the context, so that a course is given as a list of blocks: each is a product of groups.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.inference.exchange import MINIMUM_GROUPS

MOST_CELLS = 1000


@dataclass(frozen=True)
class Cell:
    """One condition of a course.

    Attributes
    ----------
    groups : dict of str to tuple of str
        For each coordinate, the values that belong to the cell, as text.
    """

    groups: dict[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """Its id, such as ``context=motion,motion_level=+1,color_level=-3/-2``."""
        return ",".join(f"{key}={'/'.join(map(_signed, values))}" for key, values in self.groups.items())


def text(value) -> str:
    """Write a value as text, numbers alike however they are stored.

    Parameters
    ----------
    value : object
        A number, truth value or string.

    Returns
    -------
    str
        ``"-3"`` for −3, −3.0 and ``"-3"``.
    """
    return f"{float(value):.12g}" if isinstance(value, bool | np.bool_ | int | float | np.number) else str(value)


def of_blocks(blocks: Sequence[Mapping[str, object]], name: str) -> list[Cell]:
    """Make the cells of a course.

    Parameters
    ----------
    blocks : sequence of mapping of str to value or list
        For each coordinate one value, or a list of groups, each one value or a list of values. A block is the
        product of its groups; all blocks have the same coordinates.
    name : str
        The id of the course, for error messages.

    Returns
    -------
    list of Cell
        In the order given.

    Raises
    ------
    UserError
        If blocks have different coordinates, cells overlap, or there are too few of them for a null.
    """
    cells = []
    for block in blocks:
        if list(block) != list(blocks[0]):
            raise UserError(
                f"course '{name}': a block of 'cells' has {', '.join(block)}, and another {', '.join(blocks[0])}; give "
                "all the same coordinates, in the same order"
            )
        groups = [[_group(group) for group in (held if isinstance(held, list) else [held])] for held in block.values()]
        cells += [Cell(dict(zip(block, chosen, strict=True))) for chosen in itertools.product(*groups)]
        if len(cells) > MOST_CELLS:
            raise UserError(f"course '{name}': 'cells' are more than {MOST_CELLS}; pool more values in a cell")
    seen: set[tuple] = set()
    for cell in cells:
        for values in itertools.product(*cell.groups.values()):
            if values in seen:
                what = ", ".join(f"{k}={v}" for k, v in zip(cell.groups, values, strict=True))
                raise UserError(f"course '{name}': two of its 'cells' hold {what}; each trial belongs to one")
            seen.add(values)
    if len(cells) < MINIMUM_GROUPS:
        raise UserError(
            f"course '{name}': 'cells' are {len(cells)}; whole conditions are exchanged, and nulls and intervals need "
            f"at least {MINIMUM_GROUPS}"
        )
    return cells


def _group(given) -> tuple[str, ...]:
    return tuple(map(text, given if isinstance(given, list) else [given]))


def _signed(value: str) -> str:
    try:
        return f"{float(value):+g}"
    except ValueError:
        return value


def selected(array: xr.DataArray, where: Mapping[str, object], name: str) -> np.ndarray:
    """Find the presentations that have some values.

    Parameters
    ----------
    array : DataArray
        Responses.
    where : mapping of str to value
        The values, by coordinate.
    name : str
        What error messages call the responses.

    Returns
    -------
    array of bool of shape (n_presentations,)
        True where all values are those.

    Raises
    ------
    UserError
        If there is no such coordinate.
    """
    kept = np.ones(array.sizes["presentation"], dtype=bool)
    for key, value in where.items():
        kept &= column(array, key, name) == text(value)
    return kept


def column(array: xr.DataArray, key: str, name: str) -> np.ndarray:
    """Take a coordinate along ``presentation`` as text.

    Parameters
    ----------
    array : DataArray
        Responses.
    key : str
        The coordinate.
    name : str
        What error messages call the responses.

    Returns
    -------
    array of str of shape (n_presentations,)
        Its values.

    Raises
    ------
    UserError
        If there is no such coordinate.
    """
    if key not in array.coords or array.coords[key].dims != ("presentation",):
        known = ", ".join(str(c) for c in array.coords if array.coords[c].dims == ("presentation",))
        raise UserError(f"{name}: no coordinate '{key}' along presentation (it has {known})")
    return np.array([text(value) for value in array.coords[key].values], dtype=object)


def members(array: xr.DataArray, cells: Sequence[Cell], kept: np.ndarray, name: str) -> list[list[np.ndarray]]:
    """Sort presentations by cell, and by single values within it.

    Parameters
    ----------
    array : DataArray
        Responses.
    cells : sequence of Cell
        The cells.
    kept : array of bool of shape (n_presentations,)
        Which presentations take part.
    name : str
        What error messages call the responses.

    Returns
    -------
    list of list of array of int
        For each cell and each combination of values in it that occurs, the presentations.

    Raises
    ------
    UserError
        If a coordinate is missing.
    """
    columns = [column(array, key, name) for key in cells[0].groups]
    places: dict[tuple, list[int]] = {}
    for place in np.flatnonzero(kept):
        places.setdefault(tuple(values[place] for values in columns), []).append(int(place))
    return [
        [np.array(places[values]) for values in itertools.product(*cell.groups.values()) if values in places]
        for cell in cells
    ]


def means(values: np.ndarray, held: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Average presentations of every cell, combinations of values counting alike.

    Parameters
    ----------
    values : array of shape (n_presentations, ...)
        Responses.
    held : sequence of sequence of array of int
        From `members`; every cell has a presentation.

    Returns
    -------
    array of shape (n_cells, ...)
        Mean over combinations of values of the mean over their presentations.
    """
    return np.stack([np.mean([values[places].mean(0) for places in cell], axis=0) for cell in held])
