"""Ranks of dissimilarities, and Kendall's tau-a of RDMs, with its null and its resamples.

tau-a = (C − D) / (N(N − 1)/2) counts concordant and discordant pairs among the N cells of two RDMs
(Kendall 1938, Biometrika 30:81). Pairs that are tied in either RDM count zero but stay in the
denominator, so a model gains nothing by predicting ties (Nili et al. 2014, PLoS Comput. Biol.
10:e1003553). It is not an inner product of two matrices of stimuli, so its null is counted out, shuffle by
shuffle.

Two ideas make that quick. Ties: averaged over an order of the tied cells and the reverse of it, tied pairs
cancel, so only permutations without ties need counting. Counting: the discordant pairs of a permutation
are its inversions. Cut into blocks of consecutive positions and of consecutive ranks, those between blocks
of both kinds follow from a table of counts, and those within a block from plain comparisons.
"""

import numpy as np

_CELLS_AT_ONCE = 2**17
"""So that what is compared at a time stays in the processor's cache."""

_DRAWS_AT_ONCE = 64


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Rank values; equal ones get the mean of their ranks.

    Parameters
    ----------
    values : array of shape (n,)
        The values.

    Returns
    -------
    array of shape (n,)
        Ranks from 1 to n.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def tau_a(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Compute Kendall's tau-a of RDMs.

    Parameters
    ----------
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        Some RDMs.
    candidates : array of shape (n_candidates, n_stimuli, n_stimuli)
        Others.

    Returns
    -------
    array of shape (n_targets, n_candidates)
        The scores; zero for a constant RDM, NaN for one that holds NaN.
    """
    return tau_a_null(targets, candidates, np.arange(targets.shape[1])[None])[0]


def tau_a_null(targets: np.ndarray, candidates: np.ndarray, permutations: np.ndarray) -> np.ndarray:
    """Compute Kendall's tau-a with the stimuli of the targets shuffled.

    Parameters
    ----------
    targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
        RDMs.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_candidates)
        Scores under the null.
    """
    pairs = np.triu_indices(targets.shape[1], 1)
    n_pairs = len(pairs[0]) * (len(pairs[0]) - 1) / 2
    step = max(1, _CELLS_AT_ONCE // len(pairs[0]))
    orders = [_orders(rdm[pairs]) for rdm in candidates]
    null = np.full((len(permutations), len(targets), len(candidates)), np.nan)
    for t, target in enumerate(targets):
        breaks = [_rank_matrix(order, pairs) for order in _orders(target[pairs])]
        for k, order_list in enumerate(orders):
            ways = [(ranks, order) for ranks in breaks for order in order_list]
            if not ways:
                continue
            for start in range(0, len(permutations), step):
                chunk = permutations[start : start + step]
                counts = [inversions(_moved(ranks, chunk, pairs[0][order], pairs[1][order])) for ranks, order in ways]
                null[start : start + step, t, k] = 1 - 2 * np.mean(counts, axis=0) / n_pairs
    return null


def tau_a_weighted(targets: np.ndarray, candidates: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute Kendall's tau-a in resamples of the stimuli.

    A pair of different cells counts as often as both were drawn; copies of one cell make no pair.

    Parameters
    ----------
    targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
        RDMs.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.

    Returns
    -------
    array of shape (n_samples, n_targets, n_candidates)
        Scores; with all weights one, those of `tau_a`. NaN where a resample has no two different cells.
    """
    pairs = np.triu_indices(targets.shape[1], 1)
    target_orders, candidate_orders = ([_orders(rdm[pairs]) for rdm in stack] for stack in (targets, candidates))
    scores = np.full((len(weights), len(targets), len(candidates)), np.nan)
    for start in range(0, len(weights), _DRAWS_AT_ONCE):
        rows = slice(start, start + _DRAWS_AT_ONCE)
        drawn = np.ascontiguousarray(weights[rows].T, dtype=float)
        cells = drawn[pairs[0]] * drawn[pairs[1]]
        n_pairs = (cells.sum(0) ** 2 - (cells**2).sum(0)) / 2
        n_pairs = np.where(n_pairs > 0, n_pairs, np.nan)
        for t, orders in enumerate(target_orders):
            for k, others in enumerate(candidate_orders):
                counts = [weighted_inversions(_inverse(own)[other], cells[other]) for own in orders for other in others]
                if counts:
                    scores[rows, t, k] = 1 - 2 * np.mean(counts, axis=0) / n_pairs
    return scores


