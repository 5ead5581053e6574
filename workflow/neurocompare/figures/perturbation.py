"""What pulses along named axes and lesions do to recurrent networks, beside what was predicted."""

import matplotlib.lines
import numpy as np
import xarray as xr

from neurocompare.figures import style

_NULL = "#CCCCCC"


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw pulses and lesions, one network in each column.

    Parameters
    ----------
    details : list of tuples (name, Dataset)
        Names of networks, and what `neurocompare.network_description.perturbation.describe_network` left for drawing.
        Rows: actual against predicted changes of the output, to first order and by the selection vector, of pulses of
        all sizes; shifts of the share of choice 1 by pulses of size 1, by axis; fractions correct after lesions.
    path : str
        The figure.
    """
    most = max(detail.sizes["lesion"] for _, detail in details)
    heights = [1.0, 1.0, 1.0, 0.055 * most + 0.25]
    options = {"gridspec_kw": {"height_ratios": heights}}
    figure, axes = style.subplots(len(heights), len(details), width=3.6, height=2.5 * np.mean(heights), **options)
    for (name, detail), column in zip(details, axes.T, strict=True):
        for axis, kind in zip(column, ("first order", "selection vector"), strict=False):
            _changes(axis, detail, kind)
        column[0].set_title(f"{name}\n{column[0].get_title()}", fontsize=8)
        _shifts(column[2], detail)
        _lesions(column[3], detail)
    _legend(figure, details)
    style.save(figure, path)


def _colour(axis: str) -> str:
    names = ("line", "selection vector", "motion input", "color input", "choice axis", "output")
    return style.COLOURS[names.index(axis)] if axis in names else _NULL


def _changes(axis, detail, kind: str) -> None:
    """Draw pulses of each axis, time, size and sign as points; contexts differ in their marker."""
    names = detail["axis"].values.astype(str)
    told = []
    for c, context in enumerate(detail["context"].values.astype(str)):
        actual, predicted = (detail["change"].sel(context=context, kind=one).values for one in ("actual", kind))
        for k in np.argsort(names != "random", kind="stable"):
            fill = _colour(names[k]) if c == 0 else "none"
            options = {"color": _colour(names[k]), "markerfacecolor": fill, "markersize": 3, "markeredgewidth": 0.8}
            axis.plot(predicted[:, k].ravel(), actual[:, k].ravel(), style.MARKERS[c], **options)
        told.append(f"{context} r = {np.corrcoef(predicted.ravel(), actual.ravel())[0, 1]:.2f}")
    reach = np.abs(detail["change"].sel(kind="actual").values).max() * 1.1
    axis.plot([-reach, reach], [-reach, reach], color=style.GREY, linewidth=0.8, zorder=0)
    axis.set_title(f"{', '.join(told)}\n{int(detail['n_pushed'].max())} trials of each context", fontsize=7)
    axis.set(xlabel=f"predicted by {kind}", ylabel="change of output")


def _shifts(axis, detail) -> None:
    names = detail["axis"].values.astype(str)
    named = list(dict.fromkeys(names))
    contexts = detail["context"].values.astype(str)
    shift = detail["shift"]
    odd = (shift.sel(size=1.0) - shift.sel(size=-1.0)).mean("time") / 2
    for c, context in enumerate(contexts):
        for k, name in enumerate(named):
            own = odd.sel(context=context).values[:, names == name]
            # The signs of random axes mean nothing.
            value = np.abs(own).mean(1) if name == "random" else own.mean(1)
            place = k + 0.3 * (c - (len(contexts) - 1) / 2)
            options = {"color": style.COLOURS[c], "linestyle": "", "zorder": 3}
            axis.plot(place, value[0], style.MARKERS[c], markersize=4.5, **options)
            axis.plot(place + 0.1, value[1], style.MARKERS[c], markerfacecolor="none", **options)
            axis.plot(place + 0.2, value[2], "x", **options)
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    axis.set_xticks(range(len(named)), named, rotation=35, ha="right")
    axis.set_ylabel("shift of share of choice 1")
    axis.set_title("pulses of one standard deviation", fontsize=7)


def _lesions(axis, detail) -> None:
    labels = detail["lesion"].values.astype(str)
    contexts = detail["context"].values.astype(str)
    null = detail["correct_null"].values
    for c, _ in enumerate(contexts):
        place = np.arange(len(labels)) + 0.36 * (c - (len(contexts) - 1) / 2)
        for k in np.flatnonzero(np.isfinite(null[:, c]).all(-1)):
            low, high = np.quantile(null[k, c], [0.05, 0.95])
            axis.plot([low, high], [place[k]] * 2, color=_NULL, linewidth=3, solid_capstyle="butt", zorder=1)
        correct = detail["correct"].values[:, c]
        axis.plot(correct, place, style.MARKERS[c], color=style.COLOURS[c], markersize=3.5, zorder=3)
    axis.axvline(0.5, color=style.GREY, linestyle="--", linewidth=0.8)
    axis.set_yticks(range(len(labels)), labels, fontsize=6)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("fraction correct")
    axis.set_title(f"lesions, {int(detail['n_lesioned'])} trials", fontsize=7)


def _legend(figure, details) -> None:
    line = matplotlib.lines.Line2D
    axes = list(dict.fromkeys(str(name) for _, detail in details for name in detail["axis"].values))
    contexts = list(dict.fromkeys(str(name) for _, detail in details for name in detail["context"].values))
    handles = [line([], [], color=_colour(name), marker="o", linestyle="", label=f"pulse: {name}") for name in axes]
    handles.append(line([], [], color=style.GREY, label="predicted = actual"))
    for c, name in enumerate(contexts):
        look = {"marker": style.MARKERS[c], "color": style.GREY, "linestyle": ""}
        label = f"context: {name} (above)"
        handles.append(line([], [], **look, markerfacecolor=style.GREY if c == 0 else "none", label=label))
    for c, name in enumerate(contexts):
        look = {"marker": style.MARKERS[c], "color": style.COLOURS[c], "linestyle": ""}
        handles.append(line([], [], **look, label=f"context: {name} (below)"))
    handles.append(line([], [], color=_NULL, linewidth=3, label="random units or axes, 5 to 95 %"))
    look = {"color": style.GREY, "linestyle": ""}
    handles.append(line([], [], marker="o", markerfacecolor="none", **look, label="predicted by first order"))
    handles.append(line([], [], marker="x", **look, label="predicted by selection vector"))
    style.legend(figure, handles, [handle.get_label() for handle in handles], columns=4)
