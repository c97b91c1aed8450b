from __future__ import annotations

import pytest

from samplar.io.layouts.flat import list_cases, recognise


def touch(files, *names):
    for name in names:
        files.text(name, "x")


def test_pairs_by_file_name_or_by_stem_and_sorts_by_id(files):
    touch(
        files, "images/b.jpg", "labels/b.png", "images/a.nii.gz", "labels/a.nii.gz", "images/c.PNG"
    )
    touch(
        files, "images/.hidden.png", "images/notes.txt", "images/folder/x.png", "labels/Thumbs.db"
    )
    listing = list_cases(files.root)
    assert recognise(files.root)
    assert not listing.problems
    assert [
        (c.id, c.subject, c.images[0].name, c.label and c.label.name) for c in listing.cases
    ] == [
        ("a", "a", "a.nii.gz", "a.nii.gz"),
        ("b", "b", "b.jpg", "b.png"),
        ("c", "c", "c.PNG", None),
    ]


def test_label_without_image_is_a_problem_with_the_nearest_name(files):
    touch(files, "images/liver_01.png", "images/liver_02.png")
    touch(files, "labels/liver_01.png", "labels/liver_2.png", "labels/zzz.png")
    (problem,) = list_cases(files.root).problems
    assert problem.code == "dataset.label_without_image"
    assert problem.problem == (
        "2 of 3 labels have no image: liver_2.png, did you mean liver_02?, zzz.png"
    )


def test_many_labels_without_image_are_counted(files):
    touch(files, "images/a.png", "labels/a.png", *(f"labels/zz{i}.png" for i in range(9)))
    (problem,) = list_cases(files.root).problems
    assert problem.problem.startswith("9 of 10 labels have no image")
    assert problem.problem.endswith("and 4 more")


def test_two_files_of_one_name_are_a_problem(files):
    touch(files, "images/a.png", "images/a.jpg", "images/b.png", "labels/b.png")
    listing = list_cases(files.root)
    assert [case.id for case in listing.cases] == ["b"]
    (problem,) = listing.problems
    assert problem.code == "dataset.same_name"
    assert "a.jpg, a.png" in problem.problem


def test_numbered_images_are_sequences_only_if_the_labels_say_so(files):
    touch(files, "images/p_0000.png", "images/p_0001.png", "labels/p_0000.png")
    assert [case.id for case in list_cases(files.root).cases] == ["p_0000", "p_0001"]


def test_sequences_are_joined_in_order_and_a_missing_one_is_named(files):
    touch(files, "images/p_0001.nii", "images/p_0000.nii", "labels/p.nii")
    touch(files, "images/q_0001.nii", "labels/q.nii")
    listing = list_cases(files.root, ["T1", "T2"])
    (case,) = listing.cases
    assert [path.name for path in case.images] == ["p_0000.nii", "p_0001.nii"]
    (problem,) = listing.problems
    assert problem.code == "dataset.sequence"
    assert problem.problem == "the case q lacks sequence _0000 (T1); 2 are expected"


def test_undeclared_sequences_are_as_many_as_the_fullest_case_has(files):
    touch(files, "images/p_0001.nii", "images/p_0000.nii", "labels/p.nii")
    touch(files, "images/q_0000.nii", "labels/q.nii")
    listing = list_cases(files.root)
    assert [case.id for case in listing.cases] == ["p"]
    assert [p.problem for p in listing.problems] == [
        "the case q lacks sequence _0001; 2 are expected"
    ]


def test_images_without_any_labels_folder_are_cases(files):
    touch(files, "images/p_0000.nii", "images/q.nii")
    listing = list_cases(files.root)
    assert [(case.id, case.label) for case in listing.cases] == [("p_0000", None), ("q", None)]
    assert not listing.problems


def test_two_labels_of_one_name_are_a_problem(files):
    touch(files, "images/a.png", "labels/a.png", "labels/a.tif")
    listing = list_cases(files.root)
    assert [problem.code for problem in listing.problems] == ["dataset.same_name"]
    assert [case.label for case in listing.cases] == [None]


@pytest.mark.parametrize("name", ["labels", "masks"])
def test_without_images_folder_it_is_not_this_layout(files, name):
    touch(files, f"{name}/a.png")
    assert not recognise(files.root)
