"""A simulated population of mouse V1 that is tuned to orientation, two-photon-like, with its truth."""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion.presentations import repeats
from neurocompare.simulation.populations import (
    ATTRIBUTES,
    MEMORY,
    autocorrelated,
    check_areas,
    running_speed,
    units,
)

_SPEED_SCALE = 10.0
"""Running speed, cm/s, that raises the gain by ``running_gain``."""


def simulate(
    *,
    neurons: int = 2000,
    trials: int = 1600,
    bins: int = 32,
    seed: int,
    period: float = 180.0,
    silent: float = 0.05,
    untuned: float = 0.15,
    width: float = 20.0,
    width_spread: float = 0.4,
    amplitude_spread: float = 0.8,
    baseline: float = 0.1,
    event_size: float = 0.5,
    event_shape: float = 1.0,
    shared_rank: int = 3,
    shared_strength: float = 0.3,
    limit_degrees: float = 1.0,
    running_gain: float = 0.2,
    areas: tuple[str, ...] = ("V1",),
    widening: float = 1.5,
) -> tuple[xr.DataArray, xr.Dataset]:
    """Simulate a two-photon population that sees one random orientation per trial.

    The design is that of Stringer et al. 2021 (Cell 184:2767). Given the angle θ of a trial, the mean of
    neuron i is ``g s_i f_i(θ + δ)``: f_i is a von Mises bump on a baseline; g is a gain that grows with
    running speed; ``s_i = Σ_k w_ik z_k`` is shared noise with Gamma factors z_k of mean one and weights
    that sum to one; and δ, one number per trial with standard deviation `limit_degrees`, moves all neurons
    along the derivative of their tuning, which no decoder can undo (Moreno-Bote et al. 2014, Nat.
    Neurosci. 17:1410). The response is a sum of a Poisson number of Gamma-distributed events: it is never
    negative, often exactly zero, and its variance given the mean m is ``event_size (1 + 1/event_shape) m``.

    Parameters
    ----------
    neurons, trials : int
        Size of the recording.
    bins : int
        Equal bins of the angle; trials in a bin are pseudo-repeats of one stimulus.
    seed : int
        Seed of everything.
    period : float
        Period of the angle in degrees.
    silent, untuned : float
        Fractions of neurons that never respond, and that respond without tuning.
    width, width_spread : float
        Median standard deviation of the tuning bumps in degrees, and the standard deviation of its logarithm.
    amplitude_spread : float
        Standard deviation of the logarithm of the amplitude (median 1).
    baseline : float
        Response away from the bump, as a fraction of the amplitude.
    event_size, event_shape : float
        Mean and shape of the Gamma distribution of single events: private noise.
    shared_rank : int
        Number of shared factors.
    shared_strength : float
        Standard deviation of each factor.
    limit_degrees : float
        Standard deviation of δ in degrees.
    running_gain : float
        Relative increase of the gain per 10 cm/s of running speed.
    areas : sequence of str
        Areas in their order; each has an equal share of the neurons.
    widening : float
        Median width of the tuning in an area over that in the area before: a hierarchy of coarser codes.

    Returns
    -------
    array : DataArray of shape (trials, neurons)
        The recording, in arbitrary units; the attribute ``orientation_period`` holds `period`.
    truth : Dataset
        ``tuning`` (angle, unit) and its ``derivative`` (per degree) on a grid of 180 angles, the linear
        ``fisher_information`` (angle) and ``private_fisher_information`` (angle, without δ) per squared
        degree, ``area_fisher_information`` (area, angle), that of single areas, ``displacement``
        (presentation) in degrees, and the parameters as attributes. The information is exact but for the
        curvature of the tuning over one δ.

    Raises
    ------
    UserError
        If an option is out of range.
    """
    check_areas("simulated orientation", areas)
    if not 0 <= silent + untuned <= 1:
        raise UserError(
            f"simulated orientation: silent + untuned is {silent + untuned:g}; the fractions must sum to 1 or less"
        )
    if not 1 <= bins <= min(trials, 5 * period):
        raise UserError(
            f"simulated orientation: bins is {bins}; use 1 to {min(trials, int(5 * period))} (trials, 0.2 degrees)"
        )
    if min(neurons // len(areas), trials, shared_rank) < 1 or min(width, event_size, event_shape, widening) <= 0:
        raise UserError(
            "simulated orientation: sizes, width, widening and event options must be positive, and no area empty"
        )
    rng = np.random.default_rng([seed, 0])
    scale = 2 * np.pi / period
    group = np.full(neurons, 2)
    group[: round(silent * neurons)] = 0
    group[round(silent * neurons) : round((silent + untuned) * neurons)] = 1
    group = rng.permutation(group)
    preferred = rng.uniform(0, period, neurons)
    place = np.arange(neurons) * len(areas) // neurons
    median = width * widening ** place.astype(float)
    concentration = 1 / (scale * median * rng.lognormal(0, width_spread, neurons)) ** 2
    amplitude = rng.lognormal(0, amplitude_spread, neurons) * (group > 0)
    bump = amplitude * (group == 2)
    floor = amplitude * np.where(group == 1, 0.5, baseline)
    loadings = rng.dirichlet(np.ones(shared_rank), neurons)

    def tuning(angles):
        """Return the means (angle, unit) and their derivative per degree."""
        phase = scale * (np.asarray(angles)[:, None] - preferred)
        shape = bump * np.exp(concentration * (np.cos(phase) - 1))
        return floor + shape, -scale * concentration * np.sin(phase) * shape

    theta = rng.uniform(0, period, trials)
    displacement = limit_degrees * rng.standard_normal(trials)
    speed = running_speed(autocorrelated(trials, MEMORY, rng))
    gain = 1 + running_gain * speed / _SPEED_SCALE
    gain /= gain.mean()
    variance = shared_strength**2
    factors = rng.gamma(1 / variance, variance, (trials, shared_rank)) if variance else np.ones((trials, shared_rank))
    mean = gain[:, None] * (factors @ loadings.T) * tuning(theta + displacement)[0]
    events = rng.poisson(mean / event_size)
    values = rng.gamma(np.maximum(events, 1) * event_shape, event_size / event_shape) * (events > 0)

    grid = np.linspace(0, period, 180, endpoint=False)
    curve, slope = tuning(grid)
    variances = np.array([gain.var()] + [(1 + gain.var()) * variance] * shared_rank)

    def private_information(members):
        """Information per squared degree of some neurons, without δ."""
        return _fisher(
            curve[:, members],
            slope[:, members],
            noise=event_size * (1 + 1 / event_shape) * curve[:, members],
            directions=np.column_stack([np.ones(members.sum()), loadings[members]]),
            variances=variances,
        )

    private = private_information(np.ones(neurons, dtype=bool))
    of_areas = np.stack([private_information(place == k) for k in range(len(areas))])
    index = np.minimum((theta / period * bins).astype(int), bins - 1)
    centres = (np.arange(bins) + 0.5) * period / bins
    array = representation.responses(
        values.astype(np.float32),
        presentation={
            "stimulus": np.array([f"orientation={centre:05.1f}" for centre in centres])[index],
            "repeat": repeats(index),
            "block": np.arange(trials) * 4 // trials,
            "orientation": theta,
            "running_speed": speed,
        },
        unit=units(neurons, f"simulated-{seed}")
        | {"area": np.array(areas)[place]}
        | {"preferred_orientation": preferred, "tuned": (group == 2).astype(int)},
        attributes=ATTRIBUTES | {"response": "inferred spikes", "orientation_period": period, "seed": seed},
    )
    truth = xr.Dataset(
        {
            "tuning": (("angle", "unit"), curve.astype(np.float32)),
            "derivative": (("angle", "unit"), slope.astype(np.float32)),
            "fisher_information": ("angle", private / (1 + limit_degrees**2 * private)),
            "private_fisher_information": ("angle", private),
            "area_fisher_information": (("area", "angle"), of_areas / (1 + limit_degrees**2 * of_areas)),
            "displacement": ("presentation", displacement),
            "shared_loadings": (("unit", "factor"), loadings),
        },
        coords={"angle": grid, "area": list(areas), "unit_id": ("unit", array.coords["unit_id"].values)},
        attrs={
            "seed": seed,
            "period": period,
            "limit_degrees": limit_degrees,
            "event_size": event_size,
            "event_shape": event_shape,
            "shared_strength": shared_strength,
            "gain_variance": float(gain.var()),
        },
    )
    return array, truth


def _fisher(curve, slope, *, noise, directions, variances) -> np.ndarray:
    """Linear information slopeᵀ Σ⁻¹ slope for Σ = diag(noise) + (curve∘directions) diag(variances) (…)ᵀ."""
    inverse = np.divide(1, noise, out=np.zeros_like(noise), where=noise > 0)
    u = curve[:, :, None] * directions
    projected = np.einsum("au,aur->ar", slope * inverse, u)
    inner = np.eye(len(variances)) + variances[:, None] * np.einsum("aur,au,aus->ars", u, inverse, u)
    corrected = np.linalg.solve(inner, (variances * projected)[:, :, None])[:, :, 0]
    return (slope**2 * inverse).sum(1) - (projected * corrected).sum(1)
