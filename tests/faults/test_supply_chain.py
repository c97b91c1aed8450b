"""What is installed with samplar: licences, versions with known holes, pins."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import licences
import pytest
import vulnerabilities

ROOT = Path(__file__).parents[2]
FLOORS = {"torch": (2, 10), "nibabel": (5, 4), "pillow": (12, 1), "safetensors": (0, 5)}
"""The oldest versions without a known hole that reaches us."""


def test_no_licence_of_a_runtime_dependency_is_copyleft():
    found = {name: licences.licence(entry) for name, entry in licences.runtime().items()}
    assert {"torch", "numpy", "nibabel", "pydantic", "typer"} <= found.keys()
    assert [name for name, text in found.items() if licences.forbidden(text)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", False),
        ("BSD-3-Clause AND 0BSD", False),
        ("MPL-2.0 AND MIT", False),
        ("GPL-3.0-only", True),
        ("MIT AND LGPL-2.1-or-later", True),
        ("GPL-2.0-only OR MIT", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", True),
        ("AGPL-3.0", True),
        ("CC-BY-NC-4.0", True),
        ("none stated", True),
    ],
)
def test_licences_that_are_refused(text, expected):
    assert licences.forbidden(text) is expected


def test_versions_with_known_holes_cannot_be_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = dict(re.split(r">=", text) for text in project["dependencies"])
    for name, least in FLOORS.items():
        assert tuple(map(int, floors[name].split(".")))[:2] >= least, name


def test_what_is_pinned_is_pinned_exactly():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith(("#", "-"))]
    assert len(pins) > 30
    assert all(re.match(r"[A-Za-z0-9_.-]+==\S+", pin) for pin in pins)


FOUND = {
    "dependencies": [
        {"name": "good", "version": "1", "vulns": []},
        {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]},
    ]
}


@pytest.mark.parametrize(
    "case",
    [
        (json.dumps(FOUND), "", 1, "bad 2: PYSEC-1, fixed in 3"),
        (json.dumps({"dependencies": FOUND["dependencies"][:1]}), "", 0, "0 known"),
        ("", "Traceback\nConnectionError: no route to host", 0, "not checked"),
        ("", "", 0, "no answer"),
    ],
)
def test_known_vulnerabilities_are_told_and_no_internet_is_no_failure(monkeypatch, capsys, case):
    out, err, status, words = case
    ran = subprocess.CompletedProcess([], 1, out, err)
    monkeypatch.setattr(vulnerabilities.subprocess, "run", lambda *_, **__: ran)
    assert vulnerabilities.main(ROOT / "constraints.txt") == status
    assert words in capsys.readouterr().out
