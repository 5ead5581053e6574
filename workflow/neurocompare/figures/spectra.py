"""Distances between networks by the spectra of their linearised dynamics."""

import matplotlib
import numpy as np
import pandas as pd

from neurocompare.dynamics.network_spectra import ALL
from neurocompare.errors import UserError
from neurocompare.figures import style


def draw(table: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw distances of all pairs of networks, one column for each constant input.

    Parameters
    ----------
    table : DataFrame
        With the columns of `neurocompare.dynamics.network_spectra`.
    titles : dict of str to str
        Titles of the networks, in their order.
    path : str
        The figure. Above, a matrix with a row and column for each seed of each network; below, the same distances
        within and between networks, with their means. Grey are pairs of networks without matched points, with their
        number below. Tests are of the means over inputs, and told above all.

    Raises
    ------
    UserError
        If no two networks have matched points.
    """
    seeds = table[table["seed"].notna()]
    conditions = list(dict.fromkeys(seeds["condition"]))
    if not np.isfinite(seeds["distance"].astype(float)).any():
        raise UserError("the figure 'spectra': no two networks have matched points; see spectra.tsv for why")
    figure, axes = style.subplots(2, len(conditions), width=3.6, height=3.2)
    top = seeds["distance"].max()
    for column, condition in enumerate(conditions):
        part = table[table["condition"] == condition]
        shown = _matrix(axes[0, column], part, titles, top)
        axes[0, column].set_title(f"{condition}{_told(part)}", fontsize=7)
        _dots(axes[1, column], part, titles)
    figure.colorbar(shown, ax=axes[0].tolist(), shrink=0.6, label="distance of spectra (1/s)")
    if told := _tests(table[table["condition"] == ALL], titles):
        figure.suptitle(told, fontsize=6)
    style.save(figure, path)


def _told(part: pd.DataFrame) -> str:
    """Tell of one input the excess of all networks, or of the only two kinds, and the networks without points."""
    found = part[part["seed"].isna() & part["excess"].notna()]
    told = "" if found.empty else f"\nbetween − within {found.iloc[-1]['excess']:.2g} /s"
    empty = int((part["status"] == "no_points").sum())
    return told + (f"\n{empty} pairs with a network that has no point" if empty else "")


def _tests(whole: pd.DataFrame, titles: dict[str, str]) -> str:
    """Tell the tests of the means over inputs, one in each line."""
    lines = []
    for row in whole[whole["p_value"].notna()].itertuples():
        name = "all networks" if row.network == ALL else f"{titles[row.network]} – {titles[row.other_network]}"
        p = f"p = {row.p_value:.2g}" if row.network == ALL else f"corrected p = {row.p_holm:.2g}"
        few = ", too few seeds" if "too_few_seeds" in str(row.status) else ""
        lines.append(f"{name} ({int(row.n_networks)}): {row.excess:.2g} /s, {p}{few}")
    return "\n".join(["between − within, mean over inputs", *lines] if lines else [])


def _matrix(axis, part: pd.DataFrame, titles: dict[str, str], top: float):
    pairs = part[part["seed"].notna()]
    ends = [(r.network, r.seed) for r in pairs.itertuples()] + [
        (r.other_network, r.other_seed) for r in pairs.itertuples()
    ]
    order = sorted(set(ends), key=lambda end: (list(titles).index(end[0]), end[1]))
    place = {end: k for k, end in enumerate(order)}
    matrix = np.zeros((len(order), len(order)))
    for r in pairs.itertuples():
        i, j = place[r.network, r.seed], place[r.other_network, r.other_seed]
        matrix[i, j] = matrix[j, i] = r.distance
    colours = matplotlib.colormaps["viridis"].with_extremes(bad="0.8")
    shown = axis.imshow(np.ma.masked_invalid(matrix), cmap=colours, vmin=0, vmax=top, interpolation="nearest")
    names = [network for network, _ in order]
    starts = [k for k, name in enumerate(names) if k == 0 or name != names[k - 1]]
    for start in starts[1:]:
        axis.axhline(start - 0.5, color="white", linewidth=1.5)
        axis.axvline(start - 0.5, color="white", linewidth=1.5)
    centres = [(a + b - 1) / 2 for a, b in zip(starts, [*starts[1:], len(names)], strict=True)]
    labels = [titles[names[start]] for start in starts]
    axis.set_yticks(centres, labels, fontsize=6)
    axis.set_xticks(centres, labels, fontsize=6, rotation=30, ha="right")
    axis.set_xlabel("networks, seed by seed")
    return shown


def _dots(axis, part: pd.DataFrame, titles: dict[str, str]) -> None:
    pairs = part[part["seed"].notna()]
    kinds = part[part["seed"].isna() & (part["network"] != ALL)]
    labels = []
    for k, kind in enumerate(kinds.itertuples()):
        ends = {kind.network, kind.other_network}
        chosen = [{a, b} == ends for a, b in zip(pairs["network"], pairs["other_network"], strict=True)]
        own = pairs["distance"].values[chosen]
        same = int(len(ends) == 1)
        spread = np.linspace(-0.2, 0.2, len(own)) if len(own) > 1 else np.zeros(len(own))
        axis.plot(own, k + spread, style.MARKERS[same], color=style.COLOURS[same], linestyle="", markersize=3)
        axis.plot([kind.distance] * 2, [k - 0.35, k + 0.35], color="black", linewidth=1.2)
        name = titles[kind.network] if same else f"{titles[kind.network]} –\n{titles[kind.other_network]}"
        matched = int(np.isfinite(own).sum())
        told = f"{len(own)} pairs" if matched == len(own) else f"{matched} of {len(own)} pairs matched"
        labels.append(f"{name}\n{told}")
    axis.set_yticks(range(len(labels)), labels, fontsize=6)
    axis.invert_yaxis()
    axis.set_xlim(left=0)
    axis.set_xlabel("distance of spectra (1/s); lines are means")
    axis.set_title("between networks (circles) and within one (squares)", fontsize=7)
