"""Voxels, labels and grids that are sound files and still no data to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import samplar
from fuzzing.images import png_bytes
from phantom_sets import ODD, volume, write_nifti
from PIL import Image
from refusals import SHAPE, choose, refused, small_set


def image_with(value: float, at: tuple[int, ...] = (1, 2, 3)) -> np.ndarray:
    grey = volume(0, SHAPE)[0].astype(np.float32)
    grey[at] = value
    return grey


def labels_with(*values: float, dtype: type = np.int32) -> np.ndarray:
    labels = volume(0, SHAPE)[1].astype(dtype)
    for number, value in enumerate(values):
        labels[0, 0, number] = value
    return labels


def turned(*signs: float) -> np.ndarray:
    return ODD @ np.diag([*signs, 1.0])


def moved(axis: int, by: float) -> np.ndarray:
    matrix = ODD.copy()
    matrix[axis, 3] += by
    return matrix


def stretched(axis: int, by: float) -> np.ndarray:
    matrix = ODD.copy()
    matrix[:, axis] *= by
    return matrix


IMAGES = [
    (image_with(np.nan), "io.nonfinite", "1 of 672 voxels"),
    (image_with(np.inf), "io.nonfinite", "(1, 2, 3)"),
    (image_with(-np.inf, (3, 13, 11)), "io.nonfinite", "(3, 13, 11)"),
    (image_with(np.nan, (2,)), "io.nonfinite", "168 of 672"),
    (np.full(SHAPE, np.nan, np.float32), "io.nonfinite", "672 of 672"),
    (np.stack([image_with(1)] * 2, axis=-1), "io.dimensions", "4D image"),
    (np.stack([image_with(1)] * 3, axis=-1)[..., None, :], "io.dimensions", "5D image"),
    (np.zeros((7,), np.int16), "io.dimensions", "1D"),
    (image_with(1)[:3], "io.grid", "4 x 14 x 12"),
    (image_with(1)[:, :13], "io.grid", "4 x 14 x 12"),
    (image_with(1).transpose(0, 2, 1), "io.grid", "4 x 12 x 14"),
]

LABELS = [
    (labels_with(7), "labels.undeclared", "7 (1 voxels)"),
    (labels_with(3, 5), "labels.undeclared", "3 (1 voxels), 5 (1 voxels)"),
    (labels_with(255), "labels.undeclared", "0/255 mask"),
    (labels_with(1000), "labels.undeclared", "1000 (1 voxels)"),
    (labels_with(65_535), "labels.undeclared", "65535"),
    (labels_with(65_536), "labels.range", "65536"),
    (labels_with(2**31 - 1), "labels.range", "2.14748e+09"),
    (labels_with(-1), "labels.range", "-1 (1 voxels)"),
    (labels_with(-1, -2), "labels.range", "-2 (1 voxels), -1 (1 voxels)"),
    (labels_with(-(2**62), dtype=np.int64), "labels.range", "-4.6"),
    (labels_with(2**63, dtype=np.uint64), "labels.range", "9.2"),
    (labels_with(0.5, dtype=np.float32), "labels.fraction", "0.5 (1 voxels)"),
    (labels_with(1.01, dtype=np.float64), "labels.fraction", "1.01"),
    (labels_with(np.nan, dtype=np.float32), "io.nonfinite", "1 of 672"),
    (labels_with(np.inf, dtype=np.float64), "io.nonfinite", "1 of 672"),
    (labels_with(1e30, dtype=np.float64), "labels.range", "1e+30"),
    (np.arange(672).reshape(SHAPE).astype(np.int16), "labels.undeclared", "not classes"),
    (image_with(1) + np.float32(0.3), "labels.fraction", "more values"),
]

GRIDS = [
    (turned(-1, 1, 1), "axes"),
    (turned(1, -1, 1), "axes"),
    (turned(1, 1, -1), "axes"),
    (ODD[[1, 0, 2, 3]], "axes"),
    (ODD[[2, 1, 0, 3]], "axes"),
    (np.diag([1.0, 1, 1, 1]), "spacing 1 x 1 x 1"),
    *((moved(axis, by), "origin") for axis in range(3) for by in (0.5, -200)),
    *((stretched(axis, by), "spacing") for axis in range(3) for by in (1.2, 0.5)),
]


def spoiled(tmp_path: Path, kind: str, array: np.ndarray, affine: np.ndarray = ODD) -> Path:
    data = small_set(tmp_path / "set")
    write_nifti(data / kind / "case0.nii.gz", array, affine)
    return data


@pytest.mark.parametrize(("array", "code", "words"), IMAGES, ids=range(len(IMAGES)))
def test_images(tmp_path, array, code, words):
    data = spoiled(tmp_path, "images", array)
    assert words in refused(choose(data), status=3, code=code, names="case0.nii.gz")


@pytest.mark.parametrize(("array", "code", "words"), LABELS, ids=range(len(LABELS)))
def test_labels(tmp_path, array, code, words):
    data = spoiled(tmp_path, "labels", array)
    assert words in refused(choose(data), status=3, code=code, names="labels/case0.nii.gz")


@pytest.mark.parametrize(("affine", "words"), GRIDS, ids=range(len(GRIDS)))
def test_a_label_map_elsewhere_than_its_image(tmp_path, affine, words):
    data = spoiled(tmp_path, "labels", volume(0, SHAPE)[1], affine)
    line = refused(choose(data), status=3, code="io.grid", names="labels/case0.nii.gz")
    assert words in line
    assert "images/case0.nii.gz" in line


@pytest.mark.parametrize(("affine", "words"), GRIDS[::4])
def test_a_prediction_elsewhere_than_its_truth(tmp_path, affine, words):
    data = small_set(tmp_path / "set")
    write_nifti(tmp_path / "out" / "case0.nii.gz", volume(0, SHAPE)[1], affine)
    ran = samplar("evaluate", tmp_path / "out", data)
    assert words in refused(ran, status=3, code="io.grid", names="case0.nii.gz")


def colour_mask(path: Path) -> None:
    path.write_bytes(png_bytes(np.random.default_rng(0).integers(0, 9, (14, 12, 3), np.uint8)))


def grey_in_three(path: Path) -> None:
    path.write_bytes(png_bytes(np.ones((14, 12, 3), np.uint8)))


def jpeg(path: Path) -> None:
    Image.fromarray(np.ones((14, 12), np.uint8)).save(path, "JPEG")


def smaller(path: Path) -> None:
    path.write_bytes(png_bytes(np.ones((14, 11), np.uint8)))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (colour_mask, "labels.colours"),
        (grey_in_three, "labels.colours"),
        (jpeg, "labels.jpeg"),
        (smaller, "io.grid"),
    ],
)
def test_masks_that_are_pictures(tmp_path, spoil, code):
    data = tmp_path / "set"
    for place in ("images", "labels"):
        (data / place).mkdir(parents=True)
        (data / place / "case0.png").write_bytes(png_bytes(np.ones((14, 12), np.uint8)))
    spoil(data / "labels" / "case0.png")
    refused(choose(data), status=3, code=code, names="labels/case0.png")
