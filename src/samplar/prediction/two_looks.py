"""Looks at whole slices, to find out where structures are, and a closer one at that window.

In the frame of a whole slice a small structure is a few cells wide. The window is the same for all
slices of an image, so that what the close look sees does not jump from slice to slice. What is seen
in the window says better than the whole slice where it should have been, so it is moved once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.exemplars.roi import Region
from samplar.exemplars.window import Window, window_around
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.slices import predict_slices

LOOKS = 2
"""How often slices are looked at to place the window: whole, and in the window itself."""

SEEN = 32
"""Slices of an image that place the window, at most."""

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

    Where the first look finds nothing at all, slices are seen whole.

    Args:
        model: in evaluation mode; its method does not read the truth.
        images: slices of one image, one to three channels in [0, 1].
        size: side of the model's frame.
        precision: fp32 or bf16.
        region: how large the window is, and where it is expected.
        also: sides of further frames in which the window is seen.
    """
    look = partial(predict_slices, model, size=size, precision=precision)
    window = found_window(look, _some(images, slabs=model.slices > 1), region)
    if window is None:
        yield from look(images, also=also)
        return
    shape = (images.shape[-2], images.shape[-1])
    for logits in look(np.ascontiguousarray(window.of(images)), also=also):
        yield placed(logits, window, shape)


def found_window(
    look: Callable[[np.ndarray], Iterable[Tensor]],
    images: Float[np.ndarray, "n c h w"],
    region: Region,
) -> Window | None:
    """Return where structures are found in slices of an image, None where there are none.

    Args:
        look: from slices to class logits, batch by batch.
        images: slices to look at.
        region: how large the window is, and where it is expected.
    """
    height, width = images.shape[-2:]
    expectation = region.expectation((height, width))
    window: Window | None = None
    for _ in range(LOOKS):
        seen = Window(0, 0, height, width) if window is None else window
        found = np.zeros((height, width), dtype=np.int64)
        for logits in look(np.ascontiguousarray(seen.of(images))):
            seen.of(found)[:] += (logits.argmax(dim=1) > 0).sum(dim=0).cpu().numpy()
        if not found.any():
            break
        window = window_around(found * expectation, region.share)
    return window


def _some(images: Float[np.ndarray, "n c h w"], *, slabs: bool) -> Float[np.ndarray, "m c h w"]:
    """Return at most `SEEN` slices, evenly spread; all of them where each needs its neighbours."""
    if slabs or len(images) <= SEEN:
        return images
    return images[np.linspace(0, len(images) - 1, SEEN).round().astype(int)]


def placed(
    logits: Float[Tensor, "b k i j"], window: Window, shape: tuple[int, int]
) -> Float[Tensor, "b k h w"]:
    """Put the logits of a window into the whole slice, background around them."""
    whole = torch.zeros(*logits.shape[:2], *shape, device=logits.device, dtype=logits.dtype)
    whole[:, 0] = CERTAIN
    rows = slice(window.top, window.top + window.height)
    whole[:, :, rows, window.left : window.left + window.width] = logits
    return whole
