"""A simulated prefrontal population that goes through the phases of a task and knows the percept, with its truth."""

import string
from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.factorization import unit_rows
from neurocompare.ingestion.events import bin_edges, centres, window_text
from neurocompare.ingestion.presentations import repeats, stretches
from neurocompare.ranges import check_ranges
from neurocompare.simulation.doubly_stochastic import gamma_factors
from neurocompare.simulation.populations import ATTRIBUTES, units

PHASES = {"fixation": 0.3, "stimulus": 1.0, "flash": 1.0}
"""Phases of binocular flash suppression and their durations in s; the flash decides what is perceived."""

RISE = 0.03
"""How fast parts that follow the percept rise and fall, in s."""


def simulate(
    *,
    neurons: int = 160,
    trials: int = 10,
    percepts: int = 2,
    phase_parts: int = 3,
    percept_parts: int = 2,
    phase_share: float = 0.75,
    mixing: float = 0.4,
    phases: Mapping[str, float] = PHASES,
    bin_width: float = 0.05,
    peak_rate: float = 5.0,
    rate_spread: float = 0.0,
    dispersion: float = 0.0,
    seed: int,
) -> tuple[xr.DataArray, xr.Dataset]:
    """Simulate a population whose rates are sums of a few parts (after Kapoor et al. 2018, Commun Biol 1:215).

    A part is a time course in each condition. *Phase* parts are the same whatever is perceived: bumps that follow each
    other through the trial. *Percept* parts are active in the last phase, of one percept each; where several belong to
    the same percept, they follow each other. The rate of a unit is a weighted sum of the parts, scaled to its peak.
    Every unit prefers one part; of half of the units, the others have a share as well. The parts are thus determined:
    each has units of its own. Counts are Poisson; with a `dispersion`, their rate in a trial is multiplied by a private
    Gamma factor.

    Parameters
    ----------
    neurons : int
        Number of units.
    trials : int
        Number of trials of each percept. Percepts alternate in random order.
    percepts : int
        Number of percepts, which are the conditions; 2 to 26.
    phase_parts, percept_parts : int
        Number of parts of each kind.
    phase_share : float
        Fraction of units that prefer a phase part.
    mixing : float
        Largest share of the other parts in the rate of a unit, relative to the preferred one.
    phases : mapping of str to float
        Durations in s of the phases in their order, two or more. Time is 0 at the onset of the second one.
    bin_width : float
        Width of the bins in s; rates are those at their centres.
    peak_rate, rate_spread : float
        Median over units of the peak rate in spikes/s, and standard deviation of its logarithm.
    dispersion : float
        Variance of the private factor, which has mean one; 0 for Poisson counts.
    seed : int
        Seed of everything.

    Returns
    -------
    array : DataArray of shape (trials * percepts, n_bins, neurons)
        Spike counts, uint16. The attribute ``phases`` has the onset of each phase in s.
    truth : Dataset
        ``part`` (part, percept, time), of unit length over percepts and times, and its ``kind``, phase or percept;
        ``loading`` (unit, part) in spikes/s and ``unit_kind``, the kind of the parts with most of a unit's loading;
        ``phase_share``, the share of units of the kind phase.

    Raises
    ------
    UserError
        If an option is out of range.
    """
    what = "simulated phases"
    check_ranges(
        what,
        sizes={"neurons": neurons, "trials": trials, "percepts": percepts}
        | {"phase_parts": phase_parts, "percept_parts": percept_parts},
        seeds={"seed": seed},
        fractions={"phase_share": phase_share, "mixing": mixing},
        positive={"bin_width": bin_width, "peak_rate": peak_rate},
        magnitudes={"rate_spread": rate_spread, "dispersion": dispersion},
    )
    names = list(string.ascii_lowercase)[:percepts]
    if not 2 <= percepts <= len(string.ascii_lowercase):
        raise UserError(f"{what}: percepts is {percepts}; use 2 to {len(string.ascii_lowercase)}")
    if peak_rate > 1000:
        raise UserError(f"{what}: peak_rate is {peak_rate:g} spikes/s; use 1000 or less")
    onsets, end = _onsets(phases, what)
    edges = bin_edges((min(onsets.values()), end), bin_width)
    time = centres(edges)
    rng = np.random.default_rng([seed, 5])

    part = _parts(time, list(onsets.values()), end, percepts, phase_parts, percept_parts)
    kind = np.repeat(["phase", "percept"], [phase_parts, percept_parts])
    loading = _loadings(neurons, kind, phase_share, mixing, rng)
    rate = np.tensordot(loading, part, 1)
    scale = peak_rate * rng.lognormal(0, rate_spread, neurons) / rate.max((1, 2))
    loading, rate = loading * scale[:, None], rate * scale[:, None, None]

    shown = np.concatenate([rng.permutation(percepts) for _ in range(trials)])
    factor = gamma_factors(dispersion, (len(shown), 1, neurons), rng)
    counts = rng.poisson(rate.transpose(1, 2, 0)[shown] * bin_width * factor).astype(np.uint16)
    percept = np.array(names)[shown]
    stimulus = np.array([f"percept={name}" for name in percept])
    array = representation.responses(
        counts,
        presentation={
            "stimulus": stimulus,
            "repeat": repeats(stimulus),
            "block": stretches(len(shown)),
            "percept": percept,
        },
        unit=units(neurons, f"phases-{seed}", area="PFC"),
        time=time,
        attributes=ATTRIBUTES
        | {
            "response": "spike count",
            "window": window_text(edges),
            "phases": onsets,
            "bin_width": bin_width,
            "seed": seed,
        },
    )
    of_phase = loading[:, kind == "phase"].sum(1) > loading[:, kind == "percept"].sum(1)
    truth = xr.Dataset(
        {
            "part": (("part_number", "percept", "time"), part),
            "kind": ("part_number", kind),
            "loading": (("unit", "part_number"), loading),
            "unit_kind": ("unit", np.where(of_phase, "phase", "percept")),
            "phase_share": float(of_phase.mean()),
        },
        coords={
            "part_number": np.arange(1, len(kind) + 1),
            "percept": names,
            "time": time,
            "unit_id": ("unit", array.coords["unit_id"].values),
        },
        attrs={"seed": seed, "peak_rate": peak_rate, "trials": trials},
    )
    return array, truth


