"""What limits the decoding of an angle: its error with infinitely many neurons and training trials.

The curve of errors is fitted as in Stringer et al. 2021, α + β/√N, for neurons and for trials; and the limit that the
population's information sets is extrapolated jointly in both, from errors that decoders have in common though
they share neither neurons nor training trials (`neurocompare.prediction.extrapolation`). The limit is a standard
deviation: the median absolute error of a perfect decoder would be 0.67 times it, its threshold by
`neurocompare.description.thresholds` 0.61 times.

No asymptote is told of fewer than 128 units, which with populations down to 8 units span a decade, of fewer than
256 trials, of a few discrete angles, or of units that were not recorded together, which have no noise in common; the
status says so. Intervals are from a bootstrap over stretches of consecutive test trials, with the decoders fixed.
"""

import numpy as np
import xarray as xr

from neurocompare.description.angles import SPLITS, TARGETS, Angles, angles, stretch_of, stretch_weights
from neurocompare.description.rows import options_of, row
from neurocompare.inference.resampling import interval
from neurocompare.prediction import extrapolation

_OPTIONS = {"target": TARGETS, "decoder": ("von-mises",)}

DESCRIPTIONS = {
    f"limits-target={target}-decoder=von-mises": {
        "summary": f"error of the {target} that remains with infinitely many neurons and trials",
        "unit": "degrees",
        "direction": "lower",
        "needs": ["responses", "blocks"],
    }
    for target in TARGETS
}

FEWEST_UNITS = 128
FEWEST_TRIALS = 256
FEWEST_ANGLES = 24
FOLDS = 4
MEDIAN_DRAWS = 300
"""Bootstrap samples of the medians to which α + β/√N is fitted."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Extrapolate the error of decoding.

    Parameters
    ----------
    array : DataArray
        A recording; responses with a time axis are summed (spike counts) or averaged over it.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of the populations and the bootstrap.

    Returns
    -------
    rows : list of dict
        For each split ``information limit``, a standard deviation in degrees, and ``asymptotic median absolute
        error``, α of the fits over neurons (with all training trials) and over trials (with all neurons). Where no
        number can be told the status is ``too_few_units``, ``too_few_trials``, ``few_orientations``,
        ``not_simultaneous``, ``one_block``, or ``too_noisy`` if decoding fails in too many sub-populations; it is
        ``not_resolved`` where the interval of the limit reaches zero.
    details : Dataset
        ``error`` (split, neurons, trials), median absolute errors; ``shared`` (split, neurons, trials), roots of the
        covariances; ``limit`` (bound, split) and ``asymptote`` (split, varied, coefficient), α and β; None if
        nothing can be told.

    Raises
    ------
    UserError
        If the id is unknown or the recording lacks what it needs.
    """
    options = options_of(description_id, _OPTIONS)
    trials = angles(array, description_id, options["target"])
    missing = {split: _lacking(trials, split) for split in SPLITS}
    found = {split: _split(trials, split, seed) for split in SPLITS if not missing[split]}
    rows = []
    for split in SPLITS:
        common = {"better": "lower", "unit": "degrees", **trials.size}
        told = found[split].rows() if split in found else dict.fromkeys(_QUANTITIES, (np.nan, np.nan, np.nan))
        for (quantity, condition), (value, low, high) in told.items():
            status = missing[split]
            if quantity == "information limit" and status is None:
                status = "too_noisy" if np.isnan(value) else "not_resolved" if low == 0 else None
                noisy = status == "too_noisy"
            elif status is None:
                # The curve is not that of a square root where decoding hardly works, or the rest would be negative.
                status = "too_noisy" if noisy else "not_resolved" if low <= 0 else None
            setting = f"split={split};{condition}"
            rows.append(row(quantity, value, condition=setting, ci=(low, high), status=status, **common))
    if not found:
        return rows, None
    details = xr.concat([part.details() for part in found.values()], dim=xr.Variable("split", list(found)))
    return rows, details.assign_attrs(period=trials.period, **trials.size)


_QUANTITIES = (
    ("information limit", "fit=limit^2+a/neurons+b/trials"),
    ("asymptotic median absolute error", "fit=alpha+beta/sqrt(neurons)"),
    ("asymptotic median absolute error", "fit=alpha+beta/sqrt(trials)"),
)


