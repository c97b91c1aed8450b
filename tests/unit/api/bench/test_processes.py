"""Real processes; the method used here ends its own process when it is told to."""

from __future__ import annotations

import multiprocessing

import pytest

from samplar.methods.registry import FOLDERS_VARIABLE

MORTAL = '''"""SAM's decoder, which may not survive being attached."""

from __future__ import annotations

import os
import signal

from samplar.config.base import Strict
from samplar.methods.contract import Card
from samplar.methods.head import set_class_tokens

card = Card(
    name="mortal", title="x", paper="x", plugs_in="decoder", prompts="none", licence_note="x"
)


class Config(Strict):
    end: str = "well"


def attach(sam, config, classes):
    if config.end == "killed" and os.environ.get("SAMPLAR_TEST_PARENT") != str(os.getpid()):
        os.kill(os.getpid(), signal.SIGKILL)
    if config.end == "bug" and os.environ.get("SAMPLAR_TEST_PARENT") != str(os.getpid()):
        raise ZeroDivisionError("made for a test")
    set_class_tokens(sam, classes, init="sam")
'''


def test_a_cell_that_kills_its_process_or_has_a_bug_is_recorded_and_the_others_go_on(
    bench, monkeypatch, capfd
):
    import os

    folder = bench.config.parent / "methods"
    folder.mkdir()
    (folder / "mortal.py").write_text(MORTAL)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))
    monkeypatch.setenv("SAMPLAR_TEST_PARENT", str(os.getpid()))
    short = {"iterations": 1, "pool": 2, "batch": 2, "precision": "fp32"}
    rows = [
        {
            "method": "mortal",
            "name": end,
            "preset": "fast",
            "size": 32,
            "settings": {"training": short, "method_config": {"end": end}},
        }
        for end in ("killed", "bug", "well")
    ]
    trivial = [
        {"method": m, "preset": "fast", "size": 32} for m in ("copy-nearest", "linear-probe")
    ]
    bench.write(methods=[*rows, *trivial], k=[1])
    prepared = bench.prepare()
    for cell in prepared.cells[3:]:  # the trivial ones are computed elsewhere
        prepared.done[cell.digest] = cell.name
    ran = bench.run_prepared(prepared, workers=2)
    assert len(ran.computed) == 1
    codes = {cell.key.method: cell.failure and cell.failure.code for cell in bench.cells().values()}
    assert codes == {"killed": "bench.died", "bug": "bench.unexpected", "well": None}
    assert any("was ended by SIGKILL" in line for line in ran.failed.values())
    assert "ZeroDivisionError: made for a test" in capfd.readouterr().err
    assert multiprocessing.active_children() == []
    (well,) = [cell for cell in bench.cells().values() if cell.failure is None]
    assert well.machine.workers == 2


def test_an_interrupt_ends_the_processes_and_keeps_the_cells(bench):
    def stop(cell, made):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(workers=1, on_cell=stop)
    assert len(bench.cells()) == 1
    assert multiprocessing.active_children() == []
    assert len(bench.prepare().to_do) == 5
