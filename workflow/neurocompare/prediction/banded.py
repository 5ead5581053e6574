"""Banded ridge regression: several sets of features, each with its own penalty.

A band is a set of features that belong together: a layer of a network, running speed, a slow drift. One
penalty for all of them would favour the set with most features; here every neuron weighs the bands by
itself (Nunez-Elizalde et al. 2019, NeuroImage 197:482), by a random search over weightings (Dupré la Tour
et al. 2022, NeuroImage 264:119728). With kernels K_b = Z_b Z_bᵀ of centred features, the model is a ridge
with the kernel Σ_b γ_b K_b, where γ ≥ 0 sums to one; it is solved in as many dimensions as there are
features or samples, whichever are fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.prediction.folds import near

ALPHAS = np.logspace(-3, 5, 11)
"""Penalties tried, relative to the mean squared norm of the centred training features of a band."""

SEARCH = 30
"""Weightings of the bands that are tried by default."""

_CONCENTRATIONS = (1.0, 0.1)
"""Of the Dirichlet distributions that weightings are drawn from in turn: all alike, and few bands that matter."""

_TARGETS = 4096
"""Targets that are searched at a time: bounds the memory."""


@dataclass(frozen=True, eq=False)
class Band:
    """Features that share a penalty.

    Attributes
    ----------
    features : array of shape (n_samples, n_features)
        NaN where they are not known, which stands for the mean of the training samples.
    standardised : bool
        Whether each is scaled to unit variance over the training samples: for features of different units. If not,
        they are only scaled together.
    """

    features: np.ndarray
    standardised: bool = False


@dataclass(frozen=True, eq=False)
class Fold:
    """What one model is fitted to, and what it predicts.

    Attributes
    ----------
    train, test : arrays of int
        Samples.
    inner : tuple of tuple of two arrays of int
        Samples to fit and to check penalties on, all of them in `train`.
    """

    train: np.ndarray
    test: np.ndarray
    inner: tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Predictions of left-out samples.

    Attributes
    ----------
    parts : array of shape (n_bands, n_samples, n_targets)
        What each band predicts, as a difference from the mean of the training responses; zero for a sample that is
        in no test set.
    weights : array of shape (n_folds, n_bands, n_targets)
        The weighting of the bands that was best, γ.
    penalties : array of shape (n_folds, n_targets)
        The penalty that was best.
    """

    parts: np.ndarray
    weights: np.ndarray
    penalties: np.ndarray


def weightings(n_bands: int, n: int, seed: int) -> np.ndarray:
    """Choose the weightings of bands to try.

    Parameters
    ----------
    n_bands : int
        Number of bands.
    n : int
        How many weightings are drawn, beside the fixed ones.
    seed : int
        Seed of the draw.

    Returns
    -------
    array of shape (n_weightings, n_bands)
        Non-negative, each sums to one: all bands alike, each band alone, and draws from Dirichlet distributions.
    """
    if n_bands == 1:
        return np.ones((1, 1))
    rng = np.random.default_rng([seed, n_bands])
    drawn = [rng.dirichlet(np.full(n_bands, _CONCENTRATIONS[k % len(_CONCENTRATIONS)])) for k in range(n)]
    return np.vstack([np.full(n_bands, 1 / n_bands), np.eye(n_bands), *drawn])


