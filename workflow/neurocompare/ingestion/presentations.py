"""What every loader says of its presentations: repeats of a stimulus, and stretches of time."""

import numpy as np

CONSTANT = 0.95
"""Share of trials with their block's commonest value from which on a variable counts as constant in blocks."""
SHUFFLES = 999
LEVEL = 0.05


def repeats(stimulus: np.ndarray) -> np.ndarray:
    """Number the presentations of each stimulus.

    Parameters
    ----------
    stimulus : array of shape (n_presentations,)
        What was presented, in the order of time.

    Returns
    -------
    array of int of shape (n_presentations,)
        How often the stimulus had been presented before.

    Examples
    --------
    >>> repeats(np.array(["a", "b", "a", "a"])).tolist()
    [0, 0, 1, 2]
    """
    index = np.unique(np.asarray(stimulus), return_inverse=True)[1]
    order = np.argsort(index, kind="stable")
    counts = np.bincount(index)
    found = np.empty(len(index), dtype=int)
    found[order] = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    return found


def stretches(n: int, count: int = 4) -> np.ndarray:
    """Cut a session into blocks of consecutive presentations of equal length.

    Parameters
    ----------
    n : int
        Number of presentations, in the order of time.
    count : int
        Number of blocks.

    Returns
    -------
    array of int of shape (n,)
        Block of each presentation.
    """
    return np.arange(n) * count // max(n, 1)


def epochs(start: np.ndarray, *, gap: float) -> np.ndarray:
    """Number the stretches that are separated by pauses.

    Parameters
    ----------
    start : array of shape (n,)
        Onsets in s, rising.
    gap : float
        A longer distance between onsets, in s, begins a new stretch.

    Returns
    -------
    array of int of shape (n,)
        Stretch of each presentation.
    """
    return np.concatenate([[0], np.cumsum(np.diff(np.asarray(start, dtype=float)) > gap)])


def majority_in_blocks(values: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return the commonest value of each presentation's block.

    Parameters
    ----------
    values : array of shape (n_presentations,)
        A variable.
    block : array of int of shape (n_presentations,)
        The blocks.

    Returns
    -------
    array of shape (n_presentations,)
        Of values that are equally common, the smallest.

    Examples
    --------
    >>> majority_in_blocks(np.array([3, 3, 7, 7]), np.array([0, 0, 0, 1])).tolist()
    [3, 3, 3, 7]
    """
    levels, index = np.unique(values, return_inverse=True)
    of_block = np.unique(block, return_inverse=True)[1]
    codes, counts = np.unique(of_block * len(levels) + index, return_counts=True)
    order = np.lexsort((codes, -counts, codes // len(levels)))
    first = np.unique(codes[order] // len(levels), return_index=True)[1]
    return levels[codes[order][first] % len(levels)][of_block]


def constant_in_blocks(values: np.ndarray, block: np.ndarray) -> bool:
    """Tell whether a variable changes between blocks, and within a block never or hardly ever.

    Responses drift from block to block; so trials of such a variable must not be exchanged one by one. A decoder that
    knows the block of a trial and nothing else is right in the trials that have their block's commonest value. If those
    are 95 % or more, what is left for a decoder of the variable to tell is one trial in 20. Small blocks have one value
    by accident, too: so this share has to be one that at most 5 % of 999 shuffles of the trials reach.

    Parameters
    ----------
    values : array of shape (n_presentations,)
        The variable.
    block : array of int of shape (n_presentations,)
        The blocks.

    Returns
    -------
    bool
        False if there is one block only, or all blocks have the same commonest value.
    """
    if len(np.unique(majority_in_blocks(values, block))) < 2:
        return False
    index, of_block = (np.unique(x, return_inverse=True)[1] for x in (values, block))
    told = _told_by_blocks(index, of_block)
    if told < CONSTANT * len(index):
        return False
    rng = np.random.default_rng(0)
    reached = 1
    for _ in range(SHUFFLES):
        reached += _told_by_blocks(rng.permutation(index), of_block) >= told
        if reached > LEVEL * (SHUFFLES + 1):
            return False
    return True


def _told_by_blocks(index, of_block) -> int:
    """How many presentations have the commonest value of their block; both are numbered from zero."""
    levels = index.max() + 1
    codes, counts = np.unique(of_block * levels + index, return_counts=True)
    starts = np.flatnonzero(np.diff(codes // levels, prepend=-1))
    return int(np.maximum.reduceat(counts, starts).sum())
