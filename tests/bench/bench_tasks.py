"""Trials of context-dependent integration per second, against a loop that makes one trial at a time."""

import time

import numpy as np
from ratios import Ratio

from neurocompare.tasks import building, context_integration

SIZES = {"tiny": (50, 50), "quick": (2000, 500), "full": (20_000, 2000)}
"""Trials, and trials that the loop is timed on."""

OPTIONS = {"dt": 0.02, "fixation": 0.36, "context": 0.0, "stimulus": 1.6, "delay": 0.1, "decision": 0.24}
"""115 steps, 80 of them with two noisy inputs."""

STEPS = 115


def measure(how: str) -> list[Ratio]:
    """Time batches as for training, and large ones, in seconds of one core."""
    trials, timed = SIZES[how]
    rng = np.random.default_rng(5)
    rows = []
    for batch in (64, 1000):
        batch = min(batch, trials)
        batches = trials // batch
        ours = _seconds(
            lambda size=batch, k=batches: [context_integration.trials(size, rng, **OPTIONS) for _ in range(k)]
        )
        rate = batches * batch / ours
        drawn = context_integration.trials(timed, rng, **OPTIONS)
        assert drawn.inputs.shape == (timed, STEPS, 4)
        made = []
        seconds = _seconds(lambda shown=drawn, made=made: made.append(_loop(shown, rng)))
        difference = np.abs(np.stack([clean for _, clean, _, _ in made[-1]]) - drawn.clean).max()
        size = f"{trials} trials × {STEPS} steps, batches of {batch}"
        rows += [
            Ratio(
                "context_integration, trials/s",
                "one core",
                size,
                rate,
                "≥ 50000" if how == "full" else "",
                "by the clock of the process, so that other processes do not count",
            ),
            Ratio(
                "context_integration",
                "loop over trials",
                size,
                seconds / timed * rate,
                "",
                f"loop timed on {timed} trials, {timed / seconds:.0f} per s; greatest difference {difference:.0e}",
            ),
        ]
    return rows


def _seconds(function, rounds: int = 3) -> float:
    """Return the shortest time of a core that a function takes."""
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best


def _loop(drawn, rng) -> list[tuple[np.ndarray, ...]]:
    """Make trials of the same conditions one by one: inputs, inputs without noise, targets and mask."""
    deviation = building.per_step(0.1, OPTIONS["dt"])
    made = []
    for k in range(len(drawn)):
        condition = {name: values[k] for name, values in drawn.conditions.items()}
        start, stop = drawn.epochs["stimulus"][k] / OPTIONS["dt"] + drawn.onset[k]
        on, off = round(start), round(stop)
        go = round(drawn.epochs["decision"][k, 0] / OPTIONS["dt"] + drawn.onset[k])
        clean = np.zeros((STEPS, 4), dtype=np.float32)
        clean[on:off, 0] = condition["motion"]
        clean[on:off, 1] = condition["color"]
        clean[on:, 2 if condition["context"] == "motion" else 3] = 1
        inputs = clean.copy()
        inputs[on:off, :2] += deviation * rng.standard_normal((off - on, 2))
        targets = np.zeros((STEPS, 1), dtype=np.float32)
        targets[go:] = condition["target"]
        mask = np.zeros((STEPS, 1), dtype=np.float32)
        mask[:on] = 0.2
        mask[go:] = 1
        made.append((inputs, clean, targets, mask))
    return made
