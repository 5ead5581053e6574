"""The layer profile: scores along the depth of networks, with everything needed to judge them."""

import textwrap

import numpy as np
import pandas as pd

from neurocompare.figures import scored, style

COLUMNS = 4
"""Panels side by side; with more measures a region takes several rows."""

FEW = 4
"""Networks with at most this many layers of their own are drawn as horizontal lines."""


def draw(scores: pd.DataFrame, titles: dict[str, str], path: str, agreement: pd.DataFrame | None = None) -> None:
    """Draw scores against layers: a row for each region, a column for each measure.

    Of a distance the axis is turned, so that up is more alike everywhere.

    Parameters
    ----------
    scores : DataFrame
        Scores of a study.
    titles : dict of str to str
        What to call each network.
    path : str
        The figure.
    agreement : DataFrame, optional
        Descriptions of the study; the agreement between regions becomes a reference line.
    """
    rows = scored.shown(scores)
    places, measures = scored.places(rows), list(dict.fromkeys(rows["measure"]))
    columns = min(len(measures), COLUMNS)
    lines = -(-len(measures) // columns)
    height = 2.7 if len(places) * lines > 1 else 3.4
    figure, axes = style.subplots(len(places) * lines, columns, width=2.9, height=height, sharex=True)
    named = len({recording for recording, _ in places}) > 1
    deepest = rows.groupby("network")["layer"].nunique().idxmax()
    layers = [name for name in dict.fromkeys(rows.loc[rows["network"] == deepest, "layer"]) if name != "selected"]
    for axis in axes.ravel():
        axis.set_visible(False)
    for row, place in enumerate(places):
        for k, measure in enumerate(measures):
            axis = axes[row * lines + k // columns, k % columns]
            mine = scored.at(rows, place, measure)
            if mine.empty:
                continue
            axis.set_visible(True)
            _panel(axis, mine, layers, titles)
            _reference(axis, agreement, *place, measure)
            axis.set_title(scored.sizes(place, mine, named=named), fontsize=7.5)
            axis.set_ylabel(textwrap.fill(style.measure_label(measure) + scored.unit(measure), 28))
            if scored.lower_is_better(measure):
                axis.set_ylabel(f"{axis.get_ylabel()}\nless is more alike")
                axis.invert_yaxis()
            else:
                axis.axhline(0, color="black", linewidth=0.6)
            axis.set_xticks(range(len(layers)), layers, rotation=90, fontsize=6)
            # The lowest panel of its column: none, or an empty place, is beneath it.
            if row == len(places) - 1 and k + columns >= len(measures):
                axis.tick_params(labelbottom=True)
                axis.set_xlabel("layer")
    style.legend_beneath(figure, axes, columns=3)
    style.save(figure, path)


def _panel(axis, scores: pd.DataFrame, layers: list[str], titles: dict[str, str]) -> None:
    first = scores[scores["layer"] != "selected"].iloc[0]
    low, high, label = first["ceiling_low"], first["ceiling_high"], scored.ceiling_label(first["ceiling_kind"])
    if np.isfinite([low, high]).all() and low != high:
        # The upper bound of a distance is the smaller of the two.
        axis.axhspan(*sorted((low, high)), color="0.85", linewidth=0, label=label)
    elif np.isfinite(low):
        axis.axhline(low, color="0.65", linewidth=2.5, zorder=0, label=label)
    if np.isfinite(first["inter_animal"]):
        line = {"linestyle": (0, (1, 1, 4, 1)), "linewidth": 1.0}
        axis.axhline(first["inter_animal"], color="black", label="inter-animal score", **line)
    tested = scores[scores["layer"] != "selected"]
    for k, (network, title) in enumerate(titles.items()):
        mine = tested[tested["network"] == network]
        if mine.empty:
            continue
        colour, marker = style.COLOURS[k % len(style.COLOURS)], style.MARKERS[k % len(style.MARKERS)]
        table = mine.pivot(index="layer", columns="seed", values="value")
        own = list(dict.fromkeys(mine["layer"]))
        if set(own) <= set(layers):
            _curve(axis, mine, table.reindex(layers), np.arange(len(layers)), (colour, marker, title))
        elif len(own) > FEW:
            # Another deep network: its layers are spread evenly from the first to the last.
            x = np.linspace(0, len(layers) - 1, len(own))
            _curve(axis, mine, table.reindex(own), x, (colour, marker, f"{title} (by relative depth)"))
        else:
            _lines(axis, mine, colour, title, len(layers))


def _curve(axis, scores, table, x, look) -> None:
    colour, marker, title = look
    axis.plot(x, table.mean(axis=1), color=colour, marker=marker, label=title)
    edge, said = scored.null_edge(scores)
    null = edge.groupby(scores["layer"]).mean().reindex(table.index)
    axis.plot(x, null, color=colour, linestyle=":", linewidth=1, label=f"{title}: {said}")
    if table.shape[1] > 1:
        axis.fill_between(x, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.25, linewidth=0)
        axis.plot([], [], color=colour, alpha=0.25, linewidth=6, label=f"{title}: range of {table.shape[1]} seeds")
        return
    ordered = scores.set_index("layer").reindex(table.index)
    axis.fill_between(x, ordered["ci_low"], ordered["ci_high"], color=colour, alpha=0.2, linewidth=0)
    axis.plot([], [], color=colour, alpha=0.2, linewidth=6, label=f"{title}: 95 % interval")


def _lines(axis, scores, colour, title, n_layers) -> None:
    """A network with few layers of its own: one horizontal line for each."""
    for dash, (layer, value) in zip(("-", "--", "-.", ":"), scores.groupby("layer", sort=False)["value"], strict=False):
        name = title if scores["layer"].nunique() == 1 else f"{title}: {layer}"
        axis.plot([0, n_layers - 1], [value.mean()] * 2, color=colour, linestyle=dash, label=name)


def _reference(axis, agreement, recording, region, measure) -> None:
    """The score that another region has here, as if it were a model."""
    if agreement is None or "-compare=" not in measure:
        return
    description = "agreement-compare=" + measure.rsplit("-compare=", 1)[1]
    rows = agreement[
        (agreement["recording"] == recording)
        & (agreement["region"] == region)
        & (agreement["description"] == description)
        & agreement["condition"].str.startswith("of=")
    ]
    for row in rows.itertuples():
        other = row.condition.removeprefix("of=")
        axis.axhline(row.value, color="black", linestyle=(0, (6, 2)), linewidth=1, label=f"the RDM of {other}")
