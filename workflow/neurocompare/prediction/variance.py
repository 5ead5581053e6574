"""Who explains what: the variance that several bands of features explain, shared out between them.

Both ways start from predictions of left-out samples by `prediction.banded`:

product measure
    Σ (2 y ŷ_b − ŷ_b ŷ) / Σ y², which sums to R² over the bands (Hoffman 1960; Pratt 1987);
unique contribution
    R² of all bands minus R² of a model without the band. Bands that say the same have none, and what no
    band has for itself is *shared*. It is what a band adds at this number of samples: of a band with more
    features than samples can settle, a small one that repeats its useful part adds much, though it says
    nothing new. Only with more samples does that vanish.

Everything is linear in sums over samples, so a resample is one product of matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurocompare.prediction.banded import SEARCH, Band, Fitted, Fold, fit, weightings


@dataclass(frozen=True, eq=False)
class Partition:
    """What is explained of every sample and unit; sums over samples, divided by those of `size`, are shares.

    Attributes
    ----------
    full : Fitted
        The model of all bands.
    without : tuple of arrays of shape (n_samples, n_units)
        Predictions of the models without each band.
    size : array of shape (n_samples, n_units)
        Squared deviations of the responses from their mean.
    total : array of shape (n_samples, n_units)
        For R² of all bands.
    product, unique : arrays of shape (n_bands, n_samples, n_units)
        For the product measure and the unique contribution of each band.
    """

    full: Fitted
    without: tuple[np.ndarray, ...]
    size: np.ndarray
    total: np.ndarray
    product: np.ndarray
    unique: np.ndarray


def partition(
    bands: dict[str, Band], responses: np.ndarray, folds: Sequence[Fold], *, seed: int, search: int = SEARCH
) -> Partition:
    """Explain responses by all bands, and by all but each.

    Parameters
    ----------
    bands : dict of str to Band
        Features by name.
    responses : array of shape (n_samples, n_units)
        What is to be explained.
    folds : sequence of Fold
        Together they test every sample once.
    seed : int
        Seed of the weightings.
    search : int
        How many weightings are drawn.

    Returns
    -------
    Partition
        What is explained.
    """
    features = list(bands.values())
    full = fit(features, responses, folds, weightings(len(features), search, seed))
    without = tuple(_without(features, k, responses, folds, seed, search) for k in range(len(features)))
    return Partition(full, without, *_contributions(full.parts, without, responses))


def null(
    bands: dict[str, Band],
    responses: np.ndarray,
    found: Partition,
    folds: Sequence[Fold],
    orders: Sequence[np.ndarray],
    units: np.ndarray,
    *,
    seed: int,
    search: int = SEARCH,
) -> dict[str, np.ndarray]:
    """Refit responses in which a band has nothing to say that the others do not.

    What the others do not explain is put in another order and added to what they explain (Freedman & Lane
    1983, J. Bus. Econ. Stat. 1:292); for all bands together the responses themselves are.

    Parameters
    ----------
    bands, responses, folds, seed, search
        As for `partition`.
    found : Partition
        What `partition` returned for them.
    orders : sequence of arrays of int of shape (n_orders, n_samples)
        Which sample takes the place of each: for all bands together, then for each band.
    units : array of int of shape (n_some,)
        The units that are refitted.

    Returns
    -------
    dict of str to array
        Shares under the null: ``total`` (n_orders, n_some), and ``product`` and ``unique`` (n_orders, n_bands,
        n_some).
    """
    features, responses = list(bands.values()), responses[:, units]
    tried = weightings(len(features), search, seed)

    def refitted(known, shuffles, band=None):
        targets = np.concatenate([known + (responses - known)[order] for order in shuffles], axis=1)
        full = fit(features, targets, folds, tried)
        without = () if band is None else (_without(features, band, targets, folds, seed, search),)
        size, total, product, unique = _contributions(full.parts, without, targets)
        shape = len(shuffles), responses.shape[1]
        if band is None:
            return share(total, size).reshape(shape), None
        return share(product[band], size).reshape(shape), share(unique[0], size).reshape(shape)

    total, _ = refitted(np.zeros_like(responses), orders[0])
    by_band = [refitted(found.without[k][:, units], orders[1 + k], k) for k in range(len(features))]
    product, unique = (np.stack(shares, axis=1) for shares in zip(*by_band, strict=True))
    return {"total": total, "product": product, "unique": unique}


def share(contributions: np.ndarray, size: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Sum what is explained, relative to what there is to explain.

    Parameters
    ----------
    contributions, size : arrays of shape (n_samples, n_units)
        From a `Partition`, perhaps summed over the samples of what is resampled together.
    weights : array of shape (n_draws, n_samples), optional
        How often each sample is in each resample.

    Returns
    -------
    array of shape (n_units,) or (n_draws, n_units)
        NaN where there is nothing to explain: `size` sums to no more than rounding, or to less than zero.
    """
    if weights is None:
        weights = np.ones((1, len(size)))
        return share(contributions, size, weights)[0]
    explained, everything = weights @ contributions, weights @ size
    floor = 1e-12 * np.abs(size).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(everything > floor, explained / everything, np.nan)


def _without(features, k, responses, folds, seed, search) -> np.ndarray:
    """Predictions of a model without one band; of no model at all if it is the only one."""
    others = [band for j, band in enumerate(features) if j != k]
    if not others:
        return np.zeros_like(responses)
    return fit(others, responses, folds, weightings(len(others), search, seed)).parts.sum(0)


def _contributions(parts, without, responses):
    """What `Partition` holds, from predictions."""
    y = responses - responses.mean(0)
    predicted = parts.sum(0)
    # Of a unit that never changes, only rounding would be left.
    size = y**2 * ((y**2).sum(0) > 1e-24 * (responses**2).sum(0))
    total = 2 * y * predicted - predicted**2
    product = 2 * y * parts - parts * predicted
    unique = np.array([(y - other) ** 2 - (y - predicted) ** 2 for other in without])
    return size, total, product, unique
