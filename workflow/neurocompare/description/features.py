"""Training and test trials of every fold, prepared once for the classifiers of many labellings."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from neurocompare.description.discriminants import discriminant_scores
from neurocompare.prediction.categorical_decoders import svm

PENALTIES = np.logspace(4, -4, 10)
"""Of squared weights, that inner folds of training trials choose from; of equally good ones the largest."""

INNER = 5
"""Inner folds."""


class Features:
    """Multinomial logistic regression on prepared trials.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses.
    pairs : sequence of (train, test), arrays of bool of shape (n_trials,)
        What to learn from and what to predict; no trial is predicted twice.
    rooted : bool
        Whether responses enter as square roots, rather than z-scored with the training trials.
    """

    def __init__(self, values: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]], *, rooted: bool):
        self.values, self.pairs, self.rooted = values, pairs, rooted
        self.n_units = values.shape[1]
        # The spread of the log odds under the prior shall not grow with the number of z-scored units.
        self.penalty = 1.0 if rooted else float(self.n_units)
        self.parts = []
        for train, test in pairs:
            seen, held_out = values[train], values[test]
            seen, held_out = (np.sqrt(seen), np.sqrt(held_out)) if rooted else _zscored(seen, held_out)
            self.parts.append((train, test, *rotated(seen, held_out)))

    def scores(self, target: np.ndarray) -> np.ndarray:
        """Score all labels, each trial by decoders that did not see its fold.

        Parameters
        ----------
        target : array of int of shape (n_trials,)
            Labels 0, 1, …

        Returns
        -------
        array of shape (n_trials, n_classes)
            Log odds of the labels but for one number per trial, or how far a trial is inside the margin of each;
            -inf of a label without training trials, NaN of trials that are not to be predicted.
        """
        found = np.full((len(target), target.max() + 1), np.nan)
        for train, test, seen, held_out in self.parts:
            classes, labels = np.unique(target[train], return_inverse=True)
            part = np.full((test.sum(), found.shape[1]), -np.inf)
            part[:, classes] = self._scored(seen, labels, held_out)
            found[test] = part
        return found

    def predict(self, target: np.ndarray) -> np.ndarray:
        """Predicted labels of all presentations, each from decoders that did not see its fold."""
        return self.scores(target).argmax(1)

    def decide(self, target: np.ndarray) -> np.ndarray:
        """Log odds of label 1 against label 0, likewise."""
        return self.scores(target)[:, 1]

    def _scored(self, train, labels, test):
        return _log_odds(train, labels, test, self.penalty)


class Nested(Features):
    """Logistic regression whose penalty is that of the most correct predictions in folds of the training trials."""

    def _scored(self, train, labels, test):
        penalty = self.penalty
        folds = min(INNER, np.bincount(labels).min())
        if folds > 1:
            correct = np.zeros(len(PENALTIES))
            for learnt, checked in StratifiedKFold(folds).split(train, labels):
                for i, tried in enumerate(PENALTIES):
                    odds = _log_odds(train[learnt], labels[learnt], train[checked], tried)
                    correct[i] += (odds.argmax(1) == labels[checked]).sum()
            penalty = PENALTIES[correct.argmax()]
        return _log_odds(train, labels, test, penalty)


class Discriminants(Features):
    """Linear discriminants with shrunk covariance, likewise."""

    def _scored(self, train, labels, test):
        return discriminant_scores(train, labels, test, self.n_units)


class Machines(Features):
    """Linear support vector machines, each label against the rest, likewise."""

    def _scored(self, train, labels, test):
        weights, bias = svm(train, labels, self.n_units, self.penalty)
        return test @ weights + bias


def outer(fold: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for every fold the trials to learn from and those to predict, arrays of bool of shape (n_trials,)."""
    for k in range(fold.max() + 1):
        yield fold != k, fold == k


def inner(fold: np.ndarray, target: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for every fold how to split its training trials once more: the next fold is predicted from the rest.

    Of two folds, every second trial of each label in the other one.
    """
    last = fold.max()
    for k in range(last + 1):
        train = fold != k
        if last > 1:
            test = fold == (k + 1) % (last + 1)
        else:
            test = np.zeros_like(train)
            for label in np.unique(target[train]):
                test[np.flatnonzero(train & (target == label))[1::2]] = True
        yield train & ~test, test


def rotated(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Express more units than trials in the span of the training trials, which changes no prediction."""
    if train.shape[1] <= train.shape[0]:
        return train, test
    basis = np.linalg.qr(train.T)[0]
    return train @ basis, test @ basis


def _log_odds(train: np.ndarray, labels: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    """Log odds (test trial, label) but for one number per trial, by logistic regression."""
    # Newton's method is exact and fast until its Hessian, of side units x classes, gets large.
    small = train.shape[1] * (labels.max() + 1) <= 500
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky" if small else "lbfgs", max_iter=1000)
    decision = model.fit(train, labels).decision_function(test)
    return decision if decision.ndim == 2 else np.stack([np.zeros_like(decision), decision], axis=1)


def _zscored(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = train.mean(0), train.std(0)
    varies = deviation > 1e-12 * (1 + np.abs(mean))
    return (train[:, varies] - mean[varies]) / deviation[varies], (test[:, varies] - mean[varies]) / deviation[varies]
