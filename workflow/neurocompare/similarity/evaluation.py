"""One way to a score with its ceiling, null and resamples, for all measures that compare stimuli in pairs.

Such a measure turns a representation into a matrix of stimuli by stimuli (an RDM, a kernel) and maps
that matrix to a vector (`embed`) so that the score of two representations is an inner product. The map
commutes with permutations, so the null costs one matrix product.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.inference.resampling import Plan
from neurocompare.similarity.arrays import Grams


@dataclass(frozen=True)
class Target:
    """What candidates are compared with: one region of a recording.

    Attributes
    ----------
    animals : tuple of str
        Labels along the first axis of the evaluation.
    rdms : array of shape (n_animals, n_stimuli, n_stimuli), optional
        Published RDMs; then there are no responses.
    pooled : bool
        Whether the last of `rdms` is the mean of the others, which then share a noise ceiling.
    responses : array of shape (n_animals, n_stimuli, n_units), optional
        Responses averaged over trials.
    halves : array of shape (n_splits, 2, n_animals, n_stimuli, n_units), optional
        Responses averaged over halves of the trials; None without repeats.
    """

    animals: tuple[str, ...]
    rdms: np.ndarray | None = None
    pooled: bool = False
    responses: np.ndarray | None = None
    halves: np.ndarray | None = None


@dataclass(frozen=True)
class Evaluation:
    """Scores of candidates with what is needed to judge them.

    Attributes
    ----------
    value : array of shape (n_animals, n_candidates)
        Scores.
    draws : array of shape (n_bootstraps, n_animals, n_candidates)
        Scores in bootstrap samples of the stimuli.
    null : array of shape (n_permutations, n_animals, n_candidates)
        Scores with the stimuli shuffled.
    ceiling_low, ceiling_high : arrays of shape (n_animals,)
        Bounds of the noise ceiling; NaN where there is none.
    halves : list of tuples of arrays of shape (n_samples, n_animals, n_candidates)
        For each partition, scores on its two halves: first with all stimuli, then in bootstrap samples.
    choosers : list of tuples of arrays of shape (n_samples, n_animals, n_candidates), optional
        The same from the responses of each half alone, for measures that fit: what is scored on one half
        may not have taken part in the choice made on the other. None where `halves` are such already.
    undefined_units : array of int of shape (n_animals, n_candidates), optional
        Numbers of units without a score, for measures that score units one by one.
    """

    value: np.ndarray
    draws: np.ndarray
    null: np.ndarray
    ceiling_low: np.ndarray
    ceiling_high: np.ndarray
    halves: list[tuple[np.ndarray, np.ndarray]]
    choosers: list[tuple[np.ndarray, np.ndarray]] | None = None
    undefined_units: np.ndarray | None = None


def evaluate(
    target: Target,
    candidates: Grams,
    plan: Plan,
    *,
    matrices: Callable,
    embed: Callable,
    weighted: Callable,
    average: Callable | None = None,
    cross_half: bool = False,
) -> Evaluation:
    """Score candidates against a target.

    Parameters
    ----------
    target : Target
        The region.
    candidates : Grams
        The layers.
    plan : Plan
        Resamples and permutations.
    matrices : callable
        From Grams to an array of shape (n, n_stimuli, n_stimuli).
    embed : callable
        From such matrices to vectors of the same shape whose inner product is the score.
    weighted : callable
        From the target's matrices, the candidates' and weights to scores in resamples.
    average : callable, optional
        From the RDMs of several animals to the one that represents them best.
    cross_half : bool
        Whether the target's self-term is taken between halves of its trials; its ceiling is then one.

    Returns
    -------
    Evaluation
        Scores with all that belongs to them.
    """
    others = matrices(candidates)
    own = target.rdms if target.rdms is not None else matrices(Grams.of(target.responses))
    halves = _matrices(target.halves, matrices)
    if cross_half and halves is None:
        raise UserError("cross-half normalisation needs halves of the trials, in which every stimulus is defined")
    extra = {"halves": halves} if cross_half else {}
    embedded, embedded_others = embed(own, **extra), embed(others)
    if cross_half:
        low = high = np.ones(len(own))
    elif target.rdms is not None:
        low, high = between_animals(own[:-1] if target.pooled else own, embed, average)
        if target.pooled:
            low, high = np.append(low, np.nan), np.append(high, np.nan)
    else:
        low, high = between_halves(embedded, halves, _matrices(majorities(target), matrices), embed)

    def on_half(members: np.ndarray, weights: np.ndarray) -> np.ndarray:
        inside = np.flatnonzero(members)
        pick = np.ix_(inside, inside)
        part = {"halves": halves[..., pick[0], pick[1]]} if cross_half else {}
        sample = np.vstack([np.ones(len(inside)), weights[:, inside]])
        return weighted(own[:, pick[0], pick[1]], others[:, pick[0], pick[1]], sample, **part)

    return Evaluation(
        value=np.einsum("tij,kij->tk", embedded, embedded_others),
        draws=weighted(own, others, plan.weights, **extra),
        null=shuffled(embedded, embedded_others, plan.permutations),
        ceiling_low=low,
        ceiling_high=high,
        halves=[(on_half(half, plan.weights), on_half(~half, plan.weights)) for half in plan.partitions],
    )


def majorities(target: Target) -> np.ndarray | None:
    """Mix the two halves of the trials unequally, to bound a noise ceiling from above.

    With weights 0.82 and 0.18 the noise has √2 times the variance that it has in the mean of all trials.

    Parameters
    ----------
    target : Target
        A region.

    Returns
    -------
    array of shape (n_splits, 2, n_animals, n_stimuli, n_units) or None
        In both ways, the greater weight on one half and on the other; None without repeats.
    """
    if target.halves is None:
        return None
    weight = (1 + np.sqrt(np.sqrt(2) - 1)) / 2
    return weight * target.halves + (1 - weight) * target.halves[:, ::-1]


def _matrices(halves: np.ndarray | None, matrices: Callable) -> np.ndarray | None:
    """Matrices of parts of the trials; None if a part is too sparse for the measure."""
    if halves is None:
        return None
    try:
        return np.stack([[matrices(Grams.of(half)) for half in split] for split in halves])
    except UserError:
        return None


def shuffled(embedded: np.ndarray, others: np.ndarray, permutations: np.ndarray) -> np.ndarray:
    """Score embedded matrices with the stimuli of the target shuffled.

    Parameters
    ----------
    embedded : array of shape (n_targets, n_stimuli, n_stimuli)
        Targets.
    others : array of shape (n_others, n_stimuli, n_stimuli)
        Candidates.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_others)
        Scores under the null.
    """
    flat = others.reshape(len(others), -1).T
    null = np.empty((len(permutations), len(embedded), len(others)))
    # Chunks bound the memory: 100 shuffles of 500 stimuli are 200 MB.
    for start in range(0, len(permutations), 100):
        chunk = permutations[start : start + 100]
        for t, matrix in enumerate(embedded):
            null[start : start + 100, t] = matrix[chunk[:, :, None], chunk[:, None, :]].reshape(len(chunk), -1) @ flat
    return null


def between_animals(rdms: np.ndarray, embed: Callable, average: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Bound the noise ceiling by leaving animals out (Nili et al. 2014).

    Parameters
    ----------
    rdms : array of shape (n_animals, n_stimuli, n_stimuli)
        One RDM for each animal.
    embed : callable
        As in `evaluate`.
    average : callable
        From several RDMs to the one that represents them best.

    Returns
    -------
    low, high : arrays of shape (n_animals,)
        The score of each animal with the average of the others (too low: the others are noisy) and with
        the average of all (too high: the animal is in it); NaN for a single animal.
    """
    if len(rdms) < 2:
        return np.full(len(rdms), np.nan), np.full(len(rdms), np.nan)
    embedded = embed(rdms)
    everyone = embed(average(rdms)[None])[0]
    rest = embed(np.stack([average(np.delete(rdms, t, axis=0)) for t in range(len(rdms))]))
    return np.einsum("tij,tij->t", embedded, rest), np.einsum("tij,ij->t", embedded, everyone)


