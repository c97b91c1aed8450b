"""Small texts: YAML, JSON and CSV. None has a checksum; each must be read as what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from fuzzing.images import png_bytes
from fuzzing.target import Reading, Target
from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.exemplars.manifest import read_manifest
from samplar.io.documents import read_json, read_yaml
from samplar.io.splits import read_split
from samplar.io.survey import refuse_problems, survey

NAMES = ("anna", "bela", "cyr", "dora")


def document_targets() -> list[Target]:
    """Return every kind of document."""
    return [_exemplars(), _config(), _split(), *_dataset(), _index(), _slices(), _json(), _yaml()]


def _plain(value: object) -> str:
    return repr(value)


def _target(
    name: str, file: str, text: str, read: Callable[[Path], Reading], **more: Any
) -> Target:
    data = text.encode()
    return Target(name, file, data, read, False, data.upper(), text=True, **more)


def _exemplars() -> Target:
    entries = [
        {"case": f"{name}_1", "slice": 3 * n, "subject": name, "digest": f"{n}a" * 32}
        for n, name in enumerate(NAMES)
    ]
    text = yaml.safe_dump({"strategy": "diverse", "seed": 5, "exemplars": entries})
    return _target("exemplars.yaml", "exemplars.yaml", text, lambda p: _plain(read_manifest(p)))


def _config() -> Target:
    settings = json.loads(FitConfig(dataset=Path("data"), size=64).model_dump_json())
    text = yaml.safe_dump(settings, sort_keys=False)

    def read(path: Path) -> Reading:
        found = read_yaml(path)
        return _plain(build(FitConfig, found if isinstance(found, dict) else {}, path=str(path)))

    return _target("config.yaml", "config.yaml", text, read)


def _split() -> Target:
    people = [f"{name}-{n}" for name in NAMES for n in range(16)]
    sides = {"pool": people[:40], "test": people[40:]}
    text = json.dumps({"set": sides, "other": {"pool": ["x"], "test": ["y"]}}, indent=1)
    return _target(
        "split.json",
        "split.json",
        text,
        lambda path: _plain(read_split(path, dataset="set", subjects=people)),
    )


def _small_set(folder: Path) -> None:
    """Write the pictures of a data set that the documents are about; nobody looks into them."""
    for place in ("images", "labels"):
        (folder / place).mkdir(exist_ok=True)
        for name in NAMES:
            (folder / place / f"{name}.png").write_bytes(_DOT)


def _surveyed(path: Path) -> Reading:
    found = survey(path.parent)
    refuse_problems(found.problems, path.parent)
    cases = [(c.id, c.subject, c.listed, c.own_labels) for c in found.cases]
    return _plain((found.layout, cases, found.channel_names, found.declared))


def _survey(name: str, file: str, text: str) -> Target:
    return _target(name, file, text, _surveyed, beside=_small_set)


def _dataset() -> list[Target]:
    classes = {f"structure number {n}": n for n in range(1, 24)}
    described = {
        "name": "set",
        "channel_names": {"0": "T1"},
        "labels": {"background": 0, **classes},
        "file_ending": ".png",
    }
    names = {str(value): name for name, value in classes.items()}
    return [
        _survey("dataset.json", "dataset.json", json.dumps(described, indent=1)),
        _survey("label_names.json", "label_names.json", json.dumps(names, indent=1)),
    ]


def _index() -> Target:
    rows = [f"{name}.png,{name},made for the tests of {name}" for name in NAMES]
    padding = [f"unused-{n}.png,nobody,," for n in range(20)]
    return _survey("index.csv", "index.csv", "\n".join(["file,subject,note", *rows, *padding]))


def _slices() -> Target:
    text = "".join(f"{name}: {list(range(n, 80 + n, 2))}\n" for n, name in enumerate(NAMES))
    return _survey("labelled_slices.yaml", "labelled_slices.yaml", text)


_VALUES = {
    "text": 'grüße, with "quotes" and \\ and \t',
    "numbers": [0, -1, 2.5, 1e-9, 12345678901234567890],
    "others": [True, False, None, {}, []],
    "deep": {"a": [{"b": [[["c"]]]}, {"b": [[[]]]}]},
    "many": {f"key {n}": f"value {n}" for n in range(20)},
}


def _json() -> Target:
    """Any JSON, against a plain parse of it."""

    def says(data: bytes) -> Reading | None:
        try:
            return _plain(json.loads(data.decode("utf-8-sig")))
        except (ValueError, RecursionError):
            return None

    text = json.dumps(_VALUES, indent=1, ensure_ascii=False)
    return _target("any json", "a.json", text, lambda path: _plain(read_json(path)), says=says)


def _yaml() -> Target:
    """Any YAML, against the pure Python parser's reading of it."""

    def says(data: bytes) -> Reading | None:
        try:
            return _plain(yaml.load(data.decode("utf-8-sig"), Loader=yaml.SafeLoader))
        except Exception:
            return None

    text = yaml.safe_dump(_VALUES, allow_unicode=True)
    return _target("any yaml", "a.yaml", text, lambda path: _plain(read_yaml(path)), says=says)


_DOT = png_bytes(__import__("numpy").ones((2, 2), "uint8"))
