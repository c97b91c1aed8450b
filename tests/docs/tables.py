"""What the source says that the reference pages must say too: settings, error codes, flags."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import samplar

SOURCE = Path(samplar.__file__).parent
ERRORS = {"UsageError", "InputError", "OutputError", "WeightsError", "ResourceError"}
FINDINGS = {"warning", "note", "make", "_outliers"}
FETCHING = {"weights": "WeightsError", "demo": "InputError"}
"""Areas of what can be fetched (`Bundle.area`), and the error each makes."""


def settings_rows(made: BaseModel, *, under: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield name, default and allowed values of every setting, nested ones with dots."""
    plain = json.loads(made.model_dump_json())
    for name, field in type(made).model_fields.items():
        value = getattr(made, name)
        if isinstance(value, BaseModel):
            yield from settings_rows(value, under=f"{under}{name}.")
        else:
            default = "required" if field.is_required() else f"`{json.dumps(plain[name])}`"
            yield f"`{under}{name}`", default, allowed(field)


def allowed(field: FieldInfo) -> str:
    """Write which values a setting takes, as the pages do."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(field.annotation))
    signs = {"gt": "> ", "ge": ">= ", "lt": "< ", "le": "<= ", "multiple_of": "multiple of "}
    found = [
        f"{sign}{bound}"
        for part in field.metadata
        for name, sign in signs.items()
        if (bound := getattr(part, name, None)) is not None
    ]
    return ", ".join(found)


def error_codes() -> dict[str, set[str]]:
    """Collect every code in the source, with the kinds that carry it.

    A kind is a subclass of `SamplarError`, or `finding` for what only `samplar check` says.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for code, kind in _codes(node):
                found.setdefault(code, set()).add(kind)
    return found


def _codes(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_TROUBLE":
        # Of `samplar.io.atomic`: errno -> (problem, fix, code), all of them OutputError.
        yield from ((code, "OutputError") for code in _words(node.value) if _dotted(code))
    if isinstance(node, ast.AnnAssign | ast.Assign) and "fallback" in ast.unparse(node):
        yield from ((code, "OutputError") for code in _words(node) if _dotted(code))
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
    if called in FINDINGS and node.args and not given:
        given = node.args[:1]
    for code in (word for value in given for word in _words(value)):
        yield from _kinds(called, code)


def _kinds(called: str, code: str) -> Iterator[tuple[str, str]]:
    if called in ERRORS and _dotted(code):
        yield code, called
    elif called in FINDINGS and _dotted(code):
        yield code, "finding"
    elif called == "damaged" and _dotted(code):
        yield code, "InputError"
    elif called == "_unfit":
        yield f"weights.{code}", "WeightsError"
    elif called in {"bundle.error", "self.error"}:
        yield from ((f"{area}.{code}", kind) for area, kind in FETCHING.items())


def _words(node: ast.AST) -> list[str]:
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def _dotted(text: str) -> bool:
    return all(part.replace("_", "a").isalnum() for part in text.split(".")) and "." in text


def commands() -> dict[str, Any]:
    """Return the command of every verb by its full name, such as `weights list`."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        for word, below in (inner or {}).items():
            yield from walk(f"{name} {word}".strip(), below)

    from samplar.cli.main import app

    return dict(walk("", typer.main.get_command(app)))


COMMON = {"--json", "--quiet", "-q", "--debug"}


def flags(command: Any) -> set[str]:
    """Return the arguments and flags of a verb, as its page names them, without the common ones."""
    names: set[str] = set()
    for parameter in command.params:
        options = {option for option in parameter.opts if option.startswith("-")}
        names |= options or {parameter.metavar}
    return names - COMMON
