"""Stimuli of the tasks of Yang et al. 2019: drawn for training, or all those of the tests."""

import itertools

import numpy as np

from neurocompare.tasks.yang_rules import COHERENCES, EASIER, Rule

CATEGORY_LOCATIONS = np.pi * np.arange(0.1, 2, 0.2)
"""Locations that are sorted into halves of the ring, in training."""


def drawn(rule: Rule, n: int, rng: np.random.Generator, easy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw stimuli for training.

    Parameters
    ----------
    rule : Rule
        The rule.
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.
    easy : bool
        Whether strengths differ more.

    Returns
    -------
    location : array of shape (n, 2)
        Locations of the first and the second stimulus in rad; NaN for no stimulus.
    strength : array of shape (n, 2, 2)
        Strengths of each (second axis) in each modality (third axis); 0 for no stimulus.
    """
    location = np.full((n, 2), np.nan)
    strength = np.zeros((n, 2, 2))
    location[:, 0] = rng.uniform(0, 2 * np.pi, size=n)
    if rule.family == "go":
        strength[np.arange(n), 0, rng.integers(0, 2, size=n)] = 1
        return location, strength
    if rule.family == "match":
        strength[np.arange(n), 0, rng.integers(0, 2, size=n)] = 1
        strength[np.arange(n), 1, rng.integers(0, 2, size=n)] = 1
        if rule.category:
            return rng.choice(CATEGORY_LOCATIONS, size=(n, 2)), strength
        apart = rng.uniform(np.pi / 9, 17 * np.pi / 9, size=n) * rng.choice((-1, 1), size=n)
        apart *= rng.integers(0, 2, size=n)
        location[:, 1] = (location[:, 0] + apart) % (2 * np.pi)
        # A match is the same location, not one that the modulo has rounded.
        location[:, 1] = np.where(apart == 0, location[:, 0], location[:, 1])
        return location, strength
    apart = rng.uniform(0.5 * np.pi, 1.5 * np.pi, size=n) * rng.choice((-1, 1), size=n)
    location[:, 1] = (location[:, 0] + apart) % (2 * np.pi)
    levels = np.array(COHERENCES[rule.timing]) * (EASIER[rule.timing] if easy else 1)
    if len(rule.heeded) == 2:
        # Both modalities vary around the strength of a stimulus, so that neither tells by itself.
        both = _pair(n, rng, levels)
        spread = both * rng.uniform(0.2, 0.8, size=(n, 2)) * rng.choice((-1, 1), size=(n, 2))
        return location, np.stack([both + spread / 2, both - spread / 2], axis=2)
    for modality in rule.shown:
        strength[:, :, modality - 1] = _pair(n, rng, levels)
    return location, strength


def _pair(n: int, rng: np.random.Generator, levels: np.ndarray) -> np.ndarray:
    """Draw the strengths (n, 2) of two stimuli."""
    half = rng.choice(levels, size=n) * rng.choice((-1, 1), size=n)
    mean = rng.uniform(0.8, 1.2, size=n)
    return np.stack([mean + half, mean - half], axis=1)


def tested(rule: Rule, locations: int) -> tuple[np.ndarray, np.ndarray]:
    """List the stimuli of the tests, one row for each condition.

    They are those of the authors' tests, with two exceptions: matches are as frequent as others, while the authors test
    the trials with a response only; and where strengths are summed over modalities, sums that are equal are left out.

    Parameters
    ----------
    rule : Rule
        The rule.
    locations : int
        Number of locations of the first stimulus, which are even.

    Returns
    -------
    location, strength
        As of `drawn`.
    """
    around = 2 * np.pi * np.arange(locations) / locations
    if rule.category:
        half = 0.1 + 0.8 * np.arange(locations // 2) / (locations // 2)
        around = np.pi * np.concatenate([half, 1 + half])
    if rule.family == "go":
        rows = np.array(list(itertools.product(around, (0, 1))))
        strength = np.zeros((len(rows), 2, 2))
        strength[np.arange(len(rows)), 0, rows[:, 1].astype(int)] = 1
        return np.stack([rows[:, 0], np.full(len(rows), np.nan)], axis=1), strength
    if rule.family == "match":
        rows = np.array(list(itertools.product(around, (0, 1), (0, 1), (0, 1))))
        first, match = rows[:, 0], rows[:, 3]
        strength = np.zeros((len(rows), 2, 2))
        for k in (0, 1):
            strength[np.arange(len(rows)), k, rows[:, 1 + k].astype(int)] = 1
        return np.stack([first, np.where(match, first, (first + np.pi) % (2 * np.pi))], axis=1), strength
    alone = len(rule.shown) == 1
    levels = 0.5 + np.arange(5) / 5 if alone and rule.timing == "apart" else 0.8 + 0.08 * np.arange(5)
    rows = np.array(list(itertools.product(around, *[levels] * len(rule.shown))))
    if len(rule.heeded) == 2:
        rows = rows[np.abs(rows[:, 1:].sum(axis=1) - 2) > 1e-9]
    strength = np.zeros((len(rows), 2, 2))
    for k, modality in enumerate(rule.shown):
        strength[:, 0, modality - 1] = rows[:, 1 + k]
        strength[:, 1, modality - 1] = 2 - rows[:, 1 + k]
    return np.stack([rows[:, 0], (rows[:, 0] + np.pi) % (2 * np.pi)], axis=1), strength
