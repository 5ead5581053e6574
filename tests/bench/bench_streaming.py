"""Peak memory of representations that are larger than memory: a convolutional layer of a million units."""

import sys

import numpy as np
from ratios import Ratio, extra_bytes, in_subprocess

SIDE, CHANNELS = 128, 64
UNITS = SIDE * SIDE * CHANNELS
SIZES = {"quick": (16, (32, 64, 128)), "full": (192, (384, 1536, 3072))}
"""Images at a time, and images in all."""


def measure(how: str) -> list[Ratio]:
    """Measure peaks in subprocesses for growing numbers of images."""
    block, images = SIZES[how]
    extra = [in_subprocess("bench_streaming", n, block) for n in images]
    whole = 4 * UNITS
    rows = [
        Ratio(
            "inner products of a streamed layer",
            "two blocks and n²",
            f"{n} images × {UNITS} units, blocks of {block}",
            peak / (2 * block * whole + 2 * 8 * n**2),
            "≤ 2",
            f"peak memory; the layer itself would take {n * whole / peak:.2g} times as much",
        )
        for n, peak in zip(images, extra, strict=True)
    ]
    return rows


def layer():
    """Build a network of one convolution that has a million units."""
    import torch

    from neurocompare.networks.activations import Network

    class Convolution(torch.nn.Module):
        input_shape = (1, SIDE, SIDE)

        def __init__(self):
            super().__init__()
            torch.manual_seed(4)
            self.convolution = torch.nn.Conv2d(1, CHANNELS, 3, padding=1)

        def layers(self):
            return ("convolution",)

        def points(self):
            return {"convolution": self.convolution}

        def forward(self, images):
            return self.convolution(images)

    return Network("convolution", Convolution())


def main(n: int, block: int) -> None:
    """Print how much memory the inner products of `n` images take."""
    import xarray as xr

    from neurocompare.networks.activations import grams

    images = np.random.default_rng(5).standard_normal((n, 1, SIDE, SIDE), dtype=np.float32)
    stimuli = [f"image {k:05}" for k in range(n)]
    inputs = xr.DataArray(images, dims=("stimulus", "channel", "y", "x"), coords={"stimulus": stimuli})
    network = layer()
    grams(network, inputs[:2], batch=2, block=2)
    print(extra_bytes(lambda: grams(network, inputs, batch=16, block=block)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
