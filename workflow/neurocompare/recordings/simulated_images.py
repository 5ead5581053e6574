"""A simulated population of visual areas that see naturalistic images, with its truth."""

import numpy as np
import scipy.linalg
import torch
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.networks import gabor_bank
from neurocompare.ranges import check_ranges
from neurocompare.simulation.populations import (
    ATTRIBUTES,
    MEMORY,
    autocorrelated,
    check_areas,
    running_speed,
    units,
)
from neurocompare.stimuli import dead_leaves
from neurocompare.stimuli.images import prepare

_BANK = {"size": 64, "orientations": 8, "frequencies": (2, 4, 8, 16), "grid": 8}
"""The complex cells that the first area is made from."""

_BATCH = 64


def simulate(
    *,
    images: int = 400,
    pixels: int = 128,
    image_seed: int = 0,
    areas: tuple[str, ...] = ("V1", "LM", "AL"),
    neurons: int = 300,
    repeats: int = 4,
    seed: int,
    step: float = 0.3,
    exponent: float = 1.0,
    components: int | None = None,
    snr: float = 0.5,
    snr_spread: float = 0.5,
    shared_fraction: float = 0.2,
    shared_rank: int = 3,
) -> tuple[xr.DataArray, xr.Dataset]:
    r"""Simulate areas in a row that respond to images of dead leaves.

    With Z of shape (image, component), columns centred and orthonormal, the signal of an area is
    :math:`\sqrt n\, Z \Lambda^{1/2} Q^T`: Q mixes components into neurons at random and has orthonormal
    columns, and :math:`\Lambda_k \propto k^{-\alpha}` is the eigenspectrum (Stringer et al. 2019, Nature 571:361,
    found an exponent near 1). Z of the first area holds the principal components of complex cells, of the
    Gabor bank that networks are compared with, but coarser. The next area keeps a part of it and gains
    something new, :math:`Z' = \sqrt{1 - s}\, Z + \sqrt s\, N`. N are the principal components of rectified
    random sums of the signal before, as far as they are no linear function of any area before. So linear
    CKA between the signals of two areas, j steps apart, is exactly :math:`(1 - s)^j`.

    Trial noise is Gaussian. Its shared part comes from few factors, common to all areas, of which the first
    is slow and is what ``running_speed`` follows.

    Parameters
    ----------
    images, pixels, image_seed : int
        Arguments ``images``, ``pixels`` and ``seed`` of the renderer ``dead_leaves``: what is shown.
    areas : sequence of str
        Names of the areas, the first nearest to the images.
    neurons : int
        Neurons in each area.
    repeats : int
        Each block shows every image once, in random order.
    seed : int
        Seed of everything but the images.
    step : float
        Share s of an area that is new, from 0 (a copy) to 1 (no linear relation to the area before).
    exponent : float
        Exponent :math:`\alpha` of the eigenspectrum.
    components : int, optional
        Components of each area; by default as many as images and neurons allow.
    snr : float
        Variance of the signal over images, over that of the noise of one trial, averaged over neurons.
    snr_spread : float
        Standard deviation of the logarithm of the ratio over neurons.
    shared_fraction : float
        Fraction of each neuron's noise variance that is shared.
    shared_rank : int
        Number of shared factors.

    Returns
    -------
    array : DataArray of shape (images * repeats, neurons * n_areas)
        The recording. Values are in units of the mean standard deviation of the signal and may be negative,
        so the response is called dF/F.
    truth : Dataset
        ``signal`` (stimulus, unit); ``signal_variance`` and ``noise_variance`` of a trial and their ratio
        ``snr`` (unit); ``shared_loadings`` (unit, factor) of unit norm, whose inner products times
        `shared_fraction` are the noise correlations; ``reliability`` (unit), the expected correlation of two
        halves of the trials, NaN for one repeat, and ``ceiling`` (unit), that of the mean of all trials with the
        signal; ``eigenvalue`` (component) of the signal of each area; ``cka`` (area, other_area) of the
        signals; areas in their order, and the options as attributes.

    Raises
    ------
    UserError
        If an option is out of range, or there are too few images or neurons for the components.
    """
    check_areas("simulated images", areas)
    check_ranges(
        "simulated images",
        sizes={"images": images, "neurons": neurons, "repeats": repeats, "shared_rank": shared_rank},
        seeds={"seed": seed},
        fractions={"step": step, "shared_fraction": shared_fraction},
        positive={"snr": snr},
        magnitudes={"snr_spread": snr_spread, "exponent": exponent},
    )
    shown = dead_leaves.stimuli({}, images=images, pixels=pixels, seed=image_seed)
    components = _components(components, images, neurons, len(areas))
    rng = np.random.default_rng([seed, 2])
    spectrum = np.arange(1, components + 1.0) ** -exponent
    spectrum *= neurons / spectrum.sum()
    scores = _scores(_complex_cells(shown), np.sqrt(images * spectrum), len(areas), step, rng)
    mixing = [scipy.linalg.qr(rng.standard_normal((neurons, components)), mode="economic")[0].T for _ in areas]
    signal = np.hstack([(z * np.sqrt(images * spectrum)) @ q for z, q in zip(scores, mixing, strict=True)])
    variance = signal.var(0)
    ratio = snr * rng.lognormal(-(snr_spread**2) / 2, snr_spread, len(variance))
    loadings = rng.standard_normal((shared_rank, len(variance)))
    loadings /= np.linalg.norm(loadings, axis=0)
    order = np.concatenate([rng.permutation(images) for _ in range(repeats)])
    factors = rng.standard_normal((len(order), shared_rank))
    factors[:, 0] = autocorrelated(len(order), MEMORY, rng)
    values = _trials(signal, order, np.sqrt(variance / ratio), shared_fraction, factors, loadings, rng)
    block = np.repeat(np.arange(repeats), images)
    array = representation.responses(
        values,
        presentation={
            "stimulus": shown["stimulus"].values[order],
            "repeat": block,
            "block": block,
            "running_speed": running_speed(factors[:, 0]),
        },
        unit=units(len(variance), f"images-{seed}") | {"area": np.repeat(areas, neurons)},
        attributes=ATTRIBUTES | {"response": "dF/F", "seed": seed},
    )
    half = ratio * (repeats // 2)
    apart = np.abs(np.subtract.outer(np.arange(len(areas)), np.arange(len(areas))))
    truth = xr.Dataset(
        {
            "signal": (("stimulus", "unit"), signal.astype(np.float32)),
            "signal_variance": ("unit", variance),
            "noise_variance": ("unit", variance / ratio),
            "snr": ("unit", ratio),
            "reliability": ("unit", half / (1 + half) if repeats > 1 else np.full_like(half, np.nan)),
            "ceiling": ("unit", np.sqrt(ratio * repeats / (1 + ratio * repeats))),
            "shared_loadings": (("unit", "factor"), loadings.T),
            "eigenvalue": ("component", spectrum),
            "cka": (("area", "other_area"), (1.0 - step) ** apart),
        },
        coords={
            "stimulus": shown["stimulus"].values,
            "unit_id": ("unit", array.coords["unit_id"].values),
            "unit_area": ("unit", array.coords["area"].values),
            "component": np.arange(1, components + 1),
            "area": list(areas),
            "other_area": list(areas),
        },
        attrs={
            "seed": seed,
            "exponent": exponent,
            "step": step,
            "shared_fraction": shared_fraction,
            "participation_ratio": float(spectrum.sum() ** 2 / (spectrum**2).sum()),
        },
    )
    return array, truth


def _complex_cells(shown: xr.DataArray) -> np.ndarray:
    """Energies (image, cell) of the Gabor bank."""
    bank = gabor_bank.build(**_BANK)
    inputs = torch.from_numpy(prepare(shown, size=_BANK["size"], mode="grey", scale=(0, 255)).values)
    with torch.inference_mode():
        parts = [bank(batch).flatten(1).numpy() for batch in inputs.split(_BATCH)]
    return np.concatenate(parts).astype(float)


def _scores(features, weights, n_areas, step, rng) -> list[np.ndarray]:
    """Orthonormal scores (image, component) of each area; `weights` turn them into signals."""
    n, count = len(features), len(weights)
    # Everything new is orthogonal to a constant, that is centred, and to all that was there before.
    taken = np.full((n, 1), n**-0.5)
    scores = []
    for _ in range(n_areas):
        new = _principal(features, taken, count)
        taken = np.hstack([taken, new])
        scores.append(np.sqrt(1 - step) * scores[-1] + np.sqrt(step) * new if scores else new)
        signal = scores[-1] * weights
        # Sums have unit variance; random thresholds make them sparse to different degrees.
        sums = signal @ rng.standard_normal((count, 4 * count)) / np.sqrt((signal**2).sum() / n)
        features = np.maximum(sums + rng.standard_normal(4 * count), 0)
    return scores


def _principal(features: np.ndarray, taken: np.ndarray, count: int) -> np.ndarray:
    """Scores (image, count) of the first principal components of what is orthogonal to `taken`."""
    features = features - taken @ (taken.T @ features)
    last = len(features) - 1
    values, vectors = scipy.linalg.eigh(features @ features.T, subset_by_index=[last - count + 1, last])
    if values[0] < 1e-10 * values[-1]:
        raise UserError(
            f"simulated images: the responses to {len(features)} images have fewer than {count} components;"
            " set fewer 'components'"
        )
    vectors = vectors[:, ::-1]
    # Eigenvectors have no sign of their own; this one does not depend on the library.
    return vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(count)])


def _trials(signal, order, deviation, shared_fraction, factors, loadings, rng) -> np.ndarray:
    """Float32 responses (presentation, unit), block by block to save memory."""
    values = rng.standard_normal((len(order), len(deviation)), dtype=np.float32)
    values *= (np.sqrt(1 - shared_fraction) * deviation).astype(np.float32)
    shared = (np.sqrt(shared_fraction) * deviation * loadings).astype(np.float32)
    factors, signal = factors.astype(np.float32), signal.astype(np.float32)
    for start in range(0, len(order), len(signal)):
        block = slice(start, start + len(signal))
        values[block] += factors[block] @ shared
        values[block] += signal[order[block]]
    return values


def _components(components: int | None, images: int, neurons: int, n_areas: int) -> int:
    most = min((images - 1) // n_areas, neurons)
    if most < 2 or components not in (None, *range(2, most + 1)):
        raise UserError(
            f"simulated images: components is {components}; {images} images in {n_areas} areas of {neurons} neurons"
            f" allow {most} (images - 1 over areas, or neurons), and it takes 2 or more"
        )
    return int(components or most)
