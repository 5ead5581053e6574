"""Accuracy of telling labels apart against the number of neurons, of training trials, or over time.

Everything that is fitted comes from training trials. Folds of whole stretches of time (``split=chronological``) stand
beside random ones with equal shares of each label (``split=interleaved``), as neighbouring trials share slow noise. A
label that never changes within a block has the former only. Sub-populations are nested within each of 20 resamples, and
all classifiers of an id learn from the same ones.
"""

import numpy as np
import xarray as xr

from neurocompare.description.held_out_hits import balanced, balanced_draws, interval_of
from neurocompare.description.labels import SPLITS, Labelled, divided, orders, responses
from neurocompare.description.rows import matrix, options_of, require_needs, row
from neurocompare.errors import UserError, unknown
from neurocompare.inference.corrections import maximum
from neurocompare.prediction.categorical_decoders import CLASSIFIERS, ITERATED, coordinates, known, predict, scaled
from neurocompare.prediction.populations import fewer_trials, sweep

OVER = {
    "neurons": "numbers of neurons",
    "trials": "numbers of training trials",
    "time": "the time from the onset",
}

DESCRIPTIONS = {
    f"sweep-label=<coordinate>-over={over}-classifier=<classifier>": {
        "summary": f"balanced accuracy of telling the values of a coordinate apart, against {text}",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "blocks"],
    }
    for over, text in OVER.items()
}
"""Patterns of ids; several classifiers are joined by ``+``."""

RESAMPLES = 20
NULL_RESAMPLES = 2
"""Resamples of each shuffle: their mean is at least as variable as that of all, so that p-values are not too small."""
PERMUTATIONS = 20
PERMUTATIONS_OVER_TIME = 100
LEAST_TRIALS = 2
"""Of each label, to learn from."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Classify from more and more neurons, trials, or over time.

    Parameters
    ----------
    array : DataArray
        A recording; a time axis is needed for ``over=time``, and else summed (spike counts) or averaged over.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`; a coordinate is as for `neurocompare.description.classification`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        ``balanced accuracy`` (of a pseudo-population, ``… of pooled units``) for each split, classifier and size, the
        mean over resamples of neurons or trials; chance is in the condition. Its interval is over presentations (whole
        blocks, if the label never changes within one) resampled within labels, decoders fixed; ``spread`` in the
        condition is the standard deviation over resamples. The null is of shuffled labels; where those are so few that
        they repeat themselves, the condition tells how many are different (``orders=6``), and no p-value is far below
        one over that. Over time, ``p_all`` in the condition holds for all times at once.
        A split that can't be had has a row that says why.
    details : Dataset
        ``accuracy``, ``low``, ``high``, ``null_high`` (95 %) and ``spread`` (split, classifier, size), and
        ``n_units`` and ``n_trials``; None if nothing could be classified.

    Raises
    ------
    UserError
        If the id is no such pattern, or the recording lacks what it needs.
    """
    options = options_of(description_id, {"label": (), "over": tuple(OVER), "classifier": ()})
    require_needs(array, description_id, ["responses", "blocks"])
    names = options["classifier"].split("+")
    for name in names:
        if name not in CLASSIFIERS:
            raise unknown(f"classifier of description '{description_id}'", name, CLASSIFIERS)
    over = options["over"]
    if over == "time" and "time" not in array.dims:
        raise UserError(f"{description_id}: the recording has no axis of time; set bin_width in its options")
    if "nearest-angle" in names and (over == "neurons" or array.sizes["unit"] < 2):
        raise UserError(f"{description_id}: one unit spans no angle; use classifier=nearest-mean")
    data = divided(array, options["label"], description_id, seed)
    rng = np.random.default_rng([seed, 20])
    values, rooted = responses(data.array if over == "time" else _summed(data.array))
    measure = {"neurons": _over_neurons, "trials": _over_trials, "time": _over_time}[over]
    rows, parts = [], {}
    for split in SPLITS:
        if split in data.folds:
            found, part = measure(data, split, values, rooted, names, rng)
            rows += found
            parts[split] = part
        else:
            condition = f"{data.setting};over={over};split={split}"
            rows.append(row(_quantity(data), np.nan, condition=condition, status=data.lacking[split], **data.size))
    if data.missing:
        rows.append(row("presentations without a label", data.missing, condition=f"label={data.label}", **data.size))
    if not parts:
        return rows, None
    details = xr.concat(parts.values(), dim=xr.Variable("split", list(parts)), join="outer")
    details = details.assign(n_units=data.array.sizes["unit"], n_trials=len(data.target))
    attributes = {"label": data.label, "over": over, "classes": len(data.classes), "pooled": data.pooled}
    return rows, details.assign_attrs(attributes)


def _over_neurons(data, split, values, rooted, names, rng):
    n_units, fold = values.shape[1], data.folds[split]
    sizes = _halved(n_units, 1)
    orders = rng.permuted(np.tile(np.arange(n_units), (RESAMPLES, 1)), axis=1)
    classifiers = list(known(names).values())
    predicted = sweep(values, data.target[None], fold, orders, sizes, classifiers, rooted=rooted)[0]
    hits = predicted == data.target
    shuffled = data.shuffled(split, PERMUTATIONS, rng)
    found = sweep(values, shuffled, fold, orders[:NULL_RESAMPLES], sizes, classifiers, rooted=rooted)
    return _summary(data, split, "neurons", sizes, names, hits, shuffled, _null(found, shuffled), rng)


