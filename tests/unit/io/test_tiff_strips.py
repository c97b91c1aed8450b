"""Compressed strips that lie, and tags that tifffile passes over."""

from __future__ import annotations

import io
import logging
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io import tiff
from samplar.io.tiff_strips import check_compression, overheard

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


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("raw", 1), ("tiff_lzw", 5), ("jpeg", 7), ("packbits", 32773)),
        *(("tiff_deflate", 8), ("tiff_deflate", 32946)),
    ],
)
def test_every_compression_that_is_read(name, number):
    stream = io.BytesIO()
    Image.fromarray(np.full((16, 24), 90, np.uint8)).save(stream, "TIFF", compression=name)
    data = bytearray(stream.getvalue())
    at = entry(data, 259) + 8
    data[at : at + 2] = number.to_bytes(2, "little")  # Pillow writes the new number of deflate
    assert (tiff.decode(data, PATH).array == 90).all()


@pytest.mark.parametrize("array", [GREY > 99, np.stack([GREY] * 3)], ids=["bits", "planes"])
@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"rowsperstrip": 6}])
def test_strips_of_bits_and_of_planes(array, options):
    kind = "rgb" if array.ndim == 3 else "minisblack"
    data = written(array, compression="zlib", photometric=kind, planarconfig="separate", **options)
    shown = np.moveaxis(array, 0, -1) if array.ndim == 3 else array
    assert np.array_equal(tiff.decode(data, PATH).array, shown)


@pytest.mark.parametrize(
    ("array", "options", "most"),
    [
        (GREY > 99, {"rowsperstrip": 16}, 16 * 3),
        (GREY[:, :13] > 99, {"rowsperstrip": 16}, 16 * 2),
        (GREY.astype(np.uint16), {"rowsperstrip": 5}, 5 * 24 * 2),
        (GREY, {"tile": (16, 16)}, 16 * 16),
        (np.stack([GREY] * 3, axis=-1), {"rowsperstrip": 4}, 4 * 24 * 3),
        (np.stack([GREY] * 3), {"rowsperstrip": 4, "planarconfig": "separate"}, 4 * 24),
    ],
    ids=["bits", "odd bits", "16 bits", "tile", "colours", "planes"],
)
def test_a_strip_holds_no_byte_more_than_its_pixels(array, options, most):
    kind = "rgb" if array.ndim == 3 else "minisblack"
    data = written(array, compression="zlib", photometric=kind, **options)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        offset, count = page.dataoffsets[0], page.databytecounts[0]
        for length, fits in ((most, True), (most + 1, False)):
            strip = zlib.compress(bytes(length))
            changed = data[:offset] + strip.ljust(count, b"\0") + data[offset + count :]
            assert len(strip) <= count
            if fits:
                check_compression(page, changed, PATH)
                continue
            with pytest.raises(InputError, match=f"at most {most} belong"):
                check_compression(page, changed, PATH)


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


def remark(tag: int) -> None:
    logging.getLogger("tifffile").warning("<TiffTag %d @8> odd", tag)


@pytest.mark.parametrize(
    "tag",
    [
        *(269, 270, 271, 272, 285, 305, 306, 315, 316),  # names, text, dates, programs
        *(282, 283, 296, 297),  # resolution and page number
        *(700, 33432, 65535),  # everything that came after TIFF 6.0
    ],
)
def test_tags_that_only_describe_a_picture_may_be_odd(tag):
    with overheard(PATH):
        remark(tag)


@pytest.mark.parametrize(
    "tag", [256, 257, 258, 259, 262, 266, 268, 273, 274, 277, 278, 279, 284, 307, 317, 322, 699]
)
def test_tags_that_decide_what_is_seen_may_not_be_odd(tag):
    with pytest.raises(InputError, match=f"TiffTag {tag}") as caught, overheard(PATH):
        remark(tag)
    assert caught.value.code == "io.corrupt"


def test_what_is_said_of_a_file_read_at_the_same_time_is_not_ours():
    with overheard(PATH):
        other = threading.Thread(target=remark, args=(256,))
        other.start()
        other.join()


def test_what_others_do_with_tifffile_is_not_ours():
    logger = logging.getLogger("tifffile")
    before = list(logger.handlers)
    with pytest.raises(InputError, match="wrong"), overheard(PATH):
        logger.warning("<TiffPage 0 @8> odd")
    with overheard(PATH):
        logger.info("<TiffPage 0 @8> odd")
    assert logger.handlers == before
