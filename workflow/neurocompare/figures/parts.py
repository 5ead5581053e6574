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
    weight = details["weight"].dropna("stimulus").values
    order = np.lexsort((-weight.max(1), weight.argmax(1)))
    image = axes[0, 1].imshow(weight[order] / weight.max(0), aspect="auto", cmap="cividis", interpolation="nearest")
    axes[0, 1].set(xlabel="part", ylabel=f"{len(weight)} stimuli, by strongest part")
    axes[0, 1].set_xticks(range(weight.shape[1]), range(1, weight.shape[1] + 1))
    figure.colorbar(image, ax=axes[0, 1], label="weight (maximum = 1)")
    _trust(axes[0, 2], rows)
    style.save(figure, path)


def _error(axis, details, chosen) -> None:
    rank, error = details["rank"].values, details["error"].values
    axis.errorbar(rank, error, yerr=details["standard_error"].values, color=style.COLOURS[1], marker="o", capsize=2)
    axis.axvline(chosen, color=style.COLOURS[0], linestyle="--", label=f"within one standard error: {chosen}")
    axis.set(xlabel="number of parts", ylabel="error of held-out blocks (fraction of power)")
    axis.legend(frameon=True, edgecolor="none")


def _trust(axis, rows) -> None:
    names = ["stability over starts", "reproducibility of parts"]
    found = rows.loc[names]
    axis.bar(range(2), found["value"], color=[style.COLOURS[4], style.COLOURS[1]], width=0.6)
    low, high = found["value"] - found["ci_low"], found["ci_high"] - found["value"]
    axis.errorbar(range(2), found["value"], yerr=[low, high], color="black", linestyle="none", capsize=3)
    axis.plot([0.7, 1.3], [found["null_high"].iloc[1]] * 2, color=style.GREY, linestyle=":", label="95 % of the null")
    axis.set_xticks(range(2), ["over starts", "over halves\nof trials"])
    axis.set(ylabel="matched cosine of parts", ylim=(0, 1.02))
    axis.set_title(f"{found['n_units'].iloc[0]} units, {found['n_trials'].iloc[0]} trials", fontsize=8)
    axis.legend(loc="lower center", frameon=True, edgecolor="none")
