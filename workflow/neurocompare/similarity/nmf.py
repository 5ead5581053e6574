"""Matched parts: non-negative factorisations of two representations, compared over stimuli.

A representation is factorised as X ≈ W H (stimuli × units). A column of W says how strongly each stimulus calls
for one part; it is the one thing of a part that another representation, with other units, can have too.
``match=cosine`` pairs the columns of two representations one to one and averages their cosines;
``match=subspace`` averages the cosines of the principal angles between the spaces that the columns span, which
does not ask that the parts be the same ones. All entries are positive, so unrelated parts have large cosines and
small angles too: a score means nothing without the null of shuffled stimuli.

Both representations get as many parts as bi-cross-validation supports in the target, by the rule of one standard
error (`neurocompare.factorization.choose_rank`): scores of different layers can be compared, and nothing is read
into noise. ``rank=5`` asks for five. Fits are the best of 20 random starts, which two representations share
only if their responses are equal.

Responses must not be negative. Those of a network before its nonlinearity, or relative fluorescence, are refused
unless the id says what to do: ``negative=rectify`` sets to zero, ``negative=shift`` raises a unit's minimum to zero.
"""

import dataclasses
import zlib
from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment

from neurocompare.errors import UserError, unknown
from neurocompare.factorization import (
    GROUPS,
    PARTITIONS,
    POLICIES,
    SEEDS,
    bi_cross_validation,
    choose_rank,
    fit,
    non_negative,
    parts,
    unit_rows,
)
from neurocompare.similarity import ceilings
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.measure import Measure, Reduced

MOST_UNITS = 500
"""Of more units a random sample is factorised."""

LARGEST_RANK = 10
MINIMUM_STIMULI = 2 * GROUPS
STABLE = 0.95
"""Mean matched cosine between starts, below which parts depend on the start."""

SPLITS = 5
"""From how many halves of the trials ceilings are taken."""

_ITERATIONS = 60
"""Of fits in the cross-validation: what more of them find in the training block is hardly seen in the held-out one."""

_SEED = zlib.crc32(b"matched parts")

MEASURES = (
    "nmf-match=cosine",
    "nmf-match=cosine-negative=rectify",
    "nmf-match=subspace-negative=rectify",
    "nmf-rank=5-match=cosine",
)

_MATCHES = {
    "cosine": "mean cosine of non-negative parts, matched one to one",
    "subspace": "mean cosine of the principal angles between the spaces of non-negative parts",
}


