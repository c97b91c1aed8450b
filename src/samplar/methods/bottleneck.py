"""Bottleneck adapters: narrow four times, GELU, widen again.

Source: Houlsby et al. 2019; with the width and the places of Wu et al. 2023 (Medical SAM Adapter),
arXiv 2304.12620, section 3, as in the text of the specification: their code (GPL-3.0) was not used.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.blocks import BlockSite, add_after_attention, add_beside_mlp
from samplar.sam.model import Sam
from samplar.sam.unfilled import built_on

Start = Literal["zero", "random"]
"""zero: SAM's embedding is unchanged until something is learnt; random: as published."""

NARROWER = 4
BESIDE = 0.5
"""How much of the adapter beside a feed-forward layer is added."""


class Bottleneck(nn.Module):
    """Two linear layers with GELU between, scaled, and with `skip` added to their input."""

    def __init__(self, width: int, *, start: Start, skip: bool = False, scale: float = 1.0) -> None:
        super().__init__()
        self.down = nn.Linear(width, width // NARROWER)
        self.up = nn.Linear(width // NARROWER, width)
        self.skip = skip
        self.scale = scale
        if start == "zero":
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        """Apply to the last axis."""
        found = self.scale * self.up(F.gelu(self.down(x)))
        return x + found if self.skip else found


def add_bottlenecks(sam: Sam, sites: list[BlockSite], *, start: Start) -> None:
    """Add two to every block: on what its attention found, and beside its feed-forward layer."""
    for site in sites:
        for place, skip, scale in (
            (add_after_attention, True, 1.0),
            (add_beside_mlp, False, BESIDE),
        ):
            place(sam, site, _made(sam.device, site.width, start=start, skip=skip, scale=scale))


def _made(
    device: torch.device, width: int, *, start: Start, skip: bool, scale: float
) -> Bottleneck:
    return built_on(device, lambda: Bottleneck(width, start=start, skip=skip, scale=scale))
