"""Single trials of one session of Boucher et al. 2023: all units of an electrode at once, in spikes of 1 ms.

A file of the deposit's ``LFADSdata`` (such as ``t_14October2013_345678.mat``) holds the structure ``forGPFA``; a file
``*_dataStructs.mat`` holds its fields at the top. Of either, the trials ``dat`` are read (spikes, reaction time in
ms, number of red squares, number of the trial), and from ``dataStruct.Info`` which target was red, if it is there. That
is listed by side of the reach and without the number of the trial: it fits trials of which those to the left come first
in the file, as described. Otherwise what depends on the colors is left out, and the attribute ``target_colors`` says
why. Both versions of MATLAB's format will do; of 7.3 a trial is held at a time.

These files were not at hand when this was written: the layout is that of the deposit's description and of the
authors' programs, in which the checkerboard appears after 600 samples.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import hdf5, inputs, presentations, rasters

BEGIN = -0.6
SQUARES = 225
SIDES = ("left", "right")
ROOT = "forGPFA"
_NUMBERS = ("RT", "Cue", "GlobalTrialId", "choice")


def read(files: Mapping[str, Path], about: dict[str, object], *, window, bin_width) -> xr.DataArray:
    """Read the spike counts of the trials of a session, in the order of time.

    Parameters
    ----------
    files : mapping of str to Path
        The one file of the session.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    window, bin_width
        As of `boucher2023.ingest`.

    Returns
    -------
    DataArray of shape (n_trials, [n_times,] n_units)
        Spike counts.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if the window does not fit.
    """
    if len(files) != 1:
        raise UserError(f"boucher2023: needs one file, of a session (listed: {', '.join(files) or 'none'})")
    path = inputs.given(files, next(iter(files)))
    if h5py.is_hdf5(path):
        with hdf5.opened(path) as file:
            trials, targets = _trials_hdf5(file), _targets_hdf5(file)
            return _recording(path, trials, targets, about, window, bin_width)
    try:
        (struct,) = inputs.mat(path, ROOT)
    except UserError:
        # The other layout; a file that is not readable is told by this as well.
        dat, data = inputs.mat(path, "dat", "dataStruct")
    else:
        dat, data = inputs.fields(struct, "dat", "dataStruct", path=path)
    dat = np.atleast_1d(dat)

    def trials(name: str) -> list[np.ndarray]:
        return [np.asarray(inputs.fields(trial, name, path=path)[0]) for trial in dat]

    info = getattr(data, "Info", None)
    sides = [getattr(getattr(info, side, None), "targetConfig", None) for side in ("Left", "Right")]
    targets = None if any(part is None for part in sides) else [np.ravel(part) for part in sides]
    return _recording(path, trials, targets, about, window, bin_width)


def _trials_hdf5(file: h5py.File) -> Callable:
    """Give a function that reads a field of all trials, one at a time."""
    root = f"{ROOT}/dat" if ROOT in file else "dat"

    def trials(name: str):
        references = np.asarray(hdf5.dataset(file, f"{root}/{name}")).ravel()
        return (np.asarray(file[reference]).T for reference in references)

    return trials


def _targets_hdf5(file: h5py.File) -> list[np.ndarray] | None:
    root = f"{ROOT}/dataStruct/Info" if ROOT in file else "dataStruct/Info"
    sides = [file.get(f"{root}/{side}/targetConfig") for side in ("Left", "Right")]
    return None if any(part is None for part in sides) else [np.ravel(part) for part in sides]


def _mismatch(targets: list[np.ndarray] | None, left: np.ndarray) -> str:
    """Return why the codes of the targets of both sides are not those of the trials, in their order; "" if they are."""
    if targets is None:
        return "not in the file"
    listed, held = [part.size for part in targets], [int(left.sum()), int((~left).sum())]
    if listed != held:
        return f"listed for {listed[0]} left and {listed[1]} right reaches, the file holds {held[0]} and {held[1]}"
    return "" if left[: held[0]].all() else "listed by side, but the trials are not in the order of sides"


def _recording(path, trials, targets, about, window, bin_width) -> xr.DataArray:
    numbers = {name: np.array([float(np.squeeze(v)) for v in trials(name)]) for name in _NUMBERS}
    n_trials = len(numbers["choice"])
    if not n_trials or not np.isin(numbers["choice"], (1, 2)).all():
        raise UserError(f"{path}: 'choice' of the trials is not 1 and 2; this is another file")
    counts, cut = None, None
    for place, spikes in enumerate(trials("spikes")):
        if counts is None:
            n_units = len(np.atleast_2d(spikes))
            n_samples = spikes.shape[-1]
            cut = rasters.bins(window, bin_width, start=BEGIN, step=0.001, n_samples=n_samples, name=str(path))
            counts = np.empty((n_trials, cut.count, n_units), dtype=np.uint16)
        if spikes.size != n_units * n_samples or spikes.min() < 0 or np.any(spikes != np.round(spikes)):
            raise UserError(f"{path}: 'spikes' of trial {place + 1} are not {n_units} units × {n_samples} counts")
        counts[place] = cut.sums(spikes.reshape(n_units, n_samples)).T
    order = np.argsort(numbers["GlobalTrialId"], kind="stable")
    n_red = numbers["Cue"].astype(int)
    coherence = (2 * n_red - SQUARES) / SQUARES * 100
    left = numbers["choice"] == 1
    presentation = {
        "trial": numbers["GlobalTrialId"].astype(int),
        "signed_coherence": coherence,
        "n_red": n_red,
        "choice": np.where(left, *SIDES),
        "reaction_time": numbers["RT"] / 1000,
    }
    stimulus = np.array([f"coherence={c:+05.1f}" for c in coherence])
    mismatch = _mismatch(targets, left)
    if not mismatch:
        red_left = np.concatenate(targets) < 0
        red = left == red_left
        presentation |= {
            "left_target": np.where(red_left, "red", "green"),
            "color_choice": np.where(red, "red", "green"),
            "correct": (red == (coherence > 0)).astype(int),
        }
        stimulus = np.array([f"{s}-left={t}" for s, t in zip(stimulus, presentation["left_target"], strict=True)])
    name = path.stem
    counts = counts[order]
    return representation.responses(
        counts if cut.time is not None else counts[:, 0],
        presentation={key: values[order] for key, values in presentation.items()}
        | {
            "stimulus": stimulus[order],
            "repeat": presentations.repeats(stimulus[order]),
            "block": presentations.stretches(n_trials),
        },
        unit={
            "unit_id": np.array([f"{name}-{i:02d}" for i in range(n_units)]),
            "area": np.full(n_units, "PMd"),
            "animal": np.full(n_units, name[:1].upper()),
            "session": np.full(n_units, name),
        },
        time=cut.time,
        attributes=about
        | {"response": "spike count", "window": cut.window, "exchangeable": "stimulus", "simultaneous": True}
        | {"phases": {"before the checkerboard": -0.6, "checkerboard": 0.0}}
        | ({"target_colors": f"left out: {mismatch}"} if mismatch else {}),
    )
