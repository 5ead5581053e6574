"""Psychometric functions fitted by maximum likelihood, many data sets at once.

Choices are counted at each strength of the evidence. Both functions have a lapse rate λ, from 0 to `LAPSE`:

* ``logistic`` of signed strength x: λ + (1 − 2λ) / (1 + exp(−s (x − b))), the share of one of two choices;
* ``weibull`` of unsigned strength: 1 − λ − (1/2 − λ) exp(−(x / α)^β), the share of correct ones.
"""

import numpy as np

LAPSE = 0.2
CRITERION = 1 - 0.5 / np.e
"""Share of correct choices at threshold, 81.6 %: that of a Weibull function without lapses at x = α."""

_STEPS = 60
_LARGEST = 12.0


def logistic(x: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate logistic functions with lapses.

    Parameters
    ----------
    x : array of shape (n_strengths,)
        Signed strengths.
    parameters : array of shape (n, 3)
        Bias b, steepness s and the logit of λ / `LAPSE`.

    Returns
    -------
    values : array of shape (n, n_strengths)
        Shares of choices.
    gradient : array of shape (n, n_strengths, 3)
        Derivatives by the parameters.
    """
    bias, steepness, logit = parameters.T[:, :, None]
    lapse, d_lapse = _lapse(logit)
    p = _sigmoid(steepness * (x - bias))
    slope = (1 - 2 * lapse) * p * (1 - p)
    gradient = np.stack([-slope * steepness, slope * (x - bias), (1 - 2 * p) * d_lapse], axis=-1)
    return lapse + (1 - 2 * lapse) * p, gradient


def weibull(x: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate Weibull functions with lapses.

    Parameters
    ----------
    x : array of shape (n_strengths,)
        Strengths above zero.
    parameters : array of shape (n, 3)
        Logarithms of α and β, and the logit of λ / `LAPSE`.

    Returns
    -------
    values : array of shape (n, n_strengths)
        Shares of correct choices.
    gradient : array of shape (n, n_strengths, 3)
        Derivatives by the parameters.
    """
    log_scale, log_shape, logit = parameters.T[:, :, None]
    lapse, d_lapse = _lapse(logit)
    shape = np.exp(log_shape)
    exponent = shape * (np.log(x) - log_scale)
    power = np.exp(np.minimum(exponent, 30))
    fails = np.exp(-power)
    slope = (0.5 - lapse) * fails * power
    gradient = np.stack([-slope * shape, slope * exponent, (fails - 1) * d_lapse], axis=-1)
    return 1 - lapse - (0.5 - lapse) * fails, gradient


def fit_logistic(x: np.ndarray, chosen: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Fit the share of a choice as a function of signed strength.

    Parameters
    ----------
    x : array of shape (n_strengths,)
        Signed strengths.
    chosen, shown : arrays of shape (n, n_strengths)
        Number of trials with that choice, and of all trials; n data sets are fitted.

    Returns
    -------
    array of shape (n, 4)
        Bias, steepness, lapse rate, and the slope at the bias per unit of strength, (1 − 2λ) s / 4.
    """
    scale = np.abs(x).max()
    share = chosen.sum(1) / shown.sum(1)
    direction = np.where(((chosen - share[:, None] * shown) * x).sum(1) < 0, -1.0, 1.0)
    starts = [np.stack([0 * share, direction * s, 0 * share - 3], axis=1) for s in (1.0, 4.0, 16.0)]
    bias, steepness, logit = _fitted(logistic, x / scale, chosen, shown, starts).T
    lapse = _lapse(logit)[0]
    steepness = steepness / scale
    return np.stack([bias * scale, steepness, lapse, (1 - 2 * lapse) * steepness / 4], axis=1)


def fit_weibull(x: np.ndarray, correct: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Fit the share of correct choices as a function of unsigned strength.

    Parameters
    ----------
    x : array of shape (n_strengths,)
        Strengths above zero.
    correct, shown : arrays of shape (n, n_strengths)
        Number of correct trials, and of all trials; n data sets are fitted.

    Returns
    -------
    array of shape (n, 4)
        α, β, lapse rate, and the threshold: the strength at which `CRITERION` are correct. NaN where that is
        beyond twice the largest strength, or lapses keep the function below the criterion.
    """
    scale = x.max()
    zero = np.zeros(len(correct))
    starts = [np.stack([zero + np.log(a), zero, zero - 3], axis=1) for a in (0.05, 0.2, 1.0)]
    log_scale, log_shape, logit = _fitted(weibull, x / scale, correct, shown, starts).T
    lapse = _lapse(logit)[0]
    fails = (1 - lapse - CRITERION) / (0.5 - lapse)
    power = -np.log(np.where(fails > 0, fails, np.nan))
    threshold = np.exp(np.minimum(log_scale + np.log(power) * np.exp(-log_shape), 99))
    threshold = np.where(threshold <= 2, threshold * scale, np.nan)
    return np.stack([np.exp(log_scale) * scale, np.exp(log_shape), lapse, threshold], axis=1)


def _fitted(function, x, counts, totals, starts) -> np.ndarray:
    """The best of several starts, for each data set."""
    ends = [_ascended(function, x, counts, totals, start) for start in starts]
    likelihood = np.stack([value for _, value in ends])
    best = likelihood.argmax(0)
    return np.stack([parameters for parameters, _ in ends])[best, np.arange(len(best))]


def _ascended(function, x, counts, totals, parameters) -> tuple[np.ndarray, np.ndarray]:
    """Climb the likelihood by damped Fisher scoring."""
    damping = np.full(len(parameters), 1e-2)
    likelihood = _likelihood(function(x, parameters)[0], counts, totals)
    idle = 0
    for _ in range(_STEPS):
        share, gradient = function(x, parameters)
        share = np.clip(share, 1e-9, 1 - 1e-9)
        spread = share * (1 - share)
        score = np.einsum("bk,bkp->bp", (counts - totals * share) / spread, gradient)
        information = np.einsum("bk,bkp,bkq->bpq", totals / spread, gradient, gradient)
        diagonal = np.einsum("bpp->bp", information)
        diagonal += damping[:, None] * diagonal + 1e-9
        step = np.linalg.solve(information, score[..., None])[..., 0]
        tried = np.clip(parameters + np.clip(step, -3, 3), [-_LARGEST, -1e3, -_LARGEST], [_LARGEST, 1e3, _LARGEST])
        there = _likelihood(function(x, tried)[0], counts, totals)
        better = there > likelihood
        # Damping may need a few steps to grow before a step is a gain.
        idle = idle + 1 if np.all(there - likelihood < 1e-8) else 0
        if idle == 4:
            break
        parameters = np.where(better[:, None], tried, parameters)
        likelihood = np.where(better, there, likelihood)
        damping = np.where(better, damping / 4, damping * 8).clip(1e-9, 1e9)
    return parameters, likelihood


def _likelihood(share, counts, totals) -> np.ndarray:
    share = np.clip(share, 1e-9, 1 - 1e-9)
    return (counts * np.log(share) + (totals - counts) * np.log(1 - share)).sum(1)


def _lapse(logit) -> tuple[np.ndarray, np.ndarray]:
    p = _sigmoid(logit)
    return LAPSE * p, LAPSE * p * (1 - p)


def _sigmoid(z) -> np.ndarray:
    return 0.5 * (1 + np.tanh(z / 2))
