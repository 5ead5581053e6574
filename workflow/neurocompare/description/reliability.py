"""Reliability of single units over stimuli: split-half correlation and the fraction of signal variance."""

import numpy as np
import xarray as xr

from neurocompare.description.rows import (
    by_repeat,
    halves,
    may_permute_stimuli,
    median,
    require,
    row,
    standard_interval,
)
from neurocompare.errors import UserError

DESCRIPTIONS = {
    "reliability-split=halves": {
        "summary": "split-half correlation of units over stimuli, first against last repeats",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "repeats"],
    },
    "reliability-split=random": {
        "summary": "split-half correlation of units over stimuli, mean of random halves, and signal variance",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "repeats"],
    },
}

DRAWS = 100
BOOTSTRAPS = 1000
PERMUTATIONS = 1000
SMALLEST = 4
"""Fewest stimuli over which a correlation is reported."""


def split_half(
    cube: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray | None = None
) -> np.ndarray:
    """Correlate the mean responses of two halves of the repeats over stimuli.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repeats, n_units)
        Responses.
    splits : list of tuples of two arrays
        Repeats in each half; the correlations of several splits are averaged as they are.
    weights : array of shape (n_samples, n_stimuli), optional
        How often each stimulus is taken, for a bootstrap; by default once.

    Returns
    -------
    array of shape (n_samples, n_units)
        Pearson correlations, NaN for units that are constant in a half.
    """
    weights = np.ones((1, len(cube))) if weights is None else weights
    weights = weights / weights.sum(1, keepdims=True)
    # Centring first keeps the sums of squares below free of cancellation.
    cube = cube - cube.mean((0, 1))
    total = 0.0
    for first, last in splits:
        a, b = cube[:, first].mean(1), cube[:, last].mean(1)
        total = total + _weighted_correlation(a, b, weights)
    return total / len(splits)


def spearman_brown(r: float, statistic: str = "Pearson correlation") -> float:
    """Step a split-half correlation up to the reliability of all repeats (Spearman 1910; Brown 1910).

    Parameters
    ----------
    r : float
        Pearson correlation of two halves of equal size.
    statistic : str
        What `r` is: the formula is about variances, and holds for nothing else.

    Returns
    -------
    float
        ``2 r / (1 + r)``, a ratio of variances; NaN unless `r` is positive, where it has no meaning.

    Raises
    ------
    UserError
        If `r` is not a Pearson correlation.
    """
    if statistic != "Pearson correlation":
        raise UserError(
            f"Spearman-Brown holds for Pearson correlations of halves, not for a {statistic}; take the noise ceiling "
            "of that score from halves of the trials"
        )
    return 2 * r / (1 + r) if r > 0 else np.nan


