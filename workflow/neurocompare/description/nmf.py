"""Parts of a population: non-negative factorisation of responses, R ≈ W H.

Each part is a row of H, a pattern over units; W says how strongly each row of R calls for it. Rows are the
trial-averaged responses to each stimulus (``of=conditions``, as where ``of`` is left out), their time courses one after
the other (``of=time``), or single trials (``of=trials``). The factorisation itself is in `neurocompare.factorization`.

The squared error is dominated by units with high rates. With ``scale=peak`` each unit is divided by its largest value
plus a soft constant, as Churchland et al. 2012 (Nature 487:51) do with the range, so that weak units stay weak.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from neurocompare import consensus
from neurocompare.description.phase_parts import STRETCH
from neurocompare.description.rows import by_repeat, halves, require, row, standard_interval
from neurocompare.errors import UserError
from neurocompare.factorization import (
    GROUPS,
    LOSSES,
    POLICIES,
    SEEDS,
    STARTS,
    bi_cross_validation,
    choose_rank,
    fit,
    matched_cosine,
    non_negative,
    parts,
    standard_error,
)
from neurocompare.similarity.normalisation import SOFT_RATE

KINDS = {
    "": "trial-averaged responses",
    "conditions": "trial-averaged responses",
    "time": "trial-averaged time courses",
    "trials": "single trials",
}
SCALES = {"": "", "peak": ", units divided by their peak"}


def _entry(kind: str, loss: str, scale: str, policy: str) -> tuple[str, dict[str, object]]:
    named = {"of": kind, "loss": loss, "scale": scale, "negative": "" if policy == "refuse" else policy}
    return "-".join(["nmf", *(f"{key}={value}" for key, value in named.items() if value)]), {
        "summary": f"number, stability and reproducibility of the non-negative parts of {KINDS[kind]}, {loss} loss"
        f"{SCALES[scale]}{POLICIES[policy]}",
        "unit": "1",
        "direction": "none",
        "needs": ["responses"]
        + ["repeats"] * (kind != "time")
        + ["time"] * (kind == "time")
        + ["non-negative"] * (policy == "refuse"),
    }


DESCRIPTIONS = dict(
    _entry(*options) for options in product(KINDS, LOSSES, SCALES, POLICIES) if options[0] or not options[2]
)

LARGEST_RANK = 10
LARGEST_ROWS = 1000
"""Time courses and single trials have many rows: of more, those that are predicted are a random selection."""

DRAWS = 10
BOOTSTRAPS = 100
PERMUTATIONS = 1000


@dataclass(frozen=True, eq=False)
class Responses:
    """What is factorised.

    Attributes
    ----------
    stimuli : array of str of shape (n_stimuli,)
        Sorted.
    cube : array of shape (n_stimuli, n_repeats, n_times, n_units)
        One time unless the factorisation is one of time courses.
    trials : bool
        Whether the rows are single trials.
    block : array of int of shape (n_stimuli, n_repeats), or None
        Blocks of single trials, numbered; None if there are fewer than are held out in turn.
    policy : str
        What is done about negative values.
    soft : float or None
        What is added to the peaks by which units are divided.
    step : float
        Distance of times in s.
    name : str
        What messages begin with.
    """

    stimuli: np.ndarray
    cube: np.ndarray
    trials: bool
    block: np.ndarray | None
    policy: str
    soft: float | None
    step: float
    name: str

    def matrix(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Rows × units without negative values, of all or of some repeats; the rows of a stimulus are neighbours."""
        cube = self.cube if chosen is None else self.cube[:, chosen]
        rows = cube if self.trials else cube.mean(1)
        # The policy has judged all repeats; a half of them may dip below zero by noise alone.
        policy = "rectify" if self.policy == "refuse" and chosen is not None else self.policy
        x = non_negative(rows.reshape(-1, cube.shape[-1]), policy, self.name)
        return x if self.soft is None else x / (x.max(0) + self.soft)

    def together(self) -> np.ndarray | None:
        """Rows that are held out together, as their noise may be correlated: short stretches of time, or blocks."""
        n, _, n_times, _ = self.cube.shape
        if self.block is not None:
            return self.block.ravel()
        if n_times == 1:
            return None
        length = max(1, min(round(STRETCH / self.step), n_times // (2 * GROUPS)))
        number = np.arange(n_times) // length
        return (np.arange(n)[:, None] * (number[-1] + 1) + number).ravel()

    def rows_of(self, taken: np.ndarray, n_rows: int) -> np.ndarray:
        """Rows of a sample of stimuli, of a matrix with so many."""
        per = n_rows // len(self.cube)
        return (taken[:, None] * per + np.arange(per)).ravel()


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe the parts of a population.

    The rank is bi-cross-validated; of time courses, short stretches are held out as a whole, and of single trials,
    blocks (trials, if there are fewer than three blocks; the condition says which). Stability is the mean matched
    cosine over all pairs of 20 starts; the consensus says how often starts put the same units together.
    Reproducibility is the matched cosine of the parts fitted to random halves of the repeats, the mean
    of ten draws; its interval is 1.96 standard errors of a bootstrap over stimuli; its null shuffles the
    units of one half, which permutes the columns of that half's parts. Mean rates that differ between
    units are reproducible too: a small p-value says that parts are not noise, not that they are tuned.

    Parameters
    ----------
    array : DataArray
        A recording with repeats. For time courses it may be one of averages over trials; there, and where a stimulus
        was shown once, reproducibility has the status ``no_repeats``.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table.
    details : Dataset
        ``part`` (part_number, unit) with rows of unit length, ``weight`` (stimulus, part_number; of time courses and
        trials, the mean over the rows of a stimulus), parts in the order of their total weight; ``consensus_part``
        (part_number, unit), medians over starts, and their ``agreement`` (part_number); of time courses ``course``
        (part_number, stimulus, time); ``error`` and ``standard_error`` (rank) of the bi-cross-validation;
        ``chosen_rank``.

    Raises
    ------
    UserError
        If the id is unknown, the recording lacks what it needs, or the policy refuses negative means.
    """
    options = require(array, description_id, DESCRIPTIONS)
    loss = options["loss"]
    data = _responses(array, options, description_id)
    n, n_repeats, n_times, p = data.cube.shape
    x = data.matrix()
    if min(len(x), p) < 2 * GROUPS:
        what = "stimuli" if len(x) == n else "rows"
        raise UserError(f"{description_id}: {len(x)} {what} and {p} units are too few; {2 * GROUPS} of each are needed")
    if not x.any():
        raise UserError(f"{description_id}: all mean responses are zero; there are no parts")
    ranks = np.arange(1, min(LARGEST_RANK, min(len(x), p) * (GROUPS - 1) // GROUPS) + 1)
    errors, used = _errors(data, x, ranks, loss, seed)
    rank = choose_rank(errors, ranks)
    fits = parts(x, rank, seed=seed, loss=loss)
    pairs = [matched_cosine(a[1], b[1]) for i, a in enumerate(fits) for b in fits[:i]]
    size = {"n_stimuli": n, "n_units": p, "n_trials": n * n_repeats}
    mean = errors.mean((0, 1))
    condition = f"rank={rank}"
    scaled = "" if data.soft is None else f";soft={data.soft:.3g}"
    sampled = "" if used == len(x) else f";rows={used} of {len(x)}"
    held = "" if not data.trials else ";held-out=" + ("trials" if data.block is None else "blocks")
    rule = f"largest={ranks[-1]};rule=one-standard-error{held}{sampled}{scaled}"
    rows = [
        row("number of parts", rank, condition=rule, **size),
        row("bi-cross-validated error", mean[rank - 1], condition=condition, **size),
        row("stability over starts", np.mean(pairs), condition=f"{condition};starts={SEEDS}", **size),
        _reproduced(data, rank, loss, np.random.default_rng([seed, 2]), size),
        *_of_starts(fits, rank, size),
    ]
    return rows, _details(array, data, fits, errors, ranks, options)


def _responses(array, options, description_id) -> Responses:
    """Take what is factorised out of a recording."""
    kind = options.get("of", "conditions")
    single = kind == "trials" and "average" in array.attrs
    if single:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    step = float(np.median(np.diff(array.coords["time"].values))) if array.sizes.get("time", 1) > 1 else np.nan
    if kind == "time":
        if "time" not in array.dims:
            raise UserError(f"{description_id} needs responses over time; give the recording a 'bin_width'")
        n_times = array.sizes["time"]
        # Times as units, and back.
        flat = array.transpose("presentation", "time", "unit").values.reshape(array.sizes["presentation"], -1)
        order = xr.DataArray(flat, dims=("presentation", "unit"), attrs=array.attrs, coords=_presentations(array))
        stimuli, cube = by_repeat(order)
        cube = cube.reshape(*cube.shape[:2], n_times, -1)
    else:
        stimuli, cube = by_repeat(array)
        cube = cube[:, :, None]
    soft = None
    if "scale" in options:
        seconds = step * (1 if kind == "time" else array.sizes.get("time", 1))
        peaks = np.maximum(cube.mean(1).max((0, 1)), 0)
        known = {"spikes/s": SOFT_RATE, "spikes": SOFT_RATE * seconds}.get(array.attrs["units"], np.nan)
        # Other units have no rate that is known to be weak.
        soft = known if np.isfinite(known) else max(0.1 * float(np.median(peaks)), 1e-12)
    policy = options.get("negative", "refuse")
    block = _blocks(array) if kind == "trials" else None
    return Responses(stimuli, cube, kind == "trials", block, policy, soft, step, description_id)


def _blocks(array) -> np.ndarray | None:
    """Numbers of the blocks (stimulus, repeat), in the order of `by_repeat`."""
    if "block" not in array.coords:
        return None
    number = np.unique(array.coords["block"].values, return_inverse=True)[1][:, None]
    _, found = by_repeat(xr.DataArray(number, dims=("presentation", "unit"), coords=_presentations(array)))
    # Repeats that were dropped may have been all of a block.
    number = np.unique(found[..., 0], return_inverse=True)[1].reshape(found.shape[:2])
    return number if number.max() + 1 >= GROUPS else None


def _presentations(array) -> dict:
    return {name: ("presentation", array.coords[name].values) for name in ("stimulus", "repeat")}


def _errors(data, x, ranks, loss, seed) -> tuple[np.ndarray, int]:
    """Held-out errors, and of how many rows."""
    together = data.together()
    # Averages of conditions are few, and all of them are predicted.
    if len(x) > LARGEST_ROWS and (data.trials or together is not None):
        rng = np.random.default_rng([seed, 8])
        # Stretches of time are kept or left as a whole; of trials, which are independent rows, each by itself.
        labels = np.arange(len(x)) if data.trials else together
        kept = rng.permutation(labels.max() + 1)[: max(GROUPS, LARGEST_ROWS * (labels.max() + 1) // len(x))]
        chosen = np.isin(labels, kept)
        together = labels[chosen] if together is None else together[chosen]
        x, together = x[chosen], np.unique(together, return_inverse=True)[1]
    return bi_cross_validation(x, ranks, seed=seed, loss=loss, together=together), len(x)


def _of_starts(fits, rank, size) -> list[dict]:
    """How far starts agree on which units belong together, and how sparse the best one is."""
    matrix = consensus.consensus_matrix(fits)
    over = f"rank={rank};starts={len(fits)}"
    alike = {} if rank > 1 else {"status": "one_part"}
    correlation = consensus.cophenetic_correlation(matrix)
    agreement = consensus.consensus_parts(consensus.aligned(fits)[1])[1]
    w, h, _ = fits[0]
    sparse = {"parts": consensus.sparsity(h), "weights": consensus.sparsity(w.T)}
    return [
        row("cophenetic correlation of the consensus", correlation, condition=over, **alike, **size),
        row("dispersion of the consensus", consensus.dispersion(matrix), condition=over, **size),
        row("agreement with consensus parts", agreement.mean(), condition=over, **size),
        *(
            row(f"sparsity of {what}", np.nanmean(values) if np.isfinite(values).any() else np.nan, **size)
            | {"condition": f"rank={rank};measure=Hoyer"}
            for what, values in sparse.items()
        ),
    ]


def _reproduced(data, rank, loss, rng, size) -> dict:
    n, n_repeats = data.cube.shape[:2]
    half = n_repeats // 2
    condition = f"rank={rank};repeats={half}+{half}"
    if half == 0:
        return row("reproducibility of parts", np.nan, condition=condition, status="no_repeats", **size)
    reproduced, null, draws = _reproducibility(data, rank, loss, rng)
    low, high = standard_interval(reproduced, draws, n) if n > 1 else (np.nan, np.nan)
    return row("reproducibility of parts", reproduced, condition=condition, null=null, ci=(low, min(high, 1.0)), **size)


def _details(array, data, fits, errors, ranks, options) -> xr.Dataset:
    w, h, _ = fits[0]
    order = np.argsort(-w.sum(0), kind="stable")
    median, agreement = consensus.consensus_parts(consensus.aligned(fits)[1])
    of_stimulus = w[:, order].reshape(len(data.stimuli), -1, len(order))
    details = xr.Dataset(
        {
            "part": (("part_number", "unit"), h[order]),
            "weight": (("stimulus", "part_number"), of_stimulus.mean(1)),
            "consensus_part": (("part_number", "unit"), median[order]),
            "agreement": ("part_number", agreement[order]),
            "error": ("rank", errors.mean((0, 1))),
            "standard_error": ("rank", standard_error(errors)),
            "chosen_rank": len(order),
        },
        coords={
            "stimulus": data.stimuli,
            "rank": ranks,
            "part_number": ranks[: len(order)],
            "unit": array.coords["unit_id"].values,
        },
        attrs={"loss": options["loss"], "negative": data.policy},
    )
    if options.get("of") == "time":
        details["course"] = (("part_number", "stimulus", "time"), of_stimulus.transpose(2, 0, 1))
        details = details.assign_coords(time=array.coords["time"].values)
    return details


def _reproducibility(data, rank, loss, rng) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean matched cosine between halves, its null and its bootstrap draws."""
    n, n_repeats, _, p = data.cube.shape
    fitted = []
    for pair in halves(n_repeats, DRAWS, rng):
        means = [data.matrix(half) for half in pair]
        fits = [parts(mean, rank, seed=int(rng.integers(2**31)), loss=loss, starts=STARTS)[0] for mean in means]
        fitted.append((means, fits))
    value = float(np.mean([matched_cosine(a[1], b[1]) for _, (a, b) in fitted]))
    null = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        order = rng.permutation(p)
        null[i] = np.mean([matched_cosine(a[1], b[1][:, order]) for _, (a, b) in fitted])
    draws = np.empty(BOOTSTRAPS)
    for i in range(BOOTSTRAPS):
        (first, second), (one, other) = fitted[i % DRAWS]
        taken = data.rows_of(rng.integers(n, size=n), len(first))
        draws[i] = matched_cosine(
            fit(first[taken], rank, loss, start=(one[0][taken], one[1]))[1],
            fit(second[taken], rank, loss, start=(other[0][taken], other[1]))[1],
        )
    return value, null, draws
