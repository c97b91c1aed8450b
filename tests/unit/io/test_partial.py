from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.partial import ignore_unlisted, with_listed_slices

CASES = [
    Case("p1", "p1", (Path("p1.nii"),), Path("l/p1.nii")),
    Case("007", "x", (Path("007.nii"),), Path("l/007.nii")),
    Case("bare", "x", (Path("bare.nii"),), None),
]


def refused(files, text, code):
    path = files.text("labelled_slices.yaml", text)
    with pytest.raises(InputError) as caught:
        with_listed_slices(CASES, path)
    assert caught.value.code == code
    return caught.value


def test_listed_slices_are_sorted_and_other_cases_are_labelled_throughout(files):
    path = files.text("labelled_slices.yaml", "p1: [4, 0, 4]\n'007':\n- 2\n")
    assert [case.listed for case in with_listed_slices(CASES, path)] == [(0, 4), (2,), None]


def test_unknown_cases_are_refused_with_the_nearest(files):
    error = refused(files, "p11: [0]", "labelled_slices.unknown_case")
    assert "p11, did you mean p1?" in error.problem
    assert "quotes" in refused(files, "70: [1]", "labelled_slices.unknown_case").fix
    assert "quotes" in refused(files, "007: [1]", "document.unreadable").problem


def test_case_without_label_file_is_refused(files):
    error = refused(files, "bare: [0]\np1: [0]", "labelled_slices.no_label")
    assert error.problem == "1 cases have no label file: bare"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "this is not a list of cases"),
        ("[1]", "this is not a list of cases"),
        ("p1: 3", "p1 does not list any slice"),
        ("p1: []", "p1 does not list any slice"),
        ("p1: [0, -1]", "p1 lists -1, which are not slice numbers"),
        ("p1: [1.5, 2]", "p1 lists 1.5, which are not slice numbers"),
        ("p1: [true]", "p1 lists True, which are not slice numbers"),
    ],
)
def test_other_shapes_are_refused(files, text, problem):
    assert refused(files, text, "labelled_slices.shape").problem == problem


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_only_listed_slices_stay_whatever_they_hold(axis):
    indices = np.zeros((3, 4, 5), dtype=np.uint8)
    indices[0, 0, 0] = indices[2, 2, 2] = 1
    case = Case("p1", "p1", (), Path("l"), listed=(1, 2))
    masked = np.moveaxis(ignore_unlisted(indices, case, axis), axis, 0)
    np.testing.assert_array_equal(masked[[1, 2]], np.moveaxis(indices, axis, 0)[[1, 2]])
    assert (np.delete(masked, [1, 2], axis=0) == 255).all()
    assert indices.max() == 1  # the array given is left alone


def test_without_a_list_nothing_changes():
    indices = np.zeros((2, 2, 2), dtype=np.uint8)
    assert ignore_unlisted(indices, CASES[0], 0) is indices


def test_the_last_slice_may_be_listed():
    case = Case("p1", "p1", (), Path("l"), listed=(4,))
    masked = ignore_unlisted(np.zeros((3, 4, 5), dtype=np.uint8), case, 2)
    assert masked[0, 0].tolist() == [255] * 4 + [0]


def test_slice_beyond_the_last_is_refused():
    case = Case("p1", "p1", (), Path("l"), listed=(0, 5))
    with pytest.raises(InputError, match="slice 5, but there are 5 along axis 2") as caught:
        ignore_unlisted(np.zeros((3, 4, 5), dtype=np.uint8), case, 2)
    assert "0 to 4" in caught.value.fix
    assert caught.value.code == "labelled_slices.range"
