from __future__ import annotations

from pathlib import Path

import pytest

from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.subjects import says_unknown, with_subjects


def case(id_, *images, label=None):
    return Case(id_, id_, tuple(map(Path, images)), Path(label) if label else None)


CASES = [
    case("a", "i/a_0000.nii.gz", label="l/a.nii.gz"),
    case("b", "i/b.png"),
    case("c", "i/c.jpg"),
]


def test_a_row_may_name_image_label_stem_or_case(files):
    index = files.text(
        "index.csv", "file,x,subject\na.nii.gz,1, ann \nb,2,bob\nc.jpg,3,ann\nz,4,zoe\n"
    )
    assert [c.subject for c in with_subjects(CASES, index)] == ["ann", "bob", "ann"]


def test_case_without_row_or_subject_is_refused(files):
    index = files.text("index.csv", "file,subject\na,ann\nb,\n")
    with pytest.raises(InputError, match="2 of 3 cases have no subject: b, c") as caught:
        with_subjects(CASES, index)
    assert caught.value.code == "index.missing_case"


def test_unknown_subjects_leave_every_case_to_itself(files):
    index = files.text("index.csv", "file,subject_unknown\na,\n")
    assert says_unknown(index)
    assert [c.subject for c in with_subjects(CASES, index)] == ["a", "b", "c"]


@pytest.mark.parametrize("header", ["", "file,patient", "name,subject"])
def test_other_columns_are_refused(files, header):
    index = files.text("index.csv", f"{header}\na,ann\n")
    with pytest.raises(InputError) as caught:
        with_subjects(CASES, index)
    assert caught.value.code == "index.columns"


def test_two_subjects_for_one_file_are_refused(files):
    index = files.text("index.csv", "file,subject\na,ann\na,bob\n")
    with pytest.raises(InputError, match="a has the subjects ann and bob"):
        with_subjects(CASES, index)


def test_a_broken_table_is_refused_with_its_line(files):
    index = files.text("index.csv", 'file,subject\na,ann\nb,"bob\n')
    with pytest.raises(InputError, match="not a valid table, near line 2") as caught:
        with_subjects(CASES, index)
    assert caught.value.code == "document.unreadable"
