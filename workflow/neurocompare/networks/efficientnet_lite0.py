"""EfficientNet-Lite0, an ImageNet network without squeeze-excitation (Tan & Le 2019, ICML; Lite variant 2020).

The layers that can be read are, in order, ``stem``, ``block00`` … ``block15``, ``head``, ``pooled`` and
``logits``. ``stem`` and ``head`` are the outputs of their convolutions, before batch normalisation and
ReLU6; a block is read after its skip connection; ``pooled`` is the mean of the rectified head over space.
Dropout before the classifier is left out: it does nothing outside training.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from neurocompare.networks import weights

HAS_WEIGHTS = True

_EPSILON = 1e-3

# expansion, output channels, repeats, kernel, stride of the first of the repeats (Tan & Le 2019, Table 1)
_STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)


class SameConv2d(nn.Conv2d):
    """A convolution without bias whose output has ceil(input / stride) pixels, padded as TensorFlow does.

    An odd number of pixels to add leaves the extra one below and to the right.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convolve `images`, of shape (n_images, inputs, height, width)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in images.shape[-2:])
        images = functional.pad(images, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(images)


class Block(nn.Module):
    """An inverted bottleneck: expand (1×1), filter each channel, project (1×1), add the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        wide = inputs * expansion
        self.skip = stride == 1 and inputs == outputs
        if expansion > 1:
            self.expand = SameConv2d(inputs, wide, 1)
            self.expand_norm = nn.BatchNorm2d(wide, eps=_EPSILON)
        self.depthwise = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.depthwise_norm = nn.BatchNorm2d(wide, eps=_EPSILON)
        self.project = SameConv2d(wide, outputs, 1)
        self.project_norm = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images of shape (n_images, inputs, height, width)."""
        inner = images
        if hasattr(self, "expand"):
            inner = functional.relu6(self.expand_norm(self.expand(inner)))
        inner = functional.relu6(self.depthwise_norm(self.depthwise(inner)))
        inner = self.project_norm(self.project(inner))
        return images + inner if self.skip else inner


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 for RGB images of `size` × `size` pixels."""

    def __init__(self, size: int):
        super().__init__()
        self.input_shape = (3, size, size)
        self.stem = SameConv2d(3, 32, 3, stride=2)
        self.stem_norm = nn.BatchNorm2d(32, eps=_EPSILON)
        self.blocks = nn.ModuleList()
        inputs = 32
        for expansion, outputs, repeats, kernel, stride in _STAGES:
            for repeat in range(repeats):
                self.blocks.append(Block(inputs, outputs, expansion, kernel, stride if repeat == 0 else 1))
                inputs = outputs
        self.head = SameConv2d(inputs, 1280, 1)
        self.head_norm = nn.BatchNorm2d(1280, eps=_EPSILON)
        self.pooled = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(1280, 1000)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits, of shape (n_images, 1000)."""
        inner = functional.relu6(self.stem_norm(self.stem(images)))
        for block in self.blocks:
            inner = block(inner)
        inner = functional.relu6(self.head_norm(self.head(inner)))
        return self.logits(self.pooled(inner).flatten(1))

    def points(self) -> dict[str, nn.Module]:
        """Return the module whose output each layer is, in the order of the layers."""
        blocks = {f"block{i:02d}": block for i, block in enumerate(self.blocks)}
        return {"stem": self.stem} | blocks | {"head": self.head, "pooled": self.pooled, "logits": self.logits}

    def layers(self) -> tuple[str, ...]:
        """Return the names of the layers, from input to output."""
        return tuple(self.points())

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw the weights of an untrained network.

        Convolutions are normal with variance 2 / (kernel² × outputs per group) (He et al. 2015, fan-out),
        the classifier is uniform within ±1/√1000 with bias 0, as in the reference EfficientNet. Batch
        normalisation starts at scale 1 and shift 0 with running mean 0 and variance 1: an untrained
        network has seen no images, so there are no statistics to normalise with.

        Parameters
        ----------
        seed : int
            Seed of the draw.
        """
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, SameConv2d):
                fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
                module.weight.normal_(0.0, math.sqrt(2 / fan_out), generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.weight.fill_(1.0)
                module.bias.fill_(0.0)
            elif isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.out_features)
                module.weight.uniform_(-bound, bound, generator=generator)
                module.bias.fill_(0.0)


def build(size: int = 224) -> EfficientNetLite0:
    """Build the network, its weights not yet set, for RGB images of `size` × `size` pixels (trained with 224)."""
    return EfficientNetLite0(size)


def convert(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the published weights (``_conv_stem.weight``, ``_blocks.0._bn1.bias`` …) to the names used here.

    Parameters
    ----------
    state : dict of str to Tensor
        The state of the PyTorch port of the published network.

    Returns
    -------
    dict of str to Tensor
        The state of `EfficientNetLite0`.

    Raises
    ------
    UserError
        If a weight is missing, left over or of another shape.
    """
    expected = build().state_dict()
    published = {_published(name): name for name in expected}
    weights.require_match({old: expected[new] for old, new in published.items()}, state, "published EfficientNet-Lite0")
    return {new: state[old].clone() for old, new in published.items()}


def _published(name: str) -> str:
    """Translate ``blocks.3.expand_norm.weight`` to ``_blocks.3._bn0.weight``."""
    *parent, module, tensor = name.split(".")
    if parent:
        block = parent[1]
        # The first block does not expand, yet its other norms keep their numbers.
        names = {"expand_norm": "_bn0", "depthwise_norm": "_bn1", "project_norm": "_bn2"}
        return f"_blocks.{block}.{names.get(module, f'_{module}_conv')}.{tensor}"
    names = {"stem": "_conv_stem", "stem_norm": "_bn0", "head": "_conv_head", "head_norm": "_bn1", "logits": "_fc"}
    return f"{names[module]}.{tensor}"
