from __future__ import annotations

import pytest

from samplar.errors import InputError
from samplar.io.inputs import find_images


def touch(files, *names):
    return [files.text(name, "x") for name in names]


def refused(code, paths, **options):
    with pytest.raises(InputError) as caught:
        find_images(paths, **options)
    assert caught.value.code == code
    return caught.value


def found(paths, **options):
    return [(c.id, [p.name for p in c.images]) for c in find_images(paths, **options)]


def test_files_and_folders_are_listed_together_sorted_by_id(files):
    touch(files, "in/b.nii.gz", "in/c.png", "in/readme.txt")
    (single,) = touch(files, "a.jpg")
    cases = find_images([files.root / "in", single])
    assert [case.id for case in cases] == ["a", "b", "c"]
    assert all(case.label is None and case.subject == case.id for case in cases)


def test_a_file_given_by_name_is_taken_whatever_its_suffix(files):
    assert found(touch(files, "scan")) == [("scan", ["scan"])]


def test_sequences_are_joined_when_asked_for(files):
    touch(files, "in/p_0001.nii", "in/p_0000.nii", "in/q_0000.nii", "in/q_0001.nii")
    assert found([files.root / "in"], sequences=2) == [
        ("p", ["p_0000.nii", "p_0001.nii"]),
        ("q", ["q_0000.nii", "q_0001.nii"]),
    ]
    touch(files, "in/r_0001.nii")
    error = refused("dataset.sequence", [files.root / "in"], sequences=2)
    assert "r lacks sequence _0000" in error.problem


def test_nnunet_number_is_taken_off_only_if_all_images_have_it(files):
    touch(files, "in/p_0000.nii", "in/q_0000.nii")
    assert [id_ for id_, _ in found([files.root / "in"])] == ["p", "q"]
    touch(files, "in/q_0001.nii")
    assert [id_ for id_, _ in found([files.root / "in"])] == ["p_0000", "q_0000", "q_0001"]


def test_the_number_of_a_single_sequence_is_0(files):
    touch(files, "in/p_0001.nii", "in/q_0001.nii")
    assert [id_ for id_, _ in found([files.root / "in"])] == ["p_0001", "q_0001"]


def test_names_are_looked_at_within_each_folder_and_those_given_one_by_one(files):
    touch(files, "in/p_0000.nii", "out/q_0000.nii", "out/r.nii")
    singles = touch(files, "s_0000.nii", "t_0000.nii")
    ids = [id_ for id_, _ in found([files.root / "in", files.root / "out", *singles])]
    assert ids == ["p", "q_0000", "r", "s", "t"]


def test_several_sequences_need_their_numbers(files):
    touch(files, "in/p.nii")
    refused("dataset.no_sequence_number", [files.root / "in"], sequences=2)


def test_two_inputs_of_one_name_are_refused(files):
    touch(files, "x/a.nii", "y/a.nii.gz", "z/a.png", "z/a.jpg")
    error = refused("input.same_name", [files.root / "x", files.root / "y"])
    assert "under the name a" in error.problem
    assert error.path == str(files.root / "y/a.nii.gz")
    refused("dataset.same_name", [files.root / "z"])


def test_zero_images_never_pass(files, tmp_path):
    assert refused("input.empty", []).problem == "0 inputs given"
    touch(files, "set/images/a.png", "set/readme.txt")
    assert refused("input.empty", [files.root / "set"]).fix.endswith("images")
    (tmp_path / "empty").mkdir()
    assert "NIfTI" in refused("input.empty", [tmp_path / "empty"]).fix
    refused("input.missing", [tmp_path / "absent.nii"])
