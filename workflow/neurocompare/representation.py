"""The one schema that every loader produces and every measure consumes.

A *representation* is an ``xarray.DataArray`` of one of two kinds:

responses
    dims ``(presentation, unit)`` or ``(presentation, time, unit)``. Along ``presentation``: ``stimulus``
    (string id), ``repeat`` (int), ``block`` (int: the run, session or chronological stretch that a fold
    must not split) and any condition variable. Along ``unit``: ``unit_id`` (unique string), ``area``,
    ``animal``, ``session``. ``time`` is in seconds, 0 at the onset of the stimulus or event. Units that were
    recorded one after another may have different numbers of trials: then ``trials`` (presentation, unit) says how
    many a value is the mean of, and the value is NaN where it is 0, a *gap*.
rdm
    dims ``(rdm, stimulus, other_stimulus)``: dissimilarities that were published without responses.
    Along ``rdm``: ``area``, ``animal``, ``session``; the attribute ``distance`` says which one it is.

Both carry the attributes in `REQUIRED_ATTRIBUTES`. Nothing is guessed: what a null may exchange and
whether units were recorded together is declared by the recording, because every interval depends on it.
Nothing is dropped silently: the attribute ``excluded`` counts what was left out, by dimension and reason.
"""

import contextlib
import json
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.files import written

SCHEMA_VERSION = "2"

RESPONSES = {
    "spike count": "spikes",
    "firing rate": "spikes/s",
    "fluorescence": "a.u.",
    "dF/F": "1",
    "inferred spikes": "a.u.",
    "unit activation": "1",
    "fluorescence change": "%",
    "principal component score": "spikes/s",
    "reaction time": "s",
    "dissimilarity": "1",
}
"""What a value may be, with the physical unit that goes with it by default."""

EXCHANGEABLE = ("stimulus", "condition", "block", "shift", "none")
"""What a null may exchange, from the most to the least; ``shift`` (circular shifts of continuous data) needs the
attribute ``shift``, a number of samples beyond the autocorrelation."""

REQUIRED_ATTRIBUTES = (
    "response",
    "units",
    "exchangeable",
    "simultaneous",
    "source",
    "citation",
    "license",
    "sha256",
    "excluded",
    "schema_version",
)

IDEAL = "ideal_correct"
"""Attribute of trials: the fraction correct of the ideal observer of their evidence, where it is known."""

_PRESENTATION = {"stimulus": "a string id", "repeat": "an integer", "block": "an integer"}
_UNIT = ("unit_id", "area", "animal", "session")
_RDM = ("area", "animal", "session")


class RepresentationError(UserError):
    """A representation that breaks the schema; the message names file, variable and cure."""


def responses(
    values: np.ndarray,
    *,
    presentation: dict[str, np.ndarray],
    unit: dict[str, np.ndarray],
    attributes: dict[str, object],
    time: np.ndarray | None = None,
    dtype: str = "float32",
    each: dict[str, np.ndarray] | None = None,
) -> xr.DataArray:
    """Build and validate a representation made of responses.

    Parameters
    ----------
    values : array of shape (n_presentations, n_units) or (n_presentations, n_times, n_units)
        The responses.
    presentation : dict of str to array of shape (n_presentations,)
        Coordinates of the presentations; ``stimulus``, ``repeat`` and ``block`` are required.
    unit : dict of str to array of shape (n_units,)
        Coordinates of the units; ``unit_id``, ``area``, ``animal`` and ``session`` are required.
    attributes : dict
        See `REQUIRED_ATTRIBUTES`; ``units``, ``excluded`` and ``schema_version`` are filled in where they are
        missing. ``sha256`` is a dict from the name of an input file to its checksum; ``excluded`` maps a
        dimension to the number that was left out for each reason: ``{"unit": {"silent": 3}}``.
    time : array of shape (n_times,), optional
        Seconds from the onset of the stimulus or event.
    dtype : str
        What values that are not whole numbers are stored as. Recordings have fewer digits than ``float32``.
    each : dict of str to array of shape (n_presentations, n_units), optional
        Coordinates of each presentation and unit, such as ``trials``.

    Returns
    -------
    DataArray
        The validated representation.

    Raises
    ------
    RepresentationError
        If the schema is broken.
    """
    dims = ("presentation", "unit") if time is None else ("presentation", "time", "unit")
    coords = {name: ("presentation", np.asarray(v)) for name, v in presentation.items()}
    coords |= {name: ("unit", np.asarray(v)) for name, v in unit.items()}
    coords |= {name: (("presentation", "unit"), np.asarray(v)) for name, v in (each or {}).items()}
    if time is not None:
        coords["time"] = np.asarray(time, dtype=float)
    values = np.asarray(values)
    if values.dtype.kind == "f":
        values = values.astype(dtype, copy=False)
    return _built(values, dims, coords, attributes)


