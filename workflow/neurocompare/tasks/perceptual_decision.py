"""Integration of one kind of evidence, as in the discrimination of the motion of random dots.

A trial has a fixation, the stimulus, an optional delay and the decision, which starts when the fixation input goes off
(Gold & Shadlen 2007, Annu Rev Neurosci 30:535). The output is the choice.
"""

import numpy as np

from neurocompare.ranges import check_ranges
from neurocompare.tasks import building, evidence
from neurocompare.tasks.trials import Trials

TASK = {
    "summary": "tell the sign of noisy evidence",
    "inputs": {"evidence": "coherence", "fixation": "on or off"},
    "outputs": {"choice": "±1"},
    "conditions": {
        "coherence": "signed coherence",
        "level": "±1 for the weakest coherence, ±2 for the next; 0 for a coherence that is no level",
        "target": "correct choice, ±1",
    },
}

LOSS = {"fixation": 0.2, "decision": 1.0}
"""Weights of the parts of a trial in the loss, by default."""

_NAME = "perceptual_decision"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    fixation: float = 0.1,
    stimulus: building.Seconds = 0.8,
    delay: building.Seconds = 0.0,
    decision: float = 0.2,
    coherences: tuple[float, ...] = (0.032, 0.064, 0.128, 0.256, 0.512),
    noise: float = 0.1,
    draw: str = "levels",
    loss: dict[str, float] = LOSS,
) -> Trials:
    """Draw random trials.

    Parameters
    ----------
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.
    dt : float
        Step in s.
    fixation, decision : float
        Seconds before the stimulus, and of the decision; the nearest number of steps is taken.
    stimulus, delay : float or sequence of two floats
        Seconds of evidence, and between it and the decision, or their lowest and highest.
    coherences : sequence of float
        Strengths of the evidence; each is shown with both signs.
    noise : float
        Strength of the white noise of the evidence while the stimulus is on, in coherence × √s.
    draw : {"levels", "uniform"}
        Whether coherences are drawn from `coherences`, or uniformly up to the strongest of them.
    loss : dict of str to float
        Weight of each part of the trial that is scored; the target is the correct choice in the decision, and 0 before.

    Returns
    -------
    Trials
        Aligned to the onset of the stimulus.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n})
    levels = evidence.check(_NAME, coherences, draw, noise)
    if draw == "levels":
        level = evidence.random_levels(levels, n, rng)
        signed = evidence.of_levels(level, levels)
    else:
        level, signed = np.zeros(n, dtype=int), evidence.uniform(levels, n, rng)
    lengths = {"fixation": fixation, "stimulus": stimulus, "delay": delay, "decision": decision}
    return _build(rng, signed, level, lengths, dt=dt, noise=noise, loss=loss)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    fixation: float = 0.1,
    stimulus: building.Seconds = 0.8,
    delay: building.Seconds = 0.0,
    decision: float = 0.2,
    coherences: tuple[float, ...] = (0.032, 0.064, 0.128, 0.256, 0.512),
    noise: float = 0.1,
    draw: str = "levels",
    loss: dict[str, float] = LOSS,
) -> Trials:
    """Show every coherence, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each signed coherence.
    dt, fixation, stimulus, delay, decision, coherences, noise, loss
        As for `trials`.
    draw : {"levels", "uniform"}
        Not used: tests show the levels.

    Returns
    -------
    Trials
        Aligned to the onset of the stimulus.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    levels = evidence.check(_NAME, coherences, draw, noise)
    (index,) = building.balanced(rng, repeats, 2 * len(levels))
    level = evidence.level(index)
    lengths = {"fixation": fixation, "stimulus": stimulus, "delay": delay, "decision": decision}
    return _build(rng, evidence.of_levels(level, levels), level, lengths, dt=dt, noise=noise, loss=loss)


def performance(outputs: np.ndarray, trials: Trials, *, threshold: float = 0.5) -> dict[str, np.ndarray]:
    """Read the choices from outputs: the sign of the mean over the decision, or of the last step where there is none.

    Parameters
    ----------
    outputs : array of shape (n, T, 1)
        Outputs of a network.
    trials : Trials
        What it was shown.
    threshold : float
        What the size of the output has to exceed for a reaction.

    Returns
    -------
    dict of str to array of shape (n,)
        ``choice``, ±1, or NaN where the output is exactly 0 or no number; ``correct``, 1 or 0; ``reaction_time``,
        seconds from the onset of the stimulus to the end of the first step beyond the threshold, NaN if there is none.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    found = evidence.signed_choice(outputs, building.scored_at_end(trials, "decision"), trials.conditions["target"])
    step, crossed = building.first(np.abs(outputs[..., 0]) > threshold, trials)
    return found | {"reaction_time": np.where(crossed, (step + 1 - trials.onset) * trials.dt, np.nan)}


def ideal(
    *,
    dt: float = 0.02,
    stimulus: building.Seconds = 0.8,
    coherences: tuple[float, ...] = (0.032, 0.064, 0.128, 0.256, 0.512),
    noise: float = 0.1,
    draw: str = "levels",
    **others: object,
) -> float:
    """Compute how often the sign of the sum of the evidence is right.

    Parameters
    ----------
    dt, stimulus, coherences, noise, draw
        As for `trials`; tests show the levels.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    float
        Fraction of correct trials, averaged over coherences and durations (`neurocompare.tasks.evidence.ideal`).
    """
    levels = evidence.check(_NAME, coherences, draw, noise)
    edges = stimulus if isinstance(stimulus, list | tuple) else (stimulus, stimulus)
    low, high = (building.steps(_NAME, dt, stimulus=edge)["stimulus"] for edge in edges)
    shown = np.arange(low, high + 1) * dt
    return float(np.mean([evidence.ideal(levels, seconds, noise, draw) for seconds in shown]))


def static(**others: object) -> dict[str, np.ndarray]:
    """Return the inputs without evidence.

    Parameters
    ----------
    **others : object
        Options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (2,)
        ``fixation``, and ``decision``, when it is off.
    """
    return {"fixation": np.array([0, 1], dtype=np.float32), "decision": np.zeros(2, dtype=np.float32)}


def _build(rng, signed, level, lengths, *, dt, noise, loss) -> Trials:
    """Make trials of given coherences."""
    n = len(signed)
    building.check_shown(_NAME, dt, stimulus=lengths["stimulus"])
    parts, total = building.layout(building.drawn_steps(_NAME, dt, n, rng, **lengths))
    n_steps = total.max()
    shown = building.during(parts["stimulus"], n_steps)
    clean = np.zeros((n, n_steps, 2), dtype=np.float32)
    clean[..., 0] = signed[:, None] * shown
    clean[..., 1] = np.arange(n_steps) < parts["decision"][:, :1]
    target = np.sign(signed).astype(int)
    targets = target[:, None] * building.during(parts["decision"], n_steps)
    return Trials(
        inputs=building.noisy(clean, slice(0, 1), shown, noise, dt, rng),
        targets=targets.astype(np.float32)[..., None],
        mask=building.weights(_NAME, loss, parts, total, n)[..., None],
        clean=clean,
        conditions={"coherence": signed, "level": level, "target": target},
        input_names=tuple(TASK["inputs"]),
        output_names=tuple(TASK["outputs"]),
        input_units=tuple(TASK["inputs"].values()),
        **building.timing(parts, total, parts["stimulus"][:, 0], n, dt),
    )
