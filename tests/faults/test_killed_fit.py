"""`samplar fit` is killed, or the power is cut: resuming gives the bytes of an undisturbed run."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest
from phantom_sets import nifti
from whole_runs import EVERY, SMALL, check_resumed, content, newest_step
from write_steps import CUT, Fault

MOMENTS = 500


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("killed") / "set")


@pytest.fixture(scope="module")
def undisturbed(zygote, data):
    run = data.parent / "whole"
    return zygote.run("fit", data, "-o", run, *SMALL, folder=run)


@pytest.fixture(scope="module")
def whole(data, undisturbed):
    assert undisturbed.status == 0, undisturbed.err
    return content(data.parent / "whole")


def test_at_every_step_of_writing(bench, data, undisturbed, whole, tmp_path):
    assert len(undisturbed.steps) > 100
    for at in bench.some(range(1, len(undisturbed.steps) + 1), 3):
        run = tmp_path / f"step{at}"
        ended = bench.run("fit", data, "-o", run, *SMALL, folder=run, fault=Fault("kill", at))
        assert ended.status == -signal.SIGKILL, (at, ended)
        check_resumed(bench.zygote, data, run, whole)
        bench.count["killed and resumed to the same bytes"] += 1
        shutil.rmtree(run)


def test_at_random_moments(bench, data, undisturbed, whole, tmp_path):
    chance = np.random.default_rng(6)
    for moment in bench.some([chance.random() for _ in range(MOMENTS)], 2):
        run, after = tmp_path / "run", moment * undisturbed.seconds
        ended = bench.run("fit", data, "-o", run, *SMALL, folder=run, after=after)
        assert ended.status in (0, -signal.SIGKILL), ended
        bench.count["killed" if ended.status else "had ended before"] += 1
        check_resumed(bench.zygote, data, run, whole)
        bench.count["resumed to the same bytes"] += 1
        shutil.rmtree(run)


def test_killed_again_and_again(bench, data, whole, tmp_path):
    run, at = tmp_path / "run", 8
    while True:
        there = (run / "config.yaml").exists()
        flags = ("--resume",) if there else (*SMALL, "--resume")
        fault = Fault("kill", at)
        ended = bench.run("fit", data, "-o", run, *flags, folder=run, fault=fault)
        if ended.status == 0:
            break
        assert ended.status == -signal.SIGKILL
        bench.count["killed"] += 1
        at += 50
    assert bench.count["killed"] > 1
    check_resumed(bench.zygote, data, run, whole)


def test_when_the_power_is_cut(bench, data, whole, tmp_path):
    """All that was not synced is gone: bytes of files, and names in folders."""
    counted = tmp_path / "counted"
    counted.mkdir()  # as the others are made here: making it would be a step
    steps = bench.run("fit", data, "-o", counted, *SMALL, folder=counted).steps
    for at in bench.some(range(1, len(steps) + 1), 2):
        run = tmp_path / f"step{at}" / "run"
        run.mkdir(parents=True)
        fault = Fault("power", at)
        ended = bench.run("fit", data, "-o", run, *SMALL, folder=run, fault=fault)
        assert ended.status == CUT, (at, ended)
        made = newest_step(run.with_name("run.before"))
        # only between the renaming of a checkpoint and the syncing of its folder may it get lost
        lost = steps[at - 2 : at] == ("rename", "fsync")
        assert newest_step(run) in ({made, max(0, made - EVERY)} if lost else {made})
        check_resumed(bench.zygote, data, run, whole)
        bench.count["cut and resumed to the same bytes"] += 1
        shutil.rmtree(run.parent)
