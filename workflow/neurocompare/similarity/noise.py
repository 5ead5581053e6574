"""Noise covariances of single trials, regularised and inverted without ever being formed where units outnumber trials.

The covariance of the residuals (trials minus the mean of their stimulus) is shrunk towards its diagonal:
with R the residuals, d their variances and Z = R / √d, it is

    Σ = √d [ λ I + (1 − λ) ZᵀZ / dof ] √d.

The weight λ follows Schäfer & Strimmer 2005 (Stat. Appl. Genet. Mol. Biol. 4:32), with the degrees of
freedom dof = trials − stimuli as rsatoolbox counts them. (That count makes λ too large by the factor
trials / dof, so a little more is shrunk than need be with few repeats; no estimate of a cross-validated
distance is biased by it.) With fewer degrees of freedom than units, the inverse goes through the Gram
matrix of the trials (Woodbury identity): exact, and dof²·p instead of p³ operations.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import csr_array

from neurocompare.errors import UserError, unknown
from neurocompare.similarity.trials import Trials

KINDS = ("full", "diagonal", "none")
"""What of the noise a distance is whitened by."""

_DUAL = 1.5
"""Units per degree of freedom from which the Gram matrix of the trials is the cheaper way."""


@dataclass(frozen=True, eq=False)
class Noise:
    """A noise covariance, ready to be divided by.

    Attributes
    ----------
    scale : array of shape (n_units,)
        One over the standard deviation of each unit; zero for a unit without noise, which cannot be
        weighted and is left out.
    shrinkage : float
        How much of the covariance is its diagonal, λ.
    factor : tuple, optional
        Cholesky factor of λI + (1 − λ)ZᵀZ/dof or, with `rows`, of λ dof/(1 − λ) I + ZZᵀ; None for a diagonal.
    rows : array of shape (dof, n_units), optional
        Z, in as many rows as it has degrees of freedom.
    """

    scale: np.ndarray
    shrinkage: float = 1.0
    factor: tuple | None = None
    rows: np.ndarray | None = None

    def solve(self, x: np.ndarray) -> np.ndarray:
        """Multiply by the inverse of the covariance.

        Parameters
        ----------
        x : array of shape (n, n_units)
            Patterns of responses.

        Returns
        -------
        array of shape (n, n_units)
            x Σ⁻¹.
        """
        x = x * self.scale
        if self.factor is not None and self.rows is None:
            x = cho_solve(self.factor, x.T, check_finite=False).T
        elif self.factor is not None:
            inner = cho_solve(self.factor, self.rows @ x.T, overwrite_b=True, check_finite=False)
            x = (x - inner.T @ self.rows) / self.shrinkage
        return x * self.scale


def of_trials(trials: Trials, kind: str = "full", shrinkage: float | None = None) -> Noise | None:
    """Estimate the noise covariance of all trials.

    Parameters
    ----------
    trials : Trials
        The trials.
    kind : {"full", "diagonal", "none"}
        What to estimate.
    shrinkage : float, optional
        The weight of the diagonal, 0 to 1; estimated by default.

    Returns
    -------
    Noise or None
        The covariance; None for ``none``, and where no unit has any noise.

    Raises
    ------
    UserError
        If no stimulus was shown twice, or the covariance is singular.
    """
    _check(kind)
    if kind == "none":
        return None
    return _Residuals(trials, kind, shrinkage).without(np.zeros(0, dtype=int))


def of_training(
    trials: Trials, folds: np.ndarray, kind: str = "full", shrinkage: float | None = None
) -> Iterator[Noise | None]:
    """Estimate the noise covariance without each fold in turn: nothing of the fold has a part in it.

    Parameters
    ----------
    trials : Trials
        The trials.
    folds : array of int of shape (n_trials,)
        Which fold a trial belongs to, 0 … n_folds − 1.
    kind : {"full", "diagonal", "none"}
        What to estimate.
    shrinkage : float, optional
        The weight of the diagonal, 0 to 1; estimated for each fold by default.

    Yields
    ------
    Noise or None
        For each fold, the covariance of all other trials about the means of all other trials; None for
        ``none``, and where no unit has any noise.

    Raises
    ------
    UserError
        If without a fold no stimulus is left twice, or a covariance is singular.
    """
    _check(kind)
    n_folds = int(folds.max()) + 1
    if kind == "none":
        yield from [None] * n_folds
        return
    residuals = _Residuals(trials, kind, shrinkage)
    for fold in range(n_folds):
        try:
            yield residuals.without(np.flatnonzero(folds[residuals.order] == fold))
        except UserError as error:
            raise UserError(f"without fold {fold + 1} of {n_folds}, {error}") from error


class _Residuals:
    """Residuals of all trials, sorted by stimulus, with sums of their powers, from which a fold is subtracted.

    About the means of the training trials, of which those of the residuals are m, sums of powers follow
    from sums about the means of all trials: a fold costs what its own trials cost, and not all others.
    """

    def __init__(self, trials, kind, shrinkage):
        self.kind, self.shrinkage = kind, shrinkage
        self.order = np.argsort(trials.stimulus, kind="stable")
        self.stimulus, self.counts = trials.stimulus[self.order], trials.counts()
        values = np.asarray(trials.values, dtype=float)[self.order]
        by_stimulus = grouped(self.stimulus, len(self.counts))
        self.rows = values - (by_stimulus @ values / np.maximum(self.counts, 1)[:, None])[self.stimulus]
        self.squares = self.rows**2
        self.second = by_stimulus @ self.squares
        # What tells noise from rounding errors, of the values and of sums from which a fold is subtracted.
        dof = max(len(values) - len(self.counts), 1)
        self.rounding = np.maximum(1e-24 * np.einsum("tk,tk->k", values, values), 1e-12 * self.second.sum(0)) / dof
        self.scatter = None
        if kind == "full":
            self.third = by_stimulus @ (self.squares * self.rows)
            self.fourth = np.einsum("tk,tk->k", self.squares, self.squares)
            if values.shape[1] <= _DUAL * dof:
                self.scatter = self.rows.T @ self.rows

    def without(self, held) -> Noise | None:
        """Estimate from all trials but those held out."""
        rows, by_stimulus = self.rows[held], grouped(self.stimulus[held], len(self.counts))
        left = self.counts - np.bincount(self.stimulus[held], minlength=len(self.counts))
        dof = int(left.sum() - np.count_nonzero(left))
        if dof < 1:
            raise UserError("no stimulus has two trials, so its noise is not known; use noise=none or more repeats")
        # Residuals of a stimulus sum to zero, so those that are left have minus the sum of those held out.
        means = -(by_stimulus @ rows) / np.maximum(left, 1)[:, None]
        second = self.second - by_stimulus @ self.squares[held]
        variance = (second.sum(0) - left @ means**2) / dof
        noisy = variance > self.rounding
        if not noisy.any():
            return None
        scale = np.where(noisy, 1 / np.sqrt(np.where(noisy, variance, 1)), 0.0)
        if self.kind == "diagonal" or self.shrinkage == 1:
            return Noise(scale)
        shown = None
        if self.scatter is None:
            kept = np.delete(np.arange(len(self.rows)), held)
            shown = _contrasts(self.stimulus[kept]) @ self.rows[kept]
            shown *= scale
            products = shown @ shown.T
        else:
            less = np.vstack([rows, means * np.sqrt(left)[:, None]])
            products = (self.scatter - less.T @ less) * scale[:, None] * scale
        weight = self.shrinkage
        if weight is None:
            correlated = np.vdot(products, products) - noisy.sum() * dof**2
            weight = _weight(self._pairs(held, by_stimulus, means, second, left, scale**2), correlated, left.sum(), dof)
        return _factored(scale, weight, products, shown, dof)

    def _pairs(self, held, by_stimulus, means, second, left, weights) -> float:
        """Over all trials and pairs of different units, the sum of products of two squared standardised residuals."""
        rows, squares = self.rows[held], self.squares[held]
        third = self.third - by_stimulus @ (squares * rows)
        fourth = self.fourth - np.einsum("tk,tk->k", squares, squares) - 3 * (left @ means**4)
        fourth += np.einsum("ik,ik->k", means, 6 * means * second - 4 * third)
        # Sums over units of squared residuals of each trial, about the means of the trials that are left.
        sums = self.squares @ weights + (means**2 @ weights)[self.stimulus]
        ends = np.cumsum(self.counts)
        for i in np.unique(self.stimulus[held]):
            mine = slice(ends[i] - self.counts[i], ends[i])
            sums[mine] -= 2 * (self.rows[mine] @ (weights * means[i]))
        sums[held] = 0
        return sums @ sums - fourth @ weights**2


def _weight(pairs, correlated, n_trials, dof) -> float:
    """λ: the summed variances of estimated correlations over their summed squares (common factors cancelled)."""
    if correlated <= 0:
        return 1.0
    return float(np.clip(n_trials / dof**2 * ((n_trials - 1) * pairs / correlated - 1), 0, 1))


def _factored(scale, shrinkage, products, rows, dof) -> Noise:
    """Factor λI + (1 − λ)ZᵀZ/dof or, from ZZᵀ, what takes its place where rows are fewer than units."""
    if shrinkage == 1:
        return Noise(scale)
    weight = (1 - shrinkage) / dof
    if rows is None:
        products *= weight
        # Units that are left out have no row in the scatter; theirs is one, and their scale stays zero.
        products[np.diag_indices(len(scale))] = 1.0
    elif shrinkage == 0:
        raise UserError("the noise covariance is singular: fewer trials than units; leave the shrinkage to the program")
    else:
        products[np.diag_indices(dof)] += shrinkage / weight
    try:
        factor = cho_factor(products, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise UserError("the noise covariance is singular; leave the shrinkage to the program") from error
    return Noise(scale, shrinkage, factor, rows)


def grouped(labels: np.ndarray, n_groups: int) -> csr_array:
    """Return the matrix that sums rows by group.

    Parameters
    ----------
    labels : array of int of shape (n_rows,)
        The group of each row.
    n_groups : int
        How many groups there are.

    Returns
    -------
    sparse array of shape (n_groups, n_rows)
        Ones and zeros.
    """
    rows = len(labels)
    return csr_array((np.ones(rows), (labels, np.arange(rows))), shape=(n_groups, rows))


def _contrasts(stimulus) -> csr_array:
    """Orthonormal contrasts of the trials of each stimulus (Helmert): residuals in one row less, without loss."""
    order = np.argsort(stimulus, kind="stable")
    _, first, counts = np.unique(stimulus[order], return_index=True, return_counts=True)
    before = np.arange(len(order)) - np.repeat(first, counts)
    later = np.flatnonzero(before)
    k = before[later]
    # The k-th trial, less the mean of the k trials before it.
    row = np.repeat(np.arange(len(later)), k)
    place = np.arange(len(row)) - np.repeat(np.cumsum(k) - k, k)
    weight = np.sqrt(k / (k + 1))
    entries = np.r_[np.repeat(-weight / k, k), weight]
    rows, columns = np.r_[row, np.arange(len(later))], np.r_[order[(later - k)[row] + place], order[later]]
    return csr_array((entries, (rows, columns)), shape=(len(later), len(order)))


def _check(kind) -> None:
    if kind not in KINDS:
        raise unknown("noise", kind, KINDS)
