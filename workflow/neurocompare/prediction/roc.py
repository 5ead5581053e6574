"""Areas under the ROC curve of many neurons at once: exact with ties, within conditions, with errors and shuffles.

The area is the share of pairs of trials, one of each class, in which the trial of the first class has the larger
response; equal responses count one half. Ranks give it for all neurons in one pass, and shuffled labels in one product
of matrices. Only trials of one condition are paired with each other, so that neither the condition nor its effect on
the response can pass for an effect of the class, and nothing has to be z-scored, which biases areas towards 0.5 where
classes are unequally frequent (Kang & Maunsell 2012, J. Neurophysiol. 108:3403).
"""

from dataclasses import dataclass

import numpy as np

_BATCH = 2**19
"""Responses that are ranked at once: bounds the memory, and fits into caches."""


@dataclass(frozen=True, eq=False)
class Areas:
    """Areas under the ROC curve.

    Attributes
    ----------
    area : array of shape (n_units,)
        From 0 to 1.
    error : array of shape (n_units,)
        Standard errors over trials (DeLong et al. 1988, Biometrics 44:837).
    mean_error : float
        That of the mean over units of one recording, whose trials are the same.
    freedom : float
        Its degrees of freedom (Satterthwaite 1946, Biometrics Bull. 2:110): with few trials of a class the error itself
        is uncertain. NaN without any spread.
    null : array of shape (n_permutations, n_units)
        Areas with the classes shuffled within conditions.
    """

    area: np.ndarray
    error: np.ndarray
    mean_error: float
    freedom: float
    null: np.ndarray


