"""What limits the decoding of an angle: errors against neurons and trials, thresholds, decisions, decoders."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.ticker import NullLocator

from neurocompare.errors import UserError
from neurocompare.figures import style
from neurocompare.tables import conditions

MEDIAN = 0.6745
"""Median absolute value of a Gaussian variable of standard deviation one."""

MANY = len(style.COLOURS)


def draw(
    descriptions: pd.DataFrame,
    limits: list[tuple[str, xr.Dataset]],
    thresholds: list[tuple[str, xr.Dataset]],
    planted: dict[str, float],
    path: str,
) -> None:
    """Draw the decoding of an angle in all recordings of a study, of each its first region.

    Parameters
    ----------
    descriptions : DataFrame
        Descriptions of the study, with those of decoding.
    limits, thresholds : list of tuple of str and Dataset
        Names of recordings, and what `neurocompare.description.limits.describe` and ``thresholds.describe`` left for
        drawing; empty where there was nothing to tell.
    planted : dict of str to float
        The standard deviation in degrees of the noise that limits the information, of simulated recordings.
    path : str
        The figure.

    Raises
    ------
    UserError
        If no recording has a limit, a threshold or a decoded angle.
    """
    limits = [(name, part.isel(region=0)) for name, part in limits if "region" in part.dims][:MANY]
    thresholds = [(name, part.isel(region=0)) for name, part in thresholds if "region" in part.dims]
    errors = conditions(descriptions[descriptions["quantity"].str.startswith("mean absolute error")])
    if errors.empty and not limits and not thresholds:
        raise UserError("the figure 'limits' has nothing to draw: no recording has a limit, a threshold or an error")
    figure, axes = style.subplots(2, 3, width=2.65, height=2.6)
    for letter, axis in zip("abcdef", axes.flat, strict=True):
        axis.set_title(letter, loc="left", fontweight="bold")
    _curves(axes[0, 0], limits, planted, "neurons", "trials")
    _curves(axes[0, 1], limits, planted, "trials", "neurons")
    _limits(axes[0, 2], limits, planted)
    _psychometric(axes[1, 0], thresholds)
    # One colour for all sessions of a recording, in both panels.
    families = dict.fromkeys(_family(recording) for recording in descriptions["recording"])
    colours = {family: style.COLOURS[k % MANY] for k, family in enumerate(families)}
    decisions = descriptions[descriptions["quantity"].str.startswith("accuracy above 45")]
    _decisions(axes[1, 1], conditions(decisions), colours)
    _decoders(axes[1, 2], errors, colours)
    style.save(figure, path)


def _name(recording: str, planted: dict[str, float]) -> str:
    if recording in planted:
        return f"planted {planted[recording]:g}°"
    return recording.rpartition("=")[2].replace("_", " ")


def _curves(axis, limits, planted, varied, fixed) -> None:
    for k, (name, detail) in enumerate(limits):
        colour = style.COLOURS[k]
        numbers = detail[varied].values
        for split in detail["split"].values:
            error = detail["error"].sel({"split": split, fixed: detail[fixed].max()})
            first = split == "interleaved"
            face = {} if first else {"markerfacecolor": "white"}
            label = _name(name, planted) if first else None
            axis.plot(numbers, error, color=colour, marker=style.MARKERS[k], linestyle="none", label=label, **face)
        alpha, beta = detail["asymptote"].sel(split=detail["split"][0], varied=varied).values
        fine = np.geomspace(numbers.min(), numbers.max(), 60)
        axis.plot(fine, alpha + beta / np.sqrt(fine), color=colour, linewidth=1)
        if planted.get(name):
            axis.axhline(MEDIAN * planted[name], color=colour, linestyle=":", linewidth=1)
    if limits:
        most = int(limits[0][1][fixed].max())
        chance = float(limits[0][1].attrs["period"]) / 4
        axis.text(0.98, 0.97, f"{most:,} {fixed}, chance {chance:g}°", transform=axis.transAxes, ha="right", va="top")
        sizes = sorted({int(number) for _, detail in limits for number in detail[varied].values})
        axis.set(xscale="log", yscale="log")
        axis.set_xticks(sizes[-5:], [f"{size:,}" for size in sizes[-5:]])
        axis.xaxis.set_minor_locator(NullLocator())
        ticks = [0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 45]
        axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.yaxis.set_minor_locator(NullLocator())
        # The same for neurons and trials, with room for what is written.
        found = np.concatenate([detail["error"].values.ravel() for _, detail in limits])
        lines = [MEDIAN * planted[name] for name, _ in limits if planted.get(name)]
        axis.set_ylim(0.45 * min([np.nanmin(found), *lines]), 1.35 * max(d["error"][:, :, 0].max() for _, d in limits))
        if planted:
            axis.plot([], [], color="black", linestyle=":", linewidth=1, label="error at planted limit")
        axis.plot([], [], color="black", linewidth=1, label=r"fit $\alpha + \beta/\sqrt{n}$")
        if varied == "neurons":
            axis.legend(loc="lower left", handlelength=1.2, ncols=2, columnspacing=0.8, borderaxespad=0.1)
    else:
        _nothing(axis, "no recording has enough\nneurons and trials")
    axis.set(xlabel=f"number of {varied}", ylabel="median absolute error (degrees)")


def _limits(axis, limits, planted) -> None:
    """Limits with intervals beside each other; what was planted is a line."""
    for k, (name, detail) in enumerate(limits):
        for j, split in enumerate(detail["split"].values):
            value, low, high = detail["limit"].sel(split=split).values
            if np.isfinite(value):
                axis.errorbar(
                    k + 0.2 * j - 0.1,
                    value,
                    yerr=[[max(value - low, 0)], [max(high - value, 0)]],
                    color=style.COLOURS[k],
                    marker=style.MARKERS[k],
                    markerfacecolor=style.COLOURS[k] if split == "interleaved" else "white",
                    capsize=2,
                    linewidth=1,
                )
        if not np.isfinite(detail["limit"].values).any():
            axis.text(k, 0, "too\nnoisy", ha="center", va="bottom", color=style.GREY)
        whole = detail["error"].sel(split=detail["split"][0]).values[0, 0] / MEDIAN
        axis.plot([k - 0.3, k + 0.3], [whole, whole], color=style.GREY, linewidth=1)
        if name in planted:
            axis.plot([k - 0.3, k + 0.3], [planted[name]] * 2, color="black", linestyle=":", linewidth=1.4)
    if limits:
        axis.plot([], [], color=style.GREY, linewidth=1, label="all neurons and trials")
        axis.plot([], [], "ko", label="extrapolated, 95 % interval")
        axis.plot([], [], "ko", markerfacecolor="white", label="the same, chronological folds")
        if planted:
            axis.plot([], [], "k:", linewidth=1.4, label="planted")
        axis.set_xticks(range(len(limits)), [_name(name, planted).replace("planted ", "") for name, _ in limits])
        axis.set_xlabel("planted limit" if planted else "recording")
        top = max(detail["error"].values[..., 0, 0].max() for _, detail in limits) / MEDIAN
        axis.set_ylim(-0.03 * top, 1.75 * top)
        axis.legend(loc="upper left")
    else:
        _nothing(axis, "no recording has enough\nneurons and trials")
    axis.set_ylabel("standard deviation of the error (degrees)")


def _psychometric(axis, thresholds) -> None:
    for k, (_, detail) in enumerate(thresholds[:3]):
        detail = detail.sel(split="interleaved") if "interleaved" in detail["split"] else detail.isel(split=0)
        value = float(detail["threshold"].sel(bound="value").isel(neurons=0))
        if not np.isfinite(value):
            continue
        colour = style.COLOURS[k]
        axis.plot(detail["distance"], detail["right"], color=colour, marker=style.MARKERS[k], markersize=2, ls="none")
        low, high = (float(detail["threshold"].sel(bound=bound).isel(neurons=0)) for bound in ("low", "high"))
        axis.plot(detail["fine"], detail["curve"], color=colour, label=f"{value:.2f}° ({low:.2f}–{high:.2f})")
        axis.plot([value, value], [0.5, 0.75], color=colour, linestyle="--", linewidth=0.8)
    if axis.lines:
        axis.axhline(0.75, color=style.GREY, linestyle=":", linewidth=0.8)
        axis.axhline(0.5, color=style.GREY, linewidth=0.6)
        n = thresholds[0][1].attrs.get("n_trials", 0)
        axis.legend(loc="lower right", title=f"threshold (95 %)\n{n:,} trials" if n else "threshold", title_fontsize=7)
        reach = min(8.0, float(thresholds[0][1]["distance"].max()))
        axis.set(xlim=(-reach, reach), ylim=(-0.02, 1.02))
    else:
        _nothing(axis, "no recording has\ncontinuous angles")
    axis.set(xlabel="distance from the reference (degrees)", ylabel='fraction of choices "right"')


def _family(recording: str) -> str:
    """What the sessions of one recording have in common."""
    return recording.partition("-session=")[0]


def _decisions(axis, rows: pd.DataFrame, colours: dict[str, str]) -> None:
    rows = rows[rows["value"].notna()]
    families = rows["recording"].map(_family)
    for k, family in enumerate(dict.fromkeys(families)):
        table = (
            rows[families == family]
            .astype({"averaged": int})
            .drop_duplicates(["recording", "region", "averaged"])
            .pivot_table(index="averaged", columns=["recording", "region"], values="value")
        )
        axis.plot(table.index, table, color=colours[family], linewidth=0.5, alpha=0.6)
        label = f"{family.replace('_', ' ')} ({table.shape[1]})"
        whole = table.dropna(axis=1)
        if whole.shape[1]:
            marker = style.MARKERS[k % MANY]
            axis.plot(table.index, whole.median(axis=1), color=colours[family], marker=marker, label=label)
    if rows.empty:
        _nothing(axis, "no recording has two\norientations on each side")
    else:
        counts = sorted(rows["averaged"].astype(int).unique())
        axis.set_xscale("log", base=2)
        axis.set_xticks(counts, counts)
        axis.axhline(0.5, color="black", linewidth=0.6, label="chance")
        axis.legend(loc="lower right", title="median (recordings)", title_fontsize=7, bbox_to_anchor=(1, 0.18))
    axis.set(xlabel="trials averaged", ylabel="accuracy, orientation above 45°?", ylim=(0.4, 1.02))


def _decoders(axis, errors: pd.DataFrame, colours: dict[str, str]) -> None:
    """Errors of other decoders against those of the linear one, with all neurons and trials."""
    errors = errors[errors["value"].notna()] if not errors.empty else errors
    if errors.empty:
        _nothing(axis, "nothing was decoded")
        return
    errors = errors[(errors["split"] == "interleaved") & errors["description"].str.startswith("decoding-")].copy()
    errors["decoder"] = errors["description"].str.extract("decoder=(.*)$", expand=False)
    errors["target"] = errors["description"].str.extract("target=([a-z]+)-", expand=False)
    table = errors.pivot_table(index=["recording", "region", "target"], columns="decoder", values="value", sort=False)
    others = [name for name in ("independent", "population-vector") if name in table and "von-mises" in table]
    families = np.array([_family(recording) for recording, *_ in table.index])
    for family in dict.fromkeys(families):
        for j, other in enumerate(others):
            mine = table[families == family].clip(lower=0.1)
            face = colours[family] if j == 0 else "white"
            marker = style.MARKERS[j]
            axis.plot(mine["von-mises"], mine[other], marker, color=colours[family], markerfacecolor=face)
        label = f"{family.replace('_', ' ')} ({(families == family).sum()})"
        axis.plot([], [], "o", color=colours[family], label=label)
    for j, other in enumerate(others):
        face = "black" if j == 0 else "white"
        axis.plot([], [], style.MARKERS[j], color="black", markerfacecolor=face, label=other.replace("-", " "))
    if not others:
        _nothing(axis, "one decoder only")
        return
    edges = (0.09, 60)
    axis.plot(edges, edges, color=style.GREY, linewidth=0.8)
    axis.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    ticks = ([0.1, 1, 10], ["≤ 0.1", "1", "10"])
    axis.set_xticks(*ticks)
    axis.set_yticks(*ticks)
    axis.legend(loc="lower right", fontsize=5.5, handletextpad=0.2, borderaxespad=0.0)
    axis.set(xlabel="mean error, linear decoder (degrees)", ylabel="mean error, other decoder (degrees)")


def _nothing(axis, why: str) -> None:
    axis.text(0.5, 0.5, why, transform=axis.transAxes, ha="center", va="center", color=style.GREY)
