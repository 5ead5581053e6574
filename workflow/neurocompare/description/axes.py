"""Angles between the axes by which decoders tell the values of several labels apart.

An axis is estimated from trials, and two noisy axes look less alike than they are. So axes are always compared across
halves of the trials, which share no noise, and the cosine is divided by what the two axes could reach: the geometric
mean of their reliabilities, the cosines of each with itself in the other half. Halves do not split blocks if all
combinations of labels are in both halves then. The axis of a label that (almost) never changes within a block differs
from block to block by whatever drifts; it is compared across halves of the blocks or not at all.

Every half has equally many trials of each combination of labels, drawn at random, and for the axis of one label the
mean effect of the others is taken out; so labels that go together in the session do not pass for parallel axes.
Estimators: ``lda`` (the default), the inverse of the shrunk noise covariance times the difference of means: the axis
that reads the label out best; ``logistic``, weights of logistic regression, likewise; ``nearest-mean``, the difference
of means: how the label moves the population. Units are square roots of counts, or z-scored.
"""

import itertools

import numpy as np
import xarray as xr

from neurocompare.description.discriminants import shrinkage
from neurocompare.description.labels import labelled, refuse_pooled_blocks, responses
from neurocompare.description.rows import matrix, options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.ingestion.presentations import constant_in_blocks, majority_in_blocks
from neurocompare.prediction.categorical_decoders import CLASSIFIERS, scaled, unit_weights

ESTIMATORS = ("lda", "logistic", "nearest-mean")

DESCRIPTIONS = {
    f"axes-labels=<coordinate>+<coordinate>{option}": {
        "summary": "angles between the axes of decoders of several coordinates, and the reliability of each axis",
        "unit": "degrees",
        "direction": "lower",
        "needs": ["responses", "blocks"],
    }
    for option in ("", *(f"-classifier={name}" for name in ESTIMATORS))
}
"""Patterns of ids; each coordinate has two values."""

