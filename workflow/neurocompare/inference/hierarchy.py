"""Resamples of neurons in sessions in animals, as weights of units.

Neurons of one animal are no independent samples of a brain: a pool of many sessions is resampled from the
top, animals first, then sessions of each animal that was drawn, then neurons of each session (Saravanan,
Berman & Sober 2020, NBDT 3(5)). A resample is a weight for every unit, so that it costs one product of
matrices, and no unit is copied.

Every level adds its own sampling variance, whether or not the levels above already contain it; with few
units at a level the interval is too wide rather than too narrow.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity.arrays import Grams

LEVELS = ("animal", "session", "unit")


def unit_weights(
    animal: np.ndarray, session: np.ndarray, n: int, *, name: str, levels: Sequence[str] = LEVELS
) -> np.ndarray:
    """Draw units of a pooled recording, level by level.

    Parameters
    ----------
    animal, session : arrays of shape (n_units,)
        Where each unit was recorded; sessions of different animals are different ones.
    n : int
        How many resamples.
    name : str
        The id of the recording: it seeds the draw.
    levels : sequence of {"animal", "session", "unit"}
        What is drawn; of the others, all are there once. A claim about new animals needs ``animal``.

    Returns
    -------
    array of shape (n, n_units)
        How often each unit is in each resample.

    Raises
    ------
    UserError
        If a level is unknown or none is given, or animals and sessions do not match.
    """
    animal, session = np.asarray(animal).astype(str), np.asarray(session).astype(str)
    if not levels or set(levels) - set(LEVELS):
        raise UserError(f"resampling of units: levels are {tuple(levels)}; use some of {', '.join(LEVELS)}")
    if animal.shape != session.shape or animal.ndim != 1 or not len(animal):
        raise UserError(f"recording '{name}': {animal.shape} animals and {session.shape} sessions; give one per unit")
    rng = np.random.default_rng([zlib.crc32(name.encode()), len(animal)])
    animals = list(dict.fromkeys(animal))
    weights = np.empty((n, len(animal)))
    drawn = _draw(np.ones(n, dtype=int), len(animals), rng, chosen="animal" in levels)
    for a, this in enumerate(animals):
        sessions = list(dict.fromkeys(session[animal == this]))
        of_sessions = _draw(drawn[:, a], len(sessions), rng, chosen="session" in levels)
        for s, one in enumerate(sessions):
            mine = np.flatnonzero((animal == this) & (session == one))
            weights[:, mine] = _draw(of_sessions[:, s], len(mine), rng, chosen="unit" in levels)
    return weights


def weighted_grams(values: np.ndarray, weights: np.ndarray) -> Grams:
    """Reduce resamples of the units of one representation.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_units)
        The representation.
    weights : array of shape (n, n_units)
        How often each unit is in each resample.

    Returns
    -------
    Grams
        One representation for each resample.
    """
    values, weights = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    gram = np.stack([(values * w) @ values.T for w in weights])
    return Grams(gram, weights @ values.T, weights.sum(1))


def _draw(times: np.ndarray, count: int, rng: np.random.Generator, *, chosen: bool) -> np.ndarray:
    """Draw `count` of `count` things, independently for each of the `times` that their parent was drawn.

    The sum of k independent draws of `count` is one draw of k · `count`.
    """
    if not chosen:
        return np.repeat(times[:, None], count, axis=1)
    return rng.multinomial(times * count, np.full(count, 1 / count))
