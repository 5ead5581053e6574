"""Scores of predictions for single neurons: correlations and explained variance, as measured and corrected for noise.

All take predictions that have no noise of their own, for example held-out ones, and are vectorised over neurons. What
is corrected for noise needs single trials: the noise of their mean lowers every score, and is estimated from how
repeats of one stimulus differ. With few repeats or hardly any signal a corrected score is a ratio of small numbers:
it is undefined (NaN) where the estimated signal is not positive, and never clipped, as that would bias its mean.

Where stimuli have unequal numbers of repeats, missing ones are NaN; the noise variance is then pooled over stimuli.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import ncx2

from neurocompare.errors import UserError

_FLAT = 1e-12


def pearson(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Correlate predictions and responses over stimuli.

    Parameters
    ----------
    predicted, observed : arrays of shape (n_stimuli, n_units)
        Predictions and responses.

    Returns
    -------
    array of shape (n_units,)
        NaN where either does not vary.
    """
    p, o = predicted - predicted.mean(0), observed - observed.mean(0)
    size_p, size_o = (p**2).sum(0), (o**2).sum(0)
    varies = (size_p > _FLAT * (predicted**2).sum(0)) & (size_o > _FLAT * (observed**2).sum(0))
    size = np.sqrt(np.where(varies, size_p * size_o, 1))
    return np.where(varies, (p * o).sum(0) / size, np.nan)


