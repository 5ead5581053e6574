"""What `phases` computes: averages over trials, held-out error of parts over time, and what parts tell apart.

Arrays of averages are (condition, time, unit); what is factorised is (unit, condition × time), so that each part is a
time course in every condition, and its column of weights says how strongly each unit follows it.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from neurocompare.factorization import GROUPS, STARTS, coefficients, fit, loss_of, standard_error, unit_rows

SMOOTHING = 0.04
"""Standard deviation in s of the Gaussian that smooths averages of spike counts over time."""

STRETCH = 0.1
"""Length in s of the stretches of time that are held out as a whole."""

PERMUTATIONS = 1000
SHIFTS = 500


def smooth(values: np.ndarray, bin_width: float, axis: int) -> np.ndarray:
    """Smooth over time with a Gaussian.

    Parameters
    ----------
    values : array
        With an axis of time.
    bin_width : float
        Width of the bins in s; 0 for no smoothing.
    axis : int
        The axis of time.

    Returns
    -------
    array of the same shape
        Ends are continued by their last value.
    """
    if not bin_width:
        return values
    return gaussian_filter1d(values, SMOOTHING / bin_width, axis=axis, mode="nearest")


def averages(trials: np.ndarray, condition: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """Average trials of each condition.

    Parameters
    ----------
    trials : array of shape (n_trials, n_times, n)
        Responses, or strengths of parts.
    condition : array of int of shape (n_trials,)
        Conditions, 0, 1, …
    chosen : array of int of shape (n_chosen,), optional
        The trials to use, some perhaps several times; all conditions have to be among them.

    Returns
    -------
    array of shape (n_conditions, n_times, n)
        Means.
    """
    chosen = np.arange(len(trials)) if chosen is None else chosen
    weights = _weights(condition[chosen], condition.max() + 1)
    return np.tensordot(weights, trials[chosen], 1)


def dealt(condition: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Deal the trials of every condition out to equal groups at random.

    Parameters
    ----------
    condition : array of int of shape (n_trials,)
        Conditions.
    most : int
        Number of groups, if each condition has as many trials; otherwise as many as the rarest has.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int of shape (n_trials,)
        The group of each trial, 0, 1, …; every condition is in every group.
    """
    count = min(most, int(np.bincount(condition).min()))
    group = np.empty(len(condition), dtype=int)
    for level in np.unique(condition):
        members = rng.permutation(np.flatnonzero(condition == level))
        group[members] = np.arange(len(members)) % count
    return group


