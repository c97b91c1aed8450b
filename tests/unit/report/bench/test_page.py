from __future__ import annotations

import re

import pytest
from bench_cells import bench_data, cell, entry, missing

from samplar.evaluation.board import Board, Kind
from samplar.io.overlay import png_bytes
from samplar.report.bench.page import render_bench
from samplar.report.bench.tables import (
    class_table,
    cost_table,
    difference_table,
    markdown_table,
    ratio_table,
    score_table,
)


def subjects(dsc: float) -> dict[str, tuple[float, float]]:
    return {f"p{n}": (dsc + n, dsc - n) for n in range(4)}


LEVELS = {"decoder-only": (60, 90), "samed": (50, 91), "copy-nearest": (61, 70)}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def entries():
    found = [
        entry(cell(method, subjects(dsc + 4 * draw), k=k, draw=draw))
        for method, (few, full) in LEVELS.items()
        for k, dsc, draws in ((1, few, (0, 1)), ("full", full, (0,)))
        for draw in draws
    ]
    found.append(entry(cell("zero-shot", subjects(80), k=0)))
    found.append(entry(cell("decoder-only", None, k=9)))
    return [*found, missing("samed", 9)]


@pytest.fixture(scope="module")
def text(entries, png_module):
    return render_bench(bench_data(entries, overlays={entries[0].name: png_module}))


@pytest.fixture(scope="module")
def png_module():
    import numpy as np

    return png_bytes(np.zeros((4, 5, 3), np.uint8))


@pytest.fixture(scope="module")
def page(text, parsed):
    return parsed(text)


def test_every_element_is_closed_and_nothing_comes_from_outside(page, text):
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "form", "base"}
        for name, value in attributes.items():
            assert name not in {"srcset", "style", "action"}
            assert not name.startswith("on")
            assert name != "src" or value.startswith("data:image/png;base64,")
            assert name != "href" or re.fullmatch(r"cells/[\w.%-]+\.json", value)
    assert not re.search(r"https?://", text)


def test_the_table_has_means_spreads_gaps_and_failures(page):
    for words in (
        "k = 1 (n = 2)",
        "full set (n = 1)",
        "62.0 ± 2.8",  # decoder-only, draws 60 and 64
        "63.0 ± 2.8",  # copy-nearest
        "failed",
        "copy-nearest (trivial)",
        "zero-shot (oracle: reads the truth)",
        "HD95 (mm), smaller is better",
    ):
        assert words in page.text


def test_it_says_where_the_reference_loses(page):
    assert "decoder-only has the highest mean DSC in 0 of 2 columns." in page.text
    assert "heart at k = 1 (copy-nearest 63.0, decoder-only 62.0)" in page.text
    assert "2 columns" in page.text


def test_ratios_differences_ranks_costs_and_cells_are_there(page):
    for words in (
        "Share of the full set's DSC, in percent",
        "68.9",  # 62 of 90
        "Differences to decoder-only",
        "+10.0 [10.0, 10.0]",  # on samed at k = 1: the same in every draw and subject
        "Mean ranks",
        "DSC of every class",
        "Median and worst slice, k = 1, first draw",
        "700 MiB",
        "1,234,567",
        "1 failed, 1 not computed yet",
        "heart, decoder-only, k = 9, draw 0, seed 0: 2 of 9. Label more. [exemplars.too_few]",
    ):
        assert words in page.text


def test_oracles_are_neither_best_nor_ranked_nor_compared(entries):
    table = markdown_table(bench_data(entries), "heart").markdown()
    rows = {line.split(" | ")[0].strip("| "): line for line in table.splitlines()}
    assert "**" not in rows["zero-shot (oracle: reads the truth)"]
    assert "**63.0 ± 2.8 (9.2)**" in rows["copy-nearest (trivial)"]
    assert "**91.0 (2.2)**" in rows["samed"]


