"""Confusion matrices: which network a measure takes for the generator of a population."""

import numpy as np
import pandas as pd

from neurocompare.figures import style


def draw(recoveries: pd.DataFrame, titles: dict[str, str], path: str) -> None:
    """Draw one confusion matrix for each measure.

    Parameters
    ----------
    recoveries : DataFrame
        Recoveries of a study.
    titles : dict of str to str
        What to call each network.
    path : str
        The figure.
    """
    measures = list(dict.fromkeys(recoveries["measure"]))
    generators = list(dict.fromkeys(recoveries["generator"]))
    networks = list(dict.fromkeys(recoveries["network"]))
    figure, axes = style.subplots(1, len(measures), width=2.8, height=2.9, sharey=True)
    for axis, measure in zip(axes[0], measures, strict=True):
        mine = recoveries[recoveries["measure"] == measure]
        best = mine[mine["best"]]
        counts = pd.crosstab(best["generator"], best["network"]).reindex(generators, axis=0).reindex(networks, axis=1)
        clear = best[best["separable"]]
        separable = pd.crosstab(clear["generator"], clear["network"]).reindex(generators).reindex(networks, axis=1)
        total = mine["seed"].nunique()
        image = axis.imshow(counts.fillna(0) / total, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), count in np.ndenumerate(counts.fillna(0).to_numpy(dtype=int)):
            number = int(np.nan_to_num(separable.to_numpy(dtype=float)[row, column]))
            colour = "white" if count > 0.6 * total else "black"
            words = f"{count}\n({number})" if count else "0"
            axis.text(column, row, words, ha="center", va="center", color=colour, fontsize=7.5)
        axis.set_xticks(range(len(networks)), [titles.get(n, n) for n in networks], rotation=60, ha="right", fontsize=7)
        axis.set_yticks(range(len(generators)), [titles.get(g, g) for g in generators], fontsize=7)
        axis.set_title(style.measure_label(measure), fontsize=8)
        axis.spines[:].set_visible(False)
        axis.set_xlabel(f"best candidate (of which separable)\nnot separable: {len(best) - len(clear)} of {len(best)}")
    axes[0, 0].set_ylabel("generator")
    figure.colorbar(image, ax=axes, label=f"fraction of {total} populations", shrink=0.7)
    style.save(figure, path)
