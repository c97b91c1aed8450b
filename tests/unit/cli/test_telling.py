from __future__ import annotations

import os
import signal

import pytest

from samplar.cli.fetching import on_bytes
from samplar.cli.progress import PlainLines
from samplar.cli.screen import Screen
from samplar.cli.telling import fractions, telling

SCREEN = Screen(as_json=False, quiet=False)


@pytest.fixture(autouse=True)
def heard():
    """Python's own handler, also where a shell started the tests with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def shown(lines):
    return PlainLines(lines.append)


def test_an_interrupt_waits_for_the_end_of_a_training_step_only(shown):
    with telling(SCREEN, shown) as told:
        told.stage("reading", 2)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        told.stage("training", 2)
        told.step(1, 0.5)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt, match="state is saved"):
            told.step(2, 0.4)


def test_after_the_last_step_an_interrupt_is_immediate_again(shown, lines):
    with telling(SCREEN, shown) as told:
        told.stage("training", 1)
        told.step(1, 0.5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert lines == ["training: 100%, 0 s, loss 0.500"]


def test_notes_reach_the_screen(shown, capsys):
    with telling(SCREEN, shown) as told:
        told.note("resumed after iteration 3")
    assert capsys.readouterr().err == "resumed after iteration 3\n"


def test_cases_and_bytes_are_stages(shown, lines):
    tell = fractions(shown, "predicting", 2)
    tell(0, "a")
    tell(2, "")
    fetch = on_bytes(shown, "fetching x")
    fetch(10, 20)
    fetch(20, 20)
    assert [line.partition(",")[0] for line in lines] == ["predicting: 100%", "fetching x: 100%"]
