"""How alike networks are as dynamical systems: distances between the spectra at their points, within and between kinds.

The spectra are those of the Jacobians at fixed and slow points, as rates per second, of which the `LEADING` with the
greatest growth count: the others tell leaky units and no computation. Points are matched as in
`neurocompare.dynamics.spectra`, and the distance of two networks is the mean over their matched points. Near a
continuous attractor it is chance on which side of the unit circle a slow mode is: one that grows or decays by less than
`SLOW` counts as neither stable nor unstable, and fixed points are alike if their numbers of unstable dimensions can be
equal then.

Whether networks of two kinds differ more than those of one is asked of whole networks: ``excess`` is the mean distance
between kinds less that within kinds, under each constant input, and its mean over the inputs is what is tested. The
p-value is the share of all ways to distribute the kinds among the networks (of 9,999 random ones and the actual one,
where there are more than 10,000) with as large an excess, or with none that is defined. Of two kinds with four seeds
each, the smallest possible p-value is 2/70, and corrected for the three pairs of three kinds 0.086: a difference could
not be shown, and the status tells (``too_few_seeds``).
"""

import itertools
import math

import numpy as np
import xarray as xr

from neurocompare.dynamics import fixed_points, spectra
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
    "n_pairs",
    "n_matched_pairs",
    "n_points",
    "n_unmatched",
    "code_sha256",
    "status",
]
"""Columns of a table of distances; ``study`` is put before them."""

LEADING = 10
"""Eigenvalues of each point."""

SLOW = 0.5
"""Growth or decay in 1/s below which a mode may pass as stable or as unstable: time constants above 2 s."""

EXACT = 10_000
"""Arrangements of kinds that are all tried, at most."""

LEVEL = 0.05
"""Networks are too few where no corrected p-value can be as small."""

