"""Ten classifiers of sub-populations of many sizes, against a fit of each of them with scikit-learn."""

from functools import partial

import numpy as np
from ratios import Ratio, once
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import NearestCentroid

from neurocompare.prediction.categorical_decoders import lda, nearest_angle, nearest_mean, ridge, scaled
from neurocompare.prediction.populations import sweep

SIZES = {"tiny": (40, 60, 3, 2, 1), "quick": (160, 600, 20, 4, 1), "full": (160, 1200, 20, 20, 1)}
"""Trials, units, sizes, resamples, and resamples that are refitted (the time of all is scaled)."""
CLASSES, FOLDS = 4, 4
SHRINKS = (0.1, 0.3, 0.6)
STRENGTHS = (0.1, 1.0, 10.0, 100.0)


def measure(how: str) -> list[Ratio]:
    """Time the sweep."""
    n, p, n_sizes, resamples, refitted = SIZES[how]
    rng = np.random.default_rng(5)
    labels, fold = np.arange(n) % CLASSES, np.arange(n) * FOLDS // n
    values = rng.standard_normal((n, p)) + 0.15 * rng.standard_normal((CLASSES, p))[labels]
    sizes = np.linspace(p / n_sizes, p, n_sizes).astype(int).tolist()
    orders = rng.permuted(np.tile(np.arange(p), (resamples, 1)), axis=1)
    classifiers = [nearest_mean, nearest_angle, lda]
    classifiers += [partial(lda, shrink=shrink) for shrink in SHRINKS]
    classifiers += [partial(ridge, strength=strength) for strength in STRENGTHS]

    def shared(some):
        return sweep(values, labels[None], fold, some, sizes, classifiers, rooted=False)[0]

    def refits(some):
        predicted = np.empty((len(classifiers), n_sizes, len(some), n), dtype=int)
        for r, order in enumerate(some):
            for s, size in enumerate(sizes):
                for k in range(FOLDS):
                    train, test = fold != k, fold == k
                    part = scaled(values[:, order[:size]], train, False)
                    for c, model in enumerate(_models(part[train])):
                        predicted[c, s, r, test] = model.fit(part[train], labels[train]).predict(part[test])
        return predicted

    seconds, mine = once(lambda: shared(orders))
    theirs_seconds, theirs = once(lambda: refits(orders[:refitted]))
    theirs_seconds *= resamples / refitted
    # The classifiers that both packages define alike.
    alike = [0, *range(3, len(classifiers))]
    same = (mine[alike][:, :, :refitted] == theirs[alike]).mean()
    size = f"{len(classifiers)} decoders × {n_sizes} sizes to {p} units × {resamples} resamples, {n} trials"
    note = f"speed-up; same predictions: {same:.1%}" + ("; theirs scaled from one resample" if resamples > 1 else "")
    target = "≥ 10" if how == "full" else ""
    return [Ratio("sweep of sub-populations", "scikit-learn, refits", size, theirs_seconds / seconds, target, note)]


class _NearestAngle:
    """The nearest class mean by its angle; scikit-learn has none."""

    def fit(self, values, labels):
        means = np.array([values[labels == c].mean(0) for c in range(CLASSES)])
        self.means = means / np.linalg.norm(means, axis=1, keepdims=True)
        return self

    def predict(self, values):
        return (values @ self.means.T).argmax(1)


def _models(train):
    length = ((train - train.mean(0)) ** 2).sum() / len(train)
    return [
        NearestCentroid(),
        _NearestAngle(),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        *(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrink) for shrink in SHRINKS),
        *(RidgeClassifier(alpha=strength * length) for strength in STRENGTHS),
    ]
