from __future__ import annotations

import os
import signal

import pytest

from samplar.cli.signals import Terminated, install, patiently


@pytest.fixture(autouse=True)
def _handlers():
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_is_an_interrupt_that_is_known_from_sigint():
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as caught:
        os.kill(os.getpid(), signal.SIGINT)
    assert not isinstance(caught.value, Terminated)


def test_the_first_signal_waits_for_the_check():
    said: list[str] = []
    with patiently(said.append) as check:
        check()
        os.kill(os.getpid(), signal.SIGTERM)
        assert len(said) == 1
        with pytest.raises(Terminated, match="state is saved"):
            check()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_the_second_signal_stops_at_once():
    with patiently(lambda line: None):
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt) as caught:
            os.kill(os.getpid(), signal.SIGINT)
    assert not isinstance(caught.value, Terminated)
