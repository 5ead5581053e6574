"""The verb *encode*: how much of every unit of a recording several bands of features explain, and which of them.

The bands are layers of networks and, where single trials are looked at, what else moves responses: behaviour,
slow drift, what was shown before. There are two levels:

means
    Responses are averaged over the trials of a stimulus; stimuli are left out. The trials tell how much of the
    variance of such means could be explained at all, and every share is also given relative to that.
trials
    Single trials. By default (``hold_out: both``) a model predicts the trials of stimuli it has never seen, in
    blocks it has never seen, so that neither a stimulus nor a stretch of time is on both sides.
"""

import zlib

import numpy as np
import xarray as xr

from neurocompare import encoding_rows, representation
from neurocompare.comparison import aligned_stimuli
from neurocompare.description.rows import matrix
from neurocompare.errors import UserError, unknown
from neurocompare.inference import continuous, resampling
from neurocompare.inference.trials import trial_index
from neurocompare.prediction import banded, designs, variance
from neurocompare.prediction.banded import Band
from neurocompare.similarity.trials import Trials

MINIMUM_STIMULI = 20
INNER_FOLDS = 5
DEFAULTS = {
    "folds": 5,
    "split": "random",
    "search": banded.SEARCH,
    "shuffles": 50,
    "gap": 10,
    "seed": 0,
    "nuisance": {},
    "weights": False,
}
"""What an entry need not say; ``hold_out`` is ``stimuli`` for means and ``both`` for trials."""

NULL_UNITS = {"means": 50, "trials": 20}
"""Units that are refitted under the null, at most, drawn once."""

_PLACES = ("depth", "plane", "x", "y", "z")
"""Coordinates of units that maps are drawn against."""


def encode(
    recording: xr.DataArray, grams: dict[str, xr.Dataset], entry: dict, *, name: str
) -> tuple[list[dict], xr.Dataset]:
    """Explain the units of a recording by several bands of features.

    Parameters
    ----------
    recording : DataArray
        Responses; over a time axis, spike counts are summed and everything else is averaged.
    grams : dict of str to Dataset
        Gram matrices of one instance of the network of each band that is a layer.
    entry : dict
        An entry of ``encodings.yaml``.
    name : str
        Its id.

    Returns
    -------
    rows : list of dict
        Rows of a table of encodings, without the digest of the code.
    details : Dataset
        For every unit its scores, shares, weightings and coordinates.

    Raises
    ------
    UserError
        If the recording lacks what the entry asks for; the message names the entry and the key.
    """
    entry = DEFAULTS | {"hold_out": {"means": "stimuli", "trials": "both"}[entry["level"]]} | entry
    try:
        _check(recording, entry)
        stimuli = _stimuli(recording, grams, entry)
        responses, index = matrix(recording), trial_index(recording, stimuli)
        trials = Trials(responses, index, recording.coords["block"].values, len(stimuli))
        known = _of_stimuli(grams, entry, stimuli)
        if entry["level"] == "means":
            bands, samples, shown = known, trials.mean(), np.arange(len(stimuli))
        else:
            bands, samples, shown = _of_trials(recording, known, index, entry), responses, index
        folds = _folds(entry, shown, trials.block)
    except UserError as error:
        raise UserError(f"config/encodings.yaml: {name}: {error}") from error
    chosen = {"seed": entry["seed"], "search": entry["search"]}
    found = variance.partition(bands, samples, folds, **chosen)
    resamples = _resamples(recording, entry, stimuli, shown)
    tested = _null_units(recording, NULL_UNITS[entry["level"]])
    null = None
    if len(resamples["orders"]) and entry["shuffles"]:
        timed = [name in entry["nuisance"] for name in ("all", *bands)]
        orders = [resamples["shifts" if one else "orders"] for one in timed]
        null = variance.null(bands, samples, found, folds, orders, tested, **chosen)
    explained = encoding_rows.Explained(
        entry=entry,
        bands=list(bands),
        n_features=_sizes(grams, bands, entry),
        partition=found,
        samples=samples,
        trials=trials,
        shown=shown,
        stretches=resamples["stretches"],
        stimulus_weights=resamples["weights"],
        stretch=resamples["length"],
        null=null,
        tested=tested,
    )
    rows = encoding_rows.rows(explained, recording, grams, name)
    details = encoding_rows.details(explained, recording, name, _PLACES)
    if entry["weights"]:
        inner = [(fold.train, fold.test) for fold in folds]
        tried = banded.weightings(len(bands), entry["search"], entry["seed"])
        dual, strength = banded.dual_weights(list(bands.values()), samples, inner, tried)
        details["dual"] = (("sample", "unit"), dual.astype(np.float32))
        details["strength"] = (("band", "unit"), strength)
        details = details.assign_coords(sample=stimuli[shown])
    return rows, details


