from __future__ import annotations

import copy
import json

import pytest
from bench_cells import cell

from samplar.config.fit import FitConfig
from samplar.evaluation.cell import Cell, Cost, decisive, settings_digest


@pytest.fixture
def settings():
    config = FitConfig(dataset="d", method_config={"rank": 4})
    return {"fit": decisive(config), "choice": {"k": 4, "draw": 0}, "scored": {"side": "test"}}


def digest(settings):
    return settings_digest(settings, {"rank": 4, "blocks": "all"})


def test_every_setting_decides(settings):
    changed = [copy.deepcopy(settings) for _ in range(5)]
    changed[0]["fit"]["training"]["lr"] = 0.5
    changed[1]["fit"]["method_config"]["rank"] = 8
    changed[2]["choice"]["draw"] = 1
    changed[3]["scored"]["side"] = "pool"
    changed[4]["fit"]["seed"] = 3
    assert len({digest(settings), *map(digest, changed)}) == 6


def test_the_order_of_settings_does_not_decide(settings):
    assert digest(dict(reversed(settings.items()))) == digest(settings)


def test_slices_encoded_before_are_none_unless_stated():
    cost = Cost(total=1.0, peak_memory_bytes=1, adapter_bytes=1, trainable_parameters=1)
    assert cost.encoded_before == 0


def test_where_things_lie_does_not_decide(settings):
    elsewhere = FitConfig(
        dataset="e",
        split="s.json",
        exemplars="x.yaml",
        device="cuda",
        method_config={"rank": 4},
        training={"memory": 9.0, "checkpoint_every": 7, "recompute": True},
    )
    assert digest({**settings, "fit": decisive(elsewhere)}) == digest(settings)


def test_a_setting_that_came_later_counts_as_its_default(settings):
    old = copy.deepcopy(settings)
    del old["fit"]["training"]["schedule"], old["fit"]["synthesis"]["recipe"]
    assert digest(old) == digest(settings)
    other = copy.deepcopy(settings)
    other["fit"]["training"]["schedule"] = "samed"
    assert digest(old) != digest(other)
    set_now = copy.deepcopy(settings)
    set_now["fit"]["method_config"]["blocks"] = "all"
    assert digest(set_now) == digest(settings)


def test_a_default_that_changed_makes_a_new_cell(settings):
    """Cells hold the value they were computed with, so another default is another value."""
    old = copy.deepcopy(settings)
    old["fit"]["training"]["power"] = 0.5
    assert digest(old) != digest(settings)


def test_the_file_gives_the_cell_back_one_line_a_field():
    made = cell("a", {"ann": (60.0, None)}, extra={"ece": 0.04, "expected": [1, 2]})
    text = made.text()
    assert Cell.model_validate_json(text) == made
    assert len(text.splitlines()) == len(json.loads(text)) == len(Cell.model_fields)


def test_a_failed_cell_says_why_in_a_line():
    failure = cell("a", None).failure
    assert failure is not None
    assert failure.line == "2 of 9. Label more. [exemplars.too_few]"
