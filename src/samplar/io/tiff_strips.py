"""The compressed strips and tiles of a TIFF: inflated once, bounded, before they are believed.

tifffile inflates whatever is there in full: a megabyte can become a gigabyte for an image that
claims a few pixels.
"""

from __future__ import annotations

import logging
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tifffile

from samplar.errors import InputError
from samplar.io.picture import damaged

_STORED, _LZW, _JPEG, _PACKBITS = 1, 5, 7, 32773
_DEFLATE = {8, 32946}
KNOWN = {_STORED, _LZW, _JPEG, _PACKBITS, *_DEFLATE}

_REMARK = re.compile(r"TiffTag (\d+) ")
_ASIDE = {269, 270, 271, 272, 282, 283, 285, 296, 297, 305, 306, 315, 316}
"""Tags that describe a picture and decide nothing of it; as do all from 700 on."""


def check_compression(page: tifffile.TiffPage, data: bytes | bytearray, path: Path) -> None:
    """Refuse compressions that are not read, and strips that hold more or less than they should.

    Raises:
        InputError: `io.dtype` or `io.corrupt`.
    """
    if int(page.compression) not in KNOWN:
        problem = f"pixels with compression {int(page.compression)} are not read"
        fix = "Save it without compression, or as PNG"
        raise InputError(problem, fix=fix, code="io.dtype", path=path)
    if int(page.compression) not in _DEFLATE:
        return
    bits = page.bitspersample * (page.samplesperpixel if page.planarconfig == 1 else 1)
    width = page.tilewidth if page.is_tiled else page.imagewidth
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    most = rows * -(-width * bits // 8)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        inflater = zlib.decompressobj()
        held = len(inflater.decompress(data[offset : offset + count], most + 1))
        if held > most or not inflater.eof:
            problem = f"the strip at byte {offset:,} holds {held:,} bytes, at most {most:,} belong"
            raise damaged(problem, path)


@contextmanager
def overheard(path: Path) -> Iterator[None]:
    """Refuse a file about which tifffile remarks that something in it is wrong.

    It goes on without the tag, in a line to its log: an image could lose its orientation. Remarks
    on tags that only describe the picture are dropped.

    Raises:
        InputError: `io.corrupt`.
    """
    heard: list[str] = []
    thread = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                heard.append(record.getMessage())

    logger, ear = logging.getLogger("tifffile"), Ear(logging.WARNING)
    logger.addHandler(ear)
    try:
        yield
    finally:
        logger.removeHandler(ear)
    for remark in heard:
        tag = _REMARK.search(remark)
        if tag is None or not (int(tag[1]) in _ASIDE or int(tag[1]) >= 700):
            raise damaged(f"its tags are wrong ({remark})", path)
