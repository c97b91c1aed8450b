"""Cross-entropy plus Dice over the labelled pixels of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from samplar.config.loss import LossConfig
from samplar.types import IGNORE


def segmentation_loss(
    logits: Float[Tensor, "b k h w"],
    labels: Integer[Tensor, "b h w"],
    config: LossConfig,
    *,
    valid: Bool[Tensor, "b h w"] | None = None,
) -> Float[Tensor, ""]:
    """Return `ce * CE + dice * Dice` over pixels that are valid and labelled.

    Args:
        logits: one channel per class, background first.
        labels: class indices on the same grid; 255 is not labelled.
        config: weights and form.
        valid: False in the padding of the frame.
    """
    target = labels.long()
    if valid is not None:
        target = target.masked_fill(~valid, IGNORE)
    logits = logits.float()
    known = target != IGNORE
    weight = None
    if config.foreground != 1:
        weight = torch.full_like(logits[0, :, 0, 0], config.foreground)
        weight[0] = 1
    ce = F.cross_entropy(logits, target, weight, ignore_index=IGNORE, reduction="sum")
    ce = ce / known.sum().clamp(min=1)
    return config.ce * ce + config.dice * dice_loss(logits, target, config)


def dice_loss(
    logits: Float[Tensor, "b k h w"], target: Integer[Tensor, "b h w"], config: LossConfig
) -> Float[Tensor, ""]:
    """Return 1 - Dice, averaged over classes with background (SAMed, `utils.py`)."""
    known = (target != IGNORE)[:, None]
    classes = torch.arange(logits.shape[1], device=logits.device)[None, :, None, None]
    truth = (target[:, None] == classes) & known
    chance = logits.softmax(dim=1) * known
    axes = (0, 2, 3)
    overlap = (chance * truth).sum(axes)
    total = chance.square().sum(axes) + truth.sum(axes)
    loss = 1 - (2 * overlap + config.smooth) / (total + config.smooth)
    if config.absent == "count":
        return loss.mean()
    present = truth.any(dim=3).any(dim=2).any(dim=0)
    return (loss * present).sum() / present.sum().clamp(min=1)
