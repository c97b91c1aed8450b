"""The blocks a page is built from: sections, folded parts, tables."""

from __future__ import annotations

from collections.abc import Sequence

from samplar.report.markup import Html, element
from samplar.report.tables import MEAN, Cell, Table


def section(title: str, *children: Html) -> Html:
    """Write a section with its title."""
    return element("section", element("h2", title), *children)


def fold(title: str, content: Html) -> Html:
    """Write a part that the reader opens."""
    return element("details", element("summary", title), content)


def table_html(table: Table) -> Html:
    """Write a table; columns of numbers are set to the right, the best values are marked."""
    kinds = [".number" if i >= table.numbers_from else "" for i in range(len(table.headers))]
    head = [
        element(f"th{kind}", header, attributes={"scope": "col"})
        for kind, header in zip(kinds, table.headers, strict=True)
    ]
    body = [
        _row(row, kinds, again=place > 0 and table.rows[place - 1][0] == row[0])
        for place, row in enumerate(table.rows)
    ]
    parts = element("thead", element("tr", *head)), element("tbody", *body)
    return element("div.scroll", element("table", *parts))


def _row(row: Sequence[Cell], kinds: Sequence[str], *, again: bool) -> Html:
    """Write a row; where its first cell only repeats the one above it is quiet about it."""
    marks = [".again" if again else "", *[""] * (len(row) - 1)]
    cells = [
        element(f"td{kind}{mark}{'.best' * cell.best}", cell.text)
        for cell, kind, mark in zip(row, kinds, marks, strict=True)
    ]
    tag = "tr" + ".first" * (not again) + ".total" * (row[0].text == MEAN)
    return element(tag, *cells)
