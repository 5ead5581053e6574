"""Which band of features explains how much: unique contributions and product measure, with every unit."""

import numpy as np
import pandas as pd
import xarray as xr

from neurocompare.encoding_entries import ALL, EXPLAINABLE, SHARED, VARIANCE
from neurocompare.errors import UserError
from neurocompare.figures import style

_POINTS = 300
"""Units that are drawn in a column, at most."""

_LEAST, _MOST = -0.25, 1.25
"""How far an axis reaches for single units."""


def draw(encodings: pd.DataFrame, details: list[xr.Dataset], path: str) -> None:
    """Draw a panel for each encoding and area.

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
        If there are no encodings.
    """
    if encodings.empty:
        raise UserError("the figure 'partition' needs encodings; select some in the study, or leave it out")
    found = {str(detail.attrs["encoding"]): detail for detail in details}
    panels = list(dict.fromkeys(zip(encodings["encoding"], encodings["region"], strict=True)))
    widest = max(found[encoding].sizes["band"] for encoding, _ in panels) + 2
    across = min(3, len(panels))
    figure, axes = style.subplots(-(-len(panels) // across), across, width=1.4 + 0.62 * widest, height=3.4)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    for axis, (encoding, region) in zip(axes.ravel(), panels, strict=False):
        rows = encodings[(encodings["encoding"] == encoding) & (encodings["region"] == region)]
        # All animals together come last.
        rows = rows[rows["animal"] == rows["animal"].iloc[-1]]
        _panel(axis, rows, found[encoding], region)
    style.legend_beneath(figure, axes, columns=2)
    style.save(figure, path)


def columns(rows: pd.DataFrame, detail: xr.Dataset) -> dict[str, np.ndarray]:
    """Collect what is drawn of single units.

    Parameters
    ----------
    rows : DataFrame
        Rows of one encoding, region and animal.
    detail : Dataset
        The units of that region.

    Returns
    -------
    dict of str to array of shape (n_units,)
        Unique shares by band, what is shared and what all explain, relative to what the rows say; undefined ones are
        NaN.
    """
    scale = 1.0
    if relative_to(rows) == EXPLAINABLE:
        explainable = detail["explainable"].values
        scale = np.where(explainable > 0, explainable, np.nan)
    found = {str(band): detail["unique"].sel(band=band).values / scale for band in detail["band"].values}
    return found | {SHARED: detail["shared"].values / scale, ALL: detail["total"].values / scale}


def relative_to(rows: pd.DataFrame) -> str:
    """Return what shares are drawn as shares of: what could be explained, where that is known."""
    known = rows[(rows["of"] == EXPLAINABLE) & rows["value"].notna()]
    return VARIANCE if known.empty else EXPLAINABLE


def _panel(axis, rows: pd.DataFrame, detail: xr.Dataset, region: str) -> None:
    of = relative_to(rows)
    detail = detail.isel(unit=np.flatnonzero(detail["area"].values.astype(str) == region))
    values = columns(rows, detail)
    shares = rows[rows["of"] == of].set_index(["band", "quantity"])
    low, high = _limits(shares, values)
    rng = np.random.default_rng(0)
    for x, (band, units) in enumerate(values.items()):
        colour = style.GREY if band in (SHARED, ALL) else style.COLOURS[x % len(style.COLOURS)]
        units = units[np.isfinite(units)]
        units = units[np.sort(rng.permutation(len(units))[:_POINTS])]
        axis.plot(
            x - 0.25 + 0.5 * rng.random(len(units)),
            units.clip(low, high),
            ".",
            color=colour,
            alpha=0.45,
            markersize=3.5,
            markeredgewidth=0,
            label="a unit (unique, shared, all)" if band == ALL else None,
        )
        _median(axis, shares, band, x, colour)
    _lines(axis, rows, of, len(values), high)
    axis.set_ylim(low, high)
    names = [band.replace("_", "\n") for band in detail["band"].values.astype(str)]
    axis.set_xticks(range(len(values)), [*names, "shared", "all\nbands"], fontsize=7)
    axis.set_xlim(-0.6, len(values) - 0.4)
    axis.set_ylabel(f"share of the {of}{'' if of == EXPLAINABLE else ' of single trials'}")
    if of == VARIANCE and detail.attrs["level"] == "means":
        axis.set_ylabel("share of the variance of means")
    axis.set_title(_title(rows, shares, detail, region), fontsize=7, loc="left")


def _median(axis, shares: pd.DataFrame, band: str, x: int, colour: str) -> None:
    """Medians with their intervals, and the null of the unique contribution."""
    kinds = {SHARED: ("shared",), ALL: ("r2",)}.get(band, ("unique", "product"))
    for quantity in kinds:
        if (band, quantity) not in shares.index:
            continue
        row = shares.loc[(band, quantity)]
        row = row.iloc[0] if isinstance(row, pd.DataFrame) else row
        hollow = quantity == "product"
        place = x + (0.28 if hollow else 0)
        error = np.array([[row["value"] - row["ci_low"]], [row["ci_high"] - row["value"]]])
        axis.errorbar(
            place,
            row["value"],
            yerr=np.where(np.isfinite(error), error, 0).clip(0),
            marker="D" if hollow else "o",
            color="black",
            markerfacecolor="white" if hollow else colour,
            markersize=4 if hollow else 5,
            linewidth=1,
            zorder=4,
            label="median, product measure (95 %)" if hollow else None,
        )
        if quantity != "product" and np.isfinite(row["null_high"]):
            axis.hlines(row["null_high"], x - 0.3, x + 0.3, color="black", linestyle=":", linewidth=1.2, zorder=3)


def _lines(axis, rows: pd.DataFrame, of: str, n: int, top: float) -> None:
    """Zero, the ceiling, and entries of the legend for what is drawn alike in all columns."""
    axis.axhline(0, color="black", linewidth=0.6, zorder=0)
    ceiling = 1.0
    if of == VARIANCE:
        ceiling = rows.loc[rows["quantity"] == "explainable", "value"].iloc[0]
    label = "noise ceiling" if of == EXPLAINABLE else "noise ceiling of stimuli"
    if np.isfinite(ceiling) and ceiling > top:
        axis.plot([], [], color="0.6", linewidth=2, label=f"{label}: {ceiling:.2g}, beyond the axis")
    elif np.isfinite(ceiling):
        axis.hlines(ceiling, -0.6, n - 0.4, color="0.6", linewidth=2, zorder=0.5, label=label)
    axis.plot([], [], "o", color="black", markersize=5, label="median: unique, shared or all (95 %)")
    axis.plot([], [], ":", color="black", linewidth=1.2, label="95 % of refitted shuffles")


def _limits(shares: pd.DataFrame, values: dict[str, np.ndarray]) -> tuple[float, float]:
    """A range that holds all medians with their intervals, and 98 % of the units as far as that is sensible."""
    units = np.concatenate([v[np.isfinite(v)] for v in values.values()])
    inner = shares[["value", "ci_low", "ci_high"]].to_numpy(float)
    inner = inner[np.isfinite(inner)]
    low, high = np.quantile(units, [0.01, 0.99]) if units.size else (0, 0)
    low, high = min(max(low, _LEAST), inner.min(initial=0)), max(min(high, _MOST), inner.max(initial=0))
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _title(rows: pd.DataFrame, shares: pd.DataFrame, detail: xr.Dataset, region: str) -> str:
    first = rows.iloc[0]
    undefined = int(shares["n_undefined"].max())
    without = f" ({undefined} without a share)" if undefined else ""
    shown = f"{first['n_stimuli']} stimuli, {first['n_trials']} trials"
    together = ", animals pooled" if first["animal"] == "pooled" else ""
    options = dict(pair.split("=") for pair in first["condition"].split(";"))
    held = {"both": "stimuli in blocks"}.get(options["hold_out"], options["hold_out"])
    return (
        f"{first['encoding'].replace('_', ' ')}\n{region}: {first['n_units']} units{without}{together}\n{shown}; "
        f"held out: {held}"
    )
