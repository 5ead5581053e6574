"""Weights of recurrent networks on disk, with all that is needed to run them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neurocompare.errors import UserError
from neurocompare.networks import weights as files
from neurocompare.recurrent import definition as definitions
from neurocompare.recurrent.cells import Cell
from neurocompare.recurrent.constraints import initialise
from neurocompare.recurrent.definition import Definition

CELL_TYPES = ("excitatory", "inhibitory", "none")


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that is ready to run, trained or not.

    Attributes
    ----------
    definition : Definition
        Cell, constraints, task and settings of learning.
    cell : Cell
        The cell of the definition.
    weights : dict of str to Tensor
        Effective weights of one network, see `neurocompare.recurrent.cells`; float32.
    area, cell_type : array of str of shape (N,)
        Where each unit is, and whether it is excitatory, inhibitory, or none of the two.
    sha256 : str
        Digest of the weights, whatever file holds them.
    metadata : dict of str to str
        Where they come from.
    """

    definition: Definition
    cell: Cell
    weights: dict[str, torch.Tensor]
    area: np.ndarray
    cell_type: np.ndarray
    sha256: str
    metadata: dict[str, str]


def untrained(definition: Definition, seed: int) -> dict[str, torch.Tensor]:
    """Draw the weights of a network that has learnt nothing.

    Parameters
    ----------
    definition : Definition
        The network.
    seed : int
        Seed of the draw; training starts from the same weights.

    Returns
    -------
    dict of str to Tensor
        Effective weights.
    """
    return definition.constraints.effective(initialise(definition.cell, definition.constraints, seed))


def save(
    path: str | Path,
    weights: dict[str, torch.Tensor],
    definition: Definition,
    metadata: dict[str, str],
    *,
    area: np.ndarray | None = None,
    cell_type: np.ndarray | None = None,
) -> None:
    """Write a network, whole or not at all; the same network gives the same bytes.

    Parameters
    ----------
    path : str or Path
        The file, ``.safetensors``.
    weights : dict of str to Tensor
        Effective weights of one network.
    definition : Definition
        What they are weights of.
    metadata : dict of str to str
        Where they come from.
    area, cell_type : array of str of shape (N,), optional
        Where units are and what they are; by default as the constraints of the definition say.

    Raises
    ------
    UserError
        If the weights do not fit the cell of the definition, or are not finite.
    """
    areas, kinds = definition.constraints.units(definition.cell.units)
    _fitting(weights, definition.cell, str(path))
    stored = {
        "architecture": "recurrent",
        "definition": definitions.to_json(definition),
        "area": json.dumps([str(name) for name in (areas if area is None else area)]),
        "cell_type": json.dumps([str(name) for name in (kinds if cell_type is None else cell_type)]),
    }
    files.save(weights, path, metadata | stored)


def load(path: str | Path) -> Trained:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Trained
        The network.

    Raises
    ------
    UserError
        If the file is absent, damaged, or holds something else.
    """
    weights, metadata = files.load(path)
    if metadata.get("architecture") != "recurrent":
        raise UserError(f"{path}: holds no recurrent network with its definition; make it with the workflow")
    try:
        definition = definitions.from_json(metadata.pop("definition"))
        area, kinds = (np.array(json.loads(metadata.pop(name))) for name in ("area", "cell_type"))
    except (KeyError, ValueError, UserError) as error:
        raise UserError(f"{path}: its metadata is damaged ({error}); make it again") from error
    cell = definition.cell
    _fitting(weights, cell, str(path))
    if area.shape != (cell.units,) or kinds.shape != (cell.units,) or not np.isin(kinds, CELL_TYPES).all():
        raise UserError(f"{path}: area and cell_type are not of {cell.units} units; make it again")
    return Trained(definition, cell, weights, area, kinds, files.sha256(weights), metadata)


def _fitting(weights: dict[str, torch.Tensor], cell: Cell, path: str) -> None:
    """Refuse weights of another cell, or that are not finite."""
    expected = {name: torch.empty(shape, device="meta") for name, shape in cell.shapes().items()}
    try:
        files.require_match(expected, weights, f"a {cell.kind} cell of {cell.units} units")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: '{name}' holds NaN or infinite values; make it again")