def _onsets(phases, what) -> tuple[dict[str, float], float]:
    """Onset of each phase in s from that of the second, and the end of the last."""
    valid = isinstance(phases, Mapping) and len(phases) >= 2 and all(isinstance(name, str) for name in phases)
    if not valid:
        raise UserError(f"{what}: phases is {phases}; name two or more with their durations in s, such as {PHASES}")
    check_ranges(what, positive={f"duration of phase '{name}'": length for name, length in phases.items()})
    lengths = np.array(list(phases.values()), dtype=float)
    edges = np.round(np.concatenate([[0], np.cumsum(lengths)]) - lengths[0], 9)
    return dict(zip(phases, edges.tolist(), strict=False)), float(edges[-1])


def _parts(time, onsets, end, percepts, phase_parts, percept_parts) -> np.ndarray:
    """Parts (part, percept, time) of unit length."""
    spacing = (end - onsets[0]) / phase_parts
    centre = onsets[0] + spacing * (np.arange(phase_parts) + 0.5)
    bumps = np.exp(-(((time - centre[:, None]) / (spacing / 4)) ** 2) / 2)
    rounds = -(-percept_parts // percepts)
    edges = np.linspace(onsets[-1], end, rounds + 1)
    number = np.arange(percept_parts)
    begin, stop = edges[number // percepts, None], edges[number // percepts + 1, None]
    stretch = (np.tanh((time - begin) / RISE) - np.tanh((time - stop) / RISE)) / 2
    own = np.equal.outer(number % percepts, np.arange(percepts))
    parts = np.concatenate([np.repeat(bumps[:, None], percepts, 1), own[:, :, None] * stretch[:, None]])
    return unit_rows(parts.reshape(len(parts), -1)).reshape(parts.shape)


def _loadings(neurons, kind, phase_share, mixing, rng) -> np.ndarray:
    """Loadings (unit, part): one for the preferred part, together at most `mixing` for the others of half the units."""
    counts = {"phase": round(phase_share * neurons)}
    counts["percept"] = neurons - counts["phase"]
    # Parts of a kind have equally many units, as far as their numbers allow.
    preferred = np.concatenate(
        [np.resize(np.flatnonzero(kind == name), count) for name, count in counts.items()],
    )
    preferred = rng.permutation(preferred)
    loading = np.zeros((neurons, len(kind)))
    mixed = rng.permutation(neurons)[: neurons // 2]
    shares = rng.dirichlet(np.ones(len(kind)), len(mixed)) * rng.uniform(0, mixing, (len(mixed), 1))
    loading[mixed] = shares
    loading[np.arange(neurons), preferred] = 1
    return loading
