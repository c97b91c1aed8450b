"""MDSAM's adapter: what lies around a cell, near and at four coarser scales.

Source: Gao et al. 2024 (MDSAM), arXiv 2408.04326, from the text of the specification: the published
code has no licence and was not used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import Start
from samplar.methods.dense_layers import stretched

NARROWER = 3
BINS = (3, 6, 9, 12)
"""Cells per side at the coarser scales; the convolution there has no padding and leaves 2 fewer."""


class MultiScale(nn.Module):
    """x + widen(join(neighbourhood, coarser scales)) of x made three times narrower."""

    def __init__(self, width: int, *, start: Start) -> None:
        super().__init__()
        inner = max(len(BINS), width // NARROWER)
        part = inner // len(BINS)
        self.down = nn.Linear(width, inner)
        self.near = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.coarse = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inner, part, 1),
                nn.GELU(),
                nn.Conv2d(part, part, 3, groups=part, bias=False),
                nn.GELU(),
            )
            for _ in BINS
        )
        self.join = nn.Conv2d(inner + len(BINS) * part, inner, 1)
        self.up = nn.Linear(inner, width)
        if start == "zero":
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Apply to a whole grid."""
        low = F.gelu(self.down(x)).permute(0, 3, 1, 2)
        grid = (x.shape[1], x.shape[2])
        parts = [F.gelu(self.near(low))]
        for side, look in zip(BINS, self.coarse, strict=True):
            seen = look(F.adaptive_avg_pool2d(low, side))
            parts.append(stretched(seen, grid, corners=True))
        found = F.gelu(self.join(torch.cat(parts, dim=1)))
        return x + self.up(found.permute(0, 2, 3, 1))
