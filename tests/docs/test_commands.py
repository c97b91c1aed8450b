"""The page of the command line, and every command on every page, fit the real program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from samplar.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND_LINE = ROOT / "docs" / "reference" / "command-line.md"
COMMON = {"--json", "--quiet", "-q", "--debug"}
GROUPS = {"weights", "tiles"}
"""Have a section of their own, besides those of the verbs in them."""


def verbs() -> dict[str, Any]:
    """Return the command of every verb by its full name, such as `weights list`."""

    def walk(name: str, command: Any) -> dict[str, Any]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return {name: command}
        below = [walk(f"{name} {word}".strip(), part) for word, part in inner.items()]
        return {verb: found for part in below for verb, found in part.items()}

    return walk("", typer.main.get_command(app))


VERBS = verbs()


def flags_of(command: Any) -> set[str]:
    """Return the arguments and flags of a verb, without those that all verbs have."""
    names: set[str] = set()
    for parameter in command.params:
        flags = {word for word in parameter.opts if word.startswith("-")}
        names |= flags or {parameter.metavar}
    return names - COMMON


def sections() -> dict[str, str]:
    """Return the text under each verb of the page."""
    text = COMMAND_LINE.read_text(encoding="utf-8").partition("\n## Verbs\n")[2]
    text = text.partition("\n## ")[0]
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def commands_on(page: Path) -> list[str]:
    """Return the commands that begin with samplar in the console blocks of a page."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("samplar ")]


COMMANDS = [(page.name, line) for page in PAGES if page.exists() for line in commands_on(page)]


def test_the_verbs_on_the_page_are_those_of_the_program():
    assert set(sections()) == set(VERBS) | GROUPS


def test_the_verbs_in_the_readme_are_those_of_the_program():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    stated = re.findall(r"^\| `samplar ([a-z|]+)", text, re.MULTILINE)
    assert set(stated) == {name.split()[0] for name in VERBS}


@pytest.mark.parametrize("name", sorted(VERBS))
def test_the_flags_on_the_page_are_those_of_the_program(name):
    rows = [line for line in sections()[name].splitlines() if line.startswith("| `")]
    stated = {word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert stated == flags_of(VERBS[name])


def test_the_common_flags_are_on_the_page():
    text = COMMAND_LINE.read_text(encoding="utf-8").partition("\n## Verbs\n")[0]
    assert {word for word in COMMON if f"`{word}`" not in text} == set()


def test_there_are_commands_to_check():
    assert len(COMMANDS) > 50


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_is_one_the_program_takes(page, line):
    parse(line)


@pytest.mark.parametrize("line", ["samplar fit data -o run --nope", "samplar nope", "samplar fit"])
def test_a_wrong_command_would_be_seen(line):
    with pytest.raises((KeyError, typer.TyperException)):
        parse(line)


def parse(line: str) -> None:
    """Let the program read a command without running it."""
    words = shlex.split(line)[1:]
    name = " ".join(words[: 2 if words[0] in GROUPS else 1])
    VERBS[name].make_context(name, words[len(name.split()) :])
