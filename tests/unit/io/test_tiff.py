from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io import tiff
from samplar.io.picture import MAX_DECODED, MAX_PIXELS

HERE = Path("a.tif")
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (16, 24)).astype(np.uint8)
RGB = RNG.integers(0, 256, (16, 24, 3)).astype(np.uint8)


def made(array, **options) -> bytearray:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return bytearray(stream.getvalue())


def by_pillow(array, **options) -> bytearray:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "TIFF", **options)
    return bytearray(stream.getvalue())


def patched(data, name: str, value: int) -> bytearray:
    """Return the file with the value of one tag overwritten."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[name]
        at, size = tag.valueoffset, 2 if int(tag.dtype) == 3 else 4
    changed = bytearray(data)
    changed[at : at + size] = value.to_bytes(size, "little")
    return changed


def refused(data) -> InputError:
    with pytest.raises(InputError) as caught:
        tiff.decode(data, HERE)
    assert caught.value.path == "a.tif"
    return caught.value


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "f4", "f8", ">u2", "?"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_stored_numbers_are_kept(dtype, compression):
    array = (GREY // 3).astype(dtype)
    picture = tiff.decode(made(array, compression=compression), HERE)
    assert np.array_equal(picture.array, array)
    assert picture.gain == (255 if dtype == "?" else 1)
    assert (picture.palette, picture.orientation) == (None, 1)
    assert picture.white_is_zero == (dtype == "?")  # as tifffile writes bits


def test_a_palette_is_read_with_8_bits_a_colour():
    image = Image.fromarray(GREY % 4)
    image.putpalette([0, 0, 0, 255, 1, 2, 3, 254, 0, 7, 8, 9])
    stream = io.BytesIO()
    image.save(stream, "TIFF")
    picture = tiff.decode(bytearray(stream.getvalue()), HERE)
    assert np.array_equal(picture.array, GREY % 4)
    assert picture.palette[:4].tolist() == [[0, 0, 0], [255, 1, 2], [3, 254, 0], [7, 8, 9]]


@pytest.mark.parametrize(
    ("dtype", "most", "held"), [("?", MAX_PIXELS, 1), ("u1", MAX_PIXELS, 1), ("f8", 1 << 25, 8)]
)
def test_the_bound_is_on_the_bytes_of_all_pixels(dtype, most, held):
    assert most == min(MAX_PIXELS, MAX_DECODED // held)
    data = made(np.zeros((1, 8), dtype))
    assert refused(patched(data, "ImageWidth", most)).code != "io.too_large"
    error = refused(patched(data, "ImageWidth", most + 1))
    assert error.code == "io.too_large"
    assert f"of {held} bytes" in error.problem


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_are_channels_last_whatever_the_storage(planarconfig, dtype):
    array = RGB.astype(dtype) * 3
    stored = array if planarconfig == "contig" else np.moveaxis(array, 2, 0)
    data = made(stored, photometric="rgb", planarconfig=planarconfig)
    assert np.array_equal(tiff.decode(data, HERE).array, array)


def test_tiles_are_read():
    array = RNG.integers(0, 9, (40, 50)).astype(np.uint16)
    assert np.array_equal(tiff.decode(made(array, tile=(16, 16)), HERE).array, array)


def test_a_single_pixel_is_read():
    assert tiff.decode(made(np.full((1, 1), 7, np.uint8)), HERE).array.tolist() == [[7]]


def test_lzw_is_read():
    for array in (GREY, RGB, GREY.astype(np.uint16) * 200):
        data = by_pillow(array, compression="tiff_lzw")
        assert np.array_equal(tiff.decode(data, HERE).array, array)


def test_compressed_pixels_that_pillow_would_change_are_refused():
    exif = Image.Exif()
    exif[274] = 6
    assert refused(by_pillow(GREY, compression="tiff_lzw", exif=exif)).code == "io.dtype"
    white = patched(by_pillow(GREY, compression="tiff_lzw"), "PhotometricInterpretation", 0)
    assert "LZW compression" in refused(white).problem
    exif[274] = 1
    upright = tiff.decode(by_pillow(GREY, compression="tiff_lzw", exif=exif), HERE)
    assert np.array_equal(upright.array, GREY)
    exif[274] = 6
    picture = tiff.decode(by_pillow(GREY, compression="tiff_deflate", exif=exif), HERE)
    assert picture.orientation == 6
    assert np.array_equal(picture.array, GREY)


def test_strips_that_hold_too_little_are_refused():
    for compression in (None, "zlib"):
        data = made(GREY, compression=compression, rowsperstrip=16)
        for tag, value in (("ImageLength", 160), ("ImageLength", 17), ("RowsPerStrip", 4)):
            assert refused(patched(data, tag, value)).code in ("io.truncated", "io.corrupt")
        both = patched(patched(data, "ImageLength", 32), "RowsPerStrip", 32)
        assert refused(both).code in ("io.truncated", "io.corrupt")


def test_sparse_pixels_are_refused():
    data = patched(made(GREY), "StripByteCounts", 0)
    assert refused(data).code in ("io.truncated", "io.corrupt")


def test_as_many_strips_as_the_height_needs():
    error = refused(patched(made(GREY, rowsperstrip=16), "RowsPerStrip", 4))
    assert error.code == "io.truncated"
    assert "1 of 4 strips or tiles of pixels are there" in error.problem


@pytest.mark.parametrize("pages", [2, 5])
def test_a_stack_of_pages_is_refused_with_a_way_out(pages):
    error = refused(made(np.stack([GREY] * pages), photometric="minisblack"))
    assert error.code == "io.dimensions"
    assert f"{pages} pages, the first of shape (16, 24)" in error.problem
    assert "NIfTI" in error.fix


def test_a_thumbnail_beside_the_image_is_no_page():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(GREY)
        writer.write(GREY[::2, ::2], subfiletype=1)
    assert np.array_equal(tiff.decode(bytearray(stream.getvalue()), HERE).array, GREY)


def test_several_slices_in_one_page_are_refused():
    data = made(np.zeros((2, 16, 16), np.uint8), volumetric=True, tile=(2, 16, 16))
    assert refused(data).code == "io.dtype"


def test_white_is_zero_is_said_and_the_stored_numbers_kept():
    picture = tiff.decode(made(GREY, photometric="miniswhite"), HERE)
    assert picture.white_is_zero
    assert np.array_equal(picture.array, GREY)


def test_other_pixels_are_refused():
    error = refused(made(RGB, photometric="cielab"))
    assert error.code == "io.dtype"
    assert "CIELAB" in error.problem


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncation_at_every_length_is_refused(compression):
    whole = made(RNG.integers(0, 256, (16, 24)).astype(np.uint8), compression=compression)
    for length in range(8, len(whole), 3):
        assert refused(whole[:length]).code in ("io.truncated", "io.corrupt")


def test_the_bytes_missing_are_counted():
    whole = made(GREY)
    error = refused(whole[:-10])
    assert error.code == "io.truncated"
    assert f"ends after {len(whole) - 10:,} bytes, its pixels need {len(whole):,}" in error.problem


def test_a_huge_claim_is_refused():
    data = patched(patched(made(GREY), "ImageWidth", 60_000), "ImageLength", 60_000)
    assert refused(data).code == "io.too_large"


def test_flipped_bytes_never_end_in_another_kind_of_error():
    whole = made(GREY, compression="zlib")
    for position in range(8, len(whole)):
        for value in (0, 0x7F, 0xFF):
            damaged = bytearray(whole)
            damaged[position] = value
            try:
                picture = tiff.decode(damaged, HERE)
            except InputError:
                continue
            assert picture.array.size <= GREY.size
