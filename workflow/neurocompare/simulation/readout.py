"""A simulated population that reads out one layer of a network, so that its generator is known."""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.simulation.populations import ATTRIBUTES, units


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
        unit=units(neurons, f"readout-{seed}"),
        attributes=ATTRIBUTES | {"response": "dF/F", "orientation_period": period, "seed": seed},
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
