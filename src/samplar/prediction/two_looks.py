"""A first look at whole slices, and a second, closer one at the window where structures are.

In the frame of a whole slice a small structure is a few cells wide. The window is the same for all
slices of an image, so that what the second look sees does not jump from slice to slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.exemplars.roi import Region
from samplar.exemplars.window import Window, window_around
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.slices import predict_slices

CERTAIN = 20.0
"""Logit of background outside of the window, all others being 0 there."""


def segmented(
    model: AdaptedSam,
    images: Float[np.ndarray, "n c h w"],
    *,
    size: int,
    precision: str,
    also: Sequence[int] = (),
    truth: Integer[np.ndarray, "n h w"] | None = None,
    roi: Region | None = None,
) -> Iterator[Float[Tensor, "b k h w"]]:
    """Yield the class logits of the slices of one image: of a second look, if there is a `roi`.

    The arguments are those of `predict_slices`, and `region` of `look_twice`.
    """
    if roi is None:
        return predict_slices(model, images, size=size, precision=precision, also=also, truth=truth)
    return look_twice(model, images, size=size, precision=precision, also=also, region=roi)


def look_twice(
    model: AdaptedSam,
    images: Float[np.ndarray, "n c h w"],
    *,
    size: int,
    precision: str,
    region: Region,
    also: Sequence[int] = (),
) -> Iterator[Float[Tensor, "b k h w"]]:
    """Yield class logits, background first, batch by batch, in the pixels of the slices.

    Where the first look finds nothing at all, its result stands.

    Args:
        model: in evaluation mode; its method does not read the truth.
        images: slices of one image, one to three channels in [0, 1].
        size: side of the model's frame.
        precision: fp32 or bf16.
        region: how large the window is, and where it is expected.
        also: sides of further frames in which the window is seen.
    """
    found = np.zeros((images.shape[-2], images.shape[-1]), dtype=np.int64)
    for logits in predict_slices(model, images, size=size, precision=precision):
        found += (logits.argmax(dim=1) > 0).sum(dim=0).cpu().numpy()
    if not found.any():
        yield from predict_slices(model, images, size=size, precision=precision, also=also)
        return
    evidence = found * region.expectation((found.shape[0], found.shape[1]))
    window = window_around(evidence, region.share)
    close = np.ascontiguousarray(window.of(images))
    for logits in predict_slices(model, close, size=size, precision=precision, also=also):
        yield placed(logits, window, (found.shape[0], found.shape[1]))


def placed(
    logits: Float[Tensor, "b k i j"], window: Window, shape: tuple[int, int]
) -> Float[Tensor, "b k h w"]:
    """Put the logits of a window into the whole slice, background around them."""
    whole = torch.zeros(*logits.shape[:2], *shape, device=logits.device, dtype=logits.dtype)
    whole[:, 0] = CERTAIN
    rows = slice(window.top, window.top + window.height)
    whole[:, :, rows, window.left : window.left + window.width] = logits
    return whole
