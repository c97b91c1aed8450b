"""One door to all file formats: what a file is decides who reads it, what was read who writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from samplar.errors import InputError
from samplar.io import nifti, npz, raster
from samplar.io.admission import check_grid, kind_of
from samplar.io.content import read_head
from samplar.io.names import stem_of, suffix_of
from samplar.io.volume import LabelVolume, Volume

__all__ = [
    "IMAGE_SUFFIXES",
    "label_name",
    "read_image",
    "read_labels",
    "read_probabilities",
    "stem_of",
    "suffix_of",
    "write_labels",
    "write_probabilities",
]

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npz")
"""Suffixes of files that may hold an image. The content decides, not the suffix."""


_RASTER_LABELS = {False: ".png", True: ".tif"}


def read_image(paths: Sequence[Path]) -> Volume:
    """Read one image; several one-channel files on the same grid become its channels.

    Raises:
        InputError: `io.channels` or `io.grid` for files that do not belong together, and those of
            `samplar.io.admission` and the reader of the format.
    """
    volumes = [_read_one(path) for path in paths]
    first = volumes[0]
    if len(volumes) == 1:
        return first
    for other in volumes:
        _check_sequence(first, other)
    return Volume(
        np.concatenate([volume.array for volume in volumes]),
        first.affine,
        first.unit,
        tuple(paths),
        first.header,
        tuple(note for volume in volumes for note in volume.notes),
    )


def read_labels(path: Path) -> LabelVolume:
    """Read a label map with the values the file holds.

    Raises:
        InputError: those of `samplar.io.admission` and the reader of the format.
    """
    kind = kind_of(read_head(path), path)
    if kind in ("nifti", "gzip"):
        return nifti.read_labels(path)
    return npz.read_labels(path) if kind == "zip" else raster.read_labels(path)


def label_name(like: Volume, stem: str, *, top: int = 0) -> str:
    """Return the file name for labels of this image (`top` is the largest value to be written).

    NIfTI is answered by `.nii.gz` (`.nii` if the input was), npz by npz, a plain image by PNG, or
    by TIFF once values pass 255.
    """
    own = suffix_of(like.sources[0]) if like.sources else ""
    if own == ".npz":
        return f"{stem}.npz"
    if like.is_raster:
        return f"{stem}{_RASTER_LABELS[top > 255]}"
    return f"{stem}{'.nii' if own == '.nii' else '.nii.gz'}"


def write_labels(path: Path, values: np.ndarray, like: Volume) -> Path:
    """Write label values (x, y, z) on the grid of the image, and read them back.

    Returns:
        The file written: `path`, with the suffix that `label_name` gives.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    target = path.with_name(label_name(like, _base(path), top=int(values.max(initial=0))))
    if suffix_of(target) == ".npz":
        npz.write_labels(target, values, like)
    elif like.is_raster:
        raster.write_labels(target, values)
    else:
        nifti.write_labels(target, values, like)
    return target


def write_probabilities(path: Path, probabilities: np.ndarray, like: Volume) -> Path:
    """Write class probabilities (k+1, x, y, z), background first, and read them back.

    Returns:
        The file written: 4D float32 NIfTI (x, y, z, k+1) for NIfTI, an npz with `probabilities`
        in the input's own axis order and dtype otherwise.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    target = path.with_name(label_name(like, _base(path)))
    if like.is_raster or suffix_of(target) == ".npz":
        target = target.with_suffix(".npz")
        npz.write_probabilities(target, probabilities, like)
    else:
        nifti.write_probabilities(target, probabilities, like)
    return target


def read_probabilities(path: Path, like: Volume, *, classes: int) -> np.ndarray:
    """Read class probabilities (k+1, x, y, z), background first, on the grid of an image.

    Args:
        path: a file that `write_probabilities` wrote.
        like: the image they belong to.
        classes: k.

    Raises:
        InputError: `io.probabilities` where the shape is another; what the readers refuse.
    """
    shape = (classes + 1, *like.shape)
    if kind_of(read_head(path), path) != "zip":
        return nifti.read_probabilities(path, shape)
    array = npz.read_probabilities(path)
    if array.shape != shape:
        raise InputError(
            f"shape {array.shape}, expected {shape}",
            fix="Predict again with --probabilities",
            code="io.probabilities",
            path=path,
        )
    return array


def _base(path: Path) -> str:
    """Return the name without a suffix of ours, so that `case.v2` stays whole."""
    return stem_of(path) if suffix_of(path) in IMAGE_SUFFIXES else path.name


def _read_one(path: Path) -> Volume:
    kind = kind_of(read_head(path), path)
    if kind in ("nifti", "gzip"):
        return nifti.read(path)
    return npz.read(path) if kind == "zip" else raster.read(path)


def _check_sequence(first: Volume, other: Volume) -> None:
    path, channels = other.sources[0], len(other.array)
    if channels != 1:
        problem = f"one of several sequences, but has {channels} channels"
        fix = "Give one-channel files, or this file alone"
        raise InputError(problem, fix=fix, code="io.channels", path=path)
    check_grid(first, other)
