from __future__ import annotations

import pytest

from samplar.cli.outputs import no_empty_folder


def make_and_fail(folder, made, leave):
    with no_empty_folder(folder):
        made.mkdir(parents=True, exist_ok=True)
        for name in leave:
            (folder / name).write_text("kept")
        raise ZeroDivisionError


def fail(folder, *, made=None, leave=()):
    with pytest.raises(ZeroDivisionError):
        make_and_fail(folder, made or folder, leave)


def test_folders_made_for_nothing_are_removed_up_to_what_was_there(tmp_path):
    fail(tmp_path / "a" / "b" / "c")
    assert list(tmp_path.iterdir()) == []


def test_what_holds_something_or_was_there_stays(tmp_path):
    fail(tmp_path / "a" / "b", leave=["x"])
    assert (tmp_path / "a" / "b" / "x").read_text() == "kept"
    (tmp_path / "old").mkdir()
    fail(tmp_path / "old")
    assert (tmp_path / "old").is_dir()


def test_a_folder_that_was_never_made_is_no_problem(tmp_path):
    fail(tmp_path / "a" / "b", made=tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_success_keeps_an_empty_folder(tmp_path):
    with no_empty_folder(tmp_path / "a"):
        (tmp_path / "a").mkdir()
    assert (tmp_path / "a").is_dir()
