"""Which evidence choices follow: weights of several kinds of evidence, in each context.

A logistic regression of the choice on all kinds of evidence at once. Where contexts are named like kinds of evidence
(``motion``, ``color``), the one of the context is the relevant one, and the weights of the others are given relative to
it: 0 for a choice that heeds the context entirely, 1 for one that does not heed it at all.
"""

import numpy as np
import xarray as xr

from neurocompare.description.classification import labelled
from neurocompare.description.rows import options_of, require_needs, row
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval

WHOLE_RECORDING = True
"""Behaviour belongs to no region."""

DESCRIPTIONS = {
    f"evidence-of=<choice>-on=<strength>+<strength>{given}": {
        "summary": f"logistic weights of several kinds of signed evidence in a choice between two{text}",
        "unit": "1/(unit of the evidence)",
        "direction": "higher",
        "needs": ["responses"],
    }
    for given, text in (("", ""), ("-given=<context>", ", in each context"))
}
"""Patterns of ids; the names are coordinates along ``presentation``."""

BOOTSTRAPS = 500
BLOCKS = 8
"""Blocks that are needed to resample blocks; with fewer, trials are resampled."""

PENALTY = 1e4
"""Inverse strength of the ridge penalty: next to none, but finite where choices follow the evidence without error."""

ITERATIONS = 1000
"""Of Newton's method, whose steps are bounded: choices without any error have weights that are far away."""

