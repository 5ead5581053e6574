"""Parts of a population: non-negative factorisation of trial-averaged responses, R ≈ W H.

Each part is a row of H, a pattern over units; W says how strongly each stimulus calls for it. Factors
have no order and no scale, so parts are compared by the cosine after the best one-to-one matching.
"""

import warnings

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr
from sklearn.decomposition import NMF, non_negative_factorization
from sklearn.exceptions import ConvergenceWarning

from neurocompare.description.rows import by_repeat, halves, require, row, standard_interval
from neurocompare.errors import UserError

_LOSSES = ("frobenius", "kullback-leibler")
_POLICIES = {"refuse": "", "rectify": "; negative means set to 0", "shift": "; each unit shifted to a minimum of 0"}

DESCRIPTIONS = {
    f"nmf-loss={loss}" + ("" if policy == "refuse" else f"-negative={policy}"): {
        "summary": f"number, stability and reproducibility of the non-negative parts, {loss} loss{note}",
        "unit": "1",
        "direction": "none",
        "needs": ["responses", "repeats"] + (["non-negative"] if policy == "refuse" else []),
    }
    for loss in _LOSSES
    for policy, note in _POLICIES.items()
}

SEEDS = 20
LARGEST_RANK = 10
PARTITIONS = 2
GROUPS = 3
DRAWS = 10
STARTS = 3
BOOTSTRAPS = 100
PERMUTATIONS = 1000
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
    if policy not in _POLICIES:
        raise UserError(f"{name}: policy for negative values is '{policy}'; use one of {', '.join(_POLICIES)}")
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
        w, h = _fit(x, rank, loss, random_state=int(start))
        results.append((w * np.linalg.norm(h, axis=1), _unit_rows(h), _loss(x, w @ h, loss)))
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
    cosine = _unit_rows(first) @ _unit_rows(second).T
    return float(cosine[linear_sum_assignment(cosine, maximize=True)].mean())


