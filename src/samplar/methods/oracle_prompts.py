"""Prompts made from the truth: boxes and points, for oracles only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from samplar.errors import UsageError
from samplar.methods.contract import Batch
from samplar.sam.prompt import Prompts

RING = 0.25
"""How far from the structure's box points outside may lie, as a share of its longer side."""
NARROWEST = 4
"""The same in pixels, for small structures."""


def truth_of(batch: Batch, method: str) -> Integer[Tensor, "b s s"]:
    """Return the labels of what an oracle is to segment.

    Args:
        batch: what it is given.
        method: its name, for the refusal.

    Raises:
        UsageError: `methods.oracle` when the images come without labels.
    """
    if batch.labels is None:
        raise UsageError(
            f"{method} is an oracle that reads the labels of what it segments, and there are none",
            fix="Use it on a labelled data set, or choose a method that needs no prompt",
            code="methods.oracle",
        )
    return batch.labels


def box_of(mask: Bool[Tensor, "h w"]) -> Float[Tensor, " 4"]:
    """Return left, top, right and bottom pixel of a mask that is not empty."""
    ys, xs = torch.nonzero(mask, as_tuple=True)
    return torch.stack([xs.min(), ys.min(), xs.max(), ys.max()]).float()


def box_prompts(masks: Bool[Tensor, "p h w"]) -> Prompts:
    """Return the tight box around each mask."""
    boxes = torch.zeros(len(masks), 4, device=masks.device)
    for number, mask in enumerate(masks):
        boxes[number] = box_of(mask)
    return Prompts(boxes=boxes)


def point_prompts(
    masks: Bool[Tensor, "p h w"], others: Bool[Tensor, "p h w"], *, inside: int, outside: int
) -> Prompts:
    """Return points inside each mask, and outside it but near.

    The first point is the one deepest inside; every other has the largest minimum of its depth
    and its distance to the points before it. Points outside follow the same rule within a ring
    around the mask's box. Where there are fewer pixels than points, the rest are "not a point".

    Args:
        masks: none of them empty.
        others: pixels known to be something else.
        inside: how many points inside, at least one.
        outside: how many points outside.
    """
    points = torch.zeros(len(masks), inside + outside, 2, device=masks.device)
    labels = torch.full((len(masks), inside + outside), -1, device=masks.device)
    for number, (mask, other) in enumerate(zip(masks, others, strict=True)):
        within = spread_points(mask, inside)
        around = spread_points(other & ring_of(mask), outside)
        found = torch.cat([within, around])
        points[number, : len(found)] = found
        labels[number, : len(within)] = 1
        labels[number, len(within) : len(found)] = 0
    return Prompts(points=points, labels=labels)


def ring_of(mask: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Return True within a mask's box, enlarged on every side."""
    left, top, right, bottom = (int(v) for v in box_of(mask))
    margin = max(NARROWEST, round(RING * (1 + max(right - left, bottom - top))))
    ring = torch.zeros_like(mask)
    ring[max(0, top - margin) : bottom + margin + 1, max(0, left - margin) : right + margin + 1] = 1
    return ring


def spread_points(region: Bool[Tensor, "h w"], count: int) -> Float[Tensor, "n 2"]:
    """Return up to `count` pixels (x, y) of a region: deep inside it and apart from each other."""
    ys, xs = torch.nonzero(region, as_tuple=True)
    pixels = torch.stack([xs, ys], dim=1).float()
    chosen = pixels[:0]
    if len(pixels) == 0 or count == 0:
        return chosen
    room = depth(region)[ys, xs]
    for _ in range(min(count, len(pixels))):
        chosen = torch.cat([chosen, pixels[int(room.argmax())][None]])
        room = room.minimum((pixels - chosen[-1]).norm(dim=1))
    return chosen


def depth(mask: Bool[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Count how many erosions each pixel survives (3 x 3, the outside counts as background)."""
    layer = mask.float()[None, None]
    total = torch.zeros_like(layer)
    while layer.any():
        total += layer
        padded = F.pad(1 - layer, (1, 1, 1, 1), value=1.0)
        layer = 1 - F.max_pool2d(padded, 3, stride=1)
    return total[0, 0]
