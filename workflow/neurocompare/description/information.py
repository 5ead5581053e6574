"""Bits that a classifier gives about a label.

Usable information (V-information, Xu et al. 2020, ICLR): how much shorter the labels of held-out trials can be coded
if the decoder may see the responses, rather than the shares of the labels only. It is what a decoder of this kind can
use, at most the mutual information. Probabilities come from the decoder's log odds, times one number that is chosen on
training trials, by a decoder that has not seen them: zero, so that only the shares count, if it is of no use.

Classifiers without probabilities: the mutual information between labels and predictions, from the table of counts, less
its bias (Miller 1955; Panzeri & Treves 1996, Network 7:87). Where trials are hardly more than cells of the table, some
bias is left: compare it with the mean of the null.
"""

import numpy as np
from scipy.special import logsumexp

from neurocompare.description.features import Features, inner

STRENGTHS = np.concatenate([[0], np.logspace(-3, 1, 41)])
"""Factors of the log odds that are tried."""


class Usable:
    """Usable information of a kind of decoder.

    Parameters
    ----------
    features : Features
        Prepared trials and the decoder.
    fold : array of int of shape (n_trials,)
        Their folds.
    target : array of int of shape (n_trials,)
        Their labels, which only divide the trials for calibration.
    """

    def __init__(self, features: Features, fold: np.ndarray, target: np.ndarray):
        self.features = features
        self.calibrating = type(features)(features.values, list(inner(fold, target)), rooted=features.rooted)

    def gain(self, target: np.ndarray, scores: np.ndarray | None = None) -> np.ndarray:
        """Return the bits that each held-out trial gives.

        Parameters
        ----------
        target : array of int of shape (n_trials,)
            Labels 0, 1, …
        scores : array of shape (n_trials, n_classes), optional
            What ``features.scores`` returns for them.

        Returns
        -------
        array of shape (n_trials,)
            log2 of the probability of the label, less log2 of its share in the training trials.
        """
        scores = self.features.scores(target) if scores is None else scores
        tried = self.calibrating.scores(target)
        gain = np.empty(len(target))
        for (train, test), (learnt, checked) in zip(self.features.pairs, self.calibrating.pairs, strict=True):
            likelihood = _log_probability(tried[checked], target, learnt, checked, STRENGTHS).mean(1)
            strength = STRENGTHS[[int(np.argmax(likelihood))]]
            found = _log_probability(scores[test], target, train, test, strength)[0]
            gain[test] = (found - _log_shares(target, train)[target[test]]) / np.log(2)
        return gain


def of_confusion(confusion: np.ndarray) -> np.ndarray:
    """Return the mutual information of tables of counts, less its bias.

    The bias is that of sampling, (cells that are not empty - rows - columns + 1) / (2 N ln 2), but not below zero.

    Parameters
    ----------
    confusion : array of int of shape (..., n_classes, n_classes)
        How often each label (row) was taken for each (column).

    Returns
    -------
    array of shape (...)
        In bits; negative where there is less than chance gives on average.
    """
    count = np.asarray(confusion, dtype=float)
    total = count.sum((-2, -1))
    rows, columns = count.sum(-1), count.sum(-2)
    plugged = (_entropy(rows).sum(-1) + _entropy(columns).sum(-1) - _entropy(count).sum((-2, -1))) / total
    # The three sums are of n log n; what is left of their normalisation is log N.
    information = np.log2(total) - plugged
    filled = (count > 0).sum((-2, -1)) - (rows > 0).sum(-1) - (columns > 0).sum(-1) + 1
    return information - np.maximum(filled, 0) / (2 * total * np.log(2))


def _entropy(count):
    return count * np.log2(np.where(count > 0, count, 1))


def _log_shares(target, train):
    count = np.maximum(np.bincount(target[train], minlength=target.max() + 1), 0.5)
    return np.log(count / count.sum())


def _log_probability(scores, target, train, test, strengths):
    """Log probability of the labels of test trials (strength, trial)."""
    shares = _log_shares(target, train)
    # A label without training trials has no score; nothing can be told of it.
    there = np.isfinite(scores)
    odds = np.where(there, scores, np.where(there, scores, np.inf).min(1, keepdims=True))
    logits = shares + strengths[:, None, None] * (odds - shares)
    return (logits - logsumexp(logits, axis=2, keepdims=True))[:, np.arange(len(odds)), target[test]]
