from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageFont

from samplar.io.overlay import PALETTE, colour_of, contact_sheet, outline, png_bytes
from samplar.types import IGNORE


def lab(colour, sight) -> np.ndarray:
    """Return CIELAB of an sRGB colour as seen through a 3x3 matrix on linear RGB."""
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(sight) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ seen / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(
    "sight",
    [
        np.eye(3),
        # Machado, Oliveira and Fernandes 2009: deuteranopia, protanopia
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    ],
)
def test_all_colours_differ_also_to_colour_blind_eyes(sight):
    seen = [lab(colour, sight) for colour in PALETTE]
    assert len(seen) >= 12
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 15


def test_a_class_has_the_same_colour_in_every_version():
    """Pictures made by an older version lie beside those of a newer one."""
    colours = [
        *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
        *((0, 114, 178), (213, 94, 0), (204, 121, 167), (105, 75, 255)),
        *((150, 255, 165), (165, 255, 255), (105, 135, 255), (210, 30, 60)),
    ]
    assert [colour_of(index) for index in range(1, 13)] == colours
    assert len(PALETTE) == 12
    assert colour_of(IGNORE) == (150, 150, 150)
    sheet = contact_sheet([np.zeros((20, 60, 3), np.uint8)], ["MMM"], columns=1)
    assert tuple(sheet[0, 0]) == (24, 26, 30)
    assert sheet.reshape(-1, 3).max(axis=0).tolist() == [226, 228, 232]


def test_colours_repeat_and_unlabelled_is_grey():
    assert colour_of(1) == PALETTE[0] == (230, 159, 0)
    assert colour_of(len(PALETTE) + 1) == PALETTE[0]
    assert len(set(colour_of(IGNORE))) == 1


def test_an_outline_is_the_rim_inside_the_class():
    labels = np.zeros((7, 8), dtype=np.uint8)
    labels[2:5, 2:6] = 2
    drawn = outline(np.full((7, 8), 0.5), labels)
    rim = labels == 2
    rim[3, 3:5] = False
    assert drawn.dtype == np.uint8
    assert np.array_equal((drawn == PALETTE[1]).all(axis=2), rim)
    assert (drawn[~rim] == 128).all()


def test_touching_classes_each_keep_their_rim():
    labels = np.ones((4, 6), dtype=np.uint8)
    labels[:, 3:] = 2
    drawn = outline(np.zeros((4, 6)), labels)
    assert (drawn[:, 2] == PALETTE[0]).all()
    assert (drawn[:, 3] == PALETTE[1]).all()
    assert (drawn[:, [0, 1, 4, 5]] == 0).all()


def test_pixels_that_are_not_labelled_have_a_grey_outline():
    labels = np.full((3, 3), IGNORE, dtype=np.uint8)
    labels[:, 0] = 0
    drawn = outline(np.zeros((3, 3)), labels)
    assert (drawn[:, 1] == colour_of(IGNORE)).all()
    assert not drawn[:, [0, 2]].any()


def test_wider_lines_and_enlarged_slices():
    labels = np.zeros((10, 10), dtype=np.uint8)
    labels[2:8, 2:8] = 1
    wide = (outline(np.zeros((10, 10)), labels, width=2) == PALETTE[0]).all(axis=2)
    assert wide.sum() == 36 - 4
    for scale in (2, 3):
        large = outline(np.zeros((10, 10, 3)), labels, scale=scale)
        assert large.shape == (10 * scale, 10 * scale, 3)
        side = 6 * scale
        assert (large == PALETTE[0]).all(axis=2).sum() == side**2 - (side - 2) ** 2


def test_an_image_without_labels_is_only_converted():
    image = np.linspace(0, 1, 12).reshape(2, 2, 3)
    drawn = outline(image, np.zeros((2, 2), dtype=np.uint8))
    assert np.array_equal(drawn, np.rint(image * 255).astype(np.uint8))
    assert outline(np.array([[-1.0, 2.0]]), np.zeros((1, 2), int)).tolist() == [
        [[0] * 3, [255] * 3]
    ]


def test_tiles_of_any_size_lie_in_rows_unscaled():
    tiles = [np.full((20 + i, 50 - i, 3), 40 * i + 50, dtype=np.uint8) for i in range(5)]
    sheet = contact_sheet(tiles, list("abcde"), columns=2)
    assert sheet.shape[1] == 2 * 60 + 10
    for tile in tiles:
        assert (sheet == tile[0, 0]).all(axis=2).sum() >= tile.shape[0] * tile.shape[1]
    first = (sheet == tiles[0][0, 0]).all(axis=2)
    assert first[10:30, 10:60].all()


def test_a_row_is_as_high_as_its_highest_tile_a_line_of_text_and_a_gap():
    tiles = [np.full((20 + i, 50 - i, 3), 40 * i + 50, dtype=np.uint8) for i in range(5)]
    sheet = contact_sheet(tiles, [""] * 5, columns=2)
    corners = [(10, 10), (10, 70), (61, 10), (61, 70), (114, 10)]
    for tile, (y, x) in zip(tiles, corners, strict=True):
        assert np.array_equal(sheet[y : y + tile.shape[0], x : x + tile.shape[1]], tile)
    assert len(sheet) == 114 + 24 + 20 + 10


