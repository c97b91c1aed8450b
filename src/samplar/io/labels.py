"""The classes of a data set: names, the values the files use, and the contiguous indices we use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from samplar.errors import InputError
from samplar.io.admission import explain_mask_values
from samplar.io.wording import few
from samplar.types import IGNORE

MAX_CLASSES = 64


@dataclass(frozen=True)
class LabelSet:
    """Foreground classes in order: class index `i + 1` is `names[i]` and file value `values[i]`.

    Args:
        names: one name per foreground class.
        values: the value each class has in the label files, distinct and positive.
        ignore: the value that marks "not labelled" in the files, if they have one.
        merged: further file values, each with the index of the class it counts as; 0: background.
            They are read, never written.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    ignore: int | None = None
    merged: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def indices(self) -> dict[int, int]:
        """The index that each value of a label file becomes."""
        found = {0: 0, **{value: i for i, value in enumerate(self.values, start=1)}}
        if self.ignore is not None:
            found[self.ignore] = IGNORE
        return found | dict(self.merged)

    @property
    def known(self) -> set[int]:
        """The values a label file may hold."""
        return set(self.indices)

    def check_values(self, counts: Mapping[int, int], *, path: str | None = None) -> None:
        """Refuse values that are not declared, given how many voxels have each.

        Raises:
            InputError: `labels.undeclared`, listing the undeclared values with their voxel counts.
        """
        strange = {value: count for value, count in counts.items() if value not in self.known}
        if strange:
            listing = few([f"{value} ({count} voxels)" for value, count in strange.items()])
            declared = ", ".join(map(str, sorted(self.known)))
            raise InputError(
                f"label values not declared: {listing}; declared are {declared}",
                fix=explain_mask_values(list(strange), list(strange.values())),
                code="labels.undeclared",
                path=path,
            )

    def to_indices(self, array: np.ndarray, *, path: str | None = None) -> np.ndarray:
        """Turn file values into class indices (uint8, same shape).

        Raises:
            InputError: `labels.undeclared`, see `check_values`.
        """
        self.check_values(count_values(array), path=path)
        table = np.zeros(max(self.known) + 1, dtype=np.uint8)
        for value, index in self.indices.items():
            table[value] = index
        return table[array]

    def to_values(self, indices: np.ndarray) -> np.ndarray:
        """Turn class indices back into file values, in the smallest type that holds them."""
        dtype = np.min_scalar_type(max((*self.values, self.ignore or 0)))
        table = np.zeros(256, dtype=dtype)
        table[1 : len(self) + 1] = self.values
        if self.ignore is not None:
            table[IGNORE] = self.ignore
        return table[indices]


def count_values(array: np.ndarray) -> dict[int, int]:
    """Return how many voxels of an integer array have each value, in ascending order."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < 0 or high > 65_535:
        values, counts = np.unique(array, return_counts=True)
        return {int(v): int(n) for v, n in zip(values, counts, strict=True)}
    totals = np.zeros(high + 1, dtype=np.int64)
    for slab in array:  # slab by slab: the count of a whole volume would need 8 bytes a voxel more
        counts = np.bincount(slab.ravel())
        totals[: len(counts)] += counts
    return {int(value): int(totals[value]) for value in np.flatnonzero(totals)}
