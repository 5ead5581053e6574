"""Choice probabilities of single units: how they are distributed, and how they unfold in time."""

import numpy as np
import xarray as xr

from neurocompare.figures import style
from neurocompare.identifiers import parse

LEVEL = 0.05
_EDGES = np.linspace(0, 1, 26)


def draw(details: list[tuple[str, xr.Dataset]], path: str) -> None:
    """Draw choice probabilities, a row of panels for each description.

    Parameters
    ----------
    details : list of tuple of str and Dataset
        Names of descriptions, and what `neurocompare.description.choice.describe` left for drawing; recordings of one
        description are shown together.
    path : str
        The figure.
    """
    names = list(dict.fromkeys(name for name, _ in details))
    timed = any("time" in detail for _, detail in details)
    figure, axes = style.subplots(len(names), 1 + timed, width=3.2, height=2.5)
    for row, name in zip(axes, names, strict=True):
        mine = [detail for other, detail in details if other == name]
        _distribution(row[0], name, mine)
        if timed:
            _over_time(row[1], mine)
    style.save(figure, path)


def _values(details, name) -> np.ndarray:
    """One number for each unit of all recordings and regions."""
    values = np.concatenate([detail[name].values.ravel() for detail in details])
    kept = np.isfinite(np.concatenate([detail["choice_probability"].values.ravel() for detail in details]))
    return values[kept]


def _distribution(axis, name, details):
    area, q_value = (_values(details, v) for v in ("choice_probability", "q_value"))
    significant = q_value < LEVEL
    axis.hist(
        [area[significant], area[~significant]],
        _EDGES,
        stacked=True,
        color=[style.COLOURS[1], "#C8C8C8"],
        label=[f"significant ({significant.sum()})", f"others ({(~significant).sum()})"],
    )
    axis.axvline(0.5, color=style.GREY, linestyle=":", linewidth=0.8)
    axis.plot(
        area.mean(), axis.get_ylim()[1], "v", color=style.COLOURS[0], clip_on=False, label=f"mean {area.mean():.3f}"
    )
    axis.set_xlabel("choice probability")
    axis.set_ylabel("units")
    axis.yaxis.get_major_locator().set_params(integer=True)
    options = parse(name)[1]
    within = ", ".join(options.get("given", "").replace("_", " ").split("+"))
    title = options["of"].replace("_", " ") + (f" within {within}" if within else "")
    axis.set_title(f"{title}\n{len(area)} units", fontsize=8)
    axis.legend()


def _over_time(axis, details):
    """The distance from chance, in the direction of each unit's own preference and without one."""
    timed = [detail for detail in details if "time" in detail]
    if not timed:
        axis.set_axis_off()
        return
    time = timed[0]["time"].values
    courses = np.hstack(
        [np.moveaxis(d["choice_probability_over_time"].values, -2, 0).reshape(len(time), -1) for d in timed]
    )
    courses = courses[:, np.isfinite(courses).all(0)]
    axis.plot(time, courses, color=style.COLOURS[4], linewidth=0.5, alpha=0.6)
    axis.plot(time, courses.mean(1), color=style.COLOURS[1], linewidth=2, label="mean over units")
    axis.axhline(0.5, color=style.GREY, linestyle=":", linewidth=0.8)
    axis.set_xlabel("time (s)")
    axis.set_ylabel("choice probability")
    axis.set_title(f"{courses.shape[1]} units, bin by bin", fontsize=8)
    axis.legend()
