"""Bounds that a study declares on rows of its descriptions, and their checks (standard library only)."""

import sys

from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import parse


def bounds_of(catalogue, name: str) -> list[dict]:
    """Return the bounds of a study, each with the recordings that it is for.

    Parameters
    ----------
    catalogue : Catalogue
        The catalogue.
    name : str
        The id of the study.

    Returns
    -------
    list of dict
        As in the study, in its order; ``of`` are ids of recordings, of each seed or session, that the study describes
        so.

    Raises
    ------
    UserError
        If a bound has no limit, or one that is not finite or that nothing can meet, or is of a description or a
        recording that the study does not have.
    """
    described = catalogue.described(name)
    found = []
    for k, bound in enumerate(catalogue.studies[name].get("bounds", []), 1):
        try:
            found.append(bound | {"of": _members(bound, described)})
        except UserError as error:
            raise UserError(f"bounds, number {k}: {error}") from error
    return found


def _members(bound: dict, described: list[tuple[str, str]]) -> list[str]:
    """Ids of the recordings that a bound is for, in the order of the study."""
    limits = [bound[key] for key in ("at_least", "at_most") if key in bound]
    if not limits:
        raise UserError("'at_least' and 'at_most' are missing; give one of them, or both")
    for key in ("at_least", "at_most"):
        # Of what is not a number every comparison is false; and a whole number may be beyond all floats.
        if key in bound and not abs(bound[key]) <= sys.float_info.max:
            raise UserError(f"{key} is not finite, which is no limit; give a finite number, or leave it out")
    if len(limits) == 2 and limits[0] > limits[1]:
        raise UserError(f"at_least is {limits[0]} and at_most {limits[1]}, which nothing can meet; exchange them")
    known = dict.fromkeys(description for _, description in described)
    if bound["description"] not in known:
        raise unknown("description of this study", bound["description"], known)
    members = [recording for recording, description in described if description == bound["description"]]
    if "of" not in bound:
        return members
    # The name of an entry stands for all its sessions or seeds.
    known = [*members, *dict.fromkeys(parse(name)[0] for name in members)]
    for one in bound["of"]:
        if one not in known:
            raise unknown(f"recording or recurrent network with '{bound['description']}' in 'of'", one, known)
    return [name for name in members if {name, parse(name)[0]} & set(bound["of"])]
