"""Random subsets of the units and of the stimuli of a recording, the same for all that is compared on them.

A subset is named by the recording, by what is chosen (of units: in which region) and by its number. Subset 7
of 16 units lies within subset 7 of 32 units: a curve over sizes follows populations that grow.
"""

import zlib
from functools import cached_property

import numpy as np

from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import SPLITS, Trials

AXES = ("units", "stimuli")

FEWEST_UNITS = 4
FEWEST_STIMULI = 8

_REMEMBERED = 50_000_000
"""Numbers (400 MB) up to which means over trials are kept for all samples of units."""


def grid(axis: str, n: int, minimum: int = 0, *, coarse: bool = False) -> list[int]:
    """Choose the sizes at which a score is taken.

    Parameters
    ----------
    axis : {"units", "stimuli"}
        What is chosen.
    n : int
        How many there are.
    minimum : int
        The smallest size that will do.
    coarse : bool
        Whether every other size of the stimuli will do, for measures that take long.

    Returns
    -------
    list of int
        From small to all. Of units powers of two, so that regions and recordings have sizes in common; of stimuli
        n/√2, n/2, n/2√2, …, so that half of the stimuli are among them.
    """
    if axis == "units":
        # A last step of less than √2 would repeat the one before.
        sizes = [2**k for k in range(2, 31) if 2**k <= n / np.sqrt(2)]
        least = FEWEST_UNITS
    else:
        sizes = [round(n / 2 ** (k / 2)) for k in range(40, 0, -2 if coarse else -1)]
        least = FEWEST_STIMULI
    return [size for size in sizes if max(least, minimum) <= size < n] + [n]


def draw(axis: str, name: str, region: str, n: int, size: int, count: int) -> list[np.ndarray]:
    """Draw subsets without replacement.

    Parameters
    ----------
    axis : {"units", "stimuli"}
        What is chosen.
    name : str
        The id of the recording, which seeds the draw.
    region : str
        The region, which seeds the draw of units; all regions are compared on the same stimuli.
    n : int
        How many there are.
    size : int
        How many are chosen.
    count : int
        Number of subsets; the first ones are the same whatever their number.

    Returns
    -------
    list of arrays of int of shape (size,)
        In increasing order; a single one where all are chosen.
    """
    if size == n:
        return [np.arange(n)]
    where = f"{axis} of {name}" + f", {region}" * (axis == "units")
    seed = zlib.crc32(f"subsets: {where}".encode())
    return [np.sort(np.random.default_rng([seed, n, k]).permutation(n)[:size]) for k in range(count)]


class SampledTrials(Trials):
    """Trials of some units of a population, whose means over trials are computed once for all samples.

    Parameters
    ----------
    whole : Trials
        All units.
    units : array of int of shape (n_chosen,)
        The units that are chosen.
    memory : dict
        Means and halves of `whole` that are known already; shared by all samples of it.
    chosen : array of bool of shape (n_trials,), optional
        Which trials of `whole`; all by default.
    """

    def __init__(self, whole: Trials, units: np.ndarray, memory: dict, chosen: np.ndarray | None = None):
        kept = slice(None) if chosen is None else chosen
        fields = {"stimulus": whole.stimulus[kept], "block": whole.block[kept], "n_stimuli": whole.n_stimuli}
        for name, value in (fields | {"whole": whole, "units": units, "memory": memory, "chosen": chosen}).items():
            # As in all frozen data classes.
            object.__setattr__(self, name, value)

    @cached_property
    def values(self) -> np.ndarray:
        """Responses of the chosen units; see `Trials`."""
        return self.whole.values[:, self.units] if self.chosen is None else self.part_of_whole.values[:, self.units]

    @property
    def part_of_whole(self) -> Trials:
        """The chosen trials of all units."""
        return self.whole.part(self.chosen)

    def mean(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """See `Trials.mean`."""
        mask = self._within(chosen)
        key = b"" if mask is None else mask.tobytes()
        if key not in self.memory:
            n_units = self.whole.values.shape[1]
            if 2 * SPLITS * self.n_stimuli * n_units > _REMEMBERED and mask is not None:
                return self.whole.with_values(self.whole.values[:, self.units]).mean(mask)
            self.memory[key] = self.whole.mean(mask)
        return self.memory[key][:, self.units]

    def part(self, chosen: np.ndarray) -> Trials:
        """See `Trials.part`."""
        return SampledTrials(self.whole, self.units, self.memory, self._within(chosen))

    def halves(self, splits: int = SPLITS, *, chronological: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
        """See `Trials.halves`; they do not depend on units."""
        if self.chosen is not None:
            return super().halves(splits, chronological=chronological)
        key = ("halves", splits, chronological)
        if key not in self.memory:
            self.memory[key] = self.whole.halves(splits, chronological=chronological)
        return self.memory[key]

    def _within(self, chosen):
        """A choice among the chosen trials as one among all."""
        if chosen is None or self.chosen is None:
            return self.chosen if chosen is None else np.asarray(chosen)
        mask = self.chosen.copy()
        mask[self.chosen] = chosen
        return mask


def of_units(target: Grams, chosen: list[np.ndarray], memory: dict) -> Grams:
    """Reduce samples of the units of one recording.

    Parameters
    ----------
    target : Grams
        A single representation, with units.
    chosen : list of arrays of int
        Which units.
    memory : dict
        See `SampledTrials`; empty at first.

    Returns
    -------
    Grams
        One representation for each sample.
    """
    if target.trials is None:
        return Grams.of([target.units[0][:, units] for units in chosen])
    return Grams.of_trials([SampledTrials(target.trials[0], units, memory) for units in chosen])
