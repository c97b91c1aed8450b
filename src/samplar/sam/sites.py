"""The named places where a method may attach to SAM, in forward order.

A site is a dotted module name; methods look sites up here and never edit the backbone's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from samplar.errors import UsageError
from samplar.sam.model import Sam
from samplar.sam.tinyvit import TinyViTBlock
from samplar.sam.vit import ViTBlock

S = TypeVar("S")

DECODER_ATTENTIONS = (
    *(
        f"mask_decoder.transformer.layers.{layer}.{kind}"
        for layer in (0, 1)
        for kind in ("self_attn", "cross_attn_token_to_image", "cross_attn_image_to_token")
    ),
    "mask_decoder.transformer.final_attn_token_to_image",
)
"""The seven attention modules of the two-way transformer."""


@dataclass(frozen=True)
class LinearSite:
    """A linear layer and which of its output rows make the query, key or value.

    Args:
        name: dotted name of the `nn.Linear` inside `Sam`.
        rows: output rows of each part, such as `{"q": ..., "v": ...}`.
    """

    name: str
    rows: Mapping[str, Tensor]


def encoder_attention(sam: Sam) -> list[LinearSite]:
    """Return the fused query-key-value layer of every attention block of the image encoder."""
    return [
        LinearSite(f"image_encoder.{name}.attn.qkv", _parts(block))
        for name, block in sam.image_encoder.steps()
        if isinstance(block, TinyViTBlock | ViTBlock)
    ]


def _parts(block: TinyViTBlock | ViTBlock) -> dict[str, Tensor]:
    """Find q, k and v among the outputs: by part in ViT, by head and then by part in TinyViT."""
    width, heads = block.attn.proj.in_features, block.attn.heads
    rows = torch.arange(3 * width)
    if isinstance(block, ViTBlock):
        return {part: rows[i * width : (i + 1) * width] for i, part in enumerate("qkv")}
    by_head = rows.view(heads, 3, -1)
    return {part: by_head[:, i].reshape(-1) for i, part in enumerate("qkv")}


def decoder_attention(sam: Sam) -> list[LinearSite]:
    """Return the separate query and value projections of the decoder's seven attentions."""
    return [
        LinearSite(f"{name}.{part}_proj", {part: torch.arange(_outputs(sam, name, part))})
        for name in DECODER_ATTENTIONS
        for part in ("q", "v")
    ]


def _outputs(sam: Sam, name: str, part: str) -> int:
    return len(sam.get_parameter(f"{name}.{part}_proj.weight"))


def select_blocks(sites: list[S], blocks: str) -> list[S]:
    """Keep the sites that `all`, `none` or `last:n` names.

    Raises:
        UsageError: `config.blocks`, for any other word or more blocks than there are.
    """
    if blocks in ("all", "none"):
        return sites if blocks == "all" else []
    head, _, count = blocks.partition(":")
    if head != "last" or not count.isdigit() or not 1 <= int(count) <= len(sites):
        raise UsageError(
            f"blocks = {blocks!r} names no set of the encoder's {len(sites)} attention blocks",
            fix=f"Use all, none or last:n with n from 1 to {len(sites)}",
            code="config.blocks",
        )
    return sites[-int(count) :]


def last_steps(sam: Sam, depth: int | None) -> list[nn.Module]:
    """Return the encoder's last steps in forward order: of `depth` stages, and the neck after them.

    A stage is a block of a ViT, or the blocks of one resolution of a TinyViT with the merging that
    follows them. None returns every step, the embedding of patches included.

    Raises:
        UsageError: `config.depth`, for more stages than there are.
    """
    encoder = sam.image_encoder.steps()
    if depth is None:
        return [step for _, step in encoder]
    stages: dict[str, list[nn.Module]] = {}
    for name, step in encoder[1:-1]:  # between the embedding of patches and the neck
        stages.setdefault(".".join(name.split(".")[:2]), []).append(step)
    if depth > len(stages):
        raise UsageError(
            f"depth = {depth}, but this encoder has {len(stages)} stages",
            fix=f"Use a number from 0 to {len(stages)}, or null for the whole encoder",
            code="config.depth",
        )
    chosen = list(stages.values())[len(stages) - depth :]
    return [*(step for stage in chosen for step in stage), encoder[-1][1]]


def replace_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place of the submodule called `name`."""
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, module)


def first_trained_step(sam: Sam) -> int:
    """Return how many of SAM's steps run before the first one that trains anything.

    Everything before it is the frozen prefix: its output depends on the image alone.
    """
    steps = sam.steps()
    for number, (_, step) in enumerate(steps):
        if any(p.requires_grad for p in step.parameters()):
            return number
    return len(steps)
