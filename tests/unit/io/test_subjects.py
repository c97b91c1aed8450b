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


def test_a_label_has_the_name_that_counts_if_the_image_is_not_listed(files):
    cases = [case("a", "i/scan.png", label="l/mask.png")]
    for name in ("scan.png", "mask.png", "scan", "mask", "a"):
        index = files.text("index.csv", f"file,subject\n{name},ann\n")
        assert [c.subject for c in with_subjects(cases, index)] == ["ann"]


def test_the_whole_name_of_an_image_goes_before_the_others(files):
    index = files.text("index.csv", "file,subject\nb,case\nb.png,image\n")
    assert with_subjects([CASES[1]], index)[0].subject == "image"


def test_a_row_too_short_names_no_subject(files):
    index = files.text("index.csv", "x,file,subject\n1,a\n2,b,bob\n3,c,cem\n")
    with pytest.raises(InputError, match="1 of 3 cases have no subject: a"):
        with_subjects(CASES, index)


def test_a_subject_column_is_used_though_another_says_unknown(files):
    index = files.text("index.csv", "file,subject,subject_unknown\na,ann,\nb,ann,\nc,ann,\n")
    assert not says_unknown(index)
    assert {c.subject for c in with_subjects(CASES, index)} == {"ann"}


def test_a_row_may_be_there_twice_if_it_says_the_same(files):
    index = files.text("index.csv", "file,subject\n" + "a,ann\n" * 2 + "b,ann\nc,ann\n")
    assert {c.subject for c in with_subjects(CASES, index)} == {"ann"}


def test_unknown_subjects_leave_every_case_to_itself(files):
    index = files.text("index.csv", "file,subject_unknown\na,\n")
    assert says_unknown(index)
    assert [c.subject for c in with_subjects(CASES, index)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "header", ["", "file,patient", "name,subject", "file,subject,subject", "file,file,subject"]
)
def test_other_columns_are_refused(files, header):
    index = files.text("index.csv", f"{header}\na,ann\n")
    with pytest.raises(InputError) as caught:
        with_subjects(CASES, index)
    assert caught.value.code == "index.columns"


def test_two_subjects_for_one_file_are_refused(files):
    index = files.text("index.csv", "file,subject\na,ann\na,bob\n")
    with pytest.raises(InputError, match="a has the subjects ann and bob") as caught:
        with_subjects(CASES, index)
    assert caught.value.code == "index.conflict"


def test_a_broken_table_is_refused_with_its_line(files):
    index = files.text("index.csv", 'file,subject\na,ann\nb,"bob\n')
    with pytest.raises(InputError, match="not a valid table, near line 2") as caught:
        with_subjects(CASES, index)
    assert caught.value.code == "document.unreadable"
