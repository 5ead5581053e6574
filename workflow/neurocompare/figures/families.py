"""Do the families of measures tell the same story? Agreement of measures on layers and on networks."""

import itertools

import matplotlib
import numpy as np
import pandas as pd
from scipy.stats import rankdata

from neurocompare.errors import UserError
from neurocompare.figures import scored, style

LEAST_LAYERS = 3
"""Layers that a profile must have: two are in the same order half of the time."""


def draw(scores: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw the agreement of all pairs of measures.

    Parameters
    ----------
    scores : DataFrame
        Scores of a study.
    titles : dict of str to str
        What to call each network; others are left out.
    path : str
        The figure.

    Raises
    ------
    UserError
        If there are fewer than two measures, or nothing that measures could order.
    """
    scores = scores[scores["network"].isin(list(titles))]
    measures = list(dict.fromkeys(scores["measure"]))
    if len(measures) < 2:
        raise UserError("the figure 'families' needs several measures; select more, or leave it out")
    rows = scored.shown(scores)
    found = profiles(rows, measures)
    pairs = network_pairs(scored.over_seeds(rows), measures)
    if not found and not pairs:
        raise UserError(
            f"the figure 'families' needs a network with {LEAST_LAYERS} layers, or two networks; leave it out"
        )
    panels = [(_profile_panel, found)] * bool(found) + [(_network_panel, pairs)] * bool(pairs)
    side = 0.34 * len(measures)
    figure, axes = style.subplots(1, len(panels), width=max(side + 1.7, 3.1), height=side + 2.4)
    labels = [style.measure_label(m) for m in measures]
    for axis, (panel, content) in zip(axes[0], panels, strict=True):
        axis.set_xticks(range(len(labels)), labels, rotation=90, fontsize=6)
        axis.set_yticks(range(len(labels)), labels if axis is axes[0, 0] else [], fontsize=6)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        panel(figure, axis, content)
    style.save(figure, path)


def profiles(rows: pd.DataFrame, measures: list[str]) -> list[np.ndarray]:
    """Collect the layer profiles of every network, seed and region.

    Parameters
    ----------
    rows : DataFrame
        From `scored.shown`.
    measures : list of str
        The order.

    Returns
    -------
    list of array of shape (n_layers, n_measures)
        Scores, distances with their sign turned; only of networks with `LEAST_LAYERS` layers.
    """
    rows = _turned(rows[rows["layer"] != "selected"])
    found = []
    for _, mine in rows.groupby(["recording", "region", "network", "seed"], sort=False):
        table = mine.pivot(index="layer", columns="measure", values="value").reindex(columns=measures)
        if len(table) >= LEAST_LAYERS:
            found.append(table.values)
    return found


def rank_correlation(profiles: list[np.ndarray], a: int, b: int) -> tuple[float, int, int]:
    """Correlate the order of layers by two measures.

    Parameters
    ----------
    profiles : list of array of shape (n_layers, n_measures)
        From `profiles`.
    a, b : int
        Which measures.

    Returns
    -------
    correlation : float
        Spearman's within profiles: layers are ranked within each, the ranks centred there and pooled, so that
        regions and networks may differ in level. NaN if nothing varies.
    n_layers, n_profiles : int
        What it rests on; layers without a score by one of the two are left out.
    """
    first, second, layers, count = [], [], 0, 0
    for profile in profiles:
        pair = profile[:, [a, b]]
        pair = pair[np.isfinite(pair).all(1)]
        if len(pair) >= LEAST_LAYERS:
            ranks = rankdata(pair, axis=0)
            ranks -= ranks.mean(0)
            first, second = [*first, *ranks[:, 0]], [*second, *ranks[:, 1]]
            layers, count = layers + len(pair), count + 1
    scale = np.linalg.norm(first) * np.linalg.norm(second)
    return (float(np.dot(first, second) / scale) if scale > 0 else np.nan), layers, count


def same_best(profiles: list[np.ndarray], a: int, b: int) -> tuple[float, float]:
    """Count how often two measures have the same best layer.

    Parameters
    ----------
    profiles : list of array of shape (n_layers, n_measures)
        From `profiles`.
    a, b : int
        Which measures.

    Returns
    -------
    share : float
        Of the profiles; NaN if there are none.
    chance : float
        What layers drawn at random would give.
    """
    same, chance = [], []
    for profile in profiles:
        pair = profile[:, [a, b]]
        pair = pair[np.isfinite(pair).all(1)]
        if len(pair) >= LEAST_LAYERS:
            same.append(pair[:, 0].argmax() == pair[:, 1].argmax())
            chance.append(1 / len(pair))
    return (float(np.mean(same)), float(np.mean(chance))) if same else (np.nan, np.nan)


def network_pairs(rows: pd.DataFrame, measures: list[str]) -> list[np.ndarray]:
    """Collect, for each pair of networks in each region, which is ahead.

    Parameters
    ----------
    rows : DataFrame
        From `scored.over_seeds`.
    measures : list of str
        The order.

    Returns
    -------
    list of array of shape (n_measures,)
        Differences of the scores ``selected``, distances with their sign turned.
    """
    rows = _turned(rows[rows["layer"] == "selected"])
    found = []
    for _, mine in rows.groupby(["recording", "region"], sort=False):
        table = mine.pivot(index="network", columns="measure", values="value").reindex(columns=measures).values
        found += [table[i] - table[j] for i, j in itertools.combinations(range(len(table)), 2)]
    return found


def _turned(rows: pd.DataFrame) -> pd.DataFrame:
    sign = np.where(rows["measure"].map(scored.lower_is_better), -1, 1)
    return rows.assign(value=rows["value"] * sign)


def _cells(axis, values, colours, scale, asked) -> None:
    """Draw a matrix with its numbers, and a dash for what is undefined."""
    n = len(values)
    axis.imshow(np.ma.masked_invalid(values), cmap=colours.with_extremes(bad="white"), norm=scale, aspect="equal")
    for i, j in np.ndindex(n, n):
        if np.isfinite(values[i, j]):
            dark = np.dot(colours(scale(values[i, j]))[:3], [0.3, 0.6, 0.1]) < 0.5
            text = f"{values[i, j]:.2f}".replace("0.", ".", 1).replace("-", "−")
            axis.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
        elif asked[i, j]:
            axis.text(j, i, "–", ha="center", va="center", fontsize=6.5)
    axis.set_xticks(np.arange(n - 1) + 0.5, minor=True)
    axis.set_yticks(np.arange(n - 1) + 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.8)
    axis.tick_params(which="minor", length=0)


def _profile_panel(figure, axis, found) -> None:
    n = found[0].shape[1]
    values, layers, counts, chance = np.full((n, n), np.nan), [], [], []
    for a, b in itertools.combinations(range(n), 2):
        values[b, a], n_layers, n_profiles = rank_correlation(found, a, b)
        values[a, b], expected = same_best(found, a, b)
        layers, counts, chance = [*layers, n_layers], [*counts, n_profiles], [*chance, expected]
    colours, scale = matplotlib.colormaps["PuOr"], matplotlib.colors.Normalize(-1, 1)
    _cells(axis, values, colours, scale, ~np.eye(n, dtype=bool))
    bar = figure.colorbar(
        matplotlib.cm.ScalarMappable(scale, colours), ax=axis, orientation="horizontal", shrink=0.9, aspect=25, pad=0.02
    )
    bar.set_label(
        "order of layers (below the diagonal): Spearman\nsame best layer (above): share of profiles", fontsize=6.5
    )
    axis.set_title(
        f"layers: {_range(layers)} in {_range(counts)} profiles\n(of a region and network)\n"
        f"same best layer by chance: {np.nanmean(chance):.2f}".replace("0.", "."),
        fontsize=7,
        loc="left",
    )


def _network_panel(figure, axis, pairs) -> None:
    ahead = np.sign(np.array(pairs))
    n = ahead.shape[1]
    values, counts = np.full((n, n), np.nan), []
    for a, b in itertools.combinations(range(n), 2):
        known = np.isfinite(ahead[:, [a, b]]).all(1)
        counts.append(int(known.sum()))
        if known.any():
            values[b, a] = np.mean(ahead[known, a] == ahead[known, b])
    colours, scale = matplotlib.colormaps["PuOr"], matplotlib.colors.Normalize(0, 1)
    _cells(axis, values, colours, scale, np.tri(n, k=-1, dtype=bool))
    bar = figure.colorbar(
        matplotlib.cm.ScalarMappable(scale, colours), ax=axis, orientation="horizontal", shrink=0.9, aspect=25, pad=0.02
    )
    bar.set_label("pairs of networks in the same order: share", fontsize=6.5)
    axis.set_title(
        f"networks: {_range(counts)} pairs\n(of all regions, by their selected layers)\nsame order by chance: .50",
        fontsize=7,
        loc="left",
    )


def _range(counts) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low}–{high}"
