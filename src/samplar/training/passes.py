"""The losses of one iteration: most methods have one, some take several steps on a batch."""

from __future__ import annotations

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.config.loss import AnyLoss, ForegroundLossConfig, LossConfig, SaliencyLossConfig
from samplar.methods.adapted import AdaptedSam
from samplar.methods.contract import Pass
from samplar.sam.precision import autocast
from samplar.synthesis.samples import Samples
from samplar.training.foreground_loss import foreground_loss
from samplar.training.losses import segmentation_loss
from samplar.training.mask_loss import mask_loss
from samplar.training.saliency_loss import saliency_loss
from samplar.types import IGNORE


def pass_losses(
    model: AdaptedSam,
    prefix: Tensor,
    samples: Samples,
    *,
    precision: str,
    chance: torch.Generator,
) -> Generator[Tensor]:
    """Yield the loss of every pass over a batch; the caller takes a step before the next.

    Args:
        model: on the device to compute on.
        prefix: (b, c, i, j) what the frozen prefix made of the images.
        samples: the batch; padding counts as not labelled.
        precision: fp32 or bf16.
        chance: of the random draws of this iteration.
    """
    device = model.sam.device
    labels = samples.labels.masked_fill(~samples.valid, IGNORE).to(device)
    images = samples.images.to(device)
    parts = model.passes(prefix.to(device), images, labels, chance=chance)
    while True:
        with autocast(precision, device):  # left between two passes: it keeps copies of weights
            part = next(parts, None)
        if part is None:
            return
        yield pass_loss(part, model.loss)


def pass_loss(part: Pass, config: AnyLoss) -> Float[Tensor, ""]:
    """Compare every output of a pass with its labels and add up, each as much as it counts."""
    own = part.weight * _output_loss(part, config)
    return sum((pass_loss(other, config) for other in part.also), own)


def _output_loss(part: Pass, config: AnyLoss) -> Float[Tensor, ""]:
    """Compare one output with its labels, brought to the grid of its logits by nearest cell."""
    labels = _on_grid(part.labels, part.logits)
    if isinstance(config, LossConfig):
        return segmentation_loss(part.logits, labels, config)
    if isinstance(config, ForegroundLossConfig):
        return foreground_loss(part.logits, labels, config)
    if isinstance(config, SaliencyLossConfig):
        return saliency_loss(part.logits, labels, config)
    return mask_loss(part.logits, labels, config, quality=part.quality)


def _on_grid(labels: Tensor, logits: Tensor) -> Tensor:
    """Resize labels as SAMed does."""
    if labels.shape[-2:] == logits.shape[-2:]:
        return labels
    resized = nn.functional.interpolate(
        labels[:, None].float(), logits.shape[-2:], mode="nearest-exact"
    )
    return resized[:, 0].to(labels.dtype)
