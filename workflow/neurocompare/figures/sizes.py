"""Scores against the number of units and of stimuli: which of them are scores of this number."""

import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator

from neurocompare.errors import UserError
from neurocompare.figures import scored, style
from neurocompare.similarity.subsets import AXES

_ACROSS = 4
_TICKS = 9


def draw(table: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw a panel for each region (rows) and measure (columns), once against units and once against stimuli.

    Parameters
    ----------
    table : DataFrame
        Sizes of a study.
    titles : dict of str to str
        What to call each network.
    path : str
        The figure.

    Raises
    ------
    UserError
        If there are no scores.
    """
    if table.empty:
        raise UserError(
            "the figure 'sizes' needs scores; select recordings of stimuli that networks see, or leave it out"
        )
    places, measures = scored.places(table), list(dict.fromkeys(table["measure"]))
    blocks = -(-len(measures) // _ACROSS)
    across = -(-len(measures) // blocks)
    # Published RDMs have no units to choose from.
    kinds = [axis for axis in AXES if axis in set(table["axis"])]
    figure, axes = style.subplots(
        len(places) * blocks * len(kinds), across, width=2.8 if across > 1 else 3.6, height=2.5
    )
    for axis in axes.ravel():
        axis.set_visible(False)
    named = len({recording for recording, _ in places}) > 1
    for p, place in enumerate(places):
        for m, measure in enumerate(measures):
            down, right = divmod(m, across)
            mine = scored.at(table, place, measure)
            top = (p * blocks + down) * len(kinds)
            pair = [(axes[top + k, right], mine[mine["axis"] == kind]) for k, kind in enumerate(kinds)]
            pair = [(axis, rows) for axis, rows in pair if not rows.empty]
            for axis, rows in pair:
                axis.set_visible(True)
                axis.sharey(pair[0][0]) if axis is not pair[0][0] else None
                _panel(axis, rows, titles)
                axis.set_ylim(limits(mine))
                axis.set_title(_title(place, rows, named), fontsize=7, loc="left")
                axis.set_ylabel(_label(measure), fontsize=7)
            if scored.lower_is_better(measure):
                pair[0][0].invert_yaxis()
    counts = table.loc[(table["n_subsets"] > 1) & table["value"].notna(), "n_subsets"]
    if len(counts):
        several = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        axes[0, 0].plot([], [], color=style.GREY, alpha=0.4, linewidth=6, label=f"95 % range over {several} subsets")
    style.legend_beneath(figure, axes, columns=min(2, across))
    style.save(figure, path)


def curves(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Choose what is drawn of one region by one measure along one axis.

    Parameters
    ----------
    rows : DataFrame
        Rows of a table of sizes.

    Returns
    -------
    dict of str to DataFrame
        By network, in the order of the table: ``value``, ``low``, ``high`` and ``best`` by ``size``, of the layer that
        is best with all units or stimuli; ``value`` is the mean over seeds, ``low`` and ``high`` hold all seeds.
        The attribute ``layer`` is its name. Networks without a score of everything are left out.
    """
    found = {}
    for network, mine in rows.groupby("network", sort=False):
        best = mine[(mine["size"] == mine["size"].max()) & mine["best"].astype(bool)]
        if best.empty:
            continue
        layer = best["layer"].iloc[0]
        sizes = mine[mine["layer"] == layer].groupby("size")
        curve = pd.DataFrame(
            {
                # The mean of the seeds that have a score would be another quantity.
                "value": sizes["value"].agg(lambda seeds: seeds.mean(skipna=False)),
                "low": sizes["low"].min(),
                "high": sizes["high"].max(),
                "best": sizes["best"].all().astype(bool),
            }
        )
        curve.attrs["layer"] = layer
        found[str(network)] = curve
    return found


def limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Choose the range of an axis that all that is drawn of a measure fits on, except bands that are very wide.

    Parameters
    ----------
    rows : DataFrame
        Rows of a table of sizes, of one region and measure, along both axes.

    Returns
    -------
    low, high : float
        Lines and ceilings are within, and zero; bands as far as they reach no farther than once more that.
    """
    drawn = [curve for _, mine in rows.groupby("axis") for curve in curves(mine).values()]
    inner = [curve["value"] for curve in drawn] + [rows["ceiling_low"], rows["ceiling_high"], pd.Series([0.0])]
    low, high = (float(f(pd.concat(inner).dropna())) for f in (min, max))
    reach = high - low
    bands = pd.concat([curve[name] for curve in drawn for name in ("low", "high")] or [pd.Series(dtype=float)]).dropna()
    low, high = max(min([low, *bands]), low - reach), min(max([high, *bands]), high + reach)
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _panel(axis, rows: pd.DataFrame, titles: dict[str, str]) -> None:
    _ceiling(axis, rows.drop_duplicates("size").set_index("size"))
    drawn = curves(rows)
    handles = []
    for k, (network, title) in enumerate(titles.items()):
        if network not in drawn:
            continue
        curve = drawn[network]
        colour, marker = style.COLOURS[k % len(style.COLOURS)], style.MARKERS[k % len(style.MARKERS)]
        axis.fill_between(curve.index, curve["low"], curve["high"], color=colour, alpha=0.2, linewidth=0)
        # A band between two sizes needs both of them.
        axis.vlines(curve.index, curve["low"], curve["high"], color=colour, linewidth=0.7, alpha=0.6)
        axis.plot(curve.index, curve["value"], color=colour, marker=marker, label=title)
        other = curve[~curve["best"] & curve["value"].notna()]
        if len(other):
            axis.plot(other.index, other["value"], marker, color=colour, markerfacecolor="white", zorder=3)
            axis.plot(
                [], [], "o", color=style.GREY, markerfacecolor="white", label="at this size another layer is best"
            )
        handles += axis.plot([], [], color=colour, marker=marker, label=f"_{curve.attrs['layer']}")
    names = [handle.get_label().removeprefix("_") for handle in handles]
    # Names of layers belong to a panel, everything else to the figure.
    axis.legend(
        handles, names, loc="best", fontsize=5.5, handlelength=1.2, frameon=True, edgecolor="none", framealpha=0.6
    )
    axis.axhline(0, color="black", linewidth=0.6, zorder=0)
    _ticks(axis, sorted(set(rows["size"])))
    axis.set_xlabel(f"number of {rows['axis'].iloc[0]}")


def _ceiling(axis, rows: pd.DataFrame) -> None:
    rows = rows.sort_index()
    low, high = rows["ceiling_low"].to_numpy(float), rows["ceiling_high"].to_numpy(float)
    if not np.isfinite(low + high).any():
        return
    label = scored.ceiling_label(rows["ceiling_kind"].iloc[-1])
    if np.array_equal(low, high, equal_nan=True):
        axis.plot(rows.index, low, color="0.6", linewidth=2.5, zorder=0.5, label=label)
    else:
        axis.fill_between(rows.index, low, high, color="0.87", linewidth=0, zorder=0.5, label=label)


def _ticks(axis, sizes: list[int]) -> None:
    """Ticks at the sizes, all or every other, the last one always."""
    axis.set_xscale("log")
    shown = sizes if len(sizes) <= _TICKS else sizes[len(sizes) % 2 == 0 :: 2]
    axis.set_xticks(shown, [f"{size}" for size in shown], fontsize=6)
    axis.xaxis.set_minor_locator(NullLocator())


def _title(place: tuple[str, str], rows: pd.DataFrame, named: bool) -> str:
    """What does not vary, and of what the subsets are."""
    last = rows[rows["size"] == rows["size"].max()].iloc[0]
    units = "" if pd.isna(last["n_units"]) else f"{last['n_units']} units"
    stimuli = f"{last['n_stimuli']} stimuli"
    held, varied = (stimuli, units) if last["axis"] == "units" else (units, stimuli)
    together = {"pooled": "animals pooled", "mean RDM": "mean over animals"}.get(last["animal"], "")
    words = ", ".join(filter(None, [held and f"all {held}", f"subsets of {varied}"]))
    dimensions = last["target_dimensionality"]
    second = [together, f"effective dimensionality {dimensions:.1f}" if np.isfinite(dimensions) else ""]
    lines = [place[0] if named else "", f"{place[1]}: {words}", ", ".join(filter(None, second))]
    return "\n".join(filter(None, lines))


def _label(measure: str) -> str:
    label = style.measure_label(measure) + scored.unit(measure)
    return label + ("\naxis turned: less is more alike" if scored.lower_is_better(measure) else "")
