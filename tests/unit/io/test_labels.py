from __future__ import annotations

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.labels import MAX_CLASSES, LabelSet, count_values
from samplar.types import IGNORE

LABELS = LabelSet(("liver", "tumour"), (2, 300), ignore=7)


def test_the_numbers_that_adapters_rely_on():
    """Both stand in files that older versions wrote."""
    assert (IGNORE, MAX_CLASSES) == (255, 64)


def test_a_set_is_as_long_as_its_classes():
    assert len(LABELS) == 2
    assert {LABELS: 1}[LabelSet(("liver", "tumour"), (2, 300), ignore=7)] == 1
    assert LABELS.indices == {0: 0, 2: 1, 300: 2, 7: IGNORE}


@pytest.mark.parametrize(("value", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_values_take_the_smallest_type(value, dtype):
    for labels in (LabelSet(("a",), (value,)), LabelSet(("a",), (1,), ignore=value)):
        assert labels.to_values(np.array([0, 1], np.uint8)).dtype == dtype


def test_all_classes_and_ignored_pixels_come_back():
    values = tuple(range(100, 100 + MAX_CLASSES))
    labels = LabelSet(tuple(map(str, values)), values, ignore=9)
    array = np.array([[0, 9, *values]])
    np.testing.assert_array_equal(labels.to_values(labels.to_indices(array)), array)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_values_with_gaps_become_indices_and_come_back(dtype):
    values = np.array([[[0, 2], [300, 7]]], dtype=dtype)
    indices = LABELS.to_indices(values)
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(indices, [[[0, 1], [2, IGNORE]]])
    back = LABELS.to_values(indices)
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, values)


def test_the_smallest_type_holds_the_ignore_value_too():
    assert LabelSet(("a",), (1,)).to_values(np.array([1], np.uint8)).dtype == np.uint8
    wide = LabelSet(("a",), (1,), ignore=1000).to_values(np.array([1, IGNORE], np.uint8))
    np.testing.assert_array_equal(wide, [1, 1000])


def test_undeclared_values_are_listed_with_counts_and_a_mapping_to_paste():
    with pytest.raises(InputError) as caught:
        LABELS.to_indices(np.array([[[0, 5, 5, 255, 2]]]), path="a.png")
    assert caught.value.code == "labels.undeclared"
    assert "5 (2 voxels), 255 (1 voxels); declared are 0, 2, 7, 300" in caught.value.problem
    assert '"class 1": 5' in caught.value.fix


def test_a_0_255_mask_is_met_with_its_mapping():
    with pytest.raises(InputError, match=r'"foreground": 255'):
        LabelSet(("a",), (1,)).to_indices(np.array([[[0, 255]]], np.uint8))


def test_many_undeclared_values_are_not_all_listed():
    with pytest.raises(InputError) as caught:
        LABELS.to_indices(np.arange(1000).reshape(10, 10, 10))
    assert "and 991 more" in caught.value.problem


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_values_are_counted_like_numpy_does(dtype):
    array = np.random.default_rng(0).integers(0, 90, (5, 6, 7)).astype(dtype)
    values, counts = np.unique(array, return_counts=True)
    assert count_values(array) == dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_negative_and_huge_values_are_counted():
    assert count_values(np.array([[-1, -1, 70_000]])) == {-1: 2, 70_000: 1}
    assert count_values(np.array([[-1, 3]])) == {-1: 1, 3: 1}
    assert count_values(np.array([[65_535, 65_536]])) == {65_535: 1, 65_536: 1}
    assert count_values(np.zeros((0, 3), np.uint8)) == {}


def test_negative_value_is_undeclared():
    with pytest.raises(InputError, match="-1 \\(1 voxels\\)"):
        LABELS.to_indices(np.array([[[-1, 0]]]))


def test_merged_values_count_as_their_class_and_are_never_written():
    labels = LabelSet(("tumour", "liver"), (1, 6), merged=((2, 1), (4, 1), (9, 0)))
    values = np.array([[[0, 1, 2, 4, 6, 9]]])
    indices = labels.to_indices(values)
    np.testing.assert_array_equal(indices, [[[0, 1, 1, 1, 2, 0]]])
    np.testing.assert_array_equal(labels.to_values(indices), [[[0, 1, 1, 1, 6, 0]]])
    assert labels.known == {0, 1, 2, 4, 6, 9}
    with pytest.raises(InputError, match="declared are 0, 1, 2, 4, 6, 9"):
        labels.to_indices(np.array([[[3]]]))
