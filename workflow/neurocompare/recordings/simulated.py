"""Recordings whose generator is known: a tuned population, and a population that reads out a network."""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError

_SPEED_SCALE = 10.0
"""Running speed, cm/s, that raises the gain by ``running_gain``."""


def orientation(
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

    Returns
    -------
    array : DataArray of shape (trials, neurons)
        The recording, in arbitrary units; the attribute ``orientation_period`` holds `period`.
    truth : Dataset
        ``tuning`` (angle, unit) and its ``derivative`` (per degree) on a grid of 180 angles, the linear
        ``fisher_information`` (angle) and ``private_fisher_information`` (angle, without δ) per squared
        degree, ``displacement`` (presentation) in degrees, and the parameters as attributes. The
        information is exact but for the curvature of the tuning over one δ.

    Raises
    ------
    UserError
        If an option is out of range.
    """
    if not 0 <= silent + untuned <= 1:
        raise UserError(
            f"simulated orientation: silent + untuned is {silent + untuned:g}; the fractions must sum to 1 or less"
        )
    if not 1 <= bins <= min(trials, 5 * period):
        raise UserError(
            f"simulated orientation: bins is {bins}; use 1 to {min(trials, int(5 * period))} (trials, 0.2 degrees)"
        )
    if min(neurons, trials, shared_rank) < 1 or min(width, event_size, event_shape) <= 0:
        raise UserError("simulated orientation: sizes, width and event options must be positive")
    rng = np.random.default_rng([seed, 0])
    scale = 2 * np.pi / period
    group = np.full(neurons, 2)
    group[: round(silent * neurons)] = 0
    group[round(silent * neurons) : round((silent + untuned) * neurons)] = 1
    group = rng.permutation(group)
    preferred = rng.uniform(0, period, neurons)
    concentration = 1 / (scale * width * rng.lognormal(0, width_spread, neurons)) ** 2
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
    speed = np.maximum(0.0, 5 + 12 * _autocorrelated(trials, 0.9, rng))
    gain = 1 + running_gain * speed / _SPEED_SCALE
    gain /= gain.mean()
    variance = shared_strength**2
    factors = rng.gamma(1 / variance, variance, (trials, shared_rank)) if variance else np.ones((trials, shared_rank))
    mean = gain[:, None] * (factors @ loadings.T) * tuning(theta + displacement)[0]
    events = rng.poisson(mean / event_size)
    values = rng.gamma(np.maximum(events, 1) * event_shape, event_size / event_shape) * (events > 0)

    grid = np.linspace(0, period, 180, endpoint=False)
    curve, slope = tuning(grid)
    private = _fisher(
        curve,
        slope,
        noise=event_size * (1 + 1 / event_shape) * curve,
        directions=np.column_stack([np.ones(neurons), loadings]),
        variances=np.array([gain.var()] + [(1 + gain.var()) * variance] * shared_rank),
    )
    index = np.minimum((theta / period * bins).astype(int), bins - 1)
    centres = (np.arange(bins) + 0.5) * period / bins
    array = representation.responses(
        values.astype(np.float32),
        presentation={
            "stimulus": np.array([f"orientation={centre:05.1f}" for centre in centres])[index],
            "repeat": _occurrence(index),
            "block": np.arange(trials) * 4 // trials,
            "orientation": theta,
            "running_speed": speed,
        },
        unit=_units(neurons, f"simulated-{seed}")
        | {"preferred_orientation": preferred, "tuned": (group == 2).astype(int)},
        attributes=_ATTRIBUTES | {"response": "inferred spikes", "orientation_period": period, "seed": seed},
    )
    truth = xr.Dataset(
        {
            "tuning": (("angle", "unit"), curve.astype(np.float32)),
            "derivative": (("angle", "unit"), slope.astype(np.float32)),
            "fisher_information": ("angle", private / (1 + limit_degrees**2 * private)),
            "private_fisher_information": ("angle", private),
            "displacement": ("presentation", displacement),
            "shared_loadings": (("unit", "factor"), loadings),
        },
        coords={"angle": grid, "unit_id": ("unit", array.coords["unit_id"].values)},
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


def from_features(
    features: np.ndarray,
    stimulus: np.ndarray,
    angle: np.ndarray,
    *,
    neurons: int = 200,
    repeats: int = 10,
    snr: float = 0.5,
    seed: int,
    readout: str = "sparse",
    density: float = 0.05,
    snr_spread: float = 0.5,
    shared_fraction: float = 0.2,
    shared_rank: int = 2,
    period: float = 180.0,
) -> tuple[xr.DataArray, xr.Dataset]:
    """Simulate a population that reads out one layer of a network, so that its generator is known.

    Each neuron is a random weighted sum of the standardised features, scaled to unit variance over
    stimuli, plus Gaussian trial noise, a part of which is shared between neurons through few factors.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
        Activations of the layer; constant features are ignored.
    stimulus : array of str of shape (n_stimuli,)
        Stimulus ids.
    angle : array of shape (n_stimuli,)
        Orientation of each stimulus in degrees.
    neurons, repeats : int
        Size of the recording. Each block shows every stimulus once, in random order.
    snr : float
        Variance of the signal over that of the noise of one trial, averaged over neurons.
    seed : int
        Seed of everything.
    readout : {"sparse", "gaussian"}
        Non-negative exponential weights on a random fraction `density` of the features, or Gaussian
        weights on all.
    density : float
        Fraction of features that a sparse neuron reads; at least one.
    snr_spread : float
        Standard deviation of the logarithm of the ratio over neurons.
    shared_fraction : float
        Fraction of each neuron's noise variance that is shared.
    shared_rank : int
        Number of shared factors.
    period : float
        Period of the angle in degrees.

    Returns
    -------
    array : DataArray of shape (n_stimuli * repeats, neurons)
        The recording. Values are in units of the standard deviation of the signal and may be negative,
        so the response is called dF/F.
    truth : Dataset
        ``weights`` (feature, unit), ``signal`` (stimulus, unit), ``snr`` and ``noise_variance`` (unit).

    Raises
    ------
    UserError
        If the arrays do not fit together, no feature varies, or an option is out of range.
    """
    features, stimulus, angle = np.asarray(features, dtype=float), np.asarray(stimulus).astype(str), np.asarray(angle)
    if features.ndim != 2 or len(stimulus) != len(features) or angle.shape != stimulus.shape:
        raise UserError(
            f"simulated population: features {features.shape}, {stimulus.size} stimuli and {angle.size} angles"
            " do not match"
        )
    if readout not in ("sparse", "gaussian"):
        raise UserError(f"simulated population: readout is '{readout}'; use sparse or gaussian")
    if min(neurons, repeats, shared_rank) < 1 or snr <= 0 or not 0 <= shared_fraction <= 1 or not 0 < density <= 1:
        raise UserError("simulated population: sizes and snr must be positive, shared_fraction and density at most 1")
    varies = features.std(0) > 1e-12 * (1 + np.abs(features).max(0))
    if not varies.any():
        raise UserError("simulated population: no feature varies over the stimuli; give another layer")
    rng = np.random.default_rng([seed, 1])
    n, p = features.shape
    standardised = np.zeros_like(features)
    standardised[:, varies] = (features[:, varies] - features[:, varies].mean(0)) / features[:, varies].std(0)
    weights = np.zeros((p, neurons))
    if readout == "gaussian":
        weights[varies] = rng.standard_normal((varies.sum(), neurons))
    else:
        reads = rng.random((varies.sum(), neurons)) < density
        # Every neuron reads at least one feature.
        reads[rng.integers(varies.sum(), size=neurons), np.arange(neurons)] = True
        weights[varies] = rng.exponential(size=reads.shape) * reads
    deviation = (standardised @ weights).std(0)
    # A sum of features that cancel exactly has no signal; such a neuron stays silent but for its noise.
    weights /= np.where(deviation > 1e-9, deviation, np.inf)
    signal = standardised @ weights
    ratio = snr * rng.lognormal(-(snr_spread**2) / 2, snr_spread, neurons)
    loadings = rng.standard_normal((shared_rank, neurons))
    loadings /= np.linalg.norm(loadings, axis=0)
    shown = np.concatenate([rng.permutation(n) for _ in range(repeats)])
    noise = np.sqrt(shared_fraction) * rng.standard_normal((n * repeats, shared_rank)) @ loadings
    noise += np.sqrt(1 - shared_fraction) * rng.standard_normal((n * repeats, neurons))
    block = np.repeat(np.arange(repeats), n)
    array = representation.responses(
        (signal[shown] + noise / np.sqrt(ratio)).astype(np.float32),
        presentation={
            "stimulus": stimulus[shown],
            "repeat": block,
            "block": block,
            "orientation": angle[shown].astype(float),
        },
        unit=_units(neurons, f"readout-{seed}"),
        attributes=_ATTRIBUTES | {"response": "dF/F", "orientation_period": period, "seed": seed},
    )
    truth = xr.Dataset(
        {
            "weights": (("feature", "unit"), weights),
            "signal": (("stimulus", "unit"), signal),
            "snr": ("unit", ratio),
            "noise_variance": ("unit", 1 / ratio),
        },
        coords={"stimulus": stimulus, "unit_id": ("unit", array.coords["unit_id"].values)},
        attrs={"seed": seed, "readout": readout, "shared_fraction": shared_fraction},
    )
    return array, truth


_ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "neurocompare simulation",
    "citation": "none: simulated",
    "license": "none: simulated",
    "sha256": {},
}


def _units(neurons: int, session: str) -> dict[str, np.ndarray]:
    return {
        "unit_id": np.array([f"{session}-{i:05d}" for i in range(neurons)]),
        "area": np.full(neurons, "V1"),
        "animal": np.full(neurons, "simulated"),
        "session": np.full(neurons, session),
    }


def _autocorrelated(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Standard normal series in which neighbours correlate by `memory`."""
    steps = rng.standard_normal(n) * np.sqrt(1 - memory**2)
    series = np.empty(n)
    last = rng.standard_normal()
    for i, step in enumerate(steps):
        last = series[i] = memory * last + step
    return series


def _occurrence(index: np.ndarray) -> np.ndarray:
    """How often each value has been seen before."""
    order = np.argsort(index, kind="stable")
    counts = np.bincount(index)
    result = np.empty(len(index), dtype=int)
    result[order] = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    return result


def _fisher(curve, slope, *, noise, directions, variances) -> np.ndarray:
    """Linear information slopeᵀ Σ⁻¹ slope for Σ = diag(noise) + (curve∘directions) diag(variances) (…)ᵀ."""
    inverse = np.divide(1, noise, out=np.zeros_like(noise), where=noise > 0)
    u = curve[:, :, None] * directions
    projected = np.einsum("au,aur->ar", slope * inverse, u)
    inner = np.eye(len(variances)) + variances[:, None] * np.einsum("aur,au,aus->ars", u, inverse, u)
    corrected = np.linalg.solve(inner, (variances * projected)[:, :, None])[:, :, 0]
    return (slope**2 * inverse).sum(1) - (projected * corrected).sum(1)
