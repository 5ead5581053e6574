"""Centred kernel alignment (CKA): comparing kernels of stimuli.

Kornblith et al. 2019 (ICML, arXiv:1905.00414). HSIC is estimated without bias after Song et al. 2012
(JMLR 13:1393, eq. 5) by default: with few stimuli and many units the biased estimator of two unrelated
representations is close to one (Murphy, Zylberberg & Fyshe 2024, arXiv:2405.01012). Scores are signed
and never clamped.

A recording is a sample of trials and of units, and both make its self-term too large, the score too low:

* ``normalise=cross-half`` takes the self-term between two halves of the trials, where independent noise
  has no share;
* ``normalise=neurons`` takes it between different units (Chun et al. 2025, arXiv:2502.15104), where what a
  unit has for itself has no share, its noise included;
* ``normalise=cross-half-neurons`` does both, so noise that units share has no share either.

A network, all of whose units are known, is not corrected.
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity import hsic, sampling
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.embedded import Embedded, Kernel, stacked
from neurocompare.similarity.measure import Measure, Reduced, Scores

MINIMUM_STIMULI = 5

MEASURES = (
    "cka-kernel=linear-hsic=song",
    "cka-kernel=linear-hsic=biased",
    "cka-kernel=linear-hsic=song-batch=64",
    "cka-kernel=linear-hsic=song-normalise=cross-half",
    "cka-kernel=linear-hsic=song-normalise=neurons",
    "cka-kernel=linear-hsic=song-normalise=cross-half-neurons",
    "cka-kernel=rbf-hsic=song",
    "cka-kernel=rbf-hsic=biased",
    "cka-kernel=rbf-bandwidth=0.5-hsic=song",
)

_GRAMMAR = "a CKA measure is written cka-kernel=…-hsic=…, perhaps with -bandwidth=…, -batch=… or -normalise=…"

_HSIC = {"song": "unbiased HSIC", "biased": "biased HSIC (inflated by few stimuli)"}

_KERNELS = {"linear": "linear CKA", "rbf": "CKA of an RBF kernel (squared bandwidth: {} median squared distance)"}

_RECOMMENDED = {
    "biased": "many more stimuli than dimensions; read it beside its null_mean",
    "cross-half": "a split-half reliability of 0.3",
    "neurons": "20 units: with 10 the ratio of unbiased terms is about 10 % too high",
    "cross-half-neurons": "20 units and a split-half reliability of 0.3",
}

_NORMALISE = {
    "": "",
    "cross-half": "; the recording's self-term is taken between halves of its trials",
    "neurons": "; the recording's self-term is taken between different units, the network's is not",
    "cross-half-neurons": (
        "; the recording's self-term is taken between different units in halves of its trials, the network's is not"
    ),
}


class CKA(Embedded):
    """Centred kernel alignment.

    Parameters
    ----------
    words : str
        ``cka``.
    options : dict
        ``kernel``, ``hsic`` and perhaps ``bandwidth``, ``batch`` or ``normalise``.

    Attributes
    ----------
    controllable : bool
        Whether the score is an inner product that shuffles of stimuli rearrange, as partial scores need.

    Raises
    ------
    UserError
        If an option is missing or unknown, or goes with others only.
    """

    controllable = True

    def __init__(self, words: str, options: dict[str, str]):
        known = {"kernel", "hsic", "bandwidth", "batch", "normalise"}
        if words != "cka" or not {"kernel", "hsic"} <= set(options) <= known:
            raise UserError(_GRAMMAR)
        self.kernel, self.hsic, normalise = options["kernel"], options["hsic"], options.get("normalise", "")
        for what, name, names in (
            ("kernel", self.kernel, _KERNELS),
            ("estimator of HSIC", self.hsic, _HSIC),
            ("value of normalise", normalise, _NORMALISE),
        ):
            if name not in names:
                raise unknown(what, name, [name for name in names if name])
        plain = (self.kernel, self.hsic) == ("linear", "song")
        if not plain and (normalise or "batch" in options) or (normalise and "batch" in options):
            raise UserError("batch and normalise are there, one at a time, for cka-kernel=linear-hsic=song only")
        self.bandwidth = _bandwidth(options, self.kernel)
        self.cross_half = normalise.startswith("cross-half")
        # Only the off-diagonal of a linear kernel is free of the bias of trial noise.
        self.ceiling = "one" if self.cross_half else "estimate" if plain else "bracket"
        times = "the" if self.bandwidth == 1 else f"{self.bandwidth**2:g} times the"
        self.info = declaration(
            f"{_KERNELS[self.kernel].format(times)} with {_HSIC[self.hsic]}{_NORMALISE[normalise]}",
            low=-np.inf if normalise else 0.0 if self.hsic == "biased" else -1.0,
            high=np.inf if normalise else 1.0,
            # With trials on both sides, both are corrected; of plain arrays the target alone is.
            symmetric=normalise != "neurons",
            invariances="isotropic scale, permutation, orthogonal, translation",
            minimum_stimuli=MINIMUM_STIMULI,
            unbiased=self.hsic == "song",
            repeats=2 if self.cross_half else 0,
            recommended=_RECOMMENDED.get(normalise or self.hsic, ""),
        )

    def matrices(self, grams: Grams) -> np.ndarray:
        """Return kernels; see `Embedded.matrices`."""
        return hsic.linear(grams.gram) if self.kernel == "linear" else hsic.rbf(grams.gram, self.bandwidth)

    def centred(self, matrices: np.ndarray) -> np.ndarray:
        """Centre kernels so that their inner products are HSIC, up to a constant factor.

        Parameters
        ----------
        matrices : array of shape (n, n_stimuli, n_stimuli)
            Kernels.

        Returns
        -------
        array of shape (n, ., .)
            Vectors, in some shape of two axes.
        """
        return hsic.u_centred(matrices) if self.hsic == "song" else hsic.centred(matrices)

    def inner(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Estimate HSIC, up to a constant factor; see `Embedded.inner`."""
        return np.einsum("kij,kij->k", self.centred(a), self.centred(b))

    def embed(self, matrices: np.ndarray, halves: np.ndarray | None = None) -> np.ndarray:
        """See `Embedded.embed`."""
        own = self.inner(matrices, matrices) if halves is None else np.mean([self.inner(*h) for h in halves], axis=0)
        return divided(self.centred(matrices), own, matrices)

    def weighted_inner(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Estimate HSIC in resamples of the stimuli.

        Parameters
        ----------
        a, b : arrays of shape (n_stimuli, n_stimuli)
            Kernels.
        weights : array of shape (n_samples, n_stimuli)
            How often each stimulus is in each resample.

        Returns
        -------
        array of shape (n_samples,)
            As `inner` on the resample, up to a constant factor.
        """
        return hsic.weighted(a, b, weights, self.hsic)

    def weighted(self, targets, candidates, weights, halves: np.ndarray | None = None) -> Scores:
        """See `Embedded.weighted`."""
        parts = [
            [Kernel(matrix, None if own is None else own[:, :, k]) for k, matrix in enumerate(matrices)]
            for matrices, own in ((candidates, None), (targets, halves))
        ]
        return self._weighted(Reduced(parts[0]), Reduced(parts[1]), weights)

    def average(self, rdms: np.ndarray) -> np.ndarray | None:
        """See `Embedded.average`: kernels of unit self-term have the best mean score when they are averaged."""
        return np.mean(self.embed(rdms), axis=0) if self.controllable else None

    def warnings(self, part: Kernel) -> list[str]:
        """Tell whether an RBF kernel holds hardly anything but its bandwidth; see `Measure.warnings`."""
        if self.kernel != "rbf":
            return []
        mean = hsic.mean_similarity(part.matrix)
        return ["rbf_all_distinct"] * (mean < hsic.NEARLY_DISTINCT) + ["rbf_all_alike"] * (mean > hsic.NEARLY_ALIKE)

    def weighted_self_term(self, part: Kernel, weights: np.ndarray, target: bool) -> np.ndarray:
        """Estimate the self-term of a representation in resamples of the stimuli.

        Parameters
        ----------
        part : Kernel
            The representation.
        weights : array of shape (n_samples, n_stimuli)
            How often each stimulus is in each resample.
        target : bool
            Whether it is a target.

        Returns
        -------
        array of shape (n_samples,)
            NaN where it is not positive.
        """
        if part.halves is not None:
            own = np.mean([self.weighted_inner(a, b, weights) for a, b in part.halves], axis=0)
        else:
            own = self.weighted_inner(part.matrix, part.matrix, weights)
        size = hsic.over(np.einsum("si,si->s", weights @ part.matrix**2, weights), weights.sum(1) ** 2)
        return np.where(own > 1e-13 * size, own, np.nan)

    def _weighted(self, x: Reduced, y: Reduced, weights: np.ndarray) -> Scores:
        own = [self.weighted_self_term(part, weights, target=True) for part in y.parts]
        others = [self.weighted_self_term(part, weights, target=False) for part in x.parts]
        scores = np.empty((len(weights), len(y), len(x)))
        for t, target in enumerate(y.parts):
            for k, candidate in enumerate(x.parts):
                product = self.weighted_inner(target.matrix, candidate.matrix, weights)
                scores[:, t, k] = product / np.sqrt(own[t] * others[k])
        return scores


class BatchCKA(CKA):
    """CKA whose HSIC are averaged over batches of stimuli (Nguyen, Raghu & Kornblith 2021, arXiv:2010.15327).

    Parameters
    ----------
    words, options : as for `CKA`
        With ``batch``, the number of stimuli in a batch.

    Raises
    ------
    UserError
        As `CKA`, or if the batch is no number, or too small.
    """

    controllable = False

    def __init__(self, words: str, options: dict[str, str]):
        super().__init__(words, options)
        size = options["batch"]
        if not size.isdecimal() or int(size) < MINIMUM_STIMULI or str(int(size)) != size:
            raise UserError(f"batch={size}: give a number of stimuli, at least {MINIMUM_STIMULI}")
        self.batch = int(size)
        self.info["summary"] += f", averaged over random batches of {size} stimuli ({sampling.EPOCHS} epochs)"

    def centred(self, matrices: np.ndarray) -> np.ndarray:
        """See `CKA.centred`."""
        chosen = sampling.batches(matrices.shape[1], self.batch)
        blocks = np.stack([matrices[:, batch[:, None], batch] for batch in chosen], axis=1)
        return hsic.u_centred(blocks).reshape(*blocks.shape[:2], -1)

    def weighted_inner(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """See `CKA.weighted_inner`; batches count by the quadruples of different stimuli that are left of them."""
        total, number = np.zeros(len(weights)), np.zeros(len(weights))
        for batch in sampling.batches(len(a), self.batch):
            pick, sample = np.ix_(batch, batch), weights[:, batch]
            quadruples = hsic.quadruples_in(sample)
            total += np.where(quadruples > 0, quadruples * hsic.weighted(a[pick], b[pick], sample, "song"), 0)
            number += quadruples
        return hsic.over(total, number)

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> Scores:
        """See `Measure.null`; batches of shuffled stimuli are other batches."""
        others, (matrices, _) = self.embed(*stacked(x.parts)), stacked(y.parts)
        shuffles = [self.embed(matrices[:, order[:, None], order]) for order in permutations]
        scores = [np.einsum("tij,kij->tk", own, others, optimize=True) for own in shuffles]
        return np.array(scores).reshape(-1, len(y), len(x))


def open_measure(words: str, options: dict[str, str]) -> Measure:
    """Make the measure that the options ask for.

    Parameters
    ----------
    words : str
        ``cka``.
    options : dict
        See `CKA`.

    Returns
    -------
    Measure
        The measure.

    Raises
    ------
    UserError
        If an option is missing or unknown, or goes with others only.
    """
    from neurocompare.similarity.population import PopulationCKA

    if "batch" in options:
        return BatchCKA(words, options)
    return (PopulationCKA if options.get("normalise", "").endswith("neurons") else CKA)(words, options)


MEASURE = open_measure


def _bandwidth(options: dict[str, str], kernel: str) -> float:
    """The bandwidth, one way to write each: 1 is what there is without the option."""
    text = options.get("bandwidth", "1")
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if "bandwidth" in options and (kernel != "rbf" or not 0 < value < np.inf or value == 1 or f"{value:g}" != text):
        raise UserError(
            f"bandwidth={text}: an RBF kernel takes a fraction of the median distance such as 0.5 (without it: 1)"
        )
    return value


def divided(vectors: np.ndarray, own: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Divide by the roots of self-terms.

    Parameters
    ----------
    vectors : array of shape (n, ., .)
        Centred kernels.
    own : array of shape (n,)
        Their self-terms.
    matrices : array of shape (n, n_stimuli, n_stimuli)
        The kernels.

    Returns
    -------
    array of shape (n, ., .)
        NaN where the self-term is not positive, or only rounding error of the kernel.
    """
    floor = 1e-20 * np.einsum("kij,kij->k", matrices, matrices)
    return vectors / np.sqrt(np.where(own > floor, own, np.nan))[:, None, None]
