"""The TinyViT image encoder of MobileSAM and LiteMedSAM, with their parameter names.

Source: TinyViT as adapted by MobileSAM and by the LiteMedSAM branch of MedSAM (both Apache-2.0).
Maps travel between the steps as (b, c, h, w) in channels-last memory, so that the switch between
convolutions and window attention is a view, not a copy. Any input whose sides are multiples of
the stride works; attention windows are padded with zeros as in the original.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from samplar.sam.fused import conv_gelu, fusable, linear_gelu, strip_height
from samplar.sam.layers import ConvNorm, make_neck
from samplar.sam.windows import from_windows, to_windows


@dataclass(frozen=True)
class TinyViTShape:
    """The sizes of a TinyViT encoder; the defaults are LiteMedSAM's."""

    widths: tuple[int, ...] = (64, 128, 160, 320)
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (2, 4, 5, 10)
    windows: tuple[int, ...] = (7, 7, 14, 7)
    strides: tuple[int, ...] = (2, 2, 1)
    patch_kernel: int = 1  # 1: LiteMedSAM, full-resolution patches; 3: MobileSAM, stride 4
    output: int = 256

    @property
    def patch_stride(self) -> int:
        """Input pixels per patch: two convolutions of stride 2, or none."""
        return 4 if self.patch_kernel == 3 else 1

    @property
    def stride(self) -> int:
        """Input pixels per cell of the output grid."""
        return self.patch_stride * self.strides[0] * self.strides[1] * self.strides[2]


class PatchEmbed(nn.Module):
    """Two convolutions from the image to the first map."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        stride = 2 if kernel == 3 else 1
        self.seq = nn.Sequential(
            ConvNorm(3, width // 2, kernel=kernel, stride=stride),
            nn.GELU(),
            ConvNorm(width // 2, width, kernel=kernel, stride=stride),
        )

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c i j"]:
        """Embed the image."""
        return self.seq(x.contiguous(memory_format=torch.channels_last))


class MBConv(nn.Module):
    """Inverted residual: widen four times, depthwise 3x3, narrow, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 4 * width
        self.conv1 = ConvNorm(width, hidden)
        self.conv2 = ConvNorm(hidden, hidden, kernel=3, groups=hidden)
        self.conv3 = ConvNorm(hidden, width)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Apply the block, strip by strip where no gradient is wanted.

        The hidden map is four times as wide as the block's input; at full resolution it would go
        to memory and back three times.
        """
        if not fusable(x, *self.parameters()):
            return F.gelu(x + self.conv3(self.conv2.gelu(self.conv1.gelu(x))))
        rows = strip_height(x.shape[-1], self.conv2.c.groups)
        folded = self.conv1.folded(), self.conv2.folded(), self.conv3.folded()
        images = [
            torch.cat([_strip(one, top, rows, folded) for top in range(0, x.shape[2], rows)], dim=2)
            for one in x.split(1)
        ]
        return torch.cat(images)


Folded = tuple[Tensor, Tensor]
"""Weight and bias of a convolution with its batch norm folded in."""


def _strip(
    x: Float[Tensor, "b c h w"], top: int, rows: int, folded: tuple[Folded, Folded, Folded]
) -> Float[Tensor, "b c r w"]:
    """Return these rows of an MBConv block's output; they depend on one more row on each side."""
    height, bottom = x.shape[2], min(top + rows, x.shape[2])
    widen, spread, narrow = folded
    inner = x[:, :, max(top - 1, 0) : min(bottom + 1, height)]
    inner = conv_gelu(inner, *widen, stride=(1, 1), padding=(0, 0), groups=1)
    if top == 0 or bottom == height:  # the hidden map is padded with zeros, not the input
        inner = F.pad(inner, (0, 0, int(top == 0), int(bottom == height)))
    groups = len(spread[0])
    inner = conv_gelu(inner, *spread, stride=(1, 1), padding=(0, 1), groups=groups)
    return F.gelu(x[:, :, top:bottom] + F.conv2d(inner, *narrow))


