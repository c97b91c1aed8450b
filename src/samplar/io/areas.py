"""How many pixels each class has in each slice."""

from __future__ import annotations

import numpy as np


def areas_per_slice(indices: np.ndarray, axis: int, classes: int) -> np.ndarray:
    """Count pixels: (x, y, z) small integers to (n, classes + 1), slices along an axis first.

    Column 0 counts index 0; indices above `classes`, such as 255 for not labelled, are not counted.
    """
    slices = np.moveaxis(indices, axis, 0)
    areas = np.empty((len(slices), classes + 1), dtype=np.int64)
    for number, one in enumerate(slices):
        areas[number] = np.bincount(one.ravel(), minlength=classes + 1)[: classes + 1]
    return areas
