"""Fixed and slow points of networks among their trajectories, and the eigenvalues of the dynamics there."""

import matplotlib.colors
import matplotlib.lines
import matplotlib.ticker
import numpy as np
import xarray as xr

from neurocompare.figures import style

_SLOW = "#BBBBBB"
_PATH = "#E69F00"


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw points, one network in each column.

    Parameters
    ----------
    details : list of tuples (name, Dataset)
        Names of networks, and what `neurocompare.network_description.fixed.describe_network` left for drawing. Rows:
        points on the first and second, and first and third principal component of the states; eigenvalues of the
        Jacobians of fixed points with the unit circle; flow in the plane of choice (or PC 1) for up to four inputs.
    path : str
        The figure.
    """
    flows = max(detail.sizes.get("flow", 0) for _, detail in details)
    figure, axes = style.subplots(3 + flows, len(details), width=2.9, height=2.6)
    unstable = sorted({int(n) for _, detail in details for n in _fixed(detail)["unstable"].values})
    for column, (name, detail) in enumerate(details):
        for axis, second in zip(axes[:2, column], (1, 2), strict=True):
            _points(axis, detail, min(second, detail.sizes["component"] - 1), unstable)
        _eigenvalues(axes[2, column], detail, unstable)
        for row, axis in enumerate(axes[3:, column]):
            if row < detail.sizes.get("flow", 0):
                speed = detail["flow_speed"].values
                # Even a grid point that hardly moves has a colour.
                fastest = max(speed.max(), 1e-9)
                speeds = (max(np.quantile(speed, 0.01), 1e-6 * fastest), fastest)
                _flow(axis, detail.isel(flow=row), unstable, speeds)
            else:
                axis.set_visible(False)
        if detail.sizes.get("flow", 0):
            used = axes[3 : 3 + detail.sizes["flow"], column]
            bar = figure.colorbar(used[0].images[0], ax=used.tolist(), shrink=0.6, label="speed (1/s)")
            ticks = [one * 10.0**power for power in range(-6, 7) for one in (1, 2, 5)]
            bar.set_ticks([tick for tick in ticks if speeds[0] <= tick <= speeds[1]], minor=False)
            bar.formatter = matplotlib.ticker.FormatStrFormatter("%g")
            bar.ax.minorticks_off()
        inputs = len(np.unique(detail["input"].values.astype(str)))
        told = f"{int(detail['is_fixed'].sum())} fixed points" + (f" under {inputs} inputs" if inputs > 1 else "")
        axes[0, column].set_title(f"{name}\n{told}", fontsize=8)
    # Trajectories of the first input; those that lack are NaN.
    drawn = [detail["flow_trajectory"].values[0] for _, detail in details if "flow_trajectory" in detail]
    shown = max((int(np.isfinite(paths).any((1, 2)).sum()) for paths in drawn), default=0)
    _legend(figure, unstable, any((~detail["is_fixed"]).any() for _, detail in details), shown)
    style.save(figure, path)


def _fixed(detail: xr.Dataset) -> xr.Dataset:
    return detail.isel(point=np.flatnonzero(detail["is_fixed"].values))


def _look(number: int, unstable: list[int]) -> dict:
    """Colour and marker for a number of unstable dimensions; stable points are filled."""
    k = unstable.index(number)
    colour = style.COLOURS[k % len(style.COLOURS)]
    fill = colour if number == 0 else "white"
    return {"marker": style.MARKERS[k % len(style.MARKERS)], "color": colour, "markerfacecolor": fill, "linestyle": ""}


def _points(axis, detail, second: int, unstable: list[int]) -> None:
    for course in detail["trajectory"].values:
        axis.plot(course[:, 0], course[:, second], color="#CCCCCC", linewidth=0.5, zorder=0)
    position = detail["position"].values
    slow = ~detail["is_fixed"].values
    axis.plot(position[slow, 0], position[slow, second], ".", color=_SLOW, markersize=3, markeredgecolor=style.GREY)
    for number in unstable:
        own = ~slow & (detail["unstable"].values == number)
        axis.plot(position[own, 0], position[own, second], markersize=5, **_look(number, unstable))
    share = 100 * detail["variance"].values
    axis.set(xlabel=f"PC 1, {share[0]:.0f} % of variance", ylabel=f"PC {second + 1}, {share[second]:.0f} %")


def _eigenvalues(axis, detail, unstable: list[int]) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    axis.plot(np.cos(angle), np.sin(angle), color=style.GREY, linewidth=0.8)
    fixed = _fixed(detail)
    for number in unstable:
        own = fixed["unstable"].values == number
        real, imaginary = (fixed[f"eigenvalue_{part}"].values[own].ravel() for part in ("real", "imaginary"))
        axis.plot(real, imaginary, markersize=2.5, **_look(number, unstable))
    axis.set(xlabel="eigenvalue, real part", ylabel="imaginary part")
    axis.set_aspect("equal", adjustable="datalim")


def _flow(axis, detail, unstable: list[int], speeds: tuple[float, float]) -> None:
    """Draw the flow under one input, with its points and some trajectories, in their plane."""
    x, y = detail["flow_x"].values, detail["flow_y"].values
    half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    axis.imshow(
        np.maximum(detail["flow_speed"].values, speeds[0]),
        origin="lower",
        extent=(x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1]),
        aspect="auto",
        cmap="Blues",
        norm=matplotlib.colors.LogNorm(*speeds),
        interpolation="nearest",
        zorder=-1,
    )
    velocity = detail["flow_velocity"].values
    axis.streamplot(
        x, y, velocity[..., 0], velocity[..., 1], color="#444444", density=0.7, linewidth=0.5, arrowsize=0.5
    )
    paths = detail["flow_trajectory"].values
    paths = paths[np.isfinite(paths).any((1, 2))]
    for path in paths:
        axis.plot(*path.T, color=_PATH, linewidth=0.4, zorder=2)
    point, slow = detail["flow_point"].values, ~detail["is_fixed"].values
    own = detail["input"].values.astype(str) == str(detail["flow_input"].values)
    axis.plot(
        *point[own & slow].T, ".", color="white", markersize=6, markeredgecolor="black", markeredgewidth=0.6, zorder=3
    )
    for number in unstable:
        chosen = own & ~slow & (detail["unstable"].values == number)
        axis.plot(*point[chosen].T, markersize=6, zorder=4, **_look(number, unstable))
    axis.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    first = str(detail["flow_axis"].values)
    axis.set(xlabel=first, ylabel="PC 2" if first == "PC 1" else "first PC orthogonal to it")
    axis.set_title(
        f"flow: {detail['flow_input'].values}, {100 * float(detail['flow_inside']):.0f} % in the plane", fontsize=7
    )


def _legend(figure, unstable: list[int], slow: bool, shown: int) -> None:
    line = matplotlib.lines.Line2D
    handles = [
        line(
            [], [], **_look(n, unstable), label="stable" if n == 0 else f"{n} unstable dimension{'s' if n > 1 else ''}"
        )
        for n in unstable
    ]
    if slow:
        handles.append(line([], [], marker=".", color=_SLOW, linestyle="", label="slow point"))
    handles.append(line([], [], color="#CCCCCC", label="trajectory"))
    if shown:
        handles.append(
            line([], [], marker=".", color="white", markeredgecolor="black", linestyle="", label="… in flow")
        )
        handles.append(line([], [], color=_PATH, label=f"{shown} trajectories in flow, with noise and evidence"))
    style.legend(figure, handles, [handle.get_label() for handle in handles], columns=3)
