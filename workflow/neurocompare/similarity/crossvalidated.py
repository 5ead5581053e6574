"""Cross-validated dissimilarities: products of differences that share no noise, so that noise alone has mean zero.

Walther et al. 2016 (NeuroImage 137:188), Diedrichsen et al. 2021 (NBDT 5(3), arXiv:2007.02789), Schütt et
al. 2023 (eLife 12:e82566). A squared distance of noisy patterns is too large by the variance of the noise,
and the more so the fewer trials a stimulus has; the product of the differences in two folds is not. It can
be negative, and stays so: cutting it off at zero, or taking its root, would bring the bias back.

Differences are taken within folds, so what shifts all responses of a fold alike (drift between blocks)
cancels, also where stimuli have unequal numbers of trials. Products of single trials across folds, the
usual form for unequal numbers, do not have this.
"""

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import noise as noises
from neurocompare.similarity.noise import Noise
from neurocompare.similarity.refusals import split_blocks
from neurocompare.similarity.trials import Trials

PRIOR_RATE, PRIOR_WEIGHT = 1.0, 0.1
"""Towards which rate logarithms of rates are drawn, and with what weight, so that a silent unit has one."""


def crossnobis(
    trials: Trials,
    noise: str | Noise | None = "full",
    *,
    folds: np.ndarray | None = None,
    shrinkage: float | None = None,
) -> np.ndarray:
    """Return cross-validated squared Mahalanobis distances, per unit.

    With δᵐ the difference of two stimuli's mean responses in fold m, it is the mean over m of the product
    of δᵐ with the difference in all other folds, divided by the noise covariance of all other folds. As
    nothing of a fold is in what it is multiplied with, the mean for stimuli that evoke the same response
    is zero exactly, whatever the noise, as long as it is independent between folds. The mean for others is
    exact with ``none`` or a given covariance; with an estimated one it is the distance in units of the
    mean estimate of Σ⁻¹.

    With equal numbers of trials this equals the mean over all pairs of folds, and, for one covariance,
    M/(M − 1) times the distance of the means less the mean distance within folds over (M − 1). With unequal
    numbers, each product of folds m, m′ has the weight wᵐwᵐ′ with w = ab/(a + b) for a and b trials of the
    two stimuli: the inverse of the variance of their difference. Folds without one of the two do not count.

    Parameters
    ----------
    trials : Trials
        The trials.
    noise : {"full", "diagonal", "none"} or Noise
        What to whiten by: the regularised covariance of the training trials, their variances, nothing
        (a cross-validated Euclidean distance), or a given covariance, such as that of spontaneous activity.
    folds : array of int of shape (n_trials,), optional
        Folds 0 … n_folds − 1; `Trials.folds` by default, which does not split blocks.
    shrinkage : float, optional
        The weight of the covariance's diagonal, 0 to 1; estimated by default.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal, negative where noise prevails.

    Raises
    ------
    UserError
        If two stimuli are not in two folds together, or the training trials do not determine the noise.
    """
    folds, means, counts = _fold_means(trials, folds)
    n_folds, n, p = means.shape
    _require_pairs(counts > 0)
    if noise is None or isinstance(noise, Noise):
        covariances = [noise] * n_folds
    else:
        covariances = noises.of_training(trials, folds, noise, shrinkage)
    if np.all(counts == counts[:, :1]):
        rdm = _balanced(means, counts[:, 0], covariances)
    else:
        rdm = _unbalanced(means, counts, covariances)
    return _tidy(rdm / p)


