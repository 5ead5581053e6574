"""Parts over the phases of a task: their time courses, the units that follow them, and the share of those."""

import json

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.ticker import MaxNLocator

from neurocompare.errors import UserError
from neurocompare.figures import style

_COLOURS = {"phase": style.COLOURS[1], "content": style.COLOURS[0], "other": style.GREY}
_KINDS = tuple(_COLOURS)
"""In the order of their numbers in the details."""

_FEW = 7
"""Conditions that can be told apart; of more, each is a thin line, and their mean a thick one."""

_STATUS = {
    "no_trials": "no single trials",
    "no_null": "trials may not be shuffled",
    "constant_in_blocks": "conditions change\nbetween blocks only",
    "too_few_units": "too few units",
    "one_phase": "one phase only",
}


def draw(descriptions: pd.DataFrame, details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw the parts of several recordings, one in each row.

    Parameters
    ----------
    descriptions : DataFrame
        Descriptions of a study.
    details : list of tuple of str and Dataset
        Names of recordings, and what `neurocompare.description.phases.describe` left for drawing; their first regions
        are drawn.
    path : str
        The figure.

    Raises
    ------
    UserError
        If no recording has any parts.
    """
    rows = descriptions[descriptions["description"].str.startswith("phases-")]
    rows = rows[rows["description"] == rows["description"].iloc[0]] if len(rows) else rows
    details = [(name, _first(detail)) for name, detail in details if detail.sizes]
    if not details or rows.empty:
        raise UserError("the figure 'phases' needs a description phases-… of some units; select one, or leave it out")
    heights = [0.8 + 0.19 * max(detail.sizes["part_number"], 5) for _, detail in details]
    figure, axes = style.subplots(
        len(details),
        3,
        width=2.9,
        height=float(np.mean(heights)),
        gridspec_kw={"width_ratios": [2, 1, 1.1], "height_ratios": heights},
    )
    for line, (name, detail) in zip(axes, details, strict=True):
        mine = rows[(rows["recording"] == name) & (rows["region"] == str(detail["region"].values))]
        _courses(line[0], detail)
        line[0].set_title(_title(name, detail, mine), fontsize=8, loc="left", pad=20)
        image = _loadings(line[1], detail)
        figure.colorbar(image, ax=line[1], label="share of weights")
        _shares(line[2], mine.set_index("quantity"))
    axes[-1, 2].set_xlabel("share of units")
    style.save(figure, path)


def _first(detail: xr.Dataset) -> xr.Dataset:
    """The first region, without the parts and units of others."""
    detail = detail.isel(region=0)
    return detail.dropna("part_number", subset=["kind"]).dropna("unit", subset=["unit_kind"])


def _title(name: str, detail: xr.Dataset, rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    pooled = "pooled " if rows["condition"].str.contains(";units=pooled").any() else ""
    counted = "mean responses" if rows["status"].str.contains("no_trials").any() else "trials"
    recording, _, session = name.partition("-session=")
    return (
        f"{recording}{', ' if session else ''}{session}\n{row['n_units']} {pooled}units, {row['n_trials']} {counted}, "
        f"{row['n_stimuli']} values of {detail.attrs['by']}"
    )


def _colour(number: float) -> str:
    return _COLOURS[_KINDS[int(number)]] if number >= 0 else "black"


def _courses(axis, detail) -> None:
    """Time courses, each in units of its peak, one above the other; the first part is on top."""
    time, course = detail["time"].values, detail["course"].values
    n, levels = len(course), detail["condition"].values.astype(str)
    few = len(levels) <= _FEW
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(levels)))
    for k, (part, kind) in enumerate(zip(course, detail["kind"].values, strict=True)):
        base = (n - 1 - k) * 1.15
        scaled = part / (part.max() or 1) + base
        for c, line in enumerate(scaled):
            label = levels[c].replace("percept=", "") if few and k == 0 else None
            axis.plot(time, line, color=shades[c] if few else style.GREY, linewidth=1 if few else 0.4, label=label)
        if not few:
            axis.plot(time, scaled.mean(0), color="black", linewidth=1.4, label="mean" if k == 0 else None)
        word = _KINDS[int(kind)] if kind >= 0 else "not told"
        selective = detail["selectivity"].values[k]
        told = f"{word}, S = {round(selective, 2) + 0:.2f}" if np.isfinite(selective) else word
        axis.text(1.01, base + 0.35, told, transform=axis.get_yaxis_transform(), fontsize=6, color=_colour(kind))
    _boundaries(axis, json.loads(detail.attrs["phases"]), time)
    axis.set_yticks((n - 1 - np.arange(n)) * 1.15 + 0.4, np.arange(1, n + 1), fontsize=6)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel="time (s)", ylabel="part", ylim=(-0.1, n * 1.15))
    title = detail.attrs["by"] if few else f"{len(levels)} values"
    axis.legend(loc="center right", bbox_to_anchor=(-0.15, 0.5), title=title, title_fontsize=6.5, fontsize=6)


def _boundaries(axis, phases, time) -> None:
    """Where phases begin, and their names, by turns in two lines."""
    edges = [*phases.values(), time[-1]]
    for k, (name, onset) in enumerate(phases.items()):
        if onset > time[0]:
            axis.axvline(onset, color=style.GREY, linestyle=":", linewidth=0.8)
        middle = (max(onset, time[0]) + edges[k + 1]) / 2
        offset = (0, 2 + 7 * ((len(phases) - 1 - k) % 2))
        axis.annotate(
            name,
            (middle, 1),
            xycoords=axis.get_xaxis_transform(),
            textcoords="offset points",
            xytext=offset,
            ha="center",
            fontsize=6,
            color=style.GREY,
        )


def _loadings(axis, detail):
    """Loadings, units by their strongest part."""
    loading = detail["loading"].values
    order = np.lexsort((-loading.max(1), loading.argmax(1)))
    image = axis.imshow(loading[order], aspect="auto", cmap="cividis", interpolation="nearest", vmin=0)
    axis.set(xlabel="part", ylabel="unit, sorted")
    axis.set_xticks(range(loading.shape[1]), range(1, loading.shape[1] + 1), fontsize=6)
    axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for tick, kind in zip(axis.get_xticklabels(), detail["kind"].values, strict=True):
        tick.set_color(_colour(kind))
    return image


def _shares(axis, rows) -> None:
    """Shares of units by kind with intervals, and the upper end of the null; or why there are none."""
    names = [*_KINDS, "selective"]
    shares = [rows.loc[f"share of {name} units"] for name in names]
    labels = [f"follow {name} parts" for name in _KINDS]
    axis.set_yticks(range(4), [*labels, "selective\nby themselves"], fontsize=7)
    axis.set(xlim=(0, 1), ylim=(3.6, -0.6))
    axis.tick_params(axis="y", length=0)
    for y, share in enumerate(shares):
        if not np.isnan(share["value"]):
            colour = _COLOURS.get(names[y], "white")
            axis.barh(y, share["value"], height=0.55, color=colour, edgecolor="black", linewidth=0.5)
            error = [[share["value"] - share["ci_low"]], [share["ci_high"] - share["value"]]]
            axis.errorbar(share["value"], y, xerr=error, color="black", capsize=2.5, linewidth=1)
            axis.vlines(share["null_high"], y - 0.4, y + 0.4, color="black", linestyle=":", linewidth=1)
    if np.isnan(shares[0]["value"]):
        words = [_STATUS.get(word, word) for word in shares[0]["status"].split(";")]
        axis.text(0.03, 1, "no claim:\n" + ",\n".join(words), va="center", fontsize=7)
    axis.axvline(0.5, color=style.GREY, linewidth=0.6, zorder=0)
