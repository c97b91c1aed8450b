"""Medical Segmentation Decathlon: dataset.json lists the pairs under `training`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samplar.errors import InputError, SamplarError
from samplar.io.case import Case
from samplar.io.layouts.listing import Listing
from samplar.io.names import stem_of
from samplar.io.spelling import one_spelling


def recognise(root: Path, description: Mapping[str, Any]) -> bool:
    """Tell whether dataset.json lists pairs whose files are there under these names."""
    entries = description.get("training")
    if not isinstance(entries, list):
        return False
    names = [entry.get("image") for entry in entries if isinstance(entry, dict)]
    return any(isinstance(name, str) and (root / name).is_file() for name in names)


def list_cases(
    root: Path, description: Mapping[str, Any], channel_names: Sequence[str] = ()
) -> Listing:
    """List the training cases."""
    cases: dict[str, Case] = {}
    problems: list[SamplarError] = []
    for entry in description["training"]:
        try:
            case = _case(root, entry)
            if case.id in cases:
                raise _wrong(root, f"the case {case.id} is listed more than once")
            cases[case.id] = case
        except InputError as problem:
            problems.append(problem)
    return Listing(
        layout="Decathlon",
        cases=tuple(cases[id_] for id_ in sorted(cases)),
        channel_names=tuple(channel_names),
        problems=tuple(problems),
    )


def _case(root: Path, entry: Any) -> Case:
    if not isinstance(entry, Mapping):
        raise _wrong(root, f"{entry!r} is not a pair of image and label")
    image, label = (_existing(root, entry.get(key), key) for key in ("image", "label"))
    id_ = one_spelling(stem_of(image))
    return Case(id_, id_, (image,), label)


def _existing(root: Path, name: Any, key: str) -> Path:
    """Return a listed file, which must be inside the data set."""
    if not isinstance(name, str):
        raise _wrong(root, f"an entry has no {key}")
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise _wrong(root, f"the {key} {name} is outside the data set")
    if not path.is_file():
        raise _wrong(root, f"the {key} {name} does not exist")
    return path


def _wrong(root: Path, problem: str) -> InputError:
    fix = "Correct the list named training"
    return InputError(problem, fix=fix, code="dataset.list", path=root / "dataset.json")
