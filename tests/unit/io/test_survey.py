"""What a data set says about itself, with all its problems side by side."""

from __future__ import annotations

import pytest

from samplar.errors import InputError
from samplar.io.survey import refuse_problems, survey


def test_cases_subjects_and_classes_are_listed_without_opening_an_image(files):
    for name in ("images/a.png", "labels/a.png", "images/b.png", "labels/b.png"):
        files.text(name, "no image at all")
    files.text("index.csv", "file,subject\na,ann\nb,bob\n")
    files.text("labelled_slices.yaml", "a: [0]\n")
    files.json("dataset.json", {"labels": {"background": 0, "liver": 1}})
    found = survey(files.root)
    assert (found.name, found.layout) == ("liver set", "images and labels folders")
    assert [(case.id, case.subject, case.listed) for case in found.cases] == [
        ("a", "ann", (0,)),
        ("b", "bob", None),
    ]
    assert found.declared.names == ("liver",)
    assert (found.problems, found.channel_names) == ((), ())


def test_a_bare_folder_says_nothing_more(flat):
    (flat.root / "index.csv").unlink()
    found = survey(flat.root)
    assert [case.subject for case in found.cases] == ["a_1", "a_2", "b_1"]
    assert (found.declared, found.problems) == (None, ())


def test_every_problem_is_collected(flat):
    flat.text("labels/zz.png", "x")
    flat.text("index.csv", "file\n")
    flat.text("labelled_slices.yaml", "[]")
    flat.json("dataset.json", {"labels": {"liver": -1}})
    found = survey(flat.root)
    assert [problem.code for problem in found.problems][:3] == [
        "dataset.label_without_image",
        "index.columns",
        "labelled_slices.shape",
    ]
    assert len(found.problems) == 4
    assert len(found.cases) == 3


def test_a_description_that_is_no_object_is_refused(flat):
    path = flat.json("dataset.json", ["liver"])
    with pytest.raises(InputError) as caught:
        survey(flat.root)
    assert (caught.value.code, caught.value.path) == ("document.unreadable", str(path))


def problem(code: str, path: str | None = None) -> InputError:
    return InputError(f"has trouble {code}", fix="Mend it", code=code, path=path)


def test_one_problem_is_raised_as_it_is_and_none_not_at_all(tmp_path):
    refuse_problems([], tmp_path)
    only = problem("dataset.list")
    with pytest.raises(InputError) as caught:
        refuse_problems([only], tmp_path)
    assert caught.value is only


@pytest.mark.parametrize("path", [None, "here.png"])
def test_of_several_problems_the_first_is_shown(tmp_path, path):
    several = [problem("dataset.list", path), problem("dataset.npz"), problem("io.missing")]
    with pytest.raises(InputError) as caught:
        refuse_problems(several, tmp_path)
    error = caught.value
    assert error.code == "dataset.problems"
    assert error.problem == "3 problems, the first: has trouble dataset.list [dataset.list]"
    assert error.fix == "Mend it; samplar check lists all of them"
    assert error.path == (path or str(tmp_path))
