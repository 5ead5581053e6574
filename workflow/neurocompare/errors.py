"""The one exception for what a user can put right."""

import difflib
from collections.abc import Iterable


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
