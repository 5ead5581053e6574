"""Demixed principal components (Kobak et al. 2016, eLife 5:e10989).

Averages over trials X (unit × condition × time) are divided into marginalisations X_φ: what all conditions have in
common at a time, what each factor adds to it, and the interactions of factors, each at all times. For each, a decoder D
and an encoder F with orthonormal columns minimise

    |X_φ − F D X|² + tr(F D N Dᵀ Fᵀ) + (λ |X|)² |F D|²,

where N is the covariance of the trials around their averages, summed over conditions and times. This is a regression
of reduced rank: A = X_φ Xᵀ G⁻¹ with G = X Xᵀ + N + (λ |X|)² is the one of full rank, the columns of F are the leading
eigenvectors of A G Aᵀ, and D = Fᵀ A.

Axes of averages are (unit, one for each factor, time); trials are (trial, time, unit) with the number of the cell of
each, counted in the order of the factors' levels.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.linalg import solve_triangular

TIME = "time"
"""The marginalisation of what all conditions have in common."""


@dataclass(frozen=True, eq=False)
class Axes:
    """Axes of one marginalisation.

    Attributes
    ----------
    decoder : array of shape (n_components, n_units)
        Turns responses into components.
    encoder : array of shape (n_units, n_components)
        Turns components into responses; orthonormal columns.
    """

    decoder: np.ndarray
    encoder: np.ndarray


def centred(mean: np.ndarray) -> np.ndarray:
    """Subtract from each unit (first axis) its mean over conditions and times."""
    return mean - mean.mean(tuple(range(1, mean.ndim)), keepdims=True)


def marginalisations(mean: np.ndarray, factors: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Divide averages into what depends on time, on each factor, and on combinations of factors.

    Parameters
    ----------
    mean : array of shape (n_units, n_levels, …, n_times)
        Averages over trials, with one axis of levels for each factor.
    factors : tuple of str
        Names of the factors.

    Returns
    -------
    dict of str to array of the shape of `mean`
        ``time``, unless there is one time only; then a name for each combination of factors, joined by ``×``. They are
        orthogonal to each other, and sum to `mean` without each unit's mean over conditions and times.
    """
    every = range(len(factors))
    means = {}
    for size in range(len(factors) + 1):
        for chosen in combinations(every, size):
            others = tuple(1 + k for k in every if k not in chosen)
            means[chosen] = mean.mean(others, keepdims=True) if others else mean
    found = {}
    for chosen, of_chosen in means.items():
        # What is left of the mean over all other factors without what depends on fewer factors.
        part = of_chosen - sum((found[fewer] for fewer in found if set(fewer) < set(chosen)), 0 * of_chosen)
        found[chosen] = part
    common = found[()]
    found[()] = common - common.mean(-1, keepdims=True)
    names = {chosen: "×".join(factors[k] for k in chosen) or TIME for chosen in found}
    return {
        names[chosen]: np.broadcast_to(part, mean.shape)
        for chosen, part in found.items()
        if chosen or mean.shape[-1] > 1
    }


