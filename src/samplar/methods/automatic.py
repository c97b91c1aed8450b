"""SAM's automatic masks: a grid of points, and of all the masks they give the sure and stable ones.

Source: Kirillov et al. 2023, arXiv 2304.02643, appendix B, and the public code (Apache-2.0);
without crops and without removing small regions, which are off there as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from samplar.methods.asking import decode_rows
from samplar.sam.device import encoder_batch
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts

OFFSET = 1.0
"""A mask is stable if it is the same at the logits -1 and +1."""


@dataclass(frozen=True)
class Sieve:
    """Which masks are kept.

    Args:
        grid: points per side.
        sure: smallest predicted IoU, itself left out.
        stable: smallest IoU of the mask at logit +1 with the mask at -1.
        overlap: largest IoU of the boxes of two masks that are both kept.
    """

    grid: int = 32
    sure: float = 0.88
    stable: float = 0.95
    overlap: float = 0.7


@dataclass(frozen=True)
class Found:
    """Masks of one image, the surest first.

    Args:
        logits: (n, r, s) on the decoder's grid.
        masks: (n, h, w) on the image's pixels in the frame.
        quality: (n,) predicted IoU.
        stable: (n,) IoU of the mask at logit +1 with the mask at -1.
    """

    logits: Float[Tensor, "n r s"]
    masks: Bool[Tensor, "n h w"]
    quality: Float[Tensor, " n"]
    stable: Float[Tensor, " n"]


def automatic_masks(
    sam: Sam,
    embedding: Float[Tensor, "1 d i j"],
    *,
    size: int,
    content: tuple[int, int],
    sieve: Sieve,
) -> Found:
    """Ask SAM at every point of a grid over the image and sieve the three masks of each.

    Args:
        sam: with its own four mask tokens.
        embedding: of one image.
        size: side of the frame.
        content: (height, width) of the image in it.
        sieve: what is kept.
    """
    points = grid_points(sieve.grid, content, device=embedding.device)
    step = 8 * encoder_batch(embedding.device)
    parts = [
        _sieved(
            *_three_each(sam, embedding, points[start : start + step]),
            size=size,
            content=content,
            sieve=sieve,
        )
        for start in range(0, len(points), step)
    ]
    logits, masks, quality, stable = (torch.cat(column) for column in zip(*parts, strict=True))
    kept = suppress(boxes_of(masks), quality, overlap=sieve.overlap)
    return Found(logits[kept], masks[kept], quality[kept], stable[kept])


def _three_each(
    sam: Sam, embedding: Float[Tensor, "1 d i j"], points: Float[Tensor, "p 2"]
) -> tuple[Float[Tensor, "n r s"], Float[Tensor, " n"]]:
    image = torch.zeros(len(points), dtype=torch.long, device=points.device)
    inside = torch.ones(len(points), 1, dtype=torch.long, device=points.device)
    masks, quality = decode_rows(sam, embedding, image, Prompts(points[:, None], inside))
    return masks[:, 1:].flatten(0, 1), quality[:, 1:].flatten()


def _sieved(
    masks: Float[Tensor, "n r s"],
    quality: Float[Tensor, " n"],
    *,
    size: int,
    content: tuple[int, int],
    sieve: Sieve,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keep what is sure and stable: logits, masks on the image, quality and stability of it."""
    masks, quality = masks[quality > sieve.sure], quality[quality > sieve.sure]
    pixels = F.interpolate(masks[:, None], (size, size), mode="bilinear", align_corners=False)
    pixels = pixels[:, 0, : content[0], : content[1]]
    stable = stability(pixels)
    kept = stable >= sieve.stable
    return masks[kept], pixels[kept] > 0, quality[kept], stable[kept]


def grid_points(
    side: int, content: tuple[int, int], *, device: torch.device
) -> Float[Tensor, "p 2"]:
    """Return the centres (x, y) of a grid of side x side cells over the image, row by row."""
    centres = (torch.arange(side, device=device) + 0.5) / side
    ys, xs = torch.meshgrid(centres * content[0], centres * content[1], indexing="ij")
    return torch.stack([xs, ys], dim=-1).reshape(-1, 2)


def stability(logits: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Return the IoU of each mask at a high with the one at a low threshold; 0 for empty masks."""
    high, low = (logits > OFFSET).flatten(1).sum(1), (logits > -OFFSET).flatten(1).sum(1)
    return high / low.clamp(min=1)


def boxes_of(masks: Bool[Tensor, "n h w"]) -> Float[Tensor, "n 4"]:
    """Return left, top, right and bottom pixel of each mask; zeros for an empty one."""
    ends = []
    for line in (masks.any(dim=1), masks.any(dim=2)):
        hits = line.to(torch.uint8)
        last = line.shape[1] - 1 - hits.flip(1).argmax(dim=1)
        ends.append((hits.argmax(dim=1), torch.where(line.any(dim=1), last, 0)))
    return torch.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]], dim=1).float()


def suppress(
    boxes: Float[Tensor, "n 4"], quality: Float[Tensor, " n"], *, overlap: float
) -> Int[Tensor, " m"]:
    """Return the boxes to keep, best first: none overlaps a better one by more than `overlap`."""
    left = torch.argsort(quality, descending=True, stable=True)
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[box_overlap(boxes[left[0]], boxes[left]) <= overlap]
        left = left[left != kept[-1]]  # a box without area does not overlap itself
    return torch.stack(kept) if kept else left


def box_overlap(one: Float[Tensor, " 4"], boxes: Float[Tensor, "n 4"]) -> Float[Tensor, " n"]:
    """Return the IoU of one box with others, of corners as points: a pixel has no area."""
    low, high = torch.maximum(one[:2], boxes[:, :2]), torch.minimum(one[2:], boxes[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    return common / ((one[2:] - one[:2]).prod() + areas - common).clamp(min=1e-9)
