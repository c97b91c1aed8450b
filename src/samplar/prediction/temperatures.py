"""Two temperatures: one near what a model found in a slice, one for all the rest of it.

Where a model finds something it errs, and is too sure of it; far from that there is background, and
it is right. One temperature (Guo et al. 2017, arXiv 1706.04599, section 4.2) for both is too high
for the one or too low for the other. Where a pixel lies is known from the prediction alone, and
neither temperature changes a label.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from samplar.evaluation.calibration import reach_of
from samplar.evaluation.trust import Calibration


@dataclass(frozen=True)
class Temperatures:
    """What logits are divided by.

    Args:
        near: at pixels near any that were given a class.
        far: at all others.
    """

    near: float = 1.0
    far: float = 1.0

    @classmethod
    def of(cls, calibration: Calibration) -> Temperatures:
        """Return those of an adapter."""
        near, far = calibration.temperature, calibration.far
        return cls(near, near if far is None else far)

    def probabilities(
        self, logits: Float[Tensor, "b k h w"], close: Bool[Tensor, "b h w"]
    ) -> Float[Tensor, "b k h w"]:
        """Return the softmax of logits that were divided by them.

        Args:
            logits: of every class, background first.
            close: the pixels that are near, as `near_found` says.
        """
        return (logits / torch.where(close, self.near, self.far)[:, None]).softmax(dim=1)


def near_found(found: Bool[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
    """Return the pixels near any that were given a class.

    Near is at most a fiftieth of the longer side of the slice, in rows and in columns.
    """
    reach = reach_of(found.shape[-2], found.shape[-1])
    wide = F.max_pool2d(found[:, None].float(), (1, 2 * reach + 1), 1, (0, reach))
    return F.max_pool2d(wide, (2 * reach + 1, 1), 1, (reach, 0))[:, 0] > 0
