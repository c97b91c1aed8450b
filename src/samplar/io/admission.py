"""What every input must pass before we believe it: the file, its kind, its values, its grid.

The order: exists, regular file, readable; magic bytes, not the suffix; claimed size within bounds
before allocating; stream read to its end (`samplar.io.content`); dimensions; finite values; affine;
for masks whole numbers, declared labels, the grid of the image.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from samplar.errors import InputError
from samplar.io.volume import LabelVolume, Volume

MAX_BYTES = 2 * 1024**3
"""Bound on one file, as stored and as decoded."""

MAX_AXIS = 20_000
"""Bound on voxels along one axis."""

MAX_LABEL = 65_535

_SAME_VOXEL = 0.1  # of the smallest spacing: beyond rounding, far below one voxel

FileKind = Literal["nifti", "gzip", "png", "jpeg", "tiff", "zip"]

_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"PK\x03\x04", "zip"),
    ((348).to_bytes(4, "little"), "nifti"),
    ((348).to_bytes(4, "big"), "nifti"),
    ((540).to_bytes(4, "little"), "nifti"),
    ((540).to_bytes(4, "big"), "nifti"),
)

_TO_NIFTI = "Convert it to NIfTI (.nii.gz)"
_FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (128, b"DICM", "a DICOM file", "Convert the series to NIfTI, for example with dcm2niix"),
    (0, b"NRRD", "an NRRD file", _TO_NIFTI),
    (0, b"ObjectType", "a MetaImage file", _TO_NIFTI),
    (0, b"\x89HDF", "an HDF5 file", _TO_NIFTI),
    (0, b"BM", "a BMP image", "Save it as PNG"),
    (0, b"GIF8", "a GIF image", "Save it as PNG"),
    (0, b"RIFF", "a WebP image", "Save it as PNG"),
)

_SHOWN = 8  # values listed in one error line


def check_file(path: Path, *, limit: int = MAX_BYTES) -> os.stat_result:
    """Check that a path is a regular file of 1 byte to 2 GiB, or `limit`, without opening it.

    Raises:
        InputError: `io.missing`, `io.not_file`, `io.empty`, `io.too_large` or `io.unreadable`.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        problem = (
            "the link points to a file that is not there" if path.is_symlink() else "no such file"
        )
        fix = "Check the name, or copy the file here"
        raise InputError(problem, fix=fix, code="io.missing", path=path) from error
    except (OSError, ValueError) as error:
        problem = f"cannot be looked up: {error}"
        fix = "Check the path and its permissions"
        raise InputError(problem, fix=fix, code="io.unreadable", path=path) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
        fix = "Give the image file itself"
        raise InputError(f"is {what}, not a file", fix=fix, code="io.not_file", path=path)
    if status.st_size == 0:
        fix = "Copy it again from the source"
        raise InputError("file is empty (0 bytes)", fix=fix, code="io.empty", path=path)
    if status.st_size > limit:
        raise too_large(f"file of {status.st_size:,} bytes", path)
    return status


def too_large(what: str, path: Path) -> InputError:
    """Return the refusal of something beyond the bounds; `what` says what and how large."""
    fix = f"Crop or split it: the bounds are {MAX_BYTES:,} bytes and {MAX_AXIS:,} voxels an axis"
    return InputError(f"{what} is too large", fix=fix, code="io.too_large", path=path)


