"""Integration of one of two kinds of evidence, as the context tells (Mante, Sussillo et al. 2013, Nature 503:78).

A trial has a fixation, a time with the context alone, the stimulus (motion and color at once), an optional delay and
the decision. The context stays on to the end. Which of the two is relevant decides what is correct; the other is to be
ignored.

The network of the paper is ``dt: 0.001, fixation: 0, context: 0, decision: 0, loss: ends``: a step of 1 ms, 750 of
them, the context on from the first, and the output asked for in the first and the last step only; there, coherences
were 0.009, 0.036 and 0.15, with a noise of 1 in each step, which is 0.0316 √s.

Defaults are the coherences of the monkeys, with a noise for which the ideal observer is right in 67, 90 and 99.999 % of
the trials of each coherence, 86 % in all: steep, but not perfect, as the monkeys were (75 to 86 %).
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building, evidence
from neurocompare.tasks.trials import Trials

CONTEXTS = ("motion", "color")

INPUTS = ("motion", "color", "context_motion", "context_color")

TASK = {
    "summary": "integrate the kind of evidence that the context names, and ignore the other",
    "inputs": {
        "motion": "coherence",
        "color": "coherence",
        "context_motion": "on or off",
        "context_color": "on or off",
    },
    "outputs": {"choice": "±1"},
    "conditions": {
        "context": "motion or color: what is relevant",
        "motion": "signed coherence",
        "color": "signed coherence",
        "motion_level": "±1 for the weakest coherence, ±2 for the next; 0 for a coherence that is no level",
        "color_level": "the same for color",
        "target": "correct choice, ±1",
        "congruent": "1 where motion and color are evidence for the same choice, else 0",
    },
}

LOSS = {"fixation": 0.2, "context": 0.2, "decision": 1.0}
"""Weights of the parts of a trial in the loss, by default."""

_NAME = "context_integration"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    fixation: float = 0.1,
    context: float = 0.35,
    stimulus: float = 0.75,
    delay: building.Seconds = 0.0,
    decision: float = 0.2,
    coherences: tuple[float, ...] = (0.05, 0.15, 0.5),
    noise: float = 0.1,
    draw: str = "levels",
    contexts: tuple[str, ...] = CONTEXTS,
    loss: str | dict[str, float] = LOSS,
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
    fixation, context, stimulus, decision : float
        Seconds without input, with the context alone, with the evidence, and of the decision; the nearest number of
        steps is taken. All but the stimulus may be 0.
    delay : float or sequence of two floats
        Seconds between stimulus and decision, or their lowest and highest.
    coherences : sequence of float
        Strengths of motion and of color; each is shown with both signs.
    noise : float
        Strength of the white noise of the evidence while the stimulus is on, in coherence × √s.
    draw : {"levels", "uniform"}
        Whether coherences are drawn from `coherences`, or uniformly up to the strongest of them.
    contexts : sequence of {"motion", "color"}
        Contexts that occur, equally often.
    loss : dict of str to float, or "ends"
        Weight of each part of the trial that is scored. The target is the correct choice in the decision, and 0 before
        it. ``ends``: the first step of the trial, with target 0, and the last one, with the correct choice.

    Returns
    -------
    Trials
        Aligned to the onset of the stimulus.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    options = _checked(n, dt, stimulus, coherences, noise, draw, contexts)
    index = rng.integers(0, len(contexts), size=n)
    if draw == "levels":
        levels = [evidence.random_levels(options, n, rng) for _ in CONTEXTS]
        signed = [evidence.of_levels(level, options) for level in levels]
    else:
        levels = [np.zeros(n, dtype=int) for _ in CONTEXTS]
        signed = [evidence.uniform(options, n, rng) for _ in CONTEXTS]
    lengths = {"fixation": fixation, "context": context, "stimulus": stimulus, "delay": delay, "decision": decision}
    return _build(rng, np.array(contexts)[index], signed, levels, lengths, dt=dt, noise=noise, loss=loss)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    fixation: float = 0.1,
    context: float = 0.35,
    stimulus: float = 0.75,
    delay: building.Seconds = 0.0,
    decision: float = 0.2,
    coherences: tuple[float, ...] = (0.05, 0.15, 0.5),
    noise: float = 0.1,
    draw: str = "levels",
    contexts: tuple[str, ...] = CONTEXTS,
    loss: str | dict[str, float] = LOSS,
) -> Trials:
    """Show every context with every motion and every color, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each condition; there are ``len(contexts) × (2 × len(coherences))²`` of them.
    dt, fixation, context, stimulus, delay, decision, coherences, noise, contexts, loss
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
    options = _checked(1, dt, stimulus, coherences, noise, draw, contexts)
    signs = 2 * len(options)
    index, *levels = building.balanced(rng, repeats, len(contexts), signs, signs)
    levels = [evidence.level(level) for level in levels]
    signed = [evidence.of_levels(level, options) for level in levels]
    lengths = {"fixation": fixation, "context": context, "stimulus": stimulus, "delay": delay, "decision": decision}
    return _build(rng, np.array(contexts)[index], signed, levels, lengths, dt=dt, noise=noise, loss=loss)


