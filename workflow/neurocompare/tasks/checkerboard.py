"""Choice of the target that has the color of most squares of a checkerboard.

The task of the networks of Kleinman, Chandrasekaran & Kao (2021, NeurIPS), after the monkeys of Chandrasekaran et al.
(2017, Nat Commun 8:614). Two targets come on, one red and one green; then the checkerboard, with more squares of one
color. The target of that color is to be chosen, so that the direction of the choice depends on the color and on where
the targets are. Each side has an output, which is to rise to 1 for the choice while the other stays at 0. In catch
trials there is no checkerboard, and both have to stay at 0.

Durations, coherences, noise and catch trials are those of the authors' public code
(`mjkleinman/multi-area-cleaned`, `examples/models/2020-04-10_cb_simple_3areas.py`), whose networks take steps of 10 ms:
`dt: 0.01`. As there, the noise of the checkerboard's inputs is on throughout the trial, and the first 0.2 s of the
checkerboard are scored, with target 0: the code means to leave this time out, but its mask has 1 there all the same, as
the targets are on. ``loss: {grace: 0, …}`` leaves it out.

Signs: coherence is (red − green) / (red + green) of the squares; a target input is −1 for red and 1 for green; a choice
is −1 for the left target and 1 for the right one.
"""

import numpy as np

from neurocompare.errors import UserError
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building, evidence
from neurocompare.tasks.trials import Trials

TASK = {
    "summary": "choose the target that has the color of most squares",
    "inputs": {
        "left": "color of the target: −1 red, 1 green",
        "right": "color of the target: −1 red, 1 green",
        "red": "coherence",
        "green": "coherence",
    },
    "outputs": {"left": "0 or 1", "right": "0 or 1"},
    "conditions": {
        "coherence": "signed coherence, positive for red; 0 in catch trials",
        "level": "±1 for the weakest coherence, ±2 for the next; 0 in catch trials",
        "color": "red or green: of most squares; none in catch trials",
        "configuration": "red-left or red-right: where the red target is; none in catch trials without targets",
        "catch": "1 for catch trials, else 0",
        "target": "correct choice: −1 left, 1 right; 0 in catch trials",
    },
}

COHERENCES = (9 / 225, 23 / 225, 45 / 225, 69 / 225, 91 / 225, 135 / 225, 203 / 225)
"""Coherences of 117, 124, 135, 147, 158, 180 and 214 red squares of 225, and as many green ones."""

LOSS = {"before": 1.0, "targets": 1.0, "grace": 1.0, "decision": 1.0, "after": 1.0}
"""Weights of the parts of a trial in the loss, by default."""

NOISE = 0.1 * (2 * 0.05) ** 0.5
"""Strength of the noise: a standard deviation in a step of 0.1 √(2 τ / dt), with τ = 50 ms."""

