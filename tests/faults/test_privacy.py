"""What an adapter gives away is found: names, dates, notes, files that do not belong there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import nibabel
import pytest
from command import QUICK, samplar
from phantom_sets import nifti
from refusals import refused
from safetensors.torch import load_file, save

from samplar.prediction.adapter import read_card, readme
from samplar.prediction.card_file import sealed, unsealed


@pytest.fixture
def adapter(run, tmp_path) -> Path:
    shutil.copytree(run / "adapter", tmp_path / "adapter")
    return tmp_path / "adapter"


def doctor(adapter: Path, *words: object, ok: bool) -> dict:
    ran = samplar("doctor", "--privacy", adapter, "--json", *words)
    assert ran.status == (0 if ok else 3), (ran.out, ran.err)
    report = json.loads(ran.out)
    assert report["ok"] is ok
    return report


def codes(report: dict) -> set[str]:
    return {f["code"] for f in report["findings"]}


def edit(adapter: Path, **changes: object) -> None:
    """Change the card as somebody would who knows the seal, README and all."""
    path = adapter / "adapter.json"
    path.write_bytes(sealed({**unsealed(path), **changes}))
    size = (adapter / "adapter.safetensors").stat().st_size
    (adapter / "README.md").write_text(readme(read_card(adapter), size))


def test_an_adapter_of_ours_names_nobody(run):
    report = doctor(run, "--dataset", run.parent / "set", ok=True)
    assert set(report["files"]) == {"adapter.json", "adapter.safetensors", "README.md"}
    assert report["names"] >= 3 * 3  # each case, its files and their paths
    assert codes(report) == {"privacy.free_text"}
    assert "ball" in report["findings"][0]["problem"]


def test_in_words(run):
    ran = samplar("doctor", "--privacy", run)
    assert ran.status == 0
    assert ran.out.rstrip().endswith("ok")


def old_names(adapter):
    edit(adapter, exemplars=[{"case": "doe_1", "subject": "doe", "slice": 1, "digest": "0" * 64}])


def dated(adapter):
    edit(adapter, class_names=["ball", "scan of 2021-03-04"])


def dated_otherwise(adapter):
    edit(adapter, class_names=["ball", "04.03.2021"])


def chatty(adapter):
    with (adapter / "README.md").open("a") as file:
        file.write("Thanks to Mrs Doe!\n")


def further_file(adapter):
    (adapter / "case0.nii.gz").write_bytes(b"pixels")


def hidden_file(adapter):
    (adapter / ".DS_Store").write_bytes(b"Doe")


def folder(adapter):
    (adapter / "exemplars").mkdir()


def link(adapter):
    (adapter / "README.md").unlink()
    (adapter / "README.md").symlink_to("/etc/hostname")


def header(adapter):
    path = adapter / "adapter.safetensors"
    data = save(load_file(path), metadata={"patient": "Doe"})
    path.write_bytes(data)
    edit(adapter, tensors_sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (old_names, "privacy.names"),
        (dated, "privacy.date"),
        (dated_otherwise, "privacy.date"),
        (chatty, "privacy.readme"),
        (further_file, "privacy.file"),
        (hidden_file, "privacy.file"),
        (folder, "privacy.file"),
        (link, "privacy.file"),
        (header, "privacy.header"),
    ],
)
def test_what_does_not_belong_there_is_an_error(adapter, spoil, code):
    spoil(adapter)
    report = doctor(adapter, ok=False)
    (found,) = [f for f in report["findings"] if f["code"] == code]
    assert found["severity"] == "error"
    assert str(adapter) in found["file"]
    assert found["fix"]


@pytest.mark.parametrize("name", ["case1", "CASE1", "images of case1.nii.gz"])
def test_a_name_of_the_data_set_is_found_wherever_it_stands(run, adapter, name):
    edit(adapter, class_names=["ball", name])
    report = doctor(adapter, "--dataset", run.parent / "set", ok=False)
    assert [f["code"] for f in report["findings"] if f["severity"] == "error"] == [
        "privacy.found",
        "privacy.found",
    ]  # in adapter.json and in README.md


def test_the_texts_of_image_headers_are_looked_for(adapter, tmp_path):
    data = nifti(tmp_path / "set")
    path = data / "images" / "case0.nii.gz"
    image = nibabel.load(path)
    image.header["descrip"] = b"Jane Doe"
    nibabel.save(nibabel.Nifti1Image(image.get_fdata(), image.affine, image.header), path)
    edit(adapter, class_names=["ball", "jane doe"])
    report = doctor(adapter, "--dataset", data, ok=False)
    assert "Jane Doe" in report["findings"][0]["problem"]


def test_a_path_is_a_warning(adapter):
    edit(adapter, weights_source="/home/doe/sam.pth")
    report = doctor(adapter, ok=True)
    assert "privacy.path" in codes(report)


def test_what_is_remembered_of_the_exemplars_is_a_warning(run, tmp_path):
    out = tmp_path / "copied"
    words = ["--method", "copy-nearest", *QUICK]
    made = samplar("fit", run.parent / "set", "-o", out, *words)
    assert made.status == 0, made.err
    report = doctor(out, "--dataset", run.parent / "set", ok=True)
    assert "privacy.memory" in codes(report)


def test_names_too_short_to_look_for_are_said(run, tmp_path):
    data = nifti(tmp_path / "set")
    rows = "".join(f"case{n},{n}\n" for n in range(3))
    (data / "index.csv").write_text(f"file,subject\n{rows}")
    report = doctor(run, "--dataset", data, ok=True)
    (found,) = [f for f in report["findings"] if f["code"] == "privacy.short"]
    assert found["problem"].startswith("3 names")


def test_a_data_set_without_an_adapter():
    ran = samplar("doctor", "--dataset", "set")
    refused(ran, status=2, code="privacy.adapter", names="--privacy")


def test_no_adapter_there(tmp_path):
    ran = samplar("doctor", "--privacy", tmp_path)
    refused(ran, status=5, code="adapter.missing", names=str(tmp_path))
