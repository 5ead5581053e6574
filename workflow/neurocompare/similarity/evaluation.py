"""One way to a score with its ceiling, null and resamples, for all measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.inference import hierarchy
from neurocompare.inference.resampling import Plan
from neurocompare.similarity import ceilings
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.ceilings import Ceiling
from neurocompare.similarity.embedded import Kernel
from neurocompare.similarity.measure import Measure, Reduced

MOST_LEFT_OUT = 300
"""With more stimuli none of them is left out to see its influence: the cost grows with the cube of their number."""

UNIT_RESAMPLES = 200
"""Resamples of units in sessions in animals."""


@dataclass(frozen=True, eq=False)
class Target:
    """What candidates are compared with: one region of a recording.

    Attributes
    ----------
    animals : tuple of str
        Labels along the first axis of the evaluation.
    grams : Grams, optional
        Responses, one representation for each label; None for published RDMs.
    rdms : array of shape (n_animals, n_stimuli, n_stimuli), optional
        Published RDMs; then there are no responses.
    pooled : bool
        Whether the last label stands for all others together: their mean RDM, or all their units as one
        population.
    related : bool
        Whether the animals were seen in one region, so that one can be a model of another.
    sources : tuple of tuple of two arrays of str of shape (n_units,), optional
        For each label, animal and session of its units: units of several sessions are resampled too.
    """

    animals: tuple[str, ...]
    grams: Grams | None = None
    rdms: np.ndarray | None = None
    pooled: bool = False
    related: bool = True
    sources: tuple[tuple[np.ndarray, np.ndarray], ...] | None = None

    @property
    def members(self) -> list[int]:
        """Positions of single animals."""
        return list(range(len(self.animals) - self.pooled))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of candidates with what is needed to judge them.

    Attributes
    ----------
    value : array of shape (n_animals, n_candidates)
        Scores.
    draws : array of shape (n_resamples, n_animals, n_candidates)
        Scores in resamples of the stimuli.
    null : array of shape (n_permutations, n_animals, n_candidates)
        Scores with the stimuli shuffled.
    ceilings : list of Ceiling
        The noise ceiling of each animal.
    together : Ceiling
        The noise ceiling of the mean over animals.
    inter_animal : float
        Mean score of one animal as a model of another; NaN for a single animal.
    halves : list of tuples of arrays of shape (n_animals, n_candidates)
        For each partition, scores on its two halves.
    choosers : list of tuples of arrays of shape (n_animals, n_candidates), optional
        The same from the responses of each half alone, for measures that fit: what is scored on one half
        may not have taken part in the choice made on the other. None where `halves` are such already.
    left_out : array of shape (n_stimuli, n_animals, n_candidates), optional
        Scores with every stimulus left out once.
    unit_draws : array of shape (n_draws, n_animals, n_candidates), optional
        Scores with units resampled in sessions in animals, centred on the score; NaN for a single session.
    undefined_units : array of int of shape (n_animals, n_candidates), optional
        Numbers of units without a score, for measures that score units one by one.
    gated_units : array of int of shape (n_animals,), optional
        Numbers of units left out because they were not reliable in trials that are not scored.
    dimensionality : array of shape (n_candidates,)
        Participation ratio of every candidate: how many directions of equal variance would do.
    target_dimensionality : array of shape (n_animals,)
        That of the recording's trial averages, noise included; NaN for a published RDM.
    warnings : list of list of str
        For each candidate, what makes its scores doubtful.
    """

    value: np.ndarray
    draws: np.ndarray
    null: np.ndarray
    ceilings: list[Ceiling]
    together: Ceiling
    inter_animal: float
    halves: list[tuple[np.ndarray, np.ndarray]]
    choosers: list[tuple[np.ndarray, np.ndarray]] | None = None
    left_out: np.ndarray | None = None
    unit_draws: np.ndarray | None = None
    undefined_units: np.ndarray | None = None
    gated_units: np.ndarray | None = None
    dimensionality: np.ndarray | None = None
    target_dimensionality: np.ndarray | None = None
    warnings: Sequence[Sequence[str]] = ()