def signal_variance(cube: np.ndarray) -> np.ndarray:
    """Return the fraction of the variance of single trials that the stimulus explains.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repeats, n_units)
        Responses.

    Returns
    -------
    array of shape (n_units,)
        Signal over signal plus noise, from a one-way analysis of variance with random effects: the
        variance over stimuli of the means, less that of the noise over the number of repeats. It is
        negative for some units without signal, which keeps it unbiased; NaN for constant units.
    """
    noise = cube.var(1, ddof=1).mean(0)
    signal = cube.mean(1).var(0, ddof=1) - noise / cube.shape[1]
    total = signal + noise
    return np.divide(signal, total, out=np.full_like(total, np.nan), where=~_constant(cube))


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe the reliability of the units of a recording.

    Intervals are 1.96 standard errors of a bootstrap over stimuli; the null shuffles the stimuli of one
    half, alike for all units. The Spearman-Brown row steps up the median: because the formula is
    monotone, that is the median of the stepped-up correlations. Units that are constant in a half are
    left out of medians and counted.

    Parameters
    ----------
    array : DataArray
        A recording with repeats; stimuli shown more often than the others lose their last repeats.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the halves, the bootstrap and the permutations.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table.
    details : Dataset
        ``correlation`` and ``signal_variance`` (unit).

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    options = require(array, description_id, DESCRIPTIONS)
    stimuli, cube = by_repeat(array)
    n, n_repeats, p = cube.shape
    if n < SMALLEST:
        raise UserError(
            f"{description_id}: {n} stimuli are too few for a correlation over stimuli; {SMALLEST} are needed"
        )
    rng = np.random.default_rng([seed, 0])
    half = n_repeats // 2
    if options["split"] == "halves":
        splits = [(np.arange(half), np.arange(n_repeats - half, n_repeats))]
    else:
        splits = halves(n_repeats, DRAWS, rng)
    correlation = split_half(cube, splits)[0]
    explained = signal_variance(cube)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS).astype(float)
    # The interval and the null of a mean over splits differ little from those of its first ten splits.
    # Of a region with few units, a resample may leave none that varies.
    draws = np.array([median(sample) for sample in _defined(split_half(cube, splits[:10], weights))])
    null = _null(cube, splits[0], rng) if may_permute_stimuli(array) else None
    size = {"n_stimuli": n, "n_units": p, "n_trials": n * n_repeats}
    condition = f"split={options['split']};repeats={half}+{half}"
    value = median(correlation)
    ci = _bounded(standard_interval(value, draws, n))
    rows = [
        row("split-half correlation", value, condition=condition, null=null, ci=ci, **size),
        row(
            "reliability of all repeats",
            spearman_brown(value),
            condition=f"split={options['split']};correction=Spearman-Brown;repeats={2 * half}",
            ci=tuple(spearman_brown(bound) for bound in ci),
            **size,
        ),
        row("units constant in a half", np.isnan(correlation).sum(), condition=condition, **size),
    ]
    if options["split"] == "random":
        fraction = median(explained)
        rows.append(
            row(
                "signal variance fraction",
                fraction,
                ci=_bounded(standard_interval(fraction, _signal_draws(cube, rng), n)),
                **size,
            )
        )
    coords = {"unit": array.coords["unit_id"].values}
    details = {"correlation": ("unit", correlation), "signal_variance": ("unit", explained)}
    return rows, xr.Dataset(details, coords=coords)


def _weighted_correlation(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean_a, mean_b = weights @ a, weights @ b
    covariance = weights @ (a * b) - mean_a * mean_b
    variance_a, variance_b = weights @ a**2 - mean_a**2, weights @ b**2 - mean_b**2
    floor_a, floor_b = 1e-12 * (a**2).max(0), 1e-12 * (b**2).max(0)
    defined = (variance_a > floor_a) & (variance_b > floor_b)
    return np.divide(
        covariance,
        np.sqrt(np.where(defined, variance_a * variance_b, 1)),
        out=np.full_like(covariance, np.nan),
        where=defined,
    )


def _null(cube: np.ndarray, split: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Medians over units after shuffling the stimuli of one half."""
    scaled = []
    for repeats in split:
        mean = cube[:, repeats].mean(1)
        mean = mean - mean.mean(0)
        norm = np.linalg.norm(mean, axis=0)
        scaled.append(mean / np.where(norm > 1e-9 * (1 + np.abs(cube).max((0, 1))), norm, np.nan))
    first, last = (half[:, np.isfinite(scaled[0][0] + scaled[1][0])] for half in scaled)
    if not first.shape[1]:
        return np.full(PERMUTATIONS, np.nan)
    return np.array([np.median((first[rng.permutation(len(first))] * last).sum(0)) for _ in range(PERMUTATIONS)])


def _signal_draws(cube: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap draws, over stimuli, of the median fraction of signal variance."""
    n, n_repeats, _ = cube.shape
    cube = cube[:, :, ~_constant(cube)]
    if not cube.shape[2]:
        return np.full(BOOTSTRAPS, np.nan)
    means, spread = cube.mean(1) - cube.mean((0, 1)), cube.var(1, ddof=1)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS) / n
    noise = weights @ spread
    signal = (weights @ means**2 - (weights @ means) ** 2) * n / (n - 1) - noise / n_repeats
    total = signal + noise
    return np.median(np.divide(signal, total, out=np.zeros_like(total), where=total > 0), axis=1)


def _bounded(ci: tuple[float, float]) -> tuple[float, float]:
    """Neither correlations nor fractions go beyond one."""
    return max(ci[0], -1.0), min(ci[1], 1.0)


def _constant(cube: np.ndarray) -> np.ndarray:
    return np.ptp(cube, axis=(0, 1)) <= 0


def _defined(correlations: np.ndarray) -> np.ndarray:
    """Drop units that are undefined in all samples, so that medians over units stay defined."""
    kept = correlations[:, np.isfinite(correlations).any(0)]
    return kept if kept.shape[1] else np.full((len(correlations), 1), np.nan)
