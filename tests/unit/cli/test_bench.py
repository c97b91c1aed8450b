from __future__ import annotations

import json

import pytest
import yaml
from command import samplar
from phantom_sets import nifti, split_of

from samplar.methods.registry import FOLDERS_VARIABLE

STOPPING = '''"""SAM's decoder; predicting with it is interrupted."""

from __future__ import annotations

import os
import signal

from samplar.methods.contract import Card, decode_classes
from samplar.methods.head import set_class_tokens

card = Card(
    name="stopping", title="x", paper="x", plugs_in="decoder", prompts="none", licence_note="x"
)


def attach(sam, config, classes):
    set_class_tokens(sam, classes, init="sam")


def logits(sam, config, batch, memory):
    if batch.labels is None:
        os.kill(os.getpid(), signal.SIGINT)
    return decode_classes(sam, config, batch, memory)
'''


@pytest.fixture
def config(tmp_path):
    split_of(nifti(tmp_path / "set"))
    path = tmp_path / "bench.yaml"

    def write(*methods: str, k: list) -> str:
        short = {"training": {"iterations": 1, "pool": 2, "batch": 2, "precision": "fp32"}}
        rows = [{"method": m, "preset": "fast", "size": 32, "settings": short} for m in methods]
        values = {
            "datasets": [{"path": "set", "split": "splits.json"}],
            "methods": rows,
            "k": k,
            "draws": [0],
            "weights": "tiny",
            "strategy": "random",
            "device": "cpu",
        }
        path.write_text(yaml.safe_dump(values))
        return str(path)

    return write


def test_a_dry_run_says_what_there_is_to_do_and_writes_nothing(config, tmp_path):
    out = tmp_path / "results"
    ran = samplar("bench", config("copy-nearest", k=[1, 2]), "-o", out, "--dry-run")
    assert ran.status == 0
    assert "added, because trivial baselines are always in the table: linear-probe" in ran.out
    assert "4 cells: 0 done already, 4 to do, about" in ran.out
    assert not out.exists()


def test_it_runs_reports_and_has_nothing_left_to_do(config, tmp_path):
    out = tmp_path / "results"
    path = config("copy-nearest", k=[1, 99])
    ran = samplar("bench", path, "-o", out, "--workers", 0, "--json")
    assert ran.status == 7
    document = json.loads(ran.out)
    assert (len(document["computed"]), len(document["failed"])) == (2, 2)
    assert "99 exemplars asked" in document["failed"][0]["problem"]
    assert "copy-nearest, k = 1, draw 0, seed 0: DSC" in ran.err
    path = config("copy-nearest", k=[1])
    again = samplar("bench", path, "-o", out, "--workers", 0)
    assert again.status == 0
    assert "2 cells: 2 done already, 0 to do, about 0 s" in again.err
    report = samplar("report", out, "--markdown")
    assert report.status == 0
    assert "| copy-nearest (trivial) |" in report.out
    assert (out / "report.html").exists()


def test_an_interrupt_says_how_to_go_on(config, tmp_path, monkeypatch):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "stopping.py").write_text(STOPPING)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "methods"))
    out = tmp_path / "results"
    path = config("stopping", k=[1])
    ran = samplar("bench", path, "-o", out, "--workers", 0)
    assert ran.status == 130
    assert f"Finished cells are kept. To go on: samplar bench {path} -o {out}" in ran.err
    assert list((out / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("report", "{run}", "--markdown"), "report.markdown"),
        (("report", "{results}", "--baseline", "a=b"), "report.benchmark"),
    ],
)
def test_reports_of_runs_and_of_benchmarks_take_their_own_flags(tmp_path, words, code):
    (tmp_path / "results" / "cells").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    places = {"run": tmp_path / "run", "results": tmp_path / "results"}
    ran = samplar(*(word.format(**places) for word in words))
    assert ran.status == 2
    assert f"[{code}]" in ran.err
