r"""Courses of activity: how fast states change, and how long fluctuations last.

The intrinsic time scale (Murray et al. 2014, Nat Neurosci 17:1661) is the :math:`\tau` of

.. math:: R(\Delta) = A\,(e^{-\Delta/\tau} + B),

fitted to the correlation, across trials, of the activity of a unit in two bins that are :math:`\Delta` apart. B stands
for what lasts longer than the window. The lag 0, which holds the noise of single bins, does not count.
"""

from dataclasses import dataclass

import numpy as np

SHORTEST, LONGEST = 0.2, 20.0
"""Time scales that are tried, from this share of a bin to this multiple of the longest lag."""


@dataclass(frozen=True, eq=False)
class Decay:
    """An exponential with an offset.

    Attributes
    ----------
    time_scale : float
        In s; NaN where the autocorrelation does not fall, or only beyond what the lags can show.
    amplitude, offset : float
        A and A·B.
    residual : float
        Root mean square of what is left.
    status : str
        Empty, ``rising`` (no decay: A is not positive) or ``beyond_lags`` (at an end of the time scales tried).
    """

    time_scale: float
    amplitude: float
    offset: float
    residual: float
    status: str

    def at(self, lag: np.ndarray) -> np.ndarray:
        """Return the fitted autocorrelation at lags in s."""
        return self.amplitude * np.exp(-np.asarray(lag) / self.time_scale) + self.offset


def speed(states: np.ndarray, dt: float) -> np.ndarray:
    """Return how fast states change.

    Parameters
    ----------
    states : array of shape (..., n_times, n_units)
        States or activity.
    dt : float
        Step in s.

    Returns
    -------
    array of shape (..., n_times)
        Norm of central differences per s; one-sided at both ends.
    """
    return np.linalg.norm(np.gradient(np.asarray(states, dtype=float), dt, axis=-2), axis=-1)


def autocorrelation(values: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Correlate bins across trials, by their lag.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses; NaN where a unit has no trial.
    group : array of shape (n_trials,), optional
        Condition of each trial, whose mean is taken out; by default all trials are one.

    Returns
    -------
    array of shape (n_units, n_times)
        Mean over pairs of bins of each lag, in bins; NaN for units that do not vary.
    """
    values = np.asarray(values, dtype=float)
    group = np.zeros(len(values), dtype=int) if group is None else np.unique(group, return_inverse=True)[1]
    n_times = values.shape[1]
    pair = np.abs(np.subtract.outer(np.arange(n_times), np.arange(n_times)))
    found = np.full((values.shape[2], n_times), np.nan)
    for k in range(values.shape[2]):
        own = values[..., k]
        there = np.isfinite(own).all(1)
        own, of = own[there], group[there]
        counts = np.bincount(of, minlength=group.max() + 1)
        total = np.zeros((len(counts), n_times))
        np.add.at(total, of, own)
        # A trial that is alone in its condition has no deviation.
        own = (own - total[of] / counts[of][:, None])[counts[of] > 1]
        covariance = own.T @ own
        size = np.sqrt(np.diag(covariance))
        defined = size > 1e-9 * max(size.max(initial=0.0), 1e-300)
        if defined.sum() < 2:
            continue
        correlation = covariance / np.where(defined, size, np.nan)[:, None] / np.where(defined, size, np.nan)
        for lag in range(n_times):
            of_lag = correlation[pair == lag]
            of_lag = of_lag[np.isfinite(of_lag)]
            found[k, lag] = of_lag.mean() if len(of_lag) else np.nan
    return found


def decay(correlation: np.ndarray, lag: np.ndarray, weight: np.ndarray | None = None) -> Decay:
    """Fit an exponential with an offset by least squares.

    Parameters
    ----------
    correlation : array of shape (n_lags,)
        Autocorrelation at positive lags; undefined ones are left out.
    lag : array of shape (n_lags,)
        Seconds.
    weight : array of shape (n_lags,), optional
        Such as the number of pairs of bins.

    Returns
    -------
    Decay
        Its amplitude and offset are the best for its time scale, which is found on a grid and refined.
    """
    weight = np.ones(len(lag)) if weight is None else np.asarray(weight, dtype=float)
    good = np.isfinite(correlation)
    correlation, lag, weight = np.asarray(correlation, dtype=float)[good], np.asarray(lag)[good], weight[good]
    if len(lag) < 4:
        return Decay(np.nan, np.nan, np.nan, np.nan, "too_few_lags")
    grid = np.geomspace(SHORTEST * lag.min(), LONGEST * lag.max(), 200)
    edge = False
    for refined in range(3):
        error, amplitude, offset = _given(grid, correlation, lag, weight)
        best = int(error.argmin())
        if refined == 0:
            edge = best in (0, len(grid) - 1)
        if edge or refined == 2:
            break
        grid = np.geomspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 60)
    error, amplitude, offset = error[best], amplitude[best], offset[best]
    status = "rising" if amplitude <= 0 else "beyond_lags" if edge else ""
    residual = float(np.sqrt(error / weight.sum()))
    return Decay(np.nan if status else float(grid[best]), float(amplitude), float(offset), residual, status)


def _given(scales, correlation, lag, weight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared error, amplitude and offset of the best fit with each of several time scales."""
    curve = np.exp(-lag / scales[:, None])
    w = weight / weight.sum()
    mean, centre = (w * curve).sum(1), (w * correlation).sum()
    spread = (w * (curve - mean[:, None]) ** 2).sum(1)
    shared = (w * (curve - mean[:, None]) * (correlation - centre)).sum(1)
    amplitude = shared / np.maximum(spread, 1e-300)
    offset = centre - amplitude * mean
    left = correlation - amplitude[:, None] * curve - offset[:, None]
    return (weight * left**2).sum(1), amplitude, offset
