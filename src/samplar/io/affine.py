"""The map from voxel indices to millimetres, and the questions we ask of it."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np

from samplar.errors import InputError

SPACING_BOUNDS_MM = (0.01, 50.0)
"""Outside these a voxel size is a damaged header or another unit, not a medical image."""

_FLAT = 1e-3  # volume of the cell of unit axes below which the axes count as lying in one plane

# Rows run to posterior and columns to the left: a plain image already lies as a slice is displayed.
_PIXELS = np.array([[0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Affine:
    """Voxel indices to millimetres in RAS+ (x to the right, y to the front, z up).

    Args:
        matrix: (4, 4), copied to read-only float64.
        path: the file it came from, for the error line only.

    Raises:
        InputError: `io.affine` for a matrix that is not finite, not invertible or not an affine,
            `io.spacing` for a voxel size outside 0.01 to 50 mm.
    """

    matrix: np.ndarray
    path: InitVar[Path | None] = None

    def __post_init__(self, path: Path | None) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        _check(matrix, path)
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def pixels(cls) -> Affine:
        """Return the affine of a plain image: unit pixels, axis 0 the rows, axis 1 the columns."""
        return cls(_PIXELS)

    @classmethod
    def scaled(cls, spacing: tuple[float, float, float], *, path: Path | None = None) -> Affine:
        """Return unrotated axes in DICOM's directions (left, posterior, up) with this spacing."""
        return cls(np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]), path=path)

    @property
    def is_pixels(self) -> bool:
        """Whether this is the affine that `pixels` gives."""
        return bool(np.array_equal(self.matrix, _PIXELS))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along each voxel axis, in mm."""
        x, y, z = np.linalg.norm(_axes(self.matrix), axis=0)
        return float(x), float(y), float(z)

    @property
    def orientation(self) -> tuple[str, str, str]:
        """The direction each voxel axis runs towards, such as `("R", "A", "S")`."""
        x, y, z = nib.orientations.aff2axcodes(self.matrix)
        return x, y, z

    @property
    def shear_degrees(self) -> float:
        """How far the most skewed pair of axes is from a right angle, in degrees."""
        unit = _axes(self.matrix) / np.array(self.spacing)
        cosines = (unit.T @ unit)[np.triu_indices(3, 1)]
        return float(np.degrees(np.arcsin(np.abs(cosines))).max())

    def corners(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Return where the centres of the eight corner voxels lie, (8, 3) in mm."""
        return corners_of(self.matrix, shape)

    def distance(self, other: Affine, shape: tuple[int, int, int]) -> float:
        """Return how far apart the two put the same corner voxel, at worst, in mm."""
        gaps = self.corners(shape) - other.corners(shape)
        return float(np.linalg.norm(gaps, axis=1).max())

    def agrees_with(self, other: Affine, shape: tuple[int, int, int], tolerance_mm: float) -> bool:
        """Say whether both put every corner of a grid of this shape in the same place."""
        return self.distance(other, shape) <= tolerance_mm


def corners_of(matrix: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return where any (4, 4) matrix, even a useless one, puts the eight corner voxels, (8, 3)."""
    ends = np.array(list(product(*((0, size - 1) for size in shape))), dtype=np.float64)
    return ends @ _axes(matrix).T + matrix[:3, 3]


def _axes(matrix: np.ndarray) -> np.ndarray:
    """Return the step along each voxel axis, a column each, of a (4, 4) matrix."""
    return matrix[:3, :3]


def _check(matrix: np.ndarray, path: Path | None) -> None:
    resave = "Save the image again with its geometry from the source"
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        bad = int((~np.isfinite(matrix)).sum())
        problem = f"affine of shape {matrix.shape} with {bad} values that are not finite"
        raise InputError(problem, fix=resave, code="io.affine", path=path)
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        problem = f"last row of the affine is {matrix[3].tolist()} instead of [0, 0, 0, 1]"
        raise InputError(problem, fix=resave, code="io.affine", path=path)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        spacing = np.linalg.norm(_axes(matrix), axis=0)  # infinite if it overflows: refused below
        volume = abs(np.linalg.det(_axes(matrix) / spacing))
    low, high = SPACING_BOUNDS_MM
    if (spacing == 0).any() or volume < _FLAT:
        problem = f"affine is not invertible, its axes are {_axes(matrix).T.tolist()}"
        raise InputError(problem, fix=resave, code="io.affine", path=path)
    if (spacing < low).any() or (spacing > high).any():
        sizes = " x ".join(f"{size:g}" for size in spacing)
        problem = f"voxel size {sizes} mm is outside {low:g} to {high:g} mm"
        fix = "Correct the spacing in the header, in millimetres"
        raise InputError(problem, fix=fix, code="io.spacing", path=path)
