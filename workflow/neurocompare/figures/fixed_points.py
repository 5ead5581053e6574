"""Fixed and slow points of networks among their trajectories, and the eigenvalues of the dynamics there."""

import matplotlib.lines
import numpy as np
import xarray as xr

from neurocompare.figures import style

_SLOW = "#BBBBBB"


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw points, one network in each column.

    Parameters
    ----------
    details : list of tuples (name, Dataset)
        Names of networks, and what `neurocompare.network_description.fixed.describe_network` left for drawing. Rows:
        points on the first and second, and first and third principal component of the states; eigenvalues of the
        Jacobians of fixed points with the unit circle.
    path : str
        The figure.
    """
    figure, axes = style.subplots(3, len(details), width=2.9, height=2.6)
    unstable = sorted({int(n) for _, detail in details for n in _fixed(detail)["unstable"].values})
    for column, (name, detail) in enumerate(details):
        for axis, second in zip(axes[:2, column], (1, 2), strict=True):
            _points(axis, detail, min(second, detail.sizes["component"] - 1), unstable)
        _eigenvalues(axes[2, column], detail, unstable)
        inputs = len(np.unique(detail["input"].values.astype(str)))
        told = f"{int(detail['is_fixed'].sum())} fixed points" + (f" under {inputs} inputs" if inputs > 1 else "")
        axes[0, column].set_title(f"{name}\n{told}", fontsize=8)
    _legend(figure, unstable, any((~detail["is_fixed"]).any() for _, detail in details))
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


def _legend(figure, unstable: list[int], slow: bool) -> None:
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
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
