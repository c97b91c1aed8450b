"""Many cases: workers, launched processes, and stopping them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from command import QUICK, Ran, process, samplar, start
from phantom_sets import nifti


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("cohort") / "set")


@pytest.fixture(scope="module")
def run(data):
    run = data.parent / "run"
    assert samplar("fit", data, "-o", run, "-M", "decoder-only", *QUICK).status == 0
    return run


@pytest.fixture(scope="module")
def alone(data, run):
    """The files that one process writes, with one case damaged, and what it says."""
    broken = data / "images" / "case1.nii.gz"
    broken.write_bytes(broken.read_bytes()[:300])
    ran = samplar("predict", run, data / "images", "-o", data.parent / "alone", "--json")
    assert ran.status == 7
    return files(data.parent / "alone"), said(ran)


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def said(ran):
    """Return the document without what differs from run to run."""
    document = json.loads(ran.out)
    names = [path.rpartition("/")[2] for path in document["done"]]
    return names, document["failed"], document["notes"]


def test_workers_do_and_say_what_one_process_does(data, run, alone, tmp_path):
    words = ("predict", run, data / "images", "-o", tmp_path / "out", "--workers", 2, "--json")
    ran = process(*words)
    assert ran.status == 7
    assert (files(tmp_path / "out"), said(ran)) == alone


def launch(*words, world=2):
    """Start processes that are told in their environment who they are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = [start(*words, RANK=str(rank), **told) for rank in reversed(range(world))]
    ran = [(*child.communicate(timeout=120), child.returncode) for child in children]
    return [Ran(status, out, err) for out, err, status in reversed(ran)]


def test_launched_processes_share_the_cases_and_the_first_speaks(data, run, alone, tmp_path):
    words = ("predict", run, data / "images", "-o", tmp_path / "out", "--json")
    first, second = launch(*words)
    assert first.status == 7, first.err
    assert (second.status, second.out, second.err) == (0, "", "")
    assert (files(tmp_path / "out"), said(first)) == alone


def test_a_launched_process_that_stops_stops_the_first(data, run, alone, tmp_path):
    words = ("predict", run, data / "images", "-o", tmp_path / "out", "--strict")
    first, second = launch(*words)  # the damaged case is the second one's
    assert second.status == 3
    assert first.status == 6
    assert "[launch.lost]" in first.err
    assert "case1.nii.gz" in first.err
    assert "Traceback" not in first.err + second.err


def test_accelerate_launches_samplar(data, run, alone, tmp_path):
    words = ("predict", run, data / "images", "-o", tmp_path / "out", "--quiet")
    launcher = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2")
    ran = subprocess.run(
        [sys.executable, "-m", *launcher, "-m", "samplar", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert files(tmp_path / "out") == alone[0]
    assert ran.returncode == 1  # the launcher's own, for our 7
    assert f"2 cases in {tmp_path / 'out'}" in ran.stdout
    assert "1 failed, see" in ran.stdout


def test_workers_are_not_started_in_launched_processes(data, run, tmp_path, monkeypatch):
    told = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    ran = samplar("predict", run, data / "images", "-o", tmp_path / "out", "--workers", 2)
    assert ran.status == 2
    assert "[launch.workers]" in ran.err


def test_workers_end_with_the_command(run, data, tmp_path):
    """By SIGTERM; tests/unit/prediction/test_workers.py interrupts them."""
    images = tmp_path / "images"
    images.mkdir()
    for n in range(60):
        (images / f"c{n:02d}.nii.gz").symlink_to(data / "images" / "case0.nii.gz")
    out = tmp_path / "out"
    child = start("predict", run, images, "-o", out, "--workers", 2, "--tta")
    end = time.monotonic() + 60
    while not (out.is_dir() and any(out.glob("c*"))):
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.002)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 143, err
    assert "Traceback" not in err
    assert 0 < len(list(out.glob("c*"))) < 60
    assert not list(out.rglob(".*"))
