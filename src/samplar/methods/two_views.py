"""Two views of one place: a high-resolution one, and one that covers twice the side.

Source: Liu et al. 2024 (WSI-SAM), arXiv 2403.09257, from the text of the specification: the
published code has no licence and was not used. There both views have the same centre. Here

- `around`: the frame is the high view, and the low view shows it at half the size in the middle,
  with padding around: what lies beyond an image is not known;
- `inside`: the frame is the low view, at half the size, and its quarters are high views.

High views are in rows: those of an image next to each other, line by line. Pixels of the low view
are twice as large as those of a high one.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Integer, Shaped
from torch import Tensor

from samplar.sam.prompt import Prompts
from samplar.types import IGNORE

Layout = Literal["around", "inside"]


def views_per_image(layout: Layout) -> int:
    """Return how many high views an image has."""
    return 1 if layout == "around" else 4


def padded(images: Tensor, layout: Layout, *, stride: int, beyond: Tensor) -> Tensor:
    """Extend a frame (..., s, s) right and below, so that its quarters are multiples of `stride`.

    Args:
        images: or labels.
        layout: nothing is done for `around`.
        stride: input pixels per cell of the encoder.
        beyond: what the added pixels hold, such as (3, 1, 1).
    """
    missing = 0 if layout == "around" else -images.shape[-1] % (2 * stride)
    if not missing:
        return images
    side = images.shape[-1]
    out = F.pad(images, (0, missing, 0, missing))
    out[..., side:, :] = beyond.to(out)
    out[..., side:] = beyond.to(out)
    return out


def high_views(frame: Shaped[Tensor, "b c s s"], layout: Layout) -> Shaped[Tensor, "n c v v"]:
    """Cut a frame, or what belongs to its pixels, into high views."""
    if layout == "around":
        return frame
    quarters = frame.unflatten(3, (2, -1)).unflatten(2, (2, -1))  # b, c, 2, v, 2, v
    return quarters.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def joined(maps: Float[Tensor, "n k i i"], layout: Layout) -> Float[Tensor, "b k j j"]:
    """Undo `high_views`, for maps of any resolution."""
    if layout == "around":
        return maps
    quarters = maps.unflatten(0, (-1, 2, 2)).permute(0, 3, 1, 4, 2, 5)
    return quarters.flatten(4, 5).flatten(2, 3)


def low_view(
    frame: Float[Tensor, "b c s s"], layout: Layout, *, beyond: Float[Tensor, "c 1 1"]
) -> Float[Tensor, "b c v v"]:
    """Show a frame at half the size; for `around` amid pixels of the colour `beyond`."""
    half = frame.shape[-1] // 2
    shrunk = F.interpolate(
        frame, (half, half), mode="bilinear", align_corners=False, antialias=True
    )
    if layout == "inside":
        return shrunk
    out = beyond.to(frame).expand_as(frame).clone()
    corner = frame.shape[-1] // 4
    out[..., corner : corner + half, corner : corner + half] = shrunk
    return out


def origins(count: int, layout: Layout, *, side: int, device: torch.device) -> Int[Tensor, "n 2"]:
    """Return where the corner (x, y) of each high view lies in its low view, in pixels of that.

    Args:
        count: of high views.
        layout: how the views lie.
        side: of a view.
        device: where the answer is wanted.
    """
    if layout == "around":
        return torch.full((count, 2), side // 4, device=device)
    corners = [(x, y) for y in (0, side // 2) for x in (0, side // 2)]
    return torch.tensor(corners, device=device).repeat(count // 4, 1)


def low_prompts(prompts: Prompts, origin: Int[Tensor, "p 2"]) -> Prompts:
    """Return boxes and points in pixels of the low view: half of them, rounded down, plus origin.

    A low pixel holds two by two high ones, so this is the pixel that holds what was pointed at.
    """
    boxes, points = prompts.boxes, prompts.points
    if boxes is not None:
        boxes = (boxes / 2).floor() + origin.repeat(1, 2)
    if points is not None:
        points = (points / 2).floor() + origin[:, None]
    return Prompts(points=points, labels=prompts.labels, boxes=boxes)


def low_labels(
    labels: Integer[Tensor, "p v v"], origin: Int[Tensor, "p 2"]
) -> Integer[Tensor, "p v v"]:
    """Put labels of high views where they lie in their low views; 255 everywhere else."""
    side = labels.shape[-1]
    half = F.interpolate(labels[:, None].float(), (side // 2, side // 2), mode="nearest-exact")
    out = torch.full_like(labels, IGNORE)
    for row, (x, y) in enumerate(origin.tolist()):
        out[row, y : y + side // 2, x : x + side // 2] = half[row, 0].to(labels)
    return out
