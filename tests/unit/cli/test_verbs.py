"""Verbs that compute little: what they print and the documents they give."""

from __future__ import annotations

import json

import pytest
import yaml
from command import QUICK, samplar
from phantom_sets import nifti, split_of
from PIL import Image
from safetensors.numpy import load_file

from samplar.methods.registry import cards

ROW = {
    "name",
    "title",
    "paper",
    "plugs_in",
    "prompts",
    "trainable_parameters",
    "licence_note",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("verbs") / "set")


def test_methods_lists_every_card_without_counts():
    rows = json.loads(samplar("methods", "--json").out)
    assert [row["name"] for row in rows] == sorted(cards())
    assert all(set(row) == ROW for row in rows)
    assert {row["trainable_parameters"] for row in rows} == {None}
    text = samplar("methods").out
    assert all(name in text for name in cards())


def test_methods_counts_what_an_adapter_of_that_method_holds(data, tmp_path):
    rows = json.loads(samplar("methods", "--weights", "tiny", "--classes", 2, "--json").out)
    counts = {row["name"]: row["trainable_parameters"] for row in rows}
    assert counts["copy-nearest"] == 0
    assert counts["zero-shot"] == 0
    samplar("fit", data, "-k", 1, "-o", tmp_path / "run", "-M", "decoder-only", *QUICK)
    tensors = load_file(tmp_path / "run" / "adapter" / "adapter.safetensors")
    assert counts["decoder-only"] == sum(array.size for array in tensors.values()) > 0
    assert "trains 0 numbers" in samplar("methods", "-W", "tiny").out


def test_check_prints_counts_and_findings(data):
    ran = samplar("check", data)
    assert ran.status == 0
    assert "set: images and labels folders; 3 images, 3 with labels, of 3 subjects" in ran.out
    assert "18 labelled slices, 18 of them with foreground" in ran.out
    assert ran.out.splitlines()[-1] == "ok"
    assert samplar("check", data / "images").status == 3


def test_exemplars_are_listed_drawn_and_taken_by_fit(data, tmp_path):
    listing, sheet = tmp_path / "exemplars.yaml", tmp_path / "sheet.png"
    words = ("-k", 3, "--strategy", "random", "--seed", 4, "--split", split_of(data))
    ran = samplar("exemplars", data, *words, "-o", listing, "--preview", sheet, "--json")
    assert ran.status == 0, ran.err
    document = json.loads(ran.out)
    manifest = yaml.safe_load(listing.read_text())
    assert (manifest["strategy"], manifest["seed"]) == ("random", 4)
    assert manifest["exemplars"] == document["exemplars"]
    assert {entry["subject"] for entry in manifest["exemplars"]} == {"case0", "case1"}
    with Image.open(sheet) as picture:
        assert picture.size[0] > 3 * 190
    fitted = samplar("fit", data, "--exemplars", listing, "-o", tmp_path / "run", *QUICK)
    assert fitted.status == 0, fitted.err
    card = json.loads((tmp_path / "run" / "adapter" / "adapter.json").read_text())
    assert card["exemplars_digest"] == document["digest"]
    assert [e["slice"] for e in card["exemplars"]] == [e["slice"] for e in document["exemplars"]]


def test_diverse_exemplars_are_chosen_alike_by_exemplars_and_fit(data, tmp_path):
    words = ("-k", 2, "--strategy", "diverse")
    listing = tmp_path / "e.yaml"
    ran = samplar("exemplars", data, *words, "-W", "tiny", "-o", listing)
    assert ran.status == 0, ran.err
    assert "looking at the candidates: 100%" in ran.err
    assert ran.out.splitlines()[-1] == f"listed in {listing}"


def test_synth_draws_a_sheet(data, tmp_path):
    sheet = tmp_path / "sheet.png"
    words = (
        "--preview",
        sheet,
        "-k",
        2,
        "-W",
        "tiny",
        "-n",
        5,
        "--size",
        64,
        "--synthesis",
        "light",
    )
    ran = samplar("synth", data, *words, "--json")
    assert json.loads(ran.out) == {"preview": str(sheet), "exemplars": 2, "images": 5}
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
    again = tmp_path / "again.png"
    samplar("synth", data, "--preview", again, *words[2:])
    assert again.read_bytes() == sheet.read_bytes()


def test_weights_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path))
    rows = {row["name"]: row for row in json.loads(samplar("weights", "list", "--json").out)}
    assert rows["tiny"]["present"] is True
    assert rows["lite-medsam"] == {
        "name": "lite-medsam",
        "title": "LiteMedSAM: SAM for medical images with a TinyViT encoder",
        "present": False,
        "path": None,
        "size": 0,
        "licence": "Apache-2.0",
    }
    assert "lite-medsam: not fetched." in samplar("weights", "list").out


def test_weights_that_are_made_in_memory_need_no_fetching():
    ran = samplar("weights", "fetch", "tiny", "--json")
    document = json.loads(ran.out)
    assert (document["name"], document["path"], document["rules"]) == ("tiny", None, [])
    assert (document["revision"], document["like"]) == (None, None)
    assert "made in memory" in samplar("weights", "fetch", "tiny").out


def test_weights_add_refuses_a_file_that_is_not_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x.pth").write_bytes(b"something else")
    ran = samplar("weights", "add", "lite-medsam", tmp_path / "x.pth")
    assert ran.status == 5
    assert "[weights." in ran.err


def test_doctor_finds_nothing_wrong_here():
    facts = json.loads(samplar("doctor", "--json").out)
    assert facts["ok"] is True, facts["problems"]
    assert facts["weights"]["tiny"] is True
    assert all(facts["methods"].values())
    text = samplar("doctor").out
    assert text.splitlines()[-1] == "ok"
    assert "torch" in text


def test_a_fit_that_is_not_json_ends_with_the_next_command(data, tmp_path):
    run = tmp_path / "a run"
    ran = samplar("fit", data, "-k", 1, "-o", run, "-M", "copy-nearest", "-W", "tiny", "-q")
    assert ran.status == 0, ran.err
    assert ran.err == ""
    (line,) = ran.out.splitlines()
    assert line.endswith(f"next: samplar predict '{run}' IMAGES -o predictions")
    out = tmp_path / "out"
    told = samplar("predict", run, data, "-o", out, "--probabilities", "--largest")
    assert told.out.startswith(f"3 cases in {out}, ")
    scored = samplar("evaluate", out, data, "--tolerance", 4)
    assert "NSD at 4 mm" in scored.out
    assert "3 cases of 3 subjects, protocol strict" in scored.out
    assert samplar("report", run).out == f"report in {run / 'report.html'}\n"
    bad = tmp_path / "scores.json"
    bad.write_text("{}")
    words = ("--predictions", out, "--truth", data, "--baseline", f"x={bad}")
    assert "[evaluation.unreadable]" in samplar("report", run, *words).err
