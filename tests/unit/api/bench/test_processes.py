"""Real processes; the method used here ends its own process when it is told to."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from samplar.api.bench.compute import failed
from samplar.errors import ResourceError
from samplar.methods.registry import FOLDERS_VARIABLE

MORTAL = '''"""SAM's decoder, which may not survive being attached."""

from __future__ import annotations

import atexit
import os
import signal
import time
from pathlib import Path

from filelock import FileLock

from samplar.config.base import Strict
from samplar.methods.contract import Card
from samplar.methods.head import set_class_tokens

card = Card(
    name="mortal", title="x", paper="x", plugs_in="decoder", prompts="none", licence_note="x"
)


LOCK = FileLock(Path(__file__).with_name("lock"))


class Config(Strict):
    end: str = "well"


def attach(sam, config, classes):
    end = "well" if os.environ.get("SAMPLAR_TEST_PARENT") == str(os.getpid()) else config.end
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "late":
        atexit.register(os.kill, os.getpid(), signal.SIGKILL)
    if end == "bug":
        raise ZeroDivisionError("made for a test")
    if end == "never":
        with LOCK:
            Path(__file__).with_name("pid").write_text(str(os.getpid()))
            time.sleep(120)
    set_class_tokens(sam, classes, init="sam")
'''


ONE_CELL = """
import os
import sys
from pathlib import Path

from samplar.api.bench.run import prepare, run
from samplar.training.fit import Told

os.environ["SAMPLAR_TEST_PARENT"] = str(os.getpid())
told = Told(stage=lambda name, count: None, step=lambda done, loss=None: None, note=lambda _: None)
prepared = prepare(Path(sys.argv[1]), Path(sys.argv[2]))
run(prepared, workers=1, keep=False, told=told, on_cell=lambda cell, made: None)
"""


def prepared_for(bench, ends, monkeypatch):
    """Return what there is to do: a cell for each end that a process may have."""
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
        for end in ends
    ]
    trivial = [
        {"method": m, "preset": "fast", "size": 32} for m in ("copy-nearest", "linear-probe")
    ]
    bench.write(methods=[*rows, *trivial], k=[1])
    prepared = bench.prepare()
    for cell in prepared.cells[len(ends) :]:  # the trivial ones are computed elsewhere
        prepared.done[cell.digest] = cell.name
    return prepared


def until(holds, seconds=90):
    """Wait for something to happen."""
    last = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.05)


def test_a_cell_that_kills_its_process_or_has_a_bug_is_recorded_and_the_others_go_on(
    bench, monkeypatch, capfd
):
    prepared = prepared_for(bench, ("killed", "bug", "late", "well"), monkeypatch)
    ran = bench.run_prepared(prepared, workers=2)
    assert len(ran.computed) == 2
    codes = {cell.key.method: cell.failure and cell.failure.code for cell in bench.cells().values()}
    scored = {"late": None, "well": None}
    assert codes == {"killed": "bench.died", "bug": "bench.unexpected", **scored}
    assert any("was ended by SIGKILL" in line for line in ran.failed.values())
    assert "ZeroDivisionError: made for a test" in capfd.readouterr().err
    assert multiprocessing.active_children() == []
    well = [cell for cell in bench.cells().values() if cell.failure is None]
    assert {cell.machine.workers for cell in well} == {2}


def test_a_failed_cell_of_before_is_not_taken_for_that_of_a_process_that_died(bench, monkeypatch):
    prepared = prepared_for(bench, ("killed",), monkeypatch)
    (cell,) = prepared.to_do
    error = ResourceError("of another day", fix="Wait", code="x.before")
    bench.results.write_cell(cell.name, failed(cell, error))
    bench.run_prepared(prepared, workers=1)
    (made,) = bench.cells().values()
    assert made.failure.code == "bench.died"


def test_a_process_ends_when_the_bench_is_killed(bench, monkeypatch):
    prepared_for(bench, ("never",), monkeypatch)
    folder = Path(os.environ[FOLDERS_VARIABLE])
    parent = subprocess.Popen([sys.executable, "-c", ONE_CELL, bench.config, bench.results.path])
    try:
        until(lambda: (folder / "pid").exists() and (folder / "pid").read_text() != "")
        assert int((folder / "pid").read_text()) != parent.pid
        with pytest.raises(Timeout):  # the process lives
            FileLock(folder / "lock").acquire(timeout=0)
    finally:
        parent.kill()
        parent.wait()
    try:
        FileLock(folder / "lock").acquire(timeout=10)  # the system opens it as the process ends
    except Timeout:
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        raise


def test_an_interrupt_ends_the_processes_and_keeps_the_cells(copied):
    def stop(cell, made):
        raise KeyboardInterrupt

    for k in (1, 2):
        copied.file_of("copy", k).unlink()
    with pytest.raises(KeyboardInterrupt):
        copied.run(workers=1, on_cell=stop)
    assert multiprocessing.active_children() == []
    assert [cell.key.k for cell in copied.prepare().to_do] == [2]
