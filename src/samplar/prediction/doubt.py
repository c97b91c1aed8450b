"""What the probabilities of a case add up to, slice by slice: all that is kept of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

SURE = 0.75
"""Pixels whose class is less probable than this are doubtful."""


@dataclass
class Doubt:
    """Sums over the pixels of each slice, for each class but the background.

    Args:
        temperature: what logits are divided by; the labels are the same with any.
        predicted: how many pixels were given the class.
        inside: the sum of its probability over those.
        total: the sum of its probability over all pixels.
        doubtful: pixels of the slice whose class is not sure.
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
        for share, label in zip(shares, logits.argmax(dim=1), strict=True):
            given, each = label == classes, share[1:]
            self.predicted.append(given.sum(dim=(1, 2)).cpu().numpy())
            self.inside.append((each * given).sum(dim=(1, 2)).cpu().numpy())
            self.total.append(each.sum(dim=(1, 2)).cpu().numpy())
            self.doubtful.append(int((share.gather(0, label[None]) < SURE).sum()))
        return shares