def _lacking(trials: Angles, split: str) -> str | None:
    n, p = trials.values.shape
    if p < FEWEST_UNITS:
        return "too_few_units"
    if trials.pooled:
        return "not_simultaneous"
    if n < FEWEST_TRIALS:
        return "too_few_trials"
    if len(np.unique(trials.angle)) < FEWEST_ANGLES:
        return "few_orientations"
    return trials.lacking(split)


def folds_by_angle(angle: np.ndarray, n_folds: int = FOLDS) -> np.ndarray:
    """Return folds that take every fourth trial in the order of the angle."""
    fold = np.empty(len(angle), dtype=int)
    fold[np.argsort(angle, kind="stable")] = np.arange(len(angle)) % n_folds
    return fold


def _split(trials: Angles, split: str, seed: int) -> "_Extrapolated":
    values, angle, period = trials.values, trials.angle, trials.period
    fold = folds_by_angle(angle) if split == "interleaved" else trials.folds[split]
    errors = extrapolation.decoded_errors(values, angle, period, fold, seed=seed)
    n, p = values.shape
    n_train = n - int(np.bincount(fold).max())
    return _Extrapolated(errors, angle, p, n_train, period, np.random.default_rng([seed, 6]))


class _Extrapolated:
    """The errors of one split, and what follows from them."""

    def __init__(self, errors, angle, n_units, n_train, period, rng):
        n = len(angle)
        self.populations = sorted({count for count, _ in errors})
        self.neurons = np.array([n_units // count for count in self.populations])
        self.trials = np.array([n_train // parts for parts in extrapolation.PARTS])
        absolute = {key: np.abs(error).reshape(-1, n) for key, error in errors.items()}
        cells = [[absolute[count, parts] for parts in extrapolation.PARTS] for count in self.populations]
        self.error = np.array([[np.median(cell) for cell in line] for line in cells])
        # Along neurons with all trials, along trials with all neurons.
        curves = {"neurons": [line[0] for line in cells], "trials": cells[0]}
        stretch = stretch_of(n)
        weights = stretch_weights(n, rng)
        self.asymptote, self.interval = {}, {}
        members = [np.flatnonzero(stretch == k) for k in range(stretch[-1] + 1)]
        order = [
            np.concatenate([np.tile(members[k], times) for k, times in enumerate(w)]) for w in weights[:MEDIAN_DRAWS]
        ]
        for varied, numbers in (("neurons", self.neurons), ("trials", self.trials)):
            drawn = [[np.median(cell[:, chosen]) for cell in curves[varied]] for chosen in order]
            medians = np.array([np.median(cell) for cell in curves[varied]])
            self.asymptote[varied] = extrapolation.fit_asymptote(numbers, medians)
            self.interval[varied] = interval(extrapolation.fit_asymptote(numbers, np.array(drawn))[:, 0])
        self.cells = extrapolation.shared(errors, angle, n_units, n_train, period)
        self.limit = np.full(3, np.nan)
        # A plane needs populations and training sets of two sizes each.
        if len(set(self.cells.neurons)) > 1 and len(set(self.cells.trials)) > 1:
            value, draws, _ = extrapolation.limit(self.cells, weights, stretch)
            self.limit[:] = value, *interval(draws)

    def rows(self):
        """Values with their intervals by quantity and condition."""
        alpha = {varied: (self.asymptote[varied][0], *self.interval[varied]) for varied in self.asymptote}
        return dict(zip(_QUANTITIES, (tuple(self.limit), alpha["neurons"], alpha["trials"]), strict=True))

    def details(self):
        """What is drawn."""
        common = np.full(self.error.shape, np.nan)
        for neurons, trials, product in zip(self.cells.neurons, self.cells.trials, self.cells.product, strict=True):
            place = list(self.neurons).index(neurons), list(self.trials).index(trials)
            common[place] = np.sqrt(max(product.mean(), 0))
        return xr.Dataset(
            {
                "error": (("neurons", "trials"), self.error),
                "shared": (("neurons", "trials"), common),
                "limit": ("bound", self.limit),
                "asymptote": (("varied", "coefficient"), np.array(list(self.asymptote.values()))),
            },
            coords={
                "neurons": self.neurons,
                "trials": self.trials,
                "bound": ["value", "low", "high"],
                "varied": list(self.asymptote),
                "coefficient": ["alpha", "beta"],
            },
        )
