from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from samplar.prediction.cleanup import keep_largest


def volume(*rows):
    return np.array([[int(c) for c in row] for row in rows], dtype=np.uint8)[:, :, None]


def test_keeps_the_largest_part_of_each_class():
    given_ = volume("110020", "110022", "000000", "100222")
    kept, removed = keep_largest(given_, 2)
    expected = volume("110020", "110022", "000000", "000222")
    # class 2: three voxels above and three below are a tie, the first stays
    expected[3] = 0
    assert np.array_equal(kept, expected)
    assert removed == {1: 1, 2: 3}


def test_corners_do_not_join():
    kept, removed = keep_largest(volume("1100", "0011", "0011"), 1)
    assert np.array_equal(kept, volume("0000", "0011", "0011"))
    assert removed == {1: 2}


def test_slices_join_over_faces():
    both = np.ones((1, 1, 3), dtype=np.uint8)
    assert keep_largest(both, 1)[1] == {}


def test_leaves_its_input_alone_and_says_nothing_when_there_is_nothing_to_do():
    given_ = volume("101", "000")
    before = given_.copy()
    keep_largest(given_, 1)
    assert np.array_equal(given_, before)
    empty = np.zeros((2, 2, 2), dtype=np.uint8)
    kept, removed = keep_largest(empty, 3)
    assert np.array_equal(kept, empty)
    assert removed == {}


@given(st.integers(0, 500))
def test_what_stays_is_one_part_and_as_large_as_any(seed):
    labels = np.random.default_rng(seed).integers(0, 3, (5, 4, 3)).astype(np.uint8)
    kept, removed = keep_largest(labels, 2)
    for index in (1, 2):
        parts, count = ndimage.label(labels == index)
        sizes = np.bincount(parts.ravel())[1:]
        assert ndimage.label(kept == index)[1] == min(count, 1)
        assert (kept == index).sum() == (sizes.max() if count else 0)
        assert removed.get(index, 0) == sizes.sum() - (kept == index).sum()
    assert ((kept == labels) | (kept == 0)).all()
