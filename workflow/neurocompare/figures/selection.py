"""Slow points of each context with line attractors and selection vectors, among mean trajectories."""

import matplotlib
import matplotlib.colors
import matplotlib.lines
import numpy as np
import xarray as xr

from neurocompare.figures import style

# As in the figure of targeted dimensionality reduction: orange for negative and blue for positive evidence.
_NEGATIVE = matplotlib.colors.LinearSegmentedColormap.from_list("negative", ["#F3C08A", "#B34700"])
_POSITIVE = matplotlib.colors.LinearSegmentedColormap.from_list("positive", ["#9CCBEA", "#00477A"])
_VECTOR = "#009E73"
_LINE = "#000000"


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw slow points, one network in each column and one context in each row.

    Parameters
    ----------
    details : list of tuples (name, Dataset)
        Names of networks, and what `neurocompare.network_description.selection.describe_network` left for drawing. The
        choice axis is horizontal, that of the relevant evidence vertical.
    path : str
        The figure.
    """
    contexts = list(dict.fromkeys(str(name) for _, detail in details for name in detail["context"].values))
    figure, axes = style.subplots(len(contexts), len(details), width=3, height=2.6)
    for column, (name, detail) in enumerate(details):
        for row, context in enumerate(contexts):
            _plane(axes[row, column], detail.sel(context=context), context)
        axes[0, column].set_title(f"{name}\n{axes[0, column].get_title()}", fontsize=8)
    _legend(figure, details[0][1])
    style.save(figure, path)


def _colour(level: int, strongest: int):
    return (_POSITIVE if level > 0 else _NEGATIVE)(abs(level) / strongest)


def _plane(axis, detail, context: str) -> None:
    names = [str(name) for name in detail["axis"].values]
    plane = [0, names.index(context)]
    levels = detail["level"].values
    for level, course in zip(levels, detail["trajectory"].values[..., plane], strict=True):
        axis.plot(*course.T, color=_colour(int(level), int(levels.max())), linewidth=1, zorder=1)
    position = detail["position"].values[:, plane]
    axis.plot(*position.T, "o", color=style.GREY, markersize=2, markeredgewidth=0, zorder=2)
    chosen = detail["chosen_point"].values
    used = chosen >= 0
    at = position[chosen[used]]
    axis.plot(*at.T, "o", color=_LINE, markersize=3.5, zorder=4)
    # Directions in the plane: of each kind, the longest is drawn with the same length.
    reach = 0.12 * max(np.ptp(detail["trajectory"].values[..., 0]), 1e-12)
    line, vector = (_scaled(detail[name].values[used][:, plane]) for name in ("line", "selection_vector"))
    for point, along, across in zip(at, line, vector, strict=True):
        if np.isfinite(along).all():
            axis.plot(*np.stack([point - reach * along, point + reach * along]).T, color=_LINE, linewidth=1, zorder=3)
        if np.isfinite(across).all():
            arrow = {"arrowstyle": "->", "color": _VECTOR, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
            axis.annotate("", point + 2 * reach * across, point, arrowprops=arrow, zorder=5)
    leading = np.hypot(detail["leading_real"].values, detail["leading_imaginary"].values)[used]
    paired = int((np.abs(detail["leading_imaginary"].values[used]) > 1e-9).sum())
    told = f"context: {context}, |λ₀| {np.median(leading):.3f}" + (
        f", {paired} of {used.sum()} pairs" if paired else ""
    )
    axis.set_title(told, fontsize=8)
    axis.set(xlabel="choice axis", ylabel=f"{context} axis")
    axis.set_aspect("equal", adjustable="datalim")


def _scaled(vectors: np.ndarray) -> np.ndarray:
    longest = np.nanmax(np.linalg.norm(vectors, axis=1), initial=1e-12)
    return vectors / longest


def _legend(figure, detail) -> None:
    line = matplotlib.lines.Line2D
    levels = detail["level"].values
    handles = [
        line(
            [],
            [],
            color=_colour(int(level), int(levels.max())),
            label=f"relevant evidence {level:+d}".replace("-", "−"),
        )
        for level in levels
    ]
    handles += [
        line([], [], marker="o", color=style.GREY, linestyle="", markersize=2, label="slow point"),
        line([], [], marker="o", color=_LINE, label="line attractor at a point (ρ₀)"),
        line([], [], color=_VECTOR, marker=">", label="selection vector (L₀) in the plane"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
