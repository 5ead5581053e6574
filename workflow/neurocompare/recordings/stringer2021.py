"""Mouse V1 under oriented stimuli, up to 50,000 neurons at once (Stringer et al. 2021, Cell 184:2767).

A recording is one pickled dict: one deconvolved response per neuron and trial, and the angle of each trial. One image
or film was rotated by a random angle between 0 and 360 degrees on every trial, so angles are continuous; trials whose
angles lie in one bin are pseudo-repeats of one stimulus.

The period of the angle follows from the name of the experiment, never from a position in a list. It is 360 degrees,
as in the paper: gratings that stand still have a fixed phase, so turned by 180 degrees they are another image. It is
180 degrees for sinusoids of random phase, where nothing but the phase would differ.

No statistic of the responses themselves enters them, so none of test trials either. The named step ``spontaneous``
scales with the activity before and after the stimuli; z-scores with training trials belong to a decoder.

Assumption: trials are stored in the order of time.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import inputs, pickles, presentations
from neurocompare.ingestion.selection import Selection, excluded

PERIODS = {
    "gratings_static": 360.0,
    "gratings_local": 360.0,
    "gratings_short": 360.0,
    "gratings_drifting": 360.0,
    "gratings_low_contrast": 360.0,
    "gratings_noisy": 360.0,
    "minnie": 360.0,
    "static_sin_rand": 180.0,
    "static_biased": 360.0,
    "biased_V2": 360.0,
}
"""Period of the angle in degrees by experiment; files are named after their experiment."""

PICKLED = True
"""The files hold pickles: none is opened whose checksum is not known beforehand."""

LATERAL = ("biased_V2",)
"""Experiments in the areas lateral to V1; all others are of V1."""

_NAME = re.compile(r"(.+)_([A-Z]+\d+)_(\d{4}_\d\d_\d\d)_(\d+)\.npy")
_CHUNK = 128


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    bins: int = 32,
    span: Sequence[float] | None = None,
    period: float | None = None,
    spontaneous: bool = False,
    components: int = 0,
    experiment: str | None = None,
    animal: str | None = None,
    session: str | None = None,
) -> xr.DataArray:
    """Read the responses to one kind of stimulus in one mouse.

    Parameters
    ----------
    files : mapping of str to Path
        One file, ``<experiment>_<mouse>_<date>_<block>.npy`` as the authors published it, or a copy of another name
        with `experiment` and `animal`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    bins : int
        Equal bins of the angle; trials in a bin are pseudo-repeats of one stimulus.
    span : sequence of two floats, optional
        Degrees between which the bins lie; trials with other angles are left out. By default all of the period.
    period : float, optional
        Degrees after which the angle is the same again; by default `PERIODS`.
    spontaneous : bool
        Subtract the mean of the spontaneous activity of each neuron and divide by its standard deviation.
    components : int
        Leading principal components of the spontaneous activity to remove, with `spontaneous` only; the paper's
        control takes 32.
    experiment, animal, session : str, optional
        What the name of the file doesn't say.

    Returns
    -------
    DataArray of shape (n_trials, n_neurons)
        In the order of time, with inferred spikes in arbitrary units. Along ``presentation`` also ``orientation``,
        the angle within its period, and ``angle``, both in degrees, and ``running_speed`` in arbitrary units where
        the file has it; along ``unit`` also ``x``, ``y`` and ``plane`` or ``depth``, as far as the file has them.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if an option does not fit.
    """
    path, experiment, animal, session = _named(files, experiment, animal, session)
    period = float(PERIODS[experiment] if period is None else period)
    low, high = _span(span, period)
    width = (high - low) / bins if isinstance(bins, int) and bins > 0 else 0.0
    # Stimuli are named by the centres of their bins, to a tenth of a degree.
    if width < 0.2:
        raise UserError(f"{path.name}: bins is {bins!r}; give a whole number of bins, each 0.2 degrees or wider")
    data = _loaded(path)
    angle = np.asarray(data["istim"], dtype=float).ravel()
    responses = data["sresp"]
    trials = _trials(path, responses, angle, period, low, high)
    shown = trials.index(f"trials of {path.name}")
    step = _spontaneous(path, data, spontaneous, components)
    units = _units(responses, len(angle), step)
    kept = units.index(f"neurons of {path.name}")
    values = _values(responses, shown, kept, *step)
    places = _places(path, data, len(responses), kept)
    running = _running(path, data, len(angle))
    # The file's own arrays are given back before the result is checked and written.
    del data, responses
    degrees = np.rad2deg(angle[shown])
    orientation = degrees % period
    index = np.clip(((orientation - low) / width).astype(int), 0, bins - 1)
    n = len(kept)
    return representation.responses(
        values,
        presentation={
            "stimulus": np.array([f"orientation={low + (k + 0.5) * width:05.1f}" for k in range(bins)])[index],
            "repeat": presentations.repeats(index),
            "block": presentations.stretches(len(shown)),
            "orientation": orientation,
            "angle": degrees,
        }
        | ({} if running is None else {"running_speed": running[shown]}),
        unit={
            "unit_id": np.array([f"{animal}-{session}-{i:05d}" for i in kept]),
            "area": np.full(n, "lateral visual areas" if experiment in LATERAL else "V1"),
            "animal": np.full(n, animal),
            "session": np.full(n, session),
        }
        | places,
        attributes=about
        | {
            "response": "inferred spikes",
            "exchangeable": "stimulus",
            "simultaneous": True,
            "experiment": experiment,
            "orientation_period": period,
            "normalisation": "z-score by spontaneous activity" if spontaneous else "none",
            "spontaneous_components_removed": int(components),
            "excluded": excluded(unit=units, presentation=trials),
        },
    )


def _named(files, experiment, animal, session) -> tuple[Path, str, str, str]:
    """Return the one recording among the files, its experiment, mouse and session."""
    names = [name for name in files if name.endswith(".npy")]
    if len(names) != 1:
        raise UserError(f"stringer2021: a recording is one .npy file, the catalogue lists {', '.join(names) or 'none'}")
    path = inputs.given(files, names[0])
    match = _NAME.fullmatch(path.name)
    parts = match.groups() if match else (None, None, None, None)
    experiment, animal = experiment or parts[0], animal or parts[1]
    if not experiment or not animal:
        raise UserError(f"{path.name}: name doesn't tell the recording; give the options 'experiment' and 'animal'")
    if experiment not in PERIODS:
        raise unknown(f"experiment of {path.name}", experiment, PERIODS)
    return path, experiment, animal, session or (f"{parts[2]}_{parts[3]}" if match else path.stem)


def _span(span, period) -> tuple[float, float]:
    if not 0 < period <= 360:
        raise UserError(f"stringer2021: period is {period:g}; give degrees, up to 360")
    if span is None:
        return 0.0, period
    if len(span) != 2 or not 0 <= span[0] < span[1] <= period:
        raise UserError(f"stringer2021: span is {list(span)}; give two rising angles from 0 to {period:g} degrees")
    return float(span[0]), float(span[1])


def _loaded(path: Path) -> dict:
    data = pickles.load(path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no dict of arrays; this is another file")
    for key in ("sresp", "istim"):
        if key not in data:
            present = ", ".join(sorted(map(str, data))) or "none"
            raise UserError(f"{path}: '{key}' is missing (present: {present}); this is another file")
    responses, angle = data["sresp"], data["istim"]
    if getattr(responses, "ndim", 0) != 2 or responses.dtype.kind != "f" or getattr(angle, "size", 0) == 0:
        raise UserError(f"{path}: 'sresp' is not neurons × trials, or 'istim' is empty; this is another file")
    if responses.shape[1] < angle.size:
        raise UserError(
            f"{path}: 'sresp' has {responses.shape[1]} trials, 'istim' {angle.size} angles; this is another file"
        )
    return data


def _trials(path, responses, angle, period, low, high) -> Selection:
    """Choose the trials; there may be more responses than angles."""
    known = np.full(responses.shape[1], np.nan)
    known[: len(angle)] = angle
    finite = known[np.isfinite(known)]
    if finite.size and (finite.min() < 0 or finite.max() > 2 * np.pi + 1e-6):
        raise UserError(f"{path}: 'istim' runs from {finite.min():g} to {finite.max():g}; angles in radians are needed")
    beyond = np.arange(len(known)) >= len(angle)
    folded = np.rad2deg(known) % period
    trials = Selection(len(known)).drop(beyond, "response after the last angle").drop(np.isnan(known), "no angle")
    if high - low < period:
        trials.drop((folded < low) | (folded > high), f"angle not between {low:g} and {high:g} degrees")
    return trials


def _spontaneous(path, data, spontaneous, components) -> tuple:
    """Return mean, standard deviation and components of the spontaneous activity, or None for what is not wanted."""
    if not isinstance(components, int) or components < 0 or (components and not spontaneous):
        raise UserError(
            f"{path.name}: components is {components!r}; give a whole number, and above 0 'spontaneous: true' with it"
        )
    if not spontaneous:
        return None, None, None
    n = len(data["sresp"])
    found = []
    for key in ("mean_spont", "std_spont"):
        values = np.asarray(data.get(key, []), dtype=float).ravel()
        if len(values) != n:
            raise UserError(f"{path}: '{key}' has {len(values)} values for {n} neurons; set 'spontaneous: false'")
        found.append(values)
    axes = None
    if components:
        axes = data.get("u_spont")
        if getattr(axes, "ndim", 0) != 2 or len(axes) != n or axes.shape[1] < components:
            shape = getattr(axes, "shape", "not there")
            raise UserError(f"{path}: 'u_spont' is {shape}; {components} components of {n} neurons are needed")
        axes = np.asarray(axes[:, :components], dtype=float)
    return *found, axes


def _units(responses, n_trials, step) -> Selection:
    """Choose the neurons, reading a few at a time."""
    finite, constant = np.empty(len(responses), dtype=bool), np.empty(len(responses), dtype=bool)
    for start in range(0, len(responses), _CHUNK):
        part = responses[start : start + _CHUNK, :n_trials]
        here = slice(start, start + len(part))
        finite[here], constant[here] = np.isfinite(part).all(axis=1), np.ptp(part, axis=1) == 0
    units = Selection(len(responses)).drop(~finite, "NaN or infinite response").drop(constant, "constant response")
    mean, deviation, axes = step
    if mean is not None:
        silent = ~(np.isfinite(mean) & np.isfinite(deviation) & (deviation > 0))
        units.drop(silent, "no spontaneous activity to scale with")
    if axes is not None:
        units.drop(~np.isfinite(axes).all(axis=1), "no weight in the spontaneous components")
    return units


def _values(responses, shown, kept, mean, deviation, axes) -> np.ndarray:
    """Transpose, scale and project the responses, a few neurons at a time."""
    values = np.empty((len(shown), len(kept)), dtype=np.float32)
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(kept), _CHUNK)]
    for chunk in chunks:
        rows = kept[chunk]
        part = responses[rows][:, shown]
        if mean is not None:
            part = (part - mean[rows, None]) / deviation[rows, None]
        values[:, chunk] = part.T
    if axes is not None:
        # Without the neurons that were left out, the components are no longer orthonormal by themselves.
        axes = np.linalg.qr(axes[kept])[0]
        scores = sum(values[:, chunk] @ axes[chunk] for chunk in chunks)
        for chunk in chunks:
            values[:, chunk] -= scores @ axes[chunk].T
    return values


def _places(path, data, n, kept) -> dict[str, np.ndarray]:
    """Positions of the neurons: of the copy for courses all three, of the published file pixels in their plane."""
    if "xyz" in data:
        places = np.asarray(data["xyz"], dtype=float)
        if places.shape != (3, n):
            raise UserError(f"{path}: 'xyz' is {places.shape}, not three coordinates of {n} neurons; another file")
        return dict(zip(("x", "y", "depth"), places[:, kept], strict=True))
    stat = data.get("stat")
    if stat is None:
        return {}
    if len(stat) != n or not all(isinstance(cell, dict) and len(cell.get("med", ())) == 2 for cell in stat):
        raise UserError(f"{path}: 'stat' doesn't give 'med' for each of {n} neurons; this is another file")
    y, x = np.array([cell["med"] for cell in stat], dtype=float).T
    places = {"x": x[kept], "y": y[kept]}
    if all("iplane" in cell for cell in stat):
        places["plane"] = np.array([int(cell["iplane"]) for cell in stat])[kept]
    return places


def _running(path, data, n_trials) -> np.ndarray | None:
    if "run" not in data:
        return None
    running = np.asarray(data["run"], dtype=float).ravel()
    if len(running) < n_trials:
        raise UserError(f"{path}: 'run' has {len(running)} values for {n_trials} trials; this is another file")
    return running
