"""Decoding accuracy, session by session."""

import numpy as np
import pandas as pd

from neurocompare.figures import style
from neurocompare.tables import conditions


def draw(descriptions: pd.DataFrame, path: str) -> None:
    """Draw the accuracy of decoding for each session, by both ways of making folds.

    Parameters
    ----------
    descriptions : DataFrame
        Descriptions of a study whose recordings are sessions.
    path : str
        The figure.
    """
    # Accuracies of classification-… have a figure of their own.
    other = descriptions["description"].str.startswith("classification-")
    rows = conditions(descriptions[(descriptions["quantity"] == "accuracy") & ~other])
    sessions = list(dict.fromkeys(rows["recording"]))
    figure, axes = style.subplots(1, 1, width=6.5, height=2.8)
    axis = axes[0, 0]
    folds = list(dict.fromkeys(rows["folds"]))
    for k, fold in enumerate(folds):
        mine = rows[rows["folds"] == fold].set_index("recording").reindex(sessions)
        x = np.arange(len(sessions)) + (k - (len(folds) - 1) / 2) * 0.28
        spread = [mine["value"] - mine["ci_low"], mine["ci_high"] - mine["value"]]
        axis.errorbar(
            x,
            mine["value"],
            yerr=spread,
            linestyle="none",
            marker=style.MARKERS[k],
            color=style.COLOURS[k],
            label=f"{fold} folds",
        )
        label = "95 % of shuffled labels" if k == 0 else None
        axis.hlines(mine["null_high"], x - 0.13, x + 0.13, color=style.GREY, linestyle="--", linewidth=1, label=label)
    first = rows.drop_duplicates("recording").set_index("recording").loc[sessions]
    labels = [f"{name.rsplit('=', 1)[-1]}\n{units}" for name, units in zip(sessions, first["n_units"], strict=True)]
    axis.set_xticks(range(len(sessions)), labels, fontsize=6.5)
    axis.set(xlabel="session, and its number of units", ylabel="fraction of orientations decoded", ylim=(0, 1))
    axis.legend(loc="upper left", ncols=3, bbox_to_anchor=(0, 1.14))
    style.save(figure, path)
