"""Steps that any measure id may name before the comparison: what is done to the units of the recording.

``responses=zscore`` (``sqrt``, ``soft``) normalises units; ``sample=50`` compares random samples of 50 of
the units and averages the scores, and ``sample=matched`` takes the number of units of the smallest region
of the recording, so that regions can be compared with one another. ``partial=pixels`` removes from the
scores what a control network explains.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.arrays import Grams

SAMPLES = 20
"""Random samples of units, over which scores are averaged."""

_SEED = 20251115


@dataclass(frozen=True)
class Steps:
    """What an id asks for beside its measure.

    Attributes
    ----------
    responses : str or None
        How units are normalised.
    sample : str or None
        How many units are compared at a time, or ``matched``.
    partial : str or None
        The network that is controlled for.
    """

    responses: str | None = None
    sample: str | None = None
    partial: str | None = None


def split(options: dict[str, str]) -> tuple[dict[str, str], Steps]:
    """Tell the options of a measure from the steps before it.

    Parameters
    ----------
    options : dict
        All options of an id.

    Returns
    -------
    own : dict
        Those of the measure.
    steps : Steps
        The others.

    Raises
    ------
    UserError
        If a step has an unknown value.
    """
    names = Steps.__dataclass_fields__
    steps = Steps(**{key: value for key, value in options.items() if key in names})
    if steps.responses is not None:
        from neurocompare.similarity.normalisation import NORMALISATIONS

        if steps.responses not in NORMALISATIONS:
            raise unknown("normalisation of units", steps.responses, NORMALISATIONS)
    if steps.sample not in (None, "matched") and not (steps.sample.isdecimal() and int(steps.sample) > 0):
        raise UserError(f"sample={steps.sample}: give a number of units, or 'matched'")
    return {key: value for key, value in options.items() if key not in names}, steps


def normalised(measure, target: Grams) -> Grams:
    """Normalise the units of a recording as the id asks.

    Parameters
    ----------
    measure : Measure
        The measure with its steps.
    target : Grams
        The recording.

    Returns
    -------
    Grams
        Of the normalised responses.
    """
    how = measure.steps.responses
    if how is None:
        return target
    from neurocompare.similarity.normalisation import normalise

    if target.trials is not None:
        return Grams.of_trials([normalise(trials, how) for trials in target.trials])
    return Grams.of([normalise(x, how) for x in target.units])


def samples(measure, target: Grams, matched: int | None = None) -> list[Grams]:
    """Draw random samples of the units of a recording, if the id asks for it.

    Parameters
    ----------
    measure : Measure
        The measure with its steps.
    target : Grams
        The recording.
    matched : int, optional
        What ``matched`` stands for.

    Returns
    -------
    list of Grams
        One with all units, or `SAMPLES` with some of them; one too where there are just as many as wanted.

    Raises
    ------
    UserError
        If there are fewer units than the id asks for.
    """
    wanted = measure.steps.sample
    target = normalised(measure, target)
    if wanted is None:
        return [target]
    if wanted == "matched" and matched is None:
        raise UserError("sample=matched compares regions of a recording: use it in a study, or give a number of units")
    size = matched if wanted == "matched" else int(wanted)
    if target.n_units.min() < size:
        raise UserError(
            f"sample={wanted}: there are only {target.n_units.min()} units; ask for fewer, or for 'matched'"
        )
    if (target.n_units == size).all():
        return [target]
    return [subset(target, [_chosen(p, size, k) for p in target.n_units]) for k in range(SAMPLES)]


def subset(target: Grams, chosen: list[np.ndarray]) -> Grams:
    """Keep some units of each representation.

    Parameters
    ----------
    target : Grams
        With units.
    chosen : list of arrays of int
        Which units.

    Returns
    -------
    Grams
        Of these units.
    """
    if target.trials is not None:
        return Grams.of_trials(
            [t.with_values(t.values[:, units]) for t, units in zip(target.trials, chosen, strict=True)]
        )
    return Grams.of([x[:, units] for x, units in zip(target.units, chosen, strict=True)])


def _chosen(n_units: int, size: int, k: int) -> np.ndarray:
    """The same sample for the same number of units: animals and measures are compared on the same neurons."""
    return np.sort(np.random.default_rng([_SEED, int(n_units), size, k]).choice(n_units, size, replace=False))


def mean_over_samples(measure, target: Grams, scored: Callable[[Grams], np.ndarray]) -> np.ndarray:
    """Average a score over samples of units.

    Parameters
    ----------
    measure : Measure
        The measure with its steps.
    target : Grams
        The recording.
    scored : callable
        From a recording to scores.

    Returns
    -------
    array
        The mean of the scores.
    """
    return np.mean([scored(sample) for sample in samples(measure, target)], axis=0).squeeze()