def _over_trials(data, split, values, rooted, names, rng):
    fold = data.folds[split]
    fewest = min(np.bincount(data.target[fold != k]).min() for k in np.unique(fold))
    shares = [1 / 2**k for k in range(20) if k == 0 or fewest / 2**k >= LEAST_TRIALS][::-1]
    classifiers = list(known(names).values())
    given = {"shares": shares, "classifiers": classifiers, "rooted": rooted, "rng": rng}
    predicted, counts = fewer_trials(values, data.target[None], fold, resamples=RESAMPLES, **given)
    hits = predicted[0] == data.target
    shuffled = data.shuffled(split, PERMUTATIONS, rng)
    found, _ = fewer_trials(values, shuffled, fold, resamples=NULL_RESAMPLES, **given)
    return _summary(data, split, "trials", counts.tolist(), names, hits, shuffled, _null(found, shuffled), rng)


def _over_time(data, split, values, rooted, names, rng):
    fold = data.folds[split]
    few = any(name in ITERATED for name in names)
    shuffled = data.shuffled(split, PERMUTATIONS if few else PERMUTATIONS_OVER_TIME, rng)
    targets = np.vstack([data.target[None], shuffled])
    n_times, n_units = values.shape[1:]
    found = np.empty((len(targets), len(names), n_times, 1, len(data.target)), dtype=np.int16)
    penalty = 1.0 if rooted else float(n_units)
    for k in np.unique(fold):
        train = fold != k
        for t in range(n_times):
            prepared = scaled(values[:, t], train, rooted)
            seen, held_out = prepared[train], prepared[~train]
            if n_units > len(seen):
                seen, held_out = coordinates(seen @ seen.T, held_out @ seen.T)
            for i, target in enumerate(targets):
                for c, classifier in enumerate(known(names).values()):
                    labels = predict(seen, target[train], held_out, classifier, n_units, penalty)
                    found[i, c, t, 0, ~train] = labels
    hits = found[0] == data.target
    times = np.round(data.array.coords["time"].values.astype(float), 6).tolist()
    return _summary(data, split, "time", times, names, hits, shuffled, _null(found[1:], shuffled), rng)


def _null(predicted, shuffled) -> np.ndarray:
    """Balanced accuracies (shuffle, classifier, size), means over resamples."""
    parts = [balanced(found == labels, labels).mean(-1) for found, labels in zip(predicted, shuffled, strict=True)]
    return np.array(parts).reshape(-1, *predicted.shape[1:3])


def _summary(data: Labelled, split, over, sizes, names, hits, shuffled, null, rng) -> tuple[list[dict], xr.Dataset]:
    """Rows and details from `hits` (classifier, size, resample, presentation)."""
    by_resample = balanced(hits, data.target)
    value, spread = by_resample.mean(-1), by_resample.std(-1)
    low, high = interval_of(balanced_draws(hits.mean(2), data.target, rng, data.whole), data.target, data.whole)
    null_high = np.quantile(null, 0.95, axis=0) if len(null) else np.full_like(value, np.nan)
    rows, p_all = [], np.full_like(value, np.nan)
    for c, name in enumerate(names):
        p_all[c] = maximum(value[c], null[:, c]) if len(null) else np.nan
        for s, size in enumerate(sizes):
            condition = (
                f"{data.setting};classifier={name};split={split};{over}={size:g};chance={1 / len(data.classes):.4g}"
            )
            condition += f";p_all={p_all[c, s]:.4g}" if over == "time" and len(null) else ""
            condition += f";spread={spread[c, s]:.4g}" if over != "time" else ""
            condition += orders(shuffled)
            n_units = {"n_units": size} if over == "neurons" else {}
            rows.append(
                row(
                    _quantity(data),
                    value[c, s],
                    condition=condition,
                    null=null[:, c, s] if len(null) else None,
                    ci=(low[c, s], high[c, s]),
                    **data.size | n_units,
                )
            )
    dims = ("classifier", "size")
    parts = {"accuracy": value, "low": low, "high": high, "null_high": null_high, "spread": spread, "p_all": p_all}
    return rows, xr.Dataset({k: (dims, v) for k, v in parts.items()}, coords={"classifier": names, "size": sizes})


def _quantity(data: Labelled) -> str:
    return f"balanced accuracy{data.pooled}"


def _halved(n: int, least: int) -> list[int]:
    """Numbers from `n` halved down to `least`, rising."""
    sizes = [n]
    while sizes[-1] // 2 >= least:
        sizes.append(sizes[-1] // 2)
    return sizes[::-1]


def _summed(array: xr.DataArray) -> xr.DataArray:
    if "time" not in array.dims:
        return array
    return array.isel(time=0, drop=True).copy(data=matrix(array))
