"""Networks and their best layers, each with its interval, beside the null, the ceiling and other animals."""

import numpy as np
import pandas as pd

from neurocompare.errors import UserError
from neurocompare.figures import scored, style

BEST = 3
"""Layers that are shown of each network."""

_ACROSS = 4
_NETWORK = "network: layer selected on half of the\nstimuli, scored on the others"


def draw(scores: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw a panel for each region (rows) and measure (columns).

    Parameters
    ----------
    scores : DataFrame
        Scores of a study.
    titles : dict of str to str
        What to call each network.
    path : str
        The figure.

    Raises
    ------
    UserError
        If there are no scores.
    """
    if scores.empty:
        raise UserError("the figure 'forest' needs scores; select networks and measures, or leave it out")
    rows = scored.shown(scores)
    mean = scored.over_seeds(rows)
    places, measures = scored.places(rows), list(dict.fromkeys(rows["measure"]))
    panels = {(p, m): entries(scored.at(mean, p, m), titles) for p in places for m in measures}
    longest, across = max(map(len, panels.values())), min(_ACROSS, len(measures))
    deep = -(-len(measures) // across)
    figure, axes = style.subplots(len(places) * deep, across, width=3.4, height=1.05 + 0.155 * longest)
    for axis in axes.ravel():
        axis.set_visible(False)
    named = len({recording for recording, _ in places}) > 1
    for (place, measure), shown in panels.items():
        down, right = divmod(measures.index(measure), across)
        axis = axes[places.index(place) * deep + down, right]
        mine = scored.at(mean, place, measure)
        if shown.empty:
            continue
        axis.set_visible(True)
        _references(axis, mine)
        _points(axis, shown, scored.at(rows, place, measure), titles)
        axis.set_title(scored.sizes(place, mine, named=named).replace(": ", "\n"), fontsize=7, loc="left")
        axis.set_xlabel(_axis_title(measure, mine["claim"].iloc[0]), fontsize=7)
        if scored.lower_is_better(measure):
            axis.invert_xaxis()
        else:
            axis.axvline(0, color="black", linewidth=0.6, zorder=1)
    style.legend_beneath(figure, axes, columns=3)
    style.save(figure, path)


def entries(rows: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """Choose what is shown of one region by one measure.

    Parameters
    ----------
    rows : DataFrame
        From `scored.over_seeds`, of one region and measure.
    titles : dict of str to str
        What to call each network.

    Returns
    -------
    DataFrame
        For each network its row ``selected``, then its best layers, the best first.
    """
    found = []
    for network in titles:
        mine = rows[(rows["network"] == network) & rows["value"].notna()]
        chosen = mine["layer"] == "selected"
        order = mine[~chosen].sort_values(
            "value", ascending=scored.lower_is_better(rows["measure"].iloc[0]), kind="stable"
        )
        found += [mine[chosen], order.head(BEST)]
    return pd.concat(found, ignore_index=True) if found else rows.iloc[:0]


def _axis_title(measure: str, claim: str) -> str:
    label = style.measure_label(measure) + scored.unit(measure)
    label += "\naxis turned: less is more alike" if scored.lower_is_better(measure) else ""
    return f"{label}\n95 % interval for {claim}"


def _references(axis, rows) -> None:
    """What a score is to be compared with, apart from zero."""
    first = rows[rows["layer"] != "selected"].iloc[0]
    low, high, kind = first["ceiling_low"], first["ceiling_high"], first["ceiling_kind"]
    if np.isfinite([low, high]).all():
        if low == high:
            # An estimate is a line, and of bounds that differ there is a band.
            axis.axvline(low, color="0.6", linewidth=2.5, zorder=0, label=scored.ceiling_label(kind))
        else:
            axis.axvspan(*sorted((low, high)), color="0.87", linewidth=0, zorder=0, label=scored.ceiling_label(kind))
    if np.isfinite(first["inter_animal"]):
        line = {"color": "black", "linestyle": (0, (6, 2)), "linewidth": 0.9}
        axis.axvline(first["inter_animal"], zorder=1, label="inter-animal score", **line)


def _points(axis, shown, rows, titles) -> None:
    labels = []
    edge, said = scored.null_edge(shown)
    for y, row in enumerate(shown.itertuples()):
        whole = row.layer == "selected"
        k = list(titles).index(row.network)
        colour = style.COLOURS[k % len(style.COLOURS)]
        # Not around the score: both ends of the interval of a biased measure may lie on one side of it.
        axis.hlines(y, row.ci_low, row.ci_high, color=colour, linewidth=1.6 if whole else 0.9)
        shape, size = ("s", 4) if whole else ("o", 3.2)
        axis.plot(row.value, y, shape, color=colour, markerfacecolor=colour if whole else "white", markersize=size)
        if row.n_seeds > 1:
            mine = rows[(rows["network"] == row.network) & (rows["layer"] == row.layer)]
            axis.plot(mine["value"], np.full(len(mine), y), "|", color=style.GREY, markersize=3, label="single seeds")
        axis.plot(edge[y], y, "|", color="black", markersize=7, markeredgewidth=1.1, label=said, zorder=1)
        labels.append(titles[row.network] if whole else row.layer)
    axis.plot([], [], "s", color="black", label=_NETWORK)
    axis.plot([], [], "o", color="black", markerfacecolor="white", label="its best layers, on all stimuli")
    axis.set_yticks(range(len(labels)), labels, fontsize=6)
    for tick, layer in zip(axis.get_yticklabels(), shown["layer"], strict=True):
        tick.set_fontweight("bold" if layer == "selected" else "normal")
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
