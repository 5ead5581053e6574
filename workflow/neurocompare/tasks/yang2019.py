"""Twenty tasks for one network (Yang, Joglekar, Song, Newsome & Wang 2019, Nat Neurosci 22:297).

A trial has one of the rules of `neurocompare.tasks.yang_rules`, told by an input of its own throughout. Stimuli are
bumps on two rings of inputs, the response is a bump on a ring of outputs, and a further output tells whether to fixate.
As in the authors' public code, bumps are 0.8 exp(−d² / 2), with the distance d in units of π / 8; outputs are 0.05 plus
the bump, and 0.8 for the fixation while it has to be kept; the first 0.1 s do not count, the time before the response
counts once, its first 0.1 s not at all and what follows five times, and the fixation twice what the ring does. Unlike
there, where a batch of trials has one rule and one set of times, both are drawn for each trial.
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building, yang_rules, yang_stimuli
from neurocompare.tasks.trials import Trials
from neurocompare.tasks.yang_rules import RULES, distance

TASK = {
    "summary": "twenty tasks of going, deciding and matching, told by a rule",
    "inputs": {"fixation": "on or off"}
    | {f"modality_{m}_{k + 1}": "activity" for m in (1, 2) for k in range(32)}
    | {f"rule_{name}": "on or off" for name in RULES},
    "outputs": {"fixation": "activity"} | {f"response_{k + 1}": "activity" for k in range(32)},
    "conditions": {
        "rule": "name of the rule",
        "location_1": "of the first stimulus, in rad",
        "location_2": "of the second stimulus, in rad; NaN for none",
        "strength_1_1": "strength of the first stimulus in modality 1; 0 for none",
        "strength_1_2": "of the first stimulus in modality 2",
        "strength_2_1": "of the second stimulus in modality 1",
        "strength_2_2": "of the second stimulus in modality 2",
        "target": "location of the response, in rad; NaN to keep the fixation",
    },
}

NOISE = 0.01 * (2 * 0.1) ** 0.5
"""Strength of the noise of all inputs: a standard deviation in a step of 0.01 √(2 τ / dt), with τ = 100 ms."""

_NAME = "yang2019"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    rules: str | tuple[str, ...] = "all",
    ring: int = 32,
    easy: bool = False,
    noise: float = NOISE,
) -> Trials:
    """Draw random trials.

    Parameters
    ----------
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.
    dt : float
        Step in s; times are rounded to it.
    rules : "all" or sequence of str
        Rules, equally likely; there are inputs for these only.
    ring : int
        Number of units of a ring.
    easy : bool
        Whether the strengths of two stimuli differ more: 10 times if they are shown together, else twice.
    noise : float
        Strength of the white noise of all inputs, in units of the input × √s.

    Returns
    -------
    Trials
        Aligned to the time from which the response, if any, is due.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n})
    names = _checked(dt, rules, ring, easy, noise)
    index = rng.integers(0, len(names), size=n)
    rows = []
    for k, name in enumerate(names):
        count = int((index == k).sum())
        if count:
            shown = yang_stimuli.drawn(RULES[name], count, rng, easy)
            rows.append((k, yang_rules.times(RULES[name], count, rng), *shown))
    # Rows are by rule: put the trials into the order that was drawn.
    place = np.empty(n, dtype=int)
    place[np.argsort(index, kind="stable")] = np.arange(n)
    return _build(rng, names, rows, place, ring, dt=dt, noise=noise)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    rules: str | tuple[str, ...] = "all",
    ring: int = 32,
    easy: bool = False,
    noise: float = NOISE,
    locations: int = 8,
) -> Trials:
    """Show every condition of every rule, at fixed times, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each condition.
    dt, rules, ring, noise
        As for `trials`.
    easy : bool
        Not used: tests have strengths of their own (`neurocompare.tasks.yang_stimuli.tested`).
    locations : int
        Number of locations of the first stimulus, even; 20 in the authors' code.

    Returns
    -------
    Trials
        Aligned to the time from which the response, if any, is due.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    names = _checked(dt, rules, ring, easy, noise)
    check_ranges(f"task {_NAME}", sizes={"repeats": repeats, "locations": locations})
    if locations % 2:
        raise UserError(f"task {_NAME}: locations is {locations}; use an even number")
    rows = []
    for k, name in enumerate(names):
        shown = [part.repeat(repeats, axis=0) for part in yang_stimuli.tested(RULES[name], locations)]
        rows.append((k, yang_rules.times(RULES[name], len(shown[0]), None), *shown))
    place = rng.permutation(sum(len(row[2]) for row in rows))
    return _build(rng, names, rows, place, ring, dt=dt, noise=noise)


def performance(outputs: np.ndarray, trials: Trials) -> dict[str, np.ndarray]:
    """Read the response from the last step of each trial, as the authors do.

    Parameters
    ----------
    outputs : array of shape (n, T, 1 + ring)
        Outputs of a network.
    trials : Trials
        What it was shown.

    Returns
    -------
    dict of str to array of shape (n,)
        ``choice``, the angle of the population vector of the ring in rad, NaN where the output of the fixation is above
        0.5 or the vector is 0; ``correct``, 1 if the fixation is kept where it has to be, or the response is less than
        π / 5 from its target where one is due, else 0; ``reaction_time``, seconds to the end of the first step, once a
        response may be due, in which the fixation is not above 0.5, NaN if there is none.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    last = np.asarray(outputs[np.arange(len(outputs)), trials.length - 1], dtype=float)
    preferred = _preferred(outputs.shape[2] - 1)
    vector = last[:, 1:] @ np.exp(1j * preferred)
    kept = last[:, 0] > 0.5
    somewhere = ~kept & (np.abs(vector) > 1e-9)
    choice = np.where(somewhere, np.angle(vector) % (2 * np.pi), np.nan)
    target = trials.conditions["target"]
    near = distance(choice, target) < np.pi / 5
    step, left = building.first(outputs[..., 0] <= 0.5, trials)
    return {
        "choice": choice,
        "correct": np.where(np.isnan(target), kept, near).astype(float),
        "reaction_time": np.where(left, (step + 1 - trials.onset) * trials.dt, np.nan),
    }


