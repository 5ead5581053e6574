"""Choice probabilities of many neurons against a loop over scikit-learn's area under the ROC curve."""

import numpy as np
from ratios import Ratio, interleaved
from sklearn.metrics import roc_auc_score

from neurocompare.prediction.roc import areas

SIZES = {"tiny": (40, 60, 5), "quick": (1000, 1000, 50), "full": (10_000, 1000, 200)}
"""Neurons, trials, and neurons that the loop is timed on."""


def measure(how: str) -> list[Ratio]:
    """Time continuous responses and spike counts, which have ties."""
    neurons, trials, timed = SIZES[how]
    rng = np.random.default_rng(3)
    positive = rng.random(trials) < 0.4
    rows = []
    for what, values in (
        ("dF/F", rng.standard_normal((trials, neurons))),
        ("spike counts", rng.poisson(3, (trials, neurons)).astype(float)),
    ):

        def loop(values=values):
            return np.array([roc_auc_score(positive, values[:, k]) for k in range(timed)])

        seconds, results = interleaved({"ours": lambda v=values: areas(v, positive), "loop": loop}, 2)
        difference = np.abs(results["ours"].area[:timed] - results["loop"]).max()
        rows.append(
            Ratio(
                f"choice probability, {what}, with standard errors",
                "loop over roc_auc_score",
                f"{neurons} neurons × {trials} trials",
                seconds["loop"] * neurons / timed / seconds["ours"],
                "≥ 15" if how == "full" else "",
                f"loop timed on {timed} neurons; greatest difference {difference:.0e}",
            )
        )
    return rows
