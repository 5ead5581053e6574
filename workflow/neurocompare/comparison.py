"""The verb *compare*: one recording with all layers and seeds of one network, by one measure.

Each score leaves with its noise ceiling, the null of shuffled stimuli and a bootstrap interval over
stimuli. The row whose layer is ``selected`` is the score of the network as a whole: the best layer is
chosen on one half of the stimuli and scored on the other, so that a network with many layers has no
advantage over one with few.
"""

import numpy as np
import xarray as xr

from neurocompare import representation, similarity, tables
from neurocompare.errors import UserError
from neurocompare.identifiers import parse
from neurocompare.inference import resampling, trials
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.distances import DISTANCES
from neurocompare.similarity.evaluation import Evaluation, Target

SPLITS = 20
"""Random halves of the trials, over which ceilings are averaged."""


def compare(
    recording: xr.DataArray, activations: xr.Dataset, measure: str, *, name: str, network: str
) -> tuple[list[dict], xr.Dataset]:
    """Score all layers and seeds of a network against every region of a recording.

    Parameters
    ----------
    recording : DataArray
        A representation, as `neurocompare.representation` defines it.
    activations : Dataset
        Gram matrices of a network, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    measure : str
        A measure id.
    name : str
        The id of the recording: it seeds the resamples.
    network : str
        The id of the network.

    Returns
    -------
    rows : list of dict
        Rows of a table of scores, without the digests of code and weights.
    draws : Dataset
        Bootstrap draws of the ``selected`` score, with dims ``region``, ``seed``, ``draw``.

    Raises
    ------
    UserError
        If the measure can't be had for this recording; the message says why.
    """
    module = similarity.load(measure)
    metadata, options = module.MEASURES[measure], parse(measure)[1]
    stimuli = aligned_stimuli(recording, activations, name)
    check(recording, metadata, measure, name, len(stimuli))
    plan = resampling.plan(
        name,
        len(stimuli),
        recording.attrs["exchangeable"],
        permutations=getattr(module, "PERMUTATIONS", resampling.PERMUTATIONS),
    )
    candidates = stacked(activations, stimuli)
    rows, draws = [], []
    for region, part in regions(recording):
        target = target_of(part, stimuli)
        evaluation = module.evaluate(target, candidates, options, plan)
        chosen = selected(evaluation, target, (activations.sizes["seed"], activations.sizes["layer"]))
        common = {
            "recording": name,
            "region": region,
            "network": network,
            "measure": measure,
            "n_stimuli": len(stimuli),
            "data_sha256": tables.combined_sha256(recording.attrs["sha256"]),
        }
        rows += _rows(evaluation, target, chosen, part, activations, common)
        draws.append(chosen)
    names = [region for region, _ in regions(recording)]
    coords = {"region": names, "seed": activations["seed"].values}
    return rows, xr.Dataset(
        {
            "value": (("region", "seed"), np.stack([d[:, 0] for d in draws])),
            "draws": (("region", "seed", "draw"), np.stack([d[:, 1:] for d in draws])),
        },
        coords=coords,
        attrs={"recording": name, "network": network, "measure": measure, "n_stimuli": len(stimuli)},
    )


