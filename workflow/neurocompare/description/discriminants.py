"""Closed-form classifiers: nearest class mean and linear discriminants, fitted to many folds and many labellings.

Leaving one trial out changes the mean of one class only, so the nearest mean needs no loop over trials.
"""

import numpy as np


class NearestMean:
    """Assign each trial to the class whose mean, over training trials, is nearest.

    Parameters
    ----------
    values : array of shape (n_presentations, n_units)
        Responses.
    fold : array of int of shape (n_presentations,)
        Fold of each presentation; as many folds as presentations leave one out.
    standardise : bool
        Whether to z-score units with the training trials of each fold; units constant in them are ignored.
    angle : bool
        Whether the nearest mean is the one at the smallest angle, rather than at the smallest distance.
    """

    def __init__(self, values: np.ndarray, fold: np.ndarray, *, standardise: bool, angle: bool):
        # z-scores do not depend on the origin, and sums around the mean keep their digits.
        self.values = values - values.mean(0) if standardise else values
        self.fold, self.standardise, self.angle = fold, standardise, angle
        self.leave_one_out = fold.max() + 1 == len(fold)

    def predict(self, target: np.ndarray) -> np.ndarray:
        """Predict the labels of all presentations, each from the others' folds.

        Parameters
        ----------
        target : array of int of shape (n_presentations,)
            Labels 0, 1, …

        Returns
        -------
        array of int of shape (n_presentations,)
            Predicted labels.
        """
        x, members = self.values, np.eye(target.max() + 1)[target]
        if self.leave_one_out:
            centre, weight = self._others()
            nearness = self._nearness(x, centre, weight, members.T @ x / members.sum(0)[:, None])
            count = members.sum(0)[target]
            if count.min() < 2:
                raise ValueError("a class has one presentation only")
            own = x + (members @ (members.T @ x) - count[:, None] * x) / (count - 1)[:, None]
            nearness[np.arange(len(x)), target] = self._nearness_of_pairs(x, centre, weight, own)
            return nearness.argmax(1)
        predicted = np.empty_like(target)
        for k in range(self.fold.max() + 1):
            test = self.fold == k
            centre, weight = self._statistics(x[~test])
            means = members[~test].T @ x[~test] / members[~test].sum(0)[:, None]
            predicted[test] = self._nearness(x[test], centre, weight, means).argmax(1)
        return predicted

    def _statistics(self, train):
        """Origin and weight (1, unit) that z-score with training trials."""
        if not self.standardise:
            return np.zeros((1, train.shape[1])), np.ones((1, train.shape[1]))
        varies = np.ptp(train, axis=0) > 1e-12 * (1 + np.abs(train).max(0))
        return train.mean(0)[None], (varies / np.where(varies, train.var(0), 1))[None]

    def _others(self):
        """The same of all trials but one, for every one (trial, unit)."""
        x, n = self.values, len(self.values)
        if not self.standardise:
            return self._statistics(x)
        mean = (x.sum(0) - x) / (n - 1)
        variance = np.maximum((x**2).sum(0) - x**2, 0) / (n - 1) - mean**2
        # Exactly constant without this trial: the range of the others, from the two extremes on either side.
        ends = np.sort(x, axis=0)
        low = np.where(x == ends[0], ends[1], ends[0])
        high = np.where(x == ends[-1], ends[-2], ends[-1])
        varies = high - low > 1e-12 * (1 + np.maximum(np.abs(low), np.abs(high)))
        return mean, varies / np.where(varies, np.maximum(variance, 1e-300), 1)

    def _nearness(self, x, centre, weight, means):
        """How near trials are to means (trial, class); more is nearer."""
        deviation = x - centre
        inner = (weight * deviation) @ means.T - (weight * deviation * centre).sum(1)[:, None]
        norm = weight @ (means**2).T - 2 * (weight * centre) @ means.T + (weight * centre**2).sum(1)[:, None]
        return self._compared(inner, norm, (weight * deviation**2).sum(1)[:, None])

    def _nearness_of_pairs(self, x, centre, weight, means):
        deviation, direction = x - centre, means - centre
        inner, norm = (weight * deviation * direction).sum(1), (weight * direction**2).sum(1)
        return self._compared(inner, norm, (weight * deviation**2).sum(1))

    def _compared(self, inner, norm, length):
        if self.angle:
            return inner / np.sqrt(np.maximum(norm * length, 1e-300))
        return 2 * inner - norm


def shrinkage(residuals: np.ndarray, n_units: int) -> tuple[float, float]:
    """Return how far a covariance is to be shrunk to a multiple of the identity (Ledoit & Wolf 2004).

    J. Multivar. Anal. 88:365. All that enters is the same in any orthonormal basis of the residuals.

    Parameters
    ----------
    residuals : array of shape (n, n_dimensions)
        Deviations from the mean, perhaps in a basis of fewer dimensions than units.
    n_units : int
        Number of units.

    Returns
    -------
    weight : float
        Weight of the identity, from 0 to 1.
    scale : float
        Mean variance of the units.
    """
    n = len(residuals)
    lengths = (residuals**2).sum(1)
    scale = lengths.sum() / (n * n_units)
    if scale <= 0:
        return 1.0, 1.0
    squared = (residuals.T @ residuals) if residuals.shape[1] <= n else (residuals @ residuals.T)
    squared = (squared**2).sum() / n**2
    distance = squared - n_units * scale**2
    error = min((float((lengths**2).sum()) / n - squared) / n, distance)
    return (error / distance if distance > 0 else 1.0), scale


def discriminate(train: np.ndarray, labels: np.ndarray, test: np.ndarray, n_units: int) -> np.ndarray:
    """Predict labels by linear discriminants with a shrunk pooled covariance.

    Parameters
    ----------
    train : array of shape (n_train, n_dimensions)
        Training trials.
    labels : array of int of shape (n_train,)
        Their labels 0, 1, …, each at least once. Their shares are the prior.
    test : array of shape (n_test, n_dimensions)
        Trials to classify.
    n_units : int
        Number of units, which may exceed the dimensions if trials are expressed in their span.

    Returns
    -------
    array of int of shape (n_test,)
        Predicted labels.
    """
    return discriminant_scores(train, labels, test, n_units).argmax(1)


def discriminant_scores(train: np.ndarray, labels: np.ndarray, test: np.ndarray, n_units: int) -> np.ndarray:
    """Return log odds of all labels, but for one number per trial (n_test, n_classes), by the same discriminants."""
    counts = np.bincount(labels)
    members = np.eye(len(counts))[labels]
    means = members.T @ train / counts[:, None]
    residuals = train - means[labels]
    weight, scale = shrinkage(residuals, n_units)
    covariance = (1 - weight) / len(train) * (residuals.T @ residuals)
    # The smallest ridge keeps it invertible where nothing is to be shrunk.
    covariance[np.diag_indices(len(covariance))] += max(weight, 1e-10) * scale
    axes = np.linalg.solve(covariance, means.T)
    return test @ axes - (means.T * axes).sum(0) / 2 + np.log(counts / len(labels))
