"""How much two masks share: voxel counts, and Dice and IoU from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool


@dataclass(frozen=True)
class Overlap:
    """The voxel counts of two masks and of what they share."""

    shared: int
    predicted: int
    true: int

    @property
    def dsc(self) -> float:
        """Dice x 100, `200 |P and T| / (|P| + |T|)`; at least one mask must have voxels."""
        return 200.0 * self.shared / (self.predicted + self.true)

    @property
    def iou(self) -> float:
        """Intersection over union x 100; at least one mask must have voxels."""
        return 100.0 * self.shared / (self.predicted + self.true - self.shared)


def overlap(prediction: Bool[np.ndarray, "*grid"], truth: Bool[np.ndarray, "*grid"]) -> Overlap:
    """Count the voxels of two masks of one shape."""
    return Overlap(
        shared=int(np.count_nonzero(prediction & truth)),
        predicted=int(np.count_nonzero(prediction)),
        true=int(np.count_nonzero(truth)),
    )
