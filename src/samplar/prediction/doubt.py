"""What the probabilities of a case add up to, slice by slice: all that is kept of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.prediction.temperatures import Temperatures, near_found

SURE = 0.75
"""Pixels whose class is less probable than this are doubtful."""


@dataclass
class Doubt:
    """Sums over the pixels of each slice, for each class but the background.

    Args:
        temperatures: what logits are divided by; the labels are the same with any.
        predicted: how many pixels were given the class.
        inside: the sum of its probability over those.
        total: the sum of its probability over the pixels near any that were given a class. Far
            from them a little probability on many pixels would outweigh the structure.
        doubtful: pixels near them whose class is not sure.
    """

    temperatures: Temperatures = field(default_factory=Temperatures)
    predicted: list[Integer[np.ndarray, " k"]] = field(default_factory=list)
    inside: list[Float[np.ndarray, " k"]] = field(default_factory=list)
    total: list[Float[np.ndarray, " k"]] = field(default_factory=list)
    doubtful: list[int] = field(default_factory=list)

    def add(self, logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
        """Take in the next slices; return their probabilities.

        Args:
            logits: of every class, background first.
        """
        labels = logits.argmax(dim=1)
        near = near_found(labels > 0)
        shares = self.temperatures.probabilities(logits, near)
        classes = torch.arange(1, shares.shape[1], device=shares.device)[:, None, None]
        for share, label, close in zip(shares, labels, near, strict=True):
            given, each = label == classes, share[1:]
            self.predicted.append(given.sum(dim=(1, 2)).cpu().numpy())
            self.inside.append((each * given).sum(dim=(1, 2)).cpu().numpy())
            self.total.append((each * close).sum(dim=(1, 2)).cpu().numpy())
            self.doubtful.append(int(((share.gather(0, label[None]) < SURE) & close).sum()))
        return shares
