"""Kernels of stimuli and the Hilbert-Schmidt independence criterion (HSIC) between them.

Two estimators: the biased one of Gretton et al. 2005 (ALT, LNCS 3734:63) and the unbiased one of Song et
al. 2012 (JMLR 13:1393, eq. 5), a mean over quadruples of different stimuli. Both need matrices of stimuli
by stimuli only; what looks at single units is in `neurocompare.similarity.sampling`.
"""

import numpy as np

NEARLY_DISTINCT = 1e-3
NEARLY_ALIKE = 0.999
"""Mean RBF similarity of different stimuli, below and above which a kernel holds hardly anything but its bandwidth."""


def linear(gram: np.ndarray) -> np.ndarray:
    """Turn Gram matrices into linear kernels.

    Parameters
    ----------
    gram : array of shape (n_representations, n_stimuli, n_stimuli)
        Inner products over units.

    Returns
    -------
    array of shape (n_representations, n_stimuli, n_stimuli)
        Doubly centred, which loses no generality and keeps digits; zero for a representation that does
        not vary.
    """
    kernel = centred(gram)
    # What is left of a constant representation is rounding error, which would correlate with anything.
    varies = _norm(kernel) > 1e-12 * _norm(gram)
    return np.where(varies[:, None, None], kernel, 0)


def rbf(gram: np.ndarray, bandwidth: float = 1.0) -> np.ndarray:
    """Turn Gram matrices into RBF kernels, exp(−d² / (2 t² median(d²))).

    Parameters
    ----------
    gram : array of shape (n_representations, n_stimuli, n_stimuli)
        Inner products over units.
    bandwidth : float
        t, the bandwidth as a fraction of the root of the median squared distance. The median is over all
        pairs, those of a stimulus with itself included, as in the code of Kornblith et al. 2019.

    Returns
    -------
    array of shape (n_representations, n_stimuli, n_stimuli)
        NaN where the median distance is zero.
    """
    kernel = linear(gram)
    square = np.einsum("kii->ki", kernel)
    distances = np.maximum(square[:, :, None] + square[:, None, :] - 2 * kernel, 0)
    median = np.median(distances, axis=(1, 2), keepdims=True)
    return np.exp(-distances / np.where(median > 0, 2 * bandwidth**2 * median, np.nan))


def mean_similarity(kernel: np.ndarray) -> float:
    """Average a kernel over pairs of different stimuli.

    Parameters
    ----------
    kernel : array of shape (n_stimuli, n_stimuli)
        An RBF kernel.

    Returns
    -------
    float
        Near zero, every stimulus is similar to itself only; near one, all are alike. In both cases nothing
        is left of the representation.
    """
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


def centred(matrices: np.ndarray) -> np.ndarray:
    """Centre matrices over rows and columns, HKH: inner products of the results are biased HSIC.

    Parameters
    ----------
    matrices : array of shape (..., n_stimuli, n_stimuli)
        Kernels.

    Returns
    -------
    array of shape (..., n_stimuli, n_stimuli)
        Centred.
    """
    matrices = matrices - matrices.mean(-2, keepdims=True)
    return matrices - matrices.mean(-1, keepdims=True)


def u_centred(matrices: np.ndarray) -> np.ndarray:
    """U-centre matrices (Székely & Rizzo 2014, Ann. Statist. 42:2382): inner products are Song's HSIC.

    Parameters
    ----------
    matrices : array of shape (..., n_stimuli, n_stimuli)
        Kernels of at least four stimuli; their diagonals do not count.

    Returns
    -------
    array of shape (..., n_stimuli, n_stimuli)
        U-centred, with a zero diagonal.
    """
    n = matrices.shape[-1]
    matrices = matrices.copy()
    diagonal = np.arange(n)
    matrices[..., diagonal, diagonal] = 0
    sums = matrices.sum(-1)
    total = sums.sum(-1)[..., None, None]
    matrices = matrices - (sums[..., :, None] + sums[..., None, :]) / (n - 2) + total / ((n - 1) * (n - 2))
    matrices[..., diagonal, diagonal] = 0
    return matrices


def song(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Estimate HSIC without bias.

    Parameters
    ----------
    a, b : arrays of shape (..., n_stimuli, n_stimuli)
        Kernels of at least four stimuli.

    Returns
    -------
    array of shape (...)
        The mean over ordered quadruples (i, j, q, r) of different stimuli of
        aᵢⱼ (bᵢⱼ + b_qr − 2 b_iq); signed.
    """
    n = a.shape[-1]
    return np.einsum("...ij,...ij->...", u_centred(a), u_centred(b)) / (n * (n - 3))


def weighted(a: np.ndarray, b: np.ndarray, weights: np.ndarray, estimator: str) -> np.ndarray:
    """Estimate HSIC in resamples of the stimuli.

    In a resample the quadruples of different *original* stimuli count, as often as they were drawn: copies
    of a stimulus would otherwise enter as perfectly similar pairs.

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
        share = over(weights, weights.sum(1, keepdims=True))
        return _products(a, b, share) - 2 * _paths(a, b, share) + _total(a, share) * _total(b, share)
    a, b = (m - np.diag(np.diag(m)) for m in (a, b))
    product, square, cube = a * b, weights**2, weights**3
    n1, n2 = weights.sum(1), square.sum(1)
    a_one, a_two, b_one, b_two = weights @ a, square @ a, weights @ b, square @ b
    # One weight for all three terms of the estimator, or it would depend on the origin of the kernels.
    # Sums over different stimuli are those over all, less those with some in common; p21 is Σ wᵢ²wⱼ aᵢⱼbᵢⱼ.
    along, along_square = weights @ product, square @ product
    p11, p21, p31, p22 = _dot(along, weights), _dot(along, square), _dot(along, cube), _dot(along_square, square)
    pairs = (n1**2 - n2) * p11 - 4 * n1 * p21 + 4 * p31 + 2 * p22
    triples = _dot(weights, (n1[:, None] - weights) * a_one * b_one - a_two * b_one - a_one * b_two)
    triples -= n1 * p21 - p22 - 2 * p31
    quadruples = _dot(a_one, weights) * _dot(b_one, weights) - 4 * _dot(square, a_one * b_one) + 2 * p22
    return over(pairs - 2 * triples + quadruples, quadruples_in(weights))


def quadruples_in(weights: np.ndarray) -> np.ndarray:
    """Count the ordered quadruples of different original stimuli in resamples.

    Parameters
    ----------
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.

    Returns
    -------
    array of shape (n_samples,)
        n(n − 1)(n − 2)(n − 3) where all weights are one.
    """
    n1, n2, n3, n4 = (np.sum(weights**k, axis=1) for k in (1, 2, 3, 4))
    return n1**4 - 6 * n1**2 * n2 + 3 * n2**2 + 8 * n1 * n3 - 6 * n4


def over(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide.

    Parameters
    ----------
    numerator, denominator : arrays
        Of shapes that go together.

    Returns
    -------
    array
        NaN where the denominator is not positive.
    """
    return numerator / np.where(denominator > 0, denominator, np.nan)


def _dot(x, y):
    return np.einsum("si,si->s", x, y)


def _norm(matrices):
    return np.sqrt(np.einsum("kij,kij->k", matrices, matrices))


def _products(a, b, weights):
    """Σ wᵢwⱼ aᵢⱼbᵢⱼ for each resample."""
    return _dot(weights @ (a * b), weights)


def _paths(a, b, weights):
    """Σ wᵢwⱼw_q aᵢⱼb_iq for each resample."""
    return _dot((weights @ a) * (weights @ b), weights)


def _total(a, weights):
    return _dot(weights @ a, weights)
