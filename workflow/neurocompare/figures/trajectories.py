"""Trajectories of a population, by choice and reaction time, and the distance between the choices."""

import matplotlib
import matplotlib.ticker
import numpy as np
import xarray as xr

from neurocompare.figures import style

_LINES = ("-", "--")


def draw(details: xr.Dataset, path: str) -> None:
    """Draw the trajectories of one recording.

    Parameters
    ----------
    details : Dataset
        What `neurocompare.description.trajectories.describe` left for drawing; the first region is drawn.
    path : str
        The figure.
    """
    details = details.isel(region=0)
    # Ordered in lightness, and readable without color vision; its lightest end is too pale for lines.
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.88, details.sizes["bin"]))
    figure, axes = style.subplots(2, 2, width=3.3, height=2.8)
    pairs = [(0, min(k, details.sizes["component"] - 1)) for k in (1, 2)]
    for axis, (a, b) in zip(axes[0], pairs, strict=False):
        _paths(axis, details, a, b, colours)
    _distances(axes[1, 0], details, colours)
    _by_bin(axes[1, 1], details, colours)
    scale = matplotlib.cm.ScalarMappable(
        matplotlib.colors.BoundaryNorm(np.arange(len(colours) + 1), len(colours)),
        matplotlib.colors.ListedColormap(colours),
    )
    bar = figure.colorbar(scale, ax=axes[0, 1], label=f"{details.attrs['by'].replace('_', ' ')} (fast to slow)")
    shown = np.unique(np.linspace(0, len(colours) - 1, 6).astype(int))
    bar.set_ticks(shown + 0.5, labels=[f"{details['bin'].values[k]:g}" for k in shown])
    figure.suptitle(
        f"{details.attrs['n_trials']} conditions, {details.attrs['n_units']} dimensions or units",
        fontsize=8,
        x=0.01,
        ha="left",
    )
    style.save(figure, path)


def _paths(axis, details, a, b, colours) -> None:
    state = details["state"].values
    onset = int(np.argmin(np.abs(details["time"].values)))
    for c, choice in enumerate(details["choice"].values.astype(str)):
        for k, colour in enumerate(colours):
            path = state[c, k]
            axis.plot(path[:, a], path[:, b], _LINES[c], color=colour, linewidth=1)
            axis.plot(path[onset, a], path[onset, b], "o", color=colour, markersize=2.5)
        axis.plot([], [], _LINES[c], color="black", linewidth=1, label=f"choice {choice}")
    axis.plot([], [], "o", color="black", markersize=2.5, label="stimulus onset")
    share = 100 * details["variance"].values
    units = details.attrs["response_units"]
    axis.set(
        xlabel=f"PC {a + 1}, {units}, {share[a]:.0f} % of variance", ylabel=f"PC {b + 1}, {units}, {share[b]:.0f} %"
    )
    axis.set_aspect("equal", adjustable="datalim")
    if b == 1:
        axis.legend(loc="best")


def _distances(axis, details, colours) -> None:
    time = details["time"].values
    for line, colour in zip(details["distance"].values, colours, strict=True):
        axis.plot(time, line, color=colour, linewidth=1)
    axis.axhline(details.attrs["threshold"], color=style.GREY, linestyle=":", label="threshold")
    axis.axvline(0, color=style.GREY, linewidth=0.8)
    axis.set(
        xlabel="time from stimulus onset (s)", ylabel=f"distance between choices, {details.attrs['response_units']}"
    )
    axis.legend(loc="upper left")


def _by_bin(axis, details, colours) -> None:
    bins = details["bin"].values
    axis.plot(bins, details["onset"], color=style.GREY, linewidth=0.8, zorder=1)
    axis.scatter(bins, details["onset"], c=colours, s=14, zorder=2, label="onset of the choice (s)")
    axis.set(xlabel=details.attrs["by"].replace("_", " "), ylabel="onset of the choice (s from stimulus)")
    axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    other = axis.twinx()
    other.plot(bins, details["initial"], ":", color="black", linewidth=0.8)
    other.scatter(bins, details["initial"], c=colours, s=14, marker="s", edgecolors="black", linewidths=0.5)
    other.set_ylabel(f"initial state, from fastest, {details.attrs['response_units']}")
    other.spines["right"].set_visible(True)
    axis.plot([], [], "o", color=style.GREY, label="onset (left)", markersize=3.5)
    axis.plot([], [], "s", color="black", markerfacecolor="white", label="initial state (right)", markersize=3.5)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[1:], labels[1:], loc="upper left")
