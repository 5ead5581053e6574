"""Effective dimensionality of the responses to a set of stimuli: the participation ratio."""

import numpy as np
import xarray as xr

from neurocompare.description.rows import by_repeat, halves, may_permute_stimuli, require, row
from neurocompare.errors import UserError

DESCRIPTIONS = {
    "dimensionality-estimator=participation-ratio": {
        "summary": "participation ratio of the trial-averaged responses",
        "unit": "1",
        "direction": "none",
        "needs": ["responses"],
    },
    "dimensionality-estimator=cross-validated": {
        "summary": "participation ratio across two halves of the repeats, without the dimensions of the noise",
        "unit": "1",
        "direction": "none",
        "needs": ["responses", "repeats"],
    },
}

DRAWS = 20
PERMUTATIONS = 200
GROUPS = 50
SMALLEST = 6
"""Fewest stimuli: the estimate for a population of stimuli takes four, its jackknife more."""


def participation_ratio(x: np.ndarray) -> float:
    """Return the participation ratio (Σλ)² / Σλ² of the eigenvalues λ of the covariance over stimuli.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Mean responses.

    Returns
    -------
    float
        From 1 to the smaller of n_units and n_stimuli - 1; NaN if nothing varies. Noise in the means
        adds dimensions, and few stimuli take some away.
    """
    x = np.asarray(x, dtype=float) - np.mean(x, axis=0)
    # The Gram matrix and the covariance share their eigenvalues; the smaller is the quicker one.
    gram = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    return _ratio(np.trace(gram), (gram**2).sum())


def cross_validated_ratio(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Estimate the participation ratio of the signal from two measurements with independent noise.

    With the cross Gram matrix ``K = A Bᵀ``, centred over stimuli, the trace of K estimates Σλ without the
    noise, and the sum of ``K_st K_ts`` estimates Σλ²: for s ≠ t no trial meets itself there, and only the
    n terms with s = t leave a small upward bias. The second estimate is for the population that the
    stimuli come from: Σλ² is the unbiased statistic over different stimuli of Song et al. 2012 (J. Mach.
    Learn. Res. 13:1393, eq. 5) with K in both places, which has no such terms.

    Parameters
    ----------
    first, second : arrays of shape (n_draws, n_stimuli, n_units)
        Mean responses in the two halves of each draw; over draws, Σλ and Σλ² are averaged.

    Returns
    -------
    for_stimuli, for_population : float
        NaN where the estimate of Σλ or of Σλ² is not positive.
    """
    gram = _cross_gram(first, second)
    return _for_stimuli(gram), _for_population(gram)


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe the dimensionality of the responses.

    Intervals are 1.96 standard errors of a jackknife over stimuli; a bootstrap would repeat stimuli and
    read too low. The null shuffles the stimuli of each unit on its own: the dimensionality of units that
    share nothing. Its p-value is for being lower than that.

    Parameters
    ----------
    array : DataArray
        A recording.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the halves, the jackknife and the permutations.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table.
    details : Dataset
        ``eigenvalue`` (component), descending, of the covariance; across halves, small ones scatter
        around zero.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    options = require(array, description_id, DESCRIPTIONS)
    stimuli, cube = by_repeat(array)
    n, n_repeats, p = cube.shape
    if n < SMALLEST:
        raise UserError(f"{description_id}: {n} stimuli are too few for a dimensionality; {SMALLEST} are needed")
    rng = np.random.default_rng([seed, 0])
    # The mean over stimuli cancels in every estimate; taking it out first keeps rounding errors small.
    cube = cube - cube.mean((0, 1))
    if options["estimator"] == "participation-ratio":
        first = second = cube.mean(1)[None]
        estimators = {"participation ratio": _for_stimuli}
    else:
        splits = halves(n_repeats, DRAWS, rng)
        first = np.stack([cube[:, half].mean(1) for half, _ in splits])
        second = np.stack([cube[:, half].mean(1) for _, half in splits])
        estimators = {
            "participation ratio of the signal": _for_stimuli,
            "participation ratio of the signal, population of stimuli": _for_population,
        }
    gram = _cross_gram(first, second)
    nulls = _shuffled(first[0], second[0], estimators, rng) if may_permute_stimuli(array) else {}
    rows = [
        row(
            quantity,
            estimator(gram),
            condition=f"repeats={n_repeats}",
            null=nulls.get(quantity),
            better="lower",
            ci=_jackknife(gram, estimator, rng),
            n_stimuli=n,
            n_units=p,
            n_trials=n * n_repeats,
        )
        for quantity, estimator in estimators.items()
    ]
    centred = _centred(gram).mean(0)
    eigenvalues = np.linalg.eigvalsh((centred + centred.T) / 2)[::-1] / (n - 1)
    return rows, xr.Dataset({"eigenvalue": ("component", eigenvalues)})


def _cross_gram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Inner products over units (draw, stimulus, stimulus), not centred."""
    return first @ second.transpose(0, 2, 1)


def _centred(gram: np.ndarray) -> np.ndarray:
    return gram - gram.mean(1, keepdims=True) - gram.mean(2, keepdims=True) + gram.mean((1, 2), keepdims=True)


def _for_stimuli(gram: np.ndarray) -> float:
    gram = _centred(gram)
    total = np.einsum("dss->d", gram).mean()
    squares = (gram * gram.transpose(0, 2, 1)).sum((1, 2)).mean()
    return _ratio(total, squares)


def _for_population(gram: np.ndarray) -> float:
    n = gram.shape[1]
    diagonal = np.einsum("dss->d", gram)
    gram = gram * (1 - np.eye(n))
    total = diagonal.mean() / n - gram.sum((1, 2)).mean() / (n * (n - 1))
    squares = (
        (gram * gram.transpose(0, 2, 1)).sum((1, 2))
        + gram.sum((1, 2)) ** 2 / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (gram.sum(1) * gram.sum(2)).sum(1)
    ).mean() / (n * (n - 3))
    return _ratio(total, squares)


def _ratio(total: float, squares: float) -> float:
    return float(total**2 / squares) if total > 0 and squares > 0 else np.nan


def _jackknife(gram: np.ndarray, estimator, rng: np.random.Generator) -> tuple[float, float]:
    """Interval from leaving out groups of stimuli in turn."""
    n = gram.shape[1]
    groups = np.array_split(rng.permutation(n), min(n, GROUPS))
    values = []
    for group in groups:
        kept = np.setdiff1d(np.arange(n), group)
        values.append(estimator(gram[:, kept[:, None], kept]))
    values = np.array(values)
    error = 1.96 * np.sqrt((len(groups) - 1) * np.mean((values - values.mean()) ** 2))
    value = estimator(gram)
    return value - error, value + error


def _shuffled(first, second, estimators, rng) -> dict[str, np.ndarray]:
    """Values of each estimator after shuffling the stimuli of each unit, alike in both halves."""
    null = {quantity: np.empty(PERMUTATIONS) for quantity in estimators}
    unit = np.arange(first.shape[1])
    for i in range(PERMUTATIONS):
        order = rng.random(first.shape).argsort(0)
        gram = _cross_gram(first[order, unit][None], second[order, unit][None])
        for quantity, estimator in estimators.items():
            null[quantity][i] = estimator(gram)
    return null