class PatchMerging(nn.Module):
    """Change the width and, where the stride is 2, halve the grid."""

    def __init__(self, width: int, output: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, output)
        self.conv2 = ConvNorm(output, output, kernel=3, stride=stride, groups=output)
        self.conv3 = ConvNorm(output, output)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Merge."""
        return self.conv3(self.conv2.gelu(self.conv1.gelu(x)))


class Attention(nn.Module):
    """Attention inside one window, with a learned bias per head and absolute offset.

    `qkv` orders its outputs head by head, and q, k, v within each head; SAM's ViT orders them
    q, k, v over all heads. `samplar.sam.sites` knows the difference.
    """

    attention_bias_idxs: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = (window, window)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        index = offset_index(window)
        self.attention_biases = nn.Parameter(torch.zeros(heads, int(index.max()) + 1))
        self.register_buffer("attention_bias_idxs", index, persistent=False)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Let every cell attend to every cell of its window.

        Windows at the border are padded with zeros before the norm, which take part as keys.
        """
        beyond = self._by_head(self.norm(x.new_zeros(x.shape[-1])))
        windows = to_windows(self._by_head(self.norm(x)), self.window, beyond)
        q, k, v = windows.unflatten(1, (-1, self.heads))
        bias = self.attention_biases[:, self.attention_bias_idxs].to(q.dtype)
        if torch.is_grad_enabled():  # the fused kernel takes more than twice as long backward
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias
            out = scores.softmax(dim=-1, dtype=q.dtype) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        shape = x.shape[1], x.shape[2]
        return self.proj(from_windows(out.flatten(0, 1), self.window, shape, heads=self.heads))

    def _by_head(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b 3 n d"]:
        return self.qkv(x).unflatten(-1, (self.heads, 3, -1)).transpose(-3, -2)


def offset_index(window: int) -> Int[Tensor, "n n"]:
    """Number the distinct (|dy|, |dx|) pairs of a window in order of first appearance."""
    cells = list(itertools.product(range(window), repeat=2))
    numbers: dict[tuple[int, int], int] = {}
    pairs = ((abs(a[0] - b[0]), abs(a[1] - b[1])) for a in cells for b in cells)
    flat = [numbers.setdefault(pair, len(numbers)) for pair in pairs]
    return torch.tensor(flat, device="cpu").view(len(cells), len(cells))


class Feedforward(nn.Module):
    """Norm, widen four times, GELU, narrow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        """Apply to the last axis, some rows at a time where no gradient is wanted."""
        if not fusable(x, *self.parameters()):
            return self._apply_to(x)
        rows = x.flatten(0, -2).split(strip_height(1, self.fc1.out_features))
        return torch.cat([self._apply_to(some) for some in rows]).view(x.shape)

    def _apply_to(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        return self.fc2(linear_gelu(self.norm(x), self.fc1.weight, self.fc1.bias))


class TinyViTBlock(nn.Module):
    """Window attention, a depthwise convolution, a feed-forward layer.

    What a method puts at `before` or `between` sees all tokens (b, h, w, c) on their way, before
    attention or before the feed-forward layer, and returns them.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads, window)
        self.mlp = Feedforward(width)
        self.local_conv = ConvNorm(width, width, kernel=3, groups=width)
        self.before: nn.Module = nn.Identity()
        self.between: nn.Module = nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Apply the block."""
        last = self.before(x.permute(0, 2, 3, 1))
        x = (last + self.attn(last)).permute(0, 3, 1, 2)
        last = self.between(self.local_conv(x).permute(0, 2, 3, 1))
        return (last + self.mlp(last)).permute(0, 3, 1, 2)


class Layer(nn.Module):
    """The blocks of one resolution and the merging after them, if any."""

    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def steps(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the named parts in forward order."""
        for number, block in enumerate(self.blocks):
            yield f"blocks.{number}", block
        if self.downsample is not None:
            yield "downsample", self.downsample


class TinyViT(nn.Module):
    """The encoder: image in, embedding out, as a list of named steps."""

    def __init__(self, shape: TinyViTShape) -> None:
        super().__init__()
        self.shape = shape
        self.patch_embed = PatchEmbed(shape.widths[0], shape.patch_kernel)
        self.layers = nn.ModuleList(_layer(shape, level) for level in range(4))
        self.neck = make_neck(shape.widths[-1], shape.output)

    @property
    def stride(self) -> int:
        """Input pixels per cell of the embedding."""
        return self.shape.stride

    def steps(self) -> list[tuple[str, nn.Module]]:
        """Return the named parts in forward order; each maps (b, c, h, w) to (b, d, i, j)."""
        inner = [
            (f"layers.{level}.{name}", step)
            for level, layer in enumerate(self.layers)
            if isinstance(layer, Layer)
            for name, step in layer.steps()
        ]
        return [("patch_embed", self.patch_embed), *inner, ("neck", self.neck)]

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d i j"]:
        """Encode images in [0, 1] whose sides are multiples of the stride."""
        for _, step in self.steps():
            x = step(x)
        return x


def _layer(shape: TinyViTShape, level: int) -> Layer:
    width = shape.widths[level]
    blocks: list[nn.Module] = [
        MBConv(width)
        if level == 0
        else TinyViTBlock(width, shape.heads[level], shape.windows[level])
        for _ in range(shape.depths[level])
    ]
    last = level == len(shape.widths) - 1
    downsample = (
        None if last else PatchMerging(width, shape.widths[level + 1], shape.strides[level])
    )
    return Layer(blocks, downsample)
