"""From a data set to scores, for every layout, through the command line."""

from __future__ import annotations

import json
import shutil

import nibabel
import numpy as np
import pytest
from command import QUICK, samplar
from phantom_sets import LAYOUTS, split_of, volume
from PIL import Image

from samplar.exemplars.manifest import read_manifest


@pytest.fixture(scope="module", params=sorted(LAYOUTS))
def journey(request, tmp_path_factory):
    """Check and fit; then keep the adapter folder alone."""
    base = tmp_path_factory.mktemp(request.param)
    data = LAYOUTS[request.param](base / "data set")
    split = split_of(data)
    checked = samplar("check", data, "--split", split, "--json")
    fitted = samplar("fit", data, "-k", 2, "-o", base / "run", "--split", split, "--json", *QUICK)
    shutil.copytree(base / "run" / "adapter", base / "elsewhere")
    return request.param, base, data, split, checked, fitted


def test_the_check_finds_the_whole_data_set(journey):
    _, _, _, _, checked, _ = journey
    report = json.loads(checked.out)
    assert checked.status == 0
    assert report["ok"] is True
    assert (report["cases"], report["subjects"]) == (3, 3)
    assert [label["value"] for label in report["labels"]] == [1, 2]


def test_the_run_folder_is_complete_and_its_exemplars_are_of_the_pool(journey):
    _, base, _, _, _, fitted = journey
    assert fitted.status == 0, fitted.err
    told = json.loads(fitted.out)
    run = base / "run"
    for name in ("config.yaml", "manifest.json", "metrics.jsonl", "progress.png", "report.html"):
        assert (run / name).is_file(), name
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4
    card = json.loads((run / "adapter" / "adapter.json").read_text())
    chosen = read_manifest(run / "exemplars.yaml").exemplars
    assert {entry.subject for entry in chosen} <= {"case0", "case1"}
    assert [e["digest"] for e in card["exemplars"]] == [entry.digest for entry in chosen]
    assert not any(e["case"] or e["subject"] for e in card["exemplars"])
    assert card["class_values"] == [1, 2]
    assert told["next"].startswith("samplar predict ")
    assert told["estimate"]["memory"] > 0
    assert "estimate: about" in fitted.err


def test_predict_needs_only_the_adapter_and_answers_on_the_grid_of_the_image(journey):
    layout, base, data, split, _, _ = journey
    out = base / "predictions"
    ran = samplar("predict", base / "elsewhere", data, "--split", split, "-o", out, "--json")
    assert ran.status == 0, ran.err
    (path,) = json.loads(ran.out)["done"]
    name = path.rpartition("/")[2]
    expected = [name, "predict.json", "records", "review.csv", "trust"]
    assert sorted(p.name for p in out.iterdir()) == sorted(expected)
    if layout in {"nifti", "nnunet"}:
        labels = nibabel.load(path)
        source = next(data.glob("images*/case2*"))
        np.testing.assert_array_equal(labels.affine, nibabel.load(source).affine)
        values = np.asarray(labels.dataobj)
    elif layout == "png":
        values = np.asarray(Image.open(path))[None]
    else:
        with np.load(path) as archive:
            values = archive["segs" if "segs" in archive else "gts"]
    assert values.shape == (volume(2)[1][:1] if layout == "png" else volume(2)[1]).shape
    assert set(np.unique(values)) <= {0, 1, 2}


def test_the_scores_are_a_document_and_the_report_shows_them(journey):
    _, base, data, split, _, _ = journey
    truth = ("--split", split, "--subset", "test")
    scores = base / "scores.json"
    out = base / "predictions"
    if not out.exists():
        samplar("predict", base / "elsewhere", data, "--split", split, "-o", out)
    ran = samplar("evaluate", out, data, *truth, "-o", scores, "--json")
    assert ran.status == 0, ran.err
    document = json.loads(ran.out)
    assert document == json.loads(scores.read_text())
    assert document["protocol"] == "strict"
    assert set(document["mean"]) >= {"dsc", "hd95", "nsd"}
    assert [case["case"] for case in document["per_case"]] == ["case2"]
    assert 0 <= document["mean"]["dsc"] <= 100
    page = samplar(
        *("report", base / "run", "--predictions", out, "--truth", data, *truth),
        *("--baseline", f"the same again={scores}"),
    )
    assert page.status == 0, page.err
    assert "the same again" in (base / "run" / "report.html").read_text()


def test_sequences_given_as_plain_files_are_joined(journey):
    layout, base, data, _, _, _ = journey
    if layout != "nnunet":
        return
    files = sorted((data / "imagesTr").glob("case2_*"))
    whole = samplar("predict", base / "elsewhere", *files, "-o", base / "plain", "--json")
    assert whole.status == 0, whole.err
    (path,) = json.loads(whole.out)["done"]
    assert path.endswith("case2.nii.gz")
    half = samplar("predict", base / "elsewhere", files[0], "-o", base / "half")
    assert half.status == 3
    assert not (base / "half").exists()
