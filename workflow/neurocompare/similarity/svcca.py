"""Singular vector CCA (SVCCA): canonical correlations of the first principal components.

Raghu et al. 2017 (NeurIPS, arXiv:1706.05806). ``variance=0.99`` keeps as few components as hold that fraction of
the variance, in each representation; ``components=10`` keeps as many as that (or all, if there are fewer). The
score is the mean canonical correlation of what is kept, and void as `canonical` says if that is too much.

``folds=5`` chooses components and directions on four fifths of the stimuli and correlates the others on them.
"""

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.arrays import declaration
from neurocompare.similarity.canonical import MINIMUM_IN_FOLD, MINIMUM_STIMULI, RECOMMENDED, Components, truncated
from neurocompare.similarity.cca import Canonical, option

MEASURES = (
    "svcca-variance=0.99",
    "svcca-components=10",
    "svcca-components=10-folds=5",
)


class SVCCA(Canonical):
    """Mean canonical correlation of the first principal components.

    Parameters
    ----------
    words : str
        ``svcca``.
    options : dict
        ``variance`` (a fraction in (0, 1]) or ``components`` (one or more), and perhaps ``folds`` (two or more).

    Raises
    ------
    UserError
        If there is no such measure.
    """

    def __init__(self, words: str, options: dict[str, str]):
        self.name = "-".join([words, *(f"{key}={value}" for key, value in options.items())])
        if words != "svcca":
            raise unknown("measure", self.name, MEASURES)
        for key in options:
            if key not in ("variance", "components", "folds"):
                raise unknown("option of svcca", key, ("variance", "components", "folds"))
        if ("variance" in options) == ("components" in options):
            raise UserError("an SVCCA measure is written svcca-variance=0.99 or svcca-components=10")
        self.fraction, self.components = 1.0, None
        if "variance" in options:
            self.fraction = option(options, "variance", "a fraction above 0 and up to 1, such as 0.99", most=1)
            what = f"as many principal components as hold {self.fraction:g} of the variance"
        else:
            self.components = option(options, "components", "a whole number of one or more, such as 10", whole=True)
            what = f"the first {self.components} principal components"
        if "folds" in options:
            self.folds = option(options, "folds", "a whole number of two or more, such as 5", whole=True, least=2)
        self.afford()
        summary = f"mean canonical correlation of {what}"
        summary += f", of held-out stimuli in {self.folds} folds" if self.folds else " (inflated by few stimuli)"
        self.info = declaration(
            summary,
            low=-1.0 if self.folds else 0.0,
            invariances="isotropic scale, permutation, orthogonal, translation",
            minimum_stimuli=MINIMUM_IN_FOLD * self.folds or MINIMUM_STIMULI,
            unbiased=bool(self.folds),
            recommended=RECOMMENDED,
        )

    def kept(self, components: Components) -> Components:
        """See `Canonical.kept`."""
        return truncated(components, fraction=self.fraction, at_most=self.components)


MEASURE = SVCCA
