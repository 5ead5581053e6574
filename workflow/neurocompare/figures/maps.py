"""Scores of single units against where they are: position, depth, plane, area."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.colors import Normalize

from neurocompare.errors import UserError
from neurocompare.figures import style

_PREFERRED = ("ccnorm", "pearson")
_LABELS = {"ccnorm": "normalised correlation (1: perfect)", "pearson": "correlation of predictions, r"}
_DEPTHS = {"depth": "depth (µm)", "plane": "imaging plane"}
_BINS = 8
_POINTS = 5000


def draw(encodings: pd.DataFrame, details: list[xr.Dataset], path: str) -> None:
    """Draw panels for each encoding, one for each way in which its units have a place.

    Parameters
    ----------
    encodings : DataFrame
        Encodings of a study.
    details : list of Dataset
        What was found of every unit, of each encoding.
    path : str
        The figure.

    Raises
    ------
    UserError
        If no encoding has units with places.
    """
    panels = [(detail, kind) for detail in details for kind in kinds(detail)]
    if not panels:
        names = ", ".join(dict.fromkeys(encodings["recording"])) or "none"
        raise UserError(
            f"the figure 'maps' needs units with x and y, a depth, a plane or several areas; recordings {names} have "
            "none of these, so leave it out"
        )
    across = min(3, len(panels))
    figure, axes = style.subplots(-(-len(panels) // across), across, width=3.3, height=3.0)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    for axis, (detail, kind) in zip(axes.ravel(), panels, strict=False):
        name, values = score_of(detail)
        known = np.isfinite(values)
        label = _LABELS[name]
        if kind == "position":
            _position(figure, axis, detail, values, known, label)
        elif kind == "area":
            _areas(axis, detail, values, known, label)
        else:
            _depth(axis, numbers(detail, kind), values, known, label, _DEPTHS[kind])
        stated = f"{known.sum()} units" + (f" ({(~known).sum()} without a score)" if not known.all() else "")
        title = f"{detail.attrs['encoding'].replace('_', ' ')}\n{stated}, {detail.attrs['n_stimuli']} stimuli"
        axis.set_title(title, fontsize=7, loc="left")
    style.save(figure, path)


def kinds(detail: xr.Dataset) -> list[str]:
    """List the ways in which units have a place.

    Parameters
    ----------
    detail : Dataset
        What was found of every unit.

    Returns
    -------
    list of str
        Of ``position``, ``depth``, ``plane`` and ``area``, those in which units differ.
    """
    differ = {name for name in ("x", "y", *_DEPTHS) if len(np.unique(_finite(numbers(detail, name)))) > 1}
    found = ["position"] if {"x", "y"} <= differ else []
    found += [name for name in _DEPTHS if name in differ]
    return found + (["area"] if len(np.unique(detail["area"].values.astype(str))) > 1 else [])


def numbers(detail: xr.Dataset, name: str) -> np.ndarray:
    """Return a coordinate of the units as numbers.

    Parameters
    ----------
    detail : Dataset
        What was found of every unit.
    name : str
        The coordinate.

    Returns
    -------
    array of shape (n_units,)
        NaN where it is not known, or not there at all.
    """
    if name not in detail.coords:
        return np.full(detail.sizes["unit"], np.nan)
    return pd.to_numeric(pd.Series(detail[name].values), errors="coerce").to_numpy(float)


def score_of(detail: xr.Dataset) -> tuple[str, np.ndarray]:
    """Choose the score that is drawn: corrected for noise where that can be had.

    Parameters
    ----------
    detail : Dataset
        What was found of every unit.

    Returns
    -------
    name : str
        Of the score.
    values : array of shape (n_units,)
        The scores, NaN where they are undefined.
    """
    name = next(name for name in _PREFERRED if name in detail["score"].values)
    return name, detail["scores"].sel(score=name).values


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _some(known: np.ndarray) -> np.ndarray:
    """Units to draw: all, or as many as can be told apart."""
    index = np.flatnonzero(known)
    return np.sort(np.random.default_rng(0).permutation(index)[:_POINTS])


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(_finite(values), [0.01, 0.99])
    return float(min(low, 0)), float(max(high, 0.05))


def _position(figure, axis, detail, values, known, label) -> None:
    x, y = numbers(detail, "x"), numbers(detail, "y")
    some = _some(known & np.isfinite(x) & np.isfinite(y))
    drawn = axis.scatter(x[some], y[some], c=values[some], s=5, cmap="cividis", norm=Normalize(*_range(values)))
    figure.colorbar(drawn, ax=axis, label=label, extend="both")
    axis.set(xlabel="x (µm)", ylabel="y (µm)", aspect="equal")


def _depth(axis, depth, values, known, label, what) -> None:
    known = known & np.isfinite(depth)
    some = _some(known)
    low, high = _range(values[known])
    margin = 0.05 * (high - low)
    limits = low - margin, high + margin
    axis.plot(depth[some], values[some].clip(*limits), ".", color=style.COLOURS[1], alpha=0.3, markersize=3)
    distinct = np.unique(depth[known])
    edges = distinct if len(distinct) <= _BINS else np.quantile(depth[known], np.linspace(0, 1, _BINS + 1))[:-1]
    place = np.searchsorted(edges, depth, side="right") - 1
    for k in range(len(edges)):
        mine = known & (place == k)
        if mine.any():
            quarters = np.quantile(values[mine], [0.25, 0.5, 0.75])
            x = np.median(depth[mine])
            axis.vlines(x, quarters[0], quarters[2], color="black", linewidth=1.2, zorder=3)
            axis.plot(x, quarters[1], "o", color="black", markersize=4.5, zorder=3)
    axis.axhline(0, color="black", linewidth=0.6, zorder=0)
    axis.set(xlabel=what, ylabel=label, ylim=limits)


def _areas(axis, detail, values, known, label) -> None:
    area = detail["area"].values.astype(str)
    names = list(dict.fromkeys(area))
    rng = np.random.default_rng(0)
    low, high = _range(values)
    margin = 0.05 * (high - low)
    limits = low - margin, high + margin
    for k, name in enumerate(names):
        mine = _some(known & (area == name))
        colour = style.COLOURS[k % len(style.COLOURS)]
        x = k - 0.25 + 0.5 * rng.random(len(mine))
        axis.plot(x, values[mine].clip(*limits), ".", color=colour, alpha=0.35, markersize=3, markeredgewidth=0)
        if len(mine):
            quarters = np.quantile(values[mine], [0.25, 0.5, 0.75])
            axis.vlines(k, quarters[0], quarters[2], color="black", linewidth=1.2, zorder=3)
            axis.plot(k, quarters[1], "o", color="black", markerfacecolor=colour, markersize=5, zorder=4)
    axis.axhline(0, color="black", linewidth=0.6, zorder=0)
    counts = [int((area == name).sum()) for name in names]
    axis.set_xticks(range(len(names)), [f"{name}\n({n})" for name, n in zip(names, counts, strict=True)], fontsize=7)
    axis.set(ylabel=label, ylim=limits, xlim=(-0.6, len(names) - 0.4))
