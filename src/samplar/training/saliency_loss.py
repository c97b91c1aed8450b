"""Cross-entropy plus soft IoU, structural similarity and absolute error, image by image.

Source: the texts of the specifications of MAS-SAM (Yan et al. 2024) and MDSAM (Gao et al. 2024,
arXiv 2408.04326), whose code has no licence and was not used. Structural similarity: Wang et al.
2004, with a Gaussian window; probabilities and truth lie in [0, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.config.loss import SaliencyLossConfig
from samplar.types import IGNORE

WINDOW = 7
SIGMA = 1.5
FLOORS = 0.01**2, 0.03**2
"""Keep both factors of the similarity of flat regions at 1 (Wang et al. 2004)."""

SLIVER = 1e-7
"""Keeps an IoU of nothing with nothing finite."""


def saliency_loss(
    logits: Float[Tensor, "n k h w"], labels: Integer[Tensor, "n h w"], config: SaliencyLossConfig
) -> Float[Tensor, ""]:
    """Return `ce * CE + iou * (1 - IoU) + ssim * (1 - SSIM) + l1 * |p - truth|`.

    All but the cross-entropy are means over the foreground classes.

    Args:
        logits: background first; of a single mask, 0 and its logit.
        labels: class indices on the same grid; 255 is not labelled.
        config: weights and form.
    """
    target, logits = labels.long(), logits.float()
    known = (target != IGNORE)[:, None]
    area = known.sum().clamp(min=1)
    classes = torch.arange(1, logits.shape[1], device=logits.device)[None, :, None, None]
    truth = ((target[:, None] == classes) & known).float()
    chance = logits.softmax(dim=1)[:, 1:] * known  # where nothing is known both are 0
    ce = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum") / area
    loss = config.ce * ce + config.iou * (1 - soft_iou(chance, truth, config.smooth).mean())
    if config.ssim:
        alike = (similarity(chance, truth) * known).sum() / (area * truth.shape[1])
        loss = loss + config.ssim * (1 - alike)
    return loss + config.l1 * (chance - truth).abs().sum() / (area * truth.shape[1])


def soft_iou(
    chance: Float[Tensor, "n c h w"], truth: Float[Tensor, "n c h w"], smooth: float
) -> Float[Tensor, "n c"]:
    """Return the IoU of every map with its truth; 0 of nothing with nothing without smoothing."""
    common = (chance * truth).sum(dim=(2, 3))
    either = chance.sum(dim=(2, 3)) + truth.sum(dim=(2, 3)) - common
    return (common + smooth) / (either + smooth).clamp(min=SLIVER)


def similarity(
    one: Float[Tensor, "n c h w"], other: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Return the structural similarity around every pixel; beyond the border both are 0."""
    moments = torch.stack([one, other, one * one, other * other, one * other])
    blurred = _blurred(moments.flatten(0, 2)[:, None]).view(moments.shape)
    mean, mean_other, square, square_other, product = blurred
    spread = square - mean**2 + square_other - mean_other**2
    together = product - mean * mean_other
    low, high = FLOORS
    light = (2 * mean * mean_other + low) / (mean**2 + mean_other**2 + low)
    return light * (2 * together + high) / (spread + high)


def _blurred(x: Float[Tensor, "m 1 h w"]) -> Float[Tensor, "m 1 h w"]:
    """Average with a Gaussian window, down the columns and then along the rows."""
    distance = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = (-(distance**2) / (2 * SIGMA**2)).exp()
    weights = weights / weights.sum()
    x = F.conv2d(x, weights.view(1, 1, -1, 1), padding=(WINDOW // 2, 0))
    return F.conv2d(x, weights.view(1, 1, 1, -1), padding=(0, WINDOW // 2))
