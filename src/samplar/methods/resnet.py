"""ResNet without its classifier: an image to features of four scales.

Source: He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1;
the stride is in the 3 x 3 convolution of a block, as in common code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.image_norm import image_norm

STRIDES = (4, 8, 16, 32)
"""Pixels per cell of the features of each stage."""


@dataclass(frozen=True)
class ResNetShape:
    """The sizes of a ResNet.

    Args:
        blocks: how many in each stage.
        width: channels of the stem and inside the blocks of the first stage; doubled by each stage.
        wider: how many times wider a block's output is than its inside; 1 makes blocks of two
            3 x 3 convolutions, more makes blocks that narrow, convolve and widen.
    """

    blocks: tuple[int, ...]
    width: int = 64
    wider: int = 1

    @property
    def outputs(self) -> tuple[int, ...]:
        """Channels after each stage."""
        return tuple(self.width * 2**n * self.wider for n in range(len(self.blocks)))


RESNET_34 = ResNetShape((3, 4, 6, 3))
RESNET_50 = ResNetShape((3, 4, 6, 3), wider=4)
SMALL = ResNetShape((1, 1, 1, 1), width=16)
"""One block a stage, a quarter of the channels, for a CPU: ours."""


class Residual(nn.Module):
    """Convolutions whose result is added to their input, then ReLU."""

    def __init__(self, inputs: int, inner: int, wider: int, *, stride: int) -> None:
        super().__init__()
        outputs = inner * wider
        if wider == 1:
            kernels = [(inputs, inner, 3, stride), (inner, inner, 3, 1)]
        else:
            kernels = [(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)]
        layers = [_convolution(*sizes) for sizes in kernels]
        self.layers = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Apply."""
        return F.relu(self.layers(x) + self.skip(x))


class ResNet(nn.Module):
    """The stem and the stages; every norm is over one image (image_norm.py)."""

    def __init__(self, shape: ResNetShape) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, shape.width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)
        )
        inputs = (shape.width, *shape.outputs)
        self.stages = nn.ModuleList(
            _stage(inputs[n], shape.width * 2**n, shape.wider, count, stride=2 if n else 1)
            for n, count in enumerate(shape.blocks)
        )

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Return the features of every stage, the finest first."""
        x, found = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


def _stage(inputs: int, inner: int, wider: int, count: int, *, stride: int) -> nn.Sequential:
    first = Residual(inputs, inner, wider, stride=stride)
    others = [Residual(inner * wider, inner, wider, stride=1) for _ in range(count - 1)]
    return nn.Sequential(first, *others)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, image_norm(outputs))
