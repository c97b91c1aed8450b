"""SAM's embedding together with what an early part of its encoder made of the same image."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from samplar.sam.model import Sam
from samplar.sam.vit import ViTShape


def early_step(sam: Sam) -> str:
    """Return the name of the encoder's first step that knows more than its own neighbourhood.

    That is the first block of a ViT that attends over the whole grid, and the merging that brings
    a TinyViT to the grid of its embedding. Source: Ke et al. 2023 (HQ-SAM), arXiv 2306.01567.
    """
    shape = sam.shape.encoder
    if isinstance(shape, ViTShape):
        return f"image_encoder.blocks.{shape.global_blocks[0]}"
    return "image_encoder.layers.1.downsample"


def early_width(sam: Sam) -> int:
    """Return how many channels the early feature has."""
    shape = sam.shape.encoder
    return shape.width if isinstance(shape, ViTShape) else shape.widths[2]


def encode_with_early(
    sam: Sam, images: Float[Tensor, "b 3 h w"]
) -> tuple[Float[Tensor, "b d i j"], Float[Tensor, "b c i j"]]:
    """Return the image embedding and the early feature, which lies on the same grid."""
    steps = sam.steps()
    last = [name for name, _ in steps].index(early_step(sam))
    early = images
    for _, step in steps[: last + 1]:
        early = step(early)
    embedding = early
    for _, step in steps[last + 1 :]:
        embedding = step(embedding)
    return embedding, early