def check(recording: xr.DataArray, metadata: dict, measure: str, name: str, n_stimuli: int) -> None:
    """Refuse a measure that a recording can't support.

    Parameters
    ----------
    recording : DataArray
        The recording.
    metadata : dict
        What the measure requires.
    measure : str
        Its id.
    name : str
        The id of the recording.
    n_stimuli : int
        Number of stimuli shared with the network.

    Raises
    ------
    UserError
        With the reason and a way out.
    """
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
    if metadata["repeats"] and not trials.repeated(recording):
        raise UserError(
            f"measure '{measure}' needs at least two repeats of every stimulus; recording '{name}' has none"
        )
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
        Sessions of an animal averaged, and, where there are several animals, their mean RDM at the end;
        or responses averaged over trials, with halves.
    """
    if representation.kind(region) == "rdm":
        region = region.sel(stimulus=stimuli, other_stimulus=stimuli)
        animals = list(dict.fromkeys(region.coords["animal"].values.astype(str)))
        rdms = np.stack([region.values[region.coords["animal"].values == animal].mean(0) for animal in animals])
        if len(animals) == 1:
            return Target(tuple(animals), rdms=rdms)
        pooled = np.concatenate([rdms, rdms.mean(0, keepdims=True)])
        return Target((*animals, "mean RDM"), rdms=pooled, pooled=True)
    animals = list(dict.fromkeys(region.coords["animal"].values.astype(str)))
    halves = trials.halves(region, stimuli, splits=SPLITS)[:, :, None] if trials.repeated(region) else None
    # Units of several animals are one population here, not several scores to be averaged.
    label = animals[0] if len(animals) == 1 else "pooled"
    return Target((label,), responses=trials.mean(region, stimuli)[None], halves=halves)


def stacked(activations: xr.Dataset, stimuli: np.ndarray) -> Grams:
    """Line up seeds and layers of a network as candidates, the layers running fastest.

    Parameters
    ----------
    activations : Dataset
        Gram matrices, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    stimuli : array of str of shape (n_stimuli,)
        The order of the stimuli.

    Returns
    -------
    Grams
        With one representation for each seed and layer.
    """
    lined = activations.sel(stimulus=stimuli, other_stimulus=stimuli).stack(candidate=("seed", "layer"))
    lined = lined.transpose("candidate", "stimulus", "other_stimulus")
    return Grams(lined["gram"].values, lined["row_sum"].values, lined["n_units"].values)


def selected(evaluation: Evaluation, target: Target, shape: tuple[int, int]) -> np.ndarray:
    """Score a network by the layer that is best on other stimuli.

    Parameters
    ----------
    evaluation : Evaluation
        Scores of all seeds and layers on halves of the stimuli.
    target : Target
        What was scored; its animals are averaged, without their mean RDM.
    shape : tuple of int
        Numbers of seeds and layers.

    Returns
    -------
    array of shape (n_seeds, 1 + n_draws)
        The score, then its bootstrap draws, all averaged over the partitions; NaN if there are none, or no
        layer has a score.
    """
    animals = slice(0, -1) if target.pooled else slice(None)
    picked = []
    for scored, chooser in zip(evaluation.halves, evaluation.choosers or evaluation.halves, strict=True):
        a, b, choose_a, choose_b = (half[:, animals].mean(1).reshape(-1, *shape) for half in (*scored, *chooser))
        picked.append((_pick(choose_a, b) + _pick(choose_b, a)) / 2)
    return np.mean(picked, axis=0).T if picked else np.full((shape[0], 1), np.nan)


def _pick(chooser: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Take along layers the scores where the other half was best; undefined scores are never best."""
    best = np.where(np.isfinite(chooser), chooser, -np.inf).argmax(2)
    picked = np.take_along_axis(scored, best[:, :, None], axis=2)[:, :, 0]
    return np.where(np.isfinite(chooser).any(2), picked, np.nan)