def dissimilarities(
    values: np.ndarray,
    *,
    stimulus: np.ndarray,
    rdm: dict[str, np.ndarray],
    attributes: dict[str, object],
) -> xr.DataArray:
    """Build and validate a representation that exists only as dissimilarity matrices.

    Parameters
    ----------
    values : array of shape (n_rdms, n_stimuli, n_stimuli)
        Symmetric matrices with a zero diagonal.
    stimulus : array of str of shape (n_stimuli,)
        Stimulus ids, in the order of the matrices.
    rdm : dict of str to array of shape (n_rdms,)
        ``area``, ``animal`` and ``session`` of each matrix.
    attributes : dict
        As for `responses`, and ``distance``.

    Returns
    -------
    DataArray
        The validated representation.

    Raises
    ------
    RepresentationError
        If the schema is broken.
    """
    stimulus = np.asarray(stimulus)
    coords = {name: ("rdm", np.asarray(v)) for name, v in rdm.items()}
    coords |= {"stimulus": ("stimulus", stimulus), "other_stimulus": ("other_stimulus", stimulus)}
    attributes = {"response": "dissimilarity"} | attributes
    return _built(values, ("rdm", "stimulus", "other_stimulus"), coords, attributes)


def kind(array: xr.DataArray) -> str:
    """Return ``"responses"`` or ``"rdm"``."""
    return "rdm" if "rdm" in array.dims else "responses"


def validate(array: xr.DataArray, name: str = "representation") -> xr.DataArray:
    """Check a representation against the schema.

    Parameters
    ----------
    array : DataArray
        The representation.
    name : str
        What error messages call it: the path of its file, usually.

    Returns
    -------
    DataArray
        `array` itself.

    Raises
    ------
    RepresentationError
        On the first rule that is broken; the message names `name`, the variable and the cure.
    """
    if not isinstance(array, xr.DataArray):
        raise RepresentationError(f"{name}: expected an xarray.DataArray, got {type(array).__name__}")
    allowed = [("presentation", "unit"), ("presentation", "time", "unit"), ("rdm", "stimulus", "other_stimulus")]
    if array.dims not in allowed:
        raise RepresentationError(
            f"{name}: dims are {array.dims}; transpose or rename them to one of {', '.join(map(str, allowed))}"
        )
    _validate_attributes(array, name)
    if 0 in array.shape:
        raise RepresentationError(f"{name}: empty along '{array.dims[array.shape.index(0)]}'; check the selection")
    if array.dtype.kind not in "fiu":
        raise RepresentationError(f"{name}: values are of type {array.dtype}; store numbers")
    (_validate_rdm if kind(array) == "rdm" else _validate_responses)(array, name)
    return array


def write(array: xr.DataArray, path: str | Path) -> None:
    """Validate a representation and write it as NetCDF, whole or not at all.

    Parameters
    ----------
    array : DataArray
        The representation.
    path : str or Path
        The file, ``.nc``.

    Raises
    ------
    RepresentationError
        If the schema is broken; nothing is written then.
    """
    validate(array, str(path))
    # The values are shared, not copied: they may be most of the memory.
    stored = array.copy(deep=False)
    stored.attrs = {k: _stored(v) for k, v in array.attrs.items()}
    with written(path) as temporary:
        stored.rename("value").to_netcdf(
            temporary, engine="h5netcdf", encoding={"value": {"zlib": True, "complevel": 1}}
        )


def gaps(array: xr.DataArray) -> int:
    """Count the pairs of a presentation and a unit that has no trial there."""
    return int((array.coords["trials"].values == 0).sum()) if _counted(array) else 0


def most_trials(array: xr.DataArray) -> int:
    """Return the number of trials, or that of the unit that has most, where each has trials of its own."""
    return int(array.coords["trials"].values.sum(0).max()) if _counted(array) else array.sizes["presentation"]


