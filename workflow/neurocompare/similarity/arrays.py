"""What all measures share: checked arrays, and stacks of representations reduced to their Gram matrices.

Work on units happens once per representation. From the raw Gram matrix ``X Xᵀ``, the sums over units
and the number of units follow most dissimilarities and kernels, so a pair of representations costs only
what depends on the number of stimuli. Measures that look at single units, or at single trials, find them
beside the Gram matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity.trials import Trials


@dataclass(frozen=True, eq=False)
class Grams:
    """A stack of representations of the same stimuli.

    Attributes
    ----------
    gram : array of shape (n_representations, n_stimuli, n_stimuli)
        Inner products over units, not centred.
    row_sum : array of shape (n_representations, n_stimuli)
        Sums over units.
    n_units : array of shape (n_representations,)
        Numbers of units.
    units : tuple of arrays of shape (n_stimuli, n_units), optional
        The representations themselves; None where only their Gram matrices are known.
    trials : tuple of Trials, optional
        Their single trials; None where there is no noise, or it is not known.
    """

    gram: np.ndarray
    row_sum: np.ndarray
    n_units: np.ndarray
    units: tuple[np.ndarray, ...] | None = None
    trials: tuple[Trials, ...] | None = None

    @classmethod
    def of(cls, representations: Sequence[np.ndarray]) -> "Grams":
        """Reduce representations.

        Parameters
        ----------
        representations : sequence of arrays of shape (n_stimuli, n_units)
            One or more; their numbers of units may differ.

        Returns
        -------
        Grams
            Their reduction.
        """
        units = tuple(np.asarray(x, dtype=float) for x in representations)
        return cls(
            np.stack([x @ x.T for x in units]),
            np.stack([x.sum(1) for x in units]),
            np.array([x.shape[1] for x in units]),
            units,
        )

    @classmethod
    def of_trials(cls, trials: Sequence[Trials]) -> "Grams":
        """Reduce the trial averages of representations.

        Parameters
        ----------
        trials : sequence of Trials
            One for each representation.

        Returns
        -------
        Grams
            Of the means over trials, with the trials.
        """
        means = cls.of([t.mean() for t in trials])
        return cls(means.gram, means.row_sum, means.n_units, means.units, tuple(trials))

    def __len__(self) -> int:
        return len(self.gram)

    def __getitem__(self, which: slice | Sequence[int]) -> "Grams":
        chosen = range(len(self))[which] if isinstance(which, slice) else list(which)
        pick = [None if items is None else tuple(items[k] for k in chosen) for items in (self.units, self.trials)]
        return Grams(self.gram[chosen], self.row_sum[chosen], self.n_units[chosen], *pick)

    def take(self, index: np.ndarray) -> "Grams":
        """Keep some stimuli, or put them in another order.

        Parameters
        ----------
        index : array of int of shape (n_kept,)
            Which stimuli, without repetition.

        Returns
        -------
        Grams
            Of these stimuli.
        """
        return Grams(
            self.gram[:, index][:, :, index],
            self.row_sum[:, index],
            self.n_units,
            None if self.units is None else tuple(x[index] for x in self.units),
            None if self.trials is None else tuple(t.take(index) for t in self.trials),
        )

    def concatenated(self, other: "Grams") -> "Grams":
        """Put another stack behind this one.

        Parameters
        ----------
        other : Grams
            Representations of the same stimuli.

        Returns
        -------
        Grams
            Both; units and trials are kept only if both have them.
        """
        both = [
            None if mine is None or theirs is None else mine + theirs
            for mine, theirs in ((self.units, other.units), (self.trials, other.trials))
        ]
        arrays = [
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("gram", "row_sum", "n_units")
        ]
        return Grams(*arrays, *both)


def declaration(
    summary: str,
    *,
    invariances: str,
    minimum_stimuli: int,
    low: float,
    high: float = 1.0,
    direction: str = "higher",
    unit: str = "1",
    accepts: str = "responses",
    symmetric: bool = True,
    metric: bool = False,
    repeats: int = 0,
    units: bool = False,
    unbiased: bool = False,
    recommended: str = "",
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
    direction : {"higher", "lower"}
        Whether more alike is higher, as for a score, or lower, as for a distance.
    unit : str
        The physical unit, 1 for a pure number.
    accepts : str
        Kinds of representation, ``responses`` or ``responses, rdm``.
    symmetric : bool
        Whether the two representations may change places.
    metric : bool
        Whether it fulfils the axioms of a metric.
    repeats : int
        How often every stimulus of a recording must have been shown; 0 if single trials are not used.
    units : bool
        Whether single units are looked at, so that Gram matrices are not enough.
    unbiased : bool
        Whether unrelated representations score zero on average; if not, only the null says what a score means.
    recommended : str
        What a recording should have for the score to mean something.

    Returns
    -------
    dict
        The declaration.
    """
    return {
        "summary": summary,
        "low": low,
        "high": high,
        "direction": direction,
        "unit": unit,
        "symmetric": symmetric,
        "metric": metric,
        "invariances": invariances,
        "accepts": accepts,
        "minimum_stimuli": minimum_stimuli,
        "repeats": repeats,
        "units": units,
        "unbiased": unbiased,
        "recommended": recommended,
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
