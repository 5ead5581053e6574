"""How often the choices in a recording are correct: of an animal, or of a network in the trials of its task."""

import numpy as np
import xarray as xr

from neurocompare.description.rows import options_of, require_needs, row
from neurocompare.errors import UserError, unknown
from neurocompare.inference.resampling import interval
from neurocompare.representation import IDEAL

WHOLE_RECORDING = True
"""Behaviour belongs to no region."""

DESCRIPTIONS = {
    f"performance{given}": {
        "summary": f"fraction of correct choices, beside that of the ideal observer where it is known{text}",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses"],
    }
    for given, text in (("", ""), ("-given=<coordinate>", ", for each value of a coordinate"))
}
"""Patterns of ids; the coordinate is along ``presentation``."""

BOOTSTRAPS = 1000
BLOCKS = 8
"""Blocks that are needed to resample blocks; with fewer, trials are resampled."""


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], None]:
    """Describe how often choices are correct.

    Parameters
    ----------
    array : DataArray
        A recording of single trials with the coordinate ``correct`` (1 or 0, also where no choice was made; NaN where
        nothing was to be decided) and perhaps the attribute ``ideal_correct``.
    description_id : str
        An id of the pattern in `DESCRIPTIONS`.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    rows : list of dict
        ``fraction correct`` of all trials, and for each value of the coordinate; that of all has the ideal observer as
        its ceiling, and ``fraction correct below the ideal observer`` is the distance. Intervals resample whole blocks
        where there are `BLOCKS` of them, else trials.
    None
        There is nothing to draw.

    Raises
    ------
    UserError
        If the id is no such pattern, a coordinate is missing or unfit, or the recording has no single trials.
    """
    options = options_of(description_id, {"given": ()}, optional=("given",))
    require_needs(array, description_id, ["responses"])
    if "average" in array.attrs or not array.attrs["simultaneous"] and array.sizes["unit"] > 1:
        raise UserError(f"{description_id} needs single trials of one session; this recording holds averages or a pool")
    known = [name for name, coord in array.coords.items() if coord.dims == ("presentation",)]
    for name in ("correct", *options.values()):
        if name not in known:
            raise unknown(f"presentation coordinate of {description_id}", name, known)
    correct = array.coords["correct"].values
    if correct.dtype.kind not in "fiub" or not np.isin(correct[np.isfinite(correct)], (0, 1)).all():
        raise UserError(f"{description_id}: coordinate 'correct' has other values than 0, 1 and NaN; see the loader")
    decided = np.isfinite(correct.astype(float))
    correct, part = correct[decided].astype(float), array.isel(presentation=np.flatnonzero(decided))
    if not len(correct):
        raise UserError(f"{description_id}: coordinate 'correct' is NaN in all trials; there was nothing to decide")
    block = part.coords["block"].values
    rng = np.random.default_rng([seed, 7])
    value, draws, resampled = _fraction(correct, block, rng)
    size = {"n_stimuli": len(np.unique(part.coords["stimulus"])), "n_units": array.sizes["unit"]}
    size["n_trials"] = len(correct)
    rows = [row("fraction correct", value, condition=f"resampled={resampled}", ci=interval(draws), **size)]
    ideal = array.attrs.get(IDEAL)
    if ideal is not None:
        rows[0] |= {"ceiling_low": float(ideal), "ceiling_high": float(ideal), "status": "no_null"}
        below = row(
            "fraction correct below the ideal observer",
            ideal - value,
            condition=f"resampled={resampled}",
            ci=interval(ideal - draws),
            **size,
        )
        rows.append(below)
    for name in options.values():
        labels = part.coords[name].values
        for label in np.unique(labels):
            mine = labels == label
            value, draws, resampled = _fraction(correct[mine], block[mine], rng)
            condition = f"{name}={label};resampled={resampled}"
            found = row("fraction correct", value, condition=condition, ci=interval(draws), **size)
            rows.append(found | {"n_trials": int(mine.sum())})
    return rows, None


def _fraction(correct, block, rng) -> tuple[float, np.ndarray, str]:
    """Return the fraction correct, its bootstrap draws, and what was resampled."""
    blocks, at = np.unique(block, return_inverse=True)
    if len(blocks) >= BLOCKS:
        total, right = np.bincount(at).astype(float), np.bincount(at, correct)
        weights = rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=BOOTSTRAPS)
        return correct.mean(), (weights @ right) / (weights @ total), "blocks"
    draws = rng.binomial(len(correct), correct.mean(), BOOTSTRAPS) / len(correct)
    return correct.mean(), draws, "trials"
