"""Whether a measure finds the network that generated a population.

Populations are read out, with trial noise, from one layer of a network, and every candidate network is
scored against them as if they were a recording. A measure that does not find the generator here has no
business ranking networks on a recording of this size.
"""

import numpy as np
import xarray as xr

from neurocompare import similarity
from neurocompare.comparison import check, evaluated, stacked, target_of
from neurocompare.errors import UserError, unknown
from neurocompare.inference import resampling
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.controlled import with_control
from neurocompare.similarity.evaluation import Target
from neurocompare.simulation import readout

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
        Gram matrices of one layer of each network, with dims ``seed``, ``layer``, ``stimulus``,
        ``other_stimulus``.
    measure : str
        A measure id.
    seeds : int
        Populations for each generator.
    **options
        Further arguments of `neurocompare.simulation.readout.from_features`.

    Returns
    -------
    list of dict
        For each population one row per network, with its score, whether it is the best, and, on the
        row of the best, whether the paired 95 % interval of its lead over the next excludes zero.

    Raises
    ------
    UserError
        If the measure can't be had for such populations, a generator has no orientations, or there is only one
        network.
    """
    if len(candidates) < 2:
        raise UserError("a recovery needs at least two networks: one alone is always the best")
    opened = with_control(similarity.load(measure), None)
    rows = []
    for features in generators:
        generator = str(features.coords["animal"].values[0])
        if "orientation" not in features.coords:
            raise UserError(f"generator '{generator}': its stimuli have no orientation; use gratings")
        stimuli = features.coords["stimulus"].values.astype(str)
        orientation = features.coords["orientation"].values
        populations = [
            readout.from_features(features.values, stimuli, orientation, seed=seed, **options)[0]
            for seed in range(seeds)
        ]
        check(populations[0], opened, f"population of {generator}", len(stimuli))
        # The populations are evaluated together, as the animals of one region.
        parts = [target_of(population, stimuli) for population in populations]
        target = Target(
            animals=tuple(map(str, range(seeds))),
            grams=Grams.of_trials([trials for part in parts for trials in part.grams.trials]),
            related=False,
        )
        plan = resampling.plan(generator, len(stimuli), "stimulus", bootstraps=BOOTSTRAPS, permutations=0, partitions=0)
        scores = {
            network: evaluated(opened, target, stacked(activations, stimuli, units=opened.info["units"]), plan)
            for network, activations in candidates.items()
        }
        layers = {network: str(activations["layer"].values[0]) for network, activations in candidates.items()}
        size = {"n_stimuli": len(stimuli), "n_units": populations[0].sizes["unit"]}
        size["n_trials"] = populations[0].sizes["presentation"]
        for seed in range(seeds):
            values = {network: np.r_[e.value[seed, 0], e.draws[:, seed, 0]] for network, e in scores.items()}
            rows += [
                row | size | {"measure": measure, "generator": generator, "seed": seed, "layer": layers[row["network"]]}
                for row in _ranked(values, opened.info["direction"])
            ]
    return rows


def candidate(activations: xr.Dataset, layer: str, network: str) -> xr.Dataset:
    """Pick the layer by which a network takes part.

    Parameters
    ----------
    activations : Dataset
        Gram matrices of one seed of the network.
    layer : str
        The layer.
    network : str
        The network.

    Returns
    -------
    Dataset
        With dims ``seed`` and ``layer`` of length one.

    Raises
    ------
    UserError
        If there is no such layer.
    """
    layers = activations["layer"].values.astype(str)
    if layer not in layers:
        raise unknown(f"layer of '{network}'", layer, layers)
    return activations.sel(layer=[layer]).expand_dims("seed")


def _ranked(scores: dict[str, np.ndarray], direction: str) -> list[dict]:
    """Rows from scores, each with its bootstrap draws behind it."""
    sign = 1 if direction == "higher" else -1
    ranked = sorted(scores, key=lambda network: -np.nan_to_num(sign * scores[network][0], nan=-np.inf))
    low, _ = resampling.interval(sign * (scores[ranked[0]][1:] - scores[ranked[1]][1:]))
    return [
        {
            "network": network,
            "value": score[0],
            "best": bool(network == ranked[0] and np.isfinite(score[0])),
            "separable": bool(network == ranked[0] and low > 0),
            "status": "ok" if np.isfinite(score[0]) else "undefined",
        }
        for network, score in scores.items()
    ]
