"""The verb *compare*: one recording with all layers and seeds of one network, by one measure.

Each score leaves with its noise ceiling, the null of shuffled stimuli and a bootstrap interval over
stimuli, and over animals where there are several. The row whose layer is ``selected`` is the score of the
network as a whole: the best layer is chosen on one half of the stimuli and scored on the other, so that a
network with many layers has no advantage over one with few.
"""

import dataclasses
import sys
from collections.abc import Iterator

import numpy as np
import xarray as xr

from neurocompare import representation, score_rows, similarity, tables
from neurocompare.errors import UserError
from neurocompare.identifiers import parse
from neurocompare.inference import resampling, trials, twofactor
from neurocompare.similarity import ceilings, evaluation, refusals, steps
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.controlled import with_control
from neurocompare.similarity.distances import DISTANCES
from neurocompare.similarity.evaluation import Target
from neurocompare.similarity.measure import Measure


def compare(
    recording: xr.DataArray,
    activations: xr.Dataset,
    measure: str,
    *,
    name: str,
    network: str,
    control: xr.Dataset | None = None,
) -> tuple[list[dict], xr.Dataset]:
    """Score all layers and seeds of a network against every region of a recording.

    Parameters
    ----------
    recording : DataArray
        A representation, as `neurocompare.representation` defines it. With a time axis, every time bin is
        compared by itself.
    activations : Dataset
        Gram matrices of a network, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    measure : str
        A measure id.
    name : str
        The id of the recording: it seeds the resamples.
    network : str
        The id of the network.
    control : Dataset, optional
        Gram matrices of the network that a measure with ``-partial=…`` controls for; all its layers are.

    Returns
    -------
    rows : list of dict
        Rows of a table of scores, without the digests of code and weights.
    draws : Dataset
        Resamples of the ``selected`` score and of that of every layer, with dims ``region``, ``seed``, ``layer``,
        ``draw``; for a recording with a time axis, averaged over time.

    Raises
    ------
    UserError
        If the measure can't be had for this recording; the message says why.
    """
    opened = similarity.load(measure)
    if "condition_time" in recording.coords:
        ceilings.of_dependent_rows(opened)
    stimuli = aligned_stimuli(recording, activations, name)
    check(recording, opened, name, len(stimuli))
    if control is not None:
        aligned_stimuli(recording, control, name)
    opened = with_control(opened, None if control is None else stacked(control, stimuli))
    plan = plan_of(recording, stimuli, name)
    refusals.folds_of_stimuli(opened, plan.n_groups, len(stimuli), name)
    candidates = stacked(activations, stimuli, units=opened.info["units"])
    smallest = None
    if "unit" in recording.dims:
        parts = [part.coords["animal"].values for _, part in regions(recording)]
        smallest = min(np.unique(part, return_counts=True)[1].min() for part in parts)
    rows, draws = [], {}
    for region, time, part in moments(recording):
        target = target_of(part, stimuli)
        found = evaluated(opened, target, candidates, plan, smallest)
        chosen = score_rows.selected(found, target, activations, opened)
        common = {
            "recording": name,
            "region": region,
            "time": time,
            "network": network,
            "measure": measure,
            "n_stimuli": len(stimuli),
            "data_sha256": tables.combined_sha256(recording.attrs["sha256"]),
        }
        rows += score_rows.rows(
            opened, found, target, chosen, part, activations, candidates.n_units, stimuli, plan, common
        )
        draws.setdefault(region, []).append(score_rows.draws(found, target, chosen, activations))
    datasets = [xr.concat(found, "time", join="exact").mean("time", skipna=False) for found in draws.values()]
    attributes = {"recording": name, "network": network, "measure": measure, "n_stimuli": len(stimuli)}
    what = claimed(recording)
    attributes |= {"n_groups": plan.n_groups, "scheme": opened.scheme, "claimed": what}
    gathered = xr.concat(datasets, xr.Variable("region", list(draws)), join="outer", fill_value={"absent": 1})
    options = twofactor.options(plan, opened.scheme, gathered.get("left_out"), gathered.sizes["layer_draw"])
    if "weights" in options:
        gathered["weights"] = (("layer_draw", "stimulus"), options["weights"].astype(np.int16))
    if "all_trials" in activations:
        gathered["all_trials"] = activations["all_trials"]
    rows = [row | {"claim": str(row["claim"]).replace("stimuli", what)} for row in rows]
    return score_rows.noted(rows, activations), gathered.assign_attrs(attributes)


def claimed(recording: xr.DataArray) -> str:
    """Tell what is resampled as a whole, and is hence what an interval allows to be new, in the plural.

    Parameters
    ----------
    recording : DataArray
        The recording.

    Returns
    -------
    str
        ``stimuli``, or ``conditions``, ``blocks`` or ``shifts``.
    """
    if "condition_time" in recording.coords:
        return "conditions"
    exchangeable = recording.attrs["exchangeable"]
    return "stimuli" if exchangeable == "stimulus" else f"{exchangeable}s"


