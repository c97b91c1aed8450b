"""Writing fails at every step: one line, a status, nothing lost, and it can be gone on with."""

from __future__ import annotations

import errno
import re
import shutil

import pytest
from phantom_sets import nifti
from whole_runs import SMALL, check_resumed, content, litter
from write_steps import WRITES, Fault

FAILURES = [(errno.ENOSPC, True), (errno.EIO, False)]
"""A disk that is full and stays so; a write that fails once."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("failing") / "set")


@pytest.fixture(scope="module")
def run(zygote, data):
    run = data.parent / "whole"
    ended = zygote.run("fit", data, "-o", run, *SMALL, folder=run)
    assert ended.status == 0, ended.err
    return run


def writes(steps):
    return sum(step in WRITES for step in steps)


def faults(steps, bench, few):
    numbers = range(1, writes(steps) + 1)
    pairs = [(at, *failure) for failure in FAILURES for at in numbers]
    return [Fault("error", at, number, lasting) for at, number, lasting in bench.some(pairs, few)]


def check_told(ended, fault):
    assert ended.status in (4, 6), (fault, ended)
    (line,) = [line for line in ended.err.splitlines() if line.startswith("samplar: ")]
    assert re.fullmatch(r"samplar: .+\. .+\. \[(output|resources)\.[a-z_]+\]", line), line
    assert "Traceback" not in ended.err


def test_fit(bench, data, run, tmp_path):
    counted = bench.run("fit", data, "-o", tmp_path / "count", *SMALL, folder=tmp_path / "count")
    whole = content(run)
    for fault in faults(counted.steps, bench, 2):
        place = tmp_path / "run"
        ended = bench.run("fit", data, "-o", place, *SMALL, folder=place, fault=fault)
        check_told(ended, fault)
        bench.count["failed with one line"] += 1
        check_resumed(bench.zygote, data, place, whole)
        bench.count["resumed to the same bytes"] += 1
        shutil.rmtree(place)


def test_fit_again_over_a_finished_run_loses_nothing_of_it(bench, data, run, tmp_path):
    """What a finished run holds is there and whole whatever fails while it is made again."""
    whole = content(run)
    counted = shutil.copytree(run, tmp_path / "count")
    steps = bench.run("fit", data, "-o", counted, "--resume", folder=counted).steps
    for fault in faults(steps, bench, 1):
        place = shutil.copytree(run, tmp_path / "run")
        ended = bench.run("fit", data, "-o", place, "--resume", folder=place, fault=fault)
        check_told(ended, fault)
        assert content(place) == whole
        assert litter(place) in ([], [".samplar-lock"])
        bench.count["failed with one line, all files as before"] += 1
        shutil.rmtree(place)


def test_predict(bench, data, run, tmp_path):
    def words(out):
        return ("predict", run, data / "images", "-o", out, "--probabilities")

    first = bench.run(*words(tmp_path / "whole"), folder=tmp_path / "whole")
    whole = files(tmp_path / "whole")
    for fault in faults(first.steps, bench, 2):
        out = tmp_path / "out"
        ended = bench.run(*words(out), folder=out, fault=fault)
        check_told(ended, fault)
        bench.count["failed with one line"] += 1
        before = files(out)
        assert all(before[name] == whole[name] for name in before if "samplar" not in name)
        assert bench.run(*words(out), folder=out).status == 0
        assert files(out) == whole
        bench.count["completed to the same bytes"] += 1
        shutil.rmtree(out)


def files(out):
    found = out.rglob("*")
    return {str(p.relative_to(out)): p.read_bytes() for p in found if p.is_file()}
