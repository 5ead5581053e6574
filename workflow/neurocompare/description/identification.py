"""Identification of the stimulus from one trial, or from half of them, by comparison with the other repeats."""

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
    "identification-compare=correlation-split=halves": {
        "summary": "share of stimuli whose first repeats are most correlated with their last repeats",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "repeats", "simultaneous"],
    },
    "identification-compare=dot-split=halves": {
        "summary": "share of stimuli whose first repeats have the largest inner product with their last repeats",
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


def identify_halves(cube: np.ndarray, compare: str) -> np.ndarray:
    """Compare the mean of the first repeats of every stimulus with those of the last repeats.

    With two repeats, this is the identification of Stringer et al. 2019 from one trial by one trial.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repeats, n_units)
        Responses.
    compare : {"correlation", "dot"}
        ``correlation`` z-scores the units over stimuli in each half and correlates over units. ``dot`` subtracts
        the mean over all presentations from each unit and takes inner products, without any scaling.

    Returns
    -------
    array of shape (1, n_stimuli, n_stimuli)
        Similarity of the first repeats of a stimulus with the last repeats of each; NaN where a correlation is
        undefined.

    Raises
    ------
    UserError
        If there are fewer than two repeats or stimuli, or fewer than two units that vary.
    """
    n, n_repeats, _ = cube.shape
    if n < 2 or n_repeats < 2:
        raise UserError(f"identification: {n} stimuli with {n_repeats} repeats are too few; 2 of each are needed")
    half = n_repeats // 2
    sides = [cube[:, :half].mean(1), cube[:, n_repeats - half :].mean(1)]
    if compare == "dot":
        mean = cube.mean((0, 1))
        return ((sides[0] - mean) @ (sides[1] - mean).T)[None]
    deviations = [side.std(0) for side in sides]
    varies = np.all([d > 1e-9 * (1 + np.abs(s).max(0)) for d, s in zip(deviations, sides, strict=True)], axis=0)
    if varies.sum() < 2:
        raise UserError("identification: fewer than 2 units respond differently to different stimuli")
    first, last = ((s - s.mean(0))[:, varies] / d[varies] for s, d in zip(sides, deviations, strict=True))
    return (_unit_rows(first) @ _unit_rows(last).T)[None]


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
    options = require(array, description_id, DESCRIPTIONS)
    stimuli, cube = by_repeat(array)
    n, n_repeats, p = cube.shape
    halved = options.get("split") == "halves"
    similarity = identify_halves(cube, options["compare"]) if halved else identify(cube)
    # A trial whose correlations are undefined identifies nothing: it counts as wrong everywhere.
    best = np.where(np.isnan(similarity), -np.inf, similarity).argmax(2)
    valid = np.isfinite(similarity).all(2)
    confusion = np.zeros((n, n))
    for repeat in range(len(similarity)):
        np.add.at(confusion, (np.flatnonzero(valid[repeat]), best[repeat, valid[repeat]]), 1 / len(similarity))
    rng = np.random.default_rng([seed, 0])
    by_stimulus = np.diag(confusion)
    null = None
    if may_permute_stimuli(array):
        null = np.array([confusion[np.arange(n), rng.permutation(n)].mean() for _ in range(PERMUTATIONS)])
    rows = [
        row(
            "identification accuracy",
            by_stimulus.mean(),
            condition=f"candidates={n};repeats={f'{n_repeats // 2}+{n_repeats // 2}' if halved else n_repeats}",
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
