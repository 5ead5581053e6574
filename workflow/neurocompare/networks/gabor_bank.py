r"""A bank of Gabor filters as a model of V1: simple cells and complex cells, nothing to train.

Filters sit on a square grid of positions, the same for every spatial frequency. With positions
:math:`p` in units of the image side (:math:`y` downwards), orientation :math:`\theta` and spatial
frequency :math:`f` in cycles per image, the pair of filters at :math:`c` is the real and the imaginary
part of

.. math:: \exp(-|p - c|^2 / 2\sigma^2)\,\exp(2\pi i f\,(\sin\theta, \cos\theta) \cdot (p - c)).

:math:`\theta` is the angle of the preferred stripes, counter-clockwise from horizontal. The envelope is
round, with :math:`\sigma f = \sqrt{\ln 2 / 2}\,(2^b + 1) / (\pi (2^b - 1))` for a bandwidth of :math:`b`
octaves at half height (Petkov & Kruizinga 1997, Biol Cybern 76, 83). A multiple of the envelope is taken
off so that a uniform image gives zero, then each filter is scaled to unit norm. Both hold for each
position by itself: a filter that the border cuts is balanced and scaled on what is left of it, so no
pixels are invented outside the image. The cut costs little: the energy of a matched grating varies with its
phase by up to 3 % (standard deviation over mean) at the border, and by 0.1 % near the centre.

Layers: ``simple``, the half-wave rectified responses (even, −even, odd, −odd), and ``energy``, the root of
the summed squares of a pair (Adelson & Bergen 1985, J Opt Soc Am A 2, 284). Within each, units are ordered
by frequency, orientation, row and column.
"""

import math

import numpy as np
import torch
from torch import nn

from neurocompare.errors import UserError

HAS_WEIGHTS = False


class _Rectify(nn.Module):
    def forward(self, even: torch.Tensor, odd: torch.Tensor) -> torch.Tensor:
        return torch.stack([even, -even, odd, -odd], dim=1).clamp(min=0)


class _Energy(nn.Module):
    def forward(self, even: torch.Tensor, odd: torch.Tensor) -> torch.Tensor:
        return torch.sqrt(even**2 + odd**2)


class GaborBank(nn.Module):
    """The bank; see `build` for its parameters."""

    def __init__(self, size: int, orientations: int, frequencies: tuple[float, ...], grid: int, bandwidth: float):
        super().__init__()
        self.input_shape = (1, size, size)
        self.simple = _Rectify()
        self.energy = _Energy()
        x = (np.arange(size) + 0.5) / size
        offset = x - (np.arange(grid)[:, None] + 0.5) / grid
        scale = math.sqrt(math.log(2) / 2) * (2**bandwidth + 1) / (math.pi * (2**bandwidth - 1))
        f, angle = (
            a.ravel() for a in np.meshgrid(frequencies, np.pi * np.arange(orientations) / orientations, indexing="ij")
        )
        # A Gabor with a round envelope is a product of a column and a row: arrays (filter, position, pixel).
        envelope = np.exp(-(offset**2) / (2 * (scale / f[:, None, None]) ** 2))
        rows = envelope * np.exp(2j * np.pi * (f * np.cos(angle))[:, None, None] * offset)
        columns = envelope * np.exp(2j * np.pi * (f * np.sin(angle))[:, None, None] * offset)
        balance = _summed(rows, columns) / _summed(envelope, envelope)
        energy = _summed(envelope**2, envelope**2)
        squared = _summed(rows**2, columns**2)
        overlap = _summed(rows * envelope, columns * envelope)
        even = (energy + squared.real) / 2 - 2 * balance.real * overlap.real + balance.real**2 * energy
        odd = (energy - squared.real) / 2 - 2 * balance.imag * overlap.imag + balance.imag**2 * energy
        arrays = {"envelope": envelope, "rows": rows, "columns": columns, "balance": balance}
        arrays |= {"even_norm": np.sqrt(even), "odd_norm": np.sqrt(odd)}
        for name, array in arrays.items():
            tensor = torch.from_numpy(array.astype(np.complex64 if np.iscomplexobj(array) else np.float32))
            self.register_buffer(f"_{name}", tensor, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the energies of images (n_images, 1, size, size), of shape (n_images, n_filters, grid, grid)."""
        images = images[:, 0]
        surround = _filtered(self._envelope, images, self._envelope)
        response = _filtered(self._rows, images.to(torch.complex64), self._columns) - self._balance * surround
        even, odd = response.real / self._even_norm, response.imag / self._odd_norm
        self.simple(even, odd)
        return self.energy(even, odd)

    def points(self) -> dict[str, nn.Module]:
        """Return the module whose output each layer is."""
        return {"simple": self.simple, "energy": self.energy}

    def layers(self) -> tuple[str, ...]:
        """Return the names of the layers."""
        return tuple(self.points())


def build(
    size: int = 128,
    orientations: int = 8,
    frequencies: tuple[float, ...] = (2, 4, 8, 16, 32),
    grid: int = 16,
    bandwidth: float = 1.0,
) -> GaborBank:
    """Build a bank for grey images of `size` × `size` pixels with values in [0, 1].

    Parameters
    ----------
    size : int
        Pixels on a side; the image spans the visual field of the bank.
    orientations : int
        Number of orientations, evenly spaced over 180° from 0°.
    frequencies : sequence of float
        Spatial frequencies in cycles per image.
    grid : int
        Positions on a side.
    bandwidth : float
        Bandwidth of the filters in octaves, full width at half height.

    Returns
    -------
    GaborBank
        The network, with `orientations` × ``len(frequencies)`` × `grid`² complex cells.

    Raises
    ------
    UserError
        If the pixels cannot carry a frequency.
    """
    if not all(0 < f < size / 2 for f in frequencies):
        raise UserError(
            f"gabor_bank: frequencies {list(frequencies)} must lie between 0 and {size / 2:g} cycles per image "
            f"(half of size {size}); lower them or raise 'size'"
        )
    return GaborBank(size, orientations, tuple(frequencies), grid, bandwidth)


def _summed(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sum filters over pixels: (filter, position, pixel) twice to (filter, row, column)."""
    return np.einsum("kr,kc->krc", rows.sum(axis=-1), columns.sum(axis=-1))


def _filtered(rows: torch.Tensor, images: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Apply separable filters: (image, y, x) to (image, filter, row, column)."""
    return rows @ images[:, None] @ columns.transpose(-1, -2)
