"""`samplar predict` given again: it does what is missing and keeps what is finished."""

from __future__ import annotations

import json
import shutil
import signal

import numpy as np
import pytest
from command import samplar
from phantom_sets import nifti
from whole_runs import SMALL, litter
from write_steps import Fault

COHORT = 20
KILLS = 50


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("again") / "set")


@pytest.fixture(scope="module")
def run(data):
    words = ("fit", data, "-o", data.parent / "run", *SMALL, "-M", "copy-nearest")
    assert samplar(*words).status == 0
    return data.parent / "run"


@pytest.fixture(scope="module")
def cohort(data):
    """Twenty images, small, all different."""
    folder = data.parent / "cohort"
    folder.mkdir()
    for n in range(COHORT):
        source = data / "images" / f"case{n % 3}.nii.gz"
        (folder / f"c{n:02d}.nii.gz").write_bytes(source.read_bytes())
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def done(run, data, out):
    """A folder with three finished cases."""
    assert samplar("predict", run, data / "images", "-o", out).status == 0
    return out


def files(out):
    found = out.rglob("*")
    return {str(p.relative_to(out)): p.read_bytes() for p in found if p.is_file()}


def places(out):
    """Return which file on the disk each name is: another one if it was written again."""
    return {path.name: path.stat().st_ino for path in out.glob("*.nii.gz")}


def finished(out):
    return {path.stem for path in (out / "records").glob("[!.]*.json")}


def said(ran):
    return json.loads(ran.out)


def test_killed_over_twenty_cases_it_completes_and_redoes_nothing(bench, run, cohort, tmp_path):
    words = ("predict", run, cohort, "--json", "-o")
    first = bench.run(*words, tmp_path / "whole", folder=tmp_path / "whole")
    assert first.status == 0, first.err
    whole, chance = files(tmp_path / "whole"), np.random.default_rng(6)
    at_steps = [Fault("kill", n) for n in range(3, len(first.steps), len(first.steps) // KILLS)]
    moments = [chance.random() * first.seconds for _ in range(KILLS)]
    for fault, after in [(f, None) for f in bench.some(at_steps, 1)] + [
        (Fault(), moment) for moment in bench.some(moments, 1)
    ]:
        out = tmp_path / "out"
        ended = bench.run(*words, out, folder=out, fault=fault, after=after)
        assert ended.status in (0, -signal.SIGKILL)
        bench.count["killed" if ended.status else "had ended before"] += 1
        before, kept = (places(out), finished(out)) if out.exists() else ({}, set())
        again = bench.run(*words, out, folder=out)
        assert again.status == 0, again.err
        assert json.loads(again.out)["kept"] == len(kept)
        assert all(places(out)[f"{name}.nii.gz"] == before[f"{name}.nii.gz"] for name in kept)
        assert files(out) == whole
        assert litter(out) == []
        bench.count["completed to the same bytes, nothing redone"] += 1
        bench.count["cases kept"] += len(kept)
        bench.count["cases done"] += COHORT - len(kept)
        if out.exists():
            shutil.rmtree(out)


def test_finished_cases_are_kept_and_the_document_is_the_same(run, data, done):
    before, place = files(done), places(done)
    ran = samplar("predict", run, data / "images", "-o", done, "--json")
    assert (said(ran)["kept"], len(said(ran)["done"])) == (3, 3)
    assert (files(done), places(done)) == (before, place)
    assert "3 were finished before" in samplar("predict", run, data / "images", "-o", done).out


def test_a_file_that_is_gone_is_made_again_and_no_other(run, data, done):
    before, place = files(done), places(done)
    (done / "case1.nii.gz").unlink()
    assert said(samplar("predict", run, data / "images", "-o", done, "--json"))["kept"] == 2
    assert files(done) == before
    assert places(done)["case0.nii.gz"] == place["case0.nii.gz"]


def test_a_record_that_is_damaged_costs_its_case_only(run, data, done):
    before = files(done)
    (done / "records" / "case1.json").write_text("{")
    assert said(samplar("predict", run, data / "images", "-o", done, "--json"))["kept"] == 2
    assert files(done) == before


def test_an_image_that_has_changed_is_predicted_again(run, data, done, tmp_path):
    images = shutil.copytree(data / "images", tmp_path / "images")
    shutil.copy(images / "case0.nii.gz", images / "case1.nii.gz")
    ran = samplar("predict", run, images, "-o", done, "--json")
    assert said(ran)["kept"] == 2
    assert (done / "case1.nii.gz").read_bytes() == (done / "case0.nii.gz").read_bytes()


def test_killed_while_a_changed_image_is_predicted_again(bench, run, data, done, tmp_path):
    images = shutil.copytree(data / "images", tmp_path / "images")
    shutil.copy(images / "case0.nii.gz", images / "case1.nii.gz")
    words = ("predict", run, images, "-o")
    place = shutil.copytree(done, tmp_path / "whole")
    steps = bench.run(*words, place, folder=place).steps
    whole = files(place)
    for at in bench.some(range(1, len(steps) + 1), 4):
        place = shutil.copytree(done, tmp_path / "cut")
        ended = bench.run(*words, place, folder=place, fault=Fault("kill", at))
        assert ended.status == -signal.SIGKILL
        again = bench.run(*words, place, folder=place)
        assert again.status == 0, again.err
        assert files(place) == whole
        bench.count["killed and completed to the same bytes"] += 1
        shutil.rmtree(place)


def test_a_file_that_somebody_has_changed_is_not_written_over(run, data, done):
    mine = b"hours of work"
    (done / "case1.nii.gz").write_bytes(mine)
    ran = samplar("predict", run, data / "images", "-o", done)
    assert ran.status == 7
    assert "[predict.altered] (case case1)" in ran.err
    assert (done / "case1.nii.gz").read_bytes() == mine
    assert samplar("predict", run, data / "images", "-o", done, "--overwrite").status == 0
    assert (done / "case1.nii.gz").read_bytes() != mine


@pytest.mark.parametrize("flag", ["--largest", "--probabilities", "--tta"])
def test_other_settings_are_refused_and_named(run, data, done, flag):
    before = files(done)
    ran = samplar("predict", run, data / "images", "-o", done, flag)
    assert ran.status == 2
    assert "[predict.other]" in ran.err
    assert flag.strip("-") in ran.err
    assert files(done) == before


def test_another_adapter_is_refused_and_overwrites_when_told_to(run, data, done, tmp_path):
    other = tmp_path / "other"
    assert samplar("fit", data, "-o", other, *SMALL, "-M", "copy-nearest", "--seed", 1).status == 0
    ran = samplar("predict", other, data / "images", "-o", done)
    assert (ran.status, "adapter" in ran.err) == (2, True)
    words = ("predict", other, data / "images", "-o")
    assert samplar(*words, done, "--overwrite").status == 0
    assert samplar(*words, tmp_path / "new").status == 0
    assert files(done) == files(tmp_path / "new")


def test_labels_that_somebody_else_made_are_not_written_over(run, data, tmp_path):
    theirs = shutil.copytree(data / "labels", tmp_path / "labels")
    before = files(theirs)
    ran = samplar("predict", run, data / "images", "-o", theirs)
    assert ran.status == 2
    assert "case0.nii.gz: is there already" in ran.err
    assert "[predict.exists]" in ran.err
    assert files(theirs) == before
