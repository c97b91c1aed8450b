"""The clock that every speed benchmark shares."""

from __future__ import annotations

import json
import time

import pytest
from timing import document, machine, rounds, seconds, summary, table, write


def test_contestants_take_turns_and_the_first_turns_do_not_count():
    called = []
    works = {name: lambda name=name: called.append(name) for name in "ab"}
    spent = rounds(works, count=3, warmup=2)
    assert "".join(called) == "ab" * 5
    assert [(name, len(taken)) for name, taken in spent.items()] == [("a", 3), ("b", 3)]


def test_seconds_are_those_of_the_wall():
    assert 0.02 <= seconds(lambda: time.sleep(0.02)) < 0.2


def test_a_summary_is_the_median_per_item_and_the_ratio_of_each_turn():
    # one slow turn meets both: the ratio does not see it, the highest does
    spent = {"ours": [1.0, 2.0, 10.0], "peer": [3.0, 8.0, 30.0]}
    found = summary(spent, baseline="ours", items=4)
    assert found["ours"] == {
        "ms": 500, "ms_lowest": 250, "ms_highest": 2500, "times_slower": 1,
    }  # fmt: skip
    assert found["peer"]["ms"] == 2000
    assert found["peer"]["times_slower"] == 3


def test_a_table_is_aligned():
    text = table(["name", "ms", "times"], [["ours", 1.23456, 1.0], ["a peer", 12345.6, 10.04]])
    assert text.splitlines() == [
        "name       ms  times",
        "ours    1.235      1",
        "a peer  12346  10.04",
    ]


def test_a_document_says_where_it_was_measured_and_survives_the_disk(tmp_path):
    found = document("encoder", settings={"side": 8}, results={"ours": {"ms": 1.5}})
    write(tmp_path / "new" / "speed.json", found)
    assert json.loads((tmp_path / "new" / "speed.json").read_text()) == found
    facts = machine()
    assert facts["processor"]
    assert facts["cores"] >= 1
    assert facts["threads"] >= 1


def test_a_contestant_that_fails_is_not_timed():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rounds({"broken": broken}, count=1)
