r"""Targeted dimensionality reduction (Mante, Sussillo et al. 2013, Nature 503:78), as in its authors' toolbox.

1. The response of each unit, z-scored over its single trials and times, is regressed at each time on the variables of
   the task and on products of them, each divided by its largest absolute value over the unit's trials: coefficients
   :math:`\beta_v(t)`, vectors over units.
2. Responses are averaged over the trials of conditions, smoothed, and z-scored over conditions and times. The first
   principal components of the averages of correct trials span a subspace.
3. The coefficients are projected into the subspace, which is meant to denoise them, and smoothed. The mean over a
   window of time, or the vector at the time of its largest norm, is the regression vector of a variable.
4. QR decomposition makes the vectors orthogonal in their order: the axes. Averages are projected onto them.

Trials are (trial, time, unit). Units that were recorded one after another have their own trials: `weights`
(trial, unit) says how many trials a value is the mean of, 0 where the unit has none. Least squares with these weights
are those of the single trials, as long as regressors are constant within what was averaged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

WINDOWS = {"choice": (0.60, 0.90), "motion": (0.25, 0.45), "color": (0.35, 0.55), "context": (0.10, 0.90)}
"""Seconds from the onset of the dots, over which the authors average the coefficients of each variable."""

COMPONENTS = 12
"""Principal components that the authors keep."""

SMOOTHING = 0.04
"""Standard deviation in s of their Gaussian."""


@dataclass(frozen=True, eq=False)
class Axes:
    """What targeted dimensionality reduction finds.

    Attributes
    ----------
    coefficient : array of shape (n_variables, n_times, n_units)
        Regression coefficients, in z-scores of single trials per largest value of the variable.
    denoised : array of shape (n_variables, n_times, n_units)
        The same within the subspace, smoothed.
    vector : array of shape (n_variables, n_units)
        Regression vectors: `denoised`, averaged over `window`.
    axis : array of shape (n_variables, n_units)
        Orthonormal axes.
    window : tuple of arrays of int
        Samples of time over which each vector is averaged.
    average : array of shape (n_conditions, n_times, n_units)
        Averages, smoothed and z-scored; NaN where a unit has no trial.
    main : array of bool of shape (n_conditions,)
        Conditions that made the subspace: those asked for that all units have.
    basis : array of shape (n_units, n_components)
        Principal components.
    share : array of shape (n_units,)
        Shares of variance of all components.
    """

    coefficient: np.ndarray
    denoised: np.ndarray
    vector: np.ndarray
    axis: np.ndarray
    window: tuple[np.ndarray, ...]
    average: np.ndarray
    main: np.ndarray
    basis: np.ndarray
    share: np.ndarray

    @property
    def trajectory(self) -> np.ndarray:
        """Averages on the axes (condition, time, axis); NaN for conditions that a unit lacks."""
        return self.average @ self.axis.T

    @property
    def norm(self) -> np.ndarray:
        """Norm of the denoised coefficients (variable, time)."""
        return np.linalg.norm(self.denoised, axis=-1)

    def explained(self, directions: np.ndarray) -> np.ndarray:
        """Return the share of the variance of the averages, over conditions and times, along directions.

        Parameters
        ----------
        directions : array of shape (n, n_units)
            Of any length.

        Returns
        -------
        array of shape (n,)
            Over the conditions that made the subspace.
        """
        flat = self.average[self.main].reshape(-1, self.average.shape[-1])
        unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        return (flat @ unit.T).var(0) / flat.var(0).sum()


def design(
    variables: Mapping[str, np.ndarray], *, interacting: str | None = None, weights: np.ndarray | None = None
) -> tuple[list[str], np.ndarray]:
    """Make regressors of task variables.

    Parameters
    ----------
    variables : mapping of str to array of shape (n_trials,) or (n_trials, n_units)
        Numbers; those of each unit's own trials where they differ.
    interacting : str, optional
        The variable whose products with all others are regressors, too; in the paper the context.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials; the largest value is taken where there are any.

    Returns
    -------
    names : list of str
        The variables, then products such as ``choice×context``.
    columns : array of shape (1, n_trials, n_names + 1) or (n_units, n_trials, n_names + 1)
        Regressors, the last one constant; one set if it is the same for all units.
    """
    found = {name: np.asarray(values, dtype=float) for name, values in variables.items()}
    if interacting is not None:
        pairs = [(name, interacting) for name in variables if name != interacting]
        found |= {f"{a}×{b}": _by_unit(found[a], found[b]) for a, b in pairs}
    own = weights is not None or any(column.ndim == 2 for column in found.values())
    n_units = (
        weights.shape[1] if weights is not None else max((c.shape[1] for c in found.values() if c.ndim == 2), default=1)
    )
    columns = []
    for values in found.values():
        values = np.broadcast_to(values if values.ndim == 2 else values[:, None], (len(values), n_units if own else 1))
        there = np.isfinite(values) if weights is None else np.isfinite(values) & (weights > 0)
        values = np.where(there, values, 0.0)
        columns.append(values / np.maximum(np.abs(values).max(0), 1e-300))
    columns.append(np.ones_like(columns[0]))
    return list(found), np.stack(columns, axis=-1).transpose(1, 0, 2)


def z_scored(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Subtract from each unit its mean over trials and times, and divide by their standard deviation.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses; NaN is allowed where `weights` is 0.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.

    Returns
    -------
    array of shape (n_trials, n_times, n_units)
        Zero where a unit has no trial, or never varies.
    """
    if weights is None:
        mean, deviation = values.mean((0, 1)), values.std((0, 1))
        return (values - mean) / np.where(deviation > 0, deviation, np.inf)
    weights = weights[:, None, :]
    values = np.where(weights > 0, values, 0.0)
    total = np.maximum(weights.sum((0, 1)) * values.shape[1], 1e-300)
    mean = (weights * values).sum((0, 1)) / total
    deviation = np.sqrt((weights * (values - mean) ** 2).sum((0, 1)) / total)
    return np.where(weights > 0, (values - mean) / np.where(deviation > 0, deviation, np.inf), 0.0)


