"""Folds: stimuli, or presentations by block, that are held out together.

Stimuli are held out at random or in runs of neighbours. Presentations are held out in whole blocks, because trials of
a block share slow fluctuations, and with a gap in which nothing is trained on, because responses outlast a
presentation: a decay of calcium, adaptation, a running wheel. The gap is longer than such things last.
"""

import numpy as np

from neurocompare.errors import UserError, unknown

SPLITS = ("random", "consecutive")
"""How stimuli are held out."""

ORDERS = ("interleaved", "chronological")
"""How blocks are held out: every so many-th of them, or those of one stretch of the recording."""


def order_of_stimuli(n: int, folds: int, split: str, seed: int) -> np.ndarray:
    """Put stimuli in the order in which folds are cut from them.

    Parameters
    ----------
    n : int
        Number of stimuli, sorted by name.
    folds : int
        Number of folds.
    split : {"random", "consecutive"}
        Whether a fold holds random stimuli or neighbours, as gratings are by their angle.
    seed : int
        Seed of the random order.

    Returns
    -------
    array of int of shape (n,)
        A permutation.
    """
    if split not in SPLITS:
        raise unknown("split of stimuli", split, SPLITS)
    return np.arange(n) if split == "consecutive" else np.random.default_rng([seed, n, folds]).permutation(n)


def of_stimuli(n: int, folds: int, split: str, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Hold out stimuli.

    Parameters
    ----------
    n, folds, split, seed : int, int, str and int
        As for `order_of_stimuli`.

    Returns
    -------
    list of tuple of two arrays of int
        Stimuli to train on and to test, for each fold; each stimulus is tested once. Of fewer stimuli than folds, each
        is a fold.

    Raises
    ------
    UserError
        If there is nothing to train on.
    """
    if n < 2 or folds < 2:
        raise UserError(f"folds: {n} stimuli can't be held out in {folds} folds; use two of both at least")
    order = order_of_stimuli(n, folds, split, seed)
    return [(order[~np.isin(order, test)], test) for test in np.array_split(order, folds) if len(test)]


def of_presentations(
    block: np.ndarray,
    folds: int,
    *,
    order: str = "interleaved",
    gap: float = 0,
    time: np.ndarray | None = None,
    name: str = "recording",
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Hold out whole blocks of presentations, with a gap between what is trained on and what is tested.

    Parameters
    ----------
    block : array of shape (n_presentations,)
        The block of each presentation, in the order of the recording. None is split.
    folds : int
        Number of folds.
    order : {"interleaved", "chronological"}
        Whether a fold holds every so many-th block, or blocks that follow one another: slow changes of the responses
        are then between training and test. Blocks are ordered by their first presentation.
    gap : float
        What is left out of the training presentations before and after each test presentation: presentations or,
        with `time`, seconds.
    time : array of shape (n_presentations,), optional
        When each presentation began, in seconds.
    name : str
        The id of the recording, for error messages.

    Returns
    -------
    list of tuple of two arrays of int
        Presentations to train on and to test, for each fold; each presentation is tested once.

    Raises
    ------
    UserError
        If there are fewer blocks than folds, times go back, or the gap leaves nothing to train on.
    """
    if order not in ORDERS:
        raise unknown("order of blocks", order, ORDERS)
    labels, first, index = np.unique(block, return_index=True, return_inverse=True)
    if len(labels) < 2:
        raise UserError(f"{name}: there is one block, and no block is split into folds; hold out stimuli instead")
    if not 2 <= folds <= len(labels):
        raise UserError(
            f"{name}: {len(labels)} blocks can't be held out in {folds} folds, as no block is split; use from 2 to "
            f"{len(labels)} folds"
        )
    rank = np.argsort(np.argsort(first))[index]
    fold = rank % folds if order == "interleaved" else rank * folds // len(labels)
    when = np.arange(len(fold), dtype=float) if time is None else np.asarray(time, dtype=float)
    if gap < 0 or not np.isfinite(gap):
        raise UserError(f"{name}: a gap of {gap} is none; give 0 or more presentations or seconds")
    if when.shape != fold.shape or not np.all(np.diff(when) >= 0):
        raise UserError(f"{name}: coordinate 'time' has to be given for all presentations, in the order of time")
    found = []
    for k in range(folds):
        test = np.flatnonzero(fold == k)
        train = np.flatnonzero((fold != k) & ~near(when, when[test], gap))
        if not len(train):
            unit = "presentations" if time is None else "seconds"
            raise UserError(f"{name}: a gap of {gap:g} {unit} leaves nothing to train on; use a shorter one")
        found.append((train, test))
    return found


def near(when: np.ndarray, held: np.ndarray, gap: float) -> np.ndarray:
    """Tell which presentations are within a gap of one that is held out.

    Parameters
    ----------
    when, held : arrays of shape (n_presentations,) and (n_held,)
        Times, or numbers, of all presentations and of those held out; both sorted.
    gap : float
        In the same unit.

    Returns
    -------
    array of bool of shape (n_presentations,)
        Those at a distance of at most `gap`.
    """
    after = np.searchsorted(held, when)
    distance = np.minimum(
        np.abs(when - held[np.maximum(after - 1, 0)]), np.abs(held[np.minimum(after, len(held) - 1)] - when)
    )
    return distance <= gap
