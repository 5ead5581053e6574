"""Principal components of averages over trials, and how many of them are more than noise.

``of=conditions``: responses averaged over the window, unit × condition. ``of=time``: time courses, conditions one after
the other, unit × (condition × time).

What the components of one half of the trials explain of the other half is free of the noise that they were fitted to;
for noise alone it is 0 on average. The spectrum of the signal and its exponent are in `spectrum`.
"""

import numpy as np
import xarray as xr

from neurocompare.description.conditions import Conditions, crossed
from neurocompare.description.dimensionality import cross_validated_ratio, participation_ratio
from neurocompare.description.rows import may_permute_stimuli, options_of, require_needs, row
from neurocompare.errors import UserError

DESCRIPTIONS = {
    "pca-of=<conditions|time>[-by=<coordinate>+<coordinate>+…]": {
        "summary": "principal components: variance across halves of the trials, number by parallel analysis",
        "unit": "1",
        "direction": "none",
        "needs": ["responses"],
    }
}
"""The pattern of ids; coordinates are along ``presentation``, by default ``stimulus``."""

HALVES = 20
SHARES = (0.8, 0.9)
PERMUTATIONS = 200
GROUPS = 50
SHOWN = 3
LARGEST = 50
"""Components in details."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe principal components.

    The number of components is that of parallel analysis (Horn 1965, Psychometrika 30:179): the leading ones whose
    variance exceeds 95 % of shuffles. A shuffle gives the conditions of every unit another order, and its time courses
    another beginning (of a circle), so that units share nothing, and each remains as smooth as it is. The interval is
    1.96 standard errors of a jackknife over units.

    Parameters
    ----------
    array : DataArray
        A recording. Of averages, or where a condition was shown once, what takes halves has the status ``no_trials``.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the halves, the shuffles and the jackknife.

    Returns
    -------
    rows : list of dict
        ``number of components``; ``variance of the first component`` (of the averages of all trials), whose null are
        the shuffles; ``cross-validated variance of the first component``, ``… of the first 3 components`` and ``… of
        all components`` (the signal), shares of the variance of the halves; ``dimensions of the cross-validated
        variance``, how many components hold 80 and 90 % of the signal, ``no_component`` where parallel analysis finds
        none or halves share nothing; ``participation ratio`` and ``participation ratio of the signal``.
    details : Dataset
        ``score`` (component, cell, time) and ``axis`` (component, unit) of the first three; ``variance``,
        ``null_high`` and ``cross_validated`` (number), shares.

    Raises
    ------
    UserError
        If the id is no such pattern, there are too few conditions or units, or no axis of time where it is needed.
    """
    options = options_of(description_id, {"of": ("conditions", "time"), "by": ()}, optional=("by",))
    require_needs(array, description_id, ["responses"])
    names = options.get("by", "stimulus")
    if options["of"] == "time" and "time" not in array.dims:
        raise UserError(f"{description_id} needs responses over time; give the recording a 'bin_width'")
    if options["of"] == "conditions" and "time" in array.dims:
        array = array.mean("time", keep_attrs=True)
    data = crossed(array, names, description_id)
    if len(data.counts) < 3 or len(data.unit_id) < 2:
        raise UserError(
            f"{description_id}: {len(data.counts)} conditions and {len(data.unit_id)} units that vary are too few; "
            "3 and 2 are needed"
        )
    rng = np.random.default_rng([seed, 10])
    x = averaged(data)
    variance = np.linalg.svd(_centred(x), compute_uv=False) ** 2
    total = variance.sum()
    null = _shuffled(x, rng) if may_permute_stimuli(array) else None
    high = None if null is None else np.quantile(null, 0.95, axis=0)
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": x.shape[-1],
        "n_trials": len(data.cell),
    }
    condition = f"of={options['of']};by={names};conditions={len(data.counts)};times={x.shape[1]}"
    number = np.nan if high is None else leading(variance / total, high)
    rows = [
        row("number of components", number, condition=f"{condition};rule=parallel-analysis", **size)
        | ({"status": "no_null;no_interval;no_ceiling"} if high is None else {}),
        row(
            "variance of the first component",
            variance[0] / total,
            condition=condition,
            null=None if null is None else null[:, 0],
            ci=_interval(x, rng),
            **size,
        ),
    ]
    pairs = [averaged_halves(data, rng) for _ in range(HALVES)] if data.repeated else []
    across = np.full(len(variance), np.nan)
    if pairs:
        across = np.mean([cross_validated(*pair) for pair in pairs], axis=0)
    missing = {} if pairs else {"status": "no_trials"}
    shown = min(SHOWN, len(across))
    told = f"{condition};halves={len(pairs)}"
    for quantity, value in {
        "cross-validated variance of the first component": across[0],
        f"cross-validated variance of the first {shown} components": across[:shown].sum(),
        "cross-validated variance of all components": across.sum(),
    }.items():
        rows.append(row(quantity, value, condition=told, **(size | missing)))
    for share in SHARES:
        count = dimensions(across, share) if number != 0 else np.nan
        lacking = {"status": "no_component"} if np.isnan(count) else {}
        quantity = "dimensions of the cross-validated variance"
        rows.append(row(quantity, count, condition=f"{told};share={share:g}", **(size | lacking | missing)))
    flat = x.reshape(-1, x.shape[-1])
    rows.append(row("participation ratio", participation_ratio(flat), condition=condition, **size))
    ratio = np.nan
    if pairs:
        halves = [np.stack([pair[k].reshape(flat.shape) for pair in pairs]) for k in (0, 1)]
        ratio = cross_validated_ratio(*halves)[0]
    rows.append(row("participation ratio of the signal", ratio, condition=told, **(size | missing)))
    return rows, _details(data, x, variance / total, high, across, names, str(array.attrs["units"]), size)


