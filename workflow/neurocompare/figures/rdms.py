"""RDMs side by side, ranked, in the order of categories."""

import numpy as np
from scipy.stats import rankdata

from neurocompare.figures import style


def draw(rdms: dict[str, np.ndarray], categories: np.ndarray, path: str) -> None:
    """Draw RDMs as percentile ranks.

    Parameters
    ----------
    rdms : dict of str to array of shape (n_stimuli, n_stimuli)
        RDMs by title.
    categories : array of str of shape (n_stimuli,)
        Category of each stimulus; stimuli are put together by category, in the order of first appearance.
    path : str
        The figure.
    """
    ranks_of = {name: k for k, name in enumerate(dict.fromkeys(categories))}
    order = np.argsort([ranks_of[name] for name in categories], kind="stable")
    columns = min(3, len(rdms))
    rows = -(-len(rdms) // columns)
    figure, axes = style.subplots(rows, columns, width=2.5, height=2.6)
    labels = list(ranks_of)
    starts = np.array([np.flatnonzero(categories[order] == label)[0] for label in labels])
    centres = (starts + np.append(starts[1:], len(order)) - 1) / 2
    for axis in axes.ravel()[len(rdms) :]:
        axis.set_visible(False)
    for k, (axis, (title, rdm)) in enumerate(zip(axes.ravel(), rdms.items(), strict=False)):
        upper = np.triu_indices(len(rdm), 1)
        ranks = np.full(rdm.shape, np.nan)
        ranks[upper] = 100 * (rankdata(rdm[upper]) - 1) / (len(upper[0]) - 1)
        ranks.T[upper] = ranks[upper]
        image = axis.imshow(ranks[np.ix_(order, order)], cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
        axis.set_title(title, fontsize=8)
        for start in starts[1:]:
            axis.axhline(start - 0.5, color="white", linewidth=0.5)
            axis.axvline(start - 0.5, color="white", linewidth=0.5)
        named = labels if len(labels) > 1 else []
        bottom, left = k + columns >= len(rdms), k % columns == 0
        axis.set_xticks(centres[: len(named)], named if bottom else [""] * len(named), rotation=90, fontsize=6)
        axis.set_yticks(centres[: len(named)], named if left else [""] * len(named), fontsize=6)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.5)
    bar.set_label(f"dissimilarity (1 − r), percentile of {len(upper[0])} pairs")
    style.save(figure, path)
