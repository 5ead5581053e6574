"""Motor and premotor cortex of a macaque during reaches (Churchland et al. 2012), the example of TME.

Averages over trials of 50 units and 10 of the reaches, every 10 ms from 0.05 s before to 0.55 s after the onset of
the movement, normalised and roughly centred by the authors of the example: no rates in spikes/s any more. The file
names neither units nor reaches.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import inputs

FILE = "exampleData.mat"


def ingest(
    files: Mapping[str, Path], *, about: dict[str, object], window: Sequence[float] = (-0.05, 0.55)
) -> xr.DataArray:
    """Read the normalised rates.

    Parameters
    ----------
    files : mapping of str to Path
        `FILE`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    window : sequence of two floats
        Seconds from the onset of the movement, both ends included.

    Returns
    -------
    DataArray of shape (10, n_times, 50)
        Normalised rates.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if no time lies in the window.
    """
    path = inputs.given(files, FILE)
    tensor, time = inputs.mat(path, "dataTensor", "t")
    if tensor.ndim != 3 or len(tensor) != np.size(time):
        raise UserError(f"{path}: 'dataTensor' {tensor.shape} is not time × unit × reach with {np.size(time)} times")
    inside = (time >= 1000 * window[0] - 1e-6) & (time <= 1000 * window[1] + 1e-6) if len(window) == 2 else [False]
    if not np.any(inside):
        raise UserError(
            f"{FILE}: window is {list(window)}; give two numbers in s within {time[0] / 1000:g} to {time[-1] / 1000:g}"
        )
    _, n_units, n_reaches = tensor.shape
    zeros = np.zeros(n_reaches, dtype=int)
    reach = np.array([f"reach{i + 1:02d}" for i in range(n_reaches)])
    return representation.responses(
        tensor[inside].transpose(2, 0, 1),
        presentation={"stimulus": reach, "repeat": zeros, "block": zeros},
        unit={
            "unit_id": np.array([f"unit-{i:02d}" for i in range(n_units)]),
            "area": np.full(n_units, "M1 and PMd"),
            "animal": np.full(n_units, "not stated"),
            "session": np.full(n_units, "not stated"),
        },
        time=time[inside] / 1000,
        attributes=about
        | {
            "response": "firing rate",
            "units": "1",
            "normalisation": "scaled and centred by the authors",
            "average": "trials of a condition",
            "phases": {"before the movement": -0.05, "movement": 0.0},
            "exchangeable": "stimulus",
            "simultaneous": False,
        },
    )
