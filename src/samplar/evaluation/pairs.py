"""One class at a time out of two label arrays, cropped to where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import find_objects

from samplar.evaluation.overlap import Overlap, overlap
from samplar.evaluation.scores import Status
from samplar.evaluation.surface import SurfaceDistances, surface_distances
from samplar.types import VoxelLabels


@dataclass(frozen=True)
class ClassPair:
    """The masks of one class where either has voxels, and their voxel counts."""

    prediction: Bool[np.ndarray, "*box"]
    truth: Bool[np.ndarray, "*box"]
    labelled: Bool[np.ndarray, "*box"] | None
    overlap: Overlap

    @property
    def status(self) -> Status:
        """Say which of the two masks have voxels."""
        if self.overlap.true:
            return "scored" if self.overlap.predicted else "missed"
        return "false-positive" if self.overlap.predicted else "both-empty"

    def distances(self, spacing: Sequence[float]) -> SurfaceDistances:
        """Measure between the surfaces of the two masks, neither of them empty."""
        return surface_distances(
            self.prediction, self.truth, spacing=spacing, labelled=self.labelled
        )


def class_pairs(
    prediction: VoxelLabels,
    truth: VoxelLabels,
    labelled: Bool[np.ndarray, "x y z"],
    *,
    classes: int,
) -> list[ClassPair]:
    """Cut every class out of two label arrays, after removing the unlabelled voxels from both."""
    prediction, truth = (np.where(labelled, array, 0) for array in (prediction, truth))
    everywhere = bool(labelled.all())
    pairs = []
    for index, box in enumerate(_boxes(prediction, truth, classes=classes), start=1):
        masks = prediction[box] == index, truth[box] == index
        known = None if everywhere else labelled[box]
        pairs.append(ClassPair(*masks, labelled=known, overlap=overlap(*masks)))
    return pairs


def _boxes(prediction: VoxelLabels, truth: VoxelLabels, *, classes: int) -> list[tuple[slice, ...]]:
    """Return for each class the box around both its masks, with a rim of one voxel.

    Distances inside it are exact, because both surfaces lie inside it; the rim keeps the neighbours
    that decide what is border, and ends where the image does.
    """
    return [
        _around([box for box in pair if box is not None], axes=truth.ndim)
        for pair in zip(
            find_objects(prediction, classes), find_objects(truth, classes), strict=True
        )
    ]


def _around(boxes: list[tuple[slice, ...]], *, axes: int) -> tuple[slice, ...]:
    if not boxes:
        return (slice(0),) * axes
    return tuple(
        slice(max(min(side.start for side in sides) - 1, 0), max(side.stop for side in sides) + 1)
        for sides in zip(*boxes, strict=True)
    )
