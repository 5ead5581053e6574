"""Linear regression of every unit on the variables of a task (Mante, Sussillo et al. 2013, Nature 503:78).

The response of a unit, z-scored over all trials and times, is at each time b_1 x_1 + … + b_q x_q + b_0. A variable
with two values is coded −1 and +1, any other is divided by its largest absolute value. What a unit's t statistic
could be by chance is learnt from shuffles of the trials, the same for all units and times. A variable that never
changes within a block, such as a context, is shuffled among whole blocks, because responses drift from block to block.
In a pseudo-population, which has lost its blocks, it has no null (status ``constant_in_blocks``).
"""

import numpy as np
import xarray as xr

from neurocompare.description.classification import labelled
from neurocompare.description.rows import may_permute_trials, options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval
from neurocompare.ingestion.presentations import constant_in_blocks, majority_in_blocks

DESCRIPTIONS = {
    "regression-on=<variable>+<variable>+…": {
        "summary": "fraction of units with a significant coefficient of each task variable, and its size and time",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses"],
    }
}
"""The pattern of ids; variables are coordinates along ``presentation``."""

PERMUTATIONS = 500
BOOTSTRAPS = 1000
ALPHA = 0.05


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe how units depend on task variables.

    Each unit is a regression of its own, so units need not have been recorded together.

    Parameters
    ----------
    array : DataArray
        A recording of single trials, with or without a time axis. Presentations where a variable is missing (NaN or
        empty) are left out; ``n_trials`` says how many remain.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the permutations and the bootstrap.

    Returns
    -------
    rows : list of dict
        For each variable: ``fraction of significant units``, whose largest |t| over time exceeds 95 % of shuffles,
        with the null of the fraction and an interval over units; ``largest coefficient``, the median over units of
        the largest |b| over time, with its null; and, with a time axis, ``time of largest coefficient`` in s, where
        the root mean square of b over units peaks. Units that never vary are left out; ``n_units`` counts the rest.
    details : Dataset
        ``coefficient`` (variable, time, unit), ``p_value`` (variable, unit), ``time`` in s.

    Raises
    ------
    UserError
        If the id is no such pattern, a variable is missing, no number or a combination of the others, or there are
        too few trials.
    """
    names = options_of(description_id, {"on": ()})["on"].split("+")
    require_needs(array, description_id, ["responses"])
    if len(set(names)) < len(names) or "" in names:
        raise UserError(
            f"description '{description_id}': name each variable once, joined by +; correct it in the study"
        )
    if "average" in array.attrs:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    for name in names:
        array, _ = labelled(array, name, description_id)
    design = design_matrix(array, names, description_id)
    values, kept = _z_scored(array)
    n, n_times, n_units = values.shape
    if n_units == 0:
        raise UserError(f"{description_id}: no unit varies over trials; nothing depends on a variable")
    coefficient, statistic = regressed(design, values.reshape(n, -1))
    shape = (len(names), n_times, n_units)
    coefficient, largest = coefficient.reshape(shape), np.abs(statistic).reshape(shape).max(1)
    peak = np.abs(coefficient).max(1)
    rng = np.random.default_rng([seed, 5])
    permutations = PERMUTATIONS * may_permute_trials(array)
    drawn, drawn_peak = _shuffled(design, array.coords["block"].values, values, shape, rng, permutations)
    p_value = (1 + (drawn >= largest - 1e-12).sum(0)) / (len(drawn) + 1) if len(drawn) else np.full(peak.shape, np.nan)
    size = {"n_stimuli": len(np.unique(array.coords["stimulus"].values)), "n_units": n_units, "n_trials": n}
    lost = [name in array.attrs.get("constant_in_blocks", "").split(",") for name in names]
    p_value[lost] = np.nan
    rows = []
    for k, name in enumerate(names):
        tested = f"variable={name};times={n_times};alpha={ALPHA:g}"
        if lost[k]:
            missing = {"condition": tested, "status": "constant_in_blocks"}
            rows.append(row("fraction of significant units", np.nan, **missing, **size))
        elif len(drawn):
            significant = p_value[k] <= ALPHA
            null = (_ranks(drawn[:, k]) <= ALPHA).mean(1)
            ci = interval(significant[rng.integers(n_units, size=(BOOTSTRAPS, n_units))].mean(1))
            rows.append(
                row("fraction of significant units", significant.mean(), condition=tested, null=null, ci=ci, **size)
            )
        else:
            rows.append(row("fraction of significant units", np.nan, condition=tested, **size))
        null = np.median(drawn_peak[:, k], axis=1) if len(drawn) and not lost[k] else None
        named = f"variable={name};times={n_times}"
        ci = interval(np.median(peak[k][rng.integers(n_units, size=(BOOTSTRAPS, n_units))], axis=1))
        rows.append(row("largest coefficient", np.median(peak[k]), condition=named, null=null, ci=ci, **size))
        if "time" in array.dims:
            when = array.coords["time"].values[np.sqrt((coefficient[k] ** 2).mean(1)).argmax()]
            rows.append(row("time of largest coefficient", when, unit="s", condition=named, **size))
    details = xr.Dataset(
        {"coefficient": (("variable", "time", "unit"), coefficient), "p_value": (("variable", "unit"), p_value)},
        coords={"variable": names, "unit": array.coords["unit_id"].values[kept]}
        | ({"time": array.coords["time"].values} if "time" in array.dims else {}),
    )
    return rows, details


def design_matrix(array: xr.DataArray, names: list[str], description_id: str) -> np.ndarray:
    """Return the regressors, each between −1 and 1, and a constant.

    Parameters
    ----------
    array : DataArray
        A recording.
    names : list of str
        Coordinates along ``presentation``.
    description_id : str
        What error messages start with.

    Returns
    -------
    array of shape (n_presentations, n_variables + 1)
        The last column is one.

    Raises
    ------
    UserError
        If a variable has several values that are no numbers, variables depend on each other, or there are too few
        trials.
    """
    columns = []
    for name in names:
        values = array.coords[name].values
        levels, index = np.unique(values, return_inverse=True)
        if len(levels) == 2:
            columns.append(2.0 * index - 1)
        elif values.dtype.kind in "fiu":
            columns.append(values / np.abs(values).max())
        else:
            raise UserError(f"{description_id}: coordinate '{name}' has {len(levels)} values that are no numbers")
    design = np.column_stack([*columns, np.ones(array.sizes["presentation"])])
    if len(design) < design.shape[1] + 2:
        raise UserError(f"{description_id}: {len(design)} trials are too few for {len(names)} variables")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise UserError(
            f"{description_id}: {', '.join(names)} are not independent of each other in this recording; drop one"
        )
    return design


def regressed(design: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Regress many responses on the same design by least squares.

    Parameters
    ----------
    design : array of shape (n, q + 1)
        Regressors, the last one constant.
    values : array of shape (n, m)
        Responses.

    Returns
    -------
    coefficient, statistic : arrays of shape (q, m)
        Coefficients and their t statistics, without those of the constant.
    """
    n, q = design.shape
    # A shuffle may make columns alike; the pseudo-inverse then shares their effect.
    inverse = np.linalg.pinv(design.T @ design, hermitian=True)
    coefficient = inverse @ (design.T @ values)
    residual = (values**2).sum(0) - (coefficient * (design.T @ values)).sum(0)
    error = np.sqrt(np.outer(np.diag(inverse), np.maximum(residual, 0) / (n - q)))
    # A response that is constant at a time, or fitted exactly, has no spread: no effect, or an infinite one.
    floor = 1e-9 * np.sqrt(np.outer(np.diag(inverse), 1 + (values**2).mean(0)))
    return coefficient[:-1], (coefficient / np.maximum(error, floor))[:-1]