def static(*, rules: str | tuple[str, ...] = "all", ring: int = 32, **others: object) -> dict[str, np.ndarray]:
    """Return the inputs of each rule without stimuli, with and without fixation.

    Parameters
    ----------
    rules, ring
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (n_inputs,)
        ``rule=fdgo``, with the fixation, ``rule=fdgo-go``, without it, and so on.
    """
    names = _names(rules)
    inputs = {}
    for k, name in enumerate(names):
        row = np.zeros(1 + 2 * ring + len(names), dtype=np.float32)
        row[1 + 2 * ring + k] = 1
        inputs[f"rule={name}-go"] = row.copy()
        row[0] = 1
        inputs[f"rule={name}"] = row
    return inputs


def _names(rules) -> tuple[str, ...]:
    """Return the names of the rules."""
    if isinstance(rules, str) and rules == "all":
        return tuple(RULES)
    if not isinstance(rules, list | tuple) or not rules or len(set(map(str, rules))) < len(rules):
        raise UserError(f"task {_NAME}: rules is {rules}; list different rules, or give 'all'")
    for name in rules:
        if name not in RULES:
            raise unknown(f"rule of task {_NAME}", str(name), RULES)
    return tuple(rules)


def _checked(dt, rules, ring, easy, noise) -> tuple[str, ...]:
    """Check the options, and return the names of the rules."""
    check_ranges(f"task {_NAME}", positive={"dt": dt}, sizes={"ring": ring}, magnitudes={"noise": noise})
    if ring < 4:
        raise UserError(f"task {_NAME}: ring is {ring}; use 4 units or more")
    if not isinstance(easy, bool):
        raise UserError(f"task {_NAME}: easy is {easy}; use true or false")
    if dt > 0.1:
        raise UserError(f"task {_NAME}: dt is {dt:g} s, longer than the shortest part of a trial; use 0.1 s or less")
    return _names(rules)


def _preferred(ring: int) -> np.ndarray:
    return 2 * np.pi * np.arange(ring) / ring


def _bump(location: np.ndarray, ring: int) -> np.ndarray:
    """Make the activity (n, ring) for locations; 0 for NaN."""
    apart = distance(location[:, None], _preferred(ring)) / (np.pi / 8)
    return np.nan_to_num(0.8 * np.exp(-(apart**2) / 2)).astype(np.float32)


