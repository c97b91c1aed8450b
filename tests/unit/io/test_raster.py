from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from samplar.errors import InputError, OutputError
from samplar.io import raster

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 13)).astype(np.uint8)
RGB = RNG.integers(0, 256, (9, 13, 3)).astype(np.uint8)
MASK = RNG.integers(0, 4, (9, 13)).astype(np.uint8)


def saved(path: Path, array, mode=None, **options) -> Path:
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def refused(path: Path, reader=raster.read) -> InputError:
    with pytest.raises(InputError) as caught:
        reader(path)
    assert caught.value.path == str(path)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_and_colour_of_8_and_16_bits_are_kept(tmp_path, name):
    deep = GREY.astype(np.uint16) * 257
    for array in (GREY, deep, RGB):
        volume = raster.read(saved(tmp_path / name, array))
        expected = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
        assert volume.array.dtype == array.dtype
        assert np.array_equal(volume.array[..., 0], expected)
        assert volume.shape == (9, 13, 1)
        assert volume.is_raster
        assert volume.unit == "px"


def test_jpeg_is_what_pillow_decodes(tmp_path):
    for array in (GREY, RGB):
        path = saved(tmp_path / "a.jpg", array)
        with Image.open(path) as image:
            planes = np.atleast_3d(np.asarray(image))
        assert np.array_equal(raster.read(path).array[..., 0], np.moveaxis(planes, 2, 0))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_to_image_and_mask(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path / name, MASK, exif=exif)
    # Pillow 13.0.0 scrambles turned TIFFs that are not square: a PNG is the oracle for both
    oracle = path if name == "a.jpg" else saved(tmp_path / "oracle.png", MASK, exif=exif)
    with Image.open(oracle) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert expected.shape == ((13, 9) if orientation > 4 else (9, 13))
    assert np.array_equal(raster.read(path).array[0, ..., 0], expected)
    if name != "a.jpg":
        assert np.array_equal(raster.read_labels(path).array[..., 0], expected)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_palette_gives_colours_to_images_and_indices_to_masks(tmp_path, name):
    image = Image.fromarray(MASK).convert("P")
    image.putdata(MASK.ravel().tolist())
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / name)
    assert np.array_equal(raster.read_labels(tmp_path / name).array[..., 0], MASK)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
    assert np.array_equal(
        np.moveaxis(raster.read(tmp_path / name).array[..., 0], 0, 2), colours[MASK]
    )


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_one_bit_masks_are_0_and_1_and_one_bit_images_black_and_white(tmp_path, name):
    path = saved(tmp_path / name, MASK > 1)
    with Image.open(path) as image:
        assert image.mode == "1"
    assert np.array_equal(raster.read_labels(path).array[..., 0], MASK > 1)
    assert np.array_equal(raster.read(path).array[0, ..., 0], (MASK > 1) * 255)


def test_values_of_masks_are_those_of_the_file(tmp_path):
    for values in (MASK, MASK * 85, MASK.astype(np.uint16) * 20_000):
        labels = raster.read_labels(saved(tmp_path / "a.png", values))
        assert np.array_equal(labels.array[..., 0], values)
        assert labels.is_raster


def test_a_jpeg_is_no_mask(tmp_path):
    error = refused(saved(tmp_path / "a.jpg", MASK), raster.read_labels)
    assert error.code == "labels.jpeg"
    assert "PNG" in error.fix


def test_a_colour_mask_is_refused_with_its_colours(tmp_path):
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], dtype=np.uint8)
    mask = np.zeros((9, 13), dtype=int)
    mask[0, :5], mask[1, :2] = 1, 2
    error = refused(saved(tmp_path / "a.png", colours[mask]), raster.read_labels)
    assert error.code == "labels.colours"
    assert "3 colours: (0, 0, 0): 110 pixels, (255, 0, 0): 5 pixels" in error.problem
    assert "8-bit grey PNG" in error.fix


def test_a_mask_of_equal_channels_and_many_colours_says_so(tmp_path):
    error = refused(saved(tmp_path / "a.png", np.stack([MASK] * 3, 2)), raster.read_labels)
    assert "channels are equal" in error.fix
    error = refused(saved(tmp_path / "b.png", RGB), raster.read_labels)
    assert " more" in error.problem


