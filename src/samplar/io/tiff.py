"""Decode single-page TIFF, keeping the stored numbers."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io.picture import DECODE_ERRORS, Picture, check_size, damaged
from samplar.io.tiff_strips import check_compression, overheard

PARSE_ERRORS = (
    *DECODE_ERRORS,
    tifffile.TiffFileError,
    ArithmeticError,
    LookupError,
    NotImplementedError,
    TypeError,
    struct.error,
    zlib.error,
)
"""tifffile trusts what it parses: nonsense in a tag ends in any of these."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3


def decode(data: bytearray, path: Path) -> Picture:
    """Decode a TIFF of one page.

    Raises:
        InputError: `io.dimensions` for several pages, `io.truncated`, `io.corrupt`,
            `io.too_large` or `io.dtype`.
    """
    try:
        with overheard(path), tifffile.TiffFile(io.BytesIO(data)) as file:
            page = _only_page(file, path)
            _check(page, len(data), path)
            check_compression(page, data, path)
            array = _pixels(page, data, path)
            orientation = int(page.tags[274].value) if 274 in page.tags else 1
            photometric = int(page.photometric)
            palette = None
            if photometric == _PALETTE:
                palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    except PARSE_ERRORS as error:
        raise damaged(f"pixels cannot be decoded ({error})", path) from error
    gain = 255 if array.dtype == bool else 1
    array = array.astype(np.uint8) if array.dtype == bool else array
    white = photometric == _WHITE_IS_ZERO
    return Picture(array, palette, orientation, gain, white_is_zero=white)


def _only_page(file: tifffile.TiffFile, path: Path) -> tifffile.TiffPage:
    first = file.pages.first
    others = [page for page in file.pages[1:] if not getattr(page, "is_reduced", False)]
    if others:
        problem = f"is a TIFF of {len(others) + 1} pages, the first of shape {first.shape}"
        fix = (
            "Save the stack as one NIfTI (.nii.gz) with its spacing, or each page as a PNG of its"
            " own"
        )
        raise InputError(problem, fix=fix, code="io.dimensions", path=path)
    return first


def _check(page: tifffile.TiffPage, size: int, path: Path) -> None:
    depth = page.samplesperpixel * max(1, page.bitspersample // 8)
    check_size(page.imagewidth, page.imagelength, path, depth=depth)
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    end = max((offset + count for offset, count in parts), default=0)
    if end > size:
        problem = f"file ends after {size:,} bytes, its pixels need {end:,}"
        raise damaged(problem, path, code="io.truncated")
    held, needed = sum(count > 0 for _, count in parts), math.prod(page.chunked)
    if held != needed:
        problem = f"{held:,} of {needed:,} strips or tiles of pixels are there"
        raise damaged(problem, path, code="io.truncated")
    known = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE)
    if page.photometric not in known or page.imagedepth != 1 or page.dtype is None:
        kind = tifffile.PHOTOMETRIC(page.photometric).name
        problem = f"{kind} pixels of type {page.dtype} are not read"
        fix = "Save it as grey or RGB, uncompressed, or as PNG"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)


def _pixels(page: tifffile.TiffPage, data: bytearray, path: Path) -> np.ndarray:
    """Return (h, w) or (h, w, c); what tifffile cannot decompress alone is left to Pillow."""
    try:
        array = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return _by_pillow(page, data, path)
    separate = page.planarconfig == 2 and array.ndim == 3
    return np.moveaxis(array, 0, -1) if separate else array


def _by_pillow(page: tifffile.TiffPage, data: bytearray, path: Path) -> np.ndarray:
    turned = 274 in page.tags and page.tags[274].value != 1  # Pillow would turn it, and we again
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        array = np.asarray(image)
    if turned or array.dtype != page.dtype or page.photometric == _WHITE_IS_ZERO:
        name = tifffile.COMPRESSION(page.compression).name
        problem = f"{page.dtype} pixels with {name} compression are not read in this form"
        fix = "Save it without compression"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)
    return array
