"""Activations of networks, and the inner products between images that all similarity measures start from.

Early layers have hundreds of thousands of units an image, so the activations of all images to all layers
are never held at once. `grams` streams over blocks of images and keeps what does not grow with the
number of units. From its three variables follow correlation, cosine and Euclidean dissimilarities, linear
and Gaussian-kernel CKA, and kernel ridge regression.

Networks run in evaluation mode, on batches of a fixed size: the size is part of a result's definition,
because the last digits of a convolution may depend on it.
"""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from neurocompare.errors import UserError, unknown
from neurocompare.networks import weights as weights_on_disk

# Units that are converted to float64 at a time: for 96 images this is 13 MB.
_CHUNK = 16384

SAMPLED = 300
"""Units of a layer that are kept as they are, for measures that look at single units."""


class Network:
    """A network that is ready to run; made by `open_network`.

    Attributes
    ----------
    architecture : str
        Name of the architecture.
    layers : tuple of str
        Names of the layers, from input to output.
    input_shape : tuple of int
        (channels, height, width) of an image.
    """

    def __init__(self, architecture: str, module: torch.nn.Module):
        self.architecture = architecture
        self.layers: tuple[str, ...] = module.layers()
        self.input_shape: tuple[int, int, int] = module.input_shape
        self._module = module.eval()

    def run(self, inputs: np.ndarray, layers: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Return the activations of some layers to one batch.

        Parameters
        ----------
        inputs : array of shape (n_images, channels, height, width)
            Prepared images, float32.
        layers : sequence of str, optional
            The layers to keep; all by default.

        Returns
        -------
        dict of str to array of shape (n_images, n_units)
            Copies of the activations, float32, in the order of the layers asked for.

        Raises
        ------
        UserError
            If a layer does not exist, images have another shape, or activations are not finite.
        """
        layers = self._known(layers)
        inputs = np.ascontiguousarray(inputs, dtype=np.float32)
        if inputs.shape[1:] != self.input_shape:
            raise UserError(
                f"network '{self.architecture}' takes images of shape {self.input_shape}, got {inputs.shape[1:]}; "
                "correct 'size' or 'mode' of its preprocessing"
            )
        captured = {}
        points = self._module.points()
        handles = [points[layer].register_forward_hook(_keeper(captured, layer)) for layer in layers]
        try:
            with torch.inference_mode():
                self._module(torch.from_numpy(inputs))
        finally:
            for handle in handles:
                handle.remove()
        for layer in layers:
            if not np.isfinite(captured[layer]).all():
                raise UserError(
                    f"network '{self.architecture}': layer '{layer}' holds NaN or infinite activations; "
                    "check its weights and the scale of its inputs"
                )
        return {layer: captured[layer] for layer in layers}

    def _known(self, layers: Sequence[str] | None) -> tuple[str, ...]:
        layers = self.layers if layers is None else tuple(layers)
        for layer in layers:
            if layer not in self.layers:
                raise unknown("layer", layer, self.layers)
        return layers


def open_network(
    architecture: str, *, weights: str | Path | None = None, seed: int | None = None, options: dict | None = None
) -> Network:
    """Build a network with weights from a file, with random weights, or without any to set.

    Parameters
    ----------
    architecture : str
        A name in `neurocompare.networks.weights.ARCHITECTURES`.
    weights : str or Path, optional
        A file written by `neurocompare.networks.weights.save` for this architecture.
    seed : int, optional
        Seed of an untrained network. An architecture with weights takes either this or `weights`.
    options : dict, optional
        Arguments of the architecture's ``build``.

    Returns
    -------
    Network
        The network in evaluation mode.

    Raises
    ------
    UserError
        If a name or an option is unknown, weights and seed are both given or both missing, or the file
        does not fit.
    """
    definition = weights_on_disk.architecture(architecture)
    options = options or {}
    known = inspect.signature(definition.build).parameters
    for option in options:
        if option not in known:
            raise unknown(f"option of architecture '{architecture}'", option, known)
    module = definition.build(**options)
    if not definition.HAS_WEIGHTS:
        if weights is not None or seed is not None:
            raise UserError(f"architecture '{architecture}' has no weights; leave out 'weights' and 'seed'")
    elif (weights is None) == (seed is None):
        raise UserError(f"architecture '{architecture}' needs either 'weights' (a file) or 'seed' (untrained)")
    elif weights is None:
        module.initialise(seed)
    else:
        state, metadata = weights_on_disk.load(weights)
        made_for = metadata.get("architecture", "none")
        if made_for != architecture:
            raise UserError(f"{weights}: holds weights of architecture '{made_for}', not of '{architecture}'")
        weights_on_disk.require_match(module.state_dict(), state, f"'{architecture}' ({weights})")
        module.load_state_dict(state)
    return Network(architecture, module)


def grams(
    network: Network, inputs: xr.DataArray, *, batch: int, block: int, layers: Sequence[str] | None = None
) -> xr.Dataset:
    """Compute the inner products between images over the units of each layer.

    The activations of one block of images are held, and those of each later block are computed again to
    be crossed with them: memory is bounded by two blocks, not by the number of images.

    Parameters
    ----------
    network : Network
        The network.
    inputs : DataArray of shape (n_stimuli, channels, height, width)
        Prepared images with the coordinate ``stimulus``.
    batch : int
        Images that the network sees at a time.
    block : int
        Images whose activations are held at a time, a multiple of `batch`.
    layers : sequence of str, optional
        The layers; all by default.

    Returns
    -------
    Dataset
        ``gram`` (layer, stimulus, other_stimulus), the inner products of uncentred activations, float64;
        ``row_sum`` (layer, stimulus), the sum over units; ``n_units`` (layer); ``sample`` (layer, stimulus,
        sampled_unit), the activations of at most `SAMPLED` units, float32: all units of a small layer, else a
        random choice that depends on the number of units alone; NaN where a layer has fewer.

    Raises
    ------
    UserError
        If `block` is not a multiple of `batch`, or as in `Network.run`.
    """
    if batch < 1 or block < 1 or block % batch:
        raise UserError(f"'block' ({block}) must be a multiple of 'batch' ({batch}), both positive")
    stimulus = _stimulus(inputs)
    images, layers, n = inputs.values, network._known(layers), len(stimulus)
    gram = np.zeros((len(layers), n, n))
    row_sum = np.zeros((len(layers), n))
    n_units = np.zeros(len(layers), dtype=np.int64)
    sample = np.full((len(layers), n, SAMPLED), np.nan, dtype=np.float32)
    spans = [slice(start, min(start + block, n)) for start in range(0, n, block)]
    for i, rows in enumerate(spans):
        held = _activations(network, images[rows], batch, layers)
        for k, layer in enumerate(layers):
            n_units[k] = held[layer].shape[1]
            gram[k, rows, rows], row_sum[k, rows] = _within(held[layer])
            kept = sampled_units(n_units[k])
            sample[k, rows, : len(kept)] = held[layer][:, kept]
        for columns in spans[i + 1 :]:
            other = _activations(network, images[columns], batch, layers)
            for k, layer in enumerate(layers):
                gram[k, rows, columns] = _between(held[layer], other[layer])
                gram[k, columns, rows] = gram[k, rows, columns].T
            del other  # else it would live on while the next block is computed
        del held
    return xr.Dataset(
        {
            "gram": (("layer", "stimulus", "other_stimulus"), gram),
            "row_sum": (("layer", "stimulus"), row_sum),
            "n_units": ("layer", n_units),
            "sample": (("layer", "stimulus", "sampled_unit"), sample),
        },
        coords={"layer": list(layers), "stimulus": stimulus, "other_stimulus": stimulus},
        attrs={"architecture": network.architecture, "batch": batch, "block": block},
    )


def sampled_units(n_units: int) -> np.ndarray:
    """Choose the units of a layer that are kept as they are.

    Parameters
    ----------
    n_units : int
        Units of the layer.

    Returns
    -------
    array of int of shape (n_kept,)
        Increasing; all of them where there are few enough.
    """
    if n_units <= SAMPLED:
        return np.arange(n_units)
    return np.sort(np.random.default_rng([SAMPLED, int(n_units)]).choice(n_units, SAMPLED, replace=False))


def features(network: Network, inputs: xr.DataArray | np.ndarray, layer: str, *, batch: int) -> np.ndarray:
    """Return the activations of one layer to all images.

    Parameters
    ----------
    network : Network
        The network.
    inputs : array of shape (n_images, channels, height, width)
        Prepared images.
    layer : str
        The layer.
    batch : int
        Images that the network sees at a time.

    Returns
    -------
    array of shape (n_images, n_units)
        Activations, float32.

    Raises
    ------
    UserError
        As in `Network.run`.
    """
    if batch < 1:
        raise UserError(f"'batch' ({batch}) must be positive")
    return _activations(network, np.asarray(inputs), batch, network._known([layer]))[layer]


def _keeper(captured: dict[str, np.ndarray], layer: str):
    def keep(module, arguments, output):
        # A copy, because a later in-place operation may overwrite the output.
        captured[layer] = output.flatten(1).numpy().copy()

    return keep


def _activations(network: Network, images: np.ndarray, batch: int, layers: Sequence[str]) -> dict[str, np.ndarray]:
    kept = {}
    for start in range(0, len(images), batch):
        for layer, values in network.run(images[start : start + batch], layers).items():
            if layer not in kept:
                kept[layer] = np.empty((len(images), values.shape[1]), dtype=np.float32)
            kept[layer][start : start + batch] = values
    return kept


def _chunks(n_units: int) -> Iterator[slice]:
    for start in range(0, n_units, _CHUNK):
        yield slice(start, start + _CHUNK)


def _within(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gram, row_sum = np.zeros((len(values), len(values))), np.zeros(len(values))
    for chunk in _chunks(values.shape[1]):
        part = values[:, chunk].astype(np.float64)
        gram += part @ part.T
        row_sum += part.sum(axis=1)
    return gram, row_sum


def _between(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    gram = np.zeros((len(values), len(others)))
    for chunk in _chunks(values.shape[1]):
        gram += values[:, chunk].astype(np.float64) @ others[:, chunk].astype(np.float64).T
    return gram


def _stimulus(inputs: xr.DataArray) -> np.ndarray:
    if not isinstance(inputs, xr.DataArray) or inputs.dims[0] != "stimulus" or "stimulus" not in inputs.coords:
        raise UserError(
            "inputs need the coordinate 'stimulus' along their first dimension; make them with images.prepare"
        )
    return inputs.coords["stimulus"].values
