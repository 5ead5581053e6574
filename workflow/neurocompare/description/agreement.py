"""Agreement of published RDMs: between animals of a region, and between regions.

The comparators are those of RSA. Between animals it is the noise ceiling of Nili et al. 2014 (PLoS
Comput. Biol. 10:e1003553); between regions it is the score that one brain region has as a model of
another, the line that a network should be compared with.
"""

import itertools

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.comparison import regions, target_of
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import parse
from neurocompare.inference import resampling
from neurocompare.similarity import ceilings, comparators
from neurocompare.similarity.embedded import Kernel, shuffled
from neurocompare.similarity.measure import Reduced
from neurocompare.similarity.rsa import RSA

WHOLE_RECORDING = True
"""Regions are compared with one another, so they are described together."""

DESCRIPTIONS = {
    f"agreement-compare={comparator}": {
        "summary": f"agreement of RDMs between animals and between regions ({text})",
        "unit": "1",
        "direction": "higher",
        "needs": ["rdm"],
    }
    for comparator, text in comparators.COMPARATORS.items()
}


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], None]:
    """Describe how far RDMs agree.

    Parameters
    ----------
    array : DataArray
        A representation of kind ``rdm``.
    description_id : str
        A key of `DESCRIPTIONS`.
    seed : int
        Seeds the resamples.

    Returns
    -------
    rows : list of dict
        For each pair of regions the score of the mean RDM of one as a model of the other (averaged over
        the animals of the other), with null and interval; for each region with several animals the mean
        score of an animal with the average of the others and with the average of all.
    None
        There is nothing else to draw.

    Raises
    ------
    UserError
        If the id is unknown or the recording is not a set of RDMs.
    """
    if description_id not in DESCRIPTIONS:
        raise unknown("description", description_id, DESCRIPTIONS)
    if representation.kind(array) != "rdm":
        raise UserError(f"{description_id} needs published RDMs; use reliability-split=random for responses")
    comparator = parse(description_id)[1]["compare"]
    stimuli = array.coords["stimulus"].values.astype(str)
    plan = resampling.plan(f"agreement {seed}", len(stimuli), array.attrs["exchangeable"])
    targets = {region: target_of(part, stimuli) for region, part in regions(array)}
    counts = {
        region: {
            "n_stimuli": len(stimuli),
            "n_units": part.coords["n_units"].values.max() if "n_units" in part.coords else np.nan,
            "n_trials": part.sizes["rdm"],
        }
        for region, part in regions(array)
    }
    rows = []
    for one, other in itertools.permutations(targets, 2):
        model, target = targets[one].rdms[-1:], targets[other]
        animals = target.rdms[:-1] if target.pooled else target.rdms
        embedded = comparators.embed(animals, comparator), comparators.embed(model, comparator)
        value = np.einsum("tij,kij->tk", *embedded).mean()
        null = shuffled(*embedded, plan.permutations).mean((1, 2))
        ci = resampling.interval(comparators.weighted(animals, model, plan.weights, comparator).mean((1, 2)))
        statistics = {
            "null_mean": null.mean(),
            "null_high": np.quantile(null, 0.95),
            "ci_low": ci[0],
            "ci_high": ci[1],
            "p_value": resampling.p_value(value, null),
            "n_null": len(null),
            "status": "no_ceiling",
        }
        rows.append(_row("score of another region's mean RDM", other, f"of={one}", value) | statistics | counts[other])
    for region, target in targets.items():
        if not target.pooled:
            continue
        animals = target.rdms[:-1]
        measure = RSA("rsa", {"distance": array.attrs["distance"], "compare": comparator})
        bounds = ceilings.of_animals(measure, Reduced([Kernel(rdm) for rdm in animals]), range(len(animals)))
        for bound, value in (("lower", np.mean([b.low for b in bounds])), ("upper", np.mean([b.high for b in bounds]))):
            draws = _ceiling_draws(animals, plan.weights, comparator, bound)
            ci = resampling.interval(draws)
            rows.append(
                _row(f"noise ceiling, {bound} bound", region, "", value)
                | {"ci_low": ci[0], "ci_high": ci[1], "status": "no_null;no_ceiling"}
                | counts[region]
            )
    return rows, None


def _row(quantity: str, region: str, condition: str, value: float) -> dict:
    empty = ("ceiling_low", "ceiling_high", "null_mean", "null_high", "ci_low", "ci_high", "p_value")
    return dict.fromkeys(empty, np.nan) | {
        "quantity": quantity,
        "region": region,
        "condition": condition,
        "value": value,
        "unit": "1",
        "n_null": 0,
    }


def _ceiling_draws(animals: np.ndarray, weights: np.ndarray, comparator: str, bound: str) -> np.ndarray:
    """Bootstrap a bound: the average RDM is fixed, the stimuli on which it is scored are resampled."""
    draws = []
    for t in range(len(animals)):
        others = animals if bound == "upper" else np.delete(animals, t, axis=0)
        average = comparators.average(others, comparator)[None]
        draws.append(comparators.weighted(animals[t : t + 1], average, weights, comparator)[:, 0, 0])
    return np.mean(draws, axis=0)
