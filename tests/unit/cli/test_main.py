from __future__ import annotations

import os
import signal
import sys

import pytest

from samplar.cli.main import run


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("words", "status"), [(["methods"], 0), (["check", "/no/where"], 3)])
def test_run_leaves_with_the_status(monkeypatch, capsys, words, status):
    monkeypatch.setattr(sys, "argv", ["samplar", *words])
    with pytest.raises(SystemExit) as left:
        run()
    assert (left.value.code or 0) == status
    assert capsys.readouterr().out


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_idle_threads_sleep_unless_the_user_decided(monkeypatch, before, after):
    monkeypatch.delenv("OMP_WAIT_POLICY")
    if before is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", before)
    monkeypatch.setattr(sys, "argv", ["samplar", "weights", "list"])
    with pytest.raises(SystemExit):
        run()
    assert os.environ["OMP_WAIT_POLICY"] == after
