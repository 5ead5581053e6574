"""Similarity of two representations: measures of (stimuli x units) arrays, by id.

Measures are found by the first word of their id and imported only then: ``score(x, y, "cka-…")``
imports ``similarity/cka.py`` and nothing of the others.
"""

import importlib

from neurocompare.identifiers import MEASURE_PACKAGES, PACKAGE, module_of, parse

__all__ = ["measures", "rdm", "score"]


def score(x, y, measure: str) -> float:
    """Score how alike two representations of the same stimuli are.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units_x)
        One representation; for an encoding measure, the features.
    y : array of shape (n_stimuli, n_units_y)
        The other; for an encoding measure, the responses to predict.
    measure : str
        A measure id; `measures` lists them.

    Returns
    -------
    float
        In the range and direction that `measures` gives; NaN where the measure is undefined.

    Raises
    ------
    UserError
        If the measure does not exist, or the arrays do not fit it or each other.
    """
    from neurocompare.similarity.arrays import checked_pair

    x, y = checked_pair(x, y)
    module = load(measure)
    return float(module.score(x, y, parse(measure)[1]))


def rdm(x, distance: str = "correlation"):
    """Return the representational dissimilarity matrix of a representation.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        The representation.
    distance : {"correlation", "euclidean", "cosine"}
        See `neurocompare.similarity.distances.from_grams`.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal.

    Raises
    ------
    UserError
        If the distance does not exist or is undefined for `x`.
    """
    from neurocompare.similarity.arrays import Grams, checked
    from neurocompare.similarity.distances import from_grams

    return from_grams(Grams.of(checked(x, "x")[None]), distance)[0]


def measures():
    """List every measure.

    Returns
    -------
    DataFrame
        Indexed by measure id: summary, range, direction, symmetry, whether it is a metric, invariances
        and requirements.
    """
    import pandas as pd

    found = {}
    for package in MEASURE_PACKAGES:
        for path in sorted((PACKAGE / package).glob("[a-z]*.py")):
            module = importlib.import_module(f"neurocompare.{package}.{path.stem}")
            found |= getattr(module, "MEASURES", {})
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("measure")


def load(measure: str):
    """Import the module behind a measure id, after checking that the id exists.

    Parameters
    ----------
    measure : str
        A measure id.

    Returns
    -------
    module
        With ``MEASURES``, ``score`` and ``evaluate``.

    Raises
    ------
    UserError
        If the id is unknown; the message lists the near ones.
    """
    from neurocompare.errors import unknown

    module = importlib.import_module(module_of(measure))
    if measure not in getattr(module, "MEASURES", {}):
        raise unknown("measure", measure, getattr(module, "MEASURES", {}))
    return module
