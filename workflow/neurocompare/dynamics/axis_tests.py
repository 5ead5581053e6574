"""Whether the axes of targeted dimensionality reduction are more than chance, and how well trials determine them.

Null
    The norm of the coefficients of a variable, when what the other regressors leave of the responses is exchanged among
    trials, all times together (Freedman & Lane 1983, J Bus Econ Stat 1:292). The residuals of units that were not
    recorded together are exchanged for each unit by itself. A variable that never changes within a block is exchanged
    instead: among whole blocks, with all their trials.
Reliability
    The cosine of the vectors of two random halves of the trials of each condition, lengthened to all trials by the
    formula of Spearman and Brown. Cosines between variables are taken across halves too, so that the noise of a trial
    does not enter both, and divided by the geometric mean of the reliabilities.
"""

from collections.abc import Iterator

import numpy as np

from neurocompare.dynamics.tdr import regress, solvers

MINIMUM_GROUPS = 5
"""What is exchanged has to be so many, or a shuffle tells nothing."""


def exchange(group: np.ndarray, rng: np.random.Generator, draws: int = 1) -> Iterator[np.ndarray]:
    """Exchange whole groups of trials with groups of the same size.

    Parameters
    ----------
    group : array of shape (n_trials,)
        The group of each trial; all different to exchange trials one by one.
    rng : Generator
        The source of randomness.
    draws : int
        How often.

    Yields
    ------
    array of int of shape (n_trials,)
        The trial that comes to each place.
    """
    _, index, counts = np.unique(group, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    start = np.cumsum(counts) - counts
    # Trials of the groups of each size, a group in each row.
    alike = [order[start[counts == size][:, None] + np.arange(size)] for size in np.unique(counts)]
    for _ in range(draws):
        moved = np.empty(len(index), dtype=int)
        for trials in alike:
            moved[trials] = trials[rng.permutation(len(trials))]
        yield moved


def exchangeable(group: np.ndarray) -> int:
    """Return the number of groups of the commonest size: how many can change places."""
    counts = np.unique(group, return_counts=True)[1]
    return int(np.unique(counts, return_counts=True)[1].max())


def null_norms(
    values: np.ndarray,
    columns: np.ndarray,
    k: int,
    group: np.ndarray,
    draws: int,
    rng: np.random.Generator,
    *,
    weights: np.ndarray | None = None,
    pooled: bool = False,
    constant: bool = False,
) -> np.ndarray:
    """Return norms of the coefficients of a variable that has no effect.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses, z-scored; `n_times` may be one window.
    columns : array of shape (1 or n_units, n_trials, n_regressors)
        From `neurocompare.dynamics.tdr.design`.
    k : int
        The variable.
    group : array of shape (n_trials,) or (n_trials, n_units)
        What moves together: each trial by itself, conditions, or blocks.
    draws : int
        Number of shuffles.
    rng : Generator
        The source of randomness.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.
    pooled : bool
        Whether units were not recorded together, and are shuffled each by itself.
    constant : bool
        Whether the variable is exchanged among groups, within which it never changes, instead of the residuals.

    Returns
    -------
    array of shape (draws, n_times)
        Norms over units. Trials that are exchanged are taken to be equally many in each value of `values`.
    """
    squares = np.zeros((draws, values.shape[1]))
    others = [j for j in range(columns.shape[2]) if j != k]
    if pooled and weights is None:
        weights = np.ones((len(values), values.shape[2]))
    for units, rows, x, solution in solvers(columns, weights, values.shape[2]):
        own = values[rows][..., units].reshape(len(rows), -1)
        among = group[rows] if group.ndim == 1 else group[rows, units.start]
        rest = x[:, others]
        reduced = np.linalg.solve(rest.T @ rest, rest.T)
        left = own - rest @ (reduced @ own)
        weight = np.empty((draws, len(rows)))
        if constant:
            for i in range(draws):
                moved = _relabelled(x[:, k], among, rng)
                moved = moved - rest @ (reduced @ moved)
                weight[i] = moved / max((moved**2).sum(), 1e-300)
        else:
            for i, order in enumerate(exchange(among, rng, draws)):
                weight[i, order] = solution[k]
        found = (weight @ left).reshape(draws, values.shape[1], -1)
        squares += (found**2).sum(-1)
    return np.sqrt(squares)


def halves(
    cell: np.ndarray, n_units: int, rng: np.random.Generator, *, weights: np.ndarray | None, pooled: bool
) -> np.ndarray:
    """Divide the trials of each cell into random halves.

    Parameters
    ----------
    cell : array of int of shape (n_trials,)
        Cells.
    n_units : int
        Number of units.
    rng : Generator
        The source of randomness.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.
    pooled : bool
        Whether units have halves of their own.

    Returns
    -------
    array of bool of shape (n_trials, n_units) or (n_trials, 1)
        The first half. Trials that a unit does not have are in neither, and have to be left out by their weights.
    """
    alone = 1 if weights is None and not pooled else n_units
    first = np.zeros((len(cell), alone), dtype=bool)
    for k in range(alone):
        rows = np.arange(len(cell)) if weights is None else np.flatnonzero(weights[:, k] > 0)
        order = rows[np.lexsort((rng.random(len(rows)), cell[rows]))]
        # Trials that are left over of odd cells fall to both halves in turn.
        first[order[rng.integers(2) :: 2], k] = True
    return first


def split_vectors(
    values: np.ndarray,
    columns: np.ndarray,
    cell: np.ndarray,
    splits: int,
    rng: np.random.Generator,
    *,
    weights: np.ndarray | None = None,
    pooled: bool = False,
) -> np.ndarray:
    """Regress random halves of the trials.

    Parameters
    ----------
    values : array of shape (n_trials, n_windows, n_units)
        Responses, averaged over the window of each variable.
    columns : array of shape (1 or n_units, n_trials, n_regressors)
        Regressors; the first `n_windows` are those of the variables.
    cell : array of int of shape (n_trials,)
        Trials of one cell are divided evenly.
    splits : int
        How often.
    rng : Generator
        The source of randomness.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.
    pooled : bool
        Whether units were not recorded together.

    Returns
    -------
    array of shape (splits, 2, n_windows, n_units)
        Vectors of the variables, of both halves. NaN for a unit whose half does not determine them.
    """
    n_windows, n_units = values.shape[1:]
    each = np.arange(n_windows)
    found = np.empty((splits, 2, n_windows, n_units))
    for i in range(splits):
        first = halves(cell, n_units, rng, weights=weights, pooled=pooled)
        for h, chosen in enumerate((first, ~first)):
            if chosen.shape[1] == 1:
                rows = chosen[:, 0]
                found[i, h] = regress(values[rows], columns[:, rows])[each, each]
            else:
                kept = chosen * (1.0 if weights is None else weights)
                found[i, h] = regress(values, columns, kept)[each, each]
    return found


def products(vectors: np.ndarray) -> np.ndarray:
    """Return what each unit adds to the inner products of vectors of different halves.

    Parameters
    ----------
    vectors : array of shape (splits, 2, n_variables, n_units)
        From `split_vectors`.

    Returns
    -------
    array of shape (n_variables, n_variables, n_units)
        Means over splits, symmetric in the variables. Units without a vector in some half add nothing.
    """
    vectors = np.where(np.isfinite(vectors).all((0, 1, 2)), vectors, 0.0)
    crossed = np.einsum("sau,sbu->abu", vectors[:, 0], vectors[:, 1]) / len(vectors)
    return (crossed + crossed.transpose(1, 0, 2)) / 2


def corrected_angles(inner: np.ndarray) -> np.ndarray:
    """Return angles between vectors without the noise of either.

    Parameters
    ----------
    inner : array of shape (..., n_variables, n_variables)
        Inner products across halves.

    Returns
    -------
    array of shape (..., n_variables, n_variables)
        Degrees; NaN where a vector does not agree with itself. Noise may bring the cosine beyond 1; it is cut there.
    """
    own = np.diagonal(inner, axis1=-2, axis2=-1)
    size = np.sqrt(np.where(own > 0, own, np.nan))
    return np.degrees(np.arccos(np.clip(inner / (size[..., :, None] * size[..., None, :]), -1, 1)))


def reliabilities(vectors: np.ndarray) -> np.ndarray:
    """Return how well the trials determine the direction of each vector.

    Parameters
    ----------
    vectors : array of shape (splits, 2, n_variables, n_units)
        From `split_vectors`.

    Returns
    -------
    array of shape (n_variables,)
        Cosine of two halves, for twice as many trials (Spearman–Brown); mean of splits.
    """
    vectors = np.where(np.isfinite(vectors).all((0, 1, 2)), vectors, 0.0)
    size = np.linalg.norm(vectors, axis=-1)
    cosine = ((vectors[:, 0] * vectors[:, 1]).sum(-1) / np.maximum(size[:, 0] * size[:, 1], 1e-300)).mean(0)
    return 2 * cosine / (1 + cosine)


def _relabelled(column: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exchange the values of a column that is constant within groups among the groups, whatever their size."""
    _, first, index = np.unique(group, return_index=True, return_inverse=True)
    return column[first][rng.permutation(len(first))][index]
