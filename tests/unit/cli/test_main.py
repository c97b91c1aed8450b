from __future__ import annotations

import os
import signal
import sys

import pytest
from command import samplar

from samplar.cli.main import run
from samplar.config.fit import FitConfig


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


@pytest.mark.parametrize(
    ("flag", "field"),
    [
        ("-k", "k"),
        ("--method", "method"),
        ("--weights", "weights"),
        ("--strategy", "strategy"),
        ("--preset", "preset"),
        ("--plane", "plane"),
        ("--intensity", "intensity"),
        ("--seed", "seed"),
        ("--device", "device"),
    ],
)
def test_the_help_of_fit_tells_the_real_defaults(monkeypatch, flag, field):
    monkeypatch.setenv("COLUMNS", "300")
    told = "".join(samplar("fit", "--help").out.split())
    entry = told.partition(f"{flag}<" if f"{flag}<" in told else f"{flag}RULE")[2]
    assert entry.partition("[default:")[2].partition("]")[0] == str(
        FitConfig.model_fields[field].default
    )
