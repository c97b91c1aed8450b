"""The geometry of tiles, and label images put together from theirs."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from samplar.errors import InputError, OutputError, UsageError
from samplar.io.tiles import Tiling, tile_name, write_joined

TILING = Tiling(height=40, width=50, side=32, middle=16)


def test_by_default_a_quarter_of_a_tile_lies_around_its_middle():
    tiling = Tiling(height=1000, width=1000)
    assert (tiling.side, tiling.middle, tiling.margin) == (512, 256, 128)


@pytest.mark.parametrize(("side", "middle"), [(16, 16), (18, 16), (512, 16), (64, 48)])
def test_sides_that_fit(side, middle):
    assert Tiling(9, 9, side=side, middle=middle).margin == (side - middle) / 2


@pytest.mark.parametrize(
    ("side", "middle"), [(32, 0), (32, -16), (17, 16), (16, 32), (32, 8), (33, 17), (32, 24)]
)
def test_sides_that_do_not_fit(side, middle):
    with pytest.raises(UsageError) as caught:
        Tiling(9, 9, side=side, middle=middle)
    assert caught.value.code == "config.tiles"


def test_corners_go_line_by_line_from_a_margin_outside():
    xs, ys = (-8, 8, 24, 40), (-8, 8, 24)
    assert list(TILING.corners()) == [(x, y) for y in ys for x in xs]
    assert tile_name("one", (-8, 24)) == "one_x-8_y24"


@pytest.mark.parametrize(
    ("corner", "rows", "columns"),
    [((-8, -8), 16, 16), ((24, 8), 16, 16), ((40, 8), 16, 2), ((8, 24), 8, 16), ((40, 24), 8, 2)],
)
def test_of_a_tile_its_middle_is_kept_within_the_image(corner, rows, columns):
    tile = np.random.default_rng(0).integers(1, 256, (32, 32), dtype=np.uint8)
    kept = TILING.kept(tile, corner)
    assert kept.shape == (16, 16)
    assert np.array_equal(kept[:rows, :columns], tile[8 : 8 + rows, 8 : 8 + columns])
    assert (kept > 0).sum() == rows * columns


def test_where_there_is_no_tile_all_is_background():
    kept = TILING.kept(None, (8, 8))
    assert (kept.shape, kept.dtype) == ((16, 16), np.uint8)
    assert not kept.any()


def numbered(corner: tuple[int, int]) -> np.ndarray | None:
    """Return a tile of one value, its number in the order of all; every fifth is not there."""
    number = list(TILING.corners()).index(corner)
    return None if number % 5 == 4 else np.full((32, 32), number + 1, dtype=np.uint8)


def test_labels_are_joined_from_the_middles(tmp_path):
    write_joined(tmp_path / "a.tif", TILING, numbered)
    numbers = np.array([[1, 2, 3, 4], [0, 6, 7, 8], [9, 0, 11, 12]], dtype=np.uint8)
    expected = numbers.repeat(16, axis=0).repeat(16, axis=1)[:40, :50]
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert np.array_equal(file.asarray(), expected)
        assert not file.is_bigtiff
        assert file.pages[0].compression == 8


def test_a_tile_that_cannot_be_read_is_told_as_it_is(tmp_path):
    def read(corner: tuple[int, int]) -> np.ndarray:
        raise InputError("damaged", fix="Mend it", code="io.corrupt")

    with pytest.raises(InputError, match="damaged"):
        write_joined(tmp_path / "a.tif", TILING, read)
    assert list(tmp_path.iterdir()) == []


def test_labels_that_do_not_come_back_are_noticed(tmp_path, monkeypatch):
    real = tifffile.imwrite

    def lossy(target, middles, **options):
        real(target, (middle & 7 for middle in middles), **options)

    monkeypatch.setattr(tifffile, "imwrite", lossy)
    with pytest.raises(OutputError) as caught:
        write_joined(tmp_path / "a.tif", TILING, numbered)
    assert caught.value.code == "output.verify"
    assert str(caught.value.__cause__) == "the labels at 48, 16 differ"  # the 8th tile


@pytest.mark.parametrize(("width", "big"), [(1 << 15, False), ((1 << 15) + 1, True)])
def test_labels_beyond_2_gib_are_a_big_tiff(tmp_path, monkeypatch, width, big):
    given = {}

    def note(target, middles, **options):
        given.update(options)
        raise OSError("that will do")

    monkeypatch.setattr(tifffile, "imwrite", note)
    with pytest.raises(OutputError):
        write_joined(tmp_path / "a.tif", Tiling(1 << 16, width), lambda corner: None)
    assert given["bigtiff"] == big
    assert given["shape"] == (1 << 16, width)
