"""What all descriptions share: the requirements they check and the rows they return.

A description of one recording is a list of rows of the tidy table and, where there is something to
draw, a dataset. These descriptions have no noise ceiling: ``ceiling_low`` and ``ceiling_high`` are NaN, and
the status of a row that lacks nothing else is ``no_ceiling``.
"""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import parse
from neurocompare.inference.resampling import interval
from neurocompare.inference.trials import repeated

BOOTSTRAPS = 1000
PERMUTATIONS = 1000

_COORDINATES = {"repeats": "repeat", "blocks": "block", "orientation": "orientation"}


def row(
    quantity: str,
    value: float,
    *,
    n_stimuli: int,
    n_units: int,
    n_trials: int,
    unit: str = "1",
    condition: str = "",
    null: np.ndarray | None = None,
    better: str = "higher",
    ci: tuple[float, float] = (np.nan, np.nan),
    status: str | None = None,
) -> dict[str, object]:
    """Build one row of the tidy table.

    Parameters
    ----------
    quantity : str
        What was measured.
    value : float
        Its value.
    n_stimuli, n_units, n_trials : int
        What it rests on.
    unit : str
        Its physical unit.
    condition : str
        ``key=value`` pairs joined by semicolons.
    null : array of shape (n_permutations,), optional
        Values under the null.
    better : {"higher", "lower"}
        Which values count as more extreme than the null.
    ci : tuple of two floats
        The 95 % interval.
    status : str, optional
        Why something is missing; by default ``undefined`` (no value), or all that apply of ``no_null``,
        ``no_interval`` and ``no_ceiling``, joined by semicolons.

    Returns
    -------
    dict
        The row; ``p_value`` is (1 + count) / (N + 1), one-sided.
    """
    value, low, high = float(value), float(ci[0]), float(ci[1])
    mean = top = p = np.nan
    count = 0
    if null is not None and np.isfinite(value) and np.isfinite(null).all():
        count = len(null)
        sign = 1 if better == "higher" else -1
        mean, top = float(np.mean(null)), float(np.quantile(null, 0.95))
        p = (1 + int((sign * null >= sign * value - 1e-12).sum())) / (len(null) + 1)
    if status is None:
        missing = [word for word, number in (("no_null", mean), ("no_interval", low)) if np.isnan(number)]
        status = "undefined" if np.isnan(value) else ";".join([*missing, "no_ceiling"])
    return {
        "quantity": quantity,
        "condition": condition,
        "value": value,
        "unit": unit,
        "ceiling_low": np.nan,
        "ceiling_high": np.nan,
        "null_mean": mean,
        "null_high": top,
        "ci_low": low,
        "ci_high": high,
        "p_value": p,
        "n_null": count,
        "n_stimuli": int(n_stimuli),
        "n_units": int(n_units),
        "n_trials": int(n_trials),
        "status": status,
    }


def require(array: xr.DataArray, description_id: str, catalogue: dict[str, dict]) -> dict[str, str]:
    """Check that a description exists and that a recording has what it needs.

    Parameters
    ----------
    array : DataArray
        The recording.
    description_id : str
        The id of the description.
    catalogue : dict
        The ``DESCRIPTIONS`` of a module.

    Returns
    -------
    dict of str to str
        The options in the id.

    Raises
    ------
    UserError
        If the id is unknown, or the recording lacks something; the message names both.
    """
    if description_id not in catalogue:
        raise unknown("description", description_id, catalogue)
    require_needs(array, description_id, catalogue[description_id]["needs"])
    return parse(description_id)[1]


def options_of(description_id: str, choices: dict[str, tuple[str, ...]], optional: tuple[str, ...] = ()) -> dict:
    """Read the options of an id that is one of a family, such as one for every coordinate of a recording.

    Parameters
    ----------
    description_id : str
        The id of the description.
    choices : dict of str to tuple of str
        The options in the order of the id, each with its possible values; none given: any value.
    optional : tuple of str
        Options that may be left out.

    Returns
    -------
    dict of str to str
        The options in the id.

    Raises
    ------
    UserError
        If options are missing, unknown or in another order, or a value does not exist.
    """
    word, options = parse(description_id)
    expected = [name for name in choices if name in options or name not in optional]
    if list(options) != expected:
        pattern = "-".join(f"{name}=…" if name not in optional else f"[{name}=…]" for name in choices)
        raise UserError(f"description '{description_id}' must read {word}-{pattern}; correct it in the study")
    for name, value in options.items():
        if choices[name] and value not in choices[name]:
            raise unknown(f"{name} of description '{description_id}'", value, choices[name])
    return options


