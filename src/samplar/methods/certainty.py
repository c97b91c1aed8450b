"""Choosing, image by image, between the answers to two views of it.

Source: Zhang et al. 2023 (SAMAug), arXiv 2304.11332: the paper takes the answer of lower entropy,
its code the one further from one half; both from the text of the specification.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SLIVER = 1e-8
"""Keeps the logarithm of nothing, and the range of an even map, finite."""


def entropy(shares: Float[Tensor, "b k h w"]) -> Float[Tensor, " b"]:
    """Return the mean entropy of class probabilities, in nats."""
    return -(shares * (shares + SLIVER).log()).sum(dim=1).mean(dim=(1, 2))


def distance_from_half(shares: Float[Tensor, "b k h w"]) -> Float[Tensor, " b"]:
    """Return the mean of |p - 1/2| over the maps of foreground classes, each scaled to [0, 1]."""
    maps = shares[:, 1:]
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    scaled = (maps - low) / (high - low + SLIVER)
    return (scaled - 0.5).abs().mean(dim=(1, 2, 3))


def averaged(
    raw: Float[Tensor, "b k h w"], augmented: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b k h w"]:
    """Return logits whose softmax is the mean of those of two logits."""
    mean = (raw.float().softmax(dim=1) + augmented.float().softmax(dim=1)) / 2
    return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()


def surer(
    raw: Float[Tensor, "b k h w"], augmented: Float[Tensor, "b k h w"], *, by_entropy: bool
) -> Float[Tensor, "b k h w"]:
    """Return for every image the logits that are surer; the raw ones only if they really are."""
    first, second = (logits.float().softmax(dim=1) for logits in (raw, augmented))
    if by_entropy:
        better = entropy(first) < entropy(second)
    else:
        better = distance_from_half(first) > distance_from_half(second)
    return torch.where(better[:, None, None, None], raw, augmented)
