from __future__ import annotations

import re
from html.parser import HTMLParser

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


def test_a_folder_without_a_plan_is_refused(tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(InputError) as caught:
        bench_data(Results(tmp_path))
    assert caught.value.code == "bench.no_plan"
