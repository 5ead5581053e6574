"""Rows of the table of encodings, and what figures of them are drawn from.

A row is a median over the units of an area in one animal, or in all of them. Its interval resamples stimuli;
that of a band that changes with time and not with the stimulus resamples stretches of time. It holds for
these units: neither units nor animals are resampled.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurocompare import tables
from neurocompare.comparison import regions
from neurocompare.description.rows import median, standard_interval
from neurocompare.encoding_entries import ALL, EXPLAINABLE, SHARED, VARIANCE
from neurocompare.inference import resampling
from neurocompare.prediction import unit_scores
from neurocompare.prediction.held_out import by_repeat
from neurocompare.prediction.variance import Partition, share
from neurocompare.similarity.trials import Trials

_SCORE_DRAWS = 200
_ONE = ("feve", "ccnorm", "r2er")
"""Scores that are one for a perfect model, whatever the noise."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What an encoding has found, and what it was found from.

    Attributes
    ----------
    entry : dict
        The entry of the catalogue, with its defaults.
    bands : list of str
        Their names; the first ones are of stimuli.
    n_features : dict of str to int
        By band.
    partition : Partition
        Of all units.
    samples : array of shape (n_samples, n_units)
        What was predicted: means or single trials.
    trials : Trials
        Single trials.
    shown : array of int of shape (n_samples,)
        The stimulus of each sample.
    stimulus_weights : array of shape (n_draws, n_stimuli) or None
        Resamples of the stimuli, if they may be resampled.
    stretches : array of shape (n_draws, n_samples) or None
        Resamples of stretches of time.
    stretch : int
        Samples in a stretch.
    null : dict of str to array, or None
        What `variance.null` returned.
    tested : array of int
        The units that it is of.
    """

    entry: dict
    bands: list[str]
    n_features: dict[str, int]
    partition: Partition
    samples: np.ndarray
    trials: Trials
    shown: np.ndarray
    stimulus_weights: np.ndarray | None
    stretches: np.ndarray | None
    stretch: int
    null: dict[str, np.ndarray] | None
    tested: np.ndarray

    @property
    def means(self) -> bool:
        """Whether means over trials were predicted."""
        return self.entry["level"] == "means"

    def by_stimulus(self, contributions: np.ndarray) -> np.ndarray:
        """Sum over the samples of each stimulus."""
        belongs = np.arange(self.trials.n_stimuli)[:, None] == self.shown
        return belongs.astype(float) @ contributions

    def predicted(self) -> np.ndarray:
        """Predictions of all bands, around the mean of what was predicted."""
        return self.partition.full.parts.sum(0) + self.samples.mean(0)

    def scores(self) -> dict[str, tuple]:
        """Scores that can be had, by name, each with the trials that it needs."""
        if not self.means:
            return {name: (function, None) for name, (function, needs, _) in unit_scores.SCORES.items() if not needs}
        cube = by_repeat(self.trials) if self.trials.repeated() else None
        return {
            name: (function, cube if needs else None)
            for name, (function, needs, _) in unit_scores.SCORES.items()
            if cube is not None or not needs
        }


@dataclass(frozen=True, eq=False)
class _Quantity:
    """One quantity of every unit, with its resamples and its null."""

    band: str
    quantity: str
    of: str
    values: np.ndarray
    draws: np.ndarray | None = None
    resampled: str = ""
    null: np.ndarray | None = None
    ceiling: np.ndarray | None = None
    ceiling_kind: str = "none"


def rows(found: Explained, recording: xr.DataArray, grams: dict[str, xr.Dataset], name: str) -> list[dict]:
    """Make the rows of an encoding.

    Parameters
    ----------
    found : Explained
        What was found.
    recording : DataArray
        The recording.
    grams : dict of str to Dataset
        The layers of the bands.
    name : str
        The id of the encoding.

    Returns
    -------
    list of dict
        For each area and animal, and for all animals together where there are several, without the digest of the code.
    """
    entry = found.entry
    keys = ("level", "hold_out", "split", "folds", "seed")
    checksums = {band: str(activations.attrs["weights_sha256"]) for band, activations in grams.items()}
    everything = tables.combined_sha256(checksums) if checksums else ""
    common = {
        "encoding": name,
        "recording": entry["recording"],
        "condition": ";".join(f"{key}={entry[key]}" for key in keys),
        "n_stimuli": found.trials.n_stimuli,
        "n_trials": len(found.trials.values),
        "data_sha256": tables.combined_sha256(recording.attrs["sha256"]),
    }
    groups = list(_groups(recording))
    made = []
    for one in _quantities(found):
        of_band = found.n_features.get(one.band, sum(found.n_features.values()))
        weights = everything if one.band in (ALL, SHARED) else checksums.get(one.band, "")
        labels = {"band": one.band, "kind": _kind(found, one.band), "quantity": one.quantity, "of": one.of}
        for region, animal, members in groups:
            row = (
                common
                | {"region": region, "animal": animal}
                | labels
                | _summary(one, members, found.tested, found.trials.n_stimuli)
            )
            made.append(row | {"n_features": of_band, "weights_sha256": weights})
    # The quantities of one group belong together.
    order = {(region, animal): k for k, (region, animal, _) in enumerate(groups)}
    return sorted(made, key=lambda row: order[row["region"], row["animal"]])


def details(found: Explained, recording: xr.DataArray, name: str, places: tuple[str, ...]) -> xr.Dataset:
    """Keep what was found of every unit.

    Parameters
    ----------
    found : Explained
        What was found.
    recording : DataArray
        The recording.
    name : str
        The id of the encoding.
    places : tuple of str
        Coordinates of units that are kept, beside their names, where they exist.

    Returns
    -------
    Dataset
        ``scores`` (score, unit); the shares ``total``, ``explainable``, ``shared`` (unit), ``product`` and ``unique``
        (band, unit), of all variance; the weightings ``weight`` (band, unit; mean over folds) and ``penalty`` (unit;
        geometric mean over folds).
    """
    part = found.partition
    scores = found.scores()
    values = [_score(function, found.predicted(), found.samples, cube) for function, cube in scores.values()]
    total, unique = share(part.total, part.size), np.stack([share(u, part.size) for u in part.unique])
    variables = {
        "scores": (("score", "unit"), np.stack(values)),
        "total": ("unit", total),
        "explainable": ("unit", _explainable_fraction(found)),
        "shared": ("unit", total - unique.sum(0)),
        "product": (("band", "unit"), np.stack([share(p, part.size) for p in part.product])),
        "unique": (("band", "unit"), unique),
        "weight": (("band", "unit"), part.full.weights.mean(0)),
        "penalty": ("unit", np.exp(np.log(part.full.penalties).mean(0))),
    }
    kept = [c for c in ("unit_id", "area", "animal", "session", *places) if c in recording.coords]
    coords = {c: ("unit", recording.coords[c].values) for c in kept if recording.coords[c].dims == ("unit",)}
    coords |= {"band": found.bands, "score": list(scores)}
    coords["kind"] = ("band", [_kind(found, band) for band in found.bands])
    attributes = {"encoding": name, "recording": found.entry["recording"], "level": found.entry["level"]}
    attributes |= {"n_stimuli": found.trials.n_stimuli, "n_trials": len(found.trials.values)}
    return xr.Dataset(variables, coords=coords, attrs=attributes)


def _kind(found: Explained, band: str) -> str:
    if band in (ALL, SHARED):
        return "together"
    return "nuisance" if band in found.entry["nuisance"] else "stimulus"


def _groups(recording: xr.DataArray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Areas, each with its animals and, where there are several, with all of them."""
    areas, animals = (recording.coords[c].values.astype(str) for c in ("area", "animal"))
    for region, part in regions(recording):
        owners = list(dict.fromkeys(part.coords["animal"].values.astype(str)))
        for animal in owners:
            yield region, animal, np.flatnonzero((areas == region) & (animals == animal))
        if len(owners) > 1:
            yield region, "pooled", np.flatnonzero(areas == region)


