"""Every link leads somewhere, and every Python snippet runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def without_code(text: str) -> str:
    """Take fenced blocks and inline code off, in which brackets are not links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page make."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> list[str]:
    """Return the targets of the links that stay in the repository."""
    found = LINK.findall(without_code(page.read_text(encoding="utf-8")))
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in links(page):
        name, _, anchor = target.partition("#")
        other = page if not name else (page.parent / name).resolve()
        assert other.exists(), target
        assert other.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(other), target


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in links(index)}
    assert listed >= set(DOCS) - {index}


def test_a_figure_and_a_table_of_the_demo_have_their_place():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("<!-- demo:figure -->") == 1
    assert text.count("<!-- demo:table -->") == 1


WITH_PYTHON = [page for page in PAGES if PYTHON.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_snippets_run(page, tmp_path, monkeypatch):
    """Run the snippets of a page one after the other, in an empty folder.

    A snippet whose first line is a comment with a path is also written to that file.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMPLAR_METHODS", "")  # restored afterwards, whatever a snippet sets
    names: dict[str, Any] = {"__name__": page.stem}
    for snippet in PYTHON.findall(page.read_text(encoding="utf-8")):
        file = re.match(r"# (\S+\.py)\n", snippet)
        if file:
            Path(file[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(file[1]).write_text(snippet, encoding="utf-8")
        exec(compile(snippet, str(page), "exec"), names)  # noqa: S102  (the snippets are our own)
