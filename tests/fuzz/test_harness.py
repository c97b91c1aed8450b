"""The judge itself: every way of going wrong is seen."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from fuzzing import verdict
from fuzzing.mutations import damaged, recipes
from fuzzing.run import replay, table
from fuzzing.target import Target

from samplar.errors import InputError

DATA = bytes(range(64))


def whole(path) -> bytes:
    data = path.read_bytes()
    if len(data) < 10:
        raise InputError("9 bytes or fewer", fix="Copy it again", code="io.short", path=path)
    return data


def stubborn(path) -> bytes:
    while path.read_bytes() != DATA:
        time.sleep(0.01)
    return DATA


def broken(path) -> bytes:
    if path.read_bytes() != DATA:
        raise KeyError("surprise")
    return DATA


def curt(path) -> bytes:
    if path.read_bytes() != DATA:
        raise InputError("bad", fix="Copy it again", code="test.bad", path=path)
    return DATA


def mute(path) -> bytes:
    if path.read_bytes() != DATA:
        raise InputError("9 bytes or fewer", fix="Copy it again", code="io.bad")
    return DATA


PLAIN = Target("plain", "a.bin", DATA, whole, sealed=False, graft=DATA[::-1])
SEALED = replace(PLAIN, sealed=True)
OTHERWISE = replace(PLAIN, says=lambda data: data[::-1])


@pytest.mark.parametrize(
    ("target", "recipe", "outcome"),
    [
        (PLAIN, "cut:64", "same"),
        (PLAIN, "cut:5", "refused"),
        (PLAIN, "cut:50", "silent"),
        (replace(PLAIN, text=True), "cut:50", "unsealed"),
        (PLAIN, "flip:100", "unsealed"),
        (replace(PLAIN, says=bytes), "flip:100", "unsealed"),
        (SEALED, "flip:100", "silent"),
        (OTHERWISE, "flip:100", "silent"),
        (replace(PLAIN, says=lambda data: None), "flip:100", "silent"),
        (replace(PLAIN, read=broken), "flip:100", "crash"),
        (replace(PLAIN, read=stubborn), "flip:100", "hang"),
        (replace(PLAIN, read=curt), "flip:100", "vague"),
        (replace(PLAIN, read=mute), "flip:100", "vague"),
    ],
)
def test_every_outcome_is_told(monkeypatch, target, recipe, outcome):
    monkeypatch.setattr(verdict, "LIMIT_SECONDS", 0.05)
    (found,) = replay(target, [recipe])
    assert found.outcome == outcome, found
    assert any(outcome in line for line in table([found]))


def test_a_recipe_gives_the_same_bytes_again():
    listed = list(recipes(DATA, DATA[::-1], cuts=9, flips=9, scrambles=9, grafts=3))
    assert len(listed) == len(set(listed)) == 30
    for recipe in json.loads(json.dumps(listed)):
        assert damaged(DATA, DATA[::-1], recipe) == damaged(DATA, DATA[::-1], recipe)
    assert damaged(DATA, b"", "flip:9")[1] == DATA[1] ^ 2
    with pytest.raises(ValueError, match="melt"):
        damaged(DATA, b"", "melt:1")
