"""Averages of trials, and halves of them, for ceilings and for what must not see its own noise."""

import itertools
import zlib

import numpy as np
import xarray as xr

from neurocompare.errors import UserError


def repeated(recording: xr.DataArray) -> bool:
    """Tell whether every stimulus was presented at least twice.

    Parameters
    ----------
    recording : DataArray
        Responses, or a published RDM (which has no trials).

    Returns
    -------
    bool
        True where the trials of each stimulus can be halved.
    """
    if "presentation" not in recording.dims:
        return False
    return bool(np.unique(recording.coords["stimulus"].values, return_counts=True)[1].min() >= 2)


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
    if "time" in recording.dims:
        raise UserError("responses have a time axis: average over a window of time before comparing stimuli")
    index = trial_index(recording, stimuli)
    used = index >= 0 if chosen is None else (index >= 0) & chosen
    counts = np.bincount(index[used], minlength=len(stimuli))
    if counts.min() == 0:
        raise UserError(f"stimulus '{stimuli[counts.argmin()]}' has no trial to average")
    # One column per trial with its share: a product of matrices is far quicker than adding row by row.
    share = np.zeros((len(stimuli), used.sum()))
    share[index[used], np.arange(used.sum())] = 1 / counts[index[used]]
    return share @ recording.values[used]


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


def halves(recording: xr.DataArray, stimuli: np.ndarray, *, splits: int) -> np.ndarray:
    """Average responses over random, non-overlapping halves of the trials.

    Whole blocks go to one half wherever every stimulus then stays in both halves, because trials of a
    block share slow fluctuations; otherwise the trials of each stimulus are halved by themselves. Halves
    are of equal size: of an odd number, another block or trial is left out in each split.

    Parameters
    ----------
    recording : DataArray
        Responses with at least two trials of every stimulus.
    stimuli : array of str of shape (n_stimuli,)
        The stimuli, in the order wanted.
    splits : int
        At most this many different splits.

    Returns
    -------
    array of shape (n_splits, 2, n_stimuli, n_units)
        Mean responses in both halves.
    """
    seed = [zlib.crc32(b"halves"), recording.sizes["presentation"]]
    chosen = _block_halves(recording, stimuli, splits, seed) or _trial_halves(recording, stimuli, splits, seed)
    return np.stack([[mean(recording, stimuli, half) for half in pair] for pair in chosen])


def _block_halves(recording, stimuli, splits, seed) -> list[tuple[np.ndarray, np.ndarray]]:
    blocks = recording.coords["block"].values
    labels = np.unique(blocks)
    index = trial_index(recording, stimuli)
    if len(labels) < 2:
        return []
    half = len(labels) // 2
    rng = np.random.default_rng(seed)
    if len(labels) <= 12:
        firsts = itertools.combinations(labels, half)
        groups = [(a, b) for a in firsts for b in itertools.combinations(np.setdiff1d(labels, a), half) if a < b]
        groups = [groups[k] for k in rng.permutation(len(groups))[:splits]]
    else:
        orders = [rng.permutation(labels) for _ in range(splits)]
        groups = [(order[:half], order[half : 2 * half]) for order in orders]
    chosen = [tuple(np.isin(blocks, group) for group in pair) for pair in groups]
    counts = (np.bincount(index[(index >= 0) & side], minlength=len(stimuli)) for pair in chosen for side in pair)
    return chosen if all(count.min() > 0 for count in counts) else []


def _trial_halves(recording, stimuli, splits, seed) -> list[tuple[np.ndarray, np.ndarray]]:
    index = trial_index(recording, stimuli)
    rng = np.random.default_rng([*seed, 1])
    chosen = []
    for _ in range(splits):
        order = rng.permutation(len(index))
        pair = np.zeros((2, len(index)), dtype=bool)
        for k in range(len(stimuli)):
            mine = order[index[order] == k]
            half = len(mine) // 2
            pair[0, mine[:half]] = pair[1, mine[half : 2 * half]] = True
        chosen.append(tuple(pair))
    return chosen
