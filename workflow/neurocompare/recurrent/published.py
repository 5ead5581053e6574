"""Published weights of recurrent networks, brought to the cells and to the order of units used here."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neurocompare.errors import UserError, unknown
from neurocompare.recurrent.definition import Definition


@dataclass(frozen=True, eq=False)
class Published:
    """Weights as published, with what they are weights of.

    Attributes
    ----------
    weights : dict of str to Tensor
        For `neurocompare.recurrent.cells.Cell`, float32.
    area, cell_type : array of str of shape (N,)
        Where each unit is, and whether it is excitatory, inhibitory, or none of the two.
    cell : dict of str to object
        Fields of the cell that they were trained with.
    """

    weights: dict[str, torch.Tensor]
    area: np.ndarray
    cell_type: np.ndarray
    cell: dict[str, object]


def load(kind: str, path: str | Path, definition: Definition) -> Published:
    """Read published weights for a definition.

    Parameters
    ----------
    kind : str
        One of `FORMATS`.
    path : str or Path
        The published file.
    definition : Definition
        What the catalogue says of the network.

    Returns
    -------
    Published
        The weights.

    Raises
    ------
    UserError
        If the file is not of the format, or the definition says something else than the paper.
    """
    if kind not in FORMATS:
        raise unknown("format of published weights", kind, FORMATS)
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    found = FORMATS[kind](Path(path))
    for name, value in found.cell.items():
        given = getattr(definition.cell, name)
        if given != value and not (isinstance(value, float) and np.isclose(given, value)):
            where = "of the task" if name in ("dt", "inputs", "outputs") else "of the cell"
            raise UserError(f"{path}: was trained with {name} {value}, but {name} {where} is {given}; change it")
    return found


def kleinman2021(path: Path) -> Published:
    r"""Read a three-area network of Kleinman, Chandrasekaran & Kao 2021 (NeurIPS), from the authors' arrays.

    They are the effective weights: rectified, signed and masked (``Win``, ``Wrec``, ``Wout``, ``brec``, ``bout``,
    ``x0``), of the equation ``rate`` of `neurocompare.recurrent.cells` with rectification, :math:`\tau` = 50 ms and
    steps of 10 ms. With Dale's law, the first 4/5 of the units are excitatory, a third of them in each area, and the
    others inhibitory in the same way; here units are ordered by area, excitatory ones first. Without it, each third of
    the units is an area. Inputs, in their order: left and right target (+1 green, −1 red), red and green coherence.

    Parameters
    ----------
    path : Path
        A file ``.npz`` of these arrays.

    Returns
    -------
    Published
        The network, with areas ``area1``, ``area2`` and ``area3``.

    Raises
    ------
    UserError
        If the file is damaged or lacks an array, or if connections are not those of such a network.
    """
    arrays = _arrays(path, ("Win", "Wrec", "Wout", "brec", "bout", "x0"))
    recurrent = arrays["Wrec"]
    n = len(recurrent)
    shapes = {"Wrec": (n, n), "Win": (n, 4), "Wout": (2, n), "brec": (n,), "bout": (2,), "x0": (n,)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise UserError(f"{path}: '{name}' has shape {arrays[name].shape}, not {shape}; use a published file")
    if n % 15:
        raise UserError(f"{path}: {n} units are not three areas with a fifth of inhibitory units; use a published file")
    excitatory = np.arange(n) < n * 4 // 5
    positive, negative = (recurrent > 0).any(0), (recurrent < 0).any(0)
    dale = not negative[excitatory].any() and not positive[~excitatory].any()
    if dale:
        area = np.concatenate([np.repeat([0, 1, 2], n * 4 // 15), np.repeat([0, 1, 2], n // 15)])
        kinds = np.where(excitatory, "excitatory", "inhibitory")
    else:
        area, kinds = np.repeat([0, 1, 2], n // 3), np.full(n, "none")
    # Signals go from an area to its neighbours only, enter in the first and leave from the last.
    if recurrent[np.abs(area[:, None] - area) == 2].any() or arrays["Win"][area > 0].any():
        raise UserError(f"{path}: connections or inputs are not those of a chain of three areas; use a published file")
    if arrays["Wout"][:, area < 2].any():
        raise UserError(f"{path}: outputs are not from the third area only; use a published file")
    order = np.argsort(area, kind="stable")
    weights = {
        "input": arrays["Win"][order],
        "recurrent": recurrent[np.ix_(order, order)],
        "bias": arrays["brec"][order],
        "output": arrays["Wout"][:, order],
        "output_bias": arrays["bout"],
        "initial": arrays["x0"][order],
    }
    return Published(
        {name: torch.tensor(values, dtype=torch.float32) for name, values in weights.items()},
        np.array(["area1", "area2", "area3"])[area[order]],
        kinds[order],
        {
            "kind": "rate",
            "units": n,
            "inputs": 4,
            "outputs": 2,
            "activation": "relu",
            "output_activation": "linear",
            "dt": 0.01,
            "time_constant": 0.05,
        },
    )


FORMATS: dict[str, Callable[[Path], Published]] = {"kleinman2021": kleinman2021}
"""Readers of published weights by the name that the catalogue gives as ``format``."""


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read arrays of finite numbers from an ``.npz`` file, without running code that it may hold."""
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise ValueError("one array, not an archive")
        with opened as file:
            for name in names:
                if name not in file.files:
                    raise UserError(f"{path}: '{name}' is missing; use a published file")
            arrays = {name: file[name] for name in names}
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable file of arrays ({why}); fetch it again") from error
    for name, values in arrays.items():
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise UserError(f"{path}: '{name}' holds something else than finite numbers; fetch it again")
    return arrays
