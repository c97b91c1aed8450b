from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.declared import declared_labels, join_by_name, parse_labels, parse_labels_per_case
from samplar.io.labels import LabelSet

PATH = Path("dataset.json")
LIVER = LabelSet(("liver", "tumour"), (1, 4))


@pytest.mark.parametrize(
    "document",
    [
        {"background": 0, "liver": 1, "tumour": 4},
        {"tumour": 4, "liver": 1},
        {"0": "background", "1": "liver", "4": "tumour"},
        {"1": "liver", "4": "tumour"},
        {1: "liver", 4: "tumour"},
        {"1": {"name": "liver", "voxels": 9}, "4": {"name": "tumour"}},
        {"Background": 0, "liver": "1", " tumour ": "4"},
    ],
)
def test_either_direction_with_gaps_gives_the_same_classes(document):
    assert parse_labels(document, PATH) == LIVER


def test_ignore_is_not_a_class():
    labels = parse_labels({"background": 0, "liver": 1, "tumour": 4, "ignore": 255}, PATH)
    assert labels == LabelSet(("liver", "tumour"), (1, 4), ignore=255)


def test_a_class_of_value_255_is_fine():
    assert parse_labels({"lesion": 255}, PATH).values == (255,)


def test_regions_are_refused_with_what_to_write():
    with pytest.raises(InputError) as caught:
        parse_labels({"background": 0, "whole tumour": [1, 2, 3], "core": [2, 3]}, PATH)
    assert caught.value.code == "labels.regions"
    assert "the value 2 is in whole tumour, core" in caught.value.problem
    assert '"oedema": 2' in caught.value.fix
    with pytest.raises(InputError, match="the value 2 is in a, b; a voxel has one class here"):
        parse_labels({"a": [1, 2], "b": [2, 3], "c": [3, 4]}, PATH)
    with pytest.raises(InputError, match="the value 2 is in a; ") as caught:
        parse_labels({"a": [2, 2]}, PATH)
    assert caught.value.code == "labels.regions"


def test_values_up_to_65535_and_64_classes_are_taken():
    assert parse_labels({"liver": 65_535}, PATH).values == (65_535,)
    names = tuple(f"c{i}" for i in range(1, 65))
    assert parse_labels({f"c{i}": i for i in range(1, 65)}, PATH).names == names


def test_one_class_may_be_made_of_several_values():
    declared = {"background": [0, 5, 9], "tumour": [4, 1, 2], "liver": 6, "ignore": 255}
    labels = parse_labels(declared, PATH)
    assert (labels.names, labels.values) == (("tumour", "liver"), (4, 6))
    assert labels.ignore == 255
    assert labels.indices == {0: 0, 5: 0, 9: 0, 4: 1, 1: 1, 2: 1, 6: 2, 255: 255}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([], "not a list of names"),
        ({}, "not a list of names"),
        ({"background": 0}, "0 classes besides background"),
        ({"liver": 0, "spleen": 1}, "0 is always background"),
        ({"background": 1, "liver": 2}, "0 is always background"),
        ({"liver": 1, "spleen": 1}, "share a value: liver, spleen are 1"),
        ({"liver": 1, "spleen": 3, "ignore": 3}, "share a value: spleen, ignore are 3"),
        ({"1": "liver", "2": "liver"}, "2 labels share 1 names"),
        ({"liver": -1}, "outside 0..65535"),
        ({"liver": 65_536}, "outside 0..65535"),
        ({"liver": 1.5}, "neither name: value nor value: name"),
        ({"liver": []}, "neither name: value nor value: name"),
        ({"liver": [1, 2.5]}, "neither name: value nor value: name"),
        ({"liver": [1, 0]}, "0 is always background"),
        ({"background": [5, 0], "liver": 1}, "0 is always background"),
        ({"liver": 1, "ignore": [254, 255]}, "ignore has 2 values"),
        ({"liver": [1, 70_000]}, "outside 0..65535: 70000"),
        ({"liver": True}, "neither name: value nor value: name"),
        ({"liver": "left"}, "neither name: value nor value: name"),
        ({"1": " "}, "the value 1 has an empty name"),
        ({"\uff11": "liver"}, "neither name: value nor value: name"),
        ({"liver": {"value": 1}}, "neither name: value nor value: name"),
        ({"liver": "--1"}, "neither name: value nor value: name"),
        ({"-1": "liver"}, "outside 0..65535: -1"),
        ({f"c{i}": i for i in range(1, 66)}, "65 classes, more than the 64"),
    ],
)
def test_other_declarations_are_refused(document, found):
    with pytest.raises(InputError) as caught:
        parse_labels(document, PATH)
    assert caught.value.code == "labels.declaration"
    assert found in caught.value.problem


