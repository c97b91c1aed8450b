"""The cells one by one: what became of each, and where its settings are."""

from __future__ import annotations

from urllib.parse import quote

from samplar.evaluation.board import Entry
from samplar.report.bench.data import BenchData
from samplar.report.bench.tables import column_name
from samplar.report.blocks import fold, section
from samplar.report.facts import duration
from samplar.report.markup import Html, element
from samplar.report.tables import number

HEADS = ("Data set", "Method", "Exemplars", "Draw", "Seed", "DSC", "Time", "Settings and scores")


def listing(data: BenchData) -> Html:
    """List the failed cells in the open and all cells folded, each with a link to its file."""
    entries = data.board.entries
    failed = [e for e in entries if e.cell is not None and e.cell.failure is not None]
    waiting = sum(entry.cell is None for entry in entries)
    words = f"{len(entries)} cells: {len(data.board.cells)} done, {len(failed)} failed"
    more = f", {waiting} not computed yet" if waiting else ""
    lines = [
        element("li", f"{e.key.words}: {e.cell.failure.line}")
        for e in failed
        if e.cell is not None and e.cell.failure is not None
    ]
    listed = element("ul.failed", *lines) if lines else Html("")
    return section("Cells", element("p", f"{words}{more}."), listed, fold("All cells", _all(data)))


def _all(data: BenchData) -> Html:
    head = element("tr", *(element("th", title, attributes={"scope": "col"}) for title in HEADS))
    rows = [_row(data, entry) for entry in data.board.entries]
    table = element("table", element("thead", head), element("tbody", *rows))
    return element("div.scroll", table)


def _row(data: BenchData, entry: Entry) -> Html:
    key, cell = entry.key, entry.cell
    texts = [key.dataset, data.shown(key.method), column_name(key.k), str(key.draw), str(key.seed)]
    if cell is None:
        dsc, time, link = "not computed", "", Html("")
    else:
        dsc = "failed" if cell.evaluation is None else number(cell.evaluation.mean.dsc)
        time = "" if cell.cost is None else duration(cell.cost.total) or ""
        address = f"cells/{quote(entry.name)}.json"
        link = element("a", f"{entry.name[-10:]}.json", attributes={"href": address})
    cells = [element("td", text) for text in (*texts, dsc, time)]
    return element("tr.first", *cells, element("td.code", link))