def _build(rng, names, rows, place, ring, *, dt, noise) -> Trials:
    """Make trials of rows by rule, the k-th of which is row ``place[k]`` of all."""
    rule = np.concatenate([np.full(len(location), k) for k, _, location, _ in rows])[place]
    location = np.concatenate([location for _, _, location, _ in rows])[place]
    strength = np.concatenate([strength for _, _, _, strength in rows])[place]
    wanted = np.concatenate([yang_rules.target(RULES[names[k]], *shown) for k, _, *shown in rows])[place]
    at = {key: np.concatenate([times[key] for _, times, _, _ in rows])[place] for key in rows[0][1]}
    at = {key: np.floor(seconds / dt + 0.5 + 1e-9) for key, seconds in at.items()}
    n, total = len(rule), at["end"].astype(int)
    n_steps = total.max()

    def steps(start, stop):
        """Tell which steps are between two times; none for NaN."""
        return building.during(np.nan_to_num(np.stack(np.broadcast_arrays(start, stop), axis=1)).astype(int), n_steps)

    clean = np.zeros((n, n_steps, 1 + 2 * ring + len(names)), dtype=np.float32)
    clean[..., 0] = steps(np.zeros(n), at["fixation_off"])
    for k in (0, 1):
        shown = steps(at[f"on_{k + 1}"], at[f"off_{k + 1}"]).astype(np.float32)
        bump = _bump(location[:, k], ring)
        for modality in (0, 1):
            channels = slice(1 + modality * ring, 1 + (modality + 1) * ring)
            used = np.flatnonzero(strength[:, k, modality])
            activity = bump[used] * strength[used, k, modality, None].astype(np.float32)
            clean[used, :, channels] += shown[used, :, None] * activity[:, None]
    own = steps(np.zeros(n), total)
    clean[np.arange(n), :, 1 + 2 * ring + rule] = own
    responding = steps(at["go"], total) & ~np.isnan(wanted)[:, None]
    targets = np.full((n, n_steps, 1 + ring), 0.05, dtype=np.float32)
    targets[..., 0] = np.where(own & ~responding, 0.8, 0.05)
    targets[..., 1:] += responding[..., None] * _bump(wanted, ring)[:, None]
    grace = round(0.1 / dt)
    mask = 1.0 * steps(np.full(n, grace), at["go"]) + 5.0 * steps(at["go"] + grace, total)
    mask = np.repeat(mask.astype(np.float32)[..., None], 1 + ring, axis=2)
    mask[..., 0] *= 2
    inputs = building.noisy(clean, slice(None), own, noise, dt, rng)
    return Trials(
        inputs=inputs,
        targets=targets,
        mask=mask,
        clean=clean,
        conditions={
            "rule": np.array(names)[rule],
            "location_1": location[:, 0],
            "location_2": location[:, 1],
        }
        | {f"strength_{k + 1}_{m + 1}": strength[:, k, m] for k in (0, 1) for m in (0, 1)}
        | {"target": wanted},
        input_names=("fixation",)
        + tuple(f"modality_{m}_{k + 1}" for m in (1, 2) for k in range(ring))
        + tuple(f"rule_{name}" for name in names),
        output_names=("fixation",) + tuple(f"response_{k + 1}" for k in range(ring)),
        input_units=("on or off",) + ("activity",) * (2 * ring) + ("on or off",) * len(names),
        **building.timing(_epochs(at, rule, names), total, at["go"], n, dt),
    )


def _epochs(at: dict[str, np.ndarray], rule: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Name the parts of trials, in steps; a stimulus that stays on counts until the response is due."""
    two = np.array([RULES[name].family != "go" for name in names])[rule]
    apart = np.array([RULES[name].timing == "apart" for name in names])[rule]
    delayed = np.array([RULES[name].timing in ("delayed", "apart") for name in names])[rule]
    matched = np.array([RULES[name].family == "match" for name in names])[rule]
    reaction = np.array([RULES[name].timing == "reaction" for name in names])[rule]
    go = at["go"]
    next_1 = np.where(apart, at["on_2"], go)

    def part(start, stop, exists):
        return np.where(exists[:, None], np.stack([start, stop], axis=1), np.nan)

    return {
        "fixation": part(np.zeros(len(go)), at["on_1"], np.ones(len(go), dtype=bool)),
        "stimulus_1": part(at["on_1"], np.minimum(at["off_1"], go), ~reaction),
        "delay_1": part(at["off_1"], next_1, delayed),
        "stimulus_2": part(at["on_2"], np.minimum(at["off_2"], go), two & apart & ~matched),
        "delay_2": part(at["off_2"], go, two & apart & ~matched),
        "go": part(go, at["end"], np.ones(len(go), dtype=bool)),
    }