def require_needs(array: xr.DataArray, description_id: str, needs: Iterable[str]) -> None:
    """Check that a recording has what a description needs.

    Parameters
    ----------
    array : DataArray
        The recording.
    description_id : str
        The id of the description.
    needs : iterable of str
        ``responses``, ``repeats``, ``blocks``, ``orientation``, ``simultaneous``.

    Raises
    ------
    UserError
        If the recording lacks something; the message names both.
    """
    if representation.kind(array) != "responses":
        raise UserError(f"{description_id} needs responses; this recording is a matrix of dissimilarities")
    for need in needs:
        coordinate = _COORDINATES.get(need)
        if coordinate and coordinate not in array.coords:
            raise UserError(f"{description_id} needs {need}; the recording has no coordinate '{coordinate}'")
    if "orientation" in needs:
        values = array.coords["orientation"].values.astype(float)
        if not np.isfinite(values).all():
            raise UserError(
                f"{description_id}: coordinate 'orientation' is NaN in {(~np.isfinite(values)).sum()} presentations;"
                " drop blanks first"
            )
    if "simultaneous" in needs and not array.attrs["simultaneous"]:
        raise UserError(f"{description_id} needs units recorded together; this recording declares simultaneous=false")
    if "repeats" in needs and not repeated(array):
        raise UserError(f"{description_id} needs at least 2 repeats of each stimulus; some stimuli were shown once")


def matrix(array: xr.DataArray) -> np.ndarray:
    """Return one number per presentation and unit.

    Parameters
    ----------
    array : DataArray
        A recording, with or without a time axis.

    Returns
    -------
    array of shape (n_presentations, n_units)
        Over time, spike counts are summed and everything else is averaged.
    """
    if "time" in array.dims:
        array = array.sum("time") if array.attrs["response"] == "spike count" else array.mean("time")
    return array.values.astype(float)


def by_repeat(array: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Sort presentations into a balanced block of stimuli × repeats.

    Parameters
    ----------
    array : DataArray
        A recording with repeats.

    Returns
    -------
    stimuli : array of str of shape (n_stimuli,)
        Sorted stimulus ids.
    cube : array of shape (n_stimuli, n_repeats, n_units)
        In the order of the coordinate ``repeat``. Stimuli that were shown more often than the others
        lose their last repeats, because halves of unequal size are not comparable.
    """
    stimuli, index, counts = np.unique(
        array.coords["stimulus"].values.astype(str), return_inverse=True, return_counts=True
    )
    order = np.lexsort((array.coords["repeat"].values, index))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    chosen = order[starts[:, None] + np.arange(counts.min())]
    return stimuli, matrix(array)[chosen]


def halves(n_repeats: int, draws: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw random halves of the repeats, of equal size.

    Parameters
    ----------
    n_repeats : int
        Number of repeats; of an odd number, another one is left out in each draw.
    draws : int
        Number of draws.
    rng : Generator
        The source of randomness.

    Returns
    -------
    list of tuples of two arrays of shape (n_repeats // 2,)
        Indices of the repeats in each half.
    """
    size = n_repeats // 2
    shuffles = (rng.permutation(n_repeats) for _ in range(draws))
    return [(order[:size], order[size : 2 * size]) for order in shuffles]


def may_permute_stimuli(array: xr.DataArray) -> bool:
    """Return whether the labels of whole stimuli may be permuted under the null."""
    return array.attrs["exchangeable"] in ("stimulus", "condition")


def may_permute_trials(array: xr.DataArray) -> bool:
    """Return whether the labels of single presentations may be permuted under the null."""
    return array.attrs["exchangeable"] == "stimulus"


def bootstrap_mean(values: np.ndarray, rng: np.random.Generator, bootstraps: int = BOOTSTRAPS) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean over stimuli.

    Parameters
    ----------
    values : array of shape (n_stimuli,)
        One value per stimulus.
    rng : Generator
        The source of randomness.
    bootstraps : int
        Number of resamples.

    Returns
    -------
    low, high : float
        The interval.
    """
    draws = values[rng.integers(len(values), size=(bootstraps, len(values)))].mean(1)
    low, high = interval(draws)
    return float(low), float(high)


def standard_interval(value: float, draws: np.ndarray, n: int) -> tuple[float, float]:
    """Return an interval of 1.96 bootstrap standard errors around a value.

    For statistics that fall when a resample holds fewer distinct stimuli, such as a correlation of sparse
    units; percentiles would be shifted by that.

    Parameters
    ----------
    value : float
        The value.
    draws : array of shape (n_draws,)
        Its bootstrap draws.
    n : int
        How many things were resampled; corrects the variance by n / (n - 1).

    Returns
    -------
    low, high : float
        The interval.
    """
    error = 1.96 * float(np.std(draws)) * np.sqrt(n / (n - 1))
    return value - error, value + error


def median(values: Iterable[float]) -> float:
    """Return the median of the defined values, NaN if there is none."""
    values = np.asarray(list(values), dtype=float)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else np.nan