def test_classes_numbered_by_case_are_told_from_the_plain_form():
    assert parse_labels_per_case({"1": {"name": "liver"}}, PATH) == {}
    assert parse_labels_per_case({"liver": 1}, PATH) == {}
    assert parse_labels_per_case([1], PATH) == {}
    assert parse_labels_per_case({"ct": {"1": "liver"}, "2": "aorta"}, PATH) == {}
    assert parse_labels_per_case({"ct": {"1": "liver"}, "2": {"name": "aorta"}}, PATH) == {}
    nested = {"ct": {"1": {"name": "liver"}}, "mr": {"9": "liver", "1": "aorta"}}
    assert parse_labels_per_case(nested, PATH) == {
        "ct": LabelSet(("liver",), (1,)),
        "mr": LabelSet(("aorta", "liver"), (1, 9)),
    }


def test_joined_classes_keep_their_values_unless_they_disagree():
    liver, aorta = LabelSet(("liver",), (5,)), LabelSet(("aorta",), (2,))
    assert join_by_name({"a": liver, "b": aorta}) == LabelSet(("aorta", "liver"), (2, 5))
    renumbered = LabelSet(("liver", "aorta"), (1, 2))
    assert join_by_name({"a": liver, "b": LabelSet(("aorta",), (5,))}) == renumbered
    assert join_by_name({"a": liver, "b": LabelSet(("liver", "aorta"), (2, 3))}) == renumbered


def test_too_many_joined_classes_are_refused():
    def numbered(prefix):
        return LabelSet(tuple(f"{prefix}{i}" for i in range(40)), tuple(range(1, 41)))

    with pytest.raises(InputError, match="80 different class names over 2 cases") as caught:
        join_by_name({"a": numbered("x"), "b": numbered("y")})
    assert caught.value.code == "labels.too_many"


def test_64_joined_classes_are_numbered_anew():
    def numbered(prefix):
        return LabelSet(tuple(f"{prefix}{i}" for i in range(32)), tuple(range(1, 33)))

    joined = join_by_name({"a": numbered("x"), "b": numbered("y")})
    assert joined.values == tuple(range(1, 65))
    assert joined.names[31:33] == ("x31", "y0")


def cases(*ids):
    return [Case(id_, id_, (Path(f"{id_}.png"),), None) for id_ in ids]


def test_either_file_may_declare(files):
    files.root.mkdir()
    assert declared_labels(files.root, {}, cases("a"))[0] is None
    description = {"labels": {"liver": 1, "tumour": 4}}
    assert declared_labels(files.root, description, cases("a"))[0] == LIVER
    files.json("label_names.json", {"1": "liver", "4": "tumour"})
    assert declared_labels(files.root, {}, cases("a"))[0] == LIVER
    assert declared_labels(files.root, description, cases("a"))[0] == LIVER


def test_files_that_disagree_are_refused(files):
    files.json("label_names.json", {"1": "liver"})
    with pytest.raises(InputError) as caught:
        declared_labels(files.root, {"labels": {"liver": 2}}, cases("a"))
    assert caught.value.code == "labels.two_declarations"


def test_classes_by_case_go_with_the_cases(files):
    files.json("label_names.json", {"a": {"1": "liver"}, "b": {"2": "liver"}})
    labels, (a, b) = declared_labels(files.root, {}, cases("a", "b"))
    assert labels == LabelSet(("liver",), (1,))
    assert (a.own_labels.values, b.own_labels.values) == ((1,), (2,))
    with pytest.raises(InputError, match="1 of 2 cases have no classes: c"):
        declared_labels(files.root, {}, cases("a", "c"))


def test_a_case_cannot_be_changed():
    (case,) = cases("a")
    with pytest.raises(FrozenInstanceError):
        case.own_labels = LIVER
