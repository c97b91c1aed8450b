from __future__ import annotations

import pytest

from samplar.errors import InputError
from samplar.io.layouts import listing as listing_module
from samplar.io.layouts.detect import is_dataset, list_cases


def refused(root, code, description=None):
    with pytest.raises(InputError) as caught:
        list_cases(root, description or {})
    assert caught.value.code == code
    return caught.value


def test_each_layout_is_known_by_what_the_folder_holds(files, nnunet):
    assert list_cases(nnunet.root, {"channel_names": {"0": "T1", "1": "T2"}}).layout == "nnU-Net"
    pair = {"image": "imagesTr/p1_0000.nii.gz", "label": "labelsTr/p1.nii.gz"}
    assert list_cases(nnunet.root, {"training": [pair]}).layout == "Decathlon"
    files.text("sub/images/a.png", "x")
    assert list_cases(files.root / "sub", {}).layout == "images and labels folders"
    files.npz("archives/a.npz", imgs=[1])
    assert list_cases(files.root / "archives", {}).layout == "MedSAM npz"


def test_channel_names_follow_their_numbers_in_both_spellings(nnunet):
    for key in ("channel_names", "modality"):
        listing = list_cases(nnunet.root, {key: {"1": "T2", "0": "T1"}})
        assert listing.channel_names == ("T1", "T2")
    assert list_cases(nnunet.root, {"modality": "MRI"}).channel_names == ()


def test_channels_are_sorted_as_numbers_or_not_known(flat):
    names = {str(number): f"c{number}" for number in (10, 9, 0)}
    assert list_cases(flat.root, {"channel_names": names}).channel_names == ("c0", "c9", "c10")
    for declared in ({"T1": "0"}, {"0": "T1", "x": "T2"}, ["T1"], None):
        assert list_cases(flat.root, {"channel_names": declared}).channel_names == ()
    both = {"channel_names": {"0": "new"}, "modality": {"0": "old"}}
    assert list_cases(flat.root, both).channel_names == ("new",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images/a.png", True),
        ("imagesTr/a_0000.png", True),
        ("a.npz", True),
        ("dataset.json", True),
        ("a.png", False),
        ("labels/a.png", False),
    ],
)
def test_a_data_set_is_told_from_a_folder_of_images(files, name, expected):
    path = files.text(name, "x")
    assert is_dataset(files.root) == expected
    assert not is_dataset(path)
    assert not is_dataset(files.root / "absent")


def test_a_layout_whose_cases_are_all_unusable_is_no_empty_one(files):
    files.text("a.npz", "no archive")
    listing = list_cases(files.root, {})
    assert (listing.cases, len(listing.problems)) == ((), 1)


def test_no_folder_and_a_file_are_refused(files):
    assert "does not exist" in refused(files.root, "dataset.missing").problem
    assert "is a file" in refused(files.text("a.png", "x"), "dataset.missing").problem


@pytest.mark.parametrize(
    ("names", "layout_folder"),
    [(["images/a.dcm", "images/b.dcm"], "images"), (["imagesTr/a.dcm"], "imagesTr")],
)
def test_zero_images_never_pass(files, names, layout_folder):
    for name in names:
        files.text(name, "x")
    error = refused(files.root, "dataset.empty")
    assert error.problem == f"0 images in {layout_folder}/; it holds files of type .dcm"


def test_empty_images_folder_is_refused(files):
    (files.root / "images").mkdir(parents=True)
    assert refused(files.root, "dataset.empty").problem == "0 images in images/"


def test_unknown_layouts_get_the_fix_that_fits(files):
    files.text("imgs/a.png", "x")
    files.text("masks/a.png", "x")
    error = refused(files.root, "dataset.unrecognised")
    assert "0 images and the folders imgs, masks" in error.problem
    assert error.fix == "Rename imgs, masks to images or labels"
    files.text("b.png", "x")
    assert "1 images and the folders" in refused(files.root, "dataset.unrecognised").problem
    files.text("inner/images/a.png", "x")
    assert refused(files.root, "dataset.unrecognised").fix.endswith("inner?")
    (files.root / "empty").mkdir()
    error = refused(files.root / "empty", "dataset.unrecognised")
    assert "nnU-Net" in error.fix
    assert error.problem.endswith("the folders (none)")
    files.text("other/pictures/a.png", "x")
    assert "nnU-Net" in refused(files.root / "other", "dataset.unrecognised").fix


def test_too_many_files_are_refused(files, monkeypatch):
    monkeypatch.setattr(listing_module, "MAX_FILES", 2)
    for i in range(3):
        files.text(f"images/{i}.png", "x")
    assert "3 files, more than the 2" in refused(files.root, "dataset.too_many_files").problem


def test_unreadable_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be listed"):
        listing_module.files_in(tmp_path / "absent")
