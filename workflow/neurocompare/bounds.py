"""Which bounds that a study declares are met: of each network and seed, or of each recording. None has to be."""

import sys

import numpy as np
import pandas as pd

from neurocompare.errors import unknown
from neurocompare.identifiers import parse

COLUMNS = [
    "recording",
    "region",
    "animal",
    "description",
    "quantity",
    "condition",
    "value",
    "unit",
    "at_least",
    "at_most",
    "met",
    "n_met",
    "n_all",
    "data_sha256",
    "code_sha256",
    "status",
]
"""Columns of a table of bounds; ``study`` is put before them."""


def compared(table: pd.DataFrame, bounds: list[dict]) -> list[dict]:
    """Compare rows of descriptions with bounds.

    Parameters
    ----------
    table : DataFrame
        The table of descriptions of a study.
    bounds : list of dict
        Each with ``description``, ``quantity``, ``of`` (ids of recordings) and ``at_least`` or ``at_most`` or both, and
        perhaps with ``condition``, one or more of the parts, joined by ``;``, of the condition of the rows that it is
        for (`neurocompare.bound_checks.bounds_of`).

    Returns
    -------
    list of dict
        Rows of a table of bounds, without the study and the digest of the code, in the order of the bounds and their
        recordings: one for each row of descriptions, and one for each recording that has none. ``met`` is ``yes`` or
        ``no``; where there is no value, or none that is finite, it is empty, and the status is ``no_row`` or
        ``undefined``. Of the ``n_all`` seeds of a network (or sessions of a recording) ``n_met`` meet a bound in all
        conditions.

    Notes
    -----
    Which quantities and conditions there are is known from the rows only, and some occur in some runs and not in
    others (a number of unstable dimensions). A bound that no row is for is therefore a warning on standard error, with
    the near names, and no mistake.
    """
    found = []
    for bound in bounds:
        mine = table[table["description"] == bound["description"]]
        chosen = mine[mine["quantity"] == bound["quantity"]]
        wanted = _parts(bound.get("condition", ""))
        kept = chosen[np.array([wanted <= _parts(condition) for condition in chosen["condition"]], dtype=bool)]
        # Without any rows there is nothing to know a quantity from.
        if len(mine) and not len(kept):
            print(f"warning: {_why(mine, chosen, bound)}; status no_row in bounds.tsv", file=sys.stderr)
        rows = [row for name in bound["of"] for row in _rows(name, kept[kept["recording"] == name], bound)]
        found += _counted(rows)
    return found


def _parts(condition: str) -> set[str]:
    """Parts ``key=value`` of a condition."""
    return {part.strip() for part in condition.split(";")} - {""}


def _why(mine: pd.DataFrame, chosen: pd.DataFrame, bound: dict) -> str:
    """Tell which name of a bound no row of its description has."""
    whose = f"of '{bound['description']}' in a bound"
    if not len(chosen):
        return str(unknown(f"quantity {whose}", bound["quantity"], set(mine["quantity"]))).rstrip("?")
    known = set().union(*map(_parts, chosen["condition"]))
    for part in sorted(_parts(bound["condition"]) - known):
        return str(unknown(f"condition {whose}", part, known)).rstrip("?")
    return f"no row of '{bound['description']}' in a bound has all of '{bound['condition']}'"


def _rows(name: str, mine: pd.DataFrame, bound: dict) -> list[dict]:
    """Rows of one recording and one bound."""
    limits = {key: float(bound.get(key, np.nan)) for key in ("at_least", "at_most")}
    common = {"recording": name, "description": bound["description"], "quantity": bound["quantity"]} | limits
    if not len(mine):
        lost = dict.fromkeys(("region", "animal", "unit", "data_sha256"), "")
        empty = {"condition": bound.get("condition", ""), "value": np.nan, "met": "", "status": "no_row"}
        return [common | lost | empty]
    rows = []
    for row in mine.to_dict("records"):
        value = row["value"]
        # Limits that are not given are NaN, which nothing is outside of.
        outside = value < limits["at_least"] or value > limits["at_most"]
        told = {"met": "no" if outside else "yes", "status": "ok"}
        if not np.isfinite(value):
            told = {"met": "", "status": "undefined"}
        kept = {key: row[key] for key in ("region", "animal", "condition", "value", "unit", "data_sha256")}
        rows.append(common | kept | told)
    return rows


def _counted(rows: list[dict]) -> list[dict]:
    """Add how many seeds or sessions of the same entry meet the bound."""
    entries = {}
    for row in rows:
        seeds = entries.setdefault(parse(row["recording"])[0], {})
        seeds[row["recording"]] = seeds.get(row["recording"], True) and row["met"] == "yes"
    counts = {entry: {"n_met": sum(seeds.values()), "n_all": len(seeds)} for entry, seeds in entries.items()}
    return [row | counts[parse(row["recording"])[0]] for row in rows]
