"""A part of `make fuzz` in every test run, and every failure of the past again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fuzzing.run import bad, fuzz, replay, targets

CORPUS = Path(__file__).with_name("corpus.jsonl")
TARGETS = {target.name: target for target in targets()}


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_refused_or_read_as_they_were(name):
    verdicts = fuzz(TARGETS[name], cuts=6, flips=12, scrambles=6, grafts=2)
    assert len(verdicts) >= 20
    assert bad(verdicts) == []


def test_the_examples_themselves_are_read():
    for target in TARGETS.values():
        whole = f"cut:{len(target.data)}"
        (verdict,) = replay(target, [whole])
        assert verdict.outcome == "same", verdict


def test_what_once_went_wrong_does_not_again():
    kept = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    assert kept
    for entry in kept:
        verdicts = list(replay(TARGETS[entry["target"]], entry["recipes"]))
        assert bad(verdicts) == [], entry["was"]
