"""How alike networks are as dynamical systems: distances between the spectra at their points, within and between kinds.

The spectra are those of the Jacobians at fixed and slow points, as rates per second, of which the `LEADING` with the
greatest growth count: the others tell leaky units and no computation. Points are matched as in
`neurocompare.dynamics.spectra`, and the distance of two networks is the mean over their matched points.

Whether networks of two kinds differ more than those of one is asked of whole networks: ``excess`` is the mean distance
between kinds less that within kinds, and its p-value the share of all ways to distribute the kinds among the networks
(of 9,999 random ones and the actual one, where there are more than 10,000) with as large an excess. Of two kinds with
four seeds each, the smallest possible p-value is 2/70.
"""

import itertools
import math

import numpy as np
import xarray as xr

from neurocompare.dynamics import spectra
from neurocompare.inference import corrections

COLUMNS = [
    "condition",
    "network",
    "seed",
    "other_network",
    "other_seed",
    "distance",
    "excess",
    "p_value",
    "p_holm",
    "n_networks",
    "n_points",
    "n_unmatched",
    "code_sha256",
    "status",
]
"""Columns of a table of distances; ``study`` is put before them."""

LEADING = 10
"""Eigenvalues of each point."""

EXACT = 10_000
"""Arrangements of kinds that are all tried, at most."""


def compare(details: list[tuple[str, int, xr.Dataset]]) -> list[dict]:
    """Compare all pairs of networks.

    Parameters
    ----------
    details : list of tuples (network, seed, Dataset)
        What `neurocompare.network_description.fixed.describe_network` left of each network.

    Returns
    -------
    list of dict
        Rows with `COLUMNS`, without the digest of the code: for each constant input that all networks know,
        one for each pair of seeds (``distance`` in 1/s), for each network with itself or another (means over pairs of
        seeds) and for all networks together. ``p_holm`` is corrected for all pairs of networks and inputs.
    """
    labels = np.array([network for network, _, _ in details])
    rows, tested = [], []
    for condition in _shared([detail for _, _, detail in details]):
        points = [_points(detail, condition) for _, _, detail in details]
        distances = np.full((len(points), len(points)), np.nan)
        for i, j in itertools.combinations(range(len(points)), 2):
            _, found, unmatched = spectra.match(points[i], points[j])
            distances[i, j] = distances[j, i] = found.mean() if len(found) else np.nan
            rows.append(
                _row(condition, *details[i][:2], *details[j][:2])
                | {"distance": distances[i, j], "n_networks": 2, "n_points": len(found), "n_unmatched": unmatched}
                | {"status": "ok" if len(found) else "no_matched_points"}
            )
        names = list(dict.fromkeys(labels))
        for a, b in itertools.combinations_with_replacement(names, 2):
            mine = np.isin(labels, [a, b])
            row = _row(condition, a, None, b, None) | _summary(distances[np.ix_(mine, mine)], labels[mine])
            rows.append(row)
            tested += [row] if np.isfinite(row["p_value"]) else []
        if len(names) > 2:
            rows.append(_row(condition, "all", None, "all", None) | _summary(distances, labels))
    for row, p_value in zip(tested, corrections.holm(np.array([row["p_value"] for row in tested])), strict=True):
        row["p_holm"] = p_value
    return rows


def excess(distances: np.ndarray, labels: np.ndarray) -> float:
    """Return how much farther networks of different kinds are from one another than networks of the same kind.

    Parameters
    ----------
    distances : array of shape (n, n)
        Between networks; NaN for those without any.
    labels : array of shape (n,)
        The kind of each.

    Returns
    -------
    float
        Difference of mean distances; NaN if there are no pairs of one sort.
    """
    i, j = np.triu_indices(len(labels), 1)
    pairs, same = distances[i, j], labels[i] == labels[j]
    parts = [pairs[chosen & np.isfinite(pairs)] for chosen in (~same, same)]
    return float(parts[0].mean() - parts[1].mean()) if all(map(len, parts)) else np.nan


def p_value(distances: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> float:
    """Test whether networks of different kinds differ more than those of one kind.

    Parameters
    ----------
    distances, labels
        As in `excess`.
    seed : int
        Of random arrangements, where there are too many.

    Returns
    -------
    float
        One-sided; NaN where there is no excess.
    """
    actual = excess(distances, labels)
    if not np.isfinite(actual):
        return np.nan
    kinds, counts = np.unique(labels, return_counts=True)
    number = math.factorial(len(labels)) // math.prod(math.factorial(count) for count in counts)
    if number <= EXACT:
        arrangements = _arrangements(dict(zip(kinds, counts, strict=True)), len(labels))
    else:
        rng = np.random.default_rng(seed)
        arrangements = itertools.chain([labels], (rng.permutation(labels) for _ in range(EXACT - 1)))
    found = np.array([excess(distances, np.asarray(one)) for one in arrangements])
    found = found[np.isfinite(found)]
    return float((found >= actual - 1e-12).mean())


def _shared(details: list[xr.Dataset]) -> list[str]:
    """Constant inputs that all networks have points under, in the order of the first."""
    known = [list(dict.fromkeys(detail["input"].values.astype(str))) for detail in details]
    return [name for name in known[0] if all(name in others for others in known)] if known else []


def _points(detail: xr.Dataset, condition: str) -> tuple[np.ndarray, np.ndarray]:
    """What the points under an input are, and their leading eigenvalues as rates in 1/s (n_points, n)."""
    mine = detail.isel(point=np.flatnonzero(detail["input"].values.astype(str) == condition))
    kinds = np.where(mine["is_fixed"], mine["unstable"], -1)
    values = mine["eigenvalue_real"].values + 1j * mine["eigenvalue_imaginary"].values
    return kinds, spectra.rates(values[:, :LEADING], float(detail.attrs["dt"]))


def _row(condition, network, seed, other_network, other_seed) -> dict:
    names = {"condition": condition, "network": network, "seed": seed}
    missing = dict.fromkeys(("distance", "excess", "p_value", "p_holm"), np.nan)
    counts = dict.fromkeys(("n_networks", "n_points", "n_unmatched"))
    return names | {"other_network": other_network, "other_seed": other_seed} | missing | counts | {"status": "ok"}


def _summary(distances: np.ndarray, labels: np.ndarray) -> dict:
    """What a pair of kinds, one kind, or all kinds have for a row; of one kind, distances are those within it."""
    i, j = np.triu_indices(len(labels), 1)
    one = len(set(labels)) == 1
    wanted = distances[i, j][np.ones(len(i), dtype=bool) if one else labels[i] != labels[j]]
    wanted = wanted[np.isfinite(wanted)]
    found = excess(distances, labels)
    status = "one_kind" if one else "ok" if np.isfinite(found) else "one_seed"
    if not len(wanted):
        status = "one_seed" if one and len(labels) == 1 else "no_matched_points"
    return {
        "distance": wanted.mean() if len(wanted) else np.nan,
        "excess": found,
        "p_value": p_value(distances, labels),
        "n_networks": len(labels),
        "status": status,
    }


def _arrangements(counts: dict, n: int):
    """Give every way to distribute kinds among n networks, once."""
    if n == 0:
        yield ()
        return
    for kind, count in counts.items():
        if count:
            for rest in _arrangements(counts | {kind: count - 1}, n - 1):
                yield (kind, *rest)
