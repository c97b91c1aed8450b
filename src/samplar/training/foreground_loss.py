"""Cross-entropy plus Dice over the foreground classes alone, in the forms of the two AutoSAMs.

Sources: Hu et al. 2023, arXiv 2306.13731, and its public code (Apache-2.0); Shaharabany et al.
2023, arXiv 2306.06370, from its description alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.config.loss import ForegroundLossConfig
from samplar.types import IGNORE


def foreground_loss(
    logits: Float[Tensor, "b k h w"],
    labels: Integer[Tensor, "b h w"],
    config: ForegroundLossConfig,
) -> Float[Tensor, ""]:
    """Return `ce * CE + dice * Dice` over the labelled pixels.

    Dice is the mean of 1 - (2 overlap + smooth) / (sum of both + smooth) over the classes, or over
    classes and images, for which it is above 0: as published, what is right already is no part of
    the mean.

    Args:
        logits: one channel per class, background first.
        labels: class indices on the same grid; 255 is not labelled.
        config: weights and form.
    """
    target, logits = labels.long(), logits.float()
    known = target != IGNORE
    ce = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum")
    ce = ce / known.sum().clamp(min=1)
    classes = torch.arange(1, logits.shape[1], device=logits.device)[None, :, None, None]
    truth = ((target[:, None] == classes) & known[:, None]).float()
    chance = logits.softmax(dim=1)[:, 1:] * known[:, None]
    return config.ce * ce + config.dice * _dice(chance, truth, config)


def _dice(
    chance: Float[Tensor, "b c h w"], truth: Float[Tensor, "b c h w"], config: ForegroundLossConfig
) -> Float[Tensor, ""]:
    axes = (0, 2, 3) if config.over == "batch" else (2, 3)
    found = chance.square() if config.squared else chance
    total = (found + truth).sum(axes)
    terms = 1 - (2 * (chance * truth).sum(axes) + config.smooth) / (total + config.smooth)
    return terms.sum() / (terms > 0).sum().clamp(min=1)
