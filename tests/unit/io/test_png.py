from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samplar.errors import InputError
from samplar.io import png

HERE = Path("a.png")


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def made(
    rows: list[bytes], width: int, *, depth: int, colour: int, extra: bytes = b""
) -> bytearray:
    """Return a PNG built by hand from packed rows."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return bytearray(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def code_of(data) -> str:
    with pytest.raises(InputError) as caught:
        png.decode(bytearray(data), HERE)
    assert caught.value.path == "a.png"
    return caught.value.code


@pytest.mark.parametrize(
    ("depth", "row", "values"),
    [
        (1, b"\xa0", [1, 0, 1, 0]),
        (2, b"\x1b", [0, 1, 2, 3]),
        (4, b"\x01\x2f", [0, 1, 2, 15]),
        (8, b"\0\x01\x02\xff", [0, 1, 2, 255]),
        (16, b"\0\0\0\x01\x01\0\xff\xff", [0, 1, 256, 65535]),
    ],
)
def test_grey_levels_of_any_depth_are_the_stored_numbers(depth, row, values):
    picture = png.decode(made([row], 4, depth=depth, colour=0), HERE)
    assert picture.array.tolist() == [values]
    assert picture.gain == {1: 255, 2: 85, 4: 17}.get(depth, 1)
    assert picture.palette is None


@pytest.mark.parametrize(
    ("depth", "row", "values"), [(1, b"\xa0", [1, 0, 1]), (2, b"\x18", [0, 1, 2])]
)
def test_palette_indices_of_any_depth(depth, row, values):
    colours = chunk(b"PLTE", bytes([9, 9, 9, 1, 2, 3, 4, 5, 6][: 3 * 2**depth]))
    picture = png.decode(made([row], 3, depth=depth, colour=3, extra=colours), HERE)
    assert picture.array.tolist() == [values]
    assert picture.palette[1].tolist() == [1, 2, 3]
    assert picture.gain == 1


def test_16_bit_colours_are_refused():
    assert code_of(made([bytes(6)], 1, depth=16, colour=2)) == "io.dtype"


def test_an_animation_is_refused():
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    assert code_of(made([b"\0"], 1, depth=8, colour=0, extra=control)) == "io.dimensions"


def test_claimed_size_is_bounded_before_decoding():
    data = made([b"\0"], 100_000_000, depth=8, colour=0)
    assert code_of(data) == "io.too_large"
    assert code_of(made([b"\0"], 0, depth=8, colour=0)) == "io.dimensions"


def test_pixels_that_end_early_are_refused():
    assert code_of(made([b"\0"], 400, depth=8, colour=0)) == "io.corrupt"


def test_a_png_begins_with_its_header():
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b"")
    assert code_of(data) == "io.corrupt"


def image(tmp_path) -> bytes:
    array = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    return (tmp_path / "a.png").read_bytes()


def test_truncation_at_every_length_is_refused_with_bytes(tmp_path):
    whole = image(tmp_path)
    for length in range(8, len(whole)):
        with pytest.raises(InputError, match=f"ends after {length:,} bytes") as caught:
            png.decode(bytearray(whole[:length]), HERE)
        assert caught.value.code == "io.truncated"
    assert png.decode(bytearray(whole), HERE).array.shape == (20, 30)


def test_every_flipped_bit_is_refused(tmp_path):
    whole = image(tmp_path)
    for bit in range(64, len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        assert code_of(damaged) in ("io.corrupt", "io.truncated")


PASSES = [
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
]


def laced(array: np.ndarray) -> bytearray:
    """Return an interlaced 8-bit PNG: seven pictures of every n-th pixel, one after the other."""
    parts = [array[y::dy, x::dx] for x, y, dx, dy in PASSES]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return bytearray(b"\x89PNG\r\n\x1a\n" + parts)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (3, 4), (9, 17), (16, 16)])
def test_interlaced_pictures_of_any_size_are_read(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.array_equal(png.decode(laced(array), HERE).array, array)


@pytest.mark.parametrize("claimed", [3, 5])
def test_more_or_fewer_rows_than_the_header_says(claimed):
    data = made([b"\0\1\2"] * 4, 3, depth=8, colour=0)
    header = struct.pack(">IIBBBBB", 3, claimed, 8, 0, 0, 0, 0)
    data[8:33] = chunk(b"IHDR", header)
    with pytest.raises(InputError) as caught:
        png.decode(data, HERE)
    assert caught.value.code == "io.corrupt"
    assert f"its header says {4 * claimed}" in caught.value.problem


def test_pixels_without_the_end_of_their_stream():
    rows = zlib.compress(b"\0\1\2\3")
    data = made([b"\1\2\3"], 3, depth=8, colour=0)
    whole = chunk(b"IDAT", zlib.compress(b"\0\1\2\3"))
    at = data.index(b"IDAT") - 4
    data[at : at + len(whole)] = chunk(b"IDAT", rows[:-4])
    assert code_of(data) == "io.corrupt"


def test_a_picture_of_four_channels_is_bounded_by_its_bytes():
    header = struct.pack(">IIBBBBB", 9_000, 9_000, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert code_of(b"\x89PNG\r\n\x1a\n" + parts) == "io.too_large"
