"""The specification curve of a conclusion: what every alternative says, and which choices it made."""

import numpy as np
import pandas as pd

from neurocompare import multiverse
from neurocompare.errors import UserError
from neurocompare.figures import scored, style

_LOOK = {
    "survives": (style.COLOURS[1], "full", "survives: supported and separable"),
    "supported": (style.COLOURS[1], "none", "supported, not separable"),
    "reversed": (style.COLOURS[0], "none", "reversed, not separable"),
    "contradicted": (style.COLOURS[0], "full", "reversed and separable"),
    "undefined": (style.GREY, "none", "undefined"),
}
_ROW = 0.13  # inches


def draw(table: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw the differences in ascending order, and beneath each the choices behind it.

    Parameters
    ----------
    table : DataFrame
        The table of alternatives that `neurocompare.multiverse.summarise` gives.
    titles : dict of str to str
        What to call each network.
    path : str
        The figure.

    Raises
    ------
    UserError
        If there are no alternatives.
    """
    if table.empty:
        raise UserError("the figure 'multiverse' needs alternatives; give the study several recordings or measures")
    rows, table = choice_rows(table), ordered(table)
    n = len(table)
    width, below = max(4.4, 2.3 + 0.075 * n), max(_ROW * len(rows), 0.3)
    figure, axes = style.subplots(
        2,
        1,
        width=width,
        height=(3.1 + below) / 2,
        sharex=True,
        gridspec_kw={"height_ratios": [2.0, below]},
    )
    above, beneath = axes[:, 0]
    label = _curve(above, table)
    first = table.iloc[0]
    names = [titles.get(first[key], first[key]) for key in ("network", "other_network")]
    above.set_ylabel(label)
    told = multiverse.summary(table).replace("; ", "\n", 1)
    above.set_title(
        f"Conclusion: {names[0]} is more alike than {names[1]}\n{told}",
        fontsize=7.5,
        loc="left",
    )
    _dots(beneath, table, rows)
    style.legend(figure, *above.get_legend_handles_labels(), columns=2)
    style.save(figure, path)


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Sort alternatives by what is drawn of them.

    Parameters
    ----------
    table : DataFrame
        The table of alternatives.

    Returns
    -------
    DataFrame
        With the columns ``shown``, ``low`` and ``high``: the difference and its interval where all measures are
        pure numbers, else in units of the half-width of the interval, which measures in radians, say, share with
        the others. Undefined alternatives come last.
    """
    scale = np.ones(len(table))
    if not comparable(table):
        scale = ((table["ci_high"] - table["ci_low"]) / 2).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = {name: table[column] / scale for name, column in _DRAWN.items()}
    return table.assign(**shown).sort_values("shown", kind="stable", ignore_index=True)


_DRAWN = {"shown": "difference", "low": "ci_low", "high": "ci_high"}


def comparable(table: pd.DataFrame) -> bool:
    """Say whether the differences of all alternatives are pure numbers.

    Parameters
    ----------
    table : DataFrame
        The table of alternatives.

    Returns
    -------
    bool
        Whether no measure has a unit.
    """
    return not any(scored.unit(measure) for measure in set(table["measure"]))


def choice_rows(table: pd.DataFrame) -> list[tuple[str, str]]:
    """List the choices, by key and value.

    Parameters
    ----------
    table : DataFrame
        The table of alternatives.

    Returns
    -------
    list of tuple of str and str
        Values of one key follow one another, keys and values in the order of the table.
    """
    found: dict[str, dict[str, None]] = {}
    for pairs in map(_pairs, table["choices"]):
        for key, value in pairs.items():
            found.setdefault(key, {})[value] = None
    return [(key, value) for key, values in found.items() for value in values]


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(";") if pair)


def _curve(axis, table: pd.DataFrame) -> str:
    states = multiverse.states(table)
    axis.axhline(0, color="black", linewidth=0.6)
    for state, (colour, fill, label) in _LOOK.items():
        x = np.flatnonzero(states == state)
        if state == "undefined" and len(x):
            axis.plot(x, np.zeros(len(x)), "x", color=colour, label=label)
        elif len(x):
            mine = table.iloc[x]
            axis.vlines(x, mine["low"], mine["high"], color=colour, linewidth=0.8)
            face = colour if fill == "full" else "white"
            axis.plot(x, mine["shown"], "o", markersize=3, color=colour, markerfacecolor=face, label=label)
    axis.tick_params(axis="x", length=0)
    axis.spines["bottom"].set_visible(False)
    claims = sorted(set(table["claim"]))
    interval = f"95 % interval for {claims[0]}" if len(claims) == 1 else "95 % intervals"
    unit = "difference of scores" if comparable(table) else "difference / half-width of its interval"
    return f"{unit}\n({interval})"


def _dots(axis, table: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    survives = multiverse.states(table) == "survives"
    pairs = [_pairs(text) for text in table["choices"]]
    labels, shade = [], False
    for y, (key, value) in enumerate(rows):
        mine = np.array([own.get(key) == value for own in pairs])
        new = y == 0 or rows[y - 1][0] != key
        shade ^= new
        if shade:
            axis.axhspan(y - 0.5, y + 0.5, color="0.94", linewidth=0)
        for kept, colour in ((mine & survives, style.COLOURS[1]), (mine & ~survives, "0.55")):
            axis.plot(
                np.flatnonzero(kept), np.full(kept.sum(), y), "|", color=colour, markersize=5, markeredgewidth=1.4
            )
        axis.text(len(table) - 0.2, y, f"{(mine & survives).sum()}/{mine.sum()}", fontsize=5.5, va="center")
        labels.append(f"{key}: {value}" if new else value)
    axis.set_yticks(range(len(rows)), labels, fontsize=6)
    axis.set(ylim=(len(rows) - 0.5, -0.5), xlim=(-0.7, len(table) - 0.3), xticks=[])
    axis.set_xlabel(f"{len(table)} alternatives, in ascending order; right: survives / alternatives", fontsize=7)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