def crossed_folds(
    stimulus: np.ndarray | None,
    block: np.ndarray | None,
    *,
    folds: int,
    inner: int,
    gap: int,
    consecutive: bool,
    seed: int,
) -> list[Fold]:
    """Hold out stimuli, blocks, or stimuli in blocks.

    Where both are held out, a model is trained on what shares neither a stimulus nor a block with its test set.

    Parameters
    ----------
    stimulus : array of int of shape (n_samples,), optional
        The stimulus of each sample, numbered in the order of their names; not held out if not given.
    block : array of int of shape (n_samples,), optional
        The block of each sample, in the order of time; not held out if not given.
    folds : int
        Groups of stimuli. Blocks are held out in at most as many groups, in the order of time.
    inner : int
        Folds for the penalties, inside of each training set.
    gap : int
        Samples left out on both sides of those of held-out blocks, as responses outlast a presentation.
    consecutive : bool
        Whether a group holds stimuli that follow one another, not random ones.
    seed : int
        Seed of random groups.

    Returns
    -------
    list of Fold
        Every sample is tested once.

    Raises
    ------
    UserError
        If there are fewer stimuli than folds, or fewer than three blocks.
    """
    n = len(stimulus if block is None else block)
    if block is not None and len(np.unique(block)) < 3:
        raise UserError(
            f"hold_out: blocks are held out, and the recording has {len(np.unique(block))}; with fewer than three, "
            "hold out stimuli"
        )
    if stimulus is not None and len(np.unique(stimulus)) < max(folds, inner + 1):
        raise UserError(f"folds: {folds} folds of {len(np.unique(stimulus))} stimuli; use fewer")
    rng = np.random.default_rng([seed, n, folds])
    everything = np.arange(n)

    def grouped(labels, samples, groups, shuffle):
        """Number the group of each sample; all are in one group if nothing is held out."""
        if labels is None:
            return np.zeros(len(samples), dtype=int)
        mine = labels[samples]
        found = np.unique(mine) if shuffle is not None else mine[np.sort(np.unique(mine, return_index=True)[1])]
        found = rng.permutation(found) if shuffle else found
        place = {label: k for k, part in enumerate(np.array_split(found, min(groups, len(found)))) for label in part}
        return np.array([place[label] for label in mine])

    def split(samples, groups):
        """Samples and their groups of stimuli and of blocks."""
        stimuli = grouped(stimulus, samples, groups, not consecutive)
        return stimuli, grouped(block, samples, groups, None)

    def apart(samples, stimuli, blocks, s, b):
        """Which to train on and which to test, with a group of stimuli and a group of blocks held out."""
        test = samples[(stimuli == s) & (blocks == b)]
        other = np.ones(len(samples), dtype=bool)
        if stimulus is not None:
            other &= stimuli != s
        if block is not None:
            other &= blocks != b
            other &= ~near(samples, samples[blocks == b], gap)
        return samples[other], test

    found = []
    short = f"gap: a gap of {gap} presentations leaves nothing to train on; use a shorter one"
    stimuli, blocks = split(everything, folds)
    for s, b in sorted(set(zip(stimuli.tolist(), blocks.tolist(), strict=True))):
        train, test = apart(everything, stimuli, blocks, s, b)
        if not len(train):
            raise UserError(short)
        of_train = split(train, inner)
        # Where both are held out, each group of stimuli is left out in one group of blocks.
        counts = [int(labels.max()) + 1 for labels in of_train]
        pairs = [(k % counts[0], k % counts[1]) for k in range(max(counts))]
        checks = [apart(train, *of_train, *pair) for pair in pairs]
        found.append(Fold(train, test, tuple(pair for pair in checks if len(pair[0]) > 1 and len(pair[1]))))
        if not found[-1].inner:
            raise UserError(short)
    return found


def fit(
    bands: Sequence[Band],
    responses: np.ndarray,
    folds: Sequence[Fold],
    tried: np.ndarray,
    alphas: np.ndarray = ALPHAS,
) -> Fitted:
    """Predict left-out samples from several bands of features.

    Parameters
    ----------
    bands : sequence of Band
        The features.
    responses : array of shape (n_samples, n_targets)
        What is to be predicted.
    folds : sequence of Fold
        Of the outer cross-validation. Means, scales and penalties come from the training samples of each.
    tried : array of shape (n_weightings, n_bands)
        Weightings of the bands.
    alphas : array of shape (n_penalties,)
        Penalties.

    Returns
    -------
    Fitted
        For each target with its own weighting and penalty, those with the least squared error in the inner folds.
    """
    n_targets = responses.shape[1]
    parts = np.zeros((len(bands), *responses.shape))
    weights = np.empty((len(folds), len(bands), n_targets))
    penalties = np.empty((len(folds), n_targets))
    for f, fold in enumerate(folds):
        scaled, _ = _scaled(bands, fold.train)
        inner = [_Split(scaled, fit_to, check) for fit_to, check in fold.inner]
        outer = _Split(scaled, fold.train, fold.test)
        for start in range(0, n_targets, _TARGETS):
            some = slice(start, start + _TARGETS)
            weighting, penalty = _searched(inner, responses[:, some], tried, alphas)
            weights[f, :, some], penalties[f, some] = tried[weighting].T, alphas[penalty]
            parts[:, fold.test, some] = _predicted(outer, responses[:, some], tried, weighting, alphas[penalty])
    return Fitted(parts, weights, penalties)


