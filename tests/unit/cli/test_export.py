"""`samplar export`, as a user meets it."""

from __future__ import annotations

import json

import pytest
from command import QUICK, samplar
from phantom_sets import nifti


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run that can be exported, and one that cannot."""
    place = tmp_path_factory.mktemp("export")
    data = nifti(place / "set")
    for method in ("samed", "copy-nearest"):
        ran = samplar("fit", data, "-k", 1, "-o", place / method, "-M", method, *QUICK)
        assert ran.status == 0, ran.err
    return place


def test_writes_and_says_what(runs, tmp_path):
    ran = samplar("export", runs / "samed", "--format", "merged", "-o", tmp_path / "out")
    assert ran.status == 0
    names = ["sam.safetensors", "sam.pth", "README.md"]
    assert ran.out.startswith(f"{', '.join(names)} in {tmp_path / 'out'}, ")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)


def test_the_document(runs, tmp_path):
    out = tmp_path / "out"
    words = ("export", runs / "samed" / "adapter", "--format", "merged", "-o", out, "--json")
    document = json.loads(samplar(*words).out)
    assert document == {
        "out": str(out),
        "format": "merged",
        "files": ["sam.safetensors", "sam.pth", "README.md"],
        "bytes": sum(path.stat().st_size for path in out.iterdir()),
    }


@pytest.mark.parametrize(
    ("name", "layout", "code"),
    [
        ("copy-nearest", "merged", "export.method"),
        ("samed", "peft", "export.encoder"),
        ("samed", "samed", "export.encoder"),
        ("set", "merged", "adapter.missing"),
        ("nowhere", "merged", "adapter.missing"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_no_folder(runs, tmp_path, name, layout, code):
    out = tmp_path / "new" / "out"
    ran = samplar("export", runs / name, "--format", layout, "-o", out)
    assert ran.status == (5 if code.startswith("adapter.") else 2)
    (line,) = ran.err.strip().splitlines()
    assert line.endswith(f"[{code}]")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("missing", ["--format", "-o"])
def test_format_and_folder_have_to_be_given(runs, tmp_path, missing):
    words = {"--format": "merged", "-o": tmp_path / "out"}
    del words[missing]
    ran = samplar("export", runs / "samed", *(word for pair in words.items() for word in pair))
    assert ran.status == 2
    assert missing in ran.err


def test_an_unknown_format_is_refused(runs, tmp_path):
    ran = samplar("export", runs / "samed", "--format", "onnx", "-o", tmp_path / "out")
    assert ran.status == 2
    assert "'peft', 'samed', 'merged'" in ran.err
