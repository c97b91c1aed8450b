"""Small data sets on disk, made by independent libraries (Pillow, nibabel, numpy)."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image


class Files:
    """Writes files below a data set folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def text(self, name: str, text: str) -> Path:
        path = self._path(name)
        path.write_text(text, encoding="utf-8")
        return path

    def json(self, name: str, document: object) -> Path:
        return self.text(name, json.dumps(document))

    def png(self, name: str, array: object) -> Path:
        path = self._path(name)
        Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path)
        return path

    def nifti(
        self, name: str, array: np.ndarray, spacing: tuple[float, float, float] = (1, 1, 3)
    ) -> Path:
        path = self._path(name)
        image = nibabel.Nifti1Image(array, np.diag([*spacing, 1.0]))
        image.header.set_xyzt_units("mm")
        image.set_qform(image.affine, 1)
        image.set_sform(image.affine, 1)
        nibabel.save(image, path)
        return path

    def npz(self, name: str, **arrays: np.ndarray) -> Path:
        path = self._path(name)
        np.savez_compressed(path, **arrays)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "liver set")


@pytest.fixture
def flat(files: Files) -> Files:
    """Three 4 x 6 PNG images of the subjects ann, ann and bob; classes 1 and 3."""
    generator = np.random.default_rng(0)
    for i, name in enumerate(("a_1", "a_2", "b_1")):
        files.png(f"images/{name}.png", generator.integers(0, 200, (4, 6)))
        label = np.zeros((4, 6))
        label[0, : i + 1] = 1
        label[3, :2] = 3 if name == "b_1" else 0
        files.png(f"labels/{name}.png", label)
    files.text("index.csv", "file,subject\na_1.png,ann\na_2.png,ann\nb_1.png,bob\n")
    return files


@pytest.fixture
def nnunet(files: Files) -> Files:
    """Two volumes of 4 x 5 x 6, sequences T1 and T2, classes 1 and 2 and an ignore value."""
    generator = np.random.default_rng(1)
    files.json(
        "dataset.json",
        {
            "channel_names": {"1": "T2", "0": "T1"},
            "labels": {"background": 0, "oedema": 2, "core": 1, "ignore": 3},
            "file_ending": ".nii.gz",
        },
    )
    for case in ("p2", "p1"):
        for number in range(2):
            image = generator.integers(0, 1000, (4, 5, 6)).astype(np.int16)
            files.nifti(f"imagesTr/{case}_000{number}.nii.gz", image)
        label = np.zeros((4, 5, 6), dtype=np.uint8)
        label[0, 0, 0], label[1, :2, 0], label[2, 2, 4] = 1, 2, 3
        files.nifti(f"labelsTr/{case}.nii.gz", label)
    return files
