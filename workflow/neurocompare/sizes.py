"""The verb *vary sizes*: scores on some of the units, and on some of the stimuli, of a recording.

Few units and few stimuli bias most measures: a recording holds a sample of a population, and the self-term of a
sample is too large (Chun et al. 2025, arXiv:2502.15104). A score that still changes between half of the units
and all of them is a score of this number of units. Areas with other numbers of units are compared at the
sizes that they have in common.
"""

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from neurocompare import comparison, similarity, tables
from neurocompare.errors import UserError
from neurocompare.similarity import ceilings, steps, subsets
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.controlled import with_control
from neurocompare.similarity.embedded import Embedded, Kernel
from neurocompare.similarity.evaluation import participation_ratio
from neurocompare.similarity.measure import Measure, Reduced

FEWEST, MOST = 20, 50
"""Subsets of each size: the most for measures of matrices of stimuli, fewer for those that cost more."""

CEILINGS = 5
"""Subsets whose noise ceiling is taken, and halves of the trials that each bracket is taken from."""

_CELLS = 2_000_000
"""Cells of matrices of stimuli that are held at a time (16 MB)."""


def vary(
    recording: xr.DataArray,
    activations: xr.Dataset,
    measure: str,
    *,
    name: str,
    network: str,
    control: xr.Dataset | None = None,
) -> list[dict]:
    """Score all layers and seeds of a network on subsets of the units and of the stimuli of a recording.

    Parameters
    ----------
    recording : DataArray
        A representation without an axis of time. The units of all animals are one population, and of published
        RDMs the mean over animals is taken, which has no units to choose from.
    activations : Dataset
        Gram matrices of a network, with dims ``seed``, ``layer``, ``stimulus``, ``other_stimulus``.
    measure : str
        A measure id.
    name : str
        The id of the recording: it seeds the subsets, which are the same for all networks and measures.
    network : str
        The id of the network.
    control : Dataset, optional
        Gram matrices of the network that a measure with ``-partial=…`` controls for; all its layers are.

    Returns
    -------
    list of dict
        Rows of a table of sizes, without the digests of code and weights.

    Raises
    ------
    UserError
        If the measure can't be had for this recording, or has sizes of its own; the message says why.
    """
    opened = similarity.load(measure)
    if opened.steps.sample:
        raise UserError(
            f"measure '{measure}': the figure 'sizes' samples units itself; leave out 'sample' from the measure, or "
            "the figure from the study"
        )
    if "time" in recording.dims:
        raise UserError(
            f"recording '{name}' has an axis of time: leave out its option 'bin_width', or the figure 'sizes' from the "
            "study"
        )
    stimuli = comparison.aligned_stimuli(recording, activations, name)
    comparison.check(recording, opened, name, len(stimuli))
    if control is not None:
        comparison.aligned_stimuli(recording, control, name)
    opened = with_control(opened, None if control is None else comparison.stacked(control, stimuli))
    candidates = comparison.stacked(activations, stimuli, units=opened.info["units"])
    x, scored = _candidates(opened, candidates)
    rows = []
    for region, part in comparison.regions(recording):
        series = Series(opened, x, comparison.target_of(part, stimuli), region, name)
        common = {"recording": name, "region": region, "animal": series.target.animals[-1]}
        common |= {"network": network, "measure": measure}
        common |= {"data_sha256": tables.combined_sha256(recording.attrs["sha256"])}
        for axis, size, point in series.points():
            values = np.full((len(point.values), len(candidates)), np.nan)
            values[:, scored] = point.values
            counts = {f"n_{kind}": size if kind == axis else total for kind, total in series.total.items()}
            found = _rows(series, values, point, activations, whole=size == series.total[axis])
            rows += [common | {"axis": axis, "size": size} | counts | row for row in found]
    return rows


class Point(NamedTuple):
    """Scores of one size.

    Attributes
    ----------
    values : array of shape (n_subsets, n_candidates)
        The scores.
    dimensionality : float
        Mean participation ratio of the subsets; NaN of an RDM.
    ceiling : ceilings.Ceiling
        Mean noise ceiling of the first subsets.
    """

    values: np.ndarray
    dimensionality: float
    ceiling: ceilings.Ceiling


