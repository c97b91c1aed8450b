"""From slices to class scores on the slices' own pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.io.slicing import neighbours
from samplar.io.view import three_channels
from samplar.methods.adapted import AdaptedSam
from samplar.methods.slab import together
from samplar.prediction.slabs import averaged_slabs
from samplar.sam.device import encoder_batch
from samplar.sam.frame import letterbox, letterbox_labels, unletterbox
from samplar.sam.halving import by_halves
from samplar.sam.precision import autocast


@torch.inference_mode()
def predict_slices(
    model: AdaptedSam,
    images: Float[np.ndarray, "n c h w"],
    *,
    size: int,
    precision: str,
    also: Sequence[int] = (),
    truth: Integer[np.ndarray, "n h w"] | None = None,
) -> Iterator[Float[Tensor, "b k h w"]]:
    """Yield class logits, background first, batch by batch, in the pixels of the slices.

    With further frames the probabilities of all frames are averaged, and their logarithm is given;
    so are those of all slabs that show a slice, if the method averages them.

    Args:
        model: in evaluation mode.
        images: one to three channels in [0, 1].
        size: side of the model's frame.
        precision: fp32 or bf16.
        also: sides of further frames in which every slice is seen.
        truth: class indices, for oracle methods only.
    """
    parts = _of_frames(model, images, truth, sides=(size, *also), precision=precision)
    if model.averages:
        parts = averaged_slabs(parts, slices=model.slices, count=len(images))
    yield from parts


def _of_frames(
    model: AdaptedSam,
    images: Float[np.ndarray, "n c h w"],
    truth: Integer[np.ndarray, "n h w"] | None,
    *,
    sides: Sequence[int],
    precision: str,
) -> Iterator[Float[Tensor, "b k h w"]]:
    """Yield logits batch by batch, of all frames together; of every slice of a slab, if asked."""
    step = encoder_batch(model.sam.device)
    for start in range(0, len(images), step):
        part = _slabs(images, range(start, min(start + step, len(images))), model.slices)
        labels = None
        if truth is not None:
            labels = torch.from_numpy(np.ascontiguousarray(truth[start : start + step]))
        shown = partial(_seen, model, part, labels, sides=sides, precision=precision)
        yield by_halves(shown, len(part))


def _seen(
    model: AdaptedSam,
    images: Float[Tensor, "n e h w"],
    truth: Integer[Tensor, "n h w"] | None,
    rows: slice,
    *,
    sides: Sequence[int],
    precision: str,
) -> Float[Tensor, "b k h w"]:
    """Return the logits of these rows, of all frames together."""
    device = model.sam.device
    part, labels = images[rows].to(device), None if truth is None else truth[rows].to(device)
    first = _in_frame(model, part, labels, sides[0], precision)
    if len(sides) == 1:
        return first
    total = first.softmax(dim=1)
    for side in sides[1:]:
        total += _in_frame(model, part, labels, side, precision).softmax(dim=1)
    return (total / len(sides)).clamp(min=torch.finfo(total.dtype).tiny).log()


def _slabs(
    images: Float[np.ndarray, "n c h w"], numbers: range, slices: int
) -> Float[Tensor, "b e h w"]:
    """Return these slices, each among its neighbours, with three channels a slice."""
    near = [n for i in numbers for n in neighbours(i, len(images), around=slices // 2)]
    return together(torch.from_numpy(three_channels(images[near])), slices)


def _in_frame(
    model: AdaptedSam,
    images: Float[Tensor, "b e h w"],
    labels: Integer[Tensor, "b h w"] | None,
    size: int,
    precision: str,
) -> Float[Tensor, "b k h w"]:
    padding = model.sam.padding.repeat(model.slices, 1, 1)
    framed = letterbox(images, size, padding=padding)
    shown = None if labels is None else letterbox_labels(labels, size)
    with autocast(precision, images.device):
        logits = model(model.prefix(framed), framed, shown, every=model.averages)
    return unletterbox(logits.float(), size, (images.shape[-2], images.shape[-1]))
