"""One look for all figures: sizes, colours that colour-blind readers can tell apart, identical files."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from neurocompare.files import written

# Okabe & Ito 2008, the order chosen so that neighbours differ in lightness as well.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
GREY = "#777777"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

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


def measure_label(measure: str) -> str:
    """Return what an axis says for the score of a measure."""
    words = {
        "rsa-distance=correlation-compare=": "RSA, ",
        "cka-kernel=linear-hsic=song-normalise=cross-half": "CKA, cross-half",
        "cka-kernel=linear-hsic=song": "CKA, unbiased",
        "cka-kernel=linear-hsic=biased": "CKA, biased",
        "ridge-folds=": "encoding r, folds: ",
    }
    for start, label in words.items():
        if measure.startswith(start):
            return label + measure.removeprefix(start)
    return measure
