"""Partly labelled volumes: `labelled_slices.yaml` says which slices somebody labelled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from samplar.config.base import nearest
from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.documents import read_yaml
from samplar.io.spelling import one_spelling
from samplar.io.wording import few
from samplar.types import IGNORE

FILE_NAME = "labelled_slices.yaml"


def with_listed_slices(cases: Iterable[Case], path: Path) -> tuple[Case, ...]:
    """Return the cases with the slices listed in `{case id: [slice numbers]}`.

    A case that is not in the file is labelled throughout. Whether a slice is labelled is never
    concluded from its content: an empty slice is listed like any other.

    Raises:
        InputError: `labelled_slices.shape`, `labelled_slices.unknown_case`,
            `labelled_slices.no_label`.
    """
    cases = tuple(cases)
    listed = _parse(read_yaml(path), path)
    known = {case.id: case for case in cases}
    unknown = [id_ for id_ in listed if id_ not in known]
    if unknown:
        problem = f"{len(unknown)} unknown cases: {few(unknown)}{nearest(unknown[0], known)}"
        fix = "Use image names without suffix, those of digits only in quotes"
        raise InputError(problem, fix=fix, code="labelled_slices.unknown_case", path=path)
    bare = [id_ for id_ in listed if known[id_].label is None]
    if bare:
        problem = f"{len(bare)} cases have no label file: {few(bare)}"
        fix = "Add the label files or remove these lines"
        raise InputError(problem, fix=fix, code="labelled_slices.no_label", path=path)
    return tuple(replace(case, listed=listed.get(case.id)) for case in cases)


def ignore_unlisted(indices: np.ndarray, case: Case, axis: int) -> np.ndarray:
    """Return class indices (x, y, z) with every slice that is not listed set to IGNORE.

    Args:
        indices: class indices of the whole volume.
        case: its `listed` says which slices are labelled; None leaves the indices as they are.
        axis: the slicing axis.

    Raises:
        InputError: `labelled_slices.range` for a number beyond the last slice.
    """
    if case.listed is None:
        return indices
    count = indices.shape[axis]
    beyond = [number for number in case.listed if number >= count]
    if beyond:
        raise InputError(
            f"{FILE_NAME} lists slice {few(beyond)}, but there are {count} along axis {axis}",
            fix=f"Count the slices from 0 to {count - 1}, in file order",
            code="labelled_slices.range",
            path=case.label,
        )
    labelled = np.zeros(count, dtype=bool)
    labelled[list(case.listed)] = True
    out = indices.copy()
    np.moveaxis(out, axis, 0)[~labelled] = IGNORE
    return out


def _parse(document: Any, path: Path) -> dict[str, tuple[int, ...]]:
    if not isinstance(document, dict):
        raise _wrong(path, "this is not a list of cases")
    return {one_spelling(str(id_)): _numbers(id_, entry, path) for id_, entry in document.items()}


def _numbers(id_: Any, entry: Any, path: Path) -> tuple[int, ...]:
    if not isinstance(entry, list) or not entry:
        raise _wrong(path, f"{id_} does not list any slice")
    wrong = [n for n in entry if not isinstance(n, int) or isinstance(n, bool) or n < 0]
    if wrong:
        raise _wrong(path, f"{id_} lists {few(wrong)}, which are not slice numbers")
    return tuple(sorted(set(entry)))


def _wrong(path: Path, problem: str) -> InputError:
    fix = "Write CASE: [0, 5, 12], one line a case"
    return InputError(problem, fix=fix, code="labelled_slices.shape", path=path)
