"""The twenty tasks of Yang et al. 2019 (Nat Neurosci 22:297): what is shown when, and where the response has to go.

Times, strengths and rules are those of the authors' public code (`gyyang/multitask`, `task.py`), by its names of the
rules. Stimuli are bumps on two rings of units, the modalities; locations are angles in rad.

Families of rules
-----------------
go
    One stimulus, in either modality; the response goes to it, or, for ``anti``, to the opposite side. ``fd``: the
    stimulus comes on before the fixation goes off, and stays; ``react``: the response follows the stimulus, and the
    fixation stays; ``delay``: the stimulus goes off before the fixation does.
decision
    Two stimuli, together or one after the other (``delay``); the response goes to the stronger one, in modality 1
    (``dm1``) or 2 (``dm2``), which are shown alone, or else with the other one that is to be ignored (``context``), or
    summed over both (``multi``).
match
    Two stimuli, one after the other, each in either modality; the response goes to the second one if it is at the
    location of the first (``dmsgo``), or in the same half of the ring (``dmcgo``: angles below π, and the others), and
    the fixation is kept otherwise; ``nogo`` the other way around. The fixation stays.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rule:
    """One of the twenty tasks.

    Attributes
    ----------
    family : {"go", "decision", "match"}
        See the module.
    timing : {"fixed", "reaction", "delayed", "together", "apart"}
        When stimuli are shown: the first three for ``go``, the others for two stimuli.
    anti : bool
        Whether the response goes to the opposite side.
    shown, heeded : tuple of int
        Modalities, of a ``decision``, in which stimuli are, and which count.
    category : bool
        Whether halves of the ring have to match, instead of locations.
    go_if_match : bool
        Whether the response is due when they match, or when they do not.
    """

    family: str
    timing: str
    anti: bool = False
    shown: tuple[int, ...] = ()
    heeded: tuple[int, ...] = ()
    category: bool = False
    go_if_match: bool = True


def _decision(timing: str, shown: tuple[int, ...], heeded: tuple[int, ...]) -> Rule:
    return Rule("decision", timing, shown=shown, heeded=heeded)


RULES = {
    "fdgo": Rule("go", "fixed"),
    "reactgo": Rule("go", "reaction"),
    "delaygo": Rule("go", "delayed"),
    "fdanti": Rule("go", "fixed", anti=True),
    "reactanti": Rule("go", "reaction", anti=True),
    "delayanti": Rule("go", "delayed", anti=True),
    "dm1": _decision("together", (1,), (1,)),
    "dm2": _decision("together", (2,), (2,)),
    "contextdm1": _decision("together", (1, 2), (1,)),
    "contextdm2": _decision("together", (1, 2), (2,)),
    "multidm": _decision("together", (1, 2), (1, 2)),
    "delaydm1": _decision("apart", (1,), (1,)),
    "delaydm2": _decision("apart", (2,), (2,)),
    "contextdelaydm1": _decision("apart", (1, 2), (1,)),
    "contextdelaydm2": _decision("apart", (1, 2), (2,)),
    "multidelaydm": _decision("apart", (1, 2), (1, 2)),
    "dmsgo": Rule("match", "apart"),
    "dmsnogo": Rule("match", "apart", go_if_match=False),
    "dmcgo": Rule("match", "apart", category=True),
    "dmcnogo": Rule("match", "apart", category=True, go_if_match=False),
}
"""The rules by name, in the order of their inputs."""

COHERENCES = {"together": (0.01, 0.02, 0.04, 0.08), "apart": (0.08, 0.16, 0.32)}
"""Half of the differences in strength of the stimuli of decisions."""

EASIER = {"together": 10, "apart": 2}
"""By how much they are greater in easy trials."""


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the angle, 0 to π, between locations on a ring."""
    apart = np.abs(first - second) % (2 * np.pi)
    return np.minimum(apart, 2 * np.pi - apart)


