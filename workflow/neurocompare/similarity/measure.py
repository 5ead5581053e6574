"""What the engine needs of a measure, and what every measure then gets: nulls, resamples and halves.

A measure is a class; an instance of it has the options of one id. It says how a representation is reduced,
once, and how two reduced representations are scored. Everything else is here, in two ways:

* any measure is permuted, halved and resampled by reducing permuted or smaller sets of stimuli;
* a measure whose score is an inner product of two matrices of stimuli (`embedded.Embedded`: RSA, CKA, SSM)
  does the same without a second look at the units, and much faster.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.steps import Steps

Scores = np.ndarray
"""Scores of shape (..., n_targets, n_candidates)."""


@dataclass(frozen=True, eq=False)
class Reduced:
    """Representations that a measure has reduced.

    Attributes
    ----------
    parts : list
        One reduced representation each, in a form that the measure knows.
    grams : Grams or None
        What they were reduced from; None for published RDMs.
    """

    parts: list
    grams: Grams | None = None

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, which: slice) -> "Reduced":
        return Reduced(self.parts[which], None if self.grams is None else self.grams[which])


class Measure:
    """A way to score how alike two representations are.

    Attributes
    ----------
    info : dict
        What the measure declares; see `neurocompare.similarity.arrays.declaration`.
    permutations : int
        How many shuffles of the stimuli it can afford.
    resamples : int
        How many resamples of the stimuli it can afford.
    ceiling : {"bracket", "estimate", "one", "none"}
        Whether its noise ceiling is two bounds, an estimate, one because noise is corrected for, or can't be had from
        halves of the trials, because these are looked at in another way than a network.
    splits : int
        From how many halves of the trials its ceiling can afford to be taken.
    instead : str
        What to use where units were not recorded together, if the measure uses noise that they share.
    name : str
        The id.
    steps : Steps
        What the id asks for beside the measure.
    scheme : {"halves", "bootstrap"}
        How `draws` resamples stimuli.
    influence : bool
        Whether it can afford to leave every stimulus out once.
    """

    info: dict
    permutations = 200
    resamples = 200
    ceiling = "bracket"
    splits = 20
    scheme = "halves"
    influence = True

    instead = ""
    name = ""
    steps = Steps()

    def __init__(self, words: str, options: dict[str, str]):
        raise NotImplementedError

    def require_repeats(self, target: Grams, what: str) -> None:
        """Refuse a recording whose stimuli were not shown often enough.

        Parameters
        ----------
        target : Grams
            The recording.
        what : str
            What to call it.

        Raises
        ------
        UserError
            If the measure needs single trials, and there are too few.
        """
        times = self.info["repeats"]
        if times and (target.trials is None or not all(trials.repeated(times) for trials in target.trials)):
            raise UserError(
                f"measure '{self.name}' needs at least {times} repeats of every stimulus; {what} has fewer "
                "(an array with repeats has the shape (n_repeats, n_stimuli, n_units))"
            )

    def require_response(self, response: str) -> None:
        """Refuse a recording for what its values are; most measures take any.

        Parameters
        ----------
        response : str
            What a value is, as in the attribute ``response`` of a representation.

        Raises
        ------
        UserError
            If the measure is not for such values.
        """

    def reduce(self, grams: Grams) -> list:
        """Reduce representations, each by itself.

        Parameters
        ----------
        grams : Grams
            The representations. A measure that needs repeats takes a representation without trials for
            one without noise.

        Returns
        -------
        list
            One reduced representation each.
        """
        raise NotImplementedError

    def pair(self, x: Any, y: Any) -> float:
        """Score two reduced representations.

        Parameters
        ----------
        x, y : object
            A candidate and a target, reduced.

        Returns
        -------
        float
            The score; NaN where it is undefined.
        """
        raise NotImplementedError

    def permuted(self, part: Any, order: np.ndarray) -> Any:
        """Reorder the stimuli of a reduced representation, if that is quicker than reducing it again.

        Parameters
        ----------
        part : object
            A reduced representation.
        order : array of int of shape (n_stimuli,)
            A permutation.

        Returns
        -------
        object
            The reduced representation of the reordered stimuli; ``NotImplemented`` if there is no quick way.
        """
        return NotImplemented

    def warnings(self, part: Any) -> list[str]:
        """Name what makes scores of a reduced representation doubtful.

        Parameters
        ----------
        part : object
            A reduced representation.

        Returns
        -------
        list of str
            Short names, as they appear in the column ``status``; empty if there is nothing to say.
        """
        return []

    def reduced(self, grams: Grams) -> Reduced:
        """Reduce representations and keep what they come from.

        Parameters
        ----------
        grams : Grams
            The representations.

        Returns
        -------
        Reduced
            In the same order.
        """
        return Reduced(self.reduce(grams), grams)

    def scores(self, x: Reduced, y: Reduced) -> Scores:
        """Score all candidates against all targets.

        Parameters
        ----------
        x, y : Reduced
            Candidates and targets.

        Returns
        -------
        array of shape (n_targets, n_candidates)
            The scores.
        """
        return np.array([[self.pair(a, b) for a in x.parts] for b in y.parts]).reshape(len(y), len(x))

    def scores_of(self, x: Reduced, y: Reduced, stimuli: np.ndarray) -> Scores:
        """Score on some of the stimuli.

        Parameters
        ----------
        x, y : Reduced
            Candidates and targets.
        stimuli : array of int of shape (n_some,)
            Which stimuli, without repetition.

        Returns
        -------
        array of shape (n_targets, n_candidates)
            The scores; NaN where the measure is void for so few stimuli.
        """
        try:
            return self.scores(self.reduced(x.grams.take(stimuli)), self.reduced(y.grams.take(stimuli)))
        except UserError:
            if len(x) == 1:
                return np.full((len(y), 1), np.nan)
            # Void for one candidate does not mean void for all.
            return np.hstack([self.scores_of(x[k : k + 1], y, stimuli) for k in range(len(x))])

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> Scores:
        """Score with the stimuli of the targets shuffled.

        Parameters
        ----------
        x, y : Reduced
            Candidates and targets.
        permutations : array of int of shape (n_permutations, n_stimuli)
            Shuffles.

        Returns
        -------
        array of shape (n_permutations, n_targets, n_candidates)
            Scores under the null.
        """
        shuffled = []
        for order in permutations:
            parts = [self.permuted(part, order) for part in y.parts]
            if any(part is NotImplemented for part in parts):
                parts = self.reduce(y.grams.take(order))
            shuffled.append(self.scores(x, Reduced(parts)))
        return np.array(shuffled).reshape(-1, len(y), len(x))

    def draws(self, x: Reduced, y: Reduced, value: Scores, plan) -> Scores:
        """Score in resamples of the stimuli.

        Half of the stimuli, drawn without replacement, have just the sampling variance of all of them
        (Politis & Romano 1994, Ann. Statist. 22:2031, with the correction for a finite population), and
        hold no copies, which most measures would take for perfect agreement. The score of fewer stimuli
        is another one on average, so the draws are centred on the score of all.

        Parameters
        ----------
        x, y : Reduced
            Candidates and targets.
        value : array of shape (n_targets, n_candidates)
            The scores with all stimuli.
        plan : resampling.Plan
            The resamples.

        Returns
        -------
        array of shape (n_resamples, n_targets, n_candidates)
            Draws of the scores.
        """
        halves = np.array([self.scores_of(x, y, half) for half in plan.subsets[: self.resamples]])
        return centred_on(value, halves.reshape(-1, len(y), len(x)))

    def left_out(self, x: Reduced, y: Reduced) -> Scores:
        """Score with every stimulus left out once.

        Parameters
        ----------
        x, y : Reduced
            Candidates and targets.

        Returns
        -------
        array of shape (n_stimuli, n_targets, n_candidates)
            The scores without that stimulus.
        """
        stimuli = np.arange(x.grams.gram.shape[1])
        return np.stack([self.scores_of(x, y, np.delete(stimuli, i)) for i in stimuli])

    def on(self, stimuli: np.ndarray) -> "Measure":
        """Make the measure for representations of some of the stimuli.

        Parameters
        ----------
        stimuli : array of int of shape (n_some,)
            Which stimuli, without repetition.

        Returns
        -------
        Measure
            The measure itself, unless it holds something about all stimuli.
        """
        return self

    def trial_ceiling(self, y: Reduced):
        """Find the noise ceiling of one recording from its trials.

        Parameters
        ----------
        y : Reduced
            The recording, a single one.

        Returns
        -------
        ceilings.Ceiling
            NaN without repeats.
        """
        from neurocompare.similarity.ceilings import of_trials

        return of_trials(self, y)

    def evaluate(self, target, candidates: Grams, plan):
        """Score candidates against a target, with all that belongs to a score.

        Parameters
        ----------
        target : evaluation.Target
            A region of a recording.
        candidates : Grams
            The layers.
        plan : resampling.Plan
            Resamples and permutations.

        Returns
        -------
        evaluation.Evaluation
            The scores.
        """
        from neurocompare.similarity.evaluation import evaluate

        return evaluate(self, target, candidates, plan)


def centred_on(value: Scores, draws: Scores) -> Scores:
    """Move draws so that their mean is the score.

    Parameters
    ----------
    value : array of shape (...)
        Scores.
    draws : array of shape (n_draws, ...)
        Resamples of them; undefined ones stay undefined.

    Returns
    -------
    array of shape (n_draws, ...)
        The moved draws.
    """
    defined = np.isfinite(draws)
    mean = np.where(defined, draws, 0).sum(0) / np.maximum(defined.sum(0), 1)
    return value + draws - mean
