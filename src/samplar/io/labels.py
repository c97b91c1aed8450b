"""The classes of a data set: names, the values the files use, and the contiguous indices we use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samplar.errors import InputError
from samplar.io.admission import explain_mask_values

IGNORE = 255
"""Class index of a pixel that nobody labelled. Never trained on, never scored."""

MAX_CLASSES = 64


@dataclass(frozen=True)
class LabelSet:
    """Foreground classes in order: class index `i + 1` is `names[i]` and file value `values[i]`.

    Args:
        names: one name per foreground class.
        values: the value each class has in the label files, distinct and positive.
        ignore: the value that marks "not labelled" in the files, if they have one.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    ignore: int | None = None

    def __len__(self) -> int:
        return len(self.values)

    def to_indices(self, array: np.ndarray, *, path: str | None = None) -> np.ndarray:
        """Turn file values into class indices (uint8, same shape).

        Raises:
            InputError: `labels.undeclared`, listing every undeclared value with its voxel count.
        """
        found, counts = np.unique(array, return_counts=True)
        known = {0, *self.values} | ({self.ignore} if self.ignore is not None else set())
        strange = {int(v): int(n) for v, n in zip(found, counts, strict=True) if v not in known}
        if strange:
            listing = ", ".join(f"{value} ({count} voxels)" for value, count in strange.items())
            declared = ", ".join(map(str, sorted(known)))
            raise InputError(
                f"label values not declared: {listing}; declared are {declared}",
                fix=explain_mask_values(list(strange), list(strange.values())),
                code="labels.undeclared",
                path=path,
            )
        indices = np.zeros(array.shape, dtype=np.uint8)
        for index, value in enumerate(self.values, start=1):
            indices[array == value] = index
        if self.ignore is not None:
            indices[array == self.ignore] = IGNORE
        return indices

    def to_values(self, indices: np.ndarray) -> np.ndarray:
        """Turn class indices back into file values, in the smallest type that holds them."""
        dtype = np.min_scalar_type(max((*self.values, self.ignore or 0)))
        table = np.zeros(256, dtype=dtype)
        table[1 : len(self) + 1] = self.values
        if self.ignore is not None:
            table[IGNORE] = self.ignore
        return table[indices]