def _check(recording: xr.DataArray, entry: dict) -> None:
    """Refuse what a recording can't support."""
    name = entry["recording"]
    if representation.kind(recording) == "rdm":
        raise UserError(f"recording: '{name}' is only a matrix of dissimilarities; an encoding needs responses")
    if entry["level"] == "trials" and not recording.attrs["simultaneous"]:
        raise UserError(
            f"level: trials of units that were not recorded together are not the same trials, and '{name}' declares "
            "simultaneous=false; use level: means"
        )


def _stimuli(recording: xr.DataArray, grams: dict[str, xr.Dataset], entry: dict) -> np.ndarray:
    """Names of the stimuli, sorted, all of them seen by the networks and enough of them."""
    stimuli = np.unique(recording.coords["stimulus"].values.astype(str))
    for activations in grams.values():
        stimuli = aligned_stimuli(recording, activations, entry["recording"])
    if entry["hold_out"] != "blocks" and len(stimuli) < MINIMUM_STIMULI:
        raise UserError(
            f"hold_out: stimuli are held out, and recording '{entry['recording']}' has {len(stimuli)}; this needs at "
            f"least {MINIMUM_STIMULI}"
        )
    return stimuli


def _of_stimuli(grams: dict[str, xr.Dataset], entry: dict, stimuli: np.ndarray) -> dict[str, Band]:
    """Features of stimuli, in as many dimensions as there are stimuli: all that matters of a layer."""
    found = {}
    for name, spec in entry["bands"].items():
        if spec == "identity":
            found[name] = Band(np.eye(len(stimuli)))
            continue
        layers = grams[name]["layer"].values.astype(str)
        if spec["layer"] not in layers:
            raise UserError(f"bands.{name}: {unknown('layer of ' + repr(spec['network']), spec['layer'], layers)}")
        gram = grams[name]["gram"].sel(layer=spec["layer"], stimulus=stimuli, other_stimulus=stimuli).values
        # Centring changes no prediction, as means are taken off in every fold, and keeps digits.
        gram = gram - gram.mean(0) - gram.mean(0)[:, None] + gram.mean()
        values, vectors = np.linalg.eigh(gram)
        kept = values > 1e-12 * max(values[-1], 0)
        if not kept.any():
            raise UserError(f"bands.{name}: layer '{spec['layer']}' responds alike to all stimuli; choose another one")
        found[name] = Band(vectors[:, kept] * np.sqrt(values[kept]))
    return found


def _of_trials(recording: xr.DataArray, known: dict[str, Band], index: np.ndarray, entry: dict) -> dict[str, Band]:
    """Features of presentations: of what was shown, then of what else there was."""
    block = recording.coords["block"].values
    found = {name: Band(band.features[index]) for name, band in known.items()}
    for name, spec in entry["nuisance"].items():
        try:
            if "coordinates" in spec:
                found[name] = Band(designs.behaviour(recording, spec["coordinates"]), standardised=True)
            elif "drift" in spec:
                found[name] = Band(designs.drift(block, spec["drift"], spec.get("within", "session")))
            else:
                shown = found[spec["history"]].features
                back = spec.get("back", 1)
                found[name] = Band(designs.history(shown, block, back))
                if _one_order(index, block, back):
                    raise UserError(
                        f"each stimulus always came {back} after the same other one, so the two can't be told apart; "
                        "if the recording does not hold the true order, leave this out"
                    )
        except UserError as error:
            raise UserError(f"nuisance.{name}: {error}") from error
    return found


