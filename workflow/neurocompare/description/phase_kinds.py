"""What the parts of `phases` follow: tests on trials that have not shaped the parts.

With the weights of the units, the strength of each part is read from every single trial (least squares). These weights
may be negative, given the time courses: where the true ones are zero, those of the factorisation are positive by noise,
and would mix parts. Selectivity compares halves of the trials; for its interval, parts are fitted to each resample of
the trials anew. For p-values, weights come from a third of the trials, and labels and times are shuffled
in the others only, on which these weights do not depend. The p-values of ten random splits, which share trials, are
combined by twice their median, which is valid however they depend on each other (Meinshausen, Meier & Bühlmann 2009,
JASA 104:1671). Parts of few trials are mixed with each other by noise: one that follows the phase may then have a small
p-value of content beside a selectivity near zero, which is why a content part needs both.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

from neurocompare.description import phase_parts
from neurocompare.factorization import STARTS, fit, matched_cosine, parts, unit_rows
from neurocompare.inference.corrections import holm

KINDS = ("phase", "content", "other")
"""Kinds of parts and units; their places are the numbers in details, −1 stands for what is not told."""

SPLITS = 10
FITTED = 3
"""One in so many trials is fitted, the others are tested."""
REFITS = 50
"""Resamples of the units for the interval of reproducibility."""

RESAMPLES = 200
"""Resamples of the trials for the interval of selectivity."""

LEVEL = 0.05
MOST = 0.5
STEADY = 0.2
"""A part that varies by less than this, relative to its mean, follows nothing."""


@dataclass(frozen=True, eq=False)
class Tested:
    """What splits of the trials say.

    Attributes
    ----------
    kind : array of int of shape (rank,)
        Places in `KINDS`, −1 if there is no null.
    selectivity : array of shape (rank,)
        Variance between conditions over the mean square above the lowest level: 1 for a part that is active in one
        condition only, 0 for one that is the same in all; NaN if that square is not above zero.
    interval : array of shape (2, rank)
        Its 95 % interval.
    null : array of shape (n_permutations, rank)
        Selectivity with shuffled labels; empty without a null.
    p_content : array of shape (rank,)
        P-values of the difference between conditions, corrected over parts.
    of_units : array of shape (n_units,)
        Selectivity of the units themselves, in which parts have no say.
    reproduced : float
        Matched cosine of the time courses of parts from two halves of the trials.
    reproduced_null, reproduced_draws : arrays of shape (n,)
        Its null and its bootstrap over units.
    """

    kind: np.ndarray
    selectivity: np.ndarray
    interval: np.ndarray
    null: np.ndarray
    p_content: np.ndarray
    of_units: np.ndarray
    reproduced: float
    reproduced_null: np.ndarray
    reproduced_draws: np.ndarray

    @classmethod
    def untested(cls, selectivity: np.ndarray) -> "Tested":
        """Selectivity and nothing else."""
        rank, none = len(selectivity), np.zeros((0, len(selectivity)))
        missing = np.full((2, rank), np.nan)
        return cls(np.full(rank, -1), selectivity, missing, none, missing[0], none[0:0], np.nan, none, none)


def tested(data, weight: np.ndarray, course: np.ndarray, loss: str, null: bool, rng: np.random.Generator) -> Tested:
    """Test what parts follow.

    Parameters
    ----------
    data : Responses
        Single trials.
    weight : array of shape (n_units, rank)
        Weights of the parts of all trials.
    course : array of shape (rank, n_conditions, n_times)
        Their time courses.
    loss : {"frobenius", "kullback-leibler"}
        Loss of the factorisation.
    null : bool
        Whether labels may be shuffled.
    rng : Generator
        The source of randomness.

    Returns
    -------
    Tested
        What was found.
    """
    h = course.reshape(len(course), -1)
    results = [_split(data, weight, h, loss, null, rng) for _ in range(SPLITS)]
    content, phase, power, square = np.mean([found["selectivity"] for found in results], 0)
    selectivity = ratio(content, power)
    draws = np.array([ratio(terms[0], terms[2]) for found in results for terms in found["draws"]])
    trials = np.bincount(data.condition).min()
    error = 1.96 * np.nanstd(draws, 0) * np.sqrt(trials / (trials - 1))
    kind, p_content, shuffled = np.full(len(h), -1), np.full(len(h), np.nan), np.zeros((0, len(h)))
    if null:
        p_content = holm(_combined([found["p_content"] for found in results]))
        p_phase = _combined([found["p_phase"] for found in results])
        depth = np.sqrt(np.maximum(content + phase, 0) / np.maximum(square, 1e-300))
        kind[:] = KINDS.index("other")
        differs = selectivity >= MOST
        kind[(p_phase < LEVEL) & ~differs & (depth >= STEADY)] = KINDS.index("phase")
        kind[(p_content < LEVEL) & differs & (depth >= STEADY)] = KINDS.index("content")
        shuffled = np.concatenate([found["null"] for found in results])
    units = np.mean([found["units"] for found in results], 0)
    return Tested(
        kind=kind,
        selectivity=selectivity,
        interval=np.stack([selectivity - error, selectivity + error]),
        null=shuffled,
        p_content=p_content,
        of_units=ratio(units[0], units[2]),
        reproduced=float(np.mean([found["reproduced"] for found in results])),
        reproduced_null=np.mean([found["turned"] for found in results], 0),
        reproduced_draws=_refitted(results, loss, rng),
    )


def lowest_p(condition: np.ndarray, rank: int) -> float:
    """Return the smallest p-value of content that a part can have, given how many trials there are.

    Parameters
    ----------
    condition : array of int of shape (n_trials,)
        Conditions.
    rank : int
        Number of parts.

    Returns
    -------
    float
        That of a part that exceeds all other orders of the labels of the tested trials, corrected as p-values are.
    """
    count = np.bincount(condition)
    count -= np.maximum(1, count // FITTED)
    # The logarithm of the number of orders, a multinomial coefficient.
    orders = gammaln(count.sum() + 1) - gammaln(count + 1).sum()
    return 2 * rank * max(float(np.exp(-orders)), 1 / (phase_parts.PERMUTATIONS + 1))


def resampled(condition: np.ndarray, trials: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw trials anew within conditions.

    Parameters
    ----------
    condition : array of int of shape (n_trials,)
        Conditions of all trials.
    trials : array of int of shape (n,)
        Those to draw from.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int of shape (n,)
        Trials, some perhaps several times, as many of each condition.
    """
    of = condition[trials]
    return np.concatenate([rng.choice(trials[of == level], (of == level).sum()) for level in np.unique(of)])


