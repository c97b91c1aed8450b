"""SAM's own image encoder, a plain vision transformer (ViT-B, L, H), with its parameter names.

Source: Kirillov et al. 2023, "Segment Anything", and its public code (Apache-2.0); windows and
decomposed relative positions as in Li et al. 2022, "Exploring Plain Vision Transformer Backbones
for Object Detection".

Tokens stay on their grid. Between the steps maps are (b, c, h, w) in channels-last memory, so that
what a block sees, (b, h, w, c), is a view. Any input whose sides are multiples of the patch works:
position tables are resized to the grid on each call, which costs next to nothing, keeps the
published tables as they are, and lets one model see slices of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.fused import linear_gelu
from samplar.sam.layers import make_neck
from samplar.sam.relative import Unread, attend, resized
from samplar.sam.windows import from_windows, to_windows


@dataclass(frozen=True)
class ViTShape:
    """The sizes of a ViT encoder; the defaults are ViT-B's.

    Args:
        width: numbers per token.
        depth: blocks.
        heads: attention heads per block.
        global_blocks: which blocks attend over the whole grid; the others within windows.
        window: side of a window, in cells.
        patch: input pixels per cell.
        grid: side of the grid that the position tables were made for, in cells.
        output: channels of the embedding.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    window: int = 14
    patch: int = 16
    grid: int = 64
    output: int = 256

    @property
    def stride(self) -> int:
        """Input pixels per cell of the output grid."""
        return self.patch


VIT_B = ViTShape()
VIT_L = ViTShape(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23))
VIT_H = ViTShape(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))


class PatchEmbed(nn.Module):
    """One convolution from patches to tokens."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c i j"]:
        """Embed the image."""
        if x.shape[-2] % self.patch or x.shape[-1] % self.patch:
            raise ValueError(f"sides {tuple(x.shape[-2:])} are no multiples of {self.patch}")
        return self.proj(x.contiguous(memory_format=torch.channels_last))


class Stem(nn.Module):
    """Patches plus absolute positions: one step, whose two parts the published names keep apart."""

    def __init__(self, patch_embed: PatchEmbed, pos_embed: nn.Parameter) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.pos_embed = pos_embed

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c i j"]:
        """Embed the image and add where each patch is."""
        tokens = self.patch_embed(x)
        table = self.pos_embed.permute(0, 3, 1, 2)
        if table.shape[-2:] != tokens.shape[-2:]:
            table = F.interpolate(table, tokens.shape[-2:], mode="bilinear", align_corners=False)
        return tokens + table


class Attention(nn.Module):
    """Multi-head attention over a grid, with a bias for the offset along each axis.

    `qkv` orders its outputs q, k, v over all heads. The bias of query (i, j) and key (k, l) is
    q . rel_pos_h[i - k + h - 1] + q . rel_pos_w[j - l + w - 1], with q not yet scaled; the tables
    are shared by all heads. `padding` (c,), if there is one, is what the cells beyond the border
    hold instead of zeros.
    """

    padding: Tensor | None

    def __init__(self, width: int, heads: int, grid: int, *, window: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.register_buffer("padding", None, persistent=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        side = window or grid
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Let every cell attend to every cell of its window, or of the whole grid."""
        shape = x.shape[1], x.shape[2]
        window = (self.window, self.window) if self.window else shape
        # SAM pads the windows at the border with zeros, which take part as keys
        pad = x.new_zeros(x.shape[-1]) if self.padding is None else self.padding.to(x.dtype)
        beyond = self.qkv(pad)
        qkv, beyond = (t.unflatten(-1, (3, self.heads, -1)) for t in (self.qkv(x), beyond))
        tables = resized(self.rel_pos_h, window[0]), resized(self.rel_pos_w, window[1])
        out = attend(to_windows(qkv, window, beyond), *tables, unread=self._unread(shape, window))
        return self.proj(from_windows(out, window, shape, heads=self.heads))

    def _unread(self, shape: tuple[int, int], window: tuple[int, int]) -> Unread | None:
        rows, columns = -(-shape[0] // window[0]), -(-shape[1] // window[1])
        last, left = columns * self.heads, shape[0] % window[0]
        return Unread(rows * last, last, left * window[1]) if left else None


class Feedforward(nn.Module):
    """Widen four times, GELU, narrow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, 4 * width)
        self.lin2 = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        """Apply to the last axis."""
        return self.lin2(linear_gelu(x, self.lin1.weight, self.lin1.bias))


class ViTBlock(nn.Module):
    """Attention, within windows or over the whole grid, then a feed-forward layer.

    What a method puts at `before` or `between` sees all tokens (b, h, w, c) on their way, before
    attention or before the feed-forward layer, and returns them.
    """

    def __init__(self, shape: ViTShape, *, everywhere: bool) -> None:
        super().__init__()
        window = 0 if everywhere else shape.window
        self.norm1 = nn.LayerNorm(shape.width, eps=1e-6)
        self.attn = Attention(shape.width, shape.heads, shape.grid, window=window)
        self.norm2 = nn.LayerNorm(shape.width, eps=1e-6)
        self.mlp = Feedforward(shape.width)
        self.before: nn.Module = nn.Identity()
        self.between: nn.Module = nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Apply the block."""
        last = self.before(x.permute(0, 2, 3, 1))
        last = self.between(last + self.attn(self.norm1(last)))
        return (last + self.mlp(self.norm2(last))).permute(0, 3, 1, 2)


class ViT(nn.Module):
    """The encoder: image in, embedding out, as a list of named steps."""

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        self.shape = shape
        self.patch_embed = PatchEmbed(shape.width, shape.patch)
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.grid, shape.grid, shape.width))
        self.blocks = nn.ModuleList(
            ViTBlock(shape, everywhere=number in shape.global_blocks)
            for number in range(shape.depth)
        )
        self.neck = make_neck(shape.width, shape.output)

    @property
    def stride(self) -> int:
        """Input pixels per cell of the embedding."""
        return self.shape.stride

    def steps(self) -> list[tuple[str, nn.Module]]:
        """Return the named parts in forward order; each maps (b, c, h, w) to (b, d, i, j)."""
        stem = Stem(self.patch_embed, self.pos_embed)
        blocks = [(f"blocks.{number}", block) for number, block in enumerate(self.blocks)]
        return [("patch_embed", stem), *blocks, ("neck", self.neck)]

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d i j"]:
        """Encode images whose sides are multiples of the patch."""
        for _, step in self.steps():
            x = step(x)
        return x
