"""Manifests, splits, class names and tables that are wrong or hostile: none succeeds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import QUICK, Ran, samplar
from refusals import choose, refused, small_set

LETTERS = zip("abcdefg", "bcdefgh", strict=True)
BOMB = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in LETTERS)
PYTHON = "!!python/object/apply:os.system ['touch CANARY']"
DEEP = "[" * 5000 + "]" * 5000

HOSTILE = {
    "python tag": f"exemplars: {PYTHON}",
    "python tag, long form": "exemplars: !<tag:yaml.org,2002:python/object/new:os.system> [x]",
    "python name": "exemplars: !!python/name:os.system",
    "python module": "exemplars: !!python/module:antigravity",
    "tag of its own": "exemplars: !include /etc/passwd",
    "tag on text": "exemplars: [{case: !!str case0, slice: 0}]",
    "empty number tag": "exemplars: [{case: case0, slice: !!int ''}]",
    "wrong boolean tag": "exemplars: [{case: case0, slice: !!bool x}]",
    "wrong time tag": "exemplars: [{case: case0, slice: !!timestamp x}]",
    "binary": "exemplars: !!binary R0lGODlhDAAMAIQAAP",
    "alias bomb": BOMB + "exemplars: *h\n",
    "anchor alone": "exemplars: &here [{case: case0, slice: 0}]",
    "alias of itself": "exemplars: &a [*a]",
    "merge key": "base: &b {case: case0}\nexemplars: [{<<: *b, slice: 0}]",
    "deep nesting": f"exemplars: {DEEP}",
    "two documents": "exemplars: [{case: case0, slice: 0}]\n---\nexemplars: []\n",
    "key twice": "exemplars: [{case: case0, slice: 0}]\nexemplars: []\n",
    "key twice inside": "exemplars: [{case: case0, slice: 0, slice: 1}]",
    "control characters": "exemplars: [{case: 'case0\x00', slice: 0}]",
    "unclosed": "exemplars: [{case: case0, slice: 0}",
    "tab indent": "exemplars:\n\t- {case: case0, slice: 0}",
    "list as key": "? [a, b]\n: c\n",
    "octal name": "exemplars: [{case: 0012, slice: 0}]",
    "sexagesimal name": "exemplars: [{case: 12:30, slice: 0}]",
    "underscored number": "exemplars: [{case: case0, slice: 0_1}]",
    "hexadecimal number": "exemplars: [{case: case0, slice: 0x1}]",
    "endless number": f"exemplars: [{{case: case0, slice: {'9' * 5000}}}]",
    "too large": "# " + "x" * (1 << 20) + "\nexemplars: []",
}
"""Texts that no reader takes; each with the same code, and none runs anything."""

WRONG = {
    "no list": ("[]", 3, "exemplars.shape"),
    "no such key": ("slices: []", 3, "exemplars.shape"),
    "empty": ("", 3, "exemplars.shape"),
    "empty list": ("exemplars: []", 2, "config.invalid"),
    "no slice": ("exemplars: [{case: case0}]", 2, "config.invalid"),
    "negative slice": ("exemplars: [{case: case0, slice: -1}]", 2, "config.invalid"),
    "slice in words": ("exemplars: [{case: case0, slice: two}]", 2, "config.invalid"),
    "slice a half": ("exemplars: [{case: case0, slice: 0.5}]", 2, "config.invalid"),
    "slice true": ("exemplars: [{case: case0, slice: true}]", 2, "config.invalid"),
    "slice infinite": ("exemplars: [{case: case0, slice: .inf}]", 2, "config.invalid"),
    "huge slice": ("exemplars: [{case: case0, slice: 99999999999}]", 3, "exemplars.slice"),
    "unknown case": ("exemplars: [{case: nobody, slice: 0}]", 3, "exemplars.unknown"),
    "path as case": ("exemplars: [{case: ../../etc/passwd, slice: 0}]", 3, "exemplars.unknown"),
    "absolute path as case": ("exemplars: [{case: /etc/passwd, slice: 0}]", 3, "exemplars.unknown"),
    "look-alike case": ("exemplars: [{case: c\u0430se0, slice: 0}]", 3, "exemplars.unknown"),
    "right-to-left case": (
        'exemplars: [{case: "case\\u202e0", slice: 0}]',
        3,
        "exemplars.unknown",
    ),
    "listed twice": ("exemplars: [{case: case0, slice: 0}, {case: case0, slice: 0}]", 3, None),
    "other digest": ("exemplars: [{case: case0, slice: 0, digest: 'ab'}]", 3, "exemplars.changed"),
    "other subject": (
        "exemplars: [{case: case0, slice: 0, subject: eve}]",
        3,
        "exemplars.subject",
    ),
    "date as case": ("exemplars: [{case: 2020-01-01, slice: 0}]", 2, "config.invalid"),
    "unknown key": ("exemplars: [{case: case0, slice: 0, run: x}]", 2, "config.invalid"),
}


def fit(data: Path, manifest: Path) -> Ran:
    return samplar("fit", data, "--exemplars", manifest, "-o", data.parent / "run", *QUICK)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_list_of_exemplars_that_would_do_harm(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "list.yaml"
    manifest.write_text(HOSTILE[name], encoding="utf-8")
    code = "document.duplicate_key" if "twice" in name else "document.unreadable"
    refused(fit(small_set(tmp_path / "set"), manifest), status=3, code=code, names="list.yaml")
    assert not (tmp_path / "CANARY").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", WRONG)
def test_a_list_of_exemplars_that_is_wrong(tmp_path, name):
    text, status, code = WRONG[name]
    manifest = tmp_path / "list.yaml"
    manifest.write_text(text, encoding="utf-8")
    ran = fit(small_set(tmp_path / "set"), manifest)
    code = code or "exemplars.repeated"
    names = {"exemplars.unknown": "/set", "exemplars.slice": "case0"}.get(code, "list.yaml")
    line = refused(ran, status=status, code=code, names=names)
    assert "\u202e" not in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [*HOSTILE])
def test_the_same_as_settings(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(HOSTILE[name], encoding="utf-8")
    data = small_set(tmp_path / "set")
    ran = samplar("fit", data, "--config", config, "-o", tmp_path / "run", *QUICK)
    code = "document.duplicate_key" if "twice" in name else "document.unreadable"
    refused(ran, status=3, code=code, names="config.yaml")
    assert not (tmp_path / "CANARY").exists()


PLACES = {
    "fifo": os.mkfifo,
    "folder": lambda path: path.mkdir(),
    "loop": lambda path: path.symlink_to(path.name),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "latin-1": lambda path: path.write_bytes("exemplars: [{case: b\xe4r}]".encode("latin-1")),
    "utf-16": lambda path: path.write_text("exemplars: []", encoding="utf-16"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("option", ["--exemplars", "--config", "--split"])
def test_a_document_that_is_no_text_file(tmp_path, place, option):
    path = tmp_path / "given"
    PLACES[place](path)
    data = small_set(tmp_path / "set")
    ran = samplar("fit", data, option, path, "-o", tmp_path / "run", *QUICK)
    refused(ran, status=3, code="document.unreadable", names="given")


SIDE_FILES = [
    ("dataset.json", "{", "document.unreadable"),
    ("dataset.json", "[]", "document.unreadable"),
    ("dataset.json", '{"labels": {"a": 1}, "labels": {}}', "document.duplicate_key"),
    ("dataset.json", '{"labels": {"a": NaN}}', "document.unreadable"),
    ("dataset.json", '{"labels": {"a": 1e999}}', "document.unreadable"),
    ("dataset.json", '{"labels": {"a": ' + "9" * 5000 + "}}", "document.unreadable"),
    ("dataset.json", '{"a": ' * 100_000, "document.unreadable"),
    ("dataset.json", '{"x": "' + "y" * (1 << 20) + '"}', "document.unreadable"),
    ("label_names.json", '{"1": "a", "2": "a"}', "labels.declaration"),
    ("label_names.json", '{"1": ""}', "labels.declaration"),
    ("label_names.json", '{"-1": "a"}', "labels.declaration"),
    ("label_names.json", '{"70000": "a"}', "labels.declaration"),
    ("label_names.json", '{"0": "a"}', "labels.declaration"),
    ("label_names.json", '{"a": 1, "b": 1}', "labels.declaration"),
    ("label_names.json", '{"a": [1, 2], "b": [2]}', "labels.regions"),
    ("label_names.json", '{"a": 1.5}', "labels.declaration"),
    ("label_names.json", '{"a": null}', "labels.declaration"),
    ("label_names.json", '"a"', "labels.declaration"),
    ("label_names.json", "{}", "labels.declaration"),
    ("index.csv", "", "index.columns"),
    ("index.csv", "file\ncase0.nii.gz\n", "index.columns"),
    ("index.csv", "file,subject,subject\na,b,c\n", "index.columns"),
    ("index.csv", "file,subject\ncase0.nii.gz,anna\n", "index.missing_case"),
    ("index.csv", "file,subject\ncase0,anna\ncase0,bela\n", "index.conflict"),
    ("index.csv", 'file,subject\n"case0"x,anna\n', "document.unreadable"),
    ("index.csv", "file,subject\n" + "x" * 200_000 + ",anna\n", "document.unreadable"),
    ("index.csv", 'file,subject\n"case0,anna\n', "document.unreadable"),
    ("labelled_slices.yaml", "[]", "labelled_slices.shape"),
    ("labelled_slices.yaml", "case0: []", "labelled_slices.shape"),
    ("labelled_slices.yaml", "case0: [-1]", "labelled_slices.shape"),
    ("labelled_slices.yaml", "case0: [true]", "labelled_slices.shape"),
    ("labelled_slices.yaml", "case0: [99]", "labelled_slices.range"),
    ("labelled_slices.yaml", "../case0: [1]", "labelled_slices.unknown_case"),
    ("labelled_slices.yaml", "0012: [1]", "document.unreadable"),
]


@pytest.mark.parametrize(("name", "text", "code"), SIDE_FILES, ids=range(len(SIDE_FILES)))
def test_the_files_beside_a_data_set(tmp_path, name, text, code):
    data = small_set(tmp_path / "set")
    if name == "dataset.json":
        (data / "label_names.json").unlink()
    (data / name).write_text(text, encoding="utf-8")
    names = "case0" if code == "labelled_slices.range" else name
    refused(choose(data), status=3, code=code, names=names)


SPLITS = [
    ("{", "document.unreadable"),
    ("[]", "split.no_dataset"),
    ('{"other": {}}', "split.no_dataset"),
    ('{"set": []}', "split.no_dataset"),
    ('{"set": {}}', "split.shape"),
    ('{"set": {"pool": [], "test": ["case1"]}}', "split.shape"),
    ('{"set": {"pool": "case0", "test": ["case1"]}}', "split.shape"),
    ('{"set": {"pool": ["case0"], "test": ["case1"], "val": []}}', "split.shape"),
    ('{"set": {"pool": ["case0", "case0"], "test": ["case1"]}}', "split.shape"),
    ('{"set": {"pool": ["case0"], "test": ["case0"]}}', "split.overlap"),
    ('{"set": {"pool": ["case0"], "test": ["../case1"]}}', "split.unknown_subject"),
    ('{"set": {"pool": ["case0"], "test": [null]}}', "split.shape"),
    ('{"set": {"pool": ["case0"], "pool": ["case1"], "test": ["x"]}}', "document.duplicate_key"),
]


@pytest.mark.parametrize(("text", "code"), SPLITS)
def test_splits(tmp_path, text, code):
    path = tmp_path / "split.json"
    path.write_text(text)
    ran = choose(small_set(tmp_path / "set"), "--split", path)
    refused(ran, status=3, code=code, names="split.json")


REGIONS = [
    ("{}", "regions.shape"),
    ("[1]", "regions.shape"),
    ('{"a": 1}', "regions.shape"),
    ('{"a": []}', "regions.shape"),
    ('{"a": [true]}', "regions.shape"),
    ('{"a": [9]}', "regions.unknown"),
    ('{"a": [0]}', "regions.unknown"),
    ('{"a": [1e400]}', "document.unreadable"),
    ("\x00", "document.unreadable"),
]


@pytest.mark.parametrize(("text", "code"), REGIONS)
def test_regions(tmp_path, text, code):
    path = tmp_path / "regions.json"
    path.write_text(text)
    data = small_set(tmp_path / "set")
    ran = samplar("evaluate", data / "labels", data, "--regions", path)
    refused(ran, status=3, code=code, names="regions.json")
