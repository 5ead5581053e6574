"""Canonical correlation analysis (CCA): directions of two representations that agree best.

``cca-mean`` is the mean canonical correlation and ``cca-mean-squared`` the mean of their squares (R²_CCA in
Kornblith et al. 2019, arXiv:1905.00414), with no regard to how much variance the directions have. Both are
void unless there are more stimuli than dimensions in both representations together, and large for unrelated
ones unless there are many more; see `canonical`.

``ridge=0.1`` finds directions under a penalty (Vinod 1976) of 0.1 times the variance of the first principal
component, of each representation: components with much less variance hardly count. The sum of penalised
correlations is divided by the greatest that is possible with these variances, so the score of a representation
with itself is one, and without the penalty it is ``cca-mean``.

``folds=5`` finds directions on four fifths of the stimuli and correlates the others on them. The score of
unrelated representations is then zero on average. With a ridge it is defined for any number of units.
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.canonical import (
    MINIMUM_IN_FOLD,
    MINIMUM_STIMULI,
    RECOMMENDED,
    STIMULI_PER_DIMENSION,
    Components,
    Fold,
    Folded,
    Penalised,
    fold_labels,
    held_out_correlation,
    mean_correlation,
    mean_square,
    penalised,
    principal,
    principal_of_units,
    refuse_void,
)
from neurocompare.similarity.measure import Measure

MEASURES = (
    "cca-mean",
    "cca-mean-squared",
    "cca-mean-ridge=0.1",
    "cca-mean-folds=5",
    "cca-mean-ridge=0.1-folds=5",
)


class Canonical(Measure):
    """Mean canonical correlation, of all stimuli or of held-out ones.

    A subclass sets `name` and `info`, and may set the others.

    Attributes
    ----------
    name : str
        The id, for error messages.
    ridge : float
        The penalty; see `penalised`.
    folds : int
        Number of folds over stimuli; 0 for none.
    """

    name: str
    ridge = 0.0
    folds = 0

    def afford(self) -> None:
        """Set how many shuffles and resamples are affordable: every one of them fits all folds again."""
        if self.folds:
            self.permutations, self.resamples, self.splits, self.influence = 200, 200, 5, False

    def kept(self, components: Components) -> Components:
        """Choose components, in a fold from its training stimuli; all by default.

        Parameters
        ----------
        components : Components
            Principal components.

        Returns
        -------
        Components
            The first of them.
        """
        return components

    def reduce(self, grams: Grams) -> list[Penalised] | list[Folded]:
        """See `Measure.reduce`."""
        units = grams.units or [None] * len(grams)
        found = [principal(gram, x) for gram, x in zip(grams.gram, units, strict=True)]
        if self.folds:
            return [self._folded(x.basis * np.sqrt(x.variance)) for x in found]
        return [penalised(self.kept(x), self.ridge) for x in found]

    def pair(self, x: Penalised | Folded, y: Penalised | Folded) -> float:
        """See `Measure.pair`.

        Raises
        ------
        UserError
            If the dimensions of both are together as many as the stimuli.
        """
        if not self.folds:
            refuse_void(self.name, len(x.basis), x.dimensions, y.dimensions)
            return self.mean(x, y)
        if not self.ridge:
            for fold, other in zip(x.folds, y.folds, strict=True):
                n = len(fold.train.basis)
                refuse_void(self.name, n, fold.train.dimensions, other.train.dimensions, "training stimuli")
        return held_out_correlation(x, y)

    def mean(self, x: Penalised, y: Penalised) -> float:
        """Average the correlations of all stimuli; see `mean_correlation`."""
        return mean_correlation(x, y)

    def permuted(self, part: Penalised | Folded, order: np.ndarray) -> Penalised | Folded:
        """See `Measure.permuted`."""
        if self.folds:
            return self._folded(part.scores[order])
        return Penalised(part.basis[order], part.strength)

    def warnings(self, part: Penalised | Folded) -> list[str]:
        """See `Measure.warnings`."""
        few = not self.folds and len(part.basis) < STIMULI_PER_DIMENSION * part.dimensions
        return ["few_stimuli_per_dimension"] * few

    def _folded(self, scores: np.ndarray) -> Folded:
        n = len(scores)
        if n < MINIMUM_IN_FOLD * self.folds:
            raise UserError(f"{self.name} needs at least {MINIMUM_IN_FOLD * self.folds} stimuli, got {n}")
        labels = fold_labels(n, self.folds)
        return Folded(scores, [self._fold(scores[labels != k], scores[labels == k]) for k in range(self.folds)])

    def _fold(self, train: np.ndarray, test: np.ndarray) -> Fold:
        found = self.kept(principal_of_units(train))
        fitted = penalised(found, self.ridge)
        # Axes of the components, and then the held-out stimuli in units in which the training norms are one.
        axes = train.T @ (found.basis / np.sqrt(found.variance))
        return Fold(fitted, (test - test.mean(0)) @ axes / np.sqrt(found.variance) * fitted.strength)


class CCA(Canonical):
    """Mean canonical correlation.

    Parameters
    ----------
    words : str
        ``cca-mean`` or ``cca-mean-squared``.
    options : dict
        For ``cca-mean``, perhaps ``ridge`` (positive, in units of the variance of the first principal component)
        and ``folds`` (two or more).

    Raises
    ------
    UserError
        If there is no such measure.
    """

    def __init__(self, words: str, options: dict[str, str]):
        self.name = "-".join([words, *(f"{key}={value}" for key, value in options.items())])
        if words not in ("cca-mean", "cca-mean-squared"):
            raise unknown("measure", self.name, MEASURES)
        self.squared = words == "cca-mean-squared"
        if self.squared and options:
            raise UserError("cca-mean-squared has no options; use cca-mean with them")
        for key in options:
            if key not in ("ridge", "folds"):
                raise unknown("option of cca-mean", key, ("ridge", "folds"))
        if "ridge" in options:
            what = "a positive share of the variance of the first principal component, such as 0.1"
            self.ridge = option(options, "ridge", what)
        if "folds" in options:
            self.folds = option(options, "folds", "a whole number of two or more, such as 5", whole=True, least=2)
        self.afford()
        summary = "mean squared canonical correlation" if self.squared else "mean canonical correlation"
        if self.ridge:
            summary += f", penalised by {self.ridge:g} of the variance of the first principal component"
        if self.folds:
            summary += f", of held-out stimuli in {self.folds} folds"
        self.info = declaration(
            summary + ("" if self.folds else " (inflated by few stimuli)"),
            low=-1.0 if self.folds else 0.0,
            invariances=("" if self.ridge else "affine, ") + "isotropic scale, permutation, orthogonal, translation",
            minimum_stimuli=MINIMUM_IN_FOLD * self.folds or MINIMUM_STIMULI,
            unbiased=bool(self.folds),
            recommended=RECOMMENDED,
        )

    def mean(self, x: Penalised, y: Penalised) -> float:
        """See `Canonical.mean`."""
        return mean_square(x, y) if self.squared else super().mean(x, y)


def option(options: dict[str, str], name: str, what: str, *, whole: bool = False, least=0, most=np.inf) -> float:
    """Read a number from the options of an id.

    Parameters
    ----------
    options : dict
        The options.
    name : str
        Which.
    what : str
        What it must be, for the error message.
    whole : bool
        Whether it must be a whole number.
    least, most : float
        The smallest and the largest that is permitted; zero is not.

    Returns
    -------
    float
        The number.

    Raises
    ------
    UserError
        If it is not such a number.
    """
    text = options[name]
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = np.nan
    if not (value > 0 and least <= value <= most and np.isfinite(value)):
        raise UserError(f"option '{name}={text}': {name} is {what}")
    return value


MEASURE = CCA