def read(path: str | Path, *, with_gaps: bool = False) -> xr.DataArray:
    """Read a representation and validate it.

    Parameters
    ----------
    path : str or Path
        A NetCDF file made by `write`.
    with_gaps : bool
        Whether the reader knows what to do where a unit has no trial. Nobody else shall meet a NaN.

    Returns
    -------
    DataArray
        The representation, loaded into memory.

    Raises
    ------
    RepresentationError
        If the file is absent, is not NetCDF or breaks the schema, or has gaps.
    """
    if not Path(path).is_file():
        raise RepresentationError(f"{path}: no such file")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            dataset.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # all that HDF5 says of damaged files
        raise RepresentationError(f"{path}: not a readable NetCDF file ({error}); make it again") from error
    if "value" not in dataset:
        raise RepresentationError(f"{path}: variable 'value' is missing; write it with representation.write")
    array = dataset["value"]
    for attribute in {"sha256", "excluded"} & set(array.attrs):
        # What is not a mapping is refused by `validate`.
        with contextlib.suppress(TypeError, ValueError):
            array.attrs[attribute] = json.loads(array.attrs[attribute])
    if "simultaneous" in array.attrs:
        array.attrs["simultaneous"] = bool(array.attrs["simultaneous"])
    array.name = None
    validate(array, str(path))
    if not with_gaps and gaps(array):
        raise RepresentationError(
            f"{path}: {gaps(array)} pairs of presentation and unit have no trial, which few descriptions take, such as "
            "'tdr'; give the pool a number of 'repeats' for everything else"
        )
    return array


def _built(values, dims, coords, attributes) -> xr.DataArray:
    attributes = {"schema_version": SCHEMA_VERSION, "excluded": {}} | attributes
    attributes.setdefault("units", RESPONSES.get(str(attributes.get("response")), "1"))
    try:
        array = xr.DataArray(values, dims=dims, coords=coords, attrs=attributes)
    except ValueError as error:
        raise RepresentationError(f"representation: mismatched lengths ({error})") from error
    return validate(array)


def _stored(value: object) -> object:
    """NetCDF attributes hold neither dicts nor booleans."""
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return int(value) if isinstance(value, bool | np.bool_) else value


def _validate_attributes(array: xr.DataArray, name: str) -> None:
    for attribute in REQUIRED_ATTRIBUTES:
        if attribute not in array.attrs:
            raise RepresentationError(f"{name}: attribute '{attribute}' is missing; declare it in the loader")
    response, exchangeable = array.attrs["response"], array.attrs["exchangeable"]
    if str(response) not in RESPONSES:
        raise RepresentationError(f"{name}: attribute 'response' is '{response}'; use one of {', '.join(RESPONSES)}")
    if str(exchangeable) not in EXCHANGEABLE:
        raise RepresentationError(
            f"{name}: attribute 'exchangeable' is '{exchangeable}'; declare one of {', '.join(EXCHANGEABLE)}"
        )
    if not isinstance(array.attrs["simultaneous"], bool | np.bool_):
        raise RepresentationError(f"{name}: attribute 'simultaneous' must be true or false")
    if not isinstance(array.attrs["sha256"], dict):
        raise RepresentationError(f"{name}: attribute 'sha256' must map each input file to its checksum")
    excluded = array.attrs["excluded"]
    if not isinstance(excluded, dict) or any(
        not isinstance(reasons, dict) or any(not isinstance(n, int) or n < 1 for n in reasons.values())
        for reasons in excluded.values()
    ):
        raise RepresentationError(
            f"{name}: attribute 'excluded' must map dimensions to counts by reason, such as {{'unit': {{'silent': 3}}}}"
        )
    version = array.attrs["schema_version"]
    if str(version) != SCHEMA_VERSION:
        raise RepresentationError(
            f"{name}: attribute 'schema_version' is {version}, this is version {SCHEMA_VERSION}; ingest it again"
        )


def _require(array: xr.DataArray, coordinate: str, dim: str, name: str, what: str = "a string") -> np.ndarray:
    if coordinate not in array.coords:
        raise RepresentationError(
            f"{name}: coordinate '{coordinate}' along '{dim}' is missing; add {what} for each {dim}"
        )
    values = array.coords[coordinate]
    if values.dims != (dim,):
        raise RepresentationError(f"{name}: coordinate '{coordinate}' lies along {values.dims}; it belongs to '{dim}'")
    return values.values


