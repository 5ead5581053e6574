"""Projection weighted CCA (PWCCA): canonical correlations weighted by what their directions share with the units.

Morcos, Raghu & Bengio 2018 (NeurIPS, arXiv:1806.05759, eq. 6): direction h_i weighs Σ_j |⟨h_i, x_j⟩|, the sum over
the units x_j of one of the representations, all centred. That one is the representation of fewer dimensions or,
if both have as many, the first, so the score is then not symmetric.

Sums of absolute values depend on the axes: rotating the units of the representation that gives the weights
changes the score, and directions of equal correlation, which are not unique, leave it undetermined (two
representations that share some dimensions exactly). Of the other representation only the span matters.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.canonical import (
    MINIMUM_STIMULI,
    RECOMMENDED,
    STIMULI_PER_DIMENSION,
    principal,
    refuse_void,
)
from neurocompare.similarity.measure import Measure

MEASURES = ("pwcca",)


class Loaded(NamedTuple):
    """A representation with its units on the axes of its principal components.

    Attributes
    ----------
    basis : array of shape (n_stimuli, n_components)
        Principal components, centred and of unit norm.
    loadings : array of shape (n_components, n_units)
        Inner products of components and centred units.
    """

    basis: np.ndarray
    loadings: np.ndarray


class PWCCA(Measure):
    """Projection weighted mean canonical correlation.

    Parameters
    ----------
    words : str
        ``pwcca``.
    options : dict
        None.

    Raises
    ------
    UserError
        If there is no such measure.
    """

    def __init__(self, words: str, options: dict[str, str]):
        if words != "pwcca" or options:
            raise unknown("measure", "-".join([words, *(f"{k}={v}" for k, v in options.items())]), MEASURES)
        self.info = declaration(
            "mean canonical correlation weighted by the units of the representation of fewer dimensions "
            "(inflated by few stimuli)",
            low=0.0,
            symmetric=False,
            invariances="isotropic scale, permutation, translation",
            minimum_stimuli=MINIMUM_STIMULI,
            units=True,
            recommended=RECOMMENDED,
        )

    def reduce(self, grams: Grams) -> list[Loaded]:
        """See `Measure.reduce`.

        Raises
        ------
        UserError
            If only Gram matrices are known.
        """
        if grams.units is None:
            raise UserError("pwcca looks at single units, which are not known here; use svcca-variance=0.99 instead")
        bases = [principal(gram, units).basis for gram, units in zip(grams.gram, grams.units, strict=True)]
        # The components are centred, so the units need not be, but then large offsets would cost digits.
        return [Loaded(b, b.T @ (units - units.mean(0))) for b, units in zip(bases, grams.units, strict=True)]

    def pair(self, x: Loaded, y: Loaded) -> float:
        """See `Measure.pair`.

        Raises
        ------
        UserError
            If the dimensions of both are together as many as the stimuli.
        """
        kx, ky = x.basis.shape[1], y.basis.shape[1]
        if not kx or not ky:
            return np.nan
        refuse_void("pwcca", len(x.basis), kx, ky)
        fewer, other = (x, y) if kx <= ky else (y, x)
        directions, correlations, _ = np.linalg.svd(fewer.basis.T @ other.basis, full_matrices=False)
        weights = np.abs(directions.T @ fewer.loadings).sum(1)
        return float(min(weights @ correlations / weights.sum(), 1.0))

    def permuted(self, part: Loaded, order: np.ndarray) -> Loaded:
        """See `Measure.permuted`."""
        return Loaded(part.basis[order], part.loadings)

    def warnings(self, part: Loaded) -> list[str]:
        """See `Measure.warnings`."""
        n, k = part.basis.shape
        return ["few_stimuli_per_dimension"] * (n < STIMULI_PER_DIMENSION * k)


MEASURE = PWCCA
