from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samplar.errors import InputError
from samplar.io.picture import MAX_DECODED, MAX_PIXELS, Picture, check_size, damaged, upright

CORNERS = np.array([[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [[1, 2, 3], [4, 5, 6]]),
        (2, [[3, 2, 1], [6, 5, 4]]),
        (3, [[6, 5, 4], [3, 2, 1]]),
        (4, [[4, 5, 6], [1, 2, 3]]),
        (5, [[1, 4], [2, 5], [3, 6]]),
        (6, [[4, 1], [5, 2], [6, 3]]),
        (7, [[6, 3], [5, 2], [4, 1]]),
        (8, [[3, 6], [2, 5], [1, 4]]),
        (0, [[1, 2, 3], [4, 5, 6]]),
        (9, [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_each_exif_orientation(orientation, expected):
    assert upright(CORNERS, orientation).tolist() == expected
    assert Picture(CORNERS, orientation=orientation).upright().tolist() == expected
    colours = np.stack([CORNERS, CORNERS], axis=2)
    assert upright(colours, orientation)[..., 1].tolist() == expected


def test_without_a_word_a_picture_is_upright_and_grows_towards_white():
    picture = Picture(CORNERS)
    assert picture.upright().tolist() == CORNERS.tolist()
    assert (picture.palette, picture.gain, picture.white_is_zero) == (None, 1, False)


def refused(width: int, height: int, **options: int) -> str:
    with pytest.raises(InputError) as caught:
        check_size(width, height, Path("a"), **options)
    return caught.value.code


@pytest.mark.parametrize(("depth", "most"), [(1, MAX_PIXELS), (3, MAX_PIXELS), (4, 1 << 26)])
def test_sizes_are_bounded(depth, most):
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS
    assert MAX_DECODED == 256 * 1024**2
    check_size(most, 1, Path("a"), depth=depth)
    check_size(1, most, Path("a"), depth=depth)
    assert refused(most + 1, 1, depth=depth) == "io.too_large"


def test_without_a_word_a_pixel_is_a_byte():
    check_size(MAX_PIXELS, 1, Path("a"))
    with pytest.raises(InputError, match="pixels of 1 bytes"):
        check_size(MAX_PIXELS, 2, Path("a"))


def test_no_picture_is_empty():
    check_size(1, 1, Path("a"))
    assert refused(5, 0) == refused(0, 5) == "io.dimensions"


def test_damage_has_a_code_of_its_own_unless_another_fits():
    assert damaged("is broken", Path("a")).code == "io.corrupt"
    assert damaged("is broken", Path("a"), code="io.truncated").code == "io.truncated"
