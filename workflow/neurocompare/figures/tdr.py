"""Trajectories of averages on the axes of task variables, for each context, and the axes' size over time."""

import matplotlib
import matplotlib.colors
import matplotlib.lines
import matplotlib.ticker
import numpy as np
import xarray as xr

from neurocompare.figures import style

# Orange for negative and blue for positive evidence, light where it is weak: two hues that all kinds of colour vision
# tell apart, and lightness that survives print in grey.
_NEGATIVE = matplotlib.colors.LinearSegmentedColormap.from_list("negative", ["#F3C08A", "#B34700"])
_POSITIVE = matplotlib.colors.LinearSegmentedColormap.from_list("positive", ["#9CCBEA", "#00477A"])
_OF_VARIABLES = {"choice": "#000000", "motion": "#0072B2", "color": "#D55E00", "context": "#009E73"}
_RATIO = 1.4
"""Width of a plane to its height."""

_MARKERS = 15
"""Markers on a trajectory, about."""

_LINES = ("-", "--", "-.", ":")


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw trajectories, one recording or network in each column.

    Parameters
    ----------
    details : list of tuples (name, Dataset)
        Names of recordings, and what `neurocompare.description.tdr.describe` left for drawing; the first region of each
        is drawn. The first axis is horizontal; rows are kinds of evidence in contexts, then the norm of coefficients.
    path : str
        The figure.
    """
    details = [(name, detail.isel(region=0)) for name, detail in details]
    panels = list(dict.fromkeys(panel for _, detail in details for panel in _panels(detail)))
    figure, axes = style.subplots(len(panels) + 1, len(details), width=2.75, height=2.3)
    for column, (name, detail) in enumerate(details):
        for axis, panel in zip(axes[:, column], panels, strict=False):
            if panel in _panels(detail):
                _plane(axis, detail, *panel)
            else:
                axis.set_axis_off()
        _alike([axis for axis in axes[:-1, column] if axis.axison])
        _norms(axes[-1, column], detail)
        units, kept = detail.attrs["n_units_described"], detail.attrs["components"]
        told = f"{units} units" + (", not denoised" if kept >= units else f", {kept} components")
        axes[0, column].set_title(f"{name}\n{told}\n{axes[0, column].get_title()}", fontsize=8)
    levels = dict.fromkeys(level for _, detail in details for level in _levels(detail))
    _legends(figure, sorted(levels, key=float), details)
    style.save(figure, path)


def _panels(detail: xr.Dataset) -> list[tuple[str, str]]:
    """Evidence and context of each panel, a context after the other; relevant evidence first."""
    evidence = detail["evidence"].values.astype(str)
    kinds = [str(name) for name in detail["axis"].values if name in evidence]
    if "context" not in detail or "context" not in detail["axis"].values:
        return [(kind, "") for kind in kinds]
    contexts = sorted(set(detail["context"].values.astype(str)), key=lambda c: kinds.index(c) if c in kinds else 99)
    return [(kind, context) for context in contexts for kind in sorted(kinds, key=lambda k, c=context: k != c)]


def _levels(detail: xr.Dataset) -> list[str]:
    return [level for level in dict.fromkeys(detail["level"].values.astype(str)) if level]


def _chosen(detail: xr.Dataset, evidence: str, context: str) -> np.ndarray:
    """Conditions of a panel: correct ones, that all units have."""
    chosen = detail["evidence"].values.astype(str) == evidence
    correct = detail["correct"].values.astype(str)
    if (correct == "1").any():
        chosen &= correct == "1"
    if context:
        chosen &= detail["context"].values.astype(str) == context
    return np.flatnonzero(chosen & np.isfinite(detail["trajectory"].values).all((1, 2)))


def _plane(axis, detail, evidence: str, context: str) -> None:
    names = [str(name) for name in detail["axis"].values]
    first, second = names[0], evidence
    path = detail["trajectory"].values[..., [0, names.index(second)]]
    values = detail[first].values.astype(str)
    strongest = max(abs(float(level)) for level in _levels(detail))
    step = max(1, path.shape[1] // _MARKERS)
    for k in _chosen(detail, evidence, context):
        colour = _colour(float(detail["level"].values[k]), strongest)
        fill = colour if values[k] == max(values, key=_number) else "white"
        axis.plot(*path[k].T, "-", color=colour, linewidth=1)
        axis.plot(*path[k, ::step].T, "o", color=colour, markerfacecolor=fill, markersize=2.6, markeredgewidth=0.6)
        axis.plot(*path[k, 0], "x", color=colour, markersize=3.5, markeredgewidth=0.9, zorder=3)
    share = 100 * detail["share"].values
    axis.set(
        xlabel=f"{first} axis (z), {share[0]:.1f} %", ylabel=f"{second} axis (z), {share[names.index(second)]:.1f} %"
    )
    heeded = (
        "" if not context else f"context: {context}, {evidence} {'relevant' if context == evidence else 'irrelevant'}"
    )
    axis.set_title(heeded, fontsize=8)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(matplotlib.ticker.MaxNLocator(4, integer=True))


def _number(text: str) -> tuple:
    try:
        return (0, float(text))
    except ValueError:
        return (1, text)


def _colour(level: float, strongest: float):
    share = abs(level) / strongest
    return (_POSITIVE if level > 0 else _NEGATIVE)(share)


def _alike(axes) -> None:
    """The same limits and the same scale in all panels of a recording, so that contexts can be compared."""
    if not axes:
        return
    x, y = (
        (min(get(axis)[0] for axis in axes), max(get(axis)[1] for axis in axes))
        for get in (lambda a: a.get_xlim(), lambda a: a.get_ylim())
    )
    width = max(x[1] - x[0], _RATIO * (y[1] - y[0]))
    for axis in axes:
        axis.set(xlim=_around(x, width), ylim=_around(y, width / _RATIO))
        axis.set_box_aspect(1 / _RATIO)


def _around(limits: tuple[float, float], width: float) -> tuple[float, float]:
    middle = sum(limits) / 2
    return middle - width / 2, middle + width / 2


def _norms(axis, detail) -> None:
    time, norm, window = detail["time"].values, detail["norm"].values, detail["window"].values
    top = norm.max() * 1.08
    for k, name in enumerate(detail["axis"].values.astype(str)):
        colour = _of_variable(name, k)
        axis.plot(time, norm[k], _LINES[k % len(_LINES)], color=colour)
        # Where the vector was taken from.
        level = top * (1.02 + 0.06 * k)
        half = 0.5 * (time[1] - time[0]) if len(time) > 1 else 0
        axis.plot([window[k, 0] - half, window[k, 1] + half], [level] * 2, color=colour, linewidth=2.5)
    axis.set(xlabel="time (s)", ylabel="norm of coefficients", ylim=(0, top * (1.06 + 0.06 * len(norm))))


def _of_variable(name: str, k: int) -> str:
    return _OF_VARIABLES.get(name, style.COLOURS[k % len(style.COLOURS)])


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _legends(figure, levels: list[str], details) -> None:
    line = matplotlib.lines.Line2D
    strongest = max(abs(float(level)) for level in levels) if levels else 1
    handles = [
        line(
            [],
            [],
            color=_colour(float(level), strongest),
            marker="o",
            markersize=2.6,
            label=f"evidence {_signed(level)}",
        )
        for level in levels
    ]
    first = str(details[0][1]["axis"].values[0])
    values = sorted(set(details[0][1][first].values.astype(str)), key=_number)
    for value, fill in zip(values, ("white", "black"), strict=False):
        handles.append(
            line(
                [], [], color="black", marker="o", markerfacecolor=fill, markersize=3, label=f"{first} {_signed(value)}"
            )
        )
    handles.append(line([], [], color="black", marker="x", linestyle="none", markersize=3.5, label="first bin"))
    # Recordings may have other variables.
    names = dict.fromkeys((str(name), k) for _, detail in details for k, name in enumerate(detail["axis"].values))
    for name, k in names:
        told = f"norm, {name.replace('_', ' ')}"
        handles.append(line([], [], color=_of_variable(name, k), linestyle=_LINES[k % len(_LINES)], label=told))
    columns = min(len(handles), 2 * len(details) + 1)
    style.legend(figure, handles, [handle.get_label() for handle in handles], columns=columns)