def averaged(data: Conditions, chosen: np.ndarray | None = None) -> np.ndarray:
    """Average trials: (condition, time, unit), all trials or a selection with every condition."""
    chosen = np.arange(len(data.cell)) if chosen is None else chosen
    one = data.cell[chosen] == np.arange(len(data.counts))[:, None]
    return np.tensordot(one / one.sum(1, keepdims=True), data.values[chosen], 1)


def averaged_halves(data: Conditions, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Average random halves of the trials of each condition, of equal size: (condition, time, unit) each."""
    first, second = [], []
    for k in range(len(data.counts)):
        order = rng.permutation(np.flatnonzero(data.cell == k))
        first.append(order[: len(order) // 2])
        second.append(order[len(order) // 2 : 2 * (len(order) // 2)])
    return averaged(data, np.concatenate(first)), averaged(data, np.concatenate(second))


def cross_validated(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute what the components of either half share with the other half.

    Parameters
    ----------
    first, second : arrays of shape (n_conditions, n_times, n_units)
        Averages of different trials.

    Returns
    -------
    array of shape (min(n_conditions * n_times, n_units),)
        vᵀ Aᵀ B v for each component v of A, and the other way round, averaged; shares of √(|A|² |B|²). The sum is the
        share of the signal.
    """
    a, b = _centred(first), _centred(second)
    cross = 0
    for x, y in ((a, b), (b, a)):
        axes = np.linalg.svd(x, full_matrices=False)[2]
        cross = cross + ((x @ axes.T) * (y @ axes.T)).sum(0)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return cross / 2 / norm if norm > 0 else np.full(len(cross), np.nan)


def leading(variance: np.ndarray, high: np.ndarray) -> int:
    """Count the components before the first one whose variance does not exceed the null."""
    above = variance > high * (1 + 1e-9)
    return len(above) if above.all() else int(above.argmin())


def dimensions(across: np.ndarray, share: float) -> float:
    """Count the leading components that hold a share of the signal.

    Parameters
    ----------
    across : array of shape (n_components,)
        Cross-validated variances, from `cross_validated`; those of components without signal scatter around zero.
    share : float
        Share of their sum.

    Returns
    -------
    float
        The smallest number of components; NaN if the sum is not positive.
    """
    total = across.sum()
    return 1.0 + np.flatnonzero(np.cumsum(across) >= share * total - 1e-12)[0] if total > 0 else np.nan


def _centred(x: np.ndarray) -> np.ndarray:
    """(condition × time, unit), each unit with mean zero."""
    flat = x.reshape(-1, x.shape[-1])
    return flat - flat.mean(0)


def _shuffled(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shares of variance (permutation, component) of units that share nothing."""
    n, n_times, p = x.shape
    unit = np.arange(p)
    found = np.empty((PERMUTATIONS, min(n * n_times, p)))
    for i in range(PERMUTATIONS):
        order = rng.random((n, p)).argsort(0)
        time = (np.arange(n_times)[:, None] + rng.integers(n_times, size=p)) % n_times
        moved = _centred(x[order[:, None], time, unit])
        # The smaller Gram matrix has the same eigenvalues as the covariance, and is quicker.
        gram = moved @ moved.T if len(moved) <= p else moved.T @ moved
        found[i] = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0) / np.trace(gram)
    return found


def _interval(x: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Jackknife interval over units of the share of the first component; copies of units would raise it."""
    flat = _centred(x)
    gram = flat @ flat.T if len(flat) <= flat.shape[1] else None
    groups = np.array_split(rng.permutation(flat.shape[1]), min(flat.shape[1], GROUPS))
    values = []
    for group in groups:
        if gram is None:
            rest = np.delete(flat, group, axis=1)
            less = rest.T @ rest
        else:
            less = gram - flat[:, group] @ flat[:, group].T
        total = np.trace(less)
        values.append(np.linalg.eigvalsh(less)[-1] / total if total > 0 else np.nan)
    values = np.array(values)
    error = 1.96 * np.sqrt((len(groups) - 1) * np.mean((values - values.mean()) ** 2))
    value = np.linalg.norm(flat, 2) ** 2 / (flat**2).sum()
    return value - error, value + error


def _details(data, x, variance, high, across, names, units, size) -> xr.Dataset:
    flat = _centred(x)
    axes = np.linalg.svd(flat, full_matrices=False)[2][:SHOWN]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    score = (flat @ axes.T).reshape(*x.shape[:2], -1)
    shown = slice(0, LARGEST)
    return xr.Dataset(
        {
            "score": (("component", "cell", "time"), np.moveaxis(score, -1, 0)),
            "axis": (("component", "unit"), axes),
            "variance": ("number", variance[shown]),
            "null_high": ("number", np.full(len(variance), np.nan)[shown] if high is None else high[shown]),
            "cross_validated": ("number", across[shown]),
        },
        coords={
            "component": [f"PC {k + 1}" for k in range(len(axes))],
            "cell": data.names,
            "time": data.time,
            "number": np.arange(1, len(variance[shown]) + 1),
            "unit": data.unit_id,
        },
        attrs={"by": names, "response_units": units} | size,
    )
