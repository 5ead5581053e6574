"""Stimuli arranged so that their distances on paper follow their dissimilarities, with the images."""

import numpy as np
import xarray as xr
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from scipy.linalg import orthogonal_procrustes
from sklearn.manifold import MDS

from neurocompare.figures import style

_SEED = 0


def draw(rdms: dict[str, np.ndarray], images: xr.DataArray, categories: np.ndarray, path: str) -> None:
    """Draw metric multidimensional scalings of RDMs, turned to match the first.

    Parameters
    ----------
    rdms : dict of str to array of shape (n_stimuli, n_stimuli)
        RDMs by title.
    images : DataArray of shape (n_stimuli, height, width, channels)
        The stimuli, in the order of the RDMs.
    categories : array of str of shape (n_stimuli,)
        Category of each stimulus: the colour of its frame.
    path : str
        The figure.
    """
    columns = min(2, len(rdms))
    figure, axes = style.subplots(-(-len(rdms) // columns), columns, width=4.2, height=4.3)
    labels = list(dict.fromkeys(categories))
    reference = None
    for axis in axes.ravel()[len(rdms) :]:
        axis.set_visible(False)
    for axis, (title, rdm) in zip(axes.ravel(), rdms.items(), strict=False):
        points, stress = scaled(rdm)
        if reference is not None:
            points = points @ orthogonal_procrustes(points, reference)[0]
        else:
            reference = points
        for point, picture, category in zip(points, images.values, categories, strict=True):
            colour = style.COLOURS[labels.index(category) % len(style.COLOURS)]
            _place(axis, point, picture, colour if len(labels) > 1 else "none")
        reach = np.abs(points).max() * 1.12
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        axis.spines[:].set_visible(False)
        axis.set_title(f"{title} (stress {stress:.2f})", fontsize=8)
    if len(labels) > 1:
        handles = [
            axes[0, 0].plot(
                [], [], marker="s", linestyle="none", markersize=6, color=style.COLOURS[k % len(style.COLOURS)]
            )[0]
            for k in range(len(labels))
        ]
        style.legend(figure, handles, labels, columns=len(labels))
    style.save(figure, path)


def scaled(rdm: np.ndarray) -> tuple[np.ndarray, float]:
    """Arrange stimuli in two dimensions by metric multidimensional scaling.

    Parameters
    ----------
    rdm : array of shape (n_stimuli, n_stimuli)
        Dissimilarities.

    Returns
    -------
    points : array of shape (n_stimuli, 2)
        Centred positions.
    stress : float
        Kruskal's stress-1, 0 for a perfect arrangement.
    """
    model = MDS(
        n_components=2, metric="precomputed", init="random", n_init=4, random_state=_SEED, normalized_stress=False
    )
    points = model.fit_transform(rdm)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    upper = np.triu_indices(len(rdm), 1)
    stress = np.sqrt(np.sum((rdm[upper] - distances[upper]) ** 2) / np.sum(distances[upper] ** 2))
    return points - points.mean(0), float(stress)


def _place(axis, point, picture, colour) -> None:
    step = max(1, len(picture) // 60)
    small = picture[::step, ::step].squeeze()
    box = OffsetImage(small, zoom=17 / len(small), cmap="gray" if small.ndim == 2 else None)
    frame = {"edgecolor": colour, "linewidth": 1.0, "boxstyle": "square,pad=0"}
    axis.add_artist(AnnotationBbox(box, point, pad=0.08, bboxprops=frame))
