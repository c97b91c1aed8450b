"""Layers of convolutional networks in numpy, pixel by pixel: (c, h, w) in, (d, i, j) out."""

from __future__ import annotations

import math

import numpy as np


def convolved(x, weight, bias=0.0, *, stride=1):
    """Convolve with zeros around the map, as many as keep its size."""
    reach = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
    out = np.zeros((len(weight), -(-x.shape[1] // stride), -(-x.shape[2] // stride)))
    for i, j in np.ndindex(*out.shape[1:]):
        r, c = stride * i, stride * j
        seen = padded[:, r : r + weight.shape[2], c : c + weight.shape[3]]
        out[:, i, j] = np.tensordot(weight, seen, axes=3) + bias
    return out


def spread(x, weight, bias):
    """Make 2 x 2 pixels of every cell: a transposed convolution with kernel and stride 2."""
    out = np.zeros((weight.shape[1], 2 * x.shape[1], 2 * x.shape[2]))
    for i, j in np.ndindex(*out.shape[1:]):
        out[:, i, j] = x[:, i // 2, j // 2] @ weight[:, :, i % 2, j % 2] + bias
    return out


def group_normed(x, weight, bias):
    """Norm each of up to 32 groups of channels over the map."""
    groups = max(g for g in range(1, 33) if len(x) % g == 0 and 32 % g == 0)
    parts = [(p - p.mean()) / np.sqrt(p.var() + 1e-5) for p in np.split(x, groups)]
    return np.concatenate(parts) * weight[:, None, None] + bias[:, None, None]


def channel_normed(x, weight, bias):
    """Norm every pixel over its channels."""
    normed = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-6)
    return normed * weight[:, None, None] + bias[:, None, None]


def gelu(x):
    return np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)


def pooled(x, kernel, pad):
    """Take the largest value of every kernel, at stride 2."""
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
    out = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2))
    for i, j in np.ndindex(*out.shape[1:]):
        out[:, i, j] = padded[:, 2 * i : 2 * i + kernel, 2 * j : 2 * j + kernel].max(axis=(1, 2))
    return out


def enlarged(x, size, *, corners):
    """Resize by bilinear interpolation, corners on corners or edges on edges."""
    out = np.zeros((len(x), *size))
    for place in np.ndindex(*size):
        parts = []
        for at, old, new in zip(place, x.shape[1:], size, strict=True):
            where = at * (old - 1) / (new - 1) if corners else (at + 0.5) * old / new - 0.5
            where = min(max(where, 0), old - 1)
            low = int(where)
            parts.append((low, min(low + 1, old - 1), where - low))
        (top, bottom, down), (left, right, across) = parts
        upper = (1 - across) * x[:, top, left] + across * x[:, top, right]
        lower = (1 - across) * x[:, bottom, left] + across * x[:, bottom, right]
        out[:, place[0], place[1]] = (1 - down) * upper + down * lower
    return out


class Weights:
    """The parameters of a network as float64 arrays, and which of them were used."""

    def __init__(self, network):
        self.state = {n: p.detach().double().numpy() for n, p in network.named_parameters()}
        self.used = set()

    def of(self, name):
        """Return weight and bias of a layer, the bias 0 where it has none."""
        given = [f"{name}.{part}" for part in ("weight", "bias") if f"{name}.{part}" in self.state]
        self.used.update(given)
        found = [self.state[key] for key in given]
        return found if len(found) == 2 else [*found, 0.0]
