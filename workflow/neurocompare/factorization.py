"""Non-negative matrix factorisation, X ≈ W H: fits, the number of parts, and how alike parts are.

Each part is a row of H, a pattern over the columns of X, with the column of W that says how strongly each
row calls for it. Factors have no order and no scale, so parts are compared by the cosine after the best
one-to-one matching.
"""

import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr
from sklearn.decomposition import NMF, non_negative_factorization
from sklearn.exceptions import ConvergenceWarning

from neurocompare.errors import UserError

LOSSES = ("frobenius", "kullback-leibler")
POLICIES = {"refuse": "", "rectify": "; negative means set to 0", "shift": "; each unit shifted to a minimum of 0"}
"""What to do about negative values, and how a summary says it."""

SEEDS = 20
"""Random starts of a fit."""

PARTITIONS = 2
GROUPS = 3
STARTS = 3
MAXIMUM = 500
_TOLERANCE = {"frobenius": 1e-5, "kullback-leibler": 1e-4}
_SOLVER = {"frobenius": "cd", "kullback-leibler": "mu"}


def non_negative(x: np.ndarray, policy: str, name: str = "nmf") -> np.ndarray:
    """Apply a declared policy to negative values.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Mean responses.
    policy : {"refuse", "rectify", "shift"}
        Raise an error, set negative values to zero, or shift each unit that has some to a minimum of zero.
    name : str
        What an error message calls it.

    Returns
    -------
    array of shape (n_stimuli, n_units)
        Without negative values.

    Raises
    ------
    UserError
        If the policy is unknown, or refuses.
    """
    if policy not in POLICIES:
        raise UserError(f"{name}: policy for negative values is '{policy}'; use one of {', '.join(POLICIES)}")
    if policy == "rectify":
        return np.maximum(x, 0)
    lowest = np.minimum(x.min(0), 0)
    if policy == "refuse" and lowest.min() < 0:
        raise UserError(
            f"{name}: {np.sum(lowest < 0)} of {x.shape[1]} units have negative mean responses;"
            " choose the same id with -negative=rectify or -negative=shift"
        )
    return x - lowest


def parts(x: np.ndarray, rank: int, *, seed: int, loss: str = "frobenius", starts: int = SEEDS) -> list[tuple]:
    """Factorise from several random starts.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Non-negative responses.
    rank : int
        Number of parts.
    seed : int
        Seed of the starts.
    loss : {"frobenius", "kullback-leibler"}
        Squared error (coordinate descent), or Kullback-Leibler divergence (multiplicative updates).
    starts : int
        Number of starts.

    Returns
    -------
    list of tuples (w, h, error)
        One per start, best first: w of shape (n_stimuli, rank), h of shape (rank, n_units) with rows of
        unit length, and the loss.
    """
    seeds = np.random.default_rng([seed, rank]).integers(2**31, size=starts)
    results = []
    for start in seeds:
        w, h = fit(x, rank, loss, random_state=int(start))
        results.append((w * np.linalg.norm(h, axis=1), unit_rows(h), loss_of(x, w @ h, loss)))
    return sorted(results, key=lambda result: result[2])


