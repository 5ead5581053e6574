"""How far the parts of a factorisation depend on its random start, and how sparse they are.

Factors of different starts are compared in two ways: part by part, after the best one-to-one matching, and by what
they put together. The consensus matrix (Brunet et al. 2004, PNAS 101:4164) holds, for every pair of units, the share of
starts in which the same part contributes most to both. All starts agree where it holds zeros and ones only.
"""

import numpy as np
from scipy.cluster.hierarchy import average, cophenet
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import squareform

from neurocompare.factorization import unit_rows


def aligned(fits: list[tuple]) -> tuple[np.ndarray, np.ndarray]:
    """Bring the parts of all starts into the order of the best one.

    Parameters
    ----------
    fits : list of tuples (w, h, error)
        From `neurocompare.factorization.parts`, best first.

    Returns
    -------
    weights : array of shape (n_starts, n_rows, rank)
        Weights of the parts.
    parts : array of shape (n_starts, rank, n_units)
        Parts of unit length, matched to those of the best start by their cosines.
    """
    weights, found = [], []
    for w, h, _ in fits:
        order = linear_sum_assignment(unit_rows(fits[0][1]) @ unit_rows(h).T, maximize=True)[1]
        weights.append(w[:, order])
        found.append(h[order])
    return np.stack(weights), np.stack(found)


def consensus_parts(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the median of each part over the starts.

    Parameters
    ----------
    parts : array of shape (n_starts, rank, n_units)
        From `aligned`.

    Returns
    -------
    median : array of shape (rank, n_units)
        Rows of unit length.
    agreement : array of shape (rank,)
        Mean over starts of the cosine with the median; 1 if all starts find the part.
    """
    median = unit_rows(np.median(parts, axis=0))
    return median, np.einsum("ku,sku->sk", median, parts).mean(0)


def consensus_matrix(fits: list[tuple]) -> np.ndarray:
    """Count in how many starts two units belong to the same part.

    Parameters
    ----------
    fits : list of tuples (w, h, error)
        From `neurocompare.factorization.parts`.

    Returns
    -------
    array of shape (n_units, n_units)
        Shares of starts. A unit belongs to the part that contributes most to it over all rows.
    """
    total = 0
    for w, h, _ in fits:
        belongs = (w.sum(0)[:, None] * h).argmax(0)
        total = total + (belongs[:, None] == belongs)
    return total / len(fits)


def cophenetic_correlation(matrix: np.ndarray) -> float:
    """Correlate a consensus matrix with the average-linkage tree of it.

    Parameters
    ----------
    matrix : array of shape (n_units, n_units)
        From `consensus_matrix`.

    Returns
    -------
    float
        1 for perfect consensus; NaN if all pairs of units are alike, as with one part.
    """
    distance = squareform(1 - matrix, checks=False)
    if np.ptp(distance) < 1e-12:
        return np.nan
    tree = cophenet(average(distance))
    if np.ptp(tree) < 1e-12:
        return np.nan
    return float(np.corrcoef(distance, tree)[0, 1])


def dispersion(matrix: np.ndarray) -> float:
    """Return how near the entries of a consensus matrix are to 0 or 1 (Kim & Park 2007, Bioinformatics 23:1495).

    Parameters
    ----------
    matrix : array of shape (n_units, n_units)
        From `consensus_matrix`.

    Returns
    -------
    float
        The mean of 4 (c − ½)²: 1 for perfect consensus, 0 if all entries are ½.
    """
    return float(np.mean(4 * (matrix - 0.5) ** 2))


def sparsity(x: np.ndarray) -> np.ndarray:
    """Return the sparsity of rows (Hoyer 2004, J. Mach. Learn. Res. 5:1457).

    Parameters
    ----------
    x : array of shape (n_rows, n)
        Non-negative.

    Returns
    -------
    array of shape (n_rows,)
        (√n − Σx / √Σx²) / (√n − 1): 0 if all entries are equal, 1 if one is not zero; NaN for a row of zeros.
    """
    root, norm = np.sqrt(x.shape[1]), np.linalg.norm(x, axis=1)
    ratio = np.divide(x.sum(1), norm, out=np.full(len(x), np.nan), where=norm > 0)
    return (root - ratio) / (root - 1)
