"""What a null may shuffle and a bootstrap may draw: the groups of samples that a recording declares exchangeable.

A *sample* is one row of what is compared: a stimulus, or one time of one condition, or one bin of a
continuous recording. Samples that depend on each other move together:

stimulus
    Every sample is a group by itself.
condition
    Condition × time: whole conditions change places, and every sample keeps its time. What all conditions
    have in common over time would survive that, and pass for a similarity of anything with a time course;
    `without_common_time_course` removes it first.
block
    Whole blocks change places, and samples keep their order within them.

Continuous data have no such groups; see `neurocompare.inference.continuous`.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError

MINIMUM_GROUPS = 5
"""With fewer no p-value of a shuffle can be trusted: of the 24 orders of four groups only the very best has p < .05."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Samples by group.

    Attributes
    ----------
    kind : {"stimulus", "condition", "block"}
        What is exchanged.
    members : array of int of shape (n_groups, n_places)
        Samples of each group, in the order in which they correspond to those of another: by time or by place
        in the block.
    """

    kind: str
    members: np.ndarray

    @property
    def n_groups(self) -> int:
        """Number of groups, on which the degrees of freedom of every inference rest."""
        return len(self.members)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.members.size


def of_stimuli(n_samples: int) -> Groups:
    """Make every sample a group by itself.

    Parameters
    ----------
    n_samples : int
        Number of samples.

    Returns
    -------
    Groups
        Of one sample each.
    """
    return Groups("stimulus", np.arange(n_samples)[:, None])


def of_conditions(condition: np.ndarray, time: np.ndarray, name: str = "recording") -> Groups:
    """Group samples of condition × time by condition.

    Parameters
    ----------
    condition : array of shape (n_samples,)
        The condition of each sample.
    time : array of shape (n_samples,)
        Its time in seconds.
    name : str
        What an error message calls the recording.

    Returns
    -------
    Groups
        One for each condition, in the order of first appearance, its samples in the order of time.

    Raises
    ------
    UserError
        If conditions do not have the same times, each once.
    """
    condition, time = np.asarray(condition), np.asarray(time)
    members = _by_label(condition)
    members = [rows[np.argsort(time[rows], kind="stable")] for rows in members]
    for rows in members:
        if len(rows) != len(members[0]) or not np.array_equal(time[rows], time[members[0]]):
            raise UserError(
                f"{name}: condition '{condition[rows[0]]}' has other times than '{condition[members[0][0]]}'; "
                "cut all conditions to the same window before comparing them"
            )
    if np.any(np.diff(time[members[0]]) <= 0):
        raise UserError(
            f"{name}: condition '{condition[members[0][0]]}' has a time twice; average the trials of each condition"
        )
    return Groups("condition", np.array(members))


def of_blocks(block: np.ndarray, name: str = "recording") -> Groups:
    """Group samples by block.

    Parameters
    ----------
    block : array of shape (n_samples,)
        The block of each sample.
    name : str
        What an error message calls the recording.

    Returns
    -------
    Groups
        One for each block, in the order of first appearance, its samples in their order.

    Raises
    ------
    UserError
        If the blocks are not of one size, so that they can't change places.
    """
    block = np.asarray(block)
    members = _by_label(block)
    sizes = [len(rows) for rows in members]
    if min(sizes) < max(sizes):
        odd = members[int(np.argmin(sizes))]
        raise UserError(
            f"{name}: blocks hold {min(sizes)} to {max(sizes)} samples (fewest: block '{block[odd[0]]}'), and can't "
            "change places; leave out the odd ones or cut all to one length"
        )
    return Groups("block", np.array(members))


def groups(
    exchangeable: str,
    n_samples: int,
    *,
    name: str = "recording",
    condition: np.ndarray | None = None,
    time: np.ndarray | None = None,
    block: np.ndarray | None = None,
) -> Groups:
    """Group samples as a recording declares them exchangeable.

    Parameters
    ----------
    exchangeable : {"stimulus", "condition", "block", "none"}
        The declaration of the recording.
    n_samples : int
        Number of samples.
    name : str
        The id of the recording, for error messages.
    condition, time : arrays of shape (n_samples,), optional
        For ``condition``: what each sample is of. Without `time` every condition is one sample.
    block : array of shape (n_samples,), optional
        For ``block``.

    Returns
    -------
    Groups
        The groups.

    Raises
    ------
    UserError
        If the recording declares ``none``, lacks what its declaration needs, or has too few groups.
    """
    if exchangeable == "stimulus":
        found = of_stimuli(n_samples)
    elif exchangeable == "condition":
        condition = np.arange(n_samples) if condition is None else _checked(condition, n_samples, "condition", name)
        time = np.zeros(n_samples) if time is None else _checked(time, n_samples, "time", name)
        found = of_conditions(condition, time, name)
    elif exchangeable == "block":
        if block is None:
            raise UserError(
                f"recording '{name}' declares exchangeable=block, but its samples have no block: add the coordinate "
                "'block' in the loader"
            )
        found = of_blocks(_checked(block, n_samples, "block", name), name)
    else:
        raise UserError(
            f"recording '{name}' declares exchangeable={exchangeable}: no shuffle or resample of it is valid; declare "
            "exchangeable=stimulus, condition or block in its loader if one of these may change places"
        )
    if found.n_groups < MINIMUM_GROUPS:
        raise UserError(
            f"recording '{name}' has {found.n_groups} exchangeable groups ({found.kind}); nulls and intervals need at "
            f"least {MINIMUM_GROUPS}: compare it with more, or report the score alone"
        )
    return found


def permutations(grouped: Groups, n: int, rng: np.random.Generator) -> np.ndarray:
    """Shuffle groups.

    Parameters
    ----------
    grouped : Groups
        The groups.
    n : int
        How many shuffles.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int of shape (n_permutations, n_samples)
        Row k says which sample takes the place of each. Where all orders together, but for the observed one,
        are no more than `n`, each is there once, and p = (1 + count) / (N + 1) is exact.
    """
    count = grouped.n_groups
    # 9! is beyond any number of shuffles that is asked for.
    if count <= 8 and math.factorial(count) - 1 <= n:
        orders = np.array(list(itertools.permutations(range(count))))[1:]
    else:
        orders = rng.permuted(np.tile(np.arange(count), (n, 1)), axis=1)
    return _expanded(grouped, grouped.members[orders])


def bootstrap_weights(grouped: Groups, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw groups with replacement.

    Parameters
    ----------
    grouped : Groups
        The groups.
    n : int
        How many bootstrap samples.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape (n, n_samples)
        How often each sample is in each bootstrap sample; samples of one group are there equally often.
    """
    count = grouped.n_groups
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=n).astype(float)
    return _expanded(grouped, np.broadcast_to(drawn[:, :, None], (n, *grouped.members.shape)))


