"""Parts of a population over the phases of a task, and what they follow: the phase, or the content of the trial.

After Kapoor, Besserve, Logothetis & Panagiotaropoulos 2018 (Communications Biology 1:215): averages over trials, units
× (condition × time), are factorised as R ≈ W H without negative values. A row of H is a time course in each condition,
and W says how strongly each unit follows it. Do parts that follow the phase of the task have units of their own, and do
most units follow them?

A part is of one of three kinds. *Content*: it differs between conditions (shuffled labels of whole trials, Holm over
parts) by half or more of what a part does that is active in one of them only. *Phase*: it is no such part, and what the
conditions have in common varies with time (shifted trials). *Other*: it is steady, with a standard deviation below a
fifth of its mean, or not told from noise: a part that differs by half, but not significantly, does not follow the phase
for that. A unit is of the kind of the parts that have most of its weights.
"""

import json

import numpy as np
import xarray as xr

from neurocompare.description import phase_parts
from neurocompare.description.phase_data import responses
from neurocompare.description.phase_kinds import (
    KINDS,
    LEVEL,
    MOST,
    Tested,
    lowest_p,
    of_units,
    ratio,
    resampled,
    tested,
)
from neurocompare.description.rows import (
    bootstrap_mean,
    may_permute_trials,
    options_of,
    require_needs,
    row,
    standard_interval,
)
from neurocompare.errors import UserError
from neurocompare.factorization import (
    GROUPS,
    LOSSES,
    POLICIES,
    SEEDS,
    fit,
    matched_cosine,
    parts,
    standard_error,
)

DESCRIPTIONS = {
    f"phases-by=<coordinate>-loss={loss}" + ("" if policy == "refuse" else f"-negative={policy}"): {
        "summary": f"parts over the phases of a task, and the share of units that follow them, {loss} loss{note}",
        "unit": "1",
        "direction": "none",
        "needs": ["responses"],
    }
    for loss in LOSSES
    for policy, note in POLICIES.items()
}
"""Patterns of ids; the coordinate is any along ``presentation`` whose values are the conditions."""

