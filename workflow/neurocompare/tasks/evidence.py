r"""Signed evidence that is integrated: coherences and the observer who adds up what it is shown.

Evidence of coherence c over a time T, with white noise of strength :math:`\sigma` (input units × √s), sums to
:math:`c\,T \pm \sigma\sqrt T`. Whatever the step of time, the sign of the sum is right with probability
:math:`\Phi(c \sqrt T / \sigma)`, and no observer who does not know the coherence can do better: the likelihood ratio of
the two signs grows with the sum, whatever coherences there are, if both signs are equally likely.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building

DRAWS = ("levels", "uniform")


def check(task: str, coherences: Sequence[float], draw: str, noise: float) -> np.ndarray:
    """Read the options of evidence.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    coherences : sequence of float
        Strengths; each is shown with both signs.
    draw : {"levels", "uniform"}
        How they are drawn.
    noise : float
        Strength of the noise.

    Returns
    -------
    array of shape (n_levels,)
        Coherences, rising.

    Raises
    ------
    UserError
        If they are not above 0, or not different; if `draw` is unknown or the noise negative.
    """
    if not isinstance(coherences, list | tuple) or not coherences:
        raise UserError(f"task {task}: coherences is {coherences}; list one or more, without their signs")
    check_ranges(
        f"task {task}",
        positive={f"coherence {k + 1}": value for k, value in enumerate(coherences)},
        magnitudes={"noise": noise},
    )
    if len(set(coherences)) < len(coherences):
        raise UserError(f"task {task}: coherences {list(coherences)} repeat a number; list each once")
    if draw not in DRAWS:
        raise unknown(f"draw of task {task}", str(draw), DRAWS)
    return np.sort(np.array(coherences, dtype=float))


def random_levels(coherences: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw signed levels, ±1 for the weakest coherence.

    Parameters
    ----------
    coherences : array of shape (n_levels,)
        From `check`.
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.

    Returns
    -------
    array of shape (n,), int
        Levels.
    """
    return level(rng.integers(0, 2 * len(coherences), size=n))


def level(index: np.ndarray) -> np.ndarray:
    """Number signed levels: 0, 1, 2, 3, … stand for −1, 1, −2, 2, …."""
    return (index // 2 + 1) * (2 * (index % 2) - 1)


def of_levels(levels: np.ndarray, coherences: np.ndarray) -> np.ndarray:
    """Return the signed coherences of signed levels."""
    return np.sign(levels) * coherences[np.abs(levels) - 1]


def uniform(coherences: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw signed coherences up to the strongest of the levels; their levels are called 0.

    Parameters
    ----------
    coherences : array of shape (n_levels,)
        From `check`.
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.

    Returns
    -------
    array of shape (n,)
        Coherences.
    """
    # 1 − random() is never 0, so that every trial has a correct answer.
    return coherences[-1] * (1 - rng.random(n)) * rng.choice((-1, 1), size=n)


def ideal(coherences: np.ndarray, duration: float, noise: float, draw: str) -> float:
    r"""Compute how often the sign of the sum of the evidence is right.

    Parameters
    ----------
    coherences : array of shape (n_levels,)
        From `check`.
    duration : float
        Seconds of evidence.
    noise : float
        Strength :math:`\sigma` of the noise.
    draw : {"levels", "uniform"}
        Levels equally often, or uniform coherences up to the strongest.

    Returns
    -------
    float
        Mean of :math:`\Phi(c \sqrt T / \sigma)` over coherences; for uniform ones up to C, with
        :math:`k = \sqrt T / \sigma`, :math:`\Phi(kC) + (\varphi(kC) - \varphi(0)) / (kC)`.
    """
    if not noise:
        return 1.0
    slope = math.sqrt(duration) / noise
    if draw == "levels":
        return float(norm.cdf(slope * coherences).mean())
    top = slope * coherences[-1]
    return float(norm.cdf(top) + (norm.pdf(top) - norm.pdf(0)) / top)


def signed_choice(outputs: np.ndarray, where: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Read choices from the sign of the mean of the first output over some steps.

    Parameters
    ----------
    outputs : array of shape (n, T, O)
        Outputs.
    where : array of shape (n, T), bool
        The steps.
    target : array of shape (n,)
        Correct choices, ±1.

    Returns
    -------
    dict of str to array of shape (n,)
        ``choice``, ±1, or NaN where the mean is 0 or no number, and ``correct``, 1 or 0.
    """
    value = building.mean_during(outputs[..., :1], where)[:, 0]
    choice = np.where(value == 0, np.nan, np.sign(value))
    return {"choice": choice, "correct": (choice == target).astype(float)}
