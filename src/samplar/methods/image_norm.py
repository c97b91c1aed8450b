"""The norm of networks that are trained from scratch beside SAM."""

from __future__ import annotations

import math

from torch import nn

GROUPS = 32
"""As in the source; where channels cannot be cut into so many equal groups, the most that fit."""


def image_norm(channels: int) -> nn.GroupNorm:
    """Return a norm over one image, with the scale and shift per channel that a batch norm has.

    The published networks have batch norms with statistics from ImageNet. From scratch and with a
    few exemplars these would be the statistics of a few slices; and an image's result would depend
    on the others of its batch.

    Source: Wu and He 2018, "Group Normalization", arXiv 1803.08494.
    """
    return nn.GroupNorm(math.gcd(channels, GROUPS), channels)
