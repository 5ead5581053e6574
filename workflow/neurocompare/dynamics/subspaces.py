r"""Subspaces of activity: how much they overlap, at which angles, and how many dimensions activity has.

Chance is that of a random subspace of the same dimension: for an n-dimensional space and subspaces of p and q ≤ p
dimensions, the mean of the squared cosines of the q principal angles is p / n on average.
"""

import numpy as np

from neurocompare.description.dimensionality import participation_ratio

RANDOM = 1000
"""Random subspaces that chance is estimated from."""


def basis(directions: np.ndarray, tolerance: float = 1e-10) -> np.ndarray:
    """Make an orthonormal basis of what directions span.

    Parameters
    ----------
    directions : array of shape (n_units, n)
        Directions, one in each column.
    tolerance : float
        Directions that add less than this share of the largest are left out.

    Returns
    -------
    array of shape (n_units, n_dimensions)
        Orthonormal columns.
    """
    u, size, _ = np.linalg.svd(np.asarray(directions, dtype=float), full_matrices=False)
    return u[:, size > tolerance * max(size.max(initial=0.0), 1e-300)]


def leading(responses: np.ndarray, dimensions: int) -> np.ndarray:
    """Return the first principal components of responses.

    Parameters
    ----------
    responses : array of shape (..., n_units)
        Conditions, times, …
    dimensions : int
        How many.

    Returns
    -------
    array of shape (n_units, dimensions)
        Orthonormal columns, by falling variance.
    """
    flat = np.asarray(responses, dtype=float).reshape(-1, np.shape(responses)[-1])
    return np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:dimensions].T


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the principal angles between two subspaces.

    Parameters
    ----------
    first, second : arrays of shape (n_units, p) and (n_units, q)
        Directions that span them.

    Returns
    -------
    array of shape (min(p, q),)
        Degrees, rising; of linearly dependent directions fewer. Small ones are computed from sines (Björck & Golub
        1973, Math Comp 27:579), as cosines lose their digits there.
    """
    a, b = basis(first), basis(second)
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    cosine = np.clip(np.linalg.svd(a.T @ b, compute_uv=False), 0, 1)
    sine = np.clip(np.linalg.svd(b - a @ (a.T @ b), compute_uv=False), 0, 1)[::-1]
    return np.degrees(np.where(cosine**2 > 0.5, np.arcsin(sine), np.arccos(cosine)))


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the overlap of two subspaces, the mean squared cosine of their principal angles.

    Parameters
    ----------
    first, second : arrays of shape (n_units, p) and (n_units, q)
        Directions that span them.

    Returns
    -------
    float
        From 0 (orthogonal) to 1 (one holds the other).
    """
    a, b = basis(first), basis(second)
    return float(((a.T @ b) ** 2).sum() / max(min(a.shape[1], b.shape[1]), 1))


def chance_overlap(n_units: int, p: int, q: int) -> float:
    """Return the expected overlap of random subspaces.

    Parameters
    ----------
    n_units : int
        Dimensions of the space.
    p, q : int
        Dimensions of the subspaces.

    Returns
    -------
    float
        max(p, q) / n_units.
    """
    return max(p, q) / n_units


def random_overlaps(
    second: np.ndarray, p: int, rng: np.random.Generator, *, covariance: np.ndarray | None = None, draws: int = RANDOM
) -> np.ndarray:
    """Draw overlaps of random subspaces with a given one.

    Parameters
    ----------
    second : array of shape (n_units, q)
        Directions that span the given subspace.
    p : int
        Dimensions of the random ones.
    rng : Generator
        The source of randomness.
    covariance : array of shape (n_units, n_units), optional
        Of the activity: random directions are then drawn as the activity varies (Elsayed et al. 2016, Nat Commun
        7:13239), which is a stricter chance wherever activity has few dimensions.
    draws : int
        How many.

    Returns
    -------
    array of shape (draws,)
        Overlaps.
    """
    n = len(second)
    root = np.eye(n)
    if covariance is not None:
        variance, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(variance, 0))
    return np.array([overlap(root @ rng.standard_normal((root.shape[1], p)), second) for _ in range(draws)])


def alignment(responses: np.ndarray, subspace: np.ndarray) -> float:
    """Return the alignment index: variance in a subspace over the most that as many dimensions can hold.

    Parameters
    ----------
    responses : array of shape (..., n_units)
        Activity.
    subspace : array of shape (n_units, p)
        Directions, such as the leading components of other activity.

    Returns
    -------
    float
        From 0 to 1 (Elsayed et al. 2016).
    """
    flat = np.asarray(responses, dtype=float).reshape(-1, np.shape(responses)[-1])
    flat = flat - flat.mean(0)
    directions = basis(subspace)
    most = (np.linalg.svd(flat, compute_uv=False)[: directions.shape[1]] ** 2).sum()
    return float(((flat @ directions) ** 2).sum() / max(most, 1e-300))


def effective_dimensionality(responses: np.ndarray) -> float:
    """Return the participation ratio of activity over conditions and times.

    Parameters
    ----------
    responses : array of shape (..., n_units)
        Activity.

    Returns
    -------
    float
        From 1 to n_units; see `neurocompare.description.dimensionality.participation_ratio`.
    """
    return participation_ratio(np.asarray(responses, dtype=float).reshape(-1, np.shape(responses)[-1]))
