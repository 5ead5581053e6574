"""What a loader keeps and what it leaves out: nothing is dropped without being counted."""

import numpy as np

from neurocompare.errors import UserError


class Selection:
    """Which units or presentations are kept, and how many went for which reason.

    Reasons are applied in turn, and each element is counted once, for the first reason that hits it.

    Parameters
    ----------
    n : int
        How many there are.

    Attributes
    ----------
    kept : array of bool of shape (n,)
        True for those that no reason has hit so far.
    reasons : dict of str to int
        Number left out by reason; only reasons that hit something.
    """

    def __init__(self, n: int):
        self.kept = np.ones(n, dtype=bool)
        self.reasons: dict[str, int] = {}

    def drop(self, where: np.ndarray, reason: str) -> "Selection":
        """Leave out elements.

        Parameters
        ----------
        where : array of bool of shape (n,)
            True for those to leave out.
        reason : str
            Why, in a few words: ``"blank"``, ``"presence ratio below 0.95"``.

        Returns
        -------
        Selection
            This one, so that calls can be chained.
        """
        hit = self.kept & np.asarray(where, dtype=bool)
        if hit.any():
            self.reasons[reason] = self.reasons.get(reason, 0) + int(hit.sum())
            self.kept = self.kept & ~hit
        return self

    def index(self, what: str) -> np.ndarray:
        """Return the positions of what is kept.

        Parameters
        ----------
        what : str
            What error messages call the elements, such as ``"units of file.nwb"``.

        Returns
        -------
        array of int of shape (n_kept,)
            In rising order.

        Raises
        ------
        UserError
            If nothing is kept; the message lists the reasons with their counts.
        """
        if not self.kept.any():
            why = ", ".join(f"{reason} ({count})" for reason, count in self.reasons.items()) or "there are none"
            raise UserError(f"no {what} left: {why}; relax the selection")
        return np.flatnonzero(self.kept)


def excluded(**selections: Selection) -> dict[str, dict[str, int]]:
    """Return the attribute ``excluded`` of a representation.

    Parameters
    ----------
    **selections : Selection
        By dimension: ``unit=…, presentation=…``.

    Returns
    -------
    dict of str to dict of str to int
        Counts by dimension and reason, without the dimensions of which all is kept.
    """
    return {dim: dict(selection.reasons) for dim, selection in selections.items() if selection.reasons}