def matched_cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean cosine of parts after the one-to-one matching that maximises it.

    Parameters
    ----------
    first, second : arrays of shape (rank, n_units)
        Parts; a part of zeros counts as cosine 0.

    Returns
    -------
    float
        1 for the same parts in any order and scale.
    """
    cosine = unit_rows(first) @ unit_rows(second).T
    return float(cosine[linear_sum_assignment(cosine, maximize=True)].mean())


def bi_cross_validation(
    x: np.ndarray,
    ranks: np.ndarray,
    *,
    seed: int,
    loss: str = "frobenius",
    partitions: int = PARTITIONS,
    iterations: int = MAXIMUM,
    together: np.ndarray | None = None,
) -> np.ndarray:
    """Predict held-out blocks of stimuli × units (Owen & Perry 2009, Ann. Appl. Stat. 3:564, section 5).

    Stimuli and units are split into three groups each. For every block A of held-out stimuli and units,
    the rest D is factorised as W H; the held-out stimuli get weights from their other units with H fixed,
    the held-out units get patterns from the other stimuli with W fixed, and their product predicts A.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Non-negative responses.
    ranks : array of int of shape (n_ranks,)
        Numbers of parts to try.
    seed : int
        Seed of the partitions.
    loss : {"frobenius", "kullback-leibler"}
        Loss of the fit and of the prediction.
    partitions : int
        Number of random partitions.
    iterations : int
        At most so many for a fit.
    together : array of int of shape (n_stimuli,), optional
        Numbers from 0 on: rows with the same one, such as neighbours in time, are held out together.

    Returns
    -------
    array of shape (partitions, n_blocks, n_ranks)
        Loss of each block in units of the mean over blocks of the loss of predicting nothing: zero
        (squared error) or the mean response (divergence).
    """
    rng = np.random.default_rng([seed, 1])
    errors = np.empty((partitions, GROUPS**2, len(ranks)))
    together = np.arange(len(x)) if together is None else together
    base = loss_of(x, np.zeros_like(x) if loss == "frobenius" else np.full_like(x, x.mean()), loss) / GROUPS**2
    for partition in range(partitions):
        row_group = rng.permutation(np.arange(together.max() + 1) % GROUPS)[together]
        column_group = rng.permutation(np.arange(x.shape[1]) % GROUPS)
        for block in range(GROUPS**2):
            rows, columns = row_group == block // GROUPS, column_group == block % GROUPS
            for i, rank in enumerate(ranks):
                rest = x[~rows][:, ~columns]
                # With one start, a local minimum at the true rank now and then makes a larger one look better.
                starts = rng.integers(2**31, size=STARTS).tolist()
                fits = [
                    fit(rest, rank, loss, random_state=start, loose=True, iterations=iterations) for start in starts
                ]
                w, h = min(fits, key=lambda pair, rest=rest: loss_of(rest, pair[0] @ pair[1], loss))
                # Parts that fit nothing but rounding errors would give weights without bound.
                size = np.linalg.norm(w, axis=0) * np.linalg.norm(h, axis=1)
                w, h = w[:, size >= 1e-6 * size.max()], h[size >= 1e-6 * size.max()]
                held_rows = coefficients(x[rows][:, ~columns], h, loss)
                held_columns = coefficients(x[~rows][:, columns].T, w.T, loss).T
                errors[partition, block, i] = loss_of(x[rows][:, columns], held_rows @ held_columns, loss) / base
    return errors


def choose_rank(errors: np.ndarray, ranks: np.ndarray) -> int:
    """Return the smallest rank within one standard error of the smallest cross-validated error.

    Parameters
    ----------
    errors : array of shape (n_partitions, n_blocks, n_ranks)
        From `bi_cross_validation`.
    ranks : array of int of shape (n_ranks,)
        The ranks, ascending.

    Returns
    -------
    int
        The rank.
    """
    mean = errors.mean((0, 1))
    best = mean.argmin()
    return int(ranks[np.flatnonzero(mean <= mean[best] + standard_error(errors)[best])[0]])


def fit(
    x: np.ndarray,
    rank: int,
    loss: str = "frobenius",
    *,
    start=None,
    random_state: int | None = None,
    loose: bool = False,
    iterations: int = MAXIMUM,
) -> tuple[np.ndarray, np.ndarray]:
    """Factorise once, from given factors or from a random start.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns)
        Non-negative.
    rank : int
        Number of parts.
    loss : {"frobenius", "kullback-leibler"}
        As in `parts`.
    start : tuple of arrays of shape (n_rows, rank) and (rank, n_columns), optional
        Factors to start from, of which the second decides: the first is adapted to it at once.
    random_state : int, optional
        Seed of a random start.
    loose : bool
        Whether to stop early, for fits that are only compared with others.
    iterations : int
        At most so many.

    Returns
    -------
    tuple of arrays of shape (n_rows, rank) and (rank, n_columns)
        The factors.
    """
    model = NMF(
        rank,
        init="custom" if start else "random",
        solver=_SOLVER[loss],
        beta_loss=loss,
        tol=1e-4 if loose else _TOLERANCE[loss],
        max_iter=iterations,
        random_state=random_state,
    )
    with warnings.catch_warnings():
        # A start that is still creeping along at the last iteration competes with the loss it reached.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if start:
            # Multiplicative updates can not leave an exact zero.
            w = model.fit_transform(x, W=np.maximum(start[0], 1e-9), H=np.maximum(start[1], 1e-9))
        else:
            w = model.fit_transform(x)
    return w, model.components_


def coefficients(x: np.ndarray, patterns: np.ndarray, loss: str) -> np.ndarray:
    """Find non-negative weights of fixed patterns.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns)
        Non-negative.
    patterns : array of shape (rank, n_columns)
        The patterns.
    loss : {"frobenius", "kullback-leibler"}
        As in `parts`.

    Returns
    -------
    array of shape (n_rows, rank)
        The weights.
    """
    if not patterns.any():
        return np.zeros((len(x), len(patterns)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return non_negative_factorization(
            x,
            H=patterns,
            n_components=len(patterns),
            update_H=False,
            solver=_SOLVER[loss],
            beta_loss=loss,
            tol=_TOLERANCE[loss],
            max_iter=MAXIMUM,
        )[0]


def loss_of(x: np.ndarray, y: np.ndarray, loss: str) -> float:
    """Compute a loss.

    Parameters
    ----------
    x : array
        Non-negative values.
    y : array of the same shape
        Their predictions.
    loss : {"frobenius", "kullback-leibler"}
        Squared error, or Kullback-Leibler divergence, in which predictions are at least 1 % of the mean.

    Returns
    -------
    float
        The sum over the array.
    """
    if loss == "frobenius":
        return float(((x - y) ** 2).sum())
    y = np.maximum(y, 0.01 * x.mean())
    return float((rel_entr(x, y) - x + y).sum())


def standard_error(errors: np.ndarray) -> np.ndarray:
    """Compute the standard error over the blocks of a partition; blocks of different partitions overlap.

    Parameters
    ----------
    errors : array of shape (n_partitions, n_blocks, n_ranks)
        From `bi_cross_validation`.

    Returns
    -------
    array of shape (n_ranks,)
        Of the mean error.
    """
    return errors.std(1, ddof=1).mean(0) / np.sqrt(errors.shape[1])


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Scale rows to unit length.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns)
        The rows.

    Returns
    -------
    array of shape (n_rows, n_columns)
        Rows of zeros stay zeros.
    """
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)
