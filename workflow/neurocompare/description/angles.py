"""What descriptions of a decoded angle share: the trials, their folds, and why a recording doesn't fit.

A recording that lacks the coordinate is refused. One that is too small or has another design gets rows that
say so in their status, so that a study of many recordings has a table all the same.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurocompare.description.classifiers import block_folds, strongest_contrast
from neurocompare.description.rows import matrix, may_permute_trials, require_needs
from neurocompare.errors import UserError
from neurocompare.ingestion.presentations import constant_in_blocks

SPLITS = ("interleaved", "chronological")
TARGETS = ("orientation", "direction")
FEWEST = 16
"""Trials below which nothing is decoded."""

STRETCHES = 100
BOOTSTRAPS = 1000


@dataclass(frozen=True, eq=False)
class Angles:
    """Trials with an angle, at the highest contrast.

    Attributes
    ----------
    values : array of shape (n_trials, n_units)
        Responses in the order of time.
    angle : array of shape (n_trials,)
        Degrees, from 0 to below `period`.
    period : float
        Degrees after which the angle is the same again.
    folds : dict of str to array of int of shape (n_trials,)
        For each of `SPLITS`. The interleaved one tests every fourth presentation of a stimulus (not every fourth trial
        as Stringer et al. do: where conditions are listed in turns, that would hold out whole orientations); the
        chronological one tests up to four stretches of blocks. All zero where there are too few trials or blocks.
    permutable : bool
        Whether the recording declares that labels of single trials may be shuffled.
    pooled : str
        ``" of pooled units"`` where units were not recorded together, else empty; it belongs behind a quantity.
    n_stimuli : int
        Number of different stimuli.
    constant : bool
        Whether the angle never changes within a block, so that single trials must be neither held out nor shuffled.
    """

    values: np.ndarray
    angle: np.ndarray
    period: float
    folds: dict[str, np.ndarray]
    permutable: bool
    pooled: str
    n_stimuli: int
    constant: bool = False

    @property
    def size(self) -> dict[str, int]:
        """What a row says it rests on."""
        n, p = self.values.shape
        return {"n_stimuli": self.n_stimuli, "n_units": p, "n_trials": n}

    def lacking(self, split: str) -> str | None:
        """Return the status of rows that there cannot be for a split, or None."""
        if len(self.angle) < FEWEST:
            return "too_few_trials"
        if len(np.unique(self.angle)) < 3:
            return "too_few_angles"
        if self.folds[split].max() == 0:
            return "one_block"
        # Trials of one block would teach the block, and its slow changes pass for the angle.
        return "constant_in_blocks" if self.constant and split == "interleaved" else None


def angles(array: xr.DataArray, description_id: str, target: str) -> Angles:
    """Return the trials of a recording for decoding an angle.

    Parameters
    ----------
    array : DataArray
        A recording with `target` in degrees along ``presentation``; of several contrasts the highest is taken, over
        time spike counts are summed and other responses averaged. ``orientation`` is ``direction`` modulo 180
        where only that is given.
    description_id : str
        The id of the description, for messages.
    target : {"orientation", "direction"}
        The angle. The period of orientation is the attribute ``orientation_period``, else 180; of direction 360.

    Returns
    -------
    Angles
        The trials.

    Raises
    ------
    UserError
        If the coordinate is missing, has NaNs or values outside the period, or if there is no ``block``.
    """
    require_needs(array, description_id, ["responses", "blocks"])
    period = float(array.attrs.get("orientation_period", 180.0)) if target == "orientation" else 360.0
    if target not in array.coords and target == "orientation" and "direction" in array.coords:
        array = array.assign_coords(orientation=array.coords["direction"] % 180.0)
        period = 180.0
    if target not in array.coords or array.coords[target].dims != ("presentation",):
        raise UserError(
            f"{description_id} needs {target}; the recording has no coordinate '{target}' along presentation"
        )
    if array.coords[target].dtype.kind not in "fiu":
        raise UserError(f"{description_id}: coordinate '{target}' is no number; give degrees in the loader")
    array = strongest_contrast(array)
    angle = array.coords[target].values.astype(float)
    if not np.isfinite(angle).all():
        raise UserError(
            f"{description_id}: coordinate '{target}' is NaN in {(~np.isfinite(angle)).sum()} presentations; drop "
            "blanks first"
        )
    if angle.min() < 0 or angle.max() >= period:
        raise UserError(
            f"{description_id}: coordinate '{target}' spans {angle.min():g} to {angle.max():g}; fold it to "
            f"[0, {period:g})"
        )
    constant = constant_in_blocks(angle, array.coords["block"].values)
    return Angles(
        values=matrix(array),
        angle=angle,
        period=period,
        folds={"interleaved": interleaved(array), "chronological": block_folds(array.coords["block"].values)},
        permutable=may_permute_trials(array) and not constant,
        constant=constant,
        pooled="" if array.attrs["simultaneous"] or array.sizes["unit"] == 1 else " of pooled units",
        n_stimuli=len(np.unique(array.coords["stimulus"].values)),
    )


def interleaved(array: xr.DataArray, n_folds: int = 4) -> np.ndarray:
    """Return folds that take every fourth presentation of each stimulus."""
    order = np.argsort(array.coords["stimulus"].values.astype(str), kind="stable")
    fold = np.empty(len(order), dtype=int)
    fold[order] = np.arange(len(order)) % n_folds
    return fold


def halved(most: int, smallest: int = FEWEST) -> np.ndarray:
    """Return `most` and its halves, rounded down, to no less than `smallest`."""
    return np.array([most] + [most >> k for k in range(1, 32) if most >> k >= smallest])


def stretch_of(n: int) -> np.ndarray:
    """Return the stretch of consecutive trials, of up to `STRETCHES`, that each of n trials is in."""
    return np.arange(n) * min(STRETCHES, n) // n


def stretch_weights(n: int, rng: np.random.Generator, draws: int = BOOTSTRAPS) -> np.ndarray:
    """Return how often each stretch of `stretch_of` is in each bootstrap sample, shape (draws, n_stretches)."""
    stretches = min(STRETCHES, n)
    return rng.multinomial(stretches, np.full(stretches, 1 / stretches), size=draws)
