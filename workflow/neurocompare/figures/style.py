"""One look for all figures: sizes, colours that colour-blind readers can tell apart, identical files."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from neurocompare.files import written
from neurocompare.identifiers import parse

# Okabe & Ito 2008, the order chosen so that neighbours differ in lightness as well.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
GREY = "#777777"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_FAMILIES = {
    "rsa": "RSA",
    "cka": "CKA",
    "ridge": "encoding r",
    "pls": "encoding r, PLS",
    "poisson": "encoding r, Poisson",
    "reducedrank": "encoding r, reduced rank",
    "onetoone": "encoding r, single units",
    "reverse": "features explained by neurons",
    "cca-mean": "CCA",
    "cca-mean-squared": "CCA, squared",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
    "ssm": "SSM",
    "ssm-split-half": "SSM, noise-corrected",
    "procrustes-angular": "Procrustes angle",
    "procrustes-size-and-shape": "Procrustes, size and shape",
    "shape": "shape distance",
    "matching-one-to-one": "one-to-one matching",
    "matching-soft": "soft matching",
    "matching-soft-distance": "soft-matching distance",
    "stochastic-wasserstein": "stochastic shape, Wasserstein",
    "stochastic-angular": "stochastic shape, angle",
}
_OPTIONS = {
    "distance": "{}",
    "compare": "{}",
    "hsic": "{}",
    "kernel": "{}",
    "normalise": "{}",
    "folds": "folds: {}",
    "alpha": "α = {}",
    "variance": "{} of the variance",
    "components": "{} components",
    "responses": "units {}",
    "sample": "{} units",
    "partial": "without {}",
}
_VALUES = {
    "song": "unbiased",
    "rbf": "RBF",
    "zscore": "z-scored",
    "sqrt": "square root",
    "soft": "soft-normalised",
    "matched": "equally many",
    "brainscore": "Brain-Score's splits",
}

_SETTINGS = {
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "svg.hashsalt": "neurocompare",
    "svg.fonttype": "path",
}


def subplots(rows: int, columns: int, *, width: float, height: float, **options):
    """Make a figure with axes in a grid.

    Parameters
    ----------
    rows, columns : int
        The grid.
    width, height : float
        Size of one panel in inches.
    **options
        For ``matplotlib.pyplot.subplots``.

    Returns
    -------
    figure : Figure
        The figure.
    axes : array of Axes of shape (rows, columns)
        The panels.
    """
    plt.rcParams.update(_SETTINGS)
    return plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained", **options
    )


def save(figure, path: str | Path) -> None:
    """Write a figure, whole or not at all, without a date in it, and close it.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : str or Path
        An ``.svg`` file.
    """
    with written(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})
    plt.close(figure)


def legend(figure, handles, labels, *, columns: int, **options) -> None:
    """Put a legend beneath all panels, no wider than the figure.

    Parameters
    ----------
    figure : Figure
        The figure.
    handles : iterable of Artist
        What is explained.
    labels : iterable of str
        What each is.
    columns : int
        Number of columns; less if the figure is too narrow for as many. It then grows by what the legend does.
    **options : object
        Passed on to matplotlib.
    """
    handles, labels = list(handles), list(labels)
    heights = []
    for n in range(columns, 0, -1):
        made = figure.legend(handles, labels, loc="outside lower center", ncols=n, **options)
        size = made.get_window_extent()
        heights.append(size.height / figure.dpi)
        if n == 1 or size.width <= figure.bbox.width:
            break
        made.remove()
    figure.set_figheight(figure.get_figheight() + heights[-1] - heights[0])


def legend_beneath(figure, axes, columns: int) -> None:
    """Put one legend for all that panels explain beneath them.

    Parameters
    ----------
    figure : Figure
        The figure.
    axes : array of Axes
        Its panels.
    columns : int
        As of `legend`.
    """
    handles = {}
    for axis in axes.ravel():
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    legend(figure, handles.values(), handles.keys(), columns=columns)


def measure_label(measure: str) -> str:
    """Return what an axis says for the score of a measure.

    Parameters
    ----------
    measure : str
        A measure id.

    Returns
    -------
    str
        Short words for the known families; other words and options as they are in the id.
    """
    words, options = parse(measure)
    # A default that nearly all studies use goes without saying.
    usual = {("rsa", "distance"): "correlation", ("cka", "kernel"): "linear"}
    told = [
        _OPTIONS.get(key, key + " {}").format(_VALUES.get(value, value))
        for key, value in options.items()
        if usual.get((words, key)) != value
    ]
    return ", ".join([_FAMILIES.get(words, words), *told])