def halves(grouped: Groups, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw half of the groups without replacement.

    Parameters
    ----------
    grouped : Groups
        The groups.
    n : int
        How many draws.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of bool of shape (n, n_samples)
        True for the samples of ⌊G / 2⌋ of the G groups.
    """
    count = grouped.n_groups
    chosen = np.zeros((n, count), dtype=bool)
    chosen[:, : count // 2] = True
    chosen = rng.permuted(chosen, axis=1)
    return _expanded(grouped, np.broadcast_to(chosen[:, :, None], (n, *grouped.members.shape)))


def subsets(grouped: Groups, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw half of the groups without replacement, as lists of samples.

    Parameters
    ----------
    grouped : Groups
        The groups.
    n : int
        How many draws.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int of shape (n, n_some)
        Samples of ⌊G / 2⌋ of the G groups, in ascending order.
    """
    chosen = halves(grouped, n, rng)
    size = grouped.n_groups // 2 * grouped.members.shape[1]
    return np.nonzero(chosen)[1].reshape(n, size)


def without_common_time_course(values: np.ndarray, grouped: Groups) -> np.ndarray:
    """Remove what all conditions have in common at each time.

    Parameters
    ----------
    values : array of shape (n_samples, n_units)
        Condition × time, as rows.
    grouped : Groups
        The conditions.

    Returns
    -------
    array of shape (n_samples, n_units)
        For every unit and time, the deviation from the mean over conditions.

    Raises
    ------
    UserError
        If the groups are not conditions.
    """
    if grouped.kind != "condition":
        raise UserError(f"the common time course is that of conditions, and these are groups of kind '{grouped.kind}'")
    values = np.array(values, dtype=float)
    by_time = values[grouped.members]
    values[grouped.members] = by_time - by_time.mean(0)
    return values


def _by_label(labels: np.ndarray) -> list[np.ndarray]:
    """Rows of each label, in the order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return [np.flatnonzero(inverse == k) for k in np.argsort(first)]


def _checked(labels: np.ndarray, n_samples: int, what: str, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n_samples,):
        raise UserError(f"recording '{name}': '{what}' has shape {labels.shape}, and there are {n_samples} samples")
    return labels


def _expanded(grouped: Groups, values: np.ndarray) -> np.ndarray:
    """From values of shape (n, n_groups, n_places) to (n, n_samples)."""
    rows = np.empty((len(values), grouped.n_samples), dtype=values.dtype)
    rows[:, grouped.members.ravel()] = values.reshape(len(values), grouped.n_samples)
    return rows
