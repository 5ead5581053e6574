"""Cross-validated Mahalanobis distances against rsatoolbox."""

import warnings

import numpy as np
from ratios import Ratio, interleaved, once

from neurocompare.similarity import crossvalidated, noise
from neurocompare.similarity.trials import Trials

SIZES = {"tiny": (10, 3, 8), "quick": (118, 10, 400), "full": (118, 10, 2000)}
"""Stimuli, repeats and units."""


def measure(how: str) -> list[Ratio]:
    """Time crossnobis with the noise taken out in the ways that both packages have."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.data.noise import prec_from_unbalanced
    from rsatoolbox.rdm import calc_rdm

    n, repeats, p = SIZES[how]
    size = f"{n} stimuli × {repeats} repeats × {p} units"
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((20, p)) / 5
    x = rng.standard_normal((n, p)) / 3 + rng.standard_normal((repeats, n, 20)) @ mixing
    x = x + rng.standard_normal(x.shape)
    trials = Trials.of_repeats(x)
    labels = {"stimulus": np.tile(np.arange(n), repeats), "block": np.repeat(np.arange(repeats), n)}
    data = Dataset(x.reshape(-1, p), obs_descriptors=labels)

    def theirs(precision=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = {"descriptor": "stimulus", "cv_descriptor": "block"}
            return calc_rdm(data, method="crossnobis", noise=precision, **names).get_matrices()[0]

    estimate, precision = once(lambda: prec_from_unbalanced(data, "stimulus", method="shrinkage_diag"))
    covariance = noise.of_trials(trials, "full")
    functions = {
        "none": lambda: crossvalidated.crossnobis(trials, "none"),
        "their none": theirs,
        "given": lambda: crossvalidated.crossnobis(trials, covariance),
        "their given": lambda: theirs(precision),
        "all": lambda: crossvalidated.crossnobis(trials, noise.of_trials(trials, "full")),
        "training": lambda: crossvalidated.crossnobis(trials),
    }
    seconds, results = interleaved(functions, 3)

    def row(what, mine, other, target, note):
        return Ratio(f"crossnobis, {what}", "rsatoolbox", size, other / seconds[mine], target, note)

    def same(mine, other):
        return f"speed-up; greatest difference {np.abs(results[mine] - results[other]).max():.0e}"

    target = "≥ 10" if how == "full" else ""
    whole = seconds["their given"] + estimate
    return [
        row("noise of all trials, its estimation included", "all", whole, target, same("all", "their given")),
        row("a given noise covariance", "given", seconds["their given"], "", same("given", "their given")),
        row("no noise covariance (Euclidean)", "none", seconds["their none"], "", same("none", "their none")),
        row(
            "noise of the training trials, estimated for every fold",
            "training",
            repeats * estimate * (repeats - 1) / repeats + seconds["their given"],
            "",
            "speed-up over ten estimates by rsatoolbox, each from nine tenths; it has no such option: scaled",
        ),
    ]
