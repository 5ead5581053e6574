"""What noise correlations do to a classifier: trials of the same stimulus are shuffled, each unit by itself.

That keeps the tuning and the variance of every unit. A decoder that learned from shuffled trials, and is tested on
intact ones, ignores correlations; what it loses is what there is to gain from knowing them (Averbeck, Latham &
Pouget 2006, Nat. Rev. Neurosci. 7:358). If test trials are shuffled, too, it is the accuracy of a population without
correlations. Training and test trials are shuffled apart. Of m test trials of a stimulus in a fold, a fraction 1/m of
their covariance survives, that of their mean.
"""

import numpy as np

from neurocompare.prediction.categorical_decoders import CLASSIFIERS, coordinates, predict, scaled

SHUFFLES = 10
CONDITIONS = ("shuffled-train", "shuffled")


def shuffled_hits(
    values: np.ndarray,
    target: np.ndarray,
    cell: np.ndarray,
    fold: np.ndarray,
    classifier: str,
    rng: np.random.Generator,
    *,
    rooted: bool,
    shuffles: int = SHUFFLES,
) -> tuple[np.ndarray, np.ndarray]:
    """Classify trials without noise correlations.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses, as square roots if `rooted`.
    target : array of int of shape (n_trials,)
        Labels 0, 1, …
    cell : array of int of shape (n_trials,)
        Stimuli of each label, within which trials are shuffled.
    fold : array of int of shape (n_trials,)
        Fold of each trial.
    classifier : str
        A key of `neurocompare.prediction.categorical_decoders.CLASSIFIERS`.
    rng : Generator
        The source of randomness.
    rooted : bool
        Whether responses are square roots; others are z-scored with training trials.
    shuffles : int
        How often.

    Returns
    -------
    hits : array of shape (2, n_trials)
        Fraction of shuffles in which each trial was told right: training trials shuffled, and all trials shuffled
        (there, a trial stands for one of its stimulus and fold that has responses of several).
    one : array of shape (2, n_trials)
        What an interval over trials is to be made of: the same, but of all trials shuffled that of one shuffle only.
        The mean over shuffles of what stands for a trial hardly varies, though there are no more trials.
    """
    hits, last = np.zeros((2, len(target))), np.zeros(len(target))
    n_units = values.shape[1]
    penalty = 1.0 if rooted else float(n_units)
    for k in np.unique(fold):
        train, test = fold != k, fold == k
        prepared = scaled(values, train, rooted)
        for _ in range(shuffles):
            seen = without_correlations(prepared[train], cell[train], rng)
            held_out = np.stack([prepared[test], without_correlations(prepared[test], cell[test], rng)])
            if n_units > len(seen):
                across = held_out.reshape(-1, n_units) @ seen.T
                seen, held_out = coordinates(seen @ seen.T, across)
                held_out = held_out.reshape(2, test.sum(), -1)
            found = predict(seen, target[train], held_out, CLASSIFIERS[classifier], n_units, penalty)
            hits[:, test] += found == target[test]
            last[test] = found[1] == target[test]
    hits /= shuffles
    return hits, np.stack([hits[0], last])


def without_correlations(values: np.ndarray, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the trials of each stimulus, independently for every unit.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses.
    cell : array of int of shape (n_trials,)
        Labels, or stimuli where a label has several: what these differ by is no noise.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape (n_trials, n_units)
        Each column holds what it held, at trials of the same cell.
    """
    shuffled = np.empty_like(values)
    for label in np.unique(cell):
        mine = cell == label
        shuffled[mine] = rng.permuted(values[mine], axis=0)
    return shuffled
