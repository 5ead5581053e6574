"""What should make one careful with the scores of a study: each warning that fired, how often, and what to do."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from neurocompare import similarity

LEVEL = 0.05
BIASED = 0.1
"""A score of shuffled stimuli farther from zero is not to be compared with zero."""

DRIFT = 0.8
"""A ceiling from early and late trials below this fraction of that from interleaved ones tells of drift."""

LEAST_STIMULI = 20
"""From as many stimuli on, the calibration study finds that intervals cover as often as they say."""

MANY = 5
"""How many times as many are many more, and how many tens are tens is two."""

ADVICE = {
    "undefined": "these scores do not exist, as one side does not vary or has too few stimuli or units: leave them out",
    "void": "the measure is void for these layers: choose one that allows as many units, or more stimuli",
    "null_not_zero": "compare the score with null_mean and not with zero, or choose an unbiased measure",
    "one_animal": "the intervals hold for new stimuli in this animal: claim nothing about other animals",
    "few_animals": "with two to four animals intervals are approximate: record more, or claim new stimuli only",
    "few_stimuli": f"intervals are calibrated from {LEAST_STIMULI} stimuli on: use more, or take them as rough",
    "below_recommendation": "use more stimuli, units or repeats, or a measure that needs fewer",
    "few_stimuli_per_dimension": "the score is mostly chance: use folds, a ridge, fewer components or more stimuli",
    "ceiling_undefined": "the trials agree too little for a ceiling: don't divide by one, and report that none exists",
    "no_repeats": "without repeats there is no noise ceiling: a low score may be that of a perfect model",
    "single_rdm": "a single RDM has no noise ceiling: a low score may be that of a perfect model",
    "drift": "responses changed during the session: read the score against ceiling_chronological",
    "one_stimulus": "leave the stimulus out and say so, or show more stimuli: one of them decides the result",
    "interval_undefined": "too few resamples have a score: report it without an interval, or use more stimuli",
    "null_undefined": "there is no null for these scores: don't call them significant",
    "undefined_resamples": "resamples without a score were left out of the interval: trust it less, the more there are",
    "undefined_units": "units without a score, mostly silent ones, were left out: say how many",
    "gated_units": "units that were not reliable in other trials were left out: say how many, and try other thresholds",
    "too_few_stimuli_to_select": "there are too few stimuli to choose a layer on half of them: compare single layers",
    "no_ceiling_by_trials": "halves of the trials are no ceiling of this measure: compare it with inter_animal",
    "constant_units": "units that do not vary were left out of the matching: say how many",
    "unstable_parts": "other seeds find other parts: don't interpret single parts, and take the score as rough",
    "stimuli_not_reproduced": "these stimuli have no reproducible response and were left out: say how many",
    "rbf_all_distinct": "the kernel tells all stimuli apart, so any two agree: use a wider bandwidth",
    "rbf_all_alike": "the kernel tells no stimuli apart: use a narrower bandwidth",
}
"""What to do, by warning."""

_OTHER = "the measure casts doubt on these scores: its documentation says why"
_HARMLESS = {"ok", "selected_on_held_out_stimuli", "mean_rdm"}
_PLACES = {
    **dict.fromkeys(("one_animal", "few_animals", "few_stimuli", "no_repeats", "single_rdm"), ("recording", "region")),
    "below_recommendation": ("recording", "measure"),
}
"""What a warning is told of, if not of every region and measure."""

Found = tuple[str, pd.Series, Callable[[pd.DataFrame], str]]
"""A warning, for which rows it fired, and what to say of some of them."""


def fired(scores: pd.DataFrame) -> list[dict]:
    """Collect the warnings of a study.

    Parameters
    ----------
    scores : DataFrame
        The table of scores.

    Returns
    -------
    list of dict
        Rows of a table of warnings, without the study and the digest of the code: for each warning, recording,
        region and measure (``all`` where it is told of all together) the number of rows concerned, of how many,
        what was found, and what to do.
    """
    found = []
    if len(scores):
        for name, mask, detail in _checks(scores):
            found += _rows(name, scores, mask, detail)
    order = {name: k for k, name in enumerate(ADVICE)}
    return sorted(found, key=lambda row: order.get(row["warning"], len(order)))


def _rows(name: str, table: pd.DataFrame, mask: pd.Series, detail) -> Iterator[dict]:
    if not mask.any():
        return
    keys = _PLACES.get(name, ("recording", "region", "measure"))
    for place, rows in table.groupby(list(keys), sort=False):
        mine = rows[mask[rows.index]]
        if len(mine):
            where = {"recording": "all", "region": "all", "measure": "all"} | dict(zip(keys, place, strict=True))
            yield (
                {"warning": name}
                | where
                | {
                    "n_rows": len(mine),
                    "n_all": len(rows),
                    "detail": detail(mine),
                    "advice": ADVICE.get(name, _OTHER),
                }
            )


def _checks(scores: pd.DataFrame) -> Iterator[Found]:
    yield from _of_status(scores)
    distance = scores["measure"].map(_declared("direction")) == "lower"
    yield "null_not_zero", ~distance & (scores["null_mean"].abs() > BIASED), _range_of("null_mean")
    animals = scores.groupby(["recording", "region"])["n_animals"].transform("max")
    yield "one_animal", animals == 1, _range_of("n_units")
    yield "few_stimuli", scores["n_stimuli"] < LEAST_STIMULI, _range_of("n_stimuli")
    recommended = scores["measure"].map(_declared("recommended"))
    short = pd.Series(False, index=scores.index)
    for text in sorted(set(recommended) - {""}):
        mine = recommended == text
        short[mine] = falls_short(text, scores[mine])
    yield "below_recommendation", short, lambda rows: f"recommended: {recommended[rows.index[0]]}; {_here(rows)}"
    # The worse bound is the one from halves: of a distance, the higher.
    late, low, high = (scores[f"ceiling_{name}"] for name in ("chronological", "low", "high"))
    yield "drift", (late < DRIFT * low).where(~distance, late * DRIFT > high), _drift
    yield "one_stimulus", hangs_on_one(scores, distance), _stimuli


def _declared(key: str) -> Callable[[str], str]:
    known: dict[str, str] = {}

    def get(measure: str) -> str:
        if measure not in known:
            known[measure] = similarity.load(measure).info[key]
        return known[measure]

    return get


def _of_status(table: pd.DataFrame) -> Iterator[Found]:
    """The reasons in the column ``status``; numbers in them, ``undefined_units=3``, are told in the details."""
    parsed = [dict(map(_counted, status.split(";"))) for status in table["status"]]
    for name in sorted({name for found in parsed for name in found} - _HARMLESS - {""}):
        counts = pd.Series([found.get(name) for found in parsed], index=table.index, dtype=float)
        detail = _range_of_counts(name, counts) if (counts > 0).any() else (lambda rows: "")
        yield name, counts.notna(), detail


def _counted(reason: str) -> tuple[str, float]:
    """Tell a reason from its number, ``undefined_units=3`` or ``3_stimuli_not_reproduced``."""
    name, equals, count = reason.partition("=")
    if equals and count.isdecimal():
        return name, float(count)
    before = re.fullmatch(r"(\d+)_(\w+)", reason)
    return (before[2], float(before[1])) if before else (reason, 0.0)


def falls_short(recommended: str, scores: pd.DataFrame) -> pd.Series:
    """Compare scores with what their measure recommends.

    Parameters
    ----------
    recommended : str
        The measure's own words.
    scores : DataFrame
        Rows of that measure.

    Returns
    -------
    Series of bool
        Where there are fewer stimuli, units or repeats. Recommendations about retained dimensions are checked
        by the measure (``few_stimuli_per_dimension``), and one about reliability cannot be checked here; words that
        are not understood count as not met.
    """
    stimuli = scores["n_stimuli"].astype(float)
    units = scores[["n_units", "n_features"]].astype(float)
    if least := re.match(r"(\d+) units", recommended):
        return units.min(axis=1) < float(least[1])
    if least := re.match(r"(\d+) stimuli", recommended):
        return stimuli < float(least[1])
    if recommended.startswith("many more stimuli than units"):
        return stimuli < MANY * units.max(axis=1)
    if recommended.startswith("many more stimuli than dimensions"):
        return stimuli < MANY * scores[["dimensionality", "target_dimensionality"]].max(axis=1)
    if recommended.startswith("tens of stimuli"):
        return stimuli < 20
    if recommended.startswith("tens of repeats"):
        return scores["n_trials"].astype(float) < 20 * stimuli
    understood = "stimuli for each retained dimension" in recommended or "split-half reliability" in recommended
    return pd.Series(not understood, index=scores.index)


def hangs_on_one(scores: pd.DataFrame, distance: pd.Series) -> pd.Series:
    """Find scores whose sign or significance is another one without the most influential stimulus.

    Parameters
    ----------
    scores : DataFrame
        The table of scores.
    distance : Series of bool
        Which of them are distances.

    Returns
    -------
    Series of bool
        Where a score that is above its null (p < 0.05) is not without that stimulus, or has the other sign, or
        where one that is not above it would be. A distance is significant as long as it is below the mean
        of its null, for want of the 5th percentile.
    """
    without = scores["value"] + scores["influence"]
    significant = scores["p_value"] < LEVEL
    beyond = (without > scores["null_high"]).where(~distance, without < scores["null_mean"])
    turned = ~distance & significant & (np.sign(without) != np.sign(scores["value"]))
    changed = (beyond != significant).where(~distance, significant & ~beyond)
    return without.notna() & scores["p_value"].notna() & (changed | turned)


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"


def _range_of(column: str) -> Callable[[pd.DataFrame], str]:
    return lambda rows: _span(column, rows[column].astype(float))


def _range_of_counts(name: str, counts: pd.Series) -> Callable[[pd.DataFrame], str]:
    return lambda rows: _span(name, counts[rows.index])


def _span(name: str, values: pd.Series) -> str:
    low, high = values.min(), values.max()
    if np.isnan(low):
        return ""
    return f"{name} {_number(low)}" + (f" to {_number(high)}" if high > low else "")


def _here(rows: pd.DataFrame) -> str:
    told = [_span(name, rows[name].astype(float)) for name in ("n_stimuli", "n_units", "n_features", "n_trials")]
    return f"here {', '.join(filter(None, told))}"


def _drift(rows: pd.DataFrame) -> str:
    columns = ("ceiling_chronological", "ceiling_low", "ceiling_high")
    return ", ".join(_span(name, rows[name].iloc[:1]) for name in columns)


def _stimuli(rows: pd.DataFrame) -> str:
    """The stimuli concerned, the most frequent first."""
    counts = rows["influential_stimulus"].value_counts(sort=False)
    counts = counts.sort_values(ascending=False, kind="stable")
    told = [f"{stimulus} ({count})" for stimulus, count in counts.head(3).items()]
    return ", ".join(told + [f"{len(counts) - 3} others"] * (len(counts) > 3))