def fit(
    mean: np.ndarray,
    factors: tuple[str, ...],
    *,
    ridge: float = 0.0,
    noise: np.ndarray | None = None,
    components: int = 10,
    only: str | None = None,
) -> dict[str, Axes]:
    """Find the demixed components of averages.

    Parameters
    ----------
    mean : array of shape (n_units, n_levels, …, n_times)
        Averages over trials.
    factors : tuple of str
        Names of the factors.
    ridge : float
        λ, a fraction of the size of the averages.
    noise : array of shape (n_units, n_units) or (n_units,), optional
        N, or its diagonal for units that were not recorded together, from `noise_covariance`.
    components : int
        At most so many of each marginalisation.
    only : str, optional
        The one marginalisation that is wanted; by default all.

    Returns
    -------
    dict of str to Axes
        By marginalisation, components in the order of the variance that they explain of it; the entry of each encoder
        that is farthest from zero is positive.
    """
    parts = marginalisations(mean, factors)
    if only is not None:
        parts = {only: parts[only]}
    x = centred(mean).reshape(len(mean), -1)
    whiten, unwhiten = _whitening(noise, ridge * np.linalg.norm(x), len(x))
    u, s, vt = np.linalg.svd(whiten(x), full_matrices=False)
    kept = s > 1e-10 * max(s[0], 1e-300)
    u, s, vt = u[:, kept], s[kept], vt[kept]
    penalised = 0.0 if whiten is _same else 1.0
    found = {}
    for name, part in parts.items():
        crossed = part.reshape(len(x), -1) @ vt.T
        encoder, size, _ = np.linalg.svd(crossed * (s / np.sqrt(s**2 + penalised)), full_matrices=False)
        top = np.flatnonzero(size > 1e-9 * max(np.linalg.norm(x), 1e-300))[:components]
        encoder = encoder[:, top]
        if encoder.size:
            encoder = encoder * np.sign(encoder[np.abs(encoder).argmax(0), np.arange(len(top))])
        decoder = unwhiten(((encoder.T @ crossed) * (s / (s**2 + penalised))) @ u.T)
        found[name] = Axes(decoder, encoder)
    return found


