"""Centred kernel alignment (CKA): comparing kernels of stimuli.

Kornblith et al. 2019 (ICML, arXiv:1905.00414). HSIC is estimated without bias after Song et al. 2012
(JMLR 13:1393, eq. 5) by default: with few stimuli and many units the biased estimator of two unrelated
representations is close to one (Murphy, Zylberberg & Fyshe 2024, arXiv:2405.01012). Scores are signed
and never clamped.

``normalise=cross-half`` takes the self-term of a noisy recording between two halves of its trials,
where independent noise has no share: trial noise then no longer lowers the score, on average.
"""

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import evaluation
from neurocompare.similarity.arrays import Grams, declaration, require_stimuli

MINIMUM_STIMULI = 5


def _metadata(summary: str, low: float, high: float = 1.0, repeats: bool = False) -> dict:
    return declaration(
        summary,
        low=low,
        high=high,
        symmetric=not repeats,
        invariances="isotropic scale, permutation, orthogonal, translation",
        minimum_stimuli=MINIMUM_STIMULI,
        repeats=repeats,
    )


MEASURES = {
    "cka-kernel=linear-hsic=song": _metadata("linear CKA with unbiased HSIC", -1.0),
    "cka-kernel=linear-hsic=biased": _metadata("linear CKA with biased HSIC (inflated by few stimuli)", 0.0),
    "cka-kernel=rbf-hsic=song": _metadata(
        "CKA with unbiased HSIC and an RBF kernel whose squared bandwidth is the median squared distance", -1.0
    ),
    "cka-kernel=linear-hsic=song-normalise=cross-half": _metadata(
        "linear CKA with unbiased HSIC; the recording's self-term is taken between halves of its trials",
        -np.inf,
        np.inf,
        repeats=True,
    ),
}


def score(x: np.ndarray, y: np.ndarray, options: dict[str, str]) -> float:
    """Compute the CKA of two representations.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units_x)
        One representation.
    y : array of shape (n_stimuli, n_units_y)
        The other.
    options : dict
        ``kernel`` and ``hsic``.

    Returns
    -------
    float
        The score; NaN where a representation does not vary, or an unbiased self-term is not positive.

    Raises
    ------
    UserError
        If there are too few stimuli, or the measure needs trials, which plain arrays do not have.
    """
    if "normalise" in options:
        raise UserError("cross-half normalisation needs single trials: use a recording with repeats, in a study")
    require_stimuli(len(x), MINIMUM_STIMULI, "CKA")
    a, b = (embed(kernels(Grams.of(z[None]), options["kernel"]), options["hsic"])[0] for z in (x, y))
    return float(np.sum(a * b))


def kernels(grams: Grams, kernel: str) -> np.ndarray:
    """Return kernel matrices of representations.

    Parameters
    ----------
    grams : Grams
        The representations.
    kernel : {"linear", "rbf"}
        ``rbf``: exp(−d² / (2 median(d²))), the median over all pairs, those of a stimulus with itself
        included as in the authors' code.

    Returns
    -------
    array of shape (n_representations, n_stimuli, n_stimuli)
        Doubly centred for the linear kernel, which loses no generality and keeps digits; zero for a
        representation that does not vary. NaN for the RBF kernel if the median distance is zero.
    """
    centred = _centred(grams.gram)
    # What is left of a constant representation is rounding error, which would correlate with anything.
    varies = _norm(centred) > 1e-12 * _norm(grams.gram)
    centred = np.where(varies[:, None, None], centred, 0)
    if kernel == "linear":
        return centred
    square = np.einsum("kii->ki", centred)
    distances = np.maximum(square[:, :, None] + square[:, None, :] - 2 * centred, 0)
    median = np.median(distances, axis=(1, 2), keepdims=True)
    return np.exp(-distances / np.where(median > 0, 2 * median, np.nan))


def embed(matrices: np.ndarray, hsic: str, halves: np.ndarray | None = None) -> np.ndarray:
    """Map kernel matrices to vectors whose inner product is the score.

    The map commutes with permutations of the stimuli.

    Parameters
    ----------
    matrices : array of shape (n_kernels, n_stimuli, n_stimuli)
        Kernel matrices.
    hsic : {"song", "biased"}
        The estimator.
    halves : array of shape (n_splits, 2, n_kernels, n_stimuli, n_stimuli), optional
        Kernels from halves of the trials, between which the self-term is taken.

    Returns
    -------
    array of shape (n_kernels, n_stimuli, n_stimuli)
        Of unit self-term; NaN where the self-term is not positive.
    """
    centre = _u_centred if hsic == "song" else _centred
    centred = centre(matrices)
    if halves is None:
        self_term = np.einsum("kij,kij->k", centred, centred)
    else:
        self_term = np.mean([np.einsum("kij,kij->k", centre(a), centre(b)) for a, b in halves], axis=0)
    floor = 1e-20 * np.einsum("kij,kij->k", matrices, matrices)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(self_term > floor, 1, np.nan)[:, None, None] * centred / np.sqrt(self_term)[:, None, None]