CONVERGED = 1e-8


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe which evidence choices follow.

    Parameters
    ----------
    array : DataArray
        A recording of single trials, whose behaviour is described. Presentations without a choice (NaN) are left out.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`. The choice that sorts last is the one of positive evidence.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    rows : list of dict
        For each context ``bias`` and ``weight`` of each kind of evidence, and ``weight relative to the relevant`` of
        each other kind. Intervals resample whole blocks where there are `BLOCKS` of them, else trials.
    details : Dataset
        ``weight`` (given, evidence).

    Raises
    ------
    UserError
        If the id is no such pattern, a coordinate is missing or unfit, or the recording has no single trials.
    """
    options = options_of(description_id, {"of": (), "on": (), "given": ()}, optional=("given",))
    require_needs(array, description_id, ["responses"])
    if "average" in array.attrs or not array.attrs["simultaneous"] and array.sizes["unit"] > 1:
        raise UserError(f"{description_id} needs single trials of one session; this recording holds averages or a pool")
    kinds = options["on"].split("+")
    if len(set(kinds)) < len(kinds) or len(kinds) < 2:
        raise UserError(f"{description_id}: 'on' names {len(set(kinds))} kinds of evidence; name several, once each")
    for name in [options["of"], *kinds, *([options["given"]] if "given" in options else [])]:
        array, _ = labelled(array, name, description_id)
    for name in kinds:
        if array.coords[name].dtype.kind not in "fiu":
            raise UserError(f"{description_id}: coordinate '{name}' is no number; give a signed strength")
    values = np.unique(array.coords[options["of"]].values)
    if len(values) != 2:
        raise UserError(f"{description_id}: coordinate '{options['of']}' has {len(values)} values; a choice has two")
    evidence = np.stack([array.coords[name].values.astype(float) for name in kinds], axis=1)
    if (np.ptp(evidence, axis=0) == 0).any():
        still = kinds[int((np.ptp(evidence, axis=0) == 0).argmax())]
        raise UserError(f"{description_id}: coordinate '{still}' has one value only; name evidence that varies")
    chosen = array.coords[options["of"]].values == values[1]
    given = array.coords[options["given"]].values.astype(str) if "given" in options else np.full(len(chosen), "all")
    block = array.coords["block"].values
    rng = np.random.default_rng([seed, 6])
    rows, found = [], []
    for context in np.unique(given):
        part = given == context
        weights, draws, resampled = _fitted(evidence[part], chosen[part], block[part], rng)
        found.append(weights[1:])
        size = {
            "n_stimuli": len(np.unique(evidence[part], axis=0)),
            "n_units": array.sizes["unit"],
            "n_trials": int(part.sum()),
        }
        named = f"{options['given']}={context};" if "given" in options else ""
        rows.append(
            row("bias", weights[0], condition=f"{named}resampled={resampled}", ci=interval(draws[:, 0]), **size)
        )
        unit = f"1/({array.attrs.get('evidence_units', 'unit of the evidence')})"
        for k, kind in enumerate(kinds, 1):
            condition = f"{named}evidence={kind};resampled={resampled}"
            rows.append(row("weight", weights[k], unit=unit, condition=condition, ci=interval(draws[:, k]), **size))
        if context in kinds:
            relevant = 1 + kinds.index(context)
            for k, kind in enumerate(kinds, 1):
                if k != relevant:
                    condition = f"{named}evidence={kind};resampled={resampled}"
                    ratio = weights[k] / weights[relevant]
                    ci = interval(draws[:, k] / draws[:, relevant])
                    rows.append(row("weight relative to the relevant", ratio, condition=condition, ci=ci, **size))
    details = xr.Dataset({"weight": (("given", "evidence"), np.array(found))}, {"evidence": kinds})
    return rows, details.assign_coords(given=np.unique(given)).assign_attrs(of=options["of"], choice=str(values[1]))


def _fitted(evidence, chosen, block, rng) -> tuple[np.ndarray, np.ndarray, str]:
    """Return weights (bias first), their bootstrap draws, and what was resampled."""
    shown, cell = np.unique(evidence, axis=0, return_inverse=True)
    blocks, at = np.unique(block, return_inverse=True)
    # Numbers of trials by block, evidence and choice.
    counts = np.zeros((len(blocks), len(shown), 2))
    np.add.at(counts, (at, cell.ravel(), chosen.astype(int)), 1)
    if len(blocks) >= BLOCKS:
        drawn = rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=BOOTSTRAPS)
        drawn = np.tensordot(drawn, counts, 1)
    else:
        every = counts.sum(0)
        drawn = rng.multinomial(len(chosen), every.ravel() / len(chosen), size=BOOTSTRAPS).reshape(-1, *every.shape)
    weights = _logistic(shown, np.concatenate([counts.sum(0)[None], drawn]))
    return weights[0], weights[1:], "blocks" if len(blocks) >= BLOCKS else "trials"


def _logistic(shown: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Fit many logistic regressions at once by Newton's method, with a ridge on all but the bias.

    Parameters
    ----------
    shown : array of shape (n_cells, n_kinds)
        Evidence.
    counts : array of shape (n_fits, n_cells, 2)
        Numbers of trials without and with the choice.

    Returns
    -------
    array of shape (n_fits, 1 + n_kinds)
        Weights, the bias first; NaN where only one choice was made, or they were not reached.
    """
    scale = np.abs(shown).max(0)
    design = np.column_stack([np.ones(len(shown)), shown / scale])
    total, taken = counts.sum(-1), counts[..., 1]
    ridge = np.full(design.shape[1], 1 / PENALTY)
    ridge[0] = 1e-9
    weights = np.zeros((len(counts), design.shape[1]))
    one_choice = (taken.sum(1) == 0) | (taken.sum(1) == total.sum(1))
    for _ in range(ITERATIONS):
        share = 1 / (1 + np.exp(-np.clip(weights @ design.T, -500, 500)))
        gradient = (taken - total * share) @ design - ridge * weights
        curvature = np.einsum("fc,cj,ck->fjk", total * share * (1 - share), design, design) + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        # Long steps would overshoot where choices are nearly without error.
        size = np.abs(step).max(1)
        weights += step / np.maximum(1, size)[:, None]
        away = size > CONVERGED * np.maximum(1, np.abs(weights).max(1))
        if not (away & ~one_choice).any():
            break
    weights[:, 1:] /= scale
    weights[one_choice | away] = np.nan
    return weights
