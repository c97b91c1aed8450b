"""Read NIfTI-1 and NIfTI-2 single files, plain or gzipped.

nibabel understands the header; the bytes are read, bounded and checked by us, because no reader
in common use notices damage to them (`samplar.io.content`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samplar.errors import InputError
from samplar.io.admission import check_finite, whole_numbers
from samplar.io.content import Content, read_content
from samplar.io.nifti_geometry import geometry
from samplar.io.nifti_header import Layout, check_layout, parse, stored
from samplar.io.nifti_write import write_labels, write_probabilities
from samplar.io.volume import LabelVolume, Volume

__all__ = ["read", "read_labels", "read_probabilities", "write_labels", "write_probabilities"]


def read(path: Path) -> Volume:
    """Read a one-channel image, scaled as its header says, in the file's own dtype otherwise.

    Raises:
        InputError: `io.truncated`, `io.corrupt`, `io.length`, `io.nonfinite` and those of
            `samplar.io.content` and `samplar.io.nifti_header`.
    """
    content, layout = _admit(path)
    header = parse(content.data, path)
    affine, unit, notes = geometry(header, layout.shape, path)
    values = _scaled(_voxels(content, layout, path), layout)
    check_finite(values, path)
    return Volume(values[None], affine, unit, (path,), stored(header), notes)


def read_labels(path: Path) -> LabelVolume:
    """Read a label map; values of a float file must be whole numbers.

    Raises:
        InputError: as `read`, and those of `samplar.io.admission.whole_numbers`.
    """
    volume = read(path)
    array, notes = whole_numbers(volume.array[0], path)
    return LabelVolume(array, volume.affine, volume.unit, path, volume.notes + notes)


def read_probabilities(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read what `write_probabilities` wrote, (k+1, x, y, z), in the float32 of the file.

    Args:
        path: a 4D file, (x, y, z, k+1).
        shape: (k+1, x, y, z), as it has to be.

    Raises:
        InputError: `io.probabilities` for anything else; those of `samplar.io.content`.
    """
    content = read_content(path)
    header = parse(content.data, path)
    count = int(header["dim"][0])
    found = tuple(int(size) for size in header["dim"][1 : count + 1])
    start = int(header["vox_offset"])
    held = (len(content.data) - start) // 4
    if found != (*shape[1:], shape[0]) or int(header["datatype"]) != 16 or held != np.prod(found):
        raise InputError(
            f"shape {found} with {held:,} numbers, expected {(*shape[1:], shape[0])}",
            fix="Predict again with --probabilities",
            code="io.probabilities",
            path=path,
        )
    flat = np.frombuffer(content.data, header.endianness + "f4", offset=start)
    return np.moveaxis(flat.reshape(found, order="F"), -1, 0)


def _admit(path: Path) -> tuple[Content, Layout]:
    """Read the bytes, refusing a header that claims too much before the rest is read."""

    def peek(head: bytes) -> int:
        layout = check_layout(parse(head, path), path)
        return layout.offset + layout.voxels * layout.dtype.itemsize

    content = read_content(path, peek=peek)
    return content, check_layout(parse(content.data, path), path)


def _voxels(content: Content, layout: Layout, path: Path) -> np.ndarray:
    """Return the stored numbers, (x, y, z), if exactly as many are there as the header claims."""
    held = (len(content.data) - layout.offset) / layout.dtype.itemsize
    if held < layout.voxels or not content.complete:
        whole = max(0, min(int(held), layout.voxels))
        problem = f"file ends after {whole:,} of {layout.voxels:,} voxels"
        if whole == layout.voxels:
            problem += ", before the checksum of its gzip stream"
        fix = "Copy it again from the source"
        raise InputError(problem, fix=fix, code="io.truncated", path=path)
    if held > layout.voxels:
        extra = len(content.data) - layout.offset - layout.voxels * layout.dtype.itemsize
        problem = f"{extra:,} bytes follow the {layout.voxels:,} voxels of the header"
        fix = "Save the image again: its header and its voxels do not belong together"
        raise InputError(problem, fix=fix, code="io.length", path=path)
    flat = np.frombuffer(content.data, layout.dtype, count=layout.voxels, offset=layout.offset)
    return flat.reshape(layout.shape, order="F")


def _scaled(raw: np.ndarray, layout: Layout) -> np.ndarray:
    raw = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    slope, inter = layout.slope, layout.inter
    if (slope, inter) == (1, 0):
        return raw
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused next
        values = raw.astype(np.float64) * slope + inter
    exact = raw.dtype.kind in "iu" and slope.is_integer() and inter.is_integer()
    if exact and np.abs(values).max() < 2**31:  # CT stored with an offset stays whole numbers
        low, high = float(values.min()), float(values.max())
        return values.astype(np.int16 if low >= -(2**15) and high < 2**15 else np.int32)
    with np.errstate(over="ignore"):
        return values.astype(raw.dtype if raw.dtype == np.float64 else np.float32)