def poisson_kl(trials: Trials, *, factor: float = 1.0, folds: np.ndarray | None = None) -> np.ndarray:
    """Return cross-validated symmetrised Kullback-Leibler divergences of Poisson distributions, per unit.

    For each fold, differences of rates in all other folds times differences of log rates in the fold,
    averaged over the folds that have both stimuli (Schütt et al. 2023, whose factor ½ is left out here as
    in their program).

    Parameters
    ----------
    trials : Trials
        Spike counts or rates.
    factor : float
        1, or 0.5 for the mean of the two divergences instead of their sum.
    folds : array of int of shape (n_trials,), optional
        As in `crossnobis`.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal; negative where noise prevails.

    Raises
    ------
    UserError
        If a response is negative, or two stimuli are not in two folds together.
    """
    require_rates(trials.values)
    _, means, counts = _fold_means(trials, folds)
    present = counts > 0
    _require_pairs(present)
    total = np.einsum("mi,mip->ip", counts, means)
    rdm, pairs = np.zeros((2, trials.n_stimuli, trials.n_stimuli))
    for mean, count in zip(means, counts, strict=True):
        rest = counts.sum(0) - count
        both = (count > 0) & (rest > 0)
        train = regularised((total - count[:, None] * mean) / np.maximum(rest, 1)[:, None])
        here = np.outer(both, both)
        rdm += np.where(here, _differences(train, np.log(regularised(mean))), 0)
        pairs += here
    return _tidy(factor * rdm / np.maximum(pairs, 1) / trials.values.shape[1])


def plain_poisson_kl(rates: np.ndarray, *, factor: float = 1.0) -> np.ndarray:
    """Return symmetrised Kullback-Leibler divergences of Poisson distributions, per unit.

    Parameters
    ----------
    rates : array of shape (n_stimuli, n_units)
        Spike counts or rates.
    factor : float
        As in `poisson_kl`.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal.

    Raises
    ------
    UserError
        If a rate is negative.
    """
    require_rates(rates)
    rates = regularised(rates)
    return np.maximum(_tidy(factor * _differences(rates, np.log(rates)) / rates.shape[1]), 0)


def mahalanobis(trials: Trials, noise: str | Noise | None = "full", *, shrinkage: float | None = None) -> np.ndarray:
    """Return squared Mahalanobis distances of mean responses, per unit; the noise makes them too large.

    Parameters
    ----------
    trials : Trials
        The trials.
    noise : {"full", "diagonal", "none"} or Noise
        What to whiten by, from all trials, or a given covariance.
    shrinkage : float, optional
        As in `crossnobis`.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal.

    Raises
    ------
    UserError
        If no stimulus was shown twice, or the covariance is singular.
    """
    if isinstance(noise, str):
        noise = noises.of_trials(trials, noise, shrinkage)
    means = _centred(trials.mean())
    return np.maximum(_tidy(_differences(means, _whitened(noise, means)) / means.shape[1]), 0)


def regularised(rates: np.ndarray) -> np.ndarray:
    """Draw rates towards one, by a little.

    Parameters
    ----------
    rates : array
        Not negative.

    Returns
    -------
    array
        (rate + 0.1) / 1.1.
    """
    return (rates + PRIOR_RATE * PRIOR_WEIGHT) / (1 + PRIOR_WEIGHT)


def require_rates(values: np.ndarray) -> None:
    """Refuse what no Poisson distribution has as its mean.

    Parameters
    ----------
    values : array
        Responses.

    Raises
    ------
    UserError
        If one is negative.
    """
    if values.min() < 0:
        raise UserError(
            f"the distance poisson-kl is for spike counts and rates, and the responses go down to {values.min():.3g}; "
            "use distance=crossnobis or distance=correlation"
        )


def _balanced(means, weights, covariances) -> np.ndarray:
    """Folds that have all stimuli equally often: one product of matrices for each."""
    means = _centred(means)
    scaled = means * weights[:, None, None]
    total, rdm = scaled.sum(0), 0.0
    for fold, covariance in zip(scaled, covariances, strict=True):
        rdm = rdm + _differences(total - fold, _whitened(covariance, fold))
    return rdm / (weights.sum() ** 2 - (weights**2).sum())