ALL = "all"
"""Condition of what is averaged over the inputs, and name of all networks together."""


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
        seeds) and for all networks together; and the latter two for condition `ALL`, the means over inputs. Tests of
        pairs of networks are in those, with ``p_holm`` corrected for all pairs. Where only two kinds are compared, all
        networks together are that pair, and have no rows of their own.
    """
    labels = np.array([network for network, _, _ in details])
    rows, conditions = [], _shared([detail for _, _, detail in details])
    shape = (len(conditions), len(details), len(details))
    distances, points, unmatched = np.full(shape, np.nan), np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    names = list(dict.fromkeys(labels))
    groups = [(a, b, np.isin(labels, [a, b])) for a, b in itertools.combinations_with_replacement(names, 2)]
    groups += [(ALL, ALL, np.ones(len(labels), dtype=bool))] if len(names) > 2 else []

    def summed(condition: str, chosen: slice) -> list[dict]:
        arrays = distances[chosen], points[chosen], unmatched[chosen]
        return [
            _row(condition, a, None, b, None)
            | _summary(*(array[:, mine][:, :, mine] for array in arrays), labels[mine])
            for a, b, mine in groups
        ]

    for c, condition in enumerate(conditions):
        own = [_points(detail, condition) for _, _, detail in details]
        for i, j in itertools.combinations(range(len(own)), 2):
            _, found, left = spectra.match(own[i], own[j])
            distances[c, i, j] = distances[c, j, i] = found.mean() if len(found) else np.nan
            points[c, i, j] = points[c, j, i] = len(found)
            unmatched[c, i, j] = unmatched[c, j, i] = left
            empty = not (len(own[i][0]) and len(own[j][0]))
            rows.append(
                _row(condition, *details[i][:2], *details[j][:2])
                | {
                    "distance": distances[c, i, j],
                    "n_networks": 2,
                    "n_pairs": 1,
                    "n_matched_pairs": int(len(found) > 0),
                }
                | {"n_points": len(found), "n_unmatched": left}
                | {"status": "ok" if len(found) else "no_points" if empty else "no_matched_points"}
            )
        rows += summed(condition, slice(c, c + 1))
    if conditions:
        whole = summed(ALL, slice(None))
        _test(whole, distances, labels, groups)
        rows += whole
    return rows


def _test(rows: list[dict], distances: np.ndarray, labels: np.ndarray, groups: list[tuple]) -> None:
    """Add p-values to the rows of groups of networks, and to their status where they could not be small."""
    tested = []
    for row, (a, b, mine) in zip(rows, groups, strict=True):
        row["p_value"] = p_value(distances[:, mine][:, :, mine], labels[mine])
        if np.isfinite(row["p_value"]):
            tested.append((row, smallest(labels[mine]), (a, b) != (ALL, ALL)))
    pairs = [(row, least) for row, least, is_pair in tested if is_pair]
    corrected = corrections.holm(np.array([row["p_value"] for row, _ in pairs]))
    # What the correction makes of the smallest p-values that all pairs could have.
    possible = corrections.holm(np.array([least for _, least in pairs]))
    for (row, _), p_holm in zip(pairs, corrected, strict=True):
        row["p_holm"] = p_holm
    limits = [(row, least) for (row, _), least in zip(pairs, possible, strict=True)]
    limits += [(row, least) for row, least, is_pair in tested if not is_pair]
    for row, least in limits:
        if least > LEVEL:
            row["status"] = "too_few_seeds" if row["status"] == "ok" else f"{row['status']};too_few_seeds"


def excess(distances: np.ndarray, labels: np.ndarray) -> float:
    """Return how much farther networks of different kinds are from one another than networks of the same kind.

    Parameters
    ----------
    distances : array of shape (n, n) or (n_inputs, n, n)
        Between networks; NaN for those without any.
    labels : array of shape (n,)
        The kind of each.

    Returns
    -------
    float
        Difference of mean distances, and the mean over the inputs that have pairs of both sorts; NaN if none has.
    """
    found = _excesses(_pairs(distances), np.asarray(labels)[None])[0]
    return float(found[np.isfinite(found)].mean()) if np.isfinite(found).any() else np.nan


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
    labels, pairs = np.asarray(labels), _pairs(distances)
    # The same inputs count in all arrangements.
    pairs = pairs[np.isfinite(_excesses(pairs, labels[None])[0])]
    if not len(pairs):
        return np.nan
    kinds, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if _ways(counts) <= EXACT:
        arrangements = _arrangements(dict(enumerate(counts)), len(labels))
    else:
        rng = np.random.default_rng(seed)
        arrangements = itertools.chain([numbers], (rng.permutation(numbers) for _ in range(EXACT - 1)))
    actual = _excesses(pairs, numbers[None])[0].mean()
    found = [_excesses(pairs, np.array(some)).mean(1) for some in _batches(arrangements)]
    # An arrangement that leaves no pairs of one sort cannot count against a difference, nor for it.
    return float((~(np.concatenate(found) < actual - 1e-12)).mean())


def smallest(labels: np.ndarray) -> float:
    """Return the smallest p-value that networks of such kinds can have.

    Parameters
    ----------
    labels : array of shape (n,)
        The kind of each.

    Returns
    -------
    float
        Kinds with equal numbers of seeds may exchange their names without any change of the excess.
    """
    counts = np.unique(labels, return_counts=True)[1]
    same = math.prod(math.factorial(number) for number in np.unique(counts, return_counts=True)[1])
    return max(same / _ways(counts), 1 / EXACT)


def _pairs(distances: np.ndarray) -> np.ndarray:
    """Distances (n_inputs, n_pairs) of all pairs of networks."""
    distances = np.asarray(distances, dtype=float)
    i, j = np.triu_indices(distances.shape[-1], 1)
    return np.atleast_2d(distances[..., i, j])


def _excesses(pairs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Excess (n_arrangements, n_inputs) for labels (n_arrangements, n); NaN where there are no pairs of one sort."""
    i, j = np.triu_indices(labels.shape[1], 1)
    same = (labels[:, i] == labels[:, j]).astype(float)
    known = np.isfinite(pairs).T.astype(float)
    values = np.nan_to_num(pairs).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((1 - same) @ values) / ((1 - same) @ known) - (same @ values) / (same @ known)