def _z_scored(array: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Responses (trial, time, unit) z-scored over trials and times, of the units that vary; which those are."""
    values = array.values.reshape(array.sizes["presentation"], array.sizes.get("time", 1), -1).astype(float)
    deviation = values.std((0, 1))
    kept = np.flatnonzero(np.ptp(values, axis=(0, 1)) > 1e-12 * (1 + np.abs(values).max((0, 1))))
    return (values[..., kept] - values[..., kept].mean((0, 1))) / deviation[kept], kept


def _shuffled(design, block, values, shape, rng, permutations) -> tuple[np.ndarray, np.ndarray]:
    """Largest |t| and largest |b| over time (permutation, variable, unit) after shuffling trials, or blocks."""
    flat = values.reshape(len(values), -1)
    blocks, first, index = np.unique(block, return_index=True, return_inverse=True)
    constant = [k for k in range(shape[0]) if constant_in_blocks(design[:, k], block)]
    majority = {k: majority_in_blocks(design[:, k], block) for k in constant}
    drawn = np.empty((2, permutations, shape[0], shape[2]))
    for i in range(permutations):
        # Shuffling the rows of the design is shuffling the trials of all responses alike.
        drawn[:, i] = _largest(design[rng.permutation(len(design))], flat, shape)
        order = rng.permutation(len(blocks))
        for k in constant:
            moved = design.copy()
            moved[:, k] = majority[k][first[order][index]]
            drawn[:, i, k] = _largest(moved, flat, shape)[:, k]
    return drawn[0], drawn[1]


def _largest(design, flat, shape) -> np.ndarray:
    coefficient, statistic = regressed(design, flat)
    return np.abs(np.stack([statistic, coefficient])).reshape(2, *shape).max(2)


def _ranks(drawn: np.ndarray) -> np.ndarray:
    """p-values of each permutation among all of them (permutation, unit)."""
    order = np.argsort(np.argsort(-drawn, axis=0, kind="stable"), axis=0, kind="stable")
    return (1 + order) / len(drawn)