def plan_of(recording: xr.DataArray, stimuli: np.ndarray, name: str) -> resampling.Plan:
    """Draw the resamples of a recording, as it declares its stimuli exchangeable.

    Parameters
    ----------
    recording : DataArray
        The recording.
    stimuli : array of str of shape (n_stimuli,)
        The order of the stimuli.
    name : str
        The id of the recording.

    Returns
    -------
    Plan
        Of single stimuli or conditions, of blocks of them, or of conditions with all their times.

    Raises
    ------
    UserError
        If blocks are exchanged, and a stimulus was shown in several; or as `resampling.plan`.
    """
    exchangeable = recording.attrs["exchangeable"]
    if "condition_time" in recording.coords:
        return resampling.plan(name, len(stimuli), exchangeable, **trials.course_of_stimuli(recording, stimuli))
    if exchangeable != "block" or "presentation" not in recording.dims:
        return resampling.plan(name, len(stimuli), exchangeable, shift=recording.attrs.get("shift"))
    return resampling.plan(name, len(stimuli), exchangeable, block=trials.block_of_stimuli(recording, stimuli, name))


def evaluated(opened: Measure, target: Target, candidates: Grams, plan, smallest: int | None = None):
    """Score candidates against a target, after the steps that the measure's id names.

    Parameters
    ----------
    opened : Measure
        The measure.
    target : Target
        A region.
    candidates : Grams
        The layers.
    plan : resampling.Plan
        Resamples and permutations.
    smallest : int, optional
        The number of units that ``sample=matched`` stands for.

    Returns
    -------
    evaluation.Evaluation
        The scores; means over samples of units where the id asks for these.
    """
    targets = [target]
    if target.grams is not None and (opened.steps.sample or opened.steps.responses):
        targets = [
            dataclasses.replace(target, grams=sample, sources=None if opened.steps.sample else target.sources)
            for sample in steps.samples(opened, target.grams, smallest)
        ]
    return evaluation.average([_by_candidate(opened, one, candidates, plan) for one in targets])


def _by_candidate(opened, target, candidates, plan):
    """Score all candidates at once or, where the measure is void for one of them, the others."""
    try:
        return opened.evaluate(target, candidates, plan)
    except UserError:
        if len(candidates) == 1:
            raise
        found = []
        for k in range(len(candidates)):
            try:
                found.append(opened.evaluate(target, candidates[k : k + 1], plan))
            except UserError as error:
                # To the log of the job: the table says only that there is no score.
                print(f"warning: candidate {k + 1} of {len(candidates)} has no score: {error}", file=sys.stderr)
                found.append(None)
        if not any(found):
            raise
        return evaluation.concatenated(found)


def check(recording: xr.DataArray, opened: Measure, name: str, n_stimuli: int) -> None:
    """Refuse a measure that a recording can't support.

    Parameters
    ----------
    recording : DataArray
        The recording.
    opened : Measure
        The measure.
    name : str
        The id of the recording.
    n_stimuli : int
        Number of stimuli shared with the network.

    Raises
    ------
    UserError
        With the reason and a way out.
    """
    measure, metadata = opened.name, opened.info
    if representation.kind(recording) == "rdm":
        distance, published = parse(measure)[1].get("distance"), recording.attrs["distance"]
        known = f"choose an rsa-distance={published} measure"
        hint = known if published in DISTANCES else f"no measure compares {published} distances"
        if "rdm" not in metadata["accepts"]:
            raise UserError(
                f"measure '{measure}' needs responses, but recording '{name}' is only a "
                f"{published}-distance RDM; {hint}"
            )
        if distance != published:
            raise UserError(
                f"measure '{measure}' compares {distance} distances, but recording '{name}' holds {published} "
                f"distances; {hint}"
            )
        if opened.steps.responses or opened.steps.sample:
            raise UserError(
                f"measure '{measure}' acts on units, but recording '{name}' is only an RDM; leave out 'responses' "
                "and 'sample'"
            )
    elif metadata["repeats"] and not trials.repeated(recording, metadata["repeats"]):
        raise UserError(
            f"measure '{measure}' needs at least {metadata['repeats']} repeats of every stimulus; "
            f"recording '{name}' has fewer"
        )
    else:
        refusals.pooled_trials(opened, recording.attrs["simultaneous"], name)
        opened.require_response(str(recording.attrs["response"]))
    if n_stimuli < metadata["minimum_stimuli"]:
        raise UserError(
            f"measure '{measure}' needs at least {metadata['minimum_stimuli']} stimuli; "
            f"recording '{name}' has {n_stimuli}"
        )


