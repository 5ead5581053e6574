"""Whether what a decoder learned at one time holds at others, and what it learned in one condition in the others.

Over time (King & Dehaene 2014, Trends Cogn. Sci. 18:203): a decoder of every time is tested at every time, always on
trials of folds that it has not seen at any time. A code that stays generalises to all times, one that moves on only to
its own. Over conditions (Bernardi et al. 2020, Cell 183:954): decoders of one condition are tested in the others, on
folds that they have not seen either, so that accuracies within and across conditions are of the same trials.

There are two nulls, and a p-value is the larger of theirs. In the first, labels are shuffled once per draw; decoders
learn from and are tested on the same shuffled labels, which is exact where labels mean nothing. It is needed because
folds teach each other. What trial a, as a training trial, tells of trial b, b tells of a when it is its turn; likewise
for two conditions, or times. A mean over folds and directions hence counts each pair of trials twice, and it varies
more than one whose training and test labels do not match. But where labels are far apart in one condition only, any
axis tells them there, by more or less, and a decoder of another condition that has learned nothing would pass for one
that generalises. So in the second null, of two conditions (or times) only one has its labels shuffled, in training and
test alike: the one whose own decoders tell labels worse. For training, what is common to each label has been taken out
of its trials (ter Braak 1992), else shuffled decoders would still find the axis along which labels differ, and only
guess its sign. Decoders that are tested at the time, or in the condition, of their training need the first null only.

Folds of whole stretches of time (``split=chronological``) stand beside random ones (``split=interleaved``).
"""

import json

import numpy as np
import xarray as xr
from scipy.stats import norm

from neurocompare.description.held_out_hits import balanced, balanced_draws, interval_of
from neurocompare.description.labels import (
    INTERLEAVED,
    SPLITS,
    divided,
    folds_named,
    orders,
    responses,
    shuffled_within,
)
from neurocompare.description.rows import matrix, may_permute_trials, options_of, require_needs, row
from neurocompare.errors import UserError, unknown
from neurocompare.inference.corrections import benjamini_hochberg, maximum
from neurocompare.prediction.categorical_decoders import CLASSIFIERS, ITERATED, coordinates, scaling, unit_weights

DESCRIPTIONS = {
    f"generalisation-label=<coordinate>-over={over}-classifier=<classifier>": {
        "summary": f"balanced accuracy of decoders of one {text}, tested at all others",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses", "blocks"],
    }
    for over, text in {"time": "time", "<condition>": "value of another coordinate"}.items()
}
"""Patterns of ids; ``<condition>`` is any coordinate along ``presentation`` with a few values."""