def captured(axes: Axes, mean: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """Compute how much of the sum of squares each component explains by itself.

    Parameters
    ----------
    axes : Axes
        Components.
    mean : array of shape (n_units, …)
        Averages, centred, or one of their marginalisations.
    other : array of shape (n_units, …), optional
        The same of other trials: products of both replace squares, so that their noise has no part in it.

    Returns
    -------
    array of shape (n_components,)
        |X|² − |X − f d X|².
    """
    x = mean.reshape(len(mean), -1)
    y = x if other is None else other.reshape(len(other), -1)
    decoded, decoded_other = axes.decoder @ x, axes.decoder @ y
    cross = ((axes.encoder.T @ x) * decoded_other + (axes.encoder.T @ y) * decoded).sum(1)
    return cross - (decoded * decoded_other).sum(1)


def averages(values: np.ndarray, cell: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Average the trials of each cell.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Single trials.
    cell : array of int of shape (n_trials,)
        Their cells, none of which may be empty.
    shape : tuple of int
        Numbers of levels of the factors.

    Returns
    -------
    array of shape (n_units, *shape, n_times)
        The averages.
    """
    one = cell == np.arange(np.prod(shape))[:, None]
    mean = np.tensordot(one / one.sum(1, keepdims=True), values, 1)
    return np.moveaxis(mean, -1, 0).reshape(values.shape[2], *shape, values.shape[1])


def noise_covariance(values: np.ndarray, cell: np.ndarray, shape: tuple[int, ...], *, pooled: bool) -> np.ndarray:
    """Estimate the covariance of trials around the averages of their cells.

    Parameters
    ----------
    values, cell, shape
        As in `averages`.
    pooled : bool
        Whether units were not recorded together, and have no covariance.

    Returns
    -------
    array of shape (n_units, n_units) or (n_units,)
        The mean over cells and times, times their number; zeros where every cell has one trial.
    """
    n_cells = int(np.prod(shape))
    counts = np.bincount(cell, minlength=n_cells)
    mean = np.moveaxis(averages(values, cell, shape).reshape(values.shape[2], n_cells, -1), 0, -1)
    # Cells count alike, however many trials they have.
    weight = np.divide(1, counts - 1, out=np.zeros(n_cells), where=counts > 1)
    weight *= n_cells / max((counts > 1).sum(), 1)
    residual = (values - mean[cell]) * np.sqrt(weight[cell])[:, None, None]
    residual = residual.reshape(-1, values.shape[2])
    return (residual**2).sum(0) if pooled else residual.T @ residual


def hold_out(
    values: np.ndarray, cell: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator, *, pooled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Hold one trial of each cell out.

    Parameters
    ----------
    values, cell, shape
        As in `averages`, with two trials or more of each cell.
    rng : Generator
        The source of randomness.
    pooled : bool
        Whether units were not recorded together: then the trial that is held out is another one for each unit.

    Returns
    -------
    rest, held : arrays of shape (n_units, *shape, n_times)
        Averages of the other trials, and the trials.
    """
    n_cells, n_units = int(np.prod(shape)), values.shape[2]
    counts = np.bincount(cell, minlength=n_cells)
    order = np.argsort(cell, kind="stable")
    first = np.cumsum(counts) - counts
    draw = rng.random((n_cells, n_units if pooled else 1))
    picked = order[first[:, None] + (draw * counts[:, None]).astype(int)]
    held = values[picked, :, np.arange(n_units)] if pooled else np.moveaxis(values[picked[:, 0]], 2, 1)
    held = held.transpose(1, 0, 2)
    counts = counts[:, None]
    mean = averages(values, cell, shape).reshape(n_units, n_cells, -1)
    rest = (counts * mean - held) / (counts - 1)
    full = (n_units, *shape, values.shape[1])
    return rest.reshape(full), held.reshape(full)


def reconstruction_errors(
    values: np.ndarray,
    cell: np.ndarray,
    shape: tuple[int, ...],
    factors: tuple[str, ...],
    ridges: np.ndarray,
    rng: np.random.Generator,
    *,
    pooled: bool,
    components: int,
    splits: int = 10,
) -> np.ndarray:
    """Cross-validate the regularisation.

    Held-out trials, demixed by axes that were fitted to the other trials, shall be like the marginalised averages of
    those. (They would be like themselves without any regularisation, noise included.)

    Parameters
    ----------
    values, cell, shape, rng, pooled
        As in `hold_out`.
    factors : tuple of str
        Names of the factors.
    ridges : array of shape (n_ridges,)
        Values of λ to try.
    components : int
        Of each marginalisation.
    splits : int
        How often trials are held out.

    Returns
    -------
    array of shape (splits, n_ridges)
        Summed squared error of all marginalisations, in units of the sum of squares of the averages.
    """
    noise = noise_covariance(values, cell, shape, pooled=pooled)
    errors = np.empty((splits, len(ridges)))
    for i in range(splits):
        rest, held = hold_out(values, cell, shape, rng, pooled=pooled)
        parts = marginalisations(rest, factors)
        x = (held - rest.mean(tuple(range(1, rest.ndim)), keepdims=True)).reshape(len(rest), -1)
        total = sum((part**2).sum() for part in parts.values())
        for k, ridge in enumerate(ridges):
            found = fit(rest, factors, ridge=ridge, noise=noise, components=components)
            errors[i, k] = sum(
                ((parts[name].reshape(len(x), -1) - axes.encoder @ (axes.decoder @ x)) ** 2).sum()
                for name, axes in found.items()
            ) / max(total, 1e-300)
    return errors


def _same(x: np.ndarray) -> np.ndarray:
    return x


def _whitening(noise, ridge: float, n: int) -> tuple:
    """Functions that whiten responses (unit, …) by the penalty, and decoders (…, unit) of such responses."""
    if noise is None or not np.any(noise):
        return (_same, _same) if ridge == 0 else (lambda x: x / ridge, lambda d: d / ridge)
    # The floor keeps units that have no noise from being whitened without bound.
    floor = max(ridge**2, 1e-9 * float(np.mean(noise if noise.ndim == 1 else np.diag(noise))))
    if noise.ndim == 1:
        root = np.sqrt(noise + floor)
        return (lambda x: x / root[:, None]), (lambda d: d / root)
    root = np.linalg.cholesky(noise + floor * np.eye(n))
    return (
        lambda x: solve_triangular(root, x, lower=True),
        lambda d: solve_triangular(root.T, d.T, lower=False).T,
    )
