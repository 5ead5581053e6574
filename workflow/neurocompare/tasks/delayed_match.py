"""Delayed match to sample: tell whether a second item is the same as the first.

A trial has a fixation, the sample, a delay, the test and the decision. Each item has an input of its own, which is 1
while the item is shown.
"""

import math

import numpy as np
from scipy.stats import norm

from neurocompare.errors import UserError
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building, evidence
from neurocompare.tasks.trials import Trials

TASK = {
    "summary": "tell whether the test is the same item as the sample",
    "inputs": {"item_1": "strength", "item_2": "strength"},
    "outputs": {"match": "1 for the same, −1 for another"},
    "conditions": {
        "sample": "number of the first item",
        "test": "number of the second item",
        "match": "1 if they are the same, else 0",
        "target": "correct choice: 1 for the same, −1 for another",
    },
}

LOSS = {"fixation": 0.2, "delay": 0.2, "decision": 1.0}
"""Weights of the parts of a trial in the loss, by default."""

_NAME = "delayed_match"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    items: int = 2,
    fixation: float = 0.1,
    sample: float = 0.3,
    delay: building.Seconds = 0.5,
    test: float = 0.3,
    decision: float = 0.2,
    noise: float = 0.1,
    loss: dict[str, float] = LOSS,
) -> Trials:
    """Draw random trials, half of them with the same item twice.

    Parameters
    ----------
    n : int
        Number of trials.
    rng : Generator
        Source of randomness.
    dt : float
        Step in s.
    items : int
        Number of items, 2 or more.
    fixation, sample, test, decision : float
        Seconds of these parts; the nearest number of steps is taken.
    delay : float or sequence of two floats
        Seconds between sample and test, or their lowest and highest.
    noise : float
        Strength of the white noise of all items while one is shown, in units of the input × √s.
    loss : dict of str to float
        Weight of each part of the trial that is scored; the target is the correct choice in the decision, and 0 before.

    Returns
    -------
    Trials
        Aligned to the onset of the sample.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n})
    _check(items, noise)
    first = rng.integers(0, items, size=n)
    other = (first + rng.integers(1, items, size=n)) % items
    second = np.where(rng.random(n) < 0.5, first, other)
    lengths = {"fixation": fixation, "sample": sample, "delay": delay, "test": test, "decision": decision}
    return _build(rng, first, second, items, lengths, dt=dt, noise=noise, loss=loss)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    items: int = 2,
    fixation: float = 0.1,
    sample: float = 0.3,
    delay: building.Seconds = 0.5,
    test: float = 0.3,
    decision: float = 0.2,
    noise: float = 0.1,
    loss: dict[str, float] = LOSS,
) -> Trials:
    """Show every pair of items, in random order.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials of each pair; with more than two items there are more pairs that differ.
    dt, items, fixation, sample, delay, test, decision, noise, loss
        As for `trials`.

    Returns
    -------
    Trials
        Aligned to the onset of the sample.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    _check(items, noise)
    first, second = building.balanced(rng, repeats, items, items)
    lengths = {"fixation": fixation, "sample": sample, "delay": delay, "test": test, "decision": decision}
    return _build(rng, first, second, items, lengths, dt=dt, noise=noise, loss=loss)


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
    *, dt: float = 0.02, items: int = 2, sample: float = 0.3, test: float = 0.3, noise: float = 0.1, **others: object
) -> float:
    r"""Compute how often the ideal observer of two items is right.

    Which of two items was shown for a time T is told by the sign of the difference of their inputs, rightly with
    probability :math:`p_T = \Phi(\sqrt{T / 2} / \sigma)`. Sample and test are the same if both are told rightly, or
    both wrongly.

    Parameters
    ----------
    dt, items, sample, test, noise
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    float
        :math:`p_s p_t + (1 - p_s)(1 - p_t)`; 1 without noise.

    Raises
    ------
    UserError
        If there are more than two items, and noise.
    """
    _check(items, noise)
    if not noise:
        return 1.0
    if items > 2:
        raise UserError(f"task {_NAME}: the ideal observer is known for two items (items is {items}), or without noise")
    shown = building.steps(_NAME, dt, sample=sample, test=test)
    first, second = (float(norm.cdf(math.sqrt(steps * dt / 2) / noise)) for steps in shown.values())
    return first * second + (1 - first) * (1 - second)


def static(*, items: int = 2, **others: object) -> dict[str, np.ndarray]:
    """Return the inputs of the delay, and of each item.

    Parameters
    ----------
    items : int
        As for `trials`.
    **others : object
        The other options of `trials`, which do not matter.

    Returns
    -------
    dict of str to array of shape (items,)
        ``delay``, ``item=1`` and so on.
    """
    shown = {f"item={k + 1}": row for k, row in enumerate(np.eye(items, dtype=np.float32))}
    return {"delay": np.zeros(items, dtype=np.float32)} | shown


def _check(items: int, noise: float) -> None:
    check_ranges(f"task {_NAME}", sizes={"items": items}, magnitudes={"noise": noise})
    if items < 2:
        raise UserError(f"task {_NAME}: items is {items}; use 2 or more")


def _build(rng, first, second, items, lengths, *, dt, noise, loss) -> Trials:
    """Make trials of given pairs of items."""
    n = len(first)
    building.check_shown(_NAME, dt, sample=lengths["sample"], test=lengths["test"])
    parts, total = building.layout(building.drawn_steps(_NAME, dt, n, rng, **lengths))
    n_steps = total.max()
    shown = [building.during(parts[name], n_steps) for name in ("sample", "test")]
    one_hot = np.eye(items, dtype=np.float32)
    clean = sum(one_hot[item][:, None] * where[..., None] for item, where in zip((first, second), shown, strict=True))
    target = np.where(first == second, 1, -1)
    targets = target[:, None] * building.during(parts["decision"], n_steps)
    return Trials(
        inputs=building.noisy(clean, slice(None), shown[0] | shown[1], noise, dt, rng),
        targets=targets.astype(np.float32)[..., None],
        mask=building.weights(_NAME, loss, parts, total, n)[..., None],
        clean=clean,
        conditions={
            "sample": first + 1,
            "test": second + 1,
            "match": (first == second).astype(int),
            "target": target,
        },
        input_names=tuple(f"item_{k + 1}" for k in range(items)),
        output_names=tuple(TASK["outputs"]),
        input_units=("strength",) * items,
        **building.timing(parts, total, parts["sample"][:, 0], n, dt),
    )
