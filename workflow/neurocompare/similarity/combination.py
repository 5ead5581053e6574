"""Weighted combinations of model RDMs, fitted to some stimuli and scored on others.

The RDM of a brain area may be a mixture of those of several layers, with weights that can't be negative:
squared distances add up over groups of units (Khaligh-Razavi & Kriegeskorte 2014, PLoS Comput. Biol.
10:e1003915). A fitted mixture must be scored on stimuli that took no part in the fit. Leaving out *cells*
does not do that: every stimulus of a left-out cell is in other cells, and its peculiarities with it. Here the
folds are made of stimuli; the fit sees cells of two training stimuli, the score cells of two held-out ones,
and cells between the two sets are used by neither.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from neurocompare.errors import UserError
from neurocompare.similarity import comparators
from neurocompare.similarity.whitening import doubly_centred

MINIMUM_STIMULI = 4
"""In a fold, and outside it."""

_AT_ONCE = 100


@dataclass(frozen=True)
class Combination:
    """A mixture of models for each of several targets.

    Attributes
    ----------
    score : array of shape (n_targets,)
        Mean over folds of the score on held-out stimuli.
    fold_scores : array of shape (n_folds, n_targets)
        The score on each fold; zero where all weights are, because a constant predicts nothing.
    weights : array of shape (n_folds, n_targets, n_models)
        Weights of the model RDMs as they were given, fitted without that fold.
    """

    score: np.ndarray
    fold_scores: np.ndarray
    weights: np.ndarray


def stimulus_folds(n_stimuli: int, n_folds: int, seed, groups: np.ndarray | None = None) -> np.ndarray:
    """Divide stimuli into folds of about the same size, at random.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli.
    n_folds : int
        Number of folds.
    seed : int or sequence of int
        Seed of the draw.
    groups : array of shape (n_stimuli,), optional
        Labels of stimuli that belong together (neighbouring frames, near-equal angles, blocks): a group is
        never divided.

    Returns
    -------
    array of int of shape (n_stimuli,)
        The fold of each stimulus.

    Raises
    ------
    UserError
        If there are fewer groups than folds.
    """
    labels = np.arange(n_stimuli) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    members = np.bincount(labels)
    if not 2 <= n_folds <= len(members):
        raise UserError(
            f"folds: {len(members)} stimuli or groups can't be divided into {n_folds} folds; "
            f"ask for 2 to {len(members)}"
        )
    order = np.random.default_rng(seed).permutation(len(members))
    fold_of, size = np.empty(len(members), dtype=int), np.zeros(n_folds, dtype=int)
    # The largest groups first, each to the smallest fold.
    for group in order[np.argsort(-members[order], kind="stable")]:
        fold_of[group] = np.argmin(size)
        size[fold_of[group]] += members[group]
    return fold_of[labels]


def fit(models: np.ndarray, targets: np.ndarray, comparator: str) -> np.ndarray:
    """Fit non-negative weights by least squares, in the space in which the comparator measures angles.

    Parameters
    ----------
    models : array of shape (n_models, n_stimuli, n_stimuli)
        RDMs to mix.
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        RDMs to fit.
    comparator : str
        How mixtures will be compared. For correlations a constant is free, for whitened comparators squares are
        weighted by the inverse covariance of the cells. Those of ranks are fitted like the correlation, and
        bures like the whitened cosine.

    Returns
    -------
    array of shape (n_targets, n_models)
        The weights; zero for a model that does not vary, NaN for a target that is not finite.
    """
    return _weights(*_factored(_space(models, comparator)), _space(targets, comparator))


def combine(models: np.ndarray, targets: np.ndarray, folds: np.ndarray, comparator: str) -> Combination:
    """Fit mixtures of model RDMs on some stimuli and score them on others.

    Parameters
    ----------
    models : array of shape (n_models, n_stimuli, n_stimuli)
        RDMs to mix, such as those of the layers of a network.
    targets : array of shape (n_targets, n_stimuli, n_stimuli)
        RDMs of animals or areas, each fitted by itself.
    folds : array of int of shape (n_stimuli,)
        The fold of each stimulus, as from `stimulus_folds`.
    comparator : str
        How the mixture is compared with the held-out stimuli of a target.

    Returns
    -------
    Combination
        Scores and weights.

    Raises
    ------
    UserError
        If a fold, or what remains without it, has too few stimuli.
    """
    weights, fold_scores = [], []
    for inside, outside in _sides(folds):
        train, test = np.ix_(outside, outside), np.ix_(inside, inside)
        fitted = fit(_picked(models, train), _picked(targets, train), comparator)
        weights.append(fitted)
        fold_scores.append(_held_out(fitted, _picked(models, test), _picked(targets, test), comparator))
    return Combination(np.mean(fold_scores, axis=0), np.array(fold_scores), np.array(weights))


def null(
    models: np.ndarray, targets: np.ndarray, folds: np.ndarray, permutations: np.ndarray, comparator: str
) -> np.ndarray:
    """Score mixtures, fitted anew, with the stimuli of the targets shuffled.

    Parameters
    ----------
    models, targets, folds, comparator
        As for `combine`.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles of the stimuli.

    Returns
    -------
    array of shape (n_permutations, n_targets)
        Scores under the null.

    Raises
    ------
    UserError
        As `combine`.
    """
    scores = np.zeros((len(permutations), len(targets)))
    sides = _sides(folds)
    for inside, outside in sides:
        factors = _factored(_space(_picked(models, np.ix_(outside, outside)), comparator))
        test = _picked(models, np.ix_(inside, inside))
        for start in range(0, len(permutations), _AT_ONCE):
            chunk = permutations[start : start + _AT_ONCE]
            for t, target in enumerate(targets):
                train, held_out = (target[chunk[:, side, None], chunk[:, None, side]] for side in (outside, inside))
                weights = _weights(*factors, _space(train, comparator))
                scores[start : start + len(chunk), t] += _held_out(weights, test, held_out, comparator)
    return scores / len(sides)


def _sides(folds: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stimuli in and outside each fold."""
    sides = [(np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)) for fold in np.unique(folds)]
    for number, side in enumerate(sides):
        for stimuli, where in zip(side, ("in", "outside"), strict=True):
            if len(stimuli) < MINIMUM_STIMULI:
                raise UserError(
                    f"folds: {len(stimuli)} stimuli {where} fold {number}, but a mixture of RDMs needs at least "
                    f"{MINIMUM_STIMULI} in and outside each; make fewer folds or take more stimuli"
                )
    return sides


