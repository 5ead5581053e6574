"""The one exception for what a user can put right."""

import difflib
import inspect
from collections.abc import Callable, Iterable


class UserError(Exception):
    """A mistake in the input, told in one line: which file, which field, and the way out."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Build the error for a name that does not exist, with the near ones.

    Parameters
    ----------
    kind : str
        What the name stands for, such as ``"layer"``.
    name : str
        The name that was asked for.
    known : iterable of str
        The names that exist.

    Returns
    -------
    UserError
        To be raised by the caller.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return UserError(f"unknown {kind} '{name}'; {hint}")


def check_options(function: Callable, options: Iterable[str], what: str) -> None:
    """Refuse options that a function does not take, or lacks, before it is called.

    Parameters
    ----------
    function : callable
        Takes its options as keywords.
    options : iterable of str
        The names of the options that were given.
    what : str
        What the options belong to, such as ``"recording 'antolik2016'"``.

    Raises
    ------
    UserError
        Naming the first option that is unknown, with the near ones, or missing.
    """
    parameters = inspect.signature(function).parameters.values()
    known = {p.name: p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for option in options:
        if option not in known and not open_ended:
            raise unknown(f"option of {what}", option, known)
    for option, required in known.items():
        if required and option not in options:
            raise UserError(f"{what}: option '{option}' is missing; add it to the catalogue")
