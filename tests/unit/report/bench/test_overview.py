from __future__ import annotations

from bench_cells import bench_data, cell, entry, missing

from samplar.report.bench.overview import overview
from samplar.report.bench.page import render_bench
from samplar.report.tables import Cell


def scored(method: str, dataset: str, dsc: float, *, k: int = 1, draw: int = 0):
    return entry(cell(method, {"ann": (dsc,)}, dataset=dataset, k=k, draw=draw))


ENTRIES = [
    scored("samplar", "heart", 70),
    scored("samplar", "liver", 40),
    scored("copy-nearest", "heart", 30),
    scored("copy-nearest", "liver", 50),
    scored("zero-shot", "heart", 90),
    scored("zero-shot", "liver", 90),
    scored("samed", "heart", 80),
    missing("samed", 1, dataset="liver"),
    missing("full", 1),
    missing("full", 1, dataset="liver"),
]


def rows(entries) -> list[dict[str, list[str]]]:
    tables = overview(bench_data(entries, reference="samplar"))
    return [
        {
            row[0].text: [f"{c.text}{'*' if c.best else ''}" for c in row[1:]]
            for row in (tuple(map(Cell, table.headers)), *table.rows)
        }
        for table in tables
    ]


def test_sets_stand_side_by_side_and_the_best_of_each_is_marked():
    (table,) = rows(ENTRIES)
    assert table == {
        "DSC, k = 1": ["heart", "liver", "mean"],
        "samplar": ["70.0", "40.0", "55.0*"],
        "samed": ["80.0*", "·", "-"],  # no mean: it would be of the heart alone
        "copy-nearest (trivial)": ["30.0", "50.0*", "40.0"],
        "zero-shot (oracle: reads the truth)": ["90.0", "90.0", "90.0"],  # never the best
    }


def test_what_one_set_alone_has_is_no_overview():
    assert rows([e for e in ENTRIES if e.key.dataset == "heart"]) == []
    both = [*ENTRIES, scored("samplar", "heart", 75, k=4)]
    assert len(rows(both)) == 1
    assert [t["samplar"] for t in rows([*both, scored("samplar", "liver", 50, k=4)])] == [
        ["70.0", "40.0", "55.0*"],
        ["75.0", "50.0", "62.5"],
    ]


def test_nothing_computed_is_no_overview():
    assert rows([missing("samed", 1), missing("samed", 1, dataset="liver")]) == []


def test_draws_that_are_missing_are_told():
    entries = [*ENTRIES, scored("samplar", "heart", 74, draw=1), missing("samed", 1, draw=1)]
    (table,) = rows(entries)
    assert table["samplar"][0] == "72.0 ± 2.8"
    assert table["samed"][0] == "80.0 (1 of 2)*"  # most have this draw; samplar is ahead of them


def test_a_mean_needs_the_draws_that_most_have_on_every_set():
    more = [scored(name, "liver", 60, draw=1) for name in ("samplar", "zero-shot")]
    (table,) = rows([*ENTRIES, *more, missing("copy-nearest", 1, dataset="liver", draw=1)])
    assert table["samplar"] == ["70.0", "50.0 ± 14.1", "60.0"]
    assert table["copy-nearest (trivial)"] == ["30.0", "50.0 (1 of 2)", "-"]
    assert table["zero-shot (oracle: reads the truth)"] == ["90.0", "75.0 ± 21.2", "82.5"]


def test_the_page_begins_with_it(parsed):
    page = parsed(render_bench(bench_data(ENTRIES, reference="samplar")))
    assert page.text.index("DSC, k = 1") < page.text.index("HD95")
