"""Decoding of orientation: errors against neurons and trials, and a decision against averaging."""

import pandas as pd
from matplotlib.ticker import NullLocator

from neurocompare.errors import UserError
from neurocompare.figures import style
from neurocompare.tables import conditions


def draw(descriptions: pd.DataFrame, path: str) -> None:
    """Draw the decoding of the first recording and region.

    Parameters
    ----------
    descriptions : DataFrame
        Descriptions of a study, with those of orientation decoding.
    path : str
        The figure.

    Raises
    ------
    UserError
        If nothing was decoded.
    """
    descriptions = descriptions[descriptions["description"].str.startswith("decoding-")]
    if descriptions.empty:
        raise UserError("the figure 'decoding' needs a description decoding-…; select one, or leave it out")
    first = descriptions.iloc[0]
    descriptions = descriptions[
        (descriptions["recording"] == first["recording"]) & (descriptions["region"] == first["region"])
    ]
    told = descriptions[descriptions["value"].notna()]
    errors = told[told["quantity"].str.startswith("median absolute error")]
    # Of several decoders the one that the study lists first; the figure 'limits' compares them.
    errors = conditions(errors[errors["description"] == errors["description"].iloc[0]]) if len(errors) else errors
    decisions = conditions(told[told["quantity"].str.startswith("accuracy above 45")])
    if errors.empty and decisions.empty:
        raise UserError(
            f"the figure 'decoding': recording '{first['recording']}' has no error of an angle and no decision above "
            "45 degrees; select decoding-target=orientation-decoder=von-mises, or leave the figure out"
        )
    panels = 2 * (not errors.empty) + (not decisions.empty)
    figure, axes = style.subplots(1, panels, width=2.9, height=2.8)
    if not errors.empty:
        for axis, varied, fixed in ((axes[0, 0], "neurons", "trials"), (axes[0, 1], "trials", "neurons")):
            _errors(axis, errors, varied, fixed)
    if not decisions.empty:
        _decisions(axes[0, -1], decisions)
    style.save(figure, path)


def _errors(axis, errors: pd.DataFrame, varied: str, fixed: str) -> None:
    errors = errors.astype({"neurons": int, "trials": int})
    full = errors[errors[fixed] == errors[fixed].max()]
    for k, (split, rows) in enumerate(full.groupby("split", sort=False)):
        rows = rows.drop_duplicates(varied).sort_values(varied)
        colour = style.COLOURS[k]
        axis.plot(rows[varied], rows["value"], color=colour, marker=style.MARKERS[k], label=f"test trials {split}")
        axis.fill_between(rows[varied], rows["ci_low"], rows["ci_high"], color=colour, alpha=0.2, linewidth=0)
    if errors["null_mean"].notna().any():
        axis.axhline(errors["null_mean"].mean(), color=style.GREY, linestyle=":", label="labels shuffled")
    axis.set(xscale="log", yscale="log", xlabel=f"number of {varied}", ylabel="median absolute error (degrees)")
    # Powers of ten are too coarse for errors between one and fifty degrees.
    axis.set_yticks([1, 2, 5, 10, 20, 50], [1, 2, 5, 10, 20, 50])
    axis.yaxis.set_minor_locator(NullLocator())
    axis.set_title(f"{full[fixed].max():,} {fixed}", fontsize=8)
    axis.legend(loc="center right", bbox_to_anchor=(1, 0.72))


def _decisions(axis, rows: pd.DataFrame) -> None:
    rows = rows.astype({"averaged": int})
    shuffled = rows.groupby("averaged", sort=True)["null_high"].max()
    one = rows.drop_duplicates("averaged").sort_values("averaged")
    axis.errorbar(
        one["averaged"],
        one["value"],
        yerr=[one["value"] - one["ci_low"], one["ci_high"] - one["value"]],
        color=style.COLOURS[1],
        marker="o",
        capsize=2,
        label="cross-validated, 95 % interval",
    )
    axis.plot(shuffled.index, shuffled, color=style.GREY, linestyle=":", label="95 % of shuffled labels")
    axis.axhline(0.5, color="black", linewidth=0.6, label="chance")
    axis.set_xscale("log", base=2)
    axis.set_xticks(one["averaged"], one["averaged"])
    axis.set(xlabel="trials averaged", ylabel="accuracy", ylim=(0.4, 1.02))
    axis.set_title(f"above 45°? {one['n_stimuli'].iloc[0]} bins of orientation", fontsize=8)
    axis.legend(loc="center right", bbox_to_anchor=(1, 0.35))