def test_no_more_columns_than_tiles():
    assert contact_sheet([np.zeros((5, 4, 3), np.uint8)], [""], columns=9).shape == (45, 24, 3)


def test_a_caption_lies_in_its_line_below_the_row():
    tiles = [np.full((height, 60, 3), 200, np.uint8) for height in (30, 20, 25)]
    for captions, end, left in ((["", "Mg", ""], 40, 80), (["", "", "Mg"], 95, 10)):
        plain, sheet = (contact_sheet(tiles, c, columns=2) for c in ([""] * 3, captions))
        drawn = (sheet != plain).any(axis=2)
        rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
        assert end + 5 <= rows.min()
        assert rows.max() < end + 20
        assert left <= columns.min() <= left + 2


def text_width(text: str) -> int:
    return int(ImageFont.load_default(14).getlength(text))


def test_a_caption_as_wide_as_its_tile_is_whole():
    def sheet(width: int, caption: str) -> np.ndarray:
        return contact_sheet([np.zeros((5, width, 3), np.uint8)], [caption], columns=1)

    whole = text_width("tumour")
    assert not np.array_equal(sheet(whole, "tumour"), sheet(whole, "tumo..."))
    assert np.array_equal(sheet(whole - 1, "tumour"), sheet(whole - 1, "tumo..."))
    cut = text_width("tumo...")
    assert np.array_equal(sheet(cut, "tumour and more"), sheet(cut, "tumo..."))
    assert np.array_equal(sheet(cut - 1, "tumour and more"), sheet(cut - 1, "tum..."))


def test_captions_are_drawn_and_cut_to_the_tile():
    tile = np.zeros((30, 60, 3), dtype=np.uint8)
    plain = contact_sheet([tile, tile], ["", ""], columns=2)
    named = contact_sheet([tile, tile], ["a very long name indeed" * 5, "x\ny"], columns=2)
    changed = (plain != named).any(axis=2)
    assert plain.shape == named.shape
    assert changed[40:].any()
    assert not changed[:40].any()
    assert not changed[:, 70:79].any()


def test_a_tile_too_narrow_for_any_letter_has_no_caption():
    tile = np.zeros((5, 4, 3), dtype=np.uint8)
    with_text, without = (contact_sheet([tile], [c], columns=3) for c in ("wide", ""))
    assert np.array_equal(with_text, without)


def test_the_legend_shows_every_colour_and_wraps():
    tile = np.zeros((30, 100, 3), dtype=np.uint8)
    names = [f"organ {i}" for i in range(1, 13)]
    bare = contact_sheet([tile], ["a"], columns=1)
    sheet = contact_sheet([tile], ["a"], columns=1, legend=names)
    assert sheet.shape[0] > bare.shape[0] + 100
    assert sheet.shape[1] == bare.shape[1]
    for colour in PALETTE:
        assert (sheet == colour).all(axis=2).sum() > 100


def with_legend(width: int, *names: str) -> np.ndarray:
    """Return what a legend adds to the foot of a sheet of this width."""
    tile = np.zeros((30, width - 20, 3), dtype=np.uint8)
    sheet = contact_sheet([tile], [""], columns=1, legend=names)
    assert sheet.shape[1] == width
    return sheet[70:]


def swatch(foot: np.ndarray, index: int) -> tuple[int, int]:
    """Return where the square of a class begins, (y, x), after checking its size."""
    rows, columns = np.nonzero((foot == colour_of(index)).all(axis=2))
    assert len(rows) == 13 * 13
    assert (np.ptp(rows), np.ptp(columns)) == (12, 12)
    return rows.min(), columns.min()


def test_names_share_a_line_of_the_legend_as_long_as_they_fit():
    second = 10 + 18 + text_width("liver") + 20
    fits = second + 18 + text_width("tumour") + 10
    foot = with_legend(fits, "liver", "tumour")
    assert (len(foot), swatch(foot, 1), swatch(foot, 2)) == (30, (3, 10), (3, second))
    foot = with_legend(fits - 1, "liver", "tumour")
    assert (len(foot), swatch(foot, 1), swatch(foot, 2)) == (50, (3, 10), (23, 10))


def test_a_name_in_the_legend_is_cut_to_the_sheet():
    whole = 10 + 18 + text_width("tumour") + 10
    wide = with_legend(300, "tumour")
    assert np.array_equal(with_legend(whole, "tumour"), wide[:, :whole])
    assert not np.array_equal(with_legend(whole - 1, "tumour"), wide[:, : whole - 1])
    assert np.array_equal(with_legend(whole - 1, "tumour"), with_legend(whole - 1, "tumo..."))


def test_a_sheet_too_narrow_for_names_shows_the_colours():
    foot = with_legend(24, "liver", "tumour")
    assert (len(foot), swatch(foot, 1), swatch(foot, 2)) == (50, (3, 10), (23, 10))


def test_an_empty_sheet_is_a_rim_of_paper():
    assert contact_sheet([], [], columns=4).shape == (10, 20, 3)


def test_captions_must_match_tiles():
    with pytest.raises(ValueError, match="zip"):
        contact_sheet([np.zeros((2, 2, 3), np.uint8)], [], columns=1)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3)])
def test_png_bytes_are_a_png_of_the_pixels(shape):
    array = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(array)))), array)
