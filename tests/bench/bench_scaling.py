"""How the time of a whole study grows: with layers and areas, with pairs, with stimuli and with units."""

import time
from pathlib import Path

import numpy as np
from ratios import Ratio, exponent

from neurocompare import similarity
from neurocompare.similarity.arrays import Grams

MEASURES = (
    "rsa-distance=correlation-compare=spearman",
    "rsa-distance=euclidean-compare=whitened-cosine",
    "rsa-distance=cosine-compare=pearson",
    "cka-kernel=linear-hsic=song",
    "cka-kernel=rbf-hsic=song",
    "svcca-variance=0.99",
    "cca-mean-ridge=0.1",
    "procrustes-angular",
    "procrustes-size-and-shape",
    "ssm",
)

SIZES = {"quick": (12, 4, 118, 500), "full": (60, 12, 118, 2000)}
"""Layers, areas, stimuli and units of a layer."""

FIGURE = Path(__file__).resolve().parents[2] / "results/bench/scaling.png"


def representations(count: int, n: int, p: int, seed: int) -> list[np.ndarray]:
    """Draw representations of a few dimensions and little noise."""
    rng = np.random.default_rng([seed, n, p])
    signal = rng.standard_normal((n, 8))
    return [signal @ rng.standard_normal((8, p)) + 0.1 * rng.standard_normal((n, p)) for _ in range(count)]


def study(layers: int, areas: int, n: int, p: int) -> dict[str, float]:
    """Score all layers against all areas by all measures.

    Parameters
    ----------
    layers, areas : int
        Numbers of representations.
    n, p : int
        Numbers of stimuli and of units of a layer; an area has 200.

    Returns
    -------
    dict of str to float
        Seconds: ``units``, the pass over units that all measures share; ``reduce``, the rest of what is done once
        for each representation; ``pairs``; and ``pair``, those of a pair by the slowest measure.
    """
    x, y = representations(layers, n, p, 1), representations(areas, n, 200, 2)
    start = time.perf_counter()
    grams = Grams.of(x), Grams.of(y)
    seconds = {"units": time.perf_counter() - start, "reduce": 0.0, "pairs": 0.0, "pair": 0.0}
    for name in MEASURES:
        measure = similarity.load(name)
        start = time.perf_counter()
        reduced = [measure.reduced(stack) for stack in grams]
        middle = time.perf_counter()
        scores = measure.scores(*reduced)
        end = time.perf_counter()
        assert np.isfinite(scores).all(), name
        seconds["reduce"] += middle - start
        seconds["pairs"] += end - middle
        seconds["pair"] = max(seconds["pair"], (end - middle) / scores.size)
    return seconds


def best(**sizes: int) -> dict[str, float]:
    """Take the shortest times of three studies."""
    runs = [study(**sizes) for _ in range(3)]
    return {key: min(run[key] for run in runs) for key in runs[0]}


def measure(how: str) -> list[Ratio]:
    """Fit exponents, one size varied at a time, and draw the times."""
    base = dict(zip(("layers", "areas", "n", "p"), SIZES[how], strict=True))
    steps = (1, 2, 4)
    grid = {
        "layers": [base["layers"] // 4 * k for k in steps],
        "n": [59, 118, 236],
        "p": [base["p"] // 4 * k for k in (*steps, 8)],
    }
    times = {key: [best(**base | {key: size}) for size in sizes] for key, sizes in grid.items()}
    whole = times["layers"][-1]
    draw(grid, times, base)
    what = f"{len(MEASURES)} measures"
    size = f"{base['layers']} layers × {base['areas']} areas, {base['n']} stimuli × {base['p']} units"

    def fitted(key, parts, of=lambda size: size):
        sums = [sum(run[part] for part in parts) for run in times[key]]
        return exponent([of(size) for size in grid[key]], sums)

    once, spread = ("units", "reduce"), f"{grid['layers'][0]} to {grid['layers'][-1]} layers"
    areas = base["areas"]
    return [
        Ratio(
            f"{what}: once per representation",
            "layers + areas",
            spread,
            fitted("layers", once, lambda k: k + areas),
            "≤ 1.2",
            "exponent",
        ),
        Ratio(f"{what}: pairs", "layers × areas", spread, fitted("layers", ["pairs"]), "≤ 1.2", "exponent"),
        Ratio(f"{what}: once per representation", "units", span(grid["p"]), fitted("p", once), "≤ 1.2", "exponent"),
        Ratio(f"{what}: pairs", "units", span(grid["p"]), fitted("p", ["pairs"]), "≤ 0.2", "exponent"),
        Ratio(f"{what}: once per representation", "stimuli", span(grid["n"]), fitted("n", once), "", "exponent"),
        Ratio(f"{what}: pairs", "stimuli", span(grid["n"]), fitted("n", ["pairs"]), "", "exponent"),
        Ratio(
            f"{what}: all pairs",
            "once per representation",
            size,
            whole["pairs"] / (whole["units"] + whole["reduce"]),
            "",
            "ratio of times",
        ),
        Ratio(
            "slowest measure: one pair",
            "one millisecond",
            size,
            whole["pair"] * 1e3,
            "≤ 5",
            "on this machine, in this run",
        ),
    ]


def span(sizes) -> str:
    """Write a range."""
    return f"{sizes[0]} to {sizes[-1]}"


def draw(grid, times, base) -> None:
    """Plot times against sizes, in units of the time of the base, with the fitted powers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    titles = {"layers": f"layers (with {base['areas']} areas)", "n": "stimuli", "p": "units of a layer"}
    parts = {"units": "one pass over units", "reduce": "reduction by all measures", "pairs": "all pairs"}
    unit = sum(times["layers"][-1][part] for part in parts)
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
    for axis, key in zip(axes, titles, strict=True):
        for part, label in parts.items():
            seconds = [run[part] / unit for run in times[key]]
            power = exponent(grid[key], seconds)
            axis.loglog(grid[key], seconds, "o-", label=f"{label}: exponent {power:.2f}")
        axis.set_xlabel(titles[key])
        axis.set_xticks(grid[key], [str(size) for size in grid[key]])
        axis.minorticks_off()
        axis.legend(fontsize=7, frameon=False)
    axes[0].set_ylabel("time / time of the largest study at left")
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=150)
    plt.close(figure)
