"""Procrustes distances: what is left of two configurations of stimuli after the best rotation.

Williams, Kunz, Kornblith & Linderman 2021 (NeurIPS, arXiv:2110.14739). The cosine of the angular distance
is the normalised Bures similarity of the Gram matrices. With ``folds`` the rotation is fitted to the other
stimuli than those between which the angle is taken; its cosine may then be negative.
"""

from typing import NamedTuple

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import alignment
from neurocompare.similarity.arrays import Grams, declaration, require_stimuli
from neurocompare.similarity.measure import Measure

MEASURES = ("procrustes-angular", "procrustes-size-and-shape", "procrustes-angular-folds=5")

_RECOMMENDED = "many more stimuli than units: otherwise unrelated representations are close too (compare with the null)"


class Divided(NamedTuple):
    """A reduced representation for cross-validated alignment: coordinates of all stimuli, and in folds."""

    coordinates: np.ndarray
    folds: list[alignment.Fold]


class Aligned(Measure):
    """A distance that is minimised over rotations, plain or cross-validated.

    Attributes
    ----------
    folds : int or None
        In how many folds the rotation is fitted; None to fit it to the stimuli that are compared.
    alpha : float
        How much of the variances is kept; see `alignment.whitened`.
    """

    folds: int | None = None
    alpha = 1.0

    def declare(self, summary: str, *, invariances: str, angular: bool = True) -> None:
        """Declare the measure, and what it can afford.

        Parameters
        ----------
        summary : str
            What the distance is.
        invariances : str
            See `declaration`.
        angular : bool
            Whether it is an angle.
        """
        if self.folds:
            self.permutations = self.resamples = 200
            self.influence = False
            summary += "; the rotation is fitted to other stimuli than those compared"
        self.info = declaration(
            summary,
            invariances=invariances,
            minimum_stimuli=2 * self.folds if self.folds else 3,
            low=0.0,
            high=np.inf if not angular else np.pi if self.folds else np.pi / 2,
            direction="lower",
            unit="rad" if angular else "response",
            metric=not self.folds,
            recommended="" if self.folds else _RECOMMENDED,
        )

    def reduce(self, grams: Grams) -> list:
        """See `Measure.reduce`."""
        require_stimuli(grams.gram.shape[1], self.info["minimum_stimuli"], self.name)
        return [self.prepared(x) for x in alignment.coordinates(grams)]

    def prepared(self, x: np.ndarray):
        """Do with the coordinates of one representation what does not need the other.

        Parameters
        ----------
        x : array of shape (n_stimuli, n_coordinates)
            See `alignment.coordinates`.

        Returns
        -------
        array of shape (n_stimuli, n_coordinates) or Divided
            The reduced representation.
        """
        if self.folds:
            return Divided(x, alignment.folds(x, self.folds, self.alpha))
        return x if self.alpha == 1 else alignment.whitened(x, self.alpha)

    def pair(self, x, y) -> float:
        """See `Measure.pair`."""
        return alignment.held_out_angle(x.folds, y.folds) if self.folds else alignment.angle(x, y)

    def permuted(self, part, order: np.ndarray):
        """See `Measure.permuted`."""
        return self.prepared(part.coordinates[order]) if self.folds else part[order]


class Procrustes(Aligned):
    """Procrustes distance.

    Parameters
    ----------
    words : str
        ``procrustes-angular`` or ``procrustes-size-and-shape``.
    options : dict
        Perhaps ``folds``, of the angular distance.

    Raises
    ------
    UserError
        If it is none of these.
    """

    def __init__(self, words: str, options: dict[str, str]):
        self.folds = alignment.number_of_folds(options)
        self.angular = words == "procrustes-angular"
        if set(options) - {"folds"} or not (self.angular or (words == "procrustes-size-and-shape" and not options)):
            raise UserError("write procrustes-angular, procrustes-angular-folds=5 or procrustes-size-and-shape")
        if self.angular:
            self.declare(
                "angle between two configurations of stimuli after the best rotation (Procrustes)",
                invariances="isotropic scale, orthogonal, permutation, translation",
            )
        else:
            self.declare(
                "root of the summed squared differences after the best rotation (Procrustes), without scaling",
                invariances="orthogonal, permutation, translation",
                angular=False,
            )

    def pair(self, x, y) -> float:
        """See `Measure.pair`."""
        return super().pair(x, y) if self.angular else alignment.distance(x, y)


MEASURE = Procrustes
