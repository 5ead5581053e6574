"""Linear classifiers, each fitted to few coordinates of the training trials, and those coordinates.

Every classifier here only uses inner products of trials, so a population of more units than trials can be expressed in
as many coordinates as there are training trials: exactly, and once for all classifiers and labellings. That is what
`coordinates` makes of a matrix of inner products (Gram matrix).
"""

from collections.abc import Callable, Iterable

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from neurocompare.description.discriminants import shrinkage

FLOOR = 1e-10
"""Of the mean squared length of a trial, added to inner products so that they can be factored."""


def coordinates(within: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Express trials in coordinates that have the given inner products.

    Parameters
    ----------
    within : array of shape (n_train, n_train)
        Inner products of training trials.
    across : array of shape (n_test, n_train)
        Those of test trials with training trials.

    Returns
    -------
    train : array of shape (n_train, n_train)
        Coordinates of training trials, whose inner products are `within`.
    test : array of shape (n_test, n_train)
        Those of test trials, as far as they lie in the span of training trials; the rest changes no prediction.
    """
    train = np.linalg.cholesky(within + FLOOR * max(np.trace(within) / len(within), 1e-300) * np.eye(len(within)))
    return train, solve_triangular(train, across.T, lower=True).T


def nearest_mean(train: np.ndarray, labels: np.ndarray, n_units: int, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Fit the nearest class mean.

    All functions in `CLASSIFIERS` are of this form.

    Parameters
    ----------
    train : array of shape (n_train, n_dimensions)
        Training trials.
    labels : array of int of shape (n_train,)
        Their labels 0, 1, …, each at least once.
    n_units : int
        Number of units, which may exceed the dimensions.
    penalty : float
        Of the weights, for classifiers that have one.

    Returns
    -------
    weights : array of shape (n_dimensions, n_classes)
        A trial x belongs to the class with the largest ``x @ weights + bias``.
    bias : array of shape (n_classes,)
        See above.
    """
    means = _means(train, labels)
    return 2 * means.T, -(means**2).sum(1)


def nearest_angle(train, labels, n_units, penalty):
    """Fit the class mean at the smallest angle, seen from the origin."""
    means = _means(train, labels)
    return means.T / np.sqrt(np.maximum((means**2).sum(1), 1e-300)), np.zeros(len(means))


def lda(train, labels, n_units, penalty, shrink: float | None = None):
    """Fit linear discriminants; the covariance is shrunk after Ledoit & Wolf (2004), or by the weight `shrink`."""
    counts = np.bincount(labels)
    means = _means(train, labels)
    residuals = train - means[labels]
    weight, scale = shrinkage(residuals, n_units)
    weight = weight if shrink is None else shrink
    covariance = (1 - weight) / len(train) * (residuals.T @ residuals)
    covariance[np.diag_indices(len(covariance))] += max(weight, 1e-10) * scale
    axes = np.linalg.solve(covariance, means.T)
    return axes, np.log(counts / len(labels)) - (means.T * axes).sum(0) / 2


def ridge(train, labels, n_units, penalty, strength: float = 1.0):
    """Fit least squares to indicators of the classes.

    Squared weights count `strength` times the mean squared deviation of a trial from the mean trial.
    """
    centre = train.mean(0)
    deviations = train - centre
    members = np.eye(labels.max() + 1)[labels]
    gram = deviations.T @ deviations
    gram[np.diag_indices(len(gram))] += strength * max(np.trace(gram) / len(train), 1e-300)
    weights = np.linalg.solve(gram, deviations.T @ members)
    return weights, members.mean(0) - centre @ weights


def logistic(train, labels, n_units, penalty):
    """Fit multinomial logistic regression with half the `penalty` on squared weights."""
    # Newton's method is exact and fast until its Hessian, of side units x classes, gets large.
    small = train.shape[1] * (labels.max() + 1) <= 500
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky" if small else "lbfgs", max_iter=1000)
    return _two_columns(*_of(model.fit(train, labels)))


def svm(train, labels, n_units, penalty):
    """Fit support vector machines, each class against the rest, with half the `penalty` on squared weights."""
    classes = range(1, 2) if labels.max() == 1 else range(labels.max() + 1)
    gram = train @ train.T
    weights, bias = [], []
    for label in classes:
        model = SVC(kernel="precomputed", C=1 / penalty).fit(gram, labels == label)
        weights.append(model.dual_coef_[0] @ train[model.support_])
        bias.append(model.intercept_[0])
    return _two_columns(np.array(weights).T, np.array(bias))


CLASSIFIERS: dict[str, Callable] = {
    "logistic": logistic,
    "lda": lda,
    "svm": svm,
    "ridge": ridge,
    "nearest-mean": nearest_mean,
    "nearest-angle": nearest_angle,
}
ITERATED = ("logistic", "svm")
"""Classifiers without a closed form, which get fewer permutations."""


def unit_weights(train: np.ndarray, labels: np.ndarray, classifier: Callable, penalty: float):
    """Fit a classifier and express its weights by units, of which there may be more than trials.

    Parameters
    ----------
    train : array of shape (n_train, n_units)
        Training trials.
    labels : array of int of shape (n_train,)
        Their labels.
    classifier : callable
        Of the form of `nearest_mean`.
    penalty : float
        Of the weights.

    Returns
    -------
    weights : array of shape (n_units, n_classes)
        A trial x belongs to the class with the largest ``x @ weights + bias``.
    bias : array of shape (n_classes,)
        See above.
    """
    if train.shape[1] <= len(train):
        return classifier(train, labels, train.shape[1], penalty)
    gram = train @ train.T
    seen, _ = coordinates(gram, gram[:0])
    weights, bias = classifier(seen, labels, train.shape[1], penalty)
    return train.T @ solve_triangular(seen, weights, lower=True, trans="T"), bias


def predict(train, labels, test, classifier: Callable, n_units: int, penalty: float) -> np.ndarray:
    """Predict labels of test trials.

    Parameters
    ----------
    train : array of shape (n_train, n_dimensions)
        Training trials.
    labels : array of int of shape (n_train,)
        Their labels.
    test : array of shape (..., n_dimensions)
        Test trials.
    classifier : callable
        Of the form of `nearest_mean`.
    n_units : int
        Number of units.
    penalty : float
        Of the weights.

    Returns
    -------
    array of int of shape (...)
        Predicted labels.
    """
    weights, bias = classifier(train, labels, n_units, penalty)
    return (test @ weights + bias).argmax(-1)


def scaled(values: np.ndarray, train: np.ndarray, rooted: bool) -> np.ndarray:
    """Z-score units with training trials, unless responses are square roots of counts already.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses.
    train : array of bool or int of shape (n_trials,) or (n_train,)
        Which of them are for training.
    rooted : bool
        Whether they are square roots, whose variance is even enough.

    Returns
    -------
    array of shape (n_trials, n_units)
        Responses; zero where a unit is constant in the training trials.
    """
    if rooted:
        return values
    mean, weight = scaling(values[train])
    return (values - mean) * weight


def scaling(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (unit) of training trials and one over their deviation, zero for constant units."""
    mean, deviation = train.mean(0), train.std(0)
    varies = deviation > 1e-12 * (1 + np.abs(mean))
    return mean, varies / np.where(varies, deviation, 1)


def known(names: Iterable[str]) -> dict[str, Callable]:
    """Return the classifiers of these names."""
    return {name: CLASSIFIERS[name] for name in names}


def _means(train, labels):
    members = np.eye(labels.max() + 1)[labels]
    return members.T @ train / members.sum(0)[:, None]


def _of(model):
    return model.coef_.T, model.intercept_


def _two_columns(weights, bias):
    """Give the first of two classes a column of its own, of zeros."""
    if weights.shape[1] > 1:
        return weights, bias
    return np.hstack([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
