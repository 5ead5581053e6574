"""The responses that `phases` factorises, and the numbers of parts that predict them."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurocompare.description import phase_parts
from neurocompare.description.classification import labelled
from neurocompare.errors import UserError
from neurocompare.factorization import GROUPS, non_negative
from neurocompare.ingestion.presentations import constant_in_blocks

PARTITIONS = 3
"""Random groups of trials that are predicted from the others; without trials, repetitions."""


@dataclass(frozen=True, eq=False)
class Responses:
    """What is factorised.

    Attributes
    ----------
    values : array of shape (n_presentations, n_times, n_units)
        Responses of units that respond, scaled.
    condition : array of int of shape (n_presentations,)
        Conditions.
    bin_width : float
        Width in s of the bins of what is smoothed; 0 if nothing is.
    single : bool
        Whether presentations are single trials, two or more of each condition.
    constant : bool
        Whether the condition never changes within a block.
    policy : str
        What is done about negative averages.
    levels : array of str of shape (n_conditions,)
        Names of the conditions.
    unit_id : array of str of shape (n_units,)
        The units.
    time : array of shape (n_times,)
        Seconds.
    silent, unlabelled : int
        Numbers of units without a response and of presentations without a condition, which are left out.
    """

    values: np.ndarray
    condition: np.ndarray
    bin_width: float
    single: bool
    constant: bool
    policy: str
    levels: np.ndarray
    unit_id: np.ndarray
    time: np.ndarray
    silent: int
    unlabelled: int

    def matrix(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Averages (unit, condition × time) without negative values, of all or of some presentations."""
        found = phase_parts.averages(self.values, self.condition, chosen)
        flat = phase_parts.smooth(found, self.bin_width, 1).reshape(-1, found.shape[-1])
        # The policy has judged the averages of all trials; those of some may dip below zero by noise alone.
        policy = "rectify" if self.policy == "refuse" and chosen is not None else self.policy
        return non_negative(flat, policy).T

    def blocks(self, rng: np.random.Generator) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[np.ndarray]]:
        """What is factorised and what is predicted in each partition, and the groups of columns held out together."""
        if self.single:
            group = phase_parts.dealt(self.condition, PARTITIONS, rng)
            sets = [(np.flatnonzero(group != g), np.flatnonzero(group == g)) for g in range(group.max() + 1)]
            pairs = [(self.matrix(rest), self.matrix(held)) for rest, held in sets]
        else:
            pairs = [(self.matrix(), self.matrix())] * PARTITIONS
        width = float(np.median(np.diff(self.time)))
        return pairs, [phase_parts.stretches(len(self.levels), len(self.time), width, rng) for _ in pairs]


def responses(array: xr.DataArray, by: str, loss: str, policy: str, name: str) -> Responses:
    """Take what is factorised out of a recording.

    Parameters
    ----------
    array : DataArray
        A recording with an axis of time. With the attribute ``average``, its presentations are no single trials.
    by : str
        The coordinate along ``presentation`` whose values are the conditions.
    loss : {"frobenius", "kullback-leibler"}
        For the squared error, every unit is divided by the square root of its mean.
    policy : {"refuse", "rectify", "shift"}
        What is done about negative averages.
    name : str
        What messages begin with.

    Returns
    -------
    Responses
        Without units that do not respond, and presentations without a condition.

    Raises
    ------
    UserError
        If there is no axis of time or too short a one, the coordinate is missing, not discrete or has one value, no
        unit responds, or the policy refuses negative averages.
    """
    if "time" not in array.dims:
        raise UserError(f"{name} needs responses over time; give the recording a 'bin_width'")
    time = array.coords["time"].values.astype(float)
    if len(time) < 2 * GROUPS:
        raise UserError(f"{name}: 'time' has {len(time)} bins, {2 * GROUPS} are needed; use a smaller 'bin_width'")
    averaged, unlabelled = "average" in array.attrs, 0
    known = by in array.coords and array.coords[by].dims == ("presentation",)
    # Where every mean is a condition of its own, `labelled` would not take the coordinate for a discrete one.
    if not (averaged and known and len(np.unique(array.coords[by].values)) == array.sizes["presentation"]):
        array, unlabelled = labelled(array, by, name)
    levels, condition = np.unique(array.coords[by].values.astype(str), return_inverse=True)
    if len(levels) < 2:
        raise UserError(f"{name}: coordinate '{by}' has one value; 2 or more conditions are needed")
    values = array.values.astype(float)
    kept = np.ptp(values, axis=(0, 1)) > 0 if policy == "shift" else values.any((0, 1))
    if not kept.any():
        raise UserError(f"{name}: no unit responds; there are no parts")
    values = values[..., kept]
    width = float(np.median(np.diff(time))) if array.attrs["response"] == "spike count" else 0.0
    level = non_negative(phase_parts.averages(values, condition).reshape(-1, kept.sum()), policy, name).mean(0)
    if loss == "frobenius":
        values = values / np.sqrt(np.where(level > 0, level, 1))
    return Responses(
        values=values,
        condition=condition,
        bin_width=width,
        constant=constant_in_blocks(condition, array.coords["block"].values),
        single=not averaged and int(np.bincount(condition).min()) >= 2,
        policy=policy,
        levels=levels,
        unit_id=array.coords["unit_id"].values[kept].astype(str),
        time=time,
        silent=int((~kept).sum()),
        unlabelled=unlabelled,
    )
