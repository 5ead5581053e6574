"""Conditions on the columns of a table, in the words of the catalogue: ``{quality: good, snr: {min: 2}}``."""

from collections.abc import Callable, Mapping

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.ingestion.selection import Selection

# In a column of text, the absence of text; "none" may be a value.
_NO_TEXT = {"", "null", "nan"}


def missing(values: np.ndarray) -> np.ndarray:
    """Return where a column has no value: NaN, or text such as ``null``; array of bool of shape (n,)."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "U":
        return np.isin(np.char.lower(np.char.strip(values)), list(_NO_TEXT))
    return np.zeros(len(values), dtype=bool)


def label(value: object, digits: int = 6) -> str:
    """Return a value as it appears in names and messages: whole numbers in full, others with so many digits."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def labels(values: np.ndarray) -> np.ndarray:
    """Return the values of a column as they appear in names of stimuli.

    Parameters
    ----------
    values : array of shape (n,)
        The column.

    Returns
    -------
    array of str of shape (n,)
        As of `label`, but with as many digits, the same for the whole column, as keep numbers apart that differ in the
        first twelve digits; what differs later is the noise of a calculation.
    """
    if values.dtype.kind != "f":
        return np.array([label(value) for value in values], dtype=str)
    different, index = np.unique(values, return_inverse=True)
    for digits in range(6, 13):
        names = np.array([label(value, digits) for value in different], dtype=str)
        if len(np.unique(names)) == len(different):
            break
    return names[index]


def equal(values: np.ndarray, wanted: object, where: str) -> np.ndarray:
    """Compare a column with one value from the catalogue.

    Parameters
    ----------
    values : array of shape (n,)
        The column.
    wanted : object
        Text, number or boolean; None stands for a missing value.
    where : str
        What messages call the column.

    Returns
    -------
    array of bool of shape (n,)
        True where they are equal. Numbers are compared to six digits, as files may have fewer than the catalogue.

    Raises
    ------
    UserError
        If a column of numbers is compared with something else.
    """
    if wanted is None:
        return missing(values)
    if values.dtype.kind == "U":
        return values == (wanted if isinstance(wanted, str) else label(wanted))
    try:
        return np.isclose(values.astype(float), float(wanted), rtol=1e-6, atol=0)
    except (TypeError, ValueError):
        raise UserError(f"{where} holds numbers, which '{wanted}' is not; give a number") from None


def keep(selection: Selection, conditions: object, read: Callable, where: str) -> None:
    """Leave out what does not meet conditions on columns; each condition counts what it leaves out.

    Parameters
    ----------
    selection : Selection
        What has been kept so far; changed in place.
    conditions : mapping of str to object
        By column: a value, a list of values, or a mapping with ``min``, ``max`` (both inclusive) and ``not``
        (a value or a list of them).
    read : callable
        Returns the values of a column, given its name.
    where : str
        What messages call the option, such as ``"file.nwb: option 'units'"``.

    Raises
    ------
    UserError
        If a condition is not of these kinds, or nothing in the whole column meets it.
    """
    if not isinstance(conditions, Mapping):
        raise UserError(f"{where} is {conditions!r}; give a mapping from columns to conditions")
    for name, condition in conditions.items():
        values, column = read(name), f"{where}, column '{name}'"
        for reason, passes in _clauses(name, values, condition, column):
            if not passes.any():
                raise UserError(f"{column}: nothing is left with {_shown(condition)}; it holds {_content(values)}")
            selection.drop(~passes, reason)


def meets(conditions: object, read: Callable, n: int, where: str) -> np.ndarray:
    """Return which of `n` elements meet all conditions, as of `keep`; array of bool of shape (n,)."""
    chosen = Selection(n)
    keep(chosen, conditions, read, where)
    return chosen.kept


def _clauses(name, values, condition, where):
    if not isinstance(condition, Mapping):
        yield _among(name, values, condition, where)
        return
    if odd := set(condition) - {"min", "max", "not"}:
        raise UserError(f"{where}: {unknown('condition', sorted(odd)[0], ('min', 'max', 'not'))}")
    if "not" in condition:
        _, hit = _among(name, values, condition["not"], where)
        yield f"{name} is {_shown(condition['not'])}", ~hit
    for bound, outside in (("min", "below"), ("max", "above")):
        if bound not in condition:
            continue
        limit = condition[bound]
        odd = isinstance(limit, bool) or not isinstance(limit, int | float) or np.isnan(limit)
        if values.dtype.kind not in "fiu" or odd:
            raise UserError(f"{where}: '{bound}' needs a number, in a column of numbers; it is {limit!r}")
        yield f"no {name}", ~missing(values)
        # NaN is neither; it has been counted.
        yield f"{name} {outside} {limit:g}", ~(values < limit if bound == "min" else values > limit)


def _among(name, values, wanted, where):
    options = wanted if isinstance(wanted, list | tuple) else [wanted]
    if any(isinstance(option, list | tuple | Mapping) for option in options) or not options:
        raise UserError(f"{where}: {wanted!r} is no condition; give a value, a list of values, or min, max and not")
    hit = np.logical_or.reduce([equal(values, option, where) for option in options])
    return f"{name} is not {_shown(wanted)}", hit


def _shown(condition: object) -> str:
    if condition is None:
        return "missing"
    if isinstance(condition, list | tuple):
        return " or ".join(map(_shown, condition))
    if isinstance(condition, Mapping):
        return ", ".join(f"{key} {_shown(value)}" for key, value in condition.items())
    return label(condition)


def _content(values: np.ndarray) -> str:
    there = values[~missing(values)]
    different = np.unique(there)
    if not len(different):
        return "no values"
    if len(different) > 12 and values.dtype.kind in "fiu":
        return f"numbers from {label(different[0])} to {label(different[-1])}"
    more = f" and {len(different) - 12} more" if len(different) > 12 else ""
    return ", ".join(label(value) for value in different[:12]) + more
