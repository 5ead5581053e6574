"""How recurrent networks learnt: error and fraction correct against the number of updates."""

import numpy as np
import pandas as pd

from neurocompare.errors import UserError
from neurocompare.figures import style


def draw(curves: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw the curves of all seeds, a column for each network.

    Parameters
    ----------
    curves : DataFrame
        Tables of learning (`neurocompare.tables.CURVES`), one after another.
    titles : dict of str to str
        Names of networks for the figure, in its order.
    path : str
        The figure.

    Raises
    ------
    UserError
        If there is no curve.
    """
    names = [name for name in titles if (curves["network"] == name).any()]
    if not names:
        raise UserError("the figure 'learning': no network of the study is trained here; leave the figure out")
    figure, axes = style.subplots(2, len(names), width=2.4, height=1.9, sharex="col", sharey="row")
    for column, name in zip(axes.T, names, strict=True):
        mine = curves[curves["network"] == name]
        seeds = mine["seed"].unique()
        for k, seed in enumerate(seeds):
            part = mine[mine["seed"] == seed]
            look = {"color": style.COLOURS[k % len(style.COLOURS)], "linewidth": 1, "label": f"seed {seed}"}
            column[0].plot(part["update"], part["error"], **look)
            column[1].plot(part["update"], part["performance"], **look)
            # A change of the task moves both curves without anything having been learnt or lost.
            for update in part["update"].values[1:][np.diff(part["stage"].values) > 0]:
                for axis in column:
                    axis.axvline(update, color=look["color"], linestyle=":", linewidth=0.7)
        column[0].set_yscale("log")
        column[0].set_title(titles[name], fontsize=8)
        column[1].set(xlabel="updates", ylim=(None, 1.02))
    axes[0, 0].set_ylabel("mean squared error")
    axes[1, 0].set_ylabel("fraction correct")
    if curves["performance"].isna().all():
        axes[1, 0].text(0.5, 0.5, "task without choices", transform=axes[1, 0].transAxes, ha="center")
    style.legend_beneath(figure, axes, columns=8)
    style.save(figure, path)
