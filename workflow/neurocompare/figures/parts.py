"""Parts of a population: choice of their number, their strength over stimuli and how far they can be trusted."""

import numpy as np
import pandas as pd
import xarray as xr

from neurocompare.figures import style


def draw(descriptions: pd.DataFrame, details: xr.Dataset, path: str) -> None:
    """Draw a non-negative matrix factorisation.

    Parameters
    ----------
    descriptions : DataFrame
        Descriptions of a study.
    details : Dataset
        What `neurocompare.description.nmf.describe` left for drawing, of one region.
    path : str
        The figure.
    """
    rows = descriptions[descriptions["description"].str.startswith("nmf-")]
    # The first recording, region and factorisation, as in `details`.
    rows = rows.drop_duplicates("quantity").set_index("quantity")
    figure, axes = style.subplots(1, 3, width=2.7, height=2.7)
    _error(axes[0, 0], details, int(rows.loc["number of parts", "value"]))
    if "course" in details:
        _courses(axes[0, 1], details)
    else:
        _weights(figure, axes[0, 1], details)
    _trust(axes[0, 2], rows)
    style.save(figure, path)


def _weights(figure, axis, details) -> None:
    weight = details["weight"].dropna("stimulus").values
    order = np.lexsort((-weight.max(1), weight.argmax(1)))
    image = axis.imshow(weight[order] / weight.max(0), aspect="auto", cmap="cividis", interpolation="nearest")
    axis.set(xlabel="part", ylabel=f"{len(weight)} stimuli, by strongest part")
    axis.set_xticks(range(weight.shape[1]), range(1, weight.shape[1] + 1))
    figure.colorbar(image, ax=axis, label="weight (maximum = 1)")


def _courses(axis, details) -> None:
    """Time courses of the parts: the mean over stimuli and, of a few parts, the middle half of them."""
    course, time = details["course"].values, details["time"].values
    course = course / np.maximum(course.max((1, 2), keepdims=True), 1e-300)
    for k, values in enumerate(course):
        colour = style.COLOURS[k % len(style.COLOURS)]
        line = "-" if k < len(style.COLOURS) else "--"
        axis.plot(time, values.mean(0), color=colour, linestyle=line, label=f"part {k + 1}")
        if len(course) <= 4:
            low, high = np.quantile(values, [0.25, 0.75], axis=0)
            axis.fill_between(time, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.set(xlabel="time (s)", ylabel=f"weight (maximum = 1), mean of {course.shape[1]} stimuli")
    axis.set_ylim(0, 1.4 * axis.get_ylim()[1])
    axis.legend(fontsize=6, ncols=2)


def _error(axis, details, chosen) -> None:
    rank, error = details["rank"].values, details["error"].values
    axis.errorbar(rank, error, yerr=details["standard_error"].values, color=style.COLOURS[1], marker="o", capsize=2)
    axis.axvline(chosen, color=style.COLOURS[0], linestyle="--", label=f"within one standard error: {chosen}")
    axis.set(xlabel="number of parts", ylabel="error of held-out blocks (fraction of power)")
    axis.legend(frameon=True, edgecolor="none")


def _trust(axis, rows) -> None:
    names = {
        "stability over starts": "over\nstarts",
        "reproducibility of parts": "over halves\nof trials",
        "cophenetic correlation of the consensus": "consensus\nof starts",
    }
    names = {name: label for name, label in names.items() if name in rows.index}
    found = rows.loc[list(names)]
    place = np.arange(len(names))
    axis.bar(place, found["value"], color=[style.COLOURS[k] for k in (4, 1, 3)][: len(names)], width=0.6)
    low, high = found["value"] - found["ci_low"], found["ci_high"] - found["value"]
    axis.errorbar(place, found["value"], yerr=[low, high], color="black", linestyle="none", capsize=3)
    if np.isfinite(found["null_high"].iloc[1]):
        height = [found["null_high"].iloc[1]] * 2
        axis.plot([0.7, 1.3], height, color=style.GREY, linestyle=":", label="95 % of the null")
        axis.legend(loc="lower center", frameon=True, edgecolor="none")
    for x, value in zip(place, found["value"], strict=True):
        if not np.isfinite(value):
            axis.text(x, 0.03, "none", ha="center", fontsize=7, color=style.GREY)
    axis.set_xticks(place, names.values())
    axis.set(ylabel="matched cosine of parts\n(consensus: correlation)", ylim=(0, 1.02))
    axis.set_title(f"{found['n_units'].iloc[0]} units, {found['n_trials'].iloc[0]} trials", fontsize=8)
