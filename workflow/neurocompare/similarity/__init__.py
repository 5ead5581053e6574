"""Similarity of two representations: measures of (stimuli x units) arrays, by id.

Measures are found by the first word of their id and imported only then: ``score(x, y, "cka-…")``
imports ``similarity/cka.py`` and what that needs, and nothing of the others.
"""

import importlib

from neurocompare.identifiers import MEASURE_PACKAGES, PACKAGE, module_of, parse

__all__ = ["evaluate", "load", "markdown", "measures", "rdm", "score"]


def score(x, y, measure: str, *, control=None) -> float:
    """Score how alike two representations of the same stimuli are.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units_x) or (n_repeats, n_stimuli, n_units_x), or DataArray
        One representation, the candidate; for an encoding measure, the features.
    y : array of shape (n_stimuli, n_units_y) or (n_repeats, n_stimuli, n_units_y), or DataArray
        The other, the target; for an encoding measure, the responses to predict.
    measure : str
        A measure id; `measures` lists the common ones.
    control : as `x`, optional
        What a measure with ``-partial=…`` controls for.

    Returns
    -------
    float
        In the range and direction that `measures` gives; NaN where the measure is undefined.

    Raises
    ------
    UserError
        If the measure does not exist, is void for so few stimuli, or the arrays do not fit it or each other.
    """
    from neurocompare.similarity.arrays import require_stimuli
    from neurocompare.similarity.controlled import with_control
    from neurocompare.similarity.inputs import grams
    from neurocompare.similarity.steps import mean_over_samples

    opened = load(measure)
    x, y, *controls = grams(x, y, *([] if control is None else [control]), measure=opened)
    opened = with_control(opened, controls[0] if controls else None)
    require_stimuli(x.gram.shape[1], opened.info["minimum_stimuli"], measure)
    opened.require_repeats(y, "y")
    return float(mean_over_samples(opened, y, lambda target: opened.scores(opened.reduced(x), opened.reduced(target))))


def evaluate(x, y, measure: str, *, exchangeable: str | None = None, control=None, **groups):
    """Score how alike two representations are, with noise ceiling, null and interval.

    Parameters
    ----------
    x, y : as in `score`
        The candidate and the target. Only of a target with repeats is there a noise ceiling.
    measure : str
        A measure id.
    exchangeable : {"stimulus", "condition", "block", "shift"}, optional
        What shuffles and resamples may exchange; a recording declares it. There is no null without.
    control : as `x`, optional
        What a measure with ``-partial=…`` controls for.
    **groups
        ``condition`` and ``time``, ``block`` or ``shift``: what is exchanged as a whole; see
        `neurocompare.inference.resampling.plan`. With conditions × times, the time course that all conditions
        have in common is taken out first.

    Returns
    -------
    Series
        ``value``, ``ceiling_low``, ``ceiling_high``, ``ceiling_kind``, ``ceiling_chronological``, ``null_mean``,
        ``null_high``, ``p_value``, ``ci_low``, ``ci_high``, ``claim``, ``dimensionality``, ``n_stimuli``.

    Raises
    ------
    UserError
        As `score`, or if nothing is declared exchangeable.
    """
    from neurocompare.similarity.single import evaluated

    return evaluated(x, y, load(measure), exchangeable, control, groups)


def rdm(x, distance: str = "correlation"):
    """Return the representational dissimilarity matrix of a representation.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units) or (n_repeats, n_stimuli, n_units), or DataArray
        The representation.
    distance : str
        A distance of the RSA measures, with its options: ``crossnobis``, ``crossnobis-noise=none``.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal. Of a large array in single precision, in single precision too.

    Raises
    ------
    UserError
        If the distance does not exist or is undefined for `x`.
    """
    import numpy as np

    from neurocompare.similarity.distances import PLAIN, rdm_of
    from neurocompare.similarity.inputs import grams

    opened = load(f"rsa-distance={distance}-compare=cosine")
    if isinstance(x, np.ndarray) and x.dtype == np.float32 and x.ndim == 2 and distance in PLAIN:
        return rdm_of(x, distance)
    stack = grams(x, measure=opened)[0]
    opened.require_repeats(stack, "x")
    return opened.matrices(stack)[0]


def measures():
    """List the measures.

    Returns
    -------
    DataFrame
        Indexed by measure id: summary, range, direction, unit, symmetry, whether it is a metric, invariances
        and requirements.
    """
    import pandas as pd

    found = {}
    for package in MEASURE_PACKAGES:
        for path in sorted((PACKAGE / package).glob("[a-z]*.py")):
            module = importlib.import_module(f"neurocompare.{package}.{path.stem}")
            found |= {name: load(name).info for name in getattr(module, "MEASURES", ())}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("measure")


def markdown() -> str:
    """Write the table of measures for a reader.

    Returns
    -------
    str
        A table in Markdown. RDM measures that differ only in how RDMs are compared share a row.
    """
    rows: dict[str, dict] = {}
    for name, info in measures().iterrows():
        start, compare, comparator = name.partition("-compare=")
        summary = info["summary"].split(" RDMs compared by")[0] + " RDMs" if compare else info["summary"]
        row = rows.setdefault(start, {"summary": summary, "comparators": [], "low": info["low"], "info": info})
        row.setdefault("unbiased", []).append(info["unbiased"])
        row["comparators"] += [comparator] if compare else []
        row["low"] = min(row["low"], info["low"])
    head = ("id", "what", "range", "better", "symmetric", "metric", "0 by chance", "unchanged by", "needs at least")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for start, row in rows.items():
        info, name = row["info"], f"`{start}`"
        if row["comparators"]:
            name = f"`{start}-compare=C`"
            row["summary"] += f"; C: {', '.join(f'`{c}`' for c in row['comparators'])}"
        limits = [f"{bound:.3g}".replace("-", "−").replace("inf", "∞") for bound in (row["low"], info["high"])]
        needs = [f"{info['minimum_stimuli']} stimuli"]
        needs += [f"{info['repeats']} repeats"] if info["repeats"] else []
        needs += ["units"] if info["units"] else []
        scale = " to ".join(limits) + ("" if info["unit"] == "1" else f" ({info['unit']})")
        marks = ["yes" if info[field] else "no" for field in ("symmetric", "metric")]
        chance = set(row["unbiased"])
        marks.append("but for cosines and Bures" if len(chance) > 1 else "yes" if True in chance else "no")
        cells = [name, row["summary"], scale, info["direction"], *marks, info["invariances"], ", ".join(needs)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def load(measure: str):
    """Make the measure that an id names.

    Parameters
    ----------
    measure : str
        A measure id.

    Returns
    -------
    Measure
        Ready to use; see `neurocompare.similarity.measure`.

    Raises
    ------
    UserError
        If the id is unknown, or has an option that the measure does not know.
    """
    from neurocompare.errors import UserError, unknown
    from neurocompare.similarity.refusals import fitted_outside_folds
    from neurocompare.similarity.steps import split

    module = importlib.import_module(module_of(measure))
    words, options = parse(measure)
    own, steps = split(options)
    if not hasattr(module, "MEASURE"):
        raise unknown("measure", measure, ())
    fitted_outside_folds(measure, own, steps.responses)
    try:
        opened = module.MEASURE(words, own)
    except UserError as error:
        raise UserError(f"measure '{measure}': {error}") from error
    opened.name, opened.steps = measure, steps
    return opened
