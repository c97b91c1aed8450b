from __future__ import annotations

from samplar.io.layouts.decathlon import list_cases, recognise


def dataset(files, *entries):
    for name in (
        "imagesTr/a.nii.gz",
        "labelsTr/a.nii.gz",
        "imagesTr/b.nii.gz",
        "labelsTr/b.nii.gz",
    ):
        files.text(name, "x")
    return {"training": list(entries)}


def pair(name):
    return {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}


def test_listed_pairs_are_the_cases(files):
    description = dataset(files, pair("b"), pair("a"))
    assert recognise(files.root, description)
    listing = list_cases(files.root, description, ["MRI"])
    assert not listing.problems
    assert [case.id for case in listing.cases] == ["a", "b"]
    assert listing.cases[0].label == files.root / "labelsTr/a.nii.gz"
    assert listing.channel_names == ("MRI",)


def test_each_bad_entry_is_a_problem_of_its_own(files):
    (files.root.parent / "secret.nii").parent.mkdir(parents=True, exist_ok=True)
    (files.root.parent / "secret.nii").write_text("x")
    description = dataset(
        files,
        pair("a"),
        pair("a"),
        pair("missing"),
        {"image": "imagesTr/b.nii.gz"},
        "imagesTr/b.nii.gz",
        {"image": "../secret.nii", "label": "labelsTr/b.nii.gz"},
    )
    listing = list_cases(files.root, description)
    assert [case.id for case in listing.cases] == ["a"]
    assert [problem.problem for problem in listing.problems] == [
        "the case a is listed more than once",
        "the image ./imagesTr/missing.nii.gz does not exist",
        "an entry has no label",
        "'imagesTr/b.nii.gz' is not a pair of image and label",
        "the image ../secret.nii is outside the data set",
    ]
    assert {problem.code for problem in listing.problems} == {"dataset.list"}


def test_one_image_that_is_there_makes_it_this_layout(files):
    description = dataset(files, 3, {"image": 3}, pair("missing"), pair("b"))
    assert recognise(files.root, description)


def test_a_label_is_checked_as_the_image_is(files):
    images = {"image": "imagesTr/a.nii.gz"}
    description = dataset(files, images | {"label": "labelsTr/c.nii.gz"}, images | {"label": 3})
    assert [problem.problem for problem in list_cases(files.root, description).problems] == [
        "the label labelsTr/c.nii.gz does not exist",
        "an entry has no label",
    ]


def test_other_descriptions_are_not_this_layout(files):
    dataset(files)
    for description in ({}, {"training": 3}, {"training": [3]}, {"training": [pair("zz")]}):
        assert not recognise(files.root, description)
