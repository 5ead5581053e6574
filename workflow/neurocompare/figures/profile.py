"""The layer profile: scores along the depth of networks, with everything needed to judge them."""

import numpy as np
import pandas as pd

from neurocompare.figures import style

FEW = 4
"""Networks with at most this many layers of their own are drawn as horizontal lines."""


def draw(scores: pd.DataFrame, titles: dict[str, str], path: str, agreement: pd.DataFrame | None = None) -> None:
    """Draw scores against layers: a row for each region, a column for each measure.

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
    regions = list(dict.fromkeys(zip(scores["recording"], scores["region"], strict=True)))
    measures = list(dict.fromkeys(scores["measure"]))
    figure, axes = style.subplots(
        len(regions), len(measures), width=2.9, height=2.7 if len(regions) > 1 else 3.4, sharex=True
    )
    deepest = scores.groupby("network")["layer"].nunique().idxmax()
    layers = [name for name in dict.fromkeys(scores.loc[scores["network"] == deepest, "layer"]) if name != "selected"]
    for row, (recording, region) in enumerate(regions):
        for column, measure in enumerate(measures):
            axis = axes[row, column]
            mine = scores[
                (scores["recording"] == recording) & (scores["region"] == region) & (scores["measure"] == measure)
            ]
            _panel(axis, mine[mine["animal"] == _main_animal(mine)], layers, titles)
            _reference(axis, agreement, recording, region, measure)
            axis.set_title(_sizes(region, mine), fontsize=7.5)
            axis.set_ylabel(style.measure_label(measure))
            if row == len(regions) - 1:
                axis.set_xticks(range(len(layers)), layers, rotation=90, fontsize=6)
                axis.set_xlabel("layer")
    handles = {}
    for axis in axes.ravel():
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    style.save(figure, path)


def _sizes(region: str, scores: pd.DataFrame) -> str:
    """A title with all that the scores rest on."""
    first = scores.iloc[0]
    animals = scores["animal"].nunique() - 2 if "mean RDM" in set(scores["animal"]) else 1
    parts = [f"{first['n_stimuli']} stimuli"]
    if pd.notna(first["n_units"]):
        parts.append(f"{first['n_units']:.0f} units")
    if first["n_trials"] >= first["n_stimuli"]:
        parts.append(f"{first['n_trials']} trials")
    return f"{region}: {', '.join(parts)}" + (f", {animals} subjects" if animals > 1 else "")


def _main_animal(scores: pd.DataFrame) -> str:
    """The row that a ceiling belongs to: the mean over animals where there are several."""
    animals = list(dict.fromkeys(scores["animal"]))
    return "all" if "all" in animals else animals[0]


def _panel(axis, scores: pd.DataFrame, layers: list[str], titles: dict[str, str]) -> None:
    first = scores.iloc[0]
    axis.axhline(0, color="black", linewidth=0.6)
    if np.isfinite(first["ceiling_low"]):
        low, high = first["ceiling_low"], max(first["ceiling_high"], first["ceiling_low"] + 0.004)
        axis.axhspan(low, high, color="0.85", label="noise ceiling")
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
    null = scores.groupby("layer")["null_high"].mean().reindex(table.index)
    axis.plot(x, null, color=colour, linestyle=":", linewidth=1, label=f"{title}: 95 % of shuffled stimuli")
    if table.shape[1] > 1:
        axis.fill_between(x, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.25, linewidth=0)
        axis.plot([], [], color=colour, alpha=0.25, linewidth=6, label=f"{title}: range of {table.shape[1]} seeds")
        return
    ordered = scores.set_index("layer").reindex(table.index)
    axis.fill_between(x, ordered["ci_low"], ordered["ci_high"], color=colour, alpha=0.2, linewidth=0)
    axis.plot([], [], color=colour, alpha=0.2, linewidth=6, label=f"{title}: 95 % interval over stimuli")


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
