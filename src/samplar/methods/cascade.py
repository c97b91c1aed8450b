"""PerSAM's refinement: ask again with the mask just found, and with the box around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from samplar.methods.asking import decode_rows
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts


@dataclass(frozen=True)
class Asked:
    """What stays the same through the passes: one row per image and class.

    Args:
        embedding: (b, d, i, j) of the images.
        content: (b, s, s) True where the frame shows the image.
        image: (p,) number of the image of each row.
        first: (p, 2) the pixel (x, y) of the frame most like the target.
        prompts: one per row.
    """

    embedding: Float[Tensor, "b d i j"]
    content: Bool[Tensor, "b s s"]
    image: Int[Tensor, " p"]
    first: Float[Tensor, "p 2"]
    prompts: Prompts


def refine(
    sam: Sam, asked: Asked, masks: Float[Tensor, "p 1 r s"], *, boxes: Sequence[bool]
) -> Float[Tensor, "p 1 r s"]:
    """Ask once per entry of `boxes`, with the latest mask and where it is True with its box.

    Of SAM's three masks the one it thinks best goes on.

    Args:
        sam: with its own four mask tokens.
        asked: images and prompts.
        masks: logits of the first mask.
        boxes: in which passes to use the box of the latest mask.
    """
    for with_box in boxes:
        prompts = replace(asked.prompts, masks=masks)
        if with_box:
            prompts = replace(prompts, boxes=tight_boxes(masks, asked))
        masks = best_of_three(*decode_rows(sam, asked.embedding, asked.image, prompts))
    return masks


def best_of_three(
    masks: Float[Tensor, "p 4 r s"], quality: Float[Tensor, "p 4"]
) -> Float[Tensor, "p 1 r s"]:
    """Return the mask with the largest predicted IoU of the last three, the first of equals."""
    best = 1 + quality[:, 1:].argmax(dim=1)
    return masks[torch.arange(len(masks), device=masks.device), best][:, None]


def tight_boxes(masks: Float[Tensor, "p 1 r s"], asked: Asked) -> Float[Tensor, "p 4"]:
    """Return left, top, right and bottom pixel of each mask above 0, on the frame.

    An empty mask has the box of the most similar pixel alone (the authors' code fails there).
    """
    side = asked.content.shape[-1]
    pixels = F.interpolate(masks, (side, side), mode="bilinear", align_corners=False)[:, 0]
    inside = (pixels > 0) & asked.content[asked.image]
    left, right = _ends(inside.any(dim=1))
    top, bottom = _ends(inside.any(dim=2))
    boxes = torch.stack([left, top, right, bottom], dim=1).float()
    empty = ~inside.flatten(1).any(dim=1)
    return torch.where(empty[:, None], asked.first.repeat(1, 2), boxes)


def _ends(line: Bool[Tensor, "p s"]) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
    """Return the first and the last True of each line."""
    hits = line.to(torch.uint8)
    return hits.argmax(dim=1), line.shape[1] - 1 - hits.flip(1).argmax(dim=1)
