"""Accuracy of classifiers against numbers of neurons, of training trials, and over time."""

import numpy as np
import xarray as xr
from matplotlib.ticker import NullLocator

from neurocompare.errors import UserError
from neurocompare.figures import style

_AXES = {"neurons": "number of neurons", "trials": "number of training trials", "time": "time from onset (s)"}
_LINES = {"chronological": "-", "interleaved": "--"}
COLUMNS = 3
APART = 1.7
"""Least ratio of two numbers that are written at an axis."""


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw one panel for each recording, region and kind of sweep.

    Parameters
    ----------
    details : list of tuple of str and Dataset
        Names of recordings, and what `neurocompare.description.sweep.describe` left for drawing.
    path : str
        The figure.

    Raises
    ------
    UserError
        If nothing could be classified.
    """
    panels = [
        (name, str(part["region"].values), part)
        for name, detail in details
        if "accuracy" in detail
        for part in (detail.isel(region=k) for k in range(detail.sizes["region"]))
    ]
    if not panels:
        raise UserError(
            "the figure 'sweep': no recording of the study could be classified; see descriptions.tsv for why"
        )
    names = list(dict.fromkeys(c for _, _, part in panels for c in part["classifier"].values.astype(str)))
    columns = min(COLUMNS, len(panels))
    figure, axes = style.subplots(-(-len(panels) // columns), columns, width=2.9, height=2.6)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    for axis, (name, region, part) in zip(axes.ravel(), panels, strict=False):
        _panel(axis, part, names)
        pooled = " pooled" if part.attrs["pooled"] else ""
        axis.set_title(
            f"{name}\n{region}: {int(part['n_units'])}{pooled} units, {int(part['n_trials'])} trials", fontsize=7
        )
        axis.set_ylabel(
            f"balanced accuracy, {part.attrs['classes']} values of\n{part.attrs['label'].replace('_', ' ')}"
        )
    style.legend_beneath(figure, axes, 3)
    style.save(figure, path)


def _panel(axis, part: xr.Dataset, names: list[str]) -> None:
    over = part.attrs["over"]
    for split in part["split"].values.astype(str):
        for name in part["classifier"].values.astype(str):
            one = part.sel(split=split, classifier=name)
            one = one.isel(size=np.flatnonzero(np.isfinite(one["accuracy"].values)))
            if one.sizes["size"] == 0:
                continue
            k = names.index(name)
            colour = style.COLOURS[k % len(style.COLOURS)]
            size = one["size"].values
            marker = style.MARKERS[k % len(style.MARKERS)] if over != "time" else None
            axis.plot(size, one["accuracy"], _LINES[split], color=colour, marker=marker, label=f"{name}, {split}")
            if split == part["split"].values.astype(str)[0]:
                axis.fill_between(size, one["low"], one["high"], color=colour, alpha=0.2, linewidth=0)
                if np.isfinite(one["null_high"]).any():
                    axis.plot(size, one["null_high"], ":", color=colour, linewidth=0.9)
    axis.plot([], [], ":", color=style.GREY, linewidth=0.9, label="95 % of shuffled labels")
    axis.axhline(1 / part.attrs["classes"], color="black", linewidth=0.6, label="chance")
    axis.set(xlabel=_AXES[over], ylim=(0, 1.03))
    if over == "time":
        axis.axvline(0, color=style.GREY, linewidth=0.8)
        return
    sizes = part["size"].values
    axis.set_xscale("log")
    shown = [sizes[-1]]
    for size in sizes[::-1]:
        # Numbers side by side need room.
        shown += [size] if shown[-1] / size > APART else []
    axis.set_xticks(shown, [f"{n:g}" for n in shown])
    axis.xaxis.set_minor_locator(NullLocator())
