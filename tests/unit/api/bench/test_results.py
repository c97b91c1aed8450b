"""What is left of a benchmark that was killed while it wrote does no harm to the next."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from samplar.api.bench.results import AREAS, Results
from samplar.errors import OutputError
from samplar.io.atomic import _owner

NAME = "from samplar.io.atomic import _owner; import sys; sys.stdout.write(_owner())"


@pytest.fixture
def results(tmp_path):
    made = Results(tmp_path / "results")
    made.area("cells")
    return made


def cells_in(results):
    return [row["cell"] for row in results.read_scorings()]


def test_a_torn_line_of_the_log_is_passed_over_and_hurts_no_other(results):
    results.log_scoring({"cell": "a"})
    results.log_scoring({"cell": "b"})
    whole = results.scorings.read_bytes()
    for length in range(len(whole)):
        results.scorings.write_bytes(whole[:length])
        results.log_scoring({"cell": "c"})
        there = whole[:length].splitlines(keepends=True)
        expected = [n for n, line in zip("ab", there, strict=False) if line.rstrip().endswith(b"}")]
        assert cells_in(results) == [*expected, "c"], length


def test_what_is_no_row_of_the_log_is_passed_over(results):
    results.scorings.write_bytes(b'[1]\n\n7\nnull\n\xff\x00\x00\n{"cell": "a"}\n')
    assert cells_in(results) == ["a"]


def test_a_whole_log_gets_no_empty_lines(results):
    for name in "abc":
        results.log_scoring({"cell": name})
    assert results.scorings.read_bytes().count(b"\n") == 3
    assert cells_in(results) == ["a", "b", "c"]


def test_a_line_that_was_not_written_whole_is_an_error_and_not_a_row(results, monkeypatch):
    results.log_scoring({"cell": "a"})
    whole_write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, data: whole_write(number, data[:9]))
        with pytest.raises(OutputError) as caught:
            results.log_scoring({"cell": "b"})
    assert caught.value.code == "output.disk_full"
    results.log_scoring({"cell": "c"})
    assert cells_in(results) == ["a", "c"]


def test_what_dead_processes_left_is_swept_from_every_folder(results):
    owner = subprocess.run([sys.executable, "-c", NAME], capture_output=True, check=True).stdout
    for area in AREAS:
        folder = results.area(area)
        (folder / f"{owner.decode()}-ab12.json").write_text("half")
        (folder / f"{_owner()}-ab12.json").write_text("of a process that lives")
        (folder / "whole.json").write_text("{}")
    with results.held():
        for area in AREAS:
            names = {path.name for path in (results.path / area).iterdir()}
            assert names == {f"{_owner()}-ab12.json", "whole.json"}