def _labels(array: xr.DataArray, coordinate: str, dim: str, name: str) -> np.ndarray:
    values = _require(array, coordinate, dim, name)
    if any(not isinstance(label, str | bytes) or not label.strip() for label in values):
        raise RepresentationError(f"{name}: coordinate '{coordinate}' must be non-empty strings; label every {dim}")
    return values


def _unique(values: np.ndarray, coordinate: str, name: str) -> None:
    labels, counts = np.unique(values.astype(str), return_counts=True)
    if counts.max() > 1:
        raise RepresentationError(
            f"{name}: coordinate '{coordinate}' repeats '{labels[counts.argmax()]}'; give each its own id"
        )


def _validate_responses(array: xr.DataArray, name: str) -> None:
    _labels(array, "stimulus", "presentation", name)
    for coordinate in ("repeat", "block"):
        if _require(array, coordinate, "presentation", name, _PRESENTATION[coordinate]).dtype.kind not in "iu":
            raise RepresentationError(f"{name}: coordinate '{coordinate}' must be integers")
    for coordinate in _UNIT:
        _labels(array, coordinate, "unit", name)
    _unique(array.coords["unit_id"].values, "unit_id", name)
    if "time" in array.dims:
        time = _require(array, "time", "time", name, "seconds from onset")
        if time.dtype.kind not in "fiu" or not np.isfinite(time).all() or np.any(np.diff(time) <= 0):
            raise RepresentationError(f"{name}: coordinate 'time' must be increasing numbers; sort the bins")
    if _counted(array):
        trials = array.coords["trials"].values
        if trials.dtype.kind not in "iu" or trials.min() < 0 or not trials.any(0).all():
            raise RepresentationError(f"{name}: coordinate 'trials' must be counts, and not 0 throughout for a unit")
    # Chunks of presentations: the mask of a large recording would need a quarter of its memory again.
    bad = ~np.logical_and.reduce([_finite(part).all(axis=tuple(range(part.ndim - 1))) for part in _parts(array)])
    if bad.any():
        first = array.coords["unit_id"].values[bad.argmax()]
        raise RepresentationError(
            f"{name}: {bad.sum()} of {bad.size} units hold NaN or infinite values (first: '{first}'); "
            "drop them in the loader"
        )
    if array.attrs["response"] == "spike count" and np.nanmin(array.values) < 0:
        raise RepresentationError(f"{name}: negative spike counts; correct the values or the attribute 'response'")


def _parts(array: xr.DataArray):
    return (array[start : start + 1024] for start in range(0, array.shape[0], 1024))


def _finite(part: xr.DataArray) -> np.ndarray:
    """Whether values are finite; a gap is no fault, a value in it would be one."""
    finite = np.isfinite(part.values)
    if not _counted(part):
        return finite
    gap = part.coords["trials"].values == 0
    return np.where(gap[:, None] if part.ndim == 3 else gap, np.isnan(part.values), finite)


def _counted(array: xr.DataArray) -> bool:
    """Whether numbers of trials are told for each presentation and unit."""
    return "trials" in array.coords and array.coords["trials"].dims == ("presentation", "unit")


def _validate_rdm(array: xr.DataArray, name: str) -> None:
    for coordinate in _RDM:
        _labels(array, coordinate, "rdm", name)
    stimulus = _labels(array, "stimulus", "stimulus", name)
    _unique(stimulus, "stimulus", name)
    if not np.array_equal(stimulus, _labels(array, "other_stimulus", "other_stimulus", name)):
        raise RepresentationError(f"{name}: 'stimulus' and 'other_stimulus' differ; use the same order for both")
    if "distance" not in array.attrs:
        raise RepresentationError(f"{name}: attribute 'distance' is missing; say which dissimilarity this is")
    values = array.values
    if not np.isfinite(values).all():
        raise RepresentationError(f"{name}: dissimilarities hold NaN or infinite values; drop the stimuli concerned")
    if not np.allclose(values, values.transpose(0, 2, 1)) or np.abs(np.einsum("kii->ki", values)).max() > 1e-8:
        raise RepresentationError(f"{name}: dissimilarities must be symmetric with a zero diagonal")
