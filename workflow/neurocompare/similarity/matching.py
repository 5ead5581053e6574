"""Matching of single units: which unit of one representation is like which of the other.

Unlike measures of geometry these see the axes: a rotation of the units changes the score. Units are
compared by the Pearson correlation of their responses over stimuli; units that do not vary are left out.

* ``matching-one-to-one``: every unit of the smaller representation gets a unit of its own of the larger,
  so that the mean correlation is greatest (Li et al. 2016, arXiv:1511.07543). Units of the larger that are
  left over do not count: the score then grows with their number.
* ``matching-soft``: all units of both count, each as much as any other of its representation, and may be
  shared among several (optimal transport; Khosla & Williams 2024, arXiv:2311.09466). With equally many
  units it is one-to-one.
* ``matching-soft-distance``: the Wasserstein distance of the two sets of units, each of unit variance: a
  metric, √(2 − 2 score).

An assignment takes some ms for 300 units each, and ten times as long for 1,000. The transport is exact too:
a linear program on the pairs of units that are most alike, which is extended until its dual solution proves
that no other pair would improve it. It takes about 10 ms for 100 and 50 units, and 0.1 s for 1,000 and 200.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import coo_array

from neurocompare.errors import UserError
from neurocompare.similarity.arrays import Grams, declaration, require_stimuli
from neurocompare.similarity.measure import Measure

MEASURES = ("matching-one-to-one", "matching-soft", "matching-soft-distance")

LARGEST = 100_000_000
"""Pairs of units; their correlations then take 0.8 GB."""

_CONSTANT = 1e-10
_CHOICES = 8
_SUMMARIES = {
    "matching-one-to-one": "mean correlation of units that are matched one to one; spare units do not count",
    "matching-soft": "mean correlation of units that are matched by optimal transport, all units counting alike",
    "matching-soft-distance": "Wasserstein distance of the sets of units of unit variance (soft matching)",
}


class Units(NamedTuple):
    """A reduced representation: units, centred and of unit norm (n_stimuli, n_units), and how many were constant."""

    values: np.ndarray
    constant: int


class Matching(Measure):
    """Similarity of matched units.

    Parameters
    ----------
    words : str
        One of `MEASURES`.
    options : dict
        None.

    Raises
    ------
    UserError
        If it is none of these.
    """

    def __init__(self, words: str, options: dict[str, str]):
        if words not in MEASURES or options:
            raise UserError(f"write {', '.join(MEASURES[:-1])} or {MEASURES[-1]}, without options")
        self.distance, self.soft = words.endswith("distance"), "soft" in words
        self.permutations = self.resamples = 100 if self.soft else 200
        self.influence = not self.soft
        self.info = declaration(
            _SUMMARIES[words],
            invariances="isotropic scale, permutation, translation",
            minimum_stimuli=3,
            low=0.0 if self.distance else -1.0,
            high=2.0 if self.distance else 1.0,
            direction="lower" if self.distance else "higher",
            metric=self.distance,
            units=True,
            recommended="tens of stimuli: among many units some are alike by chance (compare with the null)",
        )

    def reduce(self, grams: Grams) -> list[Units]:
        """See `Measure.reduce`.

        Raises
        ------
        UserError
            If there are too few stimuli, or only Gram matrices.
        """
        require_stimuli(grams.gram.shape[1], self.info["minimum_stimuli"], self.name)
        if grams.units is None:
            raise UserError(f"{self.name} compares single units: give responses, not a matrix of stimuli")
        found = []
        for units in grams.units:
            centred = units - units.mean(0)
            norm = np.linalg.norm(centred, axis=0)
            varies = norm > _CONSTANT * np.linalg.norm(units, axis=0)
            found.append(Units(centred[:, varies] / norm[varies], int(np.sum(~varies))))
        return found

    def pair(self, x: Units, y: Units) -> float:
        """See `Measure.pair`.

        Raises
        ------
        UserError
            If there are too many pairs of units to hold their correlations.
        """
        p, q = x.values.shape[1], y.values.shape[1]
        if 0 in (p, q):
            return np.nan
        if p * q > LARGEST:
            raise UserError(
                f"{self.name}: {p} × {q} pairs of units are too many (at most {LARGEST:,}); sample units first"
            )
        correlations = x.values.T @ y.values
        left, right, mass = transport(correlations) if self.soft and p != q else assignment(correlations)
        if self.distance:
            return float(np.sqrt(mass @ np.sum((x.values[:, left] - y.values[:, right]) ** 2, axis=0)))
        return float(mass @ correlations[left, right])

    def permuted(self, part: Units, order: np.ndarray) -> Units:
        """See `Measure.permuted`."""
        return part._replace(values=part.values[order])

    def warnings(self, part: Units) -> list[str]:
        """See `Measure.warnings`."""
        return ["constant_units"] if part.constant else []


def assignment(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match every row, or every column if these are fewer, with one of its own, for the greatest mean gain.

    Parameters
    ----------
    gain : array of shape (n, m)
        What each pair is worth.

    Returns
    -------
    rows, columns : arrays of int of shape (min(n, m),)
        The pairs.
    mass : array of shape (min(n, m),)
        Their equal shares of one.
    """
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return rows, columns, np.full(len(rows), 1 / len(rows))


