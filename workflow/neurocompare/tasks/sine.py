r"""Oscillation at a frequency that a constant input sets (Sussillo & Barak 2013, Neural Comput 25:626).

After a fixation the input takes a value that grows linearly with the frequency, from 0.25 for the lowest to 1.25 for
the highest, and the output has to be :math:`\sin 2\pi f t`, where t starts with the input.
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building, evidence
from neurocompare.tasks.trials import Trials

TASK = {
    "summary": "oscillate at the frequency that the input tells",
    "inputs": {"frequency": "0.25 for the lowest, 1.25 for the highest frequency"},
    "outputs": {"sine": "−1 to 1"},
    "conditions": {
        "frequency": "in Hz",
        "level": "1 for the lowest of the frequencies, 2 for the next; 0 for one that is no level",
        "target": "the frequency in Hz",
    },
}

_NAME = "sine"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    fixation: float = 0.1,
    duration: float = 2.0,
    lowest: float = 0.5,
    highest: float = 2.5,
    levels: int = 21,
    draw: str = "levels",
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
    fixation, duration : float
        Seconds before the input, in which the output has to be 0, and with it; the nearest number of steps is taken.
    lowest, highest : float
        Frequencies in Hz.
    levels : int
        Number of frequencies, with equal steps between them.
    draw : {"levels", "uniform"}
        Whether frequencies are drawn from the levels, or uniformly.
    noise : float
        Strength of the white noise of the input while it is on, in units of the input × √s.

    Returns
    -------
    Trials
        Aligned to the onset of the input.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n})
    grid = _grid(dt, duration, lowest, highest, levels, draw, noise)
    if draw == "levels":
        level = rng.integers(1, levels, size=n, endpoint=True)
        frequency = grid[level - 1]
    else:
        level, frequency = np.zeros(n, dtype=int), rng.uniform(lowest, highest, size=n)
    return _build(rng, frequency, level, grid, fixation, duration, dt=dt, noise=noise)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    fixation: float = 0.1,
    duration: float = 2.0,
    lowest: float = 0.5,
    highest: float = 2.5,
    levels: int = 21,
    draw: str = "levels",
    noise: float = 0.0,
) -> Trials:
    """Ask for every frequency, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each of the levels.
    dt, fixation, duration, lowest, highest, levels, noise
        As for `trials`.
    draw : {"levels", "uniform"}
        Not used: tests show the levels.

    Returns
    -------
    Trials
        Aligned to the onset of the input.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    grid = _grid(dt, duration, lowest, highest, levels, draw, noise)
    (index,) = building.balanced(rng, repeats, levels)
    return _build(rng, grid[index], index + 1, grid, fixation, duration, dt=dt, noise=noise)


def performance(outputs: np.ndarray, trials: Trials, *, tolerance: float = 0.1) -> dict[str, np.ndarray]:
    """Compare outputs with the sines that they should be.

    Parameters
    ----------
    outputs : array of shape (n, T, 1)
        Outputs of a network.
    trials : Trials
        What it was shown.
    tolerance : float
        Greatest mean squared error while the input is on, as a fraction of the mean square of the target.

    Returns
    -------
    dict of str to array of shape (n,)
        ``correct``, 1 or 0; ``error``, that fraction; ``choice``, frequency in Hz of the sine, of any phase, that is
        nearest to the output, among 401 from half of the lowest to 1.5 times the highest of the trials; NaN if the
        output is constantly 0 or no number.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    on = trials.during("sine")[0]
    said, target = (np.asarray(x[:, on, 0], dtype=float) for x in (outputs, trials.targets))
    error = np.square(said - target).mean(1) / np.square(target).mean(1)
    asked = trials.conditions["frequency"]
    tried = np.linspace(0.5 * asked.min(), 1.5 * asked.max(), 401)
    # The plane of all sines of a frequency: what is nearest in it holds the most of the output.
    phase = 2 * np.pi * tried[:, None, None] * (trials.time[on] + trials.dt / 2)[:, None]
    basis = np.linalg.qr(np.concatenate([np.sin(phase), np.cos(phase)], axis=-1))[0]
    held = np.square(np.tensordot(said, basis, axes=(1, 1))).sum(-1)
    defined = np.isfinite(held).all(axis=1) & (held > 0).any(axis=1)
    choice = np.where(defined, tried[held.argmax(axis=1)], np.nan)
    return {"choice": choice, "correct": (error <= tolerance).astype(float), "error": error}


def static(*, lowest: float = 0.5, highest: float = 2.5, levels: int = 21, **others: object) -> dict[str, np.ndarray]:
    """Return the input of each frequency.

    Parameters
    ----------
    lowest, highest, levels
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (1,)
        ``frequency=0.5`` and so on, in Hz.
    """
    grid = np.linspace(lowest, highest, levels)
    return {f"frequency={f:g}": _input(np.array([f]), grid) for f in grid}


def _grid(dt, duration, lowest, highest, levels, draw, noise) -> np.ndarray:
    """Check the options, and return the frequencies of the levels."""
    what = f"task {_NAME}"
    positive = {"dt": dt, "duration": duration, "lowest": lowest, "highest": highest}
    check_ranges(what, positive=positive, sizes={"levels": levels}, magnitudes={"noise": noise})
    if levels < 2 or lowest >= highest:
        raise UserError(
            f"{what}: {levels} levels from {lowest:g} to {highest:g} Hz; give 2 or more, and the lower first"
        )
    if highest >= 0.5 / dt:
        raise UserError(
            f"{what}: highest is {highest:g} Hz, too fast for steps of {dt:g} s; stay below {0.5 / dt:g} Hz"
        )
    if draw not in evidence.DRAWS:
        raise unknown(f"draw of {what}", str(draw), evidence.DRAWS)
    return np.linspace(lowest, highest, levels)


def _input(frequency: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return (0.25 + (frequency - grid[0]) / (grid[-1] - grid[0])).astype(np.float32)


def _build(rng, frequency, level, grid, fixation, duration, *, dt, noise) -> Trials:
    """Make trials of given frequencies."""
    n = len(frequency)
    whole = building.steps(_NAME, dt, fixation=fixation, duration=duration)
    parts, total = building.layout({"fixation": np.array([whole["fixation"]]), "sine": np.array([whole["duration"]])})
    n_steps, start = total[0], parts["sine"][0, 0]
    on = building.during(parts["sine"], n_steps)
    clean = (_input(frequency, grid)[:, None] * on).astype(np.float32)[..., None]
    # Outputs are those at the end of a step.
    seconds = np.maximum(np.arange(n_steps) + 1 - start, 0) * dt
    return Trials(
        inputs=building.noisy(clean, slice(None), on, noise, dt, rng),
        targets=np.sin(2 * np.pi * frequency[:, None] * seconds).astype(np.float32)[..., None],
        mask=np.ones((n, n_steps, 1), dtype=np.float32),
        clean=clean,
        conditions={"frequency": frequency, "level": level, "target": frequency},
        input_names=tuple(TASK["inputs"]),
        output_names=tuple(TASK["outputs"]),
        input_units=tuple(TASK["inputs"].values()),
        **building.timing(parts, total, parts["sine"][:, 0], n, dt),
    )
