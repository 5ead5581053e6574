"""Recordings for tests, from single trials with coordinates of their own."""

import numpy as np

from neurocompare import representation


def recording(values, *, time=None, block=None, stimulus=None, coordinates=None, **attributes):
    """Build a recording from (presentation, [time,] unit)."""
    n, p = len(values), values.shape[-1]
    known = {"source": "test", "citation": "test", "license": "test", "sha256": {}}
    return representation.responses(
        values,
        presentation={
            "stimulus": np.full(n, "s") if stimulus is None else stimulus,
            "repeat": np.arange(n),
            "block": np.arange(n) * 4 // n if block is None else block,
        }
        | (coordinates or {}),
        unit={"unit_id": [f"u{i}" for i in range(p)], "area": ["V1"] * p, "animal": ["a"] * p, "session": ["s"] * p},
        time=time,
        attributes=known | {"response": "dF/F", "exchangeable": "stimulus", "simultaneous": True} | attributes,
    )


def one_line(error):
    """The message of a refusal, which must be a single line."""
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text
