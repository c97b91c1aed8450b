"""Attention over neighbouring slices with the weights that attend within a slice (SD-Trans).

Source: Wu et al. 2023, arXiv 2304.12620, section 3.2, from the text of the specification: the
published code (GPL-3.0) was not used. Positions are known to the attention within a slice only:
SAM's tables hold offsets between cells, and released runs had them at zero.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import BESIDE, Bottleneck, Start
from samplar.sam import tinyvit, vit
from samplar.sam.blocks import BlockSite, add_beside_mlp
from samplar.sam.model import Sam
from samplar.sam.sites import replace_module
from samplar.sam.unfilled import built_on


class AcrossSlices(nn.Module):
    """Space(attention within each slice) + Depth(the same attention over the slices of a cell).

    Args:
        base: a block's attention.
        width: numbers per token.
        slices: how many neighbours make one sample; they lie next to each other in the batch.
        start: of both adapters.
        legacy: as in the released code, where windows are cut first: what attends to each other is
            then `slices` consecutive windows instead of slices, but for blocks without windows.
    """

    def __init__(
        self, base: nn.Module, width: int, *, slices: int, start: Start, legacy: bool
    ) -> None:
        super().__init__()
        self.base = base
        self.space = Bottleneck(width, start=start, skip=True)
        self.depth = Bottleneck(width, start=start)
        self.slices = slices
        self.legacy = legacy

    def forward(self, x: Float[Tensor, "n h w c"]) -> Float[Tensor, "n h w c"]:
        """Attend both ways, on tokens that are normed in SAM's own encoder."""
        mixed = self._by_window(x) if self.legacy else self._across(x)
        return self.space(self.base(x)) + self.depth(mixed)

    def _across(self, x: Float[Tensor, "n h w c"]) -> Float[Tensor, "n h w c"]:
        """Let every cell attend to the same cell of the other slices."""
        q, k, v = (self._cells(part) for part in self._parts(x))
        out = F.scaled_dot_product_attention(q, k, v)  # (b, h, w, heads, slices, e)
        flat = out.transpose(3, 4).flatten(4)
        return self.base.get_submodule("proj")(flat.permute(0, 3, 1, 2, 4).flatten(0, 1))

    def _cells(self, part: Float[Tensor, "n h w a e"]) -> Float[Tensor, "b h w a d e"]:
        return part.unflatten(0, (-1, self.slices)).permute(0, 2, 3, 4, 1, 5)

    def _parts(self, x: Float[Tensor, "n h w c"]) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, (n, h, w, heads, e) each."""
        if isinstance(self.base, tinyvit.Attention):  # norms its tokens itself, orders by head
            made = self.base.qkv(self.base.norm(x)).unflatten(-1, (self.base.heads, 3, -1))
            q, k, v = made.unbind(-2)
        elif isinstance(self.base, vit.Attention):
            q, k, v = self.base.qkv(x).unflatten(-1, (3, self.base.heads, -1)).unbind(-3)
        else:
            raise TypeError(f"{type(self.base).__name__} is no attention of an image encoder")
        return q, k, v

    def _by_window(self, x: Float[Tensor, "n h w c"]) -> Float[Tensor, "n h w c"]:
        """Cut into padded windows first, and take those that follow one another for slices."""
        if not isinstance(self.base, vit.Attention) or self.base.window == 0:
            return self._across(x)
        side, (height, width) = self.base.window, x.shape[1:3]
        rows, columns = -(-height // side), -(-width // side)
        padded = x.new_zeros(len(x), rows * side, columns * side, x.shape[3])
        if self.base.padding is not None:
            padded += self.base.padding.to(x.dtype)
        padded[:, :height, :width] = x
        windows = padded.unflatten(2, (columns, side)).unflatten(1, (rows, side))
        mixed = self._across(windows.transpose(2, 3).flatten(0, 2))
        grid = mixed.unflatten(0, (len(x), rows, columns)).transpose(2, 3)
        return grid.flatten(3, 4).flatten(1, 2)[:, :height, :width]


def add_depth(sam: Sam, sites: list[BlockSite], *, slices: int, start: Start, legacy: bool) -> None:
    """Add three adapters to every block: for space, for depth, beside its feed-forward layer."""
    for site in sites:
        name, width = f"{site.name}.attn", site.width
        beside = built_on(sam.device, partial(Bottleneck, width, start=start, scale=BESIDE))
        base = sam.get_submodule(name)
        make = partial(AcrossSlices, base, width, slices=slices, start=start, legacy=legacy)
        around = built_on(sam.device, make)
        replace_module(sam, name, around)
        add_beside_mlp(sam, site, beside)