def _quantities(found: Explained) -> Iterator[_Quantity]:
    """All that a table of encodings says."""
    part, fraction = found.partition, _explainable_fraction(found)
    signal = _signal(found)
    weights = found.stimulus_weights
    whole = found.by_stimulus(part.size)
    for name, (function, cube) in found.scores().items():
        values = _score(function, found.predicted(), found.samples, cube)
        draws, resampled = (None, "") if name == "r2" else _score_draws(found, function, cube)
        null = None
        if name == "r2":
            draws, resampled = _share_draws(found, part.total, part.size, timed=False)
            null = None if found.null is None else found.null["total"]
        ceiling = None
        if found.means and np.isfinite(fraction).any():
            best = {"pearson": np.sqrt(fraction.clip(0)), "r2": fraction}
            ceiling = np.ones_like(fraction) if name in _ONE else best.get(name)
        kind = "none" if ceiling is None else "corrected" if name in _ONE else "estimate (trials)"
        yield _Quantity(ALL, name, VARIANCE if name == "r2" else "", values, draws, resampled, null, ceiling, kind)
    draws = None if weights is None else share(signal, whole, weights)
    yield _Quantity(ALL, "explainable", VARIANCE, fraction, draws, "" if weights is None else "stimuli")
    shares = [
        # The product measure of a useless band that goes with a useful one is not zero: only unique shares are tested.
        (
            band,
            quantity,
            getattr(part, quantity)[k],
            found.null["unique"][:, k] if quantity == "unique" and found.null else None,
        )
        for quantity in ("product", "unique")
        for k, band in enumerate(found.bands)
    ]
    shares.append((SHARED, "shared", part.total - part.unique.sum(0), None))
    for band, quantity, contributions, null in shares:
        nuisance = _kind(found, band) == "nuisance"
        draws, resampled = _share_draws(found, contributions, part.size, timed=nuisance)
        ceiling = fraction if found.means or _kind(found, band) == "stimulus" else None
        kind = "none" if ceiling is None or not np.isfinite(ceiling).any() else "estimate (trials)"
        values = share(contributions, part.size)
        yield _Quantity(band, quantity, VARIANCE, values, draws, resampled, null, ceiling, kind)
    if not found.means:
        return
    shares.append((ALL, "r2", part.total, None if found.null is None else found.null["total"]))
    for band, quantity, contributions, null in shares:
        summed = found.by_stimulus(contributions)
        draws = None if weights is None else share(summed, signal, weights)
        scaled = None if null is None else null / np.where(fraction > 0, fraction, np.nan)[found.tested]
        values = share(summed, signal)
        one, word = np.ones_like(fraction), "" if weights is None else "stimuli"
        yield _Quantity(band, quantity, EXPLAINABLE, values, draws, word, scaled, one, "corrected")


