"""Factor analysis of single trials: what units share in their variation around the averages of the conditions.

The responses of a trial, without the average of its stimulus, are modelled as Λ z + e with independent normal factors z
and noise e of each unit of its own (Yu et al. 2009, J. Neurophysiol. 102:614; Williamson et al. 2016, PLoS Comput.
Biol. 12:e1005141). The shared variance of a unit is the share of its variance that comes from the factors. Such
variation is shared only by units that were recorded together; pseudo-populations are refused.
"""

import warnings

import numpy as np
import xarray as xr
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning

from neurocompare.description.labels import block_folds
from neurocompare.description.rows import matrix, may_permute_trials, require, row
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval

DESCRIPTIONS = {
    "factors-of=trials": {
        "summary": "number of shared factors of single trials, and the variance that they share",
        "unit": "1",
        "direction": "none",
        "needs": ["responses", "repeats", "simultaneous"],
    }
}

LARGEST = 10
FOLDS = 4
PERMUTATIONS = 50
BOOTSTRAPS = 1000
SMALLEST = 4
"""Units; one factor of fewer has no variance of its own that could be told from noise."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe what units share from trial to trial.

    The number of factors is the smallest whose cross-validated log-likelihood is within one standard error, over folds,
    of the largest; the error is that of the difference, as all numbers are tested on the same trials. Folds are
    stretches of consecutive blocks, or random where there is one block; averages and scales come from training trials.
    The null shuffles, for each unit, the trials of each stimulus, which leaves nothing to share. Intervals are over
    units.

    Parameters
    ----------
    array : DataArray
        A recording of units recorded together, with two trials or more of each stimulus. Over time, responses are
        summed or averaged. Units that do not vary within stimuli are left out.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of folds, shuffles and the bootstrap.

    Returns
    -------
    rows : list of dict
        ``number of factors``; ``gain of log-likelihood`` over none, in nats per held-out trial; ``shared variance``,
        the median over units, with its null; ``dimensions of the shared variance``, how many of its axes hold 95 %.
        Where no number of factors predicts better than none, the latter two have the status ``no_factor``.
    details : Dataset
        ``log_likelihood`` and ``standard_error`` (of the difference from the largest) by ``factors``; ``shared`` and
        ``loading`` of units.

    Raises
    ------
    UserError
        If the recording is a pseudo-population or holds averages, a stimulus was shown once, or there are too few units
        or trials.
    """
    require(array, description_id, DESCRIPTIONS)
    if "average" in array.attrs:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    stimulus = np.unique(array.coords["stimulus"].values.astype(str), return_inverse=True)[1]
    values = matrix(array)
    rng = np.random.default_rng([seed, 12])
    fold = block_folds(array.coords["block"].values, FOLDS)
    how = "block"
    if fold.max() == 0:
        fold, how = rng.permutation(np.arange(len(values)) % FOLDS), "random"
    parts = [split(values, stimulus, fold != k) for k in range(fold.max() + 1)]
    residual = residuals(values, stimulus)
    # Units have to vary wherever a model is fitted.
    varies = np.all([x.std(0) > 1e-9 * (1 + np.abs(values).max(0)) for x in [residual, *(a for a, _ in parts)]], axis=0)
    if varies.sum() < SMALLEST:
        raise UserError(f"{description_id}: {varies.sum()} units vary between trials; {SMALLEST} are needed")
    if any(len(test) < 2 for _, test in parts) or min(len(train) for train, _ in parts) < 10:
        raise UserError(
            f"{description_id}: too few trials with repeats of their stimulus in a fold of blocks; 10 to fit and 2 to "
            "test are needed"
        )
    residual, parts = residual[:, varies], [(train[:, varies], test[:, varies]) for train, test in parts]
    n, p = residual.shape
    # More factors than this have more parameters than the covariance has entries.
    ledermann = int(np.floor((2 * p + 1 - np.sqrt(8 * p + 1)) / 2))
    numbers = np.arange(min(LARGEST, ledermann, min(len(train) for train, _ in parts) - 2) + 1)
    likelihood = np.array([[held_out(train, test, k) for k in numbers] for train, test in parts])
    chosen, error = choose(likelihood)
    mean = likelihood.mean(0)
    size = {"n_stimuli": stimulus.max() + 1, "n_units": p, "n_trials": n}
    rule = f"largest={numbers[-1]};rule=one-standard-error;folds={how}"
    rows = [
        row("number of factors", numbers[chosen], condition=rule, **size),
        row("gain of log-likelihood", mean[chosen] - mean[0], unit="nats/trial", condition=f"folds={how}", **size),
    ]
    scaled = residual / residual.std(0)
    shared, loading = np.zeros(p), np.zeros((0, p))
    dimensions, null, ci, told = np.nan, None, (np.nan, np.nan), {"status": "no_factor"}
    condition = f"factors={numbers[chosen]}"
    if chosen:
        told = {}
        loading, shared = shared_variance(scaled, int(numbers[chosen]))
        spectrum = np.cumsum(np.linalg.svd(loading, compute_uv=False) ** 2)
        dimensions = 1 + np.flatnonzero(spectrum >= 0.95 * spectrum[-1] - 1e-12)[0]
        ci = interval(np.median(shared[rng.integers(p, size=(BOOTSTRAPS, p))], axis=1))
        if may_permute_trials(array):
            null = np.array([_of_shuffle(scaled, stimulus, int(numbers[chosen]), rng) for _ in range(PERMUTATIONS)])
    rows += [
        row("shared variance", np.median(shared), condition=condition, null=null, ci=ci, **(size | told)),
        row("dimensions of the shared variance", dimensions, condition=f"{condition};share=0.95", **(size | told)),
    ]
    return rows, xr.Dataset(
        {
            "log_likelihood": ("factors", mean),
            "standard_error": ("factors", error),
            "shared": ("unit", shared),
            "loading": (("factor", "unit"), loading),
        },
        coords={"factors": numbers, "unit": array.coords["unit_id"].values[varies].astype(str)},
    )


