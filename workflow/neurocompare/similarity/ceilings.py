"""Noise ceilings: what a perfect model would score against a noisy recording.

Three kinds, and every score says which it has. Where the noise that two halves of the trials do not
share leaves an inner product unbiased, the ceiling is an *estimate*. Everywhere else it is a *bracket*
of two bounds, from halves of the trials or from animals that are left out. A measure that corrects for
noise has the ceiling *one*. Below a reliability of .3 there is none, and none for measures that look at a
recording in another way than at a network, which has no noise: halves of trials then say nothing of a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.embedded import Embedded
from neurocompare.similarity.measure import Measure, Reduced
from neurocompare.similarity.sampling import split_half
from neurocompare.similarity.trials import SPLITS, Trials

LEAST_RELIABILITY = 0.3
"""Below this correlation of the responses in two halves no ceiling is given."""

_PART = 1 / np.sqrt(2)


@dataclass(frozen=True)
class Ceiling:
    """A noise ceiling.

    Attributes
    ----------
    low, high : float
        Its bounds, equal for an estimate; NaN where there is none.
    kind : str
        ``estimate (trials)``, ``bracket (trials)``, ``bracket (animals)``, ``corrected`` or empty.
    chronological : float
        The lower bound, or the estimate, from the first and the last trials instead of random halves: slow
        changes, which random halves share, make it lower. NaN where there is none.
    """

    low: float = np.nan
    high: float = np.nan
    kind: str = ""
    chronological: float = np.nan


NONE = Ceiling()
CORRECTED = "corrected"


def average(ceilings: Sequence[Ceiling]) -> Ceiling:
    """Average the ceilings of several animals.

    Parameters
    ----------
    ceilings : sequence of Ceiling
        All of one kind.

    Returns
    -------
    Ceiling
        Of the mean score.
    """
    if not ceilings:
        return NONE
    low, high, late = (
        float(np.mean([getattr(c, name) for c in ceilings])) for name in ("low", "high", "chronological")
    )
    return Ceiling(low, high, ceilings[0].kind, late)


def bracket(measure: Measure, worse: float, better: float, kind: str, late: float = np.nan) -> Ceiling:
    """Bound the noise ceiling by a score that is too bad and one that is too good.

    Parameters
    ----------
    measure : Measure
        The measure; of a distance, the worse bound is the higher one.
    worse, better : float
        The bounds.
    kind : str
        As in `Ceiling`.
    late : float
        The worse bound from the first and the last trials.

    Returns
    -------
    Ceiling
        With the lower number first.
    """
    if not np.isfinite([worse, better]).all():
        return NONE
    low, high = (worse, better) if measure.info["direction"] == "higher" else (better, worse)
    return Ceiling(low, high, kind, late)


def of_dependent_rows(measure: Measure) -> None:
    """Let a measure bound its ceiling where rows share noise, as times of one trial do, instead of estimating it.

    An estimate rests on inner products of two halves of the trials. Slow noise has the same covariance between the
    rows in both halves, which passes for signal there, and can raise the estimate above one. Only distances across
    halves (crossnobis) are free of it.

    Parameters
    ----------
    measure : Measure
        The measure, which is changed.
    """
    if measure.ceiling == "estimate" and not measure.info["repeats"]:
        measure.ceiling = "bracket"


def of_trials(measure: Measure, y: Reduced) -> Ceiling:
    """Find the noise ceiling of one recording from its trials.

    Parameters
    ----------
    measure : Measure
        The measure.
    y : Reduced
        The recording, a single one.

    Returns
    -------
    Ceiling
        NaN without repeats, and where the halves agree too little for an estimate.
    """
    trials = y.grams.trials[0] if y.grams is not None and y.grams.trials is not None else None
    if measure.ceiling == "none" or trials is None or _reliability(trials) < LEAST_RELIABILITY:
        return NONE
    if measure.ceiling == "one":
        return Ceiling(1.0, 1.0, CORRECTED)
    if measure.ceiling == "estimate":
        found, late = (_estimate(measure, y, trials, chronological=late) for late in (False, True))
        return Ceiling(found, found, "estimate (trials)", late)
    low, late = (_between_halves(measure, trials, chronological=late) for late in (False, True))
    high = _with_parts(measure, y, trials)
    return bracket(measure, low, high, "bracket (trials)", late)


def _reliability(trials: Trials) -> float:
    """The mean correlation of responses in two halves of the trials; minus infinity without halves.

    Where halves hardly agree, noise decides what their scores are, and an estimate is the root of almost nothing.
    What counts is the agreement of responses: that of kernels or RDMs falls with the dimensionality as well.
    """
    splits = trials.halves()
    if not splits:
        return -np.inf
    found = [split_half(*(trials.mean(half) for half in split)) for split in splits]
    return float(np.nan_to_num(np.mean(found), nan=-np.inf))


def _estimate(measure: Embedded, y: Reduced, trials: Trials, *, chronological: bool) -> float:
    """√(⟨A, B⟩ / ⟨M, M⟩): the truth scores ⟨M, S⟩ / √(⟨M, M⟩⟨S, S⟩), and ⟨A, B⟩ and ⟨M, S⟩ have the mean ⟨S, S⟩."""
    between, own = measure.noise_terms(y, trials, chronological=chronological)
    return float(np.sqrt(between / own)) if between > 0 and own > 0 else np.nan


def _between_halves(measure: Measure, trials: Trials, *, chronological: bool) -> float:
    """The score of one half of the trials with the other.

    Let T be the variance of the signal in what is compared (the cells of an RDM, say) and v that of the
    noise with all trials; the truth then scores √(T / (T + v)). One half scores less with the other half,
    T / (T + 2v) or, where squares of the noise prevail, T / (T + 4v). Noise that grows with the response
    biases the distances of all parts alike, and can raise this bound above the truth.
    """
    splits = trials.halves(_splits(measure), chronological=chronological)
    scores = []
    for split in splits:
        try:
            a, b = (measure.reduced(Grams.of_trials([trials.part(half)])) for half in split)
            scores.append(measure.scores(a, b)[0, 0])
        except UserError:
            return np.nan
    return float(np.mean(scores)) if scores else np.nan


def _with_parts(measure: Measure, y: Reduced, trials: Trials) -> float:
    """The score of all trials with a part of them that has √2 times the variance of the noise.

    As the part is in the whole, this is at least √((T + v) / (T + √2 v)) or, where squares of the noise
    prevail, √((T + v) / (T + 2v)), and above what the truth scores. The part is an unequal mix of the two
    halves (weights 0.82 and 0.18) or, for measures of single trials, 71 % of the trials.
    """
    scores = []
    try:
        for grams in _trial_parts(trials, measure) if measure.info["repeats"] else _mixtures(trials, measure):
            scores.append(measure.scores(measure.reduced(grams), y)[0, 0])
    except UserError:
        return np.nan
    return float(np.mean(scores)) if scores else np.nan


def mixtures(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mix two halves of the trials unequally, both ways.

    Parameters
    ----------
    a, b : arrays of shape (n_stimuli, n_units)
        Mean responses in the halves.

    Returns
    -------
    tuple of two arrays of shape (n_stimuli, n_units)
        With weights 0.82 and 0.18: the noise has √2 times the variance that it has in the mean of all trials.
    """
    weight = (1 + np.sqrt(np.sqrt(2) - 1)) / 2
    return weight * a + (1 - weight) * b, weight * b + (1 - weight) * a


