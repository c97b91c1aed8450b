"""Compressed strips that lie, and tags that tifffile passes over."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from samplar.errors import InputError
from samplar.io import tiff
from samplar.io.tiff_strips import overheard

PATH = Path("a.tif")
GREY = np.random.default_rng(0).integers(0, 256, (16, 24), np.uint8)


def written(array: np.ndarray = GREY, **options: object) -> bytearray:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return bytearray(stream.getvalue())


def entry(data: bytearray, tag: int) -> int:
    """Return where the entry of a tag begins."""
    start = int.from_bytes(data[4:8], "little")
    places = (start + 2 + 12 * n for n in range(int.from_bytes(data[start : start + 2], "little")))
    return next(at for at in places if int.from_bytes(data[at : at + 2], "little") == tag)


def with_strip(content: bytes) -> bytearray:
    """Return a one-strip TIFF whose strip is this deflated content."""
    data = written(compression="zlib", rowsperstrip=16)
    strip = zlib.compress(content)
    for tag, value in ((273, len(data)), (279, len(strip))):
        at = entry(data, tag)
        data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    return data + strip


def refused(data: bytearray) -> InputError:
    with pytest.raises(InputError) as caught:
        tiff.decode(data, PATH)
    return caught.value


@pytest.mark.parametrize("options", [{"rowsperstrip": 5}, {"tile": (16, 16)}, {"rowsperstrip": 16}])
@pytest.mark.parametrize("array", [GREY, np.stack([GREY] * 3, axis=-1), GREY.astype(np.uint16) * 9])
def test_sound_strips_and_tiles_are_read(array, options):
    data = written(array, compression="zlib", **options)
    assert np.array_equal(tiff.decode(data, PATH).array, array)


def test_a_strip_of_the_right_length_is_read():
    assert np.array_equal(tiff.decode(with_strip(GREY.tobytes()), PATH).array, GREY)


@pytest.mark.parametrize("more", [1, 1000])
def test_a_strip_that_holds_too_much(more):
    error = refused(with_strip(GREY.tobytes() + bytes(more)))
    assert error.code == "io.corrupt"
    assert "holds 385 bytes, at most 384 belong" in error.problem


def test_a_strip_without_its_checksum():
    data = with_strip(GREY.tobytes())
    data[-1] ^= 1
    assert refused(data).code == "io.corrupt"


def test_another_compression_is_named_by_its_number():
    data = written(compression="zlib")
    at = entry(data, 259)
    data[at + 8 : at + 10] = (34925).to_bytes(2, "little")
    error = refused(data)
    assert error.code == "io.dtype"
    assert "34925" in error.problem


def test_a_tag_of_the_picture_that_cannot_be_read():
    data = written()
    at = entry(data, 258)
    data[at + 2 : at + 4] = (99).to_bytes(2, "little")  # no such type of value
    error = refused(data)
    assert error.code == "io.corrupt"


def test_a_tag_about_the_picture_that_cannot_be_read_is_passed_over():
    data = written(description="a picture " * 3)
    at = entry(data, 270)
    data[at + 8 : at + 12] = (1 << 30).to_bytes(4, "little")
    assert np.array_equal(tiff.decode(data, PATH).array, GREY)


def test_what_others_do_with_tifffile_is_not_ours():
    logger = logging.getLogger("tifffile")
    before = list(logger.handlers)
    with pytest.raises(InputError, match="wrong"), overheard(PATH):
        logger.warning("<TiffPage 0 @8> odd")
    with overheard(PATH):
        logger.info("<TiffPage 0 @8> odd")
    assert logger.handlers == before
