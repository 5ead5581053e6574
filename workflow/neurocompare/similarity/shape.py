"""Shape distances between Procrustes and canonical correlation, after Williams et al. 2021 (arXiv:2110.14739).

``alpha`` is how much of the variances is kept: at 1 the distance is the angular Procrustes distance. At 0
all directions count alike, and the cosine is Σρ / √(r_x r_y), with the canonical correlations ρ and the
numbers of dimensions r: the mean canonical correlation where both have as many. See `alignment.whitened`
for what lies between, and for the scale of the responses, on which it does not depend.
"""

from neurocompare.errors import UserError
from neurocompare.similarity import alignment
from neurocompare.similarity.procrustes import Aligned

MEASURES = ("shape-alpha=0.5", "shape-alpha=0.5-folds=5")


class Shape(Aligned):
    """Angular distance after partial whitening and the best rotation.

    Parameters
    ----------
    words : str
        ``shape``.
    options : dict
        ``alpha``, from 0 to 1, and perhaps ``folds``.

    Raises
    ------
    UserError
        If an option is missing, unknown or out of range.
    """

    def __init__(self, words: str, options: dict[str, str]):
        if words != "shape" or not {"alpha"} <= set(options) <= {"alpha", "folds"}:
            raise UserError("a shape distance is written shape-alpha=0.5, perhaps with -folds=5")
        self.alpha, self.folds = alignment.fraction(options, "alpha", 1), alignment.number_of_folds(options)
        invariances = "isotropic scale, orthogonal, permutation, translation"
        self.declare(
            f"angle between two configurations of stimuli, whitened by {1 - self.alpha:.3g}, after the best rotation",
            invariances=invariances if self.alpha else "affine, " + invariances,
        )

    def pair(self, x, y) -> float:
        """See `Measure.pair`.

        Raises
        ------
        UserError
            If ``alpha=0`` and the subspaces of the two cannot but intersect, whatever the responses.
        """
        if not self.folds and self.alpha == 0 and len(x) <= x.shape[1] + y.shape[1]:
            raise UserError(
                f"{self.name} is void for {len(x)} stimuli and {x.shape[1]} + {y.shape[1]} dimensions: "
                "use more stimuli than dimensions, an alpha above 0, or folds"
            )
        return super().pair(x, y)


MEASURE = Shape
