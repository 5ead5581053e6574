"""Identification of the stimulus from one trial, by comparison with the mean of the other repeats."""

import numpy as np
import xarray as xr

from neurocompare.description.rows import bootstrap_mean, by_repeat, may_permute_stimuli, require, row
from neurocompare.errors import UserError

DESCRIPTIONS = {
    "identification-compare=correlation": {
        "summary": "share of single trials whose stimulus is the one with the most correlated mean of other repeats",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "repeats", "simultaneous"],
    },
}

PERMUTATIONS = 1000


def identify(cube: np.ndarray) -> np.ndarray:
    """Correlate every single trial with the mean responses of the other repeats.

    Units are z-scored with the mean and standard deviation over stimuli of the means of the other
    repeats, so nothing is fitted to the trial itself. Units that are constant there are ignored.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repeats, n_units)
        Responses.

    Returns
    -------
    array of shape (n_repeats, n_stimuli, n_stimuli)
        Correlation over units of trial (repeat, stimulus) with the mean for each stimulus; NaN where a
        z-scored trial is constant over units.

    Raises
    ------
    UserError
        If there are fewer than two repeats or stimuli, or fewer than two units that vary.
    """
    n, n_repeats, _ = cube.shape
    if n < 2 or n_repeats < 2:
        raise UserError(f"identification: {n} stimuli with {n_repeats} repeats are too few; 2 of each are needed")
    total = cube.sum(1)
    result = np.empty((n_repeats, n, n))
    for repeat in range(n_repeats):
        template = (total - cube[:, repeat]) / (n_repeats - 1)
        mean, deviation = template.mean(0), template.std(0)
        varies = deviation > 1e-9 * (1 + np.abs(template).max(0))
        if varies.sum() < 2:
            raise UserError("identification: fewer than 2 units respond differently to different stimuli")
        trial = (cube[:, repeat, varies] - mean[varies]) / deviation[varies]
        template = (template[:, varies] - mean[varies]) / deviation[varies]
        result[repeat] = _unit_rows(trial) @ _unit_rows(template).T
    return result


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe how well single trials identify the stimulus.

    The interval resamples stimuli among a fixed set of candidates; the null shuffles the names of the
    stimuli. Chance is one over the number of stimuli.

    Parameters
    ----------
    array : DataArray
        A recording with repeats; stimuli shown more often than the others lose their last repeats.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the bootstrap and the permutations.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table.
    details : Dataset
        ``accuracy`` (stimulus), ``confusion`` (stimulus, identified) as fractions of repeats, and
        ``chance``.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    require(array, description_id, DESCRIPTIONS)
    stimuli, cube = by_repeat(array)
    n, n_repeats, p = cube.shape
    correlation = identify(cube)
    # A trial whose correlations are undefined identifies nothing: it counts as wrong everywhere.
    best = np.where(np.isnan(correlation), -np.inf, correlation).argmax(2)
    valid = np.isfinite(correlation).all(2)
    confusion = np.zeros((n, n))
    for repeat in range(n_repeats):
        np.add.at(confusion, (np.flatnonzero(valid[repeat]), best[repeat, valid[repeat]]), 1 / n_repeats)
    rng = np.random.default_rng([seed, 0])
    by_stimulus = np.diag(confusion)
    null = None
    if may_permute_stimuli(array):
        null = np.array([confusion[np.arange(n), rng.permutation(n)].mean() for _ in range(PERMUTATIONS)])
    rows = [
        row(
            "identification accuracy",
            by_stimulus.mean(),
            condition=f"candidates={n};repeats={n_repeats}",
            null=null,
            ci=bootstrap_mean(by_stimulus, rng),
            n_stimuli=n,
            n_units=p,
            n_trials=n * n_repeats,
        )
    ]
    details = xr.Dataset(
        {
            "accuracy": ("stimulus", by_stimulus),
            "confusion": (("stimulus", "identified"), confusion),
            "chance": 1 / n,
        },
        coords={"stimulus": stimuli, "identified": stimuli},
    )
    return rows, details


def _unit_rows(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(1, keepdims=True)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, np.nan)
