"""From slices to class scores on the slices' own pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.io.view import three_channels
from samplar.methods.adapted import AdaptedSam
from samplar.sam.device import encoder_batch
from samplar.sam.frame import letterbox, letterbox_labels, unletterbox
from samplar.sam.precision import autocast


@torch.inference_mode()
def predict_slices(
    model: AdaptedSam,
    images: Float[np.ndarray, "n c h w"],
    *,
    size: int,
    precision: str,
    truth: Integer[np.ndarray, "n h w"] | None = None,
) -> Iterator[Float[Tensor, "b k h w"]]:
    """Yield class logits, background first, batch by batch, in the pixels of the slices.

    Args:
        model: in evaluation mode.
        images: one to three channels in [0, 1].
        size: side of the model's frame.
        precision: fp32 or bf16.
        truth: class indices, for oracle methods only.
    """
    original = (images.shape[-2], images.shape[-1])
    step = encoder_batch(model.sam.device)
    for start in range(0, len(images), step):
        part = torch.from_numpy(three_channels(images[start : start + step]))
        framed = letterbox(part.to(model.sam.device), size)
        labels = None
        if truth is not None:
            given = torch.from_numpy(np.ascontiguousarray(truth[start : start + step]))
            labels = letterbox_labels(given.to(model.sam.device), size)
        with autocast(precision, model.sam.device):
            logits = model(model.prefix(framed), framed, labels)
        yield unletterbox(logits.float(), size, original)