def _picked(rdms: np.ndarray, pick) -> np.ndarray:
    return rdms[:, pick[0], pick[1]]


def _space(rdms: np.ndarray, comparator: str) -> np.ndarray:
    """RDMs as rows of numbers whose least squares are those of the comparator; zero if they do not vary."""
    i, j = np.triu_indices(rdms.shape[1], 1)
    cells = rdms[:, i, j]
    size = np.linalg.norm(cells, axis=1)
    if comparator not in ("cosine", "whitened-cosine", "bures"):
        cells = cells - cells.mean(1, keepdims=True)
    if comparator.startswith("whitened") or comparator == "bures":
        square = np.zeros(rdms.shape)
        square[:, i, j] = cells
        square[:, j, i] = cells
        cells = doubly_centred(square).reshape(len(rdms), -1)
    return np.where((np.linalg.norm(cells, axis=1) <= 1e-12 * size)[:, None], 0, cells)


def _factored(models: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reduce the least squares of any number of cells to one of as many as there are models: A = QR, once."""
    norm = np.linalg.norm(models, axis=1)
    inverse_norm = np.where(norm > 0, 1 / np.where(norm > 0, norm, 1), 0)
    q, r = np.linalg.qr((models * inverse_norm[:, None]).T)
    return q, r, inverse_norm


def _weights(q: np.ndarray, r: np.ndarray, inverse_norm: np.ndarray, targets: np.ndarray) -> np.ndarray:
    weights = np.full((len(targets), r.shape[1]), np.nan)
    for row, right in zip(weights, targets @ q, strict=True):
        if np.isfinite(right).all():
            row[:] = nnls(r, right, maxiter=100 * r.shape[1])[0] * inverse_norm
    return weights


def _held_out(weights: np.ndarray, models: np.ndarray, targets: np.ndarray, comparator: str) -> np.ndarray:
    """Compare each target with its own mixture."""
    mixtures = np.einsum("tk,kij->tij", weights, models)
    if comparator in comparators.PAIRWISE:
        scores = np.array([comparators.compare(m, y, comparator) for m, y in zip(mixtures, targets, strict=True)])
    else:
        scores = np.einsum("tij,tij->t", *(comparators.embed(rdms, comparator) for rdms in (mixtures, targets)))
    return np.where((weights == 0).all(1), 0.0, scores)
