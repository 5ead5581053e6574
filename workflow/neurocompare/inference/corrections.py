"""Corrections of p-values for several comparisons.

The false discovery rate (`benjamini_hochberg`, `benjamini_yekutieli`) is the share of errors among what is
called significant; the family-wise error (`holm`, `maximum`) is the chance of a single one. A score
without a p-value (NaN) is no comparison: it stays NaN and does not count.
"""

import numpy as np

from neurocompare.errors import UserError


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Return q-values that control the false discovery rate (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289).

    Parameters
    ----------
    p_values : array of shape (...)
        P-values of a family, independent or positively dependent, as those of scores against one
        recording usually are.

    Returns
    -------
    array of shape (...)
        The smallest rate at which each comparison is called significant.
    """
    return _stepped_up(p_values, harmonic=False)


def benjamini_yekutieli(p_values: np.ndarray) -> np.ndarray:
    """Return q-values that hold whatever the dependence (Benjamini & Yekutieli 2001, Ann. Statist. 29:1165).

    Parameters
    ----------
    p_values : array of shape (...)
        P-values of a family.

    Returns
    -------
    array of shape (...)
        Those of `benjamini_hochberg` times 1 + 1/2 + … + 1/n, at most one.
    """
    return _stepped_up(p_values, harmonic=True)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values for the family-wise error (Holm 1979, Scand. J. Stat. 6:65).

    Parameters
    ----------
    p_values : array of shape (...)
        P-values of a family, however dependent.

    Returns
    -------
    array of shape (...)
        Corrected p-values.
    """

    def step(p: np.ndarray) -> np.ndarray:
        return np.maximum.accumulate(p * np.arange(len(p), 0, -1))

    return _sorted(p_values, step)


def maximum(value: np.ndarray, null: np.ndarray, *, standardise: bool = False) -> np.ndarray:
    """Correct for the family-wise error with the largest score of each shuffle (Westfall & Young 1993).

    All scores have to come from the same shuffles: what they have in common then lowers the price of having
    many, which Holm's correction can't.

    Parameters
    ----------
    value : array of shape (...)
        Observed scores, better when higher.
    null : array of shape (n_permutations, ...)
        Scores in shuffles; an undefined one counts as the highest of all.
    standardise : bool
        Whether to measure every score in standard deviations from the mean of its null, the observed score
        among it: for scores whose nulls differ in place or width.

    Returns
    -------
    array of shape (...)
        (1 + count) / (N + 1), where count is that of shuffles in which some score is at least so high.

    Raises
    ------
    UserError
        If the scores of the shuffles are not those of the same comparisons.
    """
    value, null = np.asarray(value, dtype=float), np.asarray(null, dtype=float)
    if null.shape[1:] != value.shape:
        raise UserError(f"scores have shape {value.shape} and their null {null.shape}; give (n_permutations, ...)")
    defined = np.isfinite(value)
    scores = np.concatenate([value[None], null])[:, defined]
    missing = ~np.isfinite(scores)
    if standardise:
        # The observed order is one of the shuffles: left out of mean and width, it would look too special.
        known = np.where(missing, 0, scores)
        count = np.maximum((~missing).sum(0), 1)
        mean = known.sum(0) / count
        spread = np.sqrt(np.where(missing, 0, (scores - mean) ** 2).sum(0) / count)
        scores = (scores - mean) / np.where(spread > 0, spread, 1)
    highest = np.where(missing, np.inf, scores)[1:].max(1, initial=-np.inf)
    corrected = np.full(value.shape, np.nan)
    corrected[defined] = (1 + (highest[:, None] >= scores[0] - 1e-12).sum(0)) / (len(null) + 1)
    return corrected


def _stepped_up(p_values: np.ndarray, *, harmonic: bool) -> np.ndarray:
    def step(p: np.ndarray) -> np.ndarray:
        rank = np.arange(1, len(p) + 1)
        factor = (1 / rank).sum() if harmonic else 1
        return np.minimum.accumulate((p * len(p) * factor / rank)[::-1])[::-1]

    return _sorted(p_values, step)


def _sorted(p_values: np.ndarray, step) -> np.ndarray:
    """Apply a correction to defined p-values in ascending order; none exceeds one."""
    p_values = np.asarray(p_values, dtype=float)
    corrected = np.full(p_values.shape, np.nan)
    defined = np.isfinite(p_values)
    p = p_values[defined]
    order = np.argsort(p)
    stepped = np.empty_like(p)
    stepped[order] = np.minimum(step(p[order]), 1)
    corrected[defined] = stepped
    return corrected
