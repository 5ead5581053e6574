"""Accuracy of classifiers, by recording and label."""

import numpy as np
import pandas as pd

from neurocompare.errors import UserError
from neurocompare.figures import style
from neurocompare.tables import conditions

_POOLED = " of pooled units"
_NOISE = {"shuffled-train": ", correlations ignored", "shuffled": ", without correlations"}


def draw(descriptions: pd.DataFrame, path: str) -> None:
    """Draw accuracies with their intervals, chance and the null.

    Parameters
    ----------
    descriptions : DataFrame
        Descriptions of a study, with ids ``classification-…``.
    path : str
        The figure.

    Raises
    ------
    UserError
        If there are none.
    """
    rows = descriptions[descriptions["description"].str.startswith("classification-")]
    rows = rows[rows["quantity"].str.removesuffix(_POOLED).isin(["accuracy", "balanced accuracy"])]
    rows = conditions(rows).fillna({"chance": "nan"})
    if rows.empty:
        raise UserError("the figure 'classification' needs a description classification-…; select one, or leave it out")
    rows["method"] = (
        rows["classifier"].replace({"lda": "LDA", "svm": "SVM"})
        + ", "
        + rows["folds"].map(lambda f: f"{f} folds" if f != "leave-one-out" else f)
    )
    if "noise" in rows:
        rows["method"] += rows["noise"].map(_NOISE).fillna("")
    rows["place"] = list(zip(rows["recording"], rows["region"], rows["label"], strict=True))
    places, methods = list(dict.fromkeys(rows["place"])), list(dict.fromkeys(rows["method"]))
    # Long names need room in the legend.
    least = 4.0 if max(map(len, methods)) < 25 else 6.2
    figure, axes = style.subplots(
        1, 1, width=max(least, 1.2 + max(1.4, 0.34 * (len(methods) + 1)) * len(places)), height=3.4
    )
    axis = axes[0, 0]
    step = 0.8 / len(methods)
    for k, method in enumerate(methods):
        mine = rows[rows["method"] == method]
        x = np.array([places.index(place) for place in mine["place"]]) + (k - (len(methods) - 1) / 2) * step
        balanced = mine["quantity"].str.startswith("balanced").values
        for open_symbol in (False, True):
            _points(axis, mine[balanced == open_symbol], x[balanced == open_symbol], step, k, method, open_symbol)
    _marks(axis)
    first = rows.drop_duplicates("place").set_index("place")
    axis.set_xticks(range(len(places)), [_label(place, first.loc[[place]].iloc[0]) for place in places], fontsize=6.5)
    axis.set(ylabel="fraction correct", ylim=(0, 1.03), xlim=(-0.6, len(places) - 0.4))
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    style.save(figure, path)


def _points(axis, rows, x, step, k, method, balanced) -> None:
    x = x + (0.16 if balanced else -0.16) * step
    colour = style.COLOURS[k % len(style.COLOURS)]
    axis.errorbar(
        x,
        rows["value"],
        yerr=[rows["value"] - rows["ci_low"], rows["ci_high"] - rows["value"]],
        linestyle="none",
        marker=style.MARKERS[k % len(style.MARKERS)],
        color=colour,
        markerfacecolor="white" if balanced else colour,
        label=None if balanced else method,
    )
    for values, dashes, dark in ((rows["chance"].astype(float), "-", "black"), (rows["null_high"], "--", style.GREY)):
        axis.hlines(values, x - 0.14 * step, x + 0.14 * step, color=dark, linestyle=dashes, linewidth=1)


def _marks(axis) -> None:
    """Entries of the legend for what is drawn alike for all."""
    axis.plot([], [], "o", color="black", markerfacecolor="white", label="balanced over classes")
    axis.plot([], [], color="black", linewidth=1, label="chance")
    axis.plot([], [], color=style.GREY, linewidth=1, linestyle="--", label="95 % of shuffled labels")


def _label(place, row) -> str:
    recording, region, label = place
    name, _, session = recording.partition("-session=")
    name = f"{name}\n{session}" if session else name
    units = f"{row['n_units']} {'pooled ' if row['quantity'].endswith(_POOLED) else ''}units"
    window = row.get("window")
    window = f"\n{window}" if isinstance(window, str) and window else ""
    return f"{name}\n{region}: {row['classes']} values of {label}\n{units}, {row['n_trials']} trials{window}"
