"""From single trials with a time axis to rows of condition × time.

A row, a *stimulus* for all that follows, is one condition at one time, such as ``context=motion,…|0.325 s``. Rows of
one condition depend on each other, so that whole conditions are exchanged and resampled (``exchangeable: condition``):
shuffling single bins would call any two smooth courses alike.

What all conditions have in common at each time is removed from every repeat by itself. It would survive every
exchange of conditions, and pass for a similarity of anything with a time course; and removed from the mean over
repeats, it would carry noise from one half of the trials into the other, on which noise ceilings are based.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.courses import bins
from neurocompare.courses.cells import Cell, members, of_blocks, selected
from neurocompare.errors import UserError
from neurocompare.ingestion.selection import Selection, excluded


def unroll(
    recordings: Sequence[xr.DataArray],
    *,
    cells: Sequence[Mapping[str, object]],
    where: Mapping[str, object] | None = None,
    repeats: int = 2,
    window: Sequence[float] | None = None,
    bin: float | None = None,
    latency: float = 0.0,
    seed: int = 0,
    names: Sequence[str] | None = None,
    name: str = "course",
) -> xr.DataArray:
    """Make a recording of condition × time.

    The trials of a cell are dealt out to the repeats, those of every combination of values by themselves, so that all
    repeats have them in like shares; in the mean of a repeat the combinations that it has count alike. Members that
    were recorded one after another are dealt out independently, and join into a pseudo-population.

    Parameters
    ----------
    recordings : sequence of DataArray of shape (n_presentations, n_times, n_units)
        Members, with the same times.
    cells : sequence of mapping
        See `neurocompare.courses.cells.of_blocks`.
    where : mapping of str to value, optional
        Values that presentations have to have, such as ``{"correct": 1}``. They are also those of networks.
    repeats : int
        Parts into which the trials of every cell are dealt out. A member with fewer trials of a cell is left out, and
        its units are counted in ``excluded``.
    window : sequence of two floats, optional
        Start and stop in s; by default all times.
    bin : float, optional
        Width of the bins in s; by default that of the recording.
    latency : float
        By how many seconds the recording lags behind networks: what it does at ``t`` is compared with ``t − latency``.
    seed : int
        Seed of the deal.
    names : sequence of str, optional
        What messages call the members.
    name : str
        The id of the course.

    Returns
    -------
    DataArray of shape (repeats * n_cells * n_bins, n_units)
        A representation. Along ``presentation``: ``condition`` and ``condition_time`` (s), the ``block`` is the repeat,
        and the coordinates of the cells (the mean of pooled numbers) with all others that are constant in every cell.
        Counts become rates.

    Raises
    ------
    UserError
        If members do not fit together, lack a coordinate, or have too few trials; or as `bins.coarser`.
    """
    names = [f"member {k}" for k in range(1, len(recordings) + 1)] if names is None else list(names)
    where, found = dict(where or {}), of_blocks(cells, name)
    if repeats < 2:
        raise UserError(f"course '{name}': 'repeats' is {repeats}; noise ceilings need at least 2")
    _require_alike(recordings, names, name)
    rng = np.random.default_rng([seed, len(recordings), repeats])
    parts, kept, constants, missing = [], [], None, []
    n_units = sum(recording.sizes["unit"] for recording in recordings)
    enough = np.zeros(n_units, dtype=bool)
    filled = 0
    for recording, label in zip(recordings, names, strict=True):
        held = members(recording, found, selected(recording, where, label), label)
        counts = [sum(map(len, combinations)) for combinations in held]
        units = slice(filled, filled + recording.sizes["unit"])
        filled = units.stop
        # The stream of a member must not depend on whether another one is kept.
        own = rng.spawn(1)[0]
        if min(counts) < repeats:
            missing.append(f"{label} has {min(counts)} trials of {found[int(np.argmin(counts))].name}")
            continue
        enough[units] = True
        dealt = _dealt(held, repeats, own)
        values, time, width = bins.coarser(recording.values.astype(float), recording["time"].values, window, bin, label)
        parts.append(np.stack([_means(values, cell) for cell in dealt], axis=1))
        kept.append(recording)
        constants = _constants(recording, held, constants)
    if not kept:
        raise UserError(
            f"course '{name}': {missing[0]}, fewer than 'repeats' ({repeats}); pool more values in its cells"
        )
    selection = Selection(n_units).drop(~enough, f"fewer than {repeats} trials of a cell")
    # (repeat, cell, time, unit), without what all cells of a repeat have in common.
    joined = np.concatenate(parts, axis=-1)
    joined -= joined.mean(1, keepdims=True)
    response, scale = _rates(kept[0])
    attributes = {key: kept[0].attrs[key] for key in ("source", "citation", "license")}
    presentation = _coordinates(found, time, repeats, constants)
    return representation.responses(
        (joined / scale).reshape(-1, joined.shape[-1]),
        presentation=presentation,
        unit={
            key: np.concatenate([member.coords[key].values for member in kept])
            for key in kept[0].coords
            if all(key in member.coords and member.coords[key].dims == ("unit",) for member in kept)
        },
        attributes=attributes
        | response
        | {
            "exchangeable": "condition",
            "simultaneous": len(kept) == 1 and bool(kept[0].attrs["simultaneous"]),
            "sha256": {key: digest for member in kept for key, digest in member.attrs["sha256"].items()},
            "excluded": excluded(unit=selection),
            "cells": json.dumps([cell.groups for cell in found]),
            "where": json.dumps(where),
            "latency": float(latency),
            "bin_seconds": width,
        },
    )


def cells_of(course: xr.DataArray) -> list[Cell]:
    """Return the cells of a course.

    Parameters
    ----------
    course : DataArray
        From `unroll`.

    Returns
    -------
    list of Cell
        In their order.
    """
    return [Cell({k: tuple(v) for k, v in groups.items()}) for groups in json.loads(course.attrs["cells"])]


def rows_of(cells: Sequence[Cell], time: np.ndarray) -> np.ndarray:
    """Name the rows of condition × time.

    Parameters
    ----------
    cells : sequence of Cell
        The conditions.
    time : array of shape (n_bins,)
        Centres of the bins in s.

    Returns
    -------
    array of str of shape (n_cells * n_bins,)
        The times run fastest.
    """
    return np.array([f"{cell.name}|{moment:.3f} s" for cell in cells for moment in time])


def _require_alike(recordings, names, name) -> None:
    first = recordings[0]
    for recording, label in zip(recordings, names, strict=True):
        if "time" not in recording.dims or "presentation" not in recording.dims:
            raise UserError(f"course '{name}': {label} has no axis of time; ingest it with a 'bin_width'")
        if not np.array_equal(recording["time"].values, first["time"].values):
            raise UserError(f"course '{name}': {label} has other times than {names[0]}; use the same window and bins")
        if recording.attrs["response"] != first.attrs["response"]:
            raise UserError(
                f"course '{name}': {label} holds '{recording.attrs['response']}', {names[0]} "
                f"'{first.attrs['response']}'"
            )


def _dealt(held, repeats: int, rng) -> list[list[list[np.ndarray]]]:
    """Deal the trials of every cell out: (cell, repeat, combinations of values) → presentations."""
    dealt = []
    for combinations in held:
        hands: list[list[np.ndarray]] = [[] for _ in range(repeats)]
        # The next combination goes on with the next repeat, so that repeats have like numbers of trials.
        turn = int(rng.integers(repeats))
        for places in combinations:
            shuffled = rng.permutation(places)
            owner = (turn + np.arange(len(shuffled))) % repeats
            turn = (turn + len(shuffled)) % repeats
            for repeat in np.unique(owner):
                hands[repeat].append(shuffled[owner == repeat])
        dealt.append(hands)
    return dealt


def _means(values: np.ndarray, hands: list[list[np.ndarray]]) -> np.ndarray:
    return np.stack([np.mean([values[places].mean(0) for places in hand], axis=0) for hand in hands])


def _constants(recording, held, before) -> dict[str, np.ndarray]:
    """Coordinates with one value in each cell, the same in all members: (cell,) each."""
    found = {}
    for key, coordinate in recording.coords.items():
        if coordinate.dims != ("presentation",) or key in ("stimulus", "repeat", "block"):
            continue
        values = [np.unique(coordinate.values[np.concatenate(cell)]) for cell in held]
        if all(len(one) == 1 for one in values):
            found[str(key)] = np.array([one[0] for one in values])
    if before is not None:
        found = {key: found[key] for key in before if key in found and np.array_equal(found[key], before[key])}
    return found


def _coordinates(cells, time, repeats, constants) -> dict[str, np.ndarray]:
    n, t = len(cells), len(time)

    def along(values):
        return np.tile(np.repeat(np.asarray(values), t), repeats)

    repeat = np.repeat(np.arange(repeats), n * t)
    found = {key: along(values) for key, values in constants.items()}
    for key in cells[0].groups:
        try:
            pooled = [float(np.mean([float(value) for value in cell.groups[key]])) for cell in cells]
        except ValueError:
            pooled = ["/".join(cell.groups[key]) for cell in cells]
        found[key] = along(pooled)
    return found | {
        "stimulus": np.tile(rows_of(cells, time), repeats),
        "repeat": repeat,
        "block": repeat,
        "condition": along([cell.name for cell in cells]),
        "condition_time": np.tile(time, repeats * n),
    }


def _rates(recording) -> tuple[dict[str, str], float]:
    """What the deviations are of, and what to divide them by: a deviation of counts can't be a count."""
    if recording.attrs["response"] != "spike count":
        return {key: recording.attrs[key] for key in ("response", "units")}, 1.0
    width = recording.attrs.get("bin_seconds")
    width = bins.widths(recording["time"].values, "recording") if width is None else float(width)
    return {"response": "firing rate", "units": "spikes/s"}, width
