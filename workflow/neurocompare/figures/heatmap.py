"""Layers by measures: how far every score gets on the way to its noise ceiling."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.patches import Patch, Rectangle

from neurocompare.errors import UserError
from neurocompare.figures import scored, style
from neurocompare.inference import corrections

LEVEL = 0.05
"""False discovery rate within a panel, above which a score is hatched."""

BIASED = 0.1
"""A null whose mean is farther from zero, in units of the ceiling, is written above the column."""

_ACROSS = 4
_CELL = 0.2  # inches
_GAP = 0.3  # between scores and distances, in cells
_UNDEFINED = "#D9D9D9"


def draw(scores: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw a heat map for each region (columns) and network (rows).

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
        If there are no scores of layers.
    """
    rows = scores[scores["layer"] != "selected"]
    if rows.empty:
        raise UserError("the figure 'heatmap' needs scores of layers; select networks and measures, or leave it out")
    rows = scored.over_seeds(scored.shown(rows))
    places, networks = scored.places(rows), [name for name in titles if name in set(rows["network"])]
    measures = sorted(dict.fromkeys(rows["measure"]), key=scored.lower_is_better)
    across = min(_ACROSS, len(places))
    blocks = -(-len(places) // across)
    layers = {name: list(dict.fromkeys(rows.loc[rows["network"] == name, "layer"])) for name in networks}
    heights = [len(layers[name]) for name in networks] * blocks
    # Beside the cells: titles, marks and names of measures (a letter is 0.05 inches wide), and the legend.
    written = 0.05 * max(map(len, _names(measures))) + 0.25 * len(networks) + 0.7
    height = (_CELL * sum(heights) + blocks * written + 1.1) / len(heights)
    width = max(2.6, _CELL * (len(measures) + 1) + 0.9)
    figure, axes = style.subplots(
        len(heights), across, width=width, height=height, gridspec_kw={"height_ratios": heights}
    )
    matplotlib.rcParams["hatch.linewidth"] = 0.4
    # Regions are farther apart than the distances of one of them.
    figure.get_layout_engine().set(w_pad=0.15)
    for axis in axes.ravel():
        axis.set_visible(False)
    named = len({recording for recording, _ in places}) > 1
    above = {place: marks(scored.at(rows, place), measures) for place in places}
    # A letter of a mark is about 3 points wide.
    room = 4 + 3 * max(len(text) for texts in above.values() for text in texts)
    for k, place in enumerate(places):
        mine = scored.at(rows, place)
        for n, network in enumerate(networks):
            axis = axes[k // across * len(networks) + n, k % across]
            axis.set_visible(True)
            image = _panel(axis, mine[mine["network"] == network], layers[network], measures)
            title = titles[network]
            if n == 0:
                title = f"{scored.sizes(place, mine, named=named)}\n{title}"
                _marks(axis, above[place], measures)
            axis.set_title(title, fontsize=7, loc="left", pad=room if n == 0 else 4)
            if n == len(networks) - 1:
                _columns(axis, measures)
            if k % across:
                axis.set_yticklabels([])
    _legend(figure, axes, image, measures, ", ".join(text for texts in above.values() for text in texts))
    style.save(figure, path)


def grid(rows: pd.DataFrame, layers: list[str], measures: list[str]) -> dict[str, np.ndarray]:
    """Lay the scores of one network in one region out.

    Parameters
    ----------
    rows : DataFrame
        From `scored.over_seeds`, one for each layer and measure at most.
    layers, measures : list of str
        The order.

    Returns
    -------
    dict of str to array of shape (n_layers, n_measures)
        ``value`` in units of the ceiling, ``raw`` (no ceiling), ``q`` (corrected within this panel), and
        ``best``, the highest of each measure where there are several layers.
    """
    value, raw = scored.scaled(rows)
    table = rows.assign(scaled=value, raw=raw.astype(float), q=corrections.benjamini_hochberg(rows["p_value"]))

    def spread(column):
        return table.pivot(index="layer", columns="measure", values=column).reindex(layers, columns=measures).values

    found = {"value": spread("scaled"), "raw": spread("raw") == 1, "q": spread("q")}
    highest = np.where(np.isfinite(found["value"]), found["value"], -np.inf)
    best = (highest == highest.max(0)) & np.isfinite(found["value"])
    return found | {"best": best & (len(layers) > 1)}


def marks(rows: pd.DataFrame, measures: list[str]) -> list[str]:
    """Say above each column what one should know before comparing it with another.

    Parameters
    ----------
    rows : DataFrame
        From `scored.shown`, of one region.
    measures : list of str
        The columns.

    Returns
    -------
    list of str
        ``raw`` without a ceiling; the mean of the null, in units of the ceiling, where a score is biased.
    """
    value, raw = scored.scaled(rows)
    chance = rows["null_mean"] * (value / rows["value"])
    found = []
    for measure in measures:
        mine = rows["measure"] == measure
        words = ["raw"] * bool(raw[mine].any())
        null = chance[mine].median()
        if not scored.lower_is_better(measure) and abs(null) >= BIASED:
            words.append(f"null {null:.2f}".replace("0.", "."))
        found.append(", ".join(words))
    return found


def _marks(axis, texts, measures) -> None:
    for x, text in zip(_positions(measures), texts, strict=True):
        axis.text(x, -0.62, text, rotation=90, fontsize=5, ha="center", va="bottom")


def _positions(measures: list[str]) -> np.ndarray:
    """Where the columns are: distances, which come last, are set apart."""
    return np.arange(len(measures)) + _GAP * np.array([scored.lower_is_better(m) for m in measures])


def _panel(axis, rows, layers, measures):
    found, x = grid(rows, layers, measures), _positions(measures)
    colours = matplotlib.colormaps["viridis"].with_extremes(bad=_UNDEFINED)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), colours)
    for j, i in np.ndindex(len(measures), len(layers)):
        corner = (x[j] - 0.5, i - 0.5)
        value, q = found["value"][i, j], found["q"][i, j]
        axis.add_patch(Rectangle(corner, 1, 1, facecolor=scale.to_rgba(value), edgecolor="white", linewidth=0.5))
        if np.isfinite(value) and not q < LEVEL:
            dark = np.dot(scale.to_rgba(value)[:3], [0.3, 0.6, 0.1]) < 0.5
            axis.add_patch(
                Rectangle(
                    corner, 1, 1, fill=False, hatch="////", linewidth=0, edgecolor="#BBBBBB" if dark else "#444444"
                )
            )
        if found["best"][i, j]:
            axis.plot(x[j], i, "o", color="white", markeredgecolor="black", markeredgewidth=0.5, markersize=3)
    axis.set(xlim=(-0.5, x[-1] + 0.5), ylim=(len(layers) - 0.5, -0.5), xticks=[])
    axis.set_yticks(range(len(layers)), layers, fontsize=6)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return scale


