"""Resamples of stimuli, drawn once and shared by all that is to be compared.

A plan depends on the recording alone, never on the network: two networks are compared on the same
resamples, so the interval of their difference is a paired one.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError

BOOTSTRAPS = 500
PERMUTATIONS = 1000
PARTITIONS = 5
"""Random halvings of the stimuli, on one half of which a layer is selected and scored on the other."""

MINIMUM_FOR_HALVES = 16


@dataclass(frozen=True)
class Plan:
    """What will be resampled.

    Attributes
    ----------
    weights : array of shape (n_bootstraps, n_stimuli)
        How often each stimulus is in each bootstrap sample.
    permutations : array of shape (n_permutations, n_stimuli)
        Shuffles of the stimuli.
    partitions : array of bool of shape (n_partitions, n_stimuli)
        True in the first half; empty if there are too few stimuli to halve.
    """

    weights: np.ndarray
    permutations: np.ndarray
    partitions: np.ndarray


def plan(
    name: str,
    n_stimuli: int,
    exchangeable: str,
    *,
    bootstraps: int = BOOTSTRAPS,
    permutations: int = PERMUTATIONS,
    partitions: int = PARTITIONS,
) -> Plan:
    """Draw the resamples of a recording.

    Parameters
    ----------
    name : str
        The id of the recording: it seeds the draw.
    n_stimuli : int
        Number of stimuli.
    exchangeable : str
        What the recording declares exchangeable; only ``"stimulus"`` permits shuffles of stimuli.
    bootstraps : int
        Number of bootstrap samples.
    permutations : int
        Number of shuffles.
    partitions : int
        Number of halvings.

    Returns
    -------
    Plan
        The resamples.

    Raises
    ------
    UserError
        If the recording does not declare its stimuli exchangeable.
    """
    if exchangeable != "stimulus":
        raise UserError(
            f"recording '{name}' declares exchangeable={exchangeable}: "
            "nulls and intervals over stimuli are not valid for it"
        )
    # A stream for each part: how many shuffles a measure can afford must not change its halves.
    seed = [zlib.crc32(name.encode()), n_stimuli]
    streams = [np.random.default_rng([*seed, part]) for part in range(3)]
    weights = streams[0].multinomial(n_stimuli, np.full(n_stimuli, 1 / n_stimuli), size=bootstraps).astype(float)
    shuffles = streams[1].permuted(np.tile(np.arange(n_stimuli), (permutations, 1)), axis=1)
    halves = np.zeros((partitions, n_stimuli), dtype=bool)
    halves[:, : n_stimuli // 2] = True
    halves = streams[2].permuted(halves, axis=1)
    return Plan(weights, shuffles, halves if n_stimuli >= MINIMUM_FOR_HALVES else halves[:0])


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval of bootstrap draws.

    Parameters
    ----------
    draws : array of shape (n_draws, ...)
        Bootstrap values; undefined ones are left out.
    level : float
        Coverage.

    Returns
    -------
    low, high : arrays of shape (...)
        NaN where fewer than half of the draws are defined, or there are none.
    """
    draws = np.asarray(draws, dtype=float)
    if len(draws) == 0:
        return np.full(draws.shape[1:], np.nan), np.full(draws.shape[1:], np.nan)
    tail = (1 - level) / 2
    defined = np.isfinite(draws).mean(0) >= 0.5
    # The zero spares columns without any defined draw a warning; they are NaN in the end.
    filled = np.where(defined, np.where(np.isfinite(draws), draws, np.nan), 0)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def p_value(value: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the one-sided p-value of a score, (1 + count) / (N + 1).

    Parameters
    ----------
    value : array of shape (...)
        Observed scores.
    null : array of shape (n_permutations, ...)
        Scores under the null; an undefined one counts as at least as high as the observed score.

    Returns
    -------
    array of shape (...)
        Never zero; NaN where the score is undefined.
    """
    count = (~(null < value - 1e-12)).sum(0)
    return np.where(np.isfinite(value), (1 + count) / (len(null) + 1), np.nan)


def difference_p_value(draws: np.ndarray) -> np.ndarray:
    """Return the two-sided bootstrap p-value of a difference from zero.

    Parameters
    ----------
    draws : array of shape (n_draws, ...)
        Bootstrap values of the difference; undefined ones are left out.

    Returns
    -------
    array of shape (...)
        2 (1 + min(count ≤ 0, count ≥ 0)) / (N + 1), at most one.
    """
    number = np.isfinite(draws).sum(0)
    count = np.minimum((draws <= 0).sum(0), (draws >= 0).sum(0))
    return np.minimum(2 * (1 + count) / (number + 1), 1.0)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values for several comparisons (Holm 1979, Scand. J. Stat. 6:65).

    Parameters
    ----------
    p_values : array of shape (n,)
        Uncorrected p-values.

    Returns
    -------
    array of shape (n,)
        Corrected for the family-wise error.
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty_like(stepped)
    corrected[order] = np.minimum(stepped, 1)
    return corrected
