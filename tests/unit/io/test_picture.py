from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.picture import MAX_PIXELS, Picture, check_size, upright

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


def test_sizes_are_bounded():
    check_size(MAX_PIXELS, 1, Path("a"))
    with pytest.raises(InputError) as caught:
        check_size(MAX_PIXELS + 1, 1, Path("a"))
    assert caught.value.code == "io.too_large"
    with pytest.raises(InputError) as caught:
        check_size(5, 0, Path("a"))
    assert caught.value.code == "io.dimensions"