def ratio(content: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Return the selectivity of parts.

    Parameters
    ----------
    content, power : arrays of shape (rank,)
        From `phase_parts.variances` and `phase_parts.power`, with as many conditions.

    Returns
    -------
    array of shape (rank,)
        NaN where the power is not above zero.
    """
    return np.divide(content, power, out=np.full(content.shape, np.nan), where=power > 0)


def of_units(weight: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Assign units to the kind of the parts that have most of their weights.

    Parameters
    ----------
    weight : array of shape (n_units, rank)
        Weights.
    kind : array of int of shape (rank,)
        Kinds of the parts, −1 if they are not told.

    Returns
    -------
    array of int of shape (n_units,)
        Kinds; ``other`` for a unit without weights, −1 if kinds are not told.
    """
    if (kind < 0).any():
        return np.full(len(weight), -1)
    sums = np.stack([weight[:, kind == number].sum(1) for number in range(len(KINDS))], axis=1)
    return np.where(sums.any(1), sums.argmax(1), KINDS.index("other"))


def _split(data, weight, h, loss, null, rng) -> dict:
    """Compare two halves of the trials; fit parts to a third of the trials, and test them on the rest."""
    halves = _cut(data.condition, 2, rng)
    found = {"selectivity": _terms(data, _strength(data, h, None), halves, h.min(1))}
    found["draws"] = [_drawn(data, weight, h, halves, loss, rng) for _ in range(RESAMPLES // SPLITS)]
    level = phase_parts.smooth(phase_parts.averages(data.values, data.condition), data.bin_width, 1).min((0, 1))
    found["units"] = _terms(data, data.values, halves, level)
    found["x"] = [data.matrix(half) for half in halves]
    found["fits"] = [parts(x, len(h), seed=int(rng.integers(2**31)), loss=loss, starts=STARTS)[0] for x in found["x"]]
    one, two = (fitted[1] for fitted in found["fits"])
    found["reproduced"] = matched_cosine(one, two)
    found["turned"] = phase_parts.turned(one, two, data.condition.max() + 1, rng)
    if null:
        found |= _shuffled(data, h, loss, rng)
    return found


def _shuffled(data, h, loss, rng) -> dict:
    """P-values and null of parts that were fitted to a third of the trials, on the other trials."""
    first, second = _cut(data.condition, FITTED, rng)
    _, own, _ = parts(data.matrix(first), len(h), seed=int(rng.integers(2**31)), loss=loss, starts=STARTS)[0]
    # Which part is which is all that is taken from the other trials.
    match = linear_sum_assignment(unit_rows(h) @ own.T, maximize=True)[1]
    strength = _strength(data, own[match], first)
    labels = data.condition[second]
    a, b = (phase_parts.averages(strength, data.condition, side) for side in (first, second))
    content, phase = phase_parts.variances(a, b)
    null = phase_parts.relabelled(a, strength[second], labels, rng)
    shifted = phase_parts.shifted(a, strength[second], labels, rng)
    power = phase_parts.power(a, b, h.min(1))
    return {
        "null": null / np.maximum(power, 1e-300),
        "p_content": _p(content, null),
        "p_phase": _p(phase, shifted),
    }


def _drawn(data, weight, h, halves, loss, rng) -> np.ndarray:
    """`_terms` of parts that are fitted to resampled trials."""
    drawn = [resampled(data.condition, half, rng) for half in halves]
    both = np.concatenate(drawn)
    course = unit_rows(fit(data.matrix(both), len(h), loss, start=(weight, h), loose=True)[1])
    return _terms(data, _strength(data, course, both), drawn, course.min(1))


def _strength(data, h, chosen) -> np.ndarray:
    """Strength of each part in single trials (trial, time, part), with the weights of the chosen ones, or of all."""
    weight = data.matrix(chosen) @ np.linalg.pinv(h)
    return phase_parts.smooth(data.values @ np.linalg.pinv(weight).T, data.bin_width, 1)


def _terms(data, strength, halves, lowest) -> np.ndarray:
    """What selectivity and depth are made of (4, n): variances of content and phase, power, and square of the mean."""
    a, b = (phase_parts.averages(strength, data.condition, half) for half in halves)
    square = a.mean((0, 1)) * b.mean((0, 1))
    return np.stack([*phase_parts.variances(a, b), phase_parts.power(a, b, lowest), square])


def _cut(condition, share, rng) -> tuple[np.ndarray, np.ndarray]:
    """Random trials of every condition, one in `share` and all others; of halves, both are of one size."""
    first, second = [], []
    for level in np.unique(condition):
        members = rng.permutation(np.flatnonzero(condition == level))
        size = max(1, len(members) // share)
        first.append(members[:size])
        second.append(members[size : 2 * size] if share == 2 else members[size:])
    return np.concatenate(first), np.concatenate(second)


def _refitted(results, loss, rng) -> np.ndarray:
    """Matched cosines between halves, with units drawn anew."""
    draws = np.empty(REFITS)
    for i in range(REFITS):
        found = results[i % SPLITS]
        taken = rng.integers(len(found["x"][0]), size=len(found["x"][0]))
        fitted = [
            fit(x[taken], len(h), loss, start=(w[taken], h), loose=True)[1]
            for x, (w, h, _) in zip(found["x"], found["fits"], strict=True)
        ]
        draws[i] = matched_cosine(*fitted)
    return draws


def _p(value: np.ndarray, null: np.ndarray) -> np.ndarray:
    return (1 + (null >= value - 1e-12).sum(0)) / (len(null) + 1)


def _combined(p_values: list[np.ndarray]) -> np.ndarray:
    return np.minimum(1, 2 * np.median(p_values, axis=0))