LARGEST_RANK = 10
BOOTSTRAPS = 100
FEWEST_UNITS = 30
"""With fewer units, nothing is told of what they follow: the interval of a share would be a third of the range."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe the parts of a population over the phases of a task.

    Averages of spike counts are smoothed (Gaussian, 40 ms); for the squared error, every unit is divided by the square
    root of its mean, so that Poisson units have equal noise. The number of parts is the smallest within one standard
    error of the best prediction of held-out units in held-out stretches of time, of other trials where there are any.

    Parameters
    ----------
    array : DataArray
        A recording with an axis of time. The attribute ``phases``, where it has one, names phases by their onsets.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        ``number of parts``, ``held-out error``, ``stability over starts`` (time courses, 20 starts), and
        ``reproducibility of parts`` between halves of the trials, its null of shifted time courses. Then
        ``number of phase parts``, ``number of content parts`` and ``number of other parts``;
        ``share of phase units``, ``share of content units`` and ``share of other units``, with an interval of 1.96
        standard errors over units and over trials, both resampled, given the number and the kinds of the parts, and
        a null in which the weights of each unit are shuffled over parts; ``share of selective units``, those whose
        own responses have a selectivity of 0.5 or more, with an interval over units: a unit that follows content
        parts of all conditions is not selective; and for each part its ``selectivity`` (1: active in one condition
        only, 0: the same in all), with an interval over trials, to whose resamples parts are fitted anew, and a null of
        shuffled labels whose p-value is corrected over parts. The p-value alone does not make a content part: where
        there are some, noise mixes them into the others, which may have small p-values with a selectivity near 0.
        Units without a response are left out and counted.

        Without trials there are no kinds (status ``no_trials``), nor without a null (``no_null``,
        ``constant_in_blocks``), with so few trials that no part could be told to follow the content
        (``too_few_trials``: two conditions need eight trials of each, or seven for up to six parts), or of fewer than
        30 units (``too_few_units``); shares are not told either of a window that lies in one phase (``one_phase``).
        ``at_largest``: more parts were not tried.
    details : Dataset
        ``course`` (part_number, condition, time), ``loading`` (unit, part_number), shares of the weights of a unit,
        ``kind`` (part_number) and ``unit_kind`` (unit), numbers in `KINDS`; ``selectivity``, ``peak`` (part_number);
        ``error`` and ``standard_error`` (rank); ``chosen_rank``. Parts are in the order of their peaks.

    Raises
    ------
    UserError
        If the id is no such pattern, there is no axis of time or too short a one, the coordinate is missing or has
        one value, no unit responds, the policy refuses negative averages, or ``phases`` are no names with onsets.
    """
    options = options_of(description_id, {"by": (), "loss": LOSSES, "negative": tuple(POLICIES)}, ("negative",))
    require_needs(array, description_id, ["responses"])
    loss, by = options["loss"], options["by"]
    data = responses(array, by, loss, options.get("negative", "refuse"), description_id)
    n_units = data.values.shape[2]
    size = {"n_stimuli": len(data.levels), "n_units": n_units, "n_trials": len(data.values)}
    pooled = "" if array.attrs["simultaneous"] else ";units=pooled"
    left = [("units without a response", data.silent), ("presentations without a condition", data.unlabelled)]
    rows = [row(quantity, count, condition=f"by={by}", **size) for quantity, count in left if count]
    if n_units < 2 * GROUPS:
        return [row("number of parts", np.nan, condition=f"by={by}", status="too_few_units", **size), *rows], None

    rng = np.random.default_rng([seed, 10])
    ranks = np.arange(1, min(LARGEST_RANK, n_units * (GROUPS - 1) // GROUPS) + 1)
    errors = phase_parts.held_out_errors(*data.blocks(rng), ranks, loss, seed)
    rank = phase_parts.paired_rank(errors, ranks)
    fits = parts(data.matrix(), rank, seed=seed, loss=loss)
    course = fits[0][1].reshape(rank, len(data.levels), -1)
    order = np.argsort(course.mean(1).argmax(1), kind="stable")
    weight, course = fits[0][0][:, order], course[order]

    untold = _untold(array, by, data, rank)
    found = tested(data, weight, course, loss, not untold, rng) if data.single else None
    status = ";".join([word for word in (untold, "too_few_units" if n_units < FEWEST_UNITS else "") if word])
    kind = np.full(rank, -1) if status else found.kind
    phases = _phases(array, data.time)
    peak = data.time[course.mean(1).argmax(1)]
    condition = f"by={by};rank={rank}{pooled}"
    pairs = [matched_cosine(a[1], b[1]) for i, a in enumerate(fits) for b in fits[:i]]
    held = "units × stretches of time" + (" × trials" if data.single else "")
    rows += [
        row(
            "number of parts",
            rank,
            condition=f"by={by};largest={ranks[-1]};rule=one-standard-error;held-out={held}{pooled}",
            status="at_largest;no_null;no_interval;no_ceiling" if rank == LARGEST_RANK else None,
            **size,
        ),
        row("held-out error", errors.mean((0, 1))[rank - 1], condition=condition, **size),
        row("stability over starts", np.mean(pairs), condition=f"{condition};starts={SEEDS}", **size),
        _reproducibility(found, condition, size),
    ]
    for number, name in enumerate(KINDS):
        value = np.nan if status else (kind == number).sum()
        rows.append(row(f"number of {name} parts", value, condition=condition, status=status or None, **size))
    claim = ";".join([word for word in (status, "one_phase" if len(phases) == 1 else "") if word])
    rows += _shares(data, weight, course, kind, loss, claim, condition, size, rng)
    rows.append(_selective(found, status, condition, size, rng))
    selectivity, more = _selectivity(found, course, peak, kind, phases, untold, condition, size)
    details = xr.Dataset(
        {
            "course": (("part_number", "condition", "time"), course),
            "loading": (("unit", "part_number"), _normalised(weight)),
            "kind": ("part_number", kind.astype(float)),
            "unit_kind": ("unit", of_units(weight, kind).astype(float)),
            "selectivity": ("part_number", selectivity),
            "peak": ("part_number", peak),
            "error": ("rank", errors.mean((0, 1))),
            "standard_error": ("rank", standard_error(errors)),
            "chosen_rank": rank,
        },
        coords={
            "part_number": np.arange(1, rank + 1),
            "condition": data.levels,
            "time": data.time,
            "rank": ranks,
            "unit": data.unit_id,
        },
        attrs={"by": by, "loss": loss, "phases": json.dumps(phases)},
    )
    return rows + more, details


def _untold(array, by, data, rank) -> str:
    """Why labels of trials can't be shuffled, so that parts are of no kind; empty if they can."""
    if not data.single:
        return "no_trials"
    if data.constant or by in array.attrs.get("constant_in_blocks", "").split(","):
        return "constant_in_blocks"
    if not may_permute_trials(array):
        return "no_null"
    return "" if lowest_p(data.condition, rank) < LEVEL else "too_few_trials"


def _phases(array, time) -> dict[str, float]:
    """Onsets in s of the phases of the task that the window touches; none if the recording names none."""
    told = array.attrs.get("phases", {})
    try:
        named = json.loads(told) if isinstance(told, str) else told
        onsets = sorted(((str(name), float(onset)) for name, onset in named.items()), key=lambda pair: pair[1])
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"attribute 'phases' of the recording is '{told}'; map names to onsets in s, as in {{\"delay\": 0.5}}"
        ) from error
    ends = [onset for _, onset in onsets[1:]] + [np.inf]
    return {
        name: onset for (name, onset), end in zip(onsets, ends, strict=False) if np.any((time >= onset) & (time < end))
    }


def _reproducibility(found, condition, size) -> dict:
    """Row of the cosine between the parts of halves of the trials."""
    quantity = "reproducibility of parts"
    if found is None:
        return row(quantity, np.nan, condition=condition, status="no_trials", **size)
    low, high = standard_interval(found.reproduced, found.reproduced_draws, size["n_units"])
    told = f"{condition};repeats=halves"
    ci = (low, min(high, 1.0))
    return row(quantity, found.reproduced, condition=told, null=found.reproduced_null, ci=ci, **size)


def _shares(data, weight, course, kind, loss, claim, condition, size, rng) -> list[dict]:
    """Rows of the shares of units by kind."""
    if claim:
        return [row(f"share of {name} units", np.nan, condition=condition, status=claim, **size) for name in KINDS]
    n = len(weight)
    value = np.bincount(of_units(weight, kind), minlength=len(KINDS)) / n
    shuffled = rng.permuted(np.tile(weight, (phase_parts.PERMUTATIONS, 1, 1)), axis=2)
    null = np.stack([(of_units(w, kind)[:, None] == np.arange(len(KINDS))).mean(0) for w in shuffled])
    draws = np.empty((BOOTSTRAPS, len(KINDS)))
    h = course.reshape(len(course), -1)
    for i in range(BOOTSTRAPS):
        drawn = resampled(data.condition, np.arange(len(data.values)), rng)
        w, other = fit(data.matrix(drawn), len(h), loss, start=(weight, h), loose=True)
        found = of_units(w * np.linalg.norm(other, axis=1), kind)
        draws[i] = np.bincount(rng.choice(found, n), minlength=len(KINDS)) / n
    rows = []
    for number, name in enumerate(KINDS):
        low, high = standard_interval(value[number], draws[:, number], n)
        most = "yes" if low > 0.5 else "no" if high < 0.5 else "undecided"
        rows.append(
            row(
                f"share of {name} units",
                value[number],
                condition=f"{condition};most={most}",
                null=null[:, number],
                ci=(max(low, 0.0), min(high, 1.0)),
                **size,
            )
        )
    return rows


def _selective(found, status, condition, size, rng) -> dict:
    """Row of the share of units that tell conditions apart by themselves."""
    told = f"{condition};threshold={MOST:g}"
    if status:
        return row("share of selective units", np.nan, condition=told, status=status, **size)
    selective = found.of_units >= MOST
    ci = bootstrap_mean(selective.astype(float), rng)
    return row("share of selective units", selective.mean(), condition=told, ci=ci, **size)


def _selectivity(found, course, peak, kind, phases, untold, condition, size) -> tuple[np.ndarray, list[dict]]:
    """Selectivity of each part, and its rows."""
    if found is None:
        twice = [course.transpose(1, 2, 0)] * 2
        found = Tested.untested(ratio(phase_parts.variances(*twice)[0], phase_parts.power(*twice, course.min((1, 2)))))
    rows = []
    for k, value in enumerate(found.selectivity):
        name = KINDS[kind[k]] if kind[k] >= 0 else "not told"
        during = [phase for phase, onset in phases.items() if onset <= peak[k]]
        told = f"{condition};part={k + 1};kind={name};peak={peak[k]:g} s" + (f";phase={during[-1]}" if during else "")
        null = found.null[:, k] if found.null.size else None
        line = row("selectivity", value, condition=told, null=null, ci=tuple(found.interval[:, k]), **size)
        if null is not None:
            line["p_value"], line["n_null"] = float(found.p_content[k]), phase_parts.PERMUTATIONS
        elif untold != "no_null":
            line["status"] = f"{untold};{line['status']}"
        rows.append(line)
    return found.selectivity, rows


def _normalised(weight: np.ndarray) -> np.ndarray:
    """Shares of the weights of each unit; zeros where a unit has none."""
    total = weight.sum(1, keepdims=True)
    return weight / np.where(total > 0, total, 1)
