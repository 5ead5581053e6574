"""Canonical correlations: what the CCA family shares.

Between two centred representations, canonical correlations are the cosines of the principal angles between
the spaces that their units span among the stimuli (Björck & Golub 1973, Math. Comput. 27:579): the singular
values of QxᵀQy, where Q holds orthonormal bases. Here the basis of a representation is its normalised
principal components, so that truncating and penalising it need nothing else.

As many dimensions in both representations together as there are stimuli always share directions, whatever
they hold: their correlations are one, and the score is void. Well before that it is inflated. For unrelated
representations of kx ≤ ky dimensions the mean squared correlation is ky / (n − 1) on average, just as in a
regression. Held-out stimuli have no such bias.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.errors import UserError

SMALLEST_VARIANCE = 1e-10
"""Principal components with less than this share of the variance of the first are taken for rounding error."""

STIMULI_PER_DIMENSION = 5
"""With fewer stimuli for each dimension the correlations of unrelated representations are large."""

MINIMUM_STIMULI = 3
MINIMUM_IN_FOLD = 3

RECOMMENDED = "5 to 10 stimuli for each retained dimension of both representations together"

_LOST = 1e-3
_ROUNDING = np.finfo(float).eps
_SEED = 19360801


class Components(NamedTuple):
    """Principal components of a representation, by descending variance.

    Attributes
    ----------
    basis : array of shape (n_stimuli, n_components)
        Scores of the stimuli, each component centred and of unit norm.
    variance : array of shape (n_components,)
        Sums of squares of the scores before they were normalised.
    """

    basis: np.ndarray
    variance: np.ndarray


class Penalised(NamedTuple):
    """Principal components as a penalty leaves them.

    Attributes
    ----------
    basis : array of shape (n_stimuli, n_components)
        Components whose norms are `strength`.
    strength : array of shape (n_components,)
        √(variance / (variance + penalty)), descending; one without a penalty.
    """

    basis: np.ndarray
    strength: np.ndarray

    @property
    def dimensions(self) -> float:
        """Effective number of dimensions, as in ridge regression."""
        return float((self.strength**2).sum())


class Fold(NamedTuple):
    """A representation as one fold sees it.

    Attributes
    ----------
    train : Penalised
        Components of the training stimuli.
    test : array of shape (n_held_out, n_components)
        Held-out stimuli on the same axes and in the same units, centred.
    """

    train: Penalised
    test: np.ndarray


class Folded(NamedTuple):
    """A representation in all folds, and its scores on principal components, from which folds can be made again.

    Attributes
    ----------
    scores : array of shape (n_stimuli, n_components)
        All that is in the representation, in as few columns as possible.
    folds : list of Fold
        One for each fold.
    """

    scores: np.ndarray
    folds: list[Fold]


def principal(gram: np.ndarray, units: np.ndarray | None = None) -> Components:
    """Find the principal components of a representation from its Gram matrix.

    Parameters
    ----------
    gram : array of shape (n_stimuli, n_stimuli)
        Inner products over units, not centred.
    units : array of shape (n_stimuli, n_units), optional
        The representation itself. It is decomposed instead where it has fewer units than stimuli, or large
        offsets of the units take digits of the Gram matrix.

    Returns
    -------
    Components
        Those with at least `SMALLEST_VARIANCE` of the variance of the first, and more than the rounding error
        of the values; none for a representation that does not vary.
    """
    size, centred = np.trace(gram), _centred(gram)
    if units is not None and (units.shape[1] < len(units) or np.trace(centred) < _LOST * size):
        return principal_of_units(units)
    variance, vectors = np.linalg.eigh(centred)
    return _varying(vectors[:, ::-1], variance[::-1], len(gram) * _ROUNDING * size)


def principal_of_units(units: np.ndarray) -> Components:
    """Find the principal components of a representation, to all digits if it has fewer units than stimuli.

    Parameters
    ----------
    units : array of shape (n_stimuli, n_units)
        The representation.

    Returns
    -------
    Components
        As `principal`.
    """
    n, p = units.shape
    centred = units - units.mean(0)
    rounding = (n * _ROUNDING) ** 2 * np.sum(units**2)
    if p < n:
        vectors, singular, _ = np.linalg.svd(centred, full_matrices=False)
        return _varying(vectors, singular**2, rounding)
    variance, vectors = np.linalg.eigh(centred @ centred.T)
    return _varying(vectors[:, ::-1], variance[::-1], n * _ROUNDING * np.sum(centred**2) + rounding)


def truncated(x: Components, *, fraction: float = 1.0, at_most: int | None = None) -> Components:
    """Keep the first principal components.

    Parameters
    ----------
    x : Components
        Principal components.
    fraction : float
        As few components are kept as have this fraction of the whole variance, between zero and one.
    at_most : int, optional
        The largest number to keep.

    Returns
    -------
    Components
        Those that are kept.
    """
    if not len(x.variance):
        return x
    explained = np.cumsum(x.variance) / x.variance.sum()
    # The last sum may fall short of one by rounding.
    kept = min(1 + np.searchsorted(explained, fraction * (1 - 1e-12)), at_most or len(explained))
    return Components(x.basis[:, :kept], x.variance[:kept])


def penalised(x: Components, ridge: float = 0.0) -> Penalised:
    """Penalise components of small variance.

    Parameters
    ----------
    x : Components
        Principal components.
    ridge : float
        The penalty, in units of the variance of the first component.

    Returns
    -------
    Penalised
        Directions are then found under ‖Xa‖² + penalty ‖a‖² = 1 (Vinod 1976, J. Econometrics 4:147).
    """
    strength = np.sqrt(x.variance / (x.variance + ridge * x.variance[:1]))
    return Penalised(x.basis * strength, strength)


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute canonical correlations.

    Parameters
    ----------
    x, y : arrays of shape (n_stimuli, n_dimensions)
        Bases, orthonormal or penalised.

    Returns
    -------
    array of shape (min(n_dimensions_x, n_dimensions_y),)
        Descending, between zero and one.
    """
    return np.minimum(np.linalg.svd(x.T @ y, compute_uv=False), 1)


