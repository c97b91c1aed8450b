"""Layers of dense heads: convolutions with a norm and an activation.

The heads that are published with batch norm get group norm here, with as many trained numbers. A
batch of a few slices, made from a few exemplars, has statistics of its own; an image's result would
depend on its batch, and running averages would have to be kept beside what is trained.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

TOGETHER = 8
"""Channels that are normed together, over the whole map of one image."""


def normed_conv(
    inputs: int, outputs: int, activation: nn.Module, *, kernel: int = 1
) -> nn.Sequential:
    """Return a convolution without bias on the same grid, a group norm, and the activation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.GroupNorm(max(1, outputs // TOGETHER), outputs),
        activation,
    )


class Gate(nn.Module):
    """x + x sigmoid(f(mean of x) + f(maximum of x)), f narrowing 16 times and widening again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(1, width // 16)
        self.weigh = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Weigh the channels by what the whole map shows."""
        score = self.weigh(x.mean(dim=(2, 3))) + self.weigh(x.amax(dim=(2, 3)))
        return x + x * score.sigmoid()[:, :, None, None]


def joined(inputs: int, outputs: int) -> nn.Sequential:
    """Return what makes one map of several: a cell-wise convolution, a gate, another one."""
    return nn.Sequential(
        normed_conv(inputs, outputs, nn.GELU()),
        Gate(outputs),
        normed_conv(outputs, outputs, nn.GELU()),
    )


def enlarged(inputs: int, outputs: int, *, factor: int = 2) -> nn.Sequential:
    """Return a transposed convolution that makes a grid `factor` times finer, and a 3 x 3 one."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, factor, stride=factor),
        normed_conv(outputs, outputs, nn.GELU(), kernel=3),
    )


def averaged(x: Float[Tensor, "b c u v"], grid: tuple[int, int]) -> Float[Tensor, "b c g h"]:
    """Return a map on another grid: each cell the mean of what it covers."""
    return x if tuple(x.shape[-2:]) == grid else F.adaptive_avg_pool2d(x, grid)


def stretched(
    x: Float[Tensor, "b c u v"], size: tuple[int, int], *, corners: bool = False
) -> Float[Tensor, "b c i j"]:
    """Return a map read bilinearly on another grid; with `corners` both grids share theirs."""
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=corners)