SPLITS = 50
DRAWS = 200
SPLITS_OF_A_DRAW = 4
RANDOM_AXES = 1000
LEAST = 2
"""Trials of each combination of labels in each half."""
BLOCKS = 4
"""Blocks of each value of a label that never changes within one: fewer tell nothing of how much blocks differ."""
TRIES = 100


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Compare the axes of several labels.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`. An axis points from the first to the second value of its coordinate.
    seed : int
        Seed of the halves, the bootstrap and the random axes.

    Returns
    -------
    rows : list of dict
        ``reliability of axis`` of each label, the cosine between halves. For each pair, ``cosine between axes`` across
        halves, the highest that could be had in the condition (``ceiling``); ``angle between axes`` in degrees, of the
        cosine over that ceiling; and ``alignment of axes``, the size of the same cosine, with a null of pairs of
        random axes that are drawn from the covariance of the trials (Elsayed et al. 2016, Nat. Commun. 7:13239), with
        as much noise as the corrected cosine has. Intervals are 1.96 bootstrap standard errors, over trials that are
        resampled within each combination of labels; that of the angle is of the cosine over its ceiling, to first
        order. Where a label (almost) never changes within a block, blocks are resampled as well. An axis that can't be
        told from noise has no angle: ``unreliable_axis``; nor have any, if a label (almost) never changes within a
        block and a value has fewer than four blocks, or halves of the blocks lack a combination:
        ``constant_in_blocks``. Presentations without a label are left out and
        counted. Of a pseudo-population, all are ``… of pooled units``.
    details : Dataset
        ``reliability`` (label), ``cosine`` and ``angle`` (label, other); None if there is nothing.

    Raises
    ------
    UserError
        If the id is no such pattern, a coordinate has other than two values, or a combination is too rare.
    """
    options = options_of(description_id, {"labels": (), "classifier": ESTIMATORS}, optional=("classifier",))
    require_needs(array, description_id, ["responses", "blocks"])
    names = options["labels"].split("+")
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"{description_id}: angles need two coordinates or more, each once: labels=choice+context")
    if array.sizes["unit"] < 2:
        raise UserError(f"{description_id}: one unit spans no angle; choose a recording of several units")
    presented = array.sizes["presentation"]
    for name in names:
        array, _ = labelled(array, name, description_id)
        refuse_pooled_blocks(array, name, description_id)
    labels = np.stack([_two(array, name, description_id) for name in names])
    cell = np.ravel_multi_index(labels, (2,) * len(names))
    count = np.bincount(cell, minlength=2 ** len(names))
    if count.min() < 2 * LEAST:
        place = np.unravel_index(int(count.argmin()), (2,) * len(names))
        values = [np.unique(array.coords[name].values)[k] for name, k in zip(names, place, strict=True)]
        combination = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise UserError(
            f"{description_id}: {count.min()} presentations with {combination}; at least {2 * LEAST} of every "
            "combination are needed: compare fewer labels"
        )
    estimator = options.get("classifier", "lda")
    values, rooted = responses(array if "time" not in array.dims else array.isel(time=0).copy(data=matrix(array)))
    values = scaled(values, np.ones(len(values), dtype=bool), rooted)
    block = array.coords["block"].values
    constant = [label for label in labels if constant_in_blocks(label, block)]
    halves = _Halves(cell, block, np.random.default_rng([seed, 40]), whole=bool(constant))
    if constant and (halves.kind == "trials" or min(_blocks_of_each(label, block) for label in constant) < BLOCKS):
        return [*_untold(array, names, estimator), *_missing(array, names, presented)], None
    axes = _Axes(values, labels, cell, estimator, 1.0 if rooted else float(values.shape[1]))
    cosines = np.mean([axes.cosines(*halves.draw()) for _ in range(SPLITS)], axis=0)
    drawn = []
    for _ in range(DRAWS):
        # Splits of a draw share its resample, or their average would vary less than the resample does.
        times = halves.resample()
        drawn.append(np.mean([axes.cosines(*halves.draw(times)) for _ in range(SPLITS_OF_A_DRAW)], axis=0))
    rng = np.random.default_rng([seed, 41])
    rows, details = _rows(array, names, estimator, halves, cosines, np.array(drawn), axes.random(rng), rng)
    return [*rows, *_missing(array, names, presented)], details


def _blocks_of_each(label: np.ndarray, block: np.ndarray) -> int:
    """Number of blocks of the value that has the fewest."""
    _, first = np.unique(block, return_index=True)
    return np.bincount(majority_in_blocks(label, block)[first], minlength=2).min()


def _size(array) -> tuple[str, dict[str, int]]:
    """What is added to the name of a quantity if units were not recorded together, and the size of the data."""
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": array.sizes["unit"],
        "n_trials": array.sizes["presentation"],
    }
    return "" if array.attrs["simultaneous"] else " of pooled units", size


def _missing(array, names, presented) -> list[dict]:
    """Row of the number of presentations that lack a label, if there are any."""
    count = presented - array.sizes["presentation"]
    condition = f"labels={'+'.join(names)}"
    return [row("presentations without a label", count, condition=condition, **_size(array)[1])] if count else []


def _untold(array, names, estimator) -> list[dict]:
    """Rows of angles that can't be had, as the blocks of each value of a label can't be halved."""
    pooled, size = _size(array)
    found = []
    for a, b in itertools.combinations(names, 2):
        told = {"condition": f"labels={a}+{b};classifier={estimator}", "status": "constant_in_blocks"}
        found.append(row(f"angle between axes{pooled}", np.nan, unit="degrees", **told, **size))
    return found


def _rows(array, names, estimator, halves, cosines, drawn, null, rng):
    pooled, size = _size(array)
    common = f"classifier={estimator};halves={halves.kind}"
    error = 1.96 * drawn.std(0)
    reliability = np.diag(cosines)
    told = reliability - np.diag(error) > 0
    rows, angle = [], np.full((len(names), len(names)), np.nan)
    for k, name in enumerate(names):
        ci = (reliability[k] - error[k, k], reliability[k] + error[k, k])
        rows.append(
            row(f"reliability of axis{pooled}", reliability[k], condition=f"label={name};{common}", ci=ci, **size)
        )
    for a, b in itertools.combinations(range(len(names)), 2):
        ceiling = np.sqrt(reliability[a] * reliability[b]) if told[a] and told[b] else np.nan
        condition = f"labels={names[a]}+{names[b]};{common}"
        ci = (cosines[a, b] - error[a, b], cosines[a, b] + error[a, b])
        text = f"{condition};ceiling={ceiling:.4g}"
        rows.append(row(f"cosine between axes{pooled}", cosines[a, b], condition=text, ci=ci, **size))
        if np.isnan(ceiling):
            status = {"condition": condition, "status": "unreliable_axis"}
            rows.append(row(f"angle between axes{pooled}", np.nan, unit="degrees", **status, **size))
            continue
        corrected = cosines[a, b] / ceiling
        # To first order (delta method): the quotient of a draw has no bounds where its reliabilities are near zero.
        relative = drawn[:, a, a] / reliability[a] + drawn[:, b, b] / reliability[b]
        deviation = float(np.std(drawn[:, a, b] / ceiling - corrected / 2 * relative))
        spread = 1.96 * deviation
        bounds = np.degrees(np.arccos(np.clip([corrected + spread, corrected, corrected - spread], -1, 1)))
        angle[a, b] = angle[b, a] = bounds[1]
        rows.append(
            row(
                f"angle between axes{pooled}",
                bounds[1],
                unit="degrees",
                condition=condition,
                ci=(bounds[0], bounds[2]),
                **size,
            )
        )
        # A size has no symmetric interval: that of the angle says how sure it is.
        # Random axes would have been estimated with as much noise, which a small ceiling makes large.
        noisy = np.abs(null + deviation * rng.standard_normal(len(null)))
        rows.append(row(f"alignment of axes{pooled}", abs(corrected), condition=condition, null=noisy, **size))
    details = xr.Dataset(
        {
            "reliability": ("label", reliability),
            "cosine": (("label", "other"), cosines),
            "angle": (("label", "other"), angle),
        },
        coords={"label": names, "other": names},
    )
    return rows, details


class _Halves:
    """Draws halves of the trials, with equally many of every combination of labels."""

    def __init__(self, cell, block, rng, *, whole):
        self.cell, self.rng = cell, rng
        self.blocks, self.block = np.unique(block, return_inverse=True)
        self.kind = "blocks" if self._first() is not None else "trials"
        # A label that hardly changes within a block has as many independent samples as there are blocks.
        self.whole = whole and self.kind == "blocks"

    def _first(self, times=None):
        """Trials of half of the blocks (trial) such that both halves have enough of all combinations; or None."""
        for _ in range(TRIES):
            first = np.isin(self.block, self.rng.permutation(len(self.blocks))[: len(self.blocks) // 2])
            if min(self._count(part, times).min() for part in (first, ~first)) >= LEAST:
                return first
        return None

    def _count(self, part, times):
        """Number of trials of each combination in a part of the trials (trial)."""
        return np.bincount(self.cell[part], None if times is None else times[part], self.cell.max() + 1)

    def resample(self):
        """How often each trial is in a bootstrap sample: of the trials of each combination, or of blocks and trials."""
        for _ in range(TRIES):
            taken = np.ones(len(self.blocks), dtype=int)
            if self.whole:
                taken = self.rng.multinomial(len(taken), np.full(len(taken), 1 / len(taken)))
            times = np.zeros(len(self.cell), dtype=int)
            for k in np.unique(self.cell):
                members = np.flatnonzero(self.cell == k)
                weight = taken[self.block[members]]
                if weight.any():
                    times[members] = self.rng.multinomial(len(members), weight / weight.sum())
            if not self.whole or self._first(times) is not None:
                break
        return times

    def draw(self, times=None):
        """Trials of two halves, each of them `times` (trial); copies of a trial are in the same half."""
        first = self._first(times) if self.kind == "blocks" else None
        if first is None:
            first = np.zeros(len(self.cell), dtype=bool)
            for k in np.unique(self.cell):
                members = self.rng.permutation(np.flatnonzero(self.cell == k))
                first[members[: len(members) // 2]] = True
        times = np.ones(len(self.cell), dtype=int) if times is None else times
        return [self._balanced(np.repeat(np.flatnonzero(part), times[part])) for part in (first, ~first)]

    def _balanced(self, part):
        kinds = self.cell.max() + 1
        # A resample of very few trials may lack a combination; one of its trials stands in.
        lacking = np.setdiff1d(np.arange(kinds), self.cell[part])
        part = np.concatenate([part, *(self.rng.choice(np.flatnonzero(self.cell == k), 1) for k in lacking)])
        count = np.bincount(self.cell[part]).min()
        return np.concatenate([self.rng.choice(part[self.cell[part] == k], count, replace=False) for k in range(kinds)])


class _Axes:
    """Axes of all labels from a set of trials."""

    def __init__(self, values, labels, cell, estimator, penalty):
        self.values, self.labels, self.cell = values, labels, cell
        self.estimator, self.penalty = estimator, penalty

    def cosines(self, first, second):
        """Cosines between axes of the two halves (label, other), averaged over which half is which."""
        a, b = self._axes(first), self._axes(second)
        return (a @ b.T + b @ a.T) / 2

    def _axes(self, trials):
        values, cell = self.values[trials], self.cell[trials]
        members = np.eye(cell.max() + 1)[cell]
        means = members.T @ values / members.sum(0)[:, None]
        residuals = values - means[cell]
        found = []
        for label in self.labels[:, trials]:
            side = np.array([means[np.unique(cell[label == k])].mean(0) for k in (0, 1)])
            weights, _ = unit_weights(residuals + side[label], label, CLASSIFIERS[self.estimator], self.penalty)
            axis = weights[:, 1] - weights[:, 0]
            found.append(axis / max(np.linalg.norm(axis), 1e-300))
        return np.array(found)

    def random(self, rng):
        """Cosines between pairs of random axes, whose differences of means have the covariance of the trials."""
        deviations = self.values - self.values.mean(0)
        drawn = rng.standard_normal((2 * RANDOM_AXES, len(deviations))) @ deviations
        if self.estimator != "nearest-mean":
            members = np.eye(self.cell.max() + 1)[self.cell]
            means = members.T @ self.values / members.sum(0)[:, None]
            drawn = _unmixed(drawn, self.values - means[self.cell])
        drawn /= np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-300)
        return (drawn[:RANDOM_AXES] * drawn[RANDOM_AXES:]).sum(1)


def _unmixed(patterns, residuals):
    """Multiply patterns (pattern, unit) with the inverse of the shrunk covariance of residuals, but for a factor."""
    n, n_units = residuals.shape
    weight, scale = shrinkage(residuals, n_units)
    ridge = max(weight, 1e-10) * scale
    if weight >= 1:
        return patterns
    # By the smaller of the two matrices (Woodbury).
    if n_units <= n:
        covariance = (1 - weight) / n * (residuals.T @ residuals) + ridge * np.eye(n_units)
        return np.linalg.solve(covariance, patterns.T).T
    inner = residuals @ residuals.T + ridge * n / (1 - weight) * np.eye(n)
    return patterns - np.linalg.solve(inner, residuals @ patterns.T).T @ residuals


def _two(array, name, description_id) -> np.ndarray:
    classes, label = np.unique(array.coords[name].values, return_inverse=True)
    if len(classes) != 2:
        raise UserError(
            f"{description_id}: coordinate '{name}' has {len(classes)} values; an axis lies between two: choose a "
            "coordinate with two values"
        )
    return label
