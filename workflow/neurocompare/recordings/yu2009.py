"""Premotor and motor cortex of a macaque that plans and makes reaches (Yu et al. 2009), the examples of DataHigh.

Session G20040123: 61 units at once, spikes in steps of 1 ms. ``ex1_spikecounts.mat`` holds 30 trials for each of 7
directions, from 0.1 to 0.5 s after the onset of the target, while the reach is planned; ``ex2_rawspiketrains.mat`` all
56 trials for each of two of them, until after the movement, so that trials differ in length.

Time is from the onset of the target. That of the second file follows from the first, 30 trials of each direction
being in both files, 0.3 s after its beginning: it begins 0.2 s before the target. What the second file calls
``reach1`` is ``reach6`` of the first, and is given that name here; ``reach2`` is the same in both. Angles are not
given, so ``direction`` is the name.

Assumption: trials of a direction are in the order of time (those of the first file are in the order of the second),
and of all directions at once; they are cut into four ``block``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import inputs, presentations, rasters
from neurocompare.ingestion.selection import Selection, excluded

BEGIN = {"ex1_spikecounts.mat": 0.1, "ex2_rawspiketrains.mat": -0.2}
"""The first sample of each file, in s from the onset of the target."""
NAMES = {"ex2_rawspiketrains.mat": {"reach1": "reach6"}}
"""Directions that a file calls otherwise than the first one does: 30 trials of each are the same to the spike."""
N_BLOCKS = 4


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    window: Sequence[float] | None = None,
    bin_width: float | None = None,
) -> xr.DataArray:
    """Read the spike counts of one of the two files.

    Parameters
    ----------
    files : mapping of str to Path
        One of the files in `BEGIN`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    window : sequence of two floats, optional
        Seconds from the onset of the target; by default all that the shortest trial has. Trials that end before the
        window does are left out and counted.
    bin_width : float, optional
        Width of the bins in s; by default the window is one bin and there is no axis of time.

    Returns
    -------
    DataArray of shape (n_trials, [n_times,] 61)
        Spike counts, the first trials of all directions first. Along ``presentation`` also ``direction``.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if the window does not fit.
    """
    name = next((name for name in BEGIN if name in files), next(iter(BEGIN)))
    path = inputs.given(files, name)
    (structs,) = inputs.mat(path, "D")
    trials = [inputs.fields(struct, "data", "condition", path=path) for struct in np.atleast_1d(structs)]
    spikes = [np.atleast_2d(data) for data, _ in trials]
    if len({data.shape[0] for data in spikes}) != 1:
        raise UserError(f"{path}: the trials do not have the same units; this is another file")
    lengths = np.array([data.shape[1] for data in spikes])
    held = lengths.min() if window is None else lengths.max()
    cut = rasters.bins(window, bin_width, start=BEGIN[name], step=0.001, n_samples=int(held), name=str(path))
    selection = Selection(len(spikes)).drop(lengths < cut.first + cut.count * cut.size, "ends before the window does")
    kept = selection.index(f"trials of {path}")
    names = NAMES.get(name, {})
    direction = np.array([names.get(str(condition), str(condition)) for _, condition in trials])
    number = presentations.repeats(direction)
    kept = kept[np.lexsort((direction[kept], number[kept]))]
    counts = np.stack([cut.sums(spikes[i]) for i in kept]).swapaxes(1, 2)
    n_units = counts.shape[2]
    return representation.responses(
        counts if cut.time is not None else counts[:, 0],
        presentation={
            "stimulus": direction[kept],
            "repeat": presentations.repeats(direction[kept]),
            "block": number[kept] * N_BLOCKS // (number.max() + 1),
            "direction": direction[kept],
        },
        unit={
            "unit_id": np.array([f"G20040123-{i:02d}" for i in range(n_units)]),
            "area": np.full(n_units, "PMd and M1"),
            "animal": np.full(n_units, "G"),
            "session": np.full(n_units, "G20040123"),
        },
        time=cut.time,
        attributes=about
        | {
            "response": "spike count",
            "window": cut.window,
            "phases": {"before the target": -0.2, "after the target": 0.0},
            "exchangeable": "stimulus",
            "simultaneous": True,
            "excluded": excluded(presentation=selection),
        },
    )
