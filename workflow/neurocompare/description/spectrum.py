"""The spectrum of the signal: how its variance falls with the rank of the dimension (Stringer et al. 2019).

Cross-validated PCA takes the noise out of the variances, but not out of the directions along which they are measured:
in strong noise, and with few stimuli or units, directions of little variance borrow from others, and the exponent
reads low. Compare exponents at similar signal variance only.
"""

import numpy as np
import scipy.linalg
import xarray as xr

from neurocompare.description.rows import by_repeat, may_permute_stimuli, require, row
from neurocompare.errors import UserError

DESCRIPTIONS = {
    "spectrum-estimator=cvpca": {
        "summary": "exponent of the power law of the signal's variances, by cross-validated PCA, and signal variance",
        "unit": "1",
        "direction": "none",
        "needs": ["responses", "repeats"],
    },
}

DRAWS = 10
JACKKNIFE_DRAWS = 3
"""Splits of which the interval is made: it is a little too wide, as the value rests on all of them."""

GROUPS = 10
PERMUTATIONS = 200
COMPONENTS = 1024
"""Most dimensions that are estimated."""

RANKS = (11, 500)
"""First and last rank, counted from one, to which the power law is fitted; fewer where fewer exist."""

SMALLEST = 10
"""Fewest ranks to which a power law is fitted."""


def cvpca(train: np.ndarray, cross: np.ndarray, components: int) -> np.ndarray:
    """Estimate the variances of the signal along the principal components of one measurement.

    With the responses A and B (stimuli × units) of two measurements, centred over stimuli, and the unit vectors
    v of the principal components of A, the estimates are ``(A v) · (B v) / n`` (Stringer et al. 2019, Methods). As the
    noise of B is independent of A, that of A v has no part in them. With the eigenvectors u of the Gram matrix
    A Aᵀ they are ``uᵀ (B Aᵀ) u / n``, so the number of units doesn't matter.

    Parameters
    ----------
    train : array of shape (n_stimuli, n_stimuli)
        A Aᵀ, not centred.
    cross : array of shape (n_stimuli, n_stimuli)
        A Bᵀ, not centred.
    components : int
        How many to estimate.

    Returns
    -------
    array of shape (components,)
        In the order of the variances of A; some may be negative where there is no signal.
    """
    n = len(train)
    vectors = scipy.linalg.eigh(_centred(train), subset_by_index=[n - components, n - 1])[1][:, ::-1]
    return np.einsum("sk,sk->k", vectors, _centred(cross) @ vectors) / n


def power_law(variances: np.ndarray, ranks: tuple[int, int] = RANKS) -> float:
    """Fit the exponent of a power law to a spectrum.

    Parameters
    ----------
    variances : array of shape (n,)
        By rank; absolute values are taken, as in the paper.
    ranks : tuple of two ints
        First and last rank, counted from one.

    Returns
    -------
    float
        α of ``variance ∝ rank^-α``, from a line through the logarithms, with weights of one over the rank; NaN if a
        variance is zero.
    """
    rank = np.arange(ranks[0], min(ranks[1], len(variances)) + 1)
    size = np.abs(variances[rank - 1])
    if not size.all():
        return np.nan
    x, y, weight = -np.log(rank), np.log(size), 1 / rank
    x = x - np.average(x, weights=weight)
    return float((weight * x * y).sum() / (weight * x * x).sum())


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe the spectrum of the signal of a recording.

    In each of `DRAWS` splits the repeats of every stimulus are halved at random, each stimulus by itself. Spectra are
    averaged over the splits, then the power law is fitted. Intervals are 1.96 standard errors of a jackknife over
    groups of stimuli, the null of the signal variance shuffles the stimuli of one half. An exponent has
    no null: without signal there is no power law.

    Parameters
    ----------
    array : DataArray
        A recording with repeats; stimuli shown more often than the others lose their last repeats.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the splits, the jackknife and the permutations.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table: the fraction of signal variance (mean over units of the correlation of the halves over
        stimuli), the exponent, and how many of its ranks have no positive variance, which makes it doubtful.
    details : Dataset
        ``variance`` and ``fit`` (rank), as fractions of the sum of the variances.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    require(array, description_id, DESCRIPTIONS)
    cube = by_repeat(array)[1]
    n, n_repeats, p = cube.shape
    components = min(n - 1, p, COMPONENTS)
    last = min(RANKS[1], components - 1)
    if last - RANKS[0] + 1 < SMALLEST:
        raise UserError(
            f"{description_id}: {n} stimuli and {p} units give {components} dimensions; "
            f"{RANKS[0] + SMALLEST} are needed for a power law from rank {RANKS[0]}"
        )
    rng = np.random.default_rng([seed, 0])
    # The mean over stimuli cancels in every estimate; taking it out first keeps rounding errors small.
    cube -= cube.mean((0, 1))
    half = n_repeats // 2
    groups = np.array_split(rng.permutation(n), min(n, GROUPS))
    splits, left_out = [], []
    for draw in range(DRAWS):
        first, second = _halves(cube, half, rng)
        train, cross = first @ first.T, first @ second.T
        correlation = _correlations(_sums(first, second), n)
        splits.append((cvpca(train, cross, components), correlation))
        if draw < JACKKNIFE_DRAWS:
            left_out.append(_left_out(first, second, train, cross, groups, last))
        if draw == 0:
            null = _null(first, second, np.isfinite(correlation), rng) if may_permute_stimuli(array) else None
    errors = _jackknife(left_out)
    variances, correlation = (np.mean(parts, axis=0) for parts in zip(*splits, strict=True))
    fraction = _mean(correlation)
    exponent = power_law(variances, (RANKS[0], last))
    size = {"n_stimuli": n, "n_units": p, "n_trials": n * n_repeats}
    condition = f"repeats={half}+{half}"
    fitted = f"{condition};ranks={RANKS[0]}-{last}"
    doubtful = (variances[RANKS[0] - 1 : last] <= 0).sum()
    rows = [
        row(
            "signal variance fraction",
            fraction,
            condition=condition,
            null=null,
            ci=(fraction - errors[0], fraction + errors[0]),
            **size,
        ),
        row(
            "spectrum exponent",
            exponent,
            condition=fitted,
            ci=(exponent - errors[1], exponent + errors[1]),
            **size,
        ),
        row("ranks without positive variance", doubtful, condition=fitted, **size),
        row("units constant in a half", np.isnan(correlation).sum(), condition=condition, **size),
    ]
    return rows, _details(variances, exponent, last)


