"""MAS-SAM's adapter of what a feed-forward layer made.

Source: Yan et al. 2024 (MAS-SAM, IJCAI), from the text of the specification: the published code has
no licence and was not used.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import Start

NARROWER = 12
SMALL = 1e-6
"""Spread of the biases that start at random."""


def quick_gelu(x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
    """Return x sigmoid(1.702 x)."""
    return x * torch.sigmoid(1.702 * x)


class MlpAdapter(nn.Module):
    """z + widen(QuickGELU(narrow(norm z))), twelve times narrower inside."""

    def __init__(self, width: int, *, start: Start) -> None:
        super().__init__()
        inner = max(1, width // NARROWER)
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, inner)
        self.up = nn.Linear(inner, width)
        for layer in (self.down, self.up):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=SMALL)
        if start == "zero":
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, z: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        """Apply to the last axis."""
        return z + self.up(quick_gelu(self.down(self.norm(z))))
