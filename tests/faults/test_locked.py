"""One process at a time writes into an output folder, whichever verb it runs."""

from __future__ import annotations

import os
import shutil

import pytest
from command import samplar
from phantom_sets import nifti
from whole_runs import SMALL

from samplar.io.lock import sole_writer


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("locked") / "set")


@pytest.fixture(scope="module")
def made(data):
    run = data.parent / "made"
    assert samplar("fit", data, "-o", run, *SMALL, "-M", "copy-nearest").status == 0
    return run


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def refused(ran):
    assert ran.status == 4, ran.err
    line = ran.err.splitlines()[-1]
    assert f"another samplar process ({os.getpid()} on " in line
    assert line.endswith("[output.busy]")


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_command_is_refused_and_changes_nothing(data, run, tmp_path):
    out = tmp_path / "out"
    with sole_writer(run), sole_writer(out):
        before = content(run)
        refused(samplar("fit", data, "-o", run, *SMALL, "--resume"))
        refused(samplar("report", run))
        refused(samplar("predict", run, data / "images", "-o", out))
        assert content(run) == before
        assert [path.name for path in out.iterdir()] == [".samplar-lock"]
    assert samplar("predict", run, data / "images", "-o", out).status == 0


def test_predicting_with_a_run_does_not_need_its_lock(data, run, tmp_path):
    with sole_writer(run):
        assert samplar("predict", run, data / "images", "-o", tmp_path / "out").status == 0
