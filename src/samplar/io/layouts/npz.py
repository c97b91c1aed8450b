"""MedSAM archives: one `.npz` a case with `imgs`, perhaps `gts` and `spacing`."""

from __future__ import annotations

import zipfile
from pathlib import Path

from samplar.errors import InputError, SamplarError
from samplar.io.case import Case
from samplar.io.layouts.listing import Listing, files_in
from samplar.io.names import stem_of
from samplar.io.spelling import one_spelling


def recognise(root: Path) -> bool:
    """Tell whether a folder is laid out this way."""
    return bool(files_in(root, (".npz",)))


def list_cases(root: Path) -> Listing:
    """List the archives; one without `gts` is a case without labels."""
    cases: list[Case] = []
    problems: list[SamplarError] = []
    for path in files_in(root, (".npz",)):
        id_ = one_spelling(stem_of(path))
        try:
            members = _members(path)
        except InputError as problem:
            problems.append(problem)
            continue
        label = path if "gts.npy" in members else None
        cases.append(Case(id_, id_, (path,), label))
    return Listing(layout="MedSAM npz", cases=tuple(cases), problems=tuple(problems))


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise _wrong(path, f"not a readable npz archive: {error}") from error
    if "imgs.npy" not in members:
        raise _wrong(path, f"the archive has {', '.join(members) or 'no members'} but no imgs")
    return members


def _wrong(path: Path, problem: str) -> InputError:
    fix = "Save it again with numpy.savez_compressed(path, imgs=..., gts=..., spacing=...)"
    return InputError(problem, fix=fix, code="dataset.npz", path=path)
