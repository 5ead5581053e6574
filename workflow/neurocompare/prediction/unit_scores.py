"""Scores of predictions for single neurons: correlations and explained variance, as measured and corrected for noise.

All take predictions that have no noise of their own, for example held-out ones, and are vectorised over neurons. What
is corrected for noise needs single trials: the noise of their mean lowers every score, and is estimated from how
repeats of one stimulus differ. With few repeats or hardly any signal a corrected score is a ratio of small numbers:
it is undefined (NaN) where the estimated signal is not positive, and never clipped, as that would bias its mean.

Where stimuli have unequal numbers of repeats, missing ones are NaN. Noise is what moves the responses to some stimuli
against those to others: a drift from one repeat of all stimuli to the next leaves the differences between their means
as they are, and is no noise of them.
"""

from collections.abc import Callable

import numpy as np

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


def moments(trials: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return means over repeats, and the variance of the noise of single trials and of the means.

    If all stimuli have equally many repeats, the mean of each repeat over stimuli is taken off first (the residuals of
    a two-way analysis of variance, on which equation 1 of Schoppe et al. 2016 rests as well).

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
        The mean over stimuli of the variance of the noise in `mean`, of each stimulus by its own trials: those that
        are shown less often may be those with more noise.
    freedom : float
        Degrees of freedom of `of_mean` (Satterthwaite 1946, Biometrics Bull. 2:110).

    Raises
    ------
    UserError
        If a stimulus has a single trial, or trials are missing for some units only.
    """
    there = np.isfinite(trials)
    if (there != there[..., :1]).any():
        raise UserError("trials are NaN for some units only; leave out these trials of all units, or these units")
    counts = there[..., 0].sum(0) if trials.shape[2] else np.full(trials.shape[1], len(trials))
    if counts.min(initial=2) < 2:
        raise UserError("a score corrected for noise needs at least 2 trials of every stimulus; use score=pearson")
    mean = np.nansum(trials, axis=0) / counts[:, None]
    n, repeats = len(mean), len(trials)
    rest = trials - mean
    if n > 1 and counts.min(initial=repeats) == repeats:
        noise = ((rest - rest.mean(1, keepdims=True)) ** 2).sum((0, 1)) / ((repeats - 1) * (n - 1))
        return mean, noise, noise / repeats, (repeats - 1) * (n - 1)
    squares = np.nansum(rest**2, axis=0)
    share = 1 / (counts * (counts - 1))
    freedom = (1 / counts).sum() ** 2 / (share / counts).sum()
    return mean, squares.sum(0) / (counts - 1).sum(), share @ squares / n, freedom


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
    power. The latter is the variance of the mean less that of its noise: of equally many repeats their equation 1.

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
    mean, noise, of_mean, _ = moments(trials)
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

    As the interval of Pospisil & Bair (2021) it holds each r² under which what was found is not unlikely. They test the
    estimate `r2er`, a ratio, whose distribution depends much on the strength of the signal where that is weak. Here a
    difference is tested (as in Fieller 1954, J. R. Stat. Soc. B 16:175): the numerator less r² times the denominator,
    with a mean of zero if r² is true, however strong the signal. Its distribution is simulated: the projection of mean
    responses on the predictions, the rest of them and the noise variance are chi-squared variables, the first two
    non-central. For r² of 0 and 1 it does not depend on the signal at all, and between them little, so the estimate of
    the signal is put in (coverage: see the tests).

    Both tails are cut alike for r² from 0.1 to 0.9. Closer to an end all is moved to the tail that speaks against this
    end, as there is nothing beyond it; an interval is never empty therefore.

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
        Draws for each of about 100 values of r².

    Returns
    -------
    array of shape (2, n_units)
        Lower and upper bounds, from 0 to 1: about [0, 1] where there is hardly any signal, and exactly so of 2 stimuli;
        NaN where predictions do not vary, or repeats never differ.
    """
    mean, _, of_mean, freedom = moments(trials)
    n, m = mean.shape
    p, y = predicted - predicted.mean(0), mean - mean.mean(0)
    size = (p**2).sum(0)
    known = (size > _FLAT * (predicted**2).sum(0)) & (of_mean > _FLAT * (mean**2).mean(0))
    found = np.where(known, np.array([[0.0], [1.0]]), np.nan)
    unit = np.where(known, of_mean, 1)
    along = (p * y).sum(0) ** 2 / np.where(known, size, 1) / unit
    rest = (y**2).sum(0) / unit - along
    for k in np.flatnonzero(known) if n > 2 else ():
        rng = np.random.default_rng([seed, k])
        signal = max(0.0, along[k] + rest[k] - (n - 1))
        truth = _grid(along[k] - 1, signal, n)
        first, second = rng.standard_normal((2, draws))
        others, noise = rng.chisquare(n - 3, draws) if n > 3 else 0, rng.chisquare(freedom, draws) / freedom
        along_ = (np.sqrt(truth * signal) + first) ** 2 / noise
        rest_ = ((np.sqrt((1 - truth) * signal) + second) ** 2 + others) / noise
        simulated = (1 - truth) * (along_ - 1) - truth * (rest_ - (n - 2))
        observed = (1 - truth) * (along[k] - 1) - truth * (rest[k] - (n - 2))
        tails = [(1 + side.sum(1)) / (draws + 1) for side in (simulated >= observed, simulated <= observed)]
        found[:, k] = _bounds(truth[:, 0], *tails, 1 - level)
    return found


def _grid(shared, signal, n):
    """Values of r² to test, as a column: all over, and closely around the estimate by its approximate error."""
    r = np.clip(shared / signal, 0, 1) if signal else 0.5
    variance = 2 * (1 - r) ** 2 + 2 * (n - 2) * r**2 + 4 * signal * r * (1 - r)
    near = r + np.sqrt(variance) / max(signal, 1) * np.linspace(-4, 4, 51)
    return np.unique(np.concatenate([np.linspace(0, 1, 51), np.clip(near, 0, 1)]))[:, None]


def _bounds(truth, upper, lower, error):
    """The ends of what neither tail rejects, between neighbouring values of r² by interpolation."""
    share = np.clip(np.where(truth < 0.5, 1 - 5 * truth, 5 * (1 - truth)), 0, 1)
    share = np.where(truth < 0.5, np.maximum(share, 0.5), np.minimum(share, 0.5))
    margin = np.minimum(upper - error * share, lower - error * (1 - share))
    # Were all rejected by accident of the draws, the least unlikely one is left.
    inside = np.flatnonzero((margin > 0) | (margin == margin.max()))
    ends = []
    for last, step in ((inside[0], -1), (inside[-1], 1)):
        beyond = np.clip(last + step, 0, len(truth) - 1)
        weight = margin[last] / (margin[last] - margin[beyond]) if margin[last] > 0 >= margin[beyond] else 0
        ends.append(truth[last] + weight * (truth[beyond] - truth[last]))
    return ends


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
