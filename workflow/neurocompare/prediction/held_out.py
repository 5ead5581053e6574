"""Small tools of encoding models: inner products centred inside of folds, and correlations of held-out predictions."""

import warnings
from dataclasses import dataclass

import numpy as np

from neurocompare.prediction.unit_scores import reliability
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import Trials


@dataclass(frozen=True, eq=False)
class Predictions:
    """Held-out predictions of all stimuli.

    Attributes
    ----------
    change : array of shape (n_stimuli, n_units)
        Differences from the mean of the training responses. Correlations are taken of these: the mean itself says
        nothing about a stimulus, and as it is lowest where the left-out responses are highest, it would make the
        predictions of useless features correlate negatively with the responses.
    baseline : array of shape (n_stimuli, n_units)
        That mean.
    """

    change: np.ndarray
    baseline: np.ndarray

    def of(self, units: np.ndarray | slice) -> "Predictions":
        """Keep some units."""
        return Predictions(self.change[:, units], self.baseline[:, units])


def gated(grams: Grams, least: float) -> tuple[Grams, np.ndarray]:
    """Keep the units that are reliable in one half of the trials, and the other half of the trials.

    If the trials that decide were scored too, noise that happened to agree with itself would be chosen.

    Parameters
    ----------
    grams : Grams
        Representations with trials.
    least : float
        The least reliability of the mean of the deciding trials, a share of variance.

    Returns
    -------
    grams : Grams
        Of the reliable units, with the trials that did not decide.
    dropped : array of int of shape (n_representations,)
        Numbers of units left out.
    """
    kept, dropped = [], []
    for trials in grams.trials:
        decides = _every_other(trials)
        reliable = reliability(by_repeat(trials.part(decides))) >= least
        scored = trials.part(~decides)
        kept.append(scored.with_values(scored.values[:, reliable]))
        dropped.append((~reliable).sum())
    return Grams.of_trials(kept), np.array(dropped)


def _every_other(trials: Trials) -> np.ndarray:
    """Every other fold of the trials, a block where each half then has two trials of every stimulus; else a repeat."""
    order, number = _repeats(trials)
    repeat = np.empty(len(order), dtype=int)
    repeat[order] = number
    for fold in (trials.folds(), repeat):
        chosen = fold % 2 == 1
        if min(trials.counts(chosen).min(), trials.counts(~chosen).min()) >= 2:
            return chosen
    return repeat % 2 == 1


def _repeats(trials: Trials) -> tuple[np.ndarray, np.ndarray]:
    """Trials sorted by stimulus, and which repeat of it each of these is: of whole repeats in a block, that block."""
    counts = trials.counts()
    order = np.lexsort((trials.block, trials.stimulus))
    return order, np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)


def by_repeat(trials: Trials) -> np.ndarray:
    """Sort single trials by stimulus.

    Parameters
    ----------
    trials : Trials
        Single trials.

    Returns
    -------
    array of shape (n_repeats, n_stimuli, n_units)
        NaN where a stimulus was shown less often than others.
    """
    order, repeat = _repeats(trials)
    found = np.full((repeat.max() + 1, trials.n_stimuli, trials.values.shape[1]), np.nan)
    found[repeat, trials.stimulus[order]] = trials.values[order]
    return found


def centred(gram: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre inner products by the mean of the training stimuli.

    Parameters
    ----------
    gram : array of shape (n, n)
        Inner products.
    train, test : arrays of int of shape (n_train,) and (n_test,)
        Which stimuli.

    Returns
    -------
    within, across : arrays of shape (n_train, n_train) and (n_test, n_train)
        Inner products of training stimuli, and of test with training stimuli.
    """
    within, across = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
    column = within.mean(0)
    across = across - across.mean(1, keepdims=True) - column + column.mean()
    return within - column - column[:, None] + column.mean(), across


def factor(within: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find features that have these inner products: enough for whatever a rotation of features does not change.

    Parameters
    ----------
    within : array of shape (n_train, n_train)
        Inner products of centred training features.
    across : array of shape (n_test, n_train)
        Those of test features with them.

    Returns
    -------
    train, test : arrays of shape (n_train, n_dimensions) and (n_test, n_dimensions)
        ``train @ train.T`` is `within`, and ``test @ train.T`` is `across`; what test features have beside the
        span of the training features is left out, as nothing is fitted to it.
    """
    values, vectors = np.linalg.eigh(within)
    kept = values > 1e-12 * max(values[-1], 0)
    size = np.sqrt(values[kept])
    return vectors[:, kept] * size, across @ vectors[:, kept] / size


def correlation(predicted: np.ndarray, observed: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Correlate predictions and responses over stimuli or resamples of them, for every unit.

    Parameters
    ----------
    predicted : array of shape (n_stimuli, n_units)
        Predictions.
    observed : array of shape (n_stimuli, n_units)
        Responses.
    weights : array of shape (n_samples, n_stimuli), optional
        How often each stimulus is in each resample.

    Returns
    -------
    array of shape (n_units,) or (n_samples, n_units)
        NaN for a unit that does not vary.
    """
    share = np.ones((1, len(predicted))) if weights is None else weights
    share = share / np.maximum(share.sum(1, keepdims=True), 1)
    # The correlation ignores the mean; taking it off first keeps digits in the weighted moments.
    p, o = predicted - predicted.mean(0), observed - observed.mean(0)
    mean_p, mean_o = share @ p, share @ o
    var_p, var_o = share @ p**2 - mean_p**2, share @ o**2 - mean_o**2
    floor_p, floor_o = 1e-12 * (predicted**2).mean(0), 1e-12 * (observed**2).mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (share @ (p * o) - mean_p * mean_o) / np.sqrt(var_p * var_o)
    r = np.where((var_p > floor_p) & (var_o > floor_o), r, np.nan)
    return r[0] if weights is None else r


def median(r: np.ndarray) -> np.ndarray:
    """Median over the last axis, of what is defined; NaN if nothing is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice|Mean of empty slice")
        return np.nanmedian(r, axis=-1)
