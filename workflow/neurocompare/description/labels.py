"""Labels of presentations: which ones have one, how they are divided into folds, and how they are shuffled."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from sklearn.model_selection import StratifiedKFold

from neurocompare.description.rows import may_permute_trials
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion.presentations import constant_in_blocks, majority_in_blocks

FOLDS = 4
ROOTED = ("spike count", "inferred spikes")
"""Responses that are never negative, unless they were scaled, and whose variance grows with their mean."""
ORDERS = 1000
"""Orders of blocks that are tried before a null of whole blocks is given up."""
SPLITS = ("chronological", "interleaved")
INTERLEAVED = 5
"""Random folds with equal shares of each label."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Presentations with a label, in the two ways to divide them.

    Attributes
    ----------
    array : DataArray
        The presentations that have a label.
    label : str
        Its name.
    classes : array of shape (n_classes,)
        Its values.
    target : array of int of shape (n_presentations,)
        Which value each presentation has.
    missing : int
        Number of presentations that were left out.
    constant : bool
        Whether it (almost) never changes within a block; see `constant_in_blocks`.
    folds : dict of str to array of int of shape (n_presentations,)
        By split: up to four stretches of consecutive blocks, and five random folds; only those that can be had.
    lacking : dict of str to str
        Why the others can't: ``one_block``, ``label_in_one_fold``, ``too_few_trials``, or ``constant_in_blocks``.
    """

    array: xr.DataArray
    label: str
    classes: np.ndarray
    target: np.ndarray
    missing: int
    constant: bool
    folds: dict[str, np.ndarray]
    lacking: dict[str, str]

    @property
    def pooled(self) -> str:
        """What is added to the name of a quantity if units were not recorded together."""
        return "" if self.array.attrs["simultaneous"] or self.array.sizes["unit"] == 1 else " of pooled units"

    @property
    def size(self) -> dict[str, int]:
        """What rows say of the size of the data."""
        return {
            "n_stimuli": len(np.unique(self.array.coords["stimulus"].values)),
            "n_units": self.array.sizes["unit"],
            "n_trials": self.array.sizes["presentation"],
        }

    @property
    def setting(self) -> str:
        """The beginning of the condition of rows."""
        window = f";window={self.array.attrs['window']}" if "window" in self.array.attrs else ""
        return f"label={self.label};classes={len(self.classes)}{window}"

    @property
    def whole(self) -> np.ndarray | None:
        """Blocks that are resampled as wholes, if the label (almost) never changes within one."""
        return self.array.coords["block"].values if self.constant else None

    def shuffled(self, split: str, n: int, rng: np.random.Generator) -> np.ndarray:
        """Shuffle labels within folds, or among whole blocks if they (almost) never change within one.

        Parameters
        ----------
        split : str
            A key of `folds`.
        n : int
            How often.
        rng : Generator
            The source of randomness.

        Returns
        -------
        array of int of shape (n_shuffles, n_presentations)
            Empty if the recording does not declare its stimuli exchangeable, or blocks can hardly change places.
        """
        fold, found = self.folds[split], []
        for _ in range(n * may_permute_trials(self.array)):
            if self.constant:
                shuffled = blocks_shuffled(self.target, self.array.coords["block"].values, fold, rng)
                if shuffled is None:
                    found = []
                    break
            else:
                shuffled = shuffled_within(self.target, fold, rng)
            found.append(shuffled)
        return np.array(found, dtype=int).reshape(-1, len(self.target))


def divided(array: xr.DataArray, label: str, description_id: str, seed: int) -> Labelled:
    """Find the presentations that have a label, and divide them.

    Parameters
    ----------
    array : DataArray
        A recording.
    label : str
        As for `labelled`.
    description_id : str
        What error messages start with.
    seed : int
        Seed of the random folds.

    Returns
    -------
    Labelled
        The presentations and their folds.

    Raises
    ------
    UserError
        As `labelled`, or if the label never changed within a block of recordings that were pooled.
    """
    array, missing = labelled(array, label, description_id)
    refuse_pooled_blocks(array, label, description_id)
    classes, target = np.unique(array.coords[label].values, return_inverse=True)
    block = array.coords["block"].values
    constant = constant_in_blocks(target, block)
    folds, lacking = {}, {}
    chronological = block_folds(block)
    if chronological.max() == 0:
        lacking["chronological"] = "one_block"
    elif any(len(np.unique(target[chronological != k])) < len(classes) for k in np.unique(chronological)):
        lacking["chronological"] = "label_in_one_fold"
    else:
        folds["chronological"] = chronological
    if constant:
        lacking["interleaved"] = "constant_in_blocks"
    elif np.bincount(target).min() < INTERLEAVED:
        lacking["interleaved"] = "too_few_trials"
    else:
        folds["interleaved"] = folds_named(array, target, str(INTERLEAVED), label, np.random.default_rng([seed, 3]))
    return Labelled(array, label, classes, target, missing, constant, folds, lacking)


def refuse_pooled_blocks(array: xr.DataArray, label: str, description_id: str) -> None:
    """Raise a `UserError` if a label never changed within a block of recordings that were pooled."""
    if label in array.attrs.get("constant_in_blocks", "").split(","):
        raise UserError(
            f"{description_id}: coordinate '{label}' never changed within a block of the recordings that were pooled, "
            "and the pool has no blocks; classify single recordings with folds=block"
        )


def responses(array: xr.DataArray) -> tuple[np.ndarray, bool]:
    """Return responses as classifiers take them.

    Parameters
    ----------
    array : DataArray
        A recording.

    Returns
    -------
    values : array of shape (n_presentations, [n_times,] n_units)
        Square roots of counts and of inferred spikes, unless those were scaled to both signs.
    rooted : bool
        Whether they are square roots; others are to be z-scored.
    """
    values = array.values.astype(float)
    rooted = array.attrs["response"] in ROOTED and values.min() >= 0
    return (np.sqrt(values) if rooted else values), bool(rooted)


def labelled(array: xr.DataArray, label: str, description_id: str) -> tuple[xr.DataArray, int]:
    """Return the presentations that have a label.

    Parameters
    ----------
    array : DataArray
        A recording.
    label : str
        A coordinate along ``presentation``; ``orientation`` is derived from ``direction`` if need be.
    description_id : str
        What error messages start with.

    Returns
    -------
    array : DataArray
        Without the presentations whose label is NaN or empty.
    missing : int
        Number of those.

    Raises
    ------
    UserError
        If there is no such coordinate, nothing to tell apart, or almost every presentation has its own value.
    """
    known = [n for n, c in array.coords.items() if c.dims == ("presentation",) and not n.startswith("_")]
    if label == "orientation" and "orientation" not in known and "direction" in known:
        array = array.assign_coords(orientation=array.coords["direction"].astype(float) % 180)
    elif label not in known:
        raise unknown(f"presentation coordinate of {description_id}", label, known)
    values = array.coords[label].values
    there = np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) != ""
    array = array.isel(presentation=np.flatnonzero(there))
    n, classes = array.sizes["presentation"], len(np.unique(values[there]))
    if classes < 2:
        raise UserError(f"{description_id}: coordinate '{label}' has {classes} values; 2 are needed to tell apart")
    if 2 * classes > n:
        raise UserError(
            f"{description_id}: coordinate '{label}' has {classes} values in {n} presentations, it is not discrete; "
            "choose another label or bin it in the loader"
        )
    return array, int((~there).sum())


def block_folds(block: np.ndarray, n_folds: int = FOLDS) -> np.ndarray:
    """Join blocks, in the order of their numbers, into at most `n_folds` folds of consecutive blocks.

    Parameters
    ----------
    block : array of int of shape (n_presentations,)
        Block of each presentation.
    n_folds : int
        Largest number of folds.

    Returns
    -------
    array of int of shape (n_presentations,)
        Fold of each presentation, all zero if there is only one block.
    """
    blocks, index = np.unique(block, return_inverse=True)
    return np.arange(len(blocks))[index] * min(n_folds, len(blocks)) // len(blocks)


def folds_named(array: xr.DataArray, target: np.ndarray, folds: str, label: str, rng) -> np.ndarray:
    """Make the folds that `neurocompare.description.classifiers.classify` describes.

    Parameters
    ----------
    array : DataArray
        A recording.
    target : array of int of shape (n_presentations,)
        Labels 0, 1, …
    folds : {"block", "stratified", "5", "leave-one-out"}
        Which.
    label : str
        The name of the labels, for messages.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int of shape (n_presentations,)
        Fold of each presentation.

    Raises
    ------
    UserError
        If there are too few blocks, or presentations of a label.
    """
    if folds == "block":
        fold = block_folds(array.coords["block"].values)
        if fold.max() == 0:
            raise UserError("classify: folds are 'block' but the recording has one block only; use 'stratified'")
    elif folds == "leave-one-out":
        fold = np.arange(len(target))
        if np.bincount(target).min() < 2:
            raise UserError(f"classify: a value of '{label}' was shown once; too few to leave one out")
    elif folds in ("stratified", "5"):
        n_folds = FOLDS if folds == "stratified" else int(folds)
        if np.bincount(target).min() < n_folds:
            raise UserError(
                f"classify: a value of '{label}' was shown fewer than {n_folds} times; too few for {n_folds} folds"
            )
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
        fold = np.empty(len(target), dtype=int)
        for k, (_, test) in enumerate(splitter.split(target, target)):
            fold[test] = k
    else:
        raise UserError(f"classify: folds is '{folds}'; use block or stratified, 5 or leave-one-out")
    for k in range(0 if folds == "leave-one-out" else fold.max() + 1):
        if len(np.unique(target[fold != k])) <= target.max():
            raise UserError(f"classify: some values of '{label}' are absent from the training trials of fold {k}")
    return fold


def shuffled_within(target: np.ndarray, within: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle labels (n_trials,) among the trials with one value of `within` (n_trials,)."""
    shuffled = target.copy()
    for k in np.unique(within):
        shuffled[within == k] = rng.permutation(shuffled[within == k])
    return shuffled


def blocks_shuffled(
    target: np.ndarray, block: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """Give whole blocks the commonest labels of other blocks, so that training trials of every fold have all labels.

    None if that is hardly ever so: of many labels in two blocks each, some are almost always in one fold only.
    """
    _, first, index = np.unique(block, return_index=True, return_inverse=True)
    labels = majority_in_blocks(target, block)[first]
    for _ in range(ORDERS):
        shuffled = labels[rng.permutation(len(first))][index]
        # The labels as they are meet this condition, too.
        if all(len(np.unique(shuffled[fold != k])) == target.max() + 1 for k in np.unique(fold)):
            return shuffled
    return None


def orders(shuffled: np.ndarray) -> str:
    """Tell how few shuffles are different, where some repeat others.

    Parameters
    ----------
    shuffled : array of int of shape (n_shuffles, n_presentations)
        Shuffled labels.

    Returns
    -------
    str
        Such as ``;orders=6``, to end a condition with: no p-value is far below one over that number. Empty if all
        shuffles are different; then the number of shuffles is what bounds p-values.
    """
    different = len(np.unique(shuffled, axis=0)) if len(shuffled) else 0
    return f";orders={different}" if different < len(shuffled) else ""
