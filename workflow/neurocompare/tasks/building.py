"""What tasks are built of: steps of time, parts of a trial, noise, and checks of options."""

import itertools
import math

import numpy as np

from neurocompare.errors import UserError
from neurocompare.ranges import check_ranges
from neurocompare.tasks.trials import Trials

Seconds = float | tuple[float, float]
"""A duration, or the lowest and the highest of durations that are drawn uniformly."""


def steps(task: str, dt: float, **durations: float) -> dict[str, int]:
    """Turn durations into whole steps.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    dt : float
        Duration of a step in s.
    **durations : float
        Durations in s by name; 0 for none.

    Returns
    -------
    dict of str to int
        The nearest numbers of steps.

    Raises
    ------
    UserError
        If one is negative, or shorter than a step but not 0.
    """
    what = f"task {task}"
    check_ranges(what, positive={"dt": dt}, magnitudes=durations)
    for name, value in durations.items():
        if 0 < value < dt * (1 - 1e-9):
            raise UserError(
                f"{what}: {name} is {value:g} s, shorter than a step (dt is {dt:g} s); make it longer, or 0"
            )
    # Half a step counts as one, whatever the rounding error of the quotient.
    return {name: math.floor(value / dt + 0.5 + 1e-9) for name, value in durations.items()}


def drawn_steps(task: str, dt: float, n: int, rng: np.random.Generator, **durations: Seconds) -> dict[str, np.ndarray]:
    """Turn durations into whole steps of each trial, drawn where a range is given.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    dt : float
        Duration of a step in s.
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.
    **durations : float or sequence of two floats
        Durations in s, or their lowest and highest.

    Returns
    -------
    dict of str to array of shape (1,) or (n,), int
        Numbers of steps: one for all trials unless they are drawn.

    Raises
    ------
    UserError
        If a duration is negative, shorter than a step but not 0, or a range does not rise.
    """
    found = {}
    for name, value in durations.items():
        if not isinstance(value, list | tuple):
            found[name] = np.array([steps(task, dt, **{name: value})[name]])
            continue
        if len(value) != 2:
            raise UserError(f"task {task}: {name} is {value}; give a number of seconds, or the lowest and the highest")
        low, high = (steps(task, dt, **{name: edge})[name] for edge in value)
        if low > high:
            raise UserError(f"task {task}: {name} is {value}; give the lower number first")
        # Steps whose middles are drawn uniformly: the edges are rounded first, so that all are equally likely.
        found[name] = rng.integers(low, high, size=n, endpoint=True)
    return found


def check_shown(task: str, dt: float, **durations: Seconds) -> None:
    """Refuse trials that may lack a part that they need.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    dt : float
        Duration of a step in s.
    **durations : float or sequence of two floats
        Durations in s, or their lowest and highest.

    Raises
    ------
    UserError
        If one may be 0.
    """
    for name, value in durations.items():
        if value == 0 or (isinstance(value, list | tuple) and 0 in value):
            raise UserError(f"task {task}: {name} may take 0 s; give it one step ({dt:g} s) or more")


