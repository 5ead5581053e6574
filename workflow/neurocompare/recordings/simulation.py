"""What all simulated recordings share."""

import numpy as np

ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "neurocompare simulation",
    "citation": "none: simulated",
    "license": "none: simulated",
    "sha256": {},
}


def units(neurons: int, session: str, area: str = "V1") -> dict[str, np.ndarray]:
    """Return the coordinates of simulated neurons.

    Parameters
    ----------
    neurons : int
        How many.
    session : str
        Their session; with `area`, it begins their ids.
    area : str
        Their area.

    Returns
    -------
    dict of str to array of str of shape (neurons,)
        ``unit_id``, ``area``, ``animal`` and ``session``.
    """
    return {
        "unit_id": np.array([f"{session}-{i:05d}" for i in range(neurons)]),
        "area": np.full(neurons, area),
        "animal": np.full(neurons, "simulated"),
        "session": np.full(neurons, session),
    }
