"""Trajectories of a population through its states, for two choices and several bins of the reaction time.

After Boucher et al. 2023 (Nature Communications 14:6510): the state before the stimulus covaries with the reaction
time, and the two choices part later where reactions are slower. Where bins overlap, neighbours share trials, and a
shuffle of the bins makes the null narrower than it should be.

Distances between means are too large, by more where fewer trials were averaged. Bins with other numbers of trials
would thus differ without any difference between their states; so equally many trials are drawn from all of them.
"""

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from neurocompare.description.rows import may_permute_stimuli, options_of, require_needs, row
from neurocompare.errors import UserError, unknown

DESCRIPTIONS = {
    "trajectories-by=<bin>": {
        "summary": "when the trajectories of two choices part, and where they start, by bins of the reaction time",
        "unit": "s",
        "direction": "higher",
        "needs": ["responses"],
    }
}
"""The pattern of ids; the bin is a numeric coordinate along ``presentation``."""

PERMUTATIONS = 10_000
BEFORE = 0.1
"""Length in s of the window before the stimulus over which the initial state is averaged."""

COMPONENTS = 3


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe the trajectories of two choices.

    Parameters
    ----------
    array : DataArray
        Responses with a time axis that begins before 0, a coordinate ``choice`` with two values and a bin. Several
        presentations of a choice in a bin are averaged, of each the same number, drawn at random where numbers
        differ.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the permutations, and of the presentations that are drawn.

    Returns
    -------
    rows : list of dict
        For each bin, ``onset of the choice``: the time in s after which the Euclidean distance between the choices
        stays above half of the smallest peak of a bin (so that every bin gets there); then
        ``onset of the choice, by bin`` and ``initial state, by bin``: Spearman correlations with the bin, of
        the onset, and of the distance of the initial state from that of the first bin, with nulls of shuffled bins.
        Where presentations were drawn, the condition says how many, as in ``trials=6 of 6 to 60``.
    details : Dataset
        ``state`` (choice, bin, time, component), principal components; ``variance`` (component), fractions;
        ``distance`` (bin, time); ``onset`` and ``initial`` (bin); attributes ``threshold`` and ``response_units``.

    Raises
    ------
    UserError
        If the id is no such pattern, or the recording lacks a time axis, a coordinate, a choice or a bin.
    """
    name = options_of(description_id, {"by": ()})["by"]
    require_needs(array, description_id, ["responses"])
    bins, choices, groups = _by_bin(array, name, description_id)
    states, averaged, drawn = _means(array.values, groups, np.random.default_rng([seed, 7]))
    time = array.coords["time"].values
    distance = np.linalg.norm(states[0] - states[1], axis=-1)
    threshold = distance[:, time >= 0].max(1).min() / 2
    onset = np.array([onset_of(time, line, threshold) for line in distance])
    start = states[:, :, (time < 0) & (time >= -BEFORE - 1e-9)].mean((0, 2))
    initial = np.linalg.norm(start - start[0], axis=1)
    size = {
        "n_stimuli": len(np.unique(array.coords["stimulus"].values)),
        "n_units": array.sizes["unit"],
        "n_trials": averaged,
    }
    units = array.attrs["units"]
    crossing = f"threshold={threshold:.4g} {units}{drawn}"
    rows = [
        row(
            "onset of the choice",
            t,
            unit="s",
            condition=f"{name}={b:g};{crossing}",
            status=None if np.isfinite(t) else "never",
            **size,
        )
        for b, t in zip(bins, onset, strict=True)
    ]
    rng = np.random.default_rng([seed, 6])
    permutations = PERMUTATIONS * may_permute_stimuli(array)
    orders = rng.permuted(np.tile(np.arange(len(bins)), (permutations, 1)), axis=1)
    between = np.linalg.norm(start[:, None] - start[None], axis=-1)
    rows.append(
        row(
            "onset of the choice, by bin",
            spearman(bins, onset),
            condition=f"statistic=Spearman;bins={len(bins)};{crossing}",
            null=spearman(bins, onset[orders]) if permutations else None,
            **size,
        )
    )
    rows.append(
        row(
            "initial state, by bin",
            spearman(bins, initial),
            condition=f"statistic=Spearman;bins={len(bins)};from=first bin;window=-{BEFORE:g} to 0 s{drawn}",
            null=spearman(bins, between[orders[:, :1], orders]) if permutations else None,
            **size,
        )
    )
    components, variance = _components(states)
    details = xr.Dataset(
        {
            "state": (("choice", "bin", "time", "component"), components),
            "variance": ("component", variance),
            "distance": (("bin", "time"), distance),
            "onset": ("bin", onset),
            "initial": ("bin", initial),
        },
        coords={"choice": choices, "bin": bins, "time": time},
        attrs={"threshold": float(threshold), "response_units": units, "by": name} | size,
    )
    return rows, details


def onset_of(time: np.ndarray, distance: np.ndarray, threshold: float) -> float:
    """Return when a distance last rises above a threshold, by linear interpolation.

    Parameters
    ----------
    time : array of shape (n_times,)
        Seconds from the stimulus.
    distance : array of shape (n_times,)
        The distance.
    threshold : float
        The threshold.

    Returns
    -------
    float
        Seconds from the stimulus to the last rise before the peak after the stimulus; NaN if there is none. Whatever
        happened before the stimulus does not count.
    """
    after = np.flatnonzero(time >= 0)
    peak = after[distance[after].argmax()]
    if distance[peak] < threshold:
        return np.nan
    below = np.flatnonzero((distance[: peak + 1] < threshold) & (time[: peak + 1] >= time[after[0]]))
    if not len(below):
        return float(time[after[0]])
    last = below[-1]
    step = (threshold - distance[last]) / (distance[last + 1] - distance[last])
    return float(time[last] + step * (time[last + 1] - time[last]))


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation.

    Parameters
    ----------
    x : array of shape (n,)
        One variable.
    y : array of shape (..., n)
        Another one, perhaps many times. Undefined values rank last: what was not reached would come later.

    Returns
    -------
    array of shape (...)
        NaN where all values are alike.
    """
    a, b = rankdata(x), rankdata(np.where(np.isfinite(y), y, np.inf), axis=-1)
    a, b = a - a.mean(), b - b.mean(-1, keepdims=True)
    norm = np.sqrt((a**2).sum() * (b**2).sum(-1))
    return np.divide((a * b).sum(-1), norm, out=np.full(norm.shape, np.nan), where=norm > 0)


