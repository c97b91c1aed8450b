"""The batch that synthesis makes and training eats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from samplar.errors import InputError


@dataclass(frozen=True)
class Samples:
    """Square labelled images on one device.

    Args:
        images: (n, 3, s, s) float32 in [0, 1], or (n, 3 d, s, s): d neighbouring slices, one after
            another along the channels, of which the one in the middle is labelled.
        labels: (n, s, s) uint8 class indices, 0 background, 255 not labelled.
        valid: (n, s, s) bool, False in the padding.

    Raises:
        InputError: `samples.shape` or `samples.type` when the three do not fit together.
    """

    images: Tensor
    labels: Tensor
    valid: Tensor

    def __post_init__(self) -> None:
        n, side = len(self.images), self.images.shape[-1]
        found = [tuple(t.shape) for t in (self.images, self.labels, self.valid)]
        channels = self.images.shape[1] if self.images.ndim == 4 else 0
        whole = channels > 0 and channels % 3 == 0
        if not whole or found != [(n, channels, side, side), (n, side, side), (n, side, side)]:
            raise InputError(
                f"images, labels and valid have shapes {found[0]}, {found[1]} and {found[2]}",
                fix="Give (n, 3, s, s), (n, s, s) and (n, s, s)",
                code="samples.shape",
            )
        types = (self.images.dtype, self.labels.dtype, self.valid.dtype)
        if types != (torch.float32, torch.uint8, torch.bool):
            raise InputError(
                f"images, labels and valid are {types[0]}, {types[1]} and {types[2]}",
                fix="Give float32, uint8 and bool",
                code="samples.type",
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return self.images.shape[-1]

    def first(self, count: int) -> Samples:
        """Return the first of them."""
        return Samples(self.images[:count], self.labels[:count], self.valid[:count])