def hsic_weighted(a: np.ndarray, b: np.ndarray, weights: np.ndarray, estimator: str) -> np.ndarray:
    """Estimate HSIC in resamples of the stimuli.

    The unbiased estimator is a mean over quadruples of different stimuli (Song et al. 2012). In a
    resample the quadruples of different *original* stimuli count, as often as they were drawn: copies of
    a stimulus would otherwise enter as perfectly similar pairs.

    Parameters
    ----------
    a : array of shape (n_stimuli, n_stimuli)
        A kernel matrix.
    b : array of shape (n_stimuli, n_stimuli)
        Another.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.
    estimator : {"song", "biased"}
        The estimator.

    Returns
    -------
    array of shape (n_samples,)
        HSIC; for all weights one and up to a constant factor, the usual estimate. NaN where a resample
        holds fewer than four different stimuli (``song``) or none.
    """
    if estimator == "biased":
        share = _over(weights, weights.sum(1, keepdims=True))
        return _products(a, b, share) - 2 * _paths(a, b, share) + _total(a, share) * _total(b, share)
    a, b = (m - np.diag(np.diag(m)) for m in (a, b))
    product, square, cube = a * b, weights**2, weights**3
    n1, n2, n3, n4 = (np.sum(weights**k, axis=1) for k in (1, 2, 3, 4))
    a_one, a_two, b_one, b_two = weights @ a, square @ a, weights @ b, square @ b
    # One weight for all three terms of the estimator, or it would depend on the origin of the kernels.
    # Sums over different stimuli are those over all, less those with some in common; p21 is Σ wᵢ²wⱼ aᵢⱼbᵢⱼ.
    along, along_square = weights @ product, square @ product
    p11, p21, p31, p22 = _dot(along, weights), _dot(along, square), _dot(along, cube), _dot(along_square, square)
    pairs = (n1**2 - n2) * p11 - 4 * n1 * p21 + 4 * p31 + 2 * p22
    triples = _dot(weights, (n1[:, None] - weights) * a_one * b_one - a_two * b_one - a_one * b_two)
    triples -= n1 * p21 - p22 - 2 * p31
    quadruples = _dot(a_one, weights) * _dot(b_one, weights) - 4 * _dot(square, a_one * b_one) + 2 * p22
    number = n1**4 - 6 * n1**2 * n2 + 3 * n2**2 + 8 * n1 * n3 - 6 * n4
    return _over(pairs - 2 * triples + quadruples, number)


def weighted(kernel, others, weights, hsic: str, halves=None) -> np.ndarray:
    """Compute CKA in resamples of the stimuli.

    Parameters
    ----------
    kernel : array of shape (n_kernels, n_stimuli, n_stimuli)
        Kernels of the target.
    others : array of shape (n_others, n_stimuli, n_stimuli)
        Kernels of the candidates.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.
    hsic : {"song", "biased"}
        The estimator.
    halves : array of shape (n_splits, 2, n_kernels, n_stimuli, n_stimuli), optional
        As in `embed`.

    Returns
    -------
    array of shape (n_samples, n_kernels, n_others)
        Scores; NaN where a self-term is not positive.
    """
    if halves is None:
        own = [_self_term(k, weights, hsic) for k in kernel]
    else:
        own = [
            np.mean([hsic_weighted(a[t], b[t], weights, hsic) for a, b in halves], axis=0) for t in range(len(kernel))
        ]
        own = [np.where(term > 0, term, np.nan) for term in own]
    scores = np.empty((len(weights), len(kernel), len(others)))
    for k, other in enumerate(others):
        self_term = _self_term(other, weights, hsic)
        for t, target in enumerate(kernel):
            scores[:, t, k] = hsic_weighted(target, other, weights, hsic) / np.sqrt(own[t] * self_term)
    return scores


def evaluate(target, candidates, options, plan):
    """Score all candidates against a target, with ceilings, null and resamples.

    Parameters
    ----------
    target : evaluation.Target
        A region of a recording, with responses.
    candidates : Grams
        The layers.
    options : dict
        ``kernel``, ``hsic`` and perhaps ``normalise``.
    plan : resampling.Plan
        Resamples and permutations of the stimuli.

    Returns
    -------
    evaluation.Evaluation
        Scores with all that belongs to them.
    """
    hsic = options["hsic"]
    return evaluation.evaluate(
        target,
        candidates,
        plan,
        matrices=lambda grams: kernels(grams, options["kernel"]),
        embed=lambda matrices, halves=None: embed(matrices, hsic, halves),
        weighted=lambda matrices, others, weights, halves=None: weighted(matrices, others, weights, hsic, halves),
        cross_half="normalise" in options,
    )


def _self_term(kernel, weights, hsic):
    """HSIC of a kernel with itself; NaN where it is not positive or only rounding error."""
    term = hsic_weighted(kernel, kernel, weights, hsic)
    square = _over(_products(kernel, kernel, weights), weights.sum(1) ** 2)
    return np.where(term > 1e-13 * square, term, np.nan)


def _dot(x, y):
    return np.einsum("si,si->s", x, y)


def _over(numerator, denominator):
    """Divide; NaN where there is nothing to divide by."""
    return numerator / np.where(denominator > 0, denominator, np.nan)


def _norm(matrices):
    return np.sqrt(np.einsum("kij,kij->k", matrices, matrices))


def _centred(matrices):
    """HKH."""
    matrices = matrices - matrices.mean(1, keepdims=True)
    return matrices - matrices.mean(2, keepdims=True)


def _u_centred(matrices):
    """U-centring (Székely & Rizzo 2014, Ann. Statist. 42:2382): its inner products are Song's HSIC."""
    n = matrices.shape[1]
    matrices = matrices.copy()
    diagonal = np.arange(n)
    matrices[:, diagonal, diagonal] = 0
    sums = matrices.sum(1)
    total = sums.sum(1)[:, None, None]
    matrices = matrices - (sums[:, :, None] + sums[:, None, :]) / (n - 2) + total / ((n - 1) * (n - 2))
    matrices[:, diagonal, diagonal] = 0
    return matrices


def _products(a, b, weights):
    """Σ wᵢwⱼ aᵢⱼbᵢⱼ for each resample."""
    return _dot(weights @ (a * b), weights)


def _paths(a, b, weights):
    """Σ wᵢwⱼw_q aᵢⱼb_iq for each resample."""
    return _dot((weights @ a) * (weights @ b), weights)


def _total(a, weights):
    return _dot(weights @ a, weights)