@pytest.mark.parametrize(("colours", "end"), [(8, "pixels"), (9, "pixels and 1 more")])
def test_eight_colours_of_a_mask_are_shown(tmp_path, colours, end):
    mask = np.zeros((1, colours, 3), dtype=np.uint8)
    mask[0, :, 1] = range(colours)
    error = refused(saved(tmp_path / "a.png", mask), raster.read_labels)
    assert f"mask in 3 channels, {colours} colours: " in error.problem
    assert error.problem.count("1 pixels") == 8
    assert error.problem.endswith(end)


def test_transparency(tmp_path):
    constant = np.dstack([GREY, np.full_like(GREY, 255)])
    volume = raster.read(saved(tmp_path / "a.png", constant))
    assert np.array_equal(volume.array[0, ..., 0], GREY)
    assert len(volume.array) == 1
    pixel = np.array([[[7, 9]]], np.uint8)
    assert raster.read(saved(tmp_path / "p.png", pixel)).array.tolist() == [[[[7]]]]
    error = refused(saved(tmp_path / "b.png", np.dstack([GREY, GREY])))
    assert error.code == "io.channels"
    assert f"takes {len(np.unique(GREY))} values" in error.problem
    rgba = np.dstack([RGB, GREY])
    assert raster.read(saved(tmp_path / "c.png", rgba)).array.shape == (4, 9, 13, 1)


def test_cmyk_and_broken_jpegs_are_refused(tmp_path):
    assert refused(saved(tmp_path / "a.jpg", RGB, "CMYK")).code == "io.dtype"
    path = saved(tmp_path / "b.jpg", RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    whole = path.read_bytes()
    for length in range(4, len(whole) - 1, 61):
        path.write_bytes(whole[:length])
        assert refused(path).code == "io.truncated"
    path.write_bytes(whole[:20] + bytes(300) + b"\xff\xd9")
    assert refused(path).code == "io.corrupt"


def test_a_huge_jpeg_is_refused_before_decoding(tmp_path):
    path = saved(tmp_path / "a.jpg", GREY)
    data = bytearray(path.read_bytes())
    frame = data.find(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert refused(path).code == "io.too_large"
    data[frame + 5 : frame + 9] = b"\x27\x10\x27\x10"
    path.write_bytes(data)
    with warnings.catch_warnings():
        for action in ("error", "ignore"):
            warnings.simplefilter(action, Image.DecompressionBombWarning)
            assert refused(path).code == "io.too_large"


def test_white_is_zero_is_turned_round_for_images_and_noted_for_masks(tmp_path):
    path = tmp_path / "a.tif"
    for array in (MASK, MASK > 1, MASK.astype(np.float32), MASK.astype(np.int16)):
        tifffile.imwrite(path, array, photometric="miniswhite")
        labels = raster.read_labels(path)
        assert np.array_equal(labels.array[..., 0], array)
        assert "white as 0" in labels.notes[0]
        full = {"b": 255, "u": 255}.get(array.dtype.kind, 0)
        shown = array * 255 if array.dtype == bool else array
        assert np.array_equal(raster.read(path).array[0, ..., 0], full - shown)


def test_other_kinds_are_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    assert refused(path).code == "io.format"


@pytest.mark.parametrize(
    ("name", "top", "dtype"),
    [("a.png", 3, np.uint8), ("a.png", 255, np.uint8), ("a.tif", 256, np.uint16)],
)
def test_labels_are_written_and_come_back(tmp_path, name, top, dtype):
    values = RNG.integers(0, top + 1, (9, 13, 1))
    values[0, 0, 0] = top
    raster.write_labels(tmp_path / name, values)
    labels = raster.read_labels(tmp_path / name)
    assert np.array_equal(labels.array, values)
    assert labels.array.dtype == dtype
    with Image.open(tmp_path / name) as image:
        assert image.format == ("TIFF" if name == "a.tif" else "PNG")
        assert np.array_equal(np.asarray(image), values[..., 0])


def test_labels_that_do_not_come_back_are_noticed(tmp_path, monkeypatch):
    other = io.BytesIO()
    Image.fromarray(MASK).save(other, "PNG")
    monkeypatch.setattr(raster, "write_new", lambda path, data: path.write_bytes(other.getvalue()))
    with pytest.raises(OutputError) as caught:
        raster.write_labels(tmp_path / "a.png", 3 - MASK[..., None])
    assert caught.value.code == "output.verify"
