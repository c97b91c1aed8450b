"""One strip or tile of a TIFF page from its stored bytes: bounded, and checked for its size."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io.admission import too_large
from samplar.io.picture import DECODE_ERRORS, damaged

LARGEST = 1 << 26
"""Bytes of one decoded part: 64 MiB. Pages in one strip are for the reader of small pictures."""

_STORED, _JPEG, _DEFLATE = 1, 7, (8, 32946)
_GREY, _RGB, _YCBCR = 1, 2, 6
_PLAIN, _DIFFERENCES = 1, 2  # tag 317: values, or each as its difference from the one before

_TRANSFORM_AT = 2  # behind the mark that begins a JPEG
_AS_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""Adobe's mark with colour transform 0: the three components are red, green and blue."""


@dataclass(frozen=True)
class Parts:
    """How the parts of a page lie and how they are stored.

    Args:
        rows: of a part; the last one of a page in strips may have fewer.
        columns: of a part.
        channels: 1 or 3.
        across: parts side by side.
        compression: TIFF's number.
        differences: whether values are stored as differences along the row.
        tables: what the JPEGs of all parts have in common.
        as_rgb: whether a JPEG's components are colours as they are.
    """

    rows: int
    columns: int
    channels: int
    across: int
    compression: int
    differences: bool
    tables: bytes
    as_rgb: bool


def parts_of(page: tifffile.TiffPage, path: Path) -> Parts:
    """Read how a page is stored.

    Raises:
        InputError: `io.dtype` for what is not read, `io.too_large` for parts beyond the bound,
            `io.truncated` where parts are missing.
    """
    tiled = page.is_tiled
    rows = page.tilelength if tiled else min(page.rowsperstrip, page.imagelength)
    columns = page.tilewidth if tiled else page.imagewidth
    channels, compression = page.samplesperpixel, int(page.compression)
    if rows * columns * channels > LARGEST:
        raise too_large(f"a part of {columns:,} x {rows:,} pixels", path)
    predictor = int(page.predictor)
    if (
        page.dtype != np.uint8
        or page.imagedepth != 1
        or channels not in (1, 3)
        or (channels == 3 and page.planarconfig != 1)
        or int(page.photometric) not in (_GREY, _RGB, _YCBCR)
        or (int(page.photometric) == _YCBCR and compression != _JPEG)
        or compression not in (_STORED, _JPEG, *_DEFLATE)
        or predictor not in (_PLAIN, _DIFFERENCES)
        or (274 in page.tags and page.tags[274].value != 1)
    ):
        problem = (
            f"{page.dtype} pixels with {channels} channels, compression {compression} and "
            f"photometric {int(page.photometric)} are not read in tiles"
        )
        fix = "Save it with 8 bits, grey or RGB, upright, deflate or JPEG, such as with libvips"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)
    across = -(-page.imagewidth // columns)
    needed, held = across * -(-page.imagelength // rows), sum(n > 0 for n in page.databytecounts)
    if held != needed or len(page.dataoffsets) != needed:
        problem = f"{held:,} of {needed:,} strips or tiles of pixels are there"
        raise damaged(problem, path, code="io.truncated")
    return Parts(
        rows,
        columns,
        channels,
        across,
        compression,
        predictor == _DIFFERENCES,
        page.jpegtables or b"",
        int(page.photometric) == _RGB,
    )


def decode_part(data: bytes, parts: Parts, path: Path, *, rows: int) -> np.ndarray:
    """Return the pixels of a part, (rows, columns, channels) uint8.

    Args:
        data: as stored.
        parts: how.
        path: named in errors.
        rows: how many it should have.

    Raises:
        InputError: `io.corrupt` for bytes that are no part, or one of another size.
    """
    shape = (rows, parts.columns, parts.channels)
    if parts.compression == _JPEG:
        return _jpeg(data, parts, shape, path)
    most = rows * parts.columns * parts.channels
    if parts.compression in _DEFLATE:
        data = _inflated(data, most, path)
    if len(data) != most:
        problem = f"a part of pixels holds {len(data):,} bytes, {most:,} belong"
        raise damaged(problem, path)
    array = np.frombuffer(data, np.uint8).reshape(shape)
    return np.add.accumulate(array, axis=1, dtype=np.uint8) if parts.differences else array


def _inflated(data: bytes, most: int, path: Path) -> bytes:
    inflater = zlib.decompressobj()
    try:
        held = inflater.decompress(data, most + 1)
    except zlib.error as error:
        raise damaged(f"a part of pixels cannot be inflated ({error})", path) from error
    if len(held) > most:
        raise damaged(f"a part of pixels holds more than the {most:,} bytes that belong", path)
    if not inflater.eof:
        raise damaged(f"a part of pixels has no end after {len(held):,} bytes", path)
    return held


def _jpeg(data: bytes, parts: Parts, shape: tuple[int, int, int], path: Path) -> np.ndarray:
    """Decode a JPEG whose tables may stand apart from it."""
    if not data.startswith(b"\xff\xd8") or b"\xff\xd9" not in data:
        raise damaged("a part of pixels is no whole JPEG", path)
    tables = parts.tables[_TRANSFORM_AT:-2]  # without the marks that begin and end it
    colours = _AS_RGB if parts.as_rgb and parts.channels == 3 else b""
    whole = data[:_TRANSFORM_AT] + colours + tables + data[_TRANSFORM_AT:]
    try:
        with Image.open(io.BytesIO(whole), formats=["JPEG"]) as image:
            if (image.height, image.width, len(image.getbands())) != shape:
                problem = f"a part of pixels is {image.mode} of {image.width} x {image.height}"
                raise damaged(problem, path)
            image.load()
            return np.asarray(image).reshape(shape)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(f"a part of pixels ({error})", path) from error
    except DECODE_ERRORS as error:
        raise damaged(f"a part of pixels cannot be decoded ({error})", path) from error
