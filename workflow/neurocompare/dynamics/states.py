"""States of a network on its task, from which its dynamics are opened."""

import numpy as np
import torch

from neurocompare import tasks
from neurocompare.dynamics.descent import Step
from neurocompare.recurrent import running
from neurocompare.recurrent.storage import Trained
from neurocompare.tasks.trials import Trials


def drawn(trained: Trained, n: int, *, seed: int) -> tuple[Trials, running.Run]:
    """Run a network on random trials of its task.

    Parameters
    ----------
    trained : Trained
        The network.
    n : int
        Number of trials.
    seed : int
        Seed of trials and noise.

    Returns
    -------
    trials : Trials
        What it was shown.
    run : Run
        What it did, with its own noise.
    """
    trials = tasks.load(trained.definition.task).trials(n, np.random.default_rng(seed), **trained.definition.options)
    return trials, running.run(trained, trials, seed=seed)


def maps(trained: Trained) -> tuple[Step, Step]:
    """Return the step of a network without noise, in double and in single precision.

    Parameters
    ----------
    trained : Trained
        The network.

    Returns
    -------
    precise, fast : callable
        From states (…, S) and inputs (…, I) to states.
    """
    kinds = (torch.float64, torch.float32)
    return tuple(trained.cell.map({name: w.detach().to(kind) for name, w in trained.weights.items()}) for kind in kinds)


def condition(name: str) -> str:
    """Turn the name of a constant input into a condition of a row."""
    return name if "=" in name else f"input={name}"