def inversions(sequences: np.ndarray) -> np.ndarray:
    """Count the pairs of a permutation that stand in the wrong order.

    Parameters
    ----------
    sequences : array of int of shape (n_sequences, n)
        Permutations of 0…n−1.

    Returns
    -------
    array of int of shape (n_sequences,)
        The counts. The cost of each is of the order of n^1.5.
    """
    number, n = sequences.shape
    size, blocks = _blocks(n)
    values = np.empty((number, blocks * size), dtype=np.intp)
    values[:, :n] = sequences
    # What is added to fill the last block is in order, and after everything else.
    values[:, n:] = np.arange(n, blocks * size)
    block = np.repeat(np.arange(blocks), size)
    block_of = np.empty(values.shape, dtype=np.min_scalar_type(blocks))
    np.put_along_axis(block_of, values, np.broadcast_to(block, values.shape), axis=1)
    key = (np.arange(number)[:, None] * blocks + block) * blocks + values // size
    table = np.bincount(key.ravel(), minlength=number * blocks**2).reshape(number, blocks, blocks)
    total = _between_blocks(table.astype(float)).astype(np.int64)
    # In a block of positions, ranks are compared; in a block of ranks, the blocks of their positions, so that
    # pairs which share both blocks count once.
    for entries in (values.astype(np.min_scalar_type(blocks * size)), block_of):
        columns = np.ascontiguousarray(entries.reshape(number, blocks, size).transpose(2, 0, 1)).reshape(size, -1)
        total += _within_blocks(columns).reshape(number, blocks).sum(1)
    return total


def weighted_inversions(sequence: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum the products of weights over the pairs of a permutation that stand in the wrong order.

    Parameters
    ----------
    sequence : array of int of shape (n,)
        A permutation of 0…n−1.
    weights : array of shape (n, n_samples)
        Weights of its entries, in the same order.

    Returns
    -------
    array of shape (n_samples,)
        The sums.
    """
    n, samples = weights.shape
    size, blocks = _blocks(n)
    values = np.arange(blocks * size)
    values[:n] = sequence
    by_position = np.zeros((blocks * size, samples))
    by_position[:n] = weights
    position = _inverse(values)
    by_rank = by_position[position]
    table = np.zeros((blocks**2, samples))
    key = np.repeat(np.arange(blocks), size) * blocks + values // size
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    table[key[order][starts]] = np.add.reduceat(by_position[order], starts, axis=0)
    total = _between_blocks(np.ascontiguousarray(table.T).reshape(samples, blocks, blocks))
    for entries, parts in ((values, by_position), (position // size, by_rank)):
        entries, parts = entries.reshape(blocks, size), parts.reshape(blocks, size, samples)
        wrong = np.triu(entries[:, :, None] > entries[:, None, :]).astype(float)
        total += np.einsum("gis,gis->s", wrong @ parts, parts)
    return total


def _orders(cells: np.ndarray) -> list[np.ndarray]:
    """Sort cells: one order, or, with ties, one and that with the tied cells reversed; none if there are NaNs."""
    if np.isnan(cells).any():
        return []
    order = np.argsort(cells, kind="stable")
    if np.all(np.diff(cells[order]) > 0):
        return [order]
    return [order, len(cells) - 1 - np.argsort(cells[::-1], kind="stable")]


def _inverse(order: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def _rank_matrix(order: np.ndarray, pairs) -> np.ndarray:
    """Ranks of the cells, as a symmetric matrix of stimuli."""
    n = pairs[1][-1] + 1
    ranks = np.zeros((n, n), dtype=np.intp)
    ranks[pairs] = _inverse(order)
    return ranks + ranks.T


def _moved(ranks: np.ndarray, permutations: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """The cells (i, j) of a matrix after each permutation of its stimuli."""
    return ranks.ravel()[permutations[:, i] * len(ranks) + permutations[:, j]]


def _blocks(n: int) -> tuple[int, int]:
    """Size and number of blocks; the work within and between them is then about the same."""
    size = max(8, int(np.ceil(1.2 * np.sqrt(n))))
    return size, -(-n // size)


def _between_blocks(table: np.ndarray) -> np.ndarray:
    """Inversions between different blocks of positions and of ranks.

    Parameters
    ----------
    table : array of shape (n_sequences, n_blocks, n_blocks)
        How many entries (or what weight) each block of positions has in each block of ranks.

    Returns
    -------
    array of shape (n_sequences,)
        Their number (or weight).
    """
    later = np.tri(table.shape[1], k=-1)
    # To the entries of each block, all that stand in earlier blocks of positions and in higher ones of ranks.
    return np.einsum("sij,sij->s", table, later @ table @ later)


def _within_blocks(columns: np.ndarray) -> np.ndarray:
    """Inversions within each of many blocks.

    Parameters
    ----------
    columns : array of int of shape (block_size, n_blocks)
        One block in each column: comparing rows then runs along the memory.

    Returns
    -------
    array of int of shape (n_blocks,)
        Their numbers.
    """
    size = len(columns)
    counts = np.zeros(columns.shape, dtype=np.uint8 if size <= 256 else np.uint16)
    wrong = np.empty(columns.shape, dtype=bool)
    for lag in range(1, size):
        np.greater(columns[:-lag], columns[lag:], out=wrong[:-lag])
        counts[:-lag] += wrong[:-lag].view(np.uint8)
    return counts.sum(0, dtype=np.int64)
