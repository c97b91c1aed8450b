"""SIGINT and SIGTERM in every stage: a status, the command that goes on, and it goes on."""

from __future__ import annotations

import os
import shlex
import signal

import pytest
from phantom_sets import nifti
from whole_runs import SMALL, content, litter

FULL = os.environ.get("SAMPLAR_FAULTS") == "full"
DIVERSE = (*SMALL, "--strategy", "diverse")
STAGES = {
    "choosing exemplars": ("samplar.training.embed:_unit", 3, signal.SIGINT),
    "filling the pool": ("samplar.training.pool:_encode", 3, signal.SIGTERM),
    "training": ("samplar.training.iteration:pass_losses", 3, signal.SIGINT),
    "saving a checkpoint": ("samplar.training.loop:write_checkpoint", 1, signal.SIGTERM),
    "saving the last checkpoint": ("samplar.training.loop:write_checkpoint", 2, signal.SIGINT),
    "saving the adapter": ("samplar.api.fit:save_adapter", 1, signal.SIGTERM),
    "writing the report": ("samplar.api.fit:write_report", 1, signal.SIGINT),
}
GOES_ON_AFTER = {
    "training": "resumed after iteration 3",
    "saving a checkpoint": "resumed after iteration 2",
    "saving the last checkpoint": "resumed after the last iteration, 4",
    "saving the adapter": "resumed after the last iteration, 4",
    "writing the report": "resumed after the last iteration, 4",
}
QUICKLY = ("filling the pool", "training", "saving the last checkpoint")
"""Those tried on every run; `make faults` tries all."""
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("stopped") / "set")


@pytest.fixture(scope="module")
def run(zygote, data):
    """The run that nobody stopped."""
    run = data.parent / "whole"
    assert zygote.run("fit", data, "-o", run, *DIVERSE, folder=run).status == 0
    return run


def command_in(ended):
    """Return the words of the command that goes on."""
    (line,) = [line for line in ended.err.splitlines() if "Go on with: " in line]
    return shlex.split(line.partition("Go on with: samplar ")[2])


@pytest.mark.parametrize("stage", STAGES if FULL else QUICKLY)
def test_a_fit_says_how_to_go_on_and_comes_to_the_same_bytes(zygote, data, run, tmp_path, stage):
    where, call, number = STAGES[stage]
    place = tmp_path / "run"
    words = ("fit", data, "-o", place, *DIVERSE)
    ended = zygote.run(*words, folder=place, calls=(where, call), number=number)
    assert ended.status == STATUS[number], ended.err
    assert "Traceback" not in ended.err
    assert ("The state is saved" in ended.err) == ("training" in stage or "checkpoint" in stage)
    assert not place.exists() or litter(place) == []
    again = zygote.run(*command_in(ended), folder=place)
    assert again.status == 0, again.err
    assert GOES_ON_AFTER.get(stage, "") in again.err
    assert content(place) == content(run)


@pytest.mark.parametrize("number", STATUS)
def test_predict_says_how_to_go_on_and_keeps_what_is_finished(zygote, data, run, tmp_path, number):
    out = tmp_path / "out"
    words = ("predict", run, data / "images", "-o", out)
    calls = ("samplar.prediction.stages:predict_volume", 3)
    ended = zygote.run(*words, folder=out, calls=calls, number=number)
    assert ended.status == STATUS[number]
    assert litter(out) == []
    assert command_in(ended) == [str(word) for word in words]
    again = zygote.run(*command_in(ended), folder=out)
    assert again.status == 0
    assert "were finished before" in again.out