def r2(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the share of the variance of responses that predictions explain, 1 − SSE / SST.

    Parameters
    ----------
    predicted, observed : arrays of shape (n_stimuli, n_units)
        Predictions and responses.

    Returns
    -------
    array of shape (n_units,)
        One at most, and negative for predictions worse than the mean; NaN where responses do not vary.
    """
    total = ((observed - observed.mean(0)) ** 2).sum(0)
    varies = total > _FLAT * (observed**2).sum(0)
    return np.where(varies, 1 - ((observed - predicted) ** 2).sum(0) / np.where(varies, total, 1), np.nan)


def moments(trials: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return means over repeats, their numbers, and the variance of single trials around the means.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_stimuli, n_units)
        Single trials, NaN where there are fewer repeats.

    Returns
    -------
    mean : array of shape (n_stimuli, n_units)
        Mean responses.
    noise : array of shape (n_units,)
        Variance of the noise of a single trial, pooled over stimuli.
    of_mean : array of shape (n_units,)
        The mean over stimuli of the variance of the noise in `mean`.
    counts : array of shape (n_stimuli,)
        Numbers of repeats.

    Raises
    ------
    UserError
        If a stimulus has a single trial.
    """
    there = np.isfinite(trials[..., 0]) if trials.shape[2] else np.ones(trials.shape[:2], dtype=bool)
    counts = there.sum(0)
    if counts.min(initial=2) < 2:
        raise UserError("a score corrected for noise needs at least 2 trials of every stimulus; use score=pearson")
    mean = np.nansum(trials, axis=0) / counts[:, None]
    noise = np.nansum((trials - mean) ** 2, axis=(0, 1)) / (counts - 1).sum()
    return mean, noise, noise * np.mean(1 / counts), counts


def feve(predicted: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return the fraction of explainable variance that predictions explain.

    ``1 − (MSE − s²) / (V − s²)`` with the mean squared error and the variance V of single trials and the variance s² of
    their noise (Cadena et al. 2019, PLoS Comput. Biol. 15:e1006897).

    Parameters
    ----------
    predicted : array of shape (n_stimuli, n_units)
        Predictions, with their level.
    trials : array of shape (n_repeats, n_stimuli, n_units)
        Single trials.

    Returns
    -------
    array of shape (n_units,)
        NaN where no variance is explainable.
    """
    mean, noise, of_mean, _ = moments(trials)
    # Both terms of means over repeats, where only the noise of the mean has to be taken off.
    signal = mean.var(0, ddof=1) - of_mean
    error = ((mean - predicted) ** 2).mean(0) - of_mean
    return _ratio(signal - error, signal, noise, mean)


def ccnorm(predicted: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return the normalised correlation coefficient (Schoppe et al. 2016, Front. Comput. Neurosci. 10:10, equation 5).

    The covariance of predictions and mean responses over the root of the variance of the predictions times the signal
    power. The latter is estimated from the variances of the sum of trials and of single trials, equation 1; of unequal
    numbers of repeats, as the variance of the mean less that of its noise.

    Parameters
    ----------
    predicted : array of shape (n_stimuli, n_units)
        Predictions.
    trials : array of shape (n_repeats, n_stimuli, n_units)
        Single trials.

    Returns
    -------
    array of shape (n_units,)
        NaN where the signal power is not positive or predictions do not vary.
    """
    mean, noise, of_mean, counts = moments(trials)
    repeats = len(trials)
    if counts.min() == repeats:
        power = (trials.sum(0).var(0, ddof=1) - trials.var(1, ddof=1).sum(0)) / (repeats * (repeats - 1))
    else:
        power = mean.var(0, ddof=1) - of_mean
    p = predicted - predicted.mean(0)
    spread = (p**2).sum(0) / (len(p) - 1)
    covariance = (p * (mean - mean.mean(0))).sum(0) / (len(p) - 1)
    varies = spread > _FLAT * (predicted**2).mean(0)
    found = _ratio(covariance, np.sqrt(spread * np.maximum(power, 0)), noise, mean)
    return np.where(varies, found, np.nan)


def r2er(predicted: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return r² between predictions and the true means, with little bias.

    Pospisil & Bair 2021, PLoS Comput. Biol. 17:e1009212, the estimator r̂²_ER.

    Parameters
    ----------
    predicted : array of shape (n_stimuli, n_units)
        Predictions.
    trials : array of shape (n_repeats, n_stimuli, n_units)
        Single trials.

    Returns
    -------
    array of shape (n_units,)
        NaN where the estimated variance of the true means is not positive or predictions do not vary.
    """
    mean, noise, of_mean, _ = moments(trials)
    p, y = predicted - predicted.mean(0), mean - mean.mean(0)
    size = (p**2).sum(0)
    varies = size > _FLAT * (predicted**2).sum(0)
    shared = (p * y).sum(0) ** 2 / np.where(varies, size, 1) - of_mean
    signal = (y**2).sum(0) - (len(y) - 1) * of_mean
    return np.where(varies, _ratio(shared, signal, noise, mean), np.nan)


def r2er_interval(
    predicted: np.ndarray, trials: np.ndarray, *, seed: int, level: float = 0.95, draws: int = 400
) -> np.ndarray:
    """Return an interval of r² between predictions and the true means, neuron by neuron.

    It holds the r² for which the estimate `r2er` is neither too high nor too low to be expected, as the interval that
    Pospisil & Bair (2021) centre on the estimate does. The distribution of the estimate is simulated for normal noise:
    a projection of the mean responses on the predictions, the rest of them, and the noise variance are non-central and
    central chi-squared. It depends on how strong the signal is, which is drawn from its posterior under a flat prior.

    Parameters
    ----------
    predicted : array of shape (n_stimuli, n_units)
        Predictions.
    trials : array of shape (n_repeats, n_stimuli, n_units)
        Single trials.
    seed : int
        Seed of the draws.
    level : float
        Coverage.
    draws : int
        Draws for each of 101 values of r².

    Returns
    -------
    array of shape (2, n_units)
        Lower and upper bounds, from 0 to 1: [0, 1] where there is hardly any signal; NaN where predictions do not vary.
    """
    mean, _, of_mean, counts = moments(trials)
    n, m = mean.shape
    freedom = int((counts - 1).sum())
    found = np.full((2, m), np.nan)
    truth = np.linspace(0, 1, 101)
    p, y = predicted - predicted.mean(0), mean - mean.mean(0)
    size, total = (p**2).sum(0), (y**2).sum(0)
    for k in np.flatnonzero((size > _FLAT * (predicted**2).sum(0)) & (of_mean > 0)):
        rng = np.random.default_rng([seed, k])
        strength = _signal_draws(total[k] / of_mean[k], n - 1, rng, draws)
        along = (np.sqrt(np.outer(truth, strength)) + rng.standard_normal(draws)) ** 2
        rest = rng.standard_normal(draws) + np.sqrt(np.outer(1 - truth, strength))
        rest = rest**2 + (rng.chisquare(n - 3, draws) if n > 3 else 0)
        noise = rng.chisquare(freedom, draws) / freedom
        signal = along + rest - (n - 1) * noise
        with np.errstate(divide="ignore", invalid="ignore"):
            simulated = np.where(signal > 0, (along - noise) / signal, np.nan)
            observed = ((p[:, k] * y[:, k]).sum() ** 2 / size[k] / of_mean[k] - 1) / (total[k] / of_mean[k] - (n - 1))
        if not np.isfinite(observed) or total[k] / of_mean[k] <= n - 1:
            found[:, k] = 0, 1
            continue
        defined = np.isfinite(simulated)
        above = (defined & (simulated >= observed)).sum(1) / np.maximum(defined.sum(1), 1)
        inside = truth[(above >= (1 - level) / 2) & (above <= (1 + level) / 2)]
        # An estimate beyond what any r² gives is nearest to one end.
        end = float(observed > 0.5)
        found[:, k] = (inside[0], inside[-1]) if len(inside) else (end, end)
    return found


def _signal_draws(total, freedom, rng, draws):
    """Draw non-centralities from their posterior, given a chi-squared variable, under a flat prior."""
    spread = np.sqrt(2 * freedom + 4 * max(total, freedom))
    grid = np.linspace(max(0, total - freedom - 6 * spread), max(0, total - freedom) + 6 * spread, 400)
    weight = np.cumsum(ncx2.pdf(total, freedom, np.maximum(grid, 1e-9)))
    return np.interp(rng.random(draws) * weight[-1], weight, grid)


def reliability(trials: np.ndarray) -> np.ndarray:
    """Return the reliability of mean responses: the share of their variance over stimuli that is signal.

    A ratio of variances, so that r / √reliability is corrected for noise, not r / reliability.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_stimuli, n_units)
        Single trials.

    Returns
    -------
    array of shape (n_units,)
        The variance of the means less that of their noise, over the former; negative for some units without signal. NaN
        where responses do not vary.
    """
    mean, noise, of_mean, _ = moments(trials)
    total = mean.var(0, ddof=1)
    return _ratio(total - of_mean, total, noise, mean)


def _ratio(numerator, denominator, noise, mean):
    """Divide where the denominator is positive beyond rounding."""
    positive = denominator > _FLAT * (noise + (mean**2).mean(0))
    return np.where(positive, numerator / np.where(positive, denominator, 1), np.nan)


SCORES: dict[str, tuple[Callable, bool, str]] = {
    "pearson": (pearson, False, "correlation"),
    "r2": (r2, False, "explained variance"),
    "feve": (feve, True, "fraction of explainable variance explained"),
    "ccnorm": (ccnorm, True, "normalised correlation (Schoppe 2016)"),
    "r2er": (r2er, True, "r² corrected for noise (Pospisil & Bair 2021)"),
}
"""By name: the function, whether it takes single trials instead of their means, and what it is."""