def _unbalanced(means, counts, covariances) -> np.ndarray:
    """Weights differ from pair to pair of stimuli.

    For each pair, with Δ = Σ wᵐδᵐ and yᵐ the whitened responses, Σ over m ≠ m′ of wᵐwᵐ′ δᵐ′Σ⁻¹δᵐ is
    Σ wᵐ (Δ − wᵐδᵐ)·(yᵢᵐ − yⱼᵐ): the work grows with the number of folds, not with that of pairs of folds.
    """
    # The mean response of a fold to what it has is taken off first, so that absent stimuli stay at zero.
    shown = (counts > 0)[:, :, None]
    means = (means - means.sum(1, keepdims=True) / shown.sum(1, keepdims=True)) * shown
    whitened = np.stack([_whitened(c, fold) for c, fold in zip(covariances, means, strict=True)])
    product, total = counts[:, :, None] * counts[:, None, :], counts[:, :, None] + counts[:, None, :]
    weights = product / np.maximum(total, 1)
    pairs = weights.sum(0) ** 2 - (weights**2).sum(0)
    rdm = -sum(w**2 * _differences(x, y) for w, x, y in zip(weights, means, whitened, strict=True))
    means, whitened, weights = means.transpose(1, 0, 2).copy(), whitened.transpose(1, 0, 2).copy(), weights.T.copy()
    step = max(1, 2**21 // (means.shape[0] * means.shape[2]))
    for start in range(0, len(means), step):
        # Some stimuli against all, by products of matrices for each of the some or for each of all.
        i = slice(start, start + step)
        summed = weights[i] @ means[i] - (weights[:, i] @ means).transpose(1, 0, 2)
        along = summed @ whitened[i].transpose(0, 2, 1)
        along -= (summed.transpose(1, 0, 2) @ whitened.transpose(0, 2, 1)).transpose(1, 0, 2)
        rdm[i] += np.einsum("ijm,ijm->ij", weights[i], along)
    return rdm / np.where(pairs > 0, pairs, 1)


def _differences(a, b) -> np.ndarray:
    """(aᵢ − aⱼ)(bᵢ − bⱼ)ᵀ for all pairs."""
    products = a @ b.T
    own = np.diagonal(products)
    return own[:, None] + own - products - products.T


def _whitened(covariance, x) -> np.ndarray:
    return x if covariance is None else covariance.solve(x)


def _centred(means) -> np.ndarray:
    """Take off the mean over stimuli: it cancels in all differences, but would cost digits."""
    return means - means.mean(-2, keepdims=True)


def _tidy(rdm) -> np.ndarray:
    rdm = (rdm + rdm.T) / 2
    rdm[np.diag_indices(len(rdm))] = 0
    return rdm


def _fold_means(trials, folds):
    """Mean responses of each fold (zero where it lacks the stimulus) and numbers of trials."""
    if not trials.repeated():
        lacking = int(trials.counts().argmin())
        raise UserError(f"cross-validation needs every stimulus twice; stimulus {lacking} has a single trial")
    if folds is None:
        folds = trials.folds()
    else:
        split_blocks(folds, trials.block)
        folds = np.unique(folds, return_inverse=True)[1]
    n_folds, n = int(folds.max()) + 1, trials.n_stimuli
    cell = folds * n + trials.stimulus
    counts = np.bincount(cell, minlength=n_folds * n)
    sums = noises.grouped(cell, n_folds * n) @ np.asarray(trials.values, dtype=float)
    means = sums / np.maximum(counts, 1)[:, None]
    return folds, means.reshape(n_folds, n, -1), counts.reshape(n_folds, n)


def _require_pairs(present) -> None:
    """Refuse stimuli that are not in two folds together."""
    together = present.T.astype(float) @ present
    if together.min() < 2:
        i, j = np.unravel_index(together.argmin(), together.shape)
        what = f"stimuli {i} and {j} are" if i != j else f"stimulus {i} is"
        raise UserError(f"cross-validation: {what} not in two folds together; drop stimuli, or use larger blocks")
