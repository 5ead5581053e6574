"""Macaque V1 under static gratings, tetrode recordings (Ecker et al. 2010, Berens et al. 2012).

Seventeen sessions in two animals: 7 or 8 orientations × 2 contrasts, 10 to 85 repeats, spikes in bins of
10 ms from 0.2 s before to 0.7 s after the onset of the grating. Contrasts differ between sessions; subject D
has its orientations in whole degrees (22, 67, 112, 158), as in the file.

Assumption: the file orders the trials by condition and repeat and gives no times. The repeats are taken to be
in the order of time, with the conditions of one repeat close to each other, and are cut into four ``block``
of consecutive repeats. The data agree: excitability that is shared by the trials of one repeat changes slowly
from repeat to repeat.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import events, inputs
from neurocompare.ingestion.selection import Selection, excluded

FILE = "data_v1_binned_static.mat"
N_BLOCKS = 4


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    session: int,
    window: Sequence[float] = (0.04, 0.54),
    contamination: float = 0.05,
) -> xr.DataArray:
    """Read the spike counts of one session.

    Parameters
    ----------
    files : mapping of str to Path
        `FILE`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    session : int
        From 1 to 17, in the order of the file.
    window : sequence of two floats
        Seconds from the onset of the grating between which spikes are counted; on edges of the bins.
    contamination : float
        Units are kept if their estimated fraction of foreign spikes is below this. Both papers use 0.05.

    Returns
    -------
    DataArray of shape (n_repeats * n_conditions, n_units)
        Spike counts, all conditions of the first repeat first. Along ``presentation`` also ``orientation``
        in degrees and ``contrast`` from 0 to 1; along ``unit`` also ``tetrode`` and ``contamination``.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if an option is out of its range.
    """
    path = inputs.given(files, FILE)
    (sessions,) = inputs.mat(path, "data")
    sessions = np.atleast_1d(sessions)
    if not isinstance(session, int) or not 1 <= session <= len(sessions):
        raise UserError(f"{FILE}: session is {session!r}; give a whole number from 1 to {len(sessions)}")
    wanted = ("spikes", "times", "conditions", "contamination", "tetrode", "date", "subject")
    spikes, times, conditions, foreign, tetrode, date, subject = inputs.fields(
        sessions[session - 1], *wanted, path=path
    )
    pairs = [inputs.fields(struct, "orientation", "contrast", path=path) for struct in np.atleast_1d(conditions)]
    orientation, contrast = np.array(pairs, dtype=float).T
    contrast = contrast / 100
    if spikes.ndim != 4 or spikes.shape[:3] != (len(foreign), len(pairs), len(times)):
        raise UserError(f"{path}: 'spikes' of session {session} is not unit × condition × bin × repeat; another file")

    units = Selection(len(foreign)).drop(foreign >= contamination, f"contamination of {contamination:g} or more")
    kept = units.index(f"units of {FILE}, session {session}, the cleanest with {foreign.min():.4f},")
    counts = spikes[kept][:, :, _bins(times, window)].sum(axis=2, dtype=np.int64)
    n_units, n_conditions, n_repeats = counts.shape
    ids = np.array([f"orientation={o:05.1f}-contrast={c:.2f}" for o, c in zip(orientation, contrast, strict=True)])
    repeat = np.repeat(np.arange(n_repeats), n_conditions)
    return representation.responses(
        counts.transpose(2, 1, 0).reshape(n_repeats * n_conditions, n_units),
        presentation={
            "stimulus": np.tile(ids, n_repeats),
            "repeat": repeat,
            "block": repeat * N_BLOCKS // n_repeats,
            "orientation": np.tile(orientation, n_repeats),
            "contrast": np.tile(contrast, n_repeats),
        },
        unit={
            "unit_id": np.array([f"{subject}-{date}-{i:02d}" for i in kept]),
            "area": np.full(n_units, "V1"),
            "animal": np.full(n_units, str(subject)),
            "session": np.full(n_units, str(date)),
            "tetrode": np.asarray(tetrode, dtype=int)[kept],
            "contamination": foreign[kept],
        },
        attributes=about
        | {
            "response": "spike count",
            "exchangeable": "stimulus",
            "simultaneous": True,
            "window": events.window_text(window),
            "excluded": excluded(unit=units),
        },
    )


def _bins(times: np.ndarray, window: Sequence[float]) -> np.ndarray:
    """Return the bins that make up a window; `times` are the centres in ms."""
    width = float(times[1]) - float(times[0])
    start, stop = (1000 * float(edge) for edge in window) if len(window) == 2 else (0.0, 0.0)
    left = times.astype(float) - width / 2
    inside = np.flatnonzero((left > start - 1e-6) & (left + width < stop + 1e-6))
    if not len(inside) or abs(len(inside) * width - (stop - start)) > 1e-6:
        raise UserError(
            f"{FILE}: window is {list(window)}; give two edges of the bins of {width / 1000:g} s that reach from "
            f"{left[0] / 1000:g} to {(left[-1] + width) / 1000:g} s, start first"
        )
    return inside
