"""Choice probabilities of single units: how they are distributed, and how they unfold in time."""

import numpy as np
import xarray as xr

from neurocompare.figures import style
from neurocompare.identifiers import parse
from neurocompare.inference.corrections import benjamini_hochberg

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
    area, p_value = (_values(details, v) for v in ("choice_probability", "p_value"))
    # Over all units that are shown: those of one recording may be few, or a single one.
    significant = benjamini_hochberg(p_value) < LEVEL
    tested = np.isfinite(p_value).any()
    axis.hist(
        [area[significant], area[~significant]],
        _EDGES,
        stacked=True,
        color=[style.COLOURS[1], "#C8C8C8"],
        label=[
            f"significant ({significant.sum()})" if tested else None,
            f"others ({(~significant).sum()})" if tested else "without a test",
        ],
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
    """The course of each unit, and their mean."""
    timed = [detail for detail in details if "time" in detail]
    if not timed:
        axis.set_axis_off()
        return
    courses = []
    for detail in timed:
        over_time = np.moveaxis(detail["choice_probability_over_time"].values, -2, 0)
        over_time = over_time.reshape(detail.sizes["time"], -1)
        courses.append(over_time[:, np.isfinite(over_time).all(0)])
        axis.plot(detail["time"].values, courses[-1], color=style.COLOURS[4], linewidth=0.5, alpha=0.6)
    # Recordings with other windows or bins have no mean in common.
    if all(np.array_equal(detail["time"].values, timed[0]["time"].values) for detail in timed):
        mean = np.hstack(courses).mean(1)
        axis.plot(timed[0]["time"].values, mean, color=style.COLOURS[1], linewidth=2, label="mean over units")
        axis.legend()
    axis.axhline(0.5, color=style.GREY, linestyle=":", linewidth=0.8)
    axis.set_xlabel("time (s)")
    axis.set_ylabel("choice probability")
    axis.set_title(f"{sum(course.shape[1] for course in courses)} units, bin by bin", fontsize=8)
