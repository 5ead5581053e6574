"""Encoding: ridge regression from the features of a layer to every neuron.

The kernel form is used throughout, so a layer is needed only through its Gram matrix. Inside each fold the penalty of
every neuron is chosen by an inner cross-validation (himalaya, Dupré la Tour et al. 2022, NeuroImage 264:119728).
"""

import warnings

import numpy as np

from neurocompare.prediction.encoding import ALPHAS, INNER_FOLDS, Encoder, Training

MEASURES = (
    "ridge-folds=5",
    "ridge-folds=10",
    "ridge-folds=5-split=consecutive",
    "ridge-folds=5-score=r2",
    "ridge-folds=5-score=feve",
    "ridge-folds=5-score=ccnorm",
    "ridge-folds=5-score=r2er",
)

_BATCH, _ALPHAS_BATCH = 4096, 4
"""Neurons and penalties that are fitted at once: bound the memory."""


class Ridge(Encoder):
    """Ridge regression from features to every neuron; see `encoding.Encoder` for the options."""

    word = "ridge"
    text = "ridge from features to neurons"

    def held_out(self, part: Training) -> np.ndarray:
        """See `Encoder.held_out`."""
        return predict(part.within, part.across, part.responses)


def predict(
    within: np.ndarray, across: np.ndarray, responses: np.ndarray, alphas: np.ndarray = ALPHAS, folds: int = INNER_FOLDS
) -> np.ndarray:
    """Fit neurons on training stimuli, each with a penalty of its own, and predict test stimuli.

    Parameters
    ----------
    within, across : arrays of shape (n_train, n_train) and (n_test, n_train)
        Inner products of the features, centred by the training mean.
    responses : array of shape (n_train, n_units)
        Training responses.
    alphas : array of shape (n_penalties,)
        Penalties tried, relative to the mean squared norm of the training features.
    folds : int
        Number of inner folds.

    Returns
    -------
    array of shape (n_test, n_units)
        Predictions, as differences from the mean training response.
    """
    scale = np.trace(within) / len(within)
    centred = responses - responses.mean(0)
    # Unit variance: the solver breaks near-ties between penalties by an absolute margin.
    size = centred.std(0)
    size[size == 0] = 1
    dual, _ = solve(within / scale, centred / size, alphas, folds)
    return (across / scale) @ dual * size


def solve(kernel: np.ndarray, targets: np.ndarray, alphas: np.ndarray, folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the weights of stimuli, with the penalty of each neuron that has the least error in inner folds.

    Parameters
    ----------
    kernel : array of shape (n_train, n_train)
        Inner products of centred features.
    targets : array of shape (n_train, n_units)
        Centred responses of unit variance.
    alphas : array of shape (n_penalties,)
        Penalties tried, which are added to the diagonal of `kernel`.
    folds : int
        Number of inner folds, of neighbouring rows.

    Returns
    -------
    dual : array of shape (n_train, n_units)
        Weights: the inner products of a stimulus with the training stimuli, times these, are its prediction.
    penalties : array of shape (n_units,)
        The chosen penalties.
    """
    from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues

    with warnings.catch_warnings():
        # The grid is wide on purpose: its ends stand for no penalty and for no prediction.
        warnings.filterwarnings("ignore", module="himalaya")
        penalties, dual, _ = solve_kernel_ridge_cv_eigenvalues(
            kernel,
            targets,
            alphas=alphas,
            cv=folds,
            fit_intercept=False,
            n_targets_batch=_BATCH,
            n_targets_batch_refit=_BATCH,
            n_alphas_batch=_ALPHAS_BATCH,
        )
    return np.asarray(dual), np.asarray(penalties)


MEASURE = Ridge
