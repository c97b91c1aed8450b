"""Small layers that more than one part of SAM uses."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.fused import conv_gelu


class LayerNorm2d(nn.Module):
    """Normalise each pixel over its channels (SAM's `common.py`; biased variance, eps 1e-6)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the normalised map; channels-last in, channels-last out, without a copy."""
        last = x.permute(0, 2, 3, 1)
        normed = F.layer_norm(last, last.shape[-1:], self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)


def make_neck(inputs: int, outputs: int) -> nn.Sequential:
    """Return the last part of every image encoder: two convolutions, each with its norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False),
        LayerNorm2d(outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        LayerNorm2d(outputs),
    )


class ConvNorm(nn.Module):
    """A convolution without bias followed by a batch norm with frozen statistics.

    SAM adaptation never updates running statistics: with a handful of exemplars they would be
    those of a few slices. The norm is folded into the weights on every call, which costs a
    product of small tensors, keeps no state that could go stale, and stays differentiable.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.stride, self.padding = (stride, stride), (pad, pad)
        self.c = nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution equal to both layers."""
        variance, mean = self.bn.running_var, self.bn.running_mean
        if variance is None or mean is None:
            raise RuntimeError("a ConvNorm keeps running statistics by construction")
        scale = self.bn.weight * torch.rsqrt(variance + self.bn.eps)
        return self.c.weight * scale[:, None, None, None], self.bn.bias - mean * scale

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Convolve and normalise."""
        weight, bias = self.folded()
        return F.conv2d(x, weight, bias, self.stride, self.padding, 1, self.c.groups)

    def gelu(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Convolve, normalise and apply GELU."""
        weight, bias = self.folded()
        return conv_gelu(
            x, weight, bias, stride=self.stride, padding=self.padding, groups=self.c.groups
        )


class Mlp(nn.Module):
    """A stack of linear layers with ReLU between them (SAM's decoder heads)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, *, depth: int) -> None:
        super().__init__()
        widths = [inputs] + [hidden] * (depth - 1) + [outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
        """Apply every layer, with no activation after the last."""
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        return last(x)
