"""How the parts of a TIFF page are stored, and what becomes of parts that are not what they say."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io import tiff_parts
from samplar.io.tiff_parts import Parts, decode_part, parts_of

PATH = Path("a.tif")
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
GREY = IMAGE[..., 0]


def read(path: Path) -> Parts:
    with tifffile.TiffFile(path) as file:
        return parts_of(file.pages[0], PATH)


def saved(path: Path, image: np.ndarray = IMAGE, **options: object) -> Path:
    tifffile.imwrite(path, image, **{"tile": (16, 32), "compression": "zlib", **options})
    return path


def with_predictor(path: Path, **options: object) -> Path:
    """Write tiles of zeros as differences, which tifffile makes with the help of another alone."""
    tiles = iter([zlib.compress(bytes(16 * 32 * 3))] * 9)
    return saved(path, tiles, shape=IMAGE.shape, dtype=np.uint8, predictor=2, **options)


def patched(path: Path, **tags: int) -> Path:
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name, value in tags.items():
            file.pages[0].tags[name].overwrite(value)
    return path


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.path == str(PATH)
    return caught.value


def test_tiles_and_strips_as_the_page_says(tmp_path):
    tiles = read(saved(tmp_path / "a.tif"))
    assert (tiles.rows, tiles.columns, tiles.channels, tiles.across) == (16, 32, 3, 3)
    assert (tiles.compression, tiles.differences, tiles.tables) == (8, False, b"")
    assert tiles.as_rgb
    strips = read(saved(tmp_path / "b.tif", GREY, tile=None, rowsperstrip=16, compression=None))
    assert (strips.rows, strips.columns, strips.channels, strips.across) == (16, 70, 1, 1)
    assert (strips.compression, strips.as_rgb) == (1, False)


def test_a_strip_is_no_higher_than_its_image(tmp_path):
    path = saved(tmp_path / "a.tif", tile=None, rowsperstrip=40)
    assert read(patched(path, RowsPerStrip=2**32 - 1)).rows == 40


@pytest.mark.parametrize(
    ("tags", "name", "found"),
    [
        ({"Compression": 32946}, "compression", 32946),
        ({"Compression": 7}, "compression", 7),
        ({"Compression": 1}, "compression", 1),
        ({"Predictor": 2}, "differences", True),
        ({"Predictor": 1}, "differences", False),
        ({"PhotometricInterpretation": 1}, "as_rgb", False),
    ],
    ids=str,
)
def test_what_is_read(tmp_path, tags, name, found):
    path = patched(with_predictor(tmp_path / "a.tif"), **tags)
    assert getattr(read(path), name) == found


def test_an_upright_page_is_read(tmp_path):
    assert read(saved(tmp_path / "a.tif", extratags=[(274, 3, 1, 1, True)])).channels == 3


@pytest.mark.parametrize(
    "tags",
    [
        {"Compression": 5},
        {"Compression": 34712},
        {"Predictor": 3},
        {"PhotometricInterpretation": 0},
        {"PhotometricInterpretation": 3},
        {"PhotometricInterpretation": 6},
        {"PhotometricInterpretation": 8},
        {"Orientation": 2},
        {"PlanarConfiguration": 2},
    ],
    ids=str,
)
def test_what_is_not_read(tmp_path, tags):
    path = with_predictor(tmp_path / "a.tif", extratags=[(274, 3, 1, 1, True)])
    assert read(path).rows == 16
    error = refused(patched(path, **tags))
    assert error.code == "io.dtype"
    assert "are not read in tiles" in error.problem


def test_a_page_of_several_slices_is_not_read(tmp_path):
    volume = {"tile": (2, 16, 32), "volumetric": True, "photometric": "minisblack"}
    path = saved(tmp_path / "a.tif", np.zeros((2, 40, 70), np.uint8), **volume)
    assert refused(path).code == "io.dtype"


@pytest.mark.parametrize(("channels", "kind"), [(2, "minisblack"), (4, "rgb")])
def test_transparency_is_not_read(tmp_path, channels, kind):
    image = np.zeros((40, 70, channels), dtype=np.uint8)
    path = saved(tmp_path / "a.tif", image, photometric=kind, planarconfig="contig")
    assert f"with {channels} channels" in refused(path).problem


def test_ycbcr_is_read_of_jpegs_alone(tmp_path):
    path = patched(saved(tmp_path / "a.tif"), PhotometricInterpretation=6, Compression=7)
    assert not read(path).as_rgb
    assert refused(patched(path, Compression=8)).code == "io.dtype"


def test_parts_are_bounded(tmp_path, monkeypatch):
    assert tiff_parts.LARGEST == 64 * 1024**2
    path = saved(tmp_path / "a.tif")
    monkeypatch.setattr(tiff_parts, "LARGEST", 16 * 32 * 3)
    assert read(path).rows == 16
    monkeypatch.setattr(tiff_parts, "LARGEST", 16 * 32 * 3 - 1)
    error = refused(path)
    assert error.code == "io.too_large"
    assert "32 x 16 pixels" in error.problem


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"ImageWidth": 97}, "9 of 12 strips"),
        ({"ImageLength": 49}, "9 of 12 strips"),
        ({"ImageWidth": 64}, "9 of 6 strips"),
    ],
    ids=str,
)
def test_as_many_parts_as_the_size_needs(tmp_path, tags, words):
    error = refused(patched(saved(tmp_path / "a.tif"), **tags))
    assert error.code == "io.truncated"
    assert words in error.problem


def test_the_last_part_may_reach_to_the_very_edge(tmp_path):
    path = patched(saved(tmp_path / "a.tif"), ImageWidth=96, ImageLength=48)
    assert read(path).across == 3


def test_a_part_without_bytes_is_not_there(tmp_path):
    path = saved(tmp_path / "a.tif")
    with tifffile.TiffFile(path, mode="r+b") as file:
        counts = file.pages[0].databytecounts
        file.pages[0].tags["TileByteCounts"].overwrite([0, *counts[1:]])
    assert "8 of 9 strips" in refused(path).problem


PLAIN = Parts(
    rows=2,
    columns=3,
    channels=1,
    across=1,
    compression=1,
    differences=False,
    tables=b"",
    as_rgb=False,
)
DEFLATED = replace(PLAIN, compression=8)
JPEG = replace(PLAIN, rows=16, columns=24, channels=3, compression=7)


def damage(data: bytes, parts: Parts, *, rows: int = 2) -> InputError:
    with pytest.raises(InputError) as caught:
        decode_part(data, parts, PATH, rows=rows)
    assert caught.value.path == str(PATH)
    return caught.value


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("compression", [1, 8, 32946])
def test_bytes_become_rows_of_pixels(compression, rows):
    values = list(range(3 * rows))
    data = bytes(values) if compression == 1 else zlib.compress(bytes(values))
    found = decode_part(data, replace(PLAIN, compression=compression), PATH, rows=rows)
    assert found.shape == (rows, 3, 1)
    assert found.ravel().tolist() == values


def test_differences_are_summed_along_the_row_and_start_over():
    parts = replace(PLAIN, differences=True)
    found = decode_part(bytes([250, 4, 4, 1, 2, 3]), parts, PATH, rows=2)
    assert found[..., 0].tolist() == [[250, 254, 2], [1, 3, 6]]


@pytest.mark.parametrize("parts", [PLAIN, DEFLATED], ids=["plain", "deflated"])
@pytest.mark.parametrize("length", [5, 7])
def test_a_part_of_another_length_is_refused(parts, length):
    data = bytes(length) if parts is PLAIN else zlib.compress(bytes(length))
    error = damage(data, parts)
    assert error.code == "io.corrupt"
    assert "6 bytes that belong" in error.problem or f"{length} bytes, 6 belong" in error.problem


def test_a_stream_without_its_end_or_its_sense_is_refused():
    whole = zlib.compress(bytes(6))
    assert "no end after 6 bytes" in damage(whole[:-4], DEFLATED).problem
    assert "cannot be inflated" in damage(whole[:-1] + b"\xff", DEFLATED).problem
    assert damage(b"anything", DEFLATED).code == "io.corrupt"


def jpeg(height: int = 16, width: int = 24, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (width, height), 90).save(stream, "JPEG", **options)
    return stream.getvalue()


def test_jpegs_are_read():
    assert decode_part(jpeg(), JPEG, PATH, rows=16).shape == (16, 24, 3)
    grey = decode_part(jpeg(mode="L"), replace(JPEG, channels=1), PATH, rows=16)
    assert grey.shape == (16, 24, 1)
    assert np.unique(grey).tolist() == [90]
    as_stored = decode_part(jpeg(mode="L"), replace(JPEG, channels=1, as_rgb=True), PATH, rows=16)
    assert np.array_equal(as_stored, grey)


def test_the_tables_of_a_jpeg_may_stand_apart():
    """As slide scanners store them: quantisation and Huffman tables once for all parts."""
    tables, abbreviated = jpeg(streamtype=1), jpeg(streamtype=2)
    assert abbreviated[2:4] == b"\xff\xe0"
    abbreviated = abbreviated[:2] + abbreviated[20:]  # without the mark of JFIF, as theirs are
    assert tables[:2] == b"\xff\xd8"
    assert tables[-2:] == b"\xff\xd9"
    assert damage(abbreviated, JPEG, rows=16).code == "io.corrupt"
    found = decode_part(abbreviated, replace(JPEG, tables=tables), PATH, rows=16)
    assert np.array_equal(found, decode_part(jpeg(), JPEG, PATH, rows=16))


@pytest.mark.parametrize(
    "data",
    [jpeg(height=15), jpeg(width=25), jpeg(mode="L"), jpeg(mode="CMYK")],
    ids=["height", "width", "grey", "CMYK"],
)
def test_a_jpeg_of_another_shape_is_refused(data):
    error = damage(data, JPEG, rows=16)
    assert error.code == "io.corrupt"
    assert "a part of pixels is" in error.problem


def test_what_is_no_whole_jpeg_is_refused():
    whole = jpeg()
    for data in (whole[:-2], b"\0" + whole, b""):
        assert "no whole JPEG" in damage(data, JPEG, rows=16).problem
    assert "cannot be decoded" in damage(whole[:20] + whole[-2:], JPEG, rows=16).problem


def test_a_jpeg_that_claims_to_be_huge_is_refused():
    data = bytearray(jpeg())
    frame = data.find(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    assert damage(bytes(data), JPEG, rows=16).code == "io.too_large"