def _columns(axis, measures) -> None:
    axis.set_xticks(_positions(measures), _names(measures), rotation=90, fontsize=6)


def _names(measures) -> list[str]:
    return [style.measure_label(m) + (" (distance)" if scored.lower_is_better(m) else "") for m in measures]


def _legend(figure, axes, scale, measures, marked: str) -> None:
    label = "score / noise ceiling"
    if any(scored.lower_is_better(m) for m in measures):
        label += "; distance: part of the way from shuffled stimuli to the ceiling"
    figure.colorbar(
        scale, ax=axes, orientation="horizontal", shrink=0.5, aspect=35, pad=0.02, extend="both", label=label
    )
    handles = [
        Patch(facecolor="white", edgecolor="#444444", hatch="////", linewidth=0.3),
        axes[0, 0].plot([], [], "o", color="white", markeredgecolor="black", markeredgewidth=0.5, markersize=3)[0],
        Patch(facecolor=_UNDEFINED),
    ]
    labels = [f"not above the null (q ≥ {LEVEL:g})".replace("0.", "."), "highest of the network's layers", "undefined"]
    told = ["raw: no ceiling; the score itself, or 1 − distance / mean of its null"] * ("raw" in marked)
    told += ["null: mean score of shuffled stimuli, in the same units"] * ("null" in marked)
    style.legend(figure, handles, labels, columns=3, title="\n".join(told), title_fontsize=7)
