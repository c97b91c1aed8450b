"""What the probabilities of a case add up to, slice by slice: all that is kept of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from samplar.evaluation.calibration import reach_of

SURE = 0.75
"""Pixels whose class is less probable than this are doubtful."""


@dataclass
class Doubt:
    """Sums over the pixels of each slice, for each class but the background.

    Args:
        temperature: what logits are divided by; the labels are the same with any.
        predicted: how many pixels were given the class.
        inside: the sum of its probability over those.
        total: the sum of its probability over the pixels near any that were given a class. Far
            from them a little probability on many pixels would outweigh the structure.
        doubtful: pixels near them whose class is not sure.
    """

    temperature: float = 1.0
    predicted: list[Integer[np.ndarray, " k"]] = field(default_factory=list)
    inside: list[Float[np.ndarray, " k"]] = field(default_factory=list)
    total: list[Float[np.ndarray, " k"]] = field(default_factory=list)
    doubtful: list[int] = field(default_factory=list)

    def add(self, logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
        """Take in the next slices; return their probabilities.

        Args:
            logits: of every class, background first.
        """
        shares = (logits / self.temperature).softmax(dim=1)
        classes = torch.arange(1, shares.shape[1], device=shares.device)[:, None, None]
        labels = logits.argmax(dim=1)
        for share, label, close in zip(shares, labels, _near(labels > 0), strict=True):
            given, each = label == classes, share[1:]
            self.predicted.append(given.sum(dim=(1, 2)).cpu().numpy())
            self.inside.append((each * given).sum(dim=(1, 2)).cpu().numpy())
            self.total.append((each * close).sum(dim=(1, 2)).cpu().numpy())
            self.doubtful.append(int(((share.gather(0, label[None]) < SURE) & close).sum()))
        return shares


def _near(foreground: Bool[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
    """Return the pixels at most a fiftieth of the longer side away in rows and in columns."""
    reach = reach_of(foreground.shape[-2], foreground.shape[-1])
    wide = F.max_pool2d(foreground[:, None].float(), (1, 2 * reach + 1), 1, (0, reach))
    return F.max_pool2d(wide, (2 * reach + 1, 1), 1, (reach, 0))[:, 0] > 0
