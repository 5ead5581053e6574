"""A world of stimuli, animals and models in which it is known which models are equally good.

A stimulus has two sets of ten independent normal features. The neurons of an animal are random sums of
both, and every animal weighs one set a little more than the other. One model sees the first set fully and
the second at half its size; the other model has the sets exchanged. Neither is better than the other, for
new stimuli and new animals: exchanging the sets exchanges the models, and leaves all else as likely as it
was. A third model sees features that no animal knows.

For the same animals and new stimuli, one model can be the better one by chance; there the animals are made
mirrored, each neuron having a twin with the two sets exchanged, and the models are equal again.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import Trials

FEATURES = 10
"""In each of the two sets."""

SMALLER = 0.5
"""The size at which a model sees the set that it does not see fully."""

UNITS = 60

SHARED = 0.2
"""Share of the noise variance of a trial that neurons have in common, through two factors."""


@dataclass(frozen=True)
class Cell:
    """Sizes of a recording.

    Attributes
    ----------
    stimuli, animals, repeats : int
        Numbers.
    snr : float
        Variance of the signal over that of the noise of one trial.
    spread : float
        Standard deviation between animals of the logarithm by which they weigh one set of features more and
        the other less. At 0.1, animals and 118 stimuli add about as much to the variance of a difference.
    """

    stimuli: int
    animals: int
    repeats: int
    snr: float
    spread: float = 0.1

    @property
    def name(self) -> str:
        """The id of the cell, which seeds it."""
        sizes = f"stimuli={self.stimuli}-animals={self.animals}-repeats={self.repeats}"
        return f"{sizes}-snr={self.snr:g}-spread={self.spread:g}"

    @classmethod
    def parse(cls, name: str) -> "Cell":
        """Read the sizes from the id of a cell.

        Parameters
        ----------
        name : str
            Such as ``stimuli=118-animals=5-repeats=10-snr=0.2-spread=0.1``.

        Returns
        -------
        Cell
            The cell.
        """
        sizes = dict(item.split("=") for item in name.split("-"))
        whole = ("stimuli", "animals", "repeats")
        return cls(**{key: int(value) if key in whole else float(value) for key, value in sizes.items()})


def stream(cell: Cell, what: str, number: int = 0) -> np.random.Generator:
    """Return the source of randomness of one data set.

    Parameters
    ----------
    cell : Cell
        The cell.
    what : str
        What is drawn.
    number : int
        Which data set.

    Returns
    -------
    Generator
        Another one for every cell, kind and number.
    """
    return np.random.default_rng([zlib.crc32(f"{cell.name} {what}".encode()), number])


def animals(cell: Cell, rng: np.random.Generator, *, mirrored: bool = False) -> np.ndarray:
    """Draw animals.

    Parameters
    ----------
    cell : Cell
        The cell.
    rng : Generator
        The source of randomness.
    mirrored : bool
        Whether each neuron has a twin with both sets of features exchanged.

    Returns
    -------
    array of shape (n_animals, 2 * FEATURES, UNITS)
        Weights of the features; the signal of every unit has unit variance over all possible stimuli.
    """
    weights = rng.standard_normal((cell.animals, 2, FEATURES, UNITS))
    preference = np.exp(cell.spread * rng.standard_normal((cell.animals, 1, 1)))
    weights[:, 0] *= preference
    weights[:, 1] /= preference
    if mirrored:
        weights[..., UNITS // 2 :] = weights[:, ::-1, :, : UNITS // 2]
    weights = weights.reshape(cell.animals, 2 * FEATURES, UNITS)
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def recording(cell: Cell, weights: np.ndarray, rng: np.random.Generator, *, single_trials: bool) -> tuple[Grams, Grams]:
    """Show new stimuli to animals and to models.

    Parameters
    ----------
    cell : Cell
        The cell.
    weights : array of shape (n_animals, 2 * FEATURES, UNITS)
        The animals.
    rng : Generator
        The source of randomness.
    single_trials : bool
        Whether a measure will look at single trials; otherwise their mean is drawn, which is quicker.

    Returns
    -------
    models : Grams
        The two equal models and the unrelated one.
    recorded : Grams
        One representation for each animal.
    """
    first, second, unknown, unknown_too = rng.standard_normal((4, cell.stimuli, FEATURES))
    models = [(first, SMALLER * second), (SMALLER * first, second), (unknown, unknown_too)]
    signal = np.hstack([first, second]) @ weights
    averaged = 1 if single_trials else cell.repeats
    shape = (len(weights), cell.repeats // averaged, cell.stimuli)
    deviation = 1 / np.sqrt(cell.snr * averaged)
    loadings = rng.standard_normal((len(weights), 1, 2, UNITS))
    loadings *= np.sqrt(SHARED) / np.linalg.norm(loadings, axis=2, keepdims=True)
    noise = rng.standard_normal((*shape, 2)) @ loadings
    noise += np.sqrt(1 - SHARED) * rng.standard_normal((*shape, UNITS))
    trials = signal[:, None] + deviation * noise
    grams = [np.hstack(seen) for seen in models]
    if single_trials:
        return Grams.of(grams), Grams.of_trials([Trials.of_repeats(x) for x in trials])
    return Grams.of(grams), Grams.of(list(trials[:, 0]))
