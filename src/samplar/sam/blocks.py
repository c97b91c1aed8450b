"""The places around the attention blocks of SAM's image encoder where a method may add something.

What is added is a module from (b, h, w, c) to (b, h, w, c) on the whole grid, before it is cut into
windows or after it is put together again. The part of SAM it belongs to is wrapped, not changed:
its tensors keep their names, with `base` in between.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from samplar.errors import UsageError
from samplar.sam.model import Sam
from samplar.sam.sites import replace_module
from samplar.sam.tinyvit import Feedforward, TinyViTBlock
from samplar.sam.vit import ViTBlock


@dataclass(frozen=True)
class BlockSite:
    """An attention block of the image encoder.

    Args:
        name: dotted name inside `Sam`.
        width: numbers per token.
    """

    name: str
    width: int


def encoder_blocks(sam: Sam) -> list[BlockSite]:
    """Return the attention blocks of the image encoder in forward order."""
    return [
        BlockSite(f"image_encoder.{name}", _width(block))
        for name, block in sam.image_encoder.steps()
        if isinstance(block, TinyViTBlock | ViTBlock)
    ]


def quarter_blocks(sam: Sam) -> list[BlockSite]:
    """Return the attention blocks that end a quarter, half, three quarters and all of them.

    In ViT-B these are blocks 2, 5, 8 and 11, counted from 0, the ones that look everywhere. In a
    TinyViT of ten such blocks all four are on the grid of the embedding.
    """
    blocks = encoder_blocks(sam)
    return [blocks[-(-len(blocks) * quarter // 4) - 1] for quarter in (1, 2, 3, 4)]


def _width(block: TinyViTBlock | ViTBlock) -> int:
    norm = block.norm2 if isinstance(block, ViTBlock) else block.local_conv.bn
    return len(norm.weight)


def plain_vit_blocks(sam: Sam, method: str) -> list[tuple[BlockSite, ViTBlock]]:
    """Return the blocks of SAM's own kind of encoder.

    Raises:
        UsageError: `methods.plain_vit`, when the encoder is another one.
    """
    found = [(site, sam.get_submodule(site.name)) for site in encoder_blocks(sam)]
    blocks = [(site, block) for site, block in found if isinstance(block, ViTBlock)]
    if len(blocks) == len(found):
        return blocks
    raise UsageError(
        f"{method} needs SAM's own image encoder, a plain ViT, and this one is a TinyViT",
        fix="Use sam-vit-b, medsam-vit-b or other weights of a plain ViT",
        code="methods.plain_vit",
    )


class After(nn.Module):
    """A part of SAM, and what is done to its output."""

    def __init__(self, base: nn.Module, added: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.added = added

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Apply one after the other."""
        return self.added(self.base(x))


class Beside(nn.Module):
    """A feed-forward layer, and what is computed from the same normed tokens and added to it."""

    def __init__(self, base: nn.Module, added: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.added = added

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Apply both and add; TinyViT's feed-forward layer norms its tokens itself."""
        seen = self.base.norm(x) if isinstance(self.base, Feedforward) else x
        return self.base(x) + self.added(seen)


def add_before_block(sam: Sam, site: BlockSite, added: nn.Module) -> None:
    """Let `added` change the tokens that come into a block."""
    replace_module(sam, f"{site.name}.before", added)


def add_between(sam: Sam, site: BlockSite, added: nn.Module) -> None:
    """Let `added` change the tokens between a block's attention and its feed-forward layer."""
    replace_module(sam, f"{site.name}.between", added)


def add_after_attention(sam: Sam, site: BlockSite, added: nn.Module) -> None:
    """Let `added` change what a block's attention found, before it is added to the tokens."""
    name = f"{site.name}.attn"
    replace_module(sam, name, After(sam.get_submodule(name), added))


def add_after_mlp(sam: Sam, site: BlockSite, added: nn.Module) -> None:
    """Let `added` change what a block's feed-forward layer made, before it joins the tokens."""
    name = f"{site.name}.mlp"
    replace_module(sam, name, After(sam.get_submodule(name), added))


def add_beside_mlp(sam: Sam, site: BlockSite, added: nn.Module) -> None:
    """Let `added` work beside a block's feed-forward layer, on the same normed tokens."""
    name = f"{site.name}.mlp"
    replace_module(sam, name, Beside(sam.get_submodule(name), added))
