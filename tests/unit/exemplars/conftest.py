"""A data set of volumes with known grey values and labels, written by nibabel."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from samplar.io.dataset import Dataset, read_dataset


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, np.diag([2.0, 1.0, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two subjects with volumes of 4 x 6 x 5; the grey value of a voxel is 10 x + y + 100 z."""
    x, y, z = np.meshgrid(range(4), range(6), range(5), indexing="ij")
    for case in ("ann", "bob"):
        write(tmp_path / f"heart/images/{case}.nii.gz", (10 * x + y + 100 * z).astype(np.int16))
        labels = np.zeros((4, 6, 5), dtype=np.uint8)
        labels[1:3, 2:5, 1] = 1
        labels[3, 5, 2] = 2
        if case == "bob":
            labels[0, 0, 2] = 1
        write(tmp_path / f"heart/labels/{case}.nii.gz", labels)
    return tmp_path / "heart"


@pytest.fixture
def dataset(root: Path) -> Dataset:
    return read_dataset(root)