def performance(outputs: np.ndarray, trials: Trials) -> dict[str, np.ndarray]:
    """Read the choices from outputs: the sign of the mean over the decision, or of the last step where there is none.

    Parameters
    ----------
    outputs : array of shape (n, T, 1)
        Outputs of a network.
    trials : Trials
        What it was shown.

    Returns
    -------
    dict of str to array of shape (n,)
        ``choice``, ±1, or NaN where the output is exactly 0 or no number, and ``correct``, 1 or 0.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    return evidence.signed_choice(outputs, building.scored_at_end(trials, "decision"), trials.conditions["target"])


def ideal(
    *,
    dt: float = 0.02,
    stimulus: float = 0.75,
    coherences: tuple[float, ...] = (0.05, 0.15, 0.5),
    noise: float = 0.1,
    draw: str = "levels",
    **others: object,
) -> float:
    """Compute how often the sign of the sum of the relevant evidence is right.

    Parameters
    ----------
    dt, stimulus, coherences, noise, draw
        As for `trials`; tests show the levels.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    float
        Fraction of correct trials, averaged over coherences (`neurocompare.tasks.evidence.ideal`).
    """
    options = _checked(1, dt, stimulus, coherences, noise, draw, CONTEXTS)
    shown = building.steps(_NAME, dt, stimulus=stimulus)["stimulus"] * dt
    return evidence.ideal(options, shown, noise, draw)


def static(*, contexts: tuple[str, ...] = CONTEXTS, **others: object) -> dict[str, np.ndarray]:
    """Return the inputs of each context without evidence.

    Parameters
    ----------
    contexts : sequence of {"motion", "color"}
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (4,)
        ``context=motion`` and ``context=color``.
    """
    return {f"context={name}": _cue(name) for name in contexts}


def _cue(context: str) -> np.ndarray:
    """Make the inputs (4,) with the context alone."""
    return np.array([name == f"context_{context}" for name in INPUTS], dtype=np.float32)


def _checked(n, dt, stimulus, coherences, noise, draw, contexts) -> np.ndarray:
    """Check what both kinds of trials need, and return the coherences, rising."""
    check_ranges(f"task {_NAME}", sizes={"n": n}, positive={"dt": dt, "stimulus": stimulus})
    if not isinstance(contexts, list | tuple) or not contexts or len(set(map(str, contexts))) < len(contexts):
        raise UserError(f"task {_NAME}: contexts is {contexts}; list motion, color or both")
    for name in contexts:
        if name not in CONTEXTS:
            raise unknown(f"context of task {_NAME}", str(name), CONTEXTS)
    return evidence.check(_NAME, coherences, draw, noise)


def _build(rng, context, signed, levels, lengths, *, dt, noise, loss) -> Trials:
    """Make trials of given contexts and coherences of motion and color."""
    n = len(context)
    fixed = building.steps(_NAME, dt, **{name: value for name, value in lengths.items() if name != "delay"})
    delay = building.drawn_steps(_NAME, dt, n, rng, delay=lengths["delay"])
    parts, total = building.layout(
        {name: delay[name] if name in delay else np.array([fixed[name]]) for name in lengths}
    )
    n_steps = total.max()
    target = np.where(context == "motion", np.sign(signed[0]), np.sign(signed[1])).astype(int)
    # The stimulus is in the same steps of all trials: only what follows it may vary.
    (on, off), (cued, _) = parts["stimulus"][0], parts["context"][0]
    clean = np.zeros((n, n_steps, len(INPUTS)), dtype=np.float32)
    for k, name in enumerate(CONTEXTS):
        clean[:, on:off, k] = signed[k][:, None]
        clean[:, cued:, 2 + k] = (context == name)[:, None]
    if len(total) > 1:
        clean *= (np.arange(n_steps) < total[:, None])[..., None]
    inputs = building.noisy(clean, slice(0, 2), building.during(parts["stimulus"], n_steps), noise, dt, rng)
    targets = (target[:, None] * building.during(parts["decision"], n_steps)).astype(np.float32)[..., None]
    if loss == "ends":
        mask = np.zeros((n, n_steps, 1), dtype=np.float32)
        last = np.broadcast_to(total - 1, n)
        mask[:, 0] = mask[np.arange(n), last] = 1
        targets[np.arange(n), last, 0] = target
        if n_steps < 2:
            raise UserError(f"task {_NAME}: loss 'ends' needs trials of two steps or more; make dt smaller")
    elif isinstance(loss, str):
        raise unknown(f"loss of task {_NAME}", loss, ["ends"])
    else:
        mask = building.weights(_NAME, loss, parts, total, n)[..., None]
    return Trials(
        inputs=inputs,
        targets=targets,
        mask=mask,
        clean=clean,
        conditions={
            "context": context,
            "motion": signed[0],
            "color": signed[1],
            "motion_level": levels[0],
            "color_level": levels[1],
            "target": target,
            "congruent": (np.sign(signed[0]) == np.sign(signed[1])).astype(int),
        },
        input_names=INPUTS,
        output_names=tuple(TASK["outputs"]),
        input_units=tuple(TASK["inputs"].values()),
        **building.timing(parts, total, parts["stimulus"][:, 0], n, dt),
    )
