from __future__ import annotations

import pytest

from samplar.errors import InputError
from samplar.io.splits import read_split

SUBJECTS = {"ann", "bob", "cem", "7"}


def refused(files, document, code):
    path = files.json("splits.json", document)
    with pytest.raises(InputError) as caught:
        read_split(path, dataset="liver", subjects=SUBJECTS)
    assert caught.value.code == code
    assert caught.value.path == str(path)
    return caught.value


def test_both_sides_are_read(files):
    path = files.json(
        "splits.json",
        {"_about": "text", "liver": {"pool": ["bob", "ann"], "test": [7]}, "other": {"pool": []}},
    )
    split = read_split(path, dataset="liver", subjects=SUBJECTS)
    assert split.subjects("pool") == ("bob", "ann")
    assert split.subjects("test") == ("7",)


def test_a_data_set_without_split_lists_the_names_there(files):
    error = refused(files, {"_about": "x", "kidney": {}, "brain": {}}, "split.no_dataset")
    assert "'liver'; the file has brain, kidney" in error.problem
    assert "has none" in refused(files, ["liver"], "split.no_dataset").problem


def test_subject_on_both_sides_is_refused(files):
    error = refused(files, {"liver": {"pool": ["ann", "bob"], "test": ["ann"]}}, "split.overlap")
    assert "1 subjects of liver are in both pool and test: ann" in error.problem


def test_unknown_subjects_are_counted_with_the_nearest(files):
    error = refused(
        files, {"liver": {"pool": ["anm"], "test": ["bob", "x"]}}, "split.unknown_subject"
    )
    assert "2 subjects are not in liver: anm, x, did you mean ann?" in error.problem


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"pool": ["ann"]}, "test is not a list of at least one subject"),
        ({"pool": [], "test": ["bob"]}, "pool is not a list of at least one subject"),
        ({"pool": "ann", "test": ["bob"]}, "pool is not a list of at least one subject"),
        ({"pool": ["ann", "ann"], "test": ["bob"]}, "pool names ann more than once"),
        ({"pool": ["7", 7, "ann"], "test": ["bob"]}, "pool names 7 more than once"),
        ({"pool": ["ann"], "test": ["bob", 1.5]}, "test is not a list of at least one subject"),
        ({"pool": ["ann"], "test": [["bob"]]}, "test is not a list of at least one subject"),
        ({"pool": ["ann"], "test": ["bob"], "validation": ["cem"]}, "unknown key validation"),
    ],
)
def test_other_shapes_are_refused(files, entry, problem):
    assert refused(files, {"liver": entry}, "split.shape").problem == problem
