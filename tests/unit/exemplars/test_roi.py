from __future__ import annotations

import numpy as np
import pytest

from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.exemplars.roi import USUAL_SPREAD, Region, close_ups, region_of
from samplar.exemplars.window import Window
from samplar.io.labels import LabelSet
from samplar.types import IGNORE

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


def test_all_structures_of_the_largest_exemplar_fit_with_a_margin():
    small = exemplar((10, 14, 20, 23))
    large = exemplar((10, 16, 20, 26), (18, 22, 22, 28), number=1)  # 12 rows, 8 columns together
    assert region_of(made(small, large), 0.0, size=32).share == pytest.approx(12 / 60)
    assert region_of(made(small, large), 0.5, size=32).share == pytest.approx(24 / 60)


@pytest.mark.parametrize(
    ("size", "margin", "used"),
    [(56, 0.74, True), (56, 0.76, False), (64, 0.32, True), (64, 0.35, False)],
)
def test_a_window_as_large_as_the_image_is_none(size, margin, used):
    region = region_of(made(exemplar((10, 20, 20, 38))), margin, size=size)  # 0.3 without margin
    assert (region is not None) == used


def test_pixels_that_are_not_labelled_are_no_structure():
    blank = exemplar()
    labels = np.full(SHAPE, IGNORE, dtype=np.uint8)
    unknown = Exemplar.of(case="u", subject="s", number=1, image=blank.image, labels=labels)
    assert region_of(made(blank, unknown), 0.3, size=32) is None


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


def test_the_usual_place_is_where_the_exemplars_have_their_structures():
    boxes = [(10, 14, 20, 23), (16, 20, 26, 29)]
    several = made(exemplar(), *(exemplar(box, number=n) for n, box in enumerate(boxes, 1)))
    region = region_of(several, 0.3, size=32)
    assert region.centre == pytest.approx((15 / 40, 24.5 / 60))
    usual = 2 * USUAL_SPREAD**2  # as much as two exemplars say
    expected = [((2 * (d / n) ** 2 + usual) / 4) ** 0.5 for d, n in ((3, 40), (3, 60))]
    assert region.spread == pytest.approx(expected)
    (only,) = boxes[:1]
    assert region.expected_by([exemplar(only)]) == Region(
        share=region.share,
        centre=(12 / 40, 21.5 / 60),
        spread=(USUAL_SPREAD * (2 / 3) ** 0.5,) * 2,
    )
    unknown = region.expected_by([exemplar()])
    assert (unknown.centre, unknown.spread) == ((0.5, 0.5), (USUAL_SPREAD, USUAL_SPREAD))


def test_evidence_counts_most_at_the_usual_place_and_far_away_it_still_counts():
    region = Region(share=0.2, centre=(0.25, 0.5), spread=(0.1, 0.2))
    weights = region.expectation((40, 60))
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    assert (row in {9, 10}, column in {29, 30}) == (True, True)
    at = (10.5 / 40 - 0.25, 42.5 / 60 - 0.5)
    assert weights[10, 42] == pytest.approx(1 / (1 + (at[0] / 0.1) ** 2 + (at[1] / 0.2) ** 2))
    assert weights.min() > 0.01
