from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samplar.errors import InputError
from samplar.io import png
from samplar.io.picture import MAX_PIXELS

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


def refused(data) -> InputError:
    with pytest.raises(InputError) as caught:
        png.decode(bytearray(data), HERE)
    assert caught.value.path == "a.png"
    return caught.value


def code_of(data) -> str:
    return refused(data).code


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
    assert picture.palette.shape == (256, 3)
    assert picture.palette[1].tolist() == [1, 2, 3]
    assert not picture.palette[3:].any()
    assert (picture.gain, picture.orientation) == (1, 1)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_channels_of_8_bits(colour, channels):
    rows = np.random.default_rng(0).integers(0, 256, (2, 3, channels), np.uint8)
    data = made([row.tobytes() for row in rows], 3, depth=8, colour=colour)
    assert np.array_equal(png.decode(data, HERE).array, rows)


def test_an_unknown_kind_of_colour_is_refused():
    assert "cannot be decoded" in refused(made([b"\0"], 1, depth=8, colour=5)).problem


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colours_are_refused(colour, channels):
    assert code_of(made([bytes(2 * channels)], 1, depth=16, colour=colour)) == "io.dtype"


def test_the_orientation_is_read(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "a.png", exif=exif)
    data = bytearray((tmp_path / "a.png").read_bytes())
    assert png.decode(data, HERE).orientation == 6


def test_an_animation_is_refused():
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    assert code_of(made([b"\0"], 1, depth=8, colour=0, extra=control)) == "io.dimensions"


def test_claimed_size_is_bounded_before_decoding():
    data = made([b"\0"], 100_000_000, depth=8, colour=0)
    assert code_of(data) == "io.too_large"
    assert code_of(made([b"\0"], 0, depth=8, colour=0)) == "io.dimensions"


@pytest.mark.parametrize(
    ("depth", "colour", "most", "held"),
    [(1, 0, MAX_PIXELS, 1), (8, 2, MAX_PIXELS, 3), (8, 6, 1 << 26, 4), (16, 0, MAX_PIXELS, 2)],
)
def test_the_bound_is_on_the_bytes_of_all_pixels(depth, colour, most, held):
    beyond = refused(made([b"\0"], most + 1, depth=depth, colour=colour))
    assert beyond.code == "io.too_large"
    assert f"of {held} bytes" in beyond.problem
    assert code_of(made([b"\0"], most, depth=depth, colour=colour)) == "io.corrupt"


def test_pixels_that_end_early_are_refused():
    assert code_of(made([b"\0"], 400, depth=8, colour=0)) == "io.corrupt"


def test_a_png_begins_with_its_header():
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b"")
    assert "begins with part b'IEND'" in refused(data).problem


@pytest.mark.parametrize("length", [12, 14])
def test_a_header_has_13_bytes(length):
    data = made([b"\0"], 1, depth=8, colour=0)
    data[8:33] = chunk(b"IHDR", bytes(data[16:28] + bytes(2))[:length])
    assert "begins with part b'IHDR'" in refused(data).problem


def test_pixels_may_lie_in_several_parts():
    data = made([b"\1\2\3"], 3, depth=8, colour=0)
    at = data.index(b"IDAT") - 4
    content = bytes(data[at + 8 : -16])
    data[at:-12] = b"".join(chunk(b"IDAT", half) for half in (content[:4], content[4:]))
    assert png.decode(data, HERE).array.tolist() == [[1, 2, 3]]


def test_pixels_that_are_no_stream_are_refused():
    data = made([b"\0"], 1, depth=8, colour=0)
    at = data.index(b"IDAT") - 4
    data[at:-12] = chunk(b"IDAT", b"anything")
    error = refused(data)
    assert error.code == "io.corrupt"
    assert "cannot be decoded" in error.problem


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


@pytest.mark.parametrize("other", [1, 4, 13])
@pytest.mark.parametrize("side", range(1, 18))
def test_interlaced_pictures_of_any_size_are_read(side, other):
    chance = np.random.default_rng(0)
    for shape in ((side, other), (other, side)):
        array = chance.integers(0, 256, shape, np.uint8)
        assert np.array_equal(png.decode(laced(array), HERE).array, array)


@pytest.mark.parametrize(("claimed", "held"), [(3, "13 or more"), (5, "16")])
def test_more_or_fewer_rows_than_the_header_says(claimed, held):
    """Of what is too much, one byte is inflated."""
    data = made([b"\0\1\2"] * 4, 3, depth=8, colour=0)
    header = struct.pack(">IIBBBBB", 3, claimed, 8, 0, 0, 0, 0)
    data[8:33] = chunk(b"IHDR", header)
    error = refused(data)
    assert error.code == "io.corrupt"
    assert f"holds {held} bytes of pixels, its header says {4 * claimed}" in error.problem


def test_pixels_without_the_end_of_their_stream():
    rows = zlib.compress(b"\0\1\2\3")
    data = made([b"\1\2\3"], 3, depth=8, colour=0)
    whole = chunk(b"IDAT", zlib.compress(b"\0\1\2\3"))
    at = data.index(b"IDAT") - 4
    data[at : at + len(whole)] = chunk(b"IDAT", rows[:-4])
    error = refused(data)
    assert error.code == "io.corrupt"
    assert "no end after 4 bytes" in error.problem


def test_a_picture_of_four_channels_is_bounded_by_its_bytes():
    header = struct.pack(">IIBBBBB", 9_000, 9_000, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert code_of(b"\x89PNG\r\n\x1a\n" + parts) == "io.too_large"
