"""What all measures share: checked arrays, and representations reduced to their Gram matrices.

Work on units happens once per representation. From the raw Gram matrix ``X Xᵀ``, the sums over units
and the number of units follow every dissimilarity and kernel used here, so a pair of representations
costs only what depends on the number of stimuli.
"""

from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError


@dataclass(frozen=True)
class Grams:
    """A stack of representations of the same stimuli, reduced over their units.

    Attributes
    ----------
    gram : array of shape (n_representations, n_stimuli, n_stimuli)
        Inner products over units, not centred.
    row_sum : array of shape (n_representations, n_stimuli)
        Sums over units.
    n_units : array of shape (n_representations,)
        Numbers of units.
    """

    gram: np.ndarray
    row_sum: np.ndarray
    n_units: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> "Grams":
        """Reduce representations.

        Parameters
        ----------
        x : array of shape (n_representations, n_stimuli, n_units)
            The representations.

        Returns
        -------
        Grams
            Their reduction.
        """
        x = np.asarray(x, dtype=float)
        return cls(x @ x.transpose(0, 2, 1), x.sum(2), np.full(len(x), x.shape[2]))


def declaration(
    summary: str,
    *,
    invariances: str,
    minimum_stimuli: int,
    low: float,
    high: float = 1.0,
    accepts: str = "responses",
    symmetric: bool = True,
    repeats: bool = False,
) -> dict:
    """Declare a measure: a row of the table that ``similarity.measures()`` shows, and what studies must meet.

    Parameters
    ----------
    summary : str
        One line.
    invariances : str
        Transformations of units that leave the score as it is, separated by commas.
    minimum_stimuli : int
        Fewest stimuli for which the measure is defined.
    low, high : float
        The range of the score.
    accepts : str
        Kinds of representation, ``responses`` or ``responses, rdm``.
    symmetric : bool
        Whether the two representations may change places.
    repeats : bool
        Whether every stimulus must have been shown at least twice.

    Returns
    -------
    dict
        The declaration; all scores are better when higher and have no unit, and none is a metric.
    """
    return {
        "summary": summary,
        "low": low,
        "high": high,
        "direction": "higher",
        "unit": "1",
        "symmetric": symmetric,
        "metric": False,
        "invariances": invariances,
        "accepts": accepts,
        "minimum_stimuli": minimum_stimuli,
        "repeats": repeats,
    }


def checked(x: np.ndarray, name: str) -> np.ndarray:
    """Return `x` as a finite two-dimensional float array.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        What to check.
    name : str
        What an error message calls it.

    Returns
    -------
    array of shape (n_stimuli, n_units)
        As float64.

    Raises
    ------
    UserError
        If it is not two-dimensional, is empty, or holds NaN or infinite values.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or 0 in x.shape:
        raise UserError(f"{name}: expected an array of shape (n_stimuli, n_units), got shape {x.shape}")
    if not np.isfinite(x).all():
        raise UserError(f"{name}: holds NaN or infinite values; drop those units or stimuli first")
    return x


def checked_pair(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check two representations and that they have the same stimuli.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units_x)
        One representation.
    y : array of shape (n_stimuli, n_units_y)
        The other.

    Returns
    -------
    tuple of two arrays
        Both as float64.

    Raises
    ------
    UserError
        As `checked`, or if the numbers of stimuli differ.
    """
    x, y = checked(x, "x"), checked(y, "y")
    if len(x) != len(y):
        raise UserError(f"x has {len(x)} stimuli and y has {len(y)}; give the same stimuli in the same order")
    return x, y


def require_stimuli(n: int, minimum: int, what: str) -> None:
    """Refuse a number of stimuli for which a measure is not defined.

    Parameters
    ----------
    n : int
        Number of stimuli.
    minimum : int
        The smallest number that will do.
    what : str
        The measure.

    Raises
    ------
    UserError
        If there are too few.
    """
    if n < minimum:
        raise UserError(f"{what} needs at least {minimum} stimuli, got {n}")