def _mixtures(trials: Trials, measure: Measure):
    for split in trials.halves(_splits(measure)):
        yield from (Grams.of([part]) for part in mixtures(*(trials.mean(half) for half in split)))


def _trial_parts(trials: Trials, measure: Measure):
    """Parts with ⌈71 %⌉ of the trials of every stimulus, whole folds wherever they are complete."""
    folds = trials.folds()
    labels = np.unique(folds)
    kept = int(np.ceil(_PART * len(labels)))
    rng = np.random.default_rng([len(trials.values), len(labels)])
    for _ in range(_splits(measure)):
        chosen = np.isin(folds, rng.permutation(labels)[:kept])
        yield Grams.of_trials([trials.part(chosen)])


def _splits(measure: Measure) -> int:
    return min(SPLITS, measure.splits)


def of_animals(measure: Measure, y: Reduced, members: Sequence[int]) -> list[Ceiling]:
    """Bound the noise ceiling by leaving animals out (Nili et al. 2014).

    Parameters
    ----------
    measure : Measure
        The measure.
    y : Reduced
        The targets.
    members : sequence of int
        Which of them are single animals.

    Returns
    -------
    list of Ceiling
        For each member: the score of all others, as one model, with it (too low: the others are noisy) and
        that of all (too high: the animal is among them). NaN for a single animal.
    """
    if len(members) < 2:
        return [NONE] * len(members)
    found = []
    try:
        everyone = _together(measure, y, members)
        for k in members:
            others = _together(measure, y, [m for m in members if m != k])
            low, high = (measure.scores(model, y[k : k + 1])[0, 0] for model in (others, everyone))
            found.append(bracket(measure, float(low), float(high), "bracket (animals)"))
    except UserError:
        # All units together can be too many, or too different in size, for a measure of single animals.
        return [NONE] * len(members)
    return found


def _together(measure: Measure, y: Reduced, members: Sequence[int]) -> Reduced:
    """Several animals as one model: their average RDM, or all their units as one population."""
    parts = [y.parts[k] for k in members]
    if isinstance(measure, Embedded):
        average = measure.average(np.stack([part.matrix for part in parts]))
        if average is not None:
            return Reduced([parts[0]._replace(matrix=average, halves=None)])
    if not {"isotropic scale", "affine"} & set(measure.info["invariances"].split(", ")):
        raise UserError("a population of all animals is larger than one of them, and this distance grows with size")
    grams = y.grams
    if grams is None:
        raise UserError("published RDMs have no units to be pooled")
    # Animals count alike, however many units or however large responses they have.
    sizes = {k: np.linalg.norm(grams.units[k] - grams.units[k].mean(0)) or 1.0 for k in members}
    if grams.trials is not None:
        first = grams.trials[members[0]]
        values = np.hstack([grams.trials[k].values / sizes[k] for k in members])
        return measure.reduced(Grams.of_trials([first.with_values(values)]))
    return measure.reduced(Grams.of([np.hstack([grams.units[k] / sizes[k] for k in members])]))


def inter_animal(measure: Measure, y: Reduced) -> float:
    """Score animals as models of one another.

    Parameters
    ----------
    measure : Measure
        The measure.
    y : Reduced
        The animals.

    Returns
    -------
    float
        Mean over all ordered pairs; NaN for a single animal.
    """
    if len(y) < 2:
        return np.nan
    try:
        scores = measure.scores(y, y)
    except UserError:
        return np.nan
    return float(scores[~np.eye(len(y), dtype=bool)].mean())
