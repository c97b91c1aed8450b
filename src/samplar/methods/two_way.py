"""SAM's two-way transformer for heads of their own: what it leaves of tokens and of the image."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from samplar.sam.model import Sam


def read_both_ways(
    sam: Sam,
    embedding: Float[Tensor, "b d i j"],
    tokens: Float[Tensor, "t d"],
    *,
    no_prompt: bool = True,
) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b d i j"]]:
    """Let tokens and image read each other; return both.

    Args:
        sam: its decoder's transformer and its table of positions are used.
        embedding: of the images.
        tokens: the same for every image.
        no_prompt: whether the image is told, as SAM tells it, that no mask was given.
    """
    kind, grid = embedding.dtype, (embedding.shape[-2], embedding.shape[-1])
    if no_prompt:
        embedding = embedding + sam.prompt_encoder.no_mask_embed.weight.to(kind).view(1, -1, 1, 1)
    place = sam.prompt_encoder.pe_layer.grid(*grid).to(kind)
    image, where = (x.flatten(2).transpose(1, 2) for x in (embedding, place))
    given = tokens.expand(len(embedding), -1, -1)
    told, cells = sam.mask_decoder.transformer(image, where, given)
    return told, cells.transpose(1, 2).unflatten(2, grid)
