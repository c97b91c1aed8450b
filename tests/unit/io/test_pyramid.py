from __future__ import annotations

import os
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io import pyramid
from samplar.io.pyramid import Pyramid

HEIGHT, WIDTH = 150, 210


def colours(height=HEIGHT, width=WIDTH, seed=0):
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (height // 10 + 1, width // 10 + 1, 3), dtype=np.uint8)
    return coarse.repeat(10, axis=0).repeat(10, axis=1)[:height, :width]


def save(path, image, *, levels=3, tile=(64, 64), **stored):
    stored = {"compression": "zlib", "photometric": "rgb", **stored}
    with tifffile.TiffWriter(path) as writer:
        for level in range(levels):
            shrunk = image[:: 2**level, :: 2**level]
            kind = {"subifds": levels - 1} if level == 0 else {"subfiletype": 1}
            writer.write(shrunk, tile=tile, **stored, **kind)
    return path


@pytest.fixture
def slide(tmp_path):
    return save(tmp_path / "slide.tif", colours())


def refused(path, code, words=None):
    with pytest.raises(InputError, match=words) as caught, Pyramid(path) as opened:
        opened.read(0, x=0, y=0, width=opened.levels[0].width, height=opened.levels[0].height)
    assert caught.value.code == code
    assert str(path) in caught.value.line()


def test_levels_are_found_with_their_scales(slide):
    with Pyramid(slide) as opened:
        assert [(level.height, level.width) for level in opened.levels] == [
            (150, 210),
            (75, 105),
            (38, 53),
        ]
        assert [level.scale for level in opened.levels] == pytest.approx([1, 2, 4], rel=0.02)
        assert opened.channels == 3


@pytest.mark.parametrize(
    "stored",
    [
        {"compression": None},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": 2},
        {"compression": "zlib", "bigtiff": True},
    ],
    ids=str,
)
def test_any_region_of_any_level_is_the_image_and_white_beyond(tmp_path, stored):
    image, big = colours(), stored.pop("bigtiff", False)
    path = tmp_path / "slide.tif"
    predicted = stored.pop("predictor", None)
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        for level in range(2):
            kind = {"subifds": 1} if level == 0 else {"subfiletype": 1}
            shown = image[:: 2**level, :: 2**level]
            if predicted:
                write_with_differences(writer, shown, kind)
            else:
                writer.write(shown, tile=(64, 48), photometric="rgb", **stored, **kind)
    chance = np.random.default_rng(1)
    with Pyramid(path) as opened:
        for level in range(2):
            whole = image[:: 2**level, :: 2**level]
            framed = np.full((400, 400, 3), 255, dtype=np.uint8)
            framed[50 : 50 + len(whole), 50 : 50 + whole.shape[1]] = whole
            for _ in range(12):
                x, y = (int(v) for v in chance.integers(-50, 160, 2))
                width, height = (int(v) for v in chance.integers(1, 120, 2))
                found = opened.read(level, x=x, y=y, width=width, height=height)
                expected = framed[50 + y : 50 + y + height, 50 + x : 50 + x + width]
                assert np.array_equal(found, expected)


def write_with_differences(writer, image, kind):
    """Store tiles as differences along the row, without the package that does it usually."""

    def tiles():
        for top in range(0, len(image), 64):
            for left in range(0, image.shape[1], 48):
                tile = np.zeros((64, 48, 3), dtype=np.uint8)
                part = image[top : top + 64, left : left + 48]
                tile[: len(part), : part.shape[1]] = part
                tile[:, 1:] -= tile[:, :-1].copy()
                yield zlib.compress(tile.tobytes())

    writer.write(
        tiles(),
        shape=image.shape,
        dtype=np.uint8,
        tile=(64, 48),
        photometric="rgb",
        compression="zlib",
        predictor=2,
        **kind,
    )


def jpeg_tiles(image, mode):
    import io

    for top in range(0, len(image), 64):
        for left in range(0, image.shape[1], 64):
            tile = np.zeros((64, 64, 3), dtype=np.uint8)
            part = image[top : top + 64, left : left + 64]
            tile[: len(part), : part.shape[1]] = part
            stream = io.BytesIO()
            made = Image.fromarray(tile)
            if mode == "ycbcr":
                made.save(stream, "JPEG", quality=95, subsampling=0)
            else:
                made.save(stream, "JPEG", quality=95, keep_rgb=True)
            yield stream.getvalue()


@pytest.mark.parametrize("mode", ["ycbcr", "rgb"])
def test_jpeg_tiles_have_their_own_colours(tmp_path, mode):
    image, path = colours(), tmp_path / "slide.tif"
    tifffile.imwrite(
        path,
        jpeg_tiles(image, mode),
        shape=image.shape,
        dtype=np.uint8,
        tile=(64, 64),
        photometric="rgb",
        compression="zlib",
    )
    with tifffile.TiffFile(path, mode="r+b") as file:  # which writes no JPEG by itself
        file.pages[0].tags["Compression"].overwrite(7)
        file.pages[0].tags["PhotometricInterpretation"].overwrite(6 if mode == "ycbcr" else 2)
    with Pyramid(path) as opened:
        found = opened.read(0, x=0, y=0, width=WIDTH, height=HEIGHT)
    assert np.abs(found.astype(int) - image).mean() < 3


def test_strips_and_grey_are_read_too(tmp_path):
    path = tmp_path / "grey.tif"
    grey = colours()[..., 0]
    tifffile.imwrite(path, grey, rowsperstrip=40, photometric="minisblack")
    with Pyramid(path) as opened:
        assert (len(opened.levels), opened.channels) == (1, 1)
        found = opened.read(0, x=-5, y=30, width=50, height=130, beyond=0)
    expected = np.zeros((130, 50), dtype=np.uint8)
    expected[:120, 5:] = grey[30:150, :45]
    assert np.array_equal(found[..., 0], expected)


@pytest.mark.parametrize(
    ("x", "y"),
    [(-30, 0), (-31, 0), (WIDTH, 0), (WIDTH + 90, 0), (0, -20), (0, -21), (0, HEIGHT)],
)
def test_beside_the_image_all_is_white(slide, x, y):
    with Pyramid(slide) as opened:
        region = opened.read(0, x=x, y=y, width=30, height=20)
    assert region.shape == (20, 30, 3)
    assert (region == 255).all()


@pytest.mark.parametrize(
    ("corner", "size", "parts"),
    [
        ((0, 0), (128, 128), 4),
        ((0, 0), (64, 64), 1),
        ((64, 64), (64, 64), 1),
        ((63, 0), (2, 64), 2),
    ],
)
def test_no_part_is_read_that_the_region_does_not_touch(tmp_path, monkeypatch, corner, size, parts):
    image, read = colours(128, 128), []
    real = pyramid.decode_part

    def counted(*given, **options):
        read.append(given)
        return real(*given, **options)

    monkeypatch.setattr(pyramid, "decode_part", counted)
    (x, y), (width, height) = corner, size
    with Pyramid(save(tmp_path / "x.tif", image, levels=1)) as opened:
        found = opened.read(0, x=x, y=y, width=width, height=height)
    assert np.array_equal(found, image[y : y + height, x : x + width])
    assert len(read) == parts


def test_a_region_is_bounded_by_its_bytes(slide, monkeypatch):
    monkeypatch.setattr(pyramid, "MAX_DECODED", 10 * 20 * 3)
    with Pyramid(slide) as opened:
        assert opened.read(0, x=0, y=0, width=10, height=20).size == 600
        with pytest.raises(InputError, match="a region of 10 x 21 pixels"):
            opened.read(0, x=0, y=0, width=10, height=21)


def test_a_file_has_the_documented_bounds(slide, monkeypatch):
    bounds = (pyramid.MAX_FILE, pyramid.MAX_SIDE, pyramid.MAX_PARTS)
    assert bounds == (256 * 1024**3, 2_097_152, 16_777_216)
    size = slide.stat().st_size
    for name, most in (("MAX_FILE", size), ("MAX_SIDE", WIDTH), ("MAX_PARTS", 12)):
        with monkeypatch.context() as limited:
            limited.setattr(pyramid, name, most)
            read_all(slide)
            limited.setattr(pyramid, name, most - 1)
            refused(slide, "io.too_large")


def test_a_stored_part_is_bounded(slide, monkeypatch):
    with tifffile.TiffFile(slide) as file:
        largest = max(max(level.keyframe.databytecounts) for level in file.series[0].levels)
    monkeypatch.setattr(pyramid, "LARGEST", largest)
    read_all(slide)
    monkeypatch.setattr(pyramid, "LARGEST", largest - 1)
    refused(slide, "io.too_large", f"a part of {largest:,} bytes")


def test_memory_is_bounded_by_the_region_however_large_the_image(tmp_path):
    path = tmp_path / "large.tif"
    side, tile = 20_480, 512

    shades = [zlib.compress(bytes([shade]) * tile**2) for shade in range(251)]

    def tiles():
        for number in range((side // tile) ** 2):
            yield shades[number % 251]

    tifffile.imwrite(
        path, tiles(), shape=(side, side), dtype=np.uint8, tile=(tile, tile), compression="zlib"
    )
    tracemalloc.start()
    with Pyramid(path) as opened:
        region = opened.read(0, x=10_000, y=10_000, width=1000, height=1000)
        assert region[0, 0, 0] == (19 * 40 + 19) % 251
        with pytest.raises(InputError, match="too large") as caught:
            opened.read(0, x=0, y=0, width=side, height=side)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "io.too_large"
    assert peak < 8e6


def test_truncated_and_damaged_files_are_refused(slide):
    data = slide.read_bytes()
    for end in (200, len(data) // 2, len(data) - 1):
        slide.write_bytes(data[:end])
        with pytest.raises(InputError) as caught:
            read_all(slide)
        assert caught.value.code in ("io.truncated", "io.corrupt")
    slide.write_bytes(data)
    with tifffile.TiffFile(slide) as file:
        offset = file.pages[0].dataoffsets[0]
    flipped = bytearray(data)
    flipped[offset + 20] ^= 0xFF
    slide.write_bytes(flipped)
    refused(slide, "io.corrupt")


def test_a_part_that_ends_early_is_named(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(64, 64))
    with tifffile.TiffFile(path) as file:
        (offset,) = file.pages[0].dataoffsets
    os.truncate(path, path.stat().st_size - 1)
    refused(path, "io.truncated", f"ends inside the part at byte {offset:,}")


def test_tags_that_make_no_sense_are_refused(slide):
    with tifffile.TiffFile(slide) as file:
        start = file.pages[0].offset
    os.truncate(slide, start + 30)
    refused(slide, "io.corrupt", "tags")


def test_an_image_of_one_pixel_is_read(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.full((1, 1), 7, np.uint8))
    with Pyramid(path) as opened:
        assert opened.read(0, x=0, y=0, width=1, height=1).tolist() == [[[7]]]


def read_all(path):
    with Pyramid(path) as opened:
        for number, level in enumerate(opened.levels):
            opened.read(number, x=0, y=0, width=level.width, height=level.height)


def test_a_tile_that_inflates_to_more_than_belongs_is_refused(tmp_path):
    path = tmp_path / "bomb.tif"
    bomb = zlib.compress(bytes(50_000_000))
    tifffile.imwrite(
        path,
        iter([bomb]),
        shape=(64, 64),
        dtype=np.uint8,
        tile=(64, 64),
        compression="zlib",
        photometric="minisblack",
    )
    tracemalloc.start()
    refused(path, "io.corrupt", "belong")
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_what_is_not_read_is_refused_by_name(tmp_path):
    path = tmp_path / "x.tif"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    refused(path, "io.format")
    path.write_bytes(b"")
    refused(path, "io.empty")
    tifffile.imwrite(path, np.zeros((64, 64), np.uint16), tile=(16, 16))
    refused(path, "io.dtype", "uint16")
    tifffile.imwrite(path, np.zeros((3, 64, 64), np.uint8), tile=(16, 16), photometric="minisblack")
    refused(path, "io.dimensions", "a TIFF of 3 pages")
    save(path, colours(), levels=1, extratags=[(274, 3, 1, 6, True)])
    refused(path, "io.dtype")


def test_another_image_is_no_level(tmp_path):
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(colours(), tile=(64, 64), photometric="rgb", subifds=1)
        writer.write(colours(64, 64), tile=(64, 64), photometric="rgb", subfiletype=1)
    with Pyramid(path) as opened:
        assert len(opened.levels) == 1


def scanned(path, *images):
    """Write a scanner's file, whose pages are levels whatever their sizes."""
    with tifffile.TiffWriter(path) as writer:
        for image in images:
            stored = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib"}
            writer.write(image, description="Aperio Image Library v1", metadata=None, **stored)
    return path


def test_a_scanner_s_level_of_another_image_is_refused(tmp_path):
    path = scanned(tmp_path / "x.svs", colours(), colours(70, 80), colours(64, 150))
    with pytest.raises(InputError, match="no smaller copy") as caught, Pyramid(path):
        pass
    assert caught.value.code == "io.dimensions"


@pytest.mark.parametrize(
    ("height", "width", "fits"),
    [
        *((100, 95, False), (100, 96, True), (100, 104, True), (100, 105, False)),
        *((95, 100, False), (96, 100, True), (104, 100, True), (105, 100, False)),
        *((199, 199, True), (199, 200, False)),
        *((6, 3, True), (7, 3, False)),  # the smaller a level, the more its rounding matters
    ],
)
def test_the_axes_of_a_level_shrink_alike(tmp_path, height, width, fits):
    thumbnail = colours(80, 80)
    path = scanned(tmp_path / "x.svs", colours(200, 200), thumbnail, colours(height, width))
    with tifffile.TiffFile(path) as file:
        levels = len(file.series[0].levels)
    if not fits:
        with pytest.raises(InputError, match=f"level of {width} x {height} pixels"), Pyramid(path):
            pass
        return
    with Pyramid(path) as opened:
        assert len(opened.levels) == levels
        assert opened.levels[1].scale == 200 / min(height, width)


@pytest.mark.parametrize("side", ["ImageWidth", "ImageLength"])
def test_an_empty_level_is_refused(tmp_path, side):
    path = scanned(tmp_path / "x.svs", colours(200, 200), colours(80, 80), colours(100, 100))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[2].tags[side].overwrite(0)
    refused(path, "io.dimensions", "pixels is empty")


def test_a_file_that_changes_meanwhile_is_refused(slide):
    def change():
        with Pyramid(slide):
            with slide.open("ab") as file:
                file.write(b"more")
            os.utime(slide)

    with pytest.raises(InputError) as caught:
        change()
    assert caught.value.code == "io.changed"


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_change_shows_in_the_time_or_the_size(slide, more):
    before = slide.stat()

    def change():
        with Pyramid(slide):
            with slide.open("ab") as file:
                file.write(more)
            os.utime(slide, ns=(before.st_atime_ns, before.st_mtime_ns + (0 if more else 1000)))

    with pytest.raises(InputError, match="changed while it was read"):
        change()


def test_of_a_file_that_changes_the_first_trouble_is_told(slide):
    def stumble():
        with Pyramid(slide):
            slide.write_bytes(b"other")
            raise KeyError("first")

    with pytest.raises(KeyError):
        stumble()
