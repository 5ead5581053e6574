"""Partial pooling of animals: every animal's score, drawn towards the mean of all as far as its error suggests.

A normal model with two levels, y_a ~ N(θ_a, s_a²) and θ_a ~ N(μ, τ²), with flat priors on μ and τ (Gelman
et al. 2013, Bayesian Data Analysis, section 5.4). Given τ all is normal, and τ is integrated over a grid, so
that the uncertainty about how much animals differ is in every interval.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from neurocompare.errors import UserError

LEAST_ANIMALS = 3
"""With two, a flat prior of τ has no posterior."""

_GRID = 200


@dataclass(frozen=True, eq=False)
class Pooled:
    """Scores of animals, partially pooled: posterior means and central intervals.

    Attributes
    ----------
    mean, low, high : float
        The mean of the population of animals, μ.
    between : float
        The standard deviation of true scores between animals, τ: its posterior median.
    values, lows, highs : arrays of shape (n_animals,)
        The score of each animal, θ_a.
    """

    mean: float
    low: float
    high: float
    between: float
    values: np.ndarray
    lows: np.ndarray
    highs: np.ndarray


def partial_pooling(values: np.ndarray, standard_errors: np.ndarray, level: float = 0.95) -> Pooled:
    """Pool the scores of animals.

    Parameters
    ----------
    values : array of shape (n_animals,)
        The score of each animal.
    standard_errors : array of shape (n_animals,)
        Its standard error over stimuli. Animals that saw the same stimuli share some of that error, which
        this model does not know: the population mean is then less certain than it says.
    level : float
        Posterior probability of the intervals.

    Returns
    -------
    Pooled
        The population and its animals.

    Raises
    ------
    UserError
        If there are fewer than three animals, or a standard error is not positive.
    """
    y, errors = np.asarray(values, dtype=float), np.asarray(standard_errors, dtype=float)
    if y.ndim != 1 or errors.shape != y.shape or len(y) < LEAST_ANIMALS:
        raise UserError(
            f"partial pooling: scores of shape {y.shape} and errors of shape {errors.shape}; give one of each for at "
            f"least {LEAST_ANIMALS} animals"
        )
    if not (np.isfinite(y).all() and np.isfinite(errors).all() and (errors > 0).all()):
        raise UserError("partial pooling: scores have to be finite and standard errors positive; drop the others")
    # The posterior of τ falls like τ^(1 − n), so that its tail is long for few animals: the grid grows with τ.
    scale = np.hypot(y.std(), errors.max())
    tau = scale * np.sinh(np.linspace(0, np.arcsinh(1000), _GRID))
    width = np.gradient(tau)
    precision = 1 / (errors**2 + tau[:, None] ** 2)
    total = precision.sum(1)
    mean = precision @ y / total
    fit = (precision * (y - mean[:, None]) ** 2).sum(1)
    log = 0.5 * (np.log(precision).sum(1) - np.log(total) - fit)
    chance = np.exp(log - log.max()) * width
    chance /= chance.sum()
    # θ_a given τ: between y_a and the mean, with the uncertainty of the mean in it.
    kept = tau[:, None] ** 2 * precision
    centres = mean[:, None] + kept * (y - mean[:, None])
    spreads = np.sqrt(kept * errors**2 + (1 - kept) ** 2 / total[:, None])
    centres, spreads = np.column_stack([mean, centres]), np.column_stack([1 / np.sqrt(total), spreads])
    tail = (1 - level) / 2
    low, high = (_quantile(chance, centres, spreads, q) for q in (tail, 1 - tail))
    means = chance @ centres
    median = float(np.interp(0.5, np.cumsum(chance), tau))
    return Pooled(means[0], low[0], high[0], median, means[1:], low[1:], high[1:])


def _quantile(chance: np.ndarray, centres: np.ndarray, spreads: np.ndarray, q: float) -> np.ndarray:
    """Quantiles of mixtures of normal distributions, by bisection."""
    low, high = (centres - 10 * spreads).min(0), (centres + 10 * spreads).max(0)
    for _ in range(45):
        middle = (low + high) / 2
        below = chance @ ndtr((middle - centres) / spreads) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