def stretches(n_conditions: int, n_times: int, bin_width: float, rng: np.random.Generator) -> np.ndarray:
    """Deal stretches of time of each condition out to the groups of columns that are held out together.

    A stretch is seen in other conditions and groups, so that a part that is active for a short time only can still be
    predicted; its neighbours in time are held out with it, as they are correlated.

    Parameters
    ----------
    n_conditions, n_times : int
        Size of the averages.
    bin_width : float
        Width of the bins in s.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int of shape (n_conditions * n_times,)
        Group of each column.
    """
    length = max(1, min(round(STRETCH / bin_width), n_times // (2 * GROUPS)))
    number = np.arange(n_times) // length
    groups = [rng.permutation(np.arange(number[-1] + 1) % GROUPS)[number] for _ in range(n_conditions)]
    return np.concatenate(groups)


def held_out_errors(
    pairs: list[tuple[np.ndarray, np.ndarray]], columns: list[np.ndarray], ranks: np.ndarray, loss: str, seed: int
) -> np.ndarray:
    """Predict held-out units in held-out stretches of time of held-out trials (after Owen & Perry 2009).

    As `neurocompare.factorization.bi_cross_validation`, but blocks are stretches of time, and what is predicted are
    other trials than those that were factorised: noise that neighbouring bins share is not taken for a part.

    Parameters
    ----------
    pairs : list of tuples of two arrays of shape (n_units, n_columns)
        For each partition, what is factorised and what is predicted.
    columns : list of arrays of int of shape (n_columns,)
        For each partition, the groups of columns.
    ranks : array of int of shape (n_ranks,)
        Numbers of parts to try.
    loss : {"frobenius", "kullback-leibler"}
        Loss of the fit and of the prediction.
    seed : int
        Seed of the groups of units and of the starts.

    Returns
    -------
    array of shape (n_partitions, n_blocks, n_ranks)
        Loss of each block in units of that of predicting nothing there: zero (squared error) or the mean of the
        block (divergence). Blocks are thus comparable, however strongly their units respond.
    """
    rng = np.random.default_rng([seed, 11])
    errors = np.empty((len(pairs), GROUPS**2, len(ranks)))
    for p, ((x, wanted), group) in enumerate(zip(pairs, columns, strict=True)):
        units = rng.permutation(np.arange(len(x)) % GROUPS)
        for block in range(GROUPS**2):
            rows, cols = units == block // GROUPS, group == block % GROUPS
            target = wanted[rows][:, cols]
            nothing = np.full_like(target, 0 if loss == "frobenius" else target.mean())
            base = loss_of(target, nothing, loss) or 1.0
            rest = x[~rows][:, ~cols]
            for i, rank in enumerate(ranks):
                starts = rng.integers(2**31, size=STARTS).tolist()
                fits = [fit(rest, int(rank), loss, random_state=start, loose=True) for start in starts]
                w, h = min(fits, key=lambda pair, rest=rest: loss_of(rest, pair[0] @ pair[1], loss))
                size = np.linalg.norm(w, axis=0) * np.linalg.norm(h, axis=1)
                # Parts that fit nothing but rounding errors would give weights without bound.
                w, h = w[:, size >= 1e-6 * size.max()], h[size >= 1e-6 * size.max()]
                of_units = coefficients(x[rows][:, ~cols], h, loss)
                of_times = coefficients(x[~rows][:, cols].T, w.T, loss).T
                errors[p, block, i] = loss_of(target, of_units @ of_times, loss) / base
    return errors


def paired_rank(errors: np.ndarray, ranks: np.ndarray) -> int:
    """Return the smallest rank whose error is within one standard error of the smallest one.

    The standard error is that of the difference, as both ranks predict the same blocks: what blocks differ in is no
    reason to want fewer parts.

    Parameters
    ----------
    errors : array of shape (n_partitions, n_blocks, n_ranks)
        From `held_out_errors`.
    ranks : array of int of shape (n_ranks,)
        The ranks, ascending.

    Returns
    -------
    int
        The rank.
    """
    difference = errors - errors[..., [errors.mean((0, 1)).argmin()]]
    within = difference.mean((0, 1)) <= standard_error(difference)
    return int(ranks[np.flatnonzero(within)[0]])


def variances(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate how much parts vary with the condition and with time, without the bias of noise.

    Products of means over different trials, whose noise is independent, replace squares.

    Parameters
    ----------
    first, second : arrays of shape (n_conditions, n_times, rank)
        Mean strengths of the parts in different trials.

    Returns
    -------
    content : array of shape (rank,)
        Variance between conditions at the same time, averaged over time.
    phase : array of shape (rank,)
        Variance over time of the course that the conditions have in common.
    """
    n_conditions, n_times, _ = first.shape
    a, b = first.mean(0), second.mean(0)
    content = ((first - a) * (second - b)).sum((0, 1)) / ((n_conditions - 1) * n_times)
    return content, ((a - a.mean(0)) * (b - b.mean(0))).mean(0)


def power(first: np.ndarray, second: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Estimate the mean square strength of parts above a level, without the bias of noise.

    The variance between conditions is this, if a part is at that level but for one condition, and zero if it is the
    same in all.

    Parameters
    ----------
    first, second : arrays of shape (n_conditions, n_times, rank)
        Mean strengths of the parts in different trials.
    lowest : array of shape (rank,)
        The level.

    Returns
    -------
    array of shape (rank,)
        The mean over conditions and times.
    """
    return ((first - lowest) * (second - lowest)).mean((0, 1))


def relabelled(first: np.ndarray, strength: np.ndarray, condition: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Variance between conditions if the trials of the second half had other labels.

    Parameters
    ----------
    first : array of shape (n_conditions, n_times, rank)
        Mean strengths in the first half, in which the labels stay.
    strength : array of shape (n_trials, n_times, rank)
        Strengths in the trials of the second half.
    condition : array of int of shape (n_trials,)
        Their conditions.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape (PERMUTATIONS, rank)
        One value for each shuffle of whole trials.
    """
    null = np.empty((PERMUTATIONS, first.shape[-1]))
    for i in range(PERMUTATIONS):
        second = np.tensordot(_weights(rng.permutation(condition), len(first)), strength, 1)
        null[i] = variances(first, second)[0]
    return null


def shifted(first: np.ndarray, strength: np.ndarray, condition: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Variance over time if the trials of the second half had begun at any time.

    Parameters
    ----------
    first, strength, condition, rng
        As in `relabelled`.

    Returns
    -------
    array of shape (SHIFTS, rank)
        One value for each set of circular shifts, one of each trial.
    """
    n, n_times, _ = strength.shape
    weight = _weights(condition, len(first)).mean(0)
    common = first.mean(0) - first.mean((0, 1))
    null = np.empty((SHIFTS, first.shape[-1]))
    for i in range(SHIFTS):
        time = (np.arange(n_times) + rng.integers(n_times, size=(n, 1))) % n_times
        second = np.tensordot(weight, strength[np.arange(n)[:, None], time], 1)
        null[i] = (common * (second - second.mean(0))).mean(0)
    return null


def turned(first: np.ndarray, second: np.ndarray, n_conditions: int, rng: np.random.Generator) -> np.ndarray:
    """Matched cosines of parts if those of one fit had their time courses turned round, each by its own.

    Parameters
    ----------
    first, second : arrays of shape (rank, n_conditions * n_times)
        Parts of two fits.
    n_conditions : int
        Number of conditions, in all of which a part is shifted alike.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape (PERMUTATIONS,)
        Mean cosine after the best matching, for each set of circular shifts.
    """
    rank = len(first)
    a = unit_rows(first)
    b = unit_rows(second).reshape(rank, n_conditions, -1)
    n_times = b.shape[-1]
    cosine = np.stack([a @ np.roll(b, shift, axis=2).reshape(rank, -1).T for shift in range(n_times)])
    shift = rng.integers(n_times, size=(PERMUTATIONS, rank))
    null = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        table = cosine[shift[i], :, np.arange(rank)]
        null[i] = table[linear_sum_assignment(table, maximize=True)].mean()
    return null


def _weights(condition: np.ndarray, n_conditions: int) -> np.ndarray:
    """Weights (condition, trial) that average."""
    one = condition == np.arange(n_conditions)[:, None]
    return one / one.sum(1, keepdims=True)
