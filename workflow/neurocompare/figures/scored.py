"""What figures of scores share: which rows they show, on which scale, and what they call them."""

import functools

import numpy as np
import pandas as pd

from neurocompare import similarity

_NUMBERS = (
    *("value", "ceiling_low", "ceiling_high", "ceiling_chronological", "inter_animal"),
    *("null_mean", "null_high", "ci_low", "ci_high", "p_value"),
)
_PLACE = ["recording", "region", "measure", "network"]


@functools.cache
def lower_is_better(measure: str) -> bool:
    """Say whether a measure is a distance.

    Parameters
    ----------
    measure : str
        A measure id.

    Returns
    -------
    bool
        Whether less is more alike.
    """
    return similarity.load(measure).info["direction"] == "lower"


@functools.cache
def unit(measure: str) -> str:
    """Return what an axis says of the unit of a measure.

    Parameters
    ----------
    measure : str
        A measure id.

    Returns
    -------
    str
        Such as ``" (rad)"``; empty for a pure number.
    """
    declared = similarity.load(measure).info["unit"]
    return "" if declared == "1" else f" ({'units of the response' if declared == 'response' else declared})"


def shown(scores: pd.DataFrame) -> pd.DataFrame:
    """Keep one row for each layer and seed: the mean over animals, and over time.

    Parameters
    ----------
    scores : DataFrame
        Scores of a study.

    Returns
    -------
    DataFrame
        Rows ``all`` where there are several animals, else those of the animal; ``n_times`` counts the time
        bins that were averaged. The p-value of several rows is twice their mean, which holds however they
        depend on one another (Vovk & Wang 2020, Biometrika 107:791).
    """
    place = [scores[key] for key in _PLACE]
    several = (scores["animal"] == "all").groupby(place).transform("any")
    first = scores.groupby(_PLACE, sort=False)["animal"].transform("first")
    rows = scores[scores["animal"] == first.mask(several, "all")]
    return _averaged(rows, [*_PLACE, "layer", "seed"], "n_times")


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the instances of untrained networks.

    Parameters
    ----------
    rows : DataFrame
        From `shown`.

    Returns
    -------
    DataFrame
        One row for each layer; ``n_seeds`` counts the instances.
    """
    return _averaged(rows, [*_PLACE, "layer"], "n_seeds")


def _averaged(rows: pd.DataFrame, keys: list[str], counted: str) -> pd.DataFrame:
    rows = rows.assign(**{name: pd.to_numeric(rows[name]) for name in _NUMBERS})
    grouped = rows.groupby(keys, sort=False)
    size = grouped.size()
    found = rows.drop_duplicates(keys).set_index(keys)
    known = grouped[list(_NUMBERS)].count()
    # The mean of what is defined would be another quantity.
    found[list(_NUMBERS)] = grouped[list(_NUMBERS)].mean().where(known.eq(size, axis=0)).reindex(found.index)
    factor = np.where(size.reindex(found.index) > 1, 2, 1)
    found["p_value"] = (found["p_value"] * factor).clip(upper=1)
    return found.assign(**{counted: size.reindex(found.index)}).reset_index()


def places(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return recordings with their regions.

    Parameters
    ----------
    rows : DataFrame
        Scores.

    Returns
    -------
    list of tuple of str and str
        In the order of first appearance.
    """
    return list(dict.fromkeys(zip(rows["recording"], rows["region"], strict=True)))


def at(rows: pd.DataFrame, place: tuple[str, str], measure: str | None = None) -> pd.DataFrame:
    """Select a region, and perhaps a measure.

    Parameters
    ----------
    rows : DataFrame
        Scores.
    place : tuple of str and str
        Recording and region.
    measure : str, optional
        A measure id.

    Returns
    -------
    DataFrame
        The rows.
    """
    chosen = (rows["recording"] == place[0]) & (rows["region"] == place[1])
    return rows[chosen if measure is None else chosen & (rows["measure"] == measure)]


def sizes(place: tuple[str, str], rows: pd.DataFrame, *, named: bool = False) -> str:
    """Return a title with all that scores rest on.

    Parameters
    ----------
    place : tuple of str and str
        Recording and region.
    rows : DataFrame
        From `shown`, of that place.
    named : bool
        Whether to name the recording as well.

    Returns
    -------
    str
        Such as ``"V1: 100 stimuli, 60 units, 400 trials"``.
    """
    first = rows.iloc[0]
    parts = [f"{first['n_stimuli']} stimuli"]
    if pd.notna(first["n_units"]):
        parts.append(f"{first['n_units']:.0f} units")
    # Of a published RDM the trials are not known, and the column counts RDMs.
    if first["n_trials"] >= first["n_stimuli"]:
        parts.append(f"{first['n_trials']} trials")
    parts += [f"{first['n_animals']:.0f} subjects"] if first["n_animals"] > 1 else []
    parts += [f"mean over {first['n_times']} time bins"] if first["n_times"] > 1 else []
    return (f"{place[0]}\n" if named else "") + f"{place[1]}: {', '.join(parts)}"


def scaled(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Express scores in units of the noise ceiling.

    Parameters
    ----------
    rows : DataFrame
        Scores with their ceilings and nulls.

    Returns
    -------
    scaled : Series of float
        For a score the fraction of the ceiling, of a bracket its better end; for a distance d the part
        ``(null − d) / (null − ceiling)`` of the way from the mean of the null to the ceiling. Without a
        ceiling, the raw score, or ``(null − d) / null``.
    raw : Series of bool
        Whether there is no ceiling to divide by.
    """
    distance = rows["measure"].map(lower_is_better).astype(bool)
    gained = (rows["null_mean"] - rows["value"]).where(distance, rows["value"])
    both = rows["ceiling_low"].notna() & rows["ceiling_high"].notna()
    best = rows["ceiling_low"].where(distance, rows["ceiling_high"]).where(both)
    whole = (rows["null_mean"] - best).where(distance, best)
    raw = ~(whole > 0)
    return gained / whole.mask(raw, rows["null_mean"].where(distance, 1.0)), raw


def ceiling_label(kind: str) -> str:
    """Return what a legend says of a noise ceiling.

    Parameters
    ----------
    kind : str
        From the column ``ceiling_kind``.

    Returns
    -------
    str
        With the word "noise ceiling" and its kind.
    """
    words = {
        "corrected": "noise ceiling of a measure that corrects for noise: 1",
        "bracket (animals)": "noise ceiling, bracket from leaving animals out",
        "bracket (trials)": "noise ceiling, bracket from halves of the trials",
        "estimate (trials)": "noise ceiling, estimate from halves of the trials",
    }
    return words.get(kind, f"noise ceiling, {kind}" if kind else "noise ceiling")


def null_edge(rows: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return where chance ends.

    Parameters
    ----------
    rows : DataFrame
        Scores of one measure.

    Returns
    -------
    edge : Series of float
        The 95th percentile of the null or, as that is the wrong end for a distance, the mean of its null.
    label : str
        What a legend says of it.
    """
    if lower_is_better(rows["measure"].iloc[0]):
        return rows["null_mean"], "mean of shuffled stimuli (distances)"
    return rows["null_high"], "95 % of shuffled stimuli"
