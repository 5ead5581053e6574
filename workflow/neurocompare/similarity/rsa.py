"""Representational similarity analysis: comparing RDMs.

Kriegeskorte, Mur & Bandettini 2008 (Front. Syst. Neurosci. 2:4). How dissimilarities are measured is in
`distances`, how RDMs are compared in `comparators`.
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity import comparators
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.comparators import COMPARATORS, PAIRWISE
from neurocompare.similarity.distances import DISTANCES, NOISELESS, PLAIN, from_grams, require_response
from neurocompare.similarity.embedded import Embedded, stacked
from neurocompare.similarity.measure import Measure, Reduced, Scores
from neurocompare.similarity.noise import KINDS
from neurocompare.similarity.whitening import doubly_centred

MINIMUM_STIMULI = 4

_INVARIANCES = {
    "correlation": "isotropic scale, permutation, offset of a stimulus",
    "cosine": "isotropic scale, permutation, orthogonal",
    "euclidean": "isotropic scale, permutation, orthogonal, translation",
    # Shrinkage to the diagonal keeps the axes of the units.
    "crossnobis": "isotropic scale, permutation, translation",
    "mahalanobis": "isotropic scale, permutation, translation",
    "poisson-kl": "permutation",
    "poisson-kl-cv": "permutation",
}
"""The Euclidean RDM scales with the data, and only cosine-like comparators forgive a factor: all here do."""

_WHITENED = ("crossnobis", "mahalanobis")

_SIGNED = ("crossnobis", "poisson-kl-cv")
"""Cross-validated dissimilarities can be negative."""

_LINEAR = ("cosine", "pearson", "whitened-cosine", "whitened-correlation")
"""Comparators of which the numerator is linear in each RDM, so that noise with mean zero leaves it unbiased."""

MEASURES = (
    *(f"rsa-distance={distance}-compare={comparator}" for distance in PLAIN for comparator in (*COMPARATORS, "tau-a")),
    "rsa-distance=euclidean-compare=bures",
    *(
        f"rsa-distance={distance}-compare={comparator}"
        for distance in ("crossnobis", "crossnobis-noise=none", "mahalanobis", "poisson-kl", "poisson-kl-cv")
        for comparator in ("cosine", "spearman", "whitened-cosine")
    ),
)


class RSA(Embedded):
    """RDMs of one distance, compared in one way.

    Parameters
    ----------
    words : str
        ``rsa``.
    options : dict
        ``distance`` and ``compare``, and for whitened distances ``noise``: ``full`` (default), ``diagonal`` or
        ``none``.

    Raises
    ------
    UserError
        If an option is missing or unknown.
    """

    def __init__(self, words: str, options: dict[str, str]):
        if words != "rsa" or set(options) - {"noise"} != {"distance", "compare"}:
            raise UserError("an RSA measure is written rsa-distance=…-compare=…")
        self.distance, self.comparator = options["distance"], options["compare"]
        comparators_known = COMPARATORS | PAIRWISE
        for what, name, known in (
            ("distance", self.distance, DISTANCES),
            ("comparator", self.comparator, comparators_known),
        ):
            if name not in known:
                raise unknown(what, name, known)
        if "noise" in options and self.distance not in _WHITENED:
            raise UserError(f"distance={self.distance} has no option 'noise'; leave it out")
        self.noise = options.get("noise", "full")
        if self.noise not in KINDS:
            raise unknown("noise", self.noise, KINDS)
        if (self.distance, self.noise) == ("mahalanobis", "none"):
            raise UserError("without noise the Mahalanobis distance is the Euclidean; write distance=euclidean")
        crossed = self.distance == "crossnobis" and self.noise == "none"
        positive = self.distance not in _SIGNED
        if self.comparator == "whitened-cosine":
            # Poisson divergences are no squared distances: products of their kernels can be negative.
            positive &= self.distance != "poisson-kl"
        self.info = declaration(
            f"RSA: {self._distance_in_words()} RDMs compared by the {comparators_known[self.comparator]}",
            low=0.0 if positive and self.comparator in ("cosine", "whitened-cosine", "bures") else -1.0,
            invariances=_INVARIANCES[self.distance] + ", orthogonal" * crossed,
            accepts="responses, rdm",
            minimum_stimuli=MINIMUM_STIMULI,
            # The noise of training trials shows where a stimulus has two of them beside that of the test fold.
            repeats=0 if self.distance not in NOISELESS else 3 if self.distance == "crossnobis" and not crossed else 2,
            units=self.distance.startswith("poisson"),
            unbiased=self.comparator not in ("cosine", "whitened-cosine", "bures"),
        )
        if self.distance in _WHITENED and self.noise == "full":
            self.instead = "noise=diagonal in the id"
        if self.distance in _WHITENED and self.noise != "none":
            # A network is not whitened: halves of the trials, which are, agree more than the truth does.
            self.ceiling = "none"
        if crossed and self.comparator in _LINEAR:
            # Without a noise covariance, which halves of the trials would estimate differently, the RDM of a
            # half has the mean of the whole one.
            self.ceiling = "estimate"
        if self.comparator == "bures":
            self.scheme = "halves"

    def require_response(self, response: str) -> None:
        """See `Measure.require_response`."""
        require_response(self.distance, response)

    def matrices(self, grams: Grams) -> np.ndarray:
        """Return RDMs; see `Embedded.matrices`."""
        return from_grams(grams, self.distance, self.noise)

    def embed(self, matrices: np.ndarray, halves: None = None) -> np.ndarray:
        """See `Embedded.embed`."""
        return comparators.embed(matrices, self.comparator)

    def weighted(self, targets, candidates, weights, halves: None = None) -> np.ndarray:
        """See `Embedded.weighted`."""
        return comparators.weighted(targets, candidates, weights, self.comparator)

    def inner(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """See `Embedded.inner`."""
        return np.einsum("kij,kij->k", self._linear(a), self._linear(b))

    def scores(self, x: Reduced, y: Reduced) -> Scores:
        """See `Measure.scores`."""
        return comparators.scores(stacked(y.parts)[0], stacked(x.parts)[0], self.comparator)

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> Scores:
        """See `Measure.null`."""
        return comparators.null(stacked(y.parts)[0], stacked(x.parts)[0], permutations, self.comparator)

    def draws(self, x: Reduced, y: Reduced, value: Scores, plan) -> Scores:
        """See `Measure.draws`; copies of a stimulus can be left out of pairs of cells, but not of clouds of points."""
        draw = Measure.draws if self.comparator == "bures" else Embedded.draws
        return draw(self, x, y, value, plan)

    def average(self, rdms: np.ndarray) -> np.ndarray:
        """See `Embedded.average`."""
        return comparators.average(rdms, self.comparator)

    def _linear(self, rdms: np.ndarray) -> np.ndarray:
        """What a linear comparator does to an RDM before it is divided by its norm."""
        if self.comparator in ("pearson", "whitened-correlation"):
            n = rdms.shape[1]
            rdms = (rdms - rdms.sum((1, 2), keepdims=True) / (n * (n - 1))) * (1 - np.eye(n))
        return doubly_centred(rdms) if self.comparator.startswith("whitened") else rdms

    def _distance_in_words(self) -> str:
        if self.distance not in _WHITENED or self.noise == "full":
            return f"{self.distance}-distance"
        return f"{self.distance}-distance (noise covariance: {self.noise})"


MEASURE = RSA
