"""Trials of a task: what a network is shown, what it should answer, and what each trial was."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Trials:
    r"""Trials of a task.

    Input k is held during step k, from ``k dt`` to ``(k + 1) dt`` after the start of the trial; state and output k are
    those at the end of that step, and target k is meant for output k.

    Attributes
    ----------
    inputs : array of shape (n, T, I), float32
        Inputs with the noise of the stimulus.
    targets : array of shape (n, T, O), float32
        Outputs that are asked for.
    mask : array of shape (n, T, O), float32
        Weight of each target in the loss; 0 where nothing is asked for, and after the end of a trial.
    time : array of shape (T,)
        Middle of each step in s. Zero is the start of the event that trials are aligned to, where that is in the same
        step of all trials, and else the start of the trial; `onset` has its step in any case.
    dt : float
        Duration of a step in s.
    length : array of shape (n,), int
        Number of steps of each trial; those after it fill up the array.
    epochs : dict of str to array of shape (n, 2)
        Start and stop of each part of a trial, in s on the axis of `time`: the steps whose middle is between them
        belong to it. NaN where a trial has no such part.
    conditions : dict of str to array of shape (n,)
        What was shown, and ``target``, what is correct.
    clean : array of shape (n, T, I), float32
        `inputs` without the noise of the stimulus.
    onset : array of shape (n,), int
        First step of the event that trials are aligned to; −1 where a trial has none.
    input_names, output_names : tuple of str
        Names of inputs and outputs.
    input_units : tuple of str
        Units of the inputs.
    """

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    time: np.ndarray
    dt: float
    length: np.ndarray
    epochs: dict[str, np.ndarray]
    conditions: dict[str, np.ndarray]
    clean: np.ndarray
    onset: np.ndarray
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    input_units: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.inputs)

    def during(self, epoch: str) -> np.ndarray:
        """Tell which steps belong to a part of the trial.

        Parameters
        ----------
        epoch : str
            One of `epochs`.

        Returns
        -------
        array of shape (n, T), bool
            True for the steps whose middle is in it.
        """
        start, stop = self.epochs[epoch].T[:, :, None]
        return (self.time >= start) & (self.time < stop)

    def select(self, index) -> "Trials":
        """Keep some of the trials.

        Parameters
        ----------
        index : array of int or bool, or slice
            Which.

        Returns
        -------
        Trials
            The same number of steps, even if none of the trials needs all of them.
        """
        return Trials(
            inputs=self.inputs[index],
            targets=self.targets[index],
            mask=self.mask[index],
            time=self.time,
            dt=self.dt,
            length=self.length[index],
            epochs={name: values[index] for name, values in self.epochs.items()},
            conditions={name: values[index] for name, values in self.conditions.items()},
            clean=self.clean[index],
            onset=self.onset[index],
            input_names=self.input_names,
            output_names=self.output_names,
            input_units=self.input_units,
        )
