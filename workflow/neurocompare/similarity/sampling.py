"""Corrections for what a recording is a sample of: units out of a population, stimuli out of a world.

Two units of a recording share the representation; a unit shares with itself also all that is its own. In
the self-term of CKA, HSIC(K, K) with K the sum of the kernels K_u = x_u x_uᵀ of p units, p of the p² pairs
of units are a unit with itself: few units make a self-term too large and the score too low, however the
stimuli are treated. Chun, Canatar, Chung & Lee 2025 (arXiv:2502.15104) leave these pairs out, and so the
mean is over pairs of different units as well as over quadruples of different stimuli:

    Σ_{u≠v} HSIC₁(K_u, K_v) / (p (p − 1)) = [HSIC₁(K, K) − Σ_u HSIC₁(K_u, K_u)] / (p (p − 1)).

With noise, one kernel of each pair is taken from one half of the trials and the other from the other. The
kernel of a single unit has rank one, so its HSIC follows from sums over the stimuli.
"""

from collections.abc import Iterable

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import hsic

SMALLEST = 4
"""Stimuli without which Song's estimator is not defined."""

EPOCHS = 10
"""How often the stimuli are cut into batches."""

_SEED = 20251207

_CHUNK = 128
"""Units at a time: arrays of (resamples, units) then stay in the processor's cache."""

_STREAMED = 1 << 16
"""Units at a time of a batch that is not in double precision."""


def unit_terms(x: np.ndarray, z: np.ndarray) -> float:
    """Sum Song's HSIC of the kernels of single units, Σ_u HSIC₁(x_u x_uᵀ, z_u z_uᵀ).

    Parameters
    ----------
    x, z : arrays of shape (n_stimuli, n_units)
        Responses of the same units, the same array twice or from two halves of the trials.

    Returns
    -------
    float
        The sum, in O(n_stimuli n_units).
    """
    x, z = x - x.mean(0), z - z.mean(0)
    n, joint = len(x), x * z
    pairs = joint.sum(0) ** 2 - (joint**2).sum(0)
    # Row sums of the kernels without their diagonals are −x² and −z²: the units are centred.
    squares = (x**2).sum(0) * (z**2).sum(0) / ((n - 1) * (n - 2))
    return float((pairs + squares - 2 * (joint**2).sum(0) / (n - 2)).sum() / (n * (n - 3)))


