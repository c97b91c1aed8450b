from __future__ import annotations

import sys

import pytest

from samplar.cli.going_on import same_command, told_to_go_on
from samplar.cli.signals import Terminated


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
@pytest.mark.parametrize(
    ("said", "told"), [("", "Go on with: x"), ("Saved", "Saved. Go on with: x")]
)
def test_an_interrupt_stays_what_it_is_and_says_more(kind, said, told):
    with pytest.raises(kind) as caught, told_to_go_on(lambda: "x"):
        raise kind(said)
    assert type(caught.value) is kind
    assert str(caught.value) == told


def test_other_errors_pass():
    with pytest.raises(ValueError, match=r"^no$"), told_to_go_on(lambda: "x"):
        raise ValueError("no")


def test_the_command_can_be_pasted(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/samplar", "fit", "my data", "-o", "run"])
    assert same_command("--resume") == "samplar fit 'my data' -o run --resume"
    monkeypatch.setattr(sys, "argv", ["x", "fit", "d", "--resume"])
    assert same_command("--resume") == "samplar fit d --resume"