def _summary(one: _Quantity, members: np.ndarray, tested: np.ndarray, n_stimuli: int) -> dict:
    """Columns of a row: the median over some units."""
    value = median(one.values[members])
    low = high = null_mean = null_high = p = ceiling = np.nan
    count = 0
    if one.draws is not None and np.isfinite(value):
        draws = _medians(one.draws[:, members])
        low, high = map(float, resampling.interval(draws))
        if one.quantity in _ONE and np.isfinite(low):
            # Copies of a stimulus pass for signal, which shifts percentiles.
            low, high = standard_interval(value, draws[np.isfinite(draws)], n_stimuli)
    mine = np.isin(tested, members)
    if one.null is not None and mine.any() and np.isfinite(value):
        null = _medians(one.null[:, mine])
        if np.isfinite(null).all():
            count, null_mean, null_high = len(null), float(null.mean()), float(np.quantile(null, 0.95))
            p = float(resampling.p_value(np.array(value), null))
    if one.ceiling is not None:
        ceiling = median(one.ceiling[members])
    missing = [
        word
        for word, number in (("no_null", null_mean), ("no_interval", low), ("no_ceiling", ceiling))
        if np.isnan(number)
    ]
    return {
        "value": value,
        "ceiling_low": ceiling,
        "ceiling_high": ceiling,
        "ceiling_kind": "none" if np.isnan(ceiling) else one.ceiling_kind,
        "null_mean": null_mean,
        "null_high": null_high,
        "ci_low": low,
        "ci_high": high,
        "resampled": one.resampled if np.isfinite(low) else "",
        "p_value": p,
        "n_null": count,
        "n_units": len(members),
        "n_undefined": int((~np.isfinite(one.values[members])).sum()),
        "status": "undefined" if np.isnan(value) else ";".join(missing) or "ok",
    }


