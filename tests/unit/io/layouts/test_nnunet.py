from __future__ import annotations

import pytest

from samplar.io.layouts.nnunet import list_cases, recognise


def touch(files, *names):
    for name in names:
        files.text(name, "x")


def names(case):
    return [path.name for path in case.images]


def test_sequences_come_in_the_order_of_their_numbers(nnunet):
    listing = list_cases(nnunet.root, ["T1", "T2"])
    assert recognise(nnunet.root)
    assert not listing.problems
    assert [case.id for case in listing.cases] == ["p1", "p2"]
    assert names(listing.cases[0]) == ["p1_0000.nii.gz", "p1_0001.nii.gz"]
    assert listing.cases[0].label == nnunet.root / "labelsTr/p1.nii.gz"


def test_missing_and_undeclared_sequences_are_named(nnunet):
    touch(nnunet, "imagesTr/p2_0002.nii.gz", "imagesTr/p3_0001.nii.gz", "labelsTr/p3.nii.gz")
    listing = list_cases(nnunet.root, ["T1", "T2"])
    assert [case.id for case in listing.cases] == ["p1"]
    assert [problem.problem for problem in listing.problems] == [
        "the case p2 has the undeclared sequence _0002; 2 are expected",
        "the case p3 lacks sequence _0000 (T1); 2 are expected",
    ]


def test_without_declared_names_the_fullest_case_counts(nnunet):
    touch(nnunet, "imagesTr/p2_0003.nii.gz")
    (first, second) = list_cases(nnunet.root).problems
    assert "p1 lacks sequence _0002, _0003; 4 are expected" in first.problem
    assert "p2 lacks sequence _0002; 4 are expected" in second.problem


def test_colour_images_are_one_file_of_three_declared_channels(files):
    touch(files, "imagesTr/a_0000.png", "imagesTr/b_0000.png", "labelsTr/a.png", "labelsTr/b.png")
    listing = list_cases(files.root, ["R", "G", "B"])
    assert not listing.problems
    assert [names(case) for case in listing.cases] == [["a_0000.png"], ["b_0000.png"]]


@pytest.mark.parametrize("name", ["a_0000.nii.gz", "a_0001.png", "a_0000.npz"])
def test_only_plain_images_numbered_0_hold_all_the_channels(files, name):
    touch(files, f"imagesTr/{name}", "imagesTr/b_0000.png")
    problems = list_cases(files.root, ["R", "G", "B"]).problems
    assert {problem.code for problem in problems} == {"dataset.sequence"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".tif", ".tiff"])
def test_plain_images_hold_all_the_channels(files, suffix):
    touch(files, f"imagesTr/a_0000{suffix}")
    assert [case.id for case in list_cases(files.root, ["R", "G", "B"]).cases] == ["a"]


def test_images_without_any_labels_folder_are_cases(files):
    touch(files, "imagesTr/a_0000.nii.gz")
    listing = list_cases(files.root)
    assert [(case.id, case.label) for case in listing.cases] == [("a", None)]
    assert not listing.problems


def test_image_without_number_is_told_its_new_name(files):
    touch(files, "imagesTr/a.nii.gz", "labelsTr/a.nii.gz")
    (problem,) = list_cases(files.root, ["CT"]).problems
    assert problem.code == "dataset.no_sequence_number"
    assert problem.fix == "Rename it to a_0000.nii.gz"


def test_images_and_labels_without_partner(files):
    touch(files, "imagesTr/a_0000.nii.gz", "imagesTr/b_0000.nii.gz", "labelsTr/a.nii.gz")
    touch(files, "labelsTr/bb.nii.gz")
    listing = list_cases(files.root, ["CT"])
    assert [(case.id, case.label is None) for case in listing.cases] == [("a", False), ("b", True)]
    assert "bb.nii.gz, did you mean b?" in listing.problems[0].problem
