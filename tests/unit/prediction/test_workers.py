"""Real processes; the method used here ends its own process when it sees a white image."""

from __future__ import annotations

import multiprocessing
import os
import signal

import nibabel
import numpy as np
import pytest
import torch

from samplar.errors import InputError, OutputError, ResourceError, WeightsError
from samplar.io.case import Case
from samplar.methods.registry import FOLDERS_VARIABLE
from samplar.prediction.adapter import load_adapter, save_adapter
from samplar.prediction.predict import Options, outcome_of, predict_here
from samplar.prediction.worker import Job
from samplar.prediction.workers import Workers

MORTAL = '''"""SAM's decoder, which does not survive a white image."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from samplar.config.base import Strict
from samplar.methods.contract import Card, decode_classes
from samplar.methods.head import set_class_tokens

card = Card(
    name="mortal", title="x", paper="x", plugs_in="decoder", prompts="none", licence_note="x"
)


class Config(Strict):
    once: str = ""
    at_start: bool = False


def attach(sam, config, classes):
    if config.at_start:
        os.kill(os.getpid(), signal.SIGKILL)
    set_class_tokens(sam, classes, init="sam")


def logits(sam, config, batch, memory):
    if batch.images.min() > 0.9 and not (config.once and Path(config.once).exists()):
        if config.once:
            Path(config.once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return decode_classes(sam, config, batch, memory)
'''
CPU = torch.device("cpu")


@pytest.fixture
def job(adapted, fields, tmp_path, monkeypatch):
    """Return a maker of a job: a letter per case, g for grey, w for white, d for damaged."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mortal.py").write_text(MORTAL)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "methods"))
    (tmp_path / "out").mkdir()

    def make(letters, *, method_config=None, **options):
        mine = {"method": "mortal", "method_config": method_config or {}}
        save_adapter(tmp_path / "adapter", adapted("mortal"), {**fields, **mine})
        cases = tuple(case(tmp_path, n, letter) for n, letter in enumerate(letters))
        return Job(
            tmp_path / "adapter",
            cases,
            None,
            tmp_path / "out",
            Options(**{"precision": "fp32", **options}),
        )

    return make


def case(folder, n, letter):
    path = folder / f"c{n}.nii.gz"
    chance = np.random.default_rng(n)
    array = chance.uniform(0, 180, (32, 32, 1 + n)).astype(np.int16)
    if letter == "w":
        array[...] = 200
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    if letter == "d":
        path.write_bytes(path.read_bytes()[:200])
    return Case(f"c{n}", f"c{n}", (path,), None)


def run(job, *, count=2):
    told = []
    team = Workers(job, count=count, device=CPU, on_case=lambda done, name: told.append(done))
    outcome = outcome_of(job.cases, team.run())
    return outcome, told, team.notes


def described(outcome):
    failed = [(name, error.code) for name, error in outcome.failed]
    return [path.name for path in outcome.done], failed, outcome.notes


def test_several_processes_write_what_one_does(job):
    work = job("gggdgg", probabilities=True)
    stages = work.stages(load_adapter(work.adapter))
    alone = outcome_of(work.cases, predict_here(stages, work.cases, on_case=lambda *_: None))
    files = sorted(path for path in work.out.rglob("*") if path.is_file())
    expected = {path: path.read_bytes() for path in files}
    # Labels, probabilities, trust and records of five cases, and what made them.
    assert len(expected) == 21
    for path in files:
        path.unlink()
    outcome, told, notes = run(work)
    assert described(outcome) == described(alone)
    assert isinstance(outcome.failed[0][1], InputError)
    assert {path: path.read_bytes() for path in work.out.rglob("*") if path.is_file()} == expected
    assert told == [0, 1, 2, 3, 4, 5, 6]
    assert notes == []


def test_a_case_that_kills_its_process_is_named_and_the_others_are_done(job):
    outcome, told, notes = run(job("gggwg"))
    names, failed, _ = described(outcome)
    assert names == ["c0.nii.gz", "c1.nii.gz", "c2.nii.gz", "c4.nii.gz"]
    assert failed == [("c3", "workers.died")]
    ((_, error),) = outcome.failed
    assert isinstance(error, ResourceError)
    assert "the process that worked on c3 was ended by SIGKILL" in error.line()
    assert "c3.nii.gz" in error.path
    assert told[-1] == 5
    assert len(notes) == 1
    assert notes[0].startswith("a worker process was ended by SIGKILL; begun again one by one: ")


def test_a_process_that_dies_once_costs_no_case(job, tmp_path):
    outcome, _, notes = run(job("ggw", method_config={"once": str(tmp_path / "mark")}))
    assert described(outcome)[:2] == (["c0.nii.gz", "c1.nii.gz", "c2.nii.gz"], [])
    assert "c2" in notes[0]


def test_a_case_that_was_held_alone_is_begun_again_too(job, tmp_path):
    outcome, _, notes = run(job("w", method_config={"once": str(tmp_path / "mark")}))
    assert described(outcome)[:2] == (["c0.nii.gz"], [])
    assert len(notes) == 1


def test_when_no_process_gets_to_a_case_it_is_said(job):
    with pytest.raises(ResourceError) as caught:
        run(job("gg", method_config={"at_start": True}))
    assert caught.value.code == "workers.start"
    assert "SIGKILL" in caught.value.problem


def test_strict_stops_all_at_the_first_failure(job):
    with pytest.raises(InputError) as caught:
        run(job("dg", strict=True))
    assert caught.value.code in {"io.truncated", "io.corrupt"}
    assert caught.value.path.endswith("c0.nii.gz")


def test_what_is_not_the_fault_of_a_case_stops_all(job, tmp_path):
    work = job("gg")
    tensors = tmp_path / "adapter" / "adapter.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    with pytest.raises(WeightsError) as caught:
        run(work)
    assert caught.value.code == "adapter.digest"


def test_a_place_that_goes_away_stops_all_and_leaves_no_process(job):
    work = job("ggg")
    work.out.rmdir()
    with pytest.raises(OutputError) as caught:
        run(work)
    assert caught.value.code == "output.not_writable"
    assert multiprocessing.active_children() == []


def test_an_interrupt_ends_the_processes(job):
    work = job("ggggg")

    def interrupt(done, name):
        if done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Workers(work, count=2, device=CPU, on_case=interrupt).run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not [path for path in work.out.iterdir() if path.name.startswith(".")]
    assert multiprocessing.active_children() == []