class Parts:
    """Factorisations of one representation, made when they are asked for.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Non-negative responses.

    Attributes
    ----------
    x : array of shape (n_stimuli, n_units)
        Of at most `MOST_UNITS` of the units that respond, in an order that does not depend on that in `x`, and
        relative to the largest response.
    void : bool
        Whether the responses do not vary over stimuli, or there are none.
    seed : int
        Seed of the starts: a checksum of the responses.
    """

    def __init__(self, x: np.ndarray):
        x = x[:, x.any(0)]
        # Sums row by row, so that a unit's key does not depend on the place of the unit in the array.
        weights = np.random.default_rng([_SEED, len(x)]).random(len(x))
        order = np.argsort(sum(weight * row for weight, row in zip(weights, x, strict=True)), kind="stable")
        if len(order) > MOST_UNITS:
            order = order[np.sort(np.random.default_rng(_SEED).choice(len(order), MOST_UNITS, replace=False))]
        self.x = np.ascontiguousarray(x[:, order])
        self.void = _flat(self.x)
        if not self.void:
            self.x = self.x / self.x.max()
        # Two representations with the same random numbers over stimuli would begin, and end, too much alike.
        self.seed = zlib.crc32(self.x.round(6).tobytes())
        self._fits: dict[int, list[tuple]] = {}
        self._rank = 0

    @property
    def rank(self) -> int:
        """The number of parts that bi-cross-validation supports, one where there are too few units to ask."""
        if not self._rank:
            n, p = self.x.shape
            self._rank = supported_rank(self.x, min(LARGEST_RANK, n // GROUPS, p * (GROUPS - 1) // GROUPS))
        return self._rank

    def fits(self, rank: int) -> list[tuple[np.ndarray, np.ndarray, float]]:
        """Factorise from 20 random starts.

        Parameters
        ----------
        rank : int
            Number of parts; fewer are made if there are fewer units.

        Returns
        -------
        list of tuple (w, h, error)
            Best first: weights (n_stimuli, rank), patterns (rank, n_units) and the squared error.
        """
        rank = min(rank, self.x.shape[1])
        if rank not in self._fits:
            self._fits[rank] = parts(self.x, rank, seed=self.seed, starts=SEEDS)
        return self._fits[rank]

    def weights(self, rank: int) -> np.ndarray:
        """Return the weights of the best fit.

        Parameters
        ----------
        rank : int
            Number of parts.

        Returns
        -------
        array of shape (n_stimuli, rank)
            The strength of each part in each stimulus.
        """
        return self.fits(rank)[0][0]

    def refitted(self, stimuli: np.ndarray, rank: int) -> np.ndarray | None:
        """Adapt the best fit to some of the stimuli.

        Parameters
        ----------
        stimuli : array of int of shape (n_some,)
            Which stimuli.
        rank : int
            Number of parts.

        Returns
        -------
        array of shape (n_some, rank) or None
            The weights; None if responses to these stimuli do not vary.
        """
        x = self.x[stimuli]
        if _flat(x):
            return None
        w, h, _ = self.fits(rank)[0]
        return fit(x, len(h), start=(w[stimuli], h))[0]

    def stability(self, rank: int) -> float:
        """Compare the parts of different starts.

        Parameters
        ----------
        rank : int
            Number of parts.

        Returns
        -------
        float
            The mean matched cosine over all pairs of starts.
        """
        sides = [prepared(found[0], "cosine") for found in self.fits(rank)]
        return float(np.mean([agreement(a.T @ b, "cosine") for i, a in enumerate(sides) for b in sides[:i]]))

    @property
    def unstable(self) -> bool:
        """Whether, with any number of parts that was asked for, these depend on the start."""
        return any(self.stability(rank) < STABLE for rank in self._fits)


class NMF(Measure):
    """Matched parts of two representations.

    Parameters
    ----------
    words : str
        ``nmf``.
    options : dict
        ``match``, and perhaps ``rank`` and ``negative``.

    Raises
    ------
    UserError
        If an option is missing or unknown.
    """

    permutations = 1000
    resamples = 100
    splits = 0  # The engine's ceilings would choose a number of parts anew for every half: see `evaluate`.
    influence = False

    def __init__(self, words: str, options: dict[str, str]):
        if words != "nmf" or not {"match"} <= set(options) <= {"match", "rank", "negative"}:
            raise UserError("matched parts are written nmf-match=…, perhaps with rank=… and negative=…")
        self.match, self.negative = options["match"], options.get("negative", "refuse")
        for what, name, known in (("match", self.match, _MATCHES), ("policy", self.negative, POLICIES)):
            if name not in known:
                raise unknown(what, name, known)
        rank = options.get("rank", "0")
        if not rank.isdecimal() or ("rank" in options and int(rank) == 0):
            raise UserError(f"rank={rank}: give a number of parts, such as rank=5, or leave it out")
        self.rank = int(rank)
        self._at_hand: Reduced | None = None
        number = f"{self.rank} each" if self.rank else "as many as bi-cross-validation supports in the recording"
        self.info = declaration(
            f"{_MATCHES[self.match]}; {number}, of at most {MOST_UNITS} sampled units{POLICIES[self.negative]}",
            low=0.0,
            symmetric=bool(self.rank),
            invariances="isotropic scale, permutation",
            minimum_stimuli=max(MINIMUM_STIMULI, GROUPS * self.rank),
            units=True,
            recommended="60 stimuli" + (", responses that are not negative" if self.negative == "refuse" else ""),
        )

    def reduce(self, grams: Grams) -> list[Parts]:
        """See `Measure.reduce`; factorises nothing yet.

        Raises
        ------
        UserError
            If there are negative responses and the id does not say what to do, or only inner products are at hand.
        """
        if grams.units is None:
            raise UserError(
                f"{self.name or 'nmf'}: needs the responses of units, and only their inner products are given"
            )
        return [Parts(non_negative(x, self.negative, self.name or "nmf")) for x in grams.units]

    def reduced(self, grams: Grams) -> Reduced:
        """See `Measure.reduced`."""
        if self._at_hand is not None and self._at_hand.grams is grams:
            return self._at_hand
        return super().reduced(grams)

    def pair(self, x: Parts, y: Parts) -> float:
        """See `Measure.pair`."""
        if x.void or y.void:
            return np.nan
        rank = self.rank or y.rank
        a, b = (prepared(part.weights(rank), self.match) for part in (x, y))
        return float(agreement(a.T @ b, self.match))

    def scores_of(self, x: Reduced, y: Reduced, stimuli: np.ndarray) -> np.ndarray:
        """See `Measure.scores_of`; the number of parts stays, and fits start from those to all stimuli."""
        found = np.full((len(y), len(x)), np.nan)
        for t, k, a, b in self._prepared(x, y, lambda part, rank: part.refitted(stimuli, rank)):
            found[t, k] = agreement(a.T @ b, self.match)
        return found

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> np.ndarray:
        """See `Measure.null`; parts of shuffled responses are shuffled parts."""
        found = np.full((len(permutations), len(y), len(x)), np.nan)
        for t, k, a, b in self._prepared(x, y, Parts.weights):
            found[:, t, k] = agreement(a.T @ b[permutations], self.match)
        return found

    def warnings(self, part: Parts) -> list[str]:
        """See `Measure.warnings`."""
        return ["unstable_parts"] if not part.void and part.unstable else []

    def evaluate(self, target, candidates: Grams, plan):
        """See `Measure.evaluate`; halves of the trials get as many parts as all of them."""
        self._at_hand = y = self.reduced(target.grams)
        single = [
            ceilings.NONE if part.void else ceilings.of_trials(self._of_halves(part), y[k : k + 1])
            for k, part in enumerate(y.parts)
        ]
        return dataclasses.replace(super().evaluate(target, candidates, plan), ceilings=single)

    def _prepared(self, x, y, weights) -> Iterator[tuple]:
        """Go through all pairs that have parts: numbers of target and candidate, and the candidate's and target's."""
        sides: dict[tuple[int, int], np.ndarray | None] = {}
        for t, target in enumerate(y.parts):
            for k, candidate in enumerate(x.parts):
                if target.void or candidate.void:
                    continue
                rank = self.rank or target.rank
                for part in (candidate, target):
                    if (id(part), rank) not in sides:
                        w = weights(part, rank)
                        sides[id(part), rank] = None if w is None else prepared(w, self.match)
                a, b = sides[id(candidate), rank], sides[id(target), rank]
                if a is not None and b is not None:
                    yield t, k, a, b

    def _of_halves(self, part: Parts) -> "NMF":
        """The measure for parts of the trials of a target."""
        # The policy has judged the mean of all trials; that of a half may dip below zero by noise alone.
        negative = "rectify" if self.negative == "refuse" else self.negative
        measure = NMF("nmf", {"match": self.match, "rank": str(self.rank or part.rank), "negative": negative})
        measure.splits = SPLITS
        return measure


def supported_rank(x: np.ndarray, largest: int) -> int:
    """Choose a number of parts by bi-cross-validation and the rule of one standard error.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Non-negative responses.
    largest : int
        The largest number to try. Large ones take longest, and are not tried once two more parts than the
        best number have predicted no better.

    Returns
    -------
    int
        The number; one where no more can be tried.
    """
    if largest < 2:
        return 1
    errors = np.empty((PARTITIONS, GROUPS**2, 0))
    for rank in range(1, largest + 1):
        # One partition with each seed, so that all ranks have the same ones.
        more = [
            bi_cross_validation(x, np.array([rank]), seed=_SEED + k, partitions=1, iterations=_ITERATIONS)[0]
            for k in range(PARTITIONS)
        ]
        errors = np.append(errors, more, axis=2)
        if rank - 1 - errors.mean((0, 1)).argmin() >= 2:
            break
    return choose_rank(errors, np.arange(1, errors.shape[2] + 1))


def prepared(weights: np.ndarray, match: str) -> np.ndarray:
    """Bring weights into the form whose inner products are compared.

    Parameters
    ----------
    weights : array of shape (n_stimuli, rank)
        Parts over stimuli.
    match : {"cosine", "subspace"}
        ``cosine``: columns of unit length; ``subspace``: an orthonormal basis of their span.

    Returns
    -------
    array of shape (n_stimuli, n_parts)
        Without parts that no stimulus calls for, or without directions that are already there.
    """
    if match == "cosine":
        length = np.linalg.norm(weights, axis=0)
        return unit_rows(weights[:, length > 1e-9 * length.max()].T).T
    basis, size, _ = np.linalg.svd(unit_rows(weights.T).T, full_matrices=False)
    return basis[:, size > 1e-9 * size[0]]


def agreement(products: np.ndarray, match: str) -> np.ndarray:
    """Score two sets of parts from their inner products.

    Parameters
    ----------
    products : array of shape (..., n_parts_x, n_parts_y)
        Inner products of what `prepared` gives.
    match : {"cosine", "subspace"}
        ``cosine``: the best one-to-one matching; ``subspace``: cosines of principal angles (the singular values).

    Returns
    -------
    array of shape (...)
        The sum over pairs, divided by the larger number of parts: a part without a counterpart earns nothing.
    """
    larger = max(products.shape[-2:])
    if match == "subspace":
        return np.linalg.svd(products, compute_uv=False).sum(-1) / larger
    flat = products.reshape(-1, *products.shape[-2:])
    sums = [cosine[linear_sum_assignment(cosine, maximize=True)].sum() for cosine in flat]
    return np.reshape(sums, products.shape[:-2]) / larger


def _flat(x: np.ndarray) -> bool:
    """Whether responses do not vary over stimuli, but for rounding errors."""
    return not np.linalg.norm(x - x.mean(0)) > 1e-12 * np.linalg.norm(x)


MEASURE = NMF