def layout(lengths: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Put the parts of a trial one after the other.

    Parameters
    ----------
    lengths : dict of str to array of shape (1,) or (n,), int
        Numbers of steps, in the order of time.

    Returns
    -------
    parts : dict of str to array of shape (1, 2) or (n, 2), int
        First step of each, and the first one after it.
    total : array of shape (1,) or (n,), int
        Numbers of steps of the trials.
    """
    parts, start = {}, np.zeros(1, dtype=int)
    for name, length in lengths.items():
        stop = start + length
        parts[name] = np.stack(np.broadcast_arrays(start, stop), axis=1)
        start = stop
    return parts, start


def during(part: np.ndarray, n_steps: int) -> np.ndarray:
    """Tell which steps belong to a part.

    Parameters
    ----------
    part : array of shape (m, 2), int
        First step, and the first one after it.
    n_steps : int
        Number of steps.

    Returns
    -------
    array of shape (m, n_steps), bool
        True for those.
    """
    step = np.arange(n_steps)
    return (step >= part[:, :1]) & (step < part[:, 1:])


def timing(parts: dict[str, np.ndarray], total: np.ndarray, align: np.ndarray, n: int, dt: float) -> dict[str, object]:
    """Make the fields of `neurocompare.tasks.trials.Trials` that tell when things happen.

    Parameters
    ----------
    parts : dict of str to array of shape (1, 2) or (n, 2)
        Parts of the trials in steps, NaN where a trial has none.
    total : array of shape (1,) or (n,), int
        Numbers of steps.
    align : array of shape (1,) or (n,), int
        Step of the event that trials are aligned to; −1 for none.
    n : int
        Number of trials.
    dt : float
        Duration of a step in s.

    Returns
    -------
    dict of str to object
        ``time``, ``dt``, ``length``, ``epochs`` and ``onset``.
    """
    onset = np.broadcast_to(align, n).astype(int)
    zero = onset[0] if onset[0] >= 0 and (onset == onset[0]).all() else 0
    return {
        "time": (np.arange(total.max()) + 0.5 - zero) * dt,
        "dt": float(dt),
        "length": np.broadcast_to(total, n).astype(int),
        "epochs": {name: (np.broadcast_to(part, (n, 2)) - float(zero)) * dt for name, part in parts.items()},
        "onset": onset,
    }


def per_step(noise: float, dt: float) -> float:
    r"""Return the standard deviation in a step of white noise of a given strength.

    Parameters
    ----------
    noise : float
        :math:`\sigma`, in units of the input times √s.
    dt : float
        Duration of a step in s.

    Returns
    -------
    float
        :math:`\sigma/\sqrt{\mathrm{d}t}`, so that the integral over a time T has standard deviation
        :math:`\sigma\sqrt T`, whatever the step.
    """
    return noise / math.sqrt(dt)


def noisy(clean: np.ndarray, channels: slice, where: np.ndarray, noise: float, dt: float, rng) -> np.ndarray:
    """Add white noise to some inputs, in some steps.

    Parameters
    ----------
    clean : array of shape (n, T, I), float32
        Inputs without noise.
    channels : slice
        The inputs that are noisy.
    where : array of shape (1, T) or (n, T), bool
        The steps in which they are.
    noise : float
        Strength, in units of the input times √s.
    dt : float
        Duration of a step in s.
    rng : Generator
        Source of randomness.

    Returns
    -------
    array of shape (n, T, I), float32
        Inputs; `clean` itself if there is no noise.
    """
    used = np.flatnonzero(where.any(axis=0))
    if not noise or not used.size:
        return clean
    inputs = clean.copy()
    deviation = np.float32(per_step(noise, dt))
    on = where[:, used[0] : used[-1] + 1]
    # One input after the other: adding to all at once would take several times as long.
    for channel in range(inputs.shape[2])[channels]:
        added = rng.standard_normal((len(inputs), on.shape[1]), dtype=np.float32)
        added *= deviation
        if not on.all():
            added *= on
        inputs[:, used[0] : used[-1] + 1, channel] += added
    return inputs


def balanced(rng: np.random.Generator, repeats: int, *levels: int) -> list[np.ndarray]:
    """Cross factors, each combination `repeats` times, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each combination.
    *levels : int
        Numbers of levels of the factors.

    Returns
    -------
    list of arrays of shape (n,), int
        Level of each factor in each trial.
    """
    check_ranges("test trials", sizes={"repeats": repeats})
    rows = np.array(list(itertools.product(*map(range, levels)))).repeat(repeats, axis=0)
    return list(rng.permutation(rows).T)


def weights(task: str, loss: dict[str, float], parts: dict[str, np.ndarray], total: np.ndarray, n: int) -> np.ndarray:
    """Weigh the steps of trials by the part that they belong to.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    loss : dict of str to float
        Weight of each part that counts; the others have none.
    parts, total
        From `layout`.
    n : int
        Number of trials.

    Returns
    -------
    array of shape (n, T), float32
        Weights.

    Raises
    ------
    UserError
        If a name is no part of the trial, a weight is negative, or none is above 0.
    """
    names = ", ".join(parts)
    if not isinstance(loss, dict) or not set(loss) <= set(parts):
        raise UserError(f"task {task}: loss is {loss}; give a weight for parts of the trial ({names})")
    check_ranges(f"task {task}", magnitudes={f"loss of {name}": weight for name, weight in loss.items()})
    scored = np.zeros((1, total.max()))
    for name, weight in loss.items():
        scored = scored + weight * during(parts[name], total.max())
    if not scored.any(axis=1).all():
        raise UserError(f"task {task}: loss {loss} scores no step; give a weight to a part that takes time ({names})")
    return np.broadcast_to(scored, (n, total.max())).astype(np.float32)


def scored_at_end(trials: Trials, epoch: str) -> np.ndarray:
    """Tell in which steps a choice is read.

    Parameters
    ----------
    trials : Trials
        Trials of a task.
    epoch : str
        The part of the trial in which it is.

    Returns
    -------
    array of shape (n, T), bool
        The steps of that part, or the last step of trials in which it has none.
    """
    where = trials.during(epoch)
    last = np.arange(where.shape[1]) == trials.length[:, None] - 1
    return where | (last & ~where.any(axis=1, keepdims=True))


def first(where: np.ndarray, trials: Trials) -> tuple[np.ndarray, np.ndarray]:
    """Find the first step, from the event that trials are aligned to until their end, in which something holds.

    Parameters
    ----------
    where : array of shape (n, T), bool
        Where it holds.
    trials : Trials
        Trials of a task.

    Returns
    -------
    step : array of shape (n,), int
        The steps; 0 where there is none.
    found : array of shape (n,), bool
        Whether there is one.
    """
    index = np.arange(where.shape[1])
    after = (index >= trials.onset[:, None]) & (index < trials.length[:, None]) & (trials.onset >= 0)[:, None]
    where = where & after
    return where.argmax(axis=1), where.any(axis=1)


def mean_during(outputs: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Average outputs over some steps of each trial.

    Parameters
    ----------
    outputs : array of shape (n, T, O)
        Outputs.
    where : array of shape (n, T), bool
        The steps.

    Returns
    -------
    array of shape (n, O)
        Means; NaN for trials without such steps.
    """
    count = where.sum(axis=1)[:, None]
    total = np.einsum("nto,nt->no", np.asarray(outputs, dtype=float), where)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def check_outputs(task: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Refuse outputs that do not belong to the trials.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    outputs : array of shape (n, T, O)
        Outputs.
    targets : array of shape (n, T, O)
        What they should be.

    Returns
    -------
    array of shape (n, T, O)
        The outputs.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    outputs = np.asarray(outputs)
    if outputs.shape != targets.shape:
        raise UserError(
            f"task {task}: outputs have shape {outputs.shape}, the trials {targets.shape}; run these trials"
        )
    return outputs
