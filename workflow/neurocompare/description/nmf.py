"""Parts of a population: non-negative factorisation of trial-averaged responses, R ≈ W H.

Each part is a row of H, a pattern over units; W says how strongly each stimulus calls for it. The
factorisation itself is in `neurocompare.factorization`.
"""

import numpy as np
import xarray as xr

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

DESCRIPTIONS = {
    f"nmf-loss={loss}" + ("" if policy == "refuse" else f"-negative={policy}"): {
        "summary": f"number, stability and reproducibility of the non-negative parts, {loss} loss{note}",
        "unit": "1",
        "direction": "none",
        "needs": ["responses", "repeats"] + (["non-negative"] if policy == "refuse" else []),
    }
    for loss in LOSSES
    for policy, note in POLICIES.items()
}

LARGEST_RANK = 10
DRAWS = 10
BOOTSTRAPS = 100
PERMUTATIONS = 1000


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset | None]:
    """Describe the parts of a population.

    The rank is bi-cross-validated. Stability is the mean matched cosine over all pairs of 20 starts.
    Reproducibility is the matched cosine of the parts fitted to random halves of the repeats, the mean
    of ten draws; its interval is 1.96 standard errors of a bootstrap over stimuli; its null shuffles the
    units of one half, which permutes the columns of that half's parts. Mean rates that differ between
    units are reproducible too: a small p-value says that parts are not noise, not that they are tuned.

    Parameters
    ----------
    array : DataArray
        A recording with repeats.
    description_id : str
        One of `DESCRIPTIONS`.
    seed : int
        Seed of everything random.

    Returns
    -------
    rows : list of dict
        Rows of the tidy table.
    details : Dataset
        ``part`` (part_number, unit) with rows of unit length, ``weight`` (stimulus, part_number), parts
        in the order of their total weight; ``error`` and ``standard_error`` (rank) of the
        bi-cross-validation; ``chosen_rank``.

    Raises
    ------
    UserError
        If the id is unknown, the recording lacks what it needs, or the policy refuses negative means.
    """
    options = require(array, description_id, DESCRIPTIONS)
    loss, policy = options["loss"], options.get("negative", "refuse")
    stimuli, cube = by_repeat(array)
    n, n_repeats, p = cube.shape
    if min(n, p) < 2 * GROUPS:
        raise UserError(f"{description_id}: {n} stimuli and {p} units are too few; {2 * GROUPS} of each are needed")
    x = non_negative(cube.mean(1), policy, description_id)
    if not x.any():
        raise UserError(f"{description_id}: all mean responses are zero; there are no parts")
    ranks = np.arange(1, min(LARGEST_RANK, min(n, p) * (GROUPS - 1) // GROUPS) + 1)
    errors = bi_cross_validation(x, ranks, seed=seed, loss=loss)
    rank = choose_rank(errors, ranks)
    fits = parts(x, rank, seed=seed, loss=loss)
    pairs = [matched_cosine(a[1], b[1]) for i, a in enumerate(fits) for b in fits[:i]]
    rng = np.random.default_rng([seed, 2])
    reproduced, null, draws = _reproducibility(cube, rank, loss, policy, rng)
    low, high = standard_interval(reproduced, draws, n)
    size = {"n_stimuli": n, "n_units": p, "n_trials": n * n_repeats}
    mean = errors.mean((0, 1))
    condition = f"rank={rank}"
    rows = [
        row("number of parts", rank, condition=f"largest={ranks[-1]};rule=one-standard-error", **size),
        row("bi-cross-validated error", mean[rank - 1], condition=condition, **size),
        row("stability over starts", np.mean(pairs), condition=f"{condition};starts={SEEDS}", **size),
        row(
            "reproducibility of parts",
            reproduced,
            condition=f"{condition};repeats={n_repeats // 2}+{n_repeats // 2}",
            null=null,
            ci=(low, min(high, 1.0)),
            **size,
        ),
    ]
    w, h, _ = fits[0]
    order = np.argsort(-w.sum(0), kind="stable")
    details = xr.Dataset(
        {
            "part": (("part_number", "unit"), h[order]),
            "weight": (("stimulus", "part_number"), w[:, order]),
            "error": ("rank", mean),
            "standard_error": ("rank", standard_error(errors)),
            "chosen_rank": rank,
        },
        coords={
            "stimulus": stimuli,
            "rank": ranks,
            "part_number": ranks[:rank],
            "unit": array.coords["unit_id"].values,
        },
        attrs={"loss": loss, "negative": policy},
    )
    return rows, details


def _reproducibility(cube, rank, loss, policy, rng) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean matched cosine between halves, its null and its bootstrap draws."""
    fitted = []
    for first, second in halves(cube.shape[1], DRAWS, rng):
        # The policy has judged the mean of all repeats; a half of them may dip below zero by noise alone.
        policy_of_half = "rectify" if policy == "refuse" else policy
        means = [non_negative(cube[:, half].mean(1), policy_of_half) for half in (first, second)]
        fits = [parts(mean, rank, seed=int(rng.integers(2**31)), loss=loss, starts=STARTS)[0] for mean in means]
        fitted.append((means, fits))
    value = float(np.mean([matched_cosine(a[1], b[1]) for _, (a, b) in fitted]))
    null = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        order = rng.permutation(cube.shape[2])
        null[i] = np.mean([matched_cosine(a[1], b[1][:, order]) for _, (a, b) in fitted])
    draws = np.empty(BOOTSTRAPS)
    for i in range(BOOTSTRAPS):
        taken = rng.integers(len(cube), size=len(cube))
        (first, second), (one, other) = fitted[i % DRAWS]
        draws[i] = matched_cosine(
            fit(first[taken], rank, loss, start=(one[0][taken], one[1]))[1],
            fit(second[taken], rank, loss, start=(other[0][taken], other[1]))[1],
        )
    return value, null, draws