_NAME = "checkerboard"
_CONFIGURATIONS = np.array(["red-left", "none", "red-right"])


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    start: float = 0.2,
    start_spread: float = 0.05,
    targets: building.Seconds = (0.6, 1.0),
    grace: float = 0.2,
    decision: float = 1.3,
    after: float = 0.3,
    coherences: tuple[float, ...] = COHERENCES,
    noise: float = NOISE,
    catch: float = 0.1,
    catch_duration: float = 2.0,
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
    start, start_spread : float
        Mean and standard deviation of the seconds before the targets; the size of a normal number is taken.
    targets : float or sequence of two floats
        Seconds with the targets alone, or their lowest and highest.
    grace, decision : float
        Seconds of the checkerboard before, and in which, the choice has to be made.
    after : float
        Seconds at the end without any input.
    coherences : sequence of float
        Strengths; each is shown with both signs.
    noise : float
        Strength of the white noise of the two inputs of the checkerboard, throughout the trial, in coherence × √s.
    catch : float
        Fraction of catch trials; half of them have targets.
    catch_duration : float
        Seconds of a catch trial, with `after`.
    loss : dict of str to float
        Weight of each part of the trial that is scored: ``before`` the targets, ``targets``, ``grace``, ``decision``,
        ``after``. Catch trials have the weights of ``before``, ``targets`` and ``after``.

    Returns
    -------
    Trials
        Aligned to the onset of the checkerboard.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n}, fractions={"catch": catch})
    levels = evidence.check(_NAME, coherences, "levels", noise)
    level = evidence.random_levels(levels, n, rng)
    red_right = rng.choice((-1, 1), size=n)
    caught = rng.random(n) < catch
    red_right *= ~caught | (rng.random(n) < 0.5)
    times = [start, start_spread, targets, grace, decision, after, catch_duration]
    return _build(rng, level * ~caught, red_right, levels, times, dt=dt, noise=noise, loss=loss)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    start: float = 0.2,
    start_spread: float = 0.05,
    targets: building.Seconds = (0.6, 1.0),
    grace: float = 0.2,
    decision: float = 1.3,
    after: float = 0.3,
    coherences: tuple[float, ...] = COHERENCES,
    noise: float = NOISE,
    catch: float = 0.1,
    catch_duration: float = 2.0,
    loss: dict[str, float] = LOSS,
) -> Trials:
    """Show every coherence with both configurations of targets, in random order; there are no catch trials.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each of the ``2 × 2 × len(coherences)`` conditions.
    dt, start, start_spread, targets, grace, decision, after, coherences, noise, loss
        As for `trials`.
    catch, catch_duration : float
        Not used.

    Returns
    -------
    Trials
        Aligned to the onset of the checkerboard.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    levels = evidence.check(_NAME, coherences, "levels", noise)
    index, side = building.balanced(rng, repeats, 2 * len(levels), 2)
    times = [start, start_spread, targets, grace, decision, after, catch_duration]
    return _build(rng, evidence.level(index), 2 * side - 1, levels, times, dt=dt, noise=noise, loss=loss)


def performance(outputs: np.ndarray, trials: Trials, *, threshold: float = 0.6) -> dict[str, np.ndarray]:
    """Read choices and reaction times: which output is first, from the onset of the checkerboard, above a threshold.

    Parameters
    ----------
    outputs : array of shape (n, T, 2)
        Outputs of a network.
    trials : Trials
        What it was shown.
    threshold : float
        What an output has to exceed; the greater one decides where both do in the same step.

    Returns
    -------
    dict of str to array of shape (n,)
        ``choice``, −1 for left and 1 for right, NaN where no output crosses; ``chosen_color``, −1 for the green and 1
        for the red target, NaN without a choice or targets; ``correct``, 1 or 0, NaN in catch trials;
        ``reaction_time``, seconds from the onset of the checkerboard to the end of the step of the crossing, or NaN;
        ``late_choice`` and ``late_correct``, the same for the greater output 0.05 s before the checkerboard goes off,
        however great, with which the authors stop training.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    target = trials.conditions["target"]
    step, crossed = building.first((outputs > threshold).any(axis=-1), trials)
    off = trials.epochs["decision"][:, 1]
    # Outputs are those at the ends of steps.
    late = np.argmin(np.abs(trials.time + trials.dt / 2 - (np.nan_to_num(off)[:, None] - 0.05)), axis=1)
    sides = [2 * outputs[np.arange(len(outputs)), index].argmax(axis=-1) - 1 for index in (step, late)]
    asked = target != 0
    red = trials.conditions["configuration"]
    red = np.select([red == "red-right", red == "red-left"], [1.0, -1.0], np.nan)
    choice, later = np.where(crossed, sides[0], np.nan), np.where(asked, sides[1], np.nan)
    return {
        "choice": choice,
        "chosen_color": choice * red,
        "correct": np.where(asked, choice == target, np.nan),
        "reaction_time": np.where(crossed, (step + 1 - trials.onset) * trials.dt, np.nan),
        "late_choice": later,
        "late_correct": np.where(asked, later == target, np.nan),
    }


def ideal(
    *,
    dt: float = 0.02,
    grace: float = 0.2,
    decision: float = 1.3,
    coherences: tuple[float, ...] = COHERENCES,
    noise: float = NOISE,
    **others: object,
) -> float:
    """Compute how often the sign of the difference of red and green, summed over the checkerboard, is right.

    The two inputs have opposite signals and independent noise: their difference is evidence of twice the coherence with
    √2 times the noise.

    Parameters
    ----------
    dt, grace, decision, coherences, noise
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    float
        Fraction of correct trials, averaged over coherences (`neurocompare.tasks.evidence.ideal`).
    """
    levels = evidence.check(_NAME, coherences, "levels", noise)
    shown = sum(building.steps(_NAME, dt, grace=grace, decision=decision).values()) * dt
    return evidence.ideal(2 * levels, shown, 2**0.5 * noise, "levels")


