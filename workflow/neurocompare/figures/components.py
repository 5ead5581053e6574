"""Demixed and principal components over time by condition, and the variance that each explains."""

import matplotlib
import matplotlib.lines
import matplotlib.ticker
import numpy as np
import xarray as xr

from neurocompare.figures import style

COURSES = 4
"""Components of each recording whose courses are drawn."""

LEVELS = 10
"""Levels of a coordinate in the legend, some of more."""

_LINES = ("-", "--", ":", "-.")


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw components, one recording in each row.

    Parameters
    ----------
    details : list of tuples (name, Dataset)
        Names of recordings, and what `neurocompare.description.dpca.describe` or
        `neurocompare.description.pca.describe` left for drawing; the first region of each is drawn.
    path : str
        The figure.
    """
    widths = {"width_ratios": [1] * (COURSES + 1) + [0.75]}
    figure, axes = style.subplots(len(details), COURSES + 2, width=2.1, height=2.2, gridspec_kw=widths)
    for line, (name, detail) in zip(axes, details, strict=True):
        detail = detail.isel(region=0)
        # Regions need not have the same components.
        detail = detail.isel(component=np.flatnonzero(np.isfinite(detail["score"].values).any((1, 2))))
        demixed = "marginalisation_of" in detail
        chosen = _leading(detail) if demixed else list(range(min(COURSES, detail.sizes["component"])))
        colours, dashes, handles = _of_cells(detail)
        for axis, k in zip(line[:COURSES], chosen, strict=False):
            _course(axis, detail, k, colours, dashes, demixed)
        for axis in [*line[len(chosen) : COURSES], line[-1]]:
            axis.set_axis_off()
        line[0].set_ylabel(f"{name}\n{line[0].get_ylabel()}")
        (_shares if demixed else _spectrum)(line[COURSES], detail)
        shares = line[COURSES].get_legend_handles_labels()[0]
        line[-1].legend(handles=[*handles, *shares], fontsize=6, loc="upper left", labelspacing=0.25, borderaxespad=0)
    style.save(figure, path)


def _leading(detail: xr.Dataset) -> list[int]:
    """Components to draw: the first of each marginalisation, then those that explain most of the rest."""
    of = detail["marginalisation_of"].values.astype(str)
    firsts = [int(np.flatnonzero(of == name)[0]) for name in dict.fromkeys(of) if name]
    variance = detail["variance_by"].sum("marginalisation").values
    others = [int(k) for k in np.argsort(-variance) if k not in firsts]
    return sorted((firsts + others)[:COURSES])


def _of_cells(detail: xr.Dataset) -> tuple[list, list, list]:
    """A colour for each level of the coordinate with most of them, a dash for each of the others; a legend of both."""
    rows = [dict(pair.split("=", 1) for pair in str(cell).split(", ")) for cell in detail["cell"].values]
    factors = list(rows[0])
    levels = {name: _sorted(list(dict.fromkeys(row[name] for row in rows))) for name in factors}
    main = max(factors, key=lambda name: len(levels[name]))
    others = [name for name in factors if name != main]
    # Ordered in lightness, and readable without colour vision; the lightest end is too pale for lines.
    palette = matplotlib.colormaps["viridis"](np.linspace(0, 0.88, len(levels[main])))
    if len(levels[main]) == 2:
        palette = [matplotlib.colors.to_rgba(colour) for colour in style.COLOURS[:2]]
    rest = list(dict.fromkeys(tuple(row[name] for name in others) for row in rows))
    colours = [palette[levels[main].index(row[main])] for row in rows]
    dashes = [_LINES[rest.index(tuple(row[name] for name in others)) % len(_LINES)] for row in rows]
    shown = np.unique(np.linspace(0, len(palette) - 1, LEVELS).astype(int)) if len(palette) > LEVELS else None
    told = range(len(palette)) if shown is None else shown
    line = matplotlib.lines.Line2D
    handles = [line([], [], color=palette[k], label=f"{main} = {levels[main][k]}".replace("_", " ")) for k in told]
    for k, values in enumerate(rest[: len(_LINES)] if others else []):
        text = ", ".join(f"{name} = {value}" for name, value in zip(others, values, strict=True))
        handles.append(line([], [], color="black", linestyle=_LINES[k], label=text.replace("_", " ")))
    return colours, dashes, handles


def _sorted(levels: list[str]) -> list[str]:
    """Levels in the order of their numbers, if they are numbers."""
    try:
        return sorted(levels, key=float)
    except ValueError:
        return sorted(levels)


def _course(axis, detail, k, colours, dashes, demixed) -> None:
    """A component over time; without time, by condition."""
    score, time = detail["score"].values[k], detail["time"].values
    units = detail.attrs["response_units"]
    if len(time) > 1:
        for values, colour, dash in zip(score, colours, dashes, strict=True):
            axis.plot(time, values, color=colour, linestyle=dash, linewidth=1)
        axis.set(xlabel="time (s)")
    else:
        axis.scatter(range(len(score)), score[:, 0], color=colours, s=10)
        axis.set(xlabel=f"{len(score)} conditions")
    axis.set(ylabel=f"component ({'a.u.' if units == '1' else units})")
    axis.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    title = str(detail["component"].values[k]).replace("_", " ")
    if demixed:
        variance = float(detail["variance_by"].isel(component=k).sum())
        title += f": {100 * variance:.1f} %"
        _significance(axis, detail, k, time)
    else:
        title += f": {100 * float(detail['variance'].values[k]):.1f} %"
    axis.set_title(title, fontsize=8)


def _significance(axis, detail, k, time) -> None:
    """A bar below the times when the axis tells held-out trials apart; what it can't be, in words."""
    high, accuracy = float(detail["null_high"].values[k]), detail["accuracy"].values[k]
    if str(detail["marginalisation_of"].values[k]) == "time":
        return
    if not np.isfinite(high):
        axis.text(0.02, 0.02, "not tested", transform=axis.transAxes, fontsize=6, color=style.GREY)
        return
    above = accuracy > high
    low, top = axis.get_ylim()
    level = low - 0.06 * (top - low)
    if above.any() and len(time) > 1:
        half = np.median(np.diff(time)) / 2
        for t in time[above]:
            axis.plot([t - half, t + half], [level] * 2, color="black", linewidth=3, solid_capstyle="butt")
    # Room for the bar, and for the words.
    axis.set_ylim(level - 0.06 * (top - low), top + 0.15 * (top - low))
    chance = float(detail["chance"].values[k])
    text = f"accuracy {accuracy.mean():.2f} (chance {chance:.2g}){'' if above.any() else ', n.s.'}"
    axis.text(0.02, 0.98, text, transform=axis.transAxes, fontsize=6, va="top")


