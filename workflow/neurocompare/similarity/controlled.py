"""A measure of what two representations share beyond a control, such as the pixels of the images."""

import copy

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import partial
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.comparators import PAIRWISE
from neurocompare.similarity.embedded import Embedded, Kernel, picked, stacked
from neurocompare.similarity.measure import Measure, Reduced, Scores


class Controlled(Embedded):
    """The partial score of an embedded measure, given controls; see `neurocompare.similarity.partial`.

    Parameters
    ----------
    measure : Embedded
        The measure.
    control : Grams
        One or several controls, for the same stimuli.

    Raises
    ------
    UserError
        If the measure is no inner product of matrices of stimuli, or corrects for noise by halves of trials.
    """

    def __init__(self, measure: Measure, control: Grams):
        pairwise = getattr(measure, "comparator", None) in PAIRWISE
        if not isinstance(measure, Embedded) or measure.cross_half or not measure.controllable or pairwise:
            raise UserError(
                f"measure '{measure.name}': 'partial' is there for RSA, SSM and CKA without correction for noise, and "
                "for comparators other than tau-a (use rho-a) and bures"
            )
        self.measure, self.name, self.steps = measure, measure.name, measure.steps
        self.info = measure.info | {"low": -1.0, "invariances": measure.info["invariances"]}
        self.permutations, self.resamples, self.splits = measure.permutations, measure.resamples, measure.splits
        self.influence, self.instead = measure.influence, measure.instead
        self.control = measure.reduce(control)

    def matrices(self, grams: Grams) -> np.ndarray:
        """See `Embedded.matrices`."""
        return self.measure.matrices(grams)

    def require_response(self, response: str) -> None:
        """See `Measure.require_response`."""
        self.measure.require_response(response)

    def average(self, rdms: np.ndarray) -> np.ndarray | None:
        """See `Embedded.average`: the best average is that of the measure without control, or close to it."""
        return self.measure.average(rdms)

    def reduce(self, grams: Grams) -> list[Kernel]:
        """See `Measure.reduce`."""
        return self.measure.reduce(grams)

    def warnings(self, part: Kernel) -> list[str]:
        """See `Measure.warnings`."""
        return self.measure.warnings(part)

    def scores(self, x: Reduced, y: Reduced) -> Scores:
        """See `Measure.scores`."""
        return partial.scores(*self._embedded(y.parts, x.parts, self.control))

    def scores_of(self, x: Reduced, y: Reduced, stimuli: np.ndarray) -> Scores:
        """See `Measure.scores_of`."""
        pick = np.ix_(stimuli, stimuli)
        parts = ([picked(part, pick) for part in z] for z in (y.parts, x.parts, self.control))
        return partial.scores(*self._embedded(*parts))

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> Scores:
        """See `Measure.null`."""
        return partial.null(*self._embedded(y.parts, x.parts, self.control), permutations)

    def on(self, stimuli: np.ndarray) -> "Controlled":
        """See `Measure.on`."""
        measure = copy.copy(self)
        measure.control = [picked(part, np.ix_(stimuli, stimuli)) for part in self.control]
        return measure

    def _weighted(self, x, y, weights):
        target, candidate, control = (stacked(z)[0] for z in (y.parts, x.parts, self.control))
        return partial.resampled(target, candidate, control, lambda a, b: self.measure.weighted(a, b, weights))

    def _embedded(self, *stacks):
        return (self.measure.embed(*stacked(parts)) for parts in stacks)


def with_control(measure: Measure, control: Grams | None) -> Measure:
    """Control for what the id of a measure names.

    Parameters
    ----------
    measure : Measure
        The measure, with its steps.
    control : Grams or None
        The control.

    Returns
    -------
    Measure
        The measure itself, if it names no control.

    Raises
    ------
    UserError
        If there is a control and none is named, or the other way round.
    """
    if (control is None) != (measure.steps.partial is None):
        missing = "give its representation as control" if control is None else "add -partial=… to its id"
        raise UserError(f"measure '{measure.name}': {missing}")
    return measure if control is None else Controlled(measure, control)
