"""What a NIfTI header claims, checked before anything is allocated or believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np

from samplar.errors import InputError
from samplar.io.admission import MAX_AXIS, MAX_BYTES, too_large
from samplar.io.volume import NiftiHeader

_DTYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
    256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOURS = {128: "RGB", 2304: "RGBA"}
PRIVATE = {"descrip", "aux_file", "intent_name", "db_name", "data_type", "unused_str"}
"""Fields of free text, of NIfTI-1 or -2: any may hold a patient's name. They are never copied."""

RESAVE = "Save the image again from the source"


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the voxels lie in the file, and how stored numbers become values.

    Args:
        shape: (x, y, z).
        dtype: of the stored numbers, with the file's byte order.
        offset: bytes before the first voxel.
        slope: value = stored * slope + inter.
        inter: see slope.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    offset: int
    slope: float
    inter: float

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)


def parse(data: bytes | bytearray, path: Path) -> nib.Nifti1Header:
    """Return nibabel's view of the header, `Nifti1Header` or its subclass `Nifti2Header`.

    Raises:
        InputError: `io.truncated`, or `io.format` for anything but single-file NIfTI-1 or -2.
    """
    if len(data) < 352:
        problem = f"file ends after {len(data):,} bytes, a NIfTI header takes 352"
        raise InputError(
            problem, fix="Copy it again from the source", code="io.truncated", path=path
        )
    for sign in "<>":
        size = int(np.frombuffer(data, dtype=f"{sign}i4", count=1)[0])
        if size == 348 and data[344:348] == b"n+1\0":
            return nib.Nifti1Header(bytes(data[:348]), endianness=sign, check=False)
        if size == 540 and data[4:12] == b"n+2\0\r\n\x1a\n" and len(data) >= 544:
            return nib.Nifti2Header(bytes(data[:540]), endianness=sign, check=False)
    magic = bytes(data[344:348])
    if magic == b"ni1\0":
        problem = "is a NIfTI header whose voxels are in another file (.img)"
        fix = "Save the pair as one .nii.gz"
    else:
        problem = f"is not a NIfTI file, its magic is {magic!r}"
        fix = RESAVE
    raise InputError(problem, fix=fix, code="io.format", path=path)


def check_layout(header: nib.Nifti1Header, path: Path) -> Layout:
    """Check dimensions, data type, size, offset and scaling.

    Raises:
        InputError: `io.dimensions`, `io.dtype`, `io.too_large` or `io.header`.
    """
    code = int(header["datatype"])
    if code in _COLOURS:
        problem = f"holds {_COLOURS[code]} colours (NIfTI data type {code})"
        fix = "Save each colour channel as a NIfTI of its own, or the image as PNG"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)
    if code not in _DTYPES:
        fix = "Save it again as an integer or float type of 8 to 64 bits"
        raise InputError(f"NIfTI data type {code} is not read", fix=fix, code="io.dtype", path=path)
    dtype = np.dtype(header.endianness + _DTYPES[code])
    if int(header["bitpix"]) != dtype.itemsize * 8:
        problem = f"header says {int(header['bitpix'])} bits a voxel, its data type has"
        raise odd_header(f"{problem} {dtype.itemsize * 8}", path)
    shape = _shape(header, path)
    layout = Layout(shape, dtype, _offset(header, path), *_scaling(header, path))
    claimed = layout.voxels * dtype.itemsize
    if max(shape) > MAX_AXIS or claimed + layout.offset > MAX_BYTES:
        sizes = " x ".join(map(str, shape))
        raise too_large(f"image of {sizes} voxels ({claimed:,} bytes, says the header)", path)
    return layout


def odd_header(problem: str, path: Path) -> InputError:
    """Return the refusal of a header that contradicts itself."""
    return InputError(problem, fix=RESAVE, code="io.header", path=path)


def _shape(header: nib.Nifti1Header, path: Path) -> tuple[int, int, int]:
    count = int(header["dim"][0])
    sizes = tuple(int(size) for size in header["dim"][1 : count + 1]) if 1 <= count <= 7 else ()
    if not sizes or min(sizes) < 1:
        raise InputError(
            f"dimensions {header['dim'].tolist()} make no sense",
            fix=RESAVE,
            code="io.dimensions",
            path=path,
        )
    if len(sizes) < 2 or math.prod(sizes[3:]) > 1:
        kept = max((i for i, size in enumerate(sizes, start=1) if size > 1), default=1)
        problem = f"{kept}D image of shape {sizes}, only 2D and 3D are read"
        fix = (
            "Split it into one 3D file per frame or sequence, such as CASE_0000.nii.gz and"
            " CASE_0001.nii.gz (nibabel.four_to_three or fslsplit do it)"
        )
        raise InputError(problem, fix=fix, code="io.dimensions", path=path)
    return sizes[0], sizes[1], sizes[2] if len(sizes) > 2 else 1


def _offset(header: nib.Nifti1Header, path: Path) -> int:
    offset = float(header["vox_offset"])
    least = int(header["sizeof_hdr"]) + 4
    if not (offset.is_integer() and least <= offset <= MAX_BYTES):
        raise odd_header(f"voxels begin at byte {offset:g}, which cannot be (least {least})", path)
    return int(offset)


def _scaling(header: nib.Nifti1Header, path: Path) -> tuple[float, float]:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if math.isnan(slope) or slope == 0:  # the standard's way of saying "no scaling"
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(inter)):
        raise odd_header(f"scaling slope {slope:g} and intercept {inter:g} are not numbers", path)
    return slope, inter


def stored(header: nib.Nifti1Header) -> NiftiHeader:
    """Return the header as bytes in little-endian order, to be kept with the volume."""
    version: Literal[1, 2] = 2 if isinstance(header, nib.Nifti2Header) else 1
    return NiftiHeader(header.as_byteswapped("<").binaryblock, version)