def _rows(evaluation, target, chosen, part, activations, common) -> list[dict]:
    seeds, layers = activations["seed"].values, activations["layer"].values.astype(str)
    units = activations["n_units"].transpose("seed", "layer").values
    recorded = _sizes(part)
    rows = []
    series = {animal: ([t], recorded(animal)) for t, animal in enumerate(target.animals)}
    if target.pooled:
        members = list(range(len(target.animals) - 1))
        series = {"all": (members, recorded("all"))} | series
    for animal, (members, size) in series.items():
        value = evaluation.value[members].mean(0)
        draws = evaluation.draws[:, members].mean(1)
        low, high = resampling.interval(draws)
        dropped = np.where(np.isfinite(value), (~np.isfinite(draws)).sum(0), 0)
        null = evaluation.null[:, members].mean(1)
        p = resampling.p_value(value, null)
        null_high = np.quantile(null, 0.95, axis=0)
        ceiling = evaluation.ceiling_low[members].mean(), evaluation.ceiling_high[members].mean()
        unscored = np.zeros_like(value, dtype=int)
        if evaluation.undefined_units is not None:
            unscored = evaluation.undefined_units[members].sum(0)
        for k, (seed, layer) in enumerate((s, name) for s in seeds for name in layers):
            rows.append(
                common
                | {
                    "animal": animal,
                    "seed": seed,
                    "layer": layer,
                    "value": value[k],
                    "ceiling_low": ceiling[0],
                    "ceiling_high": ceiling[1],
                    "null_mean": null[:, k].mean(),
                    "null_high": null_high[k],
                    "ci_low": low[k],
                    "ci_high": high[k],
                    "p_value": p[k],
                    "n_features": units.ravel()[k],
                    "status": _status(target, animal, value[k], ceiling, low[k], null_high[k])
                    + _counted(undefined_units=unscored[k], undefined_resamples=dropped[k]),
                }
                | size
            )
    first = next(iter(series))
    low, high = resampling.interval(chosen[:, 1:].T) if chosen.shape[1] > 1 else (np.full(len(seeds), np.nan),) * 2
    whole = next(row for row in rows if row["animal"] == first)
    for s, seed in enumerate(seeds):
        if np.isfinite(chosen[s, 0]):
            status = ["selected_on_held_out_stimuli"] + ["interval_undefined"] * (not np.isfinite(low[s]))
            status[-1] += _counted(undefined_resamples=(~np.isfinite(chosen[s, 1:])).sum())
        else:
            status = ["undefined" if evaluation.halves else "too_few_stimuli_to_select"]
        rows.append(
            whole
            | {
                "seed": seed,
                "layer": "selected",
                "value": chosen[s, 0],
                # The ceiling is that of a score on all stimuli, and this is one on half of them.
                "ceiling_low": np.nan,
                "ceiling_high": np.nan,
                "null_mean": np.nan,
                "null_high": np.nan,
                "ci_low": low[s],
                "ci_high": high[s],
                "p_value": np.nan,
                "n_features": np.nan,
                "status": ";".join(status),
            }
        )
    return rows


def _status(target: Target, animal: str, value: float, ceiling: tuple, low: float, null: float) -> str:
    """Give all reasons for what a row lacks, or ok."""
    return ";".join(_missing(target, animal, ceiling, low, null) or ["ok"]) if np.isfinite(value) else "undefined"


def _counted(**counts: int) -> str:
    """Name what was left out, and how often."""
    return "".join(f";{name}={count}" for name, count in counts.items() if count)


def _missing(target: Target, animal: str, ceiling: tuple, low: float, null: float) -> list[str]:
    """Why there is no ceiling, no interval or no null."""
    reasons = []
    if not np.isfinite(ceiling).all():
        if target.rdms is not None:
            reasons.append("mean_rdm" if animal == "mean RDM" else "single_rdm")
        else:
            reasons.append("no_repeats" if target.halves is None else "ceiling_undefined")
    reasons += ["interval_undefined"] * (not np.isfinite(low))
    return reasons + ["null_undefined"] * (not np.isfinite(null))


def _sizes(part: xr.DataArray):
    """A function from the label of an animal to numbers of units and of trials."""
    if representation.kind(part) == "responses":
        size = {"n_units": part.sizes["unit"], "n_trials": part.sizes["presentation"]}
        return lambda animal: size
    units = part.coords["n_units"].values if "n_units" in part.coords else np.full(part.sizes["rdm"], np.nan)
    animals = part.coords["animal"].values.astype(str)

    def size_of(animal: str) -> dict:
        # Trials of a published RDM are not known: its number of RDMs (sessions) stands for them.
        mine = np.isin(animals, [animal]) if animal in animals else np.full(len(animals), True)
        return {"n_units": units[mine].max(), "n_trials": int(mine.sum())}

    return size_of
