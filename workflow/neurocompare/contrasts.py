"""Networks, and layers of a network, compared with one another on the same resamples.

The score of a network as a whole is that of its layer ``selected`` on held-out stimuli, averaged over
its seeds. All pairs of networks of a study are compared for each recording, region and measure, and so are
all pairs of layers of each network. A family of p-values is corrected for the family-wise error (Holm 1979)
and for the false discovery rate (Benjamini & Hochberg 1995). With several animals the differences
generalise to new stimuli and new animals, with one to new stimuli only. Seeds are not resampled: the
comparison is of these very instances of an untrained network.
"""

import itertools

import numpy as np
import xarray as xr

from neurocompare.inference import corrections, twofactor

LEVEL = 0.05
"""Two networks are called separable if the p-value, corrected by Holm's method, is below."""


def contrast(draws: list[xr.Dataset]) -> list[dict]:
    """Compare all pairs of networks, and all pairs of layers of each network.

    Parameters
    ----------
    draws : list of Dataset
        What `neurocompare.comparison.compare` returned for each network, recording and measure.

    Returns
    -------
    list of dict
        Rows of a table of contrasts, without the study and the digest of the code.
    """
    families: dict[tuple[str, str, str], dict[str, xr.Dataset]] = {}
    for dataset in draws:
        for region in dataset["region"].values:
            key = (dataset.attrs["recording"], str(region), dataset.attrs["measure"])
            families.setdefault(key, {})[dataset.attrs["network"]] = dataset.sel(region=region)
    rows = []
    for (recording, region, measure), networks in families.items():
        common = {"recording": recording, "region": region, "measure": measure}
        rows += [common | row for row in _corrected(_of_networks(networks))]
        for name, network in networks.items():
            rows += [common | row for row in _corrected(_of_layers(name, network))]
    return rows


def _of_networks(networks: dict[str, xr.Dataset]) -> list[dict]:
    rows = []
    for a, b in itertools.combinations(networks, 2):
        first, second = networks[a], networks[b]
        value, draws, left_out = (_averaged(first, name, second) for name in ("value", "draws", "left_out"))
        names = {"network": a, "layer": "selected", "other_network": b, "other_layer": "selected"}
        # A single difference, along a last axis of its own.
        (row,) = _differences(*(None if z is None else z[..., None] for z in (value, draws, left_out)), first)
        # Two networks of which all trials count are alike in this.
        if _all_trials(first) | _all_trials(second) not in ({True}, {False}):
            row["status"] = f"{row['status']};all_trials".removeprefix("ok;")
        rows.append(names | row)
    return rows


def _all_trials(network: xr.Dataset) -> set[bool]:
    """Whether seeds of a course were taken in all trials, for want of some like those selected of the recording."""
    return set(network["all_trials"].values.astype(bool).tolist()) if "all_trials" in network else {False}


def _of_layers(name: str, network: xr.Dataset) -> list[dict]:
    value, draws, left_out = (_averaged(network, f"layer_{name}") for name in ("value", "draws", "left_out"))
    pairs = list(itertools.combinations(range(value.shape[1]), 2))
    if not pairs:
        return []
    first, second = (list(side) for side in zip(*pairs, strict=True))
    rows = _differences(
        *(None if z is None else z[..., first] - z[..., second] for z in (value, draws, left_out)), network
    )
    layers = network["layer"].values.astype(str)
    return [
        {"network": name, "layer": layers[a], "other_network": name, "other_layer": layers[b]} | row
        for (a, b), row in zip(pairs, rows, strict=True)
    ]


def _averaged(network: xr.Dataset, name: str, other: xr.Dataset | None = None) -> np.ndarray | None:
    """Average over seeds, less that of another network, with resamples first, then animals; None if there is none."""
    if name not in network or (other is not None and name not in other):
        return None
    # A seed without a score leaves the network without one: the mean of the others is another quantity.
    mean = network[name].mean("seed", skipna=False)
    if other is not None:
        mean = mean - other[name].mean("seed", skipna=False)
    first = [dim for dim in ("draw", "layer_draw", "stimulus") if dim in mean.dims]
    return mean.transpose(*first, "animal", ...).values


def _differences(values: np.ndarray, draws: np.ndarray, left_out: np.ndarray | None, dataset: xr.Dataset) -> list[dict]:
    """Rows of differences (animal, pair) with their draws (draw, animal, pair)."""
    # Regions of a recording may have been seen in different animals.
    seen = np.flatnonzero(~dataset["absent"].values.astype(bool))
    values, draws = values[seen], draws[:, seen]
    options = {"scheme": dataset.attrs["scheme"]}
    if left_out is not None and "weights" in dataset and len(draws):
        options |= {"left_out": left_out[:, seen], "weights": dataset["weights"].values[: len(draws)].astype(float)}
    what = dataset.attrs["claimed"]
    common = {"claim": f"new {what}", "n_stimuli": dataset.attrs["n_stimuli"], "n_animals": len(seen)}
    difference = values.mean(0)
    if len(draws) == 0:
        low = high = np.full(len(difference), np.nan)
        p_value, missing = np.ones(len(difference)), "too_few_stimuli_to_select"
    else:
        # With p-values from counts of resamples the family of all pairs of layers could not be corrected for.
        found = twofactor.estimate(values, draws, dataset.attrs["n_groups"], **options)
        low, high, p_value, missing = found.low, found.high, found.p_value, "interval_undefined"
        common["claim"] = f"new {found.claim}".replace("stimuli", what)
    rows = []
    for k, value in enumerate(difference):
        defined = np.isfinite([value, low[k]]).all()
        status = "ok" if defined else missing if np.isfinite(value) or not len(draws) else "undefined"
        rows.append(
            common
            | {"difference": value, "ci_low": low[k], "ci_high": high[k], "p_value": p_value[k] if defined else 1.0}
            | {"status": status}
        )
    return rows


def _corrected(family: list[dict]) -> list[dict]:
    p_values = np.array([row["p_value"] for row in family])
    holm, rate = corrections.holm(p_values), corrections.benjamini_hochberg(p_values)
    rows = []
    for row, p_holm, q_value in zip(family, holm, rate, strict=True):
        rows.append(row | {"p_holm": p_holm, "q_value": q_value, "separable": bool(p_holm < LEVEL)})
    return rows