def static(**others: object) -> dict[str, np.ndarray]:
    """Return the inputs of each configuration of targets, without a checkerboard.

    Parameters
    ----------
    **others : object
        Options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (4,)
        ``configuration=red-left``, ``configuration=red-right`` and ``configuration=none``.
    """
    inputs = {-1: [-1, 1, 0, 0], 0: [0, 0, 0, 0], 1: [1, -1, 0, 0]}
    return {f"configuration={_CONFIGURATIONS[k + 1]}": np.array(row, np.float32) for k, row in inputs.items()}


def _build(rng, level, red_right, levels, times, *, dt, noise, loss) -> Trials:
    """Make trials; those of level 0 are catch trials, and `red_right` (±1) is 0 where there are no targets."""
    n = len(level)
    start, spread, alone, grace, decision, after, catch_duration = times
    whole = building.steps(
        _NAME, dt, start=start, grace=grace, decision=decision, after=after, catch_duration=catch_duration
    )
    check_ranges(f"task {_NAME}", magnitudes={"start_spread": spread})
    building.check_shown(_NAME, dt, decision=decision)
    lengths = {"before": np.rint(np.abs(rng.normal(start, spread, size=n)) / dt).astype(int)}
    lengths |= building.drawn_steps(_NAME, dt, n, rng, targets=alone)
    lengths |= {name: np.array([whole[name]]) for name in ("grace", "decision", "after")}
    caught = level == 0
    if caught.any():
        # In catch trials the targets take all the time there is, and the checkerboard none.
        rest = whole["catch_duration"] - whole["after"]
        lengths["before"] = np.where(caught, np.minimum(lengths["before"], rest), lengths["before"])
        lengths["targets"] = np.where(caught, rest - lengths["before"], lengths["targets"])
        if rest < 1:
            raise UserError(
                f"task {_NAME}: catch_duration is {catch_duration:g} s, no longer than after; make it longer"
            )
        for name in ("grace", "decision"):
            lengths[name] = np.where(caught, 0, lengths[name])
    parts, total = building.layout(lengths)
    n_steps = total.max()
    coherence = np.where(caught, 0.0, evidence.of_levels(level, levels))
    lit = building.during(np.stack([parts["targets"][:, 0], parts["after"][:, 0]], axis=1), n_steps)
    board = building.during(np.stack([parts["grace"][:, 0], parts["decision"][:, 1]], axis=1), n_steps)
    clean = np.zeros((n, n_steps, 4), dtype=np.float32)
    # The left target is green (1) where the red one is on the right.
    clean[..., 0] = red_right[:, None] * lit
    clean[..., 1] = -clean[..., 0]
    clean[..., 2] = coherence[:, None] * board
    clean[..., 3] = -clean[..., 2]
    own = np.arange(n_steps) < total[:, None]
    # Most squares red, and the red target right, or neither: the choice is right.
    target = (np.sign(coherence) * red_right).astype(int)
    deciding = building.during(parts["decision"], n_steps)
    targets = np.stack([deciding & (target == side)[:, None] for side in (-1, 1)], axis=-1)
    mask = building.weights(_NAME, loss, parts, total, n)
    none = caught[:, None]
    return Trials(
        inputs=building.noisy(clean, slice(2, 4), own, noise, dt, rng),
        targets=targets.astype(np.float32),
        mask=np.stack([mask, mask], axis=-1),
        clean=clean,
        conditions={
            "coherence": coherence,
            "level": level,
            "color": np.where(caught, "none", np.where(coherence > 0, "red", "green")),
            "configuration": _CONFIGURATIONS[red_right + 1],
            "catch": caught.astype(int),
            "target": target,
        },
        input_names=tuple(TASK["inputs"]),
        output_names=tuple(TASK["outputs"]),
        input_units=tuple(TASK["inputs"].values()),
        **building.timing(
            {name: np.where(none & (name in ("grace", "decision")), np.nan, part) for name, part in parts.items()},
            total,
            np.where(caught, -1, parts["grace"][:, 0]),
            n,
            dt,
        ),
    )
