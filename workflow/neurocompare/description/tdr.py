"""Targeted dimensionality reduction: an axis for each variable of a task (Mante, Sussillo et al. 2013, Nature 503:78).

The method is in `neurocompare.dynamics.tdr`, the tests of axes in `neurocompare.dynamics.axis_tests`. Trials are of
trained networks, of units that were recorded together, or of a pool of all trials (``repeats: all``) of units that were
recorded one after another: each of these has its own trials, and its own coherences if the pool keeps them.

Conditions are those of the authors: for each variable with more than two levels (evidence), its levels with every
combination of the other variables and of ``correct``, averaged over other evidence: 72 in the paper's task. The
subspace is made from those of correct trials. Products with ``context`` are regressors, if it is among the variables.
"""

import itertools

import numpy as np
import xarray as xr

from neurocompare.description import tdr_data
from neurocompare.description.rows import options_of, require_needs, row
from neurocompare.description.tdr_data import Data
from neurocompare.dynamics import axis_tests, subspaces, tdr
from neurocompare.errors import UserError
from neurocompare.inference.resampling import interval

TAKES_GAPS = True
"""Units need not have the same trials."""

DESCRIPTIONS = {
    f"tdr-on=<variable>+<variable>+…{option}": {
        "summary": "axis of each task variable by targeted dimensionality reduction, its size, time and reliability",
        "unit": "1",
        "direction": "higher",
        "needs": ["responses"],
    }
    for option in ("", "-at=peak", "-start=<s>-stop=<s>", "-at=peak-start=<s>-stop=<s>")
}
"""Patterns of ids; variables are coordinates along ``presentation``, and axes are orthogonal to those before them."""

SHUFFLES = 500
SPLITS = 20
BOOTSTRAPS = 1000


