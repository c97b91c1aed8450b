"""The class names a data set declares, as name to value or value to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.documents import read_json
from samplar.io.labels import MAX_CLASSES, LabelSet
from samplar.io.wording import few

MAX_VALUE = 65_535


def declared_labels(
    root: Path, description: Mapping[str, Any], cases: Sequence[Case]
) -> tuple[LabelSet | None, tuple[Case, ...]]:
    """Find the classes a data set declares, in dataset.json or label_names.json.

    Returns:
        The classes, or None if it declares none; and the cases, with classes of their own if
        label_names.json numbers them by case.

    Raises:
        InputError: `labels.*`, see `parse_labels`; `labels.two_declarations` if the files disagree.
    """
    main, names = root / "dataset.json", root / "label_names.json"
    declared = parse_labels(description["labels"], main) if "labels" in description else None
    if not names.exists():
        return declared, tuple(cases)
    document = read_json(names)
    per_case = parse_labels_per_case(document, names)
    if per_case:
        own = _with_own_labels(cases, per_case, names)
        joined = join_by_name(per_case)
    else:
        own, joined = tuple(cases), parse_labels(document, names)
    if declared is not None and declared != joined:
        raise InputError(
            "dataset.json declares other classes",
            fix="Keep one of the two declarations",
            code="labels.two_declarations",
            path=names,
        )
    return joined, own


def parse_labels(document: Any, path: Path) -> LabelSet:
    """Read declared classes: `{"liver": 1}`, `{"1": "liver"}` or `{"1": {"name": "liver"}}`.

    `background` is 0; a class called `ignore` marks what nobody labelled. Gaps are fine. A list
    makes one class of several values, `{"tumour": [1, 2, 4]}`: it is written as the first of them.
    What is listed under `background` with 0 counts as background.

    Raises:
        InputError: `labels.regions` (classes that share a value), `labels.declaration`.
    """
    if not isinstance(document, Mapping) or not document:
        raise _wrong(path, "the labels are not a list of names and values")
    listed = dict(_name_and_values(key, entry, path) for key, entry in document.items())
    if len(listed) < len(document):
        raise _wrong(path, f"{len(document)} labels share {len(listed)} names")
    _check_values(listed, path)
    values = {name: several[0] for name, several in listed.items()}
    ignore = values.pop("ignore", None)
    values.pop("background", None)
    if not values:
        raise _wrong(path, "0 classes besides background")
    if len(values) > MAX_CLASSES:
        raise _wrong(path, f"{len(values)} classes, more than the {MAX_CLASSES} allowed")
    names = sorted(values, key=lambda name: values[name])
    places = {"background": 0, **{name: place for place, name in enumerate(names, start=1)}}
    return LabelSet(
        tuple(names),
        tuple(values[name] for name in names),
        ignore,
        tuple((value, places[name]) for name in places for value in listed.get(name, ())[1:]),
    )


def parse_labels_per_case(document: Any, path: Path) -> dict[str, LabelSet]:
    """Read `{case: declared classes}`, for cases that number their classes differently.

    Returns an empty dict for the plain form, in which the file declares one list for all cases.
    """
    if not isinstance(document, Mapping):
        return {}
    nested = {
        case: entry
        for case, entry in document.items()
        if isinstance(entry, Mapping) and "name" not in entry
    }
    if not nested or len(nested) < len(document):
        return {}
    return {str(case): parse_labels(entry, path) for case, entry in nested.items()}


def join_by_name(label_sets: Mapping[str, LabelSet]) -> LabelSet:
    """Make one list of classes from several, the same name being the same class.

    The file values stay if no name and no value is used in two ways; otherwise the classes are
    numbered 1, 2, ... in order of first appearance.
    """
    pairs = {
        pair: None
        for labels in label_sets.values()
        for pair in zip(labels.names, labels.values, strict=True)
    }
    names = list(dict.fromkeys(name for name, _ in pairs))
    values = {value for _, value in pairs}
    if len(names) == len(values) == len(pairs):
        ordered = sorted(pairs, key=lambda pair: pair[1])
        return LabelSet(tuple(n for n, _ in ordered), tuple(v for _, v in ordered))
    if len(names) > MAX_CLASSES:
        raise InputError(
            f"{len(names)} different class names over {len(label_sets)} cases,"
            f" more than the {MAX_CLASSES} allowed",
            fix="Give each group of cases a data set of its own",
            code="labels.too_many",
        )
    return LabelSet(tuple(names), tuple(range(1, len(names) + 1)))


def _with_own_labels(
    cases: Sequence[Case], per_case: Mapping[str, LabelSet], path: Path
) -> tuple[Case, ...]:
    absent = [case.id for case in cases if case.id not in per_case]
    if absent:
        raise _wrong(path, f"{len(absent)} of {len(cases)} cases have no classes: {few(absent)}")
    return tuple(replace(case, own_labels=per_case[case.id]) for case in cases)


def _name_and_values(key: Any, entry: Any, path: Path) -> tuple[str, tuple[int, ...]]:
    if isinstance(entry, Mapping):
        entry = entry.get("name")
    if isinstance(entry, list | tuple) and entry and all(map(_is_whole, entry)):
        return _clean(key), tuple(map(int, entry))
    if _is_whole(entry):
        return _clean(key), (int(entry),)
    if isinstance(entry, str) and _is_whole(key):
        return _clean(entry), (int(key),)
    raise _wrong(path, f"{key!r}: {entry!r} is neither name: value nor value: name")


def _is_whole(value: Any) -> bool:
    """Tell whether this is a whole number, or one in quotes (JSON keys always are)."""
    if isinstance(value, str):
        return value.strip().removeprefix("-").isdecimal() and value.isascii()
    return isinstance(value, int) and not isinstance(value, bool)


def _clean(name: Any) -> str:
    text = " ".join(str(name).split())
    return text.lower() if text.lower() in {"background", "ignore"} else text


def _check_values(listed: Mapping[str, tuple[int, ...]], path: Path) -> None:
    if "" in listed:
        raise _wrong(path, f"the value {listed[''][0]} has an empty name")
    flat = [value for several in listed.values() for value in several]
    outside = [value for value in flat if not 0 <= value <= MAX_VALUE]
    if outside:
        raise _wrong(path, f"values outside 0..{MAX_VALUE}: {few(outside)}")
    _check_shared(listed, flat, path)
    zero = [name for name, several in listed.items() if 0 in several]
    if listed.get("background", (0,))[0] != 0 or (zero and zero != ["background"]):
        raise _wrong(path, "the value 0 is always background and background is always 0")
    if len(listed.get("ignore", ())) > 1:
        raise _wrong(path, f"ignore has {len(listed['ignore'])} values, it can have one")


def _check_shared(listed: Mapping[str, tuple[int, ...]], flat: list[int], path: Path) -> None:
    shared = sorted({value for value in flat if flat.count(value) > 1})
    if not shared:
        return
    names = [name for name, several in listed.items() if shared[0] in several]
    if len(flat) == len(listed):
        raise _wrong(path, f"several classes share a value: {few(names)} are {shared[0]}")
    raise InputError(
        f"the value {shared[0]} is in {few(names)}; a voxel has one class here",
        fix='List each value once, such as {"oedema": 2, "core": [1, 4]}; '
        "overlapping regions can be scored with samplar evaluate --regions",
        code="labels.regions",
        path=path,
    )


def _wrong(path: Path, problem: str) -> InputError:
    fix = 'Write {"background": 0, "liver": 1, ...}'
    return InputError(problem, fix=fix, code="labels.declaration", path=path)
