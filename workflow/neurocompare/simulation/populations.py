"""What all simulated recordings share."""

import numpy as np

from neurocompare.errors import UserError

ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "neurocompare simulation",
    "citation": "none: simulated",
    "license": "none: simulated",
    "sha256": {},
}

MEMORY = 0.9
"""Correlation of running speed between one trial and the next."""


def check_areas(what: str, areas: object, known: tuple[str, ...] = ()) -> None:
    """Refuse what is no list of areas.

    Parameters
    ----------
    what : str
        What the option belongs to.
    areas : object
        The option.
    known : tuple of str
        Areas that can be named; any if empty.

    Raises
    ------
    UserError
        If areas are not one or more different names, or one is not known.
    """
    valid = isinstance(areas, list | tuple) and all(isinstance(name, str) and name.strip() for name in areas)
    if not valid or not areas or len(set(areas)) < len(areas) or (known and set(areas) - set(known)):
        choice = f"some of {', '.join(known)}" if known else "one or more names"
        raise UserError(f"{what}: areas is {areas}; list {choice}, each once")


def autocorrelated(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a standard normal series in which neighbours correlate.

    Parameters
    ----------
    n : int
        Length.
    memory : float
        Correlation of neighbours, 0 to below 1.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape (n,)
        The series, a stationary autoregressive process of first order.
    """
    steps = rng.standard_normal(n) * np.sqrt(1 - memory**2)
    series = np.empty(n)
    last = rng.standard_normal()
    for i, step in enumerate(steps):
        last = series[i] = memory * last + step
    return series


def running_speed(state: np.ndarray) -> np.ndarray:
    """Turn a standard normal series into a speed, at rest in a third of all trials.

    Parameters
    ----------
    state : array of shape (n,)
        The series.

    Returns
    -------
    array of shape (n,)
        Speed in cm/s, 0 or more.
    """
    return np.maximum(0.0, 5 + 12 * state)


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