class Series:
    """Scores of all candidates with one region, at all sizes.

    Parameters
    ----------
    measure : Measure
        The measure.
    x : Reduced
        The candidates.
    target : evaluation.Target
        The region; its last label is taken, all animals together.
    region : str
        What it is called.
    name : str
        The id of the recording.

    Attributes
    ----------
    y : Reduced
        The region.
    total : dict of str to int
        How many units and stimuli there are; units NaN where only an RDM is known.
    """

    def __init__(self, measure: Measure, x: Reduced, target, region: str, name: str):
        self.measure, self.x, self.region, self.name, self.target = measure, x, region, name, target
        # Means over five subsets need fewer halves of the trials.
        self._quick = copy.copy(measure)
        self._quick.splits = min(measure.splits, CEILINGS)
        self._memory: dict = {}
        if target.rdms is not None:
            self.y = Reduced([Kernel(target.rdms[-1])])
            self.total = {"units": np.nan, "stimuli": len(target.rdms[-1])}
        else:
            grams = steps.normalised(measure, target.grams[len(target.grams) - 1 :])
            self.y = measure.reduced(grams)
            self.total = {"units": int(grams.n_units[0]), "stimuli": grams.gram.shape[1]}

    def points(self) -> Iterator[tuple[str, int, Point]]:
        """Score at all sizes.

        Yields
        ------
        axis : {"units", "stimuli"}
            What was chosen.
        size : int
            How many.
        point : Point
            The scores.

        Raises
        ------
        UserError
            If the measure is void for all candidates on the whole recording.
        """
        whole = Point(
            _each(lambda x: self.measure.scores(x, self.y), self.x),
            np.nan if self.y.grams is None else float(participation_ratio(self.y.grams.gram)[0]),
            self._ceiling([(self.measure, self.y)]),
        )
        # What a measure can afford is in its attribute; one that is no product of matrices takes longer.
        slow = not isinstance(self.measure, Embedded)
        count = min(max(self.measure.resamples // (25 if slow else 10), FEWEST), MOST)
        minimum = {"units": 0, "stimuli": self.measure.info["minimum_stimuli"]}
        for axis, score in (("units", self._on_units), ("stimuli", self._on_stimuli)):
            n = self.total[axis]
            if axis == "units" and self.y.grams is None:
                continue
            for size in subsets.grid(axis, n, minimum[axis], coarse=slow):
                chosen = subsets.draw(axis, self.name, self.region, n, size, count)
                yield axis, size, whole if size == n else score(chosen)

    def _on_units(self, chosen: list[np.ndarray]) -> Point:
        # Halves of the trials of a target are held as well.
        step = max(1, _CELLS // self.total["stimuli"] ** 2 // (40 if getattr(self.measure, "cross_half", False) else 1))
        values, ratios = zip(*(self._samples(chosen[k : k + step]) for k in range(0, len(chosen), step)), strict=True)
        few = [(self._quick, self._reduced([units])[0]) for units in chosen[:CEILINGS]]
        return Point(np.concatenate(values), _mean(np.concatenate(ratios)), self._ceiling(few))

    def _on_stimuli(self, chosen: list[np.ndarray]) -> Point:
        values = np.concatenate([self._some_stimuli(stimuli) for stimuli in chosen])
        if self.y.grams is None:
            return Point(values, np.nan, ceilings.NONE)
        few = [(self._quick.on(stimuli), self.y.grams.take(stimuli)) for stimuli in chosen[:CEILINGS]]
        ratios = [participation_ratio(self.y.grams.gram[:, some[:, None], some])[0] for some in chosen]
        return Point(values, _mean(ratios), self._ceiling(few))

    def _samples(self, chosen):
        """Scores with several samples of units; where one of them is void, with each by itself."""
        y, dimensionality = self._reduced(chosen)
        try:
            if y is not None:
                return _each(lambda x: self.measure.scores(x, y), self.x), dimensionality
        except UserError:
            pass
        if len(chosen) == 1:
            return np.full((1, len(self.x)), np.nan), dimensionality
        return tuple(map(np.concatenate, zip(*(self._samples([units]) for units in chosen), strict=True)))

    def _reduced(self, chosen):
        grams = subsets.of_units(self.y.grams, chosen, self._memory)
        dimensionality = participation_ratio(grams.gram)
        try:
            return self.measure.reduced(grams), dimensionality
        except UserError:
            return None, dimensionality

    def _some_stimuli(self, stimuli):
        """Scores on some stimuli, a row."""

        def scores(x):
            return self.measure.scores_of(x, self.y, stimuli)

        try:
            found = _each(scores, self.x)
        except UserError:
            return np.full((1, len(self.x)), np.nan)
        if np.isnan(found).all() and not isinstance(self.measure, Embedded):
            # All are NaN where the measure is void for one.
            found = np.concatenate([scores(self.x[k : k + 1]) for k in range(len(self.x))], axis=1)
        return found

    def _ceiling(self, parts: list[tuple[Measure, Reduced | Grams | None]]) -> ceilings.Ceiling:
        """The mean ceiling of parts of the recording, each by a measure; NaN where one of them has none."""
        if self.y.grams is None or any(part is None for _, part in parts):
            return ceilings.NONE
        try:
            reduced = [(m, m.reduced(part) if isinstance(part, Grams) else part) for m, part in parts]
            return ceilings.average([measure.trial_ceiling(part) for measure, part in reduced])
        except UserError:
            return ceilings.NONE


def _candidates(measure: Measure, candidates: Grams) -> tuple[Reduced, list[int]]:
    """Reduce those candidates for which the measure is not void, and say which these are."""
    try:
        return measure.reduced(candidates), list(range(len(candidates)))
    except UserError as reason:
        parts, which = [], []
        for k in range(len(candidates)):
            try:
                parts += measure.reduced(candidates[k : k + 1]).parts
                which.append(k)
            except UserError:
                continue
        if not which:
            raise reason from None
        return Reduced(parts, candidates[which]), which


def _each(score: Callable[[Reduced], np.ndarray], x: Reduced) -> np.ndarray:
    """Score all candidates at once or, where the measure is void for one of them, the others."""
    try:
        return score(x)
    except UserError as reason:
        found: list = [None] * len(x)
        for k in range(len(x) if len(x) > 1 else 0):
            try:
                found[k] = score(x[k : k + 1])
            except UserError:
                continue
        first = next((one for one in found if one is not None), None)
        if first is None:
            raise reason from None
        return np.concatenate([np.full_like(first, np.nan) if one is None else one for one in found], axis=-1)


def _rows(series: Series, values: np.ndarray, point: Point, activations: xr.Dataset, *, whole: bool) -> list[dict]:
    """Rows of one size, one for each seed and layer, from scores (subset, candidate)."""
    seeds, layers = activations["seed"].values, activations["layer"].values.astype(str)
    summary = _summary(values, whole)
    best = _best(summary["value"].reshape(len(seeds), len(layers)), series.measure.info["direction"])
    ceiling = point.ceiling
    common = {"ceiling_low": ceiling.low, "ceiling_high": ceiling.high, "ceiling_kind": ceiling.kind}
    common |= {"target_dimensionality": point.dimensionality}
    rows = []
    for k, (seed, layer) in enumerate((seed, layer) for seed in seeds for layer in layers):
        row = {key: column[k] for key, column in summary.items()}
        status = _status(series, row["value"], len(values) - row["n_subsets"], ceiling)
        rows.append(common | row | {"seed": seed, "layer": layer, "best": best == k % len(layers), "status": status})
    return rows


def _summary(values: np.ndarray, whole: bool) -> dict[str, np.ndarray]:
    """Mean and spread of scores (subset, candidate); NaN where fewer than half of the subsets have one."""
    defined = np.isfinite(values)
    number = defined.sum(0)
    enough = number >= max(1, len(values) / 2)
    # A zero spares candidates without scores a warning; they are NaN in the end.
    filled = np.where(enough, np.where(defined, values, np.nan), 0.0)
    mean, low, high = np.nanmean(filled, axis=0), *np.nanquantile(filled, [0.025, 0.975], axis=0)
    # Of all units, or stimuli, there is one subset, and no spread.
    sd = np.full_like(mean, np.nan) if whole else np.nanstd(filled, axis=0, ddof=1)
    spread = enough & (not whole)
    return {
        "value": np.where(enough, mean, np.nan),
        "sd": np.where(spread, sd, np.nan),
        "low": np.where(spread, low, np.nan),
        "high": np.where(spread, high, np.nan),
        "n_subsets": number,
    }


def _best(values: np.ndarray, direction: str) -> int:
    """Position of the best layer by the mean over seeds of scores (seed, layer); −1 if none has a score."""
    mean = (1 if direction == "higher" else -1) * values.mean(0)
    return int(np.nanargmax(mean)) if np.isfinite(mean).any() else -1


def _mean(values) -> float:
    """A mean that is NaN, without a warning, where all are."""
    values = np.asarray(values)
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else np.nan


def _status(series: Series, value: float, undefined: int, ceiling: ceilings.Ceiling) -> str:
    """Give the reasons for what a row lacks, or ok."""
    if not np.isfinite(value):
        return "undefined"
    reasons = []
    if not np.isfinite([ceiling.low, ceiling.high]).all():
        if series.target.rdms is not None:
            reasons.append("mean_rdm" if series.target.pooled else "single_rdm")
        else:
            reasons.append("ceiling_undefined" if series.y.grams.trials[0].repeated() else "no_repeats")
    reasons += [f"undefined_subsets={undefined}"] if undefined else []
    return ";".join(reasons or ["ok"])
