"""Encoding of spike counts: Poisson regression with a log link from features to every neuron.

The rate of a neuron is exp(b + w·x); w has an L2 penalty, chosen for each neuron by inner folds as the one with the
least held-out Poisson deviance, and b has none. Predictions are expected counts, scored like those of the other
encoders. As the penalty does not depend on the axes of the features, their Gram matrix is enough.

With its best b, the likelihood of a neuron is that of the shares of its spikes that fall on each stimulus,
Σ yᵢ log softmax(Xw)ᵢ. So the unit of the responses does not matter: mean counts, their sums over equally many
repeats, and rates in spikes/s lead to the same predictions but for that unit (a quasi-Poisson model). Stimuli count
alike, however often each was shown. All neurons, folds by folds, are fitted together by conjugate gradients in the
principal components of the features, with a Newton search along each direction.

It is the slowest of the encoders: 39 shuffles of at most 25 neurons are refitted, so no p-value is below 0.025.
"""

import numpy as np
from scipy.special import logsumexp, rel_entr, softmax

from neurocompare.errors import UserError
from neurocompare.prediction.encoding import INNER_FOLDS, Encoder, Training
from neurocompare.prediction.held_out import centred, factor

MEASURES = ("poisson-folds=5",)

ALPHAS = np.logspace(-2, 3, 6)
"""Penalties tried, relative to the mean squared norm of the centred training features and the mean response."""

COUNTED = ("spike count", "firing rate", "unit activation")
"""Responses that are counts, or counts in another unit."""

TARGETS = 512
"""Neurons that are fitted at a time: bounds the memory."""

_MOST_STEPS = 500
_LINE_STEPS = 2
_LARGEST = 20.0  # The logarithm of a rate relative to the mean rate: no extrapolation overflows.


class Poisson(Encoder):
    """Poisson regression of every neuron on features; see `Encoder`."""

    word = "poisson"
    text = "Poisson regression from features to counts of neurons"
    invariances = "isotropic scale, permutation, orthogonal"
    permutations = 39
    null_units = 25

    def require_response(self, response: str) -> None:
        """See `Measure.require_response`; what is not counted has no Poisson noise."""
        if response not in COUNTED:
            raise self._refusal(f"the responses are {response}")

    def held_out(self, part: Training) -> np.ndarray:
        """See `Encoder.held_out`."""
        if self.steps.responses is not None:
            raise self._refusal(f"responses={self.steps.responses} makes other values of them")
        if part.responses.min() < 0:
            raise self._refusal("there are negative responses")
        return predict(part.within, part.across, part.responses) - part.responses.mean(0)

    def _refusal(self, why: str) -> UserError:
        instead = f"use ridge-folds={self.folds}"
        return UserError(f"measure '{self.name}' is for spike counts and rates, and {why}; {instead}")


