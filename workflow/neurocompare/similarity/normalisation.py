"""Normalisations of units, each a named part of a measure's id: ``responses=zscore``, ``sqrt`` or ``soft``.

Means and ranges are taken from the means over trials, so a unit is moved and scaled alike in all of its
trials. (A scale that is taken from all trials joins the two sides of a cross-validated distance by a
little; whitened ones, ``noise=full`` and ``noise=diagonal``, do not see scales of units at all.)
"""

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.trials import Trials

SOFT_RATE = 5.0
"""The rate, in spikes/s, that soft normalisation adds to the range (Churchland et al. 2012, Nature 487:51)."""

NORMALISATIONS = {
    "zscore": "each unit has mean 0 and standard deviation 1 over stimuli",
    "sqrt": "square roots of counts or rates, so that their Poisson noise is alike",
    "soft": "divided by the unit's range over stimuli plus 5 spikes/s, so that weak units stay weak",
}


def normalise(values, how: str, *, soft_rate: float = SOFT_RATE):
    """Normalise the units of a representation.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_units) or Trials
        Responses. Of Trials, single trials are normalised, by what the means over trials say of a unit;
        square roots are those of single trials, whose noise they are for.
    how : {"zscore", "sqrt", "soft"}
        See `NORMALISATIONS`. A unit that does not vary over stimuli becomes zero in ``zscore``.
    soft_rate : float
        What ``soft`` adds to the range, in the unit of the responses (5 spikes/s; for spike counts, 5 times
        the window in seconds has the same meaning).

    Returns
    -------
    array of shape (n_stimuli, n_units) or Trials
        As `values`, in float64; without a unit for ``zscore`` and ``soft``, with its root for ``sqrt``.

    Raises
    ------
    UserError
        If the normalisation does not exist, or a response has no root.
    """
    if how not in NORMALISATIONS:
        raise unknown("normalisation of responses", how, NORMALISATIONS)
    trials = isinstance(values, Trials)
    raw = np.asarray(values.values if trials else values, dtype=float)
    if how == "sqrt":
        if raw.min() < 0:
            raise UserError(
                f"responses=sqrt: responses go down to {raw.min():.3g} and have no square root; "
                "it is for spike counts and rates, use responses=zscore"
            )
        result = np.sqrt(raw)
    else:
        means = values.mean() if trials else raw
        result = _zscored(raw, means) if how == "zscore" else raw / (np.ptp(means, axis=0) + soft_rate)
    return values.with_values(result) if trials else result


def _zscored(raw, means) -> np.ndarray:
    centre, spread = means.mean(0), means.std(0)
    # What is only rounding error of a constant is no variation.
    varies = spread > 1e-12 * np.abs(means).max(0)
    return np.where(varies, (raw - centre) / np.where(varies, spread, 1), 0)