def mean_correlation(x: Penalised, y: Penalised) -> float:
    """Average canonical correlations.

    Parameters
    ----------
    x, y : Penalised
        The representations.

    Returns
    -------
    float
        The sum of the (penalised) correlations over the greatest that it can be, Σ strength_x strength_y, for
        components of these variances (von Neumann's trace inequality); without a penalty, their mean. NaN if
        a representation does not vary.
    """
    kept = min(len(x.strength), len(y.strength))
    if not kept:
        return np.nan
    greatest = x.strength[:kept] @ y.strength[:kept]
    return float(min(correlations(x.basis, y.basis).sum() / greatest, 1.0))


def mean_square(x: Penalised, y: Penalised) -> float:
    """Average squared canonical correlations.

    Parameters
    ----------
    x, y : Penalised
        The representations, without a penalty.

    Returns
    -------
    float
        ‖QxᵀQy‖² over the smaller number of dimensions; NaN if a representation does not vary.
    """
    kept = min(len(x.strength), len(y.strength))
    return float(min(np.sum((x.basis.T @ y.basis) ** 2) / kept, 1.0)) if kept else np.nan


def fold_labels(n_stimuli: int, folds: int) -> np.ndarray:
    """Assign stimuli to folds, the same for all representations of so many stimuli.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli.
    folds : int
        Number of folds.

    Returns
    -------
    array of int of shape (n_stimuli,)
        Labels 0 … folds − 1, in random order; sizes differ by one at most.
    """
    return np.random.default_rng([_SEED, n_stimuli, folds]).permutation(np.arange(n_stimuli) % folds)


def held_out_correlation(x: Folded, y: Folded) -> float:
    """Average the correlations of held-out stimuli on the canonical directions of the others.

    Parameters
    ----------
    x, y : Folded
        The representations.

    Returns
    -------
    float
        The mean over folds of the mean over directions; with a penalty, directions count by what it leaves of
        their norms in training. NaN if a representation does not vary in a fold. For shuffled stimuli the mean is
        zero, as all orders of held-out stimuli are as likely.
    """
    scores = []
    for fold, other in zip(x.folds, y.folds, strict=True):
        if not len(fold.train.strength) or not len(other.train.strength):
            return np.nan
        u, _, v = np.linalg.svd(fold.train.basis.T @ other.train.basis, full_matrices=False)
        v = v.T
        a, b = fold.test @ u, other.test @ v
        norms = np.sqrt((a**2).sum(0) * (b**2).sum(0))
        weights = np.linalg.norm(fold.train.strength[:, None] * u, axis=0)
        weights *= np.linalg.norm(other.train.strength[:, None] * v, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            held_out = (a * b).sum(0) / np.where(norms > 0, norms, np.nan)
        scores.append(weights @ held_out / weights.sum())
    return float(np.mean(scores))


def refuse_void(name: str, n: int, kx: float, ky: float, what: str = "stimuli") -> None:
    """Refuse representations that would correlate perfectly whatever they hold.

    Parameters
    ----------
    name : str
        The measure.
    n : int
        Number of stimuli.
    kx, ky : float
        Dimensions of the representations; effective ones under a penalty.
    what : str
        What the message calls the stimuli.

    Raises
    ------
    UserError
        If there are no more stimuli than dimensions.
    """
    if kx and ky and n <= kx + ky:
        raise UserError(
            f"{name} is void for {kx:.4g} + {ky:.4g} dimensions and {n} {what}: it needs more stimuli than dimensions; "
            "use svcca with fewer components, cca-mean-ridge=0.1-folds=5, or cka-kernel=linear-hsic=song"
        )


def _centred(gram: np.ndarray) -> np.ndarray:
    """HKH."""
    centred = gram - gram.mean(0)
    return centred - centred.mean(1, keepdims=True)


def _varying(vectors: np.ndarray, variance: np.ndarray, rounding: float) -> Components:
    kept = int((variance > max(rounding, SMALLEST_VARIANCE * variance.max(initial=0))).sum())
    return Components(vectors[:, :kept], variance[:kept])
