"""HarDNet, a densely connected network whose layers read only those that a power of two lies back.

Source: Chao et al. 2019, "HarDNet: A Low Memory Traffic Network", arXiv 1909.00948, section 3 and
table 3, from the text; ReLU6 as in the public code (MIT).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.image_norm import image_norm


@dataclass(frozen=True)
class HardNetShape:
    """The sizes of a HarDNet; the defaults are HarDNet-85's.

    Args:
        stem: channels of the first two convolutions.
        widths: channels after each stage.
        growth: of each stage, channels of a layer that reads one other.
        layers: of each stage.
        multiplier: how many times wider a layer is for every further one that it reads.
        pooled: the stages, from 0, after which the grid is halved.
    """

    stem: tuple[int, int] = (48, 96)
    widths: tuple[int, ...] = (192, 256, 320, 480, 720, 1280)
    growth: tuple[int, ...] = (24, 24, 28, 36, 48, 256)
    layers: tuple[int, ...] = (8, 16, 16, 16, 16, 4)
    multiplier: float = 1.7
    pooled: tuple[int, ...] = (0, 2, 4)


HARDNET_85 = HardNetShape()
SMALL = HardNetShape(
    stem=(12, 24),
    widths=(48, 64, 80, 120, 180, 320),
    growth=(6, 6, 7, 9, 12, 64),
    layers=(4, 4, 4, 4, 4, 4),
)
"""A quarter of the channels and fewer layers, for a CPU: ours."""


class Harmonic(nn.Module):
    """A stage's layers; the first, every other one after it, and the last are handed on.

    Layer n, counted from 1 with 0 for the input, reads every layer n - 2^i where 2^i divides n.
    """

    def __init__(self, inputs: int, growth: int, layers: int, multiplier: float) -> None:
        super().__init__()
        widths = [inputs]
        widths += [_even(growth * multiplier ** (len(links(n)) - 1)) for n in range(1, layers + 1)]
        self.layers = nn.ModuleList(
            convolution(sum(widths[k] for k in links(n)), widths[n]) for n in range(1, layers + 1)
        )
        self.handed = sorted({*range(1, layers + 1, 2), layers})
        self.outputs = sum(widths[n] for n in self.handed)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Run the layers in order."""
        found = [x]
        for n, layer in enumerate(self.layers, start=1):
            found.append(layer(torch.cat([found[k] for k in links(n)], dim=1)))
        return torch.cat([found[n] for n in self.handed], dim=1)


def links(n: int) -> list[int]:
    """Return which layers the n-th reads, the nearest first."""
    return [n - 2**i for i in range(n.bit_length()) if n % 2**i == 0]


def _even(width: float) -> int:
    """Round to the nearest even number."""
    return int(width + 1) // 2 * 2


def convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return convolution, norm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        image_norm(outputs),
        nn.ReLU6(),
    )


class HardNet(nn.Module):
    """An image to its features at strides 4, 8 and 16.

    The last stage, at stride 32, is counted among what trains, as published; nothing reads it, so
    it is not computed.
    """

    def __init__(self, shape: HardNetShape) -> None:
        super().__init__()
        first, second = shape.stem
        self.stem = nn.Sequential(
            convolution(3, first, stride=2),
            convolution(first, second),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        inputs = (second, *shape.widths)
        stages = [
            _stage(inputs[n], width, shape.growth[n], shape.layers[n], shape.multiplier)
            for n, width in enumerate(shape.widths)
        ]
        *run, self.unread = stages
        self.stages = nn.ModuleList(run)
        self.pooled = shape.pooled
        self.widths = tuple(shape.widths[n] for n in shape.pooled)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Return the features before each halving, the finest first; sides of 16 or more."""
        x, taps = self.stem(x), []
        for n, stage in enumerate(self.stages):
            x = stage(x)
            if n in self.pooled:
                taps.append(x)
                x = self.pool(x) if n != self.pooled[-1] else x
        return taps


def _stage(inputs: int, outputs: int, growth: int, layers: int, multiplier: float) -> nn.Sequential:
    """Return the layers of a stage and the 1 x 1 convolution after them."""
    block = Harmonic(inputs, growth, layers, multiplier)
    return nn.Sequential(block, convolution(block.outputs, outputs, kernel=1))
