"""Scores of encoders with what belongs to them: nulls that are refitted, resamples, ceilings, choices of a layer."""

import numpy as np

from neurocompare.prediction.held_out import Predictions, by_repeat, correlation, median
from neurocompare.similarity import ceilings
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.ceilings import Ceiling
from neurocompare.similarity.evaluation import Evaluation, Target, dimensionalities


def evaluate(encoder, target: Target, candidates: Grams, plan, gated: np.ndarray | None) -> Evaluation:
    """Score all layers against a region; see `encoding.Encoder.evaluate`.

    Parameters
    ----------
    encoder : encoding.Encoder
        How neurons are predicted and scored.
    target : evaluation.Target
        A region of a recording, with those units that are scored.
    candidates : Grams
        The layers.
    plan : resampling.Plan
        Resamples and permutations of the stimuli.
    gated : array of int of shape (n_animals,), optional
        Numbers of units that were left out before.

    Returns
    -------
    evaluation.Evaluation
        Scores.
    """
    # Animals, and all shuffles, are fitted side by side, as if they were more neurons.
    grams = target.grams
    animals = range(len(grams))
    n, owner = len(grams.gram[0]), np.repeat(np.arange(len(grams)), grams.n_units)
    responses = np.hstack(grams.units)
    trials = [by_repeat(t) for t in grams.trials] if encoder.by_trials else [None] * len(grams)
    orders = plan.permutations[: encoder.permutations]
    some = np.concatenate([encoder.in_null(owner, k) for k in animals])
    shuffled = responses[:, some][orders].transpose(1, 0, 2).reshape(n, -1)
    groups = np.concatenate([owner, (owner[some] + len(grams) * (1 + np.arange(len(orders))[:, None])).ravel()])

    def of_units(predictions, stimuli=slice(None)):
        """The score of each unit, by animal."""
        if not encoder.by_trials:
            scores = encoder.agreements(predictions, responses, None, stimuli)
            return [scores[owner == k] for k in animals]
        return [encoder.agreements(predictions.of(owner == k), grams.units[k], trials[k], stimuli) for k in animals]

    def by_animal(predictions, stimuli):
        return np.array([median(scores) for scores in of_units(predictions, stimuli)])

    def resampled(predictions):
        if encoder.scored == "pearson":
            r = correlation(predictions.change, responses, plan.weights)
            return np.stack([median(r[:, owner == k]) for k in animals], axis=-1)
        samples = [np.repeat(np.arange(n), weights) for weights in plan.weights.astype(int)]
        return np.array([by_animal(predictions, sample) for sample in samples]).reshape(-1, len(grams))

    def of_shuffles(predictions):
        if not encoder.by_trials:
            scores = encoder.agreements(predictions, shuffled).reshape(len(orders), len(some))
            return np.stack([median(scores[:, owner[some] == k]) for k in animals], axis=-1)
        found = np.empty((len(orders), len(grams)))
        for i, order in enumerate(orders):
            for k in animals:
                mine = owner[some] == k
                own = some[mine] - np.flatnonzero(owner == k)[:1]
                one = predictions.of(i * len(some) + np.flatnonzero(mine))
                found[i, k] = median(
                    encoder.agreements(one, grams.units[k][order][:, own], trials[k][:, order][..., own])
                )
        return found

    def alone(gram, features, inside):
        """Score on some stimuli predictions from models of these alone."""
        part = encoder.predict(
            gram[np.ix_(inside, inside)],
            responses[inside],
            groups=owner,
            features=None if features is None else features[inside],
        )
        found = Predictions(np.zeros_like(responses), np.zeros_like(responses))
        found.change[inside], found.baseline[inside] = part.change, part.baseline
        return by_animal(found, inside)

    sides = [(half, ~half) for half in plan.partitions]
    found: dict[str, list] = {key: [] for key in ("value", "draws", "null", "halves", "choosers", "undefined")}
    for gram, features in zip(candidates.gram, candidates.units or [None] * len(candidates), strict=True):
        both = encoder.predict(gram, np.hstack([responses, shuffled]), groups=groups, features=features)
        own = both.of(slice(0, len(owner)))
        scores = of_units(own)
        found["value"].append(np.array([median(r) for r in scores]))
        found["undefined"].append(np.array([np.isnan(r).sum() for r in scores]))
        found["draws"].append(resampled(own))
        found["null"].append(of_shuffles(both.of(slice(len(owner), None))))
        found["halves"].append([[by_animal(own, side) for side in pair] for pair in sides])
        found["choosers"].append([[alone(gram, features, side) for side in pair] for pair in sides])
    single = [ceiling(encoder, grams, k) for k in animals]
    return Evaluation(
        **{key: np.stack(found[key], axis=-1) for key in ("value", "draws", "null")},
        ceilings=single,
        together=ceilings.average([single[k] for k in target.members]),
        inter_animal=np.nan,
        halves=_by_partition(found["halves"]),
        choosers=_by_partition(found["choosers"]),
        undefined_units=np.stack(found["undefined"], axis=-1),
        gated_units=gated,
        warnings=[[] for _ in candidates.gram],
        **dimensionalities(target, candidates),
    )


def ceiling(encoder, grams: Grams, animal: int) -> Ceiling:
    """Bound the noise ceiling as for other measures: a half predicts the other half, and a larger part the whole.

    Parameters
    ----------
    encoder : encoding.Encoder
        How neurons are scored.
    grams : Grams
        Recordings, perhaps with trials.
    animal : int
        Which of them.

    Returns
    -------
    Ceiling
        One for scores that are corrected for noise; NaN without repeats.
    """
    trials = None if grams.trials is None else grams.trials[animal]
    if trials is None or not trials.repeated():
        return ceilings.NONE
    if encoder.by_trials:
        return Ceiling(1.0, 1.0, ceilings.CORRECTED)

    def agreement(first, second):
        return float(median(encoder.agreement(first, second)))

    def halves(late):
        return [[trials.mean(half) for half in split] for split in trials.halves(chronological=late)]

    low, late = (float(np.mean([agreement(a, b) for a, b in halves(late)])) for late in (False, True))
    whole = grams.units[animal]
    high = np.mean([agreement(part, whole) for a, b in halves(False) for part in ceilings.mixtures(a, b)])
    return Ceiling(low, float(high), "bracket (trials)", late)


def _by_partition(layers):
    """From scores (layer, partition, half, ...) to a list of pairs with layers running last."""
    return [
        tuple(np.stack(half, axis=-1) for half in zip(*partition, strict=True))
        for partition in zip(*layers, strict=True)
    ]
