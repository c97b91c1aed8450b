"""Focal loss plus Dice plus the error of the predicted IoU, for one structure at a time.

Source: Cheng et al. 2023 (SAM-Med2D), arXiv 2308.16184, and its public code (Apache-2.0); focal
loss: Lin et al. 2017.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from samplar.config.loss import MaskLossConfig
from samplar.types import IGNORE

SLIVER = 1e-7
"""Keeps an IoU of nothing with nothing at 1."""


def mask_loss(
    logits: Float[Tensor, "n k h w"],
    labels: Integer[Tensor, "n h w"],
    config: MaskLossConfig,
    *,
    quality: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """Return `focal * focal loss + dice * Dice + quality * error of the predicted IoU`.

    Args:
        logits: background first; for one structure that is 0 and the structure's logit.
        labels: class indices on the same grid; 255 is not labelled.
        config: weights and form.
        quality: the predicted IoU of each row; without, there is no such error.
    """
    target, logits = labels.long(), logits.float()
    known = target != IGNORE
    classes = torch.arange(1, logits.shape[1], device=logits.device)[None, :, None, None]
    truth = (target[:, None] == classes) & known[:, None]
    chance = logits.softmax(dim=1)[:, 1:] * known[:, None]
    axes = (0, 1, 2, 3) if config.dice_of == "batch" else (1, 2, 3)
    overlap, total = (chance * truth).sum(axes), chance.sum(axes) + truth.sum(axes)
    dice = (1 - (2 * overlap + config.smooth) / (total + config.smooth)).mean()
    loss = config.focal * _focal(logits, target, known, config) + config.dice * dice
    if quality is None:
        return loss
    actual = _overlap(chance, truth, together=config.quality_of == "batch")
    return loss + config.quality * (actual - quality.float()).square().mean()


def _focal(
    logits: Float[Tensor, "n k h w"],
    target: Integer[Tensor, "n h w"],
    known: Bool[Tensor, "n h w"],
    config: MaskLossConfig,
) -> Float[Tensor, ""]:
    """Return the mean over labelled pixels of -weight (1 - p)^gamma log p, p that of the truth."""
    surprise = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    weight = torch.where(target == 0, 1 - config.alpha, config.alpha)
    each = weight * (1 - (-surprise).exp()) ** config.gamma * surprise
    return (each * known).sum() / known.sum().clamp(min=1)


def _overlap(
    chance: Float[Tensor, "n c h w"], truth: Bool[Tensor, "n c h w"], *, together: bool
) -> Float[Tensor, " m"]:
    """Return the soft IoU of every row, or one of all rows together."""
    axes = (0, 1, 2, 3) if together else (1, 2, 3)
    common = (chance * truth).sum(axes)
    either = chance.sum(axes) + truth.sum(axes) - common
    return ((common + SLIVER) / (either + SLIVER)).reshape(-1)
