"""What a recording holds: how many units, presentations and repeats, and what was left out, for which reason."""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.description.rows import row
from neurocompare.errors import unknown

WHOLE_RECORDING = True
"""What is left out is counted for all regions together."""

TAKES_GAPS = True
"""It does not look at values."""

DESCRIPTIONS = {
    "inventory": {
        "summary": "numbers of units, presentations, stimuli and repeats, and of what was excluded, by reason",
        "unit": "1",
        "direction": "higher",
        "needs": [],
    }
}


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], None]:
    """Count what a recording holds and what its loader left out.

    Parameters
    ----------
    array : DataArray
        A representation of either kind.
    description_id : str
        ``"inventory"``.
    seed : int
        Not used; nothing is random.

    Returns
    -------
    rows : list of dict
        ``units`` (of each area, if there are several), ``presentations``, ``blocks``, ``stimuli``, ``repeats``
        (smallest, median and largest number over stimuli) and ``time bins``; of published matrices, ``RDMs`` (of each
        area) and ``stimuli``. Where units have trials of their own, ``repeats`` are those of a unit, ``trials of unit``
        are the smallest, median and largest number over units, and ``pairs of stimulus and unit without trials`` are
        counted. Then one row for each reason of the attribute ``excluded``.
    None
        There is nothing to draw.

    Raises
    ------
    UserError
        If the id is unknown.
    """
    if description_id not in DESCRIPTIONS:
        raise unknown("description", description_id, DESCRIPTIONS)
    published = representation.kind(array) == "rdm"
    counts = _of_matrices(array) if published else _of_responses(array)
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values.astype(str))),
        "n_units": 0 if published else array.sizes["unit"],
        "n_trials": array.sizes["rdm"] if published else representation.most_trials(array),
    }
    counts += [
        (f"{dim if dim.endswith('s') else dim + 's'} excluded", f"reason={_plain(reason)}", number)
        for dim, reasons in sorted(array.attrs["excluded"].items())
        for reason, number in sorted(reasons.items())
    ]
    return [row(quantity, value, condition=condition, **size) for quantity, condition, value in counts], None


def _of_matrices(array: xr.DataArray) -> list[tuple[str, str, float]]:
    return [*_by_area("RDMs", array.coords["area"].values), ("stimuli", "", array.sizes["stimulus"])]


def _of_responses(array: xr.DataArray) -> list[tuple[str, str, float]]:
    if "trials" in array.coords:
        return _of_units(array)
    repeats = np.unique(array.coords["stimulus"].values.astype(str), return_counts=True)[1]
    return [
        *_by_area("units", array.coords["area"].values),
        ("presentations", "", array.sizes["presentation"]),
        ("blocks", "", len(np.unique(array.coords["block"].values))),
        ("stimuli", "", len(repeats)),
        ("repeats", "of=rarest stimulus", repeats.min()),
        ("repeats", "of=median stimulus", np.median(repeats)),
        ("repeats", "of=commonest stimulus", repeats.max()),
        ("time bins", "", array.sizes.get("time", 1)),
    ]


def _of_units(array: xr.DataArray) -> list[tuple[str, str, float]]:
    """Count what units have that were recorded one after another, each with trials of its own."""
    trials = array.coords["trials"].values
    stimuli, index = np.unique(array.coords["stimulus"].values.astype(str), return_inverse=True)
    repeats = np.zeros((len(stimuli), trials.shape[1]), dtype=int)
    np.add.at(repeats, index, trials)
    own = trials.sum(0)
    kinds = {"rarest": np.min, "median": np.median, "commonest": np.max}
    sizes = {"fewest": np.min, "median": np.median, "most": np.max}
    return [
        *_by_area("units", array.coords["area"].values),
        *[("trials of unit", f"of={name}", count(own)) for name, count in sizes.items()],
        ("stimuli", "", len(stimuli)),
        *[("repeats", f"of={name} stimulus and unit", count(repeats)) for name, count in kinds.items()],
        ("pairs of stimulus and unit without trials", "", (repeats == 0).sum()),
        ("time bins", "", array.sizes.get("time", 1)),
    ]


def _by_area(what: str, area: np.ndarray) -> list[tuple[str, str, float]]:
    areas, counts = np.unique(area.astype(str), return_counts=True)
    parts = [(what, f"area={_plain(name)}", int(n)) for name, n in zip(areas, counts, strict=True)]
    return [(what, "", len(area)), *(parts if len(parts) > 1 else [])]


def _plain(text: str) -> str:
    """A reason as it can stand in a condition, whose pairs are parted by semicolons."""
    return str(text).replace(";", ",").replace("\t", " ").replace("\n", " ")
