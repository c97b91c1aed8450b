"""MDSAM's levels: a neck for each of four depths, and their sum, each weighed by what it shows.

Source: Gao et al. 2024 (MDSAM), arXiv 2408.04326, from the text of the specification: the published
code has no licence and was not used.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.dense_layers import normed_conv
from samplar.sam.layers import make_neck
from samplar.sam.model import Sam
from samplar.sam.unfilled import built_on


def copied_neck(sam: Sam, width: int) -> nn.Sequential:
    """Return a copy of SAM's neck for tokens of `width`; where SAM's are wider or narrower, the
    first convolution is new.
    """
    neck = copy.deepcopy(sam.image_encoder.neck)
    output, inputs = neck.get_parameter("0.weight").shape[:2]
    if inputs != width:
        neck[0] = built_on(sam.device, lambda: make_neck(width, output)[0])
    return neck


class LevelSum(nn.Module):
    """The sum of a f + f over the levels f, a of each channel from 0 to 1.

    Args:
        d: channels of every level.
        levels: how many.
        fused: a comes from all levels joined, as the leftover convolution in the published code
            suggests; without, from the level itself, and that convolution is never used.
    """

    def __init__(self, d: int, levels: int, *, fused: bool) -> None:
        super().__init__()
        self.weigh = nn.ModuleList(normed_conv(d, d, nn.ReLU()) for _ in range(levels))
        self.whole = normed_conv(levels * d, d, nn.ReLU())
        self.fused = fused

    def forward(self, maps: Sequence[Float[Tensor, "b d i j"]]) -> Float[Tensor, "b d i j"]:
        """Weigh and add."""
        whole = self.whole(torch.cat(list(maps), dim=1)) if self.fused else None
        total = torch.zeros_like(maps[0])
        for look, level in zip(self.weigh, maps, strict=True):
            seen = look(level if whole is None else whole)
            share = seen.mean(dim=(2, 3), keepdim=True).sigmoid()
            total = total + share * level + level
        return total
