"""What a study would have concluded from each of many simulated recordings.

Measures, resamples, intervals and p-values are those of the workflow; only their numbers of draws and
shuffles are smaller, which both account for: an interval by its degrees of freedom, and a p-value by
counting the observed score.
"""

import numpy as np
import xarray as xr

from neurocompare import similarity
from neurocompare.calibration import world
from neurocompare.calibration.world import Cell
from neurocompare.inference import resampling, twofactor

QUANTITIES = ("value", "standard_error", "degrees_of_freedom")
TARGETS = ("score", "difference")
CLAIMS = ("stimuli", "stimuli and animals")


def outcomes(cell: Cell, measure: str, *, new_animals: int, same_animals: int, draws: int, shuffles: int) -> xr.Dataset:
    """Simulate recordings and draw conclusions from each.

    Parameters
    ----------
    cell : Cell
        Their sizes.
    measure : str
        A measure id.
    new_animals : int
        Number of recordings in new animals.
    same_animals : int
        Number of recordings in the same, mirrored animals, with new stimuli.
    draws : int
        Draws of the stimuli in each recording.
    shuffles : int
        Shuffles of the stimuli in each recording in new animals; none if zero.

    Returns
    -------
    Dataset
        For recordings in new animals ``new`` (recording, claim, target, quantity) and ``p_value`` (recording) of
        the unrelated model; for those in the same animals ``same`` (other_recording, target, quantity). The
        targets are the score of the first model and its difference from the second.
    """
    scorer = similarity.load(measure)
    repeats = bool(scorer.info["repeats"])

    def concluded(weights, name, number, claims, shuffled):
        models, recorded = world.recording(cell, weights, world.stream(cell, name, number), single_trials=repeats)
        plan = resampling.plan(
            f"{cell.name} {name} {number}",
            cell.stimuli,
            "stimulus",
            bootstraps=draws,
            permutations=shuffled,
            partitions=0,
        )
        x, y = scorer.reduced(models), scorer.reduced(recorded)
        found = np.empty((len(claims), len(TARGETS), len(QUANTITIES)))
        if claims:
            values = scorer.scores(x[:2], y)
            drawn = scorer.draws(x[:2], y, values, plan)
            without = _targets(scorer.left_out(x[:2], y)) if scorer.influence else None
            how = twofactor.options(plan, scorer.scheme, without, len(drawn))
            for c, claim in enumerate(claims):
                estimate = twofactor.estimate(
                    _targets(values), _targets(drawn), cell.stimuli, animals=claim == CLAIMS[1], **how
                )
                found[c] = np.stack([getattr(estimate, quantity) for quantity in QUANTITIES], axis=1)
        if not shuffled:
            return found, np.nan
        if scorer.info["symmetric"]:
            # To shuffle the one model is to shuffle all animals alike, and quicker.
            null = scorer.null(y, x[2:], plan.permutations).mean(2)
        else:
            null = scorer.null(x[2:], y, plan.permutations).mean(1)
        value = scorer.scores(x[2:], y).mean(0)
        return found, resampling.p_value(value, null, scorer.info["direction"])[0]

    # A single animal supports no claim about others: what is drawn of it is its null alone.
    claims = CLAIMS if cell.animals > 1 else ()
    new = [
        concluded(world.animals(cell, world.stream(cell, "animals", k)), "new animals", k, claims, shuffles)
        for k in range(new_animals)
    ]
    fixed = world.animals(cell, world.stream(cell, "same animals"), mirrored=True)
    same = [concluded(fixed, "new stimuli", k, CLAIMS[:1], 0)[0][0] for k in range(same_animals)]
    shape = len(claims), len(TARGETS), len(QUANTITIES)
    return xr.Dataset(
        {
            "new": (
                ("recording", "claim", "target", "quantity"),
                np.array([found for found, _ in new]).reshape(new_animals, *shape),
            ),
            "p_value": ("recording", np.array([p for _, p in new], dtype=float)),
            "same": (("other_recording", "target", "quantity"), np.array(same).reshape(same_animals, *shape[1:])),
        },
        coords={"claim": list(claims), "target": list(TARGETS), "quantity": list(QUANTITIES)},
        attrs={"cell": cell.name, "measure": measure, "draws": draws, "shuffles": shuffles},
    )


def _targets(scores: np.ndarray) -> np.ndarray:
    """From the scores of two models, along the last axis, to that of the first and its difference from the second."""
    return np.stack([scores[..., 0], scores[..., 0] - scores[..., 1]], axis=-1)
