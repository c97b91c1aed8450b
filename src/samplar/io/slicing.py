"""Volumes to stacks of slices as a radiologist sees them, and exactly back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import nibabel as nib
import numpy as np

from samplar.io.affine import Affine
from samplar.io.volume import LabelVolume, Volume

Plane = Literal["axial", "coronal", "sagittal"]

# The anatomical axes (0 right, 1 front, 2 up) that slices, rows and columns run along. Rows go from
# front to back or from top to bottom, columns from the patient's right to left or from front to
# back: always against the anatomical axis.
_AXES: dict[Plane, tuple[int, int, int]] = {
    "axial": (2, 1, 0),
    "coronal": (1, 2, 0),
    "sagittal": (0, 2, 1),
}

_THICK = 2.0


@dataclass(frozen=True)
class Slicing:
    """How a volume is cut: which voxel axis is which in a slice, and which are turned round.

    Args:
        plane: the anatomical plane closest to the slices.
        axis: the voxel axis (0, 1, 2) slices are numbered along, in file order.
        rows: the voxel axis that becomes the rows of a slice.
        columns: the voxel axis that becomes the columns.
        flip_rows: whether rows run against the file order.
        flip_columns: whether columns do.
        pixel_spacing: (row, column) distance of neighbouring pixels, in the volume's unit.
        slice_spacing: distance of neighbouring slices.
    """

    plane: Plane
    axis: int
    rows: int
    columns: int
    flip_rows: bool
    flip_columns: bool
    pixel_spacing: tuple[float, float]
    slice_spacing: float

    def cut(self, array: np.ndarray) -> np.ndarray:
        """Return the slices (n, ..., h, w) of a volume (..., x, y, z), as a view."""
        lead = array.ndim - 3
        turned = array.transpose(
            lead + self.axis, *range(lead), lead + self.rows, lead + self.columns
        )
        return self._flip(turned)

    def stack(self, slices: np.ndarray) -> np.ndarray:
        """Return the volume (..., x, y, z) of slices (n, ..., h, w), as a view: undoes `cut`."""
        lead = slices.ndim - 3
        place = {self.axis: 0, self.rows: slices.ndim - 2, self.columns: slices.ndim - 1}
        return self._flip(slices).transpose(*range(1, lead + 1), place[0], place[1], place[2])

    def _flip(self, slices: np.ndarray) -> np.ndarray:
        rows = slice(None, None, -1 if self.flip_rows else 1)
        columns = slice(None, None, -1 if self.flip_columns else 1)
        return slices[..., rows, columns]


def slicing_of(grid: Volume | LabelVolume, plane: Plane) -> Slicing:
    """Return how to cut a volume along the voxel axis closest to a plane's normal.

    A plain image is one slice, left as it is, whatever the plane.
    """
    wanted: Plane = "axial" if grid.is_raster else plane
    closest = nib.orientations.io_orientation(grid.affine.matrix)
    axis, rows, columns = (int(np.flatnonzero(closest[:, 0] == a)[0]) for a in _AXES[wanted])
    return Slicing(
        plane=wanted,
        axis=axis,
        rows=rows,
        columns=columns,
        flip_rows=bool(closest[rows, 1] > 0),
        flip_columns=bool(closest[columns, 1] > 0),
        pixel_spacing=(grid.spacing[rows], grid.spacing[columns]),
        slice_spacing=grid.spacing[axis],
    )


def choose_plane(affines: Sequence[Affine]) -> Plane:
    """Return the plane most volumes were scanned in.

    That is the plane of the thin direction if one spacing is at least twice both others, else
    axial. Ties go to axial, then coronal.
    """
    votes = Counter(_plane_of(affine) for affine in affines)
    return max(get_args(Plane), key=lambda plane: votes[plane])


def _plane_of(affine: Affine) -> Plane:
    spacing = affine.spacing
    thick = int(np.argmax(spacing))
    others = [size for axis, size in enumerate(spacing) if axis != thick]
    if spacing[thick] < _THICK * max(others):
        return "axial"
    normal = int(nib.orientations.io_orientation(affine.matrix)[thick, 0])
    return next(plane for plane, axes in _AXES.items() if axes[0] == normal)


def neighbours(number: int, count: int, *, around: int) -> list[int]:
    """Return the numbers of the slices around one, itself in the middle.

    Beyond the ends of the volume its first and last slice are repeated.
    """
    return [min(max(n, 0), count - 1) for n in range(number - around, number + around + 1)]
