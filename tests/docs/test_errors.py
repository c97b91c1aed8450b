"""The page of error codes says what the source says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import samplar
from samplar import errors
from samplar.cli import exits

SOURCE = Path(samplar.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
STATUS = {
    name: str(kind.exit_status)
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SamplarError)
}
FINDINGS = {"warning", "note", "make", "_outliers"}
"""What makes a finding of `samplar check` that is no error."""
FETCHED = {"weights": "WeightsError", "demo": "InputError"}
"""Areas of what can be fetched (`Bundle.area`), and the error each makes."""
DOTTED = re.compile(r"[a-z_]+\.[a-z0-9_]+")


def codes_of(text: str) -> set[tuple[str, str]]:
    """Collect the codes in a source file, each with the exit status of its error, or `check`."""
    return {pair for node in ast.walk(ast.parse(text)) for pair in _codes(node)}


def _codes(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"_TROUBLE", "fallback"}:
        # errno -> (problem, fix, code) of `samplar.io.atomic`
        yield from ((w, STATUS["OutputError"]) for w in _words(node.value) if DOTTED.fullmatch(w))
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
    if called in FINDINGS and not given:
        given = node.args[:1]
    for word in (word for value in given for word in _words(value)):
        yield from _complete(called, word)


def _complete(called: str, word: str) -> Iterator[tuple[str, str]]:
    if called in {"bundle.error", "self.error"}:
        yield from ((f"{area}.{word}", STATUS[kind]) for area, kind in FETCHED.items())
    elif called == "_unfit":
        yield f"weights.{word}", STATUS["WeightsError"]
    elif DOTTED.fullmatch(word):
        kind = "InputError" if called == "damaged" else called
        yield word, "check" if called in FINDINGS else STATUS[kind]


def _words(node: ast.AST) -> list[str]:
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return [word for word in found if isinstance(word, str)]


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_codes_are_those_of_the_source():
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for code, status in codes_of(path.read_text(encoding="utf-8")):
            found.setdefault(code, set()).add(status)
    rows = _rows(PAGE.read_text(encoding="utf-8").partition("## Codes")[2])
    stated = {code.strip("`"): set(status.split(", ")) for code, status, _ in rows}
    assert len(rows) == len(stated), "a code is listed twice"
    assert stated == found


def test_the_exit_statuses_are_those_of_the_source():
    text = PAGE.read_text(encoding="utf-8").partition("## Codes")[0]
    stated = {int(row[0].strip("`")) for row in _rows(text)}
    own = {0, exits.SOME_FAILED, exits.BUG, exits.INTERRUPTED, exits.TERMINATED}
    assert stated == own | {int(status) for status in STATUS.values()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("raise InputError('', code='io.new')", {("io.new", "3")}),
        (
            "raise UsageError('x', fix='y', code='a.b' if z else 'a.c')",
            {("a.b", "2"), ("a.c", "2")},
        ),
        ("note('images.new', problem)", {("images.new", "check")}),
        (
            "raise bundle.error('x', fix='y', code='late')",
            {("weights.late", "5"), ("demo.late", "3")},
        ),
    ],
)
def test_a_new_code_would_be_seen(line, expected):
    assert codes_of(line) == expected
