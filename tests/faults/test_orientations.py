"""1,440 round trips: 240 grids, three data types, labels read back by two readers; no flip."""

from __future__ import annotations

from itertools import permutations, product

import nibabel
import numpy as np
import pytest

from samplar.io import nifti
from samplar.io.slicing import slicing_of

SHAPE = (4, 6, 8)
TURNS = [
    (0, (1.0, 1.0, 1.0)),
    (15, (0.7, 1.3, 2.9)),
    (44, (0.3, 0.3, 6.0)),
    (46, (5.0, 0.5, 0.5)),
    (89, (0.4, 3.1, 0.9)),
]
CORNERS_MM = 1e-4


def grids(degrees: float, spacing: tuple[float, float, float]) -> list[np.ndarray]:
    """Return the 48 ways to lay three axes, each then turned about two of them."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    made = []
    for order, signs in product(permutations(range(3)), product((-1, 1), repeat=3)):
        matrix = np.eye(4)
        matrix[:3, :3] = about_z @ about_x @ (np.eye(3)[:, order] * (np.array(signs) * spacing))
        matrix[:3, 3] = [11.5, -222.25, 1033.125]
        made.append(matrix)
    return made


def places(matrix: np.ndarray) -> np.ndarray:
    """Return where every voxel lies, (x, y, z, 3) in mm."""
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def octants(where: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Label voxels 0 to 7 by the side of the centre they lie on, right, front and up."""
    return ((where > centre) * [1, 2, 4]).sum(axis=-1).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize(("degrees", "spacing"), TURNS)
def test_labels_lie_where_the_image_lies(tmp_path, degrees, spacing, dtype):
    trips = 0
    image = np.random.default_rng(0).integers(0, 200, SHAPE).astype(dtype)
    for matrix in grids(degrees, spacing):
        made = nibabel.Nifti1Image(image, matrix)
        made.header.set_xyzt_units("mm")
        nibabel.save(made, tmp_path / "in.nii")
        where = places(nibabel.load(tmp_path / "in.nii").affine)
        centre = where.reshape(-1, 3).mean(axis=0) + 1e-3  # off the voxels of straight grids
        volume = nifti.read(tmp_path / "in.nii")
        assert np.array_equal(volume.array[0], image)
        expected = octants(where, centre)
        for plane in ("axial", "coronal", "sagittal"):
            slicing = slicing_of(volume, plane)
            predicted = slicing.stack(np.ascontiguousarray(slicing.cut(expected)))
            assert np.array_equal(predicted, expected)
        nifti.write_labels(tmp_path / "out.nii", predicted, volume)
        theirs = nibabel.load(tmp_path / "out.nii")
        ours = nifti.read_labels(tmp_path / "out.nii")
        for found, affine in (
            (np.asarray(theirs.dataobj), theirs.affine),
            (ours.array, ours.affine.matrix),
        ):
            again = places(affine)
            assert np.abs(again - where).max() < CORNERS_MM
            assert np.array_equal(found, octants(again, centre))
            trips += 1
    assert trips == 48 * 2