def weighted_unit_terms(x: np.ndarray, z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum Song's HSIC of the kernels of single units in resamples of the stimuli.

    Parameters
    ----------
    x, z : arrays of shape (n_stimuli, n_units)
        As in `unit_terms`.
    weights : array of shape (n_samples, n_stimuli)
        How often each stimulus is in each resample.

    Returns
    -------
    array of shape (n_samples,)
        The sums of `neurocompare.similarity.hsic.weighted` over the units, in
        O(n_samples n_stimuli n_units).
    """
    x, z = x - x.mean(0), z - z.mean(0)
    powers = [weights**k for k in range(1, 5)]
    total = np.zeros(len(weights))
    for start in range(0, x.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        total += _over_quadruples(x[:, part], z[:, part], powers).sum(1)
    return hsic.over(total, hsic.quadruples_in(weights))


def _over_quadruples(x, z, powers):
    """Sum over quadruples of different stimuli as `hsic.weighted` does, for kernels x xᵀ and z zᵀ of each unit.

    All sums over stimuli are Σ w^k times a product of responses; a kernel's row sums without its diagonal
    are x (Σwx − wx) and, with squared weights, x (Σw²x − w²x).
    """
    w, w2, w3, w4 = powers
    n1, n2 = w.sum(1)[:, None], w2.sum(1)[:, None]
    u = x * z
    x1, z1, u1 = w @ x, w @ z, w @ u
    x2, z2, u2 = w2 @ x, w2 @ z, w2 @ u
    u3, uu3, uu4 = w3 @ u, w3 @ u**2, w4 @ u**2
    ux, uz = u * x, u * z
    ux2, uz2, ux3, uz3 = w2 @ ux, w2 @ uz, w3 @ ux, w3 @ uz
    # Pairs of different stimuli: p21 is Σ wᵢ²wⱼ uᵢuⱼ.
    p11, p21, p31, p22 = u1**2 - w2 @ u**2, u2 * u1 - uu3, u3 * u1 - uu4, u2**2 - uu4
    pairs = (n1**2 - n2) * p11 - 4 * n1 * p21 + 4 * p31 + 2 * p22
    # Σ w a b and Σ w² a b of the row sums a and b, then with the squared weights inside one of them.
    rows = x1 * z1 * u1 - x1 * uz2 - z1 * ux2 + uu3
    rows2 = x1 * z1 * u2 - x1 * uz3 - z1 * ux3 + uu4
    crossed = x2 * z1 * u1 - x2 * uz2 - z1 * ux3 + uu4 + x1 * z2 * u1 - z2 * ux2 - x1 * uz3 + uu4
    triples = n1 * rows - rows2 - crossed - (n1 * p21 - p22 - 2 * p31)
    quadruples = (x1**2 - w2 @ x**2) * (z1**2 - w2 @ z**2) - 4 * rows2 + 2 * p22
    return pairs - 2 * triples + quadruples


def split_half(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate two halves of the trials over stimuli, all units together.

    Parameters
    ----------
    first, second : arrays of shape (n_stimuli, n_units)
        Mean responses in the halves.

    Returns
    -------
    float
        The correlation after the mean of every unit is removed, not extrapolated to all trials. Where it is at
        least 0.3, the noise ceiling of Song's CKA is right within 0.02 for 20 units or more and 118 stimuli,
        whatever the dimensionality; the agreement of kernels falls with dimensionality and says less. NaN where
        a half does not vary.
    """
    a, b = first - first.mean(0), second - second.mean(0)
    size = np.sum(a * a) * np.sum(b * b)
    return float(np.sum(a * b) / np.sqrt(size)) if size > 0 else np.nan


def between_units(total: np.ndarray, single: np.ndarray, n_units: int) -> np.ndarray:
    """Correct a self-term for the sampling of units.

    Parameters
    ----------
    total : array of shape (...)
        HSIC₁(K, K), or HSIC₁(A, B) between halves of the trials, with kernels summed over units.
    single : array of shape (...)
        The sum over units that `unit_terms` or `weighted_unit_terms` gives.
    n_units : int
        Number of units, at least two.

    Returns
    -------
    array of shape (...)
        The mean over pairs of different units, times n_units²: on the scale of `total`.
    """
    return (total - single) * n_units / (n_units - 1)


def population_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Estimate the linear CKA of two populations from samples of the units of both and of the stimuli.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units_x)
        Responses of some units of one population.
    y : array of shape (n_stimuli, n_units_y)
        Responses of some units of the other.

    Returns
    -------
    float
        Numerator and self-terms are unbiased, so their ratio is up to terms of second order. It may exceed
        one, and is NaN where a self-term is not positive.

    Raises
    ------
    UserError
        If there are fewer than four stimuli, or two units on a side.
    """
    units = min(x.shape[1], y.shape[1])
    if len(x) < SMALLEST or units < 2:
        raise UserError(
            f"CKA of populations needs {SMALLEST} stimuli and 2 units, got {len(x)} and {units}; "
            "without the correction for sampled units, use cka-kernel=linear-hsic=song"
        )
    kernels = hsic.linear(np.stack([x @ x.T, y @ y.T]))
    own = [between_units(hsic.song(k, k), unit_terms(z, z), z.shape[1]) for k, z in zip(kernels, (x, y), strict=True)]
    square = own[0] * own[1] if min(own) > 0 else np.nan
    return float(hsic.song(*kernels) / np.sqrt(square))


def population_dimensionality(x: np.ndarray, z: np.ndarray | None = None) -> float:
    """Estimate the participation ratio of a population from a sample of its units and of the stimuli.

    Chun, Canatar, Chung & Lee 2025 (arXiv:2509.26560): (Σλ)² and Σλ² are means over pairs of different
    units and over quadruples of different stimuli, and with noise, one of the two responses of a unit is
    from one half of the trials and the other from the other.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        Responses.
    z : array of shape (n_stimuli, n_units), optional
        Responses of the same units in other trials; then `x` may be noisy.

    Returns
    -------
    float
        NaN with fewer than four stimuli or two units, or where an estimate is not positive.
    """
    z = x if z is None else z
    if len(x) < SMALLEST or x.shape[1] < 2:
        return np.nan
    x, z = x - x.mean(0), z - z.mean(0)
    squares = hsic.song(x @ x.T, z @ z.T) - unit_terms(x, z)
    # Variances are means of products of differences, d = (xᵢ − xⱼ)(zᵢ − zⱼ) / 2, over pairs of stimuli; two of
    # them go together where the pairs have no stimulus in common.
    n, joint = len(x), x * z
    cross = x @ z.T
    differences = (joint.sum(1)[:, None] + joint.sum(1) - cross - cross.T) / 2
    together = differences.sum() ** 2 - 4 * (differences.sum(1) ** 2).sum() + 2 * (differences**2).sum()
    total, fourth = joint.sum(0), (joint**2).sum(0)
    alone = (n * total) ** 2 - (n * n * fourth + 3 * n * total**2)
    alone += n * fourth + (x**2).sum(0) * (z**2).sum(0) + 2 * total**2
    traces = (together - alone.sum()) / (n * (n - 1) * (n - 2) * (n - 3))
    return float(traces / squares) if traces > 0 and squares > 0 else np.nan


def batches(n_stimuli: int, size: int, epochs: int = EPOCHS) -> list[np.ndarray]:
    """Cut stimuli into random batches, several times.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli.
    size : int
        Stimuli in a batch; in each epoch, those that do not fill one are left out.
    epochs : int
        How often.

    Returns
    -------
    list of arrays of int of shape (size,)
        Without repetition within an epoch; the same for all representations. All stimuli, once, where
        there are no more than `size`.
    """
    if n_stimuli <= size:
        return [np.arange(n_stimuli)]
    rng = np.random.default_rng([_SEED, n_stimuli, size])
    full = n_stimuli // size
    return [
        np.sort(batch) for _ in range(epochs) for batch in rng.permutation(n_stimuli)[: full * size].reshape(full, size)
    ]


def streamed_cka(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Estimate linear CKA from batches of stimuli, each of which is looked at once and forgotten.

    Nguyen, Raghu & Kornblith 2021 (ICLR, arXiv:2010.15327): the three HSIC are averaged over batches, without
    bias whatever their size, and then divided. Only a batch must fit into memory.

    Parameters
    ----------
    pairs : iterable of tuples of arrays of shape (n_batch, n_units_x) and (n_batch, n_units_y)
        Responses of both representations to the same stimuli, at least four in a batch; no stimulus is twice
        in a batch. Several epochs, cut differently, come nearer to CKA on all stimuli at once.

    Returns
    -------
    float
        The score, signed; NaN where a self-term is not positive.

    Raises
    ------
    UserError
        If a batch is too small, its two parts have different stimuli, or there is none.
    """
    total, k = np.zeros(3), -1
    for k, pair in enumerate(pairs):
        sizes = [len(x) for x in pair]
        if len(set(sizes)) > 1 or sizes[0] < SMALLEST:
            raise UserError(
                f"batch {k} has {sizes[0]} and {sizes[-1]} stimuli; give the same stimuli of both representations, "
                f"at least {SMALLEST}, and leave out a last batch that is smaller"
            )
        a, b = hsic.u_centred(np.stack([_gram(x) for x in pair]))
        # Batches count by their size; with batches of one size it is the plain mean.
        total += np.array([np.sum(a * b), np.sum(a * a), np.sum(b * b)]) / (sizes[0] - 3)
    if k < 0:
        raise UserError("there is no batch of stimuli: an iterator can be read once only")
    return float(total[0] / np.sqrt(total[1] * total[2])) if total[1:].min() > 0 else np.nan


def _gram(x: np.ndarray) -> np.ndarray:
    """Gram matrix of centred units in double precision, some units at a time; zero for what does not vary."""
    gram, size = np.zeros((len(x), len(x))), 0.0
    for start in range(0, x.shape[1], _STREAMED):
        part = np.asarray(x[:, start : start + _STREAMED], dtype=float)
        size += np.sum(part**2)
        part = part - part.mean(0)
        gram += part @ part.T
    return gram if np.trace(gram) > 1e-24 * size else np.zeros_like(gram)
