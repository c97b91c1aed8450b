from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from samplar.api.bench.page import (
    bench_data,
    bench_markdown,
    overview_markdown,
    write_bench_report,
)
from samplar.api.bench.results import Results
from samplar.api.bench.run import prepare
from samplar.errors import InputError


def test_the_page_shows_every_cell_and_links_its_file(ran):
    page = write_bench_report(ran.results.path)
    text = page.read_text()
    HTMLParser().feed(text)
    links = {name.removeprefix("cells/") for name in re.findall(r'href="([^"]+)"', text)}
    assert links == {path.name for path in ran.results.cells.iterdir()}
    for words in (
        "copy (trivial)",
        "linear-probe (trivial)",
        "zero-shot (oracle: reads the truth)",
        "13 cells: 13 done, 0 failed.",
        "scored on test subjects",
        "Differences to decoder-only",
        "k = 2 (n = 1)",
    ):
        assert words in text
    shown = text.count("data:image/png;base64,")
    assert shown == 3 * 2 + 1  # three methods at the first and last column, and the oracle


def test_means_in_the_table_are_those_of_the_cells(ran):
    data = bench_data(ran.results)
    cells = [c for c in ran.cells().values() if (c.key.method, c.key.k) == ("linear-probe", 1)]
    mean = sum(c.evaluation.mean.dsc for c in cells) / 2
    assert data.board.spread("balls", "linear-probe", 1).mean == pytest.approx(mean)
    assert f"{mean:.1f}" in bench_markdown(ran.results.path)


def test_markdown_has_a_table_for_each_data_set(ran):
    lines = bench_markdown(ran.results.path).splitlines()
    assert lines[0] == "**balls**: mean DSC ± sd (HD95 in mm)"
    assert lines[2].startswith("| Method | k = 0 (n = 1) | k = 1 (n = 2) |")
    assert len([line for line in lines if line.startswith("| ")]) == 2 + 4


def test_one_data_set_has_no_overview_and_two_have_one(ran, copied):
    assert overview_markdown(ran.results.path) == ""
    values = yaml.safe_load(copied.config.read_text())
    values["datasets"].append({**values["datasets"][0], "name": "again", "plane": "coronal"})
    copied.change(datasets=values["datasets"])
    copied.prepare().write_plan()
    text = overview_markdown(copied.results.path)
    assert "| DSC, k = 1 | balls | again | mean |" in text
    assert bench_markdown(copied.results.path).startswith(text)


def test_cells_of_earlier_settings_are_not_mixed_in(copied):
    copied.change(seeds=[5])
    copied.prepare().write_plan()
    data = bench_data(copied.results)
    assert {entry.key.seed for entry in data.board.entries} == {5}
    assert data.board.cells == []
    assert any("13 cells of earlier settings" in note for note in data.notes)


def test_a_new_name_in_the_table_is_that_of_the_finished_cells(copied):
    methods = yaml.safe_load(copied.config.read_text())["methods"]
    methods[1]["name"] = "the nearest"
    copied.change(methods=methods)
    copied.prepare().write_plan()
    data = bench_data(copied.results)
    assert "the nearest" in data.board.methods
    assert "copy" not in data.board.methods
    assert data.board.spread("balls", "the nearest", 1).count == 2


def test_two_configurations_make_one_table_with_the_reference_that_is_named(copied):
    copied.change(reference="copy")
    copied.prepare().write_plan()
    values = yaml.safe_load(copied.config.read_text())
    del values["reference"]
    more = copied.config.with_name("more.yaml")
    more.write_text(yaml.safe_dump({**values, "methods": values["methods"][:2]}))
    prepare(more, copied.results.path).write_plan()
    data = bench_data(copied.results)
    assert data.reference == "copy"
    assert set(data.board.methods) == {"decoder-only", "copy", "linear-probe", "zero-shot"}
    assert len(data.board.cells) == 13


def test_oracles_and_trivial_methods_are_told_before_they_have_a_cell(bench):
    rows = [
        {**bench.row("zero-shot"), "name": "truth"},
        {**bench.row("copy-nearest"), "name": "copy"},
        {**bench.row("med-sa"), "name": "clicked at two"},
        bench.row("decoder-only"),
        bench.row("med-sa"),
    ]
    rows[2]["settings_at"] = {2: {"method_config": {"clicks": "oracle"}}}
    bench.write(methods=rows, seeds=[0, 1])
    bench.prepare().write_plan()
    board = bench_data(bench.results).board
    assert board.cells == []
    assert [m for m in board.methods if board.is_oracle(m)] == ["truth", "clicked at two"]
    assert [m for m in board.methods if board.is_trivial(m)] == ["copy", "linear-probe"]
    still = {m for m in board.methods if not board.kind(m).trains}
    assert still == {"truth", "copy", "linear-probe"}
    lines = bench_markdown(bench.results.path).splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][2:] == [
        "| decoder-only",
        "| med-sa",
        "| copy (trivial)",
        "| linear-probe (trivial)",
        "| truth (oracle: reads the truth)",
        "| clicked at two (oracle: reads the truth)",
    ]


def changed_plan(bench, **row: Any) -> Path:
    """Write a plan of one method whose row is then changed, as only another version could."""
    bench.write(methods=[bench.row("zero-shot")])
    bench.prepare().write_plan()
    (path,) = (bench.results.path / "plans").iterdir()
    plan = json.loads(path.read_text())
    plan["config"]["methods"][0].update(row)
    path.write_text(json.dumps(plan))
    return path


def test_settings_of_another_version_leave_what_the_card_says(bench):
    changed_plan(bench, settings={"no such setting": 1})
    assert bench_data(bench.results).board.is_oracle("zero-shot")


def test_a_plan_of_before_there_were_settings_for_all_rows_can_be_read(bench):
    path = changed_plan(bench)
    plan = json.loads(path.read_text())
    del plan["config"]["settings"]
    del plan["config"]["methods"][0]["settings_at"]
    path.write_text(json.dumps(plan))
    assert bench_data(bench.results).board.is_oracle("zero-shot")


def test_a_method_that_there_is_no_more_is_shown_as_any(bench):
    changed_plan(bench, method="gone", name="zero-shot")
    board = bench_data(bench.results).board
    assert "zero-shot" in board.methods
    assert not board.is_oracle("zero-shot")


def test_two_protocols_in_one_folder_are_told(copied):
    def told() -> bool:
        return any("protocol samed" in note for note in bench_data(copied.results).notes)

    assert not told()
    other = copied.config.with_name("other.yaml")
    values = yaml.safe_load(copied.config.read_text())
    other.write_text(yaml.safe_dump({**values, "protocol": "samed", "draws": [5]}))
    prepare(other, copied.results.path).write_plan()
    assert told()
    copied.change(protocol="samed")
    copied.prepare().write_plan()
    assert not told()  # all of them are


def test_a_folder_without_a_plan_is_refused(tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(InputError) as caught:
        bench_data(Results(tmp_path))
    assert caught.value.code == "bench.no_plan"
