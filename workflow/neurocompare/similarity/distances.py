"""Representational dissimilarity matrices (RDMs).

All distances are as in Kriegeskorte et al. 2008 (Front. Syst. Neurosci. 2:4), Nili et al. 2014 (PLoS
Comput. Biol. 10:e1003553) and Schütt et al. 2023 (eLife 12:e82566). They are squared, and divided by the
number of units, so that representations of different size are on one scale.
"""

import numpy as np
from scipy.linalg.blas import dsyrk, ssyrk

from neurocompare.errors import UserError, unknown
from neurocompare.similarity import crossvalidated
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.noise import grouped
from neurocompare.similarity.trials import Trials

PLAIN = ("correlation", "cosine", "euclidean")
"""Distances that need nothing but the Gram matrix."""

NOISELESS = {"crossnobis": "euclidean", "mahalanobis": "euclidean", "poisson-kl-cv": "poisson-kl"}
"""What takes the place of a distance where there are no trials, as in a network: it has no noise to correct for."""

DISTANCES = (*PLAIN, "crossnobis", "mahalanobis", "poisson-kl", "poisson-kl-cv")

_CONSTANT = "a stimulus evokes the same value in all units: its pattern has no correlation or cosine"


def from_grams(grams: Grams, distance: str, noise: str = "full") -> np.ndarray:
    """Return the RDMs of representations.

    Parameters
    ----------
    grams : Grams
        The representations.
    distance : str
        ``correlation``: one minus the Pearson correlation over units; ``cosine``: one minus the cosine;
        ``euclidean``: the squared Euclidean distance per unit; ``poisson-kl``: `crossvalidated.plain_poisson_kl`
        of the mean responses. From single trials: ``crossnobis``, ``mahalanobis`` and ``poisson-kl-cv`` (the
        functions of these names in `crossvalidated`); representations without trials have no noise, and get
        what `NOISELESS` says.
    noise : {"full", "diagonal", "none"}
        What ``crossnobis`` and ``mahalanobis`` whiten by.

    Returns
    -------
    array of shape (n_representations, n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal; cross-validated distances can be negative.

    Raises
    ------
    UserError
        If the distance does not exist, or is undefined because a stimulus evokes a constant pattern, trials
        are too few, or a response is negative.
    """
    if grams.trials is None:
        distance = NOISELESS.get(distance, distance)
    if distance == "poisson-kl":
        if grams.units is None:
            raise UserError("distance=poisson-kl needs the responses of single units, not only their Gram matrix")
        return np.stack([crossvalidated.plain_poisson_kl(x) for x in grams.units])
    if distance == "poisson-kl-cv":
        return np.stack([crossvalidated.poisson_kl(trials) for trials in grams.trials])
    if distance in NOISELESS:
        of_trials = getattr(crossvalidated, distance)
        return np.stack([of_trials(trials, noise) for trials in grams.trials])
    gram, units = grams.gram, grams.n_units[:, None, None]
    if distance == "correlation":
        if grams.n_units.min() < 2:
            raise UserError("the correlation distance needs at least two units")
        product = grams.row_sum[:, :, None] * grams.row_sum[:, None, :]
        rdms = _angular(gram - product / units, gram)
    elif distance == "cosine":
        rdms = _angular(gram, gram)
    elif distance == "euclidean":
        # Centring the stimuli changes no distance and keeps digits where units have large offsets.
        centred = gram - gram.mean(1, keepdims=True)
        centred -= centred.mean(2, keepdims=True)
        rdms = _without_rounding(_square_sums(centred) - 2 * centred, _square_sums(gram)) / units
    else:
        raise unknown("distance", distance, DISTANCES)
    # Rounding leaves traces of asymmetry and of self-distance, which rank comparisons would see.
    rdms = (rdms + rdms.transpose(0, 2, 1)) / 2
    rdms[:, np.arange(rdms.shape[1]), np.arange(rdms.shape[1])] = 0
    return rdms


def require_response(distance: str, response: str) -> None:
    """Refuse a distance for what a recording measures.

    Parameters
    ----------
    distance : str
        One of `DISTANCES`.
    response : str
        What a value is, as in the attribute ``response`` of a representation.

    Raises
    ------
    UserError
        If the distance is for counts and rates, and this is neither.
    """
    if distance.startswith("poisson") and response not in ("spike count", "firing rate", "unit activation"):
        raise UserError(
            f"distance={distance} is for spike counts and rates, and the responses are {response}; "
            "use distance=crossnobis or distance=correlation"
        )


