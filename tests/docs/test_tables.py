"""The tables of benchmarks in README and docs are those of the committed cells."""

from __future__ import annotations

import pytest
import tables


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.name)
def test_the_tables_are_those_of_the_cells(page):
    text = page.read_text(encoding="utf-8")
    assert text == tables.with_tables(text), "run `make tables`"


def test_only_what_stands_between_the_marks_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "bench_markdown", lambda path: f"all of {path.name}\n")
    monkeypatch.setattr(tables, "overview_markdown", lambda path: f"glance at {path.name}\n")
    text = (
        "before\n<!-- bench a/first -->\nold\n<!-- end -->\nbetween\n"
        "<!-- overview a/second -->\n<!-- end -->\nafter\n"
    )
    assert tables.with_tables(text) == (
        "before\n<!-- bench a/first -->\n\nall of first\n\n<!-- end -->\nbetween\n"
        "<!-- overview a/second -->\n\nglance at second\n\n<!-- end -->\nafter\n"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("no place\n")
    (tmp_path / "docs" / "page.md").write_text(text)
    assert tables.main() == 0
    assert "glance at second" in (tmp_path / "docs" / "page.md").read_text()
    assert (tmp_path / "README.md").read_text() == "no place\n"
