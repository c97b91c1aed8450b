"""Every refusal has its parts: what was found, what to do, a code, and the file if there is one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import samplar
from samplar import errors
from samplar.errors import SamplarError

SOURCE = Path(samplar.__file__).parent
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, SamplarError)
}
OF_FILES = {"InputError", "OutputError", "WeightsError"}
OF_ADDRESSES = ("io/hub.py", "io/hub_errors.py", "io/hub_repository.py")
"""About what lies on the network: its address stands in the problem."""

NO_FILE = {
    # About values in memory, or about all inputs together: there is no one file to name.
    "channels.too_many",
    "evaluation.empty",
    "evaluation.grid",
    "evaluation.labels",
    "evaluation.names",
    "exemplars.too_few",
    "input.empty",
    "intensity.no_images",
    "labels.too_many",
    "launch.cases",
    "report.classes",
    "samples.shape",
    "samples.type",
    "synthesis.index",
    "synthesis.labels",
    "synthesis.no_exemplars",
    "synthesis.range",
    # About what is not on this machine: the name of it stands in the problem.
    "weights.absent",
}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in the sources that makes an error of ours, with the place of it."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in KINDS:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


CALLS = dict(raised())


def test_there_are_many():
    assert len(CALLS) > 150


def test_each_says_what_was_found_and_what_to_do():
    for place, call in CALLS.items():
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if None in given:  # handed on as it was: its own making is checked
            continue
        assert {"fix", "code"} <= given.keys(), place
        assert len(call.args) == 1, place
        for words in (*_texts(call.args[0]), *_texts(given["fix"])):
            assert len(words.split()) > 1, (place, words)
            assert not re.search(r"(?<!\.\.)\.\s*$", words), (place, "the line adds the full stop")
            assert "\n" not in words, place


def test_each_about_a_file_names_it():
    for place, call in CALLS.items():
        if ast.unparse(call.func) in OF_FILES and not place.startswith(OF_ADDRESSES):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            code = given.get("code")
            known = isinstance(code, ast.Constant) and code.value in NO_FILE
            assert known or None in given or "path" in given, (place, ast.unparse(call))


def test_no_exception_is_listed_for_nothing():
    without = {
        keyword.value.value
        for call in CALLS.values()
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
        if "path" not in {k.arg for k in call.keywords}
    }
    assert without >= NO_FILE


def _texts(node: ast.expr) -> Iterator[str]:
    """Yield the literal texts that a problem or fix can be; each hole counts as a word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else " X " for p in node.values)
        yield "".join(map(str, parts))
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