def predict(within: np.ndarray, across: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Predict the responses of every neuron, with the penalty that inner folds prefer.

    Parameters
    ----------
    within : array of shape (n_train, n_train)
        Inner products of the centred training features.
    across : array of shape (n_test, n_train)
        Those of test features, centred by the training means, with training features.
    responses : array of shape (n_train, n_units)
        Training responses, not negative.

    Returns
    -------
    array of shape (n_test, n_units)
        Expected responses.
    """
    parts = range(0, responses.shape[1], TARGETS)
    return np.hstack([_predict(within, across, responses[:, k : k + TARGETS]) for k in parts])


def _predict(within, across, responses):
    n = len(within)
    losses = np.zeros((len(ALPHAS), responses.shape[1]))
    for held in np.array_split(np.arange(n), INNER_FOLDS):
        train = np.delete(np.arange(n), held)
        x, test = factor(*centred(within, train, held))
        penalties, weights = _penalties(x), None
        for k in reversed(range(len(ALPHAS))):
            # From the strongest penalty on: each solution is close to the next.
            weights = fit(x, responses[train], penalties[k], start=weights, tolerance=1e-9)
            rates = expected(x, test, responses[train], weights)
            losses[k] += deviance(responses[held], rates).sum(0)
    x, test = factor(within, across)
    # Of equal deviances, as of a neuron that does not vary, the strongest penalty.
    best = len(ALPHAS) - 1 - losses[::-1].argmin(0)
    return expected(x, test, responses, fit(x, responses, _penalties(x)[best]))


def _penalties(x):
    return ALPHAS * np.mean((x**2).sum(1)) / len(x)


def expected(x: np.ndarray, test: np.ndarray, responses: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return expected responses to other stimuli.

    Parameters
    ----------
    x : array of shape (n_train, n_dimensions)
        Training features.
    test : array of shape (n_test, n_dimensions)
        Test features, centred alike.
    responses : array of shape (n_train, n_units)
        Training responses: expected and observed sums over these agree, which sets the intercepts.
    weights : array of shape (n_dimensions, n_units)
        From `fit`.

    Returns
    -------
    array of shape (n_test, n_units)
        In the unit of the responses.
    """
    size = logsumexp(x @ weights, axis=0) - np.log(len(x))
    return responses.mean(0) * np.exp(np.minimum(test @ weights - size, _LARGEST))


def deviance(observed: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return the Poisson deviance of single responses.

    Parameters
    ----------
    observed : array of shape (...)
        Responses, not negative.
    rates : array of shape (...)
        Expected responses.

    Returns
    -------
    array of shape (...)
        2 (y log(y / μ) − y + μ); infinite where something was observed and nothing was expected.
    """
    return 2 * (rel_entr(observed, rates) - observed + rates)


def fit(
    x: np.ndarray, y: np.ndarray, penalty: np.ndarray, *, start: np.ndarray | None = None, tolerance: float = 1e-12
) -> np.ndarray:
    """Maximise the penalised likelihood of every neuron.

    The objective is log Σ exp(x w) − f x w + penalty ‖w‖² / 2 with f the shares of the spikes of a neuron: the
    negative log-likelihood for each spike, with the best intercept.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_dimensions)
        Centred features, in orthogonal dimensions.
    y : array of shape (n_stimuli, n_units)
        Responses, not negative.
    penalty : float or array of shape (n_units,)
        For each spike. The penalty of scikit-learn's ``PoissonRegressor``, over the mean response.
    start : array of shape (n_dimensions, n_units), optional
        Weights to start from; zero by default.
    tolerance : float
        How much a Newton step may still promise to lower the objective, which is of the order of one.

    Returns
    -------
    array of shape (n_dimensions, n_units)
        Weights; zero for a neuron that never responds.
    """
    n, m = len(x), y.shape[1]
    total = y.sum(0)
    share = np.where(total > 0, y / np.where(total > 0, total, 1), 1 / n)
    found = np.zeros((x.shape[1], m)) if start is None else start.copy()
    penalty = np.broadcast_to(penalty, (m,))
    # The second derivatives where all rates are equal.
    curvature = (x**2).sum(0)[:, None] / n + penalty
    mine, weights, logits = np.arange(m), found, x @ found
    direction, gradient, decrease = np.zeros_like(found), np.zeros_like(found), np.ones(m)
    for _ in range(_MOST_STEPS):
        p = softmax(logits, axis=0)
        before, gradient = gradient, x.T @ (p - share) + penalty * weights
        newton = gradient / curvature
        promised, decrease = decrease, (gradient * newton).sum(0)
        going = decrease > tolerance
        if not going.all():
            found[:, mine[~going]] = weights[:, ~going]
            if not going.any():
                return found
            # Neurons that have arrived are left behind.
            mine, share, penalty, curvature = _rest(going, mine, share, penalty, curvature)
            weights, logits, direction, before = _rest(going, weights, logits, direction, before)
            gradient, newton, promised, decrease = _rest(going, gradient, newton, promised, decrease)
        # Polak and Ribière's conjugate directions, reset where they do not descend.
        turn = np.maximum(((gradient - before) * newton).sum(0) / promised, 0)
        direction = turn * direction - newton
        direction = np.where((direction * gradient).sum(0) < 0, direction, -newton)
        along = x @ direction
        step = _line_search(logits, along, share, penalty, weights, direction)
        weights, logits = weights + step * direction, logits + step * along
    found[:, mine] = weights
    return found


def _rest(going, *arrays):
    return [array[..., going] for array in arrays]


def _line_search(logits, along, share, penalty, weights, direction):
    """Newton steps along a direction, kept between points where the slopes have different signs."""
    expected, inner, square = (share * along).sum(0), (weights * direction).sum(0), (direction**2).sum(0)
    step, low, high = (np.full(len(square), value) for value in (0.0, 0.0, np.inf))
    for _ in range(_LINE_STEPS):
        p = softmax(logits + step * along, axis=0)
        mean = (p * along).sum(0)
        slope = mean - expected + penalty * (inner + step * square)
        curvature = (p * along**2).sum(0) - mean**2 + penalty * square
        low, high = np.where(slope < 0, step, low), np.where(slope > 0, step, high)
        newton = step - slope / curvature
        outside = (newton >= high) | (newton <= low)
        step = np.where(outside & np.isfinite(high), (low + np.where(np.isfinite(high), high, 0)) / 2, newton)
    return step


MEASURE = Poisson