def bi_cross_validation(
    x: np.ndarray, ranks: np.ndarray, *, seed: int, loss: str = "frobenius", partitions: int = PARTITIONS
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

    Returns
    -------
    array of shape (partitions, n_blocks, n_ranks)
        Loss of each block in units of the mean over blocks of the loss of predicting nothing: zero
        (squared error) or the mean response (divergence).
    """
    rng = np.random.default_rng([seed, 1])
    errors = np.empty((partitions, GROUPS**2, len(ranks)))
    base = _loss(x, np.zeros_like(x) if loss == "frobenius" else np.full_like(x, x.mean()), loss) / GROUPS**2
    for partition in range(partitions):
        row_group = rng.permutation(np.arange(x.shape[0]) % GROUPS)
        column_group = rng.permutation(np.arange(x.shape[1]) % GROUPS)
        for block in range(GROUPS**2):
            rows, columns = row_group == block // GROUPS, column_group == block % GROUPS
            for i, rank in enumerate(ranks):
                rest = x[~rows][:, ~columns]
                # With one start, a local minimum at the true rank now and then makes a larger one look better.
                starts = rng.integers(2**31, size=STARTS).tolist()
                fits = [_fit(rest, rank, loss, random_state=start, loose=True) for start in starts]
                w, h = min(fits, key=lambda fit, rest=rest: _loss(rest, fit[0] @ fit[1], loss))
                # Parts that fit nothing but rounding errors would give weights without bound.
                size = np.linalg.norm(w, axis=0) * np.linalg.norm(h, axis=1)
                w, h = w[:, size >= 1e-6 * size.max()], h[size >= 1e-6 * size.max()]
                held_rows = _coefficients(x[rows][:, ~columns], h, loss)
                held_columns = _coefficients(x[~rows][:, columns].T, w.T, loss).T
                errors[partition, block, i] = _loss(x[rows][:, columns], held_rows @ held_columns, loss) / base
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
    return int(ranks[np.flatnonzero(mean <= mean[best] + _standard_error(errors)[best])[0]])


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe the parts of a population.

    The rank is bi-cross-validated. Stability is the mean matched cosine over all pairs of 20 starts.
    Reproducibility is the matched cosine of the parts fitted to random halves of the repeats, the mean
    of ten draws; its interval is 1.96 standard errors of a bootstrap over stimuli; its null shuffles the
    units of one half, which permutes the columns of that half's parts. Mean rates that differ between
    units are reproducible too: a small p-value says that parts are not noise, not that they are tuned.

    Parameters
    ----------
    array : DataArray
        A recording with repeats.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table.
    details : Dataset
        ``part`` (part_number, unit) with rows of unit length, ``weight`` (stimulus, part_number), parts
        in the order of their total weight; ``error`` and ``standard_error`` (rank) of the
        bi-cross-validation; ``chosen_rank``.

    Raises
    ------
    UserError
        If the id is unknown, the recording lacks what it needs, or the policy refuses negative means.
    """
    options = require(array, description_id, DESCRIPTIONS)
    loss, policy = options["loss"], options.get("negative", "refuse")
    stimuli, cube = by_repeat(array)
    n, n_repeats, p = cube.shape
    if min(n, p) < 2 * GROUPS:
        raise UserError(f"{description_id}: {n} stimuli and {p} units are too few; {2 * GROUPS} of each are needed")
    x = non_negative(cube.mean(1), policy, description_id)
    if not x.any():
        raise UserError(f"{description_id}: all mean responses are zero; there are no parts")
    ranks = np.arange(1, min(LARGEST_RANK, min(n, p) * (GROUPS - 1) // GROUPS) + 1)
    errors = bi_cross_validation(x, ranks, seed=seed, loss=loss)
    rank = choose_rank(errors, ranks)
    fits = parts(x, rank, seed=seed, loss=loss)
    pairs = [matched_cosine(a[1], b[1]) for i, a in enumerate(fits) for b in fits[:i]]
    rng = np.random.default_rng([seed, 2])
    reproduced, null, draws = _reproducibility(cube, rank, loss, policy, rng)
    low, high = standard_interval(reproduced, draws, n)
    size = {"n_stimuli": n, "n_units": p, "n_trials": n * n_repeats}
    mean = errors.mean((0, 1))
    condition = f"rank={rank}"
    rows = [
        row("number of parts", rank, condition=f"largest={ranks[-1]};rule=one-standard-error", **size),
        row("bi-cross-validated error", mean[rank - 1], condition=condition, **size),
        row("stability over starts", np.mean(pairs), condition=f"{condition};starts={SEEDS}", **size),
        row(
            "reproducibility of parts",
            reproduced,
            condition=f"{condition};repeats={n_repeats // 2}+{n_repeats // 2}",
            null=null,
            ci=(low, min(high, 1.0)),
            **size,
        ),
    ]
    w, h, _ = fits[0]
    order = np.argsort(-w.sum(0), kind="stable")
    details = xr.Dataset(
        {
            "part": (("part_number", "unit"), h[order]),
            "weight": (("stimulus", "part_number"), w[:, order]),
            "error": ("rank", mean),
            "standard_error": ("rank", _standard_error(errors)),
            "chosen_rank": rank,
        },
        coords={
            "stimulus": stimuli,
            "rank": ranks,
            "part_number": ranks[:rank],
            "unit": array.coords["unit_id"].values,
        },
        attrs={"loss": loss, "negative": policy},
    )
    return rows, details


def _reproducibility(cube, rank, loss, policy, rng) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean matched cosine between halves, its null and its bootstrap draws."""
    fitted = []
    for first, second in halves(cube.shape[1], DRAWS, rng):
        # The policy has judged the mean of all repeats; a half of them may dip below zero by noise alone.
        policy_of_half = "rectify" if policy == "refuse" else policy
        means = [non_negative(cube[:, half].mean(1), policy_of_half) for half in (first, second)]
        fits = [parts(mean, rank, seed=int(rng.integers(2**31)), loss=loss, starts=STARTS)[0] for mean in means]
        fitted.append((means, fits))
    value = float(np.mean([matched_cosine(a[1], b[1]) for _, (a, b) in fitted]))
    null = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        order = rng.permutation(cube.shape[2])
        null[i] = np.mean([matched_cosine(a[1], b[1][:, order]) for _, (a, b) in fitted])
    draws = np.empty(BOOTSTRAPS)
    for i in range(BOOTSTRAPS):
        taken = rng.integers(len(cube), size=len(cube))
        (first, second), (one, other) = fitted[i % DRAWS]
        draws[i] = matched_cosine(
            _fit(first[taken], rank, loss, start=(one[0][taken], one[1]))[1],
            _fit(second[taken], rank, loss, start=(other[0][taken], other[1]))[1],
        )
    return value, null, draws


def _fit(x, rank, loss, *, start=None, random_state=None, loose=False) -> tuple[np.ndarray, np.ndarray]:
    """Factorise once, from given factors or from a random start."""
    model = NMF(
        rank,
        init="custom" if start else "random",
        solver=_SOLVER[loss],
        beta_loss=loss,
        tol=1e-4 if loose else _TOLERANCE[loss],
        max_iter=MAXIMUM,
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


def _coefficients(x: np.ndarray, patterns: np.ndarray, loss: str) -> np.ndarray:
    """Non-negative weights (row, rank) of fixed patterns (rank, column)."""
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


def _loss(x: np.ndarray, y: np.ndarray, loss: str) -> float:
    """Squared error, or Kullback-Leibler divergence, in which predictions are at least 1 % of the mean."""
    if loss == "frobenius":
        return float(((x - y) ** 2).sum())
    y = np.maximum(y, 0.01 * x.mean())
    return float((rel_entr(x, y) - x + y).sum())


def _standard_error(errors: np.ndarray) -> np.ndarray:
    """Standard error (rank) over the blocks of a partition; blocks of different partitions overlap."""
    return errors.std(1, ddof=1).mean(0) / np.sqrt(errors.shape[1])


def _unit_rows(x: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)
