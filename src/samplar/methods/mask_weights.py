"""The two numbers of PerSAM-F: how much each of SAM's three masks counts.

Source: Zhang et al. 2023, arXiv 2305.03048, section 3.3, and the public code (MIT).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss: weight of the foreground, and how little sure pixels count."""


def weighted(
    masks: Float[Tensor, "p 3 *q"], weights: Float[Tensor, "p 2"]
) -> Float[Tensor, "p 1 *q"]:
    """Return the weighted sum of three masks; the first gets what the two weights leave of 1."""
    whole = torch.cat([1 - weights.sum(dim=1, keepdim=True), weights], dim=1)
    return (masks * whole.view(-1, 3, *[1] * (masks.ndim - 2))).sum(dim=1, keepdim=True)


def mask_loss(
    logits: Float[Tensor, "n q"], truth: Bool[Tensor, "n q"], known: Bool[Tensor, "n q"]
) -> Float[Tensor, ""]:
    """Return Dice (smoothed by 1) plus focal loss over the known pixels, mean over the images."""
    count, target = known.float(), (truth & known).float()
    share = logits.sigmoid() * count
    dice = 1 - (2 * (share * target).sum(1) + 1) / (share.sum(1) + target.sum(1) + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = share * target + (1 - share) * (1 - target)
    alpha = ALPHA * target + (1 - ALPHA) * (1 - target)
    focal = (alpha * (1 - right) ** GAMMA * entropy * count).sum(1) / count.sum(1).clamp(min=1)
    return (dice + focal).mean()


@torch.enable_grad()
def fit_weights(
    masks: Float[Tensor, "n 3 q"],
    truth: Bool[Tensor, "n q"],
    known: Bool[Tensor, "n q"],
    *,
    steps: int,
    rate: float,
) -> Float[Tensor, " 2"]:
    """Fit the weights of the last two masks, from a third each.

    AdamW (eps 1e-4, weight decay 0.01) with cosine decay to 0, on the same images in every step:
    deterministic. The masks do not depend on the weights, so SAM is asked only once.

    Args:
        masks: logits of SAM's three masks in each of `n` images.
        truth: True inside the structure.
        known: False where a pixel does not count.
        steps: how many.
        rate: the largest learning rate.
    """
    weights = torch.full((2,), 1 / 3, device=masks.device, requires_grad=True)
    optimizer = torch.optim.AdamW([weights], lr=rate, eps=1e-4, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        loss = mask_loss(weighted(masks, weights.expand(len(masks), 2))[:, 0], truth, known)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return weights.detach()