def sorted_ties(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Sort responses and find those that are equal.

    Parameters
    ----------
    values : array of shape (n_units, n_trials)
        Responses.

    Returns
    -------
    order : array of int of shape (n_units, n_trials)
        Trials by ascending response.
    first, last : arrays of int of shape (n_units, n_trials), optional
        For each place in that order, the first and the last place with the same response; None where no two are equal.
    """
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    new = np.ones(values.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    if new.all():
        return order, None, None
    n = values.shape[1]
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    end = np.ones(values.shape, dtype=bool)
    end[:, :-1] = new[:, 1:]
    last = np.minimum.accumulate(np.where(end, place, n)[:, ::-1], axis=1)[:, ::-1]
    return order, first, last


def mid_ranks(order: np.ndarray, first: np.ndarray | None, last: np.ndarray | None) -> np.ndarray:
    """Rank responses; equal ones share the mean of their ranks.

    Parameters
    ----------
    order, first, last : arrays of int of shape (n_units, n_trials)
        From `sorted_ties`.

    Returns
    -------
    array of shape (n_units, n_trials)
        Ranks from 1.
    """
    ranks = np.empty(order.shape)
    mean = np.arange(1.0, order.shape[1] + 1) if first is None else (first + last) / 2 + 1
    np.put_along_axis(ranks, order, np.broadcast_to(mean, order.shape), axis=1)
    return ranks


def areas(
    values: np.ndarray,
    positive: np.ndarray,
    condition: np.ndarray | None = None,
    *,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> Areas:
    """Compute the areas of all units.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses, without NaN.
    positive : array of bool of shape (n_trials,)
        The class whose responses are asked to be larger.
    condition : array of int of shape (n_trials,), optional
        Within which trials are paired; each needs at least two trials of both classes, see `usable`.
    permutations : int
        Number of shuffles.
    rng : Generator, optional
        The source of randomness of the shuffles.

    Returns
    -------
    Areas
        Each condition counts by its number of pairs.
    """
    n, m = values.shape
    condition = np.zeros(n, dtype=int) if condition is None else condition
    groups = [np.flatnonzero(condition == c) for c in np.unique(condition)]
    order = np.concatenate(groups)
    ends = np.cumsum([len(g) for g in groups])
    labels = positive[order]
    pairs = sum(int(positive[g].sum()) * int((~positive[g]).sum()) for g in groups)
    offset = sum(k * (k + 1) / 2 for k in (int(positive[g].sum()) for g in groups))
    orders = _shuffles(ends, n, permutations, rng)
    found = Areas(np.zeros(m), np.zeros(m), np.nan, np.nan, np.empty((permutations, m)))
    share = np.zeros(n)
    step = max(1, _BATCH // n)
    for start in range(0, m, step):
        batch = slice(start, start + step)
        block = np.ascontiguousarray(values[order, batch].T)
        ranks = np.empty(block.shape if permutations else (0, 0))
        for low, high in zip(np.r_[0, ends[:-1]], ends, strict=True):
            ties = sorted_ties(block[:, low:high])
            one = labels[low:high][ties[0]]
            beaten = _beaten(one, *ties[1:])
            if permutations:
                ranks[:, low:high] = mid_ranks(*ties)
            found.area[batch] += np.einsum("ij,ij->i", beaten, one) / pairs
            for side, other in ((one, high - low - one[0].sum()), (~one, one[0].sum())):
                k = high - low - other
                # What a trial adds to the area, beside a constant: the trials of the other class that it exceeds.
                mean = np.einsum("ij,ij->i", beaten, side) / k
                squares = np.einsum("ij,ij,ij->i", beaten, beaten, side) - k * mean**2
                found.error[batch] += np.maximum(squares, 0) / (k - 1) * k / pairs**2
            share[low:high] += np.bincount(ties[0].ravel(), beaten.ravel(), high - low) / pairs
        if permutations:
            found.null[:, batch] = (labels[orders].astype(float) @ ranks.T - offset) / pairs
    error, freedom = _mean_error(share, labels, ends)
    return Areas(found.area, np.sqrt(found.error), error / m, freedom, found.null)


def usable(positive: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """Tell which trials are in a condition with at least two trials of both classes.

    Parameters
    ----------
    positive : array of bool of shape (n_trials,)
        The classes.
    condition : array of int of shape (n_trials,)
        The conditions.

    Returns
    -------
    array of bool of shape (n_trials,)
        The others can't be compared, or have no spread.
    """
    _, index = np.unique(condition, return_inverse=True)
    ones, all_ = np.bincount(index, positive), np.bincount(index)
    return (np.minimum(ones, all_ - ones) >= 2)[index]


def _shuffles(ends, n, permutations, rng):
    """Orders (permutation, trial) within groups of consecutive trials."""
    orders = np.tile(np.arange(n), (permutations, 1))
    for low, high in zip(np.r_[0, ends[:-1]], ends, strict=True):
        if permutations:
            orders[:, low:high] = rng.permuted(orders[:, low:high], axis=1)
    return orders


def _beaten(one, first, last) -> np.ndarray:
    """How many trials of the other class each trial exceeds, ties one half, in the order of the responses."""
    zeros = np.cumsum(~one, axis=1, dtype=np.float64)
    if first is None:
        return np.where(one, zeros, np.arange(1.0, one.shape[1] + 1) - zeros)
    # Trials with a response below, and up to, the own one: together twice those exceeded, as ties count one half.
    twice = np.take_along_axis(zeros - ~one, first, axis=1) + np.take_along_axis(zeros, last, axis=1)
    return np.where(one, twice, first + last + 1 - twice) / 2


def _mean_error(share, labels, ends) -> tuple[float, float]:
    """The standard error of the sum of areas over units, whose trials are the same, and its degrees of freedom."""
    variance = uncertainty = 0.0
    for low, high in zip(np.r_[0, ends[:-1]], ends, strict=True):
        for one in (labels[low:high], ~labels[low:high]):
            part = share[low:high][one].var(ddof=1) * one.sum()
            variance, uncertainty = variance + part, uncertainty + part**2 / (one.sum() - 1)
    return float(np.sqrt(variance)), float(variance**2 / uncertainty) if uncertainty > 0 else np.nan