def kind_of(head: bytes, path: Path) -> FileKind:
    """Return what a file is from its first bytes (132 suffice).

    Raises:
        InputError: `io.format`, saying what the file is instead, if that can be seen.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    for offset, magic, what, fix in _FOREIGN:
        if head.startswith(magic, offset):
            raise InputError(f"is {what}, which is not read", fix=fix, code="io.format", path=path)
    if head.lstrip()[:1] == b"<":
        problem = "is a web page or XML, not an image"
        fix = "Download it again: a login or error page was saved under this name"
        raise InputError(problem, fix=fix, code="io.format", path=path)
    problem = f"is not an image we know, its first bytes are {head[:8].hex(' ')}"
    fix = "Use NIfTI (.nii, .nii.gz), PNG, JPEG, TIFF or npz, or copy it again if damaged"
    raise InputError(problem, fix=fix, code="io.format", path=path)


def check_finite(array: np.ndarray, path: Path) -> None:
    """Refuse NaN and infinite voxels.

    Raises:
        InputError: `io.nonfinite`, with how many there are and the index of the first.
    """
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    if count:
        first = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
        problem = f"{count:,} of {array.size:,} voxels are NaN or infinite, the first at {first}"
        fix = "Replace them (often the padding of a registration) and save again"
        raise InputError(problem, fix=fix, code="io.nonfinite", path=path)


def whole_numbers(array: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return label values as integers of 0 to 65 535, with a note if they had to be rounded.

    Raises:
        InputError: `labels.fraction` or `labels.range`, listing values with their voxel counts.
    """
    notes: tuple[str, ...] = ()
    if array.dtype.kind == "f":
        check_finite(array, path)
        rounded = np.rint(array)
        gap = float(np.abs(array - rounded).max(initial=0.0))
        if gap > 1e-3:
            problem = f"label values are not whole numbers: {_listing(array, array != rounded)}"
            fix = "Save the labels again as integers, resampled with nearest neighbour if at all"
            raise InputError(problem, fix=fix, code="labels.fraction", path=path)
        if gap:
            notes = (f"{path}: label values rounded, they were up to {gap:.1g} off whole numbers",)
        array = rounded
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > MAX_LABEL:
        outside = (array < 0) | (array > MAX_LABEL)
        problem = f"label values outside 0 to {MAX_LABEL:,}: {_listing(array, outside)}"
        fix = "Give every class a value from 1 up and the background 0"
        raise InputError(problem, fix=fix, code="labels.range", path=path)
    small = array.dtype.kind in "iu"
    return (array if small else array.astype(np.min_scalar_type(int(high)))), notes


def _listing(array: np.ndarray, where: np.ndarray) -> str:
    values, counts = np.unique(array[where], return_counts=True)
    shown = [f"{v:g} ({n:,} voxels)" for v, n in zip(values[:_SHOWN], counts, strict=False)]
    more = len(values) - _SHOWN
    return ", ".join(shown) + (f" and {more:,} more values" if more > 0 else "")


def explain_mask_values(values: Sequence[int], counts: Sequence[int]) -> str:
    """Return the fix for label values that are not declared, with the mapping to paste.

    Args:
        values: the values found in the label file.
        counts: how many voxels have each, in the same order.
    """
    found = sorted(
        int(value) for value, count in zip(values, counts, strict=True) if value != 0 and count
    )
    if found == [255]:
        return (
            "This is a 0/255 mask: put"
            ' "labels": {"background": 0, "foreground": 255} into dataset.json'
        )
    if len(found) > 64:
        return (
            f"{len(found)} different values are not classes: the mask was smoothed, compressed, or"
            " is an image. Save it again with one whole number per class and no interpolation"
        )
    pairs = ", ".join(f'"class {index}": {value}' for index, value in enumerate(found, start=1))
    mapping = f'"labels": {{"background": 0, {pairs}}}' if pairs else '"labels": {"background": 0}'
    return f"Correct the labels, or declare them with names of your own in dataset.json: {mapping}"


def check_grid(image: Volume, other: LabelVolume | Volume) -> None:
    """Refuse a label map, or another sequence, that does not lie on the voxels of the image.

    Raises:
        InputError: `io.grid`, with both values side by side.
    """
    path = other.source if isinstance(other, LabelVolume) else other.sources[0]
    fix = "Pair the right files, or resample this one onto the image (labels: nearest neighbour)"
    if image.shape != other.shape:
        problem = (
            f"has {_times(other.shape)} voxels, image {image.sources[0]} has {_times(image.shape)}"
        )
        raise InputError(problem, fix=fix, code="io.grid", path=path)
    gap = image.affine.distance(other.affine, image.shape)
    if gap > _SAME_VOXEL * min(image.spacing):
        problem = (
            f"lies up to {gap:.4g} {image.unit} away from image {image.sources[0]}:"
            f" it has {_place(other)}, the image has {_place(image)}"
        )
        raise InputError(problem, fix=fix, code="io.grid", path=path)


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _place(grid: Volume | LabelVolume) -> str:
    origin = ", ".join(f"{value:.4g}" for value in grid.affine.matrix[:3, 3])
    axes = "".join(grid.affine.orientation)
    return f"spacing {_times([round(s, 4) for s in grid.spacing])}, origin ({origin}), axes {axes}"
