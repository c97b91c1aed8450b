from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError, UsageError
from samplar.io.dataset import class_indices, read_case, read_dataset
from samplar.io.found_labels import labels_of
from samplar.io.labels import LabelSet


def refused(code, root, **options):
    with pytest.raises(InputError) as caught:
        read_dataset(root, **options)
    assert caught.value.code == code
    return caught.value


def test_flat_folder_with_classes_found_in_the_files(flat):
    dataset = read_dataset(flat.root)
    assert (dataset.name, dataset.layout) == ("liver set", "images and labels folders")
    assert dataset.labels == LabelSet(("class 1", "class 3"), (1, 3))
    assert [(case.id, case.subject) for case in dataset.cases] == [
        ("a_1", "ann"),
        ("a_2", "ann"),
        ("b_1", "bob"),
    ]
    assert dataset.subjects == ("ann", "bob")
    image, labels = read_case(dataset.cases[2], dataset)
    assert image.array.shape == (1, 4, 6, 1)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels[:, :, 0][[0, 3], :4], [[1, 1, 1, 0], [2, 2, 0, 0]])


def test_nnunet_sequences_are_channels_and_ignore_is_255(nnunet):
    dataset = read_dataset(nnunet.root)
    assert dataset.labels == LabelSet(("core", "oedema"), (1, 2), ignore=3)
    assert dataset.channel_names == ("T1", "T2")
    image, labels = read_case(dataset.cases[0], dataset)
    assert image.array.shape == (2, 4, 5, 6)
    assert image.sources[1].name == "p1_0001.nii.gz"
    values, counts = np.unique(labels, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {0: 116, 1: 1, 2: 2, 255: 1}


def test_archives_with_labels(files):
    images = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    for name in ("a", "b"):
        files.npz(f"{name}.npz", imgs=images, gts=(images > 50).astype(np.uint8), spacing=[1, 1, 3])
    dataset = read_dataset(files.root)
    _, labels = read_case(dataset.cases[0], dataset)
    assert (dataset.layout, int(labels.sum())) == ("MedSAM npz", 9)


def test_partly_labelled_volumes_count_along_the_slicing_axis(nnunet):
    nnunet.text("labelled_slices.yaml", "p1: [0, 3]\n")
    dataset = read_dataset(nnunet.root)
    image, labels = read_case(dataset.cases[0], dataset)
    assert image.spacing == (1, 1, 3)  # so the slices are along the third axis
    assert [bool((labels[:, :, z] == 255).all()) for z in range(6)] == [0, 1, 1, 0, 1, 1]
    assert not labels[:, :, 3].any()  # listed and empty: background, not unlabelled
    _, sagittal = read_case(dataset.cases[0], dataset, plane="sagittal")
    assert [bool((sagittal[x] == 255).all()) for x in range(4)] == [0, 1, 1, 0]
    _, other = read_case(dataset.cases[1], dataset)
    assert (other == 255).sum() == 1


def test_classes_numbered_by_case_are_joined_by_name(files):
    for case, value in (("ct", 5), ("mr", 9)):
        files.png(f"images/{case}.png", np.arange(12).reshape(3, 4))
        files.png(f"labels/{case}.png", np.full((3, 4), value))
    names = {"ct": {"5": "liver", "9": "aorta"}, "mr": {"9": "liver", "1": "vein"}}
    files.json("label_names.json", names)
    dataset = read_dataset(files.root)
    assert dataset.labels == LabelSet(("liver", "aorta", "vein"), (1, 2, 3))
    for case in dataset.cases:
        _, labels = read_case(case, dataset)
        assert (labels == 1).all()


def test_unlisted_index_stays_ignored_when_classes_are_joined(flat):
    dataset = read_dataset(flat.root)
    own = LabelSet(("class 3",), (7,), ignore=9)
    case = type(dataset.cases[0])("x", "x", (), Path("x"), own_labels=own)
    indices = class_indices(np.array([[[0, 7, 9]]]), case, dataset.labels)
    np.testing.assert_array_equal(indices, [[[0, 2, 255]]])


def test_image_without_label_is_a_case(flat):
    (flat.root / "labels/a_1.png").unlink()
    dataset = read_dataset(flat.root)
    assert [case.id for case in dataset.labelled] == ["a_2", "b_1"]
    image, labels = read_case(dataset.cases[0], dataset)
    assert labels is None
    assert image.shape == (4, 6, 1)


def test_zero_labelled_cases_are_refused(flat):
    for path in (flat.root / "labels").iterdir():
        path.unlink()
    assert "0 of 3 images have a label" in refused("dataset.no_labels", flat.root).problem
    (flat.root / "labels").rmdir()
    refused("dataset.no_labels", flat.root)


def test_one_problem_is_raised_as_it_is_and_many_are_counted(flat):
    flat.png("labels/b_11.png", np.ones((4, 6)))
    error = refused("dataset.label_without_image", flat.root)
    assert "b_11.png, did you mean b_1?" in error.problem
    flat.text("label_names.json", '{"a": [1, 2], "b": [2, 3]}')
    flat.text("labelled_slices.yaml", "zz: [1]")
    error = refused("dataset.problems", flat.root)
    assert error.problem.startswith("3 problems, the first: 1 of 4 labels have no image")
    assert "samplar check" in error.fix


def test_dataset_json_that_is_no_object_is_refused(flat):
    flat.text("dataset.json", "[1]")
    refused("document.unreadable", flat.root)


def test_masks_of_0_and_255_get_the_mapping_and_work_once_declared(files):
    files.png("images/a.png", np.arange(12).reshape(3, 4))
    files.png("labels/a.png", np.eye(3, 4) * 255)
    error = refused("labels.mask_0_255", files.root)
    assert '"labels": {"background": 0, "foreground": 255}' in error.fix
    files.json("dataset.json", {"labels": {"background": 0, "foreground": 255}})
    dataset = read_dataset(files.root)
    assert int(read_case(dataset.cases[0], dataset)[1].sum()) == 3


def test_grey_masks_are_refused(files):
    files.png("images/a.png", np.zeros((10, 10)))
    files.png("labels/a.png", np.arange(100).reshape(10, 10))
    error = refused("labels.too_many", files.root)
    assert "99 values besides 0 (1, 2, 3" in error.problem
    assert "99 different values are not classes" in error.fix


def test_labels_without_any_foreground_are_refused(files):
    files.png("images/a.png", np.zeros((3, 4)))
    files.png("labels/a.png", np.zeros((3, 4)))
    assert "12 voxels are all 0" in refused("labels.none", files.root).problem


def test_label_of_another_size_is_refused_when_read(flat):
    flat.png("labels/a_1.png", np.ones((6, 4)))
    dataset = read_dataset(flat.root)
    with pytest.raises(InputError, match=r"6 x 4 x 1 voxels.*4 x 6 x 1") as caught:
        read_case(dataset.cases[0], dataset)
    assert caught.value.code == "io.grid"


def split(flat, **entry):
    return flat.json("../splits.json", {"liver set": entry})


def test_a_subset_keeps_its_subjects_and_the_classes_of_all(flat):
    path = split(flat, pool=["ann"], test=["bob"])
    pool = read_dataset(flat.root, split=path, subset="pool")
    assert [case.id for case in pool.cases] == ["a_1", "a_2"]
    assert pool.labels.values == (1, 3)  # class 3 is in bob only
    test = read_dataset(flat.root, split=path, subset="test")
    assert [case.id for case in test.cases] == ["b_1"]
    assert len(read_dataset(flat.root, split=path).cases) == 3


def test_impossible_splits_are_refused(flat):
    refused("split.overlap", flat.root, split=split(flat, pool=["ann"], test=["ann"]))
    refused("split.unknown_subject", flat.root, split=split(flat, pool=["ann"], test=["zoe"]))
    with pytest.raises(UsageError, match="subset pool asked without a split"):
        read_dataset(flat.root, subset="pool")


def test_subset_without_labels_is_refused(flat):
    (flat.root / "labels/b_1.png").unlink()
    path = split(flat, pool=["ann"], test=["bob"])
    error = refused("dataset.no_labels", flat.root, split=path, subset="test")
    assert "0 of 1 images" in error.problem


def test_names_match_however_their_letters_are_composed(files):
    composed, split_up = "K\u00f6ln", "Ko\u0308ln"
    files.png(f"images/{split_up}.png", np.arange(12).reshape(3, 4))
    files.png(f"labels/{composed}.png", np.eye(3, 4))
    files.text("index.csv", f"file,subject\n{composed}.png,J{split_up}\n")
    files.text("labelled_slices.yaml", f"{split_up}: [0]\n")
    path = files.json(
        "../splits.json", {"liver set": {"pool": [f"J{split_up}"], "test": [f"J{composed}"]}}
    )
    (case,) = read_dataset(files.root).cases
    assert (case.id, case.subject, case.listed) == (composed, f"J{composed}", (0,))
    refused("split.overlap", files.root, split=path)


@pytest.mark.parametrize(
    ("values", "code", "says"),
    [
        ([0], "labels.none", "hold no foreground, 2 voxels are all 0"),
        ([0, 255], "labels.mask_0_255", "hold 1 values besides 0 (255) and"),
        (
            range(66),
            "labels.too_many",
            "hold 65 values besides 0 (1, 2, 3, 4, 5, 6, 7, 8, ...) and",
        ),
    ],
)
def test_values_that_are_no_classes_are_refused(values, code, says):
    with pytest.raises(InputError) as caught:
        labels_of(dict.fromkeys(values, 2), Path("set"))
    assert caught.value.code == code
    assert says in caught.value.problem


@pytest.mark.parametrize("values", [[1], [1, 255], [254], range(1, 65)])
def test_up_to_64_values_are_classes(values):
    assert labels_of({0: 9, **dict.fromkeys(values, 2)}, Path("set")).values == tuple(values)


def test_the_mapping_offered_leaves_out_nothing_that_was_found():
    with pytest.raises(InputError) as caught:
        labels_of({0: 5, 255: 3}, Path("set"))
    assert '"foreground": 255' in caught.value.fix


def test_a_data_set_cannot_be_changed(flat):
    dataset = read_dataset(flat.root)
    with pytest.raises(FrozenInstanceError):
        dataset.name = "other"
    with pytest.raises(FrozenInstanceError):
        dataset.cases[0].subject = "other"
