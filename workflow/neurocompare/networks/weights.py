"""Weights of networks on disk, and the register of architectures.

An architecture is a module with ``HAS_WEIGHTS`` and ``build(**options)``. What it builds has
``input_shape`` (channels, height, width), ``layers()`` and ``points()``, the module that each layer is
read from. With weights, the module also has ``convert(state)`` for the published file, and what it builds
has ``initialise(seed)``.
"""

import hashlib
import importlib
import json
import pickle
from pathlib import Path
from types import ModuleType

import safetensors
import safetensors.torch
import torch

from neurocompare.errors import UserError, unknown
from neurocompare.files import written

ARCHITECTURES = ("efficientnet_lite0", "gabor_bank", "pixels")
"""The architectures; each is a module of this package, imported when it is asked for."""

# safetensors writes several metadata entries in an order that changes from run to run; one entry keeps files identical.
_METADATA = "neurocompare"


def architecture(name: str) -> ModuleType:
    """Import the module of an architecture.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.

    Returns
    -------
    module
        The module.

    Raises
    ------
    UserError
        If there is no such architecture.
    """
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    return importlib.import_module(f"neurocompare.networks.{name}")


def save(state: dict[str, torch.Tensor], path: str | Path, metadata: dict[str, str]) -> None:
    """Write weights as safetensors, whole or not at all; the same weights give the same bytes.

    Parameters
    ----------
    state : dict of str to Tensor
        The weights by name.
    path : str or Path
        The file, ``.safetensors``.
    metadata : dict of str to str
        Where the weights come from. `open_network` reads ``architecture`` from it.
    """
    state = {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}
    with written(path) as temporary:
        safetensors.torch.save_file(state, temporary, metadata={_METADATA: json.dumps(metadata, sort_keys=True)})


def load(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    state : dict of str to Tensor
        The weights by name.
    metadata : dict of str to str
        Where they come from; empty if another program wrote the file.

    Raises
    ------
    UserError
        If the file is absent or is not safetensors.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in sorted(file.keys())}
            metadata = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
    except safetensors.SafetensorError as error:
        raise UserError(f"{path}: not a readable safetensors file ({error}); make it again") from error
    return state, metadata


def sha256(state: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 of weights: of their names, types, shapes and values, whatever file holds them.

    Parameters
    ----------
    state : dict of str to Tensor
        The weights by name.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name].detach().cpu().contiguous().numpy()
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def convert(name: str, path: str | Path) -> dict[str, torch.Tensor]:
    """Read the published weights of an architecture under the names used here.

    Parameters
    ----------
    name : str
        The architecture.
    path : str or Path
        The published PyTorch file; read with ``weights_only=True``, so that it cannot run code.

    Returns
    -------
    dict of str to Tensor
        The weights by name, for `save`.

    Raises
    ------
    UserError
        If the file is absent, is not a file of weights, or does not fit the architecture.
    """
    module = _with_weights(name)
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(
            f"{path}: not a PyTorch file of weights ({str(error).splitlines()[0]}); fetch it again"
        ) from error
    try:
        return module.convert(state)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def initialise(name: str, seed: int) -> dict[str, torch.Tensor]:
    """Draw the weights of an untrained network.

    Parameters
    ----------
    name : str
        The architecture.
    seed : int
        Seed of the draw.

    Returns
    -------
    dict of str to Tensor
        The weights by name, for `save`.

    Raises
    ------
    UserError
        If the architecture is unknown or has no weights.
    """
    network = _with_weights(name).build()
    network.initialise(seed)
    return network.state_dict()


def require_match(expected: dict[str, torch.Tensor], given: dict[str, torch.Tensor], what: str) -> None:
    """Refuse weights that do not fit name by name and shape by shape.

    Parameters
    ----------
    expected : dict of str to Tensor
        The weights that are needed.
    given : dict of str to Tensor
        The weights at hand.
    what : str
        What the error message calls the network.

    Raises
    ------
    UserError
        Naming the first keys that are missing, left over or of another shape.
    """
    problems = {
        "missing": sorted(expected.keys() - given.keys()),
        "left over": sorted(given.keys() - expected.keys()),
        "of another shape": sorted(k for k in expected.keys() & given.keys() if expected[k].shape != given[k].shape),
    }
    told = [f"{len(keys)} {problem} ({_few(keys)})" for problem, keys in problems.items() if keys]
    if told:
        raise UserError(f"weights do not fit {what}: {'; '.join(told)}; use the file made for this architecture")


def _few(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")


def _with_weights(name: str) -> ModuleType:
    module = architecture(name)
    if not module.HAS_WEIGHTS:
        raise UserError(f"architecture '{name}' has no weights; leave out its file of weights and its seed")
    return module
