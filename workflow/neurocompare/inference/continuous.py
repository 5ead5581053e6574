"""Nulls, resamples and folds of continuous recordings, in which neighbouring samples depend on each other.

Single samples of such a recording are not exchangeable, and nothing here shuffles them: `shifts` turns the
series against itself, which keeps its autocorrelation, `moving_block_weights` resamples stretches of it,
and `gapped_folds` holds out stretches with a gap around them.
"""

import numpy as np

from neurocompare.errors import UserError

LEAST_TURNS = 50
"""How many times the smallest shift a series has to last. What is left out around no shift at all is most like
the observed score, so that a null without it is a little too low: two unrelated series with a correlation of
neighbours of 0.9, and shifts of at least 20 samples, are called related in 7.6 % of cases if they last 15 times
that shift, in 5.7 % if 60 times, at a level of 5 %."""

MINIMUM_BLOCKS = 5
"""The fewest stretches of which a series has to consist to be resampled by them."""


def shifts(n_samples: int, minimum: int, n: int, rng: np.random.Generator, name: str = "recording") -> np.ndarray:
    """Turn a continuous recording against itself.

    Neighbours stay neighbours, but for one seam. The series has to be stationary: a trend, a drift or a
    slow oscillation that both series share is kept as well, and is no evidence.

    Parameters
    ----------
    n_samples : int
        Number of samples, equally spaced in time.
    minimum : int
        The smallest shift, in either direction, in samples: longer than the autocorrelation lasts.
    n : int
        How many shifts at most.
    rng : Generator
        The source of randomness.
    name : str
        The id of the recording, for error messages.

    Returns
    -------
    array of int of shape (n_shifts, n_samples)
        Row k says which sample takes the place of each. No shift is there twice.

    Raises
    ------
    UserError
        If the series is too short for so long a shift.
    """
    if minimum < 1:
        raise UserError(f"{name}: a circular shift by {minimum} samples is none; state one beyond the autocorrelation")
    if n_samples < LEAST_TURNS * minimum:
        raise UserError(
            f"{name}: {n_samples} samples are too few for circular shifts of at least {minimum}: a null needs "
            f"{LEAST_TURNS} times as many; use a longer recording, coarser bins or a shorter shift"
        )
    possible = np.arange(minimum, n_samples - minimum + 1)
    chosen = possible if len(possible) <= n else np.sort(rng.choice(possible, size=n, replace=False))
    return (np.arange(n_samples) + chosen[:, None]) % n_samples


def moving_block_weights(
    n_samples: int, length: int, n: int, rng: np.random.Generator, name: str = "recording"
) -> np.ndarray:
    """Resample stretches of a continuous recording (Künsch 1989, Ann. Statist. 17:1217).

    Stretches run on from the end to the start of the series (Politis & Romano 1992), so that every sample
    is drawn as often as another.

    Parameters
    ----------
    n_samples : int
        Number of samples, equally spaced in time.
    length : int
        Samples in a stretch: longer than the autocorrelation lasts.
    n : int
        How many bootstrap samples.
    rng : Generator
        The source of randomness.
    name : str
        The id of the recording, for error messages.

    Returns
    -------
    array of shape (n, n_samples)
        How often each sample is in each bootstrap sample; each holds n_samples.

    Raises
    ------
    UserError
        If the series has fewer than five such stretches.
    """
    if length < 1 or n_samples < MINIMUM_BLOCKS * length:
        raise UserError(
            f"{name}: {n_samples} samples can't be resampled in stretches of {length}; a stretch holds at least one "
            f"sample and at most a {MINIMUM_BLOCKS}th of the recording"
        )
    count = -(-n_samples // length)
    starts = rng.integers(n_samples, size=(n, count))
    # The last stretch is cut, so that all bootstrap samples are of one size.
    offset = np.minimum(np.arange(count * length), n_samples)
    drawn = (starts[:, :, None] + np.arange(length)).reshape(n, -1)[:, offset < n_samples] % n_samples
    weights = np.zeros((n, n_samples))
    np.add.at(weights, (np.arange(n)[:, None], drawn), 1)
    return weights


def gapped_folds(n_samples: int, folds: int, gap: int, name: str = "recording") -> list[tuple[np.ndarray, np.ndarray]]:
    """Hold out stretches of a continuous recording, far enough from what is trained on.

    Parameters
    ----------
    n_samples : int
        Number of samples, equally spaced in time.
    folds : int
        How many stretches.
    gap : int
        Samples to leave out on both sides of a held-out stretch: the duration of the autocorrelation, a
        decay of calcium included.
    name : str
        The id of the recording, for error messages.

    Returns
    -------
    list of tuple of two arrays of int
        Samples to train on and samples to test, for each fold; every sample is tested once.

    Raises
    ------
    UserError
        If the stretches are no longer than the gap, or there are fewer than two.
    """
    if folds < 2 or gap < 0 or n_samples // folds <= gap:
        raise UserError(
            f"{name}: {n_samples} samples in {folds} folds are stretches of {n_samples // max(folds, 1)}, which have "
            f"to be longer than the gap of {gap}; use at least two folds, and fewer or a shorter gap"
        )
    index = np.arange(n_samples)
    split = []
    for test in np.array_split(index, folds):
        far = (index < test[0] - gap) | (index > test[-1] + gap)
        split.append((index[far], test))
    return split
