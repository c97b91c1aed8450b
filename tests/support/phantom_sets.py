"""Small labelled data sets on disk in every layout, written by independent libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

CASES = 3
ODD = np.array([[0, 0, -1.1, 20], [0, 0.9, 0, -30], [3.5, 0, 0, 5], [0, 0, 0, 1]])
"""File axes run up, forward, left; 3.5 mm slices of 0.9 x 1.1 mm pixels."""


def volume(case: int, shape: tuple[int, int, int] = (6, 30, 26)) -> tuple[np.ndarray, np.ndarray]:
    """Return grey values int16 and labels uint8: a bright ball (1) and a darker slab (2)."""
    _, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    labels = np.zeros(shape, dtype=np.uint8)
    labels[(x - 12 - case) ** 2 + (y - 18) ** 2 < 40] = 1
    labels[(y < 6) & (x > 4)] = 2
    noise = np.random.default_rng(case).normal(100, 10, shape)
    return (noise + 250 * (labels == 1) + 120 * (labels == 2)).astype(np.int16), labels


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray = ODD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nibabel.save(image, path)
    return path


def nifti(root: Path) -> Path:
    """images/ and labels/ of volumes with odd axes and thick slices."""
    for case in range(CASES):
        grey, labels = volume(case)
        write_nifti(root / "images" / f"case{case}.nii.gz", grey)
        write_nifti(root / "labels" / f"case{case}.nii.gz", labels)
    (root / "label_names.json").write_text(json.dumps({"1": "ball", "2": "slab"}))
    return root


def pngs(root: Path) -> Path:
    """images/ of RGB and labels/ of grey PNG."""
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    for case in range(CASES):
        grey, labels = (array[0] for array in volume(case))
        colour = np.stack([grey // 2, 200 - grey // 3, grey // 4], axis=-1).clip(0, 255)
        Image.fromarray(colour.astype(np.uint8)).save(root / "images" / f"case{case}.png")
        Image.fromarray(labels).save(root / "labels" / f"case{case}.png")
    (root / "label_names.json").write_text(json.dumps({"1": "ball", "2": "slab"}))
    return root


def npz(root: Path) -> Path:
    """MedSAM archives with imgs, gts and spacing."""
    root.mkdir(parents=True)
    for case in range(CASES):
        grey, labels = volume(case)
        np.savez_compressed(
            root / f"case{case}.npz",
            imgs=(grey // 2).clip(0, 255).astype(np.uint8),
            gts=labels,
            spacing=np.array([0.9, 1.1, 3.5]),
        )
    return root


def nnunet(root: Path) -> Path:
    """nnU-Net raw with two sequences."""
    for case in range(CASES):
        grey, labels = volume(case)
        write_nifti(root / "imagesTr" / f"case{case}_0000.nii.gz", grey)
        write_nifti(root / "imagesTr" / f"case{case}_0001.nii.gz", 500 - grey)
        write_nifti(root / "labelsTr" / f"case{case}.nii.gz", labels)
    described = {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "ball": 1, "slab": 2},
        "numTraining": CASES,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(described))
    return root


def split_of(root: Path) -> Path:
    """A split with case0 and case1 in the pool and case2 in the test."""
    path = root.parent / "splits.json"
    sides = {"pool": ["case0", "case1"], "test": ["case2"]}
    path.write_text(json.dumps({root.name: sides}))
    return path


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "nifti": nifti,
    "png": pngs,
    "npz": npz,
    "nnunet": nnunet,
}
