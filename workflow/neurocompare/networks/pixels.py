"""The pixels themselves as a network: the baseline that a network with filters has to beat.

The one layer, ``pixels``, is the prepared image, flattened. Prepare the images as for the network that
the baseline belongs to, so that both see the same input.
"""

import torch
from torch import nn

HAS_WEIGHTS = False


class Pixels(nn.Module):
    """The identity on images of shape (`channels`, `size`, `size`)."""

    def __init__(self, size: int, channels: int):
        super().__init__()
        self.input_shape = (channels, size, size)
        self.pixels = nn.Flatten()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the pixels, of shape (n_images, channels × size × size)."""
        return self.pixels(images)

    def points(self) -> dict[str, nn.Module]:
        """Return the module whose output each layer is."""
        return {"pixels": self.pixels}

    def layers(self) -> tuple[str, ...]:
        """Return the names of the layers."""
        return tuple(self.points())


def build(size: int = 224, channels: int = 3) -> Pixels:
    """Build the network for images of shape (`channels`, `size`, `size`)."""
    return Pixels(size, channels)
