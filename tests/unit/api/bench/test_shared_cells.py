"""One cell at several places of the table, and cells that another bench finished meanwhile."""

from __future__ import annotations

import json

import pytest

from samplar.api.bench.plan import places_of, plans_in

ALIKE_AT_ONE = [
    {"method": "copy-nearest", "name": name, "preset": "fast", "size": 32, "settings_at": at}
    for name, at in (("one", {}), ("other", {2: {"training": {"lr": 0.01}}}))
]


@pytest.fixture
def pair(bench):
    """Return a benchmark with two rows that have the same settings at k = 1."""
    linear = {"method": "linear-probe", "preset": "fast", "size": 32, "k": [2]}
    bench.write(methods=[*ALIKE_AT_ONE, linear], k=[1, 2])
    return bench


def places(bench):
    (plan,) = plans_in(bench.results)
    return [(name, key.method, key.k) for name, key in places_of(plan)]


def test_rows_that_are_alike_share_a_cell_and_both_stand_in_the_plan(pair):
    prepared = pair.prepare()
    keys = [(cell.key.method, cell.key.k) for cell in prepared.cells]
    assert keys == [("one", 1), ("other", 1), ("one", 2), ("other", 2), ("linear-probe", 2)]
    assert [(c.key.method, c.key.k) for c in prepared.to_do] == [keys[0], *keys[2:]]
    assert (prepared.count, len(prepared.cells)) == (4, 5)
    for cell in prepared.cells[2:]:  # those are computed elsewhere
        prepared.done[cell.digest] = cell.name
    ran = pair.run_prepared(prepared)
    assert ran.computed == [prepared.cells[0].name]
    assert len(pair.scorings()) == 1
    before = places(pair)
    assert [(method, k) for _, method, k in before] == keys
    assert before[0][0] == before[1][0] == prepared.cells[0].name
    again = pair.prepare()
    again.write_plan()
    assert places(pair) == before
    assert [(c.key.method, c.key.k) for c in again.to_do] == keys[2:]


def test_the_plan_of_rows_that_differ_everywhere_has_cells_alone(ran):
    (path,) = (ran.results.path / "plans").iterdir()
    plan = json.loads(path.read_text())
    assert set(plan) == {"written", "config", "cells"}
    named = {name: key.model_dump() for name, key in places_of(plan)}
    assert list(named.items()) == list(plan["cells"].items())


def test_what_another_bench_finished_after_we_looked_is_not_computed_again(copied):
    gone = [copied.file_of("copy", k) for k in (1, 2)]
    cells = [path.read_bytes() for path in gone]
    for path in gone:
        path.unlink()
    prepared = copied.prepare()
    assert len(prepared.to_do) == 2
    gone[0].write_bytes(cells[0])
    ran = copied.run_prepared(prepared)
    assert ran.computed == [gone[1].stem]
    assert gone[0].read_bytes() == cells[0]
    assert len(prepared.done) == 12
    assert set(json.loads((copied.results.path / "plans" / "bench.json").read_text())["cells"]) == {
        path.stem for path in copied.results.cells.iterdir()
    }
