"""The model's square frame: longest side to the frame, zeros right and below, and back again."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def fitted_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Return the size of an image once its longest side is `size` (SAM's rounding)."""
    scale = size / max(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def letterbox(
    images: Float[Tensor, "n c h w"], size: int, *, padding: Float[Tensor, "c 1 1"] | None = None
) -> Float[Tensor, "n c s s"]:
    """Resize (bilinear, antialiased when shrinking) and pad right and below.

    Args:
        images: any size.
        size: side of the frame.
        padding: its colour; zeros if not given.
    """
    height, width = fitted_size(images.shape[-2], images.shape[-1], size)
    resized = images
    if (height, width) != tuple(images.shape[-2:]):
        resized = F.interpolate(
            images, (height, width), mode="bilinear", align_corners=False, antialias=True
        )
    framed = F.pad(resized, (0, size - width, 0, size - height))
    if padding is not None:
        framed[..., height:, :] = padding
        framed[..., width:] = padding
    return framed


def letterbox_labels(labels: Tensor, size: int) -> Tensor:
    """Resize class indices (n, h, w) to (n, s, s) by nearest cell; padding is background."""
    height, width = fitted_size(labels.shape[-2], labels.shape[-1], size)
    resized = F.interpolate(labels[:, None].float(), (height, width), mode="nearest-exact")[:, 0]
    return F.pad(resized, (0, size - width, 0, size - height)).to(labels.dtype)


def unletterbox(
    logits: Float[Tensor, "n k i j"], size: int, original: tuple[int, int]
) -> Float[Tensor, "n k h w"]:
    """Bring maps of the frame, at any resolution, back to the original image's pixels.

    Args:
        logits: maps over the whole frame, whose sides may be a fraction of `size`.
        size: the frame that `letterbox` made.
        original: (height, width) of the image before it.
    """
    if tuple(logits.shape[-2:]) != (size, size):
        logits = F.interpolate(logits, (size, size), mode="bilinear", align_corners=False)
    height, width = fitted_size(*original, size)
    cropped = logits[..., :height, :width]
    if (height, width) == tuple(original):
        return cropped
    return F.interpolate(cropped, original, mode="bilinear", align_corners=False)
