"""Decoding of an angle by ridge regression of its cosine and sine, each trial from all the others.

For recordings with few trials; `neurocompare.description.decoding` has a decoder for many.
"""

import numpy as np
import xarray as xr

from neurocompare.description.classification import labelled
from neurocompare.description.rows import matrix, may_permute_trials, options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval
from neurocompare.ingestion.presentations import constant_in_blocks
from neurocompare.prediction.circular_decoders import angle_of, angular_error, ridge_operator, unit_vectors

_OPTIONS = {"target": ("orientation", "direction"), "decoder": ("cosine-ridge",), "folds": ("leave-one-out",)}

DESCRIPTIONS = {
    f"circular-target={target}-decoder=cosine-ridge-folds=leave-one-out": {
        "summary": f"error of the {target}, decoded by ridge regression of its cosine and sine from all other trials",
        "unit": "degrees",
        "direction": "lower",
        "needs": ["responses", "simultaneous"],
    }
    for target in _OPTIONS["target"]
}

PERMUTATIONS = 1000
BOOTSTRAPS = 1000
RIDGE = 1.0
MOST = 2000
"""Trials above which leaving each out takes too long."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Decode an angle of every trial from all other trials.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it. Presentations
        without an angle (NaN) are left out; ``n_trials`` says how many remain.
    description_id : str
        One of `DESCRIPTIONS`. ``orientation`` is ``direction`` modulo 180 degrees where only that is given.
    seed : int
        Seed of the bootstrap and the permutations.

    Returns
    -------
    rows : list of dict
        ``median absolute error`` and ``mean absolute error`` in degrees, around the circle, with intervals from
        a bootstrap over trials (the decoders fixed) and a null of shuffled angles.
    details : Dataset
        ``angle`` and ``decoded`` (trial) in degrees; the attribute ``period``.

    Raises
    ------
    UserError
        If the id is unknown, the recording lacks what it needs, or there are too many trials.
    """
    options = options_of(description_id, _OPTIONS)
    require_needs(array, description_id, ["responses", "simultaneous"])
    target = options["target"]
    # What is derived from the direction repeats itself after 180 degrees, whatever the recording says.
    given = float(array.attrs.get("orientation_period", 180)) if target in array.coords else 180.0
    period = given if target == "orientation" else 360.0
    array, _ = labelled(array, target, description_id)
    if array.coords[target].dtype.kind not in "fiu":
        raise UserError(f"{description_id}: coordinate '{target}' is no number; give degrees in the loader")
    angle = array.coords[target].values.astype(float)
    if "block" in array.coords and constant_in_blocks(angle, array.coords["block"].values):
        raise UserError(
            f"{description_id}: coordinate '{target}' (almost) never changes within a block, so that leaving out "
            f"single trials would learn the blocks; use decoding-target={target}-decoder=von-mises, which holds out "
            "blocks"
        )
    n = len(angle)
    if not 3 <= n <= MOST:
        raise UserError(
            f"{description_id}: {n} trials; it takes 3 to {MOST}, use decoding-target=orientation-decoder=von-mises"
        )
    hat = leave_one_out(matrix(array))
    vectors = unit_vectors(angle, period)
    decoded = angle_of(hat @ vectors, period)
    rng = np.random.default_rng([seed, 3])
    null = np.array(
        [
            _summary(angular_error(angle_of(hat @ vectors[order], period), angle[order], period))
            for order in (rng.permutation(n) for _ in range(PERMUTATIONS * may_permute_trials(array)))
        ]
    ).reshape(-1, 2)
    error = angular_error(decoded, angle, period)
    low, high = interval(np.array(_summary(error[rng.integers(n, size=(BOOTSTRAPS, n))])).T)
    condition = f"target={target};folds=leave-one-out;period={period:g};ridge={RIDGE:g}"
    rows = [
        row(
            quantity,
            value,
            condition=condition + (f";window={array.attrs['window']}" if "window" in array.attrs else ""),
            null=null[:, k] if len(null) else None,
            better="lower",
            unit="degrees",
            ci=(low[k], high[k]),
            n_stimuli=len(np.unique(array.coords["stimulus"].values)),
            n_units=array.sizes["unit"],
            n_trials=n,
        )
        for k, (quantity, value) in enumerate(
            zip(("median absolute error", "mean absolute error"), _summary(error), strict=True)
        )
    ]
    details = xr.Dataset({"angle": ("trial", angle), "decoded": ("trial", decoded)}, attrs={"period": period})
    return rows, details


def leave_one_out(values: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """Return the matrix that turns targets into predictions, each from a ridge fitted without that trial.

    Units are z-scored and targets centred with the training trials; the penalty is `ridge` times their number.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses.
    ridge : float
        Strength of the penalty.

    Returns
    -------
    array of shape (n_trials, n_trials)
        Rows sum to one; the diagonal is zero, as no trial predicts itself.
    """
    n = len(values)
    hat = np.zeros((n, n))
    for k in range(n):
        others = np.arange(n) != k
        weights = ridge_operator(values[others], values[k : k + 1], ridge)[0]
        # The mean of the training targets is the prediction for a trial at the mean of the training responses.
        hat[k, others] = weights + (1 - weights.sum()) / (n - 1)
    return hat


def _summary(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.median(error, axis=-1), np.mean(error, axis=-1)
