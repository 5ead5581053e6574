"""Alignment of two representations by a rotation or reflection: what the shape measures share.

Distances that are minimised over rotations depend on a representation through its Gram matrix alone, so
any *coordinates* of the stimuli with that Gram matrix will do. They have as many columns as there are
units or stimuli, whichever are fewer, and a pair of representations costs no more with a million units.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity.arrays import Grams

CONSTANT = 1e-12
"""Variance, relative to the mean square of the responses, that may be nothing but rounding error."""

_RANK = 1e-6
"""Directions with a smaller share of the largest standard deviation count as absent when they are scaled up."""

_SEED = 20240917


def coordinates(grams: Grams) -> list[np.ndarray]:
    """Find few coordinates of the stimuli whose Gram matrix is the centred one of the representation.

    Parameters
    ----------
    grams : Grams
        The representations.

    Returns
    -------
    list of arrays of shape (n_stimuli, n_coordinates)
        The centred responses themselves where there are fewer units than stimuli, or else principal
        coordinates; without any column for a representation that does not vary.
    """
    found = []
    for k, gram in enumerate(grams.gram):
        size = np.trace(gram)
        if grams.units is not None and grams.n_units[k] < len(gram):
            centred = grams.units[k] - grams.units[k].mean(0)
        else:
            kernel = gram - gram.mean(0)
            values, vectors = np.linalg.eigh(kernel - kernel.mean(1, keepdims=True))
            # Centring leaves rounding errors of the size of the whole matrix.
            kept = values > len(gram) * np.finfo(float).eps * size
            centred = vectors[:, kept] * np.sqrt(values[kept])
        varies = np.sum(centred**2) > CONSTANT * size
        found.append(centred if varies else centred[:, :0])
    return found


def distance(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the distance of two configurations of stimuli after the best rotation or reflection.

    The square is ‖X‖² + ‖Y‖² − 2‖XᵀY‖₊, the last being the sum of singular values (Williams et al. 2021,
    NeurIPS, arXiv:2110.14739); missing columns count as zeros.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_x)
        Coordinates.
    y : array of shape (n_stimuli, n_y)
        Others.

    Returns
    -------
    float
        min ‖X − YQ‖ over matrices Q with orthonormal rows or columns; NaN if one has no column.
    """
    if 0 in (x.shape[1], y.shape[1]):
        return np.nan
    size, product = np.sum(x**2) + np.sum(y**2), x.T @ y
    square = size - 2 * np.linalg.svd(product, compute_uv=False).sum()
    if square > 1e-4 * size:
        return float(np.sqrt(square))
    # The difference of nearly equal numbers has lost its digits; the differences of coordinates have not.
    rotation = polar(product)
    return float(np.linalg.norm(x - y @ rotation.T if len(rotation) >= len(rotation.T) else x @ rotation - y))


