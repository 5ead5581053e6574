"""Classifiers of many sub-populations, which share what they can.

Sub-populations of one resample are nested: the inner products of trials over N units are those over the first N/2 plus
those over the others, so that all sizes together cost one product of all units. In every fold, each sub-population is
expressed once in at most as many coordinates as there are training trials, for all classifiers and all labellings.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from neurocompare.prediction.categorical_decoders import coordinates, predict, scaled


def nested(values: np.ndarray, train: np.ndarray, order: np.ndarray, sizes: Sequence[int]) -> Iterator[tuple]:
    """Express nested sub-populations in few coordinates.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses, scaled already.
    train : array of bool of shape (n_trials,)
        Which trials are for training.
    order : array of int of shape (n_units,)
        Units, from the first that is taken to the last.
    sizes : sequence of int
        Numbers of units, rising.

    Yields
    ------
    train : array of shape (n_train, n_dimensions)
        Coordinates of training trials; the responses themselves where units are no more than training trials.
    test : array of shape (n_test, n_dimensions)
        Those of the other trials.
    """
    n_train = int(train.sum())
    gram, begun = np.zeros((len(values), n_train)), 0
    for size in sizes:
        if size <= n_train:
            some = values[:, order[:size]]
            yield some[train], some[~train]
            continue
        added = values[:, order[begun:size]]
        gram += added @ added[train].T
        begun = size
        yield coordinates(gram[train], gram[~train])


def sweep(
    values: np.ndarray,
    targets: np.ndarray,
    fold: np.ndarray,
    orders: np.ndarray,
    sizes: Sequence[int],
    classifiers: Sequence[Callable],
    *,
    rooted: bool,
) -> np.ndarray:
    """Classify held-out trials from sub-populations.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
        Responses; square roots of counts, or anything that is then z-scored with the training trials of each fold.
    targets : array of int of shape (n_labellings, n_trials)
        Labels 0, 1, … of trials: as they are, or shuffled. Each is in the training trials of every fold.
    fold : array of int of shape (n_trials,)
        Fold of each trial.
    orders : array of int of shape (n_resamples, n_units)
        Random orders of units.
    sizes : sequence of int
        Numbers of units, rising; the first of each order are taken.
    classifiers : sequence of callable
        Of `neurocompare.prediction.categorical_decoders`.
    rooted : bool
        Whether responses are square roots of counts.

    Returns
    -------
    array of int of shape (n_labellings, n_classifiers, n_sizes, n_resamples, n_trials)
        Predicted labels.
    """
    shape = (len(targets), len(classifiers), len(sizes), len(orders), len(values))
    predicted = np.empty(shape, dtype=np.int16)
    for k in np.unique(fold):
        train = fold != k
        prepared = scaled(values, train, rooted)
        for r, order in enumerate(orders):
            for s, (seen, held_out) in enumerate(nested(prepared, train, order, sizes)):
                penalty = 1.0 if rooted else float(sizes[s])
                for t, target in enumerate(targets):
                    for c, classifier in enumerate(classifiers):
                        found = predict(seen, target[train], held_out, classifier, sizes[s], penalty)
                        predicted[t, c, s, r, ~train] = found
    return predicted


def fewer_trials(
    values: np.ndarray,
    targets: np.ndarray,
    fold: np.ndarray,
    shares: Sequence[float],
    classifiers: Sequence[Callable],
    *,
    resamples: int,
    rooted: bool,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Classify held-out trials, having learned from some of the training trials, which scale the units as well.

    Parameters
    ----------
    values, targets, fold, classifiers, rooted
        As for `sweep`.
    shares : sequence of float
        Shares of the training trials of each label that are drawn, at least one trial of each.
    resamples : int
        Number of draws; one where the share is 1.
    rng : Generator
        The source of randomness.

    Returns
    -------
    predicted : array of int of shape (n_labellings, n_classifiers, n_shares, n_resamples, n_trials)
        Predicted labels; where all trials are taken, all resamples are the same.
    counts : array of int of shape (n_shares,)
        Smallest number of training trials of any fold and labelling.
    """
    shape = (len(targets), len(classifiers), len(shares), resamples, len(values))
    predicted = np.empty(shape, dtype=np.int16)
    counts = np.full(len(shares), len(values))
    n_units = values.shape[1]
    for k in np.unique(fold):
        test = np.flatnonzero(fold == k)
        train = np.flatnonzero(fold != k)
        for s, share in enumerate(shares):
            for r in range(resamples if share < 1 else 1):
                rank = rng.random(len(train))
                for t, target in enumerate(targets):
                    chosen = train[_drawn(target[train], rank, share)]
                    counts[s] = min(counts[s], len(chosen))
                    prepared = scaled(values, chosen, rooted)
                    seen, held_out = prepared[chosen], prepared[test]
                    if n_units > len(chosen):
                        seen, held_out = coordinates(seen @ seen.T, held_out @ seen.T)
                    for c, classifier in enumerate(classifiers):
                        penalty = 1.0 if rooted else float(n_units)
                        found = predict(seen, target[chosen], held_out, classifier, n_units, penalty)
                        # Where all trials are taken, one draw stands for all.
                        predicted[t, c, s, r if share < 1 else slice(None), test] = (
                            found if share < 1 else found[:, None]
                        )
    return predicted, counts


def _drawn(labels: np.ndarray, rank: np.ndarray, share: float) -> np.ndarray:
    """Places of a share of the trials of each label, those of lowest rank."""
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        some = max(1, round(share * len(members)))
        chosen.append(members[np.argsort(rank[members])[:some]])
    return np.sort(np.concatenate(chosen))
