"""The same command gives the same bytes, also when it is stopped half way and resumed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from command import QUICK, process, samplar, start
from phantom_sets import nifti

LONG = (*QUICK, "--set", "training.iterations=24", "--set", "training.checkpoint_every=5")


def tensors(run: Path) -> bytes:
    return (run / "adapter" / "adapter.safetensors").read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("repeat") / "set")


@pytest.fixture(scope="module")
def whole(data):
    """The run that nobody stopped."""
    run = data.parent / "whole"
    assert samplar("fit", data, "-o", run, *LONG).status == 0
    return run


def until(child, condition, *, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_same_command_as_a_process_of_its_own_gives_the_same_adapter(data, whole, tmp_path):
    ran = process("fit", data, "-o", tmp_path / "again", *LONG, "--quiet")
    assert (ran.status, ran.err) == (0, "")
    assert tensors(tmp_path / "again") == tensors(whole)
    card = Path("adapter") / "adapter.json"
    assert (tmp_path / "again" / card).read_bytes() == (whole / card).read_bytes()


def test_another_seed_gives_another_adapter(data, whole, tmp_path):
    assert samplar("fit", data, "-o", tmp_path / "other", *LONG, "--seed", 1).status == 0
    assert tensors(tmp_path / "other") != tensors(whole)


def test_a_stopped_run_saves_its_step_and_resumes_to_the_same_bytes(data, whole, tmp_path):
    """A process of its own; tests/faults kills and stops at every step, in forked ones."""
    run = tmp_path / "stopped"
    child = start("fit", data, "-o", run, *LONG, "--set", "training.checkpoint_every=1000")
    until(child, (run / "metrics.jsonl").is_file)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 143, err
    assert "--resume" in err
    assert "Traceback" not in err
    assert len(list((run / "checkpoints").iterdir())) == 1
    resumed = samplar("fit", data, "-o", run, "--resume")
    assert resumed.status == 0, resumed.err
    assert tensors(run) == tensors(whole)
