from __future__ import annotations

import io
import sys

from samplar.cli.progress import PlainLines, RichBars, Silence
from samplar.cli.screen import Screen


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_about_every_five_percent_with_the_time_left():
    lines, clock = [], Clock()
    shown = PlainLines(lines.append, clock=clock)
    shown.stage("training", 100)
    for done in range(1, 101):
        clock.now = 2.0 * done
        shown.step(done, 0.5)
    assert len(lines) == 20
    assert lines[0] == "training: 5%, 190 s left, loss 0.500"
    assert lines[9] == "training: 50%, 100 s left, loss 0.500"
    assert lines[-1] == "training: 100%, 200 s, loss 0.500"


def test_a_short_stage_is_one_line():
    lines, clock = [], Clock()
    shown = PlainLines(lines.append, clock=clock)
    shown.stage("scoring", 10)
    for done in range(11):
        clock.now = done / 100
        shown.step(done)
    shown.step(10)
    shown.close()
    assert lines == ["scoring: 100%, 0 s"]


def test_steps_without_a_stage_are_not_an_error():
    lines: list[str] = []
    PlainLines(lines.append).step(1)
    Silence().step(1)
    assert lines == []


def test_bars_are_drawn_on_stderr(monkeypatch):
    drawn = io.StringIO()
    monkeypatch.setattr(sys, "stderr", drawn)
    bars = RichBars()
    bars.step(1)
    bars.stage("training", 4)
    bars.step(2, 0.25)
    bars.close()
    assert "training" in drawn.getvalue()
    assert "50 %" in drawn.getvalue()
    assert "loss 0.250" in drawn.getvalue()


def test_the_screen_shows_bars_on_a_terminal_lines_elsewhere_nothing_when_quiet(monkeypatch):
    with Screen(as_json=False, quiet=False).progress() as shown:
        assert isinstance(shown, PlainLines)
    with Screen(as_json=False, quiet=True).progress() as shown:
        assert isinstance(shown, Silence)
        shown.stage("a", 1)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Screen(as_json=False, quiet=False).progress() as shown:
        assert isinstance(shown, RichBars)
