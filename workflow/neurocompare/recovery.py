"""Does a measure find the network that generated a population?

Populations are read out, with trial noise, from one layer of a network, and every candidate network is
scored against them as if they were a recording. A measure that does not find the generator here has no
business ranking networks on a recording of this size.
"""

import numpy as np
import xarray as xr

from neurocompare import similarity
from neurocompare.comparison import check, selected, stacked, target_of
from neurocompare.identifiers import parse
from neurocompare.inference import resampling
from neurocompare.recordings import simulated

BOOTSTRAPS = 200


def recover(
    generators: list[xr.DataArray], candidates: dict[str, xr.Dataset], measure: str, *, seeds: int, **options
) -> list[dict]:
    """Score candidates against populations of known origin.

    Parameters
    ----------
    generators : list of DataArray of shape (n_stimuli, n_features)
        Features of the layers that generate populations, as representations.
    candidates : dict of str to Dataset
        Gram matrices of each network, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    measure : str
        A measure id.
    seeds : int
        Populations for each generator.
    **options
        Further arguments of `neurocompare.recordings.simulated.from_features`.

    Returns
    -------
    list of dict
        For each population one row per network, with its score, whether it is the best, and, on the
        row of the best, whether the paired 95 % interval of its lead over the next excludes zero.

    Raises
    ------
    UserError
        If the measure can't be had for such populations.
    """
    module = similarity.load(measure)
    rows = []
    for features in generators:
        generator = str(features.coords["animal"].values[0])
        for seed in range(seeds):
            population, _ = simulated.from_features(
                features.values,
                features.coords["stimulus"].values,
                features.coords["orientation"].values,
                seed=seed,
                **options,
            )
            stimuli = features.coords["stimulus"].values.astype(str)
            check(population, module.MEASURES[measure], measure, f"population of {generator}", len(stimuli))
            plan = resampling.plan(
                f"{generator} {seed}", len(stimuli), "stimulus", bootstraps=BOOTSTRAPS, permutations=0
            )
            target = target_of(population, stimuli)
            scores = {}
            for network, activations in candidates.items():
                evaluation = module.evaluate(target, stacked(activations, stimuli), parse(measure)[1], plan)
                shape = (activations.sizes["seed"], activations.sizes["layer"])
                scores[network] = selected(evaluation, target, shape).mean(0)
            rows += _rows(scores, generator, seed, measure, population, len(stimuli))
    return rows


def _rows(scores, generator, seed, measure, population, n_stimuli) -> list[dict]:
    values = {network: score[0] for network, score in scores.items()}
    ranked = sorted(values, key=lambda network: -np.nan_to_num(values[network], nan=-np.inf))
    low, _ = resampling.interval(scores[ranked[0]][1:] - scores[ranked[1]][1:])
    return [
        {
            "measure": measure,
            "generator": generator,
            "seed": seed,
            "network": network,
            "layer": "selected",
            "value": value,
            "best": network == ranked[0],
            "separable": bool(network == ranked[0] and low > 0),
            "n_stimuli": n_stimuli,
            "n_units": population.sizes["unit"],
            "n_trials": population.sizes["presentation"],
            "status": "ok" if np.isfinite(value) else "undefined",
        }
        for network, value in values.items()
    ]