def dual_weights(
    bands: Sequence[Band],
    responses: np.ndarray,
    inner: Sequence[tuple[np.ndarray, np.ndarray]],
    tried: np.ndarray,
    alphas: np.ndarray = ALPHAS,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit all samples, to keep the weights.

    Parameters
    ----------
    bands, responses, tried, alphas
        As for `fit`.
    inner : sequence of tuple of two arrays of int
        Samples to fit and to check penalties on.

    Returns
    -------
    dual : array of shape (n_samples, n_targets)
        Weights of the samples.
    strength : array of shape (n_bands, n_targets)
        Band b predicts ``strength[b] * (Z_b @ Z_b.T @ dual)``, with Z_b its features (standardised where the band
        says so), centred by the mean over all samples. The primal weights are ``strength[b] * (Z_b.T @ dual)``.
    """
    everything = np.arange(len(responses))
    scaled, scales = _scaled(bands, everything)
    splits = [_Split(scaled, fit_to, check) for fit_to, check in inner]
    weighting, penalty = _searched(splits, responses, tried, alphas)
    alpha = alphas[penalty]
    split = _Split(scaled, everything, everything)
    predicted = _predicted(split, responses, tried, weighting, alpha).sum(0)
    # (K + α) c = y, so what is left over is α c.
    dual = (responses - responses.mean(0) - predicted) / alpha
    return dual, tried[weighting].T / scales[:, None]


class _Split:
    """Bands of one split, centred by its training samples, as features or as kernels, whichever is smaller."""

    def __init__(self, bands: Sequence[np.ndarray], train: np.ndarray, test: np.ndarray):
        self.train, self.test = train, test
        known = [_centred(band, train, test) for band in bands]
        self.size = np.array([z.shape[1] for z, _ in known])
        self.primal = self.size.sum() < len(train)
        if self.primal:
            self.z, self.z_test = (np.hstack(side) for side in zip(*known, strict=True))
            self.products = self.z.T @ self.z
        else:
            self.within = np.stack([z @ z.T for z, _ in known])
            self.across = np.stack([other @ z.T for z, other in known])

    def solved(self, gamma: np.ndarray, responses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return λ, L and P: band b predicts ``L[b] @ (P / (λ + α))`` with the penalty α."""
        if self.primal:
            root = np.repeat(np.sqrt(gamma), self.size)
            values, vectors = np.linalg.eigh(root[:, None] * self.products * root)
            projected = vectors.T @ (root[:, None] * (self.z.T @ responses))
            ends = np.cumsum(self.size)
            pieces = [slice(end - size, end) for end, size in zip(ends, self.size, strict=True)]
            left = np.stack([(self.z_test[:, k] * root[k]) @ vectors[k] for k in pieces])
        else:
            values, vectors = np.linalg.eigh(np.tensordot(gamma, self.within, 1))
            projected = vectors.T @ responses
            left = gamma[:, None, None] * (self.across @ vectors)
        return np.maximum(values, 0), left, projected


def _searched(inner: Sequence[_Split], responses, tried, alphas) -> tuple[np.ndarray, np.ndarray]:
    """Find for each target the weighting and the penalty with the least error in the inner folds."""
    n_targets = responses.shape[1]
    least = np.full(n_targets, np.inf)
    best = np.zeros((2, n_targets), dtype=int)
    sides = [(responses[split.train], responses[split.test]) for split in inner]
    means = [fitted.mean(0) for fitted, _ in sides]
    for g, gamma in enumerate(tried):
        loss = np.zeros((len(alphas), n_targets))
        for split, (fitted, checked), mean in zip(inner, sides, means, strict=True):
            values, left, projected = split.solved(gamma, fitted - mean)
            left, target = left.sum(0), checked - mean
            for a, alpha in enumerate(alphas):
                error = (left / (values + alpha)) @ projected - target
                loss[a] += np.einsum("nm,nm->m", error, error)
        a = loss.argmin(0)
        found = loss[a, np.arange(n_targets)]
        better = found < least
        least[better], best[0, better], best[1, better] = found[better], g, a[better]
    return best[0], best[1]


def _predicted(split: _Split, responses, tried, weighting, alpha) -> np.ndarray:
    """Predict the test samples of a split, with the weighting and penalty of each target."""
    parts = np.zeros((tried.shape[1], len(split.test), responses.shape[1]))
    centred = responses[split.train] - responses[split.train].mean(0)
    for g in np.unique(weighting):
        mine = weighting == g
        values, left, projected = split.solved(tried[g], centred[:, mine])
        parts[:, :, mine] = left @ (projected / (values[:, None] + alpha[mine]))
    return parts


def _scaled(bands: Sequence[Band], train: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Scale bands to a mean squared norm of one over the centred training samples; return them and their scales."""
    scaled, scales = [], []
    for band in bands:
        features = band.features
        if band.standardised:
            centred, _ = _centred(features, train, train[:1])
            deviation = np.sqrt((centred**2).mean(0))
            features = features / np.where(deviation > 0, deviation, 1)
        centred, _ = _centred(features, train, train[:1])
        scale = float((centred**2).sum() / len(train))
        # What does not vary beyond rounding predicts nothing.
        if scale <= 1e-12 * float(np.nansum(features[train] ** 2) / len(train)):
            features, scale = np.zeros_like(features), 1.0
        scaled.append(features / np.sqrt(scale))
        scales.append(scale)
    return scaled, np.array(scales)


def _centred(band: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre by the mean of the training samples; what is not known is put there."""
    known = np.isfinite(band[train])
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, band[train], 0).sum(0) / count
    return np.nan_to_num(band[train] - mean), np.nan_to_num(band[test] - mean)
