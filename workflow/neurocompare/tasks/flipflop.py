"""Memory of several bits, each set by the last pulse of its input (Sussillo & Barak 2013, Neural Comput 25:626).

Every input is 0 but for pulses of ±1 at random times; the output of the same number has to stay at the sign of its last
pulse. All inputs start with a pulse, so that all outputs are defined throughout.

Pulses fall into slots of their own duration, each with the same probability. With slots of one step this is a pulse in
each step with that probability: ``pulse: 0.02, rate: 25, duration: 1.28, settle: 0`` gives 64 steps of 0.02 s, half of
them with a pulse.
"""

import numpy as np

from neurocompare.errors import UserError
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building
from neurocompare.tasks.trials import Trials

TASK = {
    "summary": "remember the sign of the last pulse of each input",
    "inputs": {"bit_1": "pulse, ±1", "bit_2": "pulse, ±1", "bit_3": "pulse, ±1"},
    "outputs": {"bit_1": "±1", "bit_2": "±1", "bit_3": "±1"},
    "conditions": {
        "state": "signs at the end of the trial, such as +−+",
        "target": "number of that state: bit 1 counts 1, bit 2 counts 2, bit 3 counts 4",
    },
}

_NAME = "flipflop"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    bits: int = 3,
    duration: float = 3.0,
    pulse: float = 0.1,
    rate: float = 2.0,
    settle: float = 0.2,
    noise: float = 0.0,
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
    bits : int
        Number of inputs and outputs.
    duration, pulse : float
        Seconds of a trial and of a pulse; the nearest number of steps is taken.
    rate : float
        Pulses per second of each input after the first one; no more than one per `pulse`.
    settle : float
        Seconds from the start of a pulse that changes a bit during which this bit is not scored.
    noise : float
        Strength of the white noise of the inputs, in units of the input × √s.

    Returns
    -------
    Trials
        Aligned to the start.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n})
    options = _steps(dt, bits, duration, pulse, rate, settle, noise)
    return _build(rng, _pulses(n, rng, bits, options), options, dt=dt, noise=noise)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    bits: int = 3,
    duration: float = 3.0,
    pulse: float = 0.1,
    rate: float = 2.0,
    settle: float = 0.2,
    noise: float = 0.0,
) -> Trials:
    """Draw trials that end in every state equally often, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials that end in each of the ``2 ** bits`` states.
    dt, bits, duration, pulse, rate, settle, noise
        As for `trials`.

    Returns
    -------
    Trials
        Aligned to the start.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    options = _steps(dt, bits, duration, pulse, rate, settle, noise)
    wanted = 2 * np.stack(building.balanced(rng, repeats, *[2] * bits), axis=1) - 1
    pulses = _pulses(len(wanted), rng, bits, options)
    # Trials are as likely with all signs of an input turned: turn those that end in the other state.
    pulses *= (wanted * _held(pulses)[0][:, -1])[:, None]
    return _build(rng, pulses, options, dt=dt, noise=noise)


def performance(outputs: np.ndarray, trials: Trials) -> dict[str, np.ndarray]:
    """Compare the signs of outputs with the bits that they should hold.

    Parameters
    ----------
    outputs : array of shape (n, T, bits)
        Outputs of a network.
    trials : Trials
        What it was shown.

    Returns
    -------
    dict of str to array of shape (n,)
        ``correct``, 1 if all signs are right in all steps that are scored, else 0; ``fraction`` of scored signs that
        are right; ``choice``, number of the state at the end of the trial, NaN if an output is exactly 0 or no number.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    scored = trials.mask > 0
    right = (np.sign(outputs) == np.sign(trials.targets)) & scored
    last = outputs[:, -1]
    undecided = ((last == 0) | np.isnan(last)).any(axis=1)
    fraction = right.sum((1, 2)) / scored.sum((1, 2))
    return {
        "choice": np.where(undecided, np.nan, _number(last)),
        "correct": (fraction == 1).astype(float),
        "fraction": fraction,
    }


def static(*, bits: int = 3, **others: object) -> dict[str, np.ndarray]:
    """Return the inputs between pulses.

    Parameters
    ----------
    bits : int
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (bits,)
        ``no pulse``.
    """
    return {"no pulse": np.zeros(bits, dtype=np.float32)}


def _steps(dt, bits, duration, pulse, rate, settle, noise) -> dict[str, float]:
    """Check the options; return durations in steps, and the probability of a pulse in a slot."""
    check_ranges(
        f"task {_NAME}",
        sizes={"bits": bits},
        positive={"duration": duration, "pulse": pulse},
        magnitudes={"rate": rate, "noise": noise},
    )
    if bits > 10:
        raise UserError(f"task {_NAME}: bits is {bits}; use 10 or fewer")
    options = building.steps(_NAME, dt, duration=duration, pulse=pulse, settle=settle)
    if options["settle"] >= options["duration"]:
        raise UserError(
            f"task {_NAME}: settle is {settle:g} s, so that nothing of {duration:g} s is scored; shorten it"
        )
    probability = rate * options["pulse"] * dt
    if probability > 1 + 1e-9:
        raise UserError(f"task {_NAME}: rate is {rate:g}/s, more than one in each pulse of {pulse:g} s; lower it")
    return options | {"probability": probability}


def _pulses(n: int, rng: np.random.Generator, bits: int, options: dict) -> np.ndarray:
    """Draw pulses (n, slots, bits): ±1, or 0 for none."""
    slots = -(-options["duration"] // options["pulse"])
    pulses = rng.choice(np.array([-1, 1], dtype=np.int8), size=(n, slots, bits))
    pulses[:, 1:] *= rng.random((n, slots - 1, bits)) < options["probability"]
    return pulses


def _held(pulses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the sign of the last pulse (n, slots, bits), and the slot of the last pulse that changed it."""
    slot = np.arange(pulses.shape[1])[:, None]
    held = np.take_along_axis(pulses, np.maximum.accumulate(np.where(pulses != 0, slot, 0), axis=1), axis=1)
    changed = np.diff(held, axis=1, prepend=np.int8(0)) != 0
    return held, np.maximum.accumulate(np.where(changed, slot, 0), axis=1)


def _number(outputs: np.ndarray) -> np.ndarray:
    """Number states (n, bits) by their signs."""
    return (outputs > 0) @ (1 << np.arange(outputs.shape[1]))


def _build(rng, pulses, options, *, dt, noise) -> Trials:
    """Make trials of given pulses."""
    n, _, bits = pulses.shape
    n_steps, width = options["duration"], options["pulse"]
    held, changed = (array.repeat(width, axis=1)[:, :n_steps] for array in _held(pulses))
    clean = pulses.repeat(width, axis=1)[:, :n_steps].astype(np.float32)
    settled = np.arange(n_steps)[:, None] - changed * width >= options["settle"]
    last = held[:, -1]
    signs = np.array(["−", "+"])[(last > 0).astype(int)]
    whole = np.array([[0, n_steps]])
    names = tuple(f"bit_{k + 1}" for k in range(bits))
    return Trials(
        inputs=building.noisy(clean, slice(None), building.during(whole, n_steps), noise, dt, rng),
        targets=held.astype(np.float32),
        mask=settled.astype(np.float32),
        clean=clean,
        conditions={"state": np.array(["".join(row) for row in signs]), "target": _number(last)},
        input_names=names,
        output_names=names,
        input_units=("pulse, ±1",) * bits,
        **building.timing({"memory": whole}, np.array([n_steps]), np.array([0]), n, dt),
    )
