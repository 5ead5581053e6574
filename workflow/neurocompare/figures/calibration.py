"""How often tests err and intervals cover, against the size of the recording."""

import textwrap

import numpy as np
import pandas as pd

from neurocompare.figures import style

ROWS = {
    "rejection: unrelated model": "rejections of\nan unrelated model",
    "rejection: equal models, new stimuli": "rejections of equal\nmodels, new stimuli",
    "rejection: equal models, new stimuli and animals": "rejections of equal models,\nnew stimuli and animals",
    "coverage: new stimuli": "coverage,\nnew stimuli",
    "coverage: new stimuli and animals": "coverage, new\nstimuli and animals",
}
NAMES = {
    "stimuli": "number of stimuli",
    "animals": "number of animals",
    "repeats": "number of repeats",
    "snr": "signal-to-noise ratio\nof a trial (variances)",
    "spread": "difference between\nanimals (log gain)",
}


def draw(table: pd.DataFrame, path: str) -> None:
    """Draw every statistic against every factor.

    Parameters
    ----------
    table : DataFrame
        A table of calibration.
    path : str
        The figure.
    """
    factors = [factor for factor in NAMES if factor in set(table["factor"])]
    statistics = [name for name in ROWS if name in set(table["statistic"])]
    measures = list(dict.fromkeys(table["measure"]))
    figure, axes = style.subplots(len(statistics), len(factors), width=2.3, height=1.7, sharey="row", sharex="col")
    for row, statistic in enumerate(statistics):
        for column, factor in enumerate(factors):
            axis = axes[row, column]
            mine = table[(table["statistic"] == statistic) & (table["factor"] == factor)]
            levels = sorted(table.loc[table["factor"] == factor, "level"].unique())
            place = {level: k for k, level in enumerate(levels)}
            _bounds(axis, mine, place)
            axis.axhline(0.05 if statistic.startswith("rejection") else 0.95, color=style.GREY, lw=0.8, ls=":")
            for k, measure in enumerate(measures):
                one = mine[mine["measure"] == measure].sort_values("level")
                # Side by side, so that error bars can be told apart.
                x = one["level"].map(place).to_numpy(dtype=float) + 0.16 * (k - (len(measures) - 1) / 2)
                axis.errorbar(
                    x,
                    one["value"],
                    1.96 * one["monte_carlo_error"],
                    color=style.COLOURS[k % len(style.COLOURS)],
                    marker=style.MARKERS[k % len(style.MARKERS)],
                    lw=1,
                    elinewidth=0.8,
                    label=style.measure_label(measure),
                )
            axis.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
            axis.set_xlim(-0.5, len(levels) - 0.5)
            if row == len(statistics) - 1:
                axis.set_xlabel(NAMES[factor])
            if column == 0:
                axis.set_ylabel(ROWS[statistic])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=max(1, len(labels)))
    for axis, statistic in zip(axes[:, 0], statistics, strict=True):
        low, high = axis.get_ylim()
        axis.set_ylim((0, max(high, 0.1)) if statistic.startswith("rejection") else (min(low, 0.88), 1))
    sizes = sorted(table.loc[table["statistic"].isin(statistics), "n_data_sets"].unique())
    count = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    words = f"{count} simulated recordings for each point; bars: 95 % Monte-Carlo intervals; shaded: what is promised"
    figure.supxlabel("\n".join(textwrap.wrap(words, 36 * len(factors))), fontsize=7)
    style.save(figure, path)


def _bounds(axis, mine: pd.DataFrame, place: dict[float, int]) -> None:
    for level, part in mine.groupby("level"):
        low, high = part["low"].iloc[0], part["high"].iloc[0]
        if np.isfinite([low, high]).all():
            at = place[level]
            axis.fill_between([at - 0.5, at + 0.5], low, high, color="#56B4E9", alpha=0.18, lw=0)
