"""Decode PNG: every chunk's checksum verified, bit depths and palettes kept."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from samplar.errors import InputError
from samplar.io.picture import DECODE_ERRORS, Picture, check_size, damaged

_GREY, _PALETTE = 0, 3  # PNG colour types
_CHANNELS = {2: 3, 4: 2, 6: 4}  # of the colour types that have more than one
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
"""First column and row, and the steps along them, of each pass (PNG, section 8.2)."""
_GREY_GAIN = {1: 255, 2: 85, 4: 17}


def decode(data: bytearray, path: Path) -> Picture:
    """Decode one PNG.

    Raises:
        InputError: `io.truncated`, `io.corrupt`, `io.too_large`, `io.dimensions` or `io.dtype`.
    """
    header, stream = _check_chunks(data, path)
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    depth, colour = header[8], header[9]
    bits = depth * _CHANNELS.get(colour, 1)
    check_size(width, height, path, depth=max(1, bits // 8))
    _check_length(stream, _inflated_size(width, height, bits, laced=bool(header[12])), path)
    if depth == 16 and colour != _GREY:
        problem = "holds 16-bit colours, of which only 8 bits could be read"
        fix = "Save it as 16-bit grey or as 8-bit colour"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
            array = np.asarray(image)
            orientation = int(image.getexif().get(274, 1))
            palette = _palette(image) if colour == _PALETTE else None
    except DECODE_ERRORS as error:
        raise damaged(f"pixels cannot be decoded ({error})", path) from error
    gain = _GREY_GAIN.get(depth, 1) if colour == _GREY else 1
    if gain > 1:  # Pillow spreads 2 and 4 bit greys over 0..255; class numbers must not be
        array = array.astype(np.uint8) // (1 if depth == 1 else gain)
    return Picture(array, palette, orientation, gain)


def _palette(image: Image.Image) -> np.ndarray:
    colours = np.zeros((256, 3), dtype=np.uint8)
    given = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    colours[: len(given)] = given
    return colours


def _inflated_size(width: int, height: int, bits: int, *, laced: bool) -> int:
    """Return how many bytes the pixels take before compression: rows, each with a filter byte."""
    total = 0
    for x, y, dx, dy in _ADAM7 if laced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
        total += rows * (1 + -(-columns * bits // 8)) if columns else 0
    return total


def _check_length(stream: bytes, expected: int, path: Path) -> None:
    """Refuse pixels that are more or fewer than the header says; Pillow ignores what is too much.

    No more than that is ever inflated.
    """
    inflater = zlib.decompressobj()
    try:
        found = len(inflater.decompress(stream, expected + 1))
    except zlib.error as error:
        raise damaged(f"pixels cannot be decoded ({error})", path) from error
    if found == expected and not inflater.eof:
        raise damaged(f"its pixels have no end after {found:,} bytes", path)
    if found != expected:
        more = "or more " if found > expected else ""
        problem = f"holds {found:,} {more}bytes of pixels, its header says {expected:,}"
        raise damaged(problem, path)


def _check_chunks(data: bytearray, path: Path) -> tuple[bytes, bytes]:
    """Walk all chunks up to IEND; return the content of IHDR and of all IDAT together."""
    header = b""
    pixels = []
    at = 8
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        name = bytes(data[at + 4 : at + 8])
        end = at + 12 + length
        if len(data) < end:
            problem = f"file ends after {len(data):,} bytes, its next part needs {end:,}"
            raise damaged(problem, path, code="io.truncated")
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            problem = f"part {name!r} at byte {at:,} does not match its checksum"
            raise damaged(problem, path)
        if not header and (name != b"IHDR" or length != 13):
            raise damaged(f"begins with part {name!r} instead of a header", path)
        if name == b"acTL":
            fix = "Save one frame as a PNG"
            raise InputError("is an animation", fix=fix, code="io.dimensions", path=path)
        header = header or bytes(data[at + 8 : end - 4])
        if name == b"IDAT":
            pixels.append(data[at + 8 : end - 4])
        if name == b"IEND":
            return header, b"".join(pixels)
        at = end