def _batches(arrangements):
    """Give some arrangements at a time, as few as hold little memory."""
    arrangements = iter(arrangements)
    while some := list(itertools.islice(arrangements, 500)):
        yield some


def _ways(counts) -> int:
    """Ways to distribute kinds with these numbers of networks."""
    return math.factorial(int(sum(counts))) // math.prod(math.factorial(int(count)) for count in counts)


def _shared(details: list[xr.Dataset]) -> list[str]:
    """Constant inputs that all networks know, with or without points, in the order of the first."""
    known = [np.atleast_1d(detail.attrs.get("inputs", detail["input"])).astype(str).tolist() for detail in details]
    return [name for name in dict.fromkeys(known[0]) if all(name in others for others in known)] if known else []


def _points(detail: xr.Dataset, condition: str) -> tuple[np.ndarray, np.ndarray]:
    """What the points under an input may be (n_points, 2), and their leading eigenvalues as rates in 1/s (n_points, n).

    What they may be are the least and the greatest numbers of unstable dimensions; of slow points they are −1.
    """
    mine = detail.isel(point=np.flatnonzero(detail["input"].values.astype(str) == condition))
    values = mine["eigenvalue_real"].values + 1j * mine["eigenvalue_imaginary"].values
    rates = spectra.rates(values, float(detail.attrs["dt"]))
    near, growing = np.abs(rates.real) < SLOW, np.abs(values) > 1 + fixed_points.NEUTRAL
    unstable = mine["unstable"].values.astype(int)
    least = unstable - (near & growing).sum(1)
    greatest = unstable + (near & ~growing).sum(1)
    fixed = mine["is_fixed"].values.astype(bool)[:, None]
    return np.where(fixed, np.stack([least, greatest], 1), -1), rates[:, :LEADING]


def _row(condition, network, seed, other_network, other_seed) -> dict:
    names = {"condition": condition, "network": network, "seed": seed}
    missing = dict.fromkeys(("distance", "excess", "p_value", "p_holm"), np.nan)
    return names | {"other_network": other_network, "other_seed": other_seed} | missing | {"status": "ok"}


def _summary(distances: np.ndarray, points: np.ndarray, unmatched: np.ndarray, labels: np.ndarray) -> dict:
    """What a pair of kinds, one kind, or all kinds have for a row, of arrays (n_inputs, n, n).

    Distances and counts of one kind are of the pairs within it, and else of the pairs between kinds; those within count
    for the status, as the excess rests on them too.
    """
    i, j = np.triu_indices(len(labels), 1)
    one = len(set(labels)) == 1
    wanted = np.ones(len(i), dtype=bool) if one else labels[i] != labels[j]
    pairs = _pairs(distances)
    matched = np.isfinite(pairs)
    means = [row[wanted & some].mean() for row, some in zip(pairs, matched, strict=True) if (wanted & some).any()]
    found = excess(distances, labels)
    if not means:
        status = ["one_seed" if one and len(labels) == 1 else "no_matched_points"]
    else:
        status = ["one_kind"] if one else [] if np.isfinite(found) else ["one_seed"]
        status += [] if matched.all() else ["partly_matched"]
    return {
        "distance": np.mean(means) if means else np.nan,
        "excess": found,
        "n_networks": len(labels),
        "n_pairs": int(wanted.sum()) * len(pairs),
        "n_matched_pairs": int(matched[:, wanted].sum()),
        "n_points": int(points[:, i[wanted], j[wanted]].sum()),
        "n_unmatched": int(unmatched[:, i[wanted], j[wanted]].sum()),
        "status": ";".join(status) or "ok",
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
