from __future__ import annotations

import numpy as np
import pytest

from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.exemplars.roi import Window, close_ups, roi_share, window_around, window_at
from samplar.io.labels import IGNORE, LabelSet

SHAPE = (40, 60)


def exemplar(*boxes, shape=SHAPE, number=0, around=0):
    """Return an exemplar with a class in each box (top, bottom, left, right)."""
    chance = np.random.default_rng(number)
    labels = np.zeros(shape, dtype=np.uint8)
    for index, (top, bottom, left, right) in enumerate(boxes, 1):
        labels[top:bottom, left:right] = index
    image = chance.uniform(size=(3, *shape)).astype(np.float32)
    beside = chance.uniform(size=(2 * around, 3, *shape)).astype(np.float32) if around else None
    return Exemplar.of(
        case=f"c{number}", subject="s", number=number, image=image, labels=labels, beside=beside
    )


def made(*exemplars):
    return ExemplarSet.of(exemplars, LabelSet(("a", "b"), (1, 2)))


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


def test_all_structures_of_the_largest_exemplar_fit_with_a_margin():
    small = exemplar((10, 14, 20, 23))
    large = exemplar((10, 16, 20, 26), (18, 22, 22, 28), number=1)  # 12 rows, 8 columns together
    assert roi_share(made(small, large), 0.0) == pytest.approx(12 / 60)
    assert roi_share(made(small, large), 0.5) == pytest.approx(24 / 60)


@pytest.mark.parametrize(("margin", "used"), [(0.74, True), (0.76, False)])
def test_a_window_as_large_as_the_image_is_none(margin, used):
    share = roi_share(made(exemplar((10, 20, 20, 38))), margin)  # 0.3 without margin
    assert (share is not None) == used


def test_pixels_that_are_not_labelled_are_no_structure():
    blank = exemplar()
    labels = np.full(SHAPE, IGNORE, dtype=np.uint8)
    unknown = Exemplar.of(case="u", subject="s", number=1, image=blank.image, labels=labels)
    assert roi_share(made(blank, unknown), 0.3) is None


def test_close_ups_are_cut_around_the_structures_in_the_same_order():
    first, second = exemplar((4, 8, 50, 56), around=1), exemplar(number=1)
    whole = made(first, second)
    near, middle = close_ups(whole, 0.2).exemplars
    window = Window(0, 47, 12, 12)  # about row 6, column 53
    for name in ("image", "labels", "beside"):
        assert np.array_equal(getattr(near, name), window.of(getattr(first, name)))
    assert (near.case, near.subject, near.slice) == (first.case, first.subject, first.slice)
    assert near.digest != first.digest
    assert (near.labels == 1).sum() == (first.labels == 1).sum()
    assert np.array_equal(middle.image, Window(14, 24, 12, 12).of(second.image))
    assert middle.beside is None


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
