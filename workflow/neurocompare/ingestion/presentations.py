"""What every loader says of its presentations: repeats of a stimulus, and stretches of time."""

import numpy as np


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


def constant_in_blocks(values: np.ndarray, block: np.ndarray) -> bool:
    """Tell whether a variable never changes within a block, though it changes between blocks.

    Responses drift from block to block; so trials of such a variable must not be exchanged one by one.

    Parameters
    ----------
    values : array of shape (n_presentations,)
        The variable.
    block : array of int of shape (n_presentations,)
        The blocks.

    Returns
    -------
    bool
        False if there is one block only, or one value.
    """
    levels, index = np.unique(values, return_inverse=True)
    blocks, of_block = np.unique(block, return_inverse=True)
    pairs = len(np.unique(index * len(blocks) + of_block))
    return len(levels) > 1 and len(blocks) > 1 and pairs == len(blocks)
