"""Layers written out in numpy, one image (c, h, w) or one vector at a time, in double precision.

What they need of a module's numbers is looked up by name, so that a test states which it expects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from torch import nn

Weights = Mapping[str, np.ndarray]


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the tensors of a module by name."""
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def under(weights: Weights, prefix: str) -> dict[str, np.ndarray]:
    """Return the tensors below a name, with the rest of their names."""
    start = prefix + "."
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}


def gelu(x: np.ndarray) -> np.ndarray:
    """x times the normal distribution's function."""
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def relu(x: np.ndarray) -> np.ndarray:
    """The positive part."""
    return np.maximum(x, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def linear(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """W x + b, of a vector."""
    return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0)


def layer_norm(x: np.ndarray, weights: Weights, name: str, eps: float) -> np.ndarray:
    """Norm a vector."""
    x = (x - x.mean()) / math.sqrt(x.var() + eps)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def conv(x: np.ndarray, weights: Weights, name: str, *, pad: int = 0) -> np.ndarray:
    """Convolve pixel by pixel; with one input channel a filter, channel by channel."""
    kernel, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    side = kernel.shape[-1]
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    height, width = padded.shape[1] - side + 1, padded.shape[2] - side + 1
    out = np.zeros((len(kernel), height, width))
    for row, column in np.ndindex(height, width):
        seen = padded[:, row : row + side, column : column + side]
        deep = kernel.shape[1] == 1 and len(x) == len(kernel) > 1
        out[:, row, column] = (
            (kernel[:, 0] * seen if deep else kernel * seen).reshape(len(kernel), -1).sum(axis=1)
        )
    return out if bias is None else out + bias[:, None, None]


def transposed(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Every cell becomes as many pixels as the kernel has."""
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    side = kernel.shape[-1]
    out = np.zeros((kernel.shape[1], x.shape[1] * side, x.shape[2] * side))
    for row, column in np.ndindex(x.shape[1:]):
        cell = np.einsum("i,iokl->okl", x[:, row, column], kernel)
        out[:, row * side : (row + 1) * side, column * side : (column + 1) * side] = cell
    return out + bias[:, None, None]


def group_norm(x: np.ndarray, weights: Weights, name: str, *, together: int = 8) -> np.ndarray:
    """Norm `together` channels over the whole map."""
    groups = max(1, len(x) // together)
    parts = x.reshape(groups, -1)
    mean, var = parts.mean(axis=1, keepdims=True), parts.var(axis=1, keepdims=True)
    normed = ((parts - mean) / np.sqrt(var + 1e-5)).reshape(x.shape)
    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return normed * scale[:, None, None] + shift[:, None, None]


def channel_norm(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Norm every pixel over its channels, as SAM does."""
    normed = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-6)
    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return normed * scale[:, None, None] + shift[:, None, None]


def stretched(x: np.ndarray, size: tuple[int, int], *, corners: bool) -> np.ndarray:
    """Read a map between its pixels, with the corners of both in one place or not."""
    for axis, wanted in ((1, size[0]), (2, size[1])):
        count = x.shape[axis]
        if corners:
            at = np.arange(wanted) * (count - 1) / max(wanted - 1, 1)
        else:
            at = (np.arange(wanted) + 0.5) * count / wanted - 0.5
        at = at.clip(0, count - 1)
        low = np.floor(at).astype(int)
        high, share = np.minimum(low + 1, count - 1), at - low
        share = share.reshape([-1 if n == axis else 1 for n in range(3)])
        x = x.take(low, axis) * (1 - share) + x.take(high, axis) * share
    return x
