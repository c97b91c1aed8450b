"""MA-SAM's adapter: a narrow look at the slices before and after, cell by cell.

Source: Chen et al. 2023 (MA-SAM), arXiv 2309.08842, and its public code (Apache-2.0), from the text
of the specification.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import Start


class SlabAdapter(nn.Module):
    """x + widen(GELU(mix over the slice before, itself and the one after of narrow(norm x))).

    Before the first slice of a slab and after its last there are zeros. The mixing is the published
    convolution with a kernel of 3 x 1 x 1, as one matrix product: the weights of the slice before
    come first.

    Args:
        width: numbers per token.
        inner: numbers per token in between.
        slices: how many make a slab; they lie next to each other in the batch.
        start: zero leaves tokens as they are until something is learnt.
    """

    def __init__(self, width: int, *, inner: int, slices: int, start: Start) -> None:
        super().__init__()
        self.slices = slices
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.down = nn.Linear(width, inner, bias=False)
        self.across = nn.Linear(3 * inner, inner)
        self.up = nn.Linear(inner, width, bias=False)
        if start == "zero":
            nn.init.zeros_(self.up.weight)

    def forward(self, x: Float[Tensor, "n h w c"]) -> Float[Tensor, "n h w c"]:
        """Apply to the tokens of whole slabs."""
        low = self.down(self.norm(x)).unflatten(0, (-1, self.slices))
        none = torch.zeros_like(low[:, :1])
        before = torch.cat([none, low[:, :-1]], dim=1)
        after = torch.cat([low[:, 1:], none], dim=1)
        mixed = self.across(torch.cat([before, low, after], dim=-1))
        return x + self.up(F.gelu(mixed)).flatten(0, 1)
