"""Psychometric functions, and reaction times beneath them."""

import numpy as np
import xarray as xr

from neurocompare.figures import style
from neurocompare.identifiers import parse

FEW = 6
"""Recordings that can be told apart by their colours; more are drawn as thin lines with their mean."""


def draw(details: list[tuple[str, xr.Dataset]], path: str, titles: dict[str, str] | None = None) -> None:
    """Draw the choices, and the reaction times, of several recordings.

    Recordings beside networks, of which there are several seeds, have a row for each: sessions of one entry together,
    seeds of one network together, without reaction times.

    Parameters
    ----------
    details : list of tuple of str and Dataset
        Names of recordings, and what `neurocompare.description.psychometrics.describe` left for drawing; a recording
        comes as often as there are kinds of evidence.
    path : str
        The figure.
    titles : dict of str to str, optional
        Names of networks.
    """
    details = [(name, detail.isel(region=0)) for name, detail in details]
    columns = list(
        dict.fromkeys((d.attrs["by"], str(given)) for _, d in details for given in d["given"].values.astype(str))
    )
    if any("seed" in parse(name)[1] for name, _ in details):
        _by_source(details, columns, titles or {}, path)
        return
    timed = any(np.isfinite(detail["reaction_time"]).any() for _, detail in details)
    rows = 2 if timed else 1
    figure, axes = style.subplots(rows, len(columns), width=2.9, height=2.6, sharey="row", sharex="col")
    for column, (by, given) in enumerate(columns):
        mine = [
            (name, detail.sel(given=given))
            for name, detail in details
            if detail.attrs["by"] == by and given in detail["given"].values
        ]
        told = (_many if len(mine) > FEW else _few)(axes[0, column], mine)
        first = mine[0][1]
        axes[0, column].axhline(0.5, color=style.GREY, linestyle=":", linewidth=0.8)
        axes[0, column].axvline(0, color=style.GREY, linestyle=":", linewidth=0.8)
        total = sum(int(detail["n_trials"].sum()) for _, detail in mine)
        context = "" if given == "all" else f"context: {given}\n"
        axes[0, column].set_title(f"{context}{len(mine)} recordings, {total:,} trials{told}", fontsize=8)
        axes[0, column].set_ylim(-0.02, 1.02)
        if column == 0:
            axes[0, 0].set_ylabel(f"fraction of {first.attrs['of'].replace('_', ' ')} {first.attrs['choice']}")
        if timed:
            _times(axes[1, column], mine)
            axes[1, 0].set_ylabel("median reaction time (s)")
        axes[-1, column].set_xlabel(f"{by.replace('_', ' ')} ({first.attrs['evidence_units']})")
    style.save(figure, path)


def _by_source(details, columns, titles, path) -> None:
    """Draw a row for each entry of the catalogues, with its sessions or seeds."""
    sources = list(dict.fromkeys(parse(name)[0] for name, _ in details))
    figure, axes = style.subplots(len(sources), len(columns), width=2.3, height=1.9, sharey=True, sharex="col")
    for k, (line, source) in enumerate(zip(axes, sources, strict=True)):
        for axis, (by, given) in zip(line, columns, strict=True):
            mine = [
                detail.sel(given=given)
                for name, detail in details
                if parse(name)[0] == source and detail.attrs["by"] == by and given in detail["given"].values
            ]
            axis.axhline(0.5, color=style.GREY, linestyle=":", linewidth=0.8)
            axis.axvline(0, color=style.GREY, linestyle=":", linewidth=0.8)
            axis.set_ylim(-0.02, 1.02)
            if k == 0:
                axis.set_title("all trials" if given == "all" else f"context: {given}", fontsize=8)
            if not mine:
                axis.text(0.5, 0.3, "none", transform=axis.transAxes, ha="center", color=style.GREY)
                continue
            for detail in mine:
                axis.plot(detail["position"], detail["curve"], color=style.COLOURS[4], linewidth=0.7, alpha=0.8)
                axis.plot(detail["strength"], detail["chosen"].sel(bound="value"), ".", color=style.GREY, markersize=2)
            axis.plot(*_mean(mine), color=style.COLOURS[1], linewidth=2.2)
            if k == len(sources) - 1:
                axis.set_xlabel(f"{by.replace('_', ' ')} ({mine[0].attrs['evidence_units']})")
        kind = "seeds" if source in titles else "sessions"
        choices = {name: detail.attrs["choice"] for name, detail in details if parse(name)[0] == source}
        choice = next(iter(choices.values())).removesuffix(".0")
        line[0].set_ylabel(f"{titles.get(source, source)}\n{len(choices)} {kind}\nfraction of choice {choice}")
    style.save(figure, path)


def _mean(mine) -> tuple[np.ndarray, np.ndarray]:
    """Average curves over the strengths that all recordings have."""
    low = max(float(detail["position"].min()) for detail in mine)
    high = min(float(detail["position"].max()) for detail in mine)
    fine = np.linspace(low, high, 201)
    return fine, np.mean([np.interp(fine, detail["position"], detail["curve"]) for detail in mine], axis=0)


def _few(axis, mine) -> str:
    for k, (name, detail) in enumerate(mine):
        colour = style.COLOURS[k]
        threshold = float(detail["threshold"])
        name = name.rpartition("=")[2]
        label = (
            f"{name}: threshold {threshold:.3g} {detail.attrs['evidence_units']}" if np.isfinite(threshold) else name
        )
        axis.plot(detail["position"], detail["curve"], color=colour, linestyle=("-", "--", "-.")[k % 3])
        _points(axis, detail, "chosen", colour, style.MARKERS[k], label)
    axis.legend(loc="lower right")
    return ""


def _many(axis, mine) -> str:
    for _, detail in mine:
        axis.plot(detail["position"], detail["curve"], color=style.COLOURS[4], linewidth=0.7, alpha=0.8)
        axis.plot(detail["strength"], detail["chosen"].sel(bound="value"), ".", color=style.GREY, markersize=2)
    fine, mean = _mean([detail for _, detail in mine])
    axis.plot(fine, mean, color=style.COLOURS[1], linewidth=2.2, label=f"mean of {len(mine)} sessions")
    found = [float(detail["threshold"]) for _, detail in mine]
    found = [threshold for threshold in found if np.isfinite(threshold)]
    axis.legend(loc="lower right")
    median = f"median threshold {np.median(found):.3g}" if found else "threshold not reached"
    return f"\n{median} ({len(found)} of {len(mine)})"


def _times(axis, mine) -> None:
    for k, (name, detail) in enumerate(mine):
        if len(mine) <= FEW:
            _points(axis, detail, "reaction_time", style.COLOURS[k], style.MARKERS[k], name, line="-")
        else:
            axis.plot(
                detail["strength"], detail["reaction_time"].sel(bound="value"), color=style.COLOURS[4], linewidth=0.7
            )


def _points(axis, detail, quantity, colour, marker, label, line="none") -> None:
    value, low, high = (detail[quantity].sel(bound=bound).values for bound in ("value", "low", "high"))
    axis.errorbar(
        detail["strength"],
        value,
        yerr=np.abs([value - low, high - value]),
        linestyle=line,
        marker=marker,
        color=colour,
        label=label,
        linewidth=1,
    )