def _one_order(index: np.ndarray, block: np.ndarray, back: int = 1) -> bool:
    """Tell whether what was shown before follows from what is shown."""
    same = block[back:] == block[:-back]
    pairs = np.unique(np.stack([index[back:][same], index[:-back][same]]), axis=1)
    return pairs.shape[1] == len(np.unique(pairs[0]))


def _folds(entry: dict, shown: np.ndarray, block: np.ndarray) -> list[banded.Fold]:
    """Hold out what the entry says."""
    return banded.crossed_folds(
        shown if entry["hold_out"] in ("stimuli", "both") else None,
        block if entry["hold_out"] in ("blocks", "both") else None,
        folds=entry["folds"],
        inner=INNER_FOLDS,
        gap=entry["gap"],
        consecutive=entry["split"] == "consecutive",
        seed=entry["seed"],
    )


def _resamples(recording: xr.DataArray, entry: dict, stimuli: np.ndarray, shown: np.ndarray) -> dict:
    """Draw shuffles and resamples, as far as the recording declares what may be exchanged.

    Of means, stimuli are shuffled. Of single trials, the series of trials is turned against itself, so that slow
    changes stay slow; bands that change with time are resampled in stretches of time as well. Where stimuli come
    round in one order, such a turn only gives each the place of another one, and trials are shuffled instead.
    """
    name, exchangeable, n, n_samples = entry["recording"], recording.attrs["exchangeable"], len(stimuli), len(shown)
    nothing = np.empty((0, n_samples), dtype=int)
    found = {"orders": nothing, "shifts": nothing, "weights": None, "stretches": None, "length": 0}
    means = entry["level"] == "means"
    if means and exchangeable in ("block", "shift"):
        raise UserError(
            f"recording '{name}' exchanges whole blocks only, which folds of stimuli would split; use level: trials "
            "with hold_out: blocks"
        )
    if exchangeable not in (("stimulus", "condition") if means else ("stimulus",)):
        return found
    try:
        plan = resampling.plan(name, n, exchangeable, permutations=entry["shuffles"], partitions=0)
    except UserError:
        # Too few stimuli to exchange: scores without a null or an interval are still scores.
        return found
    found["weights"] = plan.weights
    if means:
        return found | {"orders": plan.permutations}
    length = n_samples // continuous.LEAST_TURNS
    if length:
        rng = np.random.default_rng([zlib.crc32(name.encode()), n_samples])
        shifts = continuous.shifts(n_samples, length, entry["shuffles"], rng, name)
        found["stretches"] = continuous.moving_block_weights(n_samples, length, resampling.BOOTSTRAPS, rng, name)
        found |= {"length": length, "shifts": shifts, "orders": shifts}
        if _one_order(shown, recording.coords["block"].values):
            found["orders"] = rng.permuted(np.tile(np.arange(n_samples), (len(shifts), 1)), axis=1)
    return found


def _null_units(recording: xr.DataArray, most: int) -> np.ndarray:
    """Draw units to refit, equally many of each area and animal."""
    labels = np.char.add(recording.coords["area"].values.astype(str), recording.coords["animal"].values.astype(str))
    groups = np.unique(labels)
    each = max(5, most // len(groups))
    rng = np.random.default_rng(len(labels))
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(labels == group))[:each] for group in groups]))


def _sizes(grams: dict[str, xr.Dataset], bands: dict[str, Band], entry: dict) -> dict[str, int]:
    """Numbers of features: of a layer all its units."""
    of_layers = {
        name: int(activations["n_units"].sel(layer=entry["bands"][name]["layer"]))
        for name, activations in grams.items()
    }
    # What was shown before has the features of what is shown.
    earlier = {
        name: of_layers[spec["history"]] for name, spec in entry["nuisance"].items() if spec.get("history") in of_layers
    }
    return {name: band.features.shape[1] for name, band in bands.items()} | of_layers | earlier