def residuals(values: np.ndarray, stimulus: np.ndarray) -> np.ndarray:
    """Subtract from each trial the average of its stimulus.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses.
    stimulus : array of int of shape (n_trials,)
        Stimuli, numbered; each with two trials or more.

    Returns
    -------
    array of shape (n_trials, n_units)
        Scaled by √(k / (k − 1)), k the number of trials of the stimulus, to the variance of a trial.
    """
    mean, count = _means(values, stimulus)
    count = count[stimulus][:, None]
    return (values - mean[stimulus]) * np.sqrt(count / (count - 1))


def split(values: np.ndarray, stimulus: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals of training trials, and those of test trials around the averages of training trials.

    Parameters
    ----------
    values, stimulus
        As in `residuals`.
    train : array of bool of shape (n_trials,)
        Training trials.

    Returns
    -------
    fitted, tested : arrays of shape (n_trials_of_each, n_units)
        Both scaled to the variance of a trial. Training trials of a stimulus that has one only, and test trials of one
        that has none, are left out.
    """
    mean, count = _means(values, stimulus, train)
    fitted = train & (count[stimulus] > 1)
    tested = ~train & (count[stimulus] > 0)
    k, m = count[stimulus[fitted]][:, None], count[stimulus[tested]][:, None]
    return (
        (values[fitted] - mean[stimulus[fitted]]) * np.sqrt(k / (k - 1)),
        (values[tested] - mean[stimulus[tested]]) * np.sqrt(m / (m + 1)),
    )


def held_out(train: np.ndarray, test: np.ndarray, number: int) -> float:
    """Return the mean log-likelihood of test trials in nats, of a model fitted to others.

    Parameters
    ----------
    train, test : arrays of shape (n_trials, n_units)
        Residuals; their mean is taken to be zero.
    number : int
        Number of factors; 0 for independent units.

    Returns
    -------
    float
        The mean over trials, in the unit of the residuals divided by their spread in training trials.
    """
    scale = train.std(0)
    train, test = train / scale, test / scale
    if number == 0:
        return float(-0.5 * (np.log(2 * np.pi) + test**2).sum(1).mean())
    return float(_fitted(train, number).score(test))


def choose(likelihood: np.ndarray) -> tuple[int, np.ndarray]:
    """Choose the smallest model that predicts as well as the best one, up to one standard error of the difference.

    Parameters
    ----------
    likelihood : array of shape (n_folds, n_models)
        Held-out log-likelihoods, simplest model first.

    Returns
    -------
    chosen : int
        Index of the model.
    error : array of shape (n_models,)
        Standard error over folds of the difference from the best one.
    """
    difference = likelihood - likelihood[:, [likelihood.mean(0).argmax()]]
    error = difference.std(0, ddof=1) / np.sqrt(len(likelihood)) if len(likelihood) > 1 else 0 * difference[0]
    return int(np.flatnonzero(difference.mean(0) >= -error - 1e-12)[0]), error


def shared_variance(residual: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit factors.

    Parameters
    ----------
    residual : array of shape (n_trials, n_units)
        Residuals.
    number : int
        Number of factors, 1 or more.

    Returns
    -------
    loading : array of shape (number, n_units)
        Loadings.
    shared : array of shape (n_units,)
        Share of each unit's variance in the model that comes from the factors.
    """
    model = _fitted(residual, number)
    common = (model.components_**2).sum(0)
    return model.components_, common / (common + model.noise_variance_)


def _fitted(x: np.ndarray, number: int) -> FactorAnalysis:
    model = FactorAnalysis(number, svd_method="lapack", tol=1e-3, max_iter=500)
    with warnings.catch_warnings():
        # A unit that a factor follows alone lets the likelihood creep on for ever.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x)


def _of_shuffle(residual, stimulus, number, rng) -> float:
    """Median shared variance after each unit's trials were shuffled within stimuli."""
    order = np.argsort(stimulus, kind="stable")
    shuffled = np.empty_like(residual)
    for unit in range(residual.shape[1]):
        drawn = np.lexsort((rng.random(len(stimulus)), stimulus))
        shuffled[order, unit] = residual[drawn, unit]
    return float(np.median(shared_variance(shuffled, number)[1]))


def _means(values, stimulus, chosen=None) -> tuple[np.ndarray, np.ndarray]:
    """Averages and numbers of trials of each stimulus, of all or some trials; zero where there are none."""
    chosen = np.ones(len(values), dtype=bool) if chosen is None else chosen
    count = np.bincount(stimulus[chosen], minlength=stimulus.max() + 1)
    total = np.zeros((len(count), values.shape[1]))
    np.add.at(total, stimulus[chosen], values[chosen])
    return total / np.maximum(count, 1)[:, None], count