def between_halves(
    embedded: np.ndarray, halves: np.ndarray | None, parts: np.ndarray | None, embed: Callable
) -> tuple[np.ndarray, np.ndarray]:
    """Bound the noise ceiling of one recording by parts of its trials.

    Let T be the variance of the signal in what is compared (the cells of an RDM, say) and v that of the
    noise with all trials; the truth then scores √(T / (T + v)). One half scores less with the other half,
    T / (T + 2v) or, where squares of the noise prevail, T / (T + 4v). A part of the trials with √2 times
    the noise variance scores more with all trials, of which it is a part: at least
    √((T + v) / (T + 2v)) in either case. Noise that grows with the response biases the distances of all
    parts alike, and can raise the lower bound above the truth.

    Parameters
    ----------
    embedded : array of shape (n_targets, n_stimuli, n_stimuli)
        From all trials.
    halves : array of shape (n_splits, 2, n_targets, n_stimuli, n_stimuli) or None
        Matrices from halves of the trials.
    parts : array of shape (n_splits, 2, n_targets, n_stimuli, n_stimuli) or None
        Matrices from `majorities`.
    embed : callable
        As in `evaluate`.

    Returns
    -------
    low, high : arrays of shape (n_targets,)
        Means over the splits; NaN without repeats.
    """
    if halves is None or parts is None:
        return np.full(len(embedded), np.nan), np.full(len(embedded), np.nan)
    low = np.mean([np.einsum("tij,tij->t", embed(a), embed(b)) for a, b in halves], axis=0)
    high = np.mean([np.einsum("tij,tij->t", embedded, embed(part)) for pair in parts for part in pair], axis=0)
    return low, high