PERMUTATIONS = 100
FEW = 20
"""Shuffles of iterated classifiers."""
LEVEL = 0.05


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Test decoders where they have not learned.

    Parameters
    ----------
    array : DataArray
        A recording, with a time axis if over time; over conditions, a time axis is summed (spike counts) or averaged.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        For each split. Over time, of all times from 0 on: ``balanced accuracy at the same time`` and ``… at other
        times``, means with nulls of shuffled labels; ``generalisation over time``, the latter over the former, both
        less chance, if the former is beyond the null and its interval beyond chance; and ``share of pairs of times
        above chance``, at a false discovery rate of 5 %. Over conditions: ``balanced accuracy`` of each pair (train,
        test), ``balanced accuracy within conditions`` and ``… across conditions``, the latter with a null of shuffled
        labels (``null=labels``: is anything learned?) and one of units that change places, others in each condition,
        which leaves labels as far apart as they are, in other directions (``null=units``: is the code more alike than
        two codes by chance?). Intervals are over presentations (whole blocks, if the label never changes within one)
        resampled within labels (and conditions), decoders fixed. Where blocks or trials are so few that shuffles repeat
        themselves, the condition tells how many are different, ``orders=6``: no p-value is far below one over that.
        Of a pseudo-population, all are ``… of pooled units``.
    details : Dataset
        ``accuracy`` and ``null_high`` (95 %), (split, train, test), and ``n_units`` and ``n_trials``; over time also
        ``q``, the false discovery rate at which a pair counts, from the mean and standard deviation of its null, and
        the stricter ``p_all``, which holds for all pairs at once. None if there is nothing.

    Raises
    ------
    UserError
        If the id is no such pattern, or the recording lacks what it needs.
    """
    options = options_of(description_id, {"label": (), "over": (), "classifier": tuple(CLASSIFIERS)})
    require_needs(array, description_id, ["responses", "blocks"])
    label, over, classifier = options["label"], options["over"], options["classifier"]
    if over == "time" and ("time" not in array.dims or array.sizes["time"] < 2):
        raise UserError(f"{description_id}: the recording has no axis of time; set bin_width in its options")
    if classifier == "nearest-angle" and array.sizes["unit"] < 2:
        raise UserError(f"{description_id}: one unit spans no angle; use classifier=nearest-mean")
    if over != "time":
        array = _with_condition(array, label, over, description_id)
    data = divided(array, label, description_id, seed)
    setting = f"{data.setting};over={over};classifier={classifier}"
    rows, parts = [], {}
    for split in SPLITS:
        rng = np.random.default_rng([seed, 30, SPLITS.index(split)])
        measure = _over_time if over == "time" else _over_conditions
        if split in data.folds:
            found, part = measure(data, split, over, classifier, f"{setting};split={split}", rng)
        else:
            found, part = _lacking(data, f"{setting};split={split}", data.lacking[split])
        rows += found
        parts |= {split: part} if part is not None else {}
    if data.missing:
        rows.append(row("presentations without a label", data.missing, condition=f"label={label}", **data.size))
    if not parts:
        return rows, None
    details = xr.concat(parts.values(), dim=xr.Variable("split", list(parts)))
    details = details.assign(n_units=data.array.sizes["unit"], n_trials=len(data.target))
    attributes = {"label": label, "over": over, "classifier": classifier, "classes": len(data.classes)}
    attributes |= {"phases": _phases(data.array)} if over == "time" else {}
    return rows, details.assign_attrs(attributes | {"pooled": data.pooled})


def _over_time(data, split, over, classifier, setting, rng):
    values, rooted = responses(data.array)
    fold, target = data.folds[split], data.target
    time = data.array.coords["time"].values.astype(float)
    n_times = len(time)
    shuffled = data.shuffled(split, FEW if classifier in ITERATED else PERMUTATIONS, rng)
    setting += orders(shuffled)
    predicted = np.empty((n_times, n_times, len(target)), dtype=int)
    both, in_training = np.zeros((2, len(shuffled), n_times, n_times))
    weights = [_weights(labels) for labels in shuffled]
    weight = _weights(target)
    for k in np.unique(fold):
        train, test = fold != k, fold == k
        for t in range(n_times):
            learnt, _, _ = _learner(values[train, t], values[test], CLASSIFIERS[classifier], rooted)
            predicted[t][:, test] = learnt(target[train]).T
            for i, labels in enumerate(shuffled):
                both[i, t] += weights[i][test] @ (learnt(labels[train]) == labels[test][:, None])
            rest = _without_means(values[train, t], target[train])
            learnt, _, _ = _learner(rest, values[test], CLASSIFIERS[classifier], rooted)
            for i, labels in enumerate(shuffled):
                in_training[i, t] += weight[test] @ (learnt(labels[train]) == target[test][:, None])
    hits = predicted == target
    accuracy = balanced(hits, target)
    in_test = np.array([(predicted == labels) @ w for labels, w in zip(shuffled, weights, strict=True)])
    nulls = _nulls(accuracy, both, in_training, in_test)
    null_high, p_all, q = (np.full_like(accuracy, np.nan) for _ in range(3))
    if nulls:
        null_high = np.max([np.quantile(null, 0.95, axis=0) for null in nulls], axis=0)
        p_all = np.max([maximum(accuracy, null, standardise=True) for null in nulls], axis=0)
        # So few shuffles have no small p-values of single pairs; accuracies are close enough to normal.
        floor = 0.5 / np.sqrt(len(target))
        z = [(accuracy - null.mean(0)) / np.maximum(null.std(0, ddof=1), floor) for null in nulls]
        q = benjamini_hochberg(norm.sf(np.min(z, axis=0)))
    shown = {"accuracy": accuracy, "null_high": null_high, "p_all": p_all, "q": q}
    part = xr.Dataset(
        {k: (("train", "test"), v) for k, v in shown.items()},
        coords={"train": time, "test": time},
        attrs={"chance": 1 / len(data.classes)},
    )
    return _time_rows(data, setting, hits, nulls, q, time, rng), part


def _time_rows(data, setting, hits, nulls, q, time, rng) -> list[dict]:
    chance = 1 / len(data.classes)
    setting = f"{setting};chance={chance:.4g}"
    after = time >= 0 if (time >= 0).sum() > 1 else np.ones(len(time), dtype=bool)
    same = np.diag(after)
    others = after[:, None] & after & ~same
    pairs = {"same": same, "others": others}
    told = np.stack([hits[mask].mean(0) for mask in pairs.values()])
    value, draws = balanced(told, data.target), balanced_draws(told, data.target, rng, data.whole)
    low, high = interval_of(draws, data.target, data.whole)
    rows = []
    for k, (name, text) in enumerate((("same", "the same time"), ("others", "other times"))):
        quantity = f"balanced accuracy at {text}{data.pooled}"
        null = _stricter(value[k], [null[:, pairs[name]].mean(1) for null in nulls])
        rows.append(row(quantity, value[k], condition=setting, null=null, ci=(low[k], high[k]), **data.size))
    quantity = f"generalisation over time{data.pooled}"
    # A denominator that can be zero bounds no ratio.
    if low[0] > chance and (not nulls or rows[0]["p_value"] <= LEVEL):
        ratio, drawn = (_ratio(part - chance) for part in (value, draws))
        rows.append(
            row(
                quantity,
                ratio,
                condition=setting,
                ci=tuple(map(float, interval_of(drawn, data.target, data.whole))),
                **data.size,
            )
        )
    else:
        rows.append(row(quantity, np.nan, condition=setting, status="not_decoded", **data.size))
    if nulls:
        share = float((q < LEVEL).mean())
        rows.append(row(f"share of pairs of times above chance{data.pooled}", share, condition=setting, **data.size))
    return rows


def _over_conditions(data, split, over, classifier, setting, rng):
    array, target = data.array, data.target
    conditions, condition = np.unique(array.coords[over].values, return_inverse=True)
    n_classes, n_conditions = len(data.classes), len(conditions)
    cell = condition * n_classes + target
    fold = data.folds[split]
    if split == "interleaved":
        if np.bincount(cell).min() < INTERLEAVED:
            return _lacking(data, setting, "too_few_trials")
        fold = folds_named(array, cell, str(INTERLEAVED), f"{data.label} and {over}", rng)
    if any(len(np.unique(cell[fold != k])) < n_classes * n_conditions for k in np.unique(fold)):
        return _lacking(data, setting, "label_in_one_fold")
    values, rooted = responses(_summed(array))
    shuffles = (FEW if classifier in ITERATED else PERMUTATIONS) * may_permute_trials(array) * (not data.constant)
    within = condition * (fold.max() + 1) + fold
    shuffled = np.array([shuffled_within(target, within, rng) for _ in range(shuffles)]).reshape(-1, len(target))
    setting += orders(shuffled)
    n_units = values.shape[1]
    places = np.array([[rng.permutation(n_units) for _ in conditions] for _ in range(PERMUTATIONS)])
    predicted = np.empty((n_conditions, len(target)), dtype=int)
    of_both, of_rest = np.empty((2, len(shuffled), n_conditions, len(target)), dtype=int)
    by_units = np.zeros((PERMUTATIONS, n_conditions, len(target)), dtype=bool)
    for k in np.unique(fold):
        test = fold == k
        for c in range(n_conditions):
            train = (fold != k) & (condition == c)
            learnt, mean, weight = _learner(values[train], values[test], CLASSIFIERS[classifier], rooted)
            predicted[c, test] = learnt(target[train])
            for i, labels in enumerate(shuffled):
                of_both[i, c, test] = learnt(labels[train])
            rest = _without_means(values[train], target[train])
            learnt, _, _ = _learner(rest, values[test], CLASSIFIERS[classifier], rooted)
            for i, labels in enumerate(shuffled):
                of_rest[i, c, test] = learnt(labels[train])
            spread = np.where(weight > 0, 1 / np.where(weight > 0, weight, 1), 0)
            deviations = (values[test] - mean) * weight
            seen = values[train] if rooted else (values[train] - mean) * weight
            penalty = 1.0 if rooted else float(n_units)
            weights, bias = unit_weights(seen, target[train], CLASSIFIERS[classifier], penalty)
            # Seen from this condition: as if each had its units in an order of its own, alike in training and test.
            for u, (place, back) in enumerate(zip(places[:, condition[test]], places[:, c].argsort(-1), strict=True)):
                moved = np.take_along_axis(deviations, place[:, back], axis=1)
                moved = moved * spread + mean if rooted else moved * (weight > 0)
                by_units[u, c, test] = (moved @ weights + bias).argmax(1) == target[test]
    hits = predicted == target
    accuracy = _pairs(hits, target, condition)
    both = np.array([_pairs(one == y, y, condition) for one, y in zip(of_both, shuffled, strict=True)])
    in_training = _pairs(of_rest == target, target, condition)
    in_test = np.array([_pairs(predicted == y, y, condition) for y in shuffled])
    nulls = _nulls(accuracy, both, in_training, in_test)
    by_units = _pairs(by_units, target, condition)
    return _condition_rows(data, setting, conditions, condition, hits, accuracy, nulls, by_units, rng)


def _condition_rows(data, setting, conditions, condition, hits, accuracy, nulls, by_units, rng):
    n_classes = len(data.classes)
    cell = condition * n_classes + data.target
    setting += f";chance={1 / n_classes:.4g}"
    null_high, rows = np.full(accuracy.shape, np.nan), []
    for c, d in np.ndindex(*accuracy.shape):
        mine = condition == d
        whole = data.whole[mine] if data.constant else None
        null = _stricter(accuracy[c, d], [null[:, c, d] for null in nulls])
        null_high[c, d] = np.quantile(null, 0.95) if null is not None else np.nan
        draws = balanced_draws(hits[c, mine], data.target[mine], rng, whole)
        ci = tuple(map(float, interval_of(draws, data.target[mine], whole)))
        text = f"{setting};train={conditions[c]};test={conditions[d]}"
        size = data.size | {"n_trials": mine.sum()}
        rows.append(row(f"balanced accuracy{data.pooled}", accuracy[c, d], condition=text, null=null, ci=ci, **size))
    own = np.eye(len(conditions), dtype=bool)
    for name, mask in (("within", own), ("across", ~own)):
        counting = mask[:, condition]
        told = np.where(counting, hits, 0).sum(0) / counting.sum(0)
        draws = balanced_draws(told, cell, rng, data.whole)
        ci, value = tuple(map(float, interval_of(draws, cell, data.whole))), accuracy[mask].mean()
        kinds = {"labels": _stricter(value, [null[:, mask].mean(1) for null in nulls])}
        kinds |= {"units": by_units[:, mask].mean(1)} if name == "across" else {}
        for kind, null in kinds.items():
            text, quantity = f"{setting};null={kind}", f"balanced accuracy {name} conditions{data.pooled}"
            rows.append(row(quantity, value, condition=text, null=null, ci=ci, **data.size))
    part = xr.Dataset(
        {"accuracy": (("train", "test"), accuracy), "null_high": (("train", "test"), null_high)},
        coords={"train": conditions.astype(str), "test": conditions.astype(str)},
        attrs={"chance": 1 / n_classes},
    )
    return rows, part


def _stricter(value, nulls):
    """Return the null that reaches a value more often, of equals the one with higher values; None of none."""
    return max(nulls, key=lambda null: ((null >= value - 1e-12).sum(), np.quantile(null, 0.95)), default=None)


def _nulls(accuracy, both, in_training, in_test):
    """Return the two nulls (draw, train, test) from labels that are shuffled in both, or only in one of them."""
    if not len(both):
        return []
    own = np.diag(accuracy)
    one = np.where(own[:, None] > own, in_test, in_training)
    diagonal = np.arange(len(own))
    one[:, diagonal, diagonal] = both[:, diagonal, diagonal]
    return [both, one]


def _pairs(hits, labels, condition):
    """Balanced accuracies (…, train, test) of hits (…, train, trial) in each condition."""
    return np.stack([balanced(hits[..., condition == d], labels[condition == d]) for d in np.unique(condition)], -1)


def _weights(target):
    """Weights of trials that add up to one, alike for each label."""
    count = np.bincount(target)
    return (1 / (len(count) * count))[target]


def _ratio(above):
    """Divide the second (last axis) by the first, where that is positive; else NaN."""
    first, second = above[..., 0], above[..., 1]
    return np.where(first > 0, second / np.where(first > 0, first, 1), np.nan)


def _without_means(values, target):
    """Take the differences between the means of labels out of trials (trial, unit)."""
    members = np.eye(target.max() + 1)[target]
    return values - (members @ (members.T @ values / members.sum(0)[:, None])) + values.mean(0)


def _learner(train, test, classifier, rooted):
    """Return a function from training labels to predictions, and the mean and weights that z-score.

    `train` has shape (n_train, n_units), `test` (n_test, …, n_units), and predictions (n_test, …).
    """
    n_units = train.shape[1]
    mean, weight = scaling(train)
    seen, held_out = (train, test) if rooted else ((train - mean) * weight, (test - mean) * weight)
    if n_units > len(seen):
        seen, flat = coordinates(seen @ seen.T, held_out.reshape(-1, n_units) @ seen.T)
        held_out = flat.reshape(*test.shape[:-1], -1)
    penalty = 1.0 if rooted else float(n_units)

    def learnt(labels):
        weights, bias = classifier(seen, labels, n_units, penalty)
        return (held_out @ weights + bias).argmax(-1)

    return learnt, mean, weight


def _with_condition(array, label, over, description_id) -> xr.DataArray:
    """Check the coordinate of conditions and leave out presentations without one."""
    known = [n for n, c in array.coords.items() if c.dims == ("presentation",) and n not in (label, "repeat")]
    if over not in known:
        raise unknown(f"condition of {description_id}", over, ["time", *known])
    values = array.coords[over].values
    there = np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) != ""
    array = array.isel(presentation=np.flatnonzero(there))
    conditions, condition = np.unique(array.coords[over].values, return_inverse=True)
    if len(conditions) < 2 or 2 * len(conditions) > len(condition):
        raise UserError(
            f"{description_id}: coordinate '{over}' has {len(conditions)} values in {len(condition)} presentations; "
            "conditions need at least two values, each of several presentations"
        )
    if label in array.coords and array.coords[label].dims == ("presentation",):
        every = np.unique(array.coords[label].values)
        for k, name in enumerate(conditions):
            lacking = np.setdiff1d(every, array.coords[label].values[condition == k])
            if len(lacking):
                raise UserError(
                    f"{description_id}: {over}={name} has no presentation with {label}={lacking[0]}; all values have "
                    "to be there in every condition: choose another coordinate"
                )
    return array


def _phases(array) -> str:
    """Onsets in s of the phases that the recording declares, as ``name=onset;…``; what is no number is left out."""
    told = array.attrs.get("phases", {})
    told = json.loads(told) if isinstance(told, str) else told
    return ";".join(f"{name}={onset:g}" for name, onset in told.items() if isinstance(onset, int | float))


def _lacking(data, setting, reason):
    return [row(f"balanced accuracy{data.pooled}", np.nan, condition=setting, status=reason, **data.size)], None


def _summed(array: xr.DataArray) -> xr.DataArray:
    return array if "time" not in array.dims else array.isel(time=0, drop=True).copy(data=matrix(array))
