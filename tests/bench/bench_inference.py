"""Two-factor bootstraps of many models against rsatoolbox."""

import contextlib
import os

import numpy as np
from ratios import Ratio, interleaved, once

from neurocompare import similarity
from neurocompare.inference import resampling, twofactor

THEIRS = {"cosine": "cosine", "pearson": "corr", "spearman": "spearman", "rho-a": "rho-a"}
SIZES = {"tiny": (12, 2, 3, 20), "quick": (118, 20, 8, 1000), "full": (118, 20, 8, 1000)}
"""Stimuli, models, animals and resamples."""


def measure(how: str) -> list[Ratio]:
    """Time the intervals of all models, and of their differences, from resamples of stimuli and animals."""
    from rsatoolbox.inference import evaluate
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    n, n_models, n_animals, resamples = SIZES[how]
    size = f"{n_models} models × {n_animals} animals × {n} stimuli × {resamples} resamples"
    rng = np.random.default_rng(3)
    signal = rng.standard_normal((n, 5))
    stack = [signal @ rng.standard_normal((5, 40)) + rng.standard_normal((n, 40)) for _ in range(n_models + n_animals)]
    rdms = np.stack([similarity.rdm(x, "correlation") for x in stack])
    candidates, targets = rdms[:n_models], rdms[n_models:]
    plan = resampling.plan("bench", n, "stimulus", bootstraps=resamples)
    models = [ModelFixed(f"model {k}", RDMs(rdm[None])) for k, rdm in enumerate(candidates)]
    rows = []
    for comparator in THEIRS if how == "full" else ("cosine", "spearman"):
        measure = similarity.load(f"rsa-distance=correlation-compare={comparator}")

        def ours(measure=measure):
            a, b = measure.embed(candidates), measure.embed(targets)
            values = np.einsum("tij,kij->tk", b, a, optimize=True)
            draws = measure.weighted(targets, candidates, plan.weights)
            estimate = twofactor.estimate(values, draws, n)
            return estimate, twofactor.pairs(values, draws, n)

        def theirs(count, comparator=comparator):
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
                return evaluate.eval_dual_bootstrap(models, RDMs(targets), method=THEIRS[comparator], N=count)

        seconds, results = interleaved({"ours": ours}, 2 if how == "full" else 1)
        some = 2 if how != "full" else 10 if comparator in ("cosine", "pearson") else 3
        with_ceiling = once(lambda some=some, theirs=theirs: theirs(some))[0] / some * resamples
        ceiling = evaluate.boot_noise_ceiling
        evaluate.boot_noise_ceiling = lambda *_, **__: (np.nan, np.nan)
        try:
            without = once(lambda some=some, theirs=theirs: theirs(some))[0] / some * resamples
        finally:
            evaluate.boot_noise_ceiling = ceiling
        note = f"speed-up; rsatoolbox timed with {some} resamples, scaled"
        what = f"two-factor inference, {comparator}"
        rows += [
            Ratio(what, "rsatoolbox", size, with_ceiling / seconds["ours"], "≥ 50", note),
            Ratio(what, "rsatoolbox without its ceilings", size, without / seconds["ours"], "", note),
        ]
    return rows
