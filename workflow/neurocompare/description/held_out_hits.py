"""Fractions of held-out trials that were told right: their mean over labels, and its interval."""

import numpy as np

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
    count = np.bincount(target)
    return hits @ (1 / (len(count) * count))[target]


def balanced_draws(hits: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Resample trials within labels, decoders fixed.

    Parameters
    ----------
    hits : array of shape (..., n_trials)
        As for `balanced`.
    target : array of int of shape (n_trials,)
        Labels 0, 1, …
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape (n_draws, ...)
        Balanced accuracies; all elements are of the same draws.
    """
    count = np.bincount(target)
    weights = np.zeros((BOOTSTRAPS, len(target)))
    for label, n in enumerate(count):
        weights[:, target == label] = rng.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS) / (n * len(count))
    return np.tensordot(weights, hits, axes=(1, -1))