def test_a_share_needs_the_full_set(entries):
    few = [e for e in entries if e.key.k != "full"]
    assert ratio_table(bench_data(few), "heart") is None


def test_hostile_names_are_only_text(parsed):
    made = entry(cell(HOSTILE, subjects(50), dataset=HOSTILE))
    text = render_bench(bench_data([made], reference=HOSTILE, notes=(HOSTILE,)))
    assert "<script>" not in text
    assert parsed(text).open == []


def test_a_benchmark_that_has_not_begun_has_a_page_too(parsed):
    page = parsed(render_bench(bench_data([missing("decoder-only", 1)])))
    assert "Nothing to compare decoder-only with yet." in page.text
    assert "1 cells: 0 done, 0 failed, 1 not computed yet." in page.text
    assert "HD95 (unit not known yet)" in page.text


def test_one_subject_gives_a_difference_but_no_interval():
    cells = [cell(m, {"ann": (dsc, dsc)}) for m, dsc in (("decoder-only", 60), ("samed", 50))]
    table = difference_table(bench_data(map(entry, cells)), "heart")
    assert table is not None
    assert [c.text for c in table.rows[0]] == ["samed", "+10.0"]
    assert not table.rows[0][1].best


def test_subjects_of_other_draws_give_no_interval():
    few = [cell("samed", {"ann": (50, 50)})]
    many = [cell("decoder-only", {name: (60, 60)}, draw=d) for d, name in enumerate(("ann", "bob"))]
    table = difference_table(bench_data(map(entry, [*few, *many])), "heart")
    assert table is not None
    assert [c.text for c in table.rows[0]] == ["samed", "+10.0"]


def test_what_rests_on_fewer_draws_is_never_best():
    cells = [cell(m, subjects(50 + d), draw=d) for m in ("samed", "unet") for d in (0, 1)]
    cells.append(cell("decoder-only", subjects(70)))
    data = bench_data([*map(entry, cells), missing("decoder-only", 1, draw=1)])
    for table in (
        score_table(data, "heart", "dsc"),
        score_table(data, "heart", "hd95"),
        markdown_table(data, "heart"),
        class_table(data, "heart"),
    ):
        best = {
            c.text for row in table.rows if any(value.best for value in row) for c in row[:2]
        } & {"samed", "unet", "decoder-only"}
        assert best == {"samed", "unet"}


def test_what_a_method_is_is_told_before_it_has_a_cell():
    entries = [missing(name, 1) for name in ("truth", "nearest", "decoder-only")]
    kinds = {"truth": Kind(oracle=True), "nearest": Kind(trivial=True)}
    table = score_table(bench_data(entries, board=Board(tuple(entries), kinds)), "heart", "dsc")
    names = ["decoder-only", "nearest (trivial)", "truth (oracle: reads the truth)"]
    assert [row[0].text for row in table.rows] == names


@pytest.mark.parametrize(("spared", "shown"), [(90.0, True), (0.0, False)])
def test_prediction_counts_what_was_encoded_for_an_earlier_cell(spared, shown):
    made = cell("samed", subjects(50))
    cost = made.cost.model_copy(update={"prediction": 30.0, "encoded_before": 6, "spared": spared})
    table = cost_table(bench_data([entry(made.model_copy(update={"cost": cost}))]), "heart")
    assert ("| 2 min 0 s |" in table.markdown()) == shown


def test_what_was_encoded_for_an_earlier_cell_counts_in_every_cell():
    made = cell("samed", subjects(50))
    spared = {"synthesis": 10.0, "pool_spared": 170.0, "spared": 60.0, "prediction": 1.0}
    cost = made.cost.model_copy(update={**spared, "total": 70.0})
    table = cost_table(bench_data([entry(made.model_copy(update={"cost": cost}))]), "heart")
    (row,) = table.rows
    assert [row[column].text for column in (2, 4, 5)] == ["3 min 0 s", "1 min 1 s", "5 min 0 s"]
