"""Recordings for tests, from a block of responses."""

import numpy as np

from neurocompare import representation


def recording(cube, **attributes):
    """Build a recording from (stimulus, repeat, unit)."""
    n, n_repeats, p = cube.shape
    known = {"source": "test", "citation": "test", "license": "test", "sha256": {}}
    return representation.responses(
        cube.reshape(n * n_repeats, p),
        presentation={
            "stimulus": np.repeat([f"s{i:03d}" for i in range(n)], n_repeats),
            "repeat": np.tile(np.arange(n_repeats), n),
            "block": np.tile(np.arange(n_repeats), n),
        },
        unit={"unit_id": [f"u{i}" for i in range(p)], "area": ["V1"] * p, "animal": ["a"] * p, "session": ["s"] * p},
        attributes=known | {"response": "dF/F", "exchangeable": "stimulus", "simultaneous": True} | attributes,
    )
