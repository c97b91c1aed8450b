"""What every reader returns: an image or a label map with its geometry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from samplar.io.affine import Affine

Unit = Literal["mm", "px"]
"""px: the grid has no trustworthy size (plain images, npz without spacing, headers left blank)."""


@dataclass(frozen=True)
class NiftiHeader:
    """The header of the file read, so that labels can be written with the same geometry.

    Args:
        raw: the bytes of the fixed header (348 for NIfTI-1, 540 for NIfTI-2).
        version: 1 or 2.
    """

    raw: bytes
    version: Literal[1, 2]


@dataclass(frozen=True, eq=False)
class Volume:
    """An image: one or more channels on one voxel grid.

    Args:
        array: (c, x, y, z) in the file's own dtype. A plain image of height H and width W is
            (c, H, W, 1).
        affine: voxel indices to mm, or to pixels if `unit` is px.
        unit: whether `affine` can be trusted to be in mm.
        sources: the files it was read from, one for each channel or one for all.
        header: for NIfTI only.
        notes: one line for each thing about the file that the user should hear of.
    """

    array: np.ndarray
    affine: Affine
    unit: Unit
    sources: tuple[Path, ...]
    header: NiftiHeader | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = self.array.shape[-3:]
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along x, y and z, in `unit`."""
        return self.affine.spacing

    @property
    def is_raster(self) -> bool:
        """Whether this is a plain image (PNG, JPEG, TIFF, 2D npz) and not a volume."""
        return self.unit == "px" and self.affine.is_pixels


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """A label map as stored: integer file values, not yet class indices.

    Args:
        array: (x, y, z) of any integer dtype, values 0 to 65 535.
        affine: as for `Volume`.
        unit: as for `Volume`.
        source: the file it was read from.
        notes: as for `Volume`.
    """

    array: np.ndarray
    affine: Affine
    unit: Unit
    source: Path
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = self.array.shape
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along x, y and z, in `unit`."""
        return self.affine.spacing

    @property
    def is_raster(self) -> bool:
        """Whether this is a plain image and not a volume."""
        return self.unit == "px" and self.affine.is_pixels