def solvers(
    columns: np.ndarray, weights: np.ndarray | None, n_units: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Solve least squares for units that share their trials, one after another where they don't.

    Parameters
    ----------
    columns : array of shape (1 or n_units, n_trials, n_regressors)
        From `design`.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.
    n_units : int
        Number of units.

    Yields
    ------
    units : slice
        Units that share the solution.
    rows : array of int of shape (n_rows,)
        Their trials.
    x : array of shape (n_rows, n_regressors)
        Regressors.
    solution : array of shape (n_regressors, n_rows)
        Turns responses into coefficients. NaN where regressors depend on each other in these trials.
    """
    if weights is None and len(columns) == 1:
        rows = np.arange(columns.shape[1])
        yield slice(None), rows, columns[0], _solution(columns[0], None)
        return
    for k in range(n_units):
        rows = np.arange(columns.shape[1]) if weights is None else np.flatnonzero(weights[:, k] > 0)
        x = columns[k if len(columns) > 1 else 0][rows]
        yield slice(k, k + 1), rows, x, _solution(x, None if weights is None else weights[rows, k])


def regress(values: np.ndarray, columns: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Regress every unit at every time, by least squares weighted with numbers of trials.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses.
    columns : array of shape (1 or n_units, n_trials, n_regressors)
        From `design`.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.

    Returns
    -------
    array of shape (n_regressors, n_times, n_units)
        Coefficients. NaN for units whose trials do not determine them.
    """
    n_times, n_units = values.shape[1:]
    found = np.empty((columns.shape[2], n_times, n_units))
    for units, rows, _, solution in solvers(columns, weights, n_units):
        part = values[rows][..., units]
        found[..., units] = (solution @ part.reshape(len(rows), -1)).reshape(-1, n_times, part.shape[-1])
    return found


def averages(values: np.ndarray, members: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average trials by condition; a trial may belong to several.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses, finite also where `weights` is 0.
    members : array of bool of shape (n_conditions, n_trials)
        Trials of each condition.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.

    Returns
    -------
    array of shape (n_conditions, n_times, n_units)
        NaN where a unit has no trial of a condition.
    """
    members = members.astype(float)
    if weights is None:
        counts, total = members.sum(1)[:, None, None], np.tensordot(members, values, 1)
    else:
        counts = (members @ weights)[:, None, :]
        total = np.tensordot(members, values * weights[:, None, :], 1)
    return np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)


def smoothed(values: np.ndarray, time: np.ndarray, width: float = SMOOTHING) -> np.ndarray:
    """Smooth over time with a Gaussian that is cut at 3.75 standard deviations; ends are continued.

    Parameters
    ----------
    values : array of shape (n, n_times, n_units)
        Responses or coefficients.
    time : array of shape (n_times,)
        Seconds, in equal steps.
    width : float
        Standard deviation in s.

    Returns
    -------
    array of shape (n, n_times, n_units)
        NaN where a condition has NaN.
    """
    if len(time) < 2 or width <= 0:
        return values
    step = (time[-1] - time[0]) / (len(time) - 1)
    # Half a bin is rounded up, as in the toolbox.
    reach = int(np.floor(3.75 * width / step + 0.5))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    return convolve1d(values, kernel / kernel.sum(), axis=1, mode="nearest")


def fit(
    values: np.ndarray,
    columns: np.ndarray,
    n_variables: int,
    members: np.ndarray,
    main: np.ndarray,
    time: np.ndarray,
    *,
    windows: Sequence[tuple[float, float] | None],
    weights: np.ndarray | None = None,
    components: int = COMPONENTS,
    width: float = SMOOTHING,
) -> Axes:
    """Find the axes of task variables.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses, from `z_scored`.
    columns : array of shape (1 or n_units, n_trials, n_regressors)
        From `design`.
    n_variables : int
        The first so many regressors get axes, in this order.
    members : array of bool of shape (n_conditions, n_trials)
        Trials of each condition.
    main : array of bool of shape (n_conditions,)
        Conditions whose averages make the subspace: in the paper, those of correct trials.
    time : array of shape (n_times,)
        Seconds.
    windows : sequence of tuple of float, or None
        First and last second over which coefficients of a variable are averaged; None for the time of their
        largest norm.
    weights : array of shape (n_trials, n_units), optional
        Numbers of trials.
    components : int
        Principal components to keep; all, if there are fewer units.
    width : float
        Smoothing in s.

    Returns
    -------
    Axes
        Of units whose coefficients are all determined.
    """
    coefficient = regress(values, columns, weights)[:n_variables]
    average = smoothed(averages(values, members, weights), time, width)
    deviation = np.nanstd(average, (0, 1))
    average = (average - np.nanmean(average, (0, 1))) / np.where(deviation > 0, deviation, np.inf)
    # A condition that a unit lacks would have to be made up for the components.
    main = main & np.isfinite(average).all((1, 2))
    flat = average[main].reshape(-1, average.shape[-1])
    _, size, vt = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    basis = vt[:components].T
    denoised = smoothed(coefficient @ basis @ basis.T, time, width)
    window = tuple(
        samples(time, limits, norm) for limits, norm in zip(windows, np.linalg.norm(denoised, axis=-1), strict=True)
    )
    vector = np.stack([line[chosen].mean(0) for line, chosen in zip(denoised, window, strict=True)])
    return Axes(
        coefficient, denoised, vector, orthogonal(vector), window, average, main, basis, size**2 / (size**2).sum()
    )


def samples(time: np.ndarray, limits: tuple[float, float] | None, norm: np.ndarray) -> np.ndarray:
    """Return the samples of a window, those nearest to its middle if none is in it, or that of the largest norm.

    Parameters
    ----------
    time : array of shape (n_times,)
        Seconds.
    limits : tuple of float, optional
        First and last second.
    norm : array of shape (n_times,)
        Where there are no limits, its largest value is taken.

    Returns
    -------
    array of int
        Samples.
    """
    if limits is None:
        return np.array([int(np.argmax(norm))])
    inside = np.flatnonzero((time >= limits[0] - 1e-9) & (time <= limits[1] + 1e-9))
    return inside if len(inside) else np.array([int(np.abs(time - np.mean(limits)).argmin())])


def orthogonal(vectors: np.ndarray) -> np.ndarray:
    """Make vectors orthonormal, each to those before it, without turning any around.

    Parameters
    ----------
    vectors : array of shape (n, n_units)
        Vectors.

    Returns
    -------
    array of shape (n, n_units)
        Orthonormal rows.
    """
    q, r = np.linalg.qr(vectors.T)
    return (q * np.where(np.diag(r) < 0, -1, 1)).T


def _by_unit(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply columns of trials with those of trials and units."""
    if a.ndim != b.ndim:
        a, b = (c if c.ndim == 2 else c[:, None] for c in (a, b))
    return a * b


def _solution(x: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    scaled = x.T if weights is None else x.T * weights
    # Regressors are at most 1 and few: the normal equations lose no digits that matter, and are small.
    gram = scaled @ x
    if np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        return np.full(scaled.shape, np.nan)
    return np.linalg.solve(gram, scaled)