def _shares(axis, detail) -> None:
    """Variance of the components, divided by marginalisation, and of the marginalisations."""
    by, names = detail["variance_by"].values * 100, detail["marginalisation"].values.astype(str)
    place = np.arange(len(by))
    left = np.zeros(len(by))
    for k, name in enumerate(names):
        share, signal = 100 * float(detail["share"].values[k]), 100 * float(detail["signal"].values[k])
        told = f"{share:.0f} %" + (f", signal {signal:.0f} %" if np.isfinite(signal) else "")
        width = np.maximum(by[:, k], 0)
        axis.barh(place, width, left=left, color=style.COLOURS[k % 7], label=f"{name.replace('_', ' ')}: {told}")
        left += width
    axis.set_yticks(place, [str(c).replace("_", " ") for c in detail["component"].values], fontsize=5)
    axis.invert_yaxis()
    axis.set(xlabel="variance explained (%)")
    axis.set_title(f"{detail.attrs['n_units']} units, {detail.attrs['n_trials']} {_what(detail)}", fontsize=8)


def _what(detail) -> str:
    return "trials" if np.isfinite(detail["signal"].values).any() else "averages"


def _spectrum(axis, detail) -> None:
    """Variance by number of component, across halves of the trials, and of shuffles."""
    number = detail["number"].values
    shown = number <= 10
    lines = (
        ("variance", style.COLOURS[1], "o-", "all trials"),
        ("cross_validated", style.COLOURS[0], "s-", "across halves"),
        ("null_high", style.GREY, ":", "95 % of shuffles"),
    )
    for name, colour, look, label in lines:
        values = 100 * detail[name].values
        if np.isfinite(values).any():
            axis.plot(number[shown], values[shown], look, color=colour, label=label)
    axis.axhline(0, color="black", linewidth=0.5)
    axis.set(xlabel="component", ylabel="variance explained (%)")
    what = "trials" if np.isfinite(detail["cross_validated"].values).any() else "averages"
    axis.set_title(f"{detail.attrs['n_units']} units, {detail.attrs['n_trials']} {what}", fontsize=8)
    axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