def target(rule: Rule, location: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Tell where the response has to go.

    Parameters
    ----------
    rule : Rule
        The rule.
    location : array of shape (n, 2)
        Locations of the first and the second stimulus in rad; NaN for no stimulus.
    strength : array of shape (n, 2, 2)
        Strengths of each (second axis) in each modality (third axis).

    Returns
    -------
    array of shape (n,)
        Location in rad, NaN where the fixation has to be kept.
    """
    first, second = location.T
    if rule.family == "go":
        return (first + np.pi * rule.anti) % (2 * np.pi)
    if rule.family == "decision":
        counted = strength[:, :, [modality - 1 for modality in rule.heeded]].sum(axis=2)
        return np.where(counted[:, 0] > counted[:, 1], first, second)
    match = (first < np.pi) == (second < np.pi) if rule.category else distance(first, second) < 1e-6
    return np.where(match == rule.go_if_match, second, np.nan)


def times(rule: Rule, n: int, rng: np.random.Generator | None) -> dict[str, np.ndarray]:
    """Draw when things happen, or, without a generator, return the times of the authors' tests.

    Parameters
    ----------
    rule : Rule
        The rule.
    n : int
        Number of trials.
    rng : Generator, optional
        Source of randomness.

    Returns
    -------
    dict of str to array of shape (n,)
        Seconds from the start of the trial: ``on_1``, ``off_1``, ``on_2``, ``off_2`` of the stimuli (NaN for no second
        one), ``fixation_off``, ``go`` and ``end``.
    """

    def one_of(*values):
        return rng.choice(values, size=n)

    def between(low, high):
        return rng.uniform(low, high, size=n)

    none = np.full(n, np.nan)
    if rule.timing == "fixed":
        on = between(0.3, 0.7) if rng else np.full(n, 0.5)
        go = on + (between(0.5, 1.5) if rng else 1.0)
        return _moments(on, go + 0.5, none, none, go, go, go + 0.5)
    if rule.timing == "reaction":
        on = between(0.5, 2.5) if rng else np.full(n, 2.0)
        return _moments(on, on + 0.5, none, none, on + 0.5, on, on + 0.5)
    if rule.timing == "delayed":
        on = one_of(0.3, 0.5, 0.7) if rng else np.full(n, 0.5)
        off = on + (one_of(0.2, 0.4, 0.6) if rng else 0.5)
        go = off + (one_of(0.2, 0.4, 0.8, 1.6) if rng else 1.0)
        return _moments(on, off, none, none, go, go, go + 0.5)
    alone = len(rule.shown) == 1
    if rule.timing == "together":
        on = between(0.1, 0.4) if rng else np.full(n, 0.5)
        go = on + (one_of(0.4, 0.8, 1.6) if rng else 1.5 if alone else 1.0)
        return _moments(on, go, on, go, go, go, go + 0.5)
    on_1 = one_of(0.2, 0.4, 0.6) if rng else np.full(n, 0.5)
    off_1 = on_1 + (one_of(0.2, 0.4, 0.6) if rng else 0.5)
    wait = 1.2 if rule.family == "match" else 1.0
    on_2 = off_1 + (one_of(0.2, 0.4, 0.8, 1.6) if rng else wait)
    if rule.family == "match":
        end = on_2 + (one_of(0.2, 0.4, 0.6) if rng and rule.category else 0.5)
        return _moments(on_1, off_1, on_2, end, end, on_2, end)
    off_2 = on_2 + (one_of(0.2, 0.4, 0.6) if rng else 0.5)
    go = off_2 + (between(0.1, 0.3) if rng else 0.2 if alone else 0.5)
    return _moments(on_1, off_1, on_2, off_2, go, go, go + (0.5 if rng or not alone else 0.3))


def _moments(on_1, off_1, on_2, off_2, fixation_off, go, end) -> dict[str, np.ndarray]:
    return {
        "on_1": on_1,
        "off_1": off_1,
        "on_2": on_2,
        "off_2": off_2,
        "fixation_off": fixation_off,
        "go": go,
        "end": end,
    }