def _details(variances, exponent, last) -> xr.Dataset:
    total = variances.sum()
    share = variances / total if total > 0 else np.full_like(variances, np.nan)
    rank = np.arange(1, len(variances) + 1)
    inside = (rank >= RANKS[0]) & (rank <= last)
    fit = np.full(len(rank), np.nan)
    if np.isfinite(exponent):
        logarithm, fitted = np.log(np.abs(share[inside])), -exponent * np.log(rank[inside])
        fit[inside] = np.exp(fitted + np.average(logarithm - fitted, weights=1 / rank[inside]))
    return xr.Dataset({"variance": ("rank", share), "fit": ("rank", fit)}, coords={"rank": rank})


def _halves(cube, half, rng) -> tuple[np.ndarray, np.ndarray]:
    """Average over halves of the repeats, drawn for every stimulus by itself, and centre over stimuli."""
    order = rng.random(cube.shape[:2]).argsort(1)
    stimulus = np.arange(len(cube))[:, None]
    sides = order[:, :half], order[:, half : 2 * half]
    means = [sum(cube[stimulus[:, 0], repeat] for repeat in side.T) / half for side in sides]
    return tuple(mean - mean.mean(0) for mean in means)


def _centred(gram: np.ndarray) -> np.ndarray:
    return gram - gram.mean(0) - gram.mean(1, keepdims=True) + gram.mean()


def _sums(first, second) -> np.ndarray:
    """Sums over stimuli from which correlations follow: leaving out stimuli then is a subtraction."""
    products = (first, first), (second, second), (first, second)
    return np.stack([first.sum(0), second.sum(0), *(np.einsum("su,su->u", a, b) for a, b in products)])


def _correlations(sums, n) -> np.ndarray:
    """Correlation over stimuli of each unit in the two halves; NaN for units that are constant in one."""
    first, second, *products = sums
    first_variance, second_variance, covariance = np.stack(products) - (
        np.stack([first * first, second * second, first * second]) / n
    )
    floor = 1e-18 * max(first_variance.max(), second_variance.max())
    defined = (first_variance > floor) & (second_variance > floor)
    norm = np.sqrt(np.where(defined, first_variance * second_variance, 1))
    return np.where(defined, covariance / norm, np.nan)


def _mean(correlations) -> float:
    defined = np.isfinite(correlations)
    return correlations[defined].mean() if defined.any() else np.nan


def _left_out(first, second, train, cross, groups, last) -> list[tuple[float, np.ndarray]]:
    """Return signal variance and spectrum without each group of stimuli."""
    total, stimuli = _sums(first, second), np.arange(len(train))
    found = []
    for group in groups:
        kept = np.setdiff1d(stimuli, group)
        within = np.ix_(kept, kept)
        fraction = _mean(_correlations(total - _sums(first[group], second[group]), len(kept)))
        found.append((fraction, cvpca(train[within], cross[within], min(last, len(kept) - 2))))
    return found


def _jackknife(left_out) -> np.ndarray:
    """Return 1.96 standard errors of the signal variance and of the exponent, from splits × groups of stimuli."""
    values = []
    for group in zip(*left_out, strict=True):
        fractions, spectra = zip(*group, strict=True)
        values.append((np.mean(fractions), power_law(np.mean(spectra, axis=0))))
    values = np.array(values)
    return 1.96 * np.sqrt((len(values) - 1) * np.mean((values - values.mean(0)) ** 2, axis=0))


def _null(first, second, defined, rng) -> np.ndarray:
    """Signal variance after shuffling the stimuli of one half."""
    if not defined.any():
        return np.full(PERMUTATIONS, np.nan)
    a, b = (side[:, defined] / np.linalg.norm(side[:, defined], axis=0) for side in (first, second))
    # The mean correlation over units is a trace: one product serves all shuffles.
    product = a @ b.T / defined.sum()
    stimulus = np.arange(len(product))
    return np.array([product[stimulus, rng.permutation(stimulus)].sum() for _ in range(PERMUTATIONS)])
