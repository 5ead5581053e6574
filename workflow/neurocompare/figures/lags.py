"""Scores of networks and a recording at every pair of times."""

import textwrap

import numpy as np
import pandas as pd

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.figures import style

LEVEL = 0.05
MOST_ROWS = 12
"""Combinations of recording, region and measure that are drawn."""

_FINE = 10
"""Parts of a square, so that outlines run along its edges."""


def draw(table: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw one matrix for each recording, region and measure (rows), and network (columns).

    Parameters
    ----------
    table : DataFrame
        With the columns ``tables.LAGS``.
    titles : dict of str to str
        Titles of the networks, in their order.
    path : str
        The figure.

    Raises
    ------
    UserError
        If nothing has a score.
    """
    table = table[np.isfinite(table["value"])]
    rows = list(table.groupby(["recording", "region", "measure"], sort=False))[:MOST_ROWS]
    if not rows:
        raise UserError("the figure 'lags': no network has a score at any pair of times; see lags.tsv for why")
    figure, axes = style.subplots(len(rows), len(titles), width=3.1, height=2.9)
    for (names, part), line in zip(rows, axes, strict=True):
        found = {network: matrix(part[part["network"] == network], names[2]) for network in titles}
        reach = max((np.nanmax(np.abs(one["relative"].values)) for one in found.values() if one is not None), default=1)
        for axis, (network, title) in zip(line, titles.items(), strict=True):
            if found[network] is None:
                axis.set_visible(False)
                continue
            shown = _panel(axis, found[network], reach or 1)
            layer = found[network].attrs["layer"]
            what = textwrap.fill(style.measure_label(names[2]), 44)
            axis.set_title(f"{title}, {layer}\n{names[0]}, {names[1]}\n{what}", fontsize=6)
        figure.colorbar(shown, ax=line.tolist(), shrink=0.7, label="score above shuffles")
    style.save(figure, path)


def matrix(part: pd.DataFrame, measure: str):
    """Gather the scores of one network into matrices.

    Parameters
    ----------
    part : DataFrame
        Rows of one recording, region, measure and network.
    measure : str
        The measure; distances are turned.

    Returns
    -------
    Dataset or None
        ``relative``, the mean over seeds of the score less that of the shuffles, and ``share``, that of the seeds in
        which it is above them at all times together, with dims ``time`` and ``network_time``, of the ``layer`` that is
        best at equal times; None if there are no rows.
    """
    if part.empty:
        return None
    sign = 1 if similarity.load(measure).info["direction"] == "higher" else -1
    part = part.assign(
        relative=sign * (part["value"] - part["null_mean"]), share=(part["p_all_times"] <= LEVEL).astype(float)
    )
    layer = part[np.abs(part["lag"]) < 1e-9].groupby("layer", sort=False)["relative"].mean().idxmax()
    means = part[part["layer"] == layer].groupby(["time", "network_time"])[["relative", "share"]].mean()
    return means.to_xarray().assign_attrs(layer=layer)


def _panel(axis, found, reach: float):
    time, other = found["time"].values, found["network_time"].values
    extent = (*_edges(other), *_edges(time))
    shown = axis.imshow(
        found["relative"].transpose("time", "network_time").values,
        origin="lower",
        extent=extent,
        aspect="auto",
        cmap="RdBu_r",
        vmin=-reach,
        vmax=reach,
        interpolation="nearest",
    )
    above = found["share"].transpose("time", "network_time").values > 0.5
    if above.any():
        inside = np.pad(np.kron(above, np.ones((_FINE, _FINE))), 1)
        places = [
            edge[0] + (edge[1] - edge[0]) / (_FINE * count) * (np.arange(_FINE * count + 2) - 0.5)
            for edge, count in ((extent[:2], len(other)), (extent[2:], len(time)))
        ]
        axis.contour(*places, inside, levels=[0.5], colors="black", linewidths=0.8)
    # Corresponding times: equal ranks, as both have the same bins.
    axis.plot(other, time, color=style.GREY, linestyle="--", linewidth=0.8)
    axis.set(xlabel="time of the network (s)", ylabel="time of the recording (s)")
    return shown


def _edges(centres: np.ndarray) -> tuple[float, float]:
    half = np.diff(centres).mean() / 2
    return float(centres[0] - half), float(centres[-1] + half)
