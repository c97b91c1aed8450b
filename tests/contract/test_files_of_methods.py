"""What every file of methods keeps to, so that each can be read and changed by itself."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import samplar.methods

FILES = sorted(Path(samplar.methods.__file__).parent.glob("*.py"))
LONGEST = 250
BLOCK = 6
"""Lines that may not stand twice, one after another; without imports, blanks and brackets."""


def written(path: Path) -> list[str]:
    """Return the lines of a file that say something, without indents and imports."""
    text = path.read_text(encoding="utf-8")
    imports = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    kept = (line.strip() for number, line in lines if number not in imports)
    return [line for line in kept if any(letter.isalnum() for letter in line)]


def twice(files: list[Path]) -> dict[tuple[str, ...], list[str]]:
    """Return the blocks that stand twice, each with the files it stands in."""
    places = defaultdict(list)
    for path in files:
        lines = written(path)
        for first in range(len(lines) - BLOCK + 1):
            places[tuple(lines[first : first + BLOCK])].append(path.name)
    return {block: where for block, where in places.items() if len(where) > 1}


def private_names(path: Path) -> list[str]:
    """Return what begins with one underscore and is taken from another file of methods."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samplar"):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            found += [part for part in parts if part.startswith("_") and part != "__future__"]
    return found


def test_there_are_files_to_look_at():
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_private_is_taken_from_another_file(path):
    assert private_names(path) == []


def test_no_block_stands_twice():
    assert twice(FILES) == {}


@pytest.mark.parametrize(("shared", "found"), [(BLOCK - 1, 0), (BLOCK, 1), (BLOCK + 1, 2)])
def test_a_block_that_stands_twice_would_be_seen(tmp_path, shared, found):
    block = [f"a{number} = {number}" for number in range(shared)]
    (tmp_path / "a.py").write_text("\n".join(["import os", *block, "b = 1"]))
    (tmp_path / "c.py").write_text("\n\n".join(["c = 2", *block, "d = 3"]))
    assert len(twice(sorted(tmp_path.glob("*.py")))) == found


def test_a_private_name_would_be_seen(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("from samplar.methods.steps import _hidden, seen_through\nimport _thread\n")
    assert private_names(path) == ["_hidden"]
