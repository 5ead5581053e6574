"""Trials of recordings, by stimulus."""

import numpy as np
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.similarity.trials import Trials


def repeated(recording: xr.DataArray, times: int = 2) -> bool:
    """Tell whether every stimulus was presented at least so often.

    Parameters
    ----------
    recording : DataArray
        Responses, or a published RDM (which has no trials).
    times : int
        How often.

    Returns
    -------
    bool
        True where the trials of each stimulus can be halved.
    """
    if "presentation" not in recording.dims:
        return False
    return bool(np.unique(recording.coords["stimulus"].values, return_counts=True)[1].min() >= times)


def mean(recording: xr.DataArray, stimuli: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """Average responses over the trials of each stimulus.

    Parameters
    ----------
    recording : DataArray
        Responses with dims ``(presentation, unit)``.
    stimuli : array of str of shape (n_stimuli,)
        The stimuli, in the order wanted.
    chosen : array of bool of shape (n_presentations,), optional
        The trials to use.

    Returns
    -------
    array of shape (n_stimuli, n_units)
        Mean responses.

    Raises
    ------
    UserError
        If the responses have a time axis, or a stimulus has no trial.
    """
    trials = of_recording(recording, stimuli)
    if chosen is None:
        return trials.mean()
    kept = chosen[trial_index(recording, stimuli) >= 0]
    counts = trials.counts(kept)
    if counts.min() == 0:
        raise UserError(f"stimulus '{stimuli[counts.argmin()]}' has no trial to average")
    return trials.mean(kept)


def trial_index(recording: xr.DataArray, stimuli: np.ndarray) -> np.ndarray:
    """Number the stimulus of every trial.

    Parameters
    ----------
    recording : DataArray
        Responses.
    stimuli : array of str of shape (n_stimuli,)
        The stimuli, in the order wanted.

    Returns
    -------
    array of int of shape (n_presentations,)
        Positions in `stimuli`; −1 for a stimulus that is not among them.
    """
    stimuli = np.asarray(stimuli).astype(str)
    shown = recording.coords["stimulus"].values.astype(str)
    order = np.argsort(stimuli)
    position = order[np.searchsorted(stimuli[order], shown).clip(max=len(stimuli) - 1)]
    return np.where(stimuli[position] == shown, position, -1)


def of_recording(recording: xr.DataArray, stimuli: np.ndarray) -> Trials:
    """Take the trials of some stimuli out of a recording.

    Parameters
    ----------
    recording : DataArray
        Responses with dims ``(presentation, unit)``.
    stimuli : array of str of shape (n_stimuli,)
        The stimuli, in the order wanted.

    Returns
    -------
    Trials
        In the order of the recording.

    Raises
    ------
    UserError
        If the responses have a time axis, or a stimulus has no trial.
    """
    if "time" in recording.dims:
        raise UserError("responses have a time axis: average over a window of time before comparing stimuli")
    index = trial_index(recording, stimuli)
    used = index >= 0
    counts = np.bincount(index[used], minlength=len(stimuli))
    if counts.min() == 0:
        raise UserError(f"stimulus '{stimuli[counts.argmin()]}' has no trial to average")
    blocks = recording.coords["block"].values
    return Trials(recording.values[used], index[used], blocks[used], len(stimuli))


def block_of_stimuli(recording: xr.DataArray, stimuli: np.ndarray, name: str) -> np.ndarray:
    """Find the block in which every stimulus was shown.

    Parameters
    ----------
    recording : DataArray
        Responses.
    stimuli : array of str of shape (n_stimuli,)
        The stimuli.
    name : str
        The id of the recording.

    Returns
    -------
    array of int of shape (n_stimuli,)
        The block of each.

    Raises
    ------
    UserError
        If a stimulus was shown in several blocks.
    """
    index, block = trial_index(recording, stimuli), recording.coords["block"].values
    held = [np.unique(block[index == k]) for k in range(len(stimuli))]
    several = [stimuli[k] for k, blocks in enumerate(held) if len(blocks) > 1]
    if several:
        raise UserError(
            f"recording '{name}' declares exchangeable=block, but stimulus '{several[0]}' was shown in several blocks: "
            "its mean over them belongs to none; declare exchangeable=stimulus if the order of stimuli was random"
        )
    return np.concatenate(held)


def course_of_stimuli(recording: xr.DataArray, stimuli: np.ndarray) -> dict[str, np.ndarray]:
    """Find the condition and the time of every row of a course.

    Parameters
    ----------
    recording : DataArray
        From `neurocompare.courses.unrolling.unroll`.
    stimuli : array of str of shape (n_stimuli,)
        The rows, in the order wanted.

    Returns
    -------
    dict of str to array of shape (n_stimuli,)
        ``condition`` and ``time``, as `neurocompare.inference.resampling.plan` takes them.
    """
    index = trial_index(recording, stimuli)
    first = np.array([np.flatnonzero(index == k)[0] for k in range(len(stimuli))])
    names = {"condition": "condition", "time": "condition_time"}
    return {key: recording.coords[name].values[first] for key, name in names.items()}
