"""Images to predict: files, and folders of them, without labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.layouts.listing import by_stem, files_in, join_sequences, sequence_of
from samplar.io.survey import refuse_problems
from samplar.io.wording import few


def find_images(paths: Iterable[Path], *, sequences: int = 1) -> list[Case]:
    """List the images given as files or as folders, sorted by id.

    Args:
        paths: files or folders; a folder is not searched below its top.
        sequences: how many files make one image; more than one are found by the endings `_0000`,
            `_0001`, ... nnU-Net's `_0000` is also taken off if all images have it.

    Raises:
        InputError: `input.missing`, `input.empty`, `input.same_name`, `dataset.sequence`.
    """
    cases: dict[str, Case] = {}
    for group in _groups(paths):
        for id_, files in _images(group, sequences).items():
            if id_ in cases:
                raise _same_name(id_, cases[id_].images[0], files[0])
            cases[id_] = Case(id_, id_, files, None)
    return [cases[id_] for id_ in sorted(cases)]


def _groups(paths: Iterable[Path]) -> list[list[Path]]:
    """Return the files of each folder, and the files given one by one."""
    single: list[Path] = []
    folders: list[list[Path]] = []
    for path in paths:
        if path.is_dir():
            folders.append(_files(path))
        elif path.exists():
            single.append(path)
        else:
            fix = "Check the path"
            raise InputError("no such file or folder", fix=fix, code="input.missing", path=path)
    if not single and not folders:
        raise InputError("0 inputs given", fix="Give images or a folder", code="input.empty")
    return [*folders, single] if single else folders


def _files(folder: Path) -> list[Path]:
    files = files_in(folder)
    if files:
        return files
    inner = sorted(e.name for e in folder.iterdir() if e.is_dir() and files_in(e))
    fix = f"Give {folder / inner[0]}" if inner else "Give a folder of NIfTI, PNG, JPEG, TIFF or npz"
    raise InputError("0 images in this folder", fix=fix, code="input.empty", path=folder)


def _images(files: Sequence[Path], sequences: int) -> Mapping[str, tuple[Path, ...]]:
    stems, clashes = by_stem(files)
    refuse_problems(clashes, files[0].parent)
    parts = {stem: sequence_of(stem) for stem in stems}
    if sequences == 1 and not all(p is not None and p[1] == 0 for p in parts.values()):
        return {stem: (path,) for stem, path in stems.items()}
    images, problems = join_sequences(stems, names=(), count=sequences)
    refuse_problems(problems, files[0].parent)
    return images


def _same_name(id_: str, first: Path, second: Path) -> InputError:
    return InputError(
        f"{few([first, second])} would both be answered under the name {id_}",
        fix="Predict them into different folders, or rename one",
        code="input.same_name",
        path=second,
    )
