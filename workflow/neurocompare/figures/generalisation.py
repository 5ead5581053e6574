"""Accuracy of decoders of one time or condition, tested at all others."""

import numpy as np
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.figures import style

LEVEL = 0.05
COLUMNS = 3
MOST_WRITTEN = 8
"""Conditions up to which accuracies are written into the matrix."""


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw one matrix for each recording, region and description.

    Parameters
    ----------
    details : list of tuple of str and Dataset
        Names of recordings, and what `neurocompare.description.generalisation.describe` left for drawing.
    path : str
        The figure.

    Raises
    ------
    UserError
        If nothing could be classified.
    """
    panels = []
    for name, detail in details:
        for k in range(detail.sizes.get("region", 0)):
            part = detail.isel(region=k)
            # Of the two splits, the stricter one that is there.
            there = [s for s in range(part.sizes["split"]) if np.isfinite(part["accuracy"].values[s]).any()]
            panels += [(name, str(part["region"].values), part.isel(split=there[0]))] if there else []
    if not panels:
        raise UserError(
            "the figure 'generalisation': no recording of the study could be classified; see descriptions.tsv for why"
        )
    columns = min(COLUMNS, len(panels))
    figure, axes = style.subplots(-(-len(panels) // columns), columns, width=3.5, height=3.3)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    for axis, (name, region, part) in zip(axes.ravel(), panels, strict=False):
        _panel(figure, axis, part)
        pooled = " pooled" if part.attrs["pooled"] else ""
        axis.set_title(
            f"{name}\n{region}, {int(part['n_units'])}{pooled} units, {int(part['n_trials'])} trials\n"
            f"{part.attrs['label'].replace('_', ' ')} by {part.attrs['classifier']}, {part['split'].item()} folds",
            fontsize=7,
        )
    style.save(figure, path)


def _panel(figure, axis, part: xr.Dataset) -> None:
    values = part["accuracy"].values
    chance = 1 / part.attrs["classes"]
    reach = max(1 - chance, 1e-9)
    # Chance is in the middle, so that both halves of the colours mean something.
    shown = axis.imshow(
        values, origin="lower", cmap="RdBu_r", vmin=chance - reach, vmax=1, **_extent(part), interpolation="nearest"
    )
    bar = figure.colorbar(shown, ax=axis, shrink=0.7, label="balanced accuracy")
    bar.ax.set_ylim(max(0, min(chance - 0.1, np.nanmin(values))), 1)
    bar.ax.axhline(chance, color="black", linewidth=0.8)
    ticks = [t for t in bar.get_ticks() if bar.ax.get_ylim()[0] <= t <= 1 and abs(t - chance) > 0.06]
    bar.set_ticks([*ticks, chance], labels=[*(f"{t:g}" for t in ticks), f"chance {chance:.2g}"])
    if part.attrs["over"] == "time":
        _times(axis, part)
    else:
        _conditions(axis, part)


def _extent(part) -> dict:
    if part.attrs["over"] != "time":
        return {}
    time = part["test"].values
    half = np.diff(time).mean() / 2
    edges = (time[0] - half, time[-1] + half)
    return {"extent": (*edges, *edges)}


def _times(axis, part) -> None:
    time = part["test"].values
    if np.isfinite(part["q"]).any():
        # Along the edges of the squares, and closed at the margin.
        fine = 10
        inside = np.pad(np.kron(part["q"].values < LEVEL, np.ones((fine, fine))), 1)
        edge = _extent(part)["extent"]
        step = (edge[1] - edge[0]) / (fine * len(time))
        place = edge[0] + step * (np.arange(len(inside)) - 0.5)
        if inside.any():
            axis.contour(place, place, inside, levels=[0.5], colors="black", linewidths=0.8)
    phases = [p.rpartition("=") for p in part.attrs.get("phases", "").split(";") if p]
    onsets = {float(onset): name for name, _, onset in phases if time[0] < float(onset) < time[-1]} or {0.0: "onset"}
    for onset, name in onsets.items():
        axis.axvline(onset, color=style.GREY, linestyle="--", linewidth=0.8)
        axis.axhline(onset, color=style.GREY, linestyle="--", linewidth=0.8)
        axis.annotate(
            name, (onset, 0.99), xycoords=("data", "axes fraction"), fontsize=6, rotation=90, ha="right", va="top"
        )
    outlined = "\noutlined: false discovery rate < 5 %" if np.isfinite(part["q"]).any() else ""
    axis.set(xlabel=f"tested at (s from onset){outlined}", ylabel="learned at (s from onset)")


def _conditions(axis, part) -> None:
    names = part["test"].values.astype(str)
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(names)), names)
    over = part.attrs["over"].replace("_", " ")
    starred = "\n* above 95 % of shuffled labels" if np.isfinite(part["null_high"]).any() else ""
    axis.set(xlabel=f"tested at {over}{starred}", ylabel=f"learned at {over}")
    if len(names) > MOST_WRITTEN:
        return
    values, null = part["accuracy"].values, part["null_high"].values
    for i, j in np.ndindex(*values.shape):
        star = "*" if values[i, j] > null[i, j] else ""
        strong = abs(values[i, j] - 1 / part.attrs["classes"]) > 0.3
        axis.text(
            j,
            i,
            f"{values[i, j]:.2f}{star}",
            ha="center",
            va="center",
            color="white" if strong else "black",
            fontsize=7,
        )
