from __future__ import annotations

import numpy as np
import pytest

from samplar.exemplars.window import Window, window_around, window_at

SHAPE = (40, 60)


@pytest.mark.parametrize(
    ("centre", "side", "expected"),
    [
        ((20, 30), 10, Window(15, 25, 10, 10)),
        ((0, 0), 10, Window(0, 0, 10, 10)),
        ((40, 60), 10, Window(30, 50, 10, 10)),
        ((20, 30), 50, Window(0, 5, 40, 50)),
        ((20, 30), 500, Window(0, 0, 40, 60)),
        ((20, 30), 0.2, Window(20, 30, 1, 1)),
    ],
)
def test_a_window_stays_inside_the_image(centre, side, expected):
    assert window_at(centre, side, SHAPE) == expected
    part = expected.of(np.zeros((2, *SHAPE)))
    assert part.shape == (2, expected.height, expected.width)


def test_the_window_is_put_where_most_was_found_and_centred_there():
    found = np.zeros(SHAPE, dtype=int)
    found[20:26, 40:46] = 5
    found[2, 2] = 9  # a stray pixel
    assert window_around(found, 0.2) == Window(17, 37, 12, 12)


def test_a_window_that_holds_too_little_grows():
    found = np.zeros(SHAPE, dtype=int)
    found[10:14, 10:14] = found[10:14, 30:34] = 1
    window = window_around(found, 0.2)
    assert window.of(found).sum() == found.sum()
    assert 24 <= window.width < 30
    found[:] = 1
    window = window_around(found, 0.2)
    assert (window.top, window.height) == (0, 40)
    assert 0.9 * 60 <= window.width < 60


def test_one_pixel_at_the_edge_is_enough():
    found = np.zeros(SHAPE, dtype=int)
    found[39, 59] = 1
    assert window_around(found, 0.1) == Window(34, 54, 6, 6)


def test_evidence_may_be_weak_and_between_whole_numbers():
    found = np.zeros(SHAPE)
    found[20:26, 40:46] = 1e-3
    found[2, 2] = 1e-4
    assert window_around(found, 0.2) == Window(17, 37, 12, 12)
