"""CKA of a network with a population of neurons of which a recording holds a sample.

The self-term of the recording is the mean over pairs of different units (Chun, Canatar, Chung & Lee 2025,
arXiv:2502.15104; see `neurocompare.similarity.sampling`), with or without a cross between halves of the
trials. Numerator and self-terms are unbiased; their ratio is too high by a term of second order.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import hsic, sampling
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.cka import CKA, divided
from neurocompare.similarity.embedded import half_matrices, shuffled
from neurocompare.similarity.measure import Reduced, Scores
from neurocompare.similarity.trials import Trials

UNIT_SPLITS = 5
"""Splits of the trials from which terms of single units come: their sums over units vary much less than HSIC."""


class Population(NamedTuple):
    """A reduced representation whose units are a sample.

    Attributes
    ----------
    matrix, halves : as in `neurocompare.similarity.embedded.Kernel`
        Kernels.
    pairs : list of tuples of two arrays of shape (n_stimuli, n_units)
        Responses of the units: the same twice, or in halves of the trials. Empty where only a Gram matrix
        is known.
    recorded : bool
        Whether there are single trials: a recording is a sample on whatever side it stands.
    """

    matrix: np.ndarray
    halves: np.ndarray | None
    pairs: list[tuple[np.ndarray, np.ndarray]]
    recorded: bool


class PopulationCKA(CKA):
    """CKA with the self-term of a recording between different units.

    Parameters
    ----------
    words, options : as for `CKA`
        With ``normalise=neurons`` or ``normalise=cross-half-neurons``.
    """

    controllable = False

    def __init__(self, words: str, options: dict[str, str]):
        super().__init__(words, options)
        # Which units are units matters where they are a sample: a rotation makes others of them.
        self.info["invariances"] = "isotropic scale, permutation, translation"

    def embed(self, matrices: np.ndarray, halves: np.ndarray | None = None) -> np.ndarray:
        """Refuse: kernels do not tell what single units have for themselves."""
        raise UserError(f"measure '{self.name}' needs single units: leave out 'partial', or 'neurons' from normalise")

    def inner(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Give no estimate: kernels do not tell what single units have for themselves; see `noise_terms`."""
        return np.full(len(a), np.nan)

    def noise_terms(self, y: Reduced, trials: Trials, *, chronological: bool = False) -> tuple[float, float]:
        """See `Embedded.noise_terms`: only noise that units share separates the two."""
        halves = half_matrices(self, trials, chronological=chronological)
        if halves is None:
            return np.nan, np.nan
        splits = trials.halves(UNIT_SPLITS, chronological=chronological)
        part = y.parts[0]
        between = _self_term(halves, [tuple(trials.mean(half) for half in split) for split in splits])
        return between, _self_term([(part.matrix, part.matrix)], _units(part))

    def reduce(self, grams: Grams) -> list[Population]:
        """See `Measure.reduce`."""
        recorded = grams.trials is not None
        found = []
        for k, (matrix, halves) in enumerate(super().reduce(grams)):
            pairs = [] if grams.units is None else [(grams.units[k], grams.units[k])]
            if halves is not None:
                trials = grams.trials[k]
                pairs = [tuple(trials.mean(half) for half in split) for split in trials.halves(UNIT_SPLITS)]
            found.append(Population(matrix, halves, pairs, recorded))
        return found

    def scores(self, x: Reduced, y: Reduced) -> Scores:
        """See `Measure.scores`."""
        return np.einsum("tij,kij->tk", self._embedded(y, target=True), self._embedded(x, target=False), optimize=True)

    def scores_of(self, x: Reduced, y: Reduced, stimuli: np.ndarray) -> Scores:
        """See `Measure.scores_of`."""
        return self.scores(*(Reduced([self.permuted(part, stimuli) for part in z.parts]) for z in (x, y)))

    def permuted(self, part: Population, order: np.ndarray) -> Population:
        """See `Measure.permuted`."""
        pick = np.ix_(order, order)
        halves = None if part.halves is None else part.halves[..., pick[0], pick[1]]
        pairs = [(a[order], b[order]) for a, b in part.pairs]
        return Population(part.matrix[pick], halves, pairs, part.recorded)

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> Scores:
        """See `Measure.null`."""
        return shuffled(self._embedded(y, target=True), self._embedded(x, target=False), permutations)

    def weighted_self_term(self, part: Population, weights: np.ndarray, target: bool) -> np.ndarray:
        """See `CKA.weighted_self_term`."""
        own = super().weighted_self_term(part, weights, target)
        if not (target or part.recorded):
            return own
        single = np.mean([sampling.weighted_unit_terms(a, b, weights) for a, b in _units(part)], axis=0)
        own = sampling.between_units(own, single, part.pairs[0][0].shape[1])
        return np.where(own > 0, own, np.nan)

    def _embedded(self, reduced: Reduced, *, target: bool) -> np.ndarray:
        """Kernels divided by the roots of their self-terms, in the role of targets or of candidates."""
        found = []
        for part in reduced.parts:
            n = len(part.matrix)
            halves = [(part.matrix, part.matrix)] if part.halves is None else part.halves
            own = _self_term(halves, _units(part)) if target or part.recorded else _self_term(halves)
            found.append(divided(hsic.u_centred(part.matrix)[None], own * n * (n - 3), part.matrix[None])[0])
        return np.stack(found)


def _units(part: Population) -> list[tuple[np.ndarray, np.ndarray]]:
    """Responses of single units, of which there must be two."""
    if not part.pairs or part.pairs[0][0].shape[1] < 2:
        raise UserError(
            "the correction for sampled units needs the responses of at least 2 units of the recording; "
            "leave out 'neurons' from normalise"
        )
    return part.pairs


def _self_term(kernels, pairs=()) -> float:
    """HSIC of pairs of kernels, averaged; between different units, if responses of the units are given."""
    own = float(np.mean([hsic.song(a, b) for a, b in kernels]))
    if not len(pairs):
        return own
    single = float(np.mean([sampling.unit_terms(a, b) for a, b in pairs]))
    return sampling.between_units(own, single, pairs[0][0].shape[1])
