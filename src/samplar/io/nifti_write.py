"""Write NIfTI label maps and probabilities with the geometry of the image they belong to."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from samplar.io.atomic import write_new, write_with
from samplar.io.content import read_content
from samplar.io.names import suffix_of
from samplar.io.nifti_geometry import geometry
from samplar.io.nifti_header import PRIVATE, parse
from samplar.io.volume import Volume

_SAME_PLACE_MM = 1e-3  # float32 headers of volumes that came without one


def write_labels(path: Path, values: np.ndarray, like: Volume) -> None:
    """Write label values (x, y, z) as the smallest unsigned integers, slope 1, and read them back.

    The affine, both form codes and the units are those of the image's own header, bit for bit.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    dtype = np.min_scalar_type(int(values.max(initial=0)))
    _write(path, np.asarray(values, dtype=dtype), like)


def write_probabilities(path: Path, probabilities: np.ndarray, like: Volume) -> None:
    """Write class probabilities (k+1, x, y, z) as a 4D float32 image (x, y, z, k+1).

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    _write(path, np.moveaxis(probabilities, 0, -1).astype(np.float32), like)


def _write(path: Path, array: np.ndarray, like: Volume) -> None:
    header = _header(array, like)
    data = header.binaryblock + bytes(4) + array.tobytes(order="F")
    stream = gzip.compress(data, compresslevel=6, mtime=0) if suffix_of(path) == ".nii.gz" else data
    write_with(path, lambda target: write_new(target, stream), _verifier(data, like))


def _header(array: np.ndarray, like: Volume) -> nib.Nifti1Header:
    header = _blank(like) if like.header is None else _copied(like.header.raw)
    flat = int(header["dim"][0]) == 2 and array.ndim == 3
    header.set_data_dtype(array.dtype.newbyteorder("<"))
    header["dim"][:] = 1
    header["dim"][: array.ndim + 1] = (2 if flat else array.ndim, *array.shape)
    header["vox_offset"] = len(header.binaryblock) + 4
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["cal_min"] = header["cal_max"] = 0
    header["intent_code"] = 0
    for name in PRIVATE & set(header.keys()):
        header[name] = b""
    return header


def _copied(raw: bytes) -> nib.Nifti1Header:
    kind = nib.Nifti1Header if len(raw) == 348 else nib.Nifti2Header
    return kind(raw, endianness="<", check=False)


def _blank(like: Volume) -> nib.Nifti1Header:
    header = nib.Nifti1Header(endianness="<")
    header.set_data_shape(like.shape)
    header.set_zooms(like.spacing)
    header.set_sform(like.affine.matrix, code="aligned")
    header.set_xyzt_units("mm" if like.unit == "mm" else "unknown")
    return header


def _verifier(data: bytes, like: Volume) -> Callable[[Path], None]:
    """Return a check that the file decodes, to its checksum, to these bytes in the right place."""

    def verify(written: Path) -> None:
        content = read_content(written)
        affine, _, _ = geometry(parse(content.data, written), like.shape, written)
        if not (content.complete and content.data == data):
            raise ValueError("the bytes differ")
        if affine.distance(like.affine, like.shape) > _SAME_PLACE_MM:
            raise ValueError("the voxels lie elsewhere")

    return verify
