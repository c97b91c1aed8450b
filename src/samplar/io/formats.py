"""One door to all file formats: what a file is decides who reads it, what was read who writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from samplar.io.names import stem_of, suffix_of
from samplar.io.volume import LabelVolume, Volume

__all__ = [
    "IMAGE_SUFFIXES",
    "label_name",
    "read_image",
    "read_labels",
    "stem_of",
    "suffix_of",
    "write_labels",
    "write_probabilities",
]

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npz")
"""Suffixes of files that may hold an image. The content decides, not the suffix."""


def read_image(paths: Sequence[Path]) -> Volume:
    """Read one image; several one-channel files on the same grid become its channels.

    Raises:
        InputError: `io.*`, see `samplar.io.admission` and the reader of the format.
    """
    raise NotImplementedError(paths)


def read_labels(path: Path) -> LabelVolume:
    """Read a label map with the values the file holds.

    Raises:
        InputError: `io.*`, see `samplar.io.admission` and the reader of the format.
    """
    raise NotImplementedError(path)


def label_name(like: Volume, stem: str, *, top: int = 0) -> str:
    """Return the file name for labels of this image (`top` is the largest value to be written)."""
    raise NotImplementedError(like, stem, top)


def write_labels(path: Path, values: np.ndarray, like: Volume) -> Path:
    """Write label values (x, y, z) on the grid of the image, and read them back.

    Returns:
        The file written: `path`, with the suffix that the image's format asks for.
    """
    raise NotImplementedError(path, values, like)


def write_probabilities(path: Path, probabilities: np.ndarray, like: Volume) -> Path:
    """Write class probabilities (k+1, x, y, z), background first, and read them back."""
    raise NotImplementedError(path, probabilities, like)
