"""What SAM's automatic masks say of an image, as two maps: where segments are, and their edges.

Source: Zhang et al. 2023 (SAMAug), arXiv 2304.11332, from the text of the specification: the
published code has no licence and was not used.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from samplar.methods.automatic import Sieve, automatic_masks
from samplar.methods.content import content_sizes
from samplar.sam.model import Sam

Fusion = Literal["add", "stack", "replace"]

INPUTS: dict[Fusion, int] = {"add": 3, "stack": 5, "replace": 3}
"""Channels of a fused image."""


def maps_of_masks(
    masks: Bool[Tensor, "n h w"], stable: Float[Tensor, " n"]
) -> Float[Tensor, "2 h w"]:
    """Return the sum of the stabilities of the masks on each pixel, and where any has an edge.

    Masks that overlap add up, so the first map may exceed 1. An edge is one pixel thick on either
    side; the border of the image is none.
    """
    segments = (masks * stable[:, None, None]).sum(dim=0)
    return torch.stack([segments, edges(masks).any(dim=0).to(segments)])


def edges(masks: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """Return the pixels that have a neighbour beside, above or below of the other kind."""
    out = torch.zeros_like(masks)
    for axis in (1, 2):
        length = masks.shape[axis] - 1
        first, second = masks.narrow(axis, 0, length), masks.narrow(axis, 1, length)
        differs = first != second
        out.narrow(axis, 0, length).logical_or_(differs)
        out.narrow(axis, 1, length).logical_or_(differs)
    return out


@torch.no_grad()
def prior_maps(
    sam: Sam, images: Float[Tensor, "b 3 s s"], sieve: Sieve
) -> Float[Tensor, "b 2 s s"]:
    """Return the maps of every image, 0 in the padding and where SAM finds nothing."""
    embedding = sam.encode(images)
    out = torch.zeros(len(images), 2, *images.shape[-2:], device=images.device)
    for number, content in enumerate(content_sizes(images)):
        found = automatic_masks(
            sam,
            embedding[number : number + 1],
            size=images.shape[-1],
            content=content,
            sieve=sieve,
        )
        out[number, :, : content[0], : content[1]] = maps_of_masks(found.masks, found.stable)
    return out


def fused(
    images: Float[Tensor, "b 3 s s"], maps: Float[Tensor, "b 2 s s"], fusion: Fusion
) -> Float[Tensor, "b c s s"]:
    """Put maps into images; with maps of zeros this is how the raw image is shown.

    Args:
        images: in the model's frame.
        maps: segments and edges.
        fusion: `add` to the second and third channel, without clipping; `stack` behind the three;
            or `replace` the second and third, after the mean of the three.
    """
    maps = maps.to(images)
    if fusion == "stack":
        return torch.cat([images, maps], dim=1)
    if fusion == "replace":
        return torch.cat([images.mean(dim=1, keepdim=True), maps], dim=1)
    return torch.cat([images[:, :1], images[:, 1:] + maps], dim=1)
