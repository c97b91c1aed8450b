"""Which part of the model's frame shows the image, and which is padding."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def content_sizes(images: Float[Tensor, "b c s s"]) -> list[tuple[int, int]]:
    """Return (height, width) of what the frame shows; the image lies in its upper left corner.

    Padding is of one colour, whatever the weights' card makes of zeros. So rows below and columns
    to the right of the last pixel that differs from the lower right corner are padding, or an
    even margin of the image, where nothing can be pointed at either. An image of one colour fills
    its frame.
    """
    side = images.shape[-1]
    sizes = []
    for differs in (images != images[:, :, -1:, -1:]).any(dim=1):
        rows, columns = torch.nonzero(differs, as_tuple=True)
        whole = len(rows) == 0
        sizes.append((side, side) if whole else (int(rows.max()) + 1, int(columns.max()) + 1))
    return sizes


def content_masks(
    sizes: list[tuple[int, int]], like: Float[Tensor, "b c s s"]
) -> Bool[Tensor, "b s s"]:
    """Return True on the pixels that `content_sizes` counts."""
    masks = torch.zeros(len(sizes), *like.shape[-2:], dtype=torch.bool, device=like.device)
    for mask, (height, width) in zip(masks, sizes, strict=True):
        mask[:height, :width] = True
    return masks