def transport(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move equal masses of the rows to equal masses of the columns for the greatest total gain.

    Parameters
    ----------
    gain : array of shape (n, m)
        What a unit of mass is worth on each pair.

    Returns
    -------
    rows, columns : arrays of int of shape (n_pairs,)
        The pairs that mass moves between, at most n + m − 1.
    mass : array of shape (n_pairs,)
        How much; the sum is one.
    """
    n, m = gain.shape
    allowed = _corner(n, m) | _best(gain, _CHOICES)
    # In units of 1 / (n m) all masses of a basic solution are whole numbers.
    marginals = np.r_[np.full(n, m), np.full(m, n)].astype(float)
    while True:
        rows, columns = np.nonzero(allowed)
        edges = np.arange(len(rows))
        incidence = coo_array(
            (np.ones(2 * len(edges)), (np.r_[rows, n + columns], np.r_[edges, edges])), shape=(n + m, len(edges))
        )
        solution = linprog(
            -gain[rows, columns],
            A_eq=incidence.tocsc(),
            b_eq=marginals,
            method="highs-ds",
            # Looking for redundancy, of which there is none, would take a hundred times as long.
            options={"presolve": False, "dual_feasibility_tolerance": 1e-10},
        )
        prices = -solution.eqlin.marginals
        surplus = gain - prices[:n, None] - prices[n:]
        better = (surplus > 1e-9) & ~allowed
        if not better.any():
            mass = np.round(solution.x)
            used = mass > 0
            return rows[used], columns[used], mass[used] / (n * m)
        allowed |= better & _best(surplus, _CHOICES)


def _corner(n: int, m: int) -> np.ndarray:
    """Pairs that allow of one transport at least: each row passes on what the column before leaves."""
    allowed = np.zeros((n, m), dtype=bool)
    i = j = 0
    while i < n and j < m:
        allowed[i, j] = True
        row, column = (i + 1) * m, (j + 1) * n
        i, j = i + (row <= column), j + (column <= row)
    return allowed


def _best(gain: np.ndarray, count: int) -> np.ndarray:
    """The best few pairs of every row and column, more of them where the masses are greater."""
    n, m = gain.shape
    of_row, of_column = min(m, count * -(-m // n)), min(n, count * -(-n // m))
    chosen = np.zeros((n, m), dtype=bool)
    chosen[np.arange(n)[:, None], np.argpartition(gain, m - of_row, axis=1)[:, m - of_row :]] = True
    chosen[np.argpartition(gain, n - of_column, axis=0)[n - of_column :], np.arange(m)] = True
    return chosen


MEASURE = Matching
