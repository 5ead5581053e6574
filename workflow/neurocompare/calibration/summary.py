"""From simulated conclusions to tables: how often tests err and intervals cover, and what can be told apart."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import stdtrit

from neurocompare.calibration.outcomes import CLAIMS
from neurocompare.calibration.world import Cell
from neurocompare.inference.twofactor import FEW_ANIMALS

FACTORS = ("stimuli", "animals", "repeats", "snr", "spread")

COLUMNS = [
    "factor",
    "level",
    "cell",
    "measure",
    "statistic",
    "value",
    "monte_carlo_error",
    "low",
    "high",
    "within",
    "n_data_sets",
]
"""Of the table of calibration. ``low`` and ``high`` are what was promised; empty where nothing was."""

POWER_COLUMNS = [
    "stimuli",
    "animals",
    "repeats",
    "snr",
    "spread",
    "measure",
    "claim",
    "score",
    "standard_error",
    "smallest_difference",
    "power_0.02",
    "power_0.05",
    "power_0.1",
    "power_0.2",
    "n_data_sets",
]
"""Of the table of power."""

DIFFERENCES = (0.02, 0.05, 0.1, 0.2)
POWER = 0.8
LEVEL = 0.05

PROMISED = {
    "rejection: unrelated model": (0.035, 0.065),
    "rejection: equal models, new stimuli": (0.0, 0.065),
    "rejection: equal models, new stimuli and animals": (0.0, 0.065),
    "coverage: new stimuli": (0.92, 0.985),
    "coverage: new stimuli and animals": (0.92, 0.99),
}
"""Bounds of what the table calls within. With two to four animals, where results are flagged, less is promised."""

FEW_ANIMALS_PROMISED = {"coverage: new stimuli and animals": (0.90, 1.0)}


def calibration(found: xr.Dataset) -> list[dict]:
    """Summarise one cell.

    Parameters
    ----------
    found : Dataset
        What `neurocompare.calibration.outcomes.outcomes` returned.

    Returns
    -------
    list of dict
        One row for each statistic, without ``factor`` and ``level``.
    """
    cell = Cell.parse(found.attrs["cell"])
    shares: dict[str, np.ndarray] = {}
    p = found["p_value"].values
    if np.isfinite(p).any():
        shares["rejection: unrelated model"] = p <= LEVEL
    ratios: dict[str, np.ndarray] = {}
    worlds = [("new stimuli", found["same"])] if len(found["same"]) else []
    if CLAIMS[1] in found["claim"] and len(found["new"]):
        worlds.append(("new stimuli and animals", found["new"].sel(claim=CLAIMS[1])))
        # What happens where animals are taken for fixed, and the claim is about new ones all the same.
        worlds.append(("new stimuli and animals, animals forgotten", found["new"].sel(claim=CLAIMS[0])))
    for name, outcomes in worlds:
        score, difference = (outcomes.sel(target=target).values for target in ("score", "difference"))
        shares[f"coverage: {name}"] = _covered(score, score[:, 0].mean())
        shares[f"rejection: equal models, {name}"] = ~_covered(difference, 0.0)
        for target, values in (("score", score), ("difference", difference)):
            ratios[f"standard error / deviation of {target}, {name}"] = values
    promised = PROMISED | (FEW_ANIMALS_PROMISED if cell.animals < FEW_ANIMALS else {})
    common = {"cell": cell.name, "measure": found.attrs["measure"]}
    rows = [common | _share(name, hits, promised.get(name)) for name, hits in shares.items()]
    return rows + [common | _ratio(name, values) for name, values in ratios.items()]


def by_factor(rows: list[dict], base: Cell, levels: dict[str, list]) -> list[dict]:
    """Arrange rows by the factor that is varied; those of the base belong to all factors.

    Parameters
    ----------
    rows : list of dict
        From `calibration`, of all cells.
    base : Cell
        The cell around which factors are varied.
    levels : dict of str to list
        Other levels of every factor.

    Returns
    -------
    list of dict
        Rows with ``factor`` and ``level``.
    """
    arranged = []
    for factor in (name for name in FACTORS if name in levels):
        for level in sorted({getattr(base, factor), *levels[factor]}):
            name = varied(base, factor, level).name
            arranged += [{"factor": factor, "level": level} | row for row in rows if row["cell"] == name]
    return arranged


def varied(base: Cell, factor: str, level: float) -> Cell:
    """Return a cell that differs from another in one factor.

    Parameters
    ----------
    base : Cell
        The other.
    factor : str
        The factor.
    level : float
        Its level.

    Returns
    -------
    Cell
        The cell.
    """
    return Cell(**{name: getattr(base, name) for name in FACTORS} | {factor: level})


def power(found: xr.Dataset) -> dict:
    """Tell how large a difference between two models has to be to be found.

    The test is the one of the workflow. Its outcomes for models that differ are those for equal models,
    with the difference added: the spread of a difference is taken to depend little on its size.

    Parameters
    ----------
    found : Dataset
        What `neurocompare.calibration.outcomes.outcomes` returned.

    Returns
    -------
    dict
        A row of the table of power. The claim is about new stimuli and animals, or stimuli for one animal.
    """
    cell = Cell.parse(found.attrs["cell"])
    both = CLAIMS[1] in found["claim"]
    outcomes = found["new"].sel(claim=CLAIMS[1]) if both else found["same"]
    difference, error, degrees = outcomes.sel(target="difference").values.T
    reach = stdtrit(degrees, 1 - LEVEL / 2) * error

    def share(true: float) -> float:
        # Two models have no order: the difference may be found in either direction, and has to be in its own.
        return float(np.mean([difference + true > reach, -difference + true > reach]))

    return {name: getattr(cell, name) for name in FACTORS} | {
        "measure": found.attrs["measure"],
        "claim": CLAIMS[both],
        "score": float(outcomes.sel(target="score", quantity="value").mean()),
        "standard_error": float(difference.std(ddof=1)),
        "smallest_difference": _smallest(share, difference, reach),
        **{f"power_{true:g}": share(true) for true in DIFFERENCES},
        "n_data_sets": len(difference),
    }


def _smallest(share, difference: np.ndarray, reach: np.ndarray) -> float:
    """The difference that is found with 80 % power, by bisection."""
    low, high = 0.0, float(np.max(reach + np.abs(difference)))
    if not np.isfinite(high):
        return np.nan
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) < POWER else (low, middle)
    return high


def _covered(estimates: np.ndarray, truth: float) -> np.ndarray:
    """Whether the interval of each data set holds the truth; one without an interval makes no claim, and errs not."""
    value, error, degrees = estimates.T
    defined = np.isfinite(value) & np.isfinite(error)
    return np.abs(value - truth)[defined] <= (stdtrit(degrees, 1 - LEVEL / 2) * error)[defined]


def _share(name: str, hits: np.ndarray, promised: tuple[float, float] | None) -> dict:
    value = float(np.mean(hits))
    low, high = promised or (np.nan, np.nan)
    return {
        "statistic": name,
        "value": value,
        "monte_carlo_error": float(np.sqrt(max(value * (1 - value), 1 / len(hits) ** 2) / len(hits))),
        "low": low,
        "high": high,
        "within": "" if promised is None else "yes" if low <= value <= high else "no",
        "n_data_sets": len(hits),
    }


def _ratio(name: str, estimates: np.ndarray) -> dict:
    """The standard error that was stated, over the standard deviation that scores had."""
    value, error = estimates[:, 0], estimates[:, 1]
    ratio = float(np.sqrt(np.nanmean(error**2)) / np.nanstd(value, ddof=1))
    return {
        "statistic": name,
        "value": ratio,
        "monte_carlo_error": ratio / np.sqrt(2 * (len(value) - 1)),
        "low": np.nan,
        "high": np.nan,
        "within": "",
        "n_data_sets": len(value),
    }


def tables(found: list[xr.Dataset], base: Cell, levels: dict[str, list]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summarise all cells.

    Parameters
    ----------
    found : list of Dataset
        Outcomes of every cell and measure.
    base : Cell
        The cell around which factors are varied.
    levels : dict of str to list
        Other levels of every factor.

    Returns
    -------
    calibrated : DataFrame
        With the columns `COLUMNS`.
    powers : DataFrame
        With the columns `POWER_COLUMNS`.
    """
    rows = [row for dataset in found for row in calibration(dataset)]
    return (
        pd.DataFrame(by_factor(rows, base, levels), columns=COLUMNS),
        pd.DataFrame([power(dataset) for dataset in found], columns=POWER_COLUMNS),
    )
