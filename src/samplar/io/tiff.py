"""Decode single-page TIFF, keeping the stored numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io.picture import DECODE_ERRORS, Picture, check_size, damaged

_PARSE_ERRORS = (*DECODE_ERRORS, tifffile.TiffFileError, LookupError, TypeError, ArithmeticError)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3


def decode(data: bytearray, path: Path) -> Picture:
    """Decode a TIFF of one page.

    Raises:
        InputError: `io.dimensions` for several pages, `io.truncated`, `io.corrupt`,
            `io.too_large` or `io.dtype`.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = _only_page(file, path)
            _check(page, len(data), path)
            array = _pixels(page, data, path)
            orientation = int(page.tags[274].value) if 274 in page.tags else 1
            photometric = int(page.photometric)
            palette = None
            if photometric == _PALETTE:
                palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    except _PARSE_ERRORS as error:
        raise damaged(f"pixels cannot be decoded ({error})", path) from error
    if photometric == _WHITE_IS_ZERO:
        array = ~array if array.dtype.kind in "ub" else -array
    if array.dtype == bool:
        return Picture(array.astype(np.uint8), None, orientation, gain=255)
    return Picture(array, palette, orientation)


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
    check_size(page.imagewidth, page.imagelength, path)
    ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size:
        problem = f"file ends after {size:,} bytes, its pixels need {max(ends, default=0):,}"
        raise damaged(problem, path, code="io.truncated")
    known = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE)
    if page.photometric not in known or page.imagedepth != 1 or page.dtype is None:
        problem = f"pixels of kind {page.photometric} and type {page.dtype} are not read"
        fix = "Save it as grey or RGB, uncompressed, or as PNG"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)


def _pixels(page: tifffile.TiffPage, data: bytearray, path: Path) -> np.ndarray:
    """Return (h, w) or (h, w, c); what tifffile cannot decompress alone is left to Pillow."""
    try:
        array = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            array = np.asarray(image)
        if array.dtype != page.dtype:
            fix = "Save it without compression"
            name = tifffile.COMPRESSION(page.compression).name
            problem = f"{page.dtype} pixels with {name} compression are not read"
            raise InputError(problem, fix=fix, code="io.dtype", path=path) from error
    if page.planarconfig == 2 and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    return array
