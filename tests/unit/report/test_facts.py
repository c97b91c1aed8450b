from __future__ import annotations

import pytest

from samplar.report.data import Resources
from samplar.report.facts import duration, flatten, run_facts, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0.4241, "0.42 s"),
        (38.2, "38 s"),
        (59.7, "1 min 0 s"),
        (725.0, "12 min 5 s"),
        (7385.0, "2 h 3 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, None),
        (0, "0 bytes"),
        (1010, "0.986 KiB"),
        (2 * 1024**3, "2 GiB"),
    ],
)
def test_sizes(count, text):
    assert size(count) == text


def test_settings_are_flattened_in_order():
    settings = {"b": {"c": 1, "d": {"e": [1, "x"]}}, "a": "text", "n": None}

    assert flatten(settings) == [
        ("b.c", "1"),
        ("b.d.e", '[1, "x"]'),
        ("a", "text"),
        ("n", "null"),
    ]


def test_a_run_without_facts_has_no_section(report):
    bare = report.model_copy(update={"settings": {}, "versions": {}, "resources": Resources()})

    assert run_facts(bare) == ""
    assert "12 min 5 s" in run_facts(report)
    assert "3 GiB" in run_facts(report)
