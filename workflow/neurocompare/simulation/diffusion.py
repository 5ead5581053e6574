r"""Decisions by diffusion to a bound: their closed forms, and an exact simulation.

Evidence starts at 0 and drifts, :math:`dx = v\,dt + dW`, with unit noise per square root of a second, until it
meets :math:`+a` or :math:`-a` (Ratcliff 1978, Psychol Rev 85:59; Palmer, Huk & Shadlen 2005, J Vis 5:376).
"""

import numpy as np

STEP = 0.001
"""Step of the simulation in s."""

KEPT = 5
"""Steps between the points of a path that are kept."""


def probability(drift: np.ndarray, bound: float) -> np.ndarray:
    """Return the probability of the upper bound, ``1 / (1 + exp(-2 a v))``.

    Parameters
    ----------
    drift : array of shape (...)
        Drift v per second.
    bound : float
        Bound a.

    Returns
    -------
    array of shape (...)
        Probabilities.
    """
    return 1 / (1 + np.exp(-2 * bound * np.asarray(drift, dtype=float)))


def mean_time(drift: np.ndarray, bound: float) -> np.ndarray:
    """Return the mean time to a bound in s, ``(a / v) tanh(a v)``; without drift it is ``a²``.

    Parameters
    ----------
    drift : array of shape (...)
        Drift v per second.
    bound : float
        Bound a.

    Returns
    -------
    array of shape (...)
        Seconds, the same for both bounds.
    """
    z = np.abs(np.asarray(drift, dtype=float)) * bound
    small = z < 1e-3
    z = np.where(small, 1.0, z)
    return bound**2 * np.where(small, 1.0, np.tanh(z) / z)


def time_variance(drift: np.ndarray, bound: float) -> np.ndarray:
    """Return the variance of the time to a bound in s², ``a (tanh z - z sech² z) / v³`` with ``z = a v``.

    Parameters
    ----------
    drift : array of shape (...)
        Drift v per second; without it the variance is ``2 a⁴ / 3`` (Wagenmakers et al. 2007, Psychon Bull
        Rev 14:3, eq. 6).
    bound : float
        Bound a.

    Returns
    -------
    array of shape (...)
        Squared seconds.
    """
    z = np.abs(np.asarray(drift, dtype=float)) * bound
    # The difference loses digits for small drifts, where the series is exact to 1e-6.
    small = z < 1e-2
    z = np.where(small, 1.0, z)
    return bound**4 * np.where(small, 2 / 3, (np.tanh(z) - z / np.cosh(np.minimum(z, 300)) ** 2) / z**3)


def walk(drift: np.ndarray, bound: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Simulate decisions until the last one is made.

    Between the points of a step the path is a Brownian bridge, which may touch a bound and come back; such
    visits are drawn with their probability, so choices and times are unbiased although steps are finite.

    Parameters
    ----------
    drift : array of shape (n_trials,)
        Drift per second in each trial.
    bound : float
        Bound a.
    rng : Generator
        The source of randomness.

    Returns
    -------
    time : array of shape (n_trials,)
        Seconds to the bound.
    path : array of float32 of shape (n_points, n_trials)
        Evidence every `KEPT` steps of `STEP` s, from 0 s; it stays at the bound that it meets.
    """
    drift = np.asarray(drift, dtype=float)
    evidence = np.zeros(len(drift))
    time = np.zeros(len(drift))
    active = np.arange(len(drift))
    path, count = [evidence.astype(np.float32)], 0
    while active.size:
        before = evidence[active]
        after = before + drift[active] * STEP + np.sqrt(STEP) * rng.standard_normal(active.size)
        chance = rng.random(active.size)
        upper, lower = (
            np.exp(np.minimum(-2 * (bound - sign * before) * (bound - sign * after) / STEP, 0)) for sign in (1, -1)
        )
        up, down = chance < upper, chance >= 1 - lower
        evidence[active] = np.where(up, bound, np.where(down, -bound, after))
        count += 1
        met = up | down
        # On average the bound is met in the middle of the step.
        time[active[met]] = (count - 0.5) * STEP
        active = active[~met]
        if count % KEPT == 0 or not active.size:
            path.append(evidence.astype(np.float32))
    return time, np.array(path)