def _medians(draws: np.ndarray) -> np.ndarray:
    """Medians over the units that are defined in a draw."""
    return np.array([median(draw) for draw in draws])


def _share_draws(found: Explained, contributions: np.ndarray, size: np.ndarray, *, timed: bool):
    """Resample a share, and say what was resampled."""
    if timed and found.stretches is not None:
        return share(contributions, size, found.stretches), f"stretches of {found.stretch} presentations"
    if timed or found.stimulus_weights is None:
        return None, ""
    return share(found.by_stimulus(contributions), found.by_stimulus(size), found.stimulus_weights), "stimuli"


def _score(function, predicted, observed, cube) -> np.ndarray:
    return function(predicted, observed if cube is None else cube)


def _score_draws(found: Explained, function, cube) -> tuple[np.ndarray | None, str]:
    """Resample a score by repeating stimuli with all their samples."""
    if found.stimulus_weights is None:
        return None, ""
    predicted, draws = found.predicted(), []
    for weights in found.stimulus_weights[:_SCORE_DRAWS]:
        index = np.repeat(np.arange(len(predicted)), weights[found.shown].astype(int))
        trials = None if cube is None else cube[:, index]
        draws.append(_score(function, predicted[index], found.samples[index], trials))
    return np.stack(draws), "stimuli"


def _signal(found: Explained) -> np.ndarray:
    """What could be explained of each stimulus (n_stimuli, n_units): squared deviations, less those of noise.

    Sums over stimuli are unbiased: of means over R trials, noise adds s²/R to the squared deviation of each, less
    the part that is in the mean over stimuli. NaN if a stimulus was shown once.
    """
    trials = found.trials
    if not trials.repeated():
        return np.full((trials.n_stimuli, trials.values.shape[1]), np.nan)
    counts = trials.counts()[:, None]
    means = trials.mean()
    n = trials.n_stimuli
    if n > 1 and counts.min() == counts.max():
        # A drift that all stimuli share from repeat to repeat is no noise of their differences; see `moments`.
        rest = by_repeat(trials) - means
        squares = ((rest - rest.mean(1, keepdims=True)) ** 2).mean(0) * n / (n - 1)
    else:
        squares = trials.with_values((trials.values - means[trials.stimulus]) ** 2).mean()
    noise = squares * counts / (counts - 1)
    if found.means:
        signal = (means - means.mean(0)) ** 2 - noise / counts * (1 - 1 / len(counts))
    else:
        signal = counts * (means - trials.values.mean(0)) ** 2 - noise * (1 - counts / counts.sum())
    # Of a unit that never changes, only rounding would be left.
    changes = ((trials.values - trials.values.mean(0)) ** 2).sum(0) > 1e-24 * (trials.values**2).sum(0)
    return np.where(changes, signal, np.nan)


def _explainable_fraction(found: Explained) -> np.ndarray:
    """Share of the variance of each unit that a perfect model of the stimuli would explain."""
    return share(_signal(found), found.by_stimulus(found.partition.size))