def _by_bin(array, name, description_id) -> tuple[np.ndarray, np.ndarray, list[list[np.ndarray]]]:
    """Bins, choices, and the presentations of each bin of each choice."""
    if "time" not in array.dims:
        raise UserError(f"{description_id} needs responses over time; give the recording a 'bin_width'")
    time = array.coords["time"].values
    if time[0] >= 0 or time[-1] <= 0:
        raise UserError(
            f"{description_id}: 'time' goes from {time[0]:g} to {time[-1]:g} s; a window that begins before 0 and ends "
            "after it is needed"
        )
    known = [n for n, c in array.coords.items() if c.dims == ("presentation",)]
    for coordinate in (name, "choice"):
        if coordinate not in known:
            raise unknown(f"presentation coordinate of {description_id}", coordinate, known)
    values = array.coords[name].values
    if values.dtype.kind not in "fiu":
        raise UserError(f"{description_id}: coordinate '{name}' is no number; bins need an order")
    bins, index = np.unique(values, return_inverse=True)
    choices, choice = np.unique(array.coords["choice"].values, return_inverse=True)
    counts = np.zeros((len(choices), len(bins)), dtype=int)
    np.add.at(counts, (choice, index), 1)
    if len(choices) != 2 or len(bins) < 3 or counts.min() == 0:
        raise UserError(
            f"{description_id}: {len(choices)} values of 'choice' and {len(bins)} of '{name}', {(counts == 0).sum()} "
            "combinations absent; 2 choices in each of 3 bins or more are needed"
        )
    groups = [[np.flatnonzero((choice == c) & (index == b)) for b in range(len(bins))] for c in range(2)]
    return bins.astype(float), choices.astype(str), groups


def _means(responses, groups, rng) -> tuple[np.ndarray, int, str]:
    """Mean states (choice, bin, time, unit) of equally many presentations, their number, and how they were drawn."""
    sizes = [len(group) for line in groups for group in line]
    least, most = min(sizes), max(sizes)
    if least < most:
        groups = [[np.sort(rng.choice(group, least, replace=False)) for group in line] for line in groups]
    states = [[responses[group].astype(float).mean(0) for group in line] for line in groups]
    return np.array(states), least * len(sizes), f";trials={least} of {least} to {most}" if least < most else ""


def _components(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal components (choice, bin, time, component) and the fractions of variance that they hold."""
    flat = states.reshape(-1, states.shape[-1])
    flat = flat - flat.mean(0)
    variance, axes = np.linalg.eigh(flat.T @ flat)
    variance, axes = variance[::-1][:COMPONENTS], axes[:, ::-1][:, :COMPONENTS]
    # The sign of a component is arbitrary; fix it, so that figures do not flip.
    axes = axes * np.where(axes[np.abs(axes).argmax(0), range(axes.shape[1])] < 0, -1, 1)
    components = (flat @ axes).reshape(*states.shape[:-1], -1)
    return components, variance / max((flat**2).sum(), 1e-300)