def evaluate(measure: Measure, target: Target, candidates: Grams, plan: Plan) -> Evaluation:
    """Score candidates against a target.

    Parameters
    ----------
    measure : Measure
        The measure.
    target : Target
        The region.
    candidates : Grams
        The layers.
    plan : Plan
        Resamples and permutations.

    Returns
    -------
    Evaluation
        Scores with all that belongs to them.
    """
    x = measure.reduced(candidates)
    y = Reduced([Kernel(rdm) for rdm in target.rdms]) if target.rdms is not None else measure.reduced(target.grams)
    value = measure.scores(x, y)
    own = list(dict.fromkeys(f"recording_{word}" for part in y.parts for word in measure.warnings(part)))
    # Single stimuli are of interest in a region, not in populations that were simulated to be ranked.
    leave_out = measure.influence and target.related and candidates.gram.shape[1] <= MOST_LEFT_OUT
    sides = [(np.flatnonzero(half), np.flatnonzero(~half)) for half in plan.partitions]
    members = target.members if target.related else []
    single = [*ceilings.of_animals(measure, y, members), *[ceilings.NONE] * target.pooled]
    together = ceilings.average([single[k] for k in members])
    if target.rdms is None:
        single = [measure.trial_ceiling(y[k : k + 1]) for k in range(len(y))]
        if measure.ceiling == "one":
            # The other animals are noisy models; a score that corrects for noise can be above what they score.
            together = ceilings.average([single[k] for k in target.members])
    return Evaluation(
        value=value,
        draws=measure.draws(x, y, value, plan),
        null=measure.null(x, y, plan.permutations[: measure.permutations]),
        ceilings=single,
        together=together,
        inter_animal=ceilings.inter_animal(measure, y[: len(members)]),
        halves=[tuple(measure.scores_of(x, y, side) for side in pair) for pair in sides],
        left_out=measure.left_out(x, y) if leave_out else None,
        unit_draws=unit_draws(measure, x, target, value),
        warnings=[[*measure.warnings(part), *own] for part in x.parts],
        **dimensionalities(target, candidates),
    )


def unit_draws(measure: Measure, x: Reduced, target: Target, value: np.ndarray) -> np.ndarray | None:
    """Score resamples of the units of populations that come from several sessions.

    A resample holds fewer different units than the population, and scores lower on average; the draws are
    centred on the score.

    Parameters
    ----------
    measure : Measure
        The measure.
    x : Reduced
        The candidates.
    target : Target
        The region.
    value : array of shape (n_animals, n_candidates)
        The scores.

    Returns
    -------
    array of shape (n_draws, n_animals, n_candidates) or None
        NaN for a population of one session; None if there are no others, or the measure looks at single units or
        trials.
    """
    several = [k for k, (_, session) in enumerate(target.sources or ()) if len(set(session)) > 1]
    if not several or measure.info["repeats"] or measure.info["units"]:
        return None
    draws = np.full((UNIT_RESAMPLES, *value.shape), np.nan)
    for k in several:
        animal, session = target.sources[k]
        weights = hierarchy.unit_weights(animal, session, UNIT_RESAMPLES, name=target.animals[k])
        for start in range(0, UNIT_RESAMPLES, 20):
            rows = slice(start, start + 20)
            try:
                resampled = measure.reduced(hierarchy.weighted_grams(target.grams.units[k], weights[rows]))
                draws[rows, k] = measure.scores(x, resampled)
            except UserError:
                # Some measures are void for so few different units, or need more than Gram matrices.
                return None
        draws[:, k] += value[k] - draws[:, k].mean(0)
    return draws


