"""Which subjects exemplars may come from (pool) and which are scored (test). Always by subject."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from samplar.config.base import nearest
from samplar.errors import InputError
from samplar.io.documents import read_json
from samplar.io.spelling import one_spelling
from samplar.io.wording import few

Subset = Literal["pool", "test"]


@dataclass(frozen=True)
class Split:
    """The subjects of one data set: `pool` for exemplars and choices, `test` for scores only."""

    pool: tuple[str, ...]
    test: tuple[str, ...]

    def subjects(self, subset: Subset) -> tuple[str, ...]:
        """Return the subjects of one side."""
        return self.pool if subset == "pool" else self.test


def read_split(path: Path, *, dataset: str, subjects: Collection[str]) -> Split:
    """Read the split of one data set from a JSON file of all of them.

    The file is `{data set folder name: {"pool": [subjects], "test": [subjects]}}`.

    Args:
        path: the JSON file.
        dataset: folder name of the data set.
        subjects: the subjects the data set has.

    Raises:
        InputError: `split.no_dataset` (lists the names there), `split.shape`, `split.overlap`,
            `split.unknown_subject`.
    """
    split = _parse(_entry(read_json(path), dataset, path), path)
    shared = sorted(set(split.pool) & set(split.test))
    if shared:
        problem = f"{len(shared)} subjects of {dataset} are in both pool and test: {few(shared)}"
        fix = "Keep each subject on one side"
        raise InputError(problem, fix=fix, code="split.overlap", path=path)
    unknown = [name for name in split.pool + split.test if name not in subjects]
    if unknown:
        guess = nearest(unknown[0], subjects)
        raise InputError(
            f"{len(unknown)} subjects are not in {dataset}: {few(unknown)}{guess}",
            fix="Name subjects as the data set does (see samplar check)",
            code="split.unknown_subject",
            path=path,
        )
    return split


def _entry(document: Any, dataset: str, path: Path) -> Any:
    entries = document if isinstance(document, dict) else {}
    names = sorted(name for name, entry in entries.items() if isinstance(entry, dict))
    if dataset not in names:
        raise InputError(
            f"no split for {dataset!r}; the file has {', '.join(names) or 'none'}",
            fix="Add it under the folder name of the data set",
            code="split.no_dataset",
            path=path,
        )
    return entries[dataset]


def _parse(entry: dict[str, Any], path: Path) -> Split:
    strange = sorted(set(entry) - {"pool", "test"})
    sides = [_side(entry.get(side), side, path) for side in ("pool", "test")]
    if strange:
        raise _misshapen(path, f"unknown key {', '.join(strange)}")
    return Split(pool=sides[0], test=sides[1])


def _side(value: Any, side: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str | int) for v in value) or not value:
        raise _misshapen(path, f"{side} is not a list of at least one subject")
    names = tuple(one_spelling(str(subject)) for subject in value)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise _misshapen(path, f"{side} names {few(repeated)} more than once")
    return names


def _misshapen(path: Path, problem: str) -> InputError:
    fix = 'Write {"data set": {"pool": ["subject", ...], "test": ["subject", ...]}}'
    return InputError(problem, fix=fix, code="split.shape", path=path)