def aligned_stimuli(recording: xr.DataArray, activations: xr.Dataset, name: str) -> np.ndarray:
    """Return the stimuli of a recording, after checking that the network has seen them.

    Their order depends on the recording alone: networks that saw them in different orders are still
    compared on the same resamples.

    Parameters
    ----------
    recording : DataArray
        The recording.
    activations : Dataset
        Gram matrices of the network.
    name : str
        The id of the recording.

    Returns
    -------
    array of str of shape (n_stimuli,)
        Stimulus ids, sorted.

    Raises
    ------
    UserError
        If the network has not seen a stimulus of the recording.
    """
    wanted = set(recording.coords["stimulus"].values.astype(str))
    seen = activations["stimulus"].values.astype(str)
    missing = sorted(wanted - set(seen))
    if missing:
        raise UserError(
            f"recording '{name}': the network has not seen {len(missing)} of its stimuli (first: '{missing[0]}'); "
            "extract its activations on the recording's own stimuli"
        )
    return np.array(sorted(wanted))


def regions(recording: xr.DataArray) -> list[tuple[str, xr.DataArray]]:
    """Split a recording by area, in the order of first appearance.

    Parameters
    ----------
    recording : DataArray
        The recording.

    Returns
    -------
    list of tuple of str and DataArray
        Areas and what belongs to them.
    """
    dim = "rdm" if representation.kind(recording) == "rdm" else "unit"
    areas = recording.coords["area"].values
    return [(str(area), recording.isel({dim: np.flatnonzero(areas == area)})) for area in dict.fromkeys(areas)]


def moments(recording: xr.DataArray) -> Iterator[tuple[str, float, xr.DataArray]]:
    """Split a recording by area, and by time where it has an axis of time.

    Parameters
    ----------
    recording : DataArray
        The recording.

    Yields
    ------
    tuple of str, float and DataArray
        Area, time in seconds (NaN without an axis of time), and what belongs to them.
    """
    for region, part in regions(recording):
        if "time" not in part.dims:
            yield region, np.nan, part
            continue
        for k, time in enumerate(part.coords["time"].values):
            yield region, float(time), part.isel(time=k, drop=True)


def target_of(region: xr.DataArray, stimuli: np.ndarray) -> Target:
    """Bring one region into the form in which candidates are compared with it.

    Parameters
    ----------
    region : DataArray
        One region of a recording.
    stimuli : array of str of shape (n_stimuli,)
        The order of the stimuli.

    Returns
    -------
    Target
        Each animal by itself and, where there are several, all together at the end: their mean RDM (sessions
        of an animal are averaged first), or all their units as one population.
    """
    if representation.kind(region) == "rdm":
        region = region.sel(stimulus=stimuli, other_stimulus=stimuli)
        animals = list(dict.fromkeys(region.coords["animal"].values.astype(str)))
        rdms = np.stack([region.values[region.coords["animal"].values == animal].mean(0) for animal in animals])
        if len(animals) == 1:
            return Target(tuple(animals), rdms=rdms)
        pooled = np.concatenate([rdms, rdms.mean(0, keepdims=True)])
        return Target((*animals, "mean RDM"), rdms=pooled, pooled=True)
    owner, session = (region.coords[name].values.astype(str) for name in ("animal", "session"))
    animals = list(dict.fromkeys(owner))
    everyone = trials.of_recording(region, stimuli)
    if len(animals) == 1:
        return Target(tuple(animals), grams=Grams.of_trials([everyone]), sources=((owner, session),))
    # Sessions of different animals are different ones, whatever they are called.
    session = np.char.add(np.char.add(owner, " "), session)
    members = [owner == animal for animal in animals]
    parts = [everyone.with_values(everyone.values[:, mine]) for mine in members]
    sources = ((owner[mine], session[mine]) for mine in [*members, np.full(len(owner), True)])
    return Target((*animals, "pooled"), grams=Grams.of_trials([*parts, everyone]), pooled=True, sources=tuple(sources))


def stacked(activations: xr.Dataset, stimuli: np.ndarray, *, units: bool = False) -> Grams:
    """Line up seeds and layers of a network as candidates, the layers running fastest.

    Parameters
    ----------
    activations : Dataset
        Gram matrices, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    stimuli : array of str of shape (n_stimuli,)
        The order of the stimuli.
    units : bool
        Whether single units are needed: then the layers are represented by their samples of units.

    Returns
    -------
    Grams
        With one representation for each seed and layer.
    """
    lined = activations.sel(stimulus=stimuli, other_stimulus=stimuli).stack(candidate=("seed", "layer"))
    if units:
        samples = lined["sample"].transpose("candidate", "stimulus", "sampled_unit").values
        return Grams.of([x[:, np.isfinite(x).all(0)] for x in samples])
    lined = lined.transpose("candidate", "stimulus", "other_stimulus", ...)
    return Grams(lined["gram"].values, lined["row_sum"].values, lined["n_units"].values)