def dimensionalities(target: Target, candidates: Grams) -> dict[str, np.ndarray]:
    """Measure how many dimensions candidates and targets have.

    Parameters
    ----------
    target : Target
        The region.
    candidates : Grams
        The layers.

    Returns
    -------
    dict of str to array
        The fields ``dimensionality`` and ``target_dimensionality`` of an `Evaluation`.
    """
    own = np.full(len(target.animals), np.nan) if target.grams is None else participation_ratio(target.grams.gram)
    return {"dimensionality": participation_ratio(candidates.gram), "target_dimensionality": own}


def participation_ratio(gram: np.ndarray) -> np.ndarray:
    """Return the participation ratio (Σλ)² / Σλ² of the covariance behind Gram matrices.

    Parameters
    ----------
    gram : array of shape (n, n_stimuli, n_stimuli)
        Inner products over units, not centred.

    Returns
    -------
    array of shape (n,)
        Between one and the number of stimuli minus one; NaN for what does not vary.
    """
    centred = gram - gram.mean(1, keepdims=True)
    centred = centred - centred.mean(2, keepdims=True)
    trace, square = np.einsum("kii->k", centred), np.einsum("kij,kij->k", centred, centred)
    floor = 1e-24 * np.einsum("kij,kij->k", gram, gram)
    return trace**2 / np.where(square > floor, square, np.nan)


def average(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average evaluations of samples of units.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of the same animals, candidates and resamples.

    Returns
    -------
    Evaluation
        Mean scores, draws, nulls and ceilings, and the largest numbers of units left out.
    """
    if len(evaluations) == 1:
        return evaluations[0]

    def mean(field):
        values = [getattr(one, field) for one in evaluations]
        return None if values[0] is None else np.mean(values, axis=0)

    def most(field):
        values = [getattr(one, field) for one in evaluations]
        return None if values[0] is None else np.max(values, axis=0)

    def pairs(field):
        values = [getattr(one, field) for one in evaluations]
        if values[0] is None:
            return None
        return [
            tuple(np.mean([one[k][side] for one in values], axis=0) for side in (0, 1)) for k in range(len(values[0]))
        ]

    return Evaluation(
        **{field: mean(field) for field in ("value", "draws", "null", "inter_animal", "left_out")},
        **{field: mean(field) for field in ("dimensionality", "target_dimensionality")},
        **{field: pairs(field) for field in ("halves", "choosers")},
        **{field: most(field) for field in ("undefined_units", "gated_units")},
        ceilings=[ceilings.average(c) for c in zip(*(one.ceilings for one in evaluations), strict=True)],
        together=ceilings.average([one.together for one in evaluations]),
        warnings=evaluations[0].warnings,
    )


def concatenated(evaluations: Sequence[Evaluation | None]) -> Evaluation:
    """Put evaluations of single candidates side by side.

    Parameters
    ----------
    evaluations : sequence of Evaluation or None
        Of the same target and resamples; None for a candidate for which the measure is void, whose scores are NaN
        and whose warning is ``void``.

    Returns
    -------
    Evaluation
        Of all candidates.
    """
    first = next(one for one in evaluations if one is not None)

    def beside(get):
        blank = get(first)
        if blank is None:
            return None
        blank = np.full_like(blank, np.nan, dtype=float)
        return np.concatenate([blank if one is None else get(one) for one in evaluations], axis=-1)

    def pairs(field):
        if getattr(first, field) is None:
            return None
        count = len(getattr(first, field))
        return [tuple(beside(lambda e, k=k, s=s: getattr(e, field)[k][s]) for s in (0, 1)) for k in range(count)]

    fields = ("value", "draws", "null", "left_out", "unit_draws", "dimensionality")
    counts = beside(lambda e: e.undefined_units)
    return Evaluation(
        **{field: beside(lambda e, field=field: getattr(e, field)) for field in fields},
        **{field: pairs(field) for field in ("halves", "choosers")},
        ceilings=first.ceilings,
        together=first.together,
        inter_animal=first.inter_animal,
        undefined_units=None if counts is None else np.nan_to_num(counts).astype(int),
        gated_units=first.gated_units,
        target_dimensionality=first.target_dimensionality,
        warnings=[["void"] if one is None else one.warnings[0] for one in evaluations],
    )
