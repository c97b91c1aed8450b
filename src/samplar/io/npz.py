"""The npz layout of MedSAM and its challenges: `imgs`, `gts`, `spacing` in one archive.

Arrays are (z, y, x) as SimpleITK gives them, (y, x) or (y, x, 3) for plain images; `spacing` is
(x, y, z) in mm. Axes are taken to run left, posterior, up, since the files do not say.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from samplar.errors import InputError
from samplar.io.admission import (
    MAX_AXIS,
    MAX_BYTES,
    check_finite,
    kind_of,
    too_large,
    whole_numbers,
)
from samplar.io.affine import Affine
from samplar.io.atomic import write_new, write_with
from samplar.io.content import read_content
from samplar.io.volume import LabelVolume, Unit, Volume

_END = b"PK\5\6"  # of the record at the end of an archive, with the number of members
_IMAGES = ("imgs", "img", "image")
_LABELS = ("gts", "segs", "gt", "labels")
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError)


def read(path: Path) -> Volume:
    """Read the image of an npz: (c, x, y, z), or (c, H, W, 1) for a plain one.

    Raises:
        InputError: of `samplar.io.content`, `io.keys`, `io.dimensions`, `io.dtype`, `io.corrupt`.
    """
    name, array, spacing = _members(path, _IMAGES)
    check_finite(array, path)
    coloured = array.ndim > 2 and array.shape[-1] == 3
    if array.ndim - coloured not in (2, 3):
        raise _dimensions(name, array, path)
    channels = np.moveaxis(array, -1, 0) if coloured else array[None]
    flat = channels.ndim == 3
    affine, unit = _geometry(spacing, path, flat=flat)
    return Volume(_file_axes(channels, flat=flat), affine, unit, (path,))


def read_labels(path: Path) -> LabelVolume:
    """Read the labels of an npz (`gts`, or `segs` as predictions are called).

    Raises:
        InputError: as `read`, and those of `samplar.io.admission.whole_numbers`.
    """
    name, array, spacing = _members(path, _LABELS)
    if array.ndim not in (2, 3):
        raise _dimensions(name, array, path)
    values, notes = whole_numbers(array, path)
    flat = array.ndim == 2
    affine, unit = _geometry(spacing, path, flat=flat)
    return LabelVolume(_file_axes(values, flat=flat), affine, unit, path, notes)


def write_labels(path: Path, values: np.ndarray, like: Volume) -> None:
    """Write labels (x, y, z) under the name `segs`, in the axis order of the input.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    small = np.asarray(values, dtype=np.min_scalar_type(int(values.max(initial=0))))
    _write(path, "segs", _stored_axes(small, like), like)


def write_probabilities(path: Path, probabilities: np.ndarray, like: Volume) -> None:
    """Write class probabilities (k+1, x, y, z) under the name `probabilities`, class axis first.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    _write(path, "probabilities", _stored_axes(probabilities, like), like)


def read_probabilities(path: Path) -> np.ndarray:
    """Read what `write_probabilities` wrote: (k+1, x, y, z), or (k+1, H, W, 1) for a plain image.

    Raises:
        InputError: as `read`.
    """
    name, array, _ = _members(path, ("probabilities",))
    if array.ndim not in (3, 4):
        raise _dimensions(name, array, path)
    return _file_axes(array, flat=array.ndim == 3)


def _file_axes(array: np.ndarray, *, flat: bool) -> np.ndarray:
    return array[..., None] if flat else array.swapaxes(-3, -1)


def _stored_axes(array: np.ndarray, like: Volume) -> np.ndarray:
    return array[..., 0] if like.is_raster else array.swapaxes(-3, -1)


def _geometry(spacing: np.ndarray | None, path: Path, *, flat: bool) -> tuple[Affine, Unit]:
    if flat:
        return Affine.pixels(), "px"
    if spacing is None:
        return Affine.scaled((1.0, 1.0, 1.0)), "px"
    if spacing.shape != (3,):
        problem = f"spacing has shape {spacing.shape} instead of (3,)"
        fix = "Store spacing as (x, y, z) in mm"
        raise InputError(problem, fix=fix, code="io.spacing", path=path)
    x, y, z = (float(size) for size in spacing)
    return Affine.scaled((x, y, z), path=path), "mm"


def _dimensions(name: str, array: np.ndarray, path: Path) -> InputError:
    problem = f"{name} has shape {array.shape}"
    fix = "Store (z, y, x) or (y, x), images with a last axis of 3 for RGB"
    return InputError(problem, fix=fix, code="io.dimensions", path=path)


def _members(path: Path, names: tuple[str, ...]) -> tuple[str, np.ndarray, np.ndarray | None]:
    """Return the first array that has one of the names, and the spacing if there is one."""
    data = read_content(path).data
    if kind_of(bytes(data[:132]), path) != "zip":
        fix = "Save it with numpy.savez_compressed"
        raise InputError("is not an npz archive", fix=fix, code="io.format", path=path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            held = _held(archive, data)
            name = next((name for name in names if name in held), None)
            if name is None:
                problem = f"holds {', '.join(held) or 'nothing'}, but none of {', '.join(names)}"
                fix = f"Store the array as {names[0]}"
                raise InputError(problem, fix=fix, code="io.keys", path=path)
            array = _array(archive, held[name], path)
            spacing = _array(archive, held["spacing"], path) if "spacing" in held else None
    except _DAMAGE as error:
        fix = "Copy it again from the source"
        problem = f"archive cannot be unpacked ({error})"
        raise InputError(problem, fix=fix, code="io.corrupt", path=path) from error
    return name, array, spacing


def _held(archive: zipfile.ZipFile, data: bytearray) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name.

    The checksums cover the members and not the directory that names them. But each member has its
    name before it too, and opening one compares the two. How many there are is at the end of all.
    """
    end = data.rfind(_END)
    count = int.from_bytes(data[end + 10 : end + 12], "little")
    if count != len(archive.infolist()):
        raise zipfile.BadZipFile(f"{len(archive.infolist())} of {count} members are listed")
    held: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        archive.open(info).close()
        name = info.filename.removesuffix(".npy")
        if name in held:
            raise zipfile.BadZipFile(f"{name} is there twice")
        held[name] = info
    return held


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """Unpack one .npy member; the archive gives no more bytes than it declares."""
    if info.file_size > MAX_BYTES:
        raise too_large(f"{info.filename} of {info.file_size:,} bytes", path)
    with archive.open(info) as stream:
        shape, fortran, dtype = _npy_header(stream)
        begin = stream.tell()
    if dtype.kind not in "biuf":
        fix = "Save plain numbers"
        raise InputError(f"{info.filename} holds {dtype}", fix=fix, code="io.dtype", path=path)
    held, claimed = info.file_size - begin, math.prod(shape) * dtype.itemsize
    if held != claimed or claimed == 0 or max(shape, default=1) > MAX_AXIS:
        problem = f"{info.filename} holds {held:,} bytes for shape {shape} of {dtype}"
        fix = "Save it again from the source"
        raise InputError(problem, fix=fix, code="io.length", path=path)
    flat = np.frombuffer(archive.read(info), dtype, offset=begin)
    return flat.reshape(shape, order="F" if fortran else "C")


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _write(path: Path, name: str, array: np.ndarray, like: Volume) -> None:
    arrays = {name: array}
    if like.unit == "mm":
        arrays["spacing"] = np.array(like.spacing)
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)

    def verify(written: Path) -> None:
        if not np.array_equal(_members(written, (name,))[1], array):
            raise ValueError("the array differs")

    write_with(path, lambda target: write_new(target, stream.getvalue()), verify)