def over_time(
    values: np.ndarray,
    distance: str = "correlation",
    *,
    stimulus: np.ndarray | None = None,
    block: np.ndarray | None = None,
    noise: str = "full",
) -> np.ndarray:
    """Return an RDM for each time bin.

    Parameters
    ----------
    values : array of shape (n_trials, n_times, n_units)
        Responses.
    distance : str
        As in `from_grams`; noise covariances are estimated for each bin by itself.
    stimulus : array of shape (n_trials,), optional
        The stimulus of each trial, over whose trials responses are averaged; by default every trial is a
        stimulus, without noise.
    block : array of int of shape (n_trials,), optional
        What a fold must not split; by default folds are repeats.
    noise : {"full", "diagonal", "none"}
        As in `from_grams`.

    Returns
    -------
    array of shape (n_times, n_stimuli, n_stimuli)
        Stimuli in the order of their sorted labels.

    Raises
    ------
    UserError
        As `from_grams`, or if the array has other dimensions or holds NaN or infinite values.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 3 or 0 in values.shape:
        raise UserError(f"values: expected an array of shape (n_trials, n_times, n_units), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise UserError("values: hold NaN or infinite values; drop those units or trials first")
    if stimulus is None:
        return from_grams(Grams.of(values.transpose(1, 0, 2)), distance, noise)
    labels, shown, counts = np.unique(stimulus, return_inverse=True, return_counts=True)
    if len(shown) != len(values):
        raise UserError(f"stimulus: {len(shown)} labels for {len(values)} trials; give one for each trial")
    if distance in NOISELESS:
        block = np.zeros(len(values), dtype=int) if block is None else np.asarray(block)
        bins = [Trials(values[:, t], shown, block, len(labels)) for t in range(values.shape[1])]
        return from_grams(Grams.of_trials(bins), distance, noise)
    means = grouped(shown, len(labels)) @ values.reshape(len(values), -1) / counts[:, None]
    return from_grams(Grams.of(means.reshape(len(labels), *values.shape[1:]).transpose(1, 0, 2)), distance, noise)


def rdm_of(x: np.ndarray, distance: str = "correlation", *, block: int = 512) -> np.ndarray:
    """Return the RDM of one large representation, in its own precision and in little memory.

    Units come in blocks, each one update of the Gram matrix that computes half of it (BLAS ``syrk``).
    Before that, the mean over stimuli is taken off every unit, and for the correlation the mean over units
    off every stimulus, so that offsets cost no digits. What the former changes in a correlation or a cosine
    is put right with numbers of the size of n: with s the norm of a pattern and c what was taken off,
    1 − cos = (‖yᵢ − yⱼ‖² − (sᵢ − sⱼ)²) / 2sᵢsⱼ and sᵢ² − sⱼ² = ‖yᵢ‖² − ‖yⱼ‖² + 2(yᵢ − yⱼ)·c, in which no
    large numbers cancel. The relative error is some ε of the precision (10⁻⁶ in float32) where distances
    are not small against the spread of the stimuli.

    Parameters
    ----------
    x : array of shape (n_stimuli, n_units)
        The representation: float32 stays float32, all else is computed in float64.
    distance : {"correlation", "cosine", "euclidean"}
        As in `from_grams`.
    block : int
        Units at a time. Memory is one matrix of n² and n × block numbers.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, with a zero diagonal.

    Raises
    ------
    UserError
        If the distance needs more than a Gram matrix, `x` is not a finite matrix, or a pattern is constant.
    """
    if distance not in PLAIN:
        raise unknown("distance for large representations", distance, PLAIN)
    x = np.asarray(x)
    if x.dtype != np.float32:
        x = x.astype(float, copy=False)
    if x.ndim != 2 or 0 in x.shape or (distance == "correlation" and x.shape[1] < 2):
        raise UserError(f"x: expected an array of shape (n_stimuli, n_units), got shape {x.shape}")
    update = ssyrk if x.dtype == np.float32 else dsyrk
    n, p = x.shape
    gram = np.zeros((n, n), dtype=x.dtype, order="F")
    rows = np.zeros((n, 1), dtype=x.dtype)
    sums, along, taken, taken_sum = np.zeros(n), np.zeros(n), 0.0, 0.0
    average, buffer = np.full(n, 1 / n, dtype=x.dtype), np.empty(n * min(block, p), dtype=x.dtype)
    # Values that are not finite show in the diagonal.
    with np.errstate(invalid="ignore", over="ignore"):
        if distance == "correlation":
            rows = x.mean(1, keepdims=True)
        for start in range(0, p, block):
            part = x[:, start : start + block]
            y = buffer[: part.size].reshape(part.shape)
            np.subtract(part, rows, out=y)
            centre = average @ y
            y -= centre
            if distance != "euclidean":
                products = y @ np.stack([np.ones_like(centre), centre], axis=1)
                sums += products[:, 0]
                along += products[:, 1]
                taken += float(centre @ centre)
                taken_sum += float(centre.sum(dtype=float))
            gram = update(1.0, y.T, beta=1.0, c=gram, trans=1, overwrite_c=1)
    own = gram.diagonal().astype(float)
    if not np.isfinite(own).all():
        raise UserError("x: holds NaN or infinite values, or such that their squares overflow; drop or rescale units")
    if distance == "euclidean":
        return _finished(gram, own, lambda square, i, j: square / p)
    means = (sums + taken_sum) / p if distance == "correlation" else np.zeros(n)
    # Norms of whole patterns, less what all have in common.
    excess = own + 2 * along - p * means**2
    weak = np.flatnonzero(excess + taken <= 0.05 * (own + taken))
    for i in weak:
        whole = x[i].astype(float)
        pattern = whole - whole.mean() if distance == "correlation" else whole
        if not pattern @ pattern > np.finfo(x.dtype).eps ** 2 * (whole @ whole):
            raise UserError(_CONSTANT)
        excess[i] = pattern @ pattern - taken
    norms = np.sqrt(excess + taken)
    if distance == "cosine":
        sums[:] = 0

    def angular(square, i, j):
        square = square - (sums[i, None] - sums[j]) ** 2 / p
        apart = (excess[i, None] - excess[j]) / (norms[i, None] + norms[j])
        return np.maximum(square - apart**2, 0) / (2 * norms[i, None] * norms[j])

    return _finished(gram, own, angular)


def _finished(gram, own, distance) -> np.ndarray:
    """Turn the upper triangle of a Gram matrix into an RDM, in place, some rows at a time."""
    n, tiny = len(gram), 8 * float(np.finfo(gram.dtype).eps)
    step = max(1, 2**17 // n)
    for start in range(0, n, step):
        i, j = np.arange(start, min(start + step, n)), np.arange(start, n)
        size = own[i, None] + own[j]
        square = size - 2 * gram[i[0] : i[-1] + 1, start:]
        # Equal patterns are ties, not a random order of rounding errors.
        square[square <= tiny * size] = 0
        values = distance(square, i, j)
        # Of the square of these rows only the upper half is filled.
        corner = np.triu(values[:, : len(i)], 1)
        values[:, : len(i)] = corner + corner.T
        gram[i[0] : i[-1] + 1, start:] = values
        gram[start:, i[0] : i[-1] + 1] = values.T
    return gram


def _square_sums(gram: np.ndarray) -> np.ndarray:
    """Sums of the squared norms of two stimuli."""
    square = np.einsum("kii->ki", gram)
    return square[:, :, None] + square[:, None, :]


def _without_rounding(distances: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Set to zero what is only rounding error: equal patterns are ties, not a random order."""
    return np.where(distances > 1e-14 * size, distances, 0)


def _angular(products: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """One minus inner products over the two norms; a norm that is only rounding error counts as zero."""
    square, raw_square = np.einsum("kii->ki", products), np.einsum("kii->ki", raw)
    if (square <= 1e-12 * raw_square).any():
        raise UserError(_CONSTANT)
    # The norms of what was subtracted, relative to those of what is left, are how many digits were lost.
    lost = np.sqrt(raw_square / square)
    norm = np.sqrt(square)
    cosines = np.clip(products / (norm[:, :, None] * norm[:, None, :]), -1, 1)
    return _without_rounding(1 - cosines, lost[:, :, None] * lost[:, None, :])