def describe(array: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Describe the axes of task variables, and the trajectories along them.

    Parameters
    ----------
    array : DataArray
        Single trials with a time axis; gaps are allowed. Trials where a variable is missing (NaN or empty) are left
        out. Numbers with a coordinate ``<variable>_level`` (such as strengths that differ between sessions) have these
        levels, others their values.
    description_id : str
        An id of the patterns in `DESCRIPTIONS`. Without ``at``, coefficients are averaged over the authors' windows
        (`neurocompare.dynamics.tdr.WINDOWS`); with ``at=peak``, and for other variables, they are those at the time of
        their largest norm. ``start`` and ``stop`` cut the responses.
    seed : int
        Seed of shuffles, halves and bootstrap.

    Returns
    -------
    rows : list of dict
        For each variable: ``norm of coefficients``, the mean over its window in all units, with a null of shuffled
        trials; ``time of largest norm`` in s, of the denoised coefficients; ``variance of axis`` and ``variance of
        vector``, after and before making them orthogonal, as shares of the variance of the averages of correct trials;
        ``reliability of vector``, from split halves. For each pair: ``angle between vectors`` in degrees, as they are
        (denoised), and ``angle between vectors, corrected`` for the noise of both. ``variance of components``, the
        share that the subspace holds (its status has ``not_denoised`` if it holds all dimensions); ``overlap of
        subspaces`` of the axes and as many principal components, with a null of random ones; ``participation ratio``;
        where ``context`` is among the variables, of the leading components of both contexts ``overlap of contexts``,
        with a null of random ones as activity varies, ``largest angle between contexts`` in degrees, and ``alignment of
        contexts``, the variance of each that the components of the other hold, relative to the most that as many can;
        ``conditions``, and ``conditions without trials`` of some unit.
        Intervals are over units. Units whose trials do not determine the coefficients are left out and counted.
    details : Dataset
        ``trajectory`` (condition, time, axis), averages on the axes, NaN where a unit has no trial; ``axis_vector`` and
        ``vector`` (axis, unit); ``beta`` and ``denoised`` (axis, time, unit); ``norm`` (axis, time); ``window`` (axis,
        bound) in s; ``share`` (axis) of variance; and of each condition ``evidence``, ``level``, ``n_trials`` (fewest
        of a unit), ``correct`` and the values of the other variables.

    Raises
    ------
    UserError
        If the id is no such pattern, a variable is unfit, or there are too few trials, units or bins.
    """
    options = options_of(
        description_id, {"on": (), "at": ("peak",), "start": (), "stop": ()}, optional=("at", "start", "stop")
    )
    require_needs(array, description_id, ["responses"])
    data = tdr_data.of_recording(array, options, description_id)
    windows = tdr_data.windows(data, options, description_id)
    values = tdr.z_scored(data.values, data.weights)
    names, columns = tdr.design(data.variables, interacting=data.interacting, weights=data.weights)
    values, columns, data = _determined(values, columns, data, description_id)
    found = tdr.fit(
        values,
        columns,
        len(data.names),
        data.members,
        data.main,
        data.time,
        windows=windows,
        weights=data.weights,
    )
    size = {
        "n_stimuli": len(np.unique(data.stimulus)),
        "n_units": values.shape[2],
        "n_trials": len(values) if data.weights is None else int(data.weights.sum(0).max()),
    }
    rng = np.random.default_rng([seed, 12])
    rows = _of_variables(data, values, columns, found, rng, size)
    rows += _of_pairs(data, values, columns, found, rng, size)
    rows += _of_population(data, found, rng, size)
    return rows, _details(data, found, names, array, size)


def _determined(values, columns, data: Data, description_id) -> tuple[np.ndarray, np.ndarray, Data]:
    """Leave out units that never vary, or whose trials do not determine the coefficients."""
    solved = np.isfinite(tdr.regress(values[:, :1], columns, data.weights)).all((0, 1))
    kept = solved & (np.abs(values) > 0).any((0, 1))
    if not solved.any():
        raise UserError(
            f"{description_id}: {', '.join(data.names)} are not independent of each other in the trials of any unit; "
            "drop one"
        )
    if kept.sum() < len(data.names):
        raise UserError(
            f"{description_id}: {kept.sum()} units with enough trials are too few for {len(data.names)} axes; "
            "name fewer variables or pool more units"
        )
    data = data.of_units(kept)
    complete = data.main & ~data.lacking.any(1)
    if complete.sum() < len(data.names):
        raise UserError(
            f"{description_id}: only {complete.sum()} of {data.main.sum()} conditions have trials of all {kept.sum()} "
            "units; name fewer variables, or pool units with more trials"
        )
    return values[..., kept], columns[kept] if len(columns) > 1 else columns, data


def _of_variables(data: Data, values, columns, found: tdr.Axes, rng, size) -> list[dict]:
    """Rows of each variable."""
    rows = []
    norm = np.linalg.norm(found.denoised, axis=-1)
    shares, raw = found.explained(found.axis), found.explained(found.vector)
    resampled = rng.integers(size["n_units"], size=(BOOTSTRAPS, size["n_units"]))
    for k, name in enumerate(data.names):
        coefficient = found.coefficient[k][found.window[k]].mean(0)
        condition = f"axis={name};{_window(data, found, k)}"
        null, status = _null(data, values, columns, found, k, rng)
        drawn = np.sqrt((coefficient**2)[resampled].sum(1))
        rows.append(
            row(
                "norm of coefficients",
                np.linalg.norm(coefficient),
                condition=condition,
                null=null,
                ci=interval(drawn),
                status=status,
                **size,
            )
        )
        named = {"condition": f"axis={name}"} | size
        rows.append(row("time of largest norm", data.time[norm[k].argmax()], unit="s", **named))
        rows.append(row("variance of axis", shares[k], **named))
        rows.append(row("variance of vector", raw[k], **named))
    return rows


def _window(data: Data, found: tdr.Axes, k: int) -> str:
    used = data.time[found.window[k]]
    return f"window={used[0]:.4g} to {used[-1]:.4g} s;{'peak' if data.peaks[k] else 'fixed'}"


def _null(data: Data, values, columns, found, k, rng) -> tuple[np.ndarray | None, str | None]:
    """Norms without an effect of a variable, or why there are none."""
    constant, group = data.exchange(k)
    if group is None:
        return None, "constant_in_blocks" if constant else None
    # The time of a peak is chosen again in every shuffle.
    if not data.peaks[k]:
        values = values[:, found.window[k]].mean(1, keepdims=True)
    norms = axis_tests.null_norms(
        values,
        columns,
        k,
        group,
        SHUFFLES,
        rng,
        weights=data.weights,
        pooled=data.pooled,
        constant=constant,
    )
    return norms.max(1), None


def _of_pairs(data: Data, values, columns, found: tdr.Axes, rng, size) -> list[dict]:
    """Rows of reliabilities and of angles."""
    averaged = np.stack([values[:, chosen].mean(1) for chosen in found.window], axis=1)
    vectors = axis_tests.split_vectors(
        averaged, columns, data.cell, SPLITS, rng, weights=data.weights, pooled=data.pooled
    )
    reliability = axis_tests.reliabilities(vectors)
    products = axis_tests.products(vectors)
    n_lost = int((~np.isfinite(vectors).all((0, 1, 2))).sum())
    left = f"splits={SPLITS}" + (f";units without halves={n_lost}" if n_lost else "")
    angles = axis_tests.corrected_angles(products.sum(-1))
    resampled = rng.integers(size["n_units"], size=(BOOTSTRAPS, size["n_units"]))
    drawn = axis_tests.corrected_angles(products[..., resampled].sum(-1).transpose(2, 0, 1))
    unit = found.vector / np.linalg.norm(found.vector, axis=1, keepdims=True)
    plain = np.degrees(np.arccos(np.clip(unit @ unit.T, -1, 1)))
    rows = []
    for k, name in enumerate(data.names):
        rows.append(row("reliability of vector", reliability[k], condition=f"axis={name};{left}", **size))
    for a, b in itertools.combinations(range(len(data.names)), 2):
        pair = f"axes={data.names[a]}, {data.names[b]}"
        rows.append(row("angle between vectors", plain[a, b], unit="degrees", condition=f"{pair};denoised", **size))
        there = drawn[:, a, b][np.isfinite(drawn[:, a, b])]
        # Where many resamples have no reliable vector, an interval of the others would be too narrow.
        ci = interval(there) if len(there) > 0.95 * BOOTSTRAPS else (np.nan, np.nan)
        status = "unreliable" if not np.isfinite(angles[a, b]) else None
        rows.append(
            row(
                "angle between vectors, corrected",
                angles[a, b],
                unit="degrees",
                condition=f"{pair};{left}",
                ci=ci,
                status=status,
                **size,
            )
        )
    return rows


def _of_population(data: Data, found: tdr.Axes, rng, size) -> list[dict]:
    """Rows of the subspace, and of what is missing."""
    kept = found.basis.shape[1]
    condition = f"components={kept} of {size['n_units']}"
    # As many components as units are the whole space; projecting into it changes nothing.
    status = "not_denoised;no_null;no_interval;no_ceiling" if kept == size["n_units"] else None
    rows = [row("variance of components", found.share[:kept].sum(), condition=condition, status=status, **size)]
    flat = found.average[found.main].reshape(-1, size["n_units"])
    n = len(data.names)
    leading = subspaces.leading(flat, n)
    null = subspaces.random_overlaps(leading, n, rng)
    told = f"axes={n};components={n};chance={subspaces.chance_overlap(size['n_units'], n, n):.3g}"
    rows.append(
        row("overlap of subspaces", subspaces.overlap(found.axis.T, leading), condition=told, null=null, **size)
    )
    rows.append(row("participation ratio", subspaces.effective_dimensionality(flat), **size))
    rows += _of_contexts(data, found, rng, size)
    used = f"correct={int(data.main.sum())};in the subspace={int(found.main.sum())}"
    rows.append(row("conditions", len(data.members), condition=used, **size))
    lacking = data.lacking
    rows.append(
        row(
            "conditions without trials",
            int(lacking.any(1).sum()),
            condition=f"pairs of condition and unit={int(lacking.sum())};units left out={data.left_out}",
            **size,
        )
    )
    return rows


def _of_contexts(data: Data, found: tdr.Axes, rng, size) -> list[dict]:
    """Rows of the subspaces in which activity differs between conditions of the same context."""
    if data.interacting is None:
        return []
    context = data.conditions[data.interacting]
    n = len(data.names) - 1
    parts = [found.average[found.main & (context == name)] for name in np.unique(context[found.main])]
    if len(parts) != 2 or min(map(len, parts)) <= n:
        return []
    # What all conditions of a context have in common at a time is left out.
    parts = [(part - part.mean(0)).reshape(-1, size["n_units"]) for part in parts]
    first, second = (subspaces.leading(part, n) for part in parts)
    null = subspaces.random_overlaps(second, n, rng, covariance=np.cov(np.concatenate(parts).T))
    told = {"condition": f"components={n}"} | size
    aligned = [subspaces.alignment(parts[0], second), subspaces.alignment(parts[1], first)]
    angle = subspaces.angles(first, second).max()
    return [
        row("overlap of contexts", subspaces.overlap(first, second), null=null, **told),
        row("largest angle between contexts", angle, unit="degrees", **told),
        row("alignment of contexts", np.mean(aligned), **told),
    ]


def _details(data: Data, found: tdr.Axes, names, array, size) -> xr.Dataset:
    used = [data.time[chosen] for chosen in found.window]
    return xr.Dataset(
        {
            "trajectory": (("condition", "time", "axis"), found.trajectory),
            "axis_vector": (("axis", "unit"), found.axis),
            "vector": (("axis", "unit"), found.vector),
            "beta": (("axis", "time", "unit"), found.coefficient),
            "denoised": (("axis", "time", "unit"), found.denoised),
            "norm": (("axis", "time"), found.norm),
            "window": (("axis", "bound"), np.array([(w[0], w[-1]) for w in used])),
            "share": ("axis", found.explained(found.axis)),
            "n_trials": ("condition", data.fewest),
            **{name: ("condition", values) for name, values in data.conditions.items()},
        },
        coords={
            "axis": list(data.names),
            "time": data.time,
            "unit": data.unit_id,
            "bound": ["first", "last"],
        },
        attrs={
            "regressors": ", ".join(names),
            "variables": "+".join(data.names),
            "evidence_units": str(array.attrs.get("evidence_units", "")),
            "components": found.basis.shape[1],
        }
        | {f"{key}_described": value for key, value in size.items()},
    )
