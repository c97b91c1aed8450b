"""What may be done to a prediction afterwards; off unless asked for."""

from __future__ import annotations

import numpy as np
from jaxtyping import Integer


def keep_largest(
    labels: Integer[np.ndarray, "x y z"], classes: int
) -> tuple[Integer[np.ndarray, "x y z"], dict[int, int]]:
    """Keep the largest connected part of each class; the rest becomes background.

    Parts touch over faces (6 neighbours). A class that is present stays present.

    Returns:
        The new labels, and the voxels removed per class.
    """
    from scipy import ndimage  # late: a quarter of a second of start-up that few runs need

    kept = labels.copy()
    removed: dict[int, int] = {}
    for index in range(1, classes + 1):
        parts, count = ndimage.label(labels == index)
        if count < 2:
            continue
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        drop = (parts > 0) & (parts != int(sizes.argmax()))
        kept[drop] = 0
        removed[index] = int(drop.sum())
    return kept, removed
