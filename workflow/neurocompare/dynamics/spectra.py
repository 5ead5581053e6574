"""Distances between spectra of linearised maps.

The eigenvalues of a Jacobian are a cloud of points in the complex plane, each with the same mass. Two clouds are as far
apart as the mean distance over which the mass of one has to be moved to become the other (Wasserstein-1 distance, with
the least such transport). It does not depend on units of the state, or on any choice of coordinates, and is 0 only for
equal spectra.

Networks of unequal sizes: the eigenvalues of each are repeated up to the least common multiple of both numbers, which
is the same problem. Networks whose dynamics fill a part of their space only have many eigenvalues in one place (of
leaky units, 1 − α); the slow modes, which tell computations apart, are compared by giving only the leading eigenvalues.

Points of two networks are matched by what they are — fixed or slow, and their number of unstable dimensions — as many
as can be, and among alike ones so that the sum of the distances is least.

Dynamical similarity analysis (Ostrow et al. 2023, NeurIPS) compares linear maps fitted to trajectories. Its library,
dsa-metric 2.0.2, installs beside our versions of NumPy and PyTorch with twelve more packages, and is not used: its
Wasserstein score is the mean squared cost of the same transport of the same spectra, and its angular score, which
optimises a rotation, did not return to 0 for rotated copies of a random map of 8 states (0.10 to 0.45 rad after 3,000
steps).
"""

from math import gcd

import numpy as np
from scipy.optimize import linear_sum_assignment

LARGEST = 2000
"""Repeated eigenvalues, at most."""


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the Wasserstein distance between two spectra.

    Parameters
    ----------
    first, second : complex arrays of shape (n,), (m,)
        Eigenvalues, both per step or both per second: of maps with unequal steps `rates` makes them comparable.

    Returns
    -------
    float
        In the unit of the eigenvalues.

    Raises
    ------
    ValueError
        If a spectrum is empty, or the sizes have a least common multiple above 2000.
    """
    first, second = np.asarray(first, dtype=complex), np.asarray(second, dtype=complex)
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError("a spectrum has no eigenvalues")
    common = n * m // gcd(n, m)
    if common > LARGEST:
        raise ValueError(f"spectra of {n} and {m} eigenvalues are compared by leading ones of them")
    cost = np.abs(np.repeat(first, common // n)[:, None] - np.repeat(second, common // m))
    return float(cost[linear_sum_assignment(cost)].mean())


def rates(eigenvalues: np.ndarray, dt: float, *, slowest: float = 1e-6) -> np.ndarray:
    """Turn eigenvalues per step into rates per second, ln λ / dt.

    Parameters
    ----------
    eigenvalues : complex array
        Of a map.
    dt : float
        Its step in s.
    slowest : float
        Magnitudes below this are raised to it: what is gone in one step has no rate.

    Returns
    -------
    complex array
        Growth rates in 1/s, with the angular frequency in rad/s as the imaginary part.
    """
    values = np.asarray(eigenvalues, dtype=complex)
    size = np.maximum(np.abs(values), slowest)
    return (np.log(size) + 1j * np.where(np.abs(values) < slowest, 0.0, np.angle(values))) / dt


def match(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Match the points of two networks.

    Parameters
    ----------
    first, second : tuples of two arrays of shape (n_points,) or (n_points, 2), and (n_points, n)
        What each point is — only points with equal entries are matched, or of two columns, the least and the greatest
        of what it may be, only those whose ranges have something in common — and its eigenvalues.

    Returns
    -------
    pairs : array of int of shape (n_pairs, 2)
        Numbers of the points of both.
    distances : array of shape (n_pairs,)
        Between the spectra of each pair.
    unmatched : int
        How many points of both have no partner.
    """
    # Ranges (n_points, 1 or 2), of which the first column is the least and the last the greatest.
    kinds, others = (np.asarray(part[0]).T.reshape(np.ndim(part[0]), -1).T for part in (first, second))
    alike = (kinds[:, None, 0] <= others[None, :, -1]) & (others[None, :, 0] <= kinds[:, None, -1])
    cost = np.zeros(alike.shape)
    for i, j in np.argwhere(alike):
        cost[i, j] = distance(first[1][i], second[1][j])
    # One pair of points that are not alike costs more than all others, so that as few as possible are left over.
    rows, columns = linear_sum_assignment(np.where(alike, cost, cost.sum() + 1))
    chosen = alike[rows, columns]
    pairs = np.stack([rows[chosen], columns[chosen]], 1)
    return pairs, cost[rows, columns][chosen], len(kinds) + len(others) - 2 * len(pairs)
