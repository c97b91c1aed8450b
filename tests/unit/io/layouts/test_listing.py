"""The steps that the layouts share: listing files, pairing names and joining sequences."""

from __future__ import annotations

from pathlib import Path

import pytest

from samplar.errors import InputError
from samplar.io.layouts import listing
from samplar.io.layouts.listing import (
    by_stem,
    files_in,
    join_sequences,
    orphan_labels,
    sequence_of,
)


def paths(*names: str) -> dict[str, Path]:
    return {Path(name).stem: Path(name) for name in names}


def test_a_folder_may_hold_as_many_files_as_the_bound(files, monkeypatch):
    assert listing.MAX_FILES == 10_000
    for name in ("a.png", "b.png", "notes.txt"):
        files.text(name, "x")
    monkeypatch.setattr(listing, "MAX_FILES", 3)
    assert [path.name for path in files_in(files.root)] == ["a.png", "b.png"]
    monkeypatch.setattr(listing, "MAX_FILES", 2)
    with pytest.raises(InputError, match="3 files, more than the 2") as caught:
        files_in(files.root)
    assert caught.value.code == "dataset.too_many_files"


def test_hidden_files_folders_and_other_suffixes_are_left_out(files):
    for name in ("b.PNG", "a.nii.gz", ".c.png", "d.png/e.png", "f.doc"):
        files.text(name, "x")
    assert [path.name for path in files_in(files.root)] == ["a.nii.gz", "b.PNG"]
    assert files_in(files.root, (".doc",)) == [files.root / "f.doc"]


def test_a_link_in_a_circle_is_left_to_its_reader(files):
    files.text("a.png", "x")
    (files.root / "b.png").symlink_to(files.root / "b.png")
    assert [path.name for path in files_in(files.root)] == ["a.png", "b.png"]


def test_of_files_of_one_name_none_is_taken():
    found, clashes = by_stem(map(Path, ("x/a.png", "x/b.png", "x/a.nii.gz", "x/c.png", "x/a.jpg")))
    assert found == {"b": Path("x/b.png"), "c": Path("x/c.png")}
    (clash,) = clashes
    assert clash.code == "dataset.same_name"
    assert clash.problem == "3 files have the same name: a.png, a.nii.gz, a.jpg"
    assert clash.path == "x/a.png"


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("case_0001", ("case", 1)),
        ("a_b_0012", ("a_b", 12)),
        ("a_0001_0002", ("a_0001", 2)),
        ("line\nbreak_0000", ("line\nbreak", 0)),
        ("case_001", None),
        ("case_00001", None),
        ("case0001", None),
        ("_0001", None),
        ("case_0001x", None),
    ],
)
def test_a_sequence_has_four_digits_at_the_end(stem, parts):
    assert sequence_of(stem) == parts


def test_without_a_count_the_fullest_case_sets_it():
    images = paths("a_0000.png", "a_0001.png", "b_0001.png", "b_0000.png", "c_0000.png")
    complete, problems = join_sequences(images, names=())
    assert complete == {
        "a": (Path("a_0000.png"), Path("a_0001.png")),
        "b": (Path("b_0000.png"), Path("b_0001.png")),
    }
    assert [p.problem for p in problems] == ["the case c lacks sequence _0001; 2 are expected"]
    assert join_sequences({}, names=()) == ({}, [])


@pytest.mark.parametrize(
    ("numbers", "names", "problem"),
    [
        ((0,), ("T1", "T2"), "the case a lacks sequence _0001 (T2)"),
        ((0,), ("T1",), "the case a lacks sequence _0001"),
        ((0, 1, 2), ("T1", "T2"), "the case a has the undeclared sequence _0002"),
        ((0, 1, 4, 3), ("T1", "T2"), "the case a has the undeclared sequence _0003, _0004"),
        (
            (2, 0),
            ("T1", "T2", "T3"),
            "the case a lacks sequence _0001 (T2)"
            " and the case a has the undeclared sequence _0002 (T3)",
        ),
    ],
)
def test_what_a_case_lacks_and_has_too_much_of(numbers, names, problem):
    images = paths(*(f"a_000{number}.png" for number in numbers))
    complete, (found,) = join_sequences(images, names=names, count=2)
    assert not complete
    assert found.code == "dataset.sequence"
    assert found.problem == f"{problem}; 2 are expected"
    assert found.path == f"a_000{numbers[0]}.png"


def test_names_without_a_number_are_told_the_new_one():
    complete, (problem,) = join_sequences(paths("a_0000.png", "b.png"), names=(), count=1)
    assert list(complete) == ["a"]
    assert (problem.code, problem.path) == ("dataset.no_sequence_number", "b.png")
    assert problem.fix == "Rename it to b_0000.png"


def test_labels_that_all_have_an_image_are_no_problem():
    assert orphan_labels(paths("a.png"), ["a", "b"], Path("labels")) == []


@pytest.mark.parametrize(("count", "end"), [(5, "zz4.png"), (6, "zz4.png and 1 more")])
def test_five_labels_without_image_are_shown(count, end):
    labels = paths(*(f"zz{n}.png" for n in range(count)), "a.png")
    (problem,) = orphan_labels(labels, ["a"], Path("labels"))
    assert problem.problem.startswith(f"{count} of {count + 1} labels have no image: zz0.png")
    assert problem.problem.endswith(end)
    assert problem.path == "labels"


def test_the_image_nearest_in_name_is_one_without_a_label():
    (problem,) = orphan_labels(
        paths("liver1.png", "liver12.png"), ["liver1", "liver21"], Path("labels")
    )
    assert "liver12.png, did you mean liver21?" in problem.problem
    (problem,) = orphan_labels(paths("liver1.png", "liver12.png"), ["liver1"], Path("labels"))
    assert "liver12.png, did you mean liver1?" in problem.problem
