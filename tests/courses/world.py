"""Synthetic trials over time: networks with their own trajectories, and recordings that are read out from one."""

import numpy as np

from neurocompare import representation
from neurocompare.courses import trajectories, unrolling

TIME = np.arange(0.025, 0.75, 0.05)
LEVELS = (-2, -1, 1, 2)
KEYS = ("context", "motion_level", "color_level")
CELLS = [
    {"context": "motion", "motion_level": [-2, -1, 1, 2], "color_level": [[-2, -1], [1, 2]]},
    {"context": "color", "motion_level": [[-2, -1], [1, 2]], "color_level": [-2, -1, 1, 2]},
]
"""16 cells of 32 conditions."""

ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "here",
    "citation": "us",
    "license": "none",
    "sha256": {},
}


def conditions():
    """All 32 conditions, as columns."""
    found = [(c, m, k) for c in ("motion", "color") for m in LEVELS for k in LEVELS]
    return {key: np.array(column) for key, column in zip(KEYS, zip(*found, strict=True), strict=True)}


def smooth(rng, n_conditions, n_units, time=TIME, width=0.2):
    """Random smooth trajectories (condition, time, unit), with a strong time course that all have in common."""
    kernel = np.exp(-((time[:, None] - time) ** 2) / (2 * width**2))
    root = np.linalg.cholesky(kernel + 1e-6 * np.eye(len(time)))
    own = np.einsum("ts,csu->ctu", root, rng.normal(size=(n_conditions, len(time), n_units)))
    return own + 3 * np.einsum("ts,su->tu", root, rng.normal(size=(len(time), n_units)))


def trials_of(states, repeats=1, noise=0.0, rng=None, area=None, extra=None, time=TIME, **attributes):
    """A representation of single trials around the states (condition, time, unit) of 32 conditions."""
    index = np.tile(np.arange(len(states)), repeats)
    values = states[index]
    if noise:
        # Half of the variance of the noise lasts for the whole trial: neighbouring bins share it.
        slow = rng.normal(size=(len(index), 1, states.shape[2]))
        values = values + noise * np.sqrt(0.5) * (slow + rng.normal(size=values.shape))
    columns = {key: column[index] for key, column in (conditions() | (extra or {})).items()}
    n = states.shape[2]
    return representation.responses(
        values,
        presentation=columns
        | {
            "stimulus": np.array([f"condition {k}" for k in index]),
            "repeat": np.repeat(np.arange(repeats), len(states)),
            "block": np.zeros(len(index), dtype=int),
        },
        unit={
            "unit_id": np.array([f"unit {k}" for k in range(n)]),
            "area": np.full(n, "PFC") if area is None else area,
            "animal": np.full(n, "A"),
            "session": np.full(n, "s"),
        },
        time=time,
        attributes=ATTRIBUTES | {"response": "unit activation"} | attributes,
        dtype="float64",
    )


def grams(states, course, name="net", seed=0):
    """Gram matrices of a network without noise."""
    layers, _ = trajectories.of_trials(trials_of(states), course, name)
    return trajectories.grams(layers, course, name).expand_dims(seed=[seed])


def unrolled(recording, **options):
    """The course of one recording over the 16 cells."""
    return unrolling.unroll([recording], **{"cells": CELLS, "repeats": 4, "name": "course"} | options)