def angle(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the angle between two configurations of stimuli after the best rotation or reflection.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_x)
        Coordinates.
    y : array of shape (n_stimuli, n_y)
        Others.

    Returns
    -------
    float
        arccos(‖XᵀY‖₊ / (‖X‖‖Y‖)), in radians; NaN if one has no column.
    """
    return chord_to_angle(distance(_unit(x), _unit(y)))


def chord_to_angle(chord: float) -> float:
    """Turn the distance of two points of the unit sphere into the angle between them.

    Parameters
    ----------
    chord : float
        0 … 2.

    Returns
    -------
    float
        In radians, with all digits of a small chord.
    """
    return float(2 * np.arcsin(min(chord / 2, 1.0))) if np.isfinite(chord) else np.nan


def polar(matrix: np.ndarray) -> np.ndarray:
    """Find the nearest matrices with orthonormal rows or columns.

    Parameters
    ----------
    matrix : array of shape (..., n, m)
        Any matrices.

    Returns
    -------
    array of shape (..., n, m)
        UVᵀ of their singular value decompositions.
    """
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right


def whitened(x: np.ndarray, alpha: float) -> np.ndarray:
    """Whiten partially: scale singular values s, relative to their root mean square, to αs + 1 − α.

    Williams et al. 2021 (arXiv:2110.14739, section 2.4) multiply by αI + (1 − α)(XᵀX)^(−1/2). Where
    0 < α < 1 that depends on the unit of the responses; it is the same if X is first scaled so that the
    root mean square of its singular values is one, as it is here. Variance that a whitening should
    preserve, as in the authors' code, only scales the result, to which angles are blind.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_coordinates)
        Coordinates.
    alpha : float
        1 leaves them as they are, up to scale and a rotation; 0 whitens them.

    Returns
    -------
    array of shape (n_stimuli, rank)
        Principal coordinates, partially whitened.
    """
    left, singular, _, scales = _principal(x, alpha)
    return left * (singular * scales)


class Fold(NamedTuple):
    """One fold of a representation, in the principal axes of the training stimuli.

    Attributes
    ----------
    train : array of shape (n_train, rank)
        Training stimuli, centred and partially whitened, of unit mean square distance from their mean.
    test : array of shape (n_test, rank)
        Test stimuli, less the mean of the training stimuli, with the same whitening and scale.
    outside : float
        Sum of squares of the test stimuli in directions that no training stimulus has.
    """

    train: np.ndarray
    test: np.ndarray
    outside: float


def folds(x: np.ndarray, number: int, alpha: float = 1.0) -> list[Fold]:
    """Divide the stimuli into folds and fit to the training stimuli what does not need the other representation.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_coordinates)
        Coordinates.
    number : int
        How many folds; stimuli are assigned at random, in the same way whatever the representation.
    alpha : float
        See `whitened`. A direction without variance in training is scaled by α.

    Returns
    -------
    list of Fold
        The folds; empty where the training stimuli of one do not vary.
    """
    order = np.random.default_rng([_SEED, len(x), number]).permutation(len(x))
    divided = []
    for test in np.array_split(order, number):
        train = np.delete(x, test, axis=0)
        left, singular, right, scales = _principal(train - train.mean(0), alpha)
        if not len(singular):
            return []
        scaled = singular * scales
        size = np.linalg.norm(scaled) / np.sqrt(len(train))
        centred = x[test] - train.mean(0)
        along = centred @ right.T
        outside = max(np.sum(centred**2) - np.sum(along**2), 0) * (alpha / size) ** 2
        divided.append(Fold(left * (scaled / size), along * (scales / size), outside))
    return divided


def held_out_angle(x: list[Fold], y: list[Fold]) -> float:
    """Compute the angle between test stimuli, aligned as is best for the training stimuli.

    Inner products and squares are summed over folds before one angle is taken.

    Parameters
    ----------
    x, y : list of Fold
        Folds of two representations of the same stimuli.

    Returns
    -------
    float
        In radians, 0 … π; NaN if a representation does not vary.
    """
    if not x or not y:
        return np.nan
    inner = sum(np.sum((a.test @ polar(a.train.T @ b.train)) * b.test) for a, b in zip(x, y, strict=True))
    squares = [sum(np.sum(fold.test**2) + fold.outside for fold in side) for side in (x, y)]
    size = np.sqrt(squares[0] * squares[1])
    return float(np.arccos(np.clip(inner / size, -1, 1))) if size > 0 else np.nan


def number_of_folds(options: dict[str, str]) -> int | None:
    """Read the option ``folds``.

    Parameters
    ----------
    options : dict
        Options of an id.

    Returns
    -------
    int or None
        None without the option.

    Raises
    ------
    UserError
        If it is not a number from 2 on.
    """
    text = options.get("folds")
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 2:
        raise UserError(f"folds={text}: give the number of folds, 2 or more")
    return int(text)


def fraction(options: dict[str, str], name: str, high: float) -> float:
    """Read an option that is a number from zero to a limit.

    Parameters
    ----------
    options : dict
        Options of an id.
    name : str
        The option.
    high : float
        The limit.

    Returns
    -------
    float
        The number.

    Raises
    ------
    UserError
        If it is anything else.
    """
    try:
        value = float(options[name])
    except ValueError:
        value = np.nan
    if not 0 <= value <= high:
        raise UserError(f"{name}={options[name]}: give a number from 0 to {high:g}")
    return value


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x) if x.size else x


def _principal(x, alpha):
    """Singular vectors and values that are not rounding error, and the factors that whiten them partially."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    kept = singular > _RANK * singular.max(initial=0)
    left, singular, right = left[:, kept], singular[kept], right[kept]
    size = np.sqrt(np.mean(singular**2)) if len(singular) else 1.0
    return left, singular, right, alpha + (1 - alpha) * size / singular
