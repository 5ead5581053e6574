"""Fractions of held-out trials that were told right: their mean over labels, and its interval.

Intervals hold decoders fixed: they say nothing of what other trials to learn from would change.
"""

import numpy as np
from scipy.stats import norm, t

from neurocompare.inference.resampling import interval

BOOTSTRAPS = 1000


def balanced(hits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Average over trials of each label, then over labels.

    Parameters
    ----------
    hits : array of shape (..., n_trials)
        Whether, or in what fraction of resamples, each trial was told right.
    target : array of int of shape (n_trials,)
        Labels 0, 1, …

    Returns
    -------
    array of shape (...)
        Balanced accuracy.
    """
    # Whole numbers are added up before they are divided, so that 1 is 1.
    members = np.eye(target.max() + 1)[target]
    return (hits @ members / members.sum(0)).mean(-1)


def balanced_draws(
    hits: np.ndarray, target: np.ndarray, rng: np.random.Generator, block: np.ndarray | None = None
) -> np.ndarray:
    """Resample trials, or whole blocks, within labels, decoders fixed.

    Parameters
    ----------
    hits : array of shape (..., n_trials)
        As for `balanced`.
    target : array of int of shape (n_trials,)
        Labels 0, 1, …
    rng : Generator
        The source of randomness.
    block : array of int of shape (n_trials,), optional
        Blocks, where the label does not change within one: trials of a block are right or wrong together, and what
        would be new is another block.

    Returns
    -------
    array of shape (n_draws, ...)
        Balanced accuracies; all elements are of the same draws. NaN if a label has one block only.
    """
    return recall_draws(hits, target, rng, block).mean(-1)


def mean_draws(
    values: np.ndarray, target: np.ndarray, rng: np.random.Generator, block: np.ndarray | None = None
) -> np.ndarray:
    """Resample as `balanced_draws`; return means over all trials, with as many of each label as there are.

    Returns
    -------
    array of shape (n_draws, ...)
        Means of `values` (..., n_trials).
    """
    return recall_draws(values, target, rng, block) @ np.bincount(target) / len(target)


def widening(target: np.ndarray, block: np.ndarray | None) -> float:
    """Tell how much wider an interval over few blocks is than one over many.

    Parameters
    ----------
    target : array of int of shape (n_trials,)
        Labels 0, 1, …
    block : array of int of shape (n_trials,) or None
        Blocks that were resampled as wholes; None if trials were.

    Returns
    -------
    float
        The quantile of t, with a degree of freedom for each block but one of each label, over that of the normal
        distribution; 1 for trials, NaN if a label has one block only.
    """
    if block is None:
        return 1.0
    blocks = np.array([len(np.unique(block[target == label])) for label in range(target.max() + 1)])
    return float(t.ppf(0.975, (blocks - 1).sum()) / norm.ppf(0.975)) if blocks.min() > 1 else np.nan


def interval_of(
    draws: np.ndarray, target: np.ndarray, block: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % percentile interval of draws, widened where there are few blocks.

    Parameters
    ----------
    draws : array of shape (n_draws, ...)
        From `balanced_draws`, `mean_draws`, or a function of them.
    target, block
        As of `widening`.

    Returns
    -------
    low, high : arrays of shape (...)
        The interval.
    """
    low, high = interval(draws)
    if block is None:
        return low, high
    centre, factor = np.asarray(draws).mean(0), widening(target, block)
    return centre + (low - centre) * factor, centre + (high - centre) * factor


def recall_draws(
    hits: np.ndarray, target: np.ndarray, rng: np.random.Generator, block: np.ndarray | None = None
) -> np.ndarray:
    """Resample as `balanced_draws`; return the fractions that are right of each label.

    One block less than there are is drawn of each label, so that the variance is that of their mean also for few blocks
    (Rao & Wu 1988, J. Am. Stat. Assoc. 83:231).

    Returns
    -------
    array of shape (n_draws, ..., n_labels)
        Of each label.
    """
    recalls = []
    for label in range(target.max() + 1):
        own = np.flatnonzero(target == label)
        if block is None:
            weights = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=BOOTSTRAPS)
        else:
            blocks, of_block = np.unique(block[own], return_inverse=True)
            n = len(blocks)
            weights = rng.multinomial(n - 1, np.full(n, 1 / n), size=BOOTSTRAPS)[:, of_block]
        weights = weights / np.where(weights.any(1, keepdims=True), weights.sum(1, keepdims=True), np.nan)
        recalls.append(np.tensordot(weights, hits[..., own], axes=(1, -1)))
    return np.stack(recalls, axis=-1)
