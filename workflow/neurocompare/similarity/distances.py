"""Representational dissimilarity matrices (RDMs) from Gram matrices.

All distances are as in Kriegeskorte et al. 2008 (Front. Syst. Neurosci. 2:4) and Nili et al. 2014
(PLoS Comput. Biol. 10:e1003553). Squared Euclidean distances are divided by the number of units, so
that representations of different size are on one scale.
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.arrays import Grams

DISTANCES = ("correlation", "cosine", "euclidean")


def from_grams(grams: Grams, distance: str) -> np.ndarray:
    """Return RDMs of representations given by their Gram matrices.

    Parameters
    ----------
    grams : Grams
        The representations.
    distance : {"correlation", "cosine", "euclidean"}
        ``correlation``: one minus the Pearson correlation over units; ``cosine``: one minus the cosine;
        ``euclidean``: the squared Euclidean distance per unit.

    Returns
    -------
    array of shape (n_representations, n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal.

    Raises
    ------
    UserError
        If the distance does not exist, or is undefined because a stimulus evokes a constant pattern.
    """
    gram, units = grams.gram, grams.n_units[:, None, None]
    if distance == "correlation":
        if grams.n_units.min() < 2:
            raise UserError("the correlation distance needs at least two units")
        product = grams.row_sum[:, :, None] * grams.row_sum[:, None, :]
        rdms = _angular(gram - product / units, gram)
    elif distance == "cosine":
        rdms = _angular(gram, gram)
    elif distance == "euclidean":
        # Centring the stimuli changes no distance and keeps digits where units have large offsets.
        centred = gram - gram.mean(1, keepdims=True)
        centred -= centred.mean(2, keepdims=True)
        rdms = _without_rounding(_square_sums(centred) - 2 * centred, _square_sums(gram)) / units
    else:
        raise unknown("distance", distance, DISTANCES)
    # Rounding leaves traces of asymmetry and of self-distance, which rank comparisons would see.
    rdms = (rdms + rdms.transpose(0, 2, 1)) / 2
    rdms[:, np.arange(rdms.shape[1]), np.arange(rdms.shape[1])] = 0
    return rdms


def _square_sums(gram: np.ndarray) -> np.ndarray:
    """Sums of the squared norms of two stimuli."""
    square = np.einsum("kii->ki", gram)
    return square[:, :, None] + square[:, None, :]


def _without_rounding(distances: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Set to zero what is only rounding error: equal patterns are ties, not a random order."""
    return np.where(distances > 1e-14 * size, distances, 0)


def _angular(products: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """One minus inner products over the two norms; a norm that is only rounding error counts as zero."""
    square, raw_square = np.einsum("kii->ki", products), np.einsum("kii->ki", raw)
    if (square <= 1e-12 * raw_square).any():
        raise UserError("a stimulus evokes the same value in all units: its pattern has no correlation or cosine")
    # The norms of what was subtracted, relative to those of what is left, are how many digits were lost.
    lost = np.sqrt(raw_square / square)
    norm = np.sqrt(square)
    cosines = np.clip(products / (norm[:, :, None] * norm[:, None, :]), -1, 1)
    return _without_rounding(1 - cosines, lost[:, :, None] * lost[:, None, :])
