"""The multiverse of a study: in how many of the analyses that could have been chosen its conclusion holds.

A study names a conclusion, that one network is more like the recordings than another. Its recordings and its
measures are the alternatives: a recording with another window, quality filter or response is an entry of the
catalogue of its own, a normalisation or a distance an option in the id of a measure. Nothing is computed
again: the differences are those of the table of contrasts, with their signs turned such that positive ones
support the conclusion (Steegen et al. 2016, Perspect. Psychol. Sci. 11:702; the specification curve of
Simonsohn et al. 2020, Nat. Hum. Behav. 4:1208). The alternatives share their data: in how many the conclusion
holds tells what it depends on, and is no probability.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from neurocompare import similarity
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import parse

STEPS = ("responses", "sample", "partial")
"""Options that any measure may have; without one, the step is left out."""


def summarise(contrasts: pd.DataFrame, conclusion: dict[str, str], recordings: dict[str, dict]) -> list[dict]:
    """Look a conclusion up in every alternative.

    Parameters
    ----------
    contrasts : DataFrame
        The table of contrasts of a study.
    conclusion : dict
        ``network`` is more alike than ``above``, perhaps in one ``region`` only.
    recordings : dict of str to dict
        Entries of the catalogue of recordings, by id: what decides the content of each.

    Returns
    -------
    list of dict
        Rows of a table of alternatives, without the study and the digest of the code, in the order of the
        contrasts. ``difference`` is positive where it supports the conclusion, also for a distance. An
        alternative ``survives`` if it supports the conclusion and separates the networks.

    Raises
    ------
    UserError
        If there is no such region, or the two networks are nowhere compared.
    """
    pair = conclusion["network"], conclusion["above"]
    forward, backward = ((contrasts["network"] == a) & (contrasts["other_network"] == b) for a, b in (pair, pair[::-1]))
    whole = (contrasts["layer"] == "selected") & (contrasts["other_layer"] == "selected")
    rows = contrasts[whole & (forward | backward)]
    if "region" in conclusion:
        if conclusion["region"] not in set(rows["region"]):
            raise unknown("region in 'conclusion'", conclusion["region"], set(rows["region"]))
        rows = rows[rows["region"] == conclusion["region"]]
    if rows.empty:
        raise UserError(
            f"conclusion: '{pair[0]}' and '{pair[1]}' are nowhere compared with one another; select both as networks"
        )
    told = choices(list(zip(rows["recording"], rows["region"], rows["measure"], strict=True)), recordings)
    return [
        _alternative(row, text, pair, turned=bool(backward[index]))
        for (index, row), text in zip(rows.iterrows(), told, strict=True)
    ]


def _alternative(row: pd.Series, text: str, pair: tuple[str, str], *, turned: bool) -> dict:
    distance = similarity.load(row["measure"]).info["direction"] == "lower"
    difference, low, high = row["difference"], row["ci_low"], row["ci_high"]
    if turned != distance:
        difference, low, high = -difference, -high, -low
    separable = str(row["separable"]) == "True"
    return {
        **{key: row[key] for key in ("recording", "region", "measure")},
        "network": pair[0],
        "other_network": pair[1],
        "choices": text,
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
        **{key: row[key] for key in ("claim", "p_value", "p_holm")},
        "separable": separable,
        "survives": bool(difference > 0 and separable),
        **{key: row[key] for key in ("n_stimuli", "n_animals", "status")},
    }


def choices(alternatives: Sequence[tuple[str, str, str]], recordings: dict[str, dict]) -> list[str]:
    """Say in which choices alternatives differ.

    Parameters
    ----------
    alternatives : sequence of tuple of str
        Recording, region and measure of each.
    recordings : dict of str to dict
        Entries of the catalogue of recordings, by id.

    Returns
    -------
    list of str
        For each alternative ``key=value`` pairs, joined by semicolons: options of the recordings, the region, and
        words (``measure``) and options of the ids of measures, each only where it differs. An option that is
        left out is ``default``, a step of a measure ``none``. Recordings whose options are the same go by
        their ids (``recording``).
    """
    used = dict.fromkeys(alternative[0] for alternative in alternatives)
    of_recording = _of_recordings({name: recordings.get(name, {}) for name in used})
    of_measure = _of_measures(list(dict.fromkeys(alternative[2] for alternative in alternatives)))
    regions = {alternative[1] for alternative in alternatives}
    taken = {key for found in of_measure.values() for key in found} | {"region"}
    told = []
    for recording, region, measure in alternatives:
        found = {f"recording.{k}" if k in taken else k: value for k, value in of_recording[recording].items()}
        found |= {"region": region} if len(regions) > 1 else {}
        told.append(";".join(f"{key}={value}" for key, value in (found | of_measure[measure]).items()))
    return told


def _of_recordings(entries: dict[str, dict]) -> dict[str, dict[str, str]]:
    flat = {name: _flat(entry) for name, entry in entries.items()}
    found = _differing(flat, "default")
    if len({tuple(own.items()) for own in found.values()}) < len(found):
        found = {name: {"recording": name} | own for name, own in found.items()}
    return found


def _of_measures(measures: list[str]) -> dict[str, dict[str, str]]:
    parsed = {measure: parse(measure) for measure in measures}
    families = {words for words, _ in parsed.values()}
    steps = _differing({m: {k: v for k, v in o.items() if k in STEPS} for m, (_, o) in parsed.items()}, "none")
    found: dict[str, dict[str, str]] = {}
    for family in families:
        own = {m: {k: v for k, v in o.items() if k not in STEPS} for m, (words, o) in parsed.items() if words == family}
        found |= _differing(own, "default")
    return {m: ({"measure": parsed[m][0]} if len(families) > 1 else {}) | found[m] | steps[m] for m in measures}


def _differing(options: dict[str, dict[str, str]], absent: str) -> dict[str, dict[str, str]]:
    """Keep the options that are not the same for all."""
    keys = dict.fromkeys(key for own in options.values() for key in own)
    kept = [key for key in keys if len({own.get(key) for own in options.values()}) > 1]
    return {name: {key: own.get(key, absent) for key in kept} for name, own in options.items()}


def _flat(entry: dict, before: str = "") -> dict[str, str]:
    """Write nested options with dots; those of the loader go without a prefix."""
    found = {}
    for key, value in entry.items():
        name = before + str(key)
        if isinstance(value, dict):
            found |= _flat(value, "" if name == "options" else f"{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            found[name] = text.replace(";", ",").replace('"', "")
    return found


def states(table: pd.DataFrame) -> np.ndarray:
    """Sort alternatives by what they say of the conclusion.

    Parameters
    ----------
    table : DataFrame
        The table of alternatives.

    Returns
    -------
    array of str of shape (n_alternatives,)
        ``survives``, ``supported`` (not separable), ``reversed`` (not separable), ``contradicted`` (reversed and
        separable) or ``undefined``.
    """
    difference, separable = table["difference"], table["separable"].astype(str) == "True"
    defined = difference.notna() & table["ci_low"].notna()
    names = [
        (~defined, "undefined"),
        ((difference > 0) & separable, "survives"),
        (difference > 0, "supported"),
        (separable, "contradicted"),
    ]
    return np.select([mask for mask, _ in names], [name for _, name in names], "reversed")


def summary(table: pd.DataFrame) -> str:
    """Say in one line how far a conclusion holds.

    Parameters
    ----------
    table : DataFrame
        The table of alternatives.

    Returns
    -------
    str
        Such as ``"survives in 7 of 12 alternatives; in 3 supported but not separable, …"``.
    """
    found = states(table)
    words = {
        "supported": "supported but not separable",
        "reversed": "reversed but not separable",
        "contradicted": "reversed and separable",
        "undefined": "undefined",
    }
    others = [f"in {(found == state).sum()} {text}" for state, text in words.items() if (found == state).any()]
    line = f"survives in {(found == 'survives').sum()} of {len(found)} alternatives"
    return f"{line}; {', '.join(others)}" if others else line
