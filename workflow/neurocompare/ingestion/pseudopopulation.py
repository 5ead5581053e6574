"""Pseudo-populations: units that were recorded one after another, joined by condition.

What is joined never happened together. The result says so (``simultaneous`` is false), and measures of noise
correlations or of single trials of a population refuse it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import presentations
from neurocompare.ingestion.selection import Selection

LACKING = ("condition", "member")


def pool(
    members: Sequence[xr.DataArray],
    *,
    match: Sequence[str],
    where: Mapping[str, object] | None = None,
    lacking: str = "condition",
    repeats: int | str | None = None,
    seed: int = 0,
    keep: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> xr.DataArray:
    """Join recordings into one pseudo-population.

    A condition is a combination of values of the coordinates in `match`. Of every condition that all members
    have, each member gives the same number of trials, drawn without replacement, and independently of the
    other members. Or else every member gives all its trials of all conditions, and where it has fewer of them than the
    richest, there are gaps: see `neurocompare.representation`.

    Parameters
    ----------
    members : sequence of DataArray of shape (n_presentations, [n_times,] n_units)
        The recordings; all of the same kind of response and, where they have one, on the same time axis.
    match : sequence of str
        Coordinates along ``presentation``, such as ``["stimulus"]`` or ``["direction", "choice"]``.
    where : mapping of str to value, optional
        Values that presentations have to have, such as ``{"correct": 1}``; the others are counted in ``excluded``.
    lacking : {"condition", "member"}
        What goes where a member lacks a condition that another one has: the condition, so that all units stay; or
        the member with its units, so that all conditions stay. Then a member goes as well if it has fewer than
        `repeats` trials of a condition.
    repeats : int or "all", optional
        Trials of each condition; by default as many as the poorest member has of its rarest condition. With ``all``,
        no condition or member goes.
    seed : int
        Seed of the draw.
    keep : sequence of str
        With all trials: numeric coordinates along ``presentation`` in which members differ, such as coherences that
        were chosen for each session; they are kept for each presentation and unit, NaN in gaps.
    names : sequence of str, optional
        What messages call the members.

    Returns
    -------
    DataArray of shape (n_conditions * repeats, [n_times,] sum of n_units)
        All conditions of the first repeat first; with all trials, those that some member has in that repeat, and the
        coordinates ``trials`` (1 or 0) and ``unit_block`` (block in the member, −1 in gaps) of each presentation and
        unit. ``stimulus`` names the condition, and the coordinates in `match`
        are kept. There is one ``block`` only, as trials that are put together come from different times; the attribute
        ``constant_in_blocks`` names the coordinates in `match` that did not change within the blocks of a member, which
        slow changes of the responses can be mistaken for. What a null may exchange is what all members allow. Trials
        that are not drawn are counted in ``excluded``.

    Raises
    ------
    UserError
        If members do not fit together, lack a coordinate, share a unit or have no condition in common, if
        there are fewer trials than `repeats`, or if no member has all conditions.
    """
    names = [f"member {k}" for k in range(1, len(members) + 1)] if names is None else names
    _require_alike(members, [*match, *(where or {}), *keep], names)
    if lacking not in LACKING:
        raise UserError(f"pool: 'lacking' is '{lacking}'; use {' or '.join(LACKING)}")
    digests = {name: digest for member in members for name, digest in member.attrs["sha256"].items()}
    kept = [_selected(member, where or {}, name) for member, name in zip(members, names, strict=True)]
    excluded = [member.attrs["excluded"] for member in members] + [{"presentation": s.reasons} for s in kept]
    places = [_places(member, match, selection) for member, selection in zip(members, kept, strict=True)]
    if repeats == "all":
        _require_numbers(members, keep, names)
        values, presentation, each = _all_trials(members, places, match, keep)
        return _joined(members, match, excluded, values, presentation, digests, each)
    if keep or isinstance(repeats, str):
        raise UserError(f"pool: 'repeats' is {repeats!r}; 'keep' goes with repeats: all, else it is a number")
    if lacking == "member":
        n_before = sum(map(_count, places))
        members, places, reasons = _complete(members, places, repeats or 1)
        gone = n_before - sum(map(_count, places))
        excluded.append({"unit": reasons, "presentation": {"presentation of a member that is left out": gone}})
    common = sorted(set.intersection(*(set(found) for found in places)))
    if not common:
        raise UserError(f"pool: no combination of {', '.join(match)} is in all members; match fewer coordinates")
    fewest = min(len(found[condition]) for found in places for condition in common)
    taken = fewest if repeats is None else repeats
    if not 1 <= taken <= fewest:
        raise UserError(
            f"pool: 'repeats' is {taken}, but a member has only {fewest} trials of a condition; ask for less"
        )
    shape = [len(common) * taken, *members[0].shape[1:-1], sum(member.sizes["unit"] for member in members)]
    values = np.empty(shape, dtype=np.result_type(*(member.dtype for member in members)))
    rng = np.random.default_rng([seed, len(members)])
    missing = surplus = filled = 0
    for member, found in zip(members, places, strict=True):
        drawn = np.stack([rng.permutation(found[condition])[:taken] for condition in common], axis=1)
        values[..., filled : filled + member.sizes["unit"]] = member.values[drawn.ravel()]
        filled += member.sizes["unit"]
        shared = sum(len(found[condition]) for condition in common)
        missing, surplus = missing + _count(found) - shared, surplus + shared - drawn.size
    examples = [places[0][condition][0] for condition in common]
    reasons = {"condition that another member lacks": missing, "more trials than the pool takes": surplus}
    repeat = np.repeat(np.arange(taken), len(common))
    presentation = {name: np.tile(members[0].coords[name].values[examples], taken) for name in match}
    presentation |= {"stimulus": np.tile(_names(match, common), taken), "repeat": repeat}
    return _joined(members, match, [*excluded, {"presentation": reasons}], values, presentation, digests)


def _joined(members, match, excluded, values, presentation, digests, each=None) -> xr.DataArray:
    """Make the representation of the pool."""
    first = members[0]
    along_unit = [name for name in first.coords if all(_along_unit(member, name) for member in members)]
    shared_attributes = {
        key: value
        for key, value in first.attrs.items()
        if all(key in member.attrs and member.attrs[key] == value for member in members[1:])
    }
    return representation.responses(
        values,
        presentation=presentation | {"block": 0 * presentation["repeat"]},
        unit={name: np.concatenate([member.coords[name].values for member in members]) for name in along_unit},
        time=first.coords["time"].values if "time" in first.dims else None,
        dtype=values.dtype,
        each=each,
        attributes=shared_attributes
        | {key: first.attrs[key] for key in ("source", "citation", "license")}
        | {
            "exchangeable": max((m.attrs["exchangeable"] for m in members), key=representation.EXCHANGEABLE.index),
            "constant_in_blocks": ",".join(name for name in match if any(_constant(m, name) for m in members)),
            "simultaneous": False,
            "sha256": digests,
            "excluded": _added(excluded),
        },
    )


def _all_trials(members, places, match, keep) -> tuple[np.ndarray, dict, dict]:
    """All trials of all members: values, and coordinates of presentations and of presentations and units."""
    conditions = sorted(set().union(*places))
    most = [max(len(found.get(condition, ())) for found in places) for condition in conditions]
    slots = [(repeat, k) for repeat in range(max(most)) for k in range(len(conditions)) if repeat < most[k]]
    row = {slot: i for i, slot in enumerate(slots)}
    n_units = sum(member.sizes["unit"] for member in members)
    values = np.full((len(slots), *members[0].shape[1:-1], n_units), np.nan, dtype="float32")
    each = {name: np.full((len(slots), n_units), np.nan) for name in keep}
    each |= {"trials": np.zeros((len(slots), n_units), "int16"), "unit_block": np.full((len(slots), n_units), -1)}
    examples, start = {}, 0
    for member, found in zip(members, places, strict=True):
        taken = [(r, k, place) for k, c in enumerate(conditions) for r, place in enumerate(found.get(c, ()))]
        rows, trials = [row[r, k] for r, k, _ in taken], [place for _, _, place in taken]
        examples |= {k: (member, place) for _, k, place in taken}
        units = slice(start, start + member.sizes["unit"])
        start = units.stop
        values[rows, ..., units] = member.values[trials]
        each["trials"][rows, units] = 1
        for name, source in [("unit_block", "block"), *zip(keep, keep, strict=True)]:
            each[name][rows, units] = member.coords[source].values[trials][:, None]
    order = [k for _, k in slots]
    presentation = {
        name: np.array([member.coords[name].values[place] for member, place in map(examples.get, order)])
        for name in match
    }
    presentation |= {"stimulus": _names(match, conditions)[order], "repeat": np.array([r for r, _ in slots])}
    return values, presentation, each


def _require_alike(members, match, names) -> None:
    if len(members) < 2:
        raise UserError("pool: give at least two recordings")
    first = members[0]
    for name, member in zip(names, members, strict=True):
        if member.dims != first.dims or "unit" not in member.dims:
            raise UserError(f"pool: {name} has dims {member.dims}, {names[0]} has {first.dims}; ingest them alike")
        if member.attrs["response"] != first.attrs["response"]:
            raise UserError(f"pool: {name} holds '{member.attrs['response']}', {names[0]} '{first.attrs['response']}'")
        if "time" in first.dims and not np.array_equal(member.coords["time"].values, first.coords["time"].values):
            raise UserError(f"pool: {name} has another time axis than {names[0]}; use the same window and bins")
        for wanted in match:
            if wanted not in member.coords or member.coords[wanted].dims != ("presentation",):
                known = ", ".join(str(c) for c in member.coords if member.coords[c].dims == ("presentation",))
                raise UserError(f"pool: {name} has no coordinate '{wanted}' along presentation (it has {known})")
    ids, counts = np.unique(
        np.concatenate([m.coords["unit_id"].values.astype(str) for m in members]), return_counts=True
    )
    if counts.max() > 1:
        raise UserError(f"pool: unit '{ids[counts.argmax()]}' is in two members; a unit can be pooled once")


def _require_numbers(members, keep, names) -> None:
    for name, member in zip(names, members, strict=True):
        for wanted in keep:
            if member.coords[wanted].dtype.kind not in "fiu":
                raise UserError(f"pool: coordinate '{wanted}' of {name} is no number; 'keep' takes numbers")


def _selected(member: xr.DataArray, where: Mapping[str, object], name: str) -> Selection:
    """Select the presentations that have all the values asked for."""
    selection = Selection(member.sizes["presentation"])
    for coordinate, value in where.items():
        held = [_text(found) for found in member.coords[coordinate].values]
        if _text(value) not in held:
            values = ", ".join(sorted(set(held))[:10])
            raise UserError(f"pool: no presentation of {name} has {coordinate} = {_text(value)} (it has {values})")
        selection.drop(np.array([found != _text(value) for found in held]), f"{coordinate} is not {_text(value)}")
    return selection


def _places(member: xr.DataArray, match: Sequence[str], selection: Selection) -> dict[tuple, list[int]]:
    """Return the presentations of each condition."""
    # NaN differs from itself; as text it is a value like any other.
    columns = [[_text(value) for value in member.coords[name].values] for name in match]
    places: dict[tuple, list[int]] = {}
    for place, condition in enumerate(zip(*columns, strict=True)):
        if selection.kept[place]:
            places.setdefault(condition, []).append(place)
    return places


def _complete(members, places, trials: int) -> tuple[list, list, dict[str, int]]:
    """Keep the members that have enough trials of all conditions."""
    conditions = set().union(*places)
    enough = [all(len(found.get(condition, ())) >= trials for condition in conditions) for found in places]
    selection = Selection(sum(member.sizes["unit"] for member in members))
    lacks = np.repeat(~np.array(enough), [member.sizes["unit"] for member in members])
    selection.drop(lacks, f"fewer than {trials} trials of a condition").index("units of the pool")
    kept = [pair for pair, complete in zip(zip(members, places, strict=True), enough, strict=True) if complete]
    return [member for member, _ in kept], [found for _, found in kept], selection.reasons


def _count(places: dict[tuple, list[int]]) -> int:
    return sum(map(len, places.values()))


def _constant(member: xr.DataArray, name: str) -> bool:
    return name != "stimulus" and presentations.constant_in_blocks(
        member.coords[name].values, member.coords["block"].values
    )


def _text(value) -> str:
    # Whether something is so may be stored as a number.
    return f"{float(value):.12g}" if isinstance(value, bool | np.bool_ | int | float | np.number) else str(value)


def _names(match: Sequence[str], common: list[tuple]) -> np.ndarray:
    if list(match) == ["stimulus"]:
        return np.array([condition[0] for condition in common])
    return np.array(["-".join(f"{k}={v}" for k, v in zip(match, condition, strict=True)) for condition in common])


def _along_unit(member: xr.DataArray, name: str) -> bool:
    return name in member.coords and member.coords[name].dims == ("unit",)


def _added(excluded: list[dict]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for found in excluded:
        for dim, counts in found.items():
            mine = total.setdefault(dim, {})
            for reason in filter(counts.get, counts):
                mine[reason] = mine.get(reason, 0) + counts[reason]
    return {dim: counts for dim, counts in total.items() if counts}
