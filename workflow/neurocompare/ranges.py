"""Ranges of numbers that a user gives."""

import math

from neurocompare.errors import UserError

_RANGES = {
    "sizes": (int, 1, "a whole number, 1 or more"),
    "seeds": (int, 0, "a whole number, 0 or more"),
    "fractions": (float, 0, "a fraction, 0 to 1"),
    "positive": (float, math.nextafter(0, 1), "a number above 0"),
    "magnitudes": (float, 0, "a number, 0 or more"),
}


def check_ranges(what: str, **kinds: dict[str, object]) -> None:
    """Refuse options that are no numbers or are out of range.

    Parameters
    ----------
    what : str
        What the options belong to, such as ``"simulated images"``.
    **kinds : dict of str to object
        Values by option, for each kind: ``sizes``, ``seeds``, ``fractions``, ``positive``, ``magnitudes``.

    Raises
    ------
    UserError
        Naming the first option that is wrong, and what it should be.

    Examples
    --------
    >>> check_ranges("simulation", sizes={"neurons": 20}, fractions={"silent": 0.5})
    >>> check_ranges("simulation", sizes={"neurons": 0})
    Traceback (most recent call last):
    neurocompare.errors.UserError: simulation: neurons is 0; use a whole number, 1 or more
    """
    for kind, options in kinds.items():
        number, low, wanted = _RANGES[kind]
        high = 1 if kind == "fractions" else math.inf
        for name, value in options.items():
            known = isinstance(value, int if number is int else int | float) and not isinstance(value, bool)
            if not known or not math.isfinite(value) or not low <= value <= high:
                raise UserError(f"{what}: {name} is {value}; use {wanted}")
