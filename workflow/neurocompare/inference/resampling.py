"""Resamples of what a recording declares exchangeable, drawn once and shared by all that is to be compared.

A plan depends on the recording alone, never on the network: two networks are compared on the same
resamples, so the interval of their difference is a paired one.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.inference import continuous, exchange

BOOTSTRAPS = 500
PERMUTATIONS = 1000
PARTITIONS = 5
"""Random halvings of the stimuli, on one half of which a layer is selected and scored on the other."""

MINIMUM_FOR_HALVES = 16


@dataclass(frozen=True, eq=False)
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
    subsets : array of int of shape (n_bootstraps, n_some)
        Halves of the stimuli, drawn without replacement, for measures that copies of a stimulus would mislead.
    n_groups : int
        How many things there are that may change places: stimuli, conditions, blocks or stretches.
    """

    weights: np.ndarray
    permutations: np.ndarray
    partitions: np.ndarray
    subsets: np.ndarray
    n_groups: int


def plan(
    name: str,
    n_stimuli: int,
    exchangeable: str,
    *,
    condition: np.ndarray | None = None,
    time: np.ndarray | None = None,
    block: np.ndarray | None = None,
    shift: int | None = None,
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
        Number of stimuli, or of samples of condition × time or of a continuous recording.
    exchangeable : {"stimulus", "condition", "block", "shift", "none"}
        What the recording declares exchangeable; see `neurocompare.inference.exchange` and `continuous`.
    condition, time : arrays of shape (n_stimuli,), optional
        For ``condition``; by default every stimulus is a condition.
    block : array of shape (n_stimuli,), optional
        For ``block``.
    shift : int, optional
        For ``shift``: the smallest circular shift, in samples; stretches of that length are resampled.
    bootstraps : int
        Number of bootstrap samples, and of halves.
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
        If the recording declares that nothing may be exchanged, or there is too little of it.
    """
    # A stream for each part: how many shuffles a measure can afford must not change its halves.
    seed = [zlib.crc32(name.encode()), n_stimuli]
    streams = [np.random.default_rng([*seed, part]) for part in range(4)]
    if exchangeable == "shift":
        if shift is None:
            raise UserError(
                f"recording '{name}' declares exchangeable=shift: add the attribute 'shift', a number of samples "
                "beyond its autocorrelation"
            )
        shuffles = continuous.shifts(n_stimuli, shift, permutations, streams[1], name) if permutations else None
        weights = continuous.moving_block_weights(n_stimuli, shift, bootstraps, streams[0], name)
        # Whole stretches go to one half; what is left at the end is a shorter one.
        grouped = exchange.Groups("block", np.arange(n_stimuli // shift * shift).reshape(-1, shift))
    else:
        grouped = exchange.groups(exchangeable, n_stimuli, name=name, condition=condition, time=time, block=block)
        shuffles = exchange.permutations(grouped, permutations, streams[1]) if permutations else None
        weights = exchange.bootstrap_weights(grouped, bootstraps, streams[0])
    if shuffles is None:
        shuffles = np.empty((0, n_stimuli), dtype=int)
    halves = np.zeros((partitions, n_stimuli), dtype=bool)
    halves[:, : grouped.n_samples] = exchange.halves(grouped, partitions, streams[2])
    if grouped.n_groups < MINIMUM_FOR_HALVES:
        halves = halves[:0]
    return Plan(weights, shuffles, halves, exchange.subsets(grouped, bootstraps, streams[3]), grouped.n_groups)


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


def p_value(value: np.ndarray, null: np.ndarray, direction: str = "higher") -> np.ndarray:
    """Return the one-sided p-value of a score, (1 + count) / (N + 1).

    Parameters
    ----------
    value : array of shape (...)
        Observed scores.
    null : array of shape (n_permutations, ...)
        Scores under the null; an undefined one counts as at least as good as the observed score.
    direction : {"higher", "lower"}
        What is better.

    Returns
    -------
    array of shape (...)
        Never zero; NaN where the score is undefined.
    """
    if len(null) == 0:
        return np.full(np.shape(value), np.nan)
    sign = 1 if direction == "higher" else -1
    count = (~(sign * null < sign * value - 1e-12)).sum(0)
    return np.where(np.isfinite(value), (1 + count) / (len(null) + 1), np.nan)
